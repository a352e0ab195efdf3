//! A source over frames held in memory, for tests and benches.
//!
//! It behaves like a file: frames come in the order given, whatever their times, in blocks; the watermark follows the
//! frames, and leaps before a frame that ends a silence (see [`crate::source::file`]). It knows no formats.

use crate::source::time_base::{AGREEING, TimeBase};
use crate::source::{CaptureDrops, Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError};
use crate::time::Timestamp;

/// A frame that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    /// Capture time.
    pub timestamp: Timestamp,
    /// How to read `bytes`.
    pub link: LinkType,
    /// The whole frame: nothing was cut.
    pub bytes: Vec<u8>,
}

/// Gives frames out of memory.
#[derive(Clone, Debug)]
pub struct SyntheticSource {
    frames: Vec<OwnedFrame>,
    next: usize,
    block: usize,
    interface: InterfaceId,
    base: TimeBase,
}

/// What comes next.
enum Next<'a> {
    Frame(&'a OwnedFrame),
    /// Time leaps to here before the next frame.
    Leap(Timestamp),
    End,
}

impl SyntheticSource {
    /// Takes the frames, in the order in which they will be given, 1,024 at a time.
    #[must_use]
    pub fn new(frames: Vec<OwnedFrame>) -> Self {
        Self { frames, next: 0, block: 1_024, interface: InterfaceId::default(), base: TimeBase::default() }
    }

    /// Sets how many frames one poll gives, at least one.
    #[must_use]
    pub fn with_block(mut self, frames: usize) -> Self {
        self.block = frames.max(1);
        self
    }

    /// Sets the interface the frames came from.
    #[must_use]
    pub fn on(mut self, interface: InterfaceId) -> Self {
        self.interface = interface;
        self
    }

    /// Starts again from the first frame.
    pub fn rewind(&mut self) {
        self.next = 0;
        self.base = TimeBase::default();
    }

    fn next(&self) -> Next<'_> {
        let [first, rest @ ..] = &self.frames[self.next..] else { return Next::End };
        let time = first.timestamp;
        let following = rest.iter().take(usize::from(AGREEING) - 1);
        let mut newest = time;
        let mut agrees = |later: &OwnedFrame| {
            let agrees = TimeBase::agrees(newest, later.timestamp);
            newest = newest.max(later.timestamp);
            agrees
        };
        let leaps = self.base.is_far_ahead(time) && following.into_iter().all(&mut agrees);
        if leaps { Next::Leap(time) } else { Next::Frame(first) }
    }
}

impl PacketSource for SyntheticSource {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        if self.next == self.frames.len() {
            return Ok(Progress::End);
        }
        for _ in 0..self.block {
            match self.next() {
                Next::Frame(frame) => {
                    on_frame(Frame {
                        timestamp: frame.timestamp,
                        link: frame.link,
                        interface: self.interface,
                        wire_len: u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX),
                        bytes: &frame.bytes,
                    });
                    self.base.observe(self.frames[self.next].timestamp);
                    self.next += 1;
                }
                Next::Leap(time) => {
                    self.base.advance(time);
                    break;
                }
                Next::End => break,
            }
        }
        Ok(Progress::Open { watermark: self.base.watermark().unwrap_or_default() })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(seconds: u64) -> OwnedFrame {
        OwnedFrame {
            timestamp: Timestamp::from_secs(seconds),
            link: LinkType::Ethernet,
            bytes: vec![seconds.to_le_bytes()[0]; 3],
        }
    }

    #[test]
    fn the_end_of_a_silence_is_vouched_for_and_a_stray_is_not() {
        let mut source = SyntheticSource::new([1, 9_000, 2, 300, 301].map(frame).to_vec());
        let mut seen = 0;
        let mut poll = || (source.poll(&mut |_| seen += 1).unwrap(), seen);
        let open = |seconds| Progress::Open { watermark: Timestamp::from_secs(seconds) };
        assert_eq!(poll(), (open(300), 3), "the stray is given, the leap comes before its frame");
        assert_eq!(poll(), (open(301), 5));
        assert_eq!(poll(), (Progress::End, 5));
    }

    #[test]
    fn gives_every_frame_once_in_blocks() {
        let mut source = SyntheticSource::new((0..5).map(frame).collect()).with_block(2).on(InterfaceId(7));
        for _ in 0..2 {
            let mut seen = Vec::new();
            let mut polls = 0;
            while let Progress::Open { watermark } = source
                .poll(&mut |frame| {
                    assert_eq!((frame.interface, frame.wire_len), (InterfaceId(7), 3));
                    seen.push(frame.bytes[0]);
                })
                .unwrap()
            {
                polls += 1;
                assert_eq!(watermark, Timestamp::from_secs(u64::from(*seen.last().unwrap())));
            }
            assert_eq!((seen, polls), (vec![0, 1, 2, 3, 4], 3));
            source.rewind();
        }
    }
}
