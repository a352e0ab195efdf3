//! Which socket of a fan-out group gets a frame: a classic BPF program over the unordered pair of addresses.
//!
//! `PACKET_FANOUT_HASH` was measured to put the two directions of some pairs on different sockets, and it tells fragments
//! from whole packets; a program (`PACKET_FANOUT_CBPF`) does neither. It folds source and destination by exclusive or,
//! which forgets their order, multiplies by a random odd number so that neither even-numbered addresses nor somebody who
//! chooses them fills one socket, and gives the upper half to the kernel, which takes it modulo the number of sockets.
//! What is not IPv4 or IPv6, after up to two VLAN tags, goes to the first socket. Tunnels are not opened: their frames
//! follow the outer addresses.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::fd::BorrowedFd;

use super::socket;

/// Puts all sockets, which capture on one interface, into one group.
pub(super) fn join(sockets: &[BorrowedFd<'_>]) -> io::Result<()> {
    let Some((first, others)) = sockets.split_first() else { return Ok(()) };
    let group = socket::found_fanout_group(*first)?;
    socket::set_fanout_program(*first, &mut program(random_odd()))?;
    others.iter().try_for_each(|other| socket::join_fanout_group(*other, group))
}

/// Returns an odd number that nobody outside can guess.
fn random_odd() -> u32 {
    let random = RandomState::new().build_hasher().finish();
    u32::try_from(random >> 32).expect("the upper half of 64 bits") | 1
}

// Instruction codes (linux/bpf_common.h).
const LOAD_IMMEDIATE: u16 = 0x00;
const LOAD_WORD: u16 = 0x40;
const LOAD_HALF_AT: u16 = 0x28;
const LOAD_BYTE_AT: u16 = 0x30;
const LOAD_HALF: u16 = 0x48;
const LOAD_SLOT: u16 = 0x60;
const INDEX_SLOT: u16 = 0x61;
const STORE_SLOT: u16 = 0x02;
const ADD: u16 = 0x04;
const MULTIPLY: u16 = 0x24;
const SHIFT_RIGHT: u16 = 0x74;
const EXCLUSIVE_OR_INDEX: u16 = 0xac;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const RETURN_RESULT: u16 = 0x16;

// Places that are not bytes of the frame (linux/filter.h, `SKF_*`).
const NETWORK_HEADER: u32 = 0xfff0_0000;
const ETHERTYPE: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = 0xffff_f000 + 4;
/// `PACKET_OUTGOING` (linux/if_packet.h).
const OUTGOING: u32 = 4;

// Scratch slots.
const OFFSET: u32 = 0;
const KEPT: u32 = 1;

const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const TAGS: [u32; 3] = [0x8100, 0x88a8, 0x9100];
/// Source and destination, in words from the start of the header (RFC 791 section 3.1, RFC 8200 section 3).
const IPV4_ADDRESSES: [u32; 2] = [12, 16];
const IPV6_ADDRESSES: [u32; 8] = [8, 12, 16, 20, 24, 28, 32, 36];

/// Builds the program.
fn program(multiplier: u32) -> Vec<libc::sock_filter> {
    let received = received(multiplier);
    let mut code = vec![step(LOAD_BYTE_AT, PACKET_TYPE), jump(OUTGOING, received.len(), 0)];
    code.extend(received);
    code.extend(sent(multiplier));
    code
}

/// The part for received frames: byte 0 is the network header, the outermost VLAN tag is gone, further ones are not.
fn received(multiplier: u32) -> Vec<libc::sock_filter> {
    let mut code = vec![step(LOAD_IMMEDIATE, 0), step(STORE_SLOT, OFFSET), step(LOAD_HALF_AT, ETHERTYPE)];
    code.extend(step_over_tag());
    code.extend(step_over_tag());
    code.extend(choose([(IPV4, fold(0, &IPV4_ADDRESSES, multiplier)), (IPV6, fold(0, &IPV6_ADDRESSES, multiplier))]));
    code
}

/// The part for frames this machine sends: byte 0 is the link header, but the kernel knows where IP begins, tags or not.
fn sent(multiplier: u32) -> Vec<libc::sock_filter> {
    let mut code = vec![step(LOAD_IMMEDIATE, 0), step(STORE_SLOT, OFFSET)];
    code.extend([step(LOAD_BYTE_AT, NETWORK_HEADER), step(SHIFT_RIGHT, 4)]);
    code.extend(choose([
        (4, fold(NETWORK_HEADER, &IPV4_ADDRESSES, multiplier)),
        (6, fold(NETWORK_HEADER, &IPV6_ADDRESSES, multiplier)),
    ]));
    code
}

/// With an Ethertype loaded: if it is a tag's, moves the offset past the tag and loads the Ethertype behind it.
fn step_over_tag() -> Vec<libc::sock_filter> {
    let step_over = [
        step(INDEX_SLOT, OFFSET),
        step(LOAD_HALF, 2),
        step(STORE_SLOT, KEPT),
        step(LOAD_SLOT, OFFSET),
        step(ADD, 4),
        step(STORE_SLOT, OFFSET),
        step(LOAD_SLOT, KEPT),
    ];
    let mut code = vec![jump(TAGS[0], 2, 0), jump(TAGS[1], 1, 0), jump(TAGS[2], 0, step_over.len())];
    code.extend(step_over);
    code
}

/// Runs the part whose value is loaded; each part ends the program. Otherwise the first socket is chosen.
fn choose(parts: [(u32, Vec<libc::sock_filter>); 2]) -> Vec<libc::sock_filter> {
    let mut code = Vec::new();
    for (value, part) in parts {
        code.push(jump(value, 0, part.len()));
        code.extend(part);
    }
    code.push(step(RETURN, 0));
    code
}

/// Folds the words of both addresses and returns the choice.
fn fold(header: u32, words: &[u32], multiplier: u32) -> Vec<libc::sock_filter> {
    let mut code = vec![step(LOAD_IMMEDIATE, 0), step(STORE_SLOT, KEPT)];
    for word in words {
        code.extend([
            step(INDEX_SLOT, OFFSET),
            step(LOAD_WORD, header.wrapping_add(*word)),
            step(INDEX_SLOT, KEPT),
            step(EXCLUSIVE_OR_INDEX, 0),
            step(STORE_SLOT, KEPT),
        ]);
    }
    code.extend([step(MULTIPLY, multiplier), step(SHIFT_RIGHT, 16), step(RETURN_RESULT, 0)]);
    code
}

fn step(code: u16, k: u32) -> libc::sock_filter {
    libc::sock_filter { code, jt: 0, jf: 0, k }
}

/// Compares the loaded value and skips so many instructions, whether it is equal or not.
fn jump(value: u32, if_equal: usize, otherwise: usize) -> libc::sock_filter {
    let skip = |count: usize| u8::try_from(count).expect("each part is far shorter than 256 instructions");
    libc::sock_filter { code: JUMP_IF_EQUAL, jt: skip(if_equal), jf: skip(otherwise), k: value }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as the kernel shows it to the program.
    struct Seen {
        outgoing: bool,
        ethertype: u32,
        bytes: Vec<u8>,
        network_header: usize,
    }

    impl Seen {
        fn load(&self, place: u32, length: usize) -> Option<u32> {
            if place == PACKET_TYPE {
                return Some(if self.outgoing { OUTGOING } else { 3 });
            }
            if place == ETHERTYPE {
                return Some(self.ethertype);
            }
            let place = if place >= NETWORK_HEADER {
                self.network_header + usize::try_from(place - NETWORK_HEADER).unwrap()
            } else {
                usize::try_from(place).unwrap()
            };
            let bytes = self.bytes.get(place..place + length)?;
            Some(bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
        }
    }

    /// Runs the program as linux/Documentation/networking/filter.rst describes it; a load past the end returns 0.
    fn run(program: &[libc::sock_filter], frame: &Seen) -> u32 {
        let (mut result, mut index, mut slots, mut at) = (0u32, 0u32, [0u32; 16], 0usize);
        loop {
            let libc::sock_filter { code, jt, jf, k } = program[at];
            at += 1;
            let slot = k as usize;
            let load = |place: u32, length| frame.load(place, length);
            let loaded = match code {
                LOAD_WORD => Some(load(index.wrapping_add(k), 4)),
                LOAD_HALF => Some(load(index.wrapping_add(k), 2)),
                LOAD_HALF_AT => Some(load(k, 2)),
                LOAD_BYTE_AT => Some(load(k, 1)),
                LOAD_IMMEDIATE => Some(Some(k)),
                LOAD_SLOT => Some(Some(slots[slot])),
                _ => None,
            };
            match (loaded, code) {
                (Some(Some(value)), _) => result = value,
                (Some(None), _) => return 0,
                (_, INDEX_SLOT) => index = slots[slot],
                (_, STORE_SLOT) => slots[slot] = result,
                (_, ADD) => result = result.wrapping_add(k),
                (_, MULTIPLY) => result = result.wrapping_mul(k),
                (_, SHIFT_RIGHT) => result >>= k,
                (_, EXCLUSIVE_OR_INDEX) => result ^= index,
                (_, JUMP_IF_EQUAL) => at += usize::from(if result == k { jt } else { jf }),
                (_, RETURN) => return k,
                (_, RETURN_RESULT) => return result,
                other => panic!("unknown instruction {other:?}"),
            }
        }
    }

    /// A packet from one address to another, behind so many tags that the kernel left in place.
    fn seen(from: &[u8], to: &[u8], tags: usize, outgoing: bool) -> Seen {
        let v4 = from.len() == 4;
        let inner: u16 = if v4 { 0x0800 } else { 0x86dd };
        let mut bytes = if outgoing { vec![0xee; 14] } else { Vec::new() };
        let ethertype = if tags == 0 { inner } else { 0x8100 };
        for tag in 0..tags {
            // A priority that looks like an IP version must not mislead.
            bytes.extend([0x45, 0x00]);
            bytes.extend(if tag + 1 == tags { inner } else { 0x88a8 }.to_be_bytes());
        }
        let network_header = bytes.len();
        bytes.extend(if v4 { vec![0x45; 12] } else { vec![0x60; 8] });
        bytes.extend(from);
        bytes.extend(to);
        Seen { outgoing, ethertype: u32::from(ethertype), bytes, network_header }
    }

    proptest! {
        #[test]
        fn both_directions_go_the_same_way(
            a in prop_oneof![proptest::collection::vec(any::<u8>(), 4), proptest::collection::vec(any::<u8>(), 16)],
            b in any::<[u8; 16]>(),
            tags in 0usize..3,
            outgoing in any::<bool>(),
            multiplier in any::<u32>(),
        ) {
            let (b, program) = (&b[..a.len()], program(multiplier | 1));
            let there = run(&program, &seen(&a, b, tags, outgoing));
            prop_assert_eq!(there, run(&program, &seen(b, &a, tags, !outgoing)));
            prop_assert_eq!(there, run(&program, &seen(b, &a, 0, false)));
        }
    }

    #[test]
    fn clients_of_one_server_spread_evenly() {
        let program = program(0x9e37_79b1);
        for length in [4, 16] {
            let mut counts = [0u32; 2];
            for client in 0u16..4_096 {
                // Even addresses only: the lowest bit alone must not decide.
                let mut address = vec![10; length];
                address[length - 2..].copy_from_slice(&(client * 2).to_be_bytes());
                let choice = run(&program, &seen(&address, &vec![9; length], 0, false)) % 2;
                counts[usize::try_from(choice).unwrap()] += 1;
            }
            // Binomial with n = 4,096: five standard deviations are 160.
            assert!(counts.iter().all(|count| count.abs_diff(2_048) < 160), "{counts:?}");
        }
    }

    #[test]
    fn what_is_not_ip_goes_to_the_first_socket() {
        let program = program(1);
        let arp = Seen { outgoing: false, ethertype: 0x0806, bytes: vec![0x45; 60], network_header: 0 };
        assert_eq!(run(&program, &arp), 0);
        let short = Seen { outgoing: false, ethertype: IPV4, bytes: vec![0x45; 18], network_header: 0 };
        assert_eq!(run(&program, &short), 0);
    }
}
