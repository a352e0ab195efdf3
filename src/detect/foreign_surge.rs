//! Foreign surge: verified connections from abroad beyond what home growth explains (DETECTION 3; FOR-1 to
//! FOR-5).
//!
//! Method: the share of connections from abroad among all verified ones against its envelope (FOR-2, every tick), and each
//! country's count against its usual value grown as home has grown (FOR-1, negative binomial tail, every second, twice in a
//! row; FOR-3 beside it, the shift in units of the country's own spread). The share is looked at by connections, by visits and
//! by countries that usually send few; once served sources are known for an hour, by strangers among the visitors too
//! (FOR-4). With a table of autonomous systems the one that leads the excess is named (FOR-5). A rush that lifts every country alerts nobody. Only sources that proved their address count. What it means is
//! behaviour's say: robotic is an attack, human-like is a crowd from abroad, undecided is a suspicion.
//!
//! Connections that carry nothing while those from home are served are `connection_exhaustion`, and a handful of sources
//! that connect now and then is nobody's surge: both are told as `info` here.
//!
//! Blind spots: robots at home; robots abroad that grow no faster than home; users abroad behind home networks.

use crate::detect::behaviour::{Behaviour, DECISIVE};
use crate::detect::budget::COUNTRY_LOOK;
use crate::detect::finding::{Caveat, FigureName as F, Finding, OriginShare, SourceShare};
use crate::detect::strata::{self, Strata};
use crate::detect::view::{SAID_FROM, Situation, View, figure, on_tcp};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::Tick;
use crate::window::foreign::CountrySurge;
use crate::window::stratum::Stratum;
use crate::window::subject::{Sidedness, Subject};
use crate::window::systems::SystemSurge;

/// Smallest excess in ten seconds, smallest part of all connections, and smallest growth, of a country and of all abroad.
const LEAST_EXCESS: f64 = 30.0;
const LEAST_PART: f64 = 0.02;
const LEAST_GROWTH_COUNTRY: f64 = 2.0;
const LEAST_GROWTH_ALL: f64 = 1.5;

/// Part of the excess from which one autonomous system is named (FOR-5).
const LEAST_SYSTEM_SHARE: f64 = 0.2;

/// Sources abroad below which a surge is not one, unless they connect as fast as the floor of rates (DETECTION 1.2), a
/// second; nor is what so many sources at most make: the addresses of a crawler, a partner or a monitoring service.
const LEAST_SOURCES: f64 = 8.0;
const BUSIEST: usize = 16;
const FAST: f64 = 20.0;

/// Part of the connections from abroad that carry nothing, and at most of those from home, from which they are left to
/// `connection_exhaustion`.
const CARRY_NOTHING: f64 = 0.5;
const STILL_SERVED: f64 = 0.2;

/// Ticks after the onset until a surge whose behaviour is unknown is called a suspicion all the same: ten seconds.
const PATIENCE: u64 = 40;

/// Connections after which an undecided behaviour is called a suspicion without waiting.
const ENOUGH: f64 = 150.0;

/// Growth of home from which it is a crowd too, and the part of all connections below which what comes from abroad beside
/// it is no warning before its behaviour is known: who comes for an occasion is not who comes every day, and minutes of
/// history know the share of abroad from a few dozen connections.
const CROWD_GROWTH: f64 = 2.0;
const LEAST_BESIDE_CROWD: f64 = 0.5;

/// Ticks for which a surge that began as connection exhaustion may pause and is the same: a minute.
const OUTLASTS: u64 = 240;

/// What is remembered of a subject between looks.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    country_evidence: f64,
    country_looks: u32,
    since: Option<Tick>,
    hurts: bool,
    /// When it last was what `connection_exhaustion` had begun with.
    exhausting_at: Option<Tick>,
}

impl Memory {
    /// Tells whether these are the connections of an exhaustion: of one now, or of one they have outlasted without a pause
    /// of a minute.
    fn belongs_to_exhaustion(&mut self, now: Tick, exhausted: bool) -> bool {
        let belongs = exhausted || self.exhausting_at.is_some_and(|at| now.since(at) <= OUTLASTS);
        if belongs {
            self.exhausting_at = Some(now);
        }
        belongs
    }
}

/// Judges a subject.
pub fn detect(
    view: &View,
    subject: &Subject,
    strata: &Strata,
    memory: &mut Memory,
    situation: &mut Situation,
) -> Option<Finding> {
    if !view.home_known || subject.sidedness() == Sidedness::OneSided {
        return None;
    }
    let expected = subject.foreign.expected_abroad()?;
    let abroad = subject.foreign.abroad.rate.sum();
    let all = abroad + subject.foreign.home.sum();
    let least = LEAST_EXCESS.max(LEAST_PART * all);
    look_at_countries(view, memory, subject, least);
    let together = abroad - expected >= least && abroad >= LEAST_GROWTH_ALL * expected;
    let one = memory.country_looks >= 2;
    let line = view.lines.subject;
    let (shift, shift_onset) = largest_shift(view, subject);
    let score = f64::max(
        if together { shift } else { 0.0 },
        if one { memory.country_evidence * line / view.lines.country } else { 0.0 },
    );
    let fires = score >= line && (together || one);
    memory.since = if fires { memory.since.or(Some(view.tick)) } else { None };
    if score < SAID_FROM * line {
        return None;
    }
    let little =
        memory.belongs_to_exhaustion(view.tick, situation.exhausted) || is_left_to_others(subject, abroad - expected);
    situation.foreign |= fires && !little;
    let behaviour = behaviour(strata);
    let mut finding = view.finding(AlertKind::ForeignSurge, subject, score, line);
    on_tcp(&mut finding, subject.leading_port());
    finding.gates_hold = together || one;
    finding.onset = if together { shift_onset } else { view.tick }.start();
    let beside_crowd = is_beside_crowd(subject.foreign.home_growth(), abroad - expected, all);
    let waited = memory.since.is_some_and(|since| view.tick.since(since) >= PATIENCE);
    let many = behaviour.is_some_and(|behaviour| behaviour.connections >= ENOUGH);
    let is_suspect = (waited || many) && !beside_crowd;
    let usual = subject.verified.usual().unwrap_or(1.0);
    memory.hurts = view.hurts((abroad - expected) / 10.0, usual, memory.hurts);
    conclude(view, situation, behaviour, is_suspect, memory.hurts, &mut finding);
    if little {
        (finding.severity, finding.verdict, finding.confidence) = (Severity::Info, None, 0.4);
    }
    if fires && finding.verdict != Some(Verdict::Rush) {
        situation.foreign_excess = (abroad - expected).max(0.0) / 10.0;
        situation.robots_now += strata::abroad(subject).map_or(0.0, |excess| excess.now());
    }
    situation.robotic |=
        fires && finding.verdict.is_some_and(|verdict| matches!(verdict, Verdict::Attack | Verdict::Mixed));
    describe(view, subject, &subject.foreign.countries(), [abroad, all, expected], behaviour, &mut finding);
    finding.settings = vec![
        ("alert_at", line),
        ("alert_at_country", view.lines.country),
        ("least_excess", least),
        ("home_growth", subject.foreign.home_growth()),
        ("decisive_nats", DECISIVE),
        ("window_seconds", 10.0),
    ];
    finding.settings.extend(behaviour.iter().flat_map(|behaviour| &behaviour.weights).copied());
    Some(finding)
}

/// Returns the strongest evidence that the share of abroad has shifted, and since when: by connections, by visits, by
/// countries that are far (FOR-2), and by strangers among the visitors, once served sources are known for long (FOR-4).
fn largest_shift(view: &View, subject: &Subject) -> (f64, Tick) {
    let windows = &subject.foreign;
    let shares = [&windows.abroad.share, &windows.visits.share, &windows.far.share];
    let strangers = Some(&windows.strangers).filter(|_| view.networks_are_known);
    let all = shares.into_iter().chain(strangers).map(|share| (share.decades(), share.onset()));
    all.reduce(|best, next| if next.0 > best.0 { next } else { best }).unwrap_or((0.0, view.tick))
}

/// Tells whether `excess` connections abroad, of `all`, are a small part of a crowd from home.
fn is_beside_crowd(home_growth: f64, excess: f64, all: f64) -> bool {
    home_growth >= CROWD_GROWTH && excess < LEAST_BESIDE_CROWD * all
}

/// Tells whether what `excess` connections abroad do, in ten seconds, is another detector's to say.
fn is_left_to_others(subject: &Subject, excess: f64) -> bool {
    let (_, sources) = subject.abroad.sources.new_share();
    let by_others = excess - strata::by_the_busiest(&subject.abroad, BUSIEST);
    let few = (sources < LEAST_SOURCES || by_others < LEAST_EXCESS) && excess / 10.0 < FAST;
    let unserved = |stratum: &Stratum| stratum.service.unserved_share();
    let idle = unserved(&subject.abroad).is_some_and(|share| share >= CARRY_NOTHING)
        && unserved(&subject.domestic).is_some_and(|share| share <= STILL_SERVED);
    few || idle
}

/// Looks at every country, once a second: each costs the tail of a distribution.
fn look_at_countries(view: &View, memory: &mut Memory, subject: &Subject, least: f64) {
    if !view.tick.closes_period(COUNTRY_LOOK) {
        return;
    }
    let loudest = subject.foreign.loudest_country(least, LEAST_GROWTH_COUNTRY);
    memory.country_evidence = loudest;
    memory.country_looks = if loudest >= view.lines.country { memory.country_looks + 1 } else { 0 };
}

/// Chooses the behaviour that speaks for the surge: its own once that is decided. Robots that come from home as well give
/// both strata one shape, which neither has for itself.
fn behaviour(strata: &Strata) -> Option<&Behaviour> {
    let own = strata.abroad.behaviour.as_ref();
    let is_decided = |behaviour: &Behaviour| behaviour.is_human() || behaviour.is_robotic();
    own.filter(|own| is_decided(own)).or_else(|| strata.robots_everywhere()).or(own)
}

/// Decides what the surge is: attack, crowd or suspicion (DETECTION 0.2, "Genuine foreign crowd").
fn conclude(
    view: &View,
    situation: &Situation,
    behaviour: Option<&Behaviour>,
    is_suspect: bool,
    hurts: bool,
    finding: &mut Finding,
) {
    let (severity, verdict, confidence) = match behaviour {
        Some(behaviour) if behaviour.is_human() => {
            finding.caveats.push(Caveat::HumanLike);
            (Severity::Info, Some(Verdict::Rush), 0.85)
        }
        Some(behaviour) if behaviour.is_robotic() || situation.flood => {
            let severity = if hurts { Severity::Critical } else { Severity::Warning };
            (severity, Some(situation.attack_verdict(view)), (0.8 + behaviour.nats / 60.0).clamp(0.5, 0.98))
        }
        // What is undecided now takes nothing back: until something is decided it reads as a suspicion.
        Some(_) if is_suspect => (Severity::Warning, None, 0.6),
        None if is_suspect || situation.flood => (Severity::Warning, None, 0.5),
        _ => (Severity::Info, None, 0.4),
    };
    finding.severity = severity;
    finding.verdict = verdict;
    finding.confidence = confidence;
}

/// Returns the system that more than half of a country's excess comes from.
fn leading_system(systems: &[SystemSurge], country: &CountrySurge) -> Option<u32> {
    let leading = systems.iter().find(|system| system.country == country.country)?;
    (leading.excess >= 0.5 * (country.observed - country.expected)).then_some(leading.number)
}

fn describe(
    view: &View,
    subject: &Subject,
    surges: &[CountrySurge],
    [abroad, all, expected]: [f64; 3],
    behaviour: Option<&Behaviour>,
    finding: &mut Finding,
) {
    let home_usual = subject.foreign.home.usual().unwrap_or(0.0) * 10.0 * subject.foreign.home_growth();
    let usual_share = expected / (expected + home_usual).max(1.0);
    finding.figures.push(figure(F::ForeignPerSecond, abroad / 10.0, Some(expected / 10.0)));
    finding.figures.push(figure(F::ForeignShare, abroad / all.max(1.0), Some(usual_share)));
    finding.figures.push(figure(F::HomeGrowthRatio, subject.foreign.home_growth(), None));
    if let Some(leading) = surges.first() {
        finding.figures.push(figure(F::CountryPerSecond, leading.observed / 10.0, Some(leading.expected / 10.0)));
    }
    finding.figures.extend(behaviour.into_iter().flat_map(|behaviour| behaviour.figures.iter().copied()));
    let strangers = subject.foreign.strangers.level();
    if view.networks_are_known && strangers.is_armed() {
        let (new, _) = subject.abroad.sources.new_share();
        finding.figures.push(figure(F::NewSourceShare, new, Some(strangers.envelope(0.1))));
    }
    let systems = subject.systems.surges(subject.foreign.home_growth());
    // Countries without a place of their own are part of the whole.
    let placed: f64 = surges.iter().map(|surge| (surge.observed - surge.expected).max(0.0)).sum();
    let excess = placed.max(abroad - expected);
    finding.origins = surges
        .iter()
        .filter(|surge| surge.observed > surge.expected)
        .take(10)
        .map(|surge| OriginShare {
            country: surge.country,
            asn: leading_system(&systems, surge),
            share: (surge.observed - surge.expected) / excess.max(1.0),
            packets: crate::window::whole(surge.observed),
        })
        .collect();
    if let Some(leading) = systems.first().filter(|system| system.excess >= LEAST_SYSTEM_SHARE * excess) {
        finding.figures.push(figure(F::SystemShare, (leading.excess / excess.max(1.0)).min(1.0), None));
    }
    finding.sources = subject
        .abroad
        .sources
        .heaviest(20)
        .into_iter()
        .map(|(address, packets, bytes)| SourceShare { address, packets, bytes })
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::strata::Held;

    fn held(nats: f64, looks: u32) -> Held {
        let behaviour = Behaviour {
            nats,
            connections: 100.0,
            decades: 20.0,
            sources: 50.0,
            is_of_people: false,
            figures: Vec::new(),
            weights: vec![("weight_shape", 3.0)],
        };
        let mut held = Held::default();
        (held.behaviour, held.robotic_looks) = (Some(behaviour), looks);
        held
    }

    #[test]
    fn robots_from_home_too_give_a_surge_the_shape_it_lacks() {
        let nats = |abroad, alone| behaviour(&Strata::of(abroad, alone)).map(|b| b.nats);
        assert_eq!(nats(held(0.5, 0), [held(6.0, 2), held(7.0, 2)]), Some(7.0));
        assert_eq!(nats(held(0.5, 0), [held(6.0, 1), held(7.0, 2)]), Some(0.5), "one look at home is none");
        assert_eq!(nats(held(-5.0, 0), [held(6.0, 2), held(7.0, 2)]), Some(-5.0), "people from abroad stay people");
        assert_eq!(nats(Held::default(), [Held::default(), Held::default()]), None);
    }

    #[test]
    fn a_small_part_of_a_crowd_is_no_surge_of_its_own_until_it_is_known() {
        assert!(is_beside_crowd(25.0, 50.0, 1_500.0) && is_beside_crowd(2.0, 700.0, 1_500.0));
        assert!(!is_beside_crowd(1.2, 50.0, 1_500.0), "without a crowd");
        assert!(!is_beside_crowd(25.0, 800.0, 1_500.0), "more than the crowd itself");
    }

    #[test]
    fn what_began_as_exhaustion_stays_its_own() {
        let mut memory = Memory::default();
        assert!(!memory.belongs_to_exhaustion(Tick::new(100), false));
        assert!(memory.belongs_to_exhaustion(Tick::new(200), true));
        assert!(
            memory.belongs_to_exhaustion(Tick::new(400), false) && memory.belongs_to_exhaustion(Tick::new(600), false)
        );
        assert!(!memory.belongs_to_exhaustion(Tick::new(900), false));
    }
}
