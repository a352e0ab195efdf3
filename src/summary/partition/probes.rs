//! First contacts and their outcome, in every direction.

use super::{Partition, Segment};
use crate::flow::attempts::Attempt;
use crate::flow::key::{Side, is_echo_request};
use crate::packet::{Packet, Protocol, TcpFlags};
use crate::summary::stray::REFLECTORS;
use crate::summary::{Knock, Probe, ProbeOutcome};
use crate::time::{Tick, Timestamp};

impl Partition {
    /// Takes a packet without a flow: `first` when it begins a talk, which `asker` began.
    pub(super) fn take_attempt(&mut self, segment: &Segment<'_>, first: bool, asker: Side) {
        let packet = segment.packet;
        if first && let Some(knock) = knock(packet) {
            if self.attempts.chooses(segment.source) {
                let port = if packet.is_icmp() { 0 } else { packet.destination_port };
                let (source, stealthy) = (packet.source.source_unit(), knock == Knock::Stealthy);
                let attempt = Attempt::new(source, packet.destination, port, packet.protocol, stealthy);
                self.attempts.begin(segment.hash, attempt, segment.now());
            }
            return;
        }
        let answers = match packet.protocol {
            Protocol::TCP => packet.flags.is_syn_ack() || packet.flags.has(TcpFlags::RST),
            _ => segment.side != asker,
        };
        if answers && let Some(attempt) = self.attempts.answer(segment.hash, packet.source) {
            let refused = packet.is_tcp() && packet.flags.has(TcpFlags::RST);
            let outcome = if refused { ProbeOutcome::Refused } else { ProbeOutcome::Answered };
            self.probes.push(probe(&attempt, outcome, segment.now()));
        }
    }

    pub(super) fn close_attempts(&mut self, tick: Tick, leapt: bool, probes: &mut Vec<Probe>) {
        probes.append(&mut self.probes);
        self.attempts.close(tick, leapt, |attempt| probes.push(probe(attempt, ProbeOutcome::Silent, tick.start())));
    }
}

/// Tells how a packet begins a contact, if it does.
fn knock(packet: &Packet) -> Option<Knock> {
    /// All but the two bits of congestion notification (RFC 3168).
    const CONTROLS: u8 = 0x3f;
    const URG: u8 = 0x20;
    const XMAS: u8 = TcpFlags::FIN | TcpFlags::PSH | URG;
    match packet.protocol {
        Protocol::TCP if packet.flags.is_syn() => Some(Knock::Ordinary),
        Protocol::TCP => matches!(packet.flags.0 & CONTROLS, 0 | TcpFlags::FIN | XMAS).then_some(Knock::Stealthy),
        // What comes from a service that answers is an answer, asked for or not: nobody knocks from there.
        Protocol::UDP => REFLECTORS.binary_search(&packet.source_port).is_err().then_some(Knock::Ordinary),
        _ => is_echo_request(packet).then_some(Knock::Ordinary),
    }
}

fn probe(attempt: &Attempt, outcome: ProbeOutcome, at: Timestamp) -> Probe {
    Probe {
        at,
        source: attempt.source,
        target: attempt.target,
        port: attempt.port,
        protocol: attempt.protocol,
        knock: if attempt.stealthy { Knock::Stealthy } else { Knock::Ordinary },
        outcome,
        weight: attempt.weight(),
    }
}
