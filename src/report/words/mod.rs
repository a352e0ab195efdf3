//! What the summary and the pages say of minutes and of the run, by language.
//!
//! Sentences about alerts are in [`crate::alert::text`]; these here are about spans of minutes, origins, the present and
//! the limits of the data. A language is one file beside `en` that fills [`Labels`] and answers [`Words`]; [`of`] chooses.
//! What is alike in all languages is written once, here.

mod en;
mod fr;
mod labels;
mod names;

use std::collections::BTreeSet;

use crate::alert::Alert;
use crate::alert::text::Language;
use crate::alert::text::notation::Notation;
use crate::country::Country;
use crate::detect::engine::Home;
use crate::detect::finding::Caveat;
use crate::detect::minute::{Estimate, MinuteKind, MinuteVerdict};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::report::RunReport;
use crate::report::layout::{date, minute_of_day};
use crate::report::live::{Column, Standing};
use crate::report::span::Span;

pub(crate) use labels::Labels;

/// What one language says.
pub(crate) trait Words: Sync {
    /// Returns the fixed texts.
    fn labels(&self) -> &'static Labels;

    /// Returns how numbers are written.
    fn notation(&self) -> Notation;

    /// Names the verdict of a minute.
    fn minute(&self, kind: MinuteKind) -> &'static str;

    /// Says in plain words what such minutes are.
    fn plain(&self, kind: MinuteKind) -> &'static str;

    /// Titles a report by the gravest thing that happened.
    fn headline(&self, gravest: Gravest) -> &'static str;

    /// Names what a site is in right now.
    fn standing(&self, standing: Standing) -> &'static str;

    /// Says in plain words what that is, where no alert says it.
    fn plain_standing(&self, standing: Standing) -> &'static str;

    /// Writes a minute's verdict and figures in a few words.
    fn minute_figures(&self, minute: &MinuteVerdict) -> String;

    /// Writes what became of the requests of a column of the time line.
    fn column(&self, column: &Column) -> String;

    /// Writes the figures of a span that its verdict rests on.
    fn figures(&self, span: &Span) -> String;

    /// Says how many more times there were.
    fn more_times(&self, more: usize) -> String;

    /// Says that no attack has an origin, since there was none.
    fn no_attack(&self) -> &'static str;

    /// Says that the senders of so many of all attacks were forged.
    fn forged(&self, forged: usize, attacks: usize) -> String;

    /// Says where robots came from, by the names of countries; none where they came from too many.
    fn robots_from(&self, countries: &[String]) -> String;

    /// Says that no attack from abroad is supported.
    fn none_from_abroad(&self) -> &'static str;

    /// Says that home is not known.
    fn home_unknown(&self, home: &Home) -> String;

    /// Says what of the packets was lost: how many, of how many, and their share.
    fn lost(&self, packets: u64, lost: u64) -> String;

    /// Says which share of the packets an overloaded run did not count.
    fn shed(&self, share: f64) -> String;

    /// Says what of the packets could not be read.
    fn unread(&self, count: u64, share: f64) -> String;

    /// Returns what a caveat of some alert means for the whole report.
    fn reservation(&self, caveat: Caveat) -> Option<&'static str>;

    /// Says how many tests could not be made.
    fn unarmed(&self, unarmed: usize, tests: usize) -> String;

    /// Says that alerts had to be forgotten.
    fn forgotten(&self, alerts: u64) -> String;

    /// Lists what flow data cannot tell, whatever it shows (DETECTION 4.5).
    fn blind_spots(&self) -> [&'static str; 6];

    /// Says how home was found.
    fn how_home(&self, home: &Home) -> String;

    /// Says what counts as home, how that was found, and which table of countries was used.
    fn home_and_table(&self, home: &str, how: &str, table: &str) -> String;

    /// Says why a detector is not at work; `why` is the engine's own English.
    fn why_not(&self, why: &str) -> String;

    /// Writes the facts of an alert: times, length, delay, verdict, confidence, evidence and its line.
    fn alert_facts(&self, facts: &AlertFacts<'_>) -> String;

    /// Returns the name of a country, where it has one.
    fn name(&self, country: Country) -> Option<&'static str>;

    /// Names a country, with its code.
    fn country(&self, country: Country) -> String {
        self.name(country).map_or_else(|| country.to_string(), |name| format!("{name} ({country})"))
    }
}

/// What an alert's line of facts is made of, in the language's own notation.
#[derive(Debug)]
pub(crate) struct AlertFacts<'a> {
    pub(crate) start: &'a str,
    /// `None` while it goes on.
    pub(crate) end: Option<&'a str>,
    pub(crate) length: &'a str,
    pub(crate) pulses: u32,
    pub(crate) delay: &'a str,
    pub(crate) verdict: &'a str,
    pub(crate) confidence: &'a str,
    pub(crate) score: &'a str,
    pub(crate) line: &'a str,
}

/// The gravest thing that happened in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gravest {
    AttackAndOverload,
    Attack,
    Overload,
    Fault,
    Undetermined,
    AttackBorne,
    RushBorne,
    Alerts,
    NothingJudged,
    Nothing,
}

/// Returns the words of a language.
pub(crate) fn of(language: Language) -> &'static dyn Words {
    match language {
        Language::English => &en::English,
        Language::French => &fr::French,
    }
}

/// Returns the gravest thing that happened in a run.
pub(crate) fn gravest(report: &RunReport) -> Gravest {
    let had = |kinds: &[MinuteKind]| report.minutes.iter().any(|minute| kinds.contains(&minute.verdict));
    let attacked = had(&[MinuteKind::Attack, MinuteKind::Mixed]);
    let overloaded = had(&[MinuteKind::Overload, MinuteKind::Mixed]);
    match (attacked, overloaded) {
        (true, true) => Gravest::AttackAndOverload,
        (true, false) => Gravest::Attack,
        (false, true) => Gravest::Overload,
        _ if had(&[MinuteKind::Fault]) => Gravest::Fault,
        _ if had(&[MinuteKind::Undetermined]) => Gravest::Undetermined,
        _ if had(&[MinuteKind::AttackAbsorbed]) => Gravest::AttackBorne,
        _ if had(&[MinuteKind::RushAbsorbed]) => Gravest::RushBorne,
        _ if report.alerts.iter().any(|alert| alert.severity > Severity::Info) => Gravest::Alerts,
        _ if report.minutes.is_empty() => Gravest::NothingJudged,
        _ => Gravest::Nothing,
    }
}

/// Says when a span was: `09:02-09:12`, with dates where they differ from that of the run's start.
pub(super) fn when(span: &Span, first_day: &str) -> String {
    let day = date(span.start);
    let day = if day == first_day { String::new() } else { format!("{day} ") };
    format!("{day}{}-{}", minute_of_day(span.start), minute_of_day(span.end))
}

/// Writes a rate with the half of its interval.
fn within(n: Notation, estimate: Estimate) -> String {
    let half = (estimate.high - estimate.low) / 2.0;
    if estimate.value > 0.0 && half / estimate.value >= 0.005 && half.is_finite() {
        return format!("{} (± {})", n.rate(estimate.value), n.percent(half / estimate.value));
    }
    n.rate(estimate.value)
}

/// Answers "what happened?": for each kind of minute that was not normal, the gravest first, when, and a sentence.
pub(super) fn happened(
    words: &dyn Words,
    spans: &[Span],
    site: Option<&str>,
    first_day: &str,
) -> Vec<(String, String)> {
    const GRAVEST_FIRST: [MinuteKind; 7] = [
        MinuteKind::Attack,
        MinuteKind::Mixed,
        MinuteKind::Overload,
        MinuteKind::Fault,
        MinuteKind::Undetermined,
        MinuteKind::AttackAbsorbed,
        MinuteKind::RushAbsorbed,
    ];
    let at = site.map(|site| format!("{site}: ")).unwrap_or_default();
    let of_kind = |kind| {
        let spans: Vec<_> = spans.iter().filter(|span| span.verdict == kind).collect();
        let minutes: usize = spans.iter().map(|span| span.minutes).sum();
        (minutes > 0).then(|| {
            let shown: Vec<_> = spans.iter().take(4).map(|span| when(span, first_day)).collect();
            let more = spans.len().saturating_sub(4);
            let more = if more > 0 { words.more_times(more) } else { String::new() };
            let long = words.notation().duration(minutes as f64 * 60.0);
            (format!("{at}{long} ({}{more}):", shown.join(", ")), words.plain(kind).to_owned())
        })
    };
    GRAVEST_FIRST.into_iter().filter_map(of_kind).collect()
}

/// Answers "from where?" as far as the data can: only verified sources have a country, forged ones have none.
pub(super) fn origin_of_attacks(words: &dyn Words, report: &RunReport) -> Vec<String> {
    let attacks: Vec<&Alert> = report.alerts.iter().filter(|alert| is_attack(alert)).collect();
    let forged = attacks.iter().filter(|alert| alert.spoofed).count();
    let abroad: Vec<&&Alert> = attacks.iter().filter(|alert| alert.kind == AlertKind::ForeignSurge).collect();
    let mut answers = Vec::new();
    if attacks.is_empty() {
        answers.push(words.no_attack().to_owned());
    }
    if forged > 0 {
        answers.push(words.forged(forged, attacks.len()));
    }
    if !abroad.is_empty() {
        answers.push(words.robots_from(&countries(words, &abroad)));
    } else if !attacks.is_empty() {
        answers.push(words.none_from_abroad().to_owned());
    }
    if report.home.countries.is_empty() {
        answers.push(words.home_unknown(&report.home));
    }
    answers
}

/// Answers "how sure is this?".
pub(super) fn how_sure(words: &dyn Words, report: &RunReport) -> Vec<String> {
    let accounting = &report.accounting;
    let lost = accounting.dropped.kernel + accounting.dropped.interface;
    let discarded: u64 = accounting.discarded.values().sum();
    let mut answers = vec![words.lost(accounting.packets, lost)];
    if accounting.shed > 0 {
        answers.push(words.shed(accounting.shed as f64 / accounting.packets.max(1) as f64));
    }
    if discarded > 0 {
        answers.push(words.unread(discarded, discarded as f64 / accounting.packets.max(1) as f64));
    }
    let caveats: BTreeSet<Caveat> = report.alerts.iter().flat_map(|alert| alert.caveats.iter().copied()).collect();
    answers.extend(caveats.into_iter().filter_map(|caveat| words.reservation(caveat)).map(str::to_owned));
    let unarmed = report.detectors.iter().filter(|detector| detector.since.is_none()).count();
    if unarmed > 0 {
        answers.push(words.unarmed(unarmed, report.detectors.len()));
    }
    answers.extend(faults(words, report));
    answers
}

/// Returns what went wrong, what had to be forgotten included.
pub(super) fn faults(words: &dyn Words, report: &RunReport) -> Vec<String> {
    let mut faults = report.faults.clone();
    if report.alerts_forgotten > 0 {
        faults.push(words.forgotten(report.alerts_forgotten));
    }
    faults
}

fn is_attack(alert: &Alert) -> bool {
    matches!(alert.verdict, Verdict::Attack | Verdict::Mixed)
        && alert.kind.is_attack()
        && alert.severity > Severity::Info
}

fn countries(words: &dyn Words, alerts: &[&&Alert]) -> Vec<String> {
    let named: BTreeSet<Country> = alerts
        .iter()
        .flat_map(|alert| alert.origins.iter().take(3))
        .filter(|origin| origin.country.is_known())
        .map(|origin| origin.country)
        .collect();
    named.into_iter().map(|country| words.country(country)).collect()
}
