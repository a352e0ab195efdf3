//! What a sink can be told to, and how it may refuse.

use std::time::Duration;

use super::told::Told;

/// One line, as it was written and as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// The JSON object, without the newline.
    pub(super) line: &'a str,
    /// What it tells.
    pub(super) told: &'a Told,
    /// It is of this run; an earlier one's alerts may never be heard of again.
    pub(super) fresh: bool,
}

/// A receiver at the other end of a sink.
pub(super) trait Receiver: Send {
    /// Hands one line over and returns once it was taken, or at the latest after `limit`.
    ///
    /// # Errors
    /// Why it was not taken, and whether to try again.
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal>;

    /// Returns how often what is open must be told again; most receivers remember.
    fn renews_every(&self) -> Option<Duration> {
        None
    }

    /// Tells again what is open.
    ///
    /// # Errors
    /// Why it was not taken.
    fn renew(&mut self, _limit: Duration) -> Result<(), Refusal> {
        Ok(())
    }
}

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What happened, without secrets.
    pub why: String,
    /// Whether the same line may be taken later.
    pub again: Again,
}

/// Whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Later, and not before this time has passed if the receiver said so.
    Later(Option<Duration>),
    /// Never: the receiver understood and refused.
    Never,
}

impl Refusal {
    /// Something that passes: nobody answers, the receiver is busy.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: Again::Later(None) }
    }

    /// Something that stays.
    pub(super) fn never(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: Again::Never }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}
