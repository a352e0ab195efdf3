//! Packets from outside that belong to no two-way conversation: what they are, and what turns out to be none.

use super::{Context, Partition, Segment, source_of};
use crate::flow::Volume;
use crate::flow::key::{is_echo_reply, is_echo_request};
use crate::flow::pending::Talk;
use crate::flow::tcp::Step;
use crate::packet::{Marks, Packet, Protocol};
use crate::policy::Direction;
use crate::summary::sketch::source_hash;
use crate::summary::stray::StrayKind;

impl Partition {
    /// Counts what floods may be made of even in a conversation: fragments and echo requests.
    #[inline(always)]
    pub(super) fn count_always(
        &mut self,
        cx: &mut Context<'_>,
        packet: &Packet,
        direction: Direction,
        place: Option<u8>,
    ) {
        if packet.marks.any(Marks::FRAGMENT) {
            self.count_stray(cx, packet, direction, place, StrayKind::Fragment, None);
        }
        if packet.is_icmp() && is_echo_request(packet) {
            self.count_stray(cx, packet, direction, place, StrayKind::EchoRequest, None);
        }
    }

    /// Takes a packet without a flow: counts it if its conversation is one-sided, and takes back what it answers.
    pub(super) fn take_stray(
        &mut self,
        cx: &mut Context<'_>,
        segment: &Segment<'_>,
        direction: Direction,
        talk: &Talk,
        step: Step,
    ) {
        let (packet, side) = (segment.packet, segment.side);
        let questions = talk.first_side() == side;
        if !questions && step == Step::Admit {
            self.take_back(cx, segment, direction, talk);
        }
        // Of a host that is protected only: anyone could fill the filter with questions to others.
        let asks = packet.protocol == Protocol::UDP && matches!(direction, Direction::Outbound(_));
        if asks && StrayKind::reply(packet.destination_port).is_some() {
            self.asked.insert(segment.pair_hash, side);
        }
        let answered = talk.has(Talk::SYN_ACK) && talk.server_side() != side;
        if !questions || answered || matches!(step, Step::Admit | Step::AdmitProven) {
            return;
        }
        let asked = || self.asked.contains(segment.pair_hash, side.other());
        if let Some(kind) = StrayKind::of(packet, asked) {
            self.count_stray(cx, packet, direction, segment.place, kind, Some(segment.source));
        }
    }

    /// Counts a stray; the hash of its source is computed unless known.
    #[inline(never)]
    fn count_stray(
        &mut self,
        cx: &mut Context<'_>,
        packet: &Packet,
        direction: Direction,
        place: Option<u8>,
        kind: StrayKind,
        source: Option<u64>,
    ) {
        let source = source.unwrap_or_else(|| source_of(cx, packet));
        let Direction::Inbound(site) = direction else {
            if cx.policy.is_learning()
                && direction != Direction::Internal
                && let Some(stray) = self.heavy.stray(packet.destination, kind)
            {
                stray.volume.count(packet.wire_len);
                stray.sources.insert(source);
            }
            return;
        };
        let mut new = true;
        if let Some(at) = place {
            let stray = cx.hosts.stray(self.places.get(at).host(), kind);
            new = stray.volume.packets == 0;
            stray.volume.count(packet.wire_len);
            stray.sources.insert(source);
        }
        if new {
            cx.sites.count_stray_target(site, source_hash(cx.seed, packet.destination));
        }
        if let Some(stray) = cx.sites.stray(site, kind) {
            stray.volume.count(packet.wire_len);
            stray.sources.insert(source);
        }
    }

    /// Takes back the strays of a talk that has just been answered.
    fn take_back(&mut self, cx: &mut Context<'_>, segment: &Segment<'_>, direction: Direction, talk: &Talk) {
        let Some(kind) = self.answered_kind(segment, talk) else { return };
        let volume = Volume { packets: u64::from(talk.packets), bytes: u64::from(talk.bytes) };
        let Direction::Outbound(site) = direction else {
            if cx.policy.is_learning()
                && direction != Direction::Internal
                && let Some(stray) = self.heavy.stray(segment.packet.source, kind)
            {
                stray.answered += volume;
            }
            return;
        };
        if let Some(at) = segment.place {
            cx.hosts.stray(self.places.get(at).host(), kind).answered += volume;
        }
        if let Some(stray) = cx.sites.stray(site, kind) {
            stray.answered += volume;
        }
    }

    /// Returns under which kind the talk that a packet answers was counted.
    fn answered_kind(&self, segment: &Segment<'_>, talk: &Talk) -> Option<StrayKind> {
        let packet = segment.packet;
        match packet.protocol {
            Protocol::TCP if talk.has(Talk::SYN) || talk.has(Talk::SYN_ACK) => None,
            Protocol::TCP if talk.has(Talk::FIRST_PAYLOAD) => Some(StrayKind::Data),
            Protocol::TCP => Some(StrayKind::Ack),
            Protocol::UDP => {
                let asked = || self.asked.contains(segment.pair_hash, segment.side);
                let initial = talk.has(Talk::QUIC);
                Some(StrayKind::of_datagram(packet.destination_port, packet.source_port, initial, asked))
            }
            Protocol::ICMP | Protocol::ICMPV6 if is_echo_reply(packet) => None,
            Protocol::ICMP | Protocol::ICMPV6 if is_echo_request(packet) => Some(StrayKind::EchoReply),
            Protocol::ICMP | Protocol::ICMPV6 => Some(StrayKind::OtherIcmp),
            _ => Some(StrayKind::OtherProtocol),
        }
    }
}
