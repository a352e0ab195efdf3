//! SIGINT and SIGTERM: the first drains the run, a later one ends it at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code when a run was not left to drain: 128 and the number of SIGINT, as shells have it.
const KILLED: i32 = 130;

/// Signals so soon after the first are the same wish: timeout(1) and the like pass on what the whole process group has got
/// already.
const SAME_WISH: Duration = Duration::from_secs(1);

/// Signals to stop that came and wait to be followed. From here on they do not end the program.
pub(super) struct Stop {
    signals: Signals,
    flag: Arc<AtomicBool>,
}

impl Stop {
    /// Begins to catch them.
    ///
    /// # Errors
    /// When the system takes no handler.
    pub(super) fn catch() -> anyhow::Result<Self> {
        let signals = Signals::new([SIGINT, SIGTERM]).context("signals cannot be handled")?;
        Ok(Self { signals, flag: Arc::new(AtomicBool::new(false)) })
    }

    /// Returns the flag that a signal sets.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Follows them on a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn follow(self) -> anyhow::Result<()> {
        let Self { mut signals, flag } = self;
        let wait = move || {
            let mut first: Option<Instant> = None;
            for _ in signals.forever() {
                let now = now();
                if now.duration_since(*first.get_or_insert(now)) > SAME_WISH {
                    signal_hook::low_level::exit(KILLED);
                }
                flag.store(true, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new()
            .name("vigie signals".to_owned())
            .spawn(wait)
            .context("signals cannot be handled")?;
        Ok(())
    }
}

/// Follows signals from now on, and returns the flag that they set.
///
/// # Errors
/// As [`Stop::catch`] and [`Stop::follow`].
pub(super) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Stop::catch()?;
    let flag = stop.flag();
    stop.follow()?;
    Ok(flag)
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a second wish to end from an echo of the first; no packet is near"
)]
fn now() -> Instant {
    Instant::now()
}
