//! One capture file: its bytes, its format and how far it has been read.
//!
//! It gives runs of records, knows when it needs more bytes, and can look at the records to come. What several files have to
//! do with each other is not known here.

use std::path::{Path, PathBuf};

use crate::source::file::format::{Fault, Format, Parse, Parsed, Recognised, Record};
use crate::source::file::input::{Input, is_standard_input};
use crate::source::file::magic;
use crate::source::file::read_ahead::Received;
use crate::source::file::window::Window;
use crate::source::time_base::{AGREEING, TimeBase};
use crate::source::{Frame, InterfaceId, SourceError};
use crate::time::Timestamp;

/// Looking ahead never holds more than this.
const MAX_LOOKED_AT: usize = 2 << 20;
/// How much of a file that is no capture is looked at to name it.
const NAMED_BY: usize = 512;

/// An opened capture file.
#[derive(Debug)]
pub(super) struct CaptureFile {
    path: PathBuf,
    size: Option<u64>,
    input: Input,
    window: Window,
    format: Format,
    /// Place of the last thing that was not there in full.
    record_offset: u64,
    /// Time of the record given last: what a record without time is given.
    latest: Timestamp,
    /// Place of a record that was judged to be a stray.
    stray: Option<u64>,
    ended: Option<Ended>,
}

/// Why no more bytes come.
#[derive(Clone, Debug)]
enum Ended {
    Whole,
    Damaged(String),
}

/// Why a run of records stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The next record, of this time, is beyond the limit.
    Limit(Timestamp),
    /// The next record leaps ahead of all time so far, to this time.
    Leap(Timestamp),
    /// More bytes are needed.
    Hungry,
    /// Nothing is left.
    End,
}

/// What became of asking for more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// There are more, or it is known that no more come.
    Yes,
    /// A pipe is silent.
    NotYet,
}

/// The interfaces of the run: each file has one from the start, a pcapng file gets more as it describes them.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    /// The file of each interface.
    owners: Vec<usize>,
    /// The interfaces of each file, by their place in its sections.
    of_file: Vec<Vec<InterfaceId>>,
}

impl Interfaces {
    /// Gives each of so many files its first interface, in order.
    pub(super) fn new(files: usize) -> Self {
        let mut interfaces = Self { owners: Vec::new(), of_file: vec![Vec::new(); files] };
        for file in 0..files {
            interfaces.add(file);
        }
        interfaces
    }

    /// Returns the file an interface belongs to.
    pub(super) fn owner(&self, id: InterfaceId) -> Option<usize> {
        self.owners.get(usize::from(id.0)).copied()
    }

    fn add(&mut self, file: usize) {
        // Beyond 65,536 interfaces the last is shared: an id names an origin, nothing is counted wrongly.
        let id = InterfaceId(u16::try_from(self.owners.len()).unwrap_or(u16::MAX));
        if self.owners.len() <= usize::from(u16::MAX) {
            self.owners.push(file);
        }
        self.of_file[file].push(id);
    }

    #[inline]
    fn id(&mut self, file: usize, interface: u16) -> InterfaceId {
        while self.of_file[file].len() <= usize::from(interface) {
            self.add(file);
        }
        self.of_file[file][usize::from(interface)]
    }
}

/// What a run of records needs from the whole of files.
pub(super) struct Run<'a> {
    /// Number of the file.
    pub file: usize,
    /// Records from this time on are another file's turn.
    pub until: Timestamp,
    pub base: &'a mut TimeBase,
    pub interfaces: &'a mut Interfaces,
    /// Records given.
    pub given: u64,
}

impl CaptureFile {
    /// Opens a file and reads its header. `go_on` is asked whenever a pipe has been silent for a moment.
    ///
    /// # Errors
    /// [`SourceError::Open`]: what is wrong and what to do.
    pub(super) fn open(path: &Path, block: usize, go_on: &dyn Fn() -> bool) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::Open { name: display_name(path), reason };
        let opened = Input::open(path, block).map_err(refuse)?;
        let mut file = Self {
            path: path.to_owned(),
            size: opened.size,
            input: opened.input,
            window: Window::new(block),
            format: Format::Pcapng(Default::default()),
            record_offset: 0,
            latest: Timestamp::ZERO,
            stray: None,
            ended: None,
        };
        let header = loop {
            match Format::recognise(file.window.unread()) {
                Recognised::Capture(format, header) => {
                    file.format = format;
                    break header;
                }
                Recognised::Refused(fault) => return Err(refuse(fault.0)),
                Recognised::Unknown if file.window.unread().len() >= NAMED_BY || file.ended.is_some() => {
                    return Err(refuse(file.explain_unknown()));
                }
                Recognised::Incomplete { what, needs } if file.ended.is_some() => {
                    return Err(refuse(file.explain_cut_header(what, needs)));
                }
                Recognised::Unknown | Recognised::Incomplete { .. } => {
                    if file.feed() == Fed::NotYet && !go_on() {
                        return Err(refuse("was not read: stopped before its first bytes came".to_owned()));
                    }
                }
            }
        };
        file.window.skip(header as u64);
        Ok(file)
    }

    fn explain_unknown(&self) -> String {
        match (&self.ended, self.window.unread()) {
            (Some(Ended::Damaged(reason)), _) => format!("holds no readable capture: {reason}"),
            (_, []) => "is empty: a capture has at least a header of 24 bytes; was it written to the end?".to_owned(),
            (_, head) if head.len() < 4 => {
                format!(
                    "ends after {} bytes, inside a capture's header of 24 bytes: copy or capture it again",
                    head.len()
                )
            }
            (_, head) => magic::explain(head),
        }
    }

    fn explain_cut_header(&self, what: &str, needs: usize) -> String {
        if let Some(Ended::Damaged(reason)) = &self.ended {
            return format!("holds no readable capture: {reason}");
        }
        let there = self.window.unread().len();
        format!("ends after {there} bytes, inside its {what} of {needs} bytes: copy or capture it again")
    }

    /// Returns its name for messages.
    pub(super) fn name(&self) -> String {
        display_name(&self.path)
    }

    /// Returns its size on disk; none for pipes.
    pub(super) const fn size(&self) -> Option<u64> {
        self.size
    }

    /// Returns how much of it has been read, compressed as it is.
    pub(super) fn consumed(&self) -> u64 {
        self.input.consumed()
    }

    /// Reads one more block. Once the input has ended this does nothing.
    pub(super) fn feed(&mut self) -> Fed {
        if self.ended.is_some() {
            return Fed::Yes;
        }
        match self.input.fill(&mut self.window) {
            Ok(Received::More) => {}
            Ok(Received::Nothing) => return Fed::NotYet,
            Ok(Received::End) => self.ended = Some(Ended::Whole),
            Err(reason) => self.ended = Some(Ended::Damaged(reason)),
        }
        Fed::Yes
    }

    /// Gives records to `on_frame` until one of the reasons to stop.
    ///
    /// # Errors
    /// [`SourceError::Damaged`] at a record that cannot be read; there is no going on.
    pub(super) fn run(&mut self, run: &mut Run<'_>, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Stop, SourceError> {
        if self.window.owed() > 0 {
            return self.hungry_or_ended(0);
        }
        let outcome = match &mut self.format {
            Format::Pcap(pcap) => give(pcap, &mut self.window, &mut self.latest, self.stray, run, on_frame),
            Format::Pcapng(pcapng) => give(pcapng, &mut self.window, &mut self.latest, self.stray, run, on_frame),
        };
        match outcome {
            Ok(Paused::Limit(next)) => Ok(Stop::Limit(next)),
            Ok(Paused::Leap(next)) => Ok(Stop::Leap(next)),
            Ok(Paused::Incomplete { offset, needs }) => {
                self.record_offset = offset;
                self.hungry_or_ended(needs)
            }
            Err((offset, Fault(reason))) => Err(self.damaged(offset, reason)),
        }
    }

    fn hungry_or_ended(&mut self, needs: usize) -> Result<Stop, SourceError> {
        let there = self.window.unread().len();
        match &self.ended {
            None => Ok(Stop::Hungry),
            Some(Ended::Damaged(reason)) => Err(self.damaged(self.record_offset, reason.clone())),
            Some(Ended::Whole) if there == 0 && self.window.owed() == 0 => Ok(Stop::End),
            Some(Ended::Whole) => {
                let missing = self.window.owed().max(needs.saturating_sub(there) as u64);
                let reason = format!("the file ends in the middle of a record, at least {missing} bytes are missing");
                Err(self.damaged(self.record_offset, reason))
            }
        }
    }

    fn damaged(&self, offset: u64, reason: String) -> SourceError {
        SourceError::Damaged { name: self.name(), offset, reason }
    }

    /// Judges the next record, which leaps ahead to `time`: tells whether the fifteen records after it, or all there are,
    /// agree that time has come that far. If not, it is a stray, and [`run`](Self::run) will give it as one.
    pub(super) fn confirms_leap(&mut self, time: Timestamp) -> bool {
        let confirmed = loop {
            match self.look_ahead(time) {
                Glance::Agrees => break true,
                Glance::Contradicts => break false,
                Glance::Undecided if self.ended.is_some() => break true,
                Glance::Undecided if self.window.unread().len() > MAX_LOOKED_AT => break true,
                Glance::Undecided if self.feed() == Fed::NotYet => break true,
                Glance::Undecided => {}
            }
        };
        self.stray = (!confirmed).then_some(self.window.offset());
        confirmed
    }

    fn look_ahead(&self, time: Timestamp) -> Glance {
        match &self.format {
            Format::Pcap(pcap) => glance(pcap, self.window.unread(), time),
            Format::Pcapng(pcapng) => glance(pcapng, self.window.unread(), time),
        }
    }

    /// Finds the time of the first record, within the first few megabytes; none if there is none there.
    ///
    /// The file cannot be read from its beginning after this: open it anew.
    pub(super) fn first_time(mut self) -> Option<Timestamp> {
        while self.window.offset() < MAX_LOOKED_AT as u64 {
            match self.format.next(self.window.unread(), Timestamp::ZERO) {
                Ok(Parsed::Record(record)) => return Some(record.timestamp),
                Ok(Parsed::Skip(size)) => self.window.skip(size),
                Ok(Parsed::Incomplete(_)) if self.ended.is_some() => return None,
                Ok(Parsed::Incomplete(_)) => {
                    self.feed();
                }
                Err(_) => return None,
            }
        }
        None
    }
}

/// What the records to come say about a leap.
enum Glance {
    Agrees,
    Contradicts,
    Undecided,
}

fn glance(parser: &impl Parse, mut bytes: &[u8], time: Timestamp) -> Glance {
    let mut newest = time;
    let mut seen = 0;
    while seen < AGREEING {
        let size = match parser.peek(bytes, newest) {
            Ok(Parsed::Record(record)) => {
                if !TimeBase::agrees(newest, record.timestamp) {
                    return Glance::Contradicts;
                }
                newest = newest.max(record.timestamp);
                seen += 1;
                record.size
            }
            Ok(Parsed::Skip(size)) => usize::try_from(size).unwrap_or(usize::MAX),
            // A block that changes how later ones are read: what came so far has to do.
            Ok(Parsed::Incomplete(usize::MAX)) | Err(_) => return Glance::Agrees,
            Ok(Parsed::Incomplete(_)) => return Glance::Undecided,
        };
        match bytes.get(size..) {
            Some(rest) => bytes = rest,
            None => return Glance::Undecided,
        }
    }
    Glance::Agrees
}

/// Why the inner loop paused.
enum Paused {
    Limit(Timestamp),
    Leap(Timestamp),
    /// Something begins at `offset` that needs so many bytes.
    Incomplete {
        offset: u64,
        needs: usize,
    },
}

/// The inner loop: records out of the window, until there is a reason to pause.
#[inline]
fn give(
    parser: &mut impl Parse,
    window: &mut Window,
    latest: &mut Timestamp,
    stray: Option<u64>,
    run: &mut Run<'_>,
    on_frame: &mut dyn FnMut(Frame<'_>),
) -> Result<Paused, (u64, Fault)> {
    let first = run.interfaces.id(run.file, 0);
    loop {
        let (offset, bytes) = (window.offset(), window.unread());
        let size = match parser.next(bytes, *latest) {
            Ok(Parsed::Record(record)) => {
                let time = record.timestamp;
                if time >= run.until {
                    return Ok(Paused::Limit(time));
                }
                if !run.base.observe_near(time) {
                    if run.base.is_far_ahead(time) && stray != Some(offset) {
                        return Ok(Paused::Leap(time));
                    }
                    run.base.observe(time);
                }
                *latest = time;
                run.given += 1;
                let interface =
                    if record.interface == 0 { first } else { run.interfaces.id(run.file, record.interface) };
                on_frame(frame(&record, bytes, interface));
                record.size as u64
            }
            Ok(Parsed::Skip(size)) => size,
            Ok(Parsed::Incomplete(needs)) => return Ok(Paused::Incomplete { offset, needs }),
            Err(fault) => return Err((offset, fault)),
        };
        window.skip(size);
        if window.owed() > 0 {
            return Ok(Paused::Incomplete { offset, needs: 0 });
        }
    }
}

#[inline]
fn frame<'a>(record: &Record, bytes: &'a [u8], interface: InterfaceId) -> Frame<'a> {
    Frame {
        timestamp: record.timestamp,
        link: record.link,
        interface,
        wire_len: record.wire_len,
        bytes: &bytes[record.start..record.end],
    }
}

/// Returns the name a file has in messages.
pub(super) fn display_name(path: &Path) -> String {
    if is_standard_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}
