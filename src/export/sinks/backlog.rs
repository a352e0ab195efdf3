//! What one sink has still to deliver, oldest first: in memory, and on disk where it has a spool.
//!
//! Bounded either way. When it is full the oldest line goes, since the newest says how things are now.

use std::collections::VecDeque;
use std::sync::Arc;

use super::spool::Spool;

/// The most lines a spool holds: at three kilobytes each, some 300 MB.
pub(super) const SPOOLED_LINES: usize = 100_000;

/// Lines that wait.
#[derive(Debug)]
pub(super) struct Backlog {
    held: VecDeque<Held>,
    spool: Option<Spool>,
    /// The most lines that are held.
    most: usize,
    /// The most of them in memory.
    in_memory: usize,
    next: u64,
    /// Lines below this number are of an earlier run.
    fresh_from: u64,
    /// The disk refused a line and that was said.
    complained: bool,
}

/// One line.
#[derive(Debug)]
struct Held {
    /// Its number in this backlog.
    number: u64,
    place: HeldAt,
}

#[derive(Debug)]
enum HeldAt {
    Memory(Arc<str>),
    Disk(u64),
}

impl Backlog {
    /// Begins with what the spool holds; `in_memory` lines at most are held without one.
    pub(super) fn new(spool: Option<Spool>, in_memory: usize) -> Self {
        let left = spool.as_ref().map(|spool| spool.numbers().unwrap_or_default()).unwrap_or_default();
        let most = if spool.is_some() { SPOOLED_LINES } else { in_memory };
        let mut backlog =
            Self { held: VecDeque::new(), spool, most, in_memory, next: 0, fresh_from: 0, complained: false };
        left.into_iter().for_each(|number| backlog.hold(HeldAt::Disk(number)));
        backlog.fresh_from = backlog.next;
        backlog
    }

    /// Lays a line down; returns how many of the oldest had to go. Where the disk refuses lines and memory is full of such,
    /// it is the new line that goes: what is on disk is safe.
    pub(super) fn push(&mut self, line: &Arc<str>) -> u64 {
        let place = match self.spool.as_mut().map(|spool| spool.keep(line)) {
            Some(Ok(number)) => HeldAt::Disk(number),
            Some(Err(error)) => {
                if !std::mem::replace(&mut self.complained, true) {
                    tracing::warn!(%error, "a spool cannot be written: alerts wait in memory only");
                }
                if self.held.len() - self.on_disk() >= self.in_memory {
                    return 1;
                }
                HeldAt::Memory(Arc::clone(line))
            }
            None => HeldAt::Memory(Arc::clone(line)),
        };
        self.hold(place);
        let mut gone = 0;
        while self.held.len() > self.most {
            self.pop();
            gone += 1;
        }
        gone
    }

    /// Returns the oldest line and its number. One that cannot be read from disk any more is nothing to deliver.
    pub(super) fn front(&mut self) -> Option<(u64, Arc<str>)> {
        while let Some(held) = self.held.front() {
            match (&held.place, &self.spool) {
                (HeldAt::Memory(line), _) => return Some((held.number, Arc::clone(line))),
                (HeldAt::Disk(number), Some(spool)) => {
                    if let Ok(line) = spool.read(*number) {
                        return Some((held.number, Arc::from(line)));
                    }
                }
                (HeldAt::Disk(_), None) => {}
            }
            self.pop();
        }
        None
    }

    /// Tells whether the line of that number is of this run.
    pub(super) fn is_fresh(&self, number: u64) -> bool {
        number >= self.fresh_from
    }

    /// Takes the oldest line off, if it still is the one of that number.
    pub(super) fn done(&mut self, number: u64) {
        if self.held.front().is_some_and(|held| held.number == number) {
            self.pop();
        }
    }

    /// Returns how many lines wait.
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Returns how many of them are on disk.
    pub(super) fn on_disk(&self) -> usize {
        self.held.iter().filter(|held| matches!(held.place, HeldAt::Disk(_))).count()
    }

    fn hold(&mut self, place: HeldAt) {
        self.held.push_back(Held { number: self.next, place });
        self.next += 1;
    }

    fn pop(&mut self) {
        if let Some(Held { place: HeldAt::Disk(number), .. }) = self.held.pop_front()
            && let Some(spool) = &self.spool
            && let Err(error) = spool.forget(number)
        {
            tracing::debug!(%error, number, "a line could not be taken off the spool");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(backlog: &mut Backlog) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some((number, line)) = backlog.front() {
            lines.push(line.to_string());
            backlog.done(number);
        }
        lines
    }

    #[test]
    fn when_it_is_full_the_oldest_go_and_are_counted() {
        let mut backlog = Backlog::new(None, 2);
        let gone: u64 = ["a", "b", "c", "d"].iter().map(|line| backlog.push(&Arc::from(*line))).sum();
        assert_eq!((gone, backlog.len()), (2, 2));
        assert_eq!(drain(&mut backlog), ["c", "d"]);
    }

    #[test]
    fn a_line_that_went_meanwhile_costs_no_other() {
        let mut backlog = Backlog::new(None, 1);
        backlog.push(&Arc::from("a"));
        let (sending, _) = backlog.front().unwrap();
        backlog.push(&Arc::from("b"));
        backlog.done(sending);
        assert_eq!(drain(&mut backlog), ["b"]);
    }

    #[test]
    fn a_spool_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let mut backlog = Backlog::new(Some(Spool::open(folder.path()).unwrap()), 1);
        ["a", "b", "c"].iter().for_each(|line| assert_eq!(backlog.push(&Arc::from(*line)), 0));
        let (first, line) = backlog.front().unwrap();
        assert_eq!(&*line, "a");
        backlog.done(first);
        assert_eq!(backlog.on_disk(), 2);
        drop(backlog);
        let mut backlog = Backlog::new(Some(Spool::open(folder.path()).unwrap()), 1);
        backlog.push(&Arc::from("d"));
        assert_eq!([0, 1, 2].map(|number| backlog.is_fresh(number)), [false, false, true]);
        assert_eq!(drain(&mut backlog), ["b", "c", "d"]);
        assert!(Spool::open(folder.path()).is_err(), "it is held");
        drop(backlog);
        assert!(Spool::open(folder.path()).unwrap().numbers().unwrap().is_empty());
    }

    #[test]
    fn a_line_that_vanished_from_disk_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut backlog = Backlog::new(Some(Spool::open(folder.path()).unwrap()), 1);
        ["a", "b"].iter().for_each(|line| assert_eq!(backlog.push(&Arc::from(*line)), 0));
        std::fs::remove_file(folder.path().join("000000000001.json")).unwrap();
        assert_eq!(drain(&mut backlog), ["b"]);
    }
}
