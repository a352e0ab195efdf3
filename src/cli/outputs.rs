//! Where a run's results go while it runs: alert sinks, flow records, metrics, the board, the terminal.
//!
//! A sink that fails never stops the run: what it refused is counted, said once, and makes the exit code 2. Standard output
//! whose reader has gone is no failure: the run stops quietly.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::keeper::Keeper;
use super::reload::Delivery;
use super::status::Status;
use super::supervisor::Supervisor;
use super::terminal::{Stream, complain};
use crate::alert::{Alert, Event};
use crate::detect::engine::Recalled;
use crate::evidence::{Evidence, SoFar};
use crate::export::flows::FlowFile;
use crate::export::privacy::Privacy;
use crate::export::sinks::{Left, Sinks};
use crate::export::{AlertSink, SinkError};
use crate::flow::FlowRecord;
use crate::kind::Severity;
use crate::metrics::DeliveryOutcome;
use crate::pipeline::{JudgedTick, Outlet};
use crate::policy::Policy;
use crate::state::Sections;
use crate::time::TICKS_PER_SECOND;

/// How long a run waits at its end for receivers to take what is left.
const LAST_DELIVERIES: Duration = Duration::from_secs(10);

/// The outlet of a command.
#[derive(Default)]
pub(super) struct Outputs {
    sinks: Vec<Sink>,
    /// Sinks that lie elsewhere.
    remote: Option<Sinks>,
    flows: Option<FlowFile>,
    flows_failed: bool,
    evidence: Option<Evidence>,
    evidence_failed: bool,
    status: Option<Status>,
    keeper: Option<Keeper>,
    /// The service manager.
    supervisor: Option<Arc<Supervisor>>,
    /// How much of an address is shown.
    privacy: Privacy,
    /// From where changes come.
    changes: Option<Receiver<Delivery>>,
    /// Alerts are told on the terminal as they come.
    told: Option<Stream>,
    stop: Arc<AtomicBool>,
    /// The severity of each open alert, so that a change of it is told.
    open: BTreeMap<String, Severity>,
    worst: Option<Severity>,
    /// What could not be written, a sentence for each output.
    faults: Vec<String>,
    reader_gone: bool,
}

/// An alert sink and what it refused.
struct Sink {
    sink: Box<dyn AlertSink>,
    /// It failed and that was said.
    complained: bool,
    /// Its reader has gone.
    closed: bool,
    refused: u64,
}

impl Outputs {
    /// Takes the flag that stops the run when nobody reads any more.
    pub(super) fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Adds a sink for alert lines.
    pub(super) fn add_sink(&mut self, sink: Box<dyn AlertSink>) {
        if let Some(status) = &self.status {
            status.metrics().add_sink(sink.name());
        }
        self.sinks.push(Sink { sink, complained: false, closed: false, refused: 0 });
    }

    /// Tells sinks that lie elsewhere.
    pub(super) fn set_remote(&mut self, sinks: Sinks) {
        self.remote = Some(sinks);
    }

    /// Writes flow records to a file.
    pub(super) fn set_flows(&mut self, flows: FlowFile) {
        self.flows = Some(flows);
    }

    /// Keeps the packets of alerts.
    pub(super) fn set_evidence(&mut self, evidence: Evidence) {
        self.evidence = Some(evidence);
    }

    /// Feeds metrics and board.
    pub(super) fn set_status(&mut self, status: Status) {
        self.status = Some(status);
    }

    /// Shows what the run has given up.
    pub(super) fn set_sandbox(&mut self, standing: String) {
        if let Some(status) = &mut self.status {
            status.set_sandbox(standing);
        }
    }

    /// Keeps what is learned.
    pub(super) fn set_keeper(&mut self, keeper: Keeper) {
        self.keeper = Some(keeper);
    }

    /// Tells the service manager that the run is alive.
    pub(super) fn set_supervisor(&mut self, supervisor: Arc<Supervisor>) {
        self.supervisor = Some(supervisor);
    }

    /// Shows so much of addresses.
    pub(super) fn set_privacy(&mut self, privacy: Privacy) {
        self.privacy = privacy;
    }

    /// Returns how much of addresses is shown by now.
    pub(super) const fn privacy(&self) -> Privacy {
        self.privacy
    }

    /// Goes on with what comes from there.
    pub(super) fn set_changes(&mut self, changes: Receiver<Delivery>) {
        self.changes = Some(changes);
    }

    /// Tells alerts on the terminal as they come.
    pub(super) fn tell(&mut self, stream: Stream) {
        self.told = Some(stream);
    }

    /// Returns the loudest severity of any line.
    pub(super) const fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// Tells whether standard output's reader has gone.
    pub(super) const fn reader_gone(&self) -> bool {
        self.reader_gone
    }

    /// Flushes everything and returns what could not be written.
    pub(super) fn finish(mut self) -> Vec<String> {
        if let Some(flows) = self.flows.take()
            && let Err(error) = flows.finish()
            && !self.flows_failed
        {
            self.faults.push(error.to_string());
        }
        if let Some(evidence) = self.evidence.take() {
            self.end_evidence(evidence);
        }
        self.faults.extend(self.keeper.take().and_then(Keeper::finish));
        for sink in self.sinks.iter().filter(|sink| sink.refused > 0) {
            self.faults.push(format!("{} alert lines could not be written to {}", sink.refused, sink.sink.name()));
        }
        for Left { sink, kept, lost } in
            self.remote.take().map(|sinks| sinks.finish(LAST_DELIVERIES)).unwrap_or_default()
        {
            if kept > 0 {
                complain(&format!("{kept} alert lines for the sink `{sink}` wait in its spool for the next run"));
            }
            if lost > 0 {
                self.faults
                    .push(format!("{lost} alert lines could not be delivered to the sink `{sink}` and are lost"));
            }
        }
        self.faults
    }

    fn take_changes(&mut self) {
        for delivery in self.changes.iter().flat_map(Receiver::try_iter) {
            self.privacy = delivery.privacy;
            let revised = self.remote.as_mut().map(|sinks| sinks.revise(delivery.sinks, delivery.mutes));
            if let Some(Err(error)) = revised {
                complain(&format!("reload: sinks stay as they were: {error}"));
            }
        }
    }

    fn end_evidence(&mut self, evidence: Evidence) {
        let (ended, faults) = evidence.finish();
        if ended.refused > 0 {
            complain(&format!("{} alerts have no evidence: too many others were being recorded", ended.refused));
        }
        // One sentence is enough: what fails once fails for every alert that follows.
        let first = faults.into_iter().next().filter(|_| !self.evidence_failed);
        self.faults.extend(first);
    }

    /// Says once that the disk takes no more evidence.
    fn hear_evidence(&mut self) {
        let Some(fault) = self.evidence.as_ref().and_then(|evidence| evidence.faults().next()) else { return };
        if !std::mem::replace(&mut self.evidence_failed, true) {
            complain(&format!("{fault}; the run goes on"));
            self.faults.push(fault);
        }
    }

    fn deliver(&mut self, line: &str) {
        for sink in &mut self.sinks {
            let outcome = match sink.deliver(line) {
                Ok(()) => DeliveryOutcome::Delivered,
                Err(error) if error.is_closed() => {
                    self.reader_gone = true;
                    self.stop.store(true, Ordering::Relaxed);
                    DeliveryOutcome::Failed
                }
                Err(_) => DeliveryOutcome::Failed,
            };
            if let Some(status) = &self.status {
                status.metrics().record_delivery(sink.sink.name(), outcome);
            }
        }
    }

    fn show(&mut self, alert: &Alert, line: &str) {
        let before = match alert.event {
            Event::Close => self.open.remove(&alert.id),
            _ => self.open.insert(alert.id.clone(), alert.severity),
        };
        if let Some(status) = &self.status {
            status.alert(alert, line);
        }
        if let Some(stream) = self.told
            && (alert.event != Event::Update || before != Some(alert.severity))
            && stream.print(&spoken(alert)).is_err()
        {
            self.reader_gone = true;
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

impl Sink {
    /// Hands a line on; the first refusal is said, all are counted.
    fn deliver(&mut self, line: &str) -> Result<(), SinkError> {
        if self.closed {
            return Err(SinkError::Closed { name: self.sink.name().to_owned() });
        }
        let result = self.sink.deliver(line);
        match &result {
            Ok(()) => {}
            Err(error) if error.is_closed() => self.closed = true,
            Err(error) => {
                self.refused += 1;
                if !std::mem::replace(&mut self.complained, true) {
                    complain(&format!("{error}; the run goes on"));
                }
            }
        }
        result
    }
}

impl Outlet for Outputs {
    fn tick(&mut self, tick: &JudgedTick<'_>) {
        self.take_changes();
        if let Some(evidence) = &mut self.evidence {
            evidence.judged(tick.summary.tick, tick.books);
            if let Some(status) = &self.status {
                let SoFar { files, bytes, missed } = evidence.so_far();
                status.metrics().record_evidence(files, bytes, missed);
            }
            self.hear_evidence();
        }
        if let Some(status) = &mut self.status {
            status.tick(tick);
        }
        if let Some(supervisor) = &self.supervisor {
            supervisor.judged(tick.summary.tick.closes_period(TICKS_PER_SECOND));
        }
    }

    fn alert(&mut self, alert: &Alert) {
        self.worst = self.worst.max(Some(alert.severity));
        let alert = &*self.privacy.shown(alert);
        match alert.to_json() {
            Ok(line) => {
                self.deliver(&line);
                if let Some(evidence) = &mut self.evidence {
                    evidence.alert(alert);
                }
                if let Some(sinks) = &mut self.remote {
                    sinks.tell(&line);
                }
                self.show(alert, &line);
            }
            Err(error) => self.faults.push(format!("alert {} cannot be written as JSON: {error}", alert.id)),
        }
    }

    fn keep(&mut self, sections: Sections, recalled: &Recalled, is_last: bool) {
        if let Some(keeper) = &mut self.keeper {
            keeper.keep(sections, recalled, is_last);
        }
    }

    fn flow(&mut self, record: &FlowRecord, policy: &Policy) {
        if let Some(flows) = &mut self.flows
            && let Err(error) = flows.write(&self.privacy.shown_flow(record, policy))
            && !std::mem::replace(&mut self.flows_failed, true)
        {
            complain(&format!("{error}; the run goes on"));
            self.faults.push(error.to_string());
        }
    }
}

/// Writes an alert for people who watch.
fn spoken(alert: &Alert) -> String {
    let event = match alert.event {
        Event::Open => "opens",
        Event::Update => "is now",
        Event::Close => "is over",
    };
    format!("{} {} {} {event}: {}\n", alert.at, alert.severity, alert.kind, alert.why)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Mutex;

    use super::*;
    use crate::export::jsonl::JsonLines;

    /// A sink that fails from its second line on, as it is told to.
    struct Failing {
        taken: Arc<Mutex<Vec<String>>>,
        error: fn() -> SinkError,
    }

    impl AlertSink for Failing {
        fn name(&self) -> &str {
            "failing"
        }

        fn deliver(&mut self, line: &str) -> Result<(), SinkError> {
            let mut taken = self.taken.lock().unwrap();
            if !taken.is_empty() {
                return Err((self.error)());
            }
            taken.push(line.to_owned());
            Ok(())
        }
    }

    fn outputs(error: fn() -> SinkError) -> (Outputs, Arc<AtomicBool>, Arc<Mutex<Vec<String>>>) {
        let (stop, taken) = (Arc::default(), Arc::default());
        let mut outputs = Outputs::new(Arc::clone(&stop));
        outputs.add_sink(Box::new(Failing { taken: Arc::clone(&taken), error }));
        (outputs, stop, taken)
    }

    #[test]
    fn a_full_disk_never_stops_the_run_and_is_told_at_the_end() {
        let full = || SinkError::Write { name: "jsonl".to_owned(), reason: std::io::Error::from_raw_os_error(28) };
        let (mut outputs, stop, taken) = outputs(full);
        for line in ["{1}", "{2}", "{3}"] {
            outputs.deliver(line);
        }
        assert!(!stop.load(Ordering::Relaxed));
        assert_eq!(*taken.lock().unwrap(), ["{1}"]);
        assert_eq!(outputs.finish(), ["2 alert lines could not be written to failing"]);
    }

    #[test]
    fn a_reader_that_has_gone_stops_the_run_quietly() {
        let (mut outputs, stop, _) = outputs(|| SinkError::Closed { name: "stdout".to_owned() });
        outputs.deliver("{1}");
        assert!(!outputs.reader_gone());
        outputs.deliver("{2}");
        assert!(outputs.reader_gone() && stop.load(Ordering::Relaxed));
        assert!(outputs.finish().is_empty());
    }

    #[test]
    fn a_full_device_is_a_full_disk() {
        let mut outputs = Outputs::new(Arc::default());
        outputs.add_sink(Box::new(JsonLines::open(Path::new("/dev/full")).unwrap()));
        outputs.deliver("{}");
        assert_eq!(outputs.finish().len(), 1);
    }
}
