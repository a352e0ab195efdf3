//! What a run is made of.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::evidence::Recorders;
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::policy::{Policy, Site};
use crate::summary::ShardSettings;

/// When the outlet is given what must outlive the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Never.
    #[default]
    Never,
    /// At the end.
    AtEnd,
    /// At the end, and so often while running.
    Every(Duration),
}

/// What may change while a run goes on.
#[derive(Clone, Debug)]
pub struct Revision {
    /// What is protected from now on, where that changed.
    pub sites: Option<Vec<Site>>,
    /// Of windows and detectors, as far as [`crate::detect::engine::Engine::revise`] takes them.
    pub engine: crate::detect::engine::Settings,
    /// Of alerts.
    pub alert: crate::alert::Settings,
}

/// Settings of a run: those of the stages, and how they are joined.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that work at the same time; alerts do not depend on it. One: everything in one thread. More: one for each
    /// source, which reads and decodes, and the rest are shards, at least one. The scorer's thread, which works for
    /// half a millisecond a tick, is not counted.
    pub threads: NonZeroUsize,
    /// The sources are live links: time moves by itself, nothing waits for the scorer, no silence is skipped.
    pub live: bool,
    /// Of all shards together; the key of all hashing is in it.
    pub shard: ShardSettings,
    /// Of windows and detectors.
    pub engine: crate::detect::engine::Settings,
    /// Of alerts.
    pub alert: crate::alert::Settings,
    /// What was kept of an earlier run.
    pub recall: Option<Arc<crate::state::Sections>>,
    /// When the outlet is given what is to be kept.
    pub keep: Keep,
    /// What is protected at the start.
    pub policy: Arc<Policy>,
    /// Where addresses are registered.
    pub origins: Arc<Origins>,
    /// Where frames are kept for alerts; `None` when nobody wants them.
    pub evidence: Option<Recorders>,
    /// Where stage times and queue lengths are shown; `None` when nobody reads them.
    pub metrics: Option<Arc<Metrics>>,
    /// From where changes come while the run goes on. Live only: a replay with changes could not be repeated.
    pub revisions: Option<Receiver<Revision>>,
}
