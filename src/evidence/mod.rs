//! Evidence: for each alert a pcapng file with its packets, from ten seconds before it opened until it closes.
//!
//! ```text
//!  capture thread ─ Recorder ══Chunk of a tick══▶ desk (thread): ring of 10 s ─▶ one file an alert
//!  scorer's thread ─ Evidence ══alert line, tick judged══▶
//! ```
//!
//! Buffers of fixed size go round between recorder and desk, so that memory is what was asked for and no more. Live, a disk
//! that hangs costs evidence and nothing else; a replay waits. Rereading recorded files by offset was considered: it
//! would keep more of what came before, but not from compressed files or pipes, and not by the code that runs live.

mod desk;
mod folder;
mod pcapng;
mod recorder;
mod recording;
mod remark;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use self::desk::{Desk, Message, Tally};
use self::folder::Folder;
use crate::alert::Alert;
use crate::capture::Accounting;
use crate::source::InterfaceId;
use crate::time::{TICKS_PER_SECOND, Tick};

pub use self::desk::Ended;
pub use self::recorder::{Recorder, Recorders};

/// Ticks before an alert's own of which frames are kept: ten seconds.
const BEFORE_TICKS: u64 = 10 * TICKS_PER_SECOND;

/// Buffers of an input: those ticks, the alert's own, and the ticks that a capture may be ahead of the judgement, with one
/// being filled (a replay is at most eight ahead).
const BUFFERS: usize = 52;

/// Alerts recorded at once: each costs the desk a look at every frame.
const MOST_AT_ONCE: usize = 32;

/// Messages that wait for the desk at most: more than four minutes of ticks.
const MOST_MESSAGES: usize = 1_024;

/// How long the end of a live run waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Where evidence goes and how much of it there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder; made when it is not there.
    pub folder: PathBuf,
    /// Memory for the frames of the last ten seconds, all inputs together, in bytes.
    pub memory_bytes: usize,
    /// Most bytes of a file.
    pub file_bytes: u64,
    /// Most files in the folder; the oldest make room.
    pub files: NonZeroUsize,
    /// Most bytes kept of a frame.
    pub snap_bytes: u16,
}

/// What the run reads: files or interfaces.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Live links have losses of their own, and one or more inputs each.
    pub live: bool,
    /// Files or interfaces, as they were named.
    pub inputs: Vec<String>,
    /// The name of each source, in the order of the run's inputs.
    pub sources: Vec<String>,
}

/// What became of the frames of an input, since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Frames, lost ones included.
    received: u64,
    /// Lost by the interface or its driver.
    interface_drops: u64,
    /// Lost by the kernel.
    kernel_drops: u64,
    /// Decoded and not counted, since more came than could be handled.
    shed: u64,
}

impl From<&Accounting> for Counts {
    fn from(books: &Accounting) -> Self {
        let Accounting { packets, dropped, shed, .. } = books;
        Self { received: *packets, interface_drops: dropped.interface, kernel_drops: dropped.kernel, shed: *shed }
    }
}

impl Origin {
    /// Returns the name of an interface: live ones are numbered as they were named, and those of a file are that file.
    fn name_of(&self, interface: InterfaceId) -> Option<&str> {
        match self.inputs.as_slice() {
            [only] => Some(only),
            several if self.live => several.get(usize::from(interface.0)).map(String::as_str),
            _ => None,
        }
    }

    /// Returns the counts of an interface; those of files are counted together.
    fn counts_of(&self, interface: InterfaceId, counts: &[Counts]) -> Counts {
        let name = self.name_of(interface).filter(|_| self.live);
        let mine = counts.iter().zip(&self.sources).filter(|(_, source)| name.is_none_or(|name| name == *source));
        mine.fold(Counts::default(), |sum, (counts, _)| Counts {
            received: sum.received + counts.received,
            interface_drops: sum.interface_drops + counts.interface_drops,
            kernel_drops: sum.kernel_drops + counts.kernel_drops,
            shed: sum.shed + counts.shed,
        })
    }

    /// Says of what counts are, where it is not one interface.
    fn scope(&self) -> &'static str {
        if self.live || self.inputs.len() == 1 { "" } else { ", of all files together" }
    }
}

/// Why no evidence can be kept. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The folder cannot be made or written into.
    #[error("cannot keep evidence in {name}: {reason}: choose a directory that can be written")]
    Folder {
        /// The path as given.
        name: String,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// What came of evidence since the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SoFar {
    /// Files written whole.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames that found no place in memory.
    pub missed: u64,
}

/// The scorer's side: tells the desk of alerts and judged ticks.
#[derive(Debug)]
pub struct Evidence {
    live: bool,
    messages: Sender<Message>,
    faults: Receiver<String>,
    ended: Receiver<Ended>,
    desk: JoinHandle<()>,
    tally: Arc<Tally>,
    /// Messages that found the desk too far behind.
    unheard: u64,
}

impl Evidence {
    /// Starts the desk and makes a recorder for each source.
    ///
    /// # Errors
    /// When the folder cannot be written into, or the thread not started.
    pub fn start(settings: Settings, origin: Origin) -> Result<(Self, Recorders), EvidenceError> {
        let refuse = |reason| EvidenceError::Folder { name: settings.folder.display().to_string(), reason };
        let folder = Folder::open(&settings.folder, settings.files.get()).map_err(refuse)?;
        let (live, snap) = (origin.live, settings.snap_bytes);
        let size = settings.memory_bytes / BUFFERS / origin.sources.len().max(1);
        let (chunk_in, chunks) = unbounded();
        let recorders =
            (0..origin.sources.len()).map(|input| Recorder::new(input, size, snap, !live, chunk_in.clone()));
        let recorders = Recorders::new(recorders);
        let (fault_in, faults) = unbounded();
        let (messages, heard) = bounded(MOST_MESSAGES);
        let (ended_in, ended) = bounded(1);
        let name = settings.folder.display().to_string();
        let tally = Arc::new(Tally::default());
        let work = Desk::new(settings, origin, folder, chunks, fault_in, Arc::clone(&tally));
        let desk = Builder::new().name("vigie evidence".to_owned()).spawn(move || {
            // Whoever waited has gone: there is nobody to tell.
            let _ = ended_in.send(work.run(&heard));
        });
        let desk = desk.map_err(|reason| EvidenceError::Folder { name, reason })?;
        Ok((Self { live, messages, faults, ended, desk, tally, unheard: 0 }, recorders))
    }

    /// Takes an alert line.
    pub fn alert(&mut self, alert: &Alert) {
        self.tell(Message::Alert(Box::new(alert.clone())));
    }

    /// Takes a tick that was judged, after its alert lines.
    pub fn judged(&mut self, tick: Tick, books: &[Accounting]) {
        self.tell(Message::Judged { tick, counts: books.iter().map(Counts::from).collect() });
    }

    /// Returns what came of it so far.
    #[must_use]
    pub fn so_far(&self) -> SoFar {
        let read = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        let Tally { files, bytes, missed } = &*self.tally;
        SoFar { files: read(files), bytes: read(bytes), missed: read(missed) }
    }

    /// Returns what could not be written since it was last asked, a sentence each.
    pub fn faults(&self) -> impl Iterator<Item = String> + '_ {
        self.faults.try_iter()
    }

    /// Ends what is under way, and returns what came of it and what could not be written. A live run does not wait for a
    /// disk that hangs.
    pub fn finish(self) -> (Ended, Vec<String>) {
        let Self { live, messages, faults, ended, desk, unheard, .. } = self;
        let patience = if live { LAST_WRITES } else { Duration::MAX };
        let told = messages.send_timeout(Message::End, patience).is_ok();
        let (result, mut said) = match ended.recv_timeout(patience) {
            Ok(result) if told => (result, Vec::new()),
            _ if desk.is_finished() && desk.join().is_err() => {
                (Ended::default(), vec!["the thread that writes evidence failed: files are missing".to_owned()])
            }
            _ => (Ended::default(), vec!["the disk takes no evidence: files are not whole".to_owned()]),
        };
        said.extend(faults.try_iter());
        if unheard > 0 {
            said.push(format!("the disk was too slow for evidence: {unheard} alert lines or ticks passed unrecorded"));
        }
        (result, said)
    }

    /// Tells the desk; live traffic waits for nobody.
    fn tell(&mut self, message: Message) {
        let told =
            if self.live { self.messages.try_send(message).is_ok() } else { self.messages.send(message).is_ok() };
        self.unheard += u64::from(!told);
    }
}
