//! One input: frames from its source, placed in time, decoded, counted and handed on; ticks closed as time moves.
//!
//! The same code for files and live links. It knows the source and the clock; whether what it feeds is a shard beside it
//! or channels to others is the affair of a [`Downstream`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::books::Books;
use super::scorer::Feedback;
use super::settings::Settings;
use super::shedding::{Fared, Shedding};
use super::timing::Timed;
use crate::capture::{Accounting, CaptureTick};
use crate::decode::{DropReason, decode, decode_outermost};
use crate::evidence::Recorder;
use crate::hash::Seed;
use crate::metrics::{Metrics, Stage};
use crate::packet::{Marks, Packet};
use crate::policy::Policy;
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
    /// What is protected, which says what a tunnel is judged by.
    policy: Arc<Policy>,
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
    /// Feeds `downstream`. A live input never skips silence, since its time moves by itself, and sheds what is too much.
    pub(super) fn new(downstream: D, settings: &Settings, shedding: Shedding) -> Self {
        Self {
            clock: CaptureClock::default(),
            books: Books::default(),
            seed: settings.shard.seed,
            policy: Arc::clone(&settings.policy),
            live: settings.live,
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
        match decode_concerned(&self.policy, frame) {
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
        if let Some(policy) = feedback.policy {
            self.policy = policy;
        }
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

/// Decodes a frame to the packet that matters here: a tunnel is judged by what it carries, if that is readable and goes
/// to or comes from what is protected; a tunnel that carries anything else there is judged as what it is.
#[inline(always)]
fn decode_concerned(policy: &Policy, frame: &Frame<'_>) -> Result<Packet, DropReason> {
    match decode(frame) {
        Ok(packet) if !packet.marks.any(Marks::TUNNELLED) => Ok(packet),
        innermost => innermost_or_outermost(policy, frame, innermost),
    }
}

#[cold]
fn innermost_or_outermost(
    policy: &Policy,
    frame: &Frame<'_>,
    innermost: Result<Packet, DropReason>,
) -> Result<Packet, DropReason> {
    let is_ours = |address| policy.site_of(address).is_some();
    let is_concerned = |packet: &Packet| is_ours(packet.destination) || is_ours(packet.source);
    // What the snap length cut off may concern what is protected.
    let is_out_of_sight = matches!(innermost, Err(DropReason::TruncatedLink | DropReason::TruncatedIp));
    if is_out_of_sight || innermost.as_ref().is_ok_and(is_concerned) {
        return innermost;
    }
    decode_outermost(frame).ok().filter(is_concerned).map_or(innermost, Ok)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::packet::Protocol;
    use crate::policy::Site;
    use crate::source::{InterfaceId, LinkType};

    const PROTECTED: [u8; 4] = [192, 0, 2, 1];
    const OUTSIDE: [u8; 4] = [198, 51, 100, 7];
    const ELSEWHERE: [u8; 4] = [203, 0, 113, 9];

    fn ip(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(20 + payload.len()).unwrap();
        let mut bytes = vec![0x45, 0, 0, length, 0, 0, 0, 0, 64, protocol, 0, 0];
        [source, destination].iter().for_each(|address| bytes.extend(address));
        bytes.extend(payload);
        bytes
    }

    /// GRE from outside to a destination, around what is given.
    fn tunnel(destination: [u8; 4], content: &[u8]) -> Vec<u8> {
        ip(47, OUTSIDE, destination, &[&[0, 0, 8, 0], content].concat())
    }

    /// Source and protocol of the packet that is judged, of a frame of which so many bytes are kept.
    fn judged(bytes: &[u8], kept: usize) -> Result<(Address, Protocol), DropReason> {
        let site = Site { name: "site".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
        let frame = Frame {
            timestamp: Timestamp::ZERO,
            link: LinkType::RawIp,
            interface: InterfaceId(0),
            wire_len: u32::try_from(bytes.len()).unwrap(),
            bytes: &bytes[..kept],
        };
        decode_concerned(&Policy::new(vec![site], false), &frame).map(|packet| (packet.source, packet.protocol))
    }

    #[test]
    fn a_tunnel_is_judged_by_what_it_carries_if_that_concerns_us() {
        let datagram = [0, 9, 0, 9, 0, 8, 0, 0];
        let (gre, udp) = (Protocol(47), Protocol::UDP);
        let (outside, elsewhere) = (Address::v4(OUTSIDE), Address::v4(ELSEWHERE));
        let all = |bytes: Vec<u8>| judged(&bytes, bytes.len());
        let to_us = ip(17, ELSEWHERE, PROTECTED, &datagram);
        let to_others = ip(17, ELSEWHERE, [203, 0, 113, 10], &datagram);
        assert_eq!(all(tunnel(PROTECTED, &to_us)), Ok((elsewhere, udp)));
        assert_eq!(all(tunnel(ELSEWHERE, &to_us)), Ok((elsewhere, udp)), "a mirror port's tunnel");
        assert_eq!(all(tunnel(PROTECTED, &to_others)), Ok((outside, gre)));
        assert_eq!(all(tunnel(ELSEWHERE, &to_others)), Ok((elsewhere, udp)), "transit is what it carries");
        assert_eq!(all(tunnel(PROTECTED, &[0x45, 0, 0])), Ok((outside, gre)), "made-up contents");
        assert_eq!(all(tunnel(ELSEWHERE, &[0x45, 0, 0])), Err(DropReason::BadTunnel));
        assert_eq!(judged(&tunnel(PROTECTED, &to_us), 30), Err(DropReason::TruncatedIp), "it may have concerned us");
    }
}
