//! Every way of doing harm that can be generated, by the kind of alert it deserves: `KIND` or `KIND:VARIANT`.

use std::fmt;
use std::str::FromStr;

use super::services::Service;
use crate::kind::{AlertKind, closed_set};

closed_set! {
    /// Segments of a flood that belong to no connection.
    Stray {
        /// Acknowledgments.
        Ack = "ack",
        /// Resets.
        Rst = "rst",
        /// Pushed data.
        Psh = "psh",
        /// FINs.
        Fin = "fin",
        /// Combinations that no stack sends.
        Odd = "odd",
        /// Web servers answer SYNs that were forged in the target's name.
        SynAck = "syn-ack",
        /// Censoring boxes answer a request forged in the target's name with their blocking page.
        Middlebox = "middlebox",
    }
}

closed_set! {
    /// What is thrown over a whole prefix.
    Carpet {
        /// Datagrams.
        Udp = "udp",
        /// SYNs.
        Syn = "syn",
        /// Echo requests.
        Icmp = "icmp",
    }
}

closed_set! {
    /// How connections are held open or wasted.
    Holding {
        /// A handshake and nothing more.
        Empty = "empty",
        /// A request header in clear text that never ends.
        Slowloris = "slowloris",
        /// The same inside TLS: small records, now and then.
        SlowlorisTls = "slowloris-tls",
        /// A request body that arrives byte by byte.
        SlowPost = "slow-post",
        /// A large reply that is asked for and not read: the window is closed.
        SlowRead = "slow-read",
    }
}

closed_set! {
    /// What a port scan sends.
    Probe {
        /// SYNs, reset when answered.
        Syn = "syn",
        /// Datagrams.
        Udp = "udp",
        /// FIN alone.
        Fin = "fin",
        /// No flag at all.
        Null = "null",
        /// FIN, PSH and URG.
        Xmas = "xmas",
    }
}

closed_set! {
    /// What a sweep sends, and which way.
    Sweep {
        /// SYNs at one port of every host.
        Tcp = "tcp",
        /// Echo requests.
        Icmp = "icmp",
        /// An inside host knocks at hosts outside.
        Outwards = "outwards",
    }
}

closed_set! {
    /// Where log-ins are tried.
    Login {
        /// SSH.
        Ssh = "ssh",
        /// FTP.
        Ftp = "ftp",
        /// Remote desktop.
        Rdp = "rdp",
    }
}

closed_set! {
    /// How data leaves.
    Theft {
        /// A client takes one document after the other by the front door.
        Download = "download",
        /// An inside host sends it out.
        Upload = "upload",
    }
}

/// One way of doing harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technique {
    /// SYNs that nobody means to finish.
    SynFlood,
    /// The same from one who repeats them, copies the options of a real stack and rests when nothing is answered.
    PatientSynFlood,
    /// Completed, look-alike connections from abroad.
    ForeignSurge,
    /// Datagrams of one size at one port.
    UdpFlood,
    /// QUIC Initials that are never continued.
    QuicFlood,
    /// GRE packets that carry made-up datagrams, as the bots of Mirai send.
    TunnelFlood,
    /// Replies that the target never asked for: from one kind of service, or from four at once.
    Amplification(Option<Service>),
    /// Echo requests.
    EchoFlood,
    /// Echo replies.
    EchoReplyFlood,
    /// Later fragments without a first one.
    FragmentFlood,
    /// Segments without a connection.
    FlagFlood(Stray),
    /// A whole prefix.
    CarpetBombing(Carpet),
    /// Completed, look-alike connections from wherever the geography says.
    RoboticSurge,
    /// Connections held or wasted.
    Exhaustion(Holding),
    /// One source, one host, many ports.
    PortScan(Probe),
    /// One source, many hosts.
    HostSweep(Sweep),
    /// One source, many log-ins.
    BruteForce(Login),
    /// Thousands of sources with a few log-ins each.
    CredentialStuffing,
    /// Data that leaves.
    Exfiltration(Theft),
    /// A server calls out for the first time.
    NewOutbound,
    /// An inside host calls home again and again.
    Beacon,
}

impl Technique {
    /// Returns every one, kind by kind; the first of a kind is what the kind's name alone means.
    #[must_use]
    pub fn all() -> Vec<Self> {
        fn each<T: Copy>(all: &[T], make: impl Fn(T) -> Technique) -> Vec<Technique> {
            all.iter().map(|value| make(*value)).collect()
        }
        let mut list = vec![Self::SynFlood, Self::PatientSynFlood, Self::ForeignSurge, Self::UdpFlood, Self::QuicFlood];
        list.extend([Self::TunnelFlood, Self::Amplification(None)]);
        list.extend(each(Service::ALL, |service| Self::Amplification(Some(service))));
        list.extend([Self::EchoFlood, Self::EchoReplyFlood, Self::FragmentFlood]);
        list.extend(each(Stray::ALL, Self::FlagFlood));
        list.extend(each(Carpet::ALL, Self::CarpetBombing));
        list.push(Self::RoboticSurge);
        list.extend(each(Holding::ALL, Self::Exhaustion));
        list.extend(each(Probe::ALL, Self::PortScan));
        list.extend(each(Sweep::ALL, Self::HostSweep));
        list.extend(each(Login::ALL, Self::BruteForce));
        list.push(Self::CredentialStuffing);
        list.extend(each(Theft::ALL, Self::Exfiltration));
        list.extend([Self::NewOutbound, Self::Beacon]);
        list
    }

    /// Returns the kind of alert it deserves.
    #[must_use]
    pub const fn kind(self) -> AlertKind {
        match self {
            Self::SynFlood | Self::PatientSynFlood => AlertKind::SynFlood,
            Self::ForeignSurge => AlertKind::ForeignSurge,
            Self::UdpFlood | Self::QuicFlood | Self::TunnelFlood => AlertKind::UdpFlood,
            Self::Amplification(_) => AlertKind::Amplification,
            Self::EchoFlood | Self::EchoReplyFlood => AlertKind::IcmpFlood,
            Self::FragmentFlood => AlertKind::FragmentFlood,
            Self::FlagFlood(_) => AlertKind::TcpFlagFlood,
            Self::CarpetBombing(_) => AlertKind::CarpetBombing,
            Self::RoboticSurge => AlertKind::RoboticSurge,
            Self::Exhaustion(_) => AlertKind::ConnectionExhaustion,
            Self::PortScan(_) => AlertKind::PortScan,
            Self::HostSweep(_) => AlertKind::HostSweep,
            Self::BruteForce(_) => AlertKind::BruteForce,
            Self::CredentialStuffing => AlertKind::CredentialStuffing,
            Self::Exfiltration(_) => AlertKind::Exfiltration,
            Self::NewOutbound => AlertKind::NewOutbound,
            Self::Beacon => AlertKind::Beacon,
        }
    }

    /// Returns the word after the colon; none where the kind says all.
    #[must_use]
    pub const fn variant(self) -> Option<&'static str> {
        Some(match self {
            Self::PatientSynFlood => "patient",
            Self::QuicFlood => "quic",
            Self::TunnelFlood => "gre",
            Self::Amplification(Some(service)) => service.name(),
            Self::EchoReplyFlood => "replies",
            Self::FlagFlood(stray) => stray.name(),
            Self::CarpetBombing(carpet) => carpet.name(),
            Self::Exhaustion(holding) => holding.name(),
            Self::PortScan(probe) => probe.name(),
            Self::HostSweep(sweep) => sweep.name(),
            Self::BruteForce(login) => login.name(),
            Self::Exfiltration(theft) => theft.name(),
            _ => return None,
        })
    }

    /// Returns the events a second of its rate that weigh as much as one ordinary connection: 1 where its unit is a
    /// connection or a SYN, the packets of an ordinary connection where it is a packet.
    pub(super) const fn per_connection(self) -> f64 {
        /// Packets both ways, measured on `calm`.
        const PACKETS: f64 = 32.0;
        match self {
            Self::UdpFlood
            | Self::TunnelFlood
            | Self::Amplification(_)
            | Self::EchoFlood
            | Self::EchoReplyFlood
            | Self::FragmentFlood
            | Self::FlagFlood(_)
            | Self::CarpetBombing(_) => PACKETS,
            _ => 1.0,
        }
    }

    /// Returns the rate it has unless told otherwise, beside so many ordinary connections a second: in packets, SYNs,
    /// connections, probes, log-ins, documents or calls a second.
    pub(super) const fn usual_rate(self, ordinary: f64) -> f64 {
        match self {
            Self::SynFlood | Self::PatientSynFlood | Self::QuicFlood => 10.0 * ordinary,
            Self::ForeignSurge | Self::RoboticSurge => 2.0 * ordinary,
            Self::UdpFlood
            | Self::TunnelFlood
            | Self::Amplification(_)
            | Self::EchoFlood
            | Self::EchoReplyFlood
            | Self::FragmentFlood
            | Self::FlagFlood(_)
            | Self::CarpetBombing(_) => 5.0 * self.per_connection() * ordinary,
            Self::Exhaustion(Holding::Empty) => 2.0 * ordinary,
            Self::Exhaustion(_) => ordinary,
            Self::PortScan(_) | Self::HostSweep(_) => 20.0,
            Self::BruteForce(_) => 1.0,
            Self::CredentialStuffing => 0.5 * ordinary,
            Self::Exfiltration(_) => 30.0,
            Self::NewOutbound | Self::Beacon => 0.1,
        }
    }

    /// Tells whether its usual rate is a multiple of ordinary traffic; others have a pace of their own.
    pub(super) const fn follows_traffic(self) -> bool {
        !matches!(
            self,
            Self::PortScan(_)
                | Self::HostSweep(_)
                | Self::BruteForce(_)
                | Self::Exfiltration(_)
                | Self::NewOutbound
                | Self::Beacon
        )
    }

    /// Tells whether its packets carry whatever address their sender likes.
    pub(super) const fn can_be_forged(self) -> bool {
        matches!(
            self,
            Self::SynFlood
                | Self::PatientSynFlood
                | Self::UdpFlood
                | Self::QuicFlood
                | Self::TunnelFlood
                | Self::EchoFlood
                | Self::FragmentFlood
                | Self::CarpetBombing(_)
                | Self::FlagFlood(Stray::Ack | Stray::Rst | Stray::Psh | Stray::Fin | Stray::Odd)
        )
    }
}

impl fmt::Display for Technique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().name().replace('_', "-");
        match self.variant() {
            Some(variant) => f.pad(&format!("{kind}:{variant}")),
            None => f.pad(&kind),
        }
    }
}

/// A name that is no technique.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no attack: choose {known}")]
pub struct UnknownTechnique {
    name: String,
    known: String,
}

impl FromStr for Technique {
    type Err = UnknownTechnique;

    fn from_str(name: &str) -> Result<Self, UnknownTechnique> {
        let all = Self::all();
        let kind_of = |technique: &Self| technique.kind().name().replace('_', "-");
        let (kind, variant) = name.split_once(':').map_or((name, None), |(kind, variant)| (kind, Some(variant)));
        let of_kind: Vec<Self> = all.iter().copied().filter(|technique| kind_of(technique) == kind).collect();
        let found = match variant {
            None => of_kind.first().copied(),
            Some(_) => of_kind.iter().copied().find(|technique| technique.variant() == variant),
        };
        found.ok_or_else(|| {
            let mut known: Vec<String> = if of_kind.is_empty() { &all } else { &of_kind }
                .iter()
                .map(|technique| if of_kind.is_empty() { kind_of(technique) } else { technique.to_string() })
                .collect();
            known.dedup();
            UnknownTechnique { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_technique_has_a_name_that_is_read_again() {
        for technique in Technique::all() {
            assert_eq!(technique.to_string().parse(), Ok(technique));
        }
        assert_eq!("port-scan".parse(), Ok(Technique::PortScan(Probe::Syn)));
    }

    #[test]
    fn a_wrong_name_is_answered_with_what_there_is() {
        let error = |name: &str| name.parse::<Technique>().unwrap_err().to_string();
        assert_eq!(
            error("host-sweep:udp"),
            "`host-sweep:udp` is no attack: choose host-sweep:tcp, host-sweep:icmp, host-sweep:outwards"
        );
        assert!(error("storm").starts_with("`storm` is no attack: choose syn-flood, foreign-surge, udp-flood, "));
    }

    #[test]
    fn every_kind_of_an_attack_has_a_technique() {
        for kind in AlertKind::ALL {
            use AlertKind as K;
            let harmless = matches!(kind, K::Rush | K::Overload | K::Outage | K::SensorBlind);
            assert_eq!(Technique::all().iter().any(|technique| technique.kind() == *kind), !harmless, "{kind}");
        }
    }
}
