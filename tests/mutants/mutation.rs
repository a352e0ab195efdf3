//! Damage chosen by a number: the same number damages the same file alike.

use std::io::Write as _;

use vigie::hash::mix;

use crate::stock::Piece;

/// A damaged capture.
pub(crate) struct Mutant {
    /// Of what it was made.
    pub(crate) origin: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Lengths and counts that programs stumble over, written wherever a length may stand.
const NASTY: [u32; 12] = [0, 1, 3, 4, 15, 0x7f, 0xff, 0xffff, 0x0004_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
/// Longest stretch that is taken out, doubled or taken from another file.
const LONGEST_STRETCH: u64 = 2_048;

struct Dice {
    seed: u64,
    rolls: u64,
}

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.rolls += 1;
        mix(self.seed, self.rolls) % bound.max(1)
    }

    /// A place in so many bytes.
    fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// A short stretch of so many bytes.
    fn stretch(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.place(length);
        let most = LONGEST_STRETCH.min((length - start) as u64);
        start..start + usize::try_from(self.below(most + 1)).unwrap()
    }
}

/// Makes the mutant of a number.
pub(crate) fn mutate(stock: &[Piece], number: u64) -> Mutant {
    let mut dice = Dice { seed: number, rolls: 0 };
    let first = &stock[dice.place(stock.len())];
    let mut bytes = first.bytes.clone();
    let mut origin = first.name.clone();
    for _ in 0..1 + dice.below(4) {
        if bytes.is_empty() {
            break;
        }
        match dice.below(9) {
            0 => flip(&mut bytes, &mut dice),
            1 => bytes.truncate(dice.place(bytes.len())),
            2 | 3 => write_nasty(&mut bytes, &mut dice),
            4 => drop(bytes.drain(dice.stretch(bytes.len()))),
            5 => double(&mut bytes, &mut dice),
            6 | 7 => {
                let other = &stock[dice.place(stock.len())];
                origin = format!("{origin} and {}", other.name);
                splice(&mut bytes, &other.bytes, &mut dice);
            }
            _ => near_the_start(&mut bytes, &mut dice),
        }
    }
    Mutant { origin, bytes: pack(bytes, &mut dice) }
}

fn flip(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..1 + dice.below(64) {
        let place = dice.place(bytes.len());
        bytes[place] ^= 1 << dice.below(8);
    }
}

/// A length that lies, in either byte order, at a place where 32-bit fields stand.
fn write_nasty(bytes: &mut [u8], dice: &mut Dice) {
    for _ in 0..1 + dice.below(4) {
        let value = NASTY[dice.place(NASTY.len())];
        let place = dice.place(bytes.len()) & !3;
        let value = if dice.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
        let room = bytes.len() - place;
        bytes[place..].iter_mut().zip(&value[..room.min(4)]).for_each(|(byte, new)| *byte = *new);
    }
}

fn double(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let stretch = dice.stretch(bytes.len());
    let again = bytes[stretch.clone()].to_vec();
    bytes.splice(stretch.end..stretch.end, again);
}

/// A stretch of another file, put in or written over.
fn splice(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let new = other[dice.stretch(other.len())].to_vec();
    let start = dice.place(bytes.len());
    let end = if dice.below(2) == 0 { start } else { bytes.len().min(start + new.len()) };
    bytes.splice(start..end, new);
}

/// File headers are few bytes among many: they get damage of their own.
fn near_the_start(bytes: &mut [u8], dice: &mut Dice) {
    let head = bytes.len().min(64);
    let place = dice.place(head);
    bytes[place] = u8::try_from(dice.below(256)).unwrap();
}

/// One in eight is compressed, and half of those are damaged once more.
fn pack(bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    let mut packed = match dice.below(16) {
        0 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&bytes).unwrap();
            encoder.finish().unwrap()
        }
        1 => zstd::encode_all(&bytes[..], 1).unwrap(),
        _ => return bytes,
    };
    if dice.below(2) == 0 {
        flip(&mut packed, dice);
    }
    packed
}
