//! The replica of incident 1: the morning of 6 April 2021 from 08:30 to 15:00, passing faster than it did.
//!
//! Demand rises from 08:30 to 25 times the ordinary at 09:10 and crosses capacity at 09:02. Between 09:05 and 13:00 come
//! 22 attacks of one to ten minutes, SYN floods, reflections and robots from abroad, 0.3 to 5 times the demand of their
//! time; at 14:28 all three at once, 20 times together. A minute of that day takes 60 s divided by the compression.

use super::script::Script;
use super::{Attack, Crowd, Plan};
use crate::scenario::random::{Random, exp, split_mix};
use crate::scenario::technique::Technique;

/// Attacks between 09:05 and 13:00.
const ATTACKS: u32 = 22;

/// Minutes after 08:30: the attacks of the morning, the massive one, the end.
const MORNING: (f64, f64) = (35.0, 270.0);
const MASSIVE: (f64, f64) = (358.0, 388.0);
const END: f64 = 390.0;

/// Demand as a multiple of the ordinary rate, by minutes after 08:30.
const DEMAND: [(f64, f64); 8] =
    [(0.0, 1.0), (40.0, 25.0), (75.0, 22.0), (105.0, 12.0), (210.0, 6.0), (270.0, 4.0), (360.0, 3.0), (END, 2.0)];

/// When demand crosses capacity: 09:02.
const CROSSING: f64 = 32.0;

/// Returns how long the day takes at a compression.
pub(super) const fn seconds(compression: f64) -> f64 {
    END * 60.0 / compression
}

fn demand(minute: f64) -> f64 {
    Crowd { curve: DEMAND.to_vec(), ..Crowd::default() }.rate(minute)
}

impl Script<'_> {
    pub(super) fn incident(&self) -> Plan {
        let rate = self.p.rate;
        let corner = |(minute, times): &(f64, f64)| (self.at(minute / END).min(self.at(0.999_9)), rate * (times - 1.0));
        let day = Crowd { curve: DEMAND.iter().map(corner).collect(), ..Crowd::default() };
        let mut attacks = self.morning_attacks();
        let massive = 20.0 * demand(MASSIVE.0) * rate;
        let note = "part of the massive attack at 14:28";
        for (technique, share) in
            [(Technique::SynFlood, 0.7), (Technique::Amplification(None), 0.2), (Technique::ForeignSurge, 0.1)]
        {
            let rate = massive * share * technique.per_connection();
            attacks.push(self.between(MASSIVE.0 / END, MASSIVE.1 / END, technique, rate, note));
        }
        Plan { crowds: vec![day], attacks, capacity: demand(CROSSING) * rate, ..Plan::default() }
    }

    /// One slot each with a pause at its end, so that none joins the next.
    fn morning_attacks(&self) -> Vec<Attack> {
        const LEAST: f64 = 1.0;
        const PAUSE: f64 = 1.0;
        let mut chance = Random::new(split_mix(self.p.seed ^ 0x0604_2021));
        let slot = (MORNING.1 - MORNING.0) / f64::from(ATTACKS);
        let kinds = [Technique::SynFlood, Technique::Amplification(None), Technique::ForeignSurge];
        let attack = |number: u32| {
            let length = chance.between(LEAST, slot - PAUSE);
            let from = MORNING.0 + f64::from(number) * slot + chance.between(0.0, slot - PAUSE - length);
            let technique = kinds[number as usize % kinds.len()];
            // 0.3 to 5 times, evenly in the logarithm.
            let times = exp(chance.between(-1.2, 1.6));
            let rate = times * demand(from) * self.p.rate * technique.per_connection();
            self.between(from / END, (from + length) / END, technique, rate, "one of the attacks of the morning")
        };
        (0..ATTACKS).map(attack).collect()
    }
}
