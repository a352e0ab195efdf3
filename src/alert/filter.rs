//! Capture filters: what an analyst gives to tcpdump, or a mitigation device, to see an alert's packets.
//!
//! The language is that of pcap-filter(7). Two of its traits shape what is written here. It reads TCP flags only under
//! IPv4, so IPv6 compares bytes at the fixed header's end (extension headers in a flood are rare, and then missed). And
//! `vlan` moves every later offset of the whole expression by one tag, not only those in its own brackets: tagged
//! traffic therefore comes last, and the clause for two tags stands inside the one for one.

use std::fmt::Write as _;

use crate::address::{Address, Prefix};
use crate::detect::finding::{Figure, FigureName, Finding, SourceShare, Target};
use crate::kind::AlertKind;
use crate::packet::Protocol;

/// Matches any fragment of an IPv4 packet: more fragments follow, or this is a later one (RFC 791 section 3.1).
const FRAGMENT_V4: &str = "ip[6:2] & 0x3fff != 0";
/// Matches a fragment other than the first.
const LATER_FRAGMENT_V4: &str = "ip[6:2] & 0x1fff != 0";
/// Matches a fragment of an IPv6 packet: the first extension header is the fragment header (RFC 8200 section 4.5).
const FRAGMENT_V6: &str = "ip6[6] == 44";
/// Matches ICMP of either family, behind the extension headers for hop-by-hop and destination options and routing as well
/// (RFC 8200 section 4): libpcap looks at the first header only.
const ICMP: &str = "(icmp or icmp6 or ip6[6] == 0 or ip6[6] == 43 or ip6[6] == 60)";
/// Share of replies from one port from which the filter names it: with their fragments they are nearly all.
const NEARLY_ALL: f64 = 0.97;
/// Sources that a filter names at most.
const MOST_SOURCES: usize = 20;

/// Returns the filter that selects a finding's packets, untagged and with one or two VLAN tags.
#[must_use]
pub fn of(finding: &Finding) -> String {
    let sources = if finding.spoofed { &[][..] } else { &finding.sources[..] };
    tagged_or_not(&packets(finding, sources))
}

fn tagged_or_not(packets: &str) -> String {
    if packets.is_empty() {
        return "ip or ip6 or vlan".to_owned();
    }
    format!("({packets}) or (vlan and (({packets}) or (vlan and ({packets}))))")
}

/// Selects the packets as they look without tags.
fn packets(finding: &Finding, sources: &[SourceShare]) -> String {
    use AlertKind as K;
    let target = &finding.target;
    let terms = match finding.kind {
        K::SensorBlind => vec![],
        K::Exfiltration | K::NewOutbound | K::Beacon => {
            vec![place("src", target), transport("port", target.protocol, target.port)]
        }
        K::SynFlood => vec![place("dst", target), syn(target)],
        K::TcpFlagFlood => vec![place("dst", target), out_of_state(target)],
        K::IcmpFlood => vec![place("dst", target), ICMP.to_owned()],
        K::FragmentFlood => vec![place("dst", target), format!("({FRAGMENT_V4} or {FRAGMENT_V6})")],
        K::UdpFlood if finding.figures.iter().any(|f| f.name == FigureName::OtherProtocolPerSecond) => {
            vec![place("dst", target), "not (tcp or udp or icmp or icmp6)".to_owned()]
        }
        K::UdpFlood => vec![place("dst", target), datagrams("dst", target.port)],
        K::Amplification => vec![place("dst", target), replies(finding)],
        K::CarpetBombing if target.protocol == Some(Protocol::UDP) => {
            vec![place("dst", target), datagrams("dst", target.port)]
        }
        K::HostSweep if aims_at_itself(target, sources) => {
            vec![place("src", target), transport("dst port", target.protocol, target.port)]
        }
        K::PortScan | K::HostSweep | K::BruteForce => {
            vec![place("dst", target), transport("dst port", target.protocol, target.port), any_of(sources, target)]
        }
        _ => vec![place("dst", target), transport("dst port", target.protocol, target.port)],
    };
    terms.into_iter().filter(|term| !term.is_empty()).collect::<Vec<_>>().join(" and ")
}

/// Tells whether a sweep is named by who makes it, since it aims all over the network.
fn aims_at_itself(target: &Target, sources: &[SourceShare]) -> bool {
    target.prefix.is_some_and(|prefix| sources.iter().any(|source| source.address.host_prefix() == prefix))
}

fn place(side: &str, target: &Target) -> String {
    target.prefix.map_or_else(String::new, |prefix| within(side, prefix))
}

fn within(side: &str, prefix: Prefix) -> String {
    if prefix.is_host() { format!("{side} host {}", prefix.network()) } else { format!("{side} net {prefix}") }
}

fn transport(port_side: &str, protocol: Option<Protocol>, port: Option<u16>) -> String {
    match (protocol, port) {
        (Some(Protocol::TCP), Some(port)) => format!("tcp {port_side} {port}"),
        (Some(Protocol::UDP), Some(port)) => format!("udp {port_side} {port}"),
        (Some(Protocol::TCP), None) => "tcp".to_owned(),
        (Some(Protocol::UDP), None) => "udp".to_owned(),
        (Some(Protocol::ICMP | Protocol::ICMPV6), _) => ICMP.to_owned(),
        (Some(Protocol(number)), _) => format!("(ip proto {number} or ip6 proto {number})"),
        (None, Some(port)) => format!("{port_side} {port}"),
        (None, None) => String::new(),
    }
}

/// Opening segments: SYN without ACK, as the decoder counts them but for the rare SYN with FIN or RST.
fn syn(target: &Target) -> String {
    let v4 = "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn";
    let v6 = "(ip6[6] == 6 and ip6[53] & 0x12 == 2)";
    families(target, v4, v6)
}

/// Segments that presuppose a connection: anything but an opening one, which is SYN without ACK, RST and FIN.
fn out_of_state(target: &Target) -> String {
    let v4 = "(tcp and tcp[tcpflags] & (tcp-syn|tcp-ack|tcp-rst|tcp-fin) != tcp-syn)";
    let v6 = "(ip6[6] == 6 and ip6[53] & 0x17 != 2)";
    families(target, v4, v6)
}

/// Joins what must be said of each family and the port that both share.
fn families(target: &Target, v4: &str, v6: &str) -> String {
    let mut term = match target.prefix.map(|prefix| prefix.network().is_ipv4()) {
        Some(true) => v4.to_owned(),
        Some(false) => v6.to_owned(),
        None => format!("({v4} or {v6})"),
    };
    if let Some(port) = target.port {
        // Writing to a string cannot fail.
        let _ = write!(term, " and tcp dst port {port}");
    }
    term
}

/// Datagrams, and the later fragments of large ones, which have no port.
fn datagrams(side: &str, port: Option<u16>) -> String {
    port.map_or_else(
        || format!("(udp or {FRAGMENT_V6})"),
        |port| format!("(udp {side} port {port} or (ip proto 17 and {LATER_FRAGMENT_V4}) or {FRAGMENT_V6})"),
    )
}

/// Replies from the service that reflects, where it is nearly always the same.
fn replies(finding: &Finding) -> String {
    let of = |name| finding.figures.iter().find(|figure| figure.name == name);
    let alone = of(FigureName::ReflectorShare).is_some_and(|share| share.observed >= NEARLY_ALL);
    match of(FigureName::ReflectorPort).filter(|_| alone).and_then(Figure::port) {
        Some(port) => datagrams("src", Some(port)),
        None => datagrams("dst", finding.target.port),
    }
}

/// Names sources of the target's family: libpcap refuses an expression that no packet can match.
fn any_of(sources: &[SourceShare], target: &Target) -> String {
    let family = target.prefix.map(|prefix| prefix.network().is_ipv4());
    let named = sources.iter().map(|source| source.address).filter(|a| family.is_none_or(|ipv4| ipv4 == a.is_ipv4()));
    let unit = |a: Address| if a.is_ipv4() { a.host_prefix() } else { Prefix::of(a, 64) };
    let names: Vec<_> = named.take(MOST_SOURCES).map(|address| within("src", unit(address))).collect();
    if names.is_empty() { String::new() } else { format!("({})", names.join(" or ")) }
}

#[cfg(test)]
mod tests;
