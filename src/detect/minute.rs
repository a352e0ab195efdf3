//! The verdict of one site in one minute (DETECTION 4.3, 4.4).

use std::sync::Arc;

use crate::kind::closed_set;
use crate::time::Timestamp;

closed_set! {
    /// What a minute is held to have been.
    MinuteKind {
        /// Nothing unusual.
        Normal = "normal",
        /// More users than usual, served.
        RushAbsorbed = "rush_absorbed",
        /// An attack that did no harm.
        AttackAbsorbed = "attack_absorbed",
        /// Real demand beyond capacity.
        Overload = "overload",
        /// An attack that harmed a service which would have held.
        Attack = "attack",
        /// Attack and demand beyond capacity.
        Mixed = "mixed",
        /// Neither crowd nor attack: hosting, database, release.
        Fault = "fault",
        /// Service is bad and the figures do not say why.
        Undetermined = "undetermined",
    }
}

/// A figure with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One site's minute.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct MinuteVerdict {
    /// First moment of the minute.
    pub start: Timestamp,
    /// The site.
    pub site: Arc<str>,
    /// What it was.
    pub verdict: MinuteKind,
    /// First SYNs a second (F).
    pub first_syns_per_second: f64,
    /// Legitimate demand, first attempts a second (L = F - A).
    pub demand_per_second: Estimate,
    /// Share of first SYNs held to be attack (A / F).
    pub attack_share: Estimate,
    /// Largest rate of served connections a second seen so far or configured (C); `None` until something was served.
    pub capacity_per_second: Option<f64>,
    /// Verified connections a second.
    pub verified_per_second: f64,
    /// Share of first SYNs the server answered.
    pub answered_share: f64,
    /// Share of verified connections from abroad; `None` while home is unknown or nothing is verified.
    pub foreign_share: Option<f64>,
    /// Whether the service was unhealthy (SYN-6).
    pub unhealthy: bool,
}

/// The sums of one site's minute.
#[derive(Clone, Debug, Default)]
pub(crate) struct MinuteSums {
    pub(crate) ticks: u32,
    pub(crate) unhealthy_ticks: u32,
    pub(crate) attack_ticks: u32,
    pub(crate) first_syns: f64,
    pub(crate) attack: f64,
    pub(crate) attack_low: f64,
    pub(crate) attack_high: f64,
    pub(crate) opened: f64,
    pub(crate) answered: f64,
    pub(crate) verified: f64,
    pub(crate) home: f64,
    pub(crate) abroad: f64,
    /// Usual first SYNs, summed over the minute.
    pub(crate) usual: f64,
    /// Some host's usual rate was not known yet at some time of the minute.
    pub(crate) usual_unknown: bool,
    pub(crate) robotic: f64,
}

/// Share of a minute's ticks in bad health that make the minute bad: a quarter.
const BAD_PART: u32 = 4;

impl MinuteSums {
    /// Judges the minute (DETECTION 4.4: the counterfactual).
    pub(crate) fn judge(&self, start: Timestamp, site: Arc<str>, capacity: Option<f64>) -> MinuteVerdict {
        let seconds = f64::from(self.ticks) / 4.0;
        let per_second = |sum: f64| if seconds > 0.0 { sum / seconds } else { 0.0 };
        let share = |part: f64| if self.first_syns > 0.0 { (part / self.first_syns).clamp(0.0, 1.0) } else { 0.0 };
        let attack = self.attack + self.robotic;
        let attack_share = Estimate {
            value: share(attack),
            low: share(self.attack_low + self.robotic * 0.8),
            high: share(self.attack_high + self.robotic * 1.2),
        };
        let rate = per_second(self.first_syns);
        let demand = Estimate {
            value: rate * (1.0 - attack_share.value),
            low: rate * (1.0 - attack_share.high),
            high: rate * (1.0 - attack_share.low),
        };
        let unhealthy = self.unhealthy_ticks * BAD_PART >= self.ticks.max(1);
        let usual = per_second(self.usual);
        MinuteVerdict {
            start,
            site,
            verdict: self.verdict(unhealthy, &demand, &attack_share, capacity, usual),
            first_syns_per_second: rate,
            demand_per_second: demand,
            attack_share,
            capacity_per_second: capacity,
            verified_per_second: per_second(self.verified),
            answered_share: if self.opened > 0.0 { (self.answered / self.opened).min(1.0) } else { 1.0 },
            foreign_share: (self.home + self.abroad > 0.0).then(|| self.abroad / (self.home + self.abroad)),
            unhealthy,
        }
    }

    fn verdict(
        &self,
        unhealthy: bool,
        demand: &Estimate,
        attack_share: &Estimate,
        capacity: Option<f64>,
        usual: f64,
    ) -> MinuteKind {
        let attacked = attack_share.value > 0.2 || self.attack_ticks * 2 >= self.ticks.max(1);
        if !unhealthy {
            return if self.attack_ticks > 0 && self.attack_ticks * BAD_PART >= self.ticks {
                MinuteKind::AttackAbsorbed
            } else if !self.usual_unknown && demand.value > 2.0 * usual && demand.value > usual + 20.0 {
                MinuteKind::RushAbsorbed
            } else {
                MinuteKind::Normal
            };
        }
        let Some(capacity) = capacity.filter(|capacity| *capacity > 0.0) else { return MinuteKind::Undetermined };
        let beyond = demand.value > 1.15 * capacity;
        let within = demand.value < 0.85 * capacity;
        match (attacked, beyond, within) {
            (true, true, _) => MinuteKind::Mixed,
            (true, _, true) => MinuteKind::Attack,
            (false, true, _) => MinuteKind::Overload,
            (false, _, true) if attack_share.high < 0.05 => MinuteKind::Fault,
            _ => MinuteKind::Undetermined,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(unhealthy: bool, demand: f64, attack: f64, capacity: f64) -> MinuteKind {
        let sums = MinuteSums {
            ticks: 240,
            unhealthy_ticks: if unhealthy { 240 } else { 0 },
            attack_ticks: if attack > 0.0 { 240 } else { 0 },
            first_syns: (demand + attack) * 60.0,
            attack: attack * 60.0,
            attack_low: attack * 60.0,
            attack_high: attack * 60.0,
            usual: 100.0 * 60.0,
            ..MinuteSums::default()
        };
        sums.judge(Timestamp::ZERO, "site".into(), Some(capacity)).verdict
    }

    #[test]
    fn the_counterfactual_decides() {
        assert_eq!(judge(true, 200.0, 0.0, 100.0), MinuteKind::Overload);
        assert_eq!(judge(true, 50.0, 500.0, 100.0), MinuteKind::Attack);
        assert_eq!(judge(true, 200.0, 500.0, 100.0), MinuteKind::Mixed);
        assert_eq!(judge(true, 50.0, 0.0, 100.0), MinuteKind::Fault);
        assert_eq!(judge(true, 100.0, 0.0, 100.0), MinuteKind::Undetermined);
        assert_eq!(judge(false, 50.0, 500.0, 100.0), MinuteKind::AttackAbsorbed);
        assert_eq!(judge(false, 300.0, 0.0, 1_000.0), MinuteKind::RushAbsorbed);
        assert_eq!(judge(false, 100.0, 0.0, 1_000.0), MinuteKind::Normal);
    }
}
