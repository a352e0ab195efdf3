//! One thread's panic, told to the others: nobody may wait for a thread that is gone.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long a blocked thread sleeps before it looks whether another has failed.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether a thread of the run has panicked.
#[derive(Debug, Default)]
pub(super) struct Failure(AtomicBool);

impl Failure {
    /// Tells whether a thread has panicked.
    pub(super) fn happened(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Runs a thread's work; a panic is kept from going further, told to the others and returned as its message.
    pub(super) fn guard<T>(&self, thread: &str, work: impl FnOnce() -> T) -> Result<T, String> {
        // Nothing that a panic leaves half done is looked at again: its owner is dropped with the thread's work.
        catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
            self.0.store(true, Ordering::Relaxed);
            format!("{thread}: {}", message(payload.as_ref()))
        })
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
