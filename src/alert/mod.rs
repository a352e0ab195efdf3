//! Alerts: what is said of a finding, when, and when it is over.
//!
//! [`book`] owns the life of alerts and incidents, [`mod@line`] the shape of a line (CONTRACT 2), [`filter`] the capture
//! filter that selects an alert's packets and [`text`] the sentences. How figures are measured is the detectors' affair,
//! and how a line is delivered the exporters'.

pub mod book;
pub mod filter;
mod id;
mod incident;
mod life;
pub mod line;
pub mod number;
mod origins;
mod sample;
pub mod text;

pub use book::{Book, Settings};
pub use line::{Alert, Event};
pub use sample::sample;
