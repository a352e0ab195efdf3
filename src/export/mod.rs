//! What leaves the program while it runs: alert lines, flow records, metrics and the page people look at.
//!
//! Alerts arrive here as finished JSON lines and leave as they came. A sink that fails is counted and never stops a run.
//! Nothing here knows how an alert is found, or what packets are.

pub mod board;
pub mod flows;
pub mod hour;
pub mod http;
pub mod jsonl;
pub mod live;
pub mod privacy;
pub mod sinks;

/// Takes finished alert lines: one JSON object each, without the newline.
pub trait AlertSink: Send {
    /// Returns the sink's name: label `sink` of `vigie_sink_deliveries_total`.
    fn name(&self) -> &str;

    /// Hands one line on, and does not return before it has left this process.
    ///
    /// # Errors
    /// When the line was not taken. The sink stays usable; the caller counts the error and goes on.
    fn deliver(&mut self, line: &str) -> Result<(), SinkError>;
}

/// Why a sink cannot take lines. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It could not be opened at the start.
    #[error("cannot write alerts to {name}: {reason}: choose a path that can be written, or `-` for standard output")]
    Open {
        /// The path as given.
        name: String,
        /// What the system said.
        reason: std::io::Error,
    },
    /// The reader of a pipe has gone: nothing more can be said there.
    #[error("{name}: its reader has gone")]
    Closed {
        /// The sink.
        name: String,
    },
    /// One line could not be written.
    #[error("{name}: this alert was not written: {reason}")]
    Write {
        /// The sink.
        name: String,
        /// What the system said.
        reason: std::io::Error,
    },
}

impl SinkError {
    /// Tells whether the sink's reader has gone, which ends a `vigie ... | head` quietly.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}
