//! The wall clock of deliveries: how long a receiver may take, and when it is told something. Packet time is of no use
//! there, since it stands still in a capture and a receiver does not wait for it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Returns a moment to count from.
#[expect(clippy::disallowed_methods, reason = "a receiver's patience is measured in real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Returns the time since the epoch, as receivers know it.
#[expect(clippy::disallowed_methods, reason = "receivers hold what they get against their own wall clock")]
pub(super) fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Returns what is left until a moment.
pub(super) fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(now())
}
