//! What is not TCP: QUIC visits, name and time service, echo. Two-way and short; nothing here is hostile.

use super::frame::{Network, Way};
use super::minutes::Attempt;
use super::number::{floor_u64, low_u16, low_u32};
use super::population::{Client, Visitor};
use super::queue::Handle;
use super::world::{Event, MAIN, World};
use crate::address::Address;

/// What a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    /// HTTP over QUIC; the number of segments of the reply.
    Quic(u16),
    /// A resolver asks the name server.
    Name,
    /// A server asks a time server.
    Time,
    /// A monitor pings.
    Echo,
}

/// A conversation under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Talk {
    topic: Topic,
    outside: Client,
    inside: Address,
    /// Outside, inside.
    ports: (u16, u16),
    step: u16,
    connection_id: u64,
}

/// The next datagram of a conversation and how long after the one before it comes.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    way: Way,
    payload: u16,
    wait: f64,
    header: Header,
}

/// First bytes of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Header {
    Plain,
    /// QUIC long header of this type (RFC 9000 section 17.2): 0 Initial, 2 Handshake.
    Long(u8),
    /// QUIC short header (RFC 9000 section 17.3).
    Short,
}

impl World<'_> {
    /// A visitor fetches something over QUIC.
    pub(super) fn start_quic(&mut self, visitor: Visitor) {
        let outside = self.population.client(visitor);
        let Some(inside) = self.servers[MAIN].address(outside.address.is_ipv4()) else { return };
        let (first, count) = outside.system.ephemeral_ports();
        let ports = (self.port(first, count), 443);
        let segments = low_u16(floor_u64(self.random.bounded_pareto(1.0, 60.0, 1.1)));
        self.count_attempt(Attempt::Person);
        self.start(Topic::Quic(segments), outside, inside, ports);
    }

    /// Name service, time service and monitors, now and then.
    pub(super) fn on_chatter(&mut self) {
        let wait = self.random.exponential(1.0 / (0.05 * self.parameters.rate).max(0.2));
        self.plan_in(wait, Event::Chatter);
        let visitor = self.population.visitor(false, &mut self.random);
        let outside = self.population.client(visitor);
        let choice = self.random.unit();
        let (topic, number) = match choice {
            _ if choice < 0.7 => (Topic::Name, 53),
            _ if choice < 0.8 => (Topic::Time, 10),
            _ => (Topic::Echo, 10),
        };
        let Some(inside) = self.parameters.host(outside.address.is_ipv4(), number) else { return };
        let ports = match topic {
            Topic::Time => (123, 123),
            Topic::Name => (self.port(1_024, 60_000), 53),
            _ => (0, 0),
        };
        self.start(topic, outside, inside, ports);
    }

    fn start(&mut self, topic: Topic, outside: Client, inside: Address, ports: (u16, u16)) {
        let connection_id = self.random.bits();
        let talk = Talk { topic, outside, inside, ports, step: 0, connection_id };
        let handle = self.talks.insert(talk);
        self.on_talk(handle);
    }

    /// Sends the next datagram of a conversation and plans the one after.
    pub(super) fn on_talk(&mut self, handle: Handle) {
        let Some(stored) = self.talks.get_mut(handle) else { return };
        let talk = *stored;
        stored.step += 1;
        let Some(datagram) = talk.datagram(talk.step) else {
            self.talks.remove(handle);
            return;
        };
        self.send_datagram(&talk, datagram);
        match talk.datagram(talk.step + 1) {
            Some(next) => {
                let wait = next.wait * self.random.between(0.95, 1.1);
                self.plan_in(wait, Event::Talk(handle));
            }
            None => {
                self.talks.remove(handle);
            }
        }
    }

    fn send_datagram(&mut self, talk: &Talk, datagram: Datagram) {
        let (source, destination, hop_limit) = match datagram.way {
            Way::In => (talk.outside.address, talk.inside, talk.outside.hop_limit),
            Way::Out => (talk.inside, talk.outside.address, 64),
        };
        let network = Network { way: datagram.way, source, destination, hop_limit, identification: talk.step };
        if talk.topic == Topic::Echo {
            let numbers = (0x1d0a, (talk.connection_id & 0xff) as u16);
            self.outlet.echo(self.now, &network, talk.step > 0, numbers, 56);
            return;
        }
        let ports = match datagram.way {
            Way::In => talk.ports,
            Way::Out => (talk.ports.1, talk.ports.0),
        };
        let mut head = [0; 26];
        let length = talk.head(datagram, &mut head);
        self.outlet.udp(self.now, &network, ports, datagram.payload, &head[..length]);
    }
}

impl Talk {
    /// Returns the datagram of a step; `None` after the last.
    fn datagram(&self, step: u16) -> Option<Datagram> {
        let trip = self.outside.round_trip as f64 / 1e9;
        let (way, payload, wait, header) = match (self.topic, step) {
            (Topic::Quic(segments), step) => return self.quic(segments, step, trip),
            (Topic::Name, 0) => (Way::In, 45 + (self.connection_id & 31) as u16, 0.0, Header::Plain),
            (Topic::Name, 1) => (Way::Out, 90 + (self.connection_id & 127) as u16, 0.000_2, Header::Plain),
            (Topic::Time, 0) => (Way::Out, 48, 0.0, Header::Plain),
            (Topic::Time, 1) => (Way::In, 48, trip, Header::Plain),
            (Topic::Echo, 0) => (Way::In, 56, 0.0, Header::Plain),
            (Topic::Echo, 1) => (Way::Out, 56, 0.000_05, Header::Plain),
            _ => return None,
        };
        Some(Datagram { way, payload, wait, header })
    }

    /// RFC 9000 figure 5: Initials both ways, the server's handshake, then 1-RTT, an acknowledgment for two datagrams.
    fn quic(&self, segments: u16, step: u16, trip: f64) -> Option<Datagram> {
        const OPENING: u16 = 5;
        let (way, payload, wait, header) = match step {
            0 => (Way::In, 1_200, 0.0, Header::Long(0)),
            1 => (Way::Out, 1_200, 0.001, Header::Long(0)),
            2 => (Way::Out, 1_050, 0.000_02, Header::Long(2)),
            3 => (Way::In, 1_200, trip, Header::Long(0)),
            4 => (Way::In, 120 + (self.connection_id & 255) as u16, 0.000_3, Header::Short),
            _ => match step - OPENING {
                place if place >= segments + segments.div_ceil(2) => return None,
                place if place % 3 == 2 => (Way::In, 35, trip, Header::Short),
                place => (Way::Out, 1_220, if place == 0 { 0.015 } else { 0.000_02 }, Header::Short),
            },
        };
        Some(Datagram { way, payload, wait, header })
    }

    /// Writes the first bytes of the payload; returns how many.
    fn head(&self, datagram: Datagram, head: &mut [u8; 26]) -> usize {
        // Each side names the other's connection id.
        let (own, other) = match datagram.way {
            Way::In => (self.connection_id, !self.connection_id),
            Way::Out => (!self.connection_id, self.connection_id),
        };
        // Until the server has answered, the client makes one up for it.
        let other = if datagram.way == Way::In && self.step == 0 { other.rotate_left(17) } else { other };
        match datagram.header {
            Header::Plain => self.plain_head(datagram, head),
            Header::Long(kind) => {
                head[0] = 0xc3 | kind << 4;
                head[1..5].copy_from_slice(&1_u32.to_be_bytes());
                head[5] = 8;
                head[6..14].copy_from_slice(&other.to_be_bytes());
                head[14] = 8;
                head[15..23].copy_from_slice(&own.to_be_bytes());
                // An Initial has a token, an empty one; then the length of the rest as a two-byte integer.
                let at = if kind == 0 { 24 } else { 23 };
                let rest = datagram.payload - low_u16(at as u64 + 2);
                head[at..at + 2].copy_from_slice(&(0x4000 | rest).to_be_bytes());
                at + 2
            }
            Header::Short => {
                head[0] = 0x43;
                head[1..9].copy_from_slice(&other.to_be_bytes());
                9
            }
        }
    }

    /// DNS: an identifier, a question for the root's address, and where answered one record; NTP: version 4.
    fn plain_head(&self, datagram: Datagram, head: &mut [u8; 26]) -> usize {
        match self.topic {
            Topic::Time => {
                head[0] = if datagram.way == Way::Out { 0x23 } else { 0x24 };
                1
            }
            _ => {
                let identifier = low_u32(self.connection_id >> 48).to_be_bytes();
                head[..2].copy_from_slice(&identifier[2..]);
                let answer = datagram.way == Way::Out;
                head[2..4].copy_from_slice(if answer { &[0x84, 0] } else { &[0, 0x10] });
                4
            }
        }
    }
}
