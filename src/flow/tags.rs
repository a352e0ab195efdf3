//! Rows of 16-bit tags, searched a word at a time.
//!
//! A row says which of its lanes may hold a key without touching what they hold; zero marks a free lane. Four lanes a
//! word are compared at once with ordinary arithmetic, so that no vector intrinsics (and no unsafe code) are needed.

/// Lanes in a word.
pub(crate) const LANES: usize = 4;

const ONES: u64 = 0x0001_0001_0001_0001;
const LOW_BITS: u64 = 0x7fff_7fff_7fff_7fff;

/// Some lanes of a row, a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lanes(u32);

/// Returns the lanes that hold `tag`.
#[inline]
pub(crate) fn matches<const WORDS: usize>(row: &[u64; WORDS], tag: u16) -> Lanes {
    const { assert!(WORDS * LANES <= u32::BITS as usize) };
    let wanted = ONES * u64::from(tag);
    Lanes(row.iter().rev().fold(0, |lanes, word| {
        // A lane differs if any of its low bits is set (the sum carries into the high one) or its high one is.
        let differs = word ^ wanted;
        lanes << LANES | gather(!(((differs & LOW_BITS) + LOW_BITS) | differs) & !LOW_BITS)
    }))
}

/// Moves the high bits of four lanes together: each factor takes one of them to its place, and nothing meets there.
#[inline]
const fn gather(high_bits: u64) -> u32 {
    const TOGETHER: u64 = 1 << 33 | 1 << 18 | 1 << 3 | 1 << 48;
    (((high_bits >> 15).wrapping_mul(TOGETHER) >> 48) & 0xf) as u32
}

/// Returns the free lanes.
#[inline]
pub(crate) fn free<const WORDS: usize>(row: &[u64; WORDS]) -> Lanes {
    matches(row, 0)
}

/// Reads a lane.
pub(crate) fn get<const WORDS: usize>(row: &[u64; WORDS], lane: usize) -> u16 {
    ((row[lane / LANES] >> (lane % LANES * 16)) & 0xffff) as u16
}

/// Writes a lane.
pub(crate) fn set<const WORDS: usize>(row: &mut [u64; WORDS], lane: usize, tag: u16) {
    let (word, shift) = (&mut row[lane / LANES], lane % LANES * 16);
    *word = *word & !(0xffff << shift) | u64::from(tag) << shift;
}

impl Lanes {
    /// Returns how many there are.
    #[inline]
    pub(crate) fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Returns the first one.
    #[inline]
    pub(crate) fn first(mut self) -> Option<usize> {
        self.next()
    }
}

impl Iterator for Lanes {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let lane = self.0.trailing_zeros();
        self.0 &= self.0.checked_sub(1)?;
        Some(lane as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_search_finds_exactly_the_lanes_that_hold_the_tag(tags: [u16; 8], few in prop::array::uniform8(0..3_u16), tag: u16) {
            for tags in [tags, few] {
                let mut row = [0; 2];
                for (lane, tag) in tags.iter().enumerate() {
                    set(&mut row, lane, *tag);
                }
                for tag in [tag, tags[3], 0, 1, 0x8000, 0xffff] {
                    let expected: Vec<usize> = (0..8).filter(|lane| tags[*lane] == tag).collect();
                    prop_assert_eq!(matches(&row, tag).len() as usize, expected.len());
                    prop_assert_eq!(matches(&row, tag).collect::<Vec<_>>(), expected);
                }
                prop_assert!((0..8).all(|lane| get(&row, lane) == tags[lane]));
            }
        }
    }
}
