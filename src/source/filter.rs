//! Capture filters applied to frames that are in memory: the language of pcap-filter(7), compiled by libpcap.
//!
//! The crate `pcap` compiles filters and shows the program, but runs it only within a capture. The machine that runs it is
//! that of McCanne and Jacobson, "The BSD Packet Filter" (USENIX 1993, section 3), a page of safe code: a load beyond the
//! frame's captured bytes refuses the frame, as in the kernel.

use pcap::{Capture, Linktype};

use super::LinkType;

/// A filter compiled for frames of one link type.
#[derive(Clone, Debug)]
pub struct FrameFilter(Vec<Instruction>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    if_true: u8,
    if_false: u8,
    k: u32,
}

/// Words of scratch memory (BPF_MEMWORDS).
const WORDS: usize = 16;

impl FrameFilter {
    /// Compiles a filter. `None` when libpcap does not take it for this link type: some know no such addresses.
    #[must_use]
    pub fn compile(text: &str, link: LinkType) -> Option<Self> {
        let capture = Capture::dead(dlt(link)).ok()?;
        let program = capture.compile(text, true).ok()?;
        program
            .get_instructions()
            .iter()
            .map(|shown| Instruction::read(&shown.to_string()))
            .collect::<Option<_>>()
            .map(Self)
    }

    /// Tells whether it selects a frame of `wire_len` bytes, given by those that were captured.
    #[must_use]
    pub fn selects(&self, bytes: &[u8], wire_len: u32) -> bool {
        self.run(bytes, wire_len).is_some_and(|accepted| accepted != 0)
    }

    /// Runs the program. `None` when it looks beyond the frame, divides by nothing or leaves its own end.
    fn run(&self, bytes: &[u8], wire_len: u32) -> Option<u32> {
        let (mut a, mut x, mut words, mut at) = (0_u32, 0_u32, [0_u32; WORDS], 0_usize);
        loop {
            let Instruction { code, if_true, if_false, k } = *self.0.get(at)?;
            at += 1;
            // Classes are the low three bits; sizes, modes, operations and sources lie above them.
            match code & 0x07 {
                0x00 => a = load(code, k, x, bytes, wire_len, &words)?,
                0x01 => x = load_index(code, k, bytes, wire_len, &words)?,
                0x02 => *words.get_mut(k as usize)? = a,
                0x03 => *words.get_mut(k as usize)? = x,
                0x04 => a = compute(code, a, operand(code, k, x))?,
                0x05 if code & 0xf0 == 0x00 => at += k as usize,
                0x05 => at += usize::from(if holds(code, a, operand(code, k, x))? { if_true } else { if_false }),
                0x06 => return Some(if code & 0x18 == 0x10 { a } else { k }),
                _ if code & 0xf8 == 0x80 => a = x,
                _ => x = a,
            }
        }
    }
}

/// Returns libpcap's own number of a link type, which is that of files but for raw IP (DLT_RAW, 12 on most systems).
fn dlt(link: LinkType) -> Linktype {
    match link {
        LinkType::RawIp => Linktype(12),
        other => Linktype(i32::from(other.number())),
    }
}

impl Instruction {
    /// Reads an instruction as it is shown: code, both jumps, operand.
    fn read(shown: &str) -> Option<Self> {
        let mut parts = shown.split(' ');
        let code = parts.next()?.parse().ok()?;
        let (if_true, if_false) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { code, if_true, if_false, k: parts.next()?.parse().ok()? })
    }
}

/// Loads the accumulator: from the frame, at a fixed place or beside the index register, or from elsewhere.
fn load(code: u16, k: u32, x: u32, bytes: &[u8], wire_len: u32, words: &[u32; WORDS]) -> Option<u32> {
    match code & 0xe0 {
        0x00 => Some(k),
        0x20 => read(code, bytes, k),
        0x40 => read(code, bytes, k.checked_add(x)?),
        0x60 => words.get(k as usize).copied(),
        _ => Some(wire_len),
    }
}

/// Loads the index register; mode 0xa0 is the length of an IPv4 header, in bytes.
fn load_index(code: u16, k: u32, bytes: &[u8], wire_len: u32, words: &[u32; WORDS]) -> Option<u32> {
    match code & 0xe0 {
        0x00 => Some(k),
        0x60 => words.get(k as usize).copied(),
        0xa0 => bytes.get(k as usize).map(|byte| u32::from(byte & 0x0f) * 4),
        _ => Some(wire_len),
    }
}

/// Reads a word, half a word or a byte in network order.
fn read(code: u16, bytes: &[u8], at: u32) -> Option<u32> {
    let at = at as usize;
    let length = match code & 0x18 {
        0x00 => 4,
        0x08 => 2,
        _ => 1,
    };
    Some(bytes.get(at..at.checked_add(length)?)?.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

const fn operand(code: u16, k: u32, x: u32) -> u32 {
    if code & 0x08 == 0 { k } else { x }
}

fn compute(code: u16, a: u32, operand: u32) -> Option<u32> {
    Some(match code & 0xf0 {
        0x00 => a.wrapping_add(operand),
        0x10 => a.wrapping_sub(operand),
        0x20 => a.wrapping_mul(operand),
        0x30 => a.checked_div(operand)?,
        0x40 => a | operand,
        0x50 => a & operand,
        0x60 => a.checked_shl(operand).unwrap_or(0),
        0x70 => a.checked_shr(operand).unwrap_or(0),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(operand)?,
        0xa0 => a ^ operand,
        _ => return None,
    })
}

fn holds(code: u16, a: u32, operand: u32) -> Option<bool> {
    Some(match code & 0xf0 {
        0x10 => a == operand,
        0x20 => a > operand,
        0x30 => a >= operand,
        0x40 => a & operand != 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ethernet frame with an IPv4 header of a datagram to 192.0.2.10, port 53.
    fn datagram() -> Vec<u8> {
        let mut frame = vec![0; 46];
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        frame[14..24].copy_from_slice(&[0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17]);
        frame[30..34].copy_from_slice(&[192, 0, 2, 10]);
        frame[34..42].copy_from_slice(&[0x9c, 0x40, 0, 53, 0, 12, 0, 0]);
        frame
    }

    #[test]
    fn a_filter_reads_frames_as_their_link_type_says() {
        let filter = |text, link| FrameFilter::compile(text, link).unwrap();
        let frame = datagram();
        assert!(filter("dst host 192.0.2.10 and udp dst port 53", LinkType::Ethernet).selects(&frame, 46));
        assert!(!filter("dst host 192.0.2.11", LinkType::Ethernet).selects(&frame, 46));
        assert!(filter("dst host 192.0.2.10", LinkType::RawIp).selects(&frame[14..], 32));
        assert!(
            !filter("dst host 192.0.2.10", LinkType::Ethernet).selects(&frame[..20], 46),
            "cut off before the address"
        );
        assert!(FrameFilter::compile("dst hosts 1", LinkType::Ethernet).is_none());
    }
}
