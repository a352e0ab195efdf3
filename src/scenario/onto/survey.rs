//! What a capture holds: how long it is, who serves in it, and how busily.

use std::collections::HashMap;
use std::path::Path;

use super::{Below, OntoError, is_usable};
use crate::address::Address;
use crate::decode::decode;
use crate::packet::{Packet, TcpFlags};
use crate::source::{Frame, LinkType, PacketSource, Progress};
use crate::time::Timestamp;

/// Addresses that are counted; those first seen later are not.
const MOST_HOSTS: usize = 100_000;

/// What one address did.
#[derive(Clone, Copy, Debug, Default)]
struct Host {
    /// SYNs to it, repetitions included.
    syns: u64,
    /// SYN-ACKs from it.
    answers: u64,
    /// Packets to and from it.
    packets: u64,
}

/// The figures of a capture.
#[derive(Clone, Debug)]
pub(in crate::scenario) struct Survey {
    /// Earliest and latest frame.
    pub(super) first: Timestamp,
    /// See `first`.
    pub(super) last: Timestamp,
    link: LinkType,
    hosts: HashMap<Address, Host>,
}

impl Survey {
    /// Reads a capture to its end.
    pub(super) fn of(capture: &Path) -> Result<Self, OntoError> {
        let mut below = Below::open(capture)?;
        let mut survey = None;
        let mut is_mixed = false;
        loop {
            let progress = below.source.poll(&mut |frame: Frame<'_>| {
                let survey = survey.get_or_insert_with(|| Self::from_first(&frame));
                is_mixed |= survey.link != frame.link;
                survey.count(&frame);
            })?;
            if progress == Progress::End {
                break;
            }
        }
        let survey: Self = survey.ok_or_else(|| OntoError::NoServer(capture.to_owned()))?;
        if is_mixed || !is_usable(survey.link) { Err(OntoError::Link(capture.to_owned())) } else { Ok(survey) }
    }

    fn from_first(frame: &Frame<'_>) -> Self {
        Self { first: frame.timestamp, last: frame.timestamp, link: frame.link, hosts: HashMap::new() }
    }

    fn count(&mut self, frame: &Frame<'_>) {
        self.first = self.first.min(frame.timestamp);
        self.last = self.last.max(frame.timestamp);
        let Ok(packet) = decode(frame) else { return };
        let is_answer = packet.is_tcp() && packet.flags.is_syn_ack();
        let is_syn = packet.is_tcp() && is_first(&packet);
        self.note(packet.source, |host| {
            host.packets += 1;
            host.answers += u64::from(is_answer);
        });
        self.note(packet.destination, |host| {
            host.packets += 1;
            host.syns += u64::from(is_syn);
        });
    }

    fn note(&mut self, address: Address, count: impl FnOnce(&mut Host)) {
        if let Some(host) = self.hosts.get_mut(&address) {
            count(host);
        } else if self.hosts.len() < MOST_HOSTS {
            count(self.hosts.entry(address).or_default());
        }
    }

    /// Returns the address that answered the most SYNs; where nothing was answered, the one with the most packets.
    pub(super) fn busiest(&self) -> Option<Address> {
        let busy = |(address, host): &(&Address, &Host)| (host.answers, host.packets, address.bytes());
        self.hosts.iter().max_by_key(busy).map(|(address, _)| *address)
    }

    /// Returns the SYNs to an address, or the packets to and from it, a second.
    pub(super) fn rate_of(&self, address: Address, in_packets: bool) -> f64 {
        let seconds = self.last.since(self.first).as_secs_f64().max(1e-3);
        let host = self.hosts.get(&address).copied().unwrap_or_default();
        (if in_packets { host.packets } else { host.syns }) as f64 / seconds
    }

    /// Tells whether frames begin with an IP header.
    pub(super) fn is_raw(&self) -> bool {
        self.link == LinkType::RawIp
    }

    /// Returns the LINKTYPE number to write.
    pub(super) fn link_number(&self) -> u32 {
        if self.is_raw() { 101 } else { 1 }
    }
}

const fn is_first(packet: &Packet) -> bool {
    packet.flags.is_syn() && packet.flags.0 & TcpFlags::ACK == 0
}
