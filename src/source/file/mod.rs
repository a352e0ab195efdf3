//! Captures from files: pcap and pcapng, plain, gzip or zstd, from disk or standard input, one or many merged by time.
//!
//! Plain files are read in blocks of 1 MiB and frames are lent out of the block; compressed files and pipes are read ahead
//! on a thread of their own. Formats and compression are told by the first bytes, never by the name. Nothing is allocated
//! for a packet. What is in a frame is not known here, nor what is done with it.
//!
//! One file is read in its own order, whatever its times. Of several, the file whose next record is the oldest gives it, the
//! one named first if they are equal; a record out of order inside a file is passed as it stands. Files that begin later wait
//! closed, so a thousand rotated files cost no more memory than the two that overlap.
//!
//! **Silence and strays.** A record more than 60 s after all before it may be the end of a silence or a broken time. The source
//! looks at the fifteen records after it in the same file: if they agree, or the file ends, it moves its watermark there before
//! giving the record, so that those who cut time see silence; if not, the record is given without moving it.

mod capture;
mod decompress;
mod format;
mod input;
mod magic;
mod merge;
mod pcap;
mod pcapng;
mod read_ahead;
mod time_unit;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::source::file::capture::{CaptureFile, Fed, Interfaces, Run, Stop, display_name};
use crate::source::file::input::is_standard_input;
use crate::source::file::merge::Merge;
use crate::source::time_base::TimeBase;
use crate::source::{CaptureDrops, Frame, InterfaceId, PacketSource, Progress, SourceError};
use crate::time::Timestamp;

/// How files are read.
#[derive(Clone, Debug, Default)]
pub struct FileOptions {
    /// Once set, a silent pipe is waited for no longer: the source ends with what it has given.
    pub stop: Option<Arc<AtomicBool>>,
}

/// Frames of one or more capture files.
#[derive(Debug)]
pub struct FileSource {
    names: Vec<String>,
    options: FileOptions,
    merge: Merge,
    interfaces: Interfaces,
    base: TimeBase,
    faults: Vec<SourceError>,
    bytes_total: Option<u64>,
    /// Of files that are closed for good.
    bytes_finished: u64,
}

/// Opens capture files, `-` being standard input, and reads their headers.
///
/// # Errors
/// [`SourceError::Open`] when there is none, or when one or more cannot be read: all of them are named, nothing was read.
pub fn open_files(paths: &[PathBuf], options: FileOptions) -> Result<FileSource, SourceError> {
    let refuse = |reason: &str| SourceError::Open { name: "captures".to_owned(), reason: reason.to_owned() };
    if paths.is_empty() {
        return Err(refuse("none is named: name one or more files, or `-` for standard input"));
    }
    if paths.iter().filter(|path| is_standard_input(path)).count() > 1 {
        return Err(refuse("standard input (`-`) is named more than once: it can be read only once"));
    }
    let go_on = || !is_set(options.stop.as_ref());
    let (merge, sizes) = Merge::open(paths, &go_on).map_err(joined)?;
    Ok(FileSource {
        names: paths.iter().map(|path| display_name(path)).collect(),
        merge,
        interfaces: Interfaces::new(paths.len()),
        base: TimeBase::default(),
        faults: Vec::new(),
        bytes_total: sizes.into_iter().sum(),
        bytes_finished: 0,
        options,
    })
}

impl FileSource {
    /// Returns how many bytes were read so far, as they are on disk. It runs ahead of the frames by up to two blocks a file.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_finished + self.merge.open_files().map(CaptureFile::consumed).sum::<u64>()
    }

    /// Returns the size of all files on disk, compressed as they are; none if one of them is a pipe.
    #[must_use]
    pub const fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// Returns the name of the file an interface belongs to, as it was given; `standard input` for `-`.
    #[must_use]
    pub fn name_of(&self, interface: InterfaceId) -> Option<&str> {
        self.names.get(self.interfaces.owner(interface)?).map(String::as_str)
    }

    fn progress(&self) -> Progress {
        Progress::Open { watermark: self.base.watermark().unwrap_or(Timestamp::ZERO) }
    }

    /// Reads more of a file; tells whether to go on. A silent pipe gives the turn back to the caller.
    fn feed(&mut self, slot: usize) -> Option<Progress> {
        if self.merge.file(slot).feed() == Fed::Yes {
            return None;
        }
        let stopped = is_set(self.options.stop.as_ref());
        Some(if stopped { Progress::End } else { self.progress() })
    }

    /// Ends the source: the faults of all files come last, once.
    fn end(&mut self) -> Result<Progress, SourceError> {
        match std::mem::take(&mut self.faults) {
            faults if faults.is_empty() => Ok(Progress::End),
            faults => Err(joined(faults)),
        }
    }

    fn close(&mut self, slot: usize, fault: Option<SourceError>) {
        let file = self.merge.close(slot);
        // What is on disk behind a fault counts as done, or a progress bar would never fill.
        self.bytes_finished += file.size().unwrap_or_else(|| file.consumed());
        self.faults.extend(fault);
    }
}

impl PacketSource for FileSource {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        let mut given = 0;
        loop {
            if let Err(fault) = self.merge.wake_due() {
                self.faults.push(fault);
                continue;
            }
            let Some((slot, until)) = self.merge.turn() else {
                return self.end();
            };
            let mut run = Run {
                file: self.merge.number(slot),
                until,
                base: &mut self.base,
                interfaces: &mut self.interfaces,
                given: 0,
            };
            let outcome = self.merge.file(slot).run(&mut run, on_frame);
            given += run.given;
            match outcome {
                Ok(Stop::Limit(next)) => self.merge.wait(slot, next),
                Ok(Stop::Leap(next)) => {
                    self.merge.wait(slot, next);
                    if self.merge.file(slot).confirms_leap(next) {
                        self.base.advance(next);
                        return Ok(self.progress());
                    }
                }
                Ok(Stop::Hungry) => {
                    self.merge.hunger(slot);
                    if given > 0 {
                        return Ok(self.progress());
                    }
                    if let Some(progress) = self.feed(slot) {
                        return Ok(progress);
                    }
                }
                Ok(Stop::End) => self.close(slot, None),
                Err(fault) => self.close(slot, Some(fault)),
            }
        }
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops::default())
    }
}

fn is_set(stop: Option<&Arc<AtomicBool>>) -> bool {
    stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
}

/// Makes one error of several: the first, with the others in its text.
fn joined(faults: Vec<SourceError>) -> SourceError {
    let mut faults = faults.into_iter();
    let Some(mut first) = faults.next() else {
        return SourceError::Lost { name: "captures".to_owned(), reason: "failed without a reason".to_owned() };
    };
    let (SourceError::Open { reason, .. } | SourceError::Damaged { reason, .. } | SourceError::Lost { reason, .. }) =
        &mut first;
    for other in faults {
        reason.push_str("; also ");
        reason.push_str(&other.to_string());
    }
    first
}
