//! Builds metric families and counts how many series they can ever have.

use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
};

/// Registers families in one registry and adds up their bounds.
#[derive(Debug, Default)]
pub(super) struct Register {
    registry: prometheus::Registry,
    limit: usize,
}

/// Names and help texts are literals of this module, so that a fault in one is found by the first test that runs.
const LITERAL: &str = "the family's name, labels and help are literals, valid and unique";

impl Register {
    /// Takes a counter without labels.
    pub(super) fn counter(&mut self, name: &str, help: &str) -> IntCounter {
        self.keep(IntCounter::new(name, help).expect(LITERAL), 1)
    }

    /// Takes counters of at most `most` label combinations.
    pub(super) fn counters(&mut self, name: &str, help: &str, labels: &[&str], most: usize) -> IntCounterVec {
        self.keep(IntCounterVec::new(Opts::new(name, help), labels).expect(LITERAL), most)
    }

    /// Takes a gauge of a whole number.
    pub(super) fn count(&mut self, name: &str, help: &str) -> IntGauge {
        self.keep(IntGauge::new(name, help).expect(LITERAL), 1)
    }

    /// Takes gauges of whole numbers, of at most `most` label combinations.
    pub(super) fn counts(&mut self, name: &str, help: &str, labels: &[&str], most: usize) -> IntGaugeVec {
        self.keep(IntGaugeVec::new(Opts::new(name, help), labels).expect(LITERAL), most)
    }

    /// Takes a gauge.
    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Gauge {
        self.keep(Gauge::new(name, help).expect(LITERAL), 1)
    }

    /// Takes gauges of at most `most` label combinations.
    pub(super) fn gauges(&mut self, name: &str, help: &str, labels: &[&str], most: usize) -> GaugeVec {
        self.keep(GaugeVec::new(Opts::new(name, help), labels).expect(LITERAL), most)
    }

    /// Takes histograms of at most `most` label combinations; each is one series a bucket, and three.
    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
        most: usize,
    ) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.keep(HistogramVec::new(options, labels).expect(LITERAL), most * (buckets.len() + 3))
    }

    /// Gives the registry and the largest number of series it can hold.
    pub(super) fn finish(self) -> (prometheus::Registry, usize) {
        (self.registry, self.limit)
    }

    fn keep<C: Collector + Clone + 'static>(&mut self, collector: C, most: usize) -> C {
        self.registry.register(Box::new(collector.clone())).expect(LITERAL);
        self.limit += most;
        collector
    }
}
