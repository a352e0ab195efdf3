//! The capture thread's side: frames copied into the buffer of their tick, full buffers handed to the desk.
//!
//! Memory is fixed at the start: so many buffers of one size, which come back when the desk has forgotten their tick. A
//! tick that does not fit keeps its first frames, so that no busy second takes the place of those before it, and what is
//! kept depends on the capture alone. Recorded traffic waits for a buffer, live traffic goes on without.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::BUFFERS;
use crate::packet::{Marks, Packet};
use crate::source::{Frame, InterfaceId, LinkType};
use crate::time::{Tick, Timestamp};

/// Bytes that precede each frame in a buffer: time, wire length, captured length, interface, link type, whether tunnelled.
const HEAD: usize = 8 + 4 + 2 + 2 + 2 + 1;

/// How long recorded traffic waits for a buffer. Only a desk that has failed, or a disk that hangs, takes that long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A buffer, with the way home when it is used no more.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Sender<Buffer>,
}

impl Buffer {
    /// Gives the buffer back to the recorder that filled it; one that has ended needs none.
    fn return_home(mut self) {
        self.bytes.clear();
        let home = self.home.clone();
        let _ = home.send(self);
    }
}

/// A frame as it was kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    /// The frame; its bytes are cut at the snap length.
    pub(super) frame: Frame<'a>,
    /// Its packet was inside a tunnel.
    pub(super) tunnelled: bool,
}

/// The frames of one tick of one input.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Which input.
    pub(super) input: usize,
    /// The tick.
    pub(super) tick: Tick,
    /// Frames that found no place since the chunk before.
    pub(super) missed: u64,
    buffer: Buffer,
}

impl Chunk {
    /// Returns the frames in the order of the capture.
    pub(super) fn frames(&self) -> impl Iterator<Item = Kept<'_>> {
        let mut rest = self.buffer.bytes.as_slice();
        std::iter::from_fn(move || {
            let (kept, after) = read(rest)?;
            rest = after;
            Some(kept)
        })
    }

    /// Forgets the frames.
    pub(super) fn forget(self) {
        self.buffer.return_home();
    }
}

/// Takes one frame off the front of a buffer.
fn read(bytes: &[u8]) -> Option<(Kept<'_>, &[u8])> {
    let (time, rest) = bytes.split_first_chunk::<8>()?;
    let (wire_len, rest) = rest.split_first_chunk::<4>()?;
    let (captured, rest) = rest.split_first_chunk::<2>()?;
    let (interface, rest) = rest.split_first_chunk::<2>()?;
    let (link, rest) = rest.split_first_chunk::<2>()?;
    let (tunnelled, rest) = rest.split_first()?;
    let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*captured)))?;
    let frame = Frame {
        timestamp: Timestamp::from_nanos(u64::from_le_bytes(*time)),
        link: LinkType::from_number(u16::from_le_bytes(*link)),
        interface: InterfaceId(u16::from_le_bytes(*interface)),
        wire_len: u32::from_le_bytes(*wire_len),
        bytes,
    };
    Some((Kept { frame, tunnelled: *tunnelled != 0 }, rest))
}

/// Keeps the frames of one input.
#[derive(Debug)]
pub struct Recorder {
    input: usize,
    /// Most bytes kept of a frame.
    snap: u16,
    /// Recorded traffic waits for a buffer.
    waits: bool,
    current: Option<Buffer>,
    /// A buffer was asked for in this tick.
    asked: bool,
    /// A frame of this tick found no place: smaller ones get none either.
    full: bool,
    spare: Receiver<Buffer>,
    desk: Sender<Chunk>,
    missed: u64,
}

impl Recorder {
    /// Makes the recorder of an input, with buffers of `size` bytes.
    pub(super) fn new(input: usize, size: usize, snap: u16, waits: bool, desk: Sender<Chunk>) -> Self {
        let (home, spare) = unbounded();
        for _ in 0..BUFFERS {
            // The other end is held right here. Pages are touched when frames come.
            let _ = home.send(Buffer { bytes: Vec::with_capacity(size), home: home.clone() });
        }
        Self { input, snap, waits, current: None, asked: false, full: false, spare, desk, missed: 0 }
    }

    /// Keeps a frame of the open tick, if there is room.
    pub fn record(&mut self, frame: &Frame<'_>, packet: &Packet) {
        if self.current.is_none() && !self.asked {
            self.asked = true;
            self.current = self.empty();
        }
        let captured = u16::try_from(frame.bytes.len()).unwrap_or(u16::MAX).min(self.snap);
        let room = |buffer: &&mut Buffer| buffer.bytes.len() + HEAD + usize::from(captured) <= buffer.bytes.capacity();
        let Some(buffer) = self.current.as_mut().filter(|_| !self.full).filter(room) else {
            self.full = true;
            self.missed += 1;
            return;
        };
        let bytes = &mut buffer.bytes;
        bytes.extend_from_slice(&frame.timestamp.as_nanos().to_le_bytes());
        bytes.extend_from_slice(&frame.wire_len.to_le_bytes());
        bytes.extend_from_slice(&captured.to_le_bytes());
        bytes.extend_from_slice(&frame.interface.0.to_le_bytes());
        bytes.extend_from_slice(&frame.link.number().to_le_bytes());
        bytes.push(u8::from(packet.marks.any(Marks::TUNNELLED)));
        bytes.extend_from_slice(&frame.bytes[..usize::from(captured)]);
    }

    fn empty(&mut self) -> Option<Buffer> {
        if !self.waits {
            return self.spare.try_recv().ok();
        }
        let buffer = self.spare.recv_timeout(PATIENCE).ok();
        self.waits = buffer.is_some();
        buffer
    }

    /// Hands over what was kept of a tick that ends, before anybody can judge it.
    pub fn close(&mut self, tick: Tick) {
        (self.asked, self.full) = (false, false);
        if let Some(buffer) = self.current.take() {
            let missed = std::mem::take(&mut self.missed);
            // A desk that is gone has failed, and that is told at the end.
            let _ = self.desk.send(Chunk { input: self.input, tick, missed, buffer });
        }
    }
}

/// The recorders of a run, for its inputs to take.
#[derive(Clone, Debug)]
pub struct Recorders(Arc<Mutex<Vec<Option<Recorder>>>>);

impl Recorders {
    pub(super) fn new(recorders: impl IntoIterator<Item = Recorder>) -> Self {
        Self(Arc::new(Mutex::new(recorders.into_iter().map(Some).collect())))
    }

    /// Returns the recorder of an input, once.
    #[must_use]
    pub fn take(&self, input: usize) -> Option<Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(input)?.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: &[u8]) -> Frame<'_> {
        let timestamp = Timestamp::from_secs(5);
        Frame { timestamp, link: LinkType::RawIp, interface: InterfaceId(3), wire_len: 1_500, bytes }
    }

    #[test]
    fn a_tick_keeps_its_first_frames_and_counts_the_others() {
        let (desk, chunks) = unbounded();
        let mut recorder = Recorder::new(1, 100, 40, false, desk);
        let tunnelled = Packet { marks: Marks(Marks::TUNNELLED), ..Packet::default() };
        recorder.record(&frame(&[1; 60]), &tunnelled);
        recorder.record(&frame(&[2; 30]), &Packet::default());
        recorder.record(&frame(&[3; 1]), &Packet::default());
        recorder.close(Tick::new(20));
        recorder.close(Tick::new(21));
        let chunk = chunks.try_recv().unwrap();
        assert!(chunks.is_empty(), "a tick without frames is not worth a word");
        assert_eq!((chunk.input, chunk.tick, chunk.missed), (1, Tick::new(20), 2));
        let kept: Vec<Kept<'_>> = chunk.frames().collect();
        let [only] = kept.as_slice() else { panic!("{kept:?}") };
        let Frame { timestamp, link, interface, wire_len, bytes } = only.frame;
        assert_eq!((timestamp, link, interface), (Timestamp::from_secs(5), LinkType::RawIp, InterfaceId(3)));
        assert_eq!((wire_len, bytes), (1_500, &[1; 40][..]));
        assert!(only.tunnelled);
    }

    #[test]
    fn live_traffic_goes_on_when_the_desk_keeps_everything() {
        let (desk, chunks) = unbounded();
        let mut recorder = Recorder::new(0, 100, 40, false, desk);
        for tick in 0..BUFFERS as u64 + 2 {
            recorder.record(&frame(&[1; 20]), &Packet::default());
            recorder.close(Tick::new(tick));
        }
        assert_eq!(chunks.len(), BUFFERS);
        chunks.try_recv().unwrap().forget();
        recorder.record(&frame(&[1; 20]), &Packet::default());
        recorder.close(Tick::new(99));
        let last = chunks.try_iter().last().unwrap();
        assert_eq!((last.tick, last.missed), (Tick::new(99), 2));
    }
}
