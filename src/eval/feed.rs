//! A simulated world as a source: made in a thread of its own, handed over in blocks, so that memory does not grow with
//! the length of the world.

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::scenario::{self, ParameterError, Parameters, Scenario, Truth};
use crate::source::{CaptureDrops, Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError};
use crate::time::Timestamp;

/// Frames in a block, and blocks under way.
const BLOCK: usize = 4_096;
const UNDER_WAY: usize = 4;

/// Frames, one after the other.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    timestamp: Timestamp,
    wire_len: u32,
    kept: usize,
}

impl Block {
    fn push(&mut self, timestamp: Timestamp, wire_len: u32, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.records.push(Record { timestamp, wire_len, kept: bytes.len() });
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
    }
}

/// The end that a pipeline reads.
#[derive(Debug)]
pub(super) struct Feed {
    filled: Receiver<Block>,
    spare: Sender<Block>,
}

/// The end that a world is written into.
#[derive(Debug)]
pub(super) struct Writer {
    filled: Sender<Block>,
    spare: Receiver<Block>,
}

/// Joins a world to a source.
pub(super) fn pair() -> (Writer, Feed) {
    let (filled, taken) = bounded(UNDER_WAY);
    let (spare, given) = bounded(UNDER_WAY + 2);
    (Writer { filled, spare: given }, Feed { filled: taken, spare })
}

impl Writer {
    /// Simulates the world to its end and returns what really happened.
    ///
    /// # Errors
    /// When the parameters cannot be granted.
    pub(super) fn simulate(self, scenario: Scenario, parameters: &Parameters) -> Result<Truth, ParameterError> {
        let mut block = Block::default();
        let truth = scenario::generate(scenario, parameters, &mut |timestamp, wire_len, bytes| {
            block.push(timestamp, wire_len, bytes);
            if block.records.len() >= BLOCK {
                self.send(&mut block);
            }
        })?;
        self.send(&mut block);
        Ok(truth)
    }

    /// Hands a block over and goes on with an empty one. Whoever reads may have stopped: then nothing more is needed.
    fn send(&self, block: &mut Block) {
        let mut next = self.spare.try_recv().unwrap_or_default();
        next.clear();
        let _ = self.filled.send(std::mem::replace(block, next));
    }
}

impl PacketSource for Feed {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        let Ok(block) = self.filled.recv() else { return Ok(Progress::End) };
        let mut rest = block.bytes.as_slice();
        let mut watermark = Timestamp::ZERO;
        for record in &block.records {
            let (bytes, after) = rest.split_at(record.kept);
            rest = after;
            watermark = watermark.max(record.timestamp);
            on_frame(Frame {
                timestamp: record.timestamp,
                link: LinkType::Ethernet,
                interface: InterfaceId::default(),
                wire_len: record.wire_len,
                bytes,
            });
        }
        // A writer that has ended needs no block.
        let _ = self.spare.try_send(block);
        Ok(Progress::Open { watermark })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops::default())
    }
}
