//! The law of nesting: whatever tunnels and tags lie around a packet, and in whatever order, it is found, or there were
//! more than are opened.

use proptest::prelude::*;

use super::*;

/// Tags between an Ethernet header and IP.
#[derive(Clone, Debug)]
struct Tags {
    vlans: Vec<u16>,
    then: Then,
}

#[derive(Clone, Debug)]
enum Then {
    Ip,
    Labels(u8),
    Pppoe,
}

impl Tags {
    fn count(&self) -> usize {
        self.vlans.len()
            + match self.then {
                Then::Ip => 0,
                Then::Labels(count) => usize::from(count),
                Then::Pppoe => 1,
            }
    }

    /// Builds the Ethernet frame that carries an IPv4 packet behind these tags.
    fn frame(&self, packet: &[u8]) -> Vec<u8> {
        let (mut ether_type, mut bytes) = match self.then {
            Then::Ip => (0x0800, packet.to_vec()),
            Then::Labels(count) => (0x8847, joined(&[&labels(count), packet])),
            Then::Pppoe => (0x8864, joined(&[&[0x11, 0, 0, 1], &length(packet.len() + 2), &[0x00, 0x21], packet])),
        };
        for vlan in &self.vlans {
            bytes = joined(&[&[0, 7], &u16::to_be_bytes(ether_type), &bytes]);
            ether_type = *vlan;
        }
        ethernet(ether_type, &bytes)
    }
}

fn labels(count: u8) -> Vec<u8> {
    (0..count).flat_map(|label| [0, 1, u8::from(label + 1 == count), 64]).collect()
}

fn length(of: usize) -> [u8; 2] {
    u16::try_from(of).unwrap().to_be_bytes()
}

#[derive(Clone, Debug)]
enum Tunnel {
    IpInIp,
    Gre,
    Pptp,
    GtpU,
    GeneveIp,
    GreEthernet(Tags),
    Erspan(Tags),
    Vxlan(Tags),
    Geneve(Tags),
}

impl Tunnel {
    fn tags(&self) -> usize {
        match self {
            Self::Pptp => 1,
            Self::GreEthernet(tags) | Self::Erspan(tags) | Self::Vxlan(tags) | Self::Geneve(tags) => tags.count(),
            _ => 0,
        }
    }

    fn has_vlan(&self) -> bool {
        match self {
            Self::GreEthernet(tags) | Self::Erspan(tags) | Self::Vxlan(tags) | Self::Geneve(tags) => {
                !tags.vlans.is_empty()
            }
            _ => false,
        }
    }

    /// Builds the IPv4 packet that carries another.
    fn around(&self, packet: &[u8]) -> Vec<u8> {
        match self {
            Self::IpInIp => ip(4, packet),
            Self::Gre => ip(47, &joined(&[&[0x20, 0, 0x08, 0x00, 0, 0, 0, 1], packet])),
            Self::Pptp => {
                ip(47, &joined(&[&[0x30, 1, 0x88, 0x0b], &length(packet.len() + 1), &[0; 6], &[0x21], packet]))
            }
            Self::GtpU => ip(17, &udp(2152, &[&[0x30, 255], &length(packet.len()), &[0, 0, 0, 9], packet])),
            Self::GeneveIp => ip(17, &udp(6081, &[&[0, 0, 0x08, 0x00, 0, 0, 1, 0], packet])),
            Self::GreEthernet(tags) => ip(47, &joined(&[&[0, 0, 0x65, 0x58], &tags.frame(packet)])),
            Self::Erspan(tags) => ip(
                47,
                &joined(&[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1], &[0x10, 0, 0, 0, 0, 0, 0, 0], &tags.frame(packet)]),
            ),
            Self::Vxlan(tags) => ip(17, &udp(4789, &[&[8, 0, 0, 0, 0, 0, 1, 0], &tags.frame(packet)])),
            Self::Geneve(tags) => ip(17, &udp(6081, &[&[0, 0, 0x65, 0x58, 0, 0, 1, 0], &tags.frame(packet)])),
        }
    }
}

fn any_tags() -> impl Strategy<Value = Tags> {
    let then = prop_oneof![4 => Just(Then::Ip), 1 => (1..5_u8).prop_map(Then::Labels), 1 => Just(Then::Pppoe)];
    let vlan = prop_oneof![Just(0x8100), Just(0x88a8), Just(0x9100)];
    (proptest::collection::vec(vlan, 0..4), then).prop_map(|(vlans, then)| Tags { vlans, then })
}

fn any_tunnel() -> impl Strategy<Value = Tunnel> {
    prop_oneof![
        Just(Tunnel::IpInIp),
        Just(Tunnel::Gre),
        Just(Tunnel::Pptp),
        Just(Tunnel::GtpU),
        Just(Tunnel::GeneveIp),
        any_tags().prop_map(Tunnel::GreEthernet),
        any_tags().prop_map(Tunnel::Erspan),
        any_tags().prop_map(Tunnel::Vxlan),
        any_tags().prop_map(Tunnel::Geneve),
    ]
}

proptest! {
    #[test]
    fn the_innermost_packet_is_found_or_lies_too_deep(
        outermost in any_tags(),
        tunnels in proptest::collection::vec(any_tunnel(), 0..6),
    ) {
        let packet = tunnels.iter().fold(inner(), |packet, tunnel| tunnel.around(&packet));
        let frame = outermost.frame(&packet);
        let tags = outermost.count() + tunnels.iter().map(Tunnel::tags).sum::<usize>();
        if tunnels.len() > usize::from(MAX_TUNNELS) || tags > usize::from(MAX_TAGS) {
            prop_assert_eq!(whole(LinkType::Ethernet, &frame), Err(DropReason::TooDeep));
        } else {
            let has_vlan = !outermost.vlans.is_empty() || tunnels.iter().any(Tunnel::has_vlan);
            let tunnelled = if tunnels.is_empty() { 0 } else { Marks::TUNNELLED };
            assert_inner(LinkType::Ethernet, &frame, tunnelled | if has_vlan { Marks::VLAN } else { 0 });
        }
    }
}
