//! What is said beside the results, on standard error.

use tracing_subscriber::EnvFilter;

use super::Verbosity;
use crate::config::LOG_VARIABLE;

/// Starts logging: warnings and errors, more with `-v`; `VIGIE_LOG` says it in detail.
pub(super) fn start(verbosity: Verbosity) {
    let level = match verbosity {
        Verbosity { quiet: true, .. } => "error",
        Verbosity { verbose: 0, .. } => "warn",
        Verbosity { verbose: 1, .. } => "info",
        Verbosity { .. } => "debug",
    };
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
    // The only error is that a subscriber is there already, which is as good.
    let _ = started;
}
