//! All threads and channels: how the stages are joined, paced and ended.
//!
//! ```text
//!  source ─▶ intake ─▶ router ══batches══▶ worker[ station ] ══counts══▶ gather ─▶ scorer ─▶ outlet
//!            (place, decode)   one per shard                   (merge)    (judge)
//! ```
//!
//! With one thread the intake feeds a station and the scorer directly (`fused`); with more, through channels
//! (`threaded`). Both run the same code for each step, and both let what a tick decides rule [`RULES_AFTER`] ticks
//! later, so the number of threads changes nothing but the time it takes. Knows no command line and no file format.

mod batch;
mod books;
mod failure;
mod fused;
mod gather;
mod inbox;
mod intake;
mod outlet;
mod router;
mod run;
mod scorer;
mod settings;
mod shedding;
mod station;
mod threaded;
mod timing;
mod worker;

#[cfg(test)]
mod tests;

pub use intake::IntakeEnd;
pub use outlet::{JudgedTick, Outlet};
pub use run::{RunOutcome, Source, run};
pub use scorer::{Judged, RULES_AFTER};
pub use settings::{Keep, Revision, Settings};
