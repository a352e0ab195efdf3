//! What the tables hold.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{Section, percent, seconds, share};
use crate::eval::sheet::recall::RecallRow;
use crate::eval::sheet::{FailureKind, Sheet};
use crate::kind::AlertKind;

/// Returns the tables of a sheet, the most telling first.
pub(super) fn of(sheet: &Sheet) -> Vec<Section> {
    let mut sections = vec![targets(sheet), recall(sheet)];
    sections.extend([surges(sheet), phases(sheet)]);
    sections.extend(weeks(sheet));
    sections.extend([minutes(sheet), verdicts(sheet), kinds(sheet), trust(sheet), methods(sheet)]);
    sections.retain(|section| !section.rows.is_empty());
    sections
}

fn targets(sheet: &Sheet) -> Section {
    let mut section = Section::new("Promises and measurements", &["promise", "target", "measured", "kept"])
        .saying("A promise that fewer than ten cases speak for is neither kept nor broken.");
    for row in &sheet.targets {
        let kept = match row.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "too few",
        };
        section.row([row.what.clone(), row.target.clone(), row.measured.clone(), kept.to_owned()]);
    }
    section
}

fn recall(sheet: &Sheet) -> Section {
    let head = ["group", "kind", "rate", "found", "recall", "95 % interval", "p50", "p95", "verdict right"];
    let mut section = Section::new("Events found", &head)
        .saying("Rates are multiples of ordinary traffic in the attack's own unit. Time counts from the first packet to the first warning; a miss counts as never.");
    for row in &sheet.recall {
        section.row(recall_cells(row));
    }
    section
}

fn recall_cells(row: &RecallRow) -> [String; 9] {
    [
        row.group.to_string(),
        row.kind.to_string(),
        row.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate}x")),
        format!("{} of {}", row.found, row.events),
        percent(row.recall),
        format!("{} to {}", percent(row.interval.0), percent(row.interval.1)),
        seconds(row.delay_p50),
        seconds(row.delay_p95),
        share(row.verdicts_right, row.found),
    ]
}

fn surges(sheet: &Sheet) -> Section {
    let head =
        ["group", "rushes", "no false alarm", "with one, at most (95 %)", "never called an attack", "named a rush"];
    let mut section = Section::new("Rushes of people", &head);
    for row in &sheet.surges {
        section.row([
            row.group.to_string(),
            row.rushes.to_string(),
            row.silent.to_string(),
            percent(row.alarmed_at_most),
            row.not_blamed.to_string(),
            row.named.to_string(),
        ]);
    }
    section
}

fn phases(sheet: &Sheet) -> Section {
    let precision = &sheet.precision;
    let head = ["during", "hours", "critical", "warning", "an hour", "in a week of this, at most (95 %)"];
    let mut section = Section::new("False alarms", &head)
        .saying("Warnings and criticals about nothing that happened. Worlds are short and full of events, so a week of them is far from a week of a network; the simulated weeks say more about that.")
        .saying(format!(
            "{} of {} alerts were about something that happened ({}).",
            precision.right,
            precision.alerts,
            share(precision.right, precision.alerts)
        ));
    if let (Some(alerts), Some(incidents)) = (precision.alerts_per_event, precision.incidents_per_event) {
        section = section.saying(format!("Each event found led to {alerts:.2} alerts in {incidents:.2} incidents."));
    }
    for row in &sheet.phases {
        section.row([
            row.phase.to_string(),
            format!("{:.2}", row.hours),
            row.critical.to_string(),
            row.warning.to_string(),
            format!("{:.3}", row.per_hour),
            format!("{:.0}", row.per_week_at_most),
        ]);
    }
    section
}

fn weeks(sheet: &Sheet) -> Option<Section> {
    let weeks = sheet.weeks.as_ref()?;
    let head = [
        "during",
        "simulated",
        "slices",
        "target-weeks",
        "pages",
        "tickets",
        "which",
        "pages a week of 256, at most (95 %)",
        "pages and tickets, at most",
    ];
    let mut section = Section::new("Simulated weeks", &head).saying(format!(
        "Counts without packets, in slices of {:.1} h of {} targets, each slice without history: whole, that is client by \
         client, or as counts, which come to more weeks in the same time, with one client in several followed. A week of 256 \
         targets has 256 target-weeks; the bound says what follows from those that were simulated, no more. More of them: \
         vigie eval --suite weeks.",
        weeks.hours, weeks.targets
    ));
    for row in &weeks.rows {
        section.row([
            row.during.to_string(),
            row.detail.to_string(),
            row.slices.to_string(),
            format!("{:.2}", row.target_weeks),
            row.pages.to_string(),
            row.tickets.to_string(),
            which(&row.kinds),
            format!("{:.1}", row.pages_at_most),
            format!("{:.1}", row.alarms_at_most),
        ]);
    }
    Some(section)
}

/// Writes how many there were of each kind, most first.
fn which(kinds: &BTreeMap<AlertKind, u64>) -> String {
    let mut kinds: Vec<_> = kinds.iter().collect();
    kinds.sort_by_key(|(_, count)| Reverse(**count));
    kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

fn minutes(sheet: &Sheet) -> Section {
    let minutes = &sheet.minutes;
    let mut section = Section::new("Verdict of each minute", &["it was", "judged", "minutes", "share of such minutes"])
        .saying(format!(
            "{} of {} minutes are right ({}); minutes whose truth is not clear are left out (demand within 15 % of \
             capacity, an attack or a bad server in a part of it).",
            minutes.right,
            minutes.judged,
            share(minutes.right, minutes.judged)
        ));
    if let (Some(p50), Some(p95)) = (minutes.shares.p50, minutes.shares.p95) {
        section = section.saying(format!(
            "The attack's share of connection requests is off by {:.1} points in half of {} attacked minutes and by {:.1} \
             in 95 % of them; its 95 % interval holds the truth in {}.",
            100.0 * p50,
            minutes.shares.minutes,
            100.0 * p95,
            share(minutes.shares.covered, minutes.shares.minutes)
        ));
    }
    for row in &minutes.rows {
        let all: usize = minutes.rows.iter().filter(|other| other.truth == row.truth).map(|other| other.count).sum();
        section.row([row.truth.to_string(), row.said.to_string(), row.count.to_string(), share(row.count, all)]);
    }
    section
}

fn verdicts(sheet: &Sheet) -> Section {
    let mut section =
        Section::new("Verdict of each event found", &["it was", "judged", "events", "allowed by the truth"]);
    for row in &sheet.verdicts {
        section.row([row.truth.to_string(), row.said.to_string(), row.count.to_string(), row.right.to_string()]);
    }
    section
}

fn kinds(sheet: &Sheet) -> Section {
    let name = |kind: Option<AlertKind>| kind.map_or_else(|| "nothing".to_owned(), |kind| kind.to_string());
    let origins = sheet.origins;
    let mut section = Section::new("Kinds and countries", &["it was", "told as", "events", "counts as found"])
        .saying(format!(
            "The country named first is one it came from in {} of {} cases; a country was named for {} of {} attacks with \
             forged sources.",
            origins.right, origins.named, origins.forged_but_named, origins.forged
        ));
    if let Some(f1) = sheet.kinds.macro_f1 {
        section = section.saying(format!("Macro-F1 over {} kinds: {f1:.3}.", sheet.kinds.f1.len()));
    }
    for told in &sheet.kinds.told {
        let right = if told.is_right { "yes" } else { "no" };
        section.row([name(told.truth), name(told.told), told.count.to_string(), right.to_owned()]);
    }
    section
}

fn trust(sheet: &Sheet) -> Section {
    let mut section = Section::new("Confidence", &["said", "alerts", "mean", "right"]);
    if let Some(brier) = sheet.trust.brier {
        section = section.saying(format!(
            "An alert that says 0.9 should be right in nine of ten cases. Brier score {brier:.3}; 0 is perfect."
        ));
    }
    for row in &sheet.trust.rows {
        section.row([
            format!("{:.2} to {:.2}", row.from, row.below),
            row.alerts.to_string(),
            format!("{:.2}", row.said),
            percent(row.right),
        ]);
    }
    section
}

fn methods(sheet: &Sheet) -> Section {
    let head = [
        "method",
        "worlds",
        "found of all",
        "found of 1x and more",
        "p50",
        "rushes without false alarm",
        "false alarms an hour: ordinary",
        "rush",
        "overload",
    ];
    let mut section = Section::new("Beside other methods", &head).saying(
        "The same frames and the same judge. The other methods know no kinds, so any alarm on the right host counts for \
         them; they give no verdict, no origin and no share.",
    );
    for row in &sheet.methods {
        let [ordinary, rush, overload] = row.false_alarms_an_hour.map(|rate| format!("{rate:.2}"));
        section.row([
            row.name.to_owned(),
            row.worlds.to_string(),
            share(row.found, row.events),
            share(row.found_from_once, row.events_from_once),
            seconds(row.delay_p50),
            format!("{} of {}", row.silent, row.rushes),
            ordinary,
            rush,
            overload,
        ]);
    }
    section
}

/// Returns what went wrong, at most so many of each sort.
pub(super) fn failures(sheet: &Sheet, most: usize) -> Vec<Section> {
    let of_sort = |what: &FailureKind| {
        let failures: Vec<_> = sheet.failures.iter().filter(|failure| failure.what == *what).collect();
        let title = format!("{} {}", failures.len(), what.name().replace('_', " "));
        let mut section = Section::new(title, &["world", "what", "when"]);
        if failures.len() > most {
            section = section.saying(format!("The first {most}; the JSON sheet has them all."));
        }
        for failure in failures.iter().take(most) {
            let mut words: Vec<String> = Vec::new();
            words.extend(failure.kind.map(|kind| kind.to_string()));
            words.extend(failure.severity.map(|severity| severity.to_string()));
            words.extend(failure.said.map(|said| format!("said {said}")));
            words.extend(Some(failure.note.clone()).filter(|note| !note.is_empty()));
            let when = failure.at.map_or_else(|| "-".to_owned(), |at| at.to_string());
            section.row([failure.world.clone(), words.join(", "), when]);
        }
        section
    };
    FailureKind::ALL.iter().map(of_sort).filter(|section| !section.rows.is_empty()).collect()
}

/// Says in lines what was run.
pub(super) fn ran(sheet: &Sheet) -> Vec<String> {
    let ran = &sheet.ran;
    let seeds = if ran.seeds.is_empty() { String::new() } else { format!(", seeds {}", ran.seeds) };
    let mut lines = vec![format!(
        "{}{seeds}: {} worlds, {:.1} million packets.",
        ran.what,
        sheet.worlds,
        sheet.frames as f64 / 1e6
    )];
    if sheet.worlds < ran.worlds_asked {
        lines.push(format!(
            "Cut short by the time given: {} of {} worlds, as many of each sort as the order allows.",
            sheet.worlds, ran.worlds_asked
        ));
    }
    if !ran.seeds.is_empty() {
        lines.push(format!(
            "Thresholds were chosen on seeds {}; published are seeds {}.",
            ran.development_seeds, ran.published_seeds
        ));
    }
    lines
}
