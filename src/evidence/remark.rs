//! What is said of each packet: what it is, and what it has to do with the alert.
//!
//! A filter selects ordinary packets of the same looks too, so that a remark says what the packet was selected for, and
//! the section's own comment that it is no verdict on its sender.

use crate::kind::AlertKind;
use crate::packet::{Marks, Packet, Protocol, TcpFlags};
use crate::time::Timestamp;

/// When an alert's finding begins, and when the alert opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments {
    /// First second that the finding explains.
    pub(super) started_at: Timestamp,
    /// Packet time at which the alert opened.
    pub(super) detected_at: Timestamp,
}

/// Returns the comment of a packet; `None` for a frame that could be selected, but not decoded.
pub(super) fn of(kind: AlertKind, packet: Option<&Packet>, at: Timestamp, moments: Moments) -> String {
    let what = packet.map_or_else(|| "frame".to_owned(), describe);
    let whose = role(kind);
    if at < moments.started_at {
        let before = moments.started_at.since(at).as_secs_f64();
        format!("{what}, {before:.1} s before the {whose}")
    } else if at < moments.detected_at {
        format!("{what} of the {whose}, before the alert")
    } else {
        format!("{what} of the {whose}")
    }
}

/// Names the traffic an alert is about.
const fn role(kind: AlertKind) -> &'static str {
    use AlertKind as K;
    match kind {
        K::SynFlood | K::UdpFlood | K::IcmpFlood | K::FragmentFlood | K::TcpFlagFlood => "flood",
        K::Amplification => "reflected flood",
        K::CarpetBombing => "carpet bombing",
        K::ForeignSurge | K::RoboticSurge => "surge",
        K::ConnectionExhaustion => "exhaustion",
        K::PortScan => "scan",
        K::HostSweep => "sweep",
        K::BruteForce | K::CredentialStuffing => "log-in attempts",
        K::Exfiltration => "transfer",
        K::NewOutbound => "outbound connection",
        K::Beacon => "beacon",
        K::Rush => "rush",
        K::Overload => "overload",
        K::Outage => "outage",
        K::SensorBlind => "loss",
    }
}

fn describe(packet: &Packet) -> String {
    if packet.marks.any(Marks::LATER_FRAGMENT) {
        return "later fragment".to_owned();
    }
    match packet.protocol {
        Protocol::TCP if packet.marks.any(Marks::CUT) => "TCP segment".to_owned(),
        Protocol::TCP => segment(packet),
        Protocol::UDP if packet.marks.any(Marks::QUIC_INITIAL) => "QUIC Initial".to_owned(),
        Protocol::UDP => format!("UDP, {} bytes", packet.payload_len),
        Protocol::ICMP => format!("ICMP type {}", packet.destination_port >> 8),
        Protocol::ICMPV6 => format!("ICMPv6 type {}", packet.destination_port >> 8),
        Protocol(number) => format!("IP protocol {number}"),
    }
}

fn segment(packet: &Packet) -> String {
    let flags = packet.flags;
    match flags {
        _ if flags.has(TcpFlags::SYN | TcpFlags::ACK) => "SYN-ACK".to_owned(),
        _ if flags.has(TcpFlags::SYN) => "SYN".to_owned(),
        _ if flags.has(TcpFlags::RST) => "RST".to_owned(),
        _ if packet.payload_len > 0 => format!("{} bytes", packet.payload_len),
        _ if flags.has(TcpFlags::FIN) => "FIN".to_owned(),
        _ if flags.has(TcpFlags::ACK) => "ACK".to_owned(),
        _ => "TCP without flags".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_remark_says_what_and_when() {
        let syn = Packet { protocol: Protocol::TCP, flags: TcpFlags(TcpFlags::SYN), ..Packet::default() };
        let begin = Timestamp::from_secs(100);
        let moments = Moments { started_at: begin, detected_at: begin.plus(Duration::from_secs(2)) };
        let at = |millis: u64| of(AlertKind::SynFlood, Some(&syn), Timestamp::from_nanos(millis * 1_000_000), moments);
        assert_eq!(at(96_800), "SYN, 3.2 s before the flood");
        assert_eq!(at(100_000), "SYN of the flood, before the alert");
        assert_eq!(at(102_000), "SYN of the flood");
        let datagram = Packet { protocol: Protocol::UDP, payload_len: 468, ..Packet::default() };
        let reply = of(AlertKind::Amplification, Some(&datagram), Timestamp::from_secs(200), moments);
        assert_eq!(reply, "UDP, 468 bytes of the reflected flood");
    }
}
