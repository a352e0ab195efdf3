//! How many tried to connect to the site in each minute, people and attackers, and what the minute was at the web server.

use super::plan::Attack;
use super::truth::{MinuteVerdict, TruthMinute};
use super::world::{MAIN, World};
use crate::time::Timestamp;

/// Seconds of a minute in which the server was bad, from which on the minute counts as bad.
const BAD_SECONDS: usize = 10;

/// First attempts of one minute.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    people: u64,
    attackers: u64,
    /// At the site's other servers.
    elsewhere: u64,
}

/// Who a first attempt is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// People, at the web server.
    Person,
    /// Attackers.
    Attacker,
    /// Anybody at another server of the site.
    Elsewhere,
}

/// First SYNs and QUIC Initials, by minutes of the clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    /// Seconds of the first minute that lie before the capture.
    offset: usize,
    minutes: Vec<Minute>,
}

impl Minutes {
    /// Counts from a capture that begins then.
    pub(super) fn new(start: Timestamp) -> Self {
        let offset = usize::try_from(start.as_nanos() / 1_000_000_000 % 60).unwrap_or(0);
        Self { offset, minutes: Vec::new() }
    }

    /// Counts an attempt in a second of the capture.
    pub(super) fn count(&mut self, second: usize, attempt: Attempt) {
        let place = (second + self.offset) / 60;
        if self.minutes.len() <= place {
            self.minutes.resize(place + 1, Minute::default());
        }
        let minute = &mut self.minutes[place];
        match attempt {
            Attempt::Person => minute.people += 1,
            Attempt::Attacker => minute.attackers += 1,
            Attempt::Elsewhere => minute.elsewhere += 1,
        }
    }
}

impl World<'_> {
    /// Counts a first attempt.
    pub(super) fn count_attempt(&mut self, attempt: Attempt) {
        if let Some(second) = self.second() {
            self.minutes.count(second, attempt);
        }
    }

    /// Tells what each minute was, by the counterfactual of DETECTION 4.4 with the true figures.
    pub(super) fn verdicts(&self) -> Vec<TruthMinute> {
        let length = self.parameters.duration.as_secs_f64();
        let offset = self.minutes.offset as f64;
        let first = self.parameters.start.as_nanos() / 60_000_000_000 * 60_000_000_000;
        let tell = |(place, minute): (usize, &Minute)| {
            let from = (place as f64 * 60.0 - offset).max(0.0);
            let to = (place as f64 * 60.0 - offset + 60.0).min(length);
            let seconds = (to - from).max(1e-3);
            let (people, attackers) = (minute.people as f64 / seconds, minute.attackers as f64 / seconds);
            let all = people + attackers + minute.elsewhere as f64 / seconds;
            let capacity = self.plan.capacity;
            let is_bad = self.servers[MAIN].health.bad_seconds(from, to) >= BAD_SECONDS;
            let is_attacked = self.plan.attacks.iter().any(|attack| is_felt(attack, from, to));
            TruthMinute {
                start: Timestamp::from_nanos(first + place as u64 * 60_000_000_000),
                site: self.parameters.protect[0].site.clone().unwrap_or_default(),
                verdict: judge(people, attackers, capacity, is_bad, is_attacked, self.parameters.rate),
                first_syns_per_second: all,
                attack_share: attackers / all.max(1e-9),
                demand: people,
                capacity,
            }
        };
        self.minutes.minutes.iter().enumerate().map(tell).collect()
    }
}

/// Tells whether an attack fills at least a sixth of a minute.
fn is_felt(attack: &Attack, from: f64, to: f64) -> bool {
    attack.technique.kind().is_attack() && attack.end.min(to) - attack.start.max(from) >= (to - from) / 6.0
}

fn judge(people: f64, attackers: f64, capacity: f64, is_bad: bool, is_attacked: bool, usual: f64) -> MinuteVerdict {
    use MinuteVerdict as V;
    let is_share = attackers > 0.2 * (people + attackers);
    let is_trace = attackers < 0.05 * (people + attackers);
    match (is_bad, people / capacity) {
        (false, _) if is_attacked => V::AttackAbsorbed,
        (false, _) if people > 2.0 * usual => V::RushAbsorbed,
        (false, _) => V::Normal,
        (true, load) if load > 1.15 && is_share => V::Mixed,
        (true, load) if load > 1.15 => V::Overload,
        (true, load) if load < 0.85 && (is_share || is_attacked) => V::Attack,
        (true, load) if load < 0.85 && is_trace => V::Fault,
        (true, _) => V::Undetermined,
    }
}
