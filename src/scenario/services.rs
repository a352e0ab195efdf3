//! Services on UDP that answer a small question with a large reply, as reflectors are abused for.
//!
//! Sizes and trains are those of the usual abuse: an `ANY` question, `monlist`, `stats` and so on (CERT alert TA14-017A
//! and the advisories that followed it); servers differ, so each reflector here has a size of its own within the range.

use crate::kind::closed_set;

closed_set! {
    /// A service that reflects.
    Service {
        /// DNS, `ANY`.
        Dns = "dns",
        /// NTP, `monlist`.
        Ntp = "ntp",
        /// SNMP, `GetBulk`.
        Snmp = "snmp",
        /// NetBIOS name service.
        NetBios = "netbios",
        /// UPnP discovery.
        Ssdp = "ssdp",
        /// Character generator.
        CharGen = "chargen",
        /// Quote of the day.
        Qotd = "qotd",
        /// LDAP without connections.
        Cldap = "cldap",
        /// A memory cache.
        Memcached = "memcached",
        /// Sun RPC's port mapper.
        PortMap = "portmap",
        /// Multicast DNS that answers unicast.
        Mdns = "mdns",
        /// Trivial FTP.
        Tftp = "tftp",
        /// RIP version 1.
        Rip = "rip",
        /// Web services discovery.
        WsDiscovery = "ws-discovery",
        /// Apple remote management.
        Arms = "arms",
        /// Constrained applications.
        CoAp = "coap",
        /// OpenVPN.
        OpenVpn = "openvpn",
        /// SIP.
        Sip = "sip",
        /// Game server queries.
        Steam = "steam",
        /// L2TP.
        L2tp = "l2tp",
        /// QUIC servers that answer too much.
        Quic = "quic",
        /// Distributed hash table of BitTorrent.
        Dht = "dht",
        /// Plex media servers' discovery.
        Plex = "plex",
        /// Quake III game servers.
        Quake = "quake",
    }
}

/// How a service replies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    /// Its port.
    pub(super) port: u16,
    /// Smallest and largest datagram, in bytes of payload.
    pub(super) sizes: (u16, u16),
    /// Most datagrams in reply to one question.
    pub(super) train: u32,
    /// First bytes of the payload.
    pub(super) head: &'static [u8],
}

impl Service {
    /// Returns how it replies.
    pub(super) const fn reply(self) -> Reply {
        const fn of(port: u16, sizes: (u16, u16), train: u32, head: &'static [u8]) -> Reply {
            Reply { port, sizes, train, head }
        }
        match self {
            // QR, RD, RA set; the sections stay empty as far as the snap length shows.
            Self::Dns => of(53, (1_800, 4_050), 1, &[0x2b, 0x67, 0x81, 0x80]),
            // Mode 7, more to come, implementation 3, request 42 (MON_GETLIST_1), 6 items of 72 bytes.
            Self::Ntp => of(123, (440, 440), 40, &[0xd7, 0, 3, 42, 0, 6, 0, 72]),
            Self::Snmp => of(161, (480, 1_420), 3, &[]),
            Self::NetBios => of(137, (157, 265), 1, &[0x80, 0xf0, 0x84, 0]),
            Self::Ssdp => of(1_900, (260, 420), 8, b"HTTP/1.1 200 OK\r\n"),
            Self::CharGen => of(19, (74, 1_024), 1, b" !\"#$%&'()*+,-./0123456789"),
            Self::Qotd => of(17, (60, 512), 1, b"\"The early bird"),
            Self::Cldap => of(389, (2_700, 3_100), 1, &[]),
            Self::Memcached => of(11_211, (1_400, 1_400), 60, &[]),
            Self::PortMap => of(111, (400, 900), 1, &[]),
            Self::Mdns => of(5_353, (90, 500), 1, &[0, 0, 0x84, 0]),
            Self::Tftp => of(69, (516, 516), 6, &[0, 3, 0, 1]),
            Self::Rip => of(520, (504, 504), 8, &[2, 1, 0, 0]),
            Self::WsDiscovery => of(3_702, (700, 1_450), 2, b"<?xml version=\"1.0\""),
            Self::Arms => of(3_283, (1_006, 1_034), 2, &[]),
            Self::CoAp => of(5_683, (300, 1_100), 1, &[]),
            Self::OpenVpn => of(1_194, (26, 54), 10, &[]),
            Self::Sip => of(5_060, (420, 900), 2, b"SIP/2.0 200 OK\r\n"),
            Self::Steam => of(27_015, (120, 800), 1, &[0xff, 0xff, 0xff, 0xff]),
            Self::L2tp => of(1_701, (110, 160), 8, &[]),
            Self::Quic => of(443, (1_200, 1_252), 4, &[]),
            Self::Dht => of(6_881, (250, 500), 1, b"d1:rd2:id20:"),
            Self::Plex => of(32_414, (280, 290), 1, b"HTTP/1.0 200 OK\r\n"),
            Self::Quake => of(27_960, (600, 1_300), 1, &[0xff, 0xff, 0xff, 0xff]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_names_are_each_of_one_service() {
        let mut ports: Vec<u16> = Service::ALL.iter().map(|service| service.reply().port).collect();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 24);
    }

    #[test]
    fn replies_fit_their_datagrams() {
        for service in Service::ALL {
            let reply = service.reply();
            assert!(reply.head.len() <= usize::from(reply.sizes.0) && reply.sizes.0 <= reply.sizes.1, "{service}");
            assert!(reply.train > 0, "{service}");
        }
    }
}
