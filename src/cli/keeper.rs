//! Keeps what a run has learned: loaded before it begins, saved while it runs and at its end, by a thread of its own, so
//! that a slow disk holds nothing up.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

use super::terminal::complain;
use crate::config::Config;
use crate::detect::engine::{Fate, Recalled};
use crate::hash::Seed;
use crate::state::{Directory, Sections, StateError};

/// A state that was opened, and what was in it.
pub(super) struct Opened {
    directory: Directory,
    /// What was kept.
    pub(super) sections: Option<Arc<Sections>>,
}

impl Opened {
    /// Opens the state, if one is configured. What is refused is said.
    ///
    /// # Errors
    /// One sentence: what cannot be read or written, and what to do.
    pub(super) fn open(config: &Config) -> Result<Option<Self>, StateError> {
        let Some(path) = config.state.as_deref() else { return Ok(None) };
        let directory = Directory::open(path)?;
        let (sections, refusal) = directory.load()?;
        refusal.iter().for_each(|sentence| complain(sentence));
        if let Some(sections) = &sections {
            tracing::info!(directory = %path.display(), saved_at = %sections.saved_at, "state loaded");
        }
        Ok(Some(Self { directory, sections: sections.map(Arc::new) }))
    }

    /// Returns the key of the hash tables that the state was kept under.
    pub(super) fn seed(&self) -> Option<Seed> {
        self.sections.as_ref()?.get("seed").map(Seed)
    }

    /// Begins to keep.
    pub(super) fn keeper(self) -> Keeper {
        let (sender, incoming) = bounded::<Sections>(1);
        let directory = self.directory.clone();
        let writer = std::thread::spawn(move || {
            let mut last = Ok(());
            for sections in incoming {
                last = directory.save(&sections);
            }
            last
        });
        Keeper { directory: self.directory, sender, writer, said: 0, aside: false }
    }
}

/// The state of a run under way.
pub(super) struct Keeper {
    directory: Directory,
    sender: Sender<Sections>,
    writer: JoinHandle<Result<(), StateError>>,
    /// Sentences said.
    said: usize,
    /// The old file was set aside.
    aside: bool,
}

impl Keeper {
    /// Takes what is to be kept. While the last is still being written this one is passed over, unless it `is_last`.
    pub(super) fn keep(&mut self, sections: Sections, recalled: &Recalled, is_last: bool) {
        recalled.refused.iter().skip(self.said).for_each(|sentence| complain(sentence));
        self.said = self.said.max(recalled.refused.len());
        match recalled.fate {
            // A capture from before the state teaches nothing that is newer.
            Fate::Ahead => return,
            Fate::Stale if !std::mem::replace(&mut self.aside, true) => {
                if let Err(error) = self.directory.set_aside() {
                    complain(&error.to_string());
                }
            }
            Fate::Stale | Fate::Used => {}
        }
        // A writer that is gone has left its error, which the end tells.
        if is_last {
            let _ = self.sender.send(sections);
        } else {
            let _ = self.sender.try_send(sections);
        }
    }

    /// Waits until everything is written; returns what could not be.
    pub(super) fn finish(self) -> Option<String> {
        drop(self.sender);
        match self.writer.join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the state could not be saved: its thread failed".to_owned()),
        }
    }
}
