//! Decides for each line which sinks are told, on a thread of its own between the scorer and the couriers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::courier::Courier;
use super::filter::{Filter, Judgement};
use super::{Left, Mute, Settings, Told, clock, start_courier};
use crate::metrics::{Metrics, Queue};

/// How long a sink that is given up may go on delivering. Alerts wait at the desk meanwhile.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How often is looked whether a courier has ended that something waits for.
const LOOK: Duration = Duration::from_millis(100);

/// What the desk is given.
pub(super) enum ToDesk {
    /// A line.
    Line(Arc<str>),
    /// Other sinks and mutes, for the lines after it.
    Revise(Vec<Settings>, Vec<Mute>),
}

/// One sink.
struct Place {
    settings: Settings,
    filter: Filter,
    courier: Courier,
    /// What it is to become once its courier has ended.
    heir: Option<Settings>,
}

/// The desk.
pub(super) struct Desk {
    sinks: Vec<Place>,
    mutes: Vec<Mute>,
    spool: Option<PathBuf>,
    metrics: Option<Arc<Metrics>>,
}

impl Place {
    fn new(settings: Settings, courier: Courier) -> Self {
        Self { filter: Filter::new(settings.severity, settings.updates), settings, courier, heir: None }
    }
}

impl Desk {
    /// Takes the couriers, in the order of their settings.
    pub(super) fn new(
        settings: &[Settings],
        mutes: Vec<Mute>,
        couriers: Vec<Courier>,
        spool: Option<PathBuf>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let places = settings.iter().cloned().zip(couriers).map(|(settings, courier)| Place::new(settings, courier));
        Self { sinks: places.collect(), mutes, spool, metrics }
    }

    /// Works until no more lines come, then gives itself back.
    pub(super) fn run(mut self, incoming: &Receiver<ToDesk>) -> Self {
        loop {
            let waits = self.sinks.iter().any(|place| place.heir.is_some());
            match incoming.recv_timeout(if waits { LOOK } else { Duration::MAX }) {
                Ok(ToDesk::Line(line)) => self.take(&line),
                Ok(ToDesk::Revise(sinks, mutes)) => self.revise(sinks, mutes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self,
            }
            self.hand_over();
            if let Some(metrics) = &self.metrics {
                metrics.set_queue(Queue::Deliveries, incoming.len());
            }
        }
    }

    /// Keeps what is wanted as it is, gives up what is not, and opens what is new. A sink that changed and has a spool lays
    /// lines into it until its courier lets go of it.
    fn revise(&mut self, wanted: Vec<Settings>, mutes: Vec<Mute>) {
        self.mutes = mutes;
        let deadline = clock::now() + LAST_WORDS;
        let (mut before, mut gone) = (std::mem::take(&mut self.sinks), Vec::new());
        for settings in wanted {
            let at = before.iter().position(|place| place.settings.name == settings.name);
            match at.map(|at| before.swap_remove(at)) {
                Some(place) if place.settings == settings && place.heir.is_none() => self.sinks.push(place),
                Some(place) if self.spool.is_some() => {
                    place.courier.close(deadline);
                    self.sinks.push(Place { heir: Some(settings), ..place });
                }
                other => {
                    gone.extend(other);
                    self.open(settings);
                }
            }
        }
        gone.extend(before);
        gone.iter().for_each(|place| place.courier.close(deadline));
        gone.into_iter().for_each(|place| give_up(place.courier, deadline));
    }

    /// Lets heirs follow couriers that have ended.
    fn hand_over(&mut self) {
        for at in (0..self.sinks.len()).rev() {
            if self.sinks[at].heir.is_some() && self.sinks[at].courier.has_ended() {
                let Place { heir, courier, .. } = self.sinks.swap_remove(at);
                drop(courier);
                heir.into_iter().for_each(|settings| self.open(settings));
            }
        }
    }

    fn open(&mut self, settings: Settings) {
        match start_courier(&settings, self.spool.as_deref(), self.metrics.clone()) {
            Ok(courier) => self.sinks.push(Place::new(settings, courier)),
            Err(error) => tracing::error!(%error, "a sink is not told of anything"),
        }
    }

    /// Ends, and gives the couriers back.
    pub(super) fn close(self) -> Vec<Courier> {
        self.sinks.into_iter().map(|place| place.courier).collect()
    }

    fn take(&mut self, line: &Arc<str>) {
        let told: Told = match serde_json::from_str(line) {
            Ok(told) => told,
            Err(error) => {
                tracing::error!(%error, "an alert line cannot be read back: no sink is told of it");
                return;
            }
        };
        let muted = self.mutes.iter().any(|mute| mute.covers(&told));
        for Place { filter, courier, .. } in &mut self.sinks {
            match filter.judge(&told, muted) {
                Judgement::Tell => courier.push(line),
                Judgement::Muted => courier.mute(),
                Judgement::Skip => {}
            }
        }
    }
}

fn give_up(courier: Courier, deadline: std::time::Instant) {
    let Left { sink, kept, lost } = courier.finish(deadline);
    if kept > 0 || lost > 0 {
        tracing::warn!(sink, in_spool = kept, lost, "a sink was given up with lines undelivered");
    }
}
