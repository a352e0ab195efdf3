//! Decides for each line which sinks are told, on a thread of its own between the scorer and the couriers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::courier::Courier;
use super::filter::{Filter, Judgement};
use super::{Left, Mute, Settings, Told, clock, start_courier};
use crate::metrics::{Metrics, Queue};

/// How long a sink that is given up may go on delivering. Alerts wait at the desk meanwhile.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
        Self { filter: Filter::new(settings.severity, settings.updates), settings, courier }
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
        for message in incoming {
            match message {
                ToDesk::Line(line) => self.take(&line),
                ToDesk::Revise(sinks, mutes) => self.revise(sinks, mutes),
            }
            if let Some(metrics) = &self.metrics {
                metrics.set_queue(Queue::Deliveries, incoming.len());
            }
        }
        self
    }

    /// Closes what is not wanted any more before it opens what is new: the two may share a spool.
    fn revise(&mut self, wanted: Vec<Settings>, mutes: Vec<Mute>) {
        self.mutes = mutes;
        let before = std::mem::take(&mut self.sinks);
        let (mut kept, gone): (Vec<Place>, Vec<Place>) =
            before.into_iter().partition(|place| wanted.contains(&place.settings));
        let deadline = clock::now() + LAST_WORDS;
        gone.iter().for_each(|place| place.courier.close(deadline));
        for place in gone {
            let Left { sink, kept, lost } = place.courier.finish(deadline);
            if kept + usize::try_from(lost).unwrap_or(usize::MAX) > 0 {
                tracing::warn!(sink, in_spool = kept, lost, "a sink was given up with lines undelivered");
            }
        }
        for settings in wanted {
            match kept.iter().position(|place| place.settings == settings) {
                Some(at) => self.sinks.push(kept.swap_remove(at)),
                None => match start_courier(&settings, self.spool.as_deref(), self.metrics.clone()) {
                    Ok(courier) => self.sinks.push(Place::new(settings, courier)),
                    Err(error) => tracing::error!(%error, "a sink is not told of anything"),
                },
            }
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
