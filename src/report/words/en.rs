//! English: what the summary and the pages say.

use super::labels::{Legend, LiveLabels, MapLabels, Phases};
use super::{AlertFacts, Gravest, Labels, Words, names, within};
use crate::alert::text::notation::Notation;
use crate::country::Country;
use crate::detect::engine::Home;
use crate::detect::finding::Caveat;
use crate::detect::minute::{MinuteKind, MinuteVerdict, Resource};
use crate::report::live::{Column, Standing};
use crate::report::span::Span;

const N: Notation = Notation::ENGLISH;

/// The writer.
#[derive(Debug)]
pub(super) struct English;

impl Words for English {
    fn labels(&self) -> &'static Labels {
        &LABELS
    }

    fn notation(&self) -> Notation {
        N
    }

    fn minute(&self, kind: MinuteKind) -> &'static str {
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

    fn plain(&self, kind: MinuteKind) -> &'static str {
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

    fn headline(&self, gravest: Gravest) -> &'static str {
        match gravest {
            Gravest::AttackAndOverload => "Both: real users overloaded the service, and it was attacked",
            Gravest::Attack => "An attack harmed the service",
            Gravest::Overload => "Real users overloaded the service",
            Gravest::Fault => "The service failed with neither a crowd nor an attack",
            Gravest::Undetermined => "The service was bad, and the figures do not say why",
            Gravest::AttackBorne => "An attack was borne without harm",
            Gravest::RushBorne => "A rush of users was borne without harm",
            Gravest::Alerts => "The service held; there are alerts to look at",
            Gravest::NothingJudged => "Nothing could be judged",
            Gravest::Nothing => "Nothing unusual happened",
        }
    }

    fn standing(&self, standing: Standing) -> &'static str {
        match standing {
            Standing::Mixed => "attack and overload",
            Standing::Attack => "attack",
            Standing::Overload => "overload",
            Standing::Trouble => "service in trouble",
            Standing::Suspicion => "suspicion",
            Standing::Rush => "rush of users",
            Standing::Ordinary => "ordinary",
            Standing::Unjudged => "not judged yet",
        }
    }

    fn plain_standing(&self, standing: Standing) -> &'static str {
        match standing {
            Standing::Mixed => "Real users ask for more than the service can bear, and an attack comes on top.",
            Standing::Attack => "The service is under attack.",
            Standing::Overload => "Real users ask for more than the service can bear. No attack explains it.",
            Standing::Trouble => "The service is not well, and neither a crowd nor an attack explains it.",
            Standing::Suspicion => "Something may be an attack; the figures do not prove it.",
            Standing::Rush => "Many more real users than usual are here.",
            Standing::Ordinary => "Nothing unusual.",
            Standing::Unjudged => "The first full minute is not over yet.",
        }
    }

    fn minute_figures(&self, minute: &MinuteVerdict) -> String {
        let capacity = minute.capacity_per_second.map(|c| format!(", capacity {}", N.rate(c)));
        format!(
            "{}: demand {}, attack {}, answered {}{}",
            self.minute(minute.verdict),
            N.rate(minute.demand_per_second.value),
            N.percent(minute.attack_share.value),
            N.percent(minute.answered_share),
            capacity.unwrap_or_default()
        )
    }

    fn column(&self, column: &Column) -> String {
        format!(
            "completed {}, unfinished {}, unanswered {}",
            N.rate(column.completed),
            N.rate(column.unfinished),
            N.rate(column.unanswered)
        )
    }

    fn figures(&self, span: &Span) -> String {
        let demand = format!("demand {}", within(N, span.demand_per_second));
        let least = if span.capacity_is_at_least { "at least " } else { "" };
        let capacity = span.capacity_per_second.map(|capacity| format!("{least}{}", N.rate(capacity)));
        let out = span.exhausted.map_or("", ran_out);
        let share = span.attack_share;
        let attack = format!("attack share {}", N.percent_within(share.value, share.low, share.high));
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

    fn more_times(&self, more: usize) -> String {
        format!(" and {more} more times")
    }

    fn no_attack(&self) -> &'static str {
        "No attack was found, so there is no origin to name."
    }

    fn forged(&self, forged: usize, attacks: usize) -> String {
        let some = match (forged, attacks) {
            (1, 1) => "the attack".to_owned(),
            (some, all) if some == all => format!("all {all} attacks"),
            (some, all) => format!("{some} of {all} attacks"),
        };
        format!("The senders of {some} were forged: their origin cannot be attributed to any country.")
    }

    fn robots_from(&self, countries: &[String]) -> String {
        let named = if countries.is_empty() { "several countries".to_owned() } else { countries.join(", ") };
        format!(
            "Robotic traffic came from addresses registered in {named}. Where an address is registered is not who sits \
             behind it."
        )
    }

    fn none_from_abroad(&self) -> &'static str {
        "No attack from abroad is supported by the data."
    }

    fn home_unknown(&self, home: &Home) -> String {
        format!("Which country counts as home is not known ({}).", home.how)
    }

    fn lost(&self, packets: u64, lost: u64) -> String {
        match (packets, lost) {
            (0, _) => "There was no packet to examine.".to_owned(),
            (_, 0) => format!("None of {} packets was lost.", N.whole(packets)),
            _ => format!(
                "{} of {} packets were lost before they could be examined ({}).",
                N.whole(lost),
                N.whole(packets),
                N.percent(lost as f64 / packets as f64)
            ),
        }
    }

    fn shed(&self, share: f64) -> String {
        format!(
            "More packets came than could be handled, and {} of them were not counted: whole conversations, chosen at random, \
             for which rates are corrected.",
            N.percent(share)
        )
    }

    fn unread(&self, count: u64, share: f64) -> String {
        format!("{} packets ({}) were not IP or could not be read.", N.whole(count), N.percent(share))
    }

    fn reservation(&self, caveat: Caveat) -> Option<&'static str> {
        match caveat {
            Caveat::OneSided => Some("Only one direction was captured, so what the servers answered is not known."),
            Caveat::CaptureLoss => Some("Packets were lost during some alerts: their rates and shares may be off."),
            Caveat::ColdStart => Some("What is usual was learned from minutes of this capture, not from weeks."),
            Caveat::NoProfile => {
                Some("What is usual was learned in hours; the time of the week was not taken into account.")
            }
            Caveat::YoungProfile => Some("The weekly profile was less than a fortnight old."),
            Caveat::DeclaredEvent => {
                Some("A declared event was on during some alerts, so more than usual was expected.")
            }
            Caveat::Duplicates => Some("Packets were seen more than once; rates were corrected for it."),
            Caveat::Shed => Some(
                "For a time more packets came than could be handled: rates were estimated from a uniform sample of the conversations.",
            ),
            Caveat::EstimatesDiffer => Some("Two ways to estimate the attack share disagreed in part of the run."),
            Caveat::ServerSilent => {
                Some("A server answered hardly anything, so only its clients' side could be judged.")
            }
            Caveat::Unattributable | Caveat::Reflectors | Caveat::Sampled | Caveat::HumanLike => None,
        }
    }

    fn unarmed(&self, unarmed: usize, tests: usize) -> String {
        format!("{unarmed} of {tests} tests could not be made; the reasons are listed under capture and settings.")
    }

    fn forgotten(&self, alerts: u64) -> String {
        format!("{alerts} earlier alerts, the least severe first, are not listed: there were too many to remember.")
    }

    fn blind_spots(&self) -> [&'static str; 6] {
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

    fn how_home(&self, home: &Home) -> String {
        home.how.clone()
    }

    fn home_and_table(&self, home: &str, how: &str, table: &str) -> String {
        format!("Home: {home} ({how}). Table of countries: {table}.")
    }

    fn name(&self, country: Country) -> Option<&'static str> {
        names::english(country)
    }

    fn why_not(&self, why: &str) -> String {
        why.to_owned()
    }

    fn alert_facts(&self, facts: &AlertFacts<'_>) -> String {
        let pulse = if facts.pulses > 1 { format!(", pulse {}", facts.pulses) } else { String::new() };
        let when = match facts.end {
            Some(end) => format!("{} to {end} UTC", facts.start),
            None => format!("since {} UTC", facts.start),
        };
        format!(
            "{when} ({}{pulse}) · seen after {} · verdict: {}, confidence {} · evidence {} decades, alert line {}",
            facts.length, facts.delay, facts.verdict, facts.confidence, facts.score, facts.line,
        )
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

const LABELS: Labels = Labels {
    report: "Vigie after-action report",
    report_of: "Vigie report: {}",
    no_packet: "No packet was read.",
    nothing_judged: "No minute could be judged: no protected site carried traffic.",
    nothing_unusual: "Nothing unusual happened in any minute.",
    what_happened: "What happened?",
    from_where: "From where?",
    how_sure: "How sure is this?",
    time_line: "Time-line",
    map: MapLabels {
        title: "{}: visitors by country",
        whole_run: "Verified traffic by country",
        home: "home",
        abroad: "abroad",
        note: "The stronger the tone of a tile, the larger the share: less than 1 %, 5 %, 20 %, and more. A tile \
               stands near its country's place.",
    },
    legend: Legend {
        demand: "real demand",
        attack: "attack",
        answered: "answered by the server",
        capacity: "capacity shown so far",
    },
    strip_note: "The strip below the time axis is the verdict of each minute; the bars under it are alerts.",
    chart_title: "Requests a second to {}, by minute: demand, attack, answered, capacity",
    chart_caption: "{}, requests a second, UTC",
    quieter_sites: "{} quieter sites are in the table only.",
    minute_by_minute: "Minute by minute",
    minutes_note: "Minutes in a row with the same verdict are one line. Times are UTC.",
    when: "When",
    verdict: "Verdict",
    in_plain_words: "In plain words",
    demand: "Demand",
    capacity: "Capacity",
    attack_share: "Attack share",
    answered: "Answered",
    not_shown: "not shown",
    at_least: "at least {}",
    more_changes: "{} more changes are in the JSON summary.",
    incidents: "Incidents and their evidence",
    no_alert: "No alert was raised.",
    more_alerts: "{} more alerts, none louder than these, are in the alert file.",
    incident: "Incident",
    filter: "Capture filter",
    figure: "Figure",
    seen: "Seen",
    usual: "Usual",
    largest: "Largest",
    unknown: "unknown",
    link: "the monitored link",
    port: "port",
    hosts: "hosts",
    heaviest_sources: "Heaviest verified sources: {}.",
    packets: "packets",
    origins: "Where traffic came from",
    no_origins: "No inbound traffic to a protected site was seen.",
    origins_note: "Inbound traffic of the whole run. A country is given only to senders that proved their address, and it \
                   is where that address is registered, not where its user sits. Traffic of senders that proved nothing \
                   is unproven; addresses in no table are unknown and never counted as foreign.",
    registered_in: "Registered in",
    share: "Share",
    bytes: "Bytes",
    home: "home",
    unproven: "unproven",
    none: "none",
    limits: "What the data cannot tell",
    capture_and_settings: "Capture and settings",
    reproduce: "With these and the same capture the same alerts come out.",
    capture: "Capture",
    protected_sites: "Protected sites",
    tests: "Tests",
    settings: "Settings",
    written_by: "Written by Vigie {}.",
    packets_seen: "Packets seen",
    processed: "Processed",
    discarded: "Discarded",
    dropped: "Dropped",
    dropped_at: "kernel {}, interface {}, shed {}",
    bytes_on_the_wire: "Bytes on the wire",
    flows: "Flows",
    late_and_steps: "Late frames, clock steps",
    rate_achieved: "Rate achieved",
    rate_units: ["packets/s", "k packets/s", "M packets/s"],
    rate_in: "{} in {}",
    fault: "Fault",
    found: "found in the traffic",
    configured: "configured",
    at_work_since: "at work since {}",
    not_at_work: "not at work",
    to: "to",
    colon: ": ",
    live: LiveLabels {
        skip: "Skip to the verdicts",
        judged_until: "judged up to {} UTC",
        nothing_yet: "nothing is judged yet",
        phases: Phases {
            starting: "starting",
            running: "running",
            ended: "the run has ended",
            stalled: "stalled: no traffic is being judged",
            failed: "failed",
        },
        no_scripts: "Without scripts this page reloads itself every five seconds.",
        pause: "Pause updates",
        go_on: "Go on updating",
        paused: "Updates are paused.",
        lost: "Vigie does not answer: what is shown is from {}.",
        span: "Time shown",
        language: "Language",
        now: "Right now",
        no_site: "No protected site is known yet. Name what is defended with --protect, or wait until it is found in the \
                  traffic.",
        requests: "requests a second",
        usually: "usually {}, at most {}",
        usual_unknown: "what is usual is not known yet",
        answered: "answered by the server",
        unfinished: "left unfinished by clients",
        abroad: "of visitors from abroad",
        sources: "sources in ten seconds",
        last_minute: "last full minute, {}: {}",
        completed: "completed by the client",
        left: "answered, left unfinished by the client",
        unanswered: "not answered, or refused",
        usual_range: "usual range",
        chart_caption: "{}: TCP connection requests a second, UTC",
        table: "The same as a table",
        time: "Time",
        origins: "Where visitors come from",
        origins_note: "Connections of the last two minutes whose client proved its address, by the country in which that \
                       address is registered. That is not where its user sits. Forged senders appear here with no \
                       country.",
        home_side: "home",
        abroad_side: "abroad",
        unknown_side: "not known",
        other_countries: "{} other countries",
        hour_share: "The mark on a bar is the share over the hour.",
        no_connection: "No verified connection in the last two minutes.",
        unproven_share: "{} of the inbound packets came from senders that proved nothing.",
        open: "Open incidents",
        none_open: "None.",
        evidence: "Evidence, usual range and capture filter",
        closed: "Closed lately",
        none_closed: "None.",
        health: "Sensor health",
        health_good: "The sensor sees what it should.",
        health_bad: "The sensor does not see everything: verdicts of this time are less certain.",
        lost_in_minute: "Lost in the last minute",
        lag: "Behind the clock",
        lag_replay: "recorded traffic",
        directions: "Directions seen",
        both_directions: "both",
        one_direction: "only one: what the servers answer is not known",
        duplicates: "Seen twice",
        counted: "Conversations counted",
        sampling: "Handshakes followed",
        sampling_all: "all",
        sampling_part: "1 of {}: figures are estimates",
        flows_in_table: "Flows in the table",
        about: "What is watched, and with what",
        protected: "Protected",
        learning: "More is learned from traffic.",
        not_at_work: "Detectors not at work",
        for_programs: "For programs",
    },
};
