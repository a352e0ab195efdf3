//! What is done through whole sessions: connections held, log-ins tried, data taken, calls outwards.

use super::{Attack, World};
use crate::scenario::number::{floor_u64, low_u32};
use crate::scenario::session::{Opening, Script, Side};
use crate::scenario::technique::{Holding, Login, Theft};
use crate::scenario::world::MAIN;

/// Inside hosts by what they are: log-ins, files, a desktop.
pub(in crate::scenario) const LOGIN_HOST: u32 = 30;
pub(in crate::scenario) const FILE_HOST: u32 = 40;
pub(in crate::scenario) const DESKTOP: u32 = 60;

/// Connections over which documents are taken at once.
const PARALLEL: u32 = 4;

/// Documents asked for on one connection before the next is opened.
const DOCUMENTS: u32 = 40;

impl World<'_> {
    /// Opens a connection that is never meant to be used.
    pub(super) fn hold(&mut self, place: usize, holding: Holding) {
        let seconds = self.campaigns[place].chance.between(20.0, 60.0);
        let script = match holding {
            Holding::Empty => Script::Empty(seconds),
            Holding::Slowloris => Script::Slowloris { tls: false },
            Holding::SlowlorisTls => Script::Slowloris { tls: true },
            Holding::SlowPost => Script::SlowPost,
            Holding::SlowRead => Script::SlowRead,
        };
        self.open_from_outside(place, 10, 443, script);
    }

    /// Tries to log in.
    pub(super) fn try_login(&mut self, place: usize, login: Login) {
        let (port, script) = match login {
            Login::Ssh => (22, Script::Ssh),
            Login::Ftp => (21, Script::Ftp),
            Login::Rdp => (3_389, Script::Rdp),
        };
        self.open_from_outside(place, LOGIN_HOST, port, script);
    }

    /// Takes documents, or sends data out; returns how many documents that is.
    pub(super) fn steal(&mut self, place: usize, attack: &Attack, theft: Theft) -> u32 {
        let (least, most) = self.parameters.document_sizes;
        let mean = f64::midpoint(f64::from(least), f64::from(most));
        let bandwidth = attack.rate * mean;
        let pieces = DOCUMENTS.min(low_u32(floor_u64(attack.rate * (attack.end - self.at()))) + 1);
        match theft {
            Theft::Download => {
                let pace = 1_448.0 * f64::from(PARALLEL) / bandwidth;
                self.open_paced(place, Side::Outside, 10, 443, Script::Documents(pieces, least, most), pace);
            }
            Theft::Upload => {
                let script = Script::Push(pieces, low_u32(floor_u64(mean)));
                self.open_paced(place, Side::Inside, FILE_HOST, 443, script, 1_448.0 / bandwidth);
            }
        }
        pieces
    }

    /// The web server connects to a machine outside, and somebody types there; returns enough for the whole attack.
    pub(super) fn call_out(&mut self, place: usize) -> u32 {
        let attack = &self.plan.attacks[place];
        let seconds = attack.end - attack.start;
        let commands = low_u32(floor_u64(seconds / 5.0)).clamp(3, 400);
        self.open_paced(place, Side::Inside, 10, 443, Script::Shell(commands), 20e-6);
        low_u32(floor_u64(attack.rate * seconds * 2.0)) + 2
    }

    /// An inside host calls home.
    pub(super) fn call_home(&mut self, place: usize) {
        self.open_paced(place, Side::Inside, DESKTOP, 443, Script::Call(310, 240), 20e-6);
    }

    /// Returns the seconds until a beacon's next call: its period, more or less its jitter.
    pub(super) fn wait_of_a_beacon(&mut self, place: usize) -> f64 {
        let period = 1.0 / self.plan.attacks[place].rate;
        let jitter = self.parameters.jitter;
        period * self.campaigns[place].chance.between(1.0 - jitter, 1.0 + jitter)
    }

    fn open_from_outside(&mut self, place: usize, number: u32, port: u16, script: Script) {
        self.open_paced(place, Side::Outside, number, port, script, 20e-6);
    }

    fn open_paced(&mut self, place: usize, client: Side, number: u32, port: u16, script: Script, pace: f64) {
        let Some(outside) = self.campaigns[place].host() else { return };
        let inside = match number {
            10 => self.servers[MAIN].address(outside.address.is_ipv4()),
            other => self.parameters.host(outside.address.is_ipv4(), other),
        };
        let Some(inside) = inside else { return };
        self.open_session(Opening { client, outside, inside, port, script, attack: Some(place), pace });
    }

    /// An administrator works on the host that log-ins are tried at.
    pub(in crate::scenario) fn on_administer(&mut self) {
        let wait = self.random.exponential(8.0);
        self.plan_in(wait, super::Event::Administer);
        let number = 700_000 + self.random.below(6);
        let ipv4 = self.parameters.has_v4();
        let outside = self.population.machine_of(super::Stand::Home, number, ipv4);
        let Some(inside) = self.parameters.host(ipv4, LOGIN_HOST) else { return };
        let script = Script::SshWork(self.random.geometric(12.0, 60));
        let opening = Opening { client: Side::Outside, outside, inside, port: 22, script, attack: None, pace: 20e-6 };
        self.open_session(opening);
    }

    /// An inside client goes out, as people do.
    pub(in crate::scenario) fn on_browse(&mut self) {
        let wait = self.random.exponential(1.0 / self.plan.browsing);
        self.plan_in(wait, super::Event::Browse);
        let country = self.random.zipf(self.population.countries_abroad());
        let number = 500_000 + self.random.zipf(300);
        let ipv4 = self.parameters.has_v4();
        let outside = self.population.machine_of(super::Stand::Abroad(country), number, ipv4);
        let inside = 61 + self.random.below(20);
        let Some(inside) = self.parameters.host(ipv4, inside) else { return };
        let script = Script::Browse(self.random.geometric(3.0, 30));
        let opening = Opening { client: Side::Inside, outside, inside, port: 443, script, attack: None, pace: 40e-6 };
        self.open_session(opening);
    }
}
