//! Which strata of a subject's clients surge (those from home, those from abroad, all), and how each behaves: FC-1 run
//! once a second on those that do, so that robots inside a crowd show.

use crate::detect::behaviour::{Behaviour, Surge, Whose, judge};
use crate::detect::view::{Situation, View};
use crate::time::{TICKS_PER_SECOND, Tick};
use crate::window::rise::Onset;
use crate::window::stratum::Stratum;
use crate::window::subject::Subject;

/// Looks in a row at which a surge must be robotic.
pub const LOOKS: u32 = 2;

/// Smallest excess in ten seconds, and smallest part of what is expected, that is looked at.
pub const LEAST_EXCESS: f64 = 30.0;
const LEAST_PART: f64 = 0.2;

/// Ticks in which an excess is measured: ten seconds.
const WINDOW_TICKS: f64 = 40.0;

/// Ticks for which a decided behaviour holds while too few connections show their shape: a minute.
const REMEMBERED: u64 = 240;

/// Part of the excess it was judged on that must still be there for a behaviour to be remembered: what is left of a surge
/// that is over is chance.
const LEAST_LEFT: f64 = 0.25;

/// Share of first attempts left unanswered from which the server is failing (DETECTION 4.2, reaction), ticks of the
/// window in which that shows, and ticks after which people have had time to notice.
const FAILING: f64 = 0.5;
const FAILING_WINDOW: usize = 20;
const NOTICED_AFTER: u64 = 60;

/// One stratum's excess over the last ten seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Excess {
    /// Verified connections in ten seconds.
    pub observed: f64,
    /// What is usual, grown by what explains growth.
    pub expected: f64,
    /// Verified connections of the last tick.
    pub now: f64,
}

impl Excess {
    /// Returns the connections beyond what is expected, in ten seconds.
    #[must_use]
    pub fn size(&self) -> f64 {
        (self.observed - self.expected).max(0.0)
    }

    /// Returns the last tick's part of it, which by chance may be below zero.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.now - self.expected / WINDOW_TICKS
    }

    /// Tells whether it is large enough to be looked at.
    #[must_use]
    pub fn is_surge(&self) -> bool {
        self.size() >= LEAST_EXCESS.max(LEAST_PART * self.expected)
    }

    fn usual_part(&self) -> f64 {
        self.expected / self.observed.max(1.0)
    }
}

/// What is held of one stratum.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// How its surge behaves, while it does or did a minute ago.
    pub behaviour: Option<Behaviour>,
    /// Looks in a row, a second each, at which it was robotic.
    pub robotic_looks: u32,
    judged_at: Tick,
    /// The excess it was judged on, in ten seconds.
    judged_size: f64,
}

impl Held {
    /// Takes a look, with or without a judgement. The thin end of a surge does not take back what its height has shown.
    fn take(&mut self, now: Tick, size: f64, judged: Option<Behaviour>) {
        if now.since(self.judged_at) > REMEMBERED || size < LEAST_LEFT * self.judged_size {
            *self = Self::default();
        }
        let decided = |behaviour: &Behaviour| behaviour.is_robotic() || behaviour.is_human();
        match judged {
            None => {}
            Some(judged) if !decided(&judged) && self.behaviour.as_ref().is_some_and(decided) => {}
            Some(judged) => {
                self.robotic_looks = if judged.is_robotic() { self.robotic_looks.saturating_add(1) } else { 0 };
                self.behaviour = Some(judged);
                self.judged_at = now;
                self.judged_size = size;
            }
        }
    }
}

/// The three strata of a subject.
#[derive(Clone, Debug, Default)]
pub struct Strata {
    /// From home, or of no known country.
    pub home: Held,
    /// From abroad.
    pub abroad: Held,
    /// All.
    pub all: Held,
    /// From home and from abroad while both surge, each judged as if the other did not: robots that come from both share a
    /// shape that neither has for itself.
    alone: [Held; 2],
    /// When the server began to fail, and the first attempts a second just before.
    failing: Option<(Tick, f64)>,
}

impl Strata {
    /// Looks at the strata once a second.
    pub fn look(&mut self, view: &View, subject: &Subject, situation: &Situation) {
        if !view.tick.closes_period(TICKS_PER_SECOND) {
            return;
        }
        let reaction = self.reaction(view.tick, subject);
        let (home, abroad, all) = (home(subject), abroad(subject), all(subject));
        let surging = |excess: Option<Excess>| excess.filter(Excess::is_surge);
        let (from_home, from_abroad, of_all) = (surging(home), surging(abroad), surging(all));
        let [mut judged_home, mut judged_abroad, mut judged_all] = [None, None, None];
        let mut judged_alone = [None, None];
        if from_home.is_some() || from_abroad.is_some() || of_all.is_some() {
            let comparisons = [&subject.domestic, &subject.abroad].map(|stratum| stratum.comparison(view.tick));
            let [domestic, foreign] = &comparisons;
            let joined = domestic.joined(foreign);
            let judge = |excess: Excess, comparison, control, growth, onset, whose| {
                judge(&Surge {
                    comparison,
                    borrowed: &joined.mixture,
                    borrowed_stacks: &joined.usual_stacks,
                    control,
                    usual_part: excess.usual_part(),
                    growth,
                    onset,
                    whose,
                    healthy: !situation.unhealthy,
                    reaction,
                    networks_are_known: view.networks_are_known,
                })
            };
            let (home_too, abroad_too) = (from_home.map(|_| &domestic.sample), from_abroad.map(|_| &foreign.sample));
            let windows = &subject.foreign;
            let growth = windows.home_growth();
            judged_home = from_home
                .filter(|_| view.home_known)
                .and_then(|excess| judge(excess, domestic, abroad_too, 1.0, windows.onset_home(), Whose::Home));
            judged_abroad = from_abroad
                .filter(|_| view.home_known)
                .and_then(|excess| judge(excess, foreign, home_too, growth, windows.onset_abroad(), Whose::Abroad));
            if let (Some(home), Some(abroad), true) = (from_home, from_abroad, view.home_known) {
                judged_alone = [
                    judge(home, domestic, None, 1.0, windows.onset_home(), Whose::Home),
                    judge(abroad, foreign, None, growth, windows.onset_abroad(), Whose::Abroad),
                ];
            }
            let foreign_score = view.home_known.then(|| windows.abroad.share.decades() / view.lines.subject / 2.0);
            judged_all = of_all
                .and_then(|excess| judge(excess, &joined, None, 1.0, onset(subject), Whose::All { foreign_score }));
        }
        let size = |excess: Option<Excess>| excess.map_or(0.0, |excess| excess.size());
        self.home.take(view.tick, size(home), judged_home);
        self.abroad.take(view.tick, size(abroad), judged_abroad);
        self.all.take(view.tick, size(all), judged_all);
        for ((held, judged), excess) in self.alone.iter_mut().zip(judged_alone).zip([home, abroad]) {
            held.take(view.tick, size(excess), judged);
        }
    }

    /// Returns how those from abroad behave where robots come from home as well.
    #[must_use]
    pub fn robots_everywhere(&self) -> Option<&Behaviour> {
        let robotic = |held: &Held| held.robotic_looks >= LOOKS;
        self.alone[1].behaviour.as_ref().filter(|_| self.alone.iter().all(robotic))
    }

    /// Returns the connections from home in the last ten seconds that are held to be robots.
    #[must_use]
    pub fn home_robots(&self, subject: &Subject) -> f64 {
        let robotic = self.home.behaviour.as_ref().is_some_and(Behaviour::is_robotic);
        home(subject).filter(|excess| robotic && excess.is_surge()).map_or(0.0, |excess| excess.size())
    }

    /// Returns first attempts now as a part of those when the server began to fail, once people have had time to notice.
    fn reaction(&mut self, now: Tick, subject: &Subject) -> Option<f64> {
        let unanswered = subject.cohorts.server_side(FAILING_WINDOW).unanswered_share().unwrap_or(0.0);
        if unanswered < FAILING {
            self.failing = None;
            return None;
        }
        let rate = subject.syns.recent_per_second(FAILING_WINDOW);
        let (since, before) = *self.failing.get_or_insert((now, rate));
        (now.since(since) >= NOTICED_AFTER && before > 0.0).then(|| rate / before)
    }
}

fn onset(subject: &Subject) -> Option<Onset> {
    subject.rise.onset(subject.verified.usual()?)
}

/// Returns the excess of connections from home; `None` before its usual number is known.
#[must_use]
pub fn home(subject: &Subject) -> Option<Excess> {
    let home = &subject.foreign.home;
    Some(Excess {
        observed: home.sum(),
        expected: home.usual()? * 10.0,
        now: home.recent_per_second(1) * Tick::SECONDS,
    })
}

/// Returns the excess of connections from abroad over what home growth explains.
#[must_use]
pub fn abroad(subject: &Subject) -> Option<Excess> {
    let rate = &subject.foreign.abroad.rate;
    let now = rate.recent_per_second(1) * Tick::SECONDS;
    Some(Excess { observed: rate.sum(), expected: subject.foreign.expected_abroad()?, now })
}

/// Returns the excess of all verified connections.
#[must_use]
pub fn all(subject: &Subject) -> Option<Excess> {
    let now = subject.verified.recent_per_second(1) * Tick::SECONDS;
    Some(Excess { observed: subject.verified.sum(), expected: subject.verified.usual()? * 10.0, now })
}

/// Returns the connections of the last ten seconds by which a few busy sources of a stratum, first seen after `since`, exceed
/// what its sources usually make each.
#[must_use]
pub fn by_a_busy_few(stratum: &Stratum, since: Tick) -> f64 {
    let each = stratum.sources.usual().and_then(|usual| usual.mean()).unwrap_or(1.0);
    stratum.sources.by_a_busy_few(since, each)
}

/// Returns the connections of the last ten seconds by which the `most` busiest sources of a stratum exceed what its sources
/// usually make each.
#[must_use]
pub fn by_the_busiest(stratum: &Stratum, most: usize) -> f64 {
    let each = stratum.sources.usual().and_then(|usual| usual.mean()).unwrap_or(1.0);
    stratum.sources.by_the_busiest(most, each)
}

#[cfg(test)]
impl Strata {
    pub(crate) fn of(abroad: Held, alone: [Held; 2]) -> Self {
        Self { abroad, alone, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behaviour(nats: f64) -> Behaviour {
        Behaviour {
            nats,
            connections: 100.0,
            decades: 0.0,
            sources: 50.0,
            is_of_people: false,
            figures: Vec::new(),
            weights: vec![("weight_shape", 3.0)],
        }
    }

    #[test]
    fn the_thin_end_of_a_surge_takes_nothing_back() {
        let mut held = Held::default();
        held.take(Tick::new(400), 100.0, Some(behaviour(6.0)));
        held.take(Tick::new(404), 100.0, Some(behaviour(5.0)));
        assert_eq!(held.robotic_looks, 2);
        held.take(Tick::new(408), 50.0, Some(behaviour(1.0)));
        held.take(Tick::new(412), 40.0, None);
        assert_eq!(held.behaviour, Some(behaviour(5.0)));
        held.take(Tick::new(800), 40.0, None);
        assert_eq!(held.behaviour, None);
    }

    #[test]
    fn a_surge_that_is_over_says_nothing_of_what_comes_after() {
        let mut held = Held::default();
        held.take(Tick::new(400), 300.0, Some(behaviour(6.0)));
        held.take(Tick::new(404), 35.0, None);
        assert_eq!(held.behaviour, None);
    }

    #[test]
    fn a_crowd_seen_later_replaces_robots() {
        let mut held = Held::default();
        held.take(Tick::new(400), 100.0, Some(behaviour(6.0)));
        held.take(Tick::new(404), 100.0, Some(behaviour(-6.0)));
        assert_eq!(held.robotic_looks, 0);
        assert!(held.behaviour.unwrap().is_human());
    }

    #[test]
    fn a_fifth_more_than_usual_is_looked_at() {
        assert!(!Excess { observed: 1_190.0, expected: 1_000.0, now: 0.0 }.is_surge());
        assert!(Excess { observed: 1_210.0, expected: 1_000.0, now: 0.0 }.is_surge());
        assert!(!Excess { observed: 25.0, expected: 0.0, now: 0.0 }.is_surge());
    }
}
