//! What travels from a capture thread to the shards: packets in recycled batches, and the ends of ticks.
//!
//! The number of batches is fixed when the run starts and each comes back to the input that filled it, so the pool is
//! also the back-pressure: an input whose batches are all under way waits. Channels themselves are never the limit.

use crate::sampling::Sampling;
use crate::summary::Routed;
use crate::time::Tick;

/// Packets in a batch: 8,192 of 72 bytes are read from the second-level cache or the third, one after the other, and each
/// partition finds more than a hundred of its own, so that what it holds comes from memory a quarter as often as with 2,048.
pub(super) const BATCH_PACKETS: usize = 8_192;

/// Batches of each input, for every shard it feeds.
pub(super) const BATCHES_PER_SHARD: usize = 6;

/// Which source of the run something came from: a place in the list given to [`super::run()`].
pub(super) type Input = usize;

/// A message to a shard.
#[derive(Debug)]
pub(super) enum Message {
    /// Packets of one tick, in the order they were captured.
    Packets {
        /// Who captured them.
        input: Input,
        /// The tick they count in.
        tick: Tick,
        /// The packets.
        batch: Vec<Routed>,
    },
    /// A tick has ended for this input.
    Close {
        /// Whose tick.
        input: Input,
        /// The tick that ended.
        tick: Tick,
        /// The one that began.
        next: Tick,
        /// Which part of the pairs of addresses this input gives from then on.
        sampling: Sampling,
    },
    /// This input gives nothing more; its last tick was closed before.
    End {
        /// Which.
        input: Input,
    },
}

impl Message {
    /// Returns who sent it.
    pub(super) const fn input(&self) -> Input {
        match self {
            Self::Packets { input, .. } | Self::Close { input, .. } | Self::End { input } => *input,
        }
    }
}
