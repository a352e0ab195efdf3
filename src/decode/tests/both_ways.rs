//! The short way of decoding says what the long way says.

use proptest::prelude::*;

use super::*;

/// Frames of the common kinds, from which everything else is made by damage.
fn common_frames() -> Vec<Vec<u8>> {
    let quic = [0xc3, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 4, 9, 8, 7, 6];
    let segments =
        [tcp_segment(false), tcp_segment(true), inner(), ip(17, &udp(443, &[&quic])), ip(17, &udp(4789, &[]))];
    let segments = segments.into_iter().flat_map(|packet| {
        let tagged = ethernet(0x8100, &joined(&[&VLAN_TO_IPV4, &packet]));
        let six = ipv6(packet[9], &packet[20..]);
        [ethernet(0x0800, &packet), tagged, ethernet(0x86dd, &six)]
    });
    segments.collect()
}

#[test]
fn every_common_frame_takes_the_short_way() {
    for bytes in common_frames().iter().filter(|bytes| !bytes.windows(2).any(|pair| pair == 4789_u16.to_be_bytes())) {
        let wire_len = u32::try_from(bytes.len()).unwrap();
        let frame = Frame {
            timestamp: Timestamp::from_secs(7),
            link: LinkType::Ethernet,
            interface: InterfaceId(0),
            wire_len,
            bytes,
        };
        assert_eq!(common::decode(&frame).ok_or(DropReason::NotIp), decode_any(&frame), "{bytes:02x?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_short_way_says_what_the_long_way_says(
        which in 0..15_usize,
        damage in prop::collection::vec((0..80_usize, any::<u8>()), 0..4),
        cut in prop::option::of(0..100_usize),
        padding in 0..20_usize,
        missing in 0..3_usize,
    ) {
        let mut bytes = common_frames().swap_remove(which);
        for (at, value) in damage {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.resize(bytes.len() + padding, 0);
        let wire_len = u32::try_from(bytes.len() - missing).unwrap();
        bytes.truncate(cut.unwrap_or(usize::MAX));
        let link = LinkType::Ethernet;
        let frame =
            Frame { timestamp: Timestamp::from_secs(7), link, interface: InterfaceId(0), wire_len, bytes: &bytes };
        if let Some(packet) = common::decode(&frame) {
            prop_assert_eq!(Ok(packet), decode_any(&frame));
        }
    }
}
