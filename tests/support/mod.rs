//! What the tests on live links share: namespaces, frames, and waiting with a bound.

pub(crate) mod fixtures;
pub(crate) mod frames;
pub(crate) mod netns;
pub(crate) mod watch;

use std::env;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Says visibly that a test did not run; fails where everything is required.
pub(crate) fn skip(why: &str) {
    assert!(env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "VIGIE_REQUIRE_ALL=1, but {why}");
    eprintln!("SKIPPED: {why}");
}

/// An end to waiting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    #[expect(clippy::disallowed_methods, reason = "tests on live links wait for the world, with a bound")]
    pub(crate) fn after(bound: Duration) -> Self {
        Self(Instant::now() + bound)
    }

    /// Tells whether it has come.
    #[expect(clippy::disallowed_methods, reason = "tests on live links wait for the world, with a bound")]
    pub(crate) fn passed(&self) -> bool {
        Instant::now() >= self.0
    }

    /// Asks every 50 ms until the answer is yes; tells whether it came in time.
    pub(crate) fn wait_until(&self, mut done: impl FnMut() -> bool) -> bool {
        let (_never, pause) = mpsc::channel::<()>();
        while !done() {
            if self.passed() {
                return false;
            }
            let _ = pause.recv_timeout(Duration::from_millis(50));
        }
        true
    }
}
