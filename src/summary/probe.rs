//! First contacts and how they ended: what scans are made of.

use crate::address::Address;
use crate::packet::Protocol;
use crate::time::Timestamp;

/// A first contact from one host to a port of another, once its outcome is known: at its answer, or three seconds after
/// its first packet. In any direction, protected or not.
///
/// Contacts are followed in a table of fixed size, thinned by source: `weight` says how many sources a chosen one stands
/// for. Of a source that makes more than its partition follows, 64 a tick towards one host, the first of each tick are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// When its outcome was known.
    pub at: Timestamp,
    /// Who asked: the address itself for IPv4, the /64 for IPv6.
    pub source: Address,
    /// Who was asked.
    pub target: Address,
    /// The port asked; 0 for ICMP.
    pub port: u16,
    /// TCP, UDP or ICMP.
    pub protocol: Protocol,
    /// What the first packet was.
    pub knock: Knock,
    /// How it ended.
    pub outcome: ProbeOutcome,
    /// How many sources it stands for.
    pub weight: u32,
}

/// The first packet of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Knock {
    /// A SYN, a datagram or an echo request: how a conversation begins.
    Ordinary,
    /// A TCP segment that no stack opens a connection with: FIN alone, no flags, or FIN with PSH and URG (nmap's FIN, NULL
    /// and Xmas scans).
    Stealthy,
}

/// How a contact ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProbeOutcome {
    /// SYN-ACK, datagram or echo reply.
    Answered,
    /// RST. A datagram refused by an ICMP error counts as silent.
    Refused,
    /// Nothing came back in three seconds.
    Silent,
}
