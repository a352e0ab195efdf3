//! The counters of protected hosts in one tick, one set a host and shard, whatever number of partitions count in it.
//!
//! Which hosts have a place is decided per partition ([`crate::summary::places`]); counts are sums, so that it does not
//! matter how partitions are divided among shards.

use std::collections::HashMap;

use crate::address::Address;
use crate::country::Country;
use crate::flow::cohort::Event;
use crate::packet::{Packet, Protocol, TcpFlags};
use crate::summary::stray::{Stray, StrayKind, StrayRows};
use crate::summary::{CohortTick, HostTick};

/// A host's counters, valid while a place holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostId(u32);

/// The hosts of a shard.
#[derive(Debug, Default)]
pub(crate) struct HostBook {
    ticks: Vec<HostTick>,
    stray_rows: Vec<StrayRows>,
    holders: Vec<u32>,
    touched: Vec<bool>,
    free: Vec<u32>,
    /// Looked up by address, never walked: its order must not be seen.
    by_address: HashMap<Address, u32>,
    /// Hosts with counts in this tick.
    busy: Vec<u32>,
}

impl HostBook {
    /// Takes hold of a host for a place.
    pub(crate) fn hold(&mut self, address: Address) -> HostId {
        if let Some(at) = self.by_address.get(&address) {
            self.holders[*at as usize] += 1;
            return HostId(*at);
        }
        let at = self.free.pop().unwrap_or_else(|| {
            self.ticks.push(HostTick::default());
            self.stray_rows.push(StrayRows::new());
            self.holders.push(0);
            self.touched.push(false);
            u32::try_from(self.ticks.len() - 1).unwrap_or(u32::MAX)
        });
        self.ticks[at as usize].address = address;
        self.holders[at as usize] = 1;
        self.by_address.insert(address, at);
        HostId(at)
    }

    /// Lets go of a host that was not counted in this tick.
    pub(crate) fn release(&mut self, id: HostId) {
        let holders = &mut self.holders[id.0 as usize];
        *holders -= 1;
        if *holders == 0 {
            self.by_address.remove(&self.ticks[id.0 as usize].address);
            self.free.push(id.0);
        }
    }

    /// Returns the counters of a host, which thereby is part of the tick.
    pub(crate) fn count(&mut self, id: HostId) -> &mut HostTick {
        let at = id.0 as usize;
        if !self.touched[at] {
            self.touched[at] = true;
            self.busy.push(id.0);
        }
        &mut self.ticks[at]
    }

    /// Returns the row in which strays of a kind are counted.
    pub(crate) fn stray(&mut self, id: HostId, kind: StrayKind) -> &mut Stray {
        let at = id.0 as usize;
        self.count(id);
        self.stray_rows[at].row(&mut self.ticks[at].strays, kind)
    }

    /// Swaps the counters of the tick into `hosts`, sorted by address, and begins the next tick.
    pub(crate) fn close(&mut self, hosts: &mut Vec<HostTick>) {
        let ticks = &mut self.ticks;
        self.busy.sort_unstable_by_key(|at| ticks[*at as usize].address);
        hosts.resize_with(self.busy.len(), HostTick::default);
        for (out, at) in hosts.iter_mut().zip(self.busy.drain(..)) {
            let host = &mut ticks[at as usize];
            self.stray_rows[at as usize].close(&mut host.strays);
            std::mem::swap(out, host);
            host.reset(out.address);
            self.touched[at as usize] = false;
        }
    }
}

impl HostTick {
    /// Sets everything to zero, keeping buffers.
    pub(crate) fn reset(&mut self, address: Address) {
        let (mut verified_from, mut syn_ports, mut strays) = (
            std::mem::take(&mut self.verified_from),
            std::mem::take(&mut self.syn_ports),
            std::mem::take(&mut self.strays),
        );
        verified_from.clear();
        syn_ports.clear();
        strays.clear();
        *self = Self { address, verified_from, syn_ports, strays, ..Self::default() };
    }

    /// Counts a packet to the host from outside.
    pub(crate) fn count_inbound(&mut self, packet: &Packet) {
        self.inbound.count(packet.wire_len);
        if packet.is_tcp() {
            self.tcp_in += 1;
            self.syn += u32::from(packet.flags.is_syn());
            self.rst_in += u32::from(packet.flags.has(TcpFlags::RST));
        } else if packet.protocol == Protocol::TCP {
            self.tcp_in += 1;
        }
        if packet.protocol == Protocol::UDP {
            self.udp_in.count(packet.wire_len);
        }
    }

    /// Counts a packet from the host to the outside.
    pub(crate) fn count_outbound(&mut self, packet: &Packet) {
        self.outbound.count(packet.wire_len);
        if packet.protocol != Protocol::TCP {
            return;
        }
        self.tcp_out += 1;
        if packet.is_tcp() {
            self.syn_ack += u32::from(packet.flags.is_syn_ack());
            self.rst_out += u32::from(packet.flags.has(TcpFlags::RST));
        }
    }

    /// Counts a connection from outside whose client has just proved its address.
    pub(crate) fn count_verified(&mut self, country: Country) {
        self.verified += 1;
        add_sorted(&mut self.verified_from, country, 1);
    }

    /// Counts the time from the client's first payload to the server's.
    pub(crate) fn count_first_byte(&mut self, micros: u32) {
        self.first_byte[wait_class(micros)] += 1;
    }

    /// Counts the time that a client has waited for an answer beyond the first; `resumed` when something had come before.
    pub(crate) fn count_answer(&mut self, micros: u32, resumed: bool) {
        self.answers[wait_class(micros)] += 1;
        self.answers_resumed += u32::from(resumed);
    }
}

fn wait_class(micros: u32) -> usize {
    ((u32::BITS - (micros / 1_000).leading_zeros()) as usize).min(15)
}

impl CohortTick {
    /// Counts that a handshake of the given weight began to be followed.
    pub(crate) fn open(&mut self, weight: u32) {
        self.sampled += 1;
        self.opened = self.opened.saturating_add(weight);
    }

    /// Counts what happened to a followed handshake of the given weight.
    pub(crate) fn count(&mut self, weight: u32, event: Event) {
        let counter = match event {
            Event::Answered(age) => &mut self.answered[age],
            Event::Finished(age) => &mut self.finished[age],
            Event::Abandoned(age) => &mut self.abandoned[age],
            Event::Retried(age) => &mut self.retried[age],
            Event::Refused(age) => &mut self.refused[age],
            Event::TurnedAway => &mut self.turned_away,
        };
        *counter = counter.saturating_add(weight);
    }
}

/// Adds to the count of `key` in a list sorted by key.
pub(crate) fn add_sorted<K: Ord>(counts: &mut Vec<(K, u32)>, key: K, count: u32) {
    match counts.binary_search_by(|(other, _)| other.cmp(&key)) {
        Ok(at) => counts[at].1 = counts[at].1.saturating_add(count),
        Err(at) => counts.insert(at, (key, count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_byte_classes_are_powers_of_two_milliseconds() {
        let mut host = HostTick::default();
        for micros in [0, 999, 1_000, 1_999, 2_000, 3_999, 4_000, u32::MAX] {
            host.count_first_byte(micros);
        }
        assert_eq!(host.first_byte[..4], [2, 2, 2, 1]);
        assert_eq!(host.first_byte[15], 1);
    }

    #[test]
    fn a_host_lives_as_long_as_a_place_holds_it() {
        let mut book = HostBook::default();
        let address = Address::v4([192, 0, 2, 1]);
        let (first, second) = (book.hold(address), book.hold(address));
        assert_eq!(first, second);
        book.count(first).syn += 1;
        let mut hosts = Vec::new();
        book.close(&mut hosts);
        assert_eq!((hosts.len(), hosts[0].address, hosts[0].syn), (1, address, 1));
        book.close(&mut hosts);
        assert!(hosts.is_empty());
        book.release(first);
        book.release(second);
        assert_eq!(book.hold(Address::v4([192, 0, 2, 2])), first);
        book.count(first).syn += 1;
        book.close(&mut hosts);
        assert_eq!(hosts[0].syn, 1);
    }
}
