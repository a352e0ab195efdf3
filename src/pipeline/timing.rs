//! How long stages take and how much memory they hold, for the metrics only: nothing that is decided depends on it.

use std::time::Instant;

use hdrhistogram::Histogram;

use super::settings::Settings;
use crate::metrics::{MemoryPart, Metrics, Stage};
use crate::summary::Memory;

/// A stop watch that is only wound when somebody reads it.
pub(super) struct Timed<'m>(Option<(&'m Metrics, Instant)>);

impl<'m> Timed<'m> {
    /// Starts, if there are metrics.
    pub(super) fn start(metrics: Option<&'m Metrics>) -> Self {
        Self(metrics.map(|metrics| (metrics, now())))
    }

    /// Writes down what the work took since the last call, and goes on.
    pub(super) fn next(self, stage: Stage) -> Self {
        Self(self.0.map(|(metrics, since)| {
            let now = now();
            metrics.observe_stage(stage, now.saturating_duration_since(since));
            (metrics, now)
        }))
    }
}

/// What judging a tick takes, over the run: the budget is half a millisecond on average and five at worst.
#[derive(Debug)]
pub(super) struct TickWork(Histogram<u64>);

impl TickWork {
    /// Microseconds, up to a minute, to three digits.
    pub(super) fn new() -> Self {
        Self(Histogram::new_with_bounds(1, 60_000_000, 3).expect("bounds and digits are in range"))
    }

    /// Does a tick's work and notes how long it took.
    pub(super) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let since = now();
        let done = work();
        let took = now().saturating_duration_since(since).as_micros();
        self.0.saturating_record(u64::try_from(took).unwrap_or(u64::MAX));
        done
    }

    /// Tells those who asked for more what it took.
    pub(super) fn tell(&self) {
        tracing::info!(
            ticks = self.0.len(),
            mean_us = self.0.mean().round(),
            p50_us = self.0.value_at_quantile(0.5),
            p99_us = self.0.value_at_quantile(0.99),
            max_us = self.0.max(),
            "work of judging a tick"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "elapsed time of a stage, shown as a metric and used for nothing else")]
fn now() -> Instant {
    Instant::now()
}

/// Shows what the shards have reserved; it never changes.
pub(super) fn show_memory(settings: &Settings, shards: impl IntoIterator<Item = Memory>) {
    let Some(metrics) = &settings.metrics else { return };
    let (mut flows, mut handshakes) = (0, 0);
    for shard in shards {
        flows += shard.flows + shard.pending + shard.asked + shard.progress;
        handshakes += shard.cohorts + shard.attempts;
    }
    metrics.set_memory(MemoryPart::Flows, flows as u64);
    metrics.set_memory(MemoryPart::Handshakes, handshakes as u64);
}
