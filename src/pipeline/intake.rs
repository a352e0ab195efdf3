//! One input: frames from its source, placed in time, decoded, counted and handed on; ticks closed as time moves.
//!
//! The same code for files and live links. It knows the source and the clock; whether what it feeds is a shard beside it
//! or channels to others is the affair of a [`Downstream`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::books::Books;
use super::scorer::Feedback;
use super::shedding::{Fared, Shedding};
use super::timing::Timed;
use crate::capture::{Accounting, CaptureTick};
use crate::decode::decode;
use crate::evidence::Recorder;
use crate::hash::Seed;
use crate::metrics::{Metrics, Stage};
use crate::packet::Packet;
use crate::sampling::Sampling;
use crate::source::clock::{CaptureClock, Opening, SILENCE_TICKS};
use crate::source::{Frame, PacketSource, Progress, SourceError};
use crate::time::{TICKS_PER_SECOND, Tick, Timestamp};

/// Silence is ticked for at least five minutes, the longest window that a gap would cut short (DETECTION 0.2, "outage").
/// After that it is skipped as soon as nothing is alarming.
const QUIET_SILENCE_TICKS: u64 = 5 * 60 * TICKS_PER_SECOND;

/// A tick that ended for one input.
#[derive(Debug)]
pub(super) struct ClosedTick {
    /// What is known of the capture.
    pub(super) capture: CaptureTick,
    /// The books since the run began.
    pub(super) books: Accounting,
    /// The tick that begins.
    pub(super) next: Tick,
    /// Which part of the pairs of addresses is counted from then on.
    pub(super) sampling: Sampling,
}

/// Whoever takes packets and closed ticks.
pub(super) trait Downstream {
    /// Takes a packet of the tick under way.
    fn packet(&mut self, tick: Tick, hash: u64, packet: &Packet);

    /// Closes a tick and returns what is known, by now, of the tick [`super::RULES_AFTER`] before the one that begins:
    /// the same whatever the number of threads.
    fn close(&mut self, tick: ClosedTick) -> Feedback;

    /// Tells whether nobody takes anything any more, since another thread failed.
    fn is_dead(&self) -> bool;
}

/// How an input ended.
#[derive(Debug, Default)]
pub struct IntakeEnd {
    /// What became of its frames.
    pub books: Accounting,
    /// Earliest and latest capture time.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Why it could not go on, if it did not come to its end.
    pub fault: Option<SourceError>,
}

/// One input under way.
pub(super) struct Intake<D> {
    clock: CaptureClock,
    books: Books,
    seed: Seed,
    live: bool,
    quiet: bool,
    /// A gap lies before the open tick.
    gap: bool,
    open: Option<Tick>,
    drops_read_in: Option<Tick>,
    /// Lost in the ring when the strain was last reported.
    lost_before: u64,
    sampling: Sampling,
    /// Decides about that.
    shedding: Shedding,
    /// Keeps frames for alerts.
    recorder: Option<Recorder>,
    downstream: D,
}

impl<D: Downstream> Intake<D> {
    /// Feeds `downstream`; a live input never skips silence, since its time moves by itself, and sheds what is too much.
    pub(super) fn new(downstream: D, seed: Seed, live: bool, shedding: Shedding) -> Self {
        Self {
            clock: CaptureClock::default(),
            books: Books::default(),
            seed,
            live,
            quiet: false,
            gap: false,
            open: None,
            drops_read_in: None,
            lost_before: 0,
            sampling: Sampling::WHOLE,
            shedding,
            recorder: None,
            downstream,
        }
    }

    /// Keeps the frames that can be decoded.
    pub(super) fn recording(self, recorder: Option<Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// Reads the source until its end, a fault, or `stop`, and closes the tick under way.
    pub(super) fn run(
        mut self,
        source: &mut dyn PacketSource,
        stop: &AtomicBool,
        metrics: Option<&Arc<Metrics>>,
    ) -> (IntakeEnd, D) {
        let mut fault = None;
        while !stop.load(Ordering::Relaxed) && !self.downstream.is_dead() {
            let timed = Timed::start(metrics.map(Arc::as_ref));
            let progress = source.poll(&mut |frame| self.frame(&frame));
            timed.next(Stage::Capture);
            match progress {
                Ok(Progress::Open { watermark }) => self.advance(source, watermark),
                Ok(Progress::End) => break,
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        let lost = self.read_drops(source);
        self.end();
        let end = IntakeEnd { books: self.books.accounting(), span: self.books.span(), fault: fault.or(lost) };
        (end, self.downstream)
    }

    fn frame(&mut self, frame: &Frame<'_>) {
        let placement = self.clock.place(frame.timestamp);
        if self.clock.is_due() {
            self.open_due();
        }
        self.books.frame(frame.timestamp, frame.wire_len);
        if placement.late {
            self.books.late();
        }
        if placement.step.is_some() {
            self.books.clock_step();
        }
        match decode(frame) {
            Ok(mut packet) => {
                let hash = self.seed.pair(packet.source, packet.destination);
                if !self.sampling.keeps(hash) {
                    self.books.shed();
                    return;
                }
                self.books.decoded(None);
                packet.timestamp = placement.timestamp;
                if let Some(recorder) = &mut self.recorder {
                    recorder.record(frame, &packet);
                }
                self.downstream.packet(placement.tick, hash, &packet);
            }
            Err(reason) => self.books.decoded(Some(reason)),
        }
    }

    /// Moves time to what the source vouches for. Losses are read once a tick: asking the kernel costs more than a poll.
    fn advance(&mut self, source: &mut dyn PacketSource, watermark: Timestamp) {
        if self.live && self.drops_read_in != self.open {
            self.drops_read_in = self.open;
            self.read_drops(source);
            self.report_strain(source);
        }
        self.clock.advance(watermark);
        self.open_due();
    }

    /// Opens the ticks that have come due, closing the one before each.
    fn open_due(&mut self) {
        while self.clock.is_due()
            && let Some(opening) = self.clock.next_tick(self.silence_bound())
        {
            self.turn(opening);
        }
    }

    const fn silence_bound(&self) -> u64 {
        if self.quiet && !self.live { QUIET_SILENCE_TICKS } else { SILENCE_TICKS }
    }

    fn turn(&mut self, opening: Opening) {
        self.close(opening.tick);
        self.open = Some(opening.tick);
        self.gap = opening.gap;
    }

    fn close(&mut self, next: Tick) {
        let Some(tick) = self.open else { return };
        if let Some(recorder) = &mut self.recorder {
            recorder.close(tick);
        }
        let (frames, lost) = self.books.close_tick();
        let capture = CaptureTick { tick, frames, lost, gap: self.gap, sampling: self.sampling };
        let sampling = self.shedding.level(next);
        let feedback = self.downstream.close(ClosedTick { capture, books: self.books.accounting(), next, sampling });
        self.quiet = feedback.quiet;
        self.sampling = sampling;
    }

    /// Reports how the last tick went, if the source can be pressed.
    fn report_strain(&mut self, source: &mut dyn PacketSource) {
        if let (Some(tick), Some(strain)) = (self.open, source.strain()) {
            let lost = self.books.lost_in_ring();
            let lost = lost > std::mem::replace(&mut self.lost_before, lost);
            self.shedding.report(tick, Fared { strain, lost });
        }
    }

    fn read_drops(&mut self, source: &mut dyn PacketSource) -> Option<SourceError> {
        match source.drops() {
            Ok(dropped) => {
                self.books.lost(dropped);
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Closes the tick under way: nothing more will come.
    fn end(&mut self) {
        if self.clock.finish().is_some() {
            self.books.clock_step();
        }
        if let Some(tick) = self.open {
            self.close(tick.next());
            self.open = None;
        }
    }
}
