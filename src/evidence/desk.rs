//! The desk: a thread that keeps the last ten seconds of frames and writes those of alerts to their files.
//!
//! It works tick by tick as they are judged. A recorder hands over a tick before anybody can judge it, so that when the
//! desk hears of the judgement every frame of the tick lies in its channel: which frames an alert gets depends on no
//! thread's pace.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};

use super::folder::Folder;
use super::recorder::{Chunk, Kept};
use super::recording::Recording;
use super::{BEFORE_TICKS, Counts, MOST_AT_ONCE, Origin, Settings};
use crate::alert::{Alert, Event};
use crate::kind::{AlertKind, Severity};
use crate::time::{TICKS_PER_SECOND, Tick};

/// What the desk is told.
#[derive(Debug)]
pub(super) enum Message {
    /// An alert line; the tick it belongs to is judged next.
    Alert(Box<Alert>),
    /// A tick has been judged.
    Judged {
        /// The tick.
        tick: Tick,
        /// The books of each input.
        counts: Vec<Counts>,
    },
    /// The run has ended.
    End,
}

/// What is said at the end of a run.
#[derive(Debug, Default)]
pub struct Ended {
    /// Files written whole.
    pub files: u64,
    /// Alerts that got no file since too many were under way.
    pub refused: u64,
}

/// What came of evidence so far, to be read while the desk works.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) files: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) missed: AtomicU64,
}

/// One alert's file.
struct Case {
    recording: Recording<BufWriter<File>>,
    /// Frames from before it have been looked through.
    caught_up: bool,
    closing: bool,
}

/// The thread's state.
pub(super) struct Desk {
    settings: Settings,
    origin: Origin,
    folder: Folder,
    chunks: Receiver<Chunk>,
    /// Frames of the last ticks, by tick and input.
    ring: VecDeque<Chunk>,
    judged: Option<Tick>,
    cases: BTreeMap<String, Case>,
    counts: Vec<Counts>,
    missed: u64,
    ended: Ended,
    tally: Arc<Tally>,
    /// What could not be written, a sentence each.
    faults: Sender<String>,
}

impl Desk {
    pub(super) fn new(
        settings: Settings,
        origin: Origin,
        folder: Folder,
        chunks: Receiver<Chunk>,
        faults: Sender<String>,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            settings,
            origin,
            folder,
            chunks,
            ring: VecDeque::new(),
            judged: None,
            cases: BTreeMap::new(),
            counts: Vec::new(),
            missed: 0,
            ended: Ended::default(),
            tally,
            faults,
        }
    }

    /// Works until the run has ended.
    pub(super) fn run(mut self, messages: &Receiver<Message>) -> Ended {
        for message in messages {
            match message {
                Message::Alert(alert) => self.hear(&alert),
                Message::Judged { tick, counts } => {
                    self.counts = counts;
                    self.judge(tick);
                }
                Message::End => break,
            }
        }
        for id in self.cases.keys().cloned().collect::<Vec<_>>() {
            self.close(&id);
        }
        self.ended
    }

    /// Opens a case for an alert that is loud enough, and follows it to its close.
    fn hear(&mut self, alert: &Alert) {
        if let Some(case) = self.cases.get_mut(&alert.id) {
            case.recording.learn(alert);
            case.closing = alert.event == Event::Close;
            return;
        }
        // What the sensor did not see it cannot show.
        let worth_it = alert.severity >= Severity::Warning && alert.kind != AlertKind::SensorBlind;
        if !worth_it || alert.event == Event::Close {
            return;
        }
        if self.cases.len() >= MOST_AT_ONCE.min(self.settings.files.get()) {
            self.ended.refused += 1;
            return;
        }
        let recording = Recording::new(alert, self.settings.file_bytes);
        self.cases.insert(alert.id.clone(), Case { recording, caught_up: false, closing: false });
    }

    fn judge(&mut self, tick: Tick) {
        self.receive();
        let mut ring = std::mem::take(&mut self.ring);
        for id in self.cases.keys().cloned().collect::<Vec<_>>() {
            if let Err(reason) = self.record(&id, &ring, tick) {
                self.give_up(&id, &reason);
            } else if self.cases.get(&id).is_some_and(|case| case.closing) {
                self.close(&id);
            }
        }
        self.judged = Some(tick);
        while ring.front().is_some_and(|chunk| chunk.tick.plus(BEFORE_TICKS) <= tick) {
            if let Some(chunk) = ring.pop_front() {
                chunk.forget();
            }
        }
        self.ring = ring;
    }

    /// Takes what recorders have handed over; inputs are in their own order, and ticks across them nearly so.
    fn receive(&mut self) {
        for chunk in self.chunks.try_iter() {
            self.missed += chunk.missed;
            self.tally.missed.fetch_add(chunk.missed, Ordering::Relaxed);
            let place = self.ring.partition_point(|known| (known.tick, known.input) <= (chunk.tick, chunk.input));
            self.ring.insert(place, chunk);
        }
    }

    /// Shows a case the ticks that it has not seen, up to the one judged.
    fn record(&mut self, id: &str, ring: &VecDeque<Chunk>, tick: Tick) -> io::Result<()> {
        let Some(case) = self.cases.get_mut(id) else { return Ok(()) };
        let seen = self.judged.filter(|_| case.caught_up);
        case.caught_up = true;
        let due: Vec<&Chunk> =
            ring.iter().filter(|chunk| chunk.tick <= tick && seen.is_none_or(|seen| chunk.tick > seen)).collect();
        for of_tick in due.chunk_by(|one, other| one.tick == other.tick) {
            case.recording.begin_tick();
            let mut frames: Vec<Kept<'_>> = of_tick.iter().flat_map(|chunk| chunk.frames()).collect();
            if of_tick.len() > 1 {
                frames.sort_by_key(|kept| kept.frame.timestamp);
            }
            for kept in &frames {
                let folder = &mut self.folder;
                let open = || folder.create(id).map(BufWriter::new);
                case.recording.take(kept, &self.origin, self.settings.snap_bytes, open)?;
            }
        }
        if tick.closes_period(TICKS_PER_SECOND) { case.recording.flush() } else { Ok(()) }
    }

    fn close(&mut self, id: &str) {
        let Some(case) = self.cases.remove(id) else { return };
        let finished = case.recording.finish(&self.origin, &self.counts, self.missed);
        let Some(bytes) = finished.transpose() else { return };
        match bytes.and_then(|bytes| self.folder.finish(id).map(|()| bytes)) {
            Ok(bytes) => {
                self.ended.files += 1;
                self.tally.files.fetch_add(1, Ordering::Relaxed);
                self.tally.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Err(reason) => self.give_up(id, &reason),
        }
    }

    /// Lets go of an alert whose file takes no more; what was written stays, under the name of what is not whole.
    fn give_up(&mut self, id: &str, reason: &io::Error) {
        self.cases.remove(id);
        self.folder.abandon(id);
        let folder = self.settings.folder.display();
        // Nobody listens when the run has ended without asking.
        let _ = self.faults.send(format!("{folder}: the evidence of {id} is not written from here on: {reason}"));
    }
}
