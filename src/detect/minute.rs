//! The verdict of one site in one minute (DETECTION 4.3, 4.4).
//!
//! The counterfactual: would the service have held without the attack? First attempts (F) less those held to be attack (A)
//! are the demand (L), which is compared with the capacity (C). While the limit of a service has never been seen, the most
//! it served in good health is what it bears at least.

use std::sync::Arc;

use crate::detect::capacity::{Bounds, Demand};
use crate::detect::tally::Part;
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

closed_set! {
    /// What ran out first.
    Resource {
        /// The queue of half-open handshakes.
        SynQueue = "syn_queue",
        /// The queue of finished handshakes that the service has not taken yet.
        AcceptQueue = "accept_queue",
        /// The places for open connections.
        Connections = "connections",
        /// The service itself: it answers late or not at all.
        Service = "service",
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
    /// Served connections a second that the service bears (C): configured, or the most it was seen to serve; `None` until
    /// something was served.
    pub capacity_per_second: Option<f64>,
    /// The most it can bear; `None` while its limit was never seen, so that `capacity_per_second` is a lower bound.
    pub capacity_limit_per_second: Option<f64>,
    /// What ran out first, while the service was unhealthy.
    pub exhausted: Option<Resource>,
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
    /// First attempts in those ticks.
    pub(crate) unhealthy_first_syns: f64,
    pub(crate) attack_ticks: u32,
    pub(crate) first_syns: f64,
    /// Forged or never meant to finish.
    pub(crate) flood: Part,
    /// Spread of the usual unfinished share: how far off the flood's share may be whatever the number of handshakes.
    pub(crate) flood_noise: f64,
    /// What may have been attack although nothing of the kind was told.
    pub(crate) unproven: Part,
    /// Robots' connections, and those that carried nothing.
    pub(crate) robotic: f64,
    pub(crate) opened: f64,
    pub(crate) answered: f64,
    pub(crate) verified: f64,
    pub(crate) home: f64,
    pub(crate) abroad: f64,
    /// Usual first SYNs, summed over the minute.
    pub(crate) usual: f64,
    /// Ticks in which some host's usual rate was not known yet.
    pub(crate) unknown_ticks: u32,
    /// Ticks in which each resource had run out, in the order of [`Resource::ALL`].
    pub(crate) exhausted: [u32; 4],
    /// The largest alarm ratios of an attack, of bad health and of a crowd.
    pub(crate) loudest: [f64; 3],
}

/// What a minute is judged against.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standard {
    pub(crate) capacity: Option<Bounds>,
    /// Usual part of first attempts that is served.
    pub(crate) served_part: f64,
    /// Whether real demand was already beyond what is borne a minute ago.
    pub(crate) was_overloaded: bool,
}

/// Share of a minute's ticks in bad health that make the minute bad: a quarter.
const BAD_PART: u32 = 4;

/// Ticks of a minute in which an attack was told that make it an attacked one: two seconds, so that a pulse counts.
const ATTACKED_TICKS: u32 = 8;

/// First attempts a second above the usual that a crowd asks for at least: over a minute that is far from chance, and nothing
/// alarms about it.
const LEAST_CROWD: f64 = 5.0;

/// Attack share from which an attack bears on the verdict, and below which it does not (DETECTION 4.4).
const MUCH: f64 = 0.2;
const HARDLY_ANY: f64 = 0.05;

/// Part of the most it served that a service which was overloaded a minute ago may not bear.
const STILL_FULL: f64 = 0.85;

/// A server that drops SYNs favours people: who was served comes back while there is room. By how much their odds may be
/// better, as a part, where hardly any SYN is answered: they are twice as good.
const FAVOUR: f64 = 1.0;

/// How far off a count of robots may be.
const ROBOTIC_NOISE: f64 = 0.15;

impl MinuteSums {
    /// Judges the minute.
    pub(crate) fn judge(&self, start: Timestamp, site: Arc<str>, standard: &Standard) -> MinuteVerdict {
        let seconds = f64::from(self.ticks) / 4.0;
        let per_second = |sum: f64| if seconds > 0.0 { sum / seconds } else { 0.0 };
        let attack_share = self.attack_share();
        let rate = per_second(self.first_syns);
        let demand = Estimate {
            value: rate * (1.0 - attack_share.value),
            low: rate * (1.0 - attack_share.high),
            high: rate * (1.0 - attack_share.low),
        };
        let unhealthy = self.unhealthy_ticks * BAD_PART >= self.ticks.max(1);
        let verdict = if unhealthy { self.counterfactual(&attack_share, standard) } else { self.absorbed(&demand) };
        let high = (attack_share.high + self.unproven_share()).min(1.0).max(self.uncrowded_share());
        let attack_share = Estimate { high, ..attack_share };
        let demand = Estimate { low: rate * (1.0 - high), ..demand };
        MinuteVerdict {
            start,
            site,
            verdict,
            first_syns_per_second: rate,
            demand_per_second: demand,
            attack_share,
            capacity_per_second: standard.capacity.map(|bounds| bounds.low),
            capacity_limit_per_second: standard.capacity.and_then(|bounds| bounds.high),
            exhausted: unhealthy.then(|| self.exhausted()).flatten(),
            verified_per_second: per_second(self.verified),
            answered_share: self.answered_share(),
            foreign_share: (self.home + self.abroad > 0.0).then(|| self.abroad / (self.home + self.abroad)),
            unhealthy,
        }
    }

    /// A / F with its interval: the binomial one of the handshakes judged, widened by how much their usual share varies.
    fn attack_share(&self) -> Estimate {
        if self.first_syns <= 0.0 {
            return Estimate::default();
        }
        let flood = (self.flood.attack / self.first_syns).clamp(0.0, 1.0);
        let n = self.flood.judged.max(1.0);
        let chance = (flood * (1.0 - flood)).max(1.0 / n) / n;
        let flood_half =
            if self.flood.judged > 0.0 { 1.96 * (chance + self.flood_noise * self.flood_noise).sqrt() } else { 0.0 };
        let robotic = (self.robotic / self.first_syns).clamp(0.0, 1.0);
        let robotic_half =
            ROBOTIC_NOISE * robotic + if robotic > 0.0 { 1.96 * (robotic / self.first_syns).sqrt() } else { 0.0 };
        let (value, half) = ((flood + robotic).min(1.0), flood_half.hypot(robotic_half));
        let unseen = FAVOUR * flood * (1.0 - flood) * (1.0 - self.answered_share());
        Estimate { value, low: (value - half).max(0.0), high: (value + half.hypot(unseen)).min(1.0) }
    }

    /// Returns the share that may have been attack although nothing was told, at most: what is small enough is not found.
    fn unproven_share(&self) -> f64 {
        if self.first_syns <= 0.0 {
            return 0.0;
        }
        let share = (self.unproven.attack / self.first_syns).clamp(0.0, 1.0);
        let n = self.unproven.judged;
        let chance = if n > 0.0 { 1.96 * ((share * (1.0 - share)).max(1.0 / n) / n).sqrt() } else { 0.0 };
        share + chance
    }

    /// Returns the share that the attack would have if no more people had come than usual, where robots are told and no crowd
    /// is: of those who came beside the usual ones not all were seen to behave like either.
    fn uncrowded_share(&self) -> f64 {
        let is_open = self.robotic > 0.0 && self.loudest[2] < 1.0 && self.first_syns > 0.0;
        let usual = self.usual_per_second().filter(|_| is_open);
        usual.map_or(0.0, |usual| (1.0 - usual * f64::from(self.ticks) / 4.0 / self.first_syns).max(0.0))
    }

    /// Share of first SYNs that were answered, 1 without any.
    fn answered_share(&self) -> f64 {
        if self.opened > 0.0 { (self.answered / self.opened).min(1.0) } else { 1.0 }
    }

    /// Returns what must move for a change of verdict to be believed at once, each from 0 to 1: half of the largest alarm ratios
    /// of an attack, of bad health and of a crowd, the part of the minute in bad health, and the attack's share.
    pub(crate) fn scores(&self) -> Scores {
        let [attack, health, crowd] = self.loudest.map(|ratio| (ratio / 2.0).min(1.0));
        let ill = f64::from(self.unhealthy_ticks) / f64::from(self.ticks.max(1));
        [attack, health, crowd, ill, self.attack_share().value]
    }

    fn attacked_throughout(&self) -> bool {
        self.attack_ticks * 2 >= self.ticks.max(1)
    }

    /// Returns the usual first SYNs a second; `None` where they were known for less than three quarters of the minute.
    fn usual_per_second(&self) -> Option<f64> {
        let known = self.ticks.saturating_sub(self.unknown_ticks);
        (known > 0 && self.unknown_ticks * BAD_PART <= self.ticks).then(|| self.usual / f64::from(known) * 4.0)
    }

    /// Tells whether so many attempts a second are many more than usual.
    fn is_crowd(&self, demand: f64) -> bool {
        match self.usual_per_second() {
            Some(usual) => demand > (2.0 * usual).max(usual + LEAST_CROWD),
            // What is usual became known in this minute: a crowd that was told since then is one.
            None => self.loudest[2] >= 1.0,
        }
    }

    fn absorbed(&self, demand: &Estimate) -> MinuteKind {
        if self.attack_ticks >= ATTACKED_TICKS {
            MinuteKind::AttackAbsorbed
        } else if self.is_crowd(demand.value) {
            MinuteKind::RushAbsorbed
        } else {
            MinuteKind::Normal
        }
    }

    fn counterfactual(&self, attack_share: &Estimate, standard: &Standard) -> MinuteKind {
        // What was asked while the service was ill: a crowd that came in the middle of a minute is not half a crowd.
        let asked = self.unhealthy_first_syns * 4.0 / f64::from(self.unhealthy_ticks.max(1));
        let demand = asked * (1.0 - attack_share.value);
        let Some(capacity) = standard.capacity else { return MinuteKind::Undetermined };
        let needed = demand * standard.served_part;
        let beside = match capacity.judge(needed) {
            // What it served while its queues filled is more than it bears in the long run.
            Demand::Within if standard.was_overloaded && needed >= STILL_FULL * capacity.low => Demand::Near,
            judged => judged,
        };
        if attack_share.value > MUCH {
            // As far as can be shown no more than on any day, and no limit was ever met.
            let is_ordinary = capacity.high.is_none() && !self.is_crowd(asked * (1.0 - attack_share.high));
            under_attack(beside, is_ordinary, standard)
        } else if self.attacked_throughout() {
            beside_attack(beside, capacity.high.is_none() && !self.is_crowd(demand), standard)
        } else {
            unattacked(beside, self.is_crowd(demand), attack_share, standard)
        }
    }

    fn exhausted(&self) -> Option<Resource> {
        let longest = self.exhausted.iter().copied().max().filter(|ticks| *ticks > 0)?;
        Resource::ALL.iter().zip(self.exhausted).find(|(_, ticks)| *ticks == longest).map(|(resource, _)| *resource)
    }
}

fn under_attack(demand: Demand, is_ordinary: bool, standard: &Standard) -> MinuteKind {
    match demand {
        Demand::Beyond => MinuteKind::Mixed,
        Demand::Near | Demand::Unproven if standard.was_overloaded => MinuteKind::Mixed,
        Demand::Within => MinuteKind::Attack,
        Demand::Near | Demand::Unproven if is_ordinary => MinuteKind::Attack,
        _ => MinuteKind::Undetermined,
    }
}

/// An attack that takes no part in what is asked for: with or without it that is too much, or not.
fn beside_attack(demand: Demand, is_ordinary: bool, standard: &Standard) -> MinuteKind {
    match demand {
        Demand::Beyond => MinuteKind::Overload,
        Demand::Within => MinuteKind::Attack,
        _ if is_ordinary => MinuteKind::Attack,
        Demand::Near if standard.was_overloaded => MinuteKind::Overload,
        _ => MinuteKind::Undetermined,
    }
}

fn unattacked(demand: Demand, is_crowd: bool, attack_share: &Estimate, standard: &Standard) -> MinuteKind {
    match demand {
        // More than was ever served, real clients try in vain, and nothing else is there to explain it.
        Demand::Beyond | Demand::Unproven => MinuteKind::Overload,
        Demand::Near if standard.was_overloaded || is_crowd => MinuteKind::Overload,
        // What is left of the crowd waits behind those who came before.
        Demand::Within if standard.was_overloaded && is_crowd => MinuteKind::Overload,
        Demand::Within if attack_share.high < HARDLY_ANY => MinuteKind::Fault,
        _ => MinuteKind::Undetermined,
    }
}

/// What must move for a change to be believed at once: [`MinuteSums::scores`].
pub(crate) type Scores = [f64; 5];

/// What a site's minutes were, so that one odd minute does not change the story.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    said: Option<MinuteKind>,
    seen: Option<MinuteKind>,
    scores: Scores,
}

impl Course {
    /// How far a score must move for a change to be believed at once (DETECTION 4.4).
    const JUMP: f64 = 0.25;

    /// Takes what a minute looks like, with its scores, and returns what is said of it: a change needs two minutes in a row,
    /// unless a score moved or nothing was decided before.
    pub(crate) fn follow(&mut self, seen: MinuteKind, scores: Scores) -> MinuteKind {
        let moved = scores.iter().zip(self.scores).any(|(now, before)| (now - before).abs() > Self::JUMP);
        let twice = self.seen == Some(seen);
        let said = match self.said {
            Some(said) if said != MinuteKind::Undetermined && !moved && !twice => said,
            _ => seen,
        };
        *self = Self { said: Some(said), seen: Some(seen), scores };
        said
    }

    /// Tells whether real demand was beyond what is borne in the last minute.
    pub(crate) const fn was_overloaded(&self) -> bool {
        matches!(self.said, Some(MinuteKind::Overload | MinuteKind::Mixed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(unhealthy: bool, demand: f64, attack: f64) -> MinuteSums {
        MinuteSums {
            ticks: 240,
            unhealthy_ticks: if unhealthy { 240 } else { 0 },
            attack_ticks: if attack > 0.0 { 240 } else { 0 },
            first_syns: (demand + attack) * 60.0,
            unhealthy_first_syns: if unhealthy { (demand + attack) * 60.0 } else { 0.0 },
            flood: Part { attack: attack * 60.0, judged: if attack > 0.0 { 60.0 * (demand + attack) } else { 0.0 } },
            usual: 100.0 * 60.0,
            ..MinuteSums::default()
        }
    }

    fn judge(sums: &MinuteSums, capacity: Bounds, was_overloaded: bool) -> MinuteKind {
        let standard = Standard { capacity: Some(capacity), served_part: 1.0, was_overloaded };
        sums.judge(Timestamp::ZERO, "site".into(), &standard).verdict
    }

    #[test]
    fn the_counterfactual_decides() {
        let known = |unhealthy, demand, attack, capacity| {
            judge(&sums(unhealthy, demand, attack), Bounds::exactly(capacity), false)
        };
        assert_eq!(known(true, 200.0, 0.0, 100.0), MinuteKind::Overload);
        assert_eq!(known(true, 50.0, 500.0, 100.0), MinuteKind::Attack);
        assert_eq!(known(true, 200.0, 500.0, 100.0), MinuteKind::Mixed);
        assert_eq!(known(true, 50.0, 0.0, 100.0), MinuteKind::Fault);
        assert_eq!(known(true, 100.0, 0.0, 100.0), MinuteKind::Undetermined);
        assert_eq!(known(false, 50.0, 500.0, 100.0), MinuteKind::AttackAbsorbed);
        assert_eq!(known(false, 300.0, 0.0, 1_000.0), MinuteKind::RushAbsorbed);
        assert_eq!(known(false, 100.0, 0.0, 1_000.0), MinuteKind::Normal);
    }

    #[test]
    fn what_was_borne_before_is_within_a_limit_never_seen() {
        let at_least = Bounds { low: 100.0, high: None };
        assert_eq!(judge(&sums(true, 100.0, 500.0), at_least, false), MinuteKind::Attack);
        assert_eq!(judge(&sums(true, 100.0, 0.0), at_least, false), MinuteKind::Fault);
        assert_eq!(judge(&sums(true, 300.0, 0.0), at_least, false), MinuteKind::Overload);
        assert_eq!(judge(&sums(true, 300.0, 500.0), at_least, true), MinuteKind::Mixed);
        assert_eq!(judge(&sums(true, 300.0, 500.0), at_least, false), MinuteKind::Undetermined);
        // More than was borne, and no more than on any day: 100 a second are usual.
        assert_eq!(judge(&sums(true, 150.0, 500.0), at_least, false), MinuteKind::Attack);
        assert_eq!(judge(&sums(true, 100.0, 500.0), Bounds::exactly(100.0), false), MinuteKind::Undetermined);
    }

    #[test]
    fn an_attack_that_asks_for_nothing_does_not_share_the_blame_for_a_crowd() {
        let reflection = |demand: f64| MinuteSums { attack_ticks: 240, ..sums(true, demand, 0.0) };
        assert_eq!(judge(&reflection(300.0), Bounds::exactly(100.0), false), MinuteKind::Overload);
        assert_eq!(judge(&reflection(50.0), Bounds::exactly(100.0), false), MinuteKind::Attack);
        // Where no limit was met it may be what makes the service ill.
        assert_eq!(judge(&reflection(300.0), Bounds { low: 100.0, high: None }, false), MinuteKind::Undetermined);
        // What is asked for wavers about the limit, and the flood inside the crowd does not end for that.
        assert_eq!(judge(&sums(true, 100.0, 500.0), Bounds::exactly(100.0), true), MinuteKind::Mixed);
    }

    #[test]
    fn a_crowd_as_large_as_was_ever_served_is_what_ails_a_service() {
        let at_least = Bounds { low: 290.0, high: None };
        assert_eq!(judge(&sums(true, 310.0, 0.0), at_least, false), MinuteKind::Overload);
        // What is left of it waits; without one before, it is the service that fails.
        assert_eq!(judge(&sums(true, 220.0, 0.0), at_least, true), MinuteKind::Overload);
        assert_eq!(judge(&sums(true, 220.0, 0.0), at_least, false), MinuteKind::Fault);
        assert_eq!(judge(&sums(true, 90.0, 0.0), at_least, true), MinuteKind::Fault, "no more than usual");
        // A service that was full a minute ago bears no flood beside nine tenths of that.
        assert_eq!(judge(&sums(true, 270.0, 500.0), at_least, true), MinuteKind::Mixed);
        assert_eq!(judge(&sums(true, 270.0, 500.0), at_least, false), MinuteKind::Attack);
    }

    #[test]
    fn a_crowd_inside_a_flood_must_be_shown() {
        let at_least = Bounds { low: 100.0, high: None };
        let coarse = MinuteSums { flood: Part { attack: 700.0 * 60.0, judged: 4.0 }, ..sums(true, 300.0, 700.0) };
        assert_eq!(judge(&coarse, at_least, false), MinuteKind::Attack);
        assert_eq!(judge(&sums(true, 300.0, 700.0), at_least, false), MinuteKind::Undetermined);
    }

    #[test]
    fn three_times_as_many_are_a_crowd_at_a_small_service_too() {
        let small = |demand: f64| MinuteSums { usual: 4.0 * 60.0, ..sums(false, demand, 0.0) };
        assert_eq!(judge(&small(14.0), Bounds::exactly(100.0), false), MinuteKind::RushAbsorbed);
        assert_eq!(judge(&small(8.5), Bounds::exactly(100.0), false), MinuteKind::Normal);
    }

    #[test]
    fn robots_are_attack_too_and_every_share_has_an_interval() {
        let minute = MinuteSums { robotic: 300.0 * 60.0, ..sums(true, 500.0, 500.0) };
        let share = minute.attack_share();
        assert!((share.value - 0.8).abs() < 1e-9, "{share:?}");
        assert!(share.low > 0.7 && share.high < 0.9 && share.low < share.value);
        assert_eq!(sums(true, 100.0, 0.0).attack_share(), Estimate::default());
        assert_eq!(MinuteSums::default().attack_share(), Estimate::default());
    }

    #[test]
    fn without_a_crowd_all_that_came_beside_the_usual_may_be_robots() {
        let share = |minute: &MinuteSums| minute.judge(Timestamp::ZERO, "".into(), &Standard::default()).attack_share;
        let robots = MinuteSums { robotic: 200.0 * 60.0, ..sums(false, 500.0, 0.0) };
        let usual = robots.usual_per_second().unwrap();
        let alone = share(&robots);
        assert!((alone.high - (1.0 - usual / 500.0)).abs() < 1e-9, "{alone:?} {usual}");
        let beside = share(&MinuteSums { loudest: [2.0, 0.0, 2.0], ..robots });
        assert!(beside.high < alone.high && beside.value == alone.value, "{beside:?} {alone:?}");
    }

    #[test]
    fn the_resource_that_was_out_longest_is_named() {
        let minute = MinuteSums { exhausted: [200, 0, 100, 0], ..sums(true, 100.0, 500.0) };
        assert_eq!(minute.exhausted(), Some(Resource::SynQueue));
        assert_eq!(sums(true, 100.0, 0.0).exhausted(), None);
    }

    #[test]
    fn a_crowd_that_comes_in_the_middle_of_a_minute_is_no_fault() {
        let late = MinuteSums { unhealthy_ticks: 80, unhealthy_first_syns: 200.0 * 20.0, ..sums(true, 90.0, 0.0) };
        assert_eq!(judge(&late, Bounds::exactly(100.0), false), MinuteKind::Overload);
    }

    #[test]
    fn a_pulse_of_seconds_and_a_crowd_at_the_start_are_seen() {
        let pulse = MinuteSums { attack_ticks: 20, ..sums(false, 100.0, 0.0) };
        assert_eq!(judge(&pulse, Bounds::exactly(1_000.0), false), MinuteKind::AttackAbsorbed);
        let blink = MinuteSums { attack_ticks: 4, ..sums(false, 100.0, 0.0) };
        assert_eq!(judge(&blink, Bounds::exactly(1_000.0), false), MinuteKind::Normal);
        let early = MinuteSums { unknown_ticks: 63, loudest: [0.0, 0.0, 2.1], ..sums(false, 350.0, 0.0) };
        assert_eq!(judge(&early, Bounds::exactly(1_000.0), false), MinuteKind::RushAbsorbed);
    }

    #[test]
    fn a_minute_that_is_ill_throughout_follows_one_that_was_so_at_its_end() {
        let mut course = Course::default();
        course.follow(MinuteKind::Normal, [0.0, 0.0, 0.5, 0.0, 0.0]);
        assert_eq!(course.follow(MinuteKind::RushAbsorbed, [0.0, 0.8, 1.0, 0.1, 0.0]), MinuteKind::RushAbsorbed);
        assert_eq!(course.follow(MinuteKind::Overload, [0.0, 1.0, 1.0, 1.0, 0.0]), MinuteKind::Overload);
    }

    #[test]
    fn one_odd_minute_does_not_change_the_story() {
        let mut course = Course::default();
        assert_eq!(course.follow(MinuteKind::Overload, [0.05, 0.6, 0.0, 1.0, 0.0]), MinuteKind::Overload);
        assert_eq!(course.follow(MinuteKind::Undetermined, [0.05, 0.6, 0.0, 1.0, 0.0]), MinuteKind::Overload);
        assert_eq!(course.follow(MinuteKind::Overload, [0.05, 0.6, 0.0, 1.0, 0.0]), MinuteKind::Overload);
        assert_eq!(
            course.follow(MinuteKind::Mixed, [1.0, 0.6, 0.0, 1.0, 0.0]),
            MinuteKind::Mixed,
            "a clear change is believed at once"
        );
        let mut course = Course::default();
        assert_eq!(course.follow(MinuteKind::Overload, [1.0, 1.0, 0.0, 1.0, 0.1]), MinuteKind::Overload);
        assert_eq!(
            course.follow(MinuteKind::Mixed, [1.0, 1.0, 0.0, 1.0, 0.6]),
            MinuteKind::Mixed,
            "and one in the share"
        );
        assert_eq!(course.follow(MinuteKind::Overload, [1.0, 1.0, 0.0, 1.0, 0.2]), MinuteKind::Overload);
        assert_eq!(course.follow(MinuteKind::Mixed, [1.0, 1.0, 0.0, 1.0, 0.3]), MinuteKind::Overload);
        let mut course = Course::default();
        course.follow(MinuteKind::Mixed, [1.0, 0.6, 0.0, 1.0, 0.0]);
        assert_eq!(course.follow(MinuteKind::Normal, [0.95, 0.6, 0.0, 1.0, 0.0]), MinuteKind::Mixed);
        assert_eq!(course.follow(MinuteKind::Normal, [0.95, 0.6, 0.0, 1.0, 0.0]), MinuteKind::Normal);
    }
}
