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

/// Returns the flag that a signal sets.
///
/// # Errors
/// When the system takes no handler, or no thread to wait for signals.
pub(super) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("signals cannot be handled")?;
    let flag = Arc::clone(&stop);
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
    std::thread::Builder::new().name("vigie signals".to_owned()).spawn(wait).context("signals cannot be handled")?;
    Ok(stop)
}

#[expect(
    clippy::disallowed_methods,
    reason = "tells a second wish to end from an echo of the first; no packet is near"
)]
fn now() -> Instant {
    Instant::now()
}
