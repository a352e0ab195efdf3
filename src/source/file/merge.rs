//! Whose turn it is among several files: the one whose next record is the oldest.
//!
//! Regular files wait *parked*, closed, with the time of their first record, until it is their turn; so open files and blocks
//! are as many as files overlap in time. Records and progress are not known here, only times and order of arguments.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use crate::source::SourceError;
use crate::source::file::capture::CaptureFile;
use crate::source::file::input::is_standard_input;
use crate::source::file::window::BLOCK;
use crate::time::Timestamp;

/// Block size for the first look at a file that is then parked.
const LOOK: usize = 64 << 10;

/// No time is so late: no limit.
const NEVER: Timestamp = Timestamp::from_nanos(u64::MAX);

/// The files of a run that are not finished.
#[derive(Debug, Default)]
pub(super) struct Merge {
    slots: Vec<Slot>,
    /// Sorted by the time of the first record, then by number.
    parked: VecDeque<Parked>,
}

/// An open file.
#[derive(Debug)]
struct Slot {
    number: usize,
    file: CaptureFile,
    /// Time of its next record; none while more bytes have to be read to know.
    next: Option<Timestamp>,
}

/// A file that waits for its time.
#[derive(Debug)]
struct Parked {
    number: usize,
    path: PathBuf,
    first: Timestamp,
}

impl Merge {
    /// Opens all files to see that they are captures, and parks those that can wait. Returns their sizes too.
    ///
    /// # Errors
    /// What is wrong with each that cannot be read.
    pub(super) fn open(
        paths: &[PathBuf],
        go_on: &dyn Fn() -> bool,
    ) -> Result<(Self, Vec<Option<u64>>), Vec<SourceError>> {
        let mut merge = Self::default();
        let (mut sizes, mut faults) = (Vec::new(), Vec::new());
        for (number, path) in paths.iter().enumerate() {
            let may_park = paths.len() > 1 && is_regular(path);
            match CaptureFile::open(path, if may_park { LOOK } else { BLOCK }, go_on) {
                Err(fault) => faults.push(fault),
                Ok(file) => {
                    sizes.push(file.size());
                    if may_park {
                        let first = file.first_time().unwrap_or(Timestamp::ZERO);
                        merge.parked.push_back(Parked { number, path: path.clone(), first });
                    } else {
                        merge.slots.push(Slot { number, file, next: None });
                    }
                }
            }
        }
        merge.parked.make_contiguous().sort_by_key(|parked| (parked.first, parked.number));
        if faults.is_empty() { Ok((merge, sizes)) } else { Err(faults) }
    }

    /// Opens the next parked file if its first record is due.
    ///
    /// # Errors
    /// When it cannot be opened any more; it is given up.
    pub(super) fn wake_due(&mut self) -> Result<(), SourceError> {
        while let Some(parked) = self.parked.front() {
            let due = self.slots.iter().all(|slot| slot.next.is_some_and(|next| parked.first <= next));
            if !due {
                break;
            }
            if let Some(parked) = self.parked.pop_front() {
                let file = CaptureFile::open(&parked.path, BLOCK, &|| true)?;
                self.slots.push(Slot { number: parked.number, file, next: None });
            }
        }
        Ok(())
    }

    /// Tells whose turn it is, and the time from which on it is another's; none when all files are finished.
    pub(super) fn turn(&self) -> Option<(usize, Timestamp)> {
        let place = |slot: &Slot| (slot.next.unwrap_or(Timestamp::ZERO), slot.number);
        let unknown = self.slots.iter().filter(|slot| slot.next.is_none()).count();
        let (index, chosen) = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| unknown == 0 || slot.next.is_none())
            .min_by_key(|(_, slot)| place(slot))?;
        if unknown > 1 {
            // Find its next record, and give none yet.
            return Some((index, Timestamp::ZERO));
        }
        let others = self.slots.iter().filter(|slot| slot.number != chosen.number).map(place);
        let parked = self.parked.front().map(|parked| (parked.first, parked.number));
        let until = others.chain(parked).map(|(time, number)| match number < chosen.number {
            true => time,
            false => Timestamp::from_nanos(time.as_nanos().saturating_add(1)),
        });
        Some((index, until.min().unwrap_or(NEVER)))
    }

    /// Returns an open file.
    pub(super) fn file(&mut self, slot: usize) -> &mut CaptureFile {
        &mut self.slots[slot].file
    }

    /// Returns the number of an open file among the arguments.
    pub(super) fn number(&self, slot: usize) -> usize {
        self.slots[slot].number
    }

    /// Notes the time of a file's next record.
    pub(super) fn wait(&mut self, slot: usize, next: Timestamp) {
        self.slots[slot].next = Some(next);
    }

    /// Notes that more bytes are needed to know a file's next record.
    pub(super) fn hunger(&mut self, slot: usize) {
        self.slots[slot].next = None;
    }

    /// Closes a file that is finished.
    pub(super) fn close(&mut self, slot: usize) -> CaptureFile {
        self.slots.remove(slot).file
    }

    /// Returns the open files.
    pub(super) fn open_files(&self) -> impl Iterator<Item = &CaptureFile> {
        self.slots.iter().map(|slot| &slot.file)
    }
}

fn is_regular(path: &Path) -> bool {
    !is_standard_input(path) && path.metadata().is_ok_and(|metadata| metadata.is_file())
}
