//! The score sheet on the terminal.

use std::fmt::Write as _;

use crate::eval::sheet::{FailureKind, Sheet};

/// Failures listed at most, of each sort; the JSON sheet has them all.
const MOST_LISTED: usize = 12;

/// Writes the sheet in columns of at most 100.
#[must_use]
pub fn sheet(sheet: &Sheet) -> String {
    let mut text = Text(String::new());
    text.head(sheet);
    text.recall(sheet);
    text.peace(sheet);
    text.names(sheet);
    text.trust(sheet);
    text.failures(sheet);
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    fn head(&mut self, sheet: &Sheet) {
        let ran = &sheet.ran;
        let seeds = if ran.seeds.is_empty() { String::new() } else { format!(", seeds {}", ran.seeds) };
        self.line(&format!("Vigie eval: {}{seeds}", ran.what));
        let cut = if sheet.worlds < ran.worlds_asked {
            format!(" of {} asked for: cut short evenly by the time given", ran.worlds_asked)
        } else {
            String::new()
        };
        self.line(&format!("{} worlds{cut}, {:.1} million packets", sheet.worlds, sheet.frames as f64 / 1e6));
        if !ran.seeds.is_empty() {
            self.line(&format!("Development seeds {}, published seeds {}", ran.development_seeds, ran.published_seeds));
        }
    }

    fn recall(&mut self, sheet: &Sheet) {
        self.heading("Events found (time from the first packet; a miss is never)");
        self.line("  group         kind               rate   found          95 % interval   p50 s   p95 s  verdict");
        for row in &sheet.recall {
            let rate = row.rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate}x"));
            let verdict = match row.found {
                0 => "-".to_owned(),
                found => percent(row.verdicts_right as f64 / found as f64),
            };
            self.line(&format!(
                "  {:<13} {:<17} {rate:>5} {:>4} of {:<4} {:>6}  {:>5} - {:<6} {:>6}  {:>6}  {verdict:>7}",
                row.group,
                row.kind,
                row.found,
                row.events,
                percent(row.recall),
                percent(row.interval.0),
                percent(row.interval.1),
                seconds(row.delay_p50),
                seconds(row.delay_p95),
            ));
        }
    }

    fn peace(&mut self, sheet: &Sheet) {
        if !sheet.surges.is_empty() {
            self.heading("Rushes of people");
            self.line("  group         rushes  no false alarm  false alarm at most  never blamed  named");
            for row in &sheet.surges {
                self.line(&format!(
                    "  {:<13} {:>6}  {:>14}  {:>19}  {:>12}  {:>5}",
                    row.group,
                    row.rushes,
                    row.silent,
                    percent(row.alarmed_at_most),
                    row.not_blamed,
                    row.named
                ));
            }
        }
        self.heading("False alarms (warning and critical) by what went on");
        self.line("  during        hours  critical  warning  an hour  a week of this at most (95 %)");
        for row in &sheet.phases {
            self.line(&format!(
                "  {:<11} {:>7.2}  {:>8}  {:>7}  {:>7.3}  {:>9.0}",
                row.phase, row.hours, row.critical, row.warning, row.per_hour, row.per_week_at_most
            ));
        }
        let precision = &sheet.precision;
        let share = if precision.alerts > 0 {
            percent(precision.right as f64 / precision.alerts as f64)
        } else {
            "-".to_owned()
        };
        self.line(&format!(
            "  {} of {} alerts were about something that happened: {share}",
            precision.right, precision.alerts
        ));
        if let (Some(alerts), Some(incidents)) = (precision.alerts_per_event, precision.incidents_per_event) {
            self.line(&format!("  {alerts:.2} alerts and {incidents:.2} incidents for each event found"));
        }
    }

    fn names(&mut self, sheet: &Sheet) {
        self.heading("Called what it was");
        for told in sheet.kinds.told.iter().filter(|told| !told.is_right) {
            let name = |kind: Option<crate::kind::AlertKind>, none: &str| {
                kind.map_or_else(|| none.to_owned(), |kind| kind.to_string())
            };
            let (was, said) = (name(told.truth, "nothing"), name(told.told, "nothing"));
            self.line(&format!("  {was:<22} told as {said:<22} {}", told.count));
        }
        if let Some(f1) = sheet.kinds.macro_f1 {
            self.line(&format!("  macro-F1 over {} kinds: {f1:.3}", sheet.kinds.f1.len()));
        }
        for row in sheet.verdicts.iter().filter(|row| row.count > row.right) {
            let wrong = row.count - row.right;
            self.line(&format!("  verdict {:<14} given as {:<13} {wrong} wrong of {}", row.truth, row.said, row.count));
        }
        let origins = sheet.origins;
        self.line(&format!("  country right: {} of {} named", origins.right, origins.named));
        self.line(&format!("  forged sources given a country: {} of {}", origins.forged_but_named, origins.forged));
    }

    fn trust(&mut self, sheet: &Sheet) {
        let Some(brier) = sheet.trust.brier else { return };
        self.heading("Confidence against outcome");
        for row in &sheet.trust.rows {
            self.line(&format!(
                "  said {:.2} to {:.2}: {:>4} alerts, mean {:.2}, right {}",
                row.from,
                row.below,
                row.alerts,
                row.said,
                percent(row.right)
            ));
        }
        self.line(&format!("  Brier score {brier:.3}"));
    }

    fn failures(&mut self, sheet: &Sheet) {
        for what in FailureKind::ALL {
            let of_kind: Vec<_> = sheet.failures.iter().filter(|failure| failure.what == *what).collect();
            if of_kind.is_empty() {
                continue;
            }
            self.heading(&format!("{} {}", of_kind.len(), what.name().replace('_', " ")));
            for failure in of_kind.iter().take(MOST_LISTED) {
                let mut words = Vec::new();
                words.extend(failure.kind.map(|kind| kind.to_string()));
                words.extend(failure.severity.map(|severity| severity.to_string()));
                words.extend(failure.said.map(|said| said.to_string()));
                words.extend(failure.at.map(|at| format!("at {at}")));
                let mut line = format!("  {:<36} {}", failure.world, words.join(" "));
                if !failure.note.is_empty() {
                    let _ = write!(line, ": {}", failure.note);
                }
                self.line(&line);
            }
            if of_kind.len() > MOST_LISTED {
                self.line(&format!("  and {} more, all in --format json", of_kind.len() - MOST_LISTED));
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn seconds(delay: Option<f64>) -> String {
    delay.map_or_else(|| "never".to_owned(), |delay| format!("{delay:.1}"))
}
