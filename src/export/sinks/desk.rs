//! Decides for each line which sinks are told, on a thread of its own between the scorer and the couriers.

use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::courier::Courier;
use super::filter::{Filter, Judgement};
use super::{Mute, Settings, Told};
use crate::metrics::{Metrics, Queue};

/// The desk.
pub(super) struct Desk {
    sinks: Vec<(Filter, Courier)>,
    mutes: Vec<Mute>,
    metrics: Option<Arc<Metrics>>,
}

impl Desk {
    /// Takes the couriers, in the order of their settings.
    pub(super) fn new(
        settings: &[Settings],
        mutes: Vec<Mute>,
        couriers: Vec<Courier>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let filters = settings.iter().map(|settings| Filter::new(settings.severity, settings.updates));
        Self { sinks: filters.zip(couriers).collect(), mutes, metrics }
    }

    /// Works until no more lines come, then gives itself back.
    pub(super) fn run(mut self, incoming: &Receiver<Arc<str>>) -> Self {
        for line in incoming {
            self.take(&line);
            if let Some(metrics) = &self.metrics {
                metrics.set_queue(Queue::Deliveries, incoming.len());
            }
        }
        self
    }

    /// Ends, and gives the couriers back.
    pub(super) fn close(self) -> Vec<Courier> {
        self.sinks.into_iter().map(|(_, courier)| courier).collect()
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
        for (filter, courier) in &mut self.sinks {
            match filter.judge(&told, muted) {
                Judgement::Tell => courier.push(line),
                Judgement::Muted => courier.mute(),
                Judgement::Skip => {}
            }
        }
    }
}
