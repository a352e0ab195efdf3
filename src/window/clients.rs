//! The clients of one subject whose connections lead to nothing: who they are, and how often they were served.
//!
//! People share addresses: a school's router opens many sockets that stay idle, and as many that are served. A client is
//! held to be idle only when hardly any of its connections was ever served. The table is that of Misra & Gries (1982): a
//! count is at most the true one.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::country::Country;
use crate::summary::{Contact, ContactStage};
use crate::time::Tick;

/// Clients told apart.
const MOST: usize = 256;

/// Ticks after which all counts are halved: a minute.
const HALVED_EVERY: u64 = 240;

/// Age in milliseconds from which a settled connection is one that goes on: contacts settle at ten seconds or their end.
const LASTING: u32 = 9_900;

/// Connections that led to nothing from which a client may be called idle (DETECTION 5, SLOW-1), and the part of its
/// connections that may have been served.
const MANY: f64 = 50.0;
const HARDLY: f64 = 0.1;

/// Ports told apart.
const MOST_PORTS: usize = 16;

/// What one client did of late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Client {
    /// Where its address is registered.
    pub country: Country,
    /// Connections on which nothing was said both ways.
    pub unserved: f64,
    /// Connections that were served and go on after ten seconds.
    pub lasting: f64,
    /// Connections that were served and ended.
    pub served: f64,
    /// Open connections on which it keeps the server waiting.
    pub waiting: f64,
    /// Those that it does not read from.
    pub blocked: f64,
    /// Packets and bytes it sent on the settled ones.
    pub packets: u64,
    /// See `packets`.
    pub bytes: u64,
}

impl Client {
    /// Connections that led to nothing or go on.
    #[must_use]
    pub const fn held(&self) -> f64 {
        self.unserved + self.lasting
    }

    /// All that gives it a place.
    const fn worth(&self) -> f64 {
        self.held() + self.waiting + self.blocked
    }
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    entries: BTreeMap<Address, Client>,
    /// All unserved connections, of clients without a place too.
    unserved: f64,
    /// The same by port, of the first few ports.
    ports: BTreeMap<u16, f64>,
    /// Waiting connections by port, of the first few ports.
    waiting_ports: BTreeMap<u16, f64>,
}

impl Clients {
    /// Takes a settled connection.
    pub fn settle(&mut self, contact: &Contact) {
        let lasting = contact.age_ms >= LASTING;
        if !contact.served {
            let weight = f64::from(contact.weight);
            self.unserved += weight;
            count_port(&mut self.ports, contact.port, weight);
        }
        let source = contact.originator.source_unit();
        if !self.entries.contains_key(&source) && (contact.served && !lasting || !self.has_room()) {
            return;
        }
        let client = self.entries.entry(source).or_default();
        client.country = contact.country;
        match (contact.served, lasting) {
            (false, _) => client.unserved += 1.0,
            (true, true) => client.lasting += 1.0,
            (true, false) => client.served += 1.0,
        }
        client.packets += contact.sent.packets;
        client.bytes += contact.sent.bytes;
    }

    /// Takes a connection that its client began to hold, or no longer holds.
    pub fn hold(&mut self, contact: &Contact) {
        use ContactStage as S;
        let is_waiting = matches!(contact.stage, S::Waiting | S::NotWaiting);
        let step = if matches!(contact.stage, S::Waiting | S::Blocked) { 1.0 } else { -1.0 };
        if is_waiting {
            count_port(&mut self.waiting_ports, contact.port, step * f64::from(contact.weight));
        }
        let source = contact.originator.source_unit();
        if !self.entries.contains_key(&source) && (step < 0.0 || !self.has_room()) {
            return;
        }
        let client = self.entries.entry(source).or_default();
        client.country = contact.country;
        let count = if is_waiting { &mut client.waiting } else { &mut client.blocked };
        *count = (*count + step).max(0.0);
    }

    /// Makes room by taking one connection from every client; tells whether there is some.
    fn has_room(&mut self) -> bool {
        if self.entries.len() >= MOST {
            self.entries.retain(|_, client| {
                client.unserved = (client.unserved - 1.0).max(0.0);
                client.lasting = (client.lasting - 1.0).max(0.0);
                client.waiting = (client.waiting - 1.0).max(0.0);
                client.blocked = (client.blocked - 1.0).max(0.0);
                client.worth() > 0.0
            });
        }
        self.entries.len() < MOST
    }

    /// Ends a tick. While connections are `held` that are not usual nothing fades: who opened them is still behind them.
    pub fn roll(&mut self, tick: Tick, held: bool) {
        if !held && tick.closes_period(HALVED_EVERY) {
            self.unserved /= 2.0;
            for ports in [&mut self.ports, &mut self.waiting_ports] {
                ports.retain(|_, count| {
                    *count /= 2.0;
                    *count >= 0.5
                });
            }
            self.entries.retain(|_, client| {
                client.unserved /= 2.0;
                client.lasting /= 2.0;
                client.served /= 2.0;
                client.waiting /= 2.0;
                client.blocked /= 2.0;
                client.packets /= 2;
                client.bytes /= 2;
                client.worth() >= 0.5
            });
        }
    }

    /// Returns clients with many connections of which hardly any was served, the heaviest first.
    #[must_use]
    pub fn idle(&self) -> Vec<(Address, Client)> {
        let is_idle =
            |client: &Client| client.unserved > MANY && client.served + client.lasting <= HARDLY * client.unserved;
        self.heaviest(|client| if is_idle(client) { client.unserved } else { 0.0 })
    }

    /// Returns the port that nine tenths of the unserved connections were opened to.
    #[must_use]
    pub fn leading_port(&self) -> Option<u16> {
        self.ports.iter().find(|(_, count)| **count > 0.0 && **count >= 0.9 * self.unserved).map(|(port, _)| *port)
    }

    /// Returns clients of which at least one connection led to nothing, those with most first.
    #[must_use]
    pub fn unserved(&self) -> Vec<(Address, Client)> {
        self.heaviest(|client| if client.unserved >= client.served + client.lasting { client.unserved } else { 0.0 })
    }

    /// Returns the port that nine tenths of the waiting connections were opened to.
    #[must_use]
    pub fn waiting_port(&self) -> Option<u16> {
        let all: f64 = self.waiting_ports.values().sum();
        self.waiting_ports.iter().find(|(_, count)| **count > 0.0 && **count >= 0.9 * all).map(|(port, _)| *port)
    }

    /// Returns clients that keep the server waiting, those with most connections first.
    #[must_use]
    pub fn waiting(&self) -> Vec<(Address, Client)> {
        self.heaviest(|client| client.waiting)
    }

    /// Returns clients that do not read, those with most connections first.
    #[must_use]
    pub fn blocked(&self) -> Vec<(Address, Client)> {
        self.heaviest(|client| client.blocked)
    }

    /// Returns the part of all unserved connections that idle clients opened, 0 to 1.
    #[must_use]
    pub fn idle_part(&self) -> f64 {
        let by_idle: f64 = self.idle().iter().map(|(_, client)| client.unserved).sum();
        (by_idle / self.unserved.max(1.0)).min(1.0)
    }

    fn heaviest(&self, weight: impl Fn(&Client) -> f64) -> Vec<(Address, Client)> {
        let mut clients: Vec<_> = self.entries.iter().filter(|(_, client)| weight(client) >= 1.0).collect();
        clients.sort_by(|a, b| weight(b.1).total_cmp(&weight(a.1)).then(a.0.cmp(b.0)));
        clients.into_iter().map(|(address, client)| (*address, *client)).collect()
    }
}

fn count_port(ports: &mut BTreeMap<u16, f64>, port: u16, weight: f64) {
    if ports.len() < MOST_PORTS || ports.contains_key(&port) {
        let count = ports.entry(port).or_default();
        *count = (*count + weight).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Protocol;
    use crate::summary::Volume;
    use crate::time::Timestamp;

    fn contact(source: [u8; 4], served: bool) -> Contact {
        Contact {
            at: Timestamp::ZERO,
            stage: ContactStage::Settled,
            originator: Address::v4(source),
            responder: Address::v4([192, 0, 2, 10]),
            port: 443,
            protocol: Protocol::TCP,
            country: Country::default(),
            verified: true,
            age_ms: if served { 400 } else { 10_000 },
            sent: Volume { packets: 3, bytes: 180 },
            received: Volume::default(),
            served,
            repeated: false,
            weight: 1,
        }
    }

    #[test]
    fn a_shared_address_whose_users_are_served_is_not_idle() {
        let mut clients = Clients::default();
        for n in 0..400 {
            clients.settle(&contact([10, 0, 0, 1], n % 4 != 0));
            clients.settle(&contact([10, 0, 0, 2], false));
        }
        let idle = clients.idle();
        assert_eq!(idle.len(), 1);
        assert_eq!((idle[0].0, idle[0].1.unserved, idle[0].1.bytes), (Address::v4([10, 0, 0, 2]), 400.0, 72_000));
        assert!((clients.idle_part() - 0.8).abs() < 1e-9);
    }

    #[test]
    fn who_holds_connections_is_remembered_with_the_port_as_long_as_they_are_held() {
        let mut clients = Clients::default();
        let mut hold = |source, port, stage, times| {
            (0..times).for_each(|_| clients.hold(&Contact { port, stage, ..contact(source, true) }));
        };
        hold([10, 0, 0, 1], 80, ContactStage::Waiting, 30);
        hold([10, 0, 0, 2], 443, ContactStage::Blocked, 40);
        hold([10, 0, 0, 3], 443, ContactStage::Waiting, 2);
        // Who is served and stays, as browsers do, holds nothing.
        (0..500).for_each(|_| clients.settle(&Contact { age_ms: 10_000, ..contact([10, 0, 0, 4], true) }));
        assert_eq!((clients.waiting_port(), clients.leading_port()), (Some(80), None));
        let waiting =
            |clients: &Clients| clients.waiting().iter().map(|(_, client)| client.waiting).collect::<Vec<f64>>();
        assert_eq!(waiting(&clients), [30.0, 2.0]);
        assert_eq!(clients.blocked()[0].0, Address::v4([10, 0, 0, 2]));
        (0..2).for_each(|_| {
            clients.hold(&Contact { stage: ContactStage::NotWaiting, ..contact([10, 0, 0, 3], true) });
        });
        assert_eq!(waiting(&clients), [30.0], "who goes on holds nothing any more");
        (0..12).for_each(|minute| clients.roll(Tick::new(minute * 240 + 239), true));
        assert_eq!(waiting(&clients).len(), 1);
        (0..12).for_each(|minute| clients.roll(Tick::new(minute * 240 + 239), false));
        assert!(waiting(&clients).is_empty() && clients.blocked().is_empty());
        assert_eq!(clients.waiting_port(), None);
    }

    #[test]
    fn a_crowd_of_strangers_does_not_push_a_heavy_client_out() {
        let mut clients = Clients::default();
        for n in 0..4_000_u32 {
            let [_, a, b, c] = n.to_be_bytes();
            clients.settle(&contact([20, a, b, c], false));
            if n % 10 == 0 {
                clients.settle(&contact([10, 0, 0, 2], false));
            }
        }
        assert!(clients.entries.len() <= MOST);
        let idle = clients.idle();
        assert_eq!(idle[0].0, Address::v4([10, 0, 0, 2]));
        assert!(idle[0].1.unserved <= 400.0 && idle[0].1.unserved > 350.0, "{:?}", idle[0]);
        (0..12).for_each(|minute| clients.roll(Tick::new(minute * 240 + 239), false));
        assert!(clients.entries.is_empty());
    }
}
