//! Robotic surge: look-alike connections, completed and with data, inside ordinary traffic (DETECTION 4.2, FC-1).
//!
//! Method: more verified connections than usual, in the whole or in one stratum, whose excess behaves like robots at two
//! looks in a row. How sure it is that there is an excess at all comes from the volume (envelope CUSUM) or from the leading
//! shape, which is rarer in as many ordinary connections than seen (negative binomial): robots that add half of the usual
//! traffic stay under the envelope of the volume and stand out by their shape. What mostly comes from abroad is said by
//! `foreign_surge`, and here only when that keeps silent.
//!
//! Sources: those of `detect/behaviour.rs`; DETECTION 4.3 step 4.
//!
//! Blind spots: robots that are as varied as people; robots that add less than a fifth; a handful of busy sources, which
//! may be a crawler or a load test, are a suspicion only.

use crate::detect::behaviour::{Behaviour, DECISIVE};
use crate::detect::finding::{FigureName as F, Finding, SourceShare};
use crate::detect::strata::{self, Excess, Held, LOOKS, Strata};
use crate::detect::view::{SAID_FROM, Situation, View, figure, on_tcp, origins_of_excess};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::Tick;
use crate::window::subject::{Subject, VERIFIED_FLOOR};

/// Sources from which robots are an attack and not one crawler, and connections a second (the floor of rates, DETECTION
/// 1.2) from which fewer are worth a word.
const LEAST_SOURCES: f64 = 8.0;
const FAST: f64 = 20.0;

/// Part of a site's surge from which one host's is all of it.
const ONE_HOST: f64 = 0.8;

/// Ticks for which `foreign_surge` is waited for when most of the excess is from abroad: fifteen seconds.
const WAITS_FOR_FOREIGN: u64 = 60;

/// What is remembered of a subject between looks.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    since: Option<Tick>,
    /// The first and the last tick of the surge under way, pauses of less than a minute included.
    surge: Option<(Tick, Tick)>,
    hurts: bool,
    /// When a surge from abroad last fired.
    pub foreign_at: Option<Tick>,
}

/// Ticks before robots were first told from which its sources may be: fifteen seconds, of which ten until their connections
/// are settled. And those of a pause that ends a surge: a minute.
const LOOKED_AROUND: u64 = 60;
const PAUSE: u64 = 240;

impl Memory {
    /// Returns when the surge under way began; it goes on.
    fn begun(&mut self, now: Tick) -> Tick {
        let first = self.surge.filter(|(_, last)| now.since(*last) <= PAUSE).map_or(now, |(first, _)| first);
        self.surge = Some((first, now));
        first
    }
}

/// The stratum that is held robotic.
struct Robots<'a> {
    excess: Excess,
    behaviour: &'a Behaviour,
    /// Share of its excess that is from abroad.
    abroad: f64,
    /// It is home and abroad together.
    is_whole: bool,
}

/// Judges a subject; the situation is filled in for later detectors.
pub fn detect(
    view: &View,
    subject: &Subject,
    strata: &Strata,
    memory: &mut Memory,
    situation: &mut Situation,
) -> Option<Finding> {
    if situation.foreign {
        memory.foreign_at = Some(view.tick);
    }
    let robots = robots(view, subject, strata);
    // Connections that carry nothing are `connection_exhaustion`.
    let Some(Robots { excess, behaviour, abroad, is_whole }) = robots.filter(|_| !situation.exhausted) else {
        memory.since = None;
        return None;
    };
    let line = view.lines.subject;
    let usual = subject.verified.usual()?;
    let is_above = subject.verified.per_second() >= subject.verified.envelope(VERIFIED_FLOOR)?;
    let score = behaviour.decades.max(if is_above { subject.verified.decades() } else { 0.0 });
    if score < SAID_FROM * line {
        return None;
    }
    // The mixture of a site changes with each service that begins: what one host takes is that host's to say.
    if subject.is_aggregate && view.of_one_host >= ONE_HOST * excess.size() / 10.0 {
        return None;
    }
    let since = *memory.since.get_or_insert(view.tick);
    // A surge from abroad speaks for its robots, and for what is left of them in the minute after it.
    let foreign_speaks = view.site_foreign || situation.foreign;
    let waits_for_foreign = abroad >= 0.5 && view.tick.since(since) < WAITS_FOR_FOREIGN;
    let home_too = strata.robots_everywhere().is_some();
    if waits_for_foreign || (foreign_speaks && (abroad >= 0.5 || is_whole && !home_too)) {
        // It speaks for robots at home too: they count as its own.
        if let Some(all) = strata::all(subject).filter(|_| home_too && situation.robotic) {
            count(&all, false, situation);
        }
        return None;
    }
    let mut finding = view.finding(AlertKind::RoboticSurge, subject, score, line);
    on_tcp(&mut finding, subject.leading_port());
    finding.gates_hold = true;
    finding.onset = if is_above { subject.verified.onset().start() } else { since.start() };
    let fires = finding.fires();
    let newcomers = Tick::new(memory.begun(view.tick).number().saturating_sub(LOOKED_AROUND));
    let by_a_few: f64 =
        [&subject.domestic, &subject.abroad].map(|of| strata::by_a_busy_few(of, newcomers)).iter().sum();
    let rate = excess.size() / 10.0;
    let few = behaviour.sources < LEAST_SOURCES || by_a_few >= 0.5 * excess.size();
    if fires && !few {
        situation.robotic = true;
        count(&excess, abroad == 0.0, situation);
    }
    let hurts = view.hurts(rate, usual, memory.hurts);
    memory.hurts = hurts;
    (finding.severity, finding.verdict, finding.confidence) = match (few, hurts) {
        (true, _) if rate < FAST => (Severity::Info, Some(Verdict::Suspicion), 0.4),
        (true, _) => (Severity::Warning, Some(Verdict::Suspicion), 0.5),
        (false, true) => (Severity::Critical, Some(situation.attack_verdict(view)), confidence(behaviour)),
        (false, false) => (Severity::Warning, Some(situation.attack_verdict(view)), confidence(behaviour)),
    };
    describe(subject, &excess, behaviour, &mut finding);
    Some(finding)
}

/// Counts robots beside those that a surge from abroad has counted, which are among them unless all are from home.
fn count(excess: &Excess, from_home: bool, situation: &mut Situation) {
    if from_home {
        situation.robotic_excess = excess.size() / 10.0;
        situation.robots_now += excess.now();
    } else {
        situation.robotic_excess = (excess.size() / 10.0 - situation.foreign_excess).max(0.0);
        situation.robots_now = excess.now();
    }
}

/// Chooses the stratum that is robotic: one from home or from abroad before both together.
fn robots<'a>(view: &View, subject: &Subject, strata: &'a Strata) -> Option<Robots<'a>> {
    let (home, abroad, all) = (strata::home(subject), strata::abroad(subject), strata::all(subject)?);
    let size = |excess: Option<Excess>| excess.map_or(0.0, |excess| excess.size());
    let foreign_part = size(abroad) / (size(home) + size(abroad)).max(1.0);
    let candidate = |held: &'a Held, excess: Option<Excess>, abroad, is_whole| {
        let behaviour = held.behaviour.as_ref().filter(|_| held.robotic_looks >= LOOKS)?;
        Some(Robots { excess: excess.filter(Excess::is_surge)?, behaviour, abroad, is_whole })
    };
    // The whole must have grown too: one country's gain may be another's loss.
    let grown = all.size() >= 0.5 * strata::LEAST_EXCESS;
    let parts = [candidate(&strata.home, home, 0.0, false), candidate(&strata.abroad, abroad, 1.0, false)];
    let largest = parts.into_iter().flatten().reduce(|a, b| if b.excess.size() > a.excess.size() { b } else { a });
    let foreign_part = if view.home_known { foreign_part } else { 0.0 };
    largest.or_else(|| candidate(&strata.all, Some(all), foreign_part, true)).filter(|_| grown)
}

/// Confidence grows with the evidence beyond the line.
fn confidence(behaviour: &Behaviour) -> f64 {
    (0.8 + behaviour.nats / 60.0).clamp(0.5, 0.98)
}

fn describe(subject: &Subject, excess: &Excess, behaviour: &Behaviour, finding: &mut Finding) {
    let envelope = subject.verified.envelope(VERIFIED_FLOOR);
    // Chance alone makes one stratum larger than usual beside the one that surges.
    let [home, abroad] = [strata::home(subject), strata::abroad(subject)]
        .map(|part| part.is_some_and(|part| part.is_surge() && part.size() >= 0.2 * excess.size()));
    finding.figures.push(figure(F::VerifiedPerSecond, subject.verified.per_second(), envelope));
    finding.figures.push(figure(F::ExcessPerSecond, excess.size() / 10.0, Some(0.0)));
    finding.figures.extend(behaviour.figures.iter().copied());
    finding.origins = origins_of_excess(subject, home || !abroad, abroad || !home);
    let strata = [&subject.domestic, &subject.abroad];
    let mut sources: Vec<_> = strata.iter().flat_map(|stratum| stratum.sources.heaviest(20)).collect();
    sources.sort_by_key(|(address, packets, _)| (std::cmp::Reverse(*packets), *address));
    finding.sources =
        sources.into_iter().take(20).map(|(address, packets, bytes)| SourceShare { address, packets, bytes }).collect();
    finding.settings = vec![
        ("alert_at", finding.alert_at),
        ("decisive_nats", DECISIVE),
        ("looks", f64::from(LOOKS)),
        ("least_sources", LEAST_SOURCES),
        ("window_seconds", 10.0),
    ];
    finding.settings.extend(behaviour.weights.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn robots_from_abroad_are_counted_once() {
        let excess = Excess { observed: 1_000.0, expected: 200.0, now: 25.0 };
        let counted = |from_home| {
            let mut situation = Situation { foreign_excess: 30.0, robots_now: 8.0, ..Situation::default() };
            count(&excess, from_home, &mut situation);
            (situation.verified_robots(), situation.robots_now)
        };
        assert_eq!(counted(false), (80.0, 20.0), "those from abroad are among them");
        assert_eq!(counted(true), (110.0, 28.0), "those from abroad are others");
    }
}
