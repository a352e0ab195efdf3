//! Every metric of Vigie: its name, its help text, its labels.
//!
//! One [`Metrics`] is made for a run and passed to whoever measures; nothing is global. Per-packet things reach it once
//! a tick, as sums. It knows what the numbers are called and how many series there can be; it does not know who serves
//! them. Series of closed sets exist from the start, at zero, so that a first increase is seen as one.

mod exposition;
mod labels;
mod origins;
mod register;
mod sites;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::capture::Accounting;
use crate::country::Country;
use crate::decode::DropReason;
use crate::detect::engine::TickOutput;
use crate::flow::EndReason;
use crate::kind::{AlertKind, Severity};
use crate::policy::{Policy, SiteId};
use crate::sampling::Sampling;
use crate::summary::{FlowTick, Summary};

pub use labels::{
    ConnectionOrigin, DeliveryOutcome, DropPlace, HandshakeOutcome, MemoryPart, Queue, ReloadOutcome, Stage,
    TrafficDirection,
};
use register::Register;
use sites::{Scores, SiteFamilies, SiteSeries, SiteSum};

/// How many sources have a name of their own; files beyond them count as `other`.
const MAX_SOURCES: usize = 64;

/// How many sinks have a name of their own.
const MAX_SINKS: usize = 16;

/// The label value of what has no name of its own.
const OTHER: &str = "other";

/// Ticks in the period after which scores and leading countries move on: 10 s.
const PERIOD_TICKS: u64 = 40;

/// Upper bounds of stage times in seconds: powers of four from 16 µs to 1 s. None is a whole number, so that `le` is
/// written alike in both formats.
const STAGE_BUCKETS: [f64; 9] =
    [0.000_016, 0.000_064, 0.000_256, 0.001_024, 0.004_096, 0.016_384, 0.065_536, 0.262_144, 1.048_576];

/// All metrics of a run. Methods take `&self` and may be called from any thread.
#[derive(Debug)]
pub struct Metrics {
    registry: prometheus::Registry,
    limit: usize,
    series: IntGauge,
    capture: CaptureFamilies,
    flows: FlowFamilies,
    sites: SiteFamilies,
    alerts: AlertFamilies,
    process: ProcessFamilies,
    feed: Mutex<Feed>,
}

#[derive(Debug)]
struct CaptureFamilies {
    packets: IntCounterVec,
    bytes: IntCounterVec,
    drops: IntCounterVec,
    sampling: Gauge,
    processed: IntCounter,
    discarded: IntCounterVec,
    late: IntCounter,
    clock_steps: IntCounter,
    duplicates: GaugeVec,
    time: Gauge,
    lag: Gauge,
}

#[derive(Debug)]
struct FlowFamilies {
    active: IntGauge,
    admitted: IntCounter,
    ended: IntCounterVec,
    unanswered: IntCounter,
    followed: IntGauge,
    unfollowed: IntCounter,
    sampling: Gauge,
    hosts_refused: IntCounter,
}

#[derive(Debug)]
struct AlertFamilies {
    firing: IntGaugeVec,
    total: IntCounterVec,
    deliveries: IntCounterVec,
    backlog: IntGaugeVec,
}

#[derive(Debug)]
struct ProcessFamilies {
    /// In the order of `Stage::ALL`, since batches are timed and should look nothing up.
    stages: Vec<Histogram>,
    /// In the order of `Queue::ALL`.
    queues: Vec<IntGauge>,
    /// In the order of `MemoryPart::ALL`.
    memory: Vec<IntGauge>,
    /// In the order of `ReloadOutcome::ALL`.
    reloads: Vec<IntCounter>,
    evidence_files: IntCounter,
    evidence_bytes: IntCounter,
    evidence_missed: IntCounter,
}

/// The books of one source as last told.
#[derive(Debug)]
struct SourceBooks {
    total: Accounting,
    label: String,
}

/// What must be remembered between two calls.
#[derive(Debug, Default)]
struct Feed {
    /// What each source last told, so that what is new can be added.
    sources: BTreeMap<String, SourceBooks>,
    /// The source under which the duplicate ratio stands.
    duplicates_of: Option<String>,
    sinks: Vec<String>,
    /// Open alerts by id, with their severity.
    alerts: BTreeMap<String, Severity>,
    /// By [`SiteId`].
    sites: Vec<SiteSeries>,
    scores: Scores,
    home: Vec<Country>,
    segments: u64,
    repeated: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Makes all families, with every series of a closed set at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut register = Register::default();
        let build = register.counts(
            "vigie_build_info",
            "1, with the version and the revision this program was built from.",
            &["version", "revision"],
            1,
        );
        build
            .with_label_values(&[env!("CARGO_PKG_VERSION"), option_env!("VIGIE_REVISION").unwrap_or("unknown")])
            .set(1);
        let series = register.count("vigie_series", "Series in this exposition, this one included.");
        let series_limit =
            register.count("vigie_series_limit", "The largest number of series there can be, whatever the traffic.");
        let capture = CaptureFamilies::new(&mut register);
        let flows = FlowFamilies::new(&mut register);
        let sites = SiteFamilies::new(&mut register);
        let alerts = AlertFamilies::new(&mut register);
        let process = ProcessFamilies::new(&mut register);
        let (registry, limit) = register.finish();
        series_limit.set(i64::try_from(limit).unwrap_or(i64::MAX));
        Self { registry, limit, series, capture, flows, sites, alerts, process, feed: Mutex::default() }
    }

    /// Names a source before its first frame, so that its series exist from the start.
    pub fn add_source(&self, source: &str) {
        self.record_capture(source, &Accounting::default());
    }

    /// Takes the books of one source, counted since the run began; what is new since the last call is added. A run whose
    /// books are not kept by source gives them under one name.
    pub fn record_capture(&self, source: &str, total: &Accounting) {
        let mut feed = self.feed();
        let room = feed.sources.len() < MAX_SOURCES;
        let books = feed.sources.entry(source.to_owned()).or_insert_with(|| SourceBooks {
            total: Accounting::default(),
            label: if room { source } else { OTHER }.to_owned(),
        });
        let (source, before) = (books.label.as_str(), &mut books.total);
        let new = |now: u64, before: u64| now.saturating_sub(before);
        let capture = &self.capture;
        capture.packets.with_label_values(&[source]).inc_by(new(total.packets, before.packets));
        capture.bytes.with_label_values(&[source]).inc_by(new(total.bytes, before.bytes));
        let lost = [
            (DropPlace::Kernel, total.dropped.kernel, before.dropped.kernel),
            (DropPlace::Interface, total.dropped.interface, before.dropped.interface),
            (DropPlace::Shed, total.shed, before.shed),
        ];
        for (place, now, then) in lost {
            capture.drops.with_label_values(&[source, place.name()]).inc_by(new(now, then));
        }
        capture.processed.inc_by(new(total.processed, before.processed));
        for (reason, &count) in &total.discarded {
            let then = before.discarded.get(reason).copied().unwrap_or(0);
            capture.discarded.with_label_values(&[reason.name()]).inc_by(new(count, then));
        }
        capture.late.inc_by(new(total.late, before.late));
        capture.clock_steps.inc_by(new(total.clock_steps, before.clock_steps));
        before.clone_from(total);
    }

    /// Takes one merged tick, the policy it was counted under, and what the detectors made of it. Ticks come in order.
    pub fn record_tick(&self, policy: &Policy, summary: &Summary, output: &TickOutput) {
        let mut feed = self.feed();
        feed.follow(policy, &self.sites);
        feed.add_sites(policy, summary);
        for score in &output.scores {
            feed.scores.take(&self.sites, score.detector, &score.site, score.ratio);
        }
        for minute in &output.minutes {
            if feed.sites.iter().any(|site| site.name == minute.site) {
                sites::show_minute(&self.sites, minute);
            }
        }
        for (site, phase) in &output.phases {
            if feed.sites.iter().any(|known| known.name == *site) {
                sites::show_phase(&self.sites, site, *phase);
            }
        }
        self.flows.add(&summary.flows);
        self.capture.time.set(summary.tick.end().as_secs_f64());
        feed.count_duplicates(&summary.flows, &self.capture.duplicates);
        if summary.tick.closes_period(PERIOD_TICKS) {
            feed.close_period();
        }
    }

    /// Says which part of the pairs of addresses is counted.
    pub fn set_sampling(&self, sampling: Sampling) {
        self.capture.sampling.set(sampling.part());
    }

    /// Says which countries are home, from now on; none while it is not known.
    pub fn set_home(&self, home: &[Country]) {
        let mut feed = self.feed();
        if feed.home != home {
            feed.home = home.to_vec();
        }
    }

    /// Takes an alert as its latest line says it is; with `closes`, that line is its last. A first sight or a rise counts
    /// it under its severity, so that an increase of `vigie_alerts_total` sees every alert that ever reached one.
    pub fn record_alert(&self, id: &str, kind: AlertKind, severity: Severity, closes: bool) {
        let firing = |severity: Severity| self.alerts.firing.with_label_values(&[kind.name(), severity.name()]);
        let mut feed = self.feed();
        let before = feed.alerts.remove(id);
        if before.is_none_or(|before| severity > before) {
            self.alerts.total.with_label_values(&[kind.name(), severity.name()]).inc();
        }
        if let Some(before) = before {
            firing(before).dec();
        }
        if !closes {
            firing(severity).inc();
            feed.alerts.insert(id.to_owned(), severity);
        }
    }

    /// Names a sink before its first line, so that its series exist from the start.
    pub fn add_sink(&self, sink: &str) {
        for outcome in DeliveryOutcome::ALL {
            self.deliveries(sink, *outcome);
        }
        self.set_sink_backlog(sink, 0);
    }

    /// One line was handed to a sink.
    pub fn record_delivery(&self, sink: &str, outcome: DeliveryOutcome) {
        self.deliveries(sink, outcome).inc();
    }

    /// So many lines wait for a sink.
    pub fn set_sink_backlog(&self, sink: &str, lines: usize) {
        let sink = self.sink_label(sink);
        self.alerts.backlog.with_label_values(&[sink]).set(i64::try_from(lines).unwrap_or(i64::MAX));
    }

    /// One piece of work of a stage took so long. Costs an atomic addition or two, and no lock.
    pub fn observe_stage(&self, stage: Stage, took: Duration) {
        self.process.stages[stage as usize].observe(took.as_secs_f64());
    }

    /// Batches that wait in a queue, over all shards.
    pub fn set_queue(&self, queue: Queue, batches: usize) {
        self.process.queues[queue as usize].set(i64::try_from(batches).unwrap_or(i64::MAX));
    }

    /// How far the last closed tick lies behind the clock it should keep up with: the wall clock when live, the paced
    /// one in a replay.
    pub fn set_clock_lag(&self, lag: Duration) {
        self.capture.lag.set(lag.as_secs_f64());
    }

    /// Bytes held for one purpose.
    pub fn set_memory(&self, part: MemoryPart, bytes: u64) {
        self.process.memory[part as usize].set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A SIGHUP was followed.
    pub fn record_reload(&self, outcome: ReloadOutcome) {
        self.process.reloads[outcome as usize].inc();
    }

    /// Takes what came of evidence since the run began: files written whole, their bytes, and frames that found no place
    /// in memory.
    pub fn record_evidence(&self, files: u64, bytes: u64, missed: u64) {
        let process = &self.process;
        for (counter, total) in
            [(&process.evidence_files, files), (&process.evidence_bytes, bytes), (&process.evidence_missed, missed)]
        {
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Returns the largest number of series there can be.
    #[must_use]
    pub fn series_limit(&self) -> usize {
        self.limit
    }

    /// Writes the Prometheus text format 0.0.4.
    #[must_use]
    pub fn text(&self) -> String {
        exposition::text(&self.gather())
    }

    /// Writes OpenMetrics 1.0.0.
    #[must_use]
    pub fn openmetrics(&self) -> String {
        exposition::openmetrics(&self.gather())
    }

    /// Takes all families, sorted by name, with their number of series filled in.
    fn gather(&self) -> Vec<MetricFamily> {
        let families = self.registry.gather();
        let series: usize = families.iter().map(exposition::series).sum();
        self.series.set(i64::try_from(series).unwrap_or(i64::MAX));
        let mut counted = self.series.collect();
        families
            .into_iter()
            .map(|family| if family.name() == "vigie_series" { counted.pop().unwrap_or(family) } else { family })
            .collect()
    }

    fn deliveries(&self, sink: &str, outcome: DeliveryOutcome) -> IntCounter {
        self.alerts.deliveries.with_label_values(&[self.sink_label(sink), outcome.name()])
    }

    /// Returns the name under which a sink is counted: its own, as long as there is room.
    fn sink_label<'s>(&self, sink: &'s str) -> &'s str {
        let mut feed = self.feed();
        let known = feed.sinks.iter().any(|name| name == sink);
        let room = feed.sinks.len() < MAX_SINKS;
        if !known && room {
            feed.sinks.push(sink.to_owned());
        }
        if known || room { sink } else { OTHER }
    }

    /// A panic elsewhere leaves counters that are still counters.
    fn feed(&self) -> MutexGuard<'_, Feed> {
        self.feed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    /// Starts and removes sites as the policy does, by place and name.
    fn follow(&mut self, policy: &Policy, families: &SiteFamilies) {
        let wanted = &policy.sites()[..policy.sites().len().min(Policy::MAX_SITES)];
        let same = self.sites.len() == wanted.len()
            && self.sites.iter().zip(wanted).all(|(series, site)| series.name == site.name);
        if same {
            return;
        }
        let mut before = std::mem::take(&mut self.sites);
        for site in wanted {
            let kept = before.iter().position(|series| series.name == site.name);
            self.sites.push(kept.map_or_else(|| SiteSeries::new(families, &site.name), |at| before.swap_remove(at)));
        }
        for gone in before {
            // Two sites may share a name, and then its series.
            if !self.sites.iter().any(|site| site.name == gone.name) {
                gone.remove(families);
                self.scores.remove(families, &gone.name);
            }
        }
    }

    fn add_sites(&mut self, policy: &Policy, summary: &Summary) {
        let mut sums = vec![SiteSum::default(); self.sites.len()];
        for host in &summary.hosts {
            let SiteId(id) = match policy.site_of(host.address) {
                Some(id) => id,
                None => continue,
            };
            if let Some(sum) = sums.get_mut(usize::from(id)) {
                sum.add(host, &self.home);
            }
        }
        for (site, sum) in self.sites.iter().zip(&sums) {
            site.add_hosts(sum);
        }
        for tick in &summary.sites {
            if let Some(site) = self.sites.get(usize::from(tick.site.0)) {
                site.add_tick(tick);
            }
        }
        for origin in &summary.origins {
            if let Some(site) = self.sites.get_mut(usize::from(origin.site.0)) {
                site.origins.add(origin.country, origin.inbound);
            }
        }
    }

    /// Duplicates are measured on the joined stream: with several sources the ratio stands under `all`.
    fn count_duplicates(&mut self, flows: &FlowTick, gauge: &GaugeVec) {
        self.segments += flows.data_segments;
        self.repeated += flows.repeated_segments;
        let ratio = if self.segments == 0 { 0.0 } else { self.repeated as f64 / self.segments as f64 };
        let source = match self.sources.len() {
            0 => return,
            1 => self.sources.keys().next().cloned(),
            _ => Some("all".to_owned()),
        };
        if self.duplicates_of != source
            && let Some(before) = std::mem::replace(&mut self.duplicates_of, source)
        {
            // The only possible error is that the series is not there, which is what is wanted.
            let _ = gauge.remove_label_values(&[before]);
        }
        if let Some(source) = &self.duplicates_of {
            gauge.with_label_values(&[source]).set(ratio);
        }
    }

    fn close_period(&mut self) {
        self.scores.close_period();
        for site in &mut self.sites {
            site.origins.close_period();
        }
        // The ratio is of the last minute or so: each period halves what came before.
        self.segments /= 2;
        self.repeated /= 2;
    }
}

impl CaptureFamilies {
    fn new(register: &mut Register) -> Self {
        let named = MAX_SOURCES + 1;
        let families = Self {
            packets: register.counters(
                "vigie_packets_total",
                "Packets seen, those lost before Vigie saw them included: processed + discarded + dropped.",
                &["source"],
                named,
            ),
            bytes: register.counters("vigie_bytes_total", "Bytes on the wire of the packets seen.", &["source"], named),
            drops: register.counters(
                "vigie_capture_drops_total",
                "Packets that were not counted, by place: lost before Vigie saw them, or shed by an overloaded run.",
                &["source", "where"],
                named * DropPlace::ALL.len(),
            ),
            processed: register.counter("vigie_packets_processed_total", "Packets decoded and counted."),
            discarded: register.counters(
                "vigie_packets_discarded_total",
                "Packets that could not be decoded, by reason.",
                &["reason"],
                DropReason::ALL.len(),
            ),
            sampling: register.gauge(
                "vigie_sampling_ratio",
                "Part of the pairs of addresses that is counted: 1, or less in an overloaded run.",
            ),
            late: register.counter(
                "vigie_packets_late_total",
                "Packets older than the open tick, counted in it.",
            ),
            clock_steps: register.counter("vigie_clock_steps_total", "Steps of the capture clock."),
            duplicates: register.gauges(
                "vigie_duplicate_ratio",
                "Share of TCP data segments seen twice within 50 ms, over about the last 20 s; all stands for several sources joined.",
                &["source"],
                named,
            ),
            time: register.gauge(
                "vigie_packet_time_seconds",
                "Packet time up to which everything is counted, in seconds since 1970.",
            ),
            lag: register.gauge(
                "vigie_clock_lag_seconds",
                "How far the last closed tick lies behind the clock it should keep up with.",
            ),
        };
        families.sampling.set(1.0);
        for reason in DropReason::ALL {
            families.discarded.with_label_values(&[reason.name()]);
        }
        families
    }
}

impl FlowFamilies {
    fn new(register: &mut Register) -> Self {
        let families = Self {
            active: register.count("vigie_flows_active", "Flows in the table."),
            admitted: register.counter("vigie_flows_total", "Two-way flows admitted to the table."),
            ended: register.counters(
                "vigie_flows_ended_total",
                "Flows that ended, by reason (IPFIX flowEndReason).",
                &["reason"],
                EndReason::ALL.len(),
            ),
            unanswered: register.counter("vigie_unanswered_packets_total", "Packets without a flow: one-way talk."),
            followed: register.count("vigie_handshakes_followed", "Half-open handshakes being followed."),
            unfollowed: register.counter(
                "vigie_handshakes_unfollowed_total",
                "Handshakes that could not be followed because the sampler was full.",
            ),
            sampling: register.gauge(
                "vigie_handshake_sampling_ratio",
                "Share of handshakes that is followed, in the partition where it is least.",
            ),
            hosts_refused: register.counter(
                "vigie_hosts_refused_total",
                "Times a protected host found no place of its own and counted in its site only.",
            ),
        };
        families.sampling.set(1.0);
        for reason in EndReason::ALL {
            families.ended.with_label_values(&[reason.name()]);
        }
        families
    }

    fn add(&self, tick: &FlowTick) {
        let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.active.set(gauge(tick.active));
        self.admitted.inc_by(tick.admitted);
        for (reason, &count) in EndReason::ALL.iter().zip(&tick.ended) {
            self.ended.with_label_values(&[reason.name()]).inc_by(count);
        }
        self.unanswered.inc_by(tick.unanswered);
        self.followed.set(gauge(tick.cohort_active));
        self.unfollowed.inc_by(tick.cohort_refused);
        self.sampling.set((-f64::from(tick.sampler_shift)).exp2());
        self.hosts_refused.inc_by(tick.hosts_refused);
    }
}

impl AlertFamilies {
    fn new(register: &mut Register) -> Self {
        let series = AlertKind::ALL.len() * Severity::ALL.len();
        let families = Self {
            firing: register.counts("vigie_alerts_firing", "Alerts that are open now.", &["kind", "severity"], series),
            total: register.counters(
                "vigie_alerts_total",
                "Alerts that opened with a severity or rose to it.",
                &["kind", "severity"],
                series,
            ),
            deliveries: register.counters(
                "vigie_sink_deliveries_total",
                "Alert lines handed to a sink, by outcome.",
                &["sink", "outcome"],
                (MAX_SINKS + 1) * DeliveryOutcome::ALL.len(),
            ),
            backlog: register.counts(
                "vigie_sink_backlog_lines",
                "Alert lines that wait for a sink, in memory or in its spool.",
                &["sink"],
                MAX_SINKS + 1,
            ),
        };
        for kind in AlertKind::ALL {
            for severity in Severity::ALL {
                families.firing.with_label_values(&[kind.name(), severity.name()]);
                families.total.with_label_values(&[kind.name(), severity.name()]);
            }
        }
        families
    }
}

impl ProcessFamilies {
    fn new(register: &mut Register) -> Self {
        let stages = register.histograms(
            "vigie_stage_duration_seconds",
            "Wall time of one piece of work of a stage.",
            &["stage"],
            &STAGE_BUCKETS,
            Stage::ALL.len(),
        );
        let queues =
            register.counts("vigie_queue_batches", "Batches waiting in a queue.", &["queue"], Queue::ALL.len());
        let memory = register.counts(
            "vigie_memory_bytes",
            "Bytes held, by purpose; resident is the whole process as the system counts it.",
            &["part"],
            MemoryPart::ALL.len(),
        );
        let reloads = register.counters(
            "vigie_reloads_total",
            "Times the configuration and the certificate were read again on SIGHUP, by outcome.",
            &["outcome"],
            ReloadOutcome::ALL.len(),
        );
        Self {
            reloads: ReloadOutcome::ALL.iter().map(|outcome| reloads.with_label_values(&[outcome.name()])).collect(),
            evidence_files: register.counter("vigie_evidence_files_total", "Files of evidence written whole."),
            evidence_bytes: register
                .counter("vigie_evidence_bytes_total", "Bytes of the files of evidence written whole."),
            evidence_missed: register.counter(
                "vigie_evidence_missed_packets_total",
                "Packets that evidence had no memory for, so that no file can hold them.",
            ),
            stages: Stage::ALL.iter().map(|stage| stages.with_label_values(&[stage.name()])).collect(),
            queues: Queue::ALL.iter().map(|queue| queues.with_label_values(&[queue.name()])).collect(),
            memory: MemoryPart::ALL.iter().map(|part| memory.with_label_values(&[part.name()])).collect(),
        }
    }
}
