//! What happens beside visits without harm: backups, peers, streams, and servers that are slow or gone.

use super::answers::{Answer, Body};
use super::attack;
use super::frame::{Network, Way};
use super::number::{low_u16, nanos};
use super::plan::FaultKind;
use super::population::{Population, Stand, Visitor};
use super::session::{Opening, Script, Side};
use super::world::{Event, MAIN, World};

/// The second site's place in the list of servers.
const SECOND: usize = 1;

/// Bytes a second of a backup: 40 Mbit/s.
const BACKUP_BYTES: f64 = 5e6;

/// Port that peers talk at, and the one a stream arrives at.
const PEER_PORT: u16 = 6_881;
const STREAM_PORT: u16 = 5_004;

/// The inside host that receives the stream.
const STUDIO: u32 = 70;

impl World<'_> {
    /// Plans the first of everything that is benign and not a visit.
    pub(super) fn begin_benign(&mut self) {
        if self.plan.browsing > 0.0 {
            self.plan_in(0.0, Event::Browse);
        }
        if self.plan.administered {
            self.plan_in(0.0, Event::Administer);
        }
        if self.plan.peers > 0.0 {
            self.plan_in(0.0, Event::Peer);
        }
        if self.plan.stream > 0.0 {
            self.plan_in(0.0, Event::Stream(0));
        }
        for checker in 2..self.plan.checkers {
            self.plan_in(f64::from(checker) * 0.37, Event::Checker(checker));
        }
        let begin = self.start;
        if let Some((from, _)) = self.plan.backup {
            self.queue.plan(begin + nanos(from), Event::Backup);
        }
        if let Some(fault) = self.plan.fault {
            self.queue.plan(begin + nanos(fault.from), Event::Fault(true));
            self.queue.plan(begin + nanos(fault.to), Event::Fault(false));
        }
    }

    /// A part of the servers fails, or works again.
    pub(super) fn on_fault(&mut self, begins: bool) {
        let Some(fault) = self.plan.fault else { return };
        match fault.kind {
            FaultKind::Slow(seconds) => self.servers[MAIN].thought = if begins { seconds } else { 0.0 },
            FaultKind::Silent => self.servers[SECOND].is_gone = begins,
        }
    }

    /// The file host sends the next piece of the night's backup to the machine it always does.
    pub(super) fn on_backup(&mut self) {
        const PIECES: u32 = 30;
        const PIECE: u32 = 1_000_000;
        let Some((_, to)) = self.plan.backup else { return };
        if self.at() >= to {
            return;
        }
        let ipv4 = self.parameters.has_v4();
        let outside = self.population.machine_of(Stand::Rented, 1, ipv4);
        let Some(inside) = self.parameters.host(ipv4, attack::FILE_HOST) else { return };
        let pace = 1_448.0 / BACKUP_BYTES;
        let script = Script::Push(PIECES, PIECE);
        self.open_session(Opening { client: Side::Inside, outside, inside, port: 443, script, attack: None, pace });
        self.plan_in(f64::from(PIECES) * f64::from(PIECE) / BACKUP_BYTES * 1.1, Event::Backup);
    }

    /// A desktop inside asks a peer, or a peer asks it: hundreds of them, and some are gone.
    pub(super) fn on_peer(&mut self) {
        let wait = self.random.exponential(1.0 / self.plan.peers);
        self.plan_in(wait, Event::Peer);
        let ipv4 = self.parameters.has_v4();
        let country = self.random.zipf(self.population.countries_abroad());
        let number = 800_000 + self.random.zipf(2_000);
        let stand = if self.random.chance(0.3) { Stand::Home } else { Stand::Abroad(country) };
        let peer = self.population.machine_of(stand, number, ipv4);
        let Some(inside) = self.parameters.host(ipv4, attack::DESKTOP) else { return };
        let out =
            Network { way: Way::Out, source: inside, destination: peer.address, hop_limit: 64, identification: 0 };
        let back = Network { hop_limit: peer.hop_limit, ..out.turned() };
        let theirs = 10_000 + low_u16(u64::from(number % 50_000));
        let (asks, length) = (self.random.chance(0.7), 90 + low_u16(u64::from(self.random.below(40))));
        let (first, second, ports, trip) = if asks {
            (out, back, (PEER_PORT, theirs), peer.round_trip as f64 / 1e9)
        } else {
            (back, out, (theirs, PEER_PORT), 0.000_3)
        };
        self.outlet.udp(self.now, &first, ports, length, b"d1:ad2:id20:");
        if self.random.chance(if asks { 0.6 } else { 0.95 }) {
            let body = Body::Datagram { ports: (ports.1, ports.0), payload: 280, head: [0; 26] };
            self.answer_in(trip, Answer { network: second, body, attack: None });
        }
    }

    /// The next datagram of a one-way stream from a studio at home (RFC 3550).
    pub(super) fn on_stream(&mut self, number: u16) {
        self.plan_in(1.0 / self.plan.stream, Event::Stream(number.wrapping_add(1)));
        let ipv4 = self.parameters.has_v4();
        let studio = self.population.machine_of(Stand::Home, 950_000, ipv4);
        let Some(destination) = self.parameters.host(ipv4, STUDIO) else { return };
        let network = Network {
            way: Way::In,
            source: studio.address,
            destination,
            hop_limit: studio.hop_limit,
            identification: number,
        };
        let [high, low] = number.to_be_bytes();
        self.outlet.udp(self.now, &network, (STREAM_PORT, STREAM_PORT), 1_328, &[0x80, 33, high, low]);
    }

    /// Returns someone of a crowd who is a machine of a hosting provider, one of so many.
    pub(super) fn rented_visitor(&mut self, machines: u32) -> Visitor {
        Population::machine(Stand::Rented, 300 + self.random.below(machines.max(1)))
    }
}
