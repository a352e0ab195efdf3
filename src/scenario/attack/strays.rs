//! Segments that belong to no connection, and the SYN flood of someone patient.

use super::{Attack, World};
use crate::packet::TcpFlags;
use crate::scenario::answers::Body;
use crate::scenario::frame::{Network, Segment, Way};
use crate::scenario::number::low_u16;
use crate::scenario::stack::Options;
use crate::scenario::technique::Stray;

/// Combinations that no stack sends (RFC 9293 section 3.1): all, none, SYN with FIN, FIN with PSH and URG.
const ODD: [u8; 4] = [0x3f, 0x00, TcpFlags::SYN | TcpFlags::FIN, 0x29];

/// How long someone patient rests when he sees that nothing is answered any more.
const REST_SECONDS: f64 = 5.0;

/// Share of his SYNs that someone patient repeats after a second.
const REPEATED: f64 = 0.7;

impl World<'_> {
    /// A segment out of nowhere; a kernel refuses those that could belong to something.
    pub(super) fn send_stray(&mut self, place: usize, attack: &Attack, stray: Stray) {
        let Some(target) = self.victim(attack) else { return };
        let Some((source, hop_limit)) = self.claimed(place, attack) else { return };
        let campaign = &mut self.campaigns[place];
        let chance = &mut campaign.chance;
        let flags = match stray {
            Stray::Ack => TcpFlags::ACK,
            Stray::Rst => TcpFlags::RST,
            Stray::Psh => TcpFlags::PSH | TcpFlags::ACK,
            Stray::Fin => TcpFlags::FIN | TcpFlags::ACK,
            Stray::Odd => ODD[chance.index(ODD.len())],
            Stray::SynAck | Stray::Middlebox => TcpFlags::SYN | TcpFlags::ACK,
        };
        let payload = if stray == Stray::Psh { campaign.size } else { 0 };
        let (from, sequence, acknowledgment) = (chance.port(1_024, 64_000), chance.bits32(), chance.bits32());
        let identification = low_u16(chance.bits() & 0xffff);
        let network = Network { way: Way::In, source, destination: target, hop_limit, identification };
        let segment = Segment {
            source_port: from,
            destination_port: 443,
            sequence,
            acknowledgment,
            flags,
            window: 1_024,
            options: Options::default(),
            payload,
            head: &[],
        };
        self.outlet.tcp(self.now, &network, &segment);
        self.count_attack(place);
        // RFC 9293 section 3.10.7.1: a listener resets an ACK and ignores a reset and what has neither.
        let refused = flags & TcpFlags::RST == 0 && flags & TcpFlags::ACK != 0;
        if refused {
            let body = Body::Segment { ports: (443, from), numbers: (acknowledgment, 0), flags: TcpFlags::RST };
            self.kernel_answers(network.turned(), body);
        }
    }

    /// A SYN that looks like a real stack's and is repeated; when few are answered any more, he rests.
    pub(super) fn strike_patiently(&mut self, place: usize, attack: &Attack) -> u32 {
        let Some((source, hop_limit)) = self.claimed(place, attack) else { return 1 };
        let answered = self.send_patient_syn(place, attack.spoofing, (source, hop_limit), REPEATED);
        let campaign = &mut self.campaigns[place];
        campaign.looked.0 += 1;
        campaign.looked.1 += u32::from(answered);
        let (sent, seen) = campaign.looked;
        if f64::from(sent) < attack.rate.max(20.0) {
            return 1;
        }
        campaign.looked = (0, 0);
        if seen * 10 < sent {
            // As many SYNs as would have gone in that time.
            return crate::scenario::number::low_u32(crate::scenario::number::floor_u64(attack.rate * REST_SECONDS));
        }
        1
    }
}
