//! What a mirror port makes of the traffic it copies: one direction only, gaps, or everything twice.

use crate::address::Prefix;
use crate::decode::decode;
use crate::eval::random::Random;
use crate::source::{Frame, InterfaceId, LinkType};
use crate::time::Timestamp;

/// How a mirror port sees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Sight {
    /// Everything.
    #[default]
    Whole,
    /// Only what comes in.
    InboundOnly,
    /// All but this share, lost one by one and without being told.
    Lossy(f64),
    /// Everything twice, the copy a router further on.
    Doubled,
}

/// A mirror port at work.
#[derive(Debug)]
pub(super) struct Mirror {
    sight: Sight,
    protected: Vec<Prefix>,
    random: Random,
    copy: Vec<u8>,
}

impl Mirror {
    /// Sets up a port in front of what is protected.
    pub(super) fn new(sight: Sight, protected: Vec<Prefix>, seed: u64) -> Self {
        Self { sight, protected, random: Random::new(seed, 0x6d69_7272), copy: Vec::new() }
    }

    /// Hands on what the port shows of a frame.
    pub(super) fn show(
        &mut self,
        timestamp: Timestamp,
        wire_len: u32,
        bytes: &[u8],
        shown: &mut dyn FnMut(Timestamp, u32, &[u8]),
    ) {
        match self.sight {
            Sight::Whole => shown(timestamp, wire_len, bytes),
            Sight::InboundOnly => {
                if self.is_inbound(timestamp, wire_len, bytes) {
                    shown(timestamp, wire_len, bytes);
                }
            }
            Sight::Lossy(share) => {
                if !self.random.chance(share) {
                    shown(timestamp, wire_len, bytes);
                }
            }
            Sight::Doubled => {
                shown(timestamp, wire_len, bytes);
                self.copy.clear();
                self.copy.extend_from_slice(bytes);
                pass_a_router(&mut self.copy);
                shown(timestamp, wire_len, &self.copy);
            }
        }
    }

    fn is_inbound(&self, timestamp: Timestamp, wire_len: u32, bytes: &[u8]) -> bool {
        let frame = Frame { timestamp, link: LinkType::Ethernet, interface: InterfaceId::default(), wire_len, bytes };
        decode(&frame).is_ok_and(|packet| self.protected.iter().any(|protected| protected.contains(packet.destination)))
    }
}

/// Takes one from the time to live of an untagged frame and mends the IPv4 header's checksum (RFC 1624).
fn pass_a_router(frame: &mut [u8]) {
    match (frame.get(12), frame.get(13)) {
        (Some(0x08), Some(0x00)) if frame.len() >= 34 => {
            frame[22] = frame[22].saturating_sub(1);
            let sum = u32::from(u16::from_be_bytes([frame[24], frame[25]])) + 0x100;
            let sum = u16::try_from(sum % 0x1_0000 + sum / 0x1_0000).unwrap_or(u16::MAX);
            frame[24..26].copy_from_slice(&sum.to_be_bytes());
        }
        (Some(0x86), Some(0xdd)) if frame.len() >= 54 => frame[21] = frame[21].saturating_sub(1),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Parameters, Scenario, generate};
    use std::time::Duration;

    fn shown(sight: Sight) -> Vec<(Timestamp, Vec<u8>)> {
        let parameters =
            Parameters { duration: Duration::from_secs(5), lead: Duration::ZERO, ..Scenario::Calm.defaults() };
        let protected = parameters.protect.iter().map(|protected| protected.prefix).collect();
        let mut mirror = Mirror::new(sight, protected, 1);
        let mut frames = Vec::new();
        generate(Scenario::Calm, &parameters, &mut |timestamp, wire_len, bytes| {
            mirror.show(timestamp, wire_len, bytes, &mut |at, _, bytes| frames.push((at, bytes.to_vec())));
        })
        .unwrap();
        frames
    }

    fn checksum_holds(frame: &[u8]) -> bool {
        let words = frame[14..34].chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum: u32 = words.sum();
        (sum & 0xffff) + (sum >> 16) == 0xffff
    }

    #[test]
    fn a_copy_differs_in_its_hop_only_and_is_whole() {
        let (whole, doubled) = (shown(Sight::Whole), shown(Sight::Doubled));
        assert_eq!(doubled.len(), 2 * whole.len());
        for (frame, pair) in whole.iter().zip(doubled.chunks(2)) {
            assert_eq!(&pair[0], frame);
            let (first, copy) = (&pair[0].1, &pair[1].1);
            let differing = first.iter().zip(copy).filter(|(a, b)| a != b).count();
            assert!((1..=3).contains(&differing), "{differing} bytes differ");
            assert!(copy[12..14] != [0x08, 0x00] || checksum_holds(copy));
        }
    }

    #[test]
    fn one_direction_is_what_comes_in() {
        let (whole, inbound) = (shown(Sight::Whole), shown(Sight::InboundOnly));
        assert!(inbound.len() * 4 > whole.len() && inbound.len() * 4 < 3 * whole.len());
        let lossy = shown(Sight::Lossy(0.2)).len() as f64 / whole.len() as f64;
        assert!((lossy - 0.8).abs() < 0.03, "{lossy}");
    }
}
