//! What the summary and the page say of minutes and of the run, by language.
//!
//! Sentences about alerts are in [`crate::alert::text`]; these here are about spans of minutes, origins and the limits of
//! the data. [`Words::of`] chooses the writer of a language; English is the only one so far.

use std::collections::BTreeSet;

use crate::alert::Alert;
use crate::alert::text::Language;
use crate::alert::text::notation::Notation;
use crate::detect::finding::Caveat;
use crate::detect::minute::{MinuteKind, Resource};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::report::RunReport;
use crate::report::layout::{date, minute_of_day};
use crate::report::span::Span;

/// The writer of one language.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) n: Notation,
}

impl Words {
    pub(super) const fn of(language: Language) -> Self {
        match language {
            Language::English => Self { n: language.notation() },
        }
    }

    /// Names the verdict of a minute.
    pub(super) const fn minute(self, kind: MinuteKind) -> &'static str {
        match kind {
            MinuteKind::Normal => "normal",
            MinuteKind::RushAbsorbed => "rush, absorbed",
            MinuteKind::AttackAbsorbed => "attack, absorbed",
            MinuteKind::Overload => "overload",
            MinuteKind::Attack => "attack",
            MinuteKind::Mixed => "attack and overload",
            MinuteKind::Fault => "fault",
            MinuteKind::Undetermined => "undetermined",
        }
    }

    /// Says in plain words what such minutes are.
    pub(super) const fn plain(self, kind: MinuteKind) -> &'static str {
        match kind {
            MinuteKind::Normal => "Nothing unusual.",
            MinuteKind::RushAbsorbed => "Many more real users than usual came, and the service bore them.",
            MinuteKind::AttackAbsorbed => "There was an attack, and the service bore it.",
            MinuteKind::Overload => "Real users asked for more than the service could bear. No attack explains it.",
            MinuteKind::Attack => {
                "An attack harmed the service. Without it the service would have borne the real users."
            }
            MinuteKind::Mixed => {
                "Real users alone asked for more than the service could bear, and an attack came on top."
            }
            MinuteKind::Fault => {
                "The service was bad with neither a crowd nor an attack: look at hosting, database or release."
            }
            MinuteKind::Undetermined => "The service was bad, and the figures do not say why.",
        }
    }

    /// Says when a span was: `09:02-09:12`, with dates where they differ from that of the run's start.
    pub(super) fn when(self, span: &Span, first_day: &str) -> String {
        let day = |moment| {
            let day = date(moment);
            if day == first_day { String::new() } else { format!("{day} ") }
        };
        let (start, end) = (minute_of_day(span.start), minute_of_day(span.end));
        format!("{}{start}-{end}", day(span.start))
    }

    /// Writes the figures of a span that its verdict rests on.
    pub(super) fn figures(self, span: &Span) -> String {
        let n = self.n;
        let demand = format!("demand {}", self.within(span.demand_per_second));
        let least = if span.capacity_is_at_least { "at least " } else { "" };
        let capacity = span.capacity_per_second.map(|capacity| format!("{least}{}", n.rate(capacity)));
        let out = span.exhausted.map_or("", ran_out);
        let share = span.attack_share;
        let attack = format!("attack share {}", n.percent_within(share.value, share.low, share.high));
        let capacity = |relation: &str| capacity.as_ref().map_or(String::new(), |c| format!(" {relation} {c}"));
        match span.verdict {
            MinuteKind::Normal => demand,
            MinuteKind::RushAbsorbed if share.value < 0.01 => format!("{demand}, served"),
            MinuteKind::RushAbsorbed => format!("{demand}, served; {attack}"),
            MinuteKind::AttackAbsorbed => format!("{attack}; {demand}, served"),
            MinuteKind::Overload | MinuteKind::Mixed => {
                format!("{demand} against a shown capacity{}; {attack}{out}", capacity("of"))
            }
            MinuteKind::Attack => format!("{attack}; {demand}, within the shown capacity{}{out}", capacity("of")),
            MinuteKind::Fault => format!("{demand}, within the shown capacity{}; {attack}", capacity("of")),
            MinuteKind::Undetermined => format!("{demand}; {attack}; shown capacity{}", capacity("of")),
        }
    }

    fn within(self, estimate: crate::detect::minute::Estimate) -> String {
        let half = (estimate.high - estimate.low) / 2.0;
        if estimate.value > 0.0 && half / estimate.value >= 0.005 && half.is_finite() {
            return format!("{} (± {})", self.n.rate(estimate.value), self.n.percent(half / estimate.value));
        }
        self.n.rate(estimate.value)
    }

    /// Answers "what happened?": for each kind of minute that was not normal, the gravest first, when, and a sentence.
    pub(super) fn happened(self, spans: &[Span], site: Option<&str>, first_day: &str) -> Vec<(String, String)> {
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
                let shown: Vec<_> = spans.iter().take(4).map(|span| self.when(span, first_day)).collect();
                let more = spans.len().saturating_sub(4);
                let more = if more > 0 { format!(" and {more} more times") } else { String::new() };
                let long = self.n.duration(minutes as f64 * 60.0);
                (format!("{at}{long} ({}{more}):", shown.join(", ")), self.plain(kind).to_owned())
            })
        };
        GRAVEST_FIRST.into_iter().filter_map(of_kind).collect()
    }

    /// Answers "from where?" as far as the data can: only verified sources have a country, forged ones have none.
    pub(super) fn origin_of_attacks(self, report: &RunReport) -> Vec<String> {
        let attacks: Vec<&Alert> = report.alerts.iter().filter(|alert| is_attack(alert)).collect();
        let forged = attacks.iter().filter(|alert| alert.spoofed).count();
        let abroad: Vec<&&Alert> = attacks.iter().filter(|alert| alert.kind == AlertKind::ForeignSurge).collect();
        let mut answers = Vec::new();
        if attacks.is_empty() {
            answers.push("No attack was found, so there is no origin to name.".to_owned());
        }
        if forged > 0 {
            answers.push(format!(
                "The senders of {} were forged: their origin cannot be attributed to any country.",
                some_of(forged, attacks.len())
            ));
        }
        if !abroad.is_empty() {
            answers.push(format!(
                "Robotic traffic came from addresses registered in {}. Where an address is registered is not who sits \
                 behind it.",
                countries(&abroad)
            ));
        } else if !attacks.is_empty() {
            answers.push("No attack from abroad is supported by the data.".to_owned());
        }
        if report.home.countries.is_empty() {
            answers.push(format!("Which country counts as home is not known ({}).", report.home.how));
        }
        answers
    }

    /// Answers "how sure is this?".
    pub(super) fn how_sure(self, report: &RunReport) -> Vec<String> {
        let accounting = &report.accounting;
        let lost = accounting.dropped.kernel + accounting.dropped.interface;
        let discarded: u64 = accounting.discarded.values().sum();
        let packets = self.n.whole(accounting.packets);
        let share = |count: u64| self.n.percent(count as f64 / accounting.packets.max(1) as f64);
        let mut answers = vec![match (accounting.packets, lost) {
            (0, _) => "There was no packet to examine.".to_owned(),
            (_, 0) => format!("None of {packets} packets was lost."),
            _ => format!(
                "{} of {packets} packets were lost before they could be examined ({}).",
                self.n.whole(lost),
                share(lost)
            ),
        }];
        if discarded > 0 {
            let (count, share) = (self.n.whole(discarded), share(discarded));
            answers.push(format!("{count} packets ({share}) were not IP or could not be read."));
        }
        let caveats: BTreeSet<Caveat> = report.alerts.iter().flat_map(|alert| alert.caveats.iter().copied()).collect();
        answers.extend(caveats.into_iter().filter_map(reservation).map(str::to_owned));
        let unarmed = report.detectors.iter().filter(|detector| detector.since.is_none()).count();
        if unarmed > 0 {
            answers.push(format!(
                "{unarmed} of {} tests could not be made; the reasons are listed under capture and settings.",
                report.detectors.len()
            ));
        }
        answers.extend(report.all_faults());
        answers
    }

    /// Lists what flow data cannot tell, whatever it shows (DETECTION 4.5).
    pub(super) const fn blind_spots(self) -> [&'static str; 6] {
        [
            "Where an address is registered is not where its user sits, nor who that is: networks are rented, hacked \
             and used through relays.",
            "Forged senders have no origin at all. A country named for them would be noise.",
            "One HTTP/2 or QUIC connection can carry thousands of requests. A flood inside few connections shows as an \
             overload whose cause is not visible here.",
            "Content is encrypted and was not looked at: whether a log-in succeeded, which page was asked for and what \
             was copied cannot be told. Such findings say \"consistent with\".",
            "Patient robots that behave like people are not told from people.",
            "Attacks below a tenth of the usual traffic, or below 50 requests a second, may have been missed.",
        ]
    }
}

/// Says what ran out, as a clause; the service itself is what the sentence is about.
const fn ran_out(resource: Resource) -> &'static str {
    match resource {
        Resource::SynQueue => "; places for half-open connections ran out",
        Resource::AcceptQueue => "; the queue of waiting connections was full",
        Resource::Connections => "; places for open connections were used up",
        Resource::Service => "",
    }
}

fn is_attack(alert: &Alert) -> bool {
    matches!(alert.verdict, Verdict::Attack | Verdict::Mixed)
        && alert.kind.is_attack()
        && alert.severity > Severity::Info
}

fn some_of(some: usize, all: usize) -> String {
    match (some, all) {
        (1, 1) => "the attack".to_owned(),
        (some, all) if some == all => format!("all {all} attacks"),
        (some, all) => format!("{some} of {all} attacks"),
    }
}

fn countries(alerts: &[&&Alert]) -> String {
    let named: BTreeSet<String> = alerts
        .iter()
        .flat_map(|alert| alert.origins.iter().take(3))
        .filter(|origin| origin.country.is_known())
        .map(|origin| origin.country.to_string())
        .collect();
    if named.is_empty() { "several countries".to_owned() } else { named.into_iter().collect::<Vec<_>>().join(", ") }
}

/// Returns what a caveat of some alert means for the whole report.
const fn reservation(caveat: Caveat) -> Option<&'static str> {
    match caveat {
        Caveat::OneSided => Some("Only one direction was captured, so what the servers answered is not known."),
        Caveat::CaptureLoss => Some("Packets were lost during some alerts: their rates and shares may be off."),
        Caveat::ColdStart => Some("What is usual was learned from minutes of this capture, not from weeks."),
        Caveat::NoProfile => {
            Some("What is usual was learned in hours; the time of the week was not taken into account.")
        }
        Caveat::YoungProfile => Some("The weekly profile was less than a fortnight old."),
        Caveat::DeclaredEvent => Some("A declared event was on during some alerts, so more than usual was expected."),
        Caveat::Duplicates => Some("Packets were seen more than once; rates were corrected for it."),
        Caveat::EstimatesDiffer => Some("Two ways to estimate the attack share disagreed in part of the run."),
        Caveat::ServerSilent => Some("A server answered hardly anything, so only its clients' side could be judged."),
        Caveat::Unattributable | Caveat::Reflectors | Caveat::Sampled | Caveat::HumanLike => None,
    }
}
