//! How often Vigie is right: labelled worlds through the pipeline that runs live, and alerts held against the truth.
//!
//! A [`World`] is drawn from a suite or read from disk, [`run()`] gives its [`Outcome`], and a [`Sheet`] counts over all of
//! them. Nothing here knows a detector or a threshold: what is measured is what a user would have been told. Printing and
//! files are left to the command line.

mod feed;
pub mod floors;
pub mod life;
pub mod matching;
pub mod page;
mod random;
pub mod rivals;
mod run;
mod schedule;
pub mod sheet;
pub mod statistics;
pub mod suite;
pub mod weeks;
mod world;

pub use run::{Base, Outcome, run};
pub use schedule::{Allowance, Purse, in_parallel};
pub use sheet::Sheet;
pub use suite::Suite;
pub use world::{Group, Origin, Stratum, World};
