//! Which services a host has asked over UDP in the last half minute: what tells an answer from a reflection.
//!
//! Two generations of a Bloom filter (Bloom 1970), 64 KiB in all partitions together; a question is remembered for 30 to
//! 60 s. Only datagrams to ports of reflectors enter, so that the clients of an HTTP/3 site do not fill it. With 10,000
//! services asked in a generation one address in 1,500 passes as asked that was not.

use crate::flow::key::Side;
use crate::hash::mix;
use crate::time::Tick;

/// Words of a generation: 4,096 bits.
const WORDS: usize = 64;
/// Bits set by one question.
const BITS: u32 = 3;
/// Ticks of a generation: 30 s.
const GENERATION_TICKS: u64 = 120;
/// Separates the filter's use of the pair's hash from others.
const KEY: u64 = 0x3c6e_f372_fe94_f82b;

/// The services asked in a partition.
#[derive(Debug)]
pub(crate) struct Asked {
    generations: Box<[[u64; WORDS]; 2]>,
    /// Number of the generation under way.
    number: u64,
}

impl Asked {
    pub(crate) fn new() -> Self {
        Self { generations: Box::new([[0; WORDS]; 2]), number: 0 }
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&*self.generations)
    }

    /// Remembers that the end at `side` of an address pair has asked the other one.
    pub(crate) fn insert(&mut self, pair_hash: u64, side: Side) {
        for (word, bit) in places(pair_hash, side) {
            self.generations[0][word] |= bit;
        }
    }

    /// Tells whether the end at `side` has asked the other one.
    pub(crate) fn contains(&self, pair_hash: u64, side: Side) -> bool {
        self.generations.iter().any(|bits| places(pair_hash, side).all(|(word, bit)| bits[word] & bit != 0))
    }

    /// Begins a generation when it is time, at the end of `tick`.
    pub(crate) fn close(&mut self, tick: Tick) {
        let number = tick.next().number() / GENERATION_TICKS;
        if number == self.number {
            return;
        }
        self.generations[1] = if number == self.number + 1 { self.generations[0] } else { [0; WORDS] };
        self.generations[0] = [0; WORDS];
        self.number = number;
    }
}

fn places(pair_hash: u64, side: Side) -> impl Iterator<Item = (usize, u64)> {
    let hash = mix(pair_hash, KEY ^ side as u64);
    (0..BITS).map(move |n| {
        let place = hash >> (12 * n);
        ((place >> 6 & 63) as usize, 1 << (place & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_remembered_for_thirty_seconds_and_not_for_ever() {
        let mut asked = Asked::new();
        asked.close(Tick::new(118));
        asked.insert(7, Side::Low);
        assert!(asked.contains(7, Side::Low) && !asked.contains(7, Side::High));
        (119..239).for_each(|tick| asked.close(Tick::new(tick)));
        assert!(asked.contains(7, Side::Low));
        asked.close(Tick::new(239));
        assert!(!asked.contains(7, Side::Low));
    }

    #[test]
    fn a_leap_of_time_forgets_everything() {
        let mut asked = Asked::new();
        asked.insert(7, Side::Low);
        asked.close(Tick::new(10_000));
        assert!(!asked.contains(7, Side::Low));
        asked.insert(7, Side::Low);
        asked.close(Tick::new(9_000));
        assert!(!asked.contains(7, Side::Low));
    }

    #[test]
    fn few_strangers_pass_as_asked() {
        let mut asked = Asked::new();
        let hash = |n: u64| mix(0x1234_5678_9abc_def0, n);
        (0..156).for_each(|n| asked.insert(hash(n), Side::Low));
        let passed = (1_000..101_000).filter(|n| asked.contains(hash(*n), Side::Low)).count();
        assert!(passed < 300, "{passed} of 100,000");
    }
}
