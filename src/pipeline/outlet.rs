//! What a run gives away while it runs. Whoever starts it decides where lines, records and numbers go.

use crate::alert::Alert;
use crate::capture::{Accounting, CaptureTick};
use crate::detect::engine::{Armed, Home, Recalled, TickOutput};
use crate::flow::FlowRecord;
use crate::policy::Policy;
use crate::state::Sections;
use crate::summary::Summary;

/// One tick that was judged, over all inputs and shards.
#[derive(Debug)]
pub struct JudgedTick<'a> {
    /// What was counted.
    pub summary: &'a Summary,
    /// What is known of the capture itself.
    pub capture: &'a CaptureTick,
    /// The books of each input since the run began, in the order in which the sources were given.
    pub books: &'a [Accounting],
    /// What was protected in it.
    pub policy: &'a Policy,
    /// What the detectors held of it.
    pub output: &'a TickOutput,
    /// What is held to be home, as of the last full second.
    pub home: &'a Home,
    /// Which detectors are at work, as of the last full second.
    pub armed: &'a [Armed],
}

/// Takes what a run gives away. Called by one thread, in the order of event time.
///
/// No method can fail the run: a sink that is dead is the outlet's affair, to be counted and told at the end.
pub trait Outlet: Send {
    /// Takes a tick, after its alert lines and flow records.
    fn tick(&mut self, tick: &JudgedTick<'_>);

    /// Takes an alert line.
    fn alert(&mut self, line: &Alert);

    /// Takes what must outlive a restart, and what became of what was kept before; `is_last` at the end of the run. Only
    /// called when it was asked for.
    fn keep(&mut self, _sections: Sections, _recalled: &Recalled, _is_last: bool) {}

    /// Takes a flow that ended, or reached its active timeout; `policy` says what is protected.
    fn flow(&mut self, record: &FlowRecord, policy: &Policy);
}
