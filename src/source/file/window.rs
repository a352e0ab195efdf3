//! The bytes of a file that are in memory: one block, and in front of it what the block before left unread.
//!
//! Blocks are read (or handed over by the read-ahead thread) at a fixed place behind a headroom; the unread rest of the
//! block before, usually less than one record, is copied in front of it. So records are always in one piece, every read is of
//! a whole block, and nothing is allocated unless a single record is larger than the headroom.
//! It knows no formats and does no reading.

/// What one read asks for. Mapping the file instead was 1.4 to 3 times slower and took the file's size in memory.
pub(super) const BLOCK: usize = 1 << 20;
/// Room for the rest of the block before: a record of the usual largest size fits.
const HEADROOM: usize = (256 << 10) + 4096;

/// Makes room for one block of `size` bytes behind a headroom.
pub(super) fn new_block(size: usize) -> Vec<u8> {
    vec![0; HEADROOM + size]
}

/// Returns the part of a block that is read into.
pub(super) fn payload(block: &mut [u8]) -> &mut [u8] {
    &mut block[HEADROOM..]
}

/// A view on a stream of bytes, moved forward block by block.
#[derive(Debug)]
pub(super) struct Window {
    bytes: Vec<u8>,
    /// First unread byte.
    position: usize,
    /// First byte after the valid ones.
    end: usize,
    /// Place in the stream of `bytes[position]`.
    offset: u64,
    /// Bytes that are to be skipped and have not come yet.
    owed: u64,
    block: usize,
}

impl Window {
    /// Builds an empty window that reads `block` bytes at a time.
    pub(super) fn new(block: usize) -> Self {
        Self { bytes: new_block(block), position: HEADROOM, end: HEADROOM, offset: 0, owed: 0, block }
    }

    /// Returns what is there and has not been taken.
    #[inline]
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.position..self.end]
    }

    /// Returns the place in the stream of the first unread byte.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns how many skipped bytes have not come yet.
    pub(super) const fn owed(&self) -> u64 {
        self.owed
    }

    /// Takes bytes, which need not all be there yet.
    #[inline]
    pub(super) fn skip(&mut self, count: u64) {
        let there = (self.end - self.position) as u64;
        let now = count.min(there);
        // At most what is there, which is an offset in memory.
        self.position += usize::try_from(now).unwrap_or(usize::MAX);
        self.offset += now;
        self.owed += count - now;
    }

    /// Gives room for the next block, right after the unread bytes. [`commit`](Self::commit) says how much came.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let unread = self.end - self.position;
        if unread <= HEADROOM {
            self.bytes.copy_within(self.position..self.end, HEADROOM - unread);
            self.bytes.truncate(HEADROOM + self.block);
            self.bytes.shrink_to(HEADROOM + self.block);
            self.place(HEADROOM);
        } else {
            self.bytes.copy_within(self.position..self.end, 0);
            self.place(unread);
        }
        self.bytes.resize(self.end + self.block, 0);
        let end = self.end;
        &mut self.bytes[end..]
    }

    fn place(&mut self, end: usize) {
        let unread = self.end - self.position;
        self.position = end - unread;
        self.end = end;
    }

    /// Says how many bytes were written to [`room`](Self::room).
    pub(super) fn commit(&mut self, count: usize) {
        self.end += count;
        self.settle();
    }

    /// Takes over a block whose payload holds `count` bytes; returns the block it replaces, for reuse.
    pub(super) fn accept(&mut self, mut block: Vec<u8>, count: usize) -> Vec<u8> {
        let unread = self.end - self.position;
        if unread > HEADROOM {
            let room = self.room();
            room[..count].copy_from_slice(&block[HEADROOM..HEADROOM + count]);
            self.commit(count);
            return block;
        }
        block[HEADROOM - unread..HEADROOM].copy_from_slice(&self.bytes[self.position..self.end]);
        std::mem::swap(&mut self.bytes, &mut block);
        self.place(HEADROOM);
        self.commit(count);
        block.resize(HEADROOM + self.block, 0);
        block.shrink_to(HEADROOM + self.block);
        block
    }

    /// Pays skipped bytes with what has come.
    fn settle(&mut self) {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 {
            self.skip(owed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn byte(place: u64) -> u8 {
        (place % 251) as u8
    }

    /// Fills by reading or by taking blocks over; both must show the same stream.
    fn refill(window: &mut Window, come: &mut u64, count: usize, handed_over: bool) {
        let fresh = (0..count as u64).map(|n| byte(*come + n));
        if handed_over {
            let mut block = new_block(64);
            payload(&mut block).iter_mut().zip(fresh).for_each(|(to, from)| *to = from);
            window.accept(block, count);
        } else {
            window.room().iter_mut().zip(fresh).for_each(|(to, from)| *to = from);
            window.commit(count);
        }
        *come += count as u64;
    }

    proptest! {
        #[test]
        fn shows_the_stream_whatever_is_taken_and_skipped(
            steps in prop::collection::vec((0_usize..=64, 0_u64..200, any::<bool>()), 1..60)
        ) {
            let mut window = Window::new(64);
            let (mut come, mut taken) = (0_u64, 0_u64);
            for (count, take, handed_over) in steps {
                refill(&mut window, &mut come, count, handed_over);
                window.skip(take);
                taken += take;
                prop_assert_eq!(window.offset() + window.owed(), taken);
                prop_assert_eq!(window.offset(), taken.min(come));
                let expected: Vec<u8> = (window.offset()..come).map(byte).collect();
                prop_assert_eq!(window.unread(), &expected[..]);
            }
        }
    }

    #[test]
    fn a_record_larger_than_the_headroom_stays_in_one_piece_and_the_memory_goes_back() {
        let mut window = Window::new(64);
        let mut come = 0;
        while window.unread().len() < HEADROOM + 1_000 {
            let handed_over = come % 128 == 0;
            refill(&mut window, &mut come, 64, handed_over);
        }
        assert!(window.unread().iter().zip(0..).all(|(seen, place)| *seen == byte(place)));
        window.skip(come - 3);
        refill(&mut window, &mut come, 64, false);
        assert_eq!(window.unread().len(), 67);
        assert_eq!(window.unread()[0], byte(come - 67));
        assert_eq!(window.bytes.capacity(), HEADROOM + 64);
    }
}
