//! The summary on the terminal: 80 columns, plain text, colour only where one asks for it.

use std::fmt::Write as _;
use std::time::Duration;

use crate::alert::Alert;
use crate::alert::text::Language;
use crate::detect::minute::MinuteKind;
use crate::kind::Severity;
use crate::report::layout::{between, clock, date, plain, wrapped};
use crate::report::span::{Span, by_site, spans};
use crate::report::words::{self, Words};
use crate::report::{ProtectedSite, RunReport};

/// Whether the summary is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences: for files, pipes, and terminals that ask for none (`NO_COLOR`).
    #[default]
    Plain,
    /// ANSI colours (ECMA-48 SGR) for severities and headings.
    Coloured,
}

/// Where labels end and values begin.
const LABEL: usize = 11;
/// Lines of a list that are shown; the JSON summary has them all.
const MOST_ORIGINS: usize = 10;
const MOST_ALERTS: usize = 50;
const MOST_SPANS: usize = 60;

/// Writes the summary.
#[must_use]
pub fn summary(report: &RunReport, style: Style) -> String {
    let mut writer = Writer {
        page: String::new(),
        style,
        words: words::of(Language::English),
        first_day: report.start.map(date).unwrap_or_default(),
    };
    writer.facts(report);
    writer.protection(report);
    writer.origins(report);
    writer.minutes(report);
    writer.alerts(report);
    writer.detectors(report);
    writer.faults(report);
    writer.page
}

struct Writer {
    page: String,
    style: Style,
    words: &'static dyn Words,
    first_day: String,
}

impl Writer {
    fn line(&mut self, text: &str) {
        self.page.push_str(text.trim_end());
        self.page.push('\n');
    }

    fn heading(&mut self, title: &str, note: &str) {
        let title = self.coloured(title, "1");
        let note = if note.is_empty() { String::new() } else { format!("  {note}") };
        self.line(&format!("\n{title}{note}"));
    }

    fn fact(&mut self, label: &str, value: &str) {
        self.line(&wrapped(&format!("{label:<LABEL$}"), LABEL, value));
    }

    fn coloured(&self, text: &str, code: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }

    fn facts(&mut self, report: &RunReport) {
        let n = self.words.notation();
        let accounting = &report.accounting;
        let discarded: u64 = accounting.discarded.values().sum();
        let dropped = accounting.dropped.kernel + accounting.dropped.interface + accounting.shed;
        self.fact("Capture", &plain(&report.inputs.join(", ")));
        if let (Some(start), Some(end)) = (report.start, report.end) {
            self.fact(
                "Time",
                &format!("{} ({})", between(start, end, "to"), n.duration(end.since(start).as_secs_f64())),
            );
        }
        self.fact(
            "Packets",
            &format!(
                "{} seen = {} processed + {} discarded + {} dropped",
                n.whole(accounting.packets),
                n.whole(accounting.processed),
                n.whole(discarded),
                n.whole(dropped)
            ),
        );
        self.fact("Bytes", &format!("{} on the wire ({})", n.whole(accounting.bytes), n.bytes(accounting.bytes)));
        self.fact("Flows", &n.whole(report.flows));
        self.fact("Rate", &self.rate(report));
        let reasons: Vec<_> = accounting.discarded.iter().filter(|(_, count)| **count > 0).collect();
        if !reasons.is_empty() {
            let reasons: Vec<_> =
                reasons.iter().map(|(reason, count)| format!("{reason} {}", n.whole(**count))).collect();
            self.fact("Discarded", &reasons.join(", "));
        }
        if dropped > 0 {
            let (kernel, interface) = (n.whole(accounting.dropped.kernel), n.whole(accounting.dropped.interface));
            let shed = n.whole(accounting.shed);
            self.fact("Dropped", &format!("kernel {kernel}, interface {interface}, shed {shed}"));
        }
        let oddities = [(accounting.late, "late frames"), (accounting.clock_steps, "clock steps")];
        let oddities: Vec<_> = oddities
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{} {what}", n.whole(*count)))
            .collect();
        if !oddities.is_empty() {
            self.fact("Clock", &oddities.join(", "));
        }
    }

    fn rate(&self, report: &RunReport) -> String {
        let n = self.words.notation();
        let packets = n.scaled(report.packets_per_second(), &["packets/s", "k packets/s", "M packets/s"]);
        let bits = n.scaled(report.bits_per_second(), &["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
        let mut rate = format!("{packets}, {bits} in {}", n.duration(report.wall_seconds));
        let span = report.span();
        // Faster or slower than it was recorded says something about files only, and only when both were timed.
        if report.wall_seconds > 0.0 && span > Duration::ZERO {
            let times = span.as_secs_f64() / report.wall_seconds;
            if times >= 1.5 {
                let _ = write!(rate, ", {} times as fast as recorded", n.figure(times));
            }
        }
        rate
    }

    fn protection(&mut self, report: &RunReport) {
        let countries: Vec<_> = report.home.countries.iter().map(ToString::to_string).collect();
        let home = if countries.is_empty() { "none".to_owned() } else { countries.join(", ") };
        self.fact("Home", &format!("{home} ({})", report.home.how));
        self.fact("Geography", &plain(&report.geo));
        let (learned, configured): (Vec<_>, Vec<_>) = report.protected.iter().partition(|site| site.learned);
        if report.protected.is_empty() {
            self.fact("Protected", "nothing: name what is defended with --protect, such as 192.0.2.0/24=school");
        }
        if !configured.is_empty() {
            self.fact("Protected", &values(&configured).join(", "));
        }
        if !learned.is_empty() {
            self.fact("Protected", "found in the traffic; to keep it, paste into the configuration:");
            self.paste(&learned);
        }
    }

    /// Writes the learned sites as the configuration takes them.
    fn paste(&mut self, learned: &[&ProtectedSite]) {
        let values = values(learned);
        let shown: Vec<_> = values.iter().take(16).map(|value| format!("    \"{value}\",")).collect();
        self.line("  protect = [");
        for line in &shown {
            self.line(line);
        }
        if values.len() > shown.len() {
            self.line(&format!("    # and {} more, all in the summary of --format json", values.len() - shown.len()));
        }
        self.line("  ]");
    }

    fn origins(&mut self, report: &RunReport) {
        let n = self.words.notation();
        let origins = report.origins_by_share();
        if origins.is_empty() {
            return;
        }
        self.heading("Origins", "inbound traffic by where verified sources are registered");
        for (origin, share) in origins.iter().take(MOST_ORIGINS) {
            let (name, packets) = (origin.name(), n.whole(origin.packets));
            self.line(&format!(
                "  {name:<9} {:>12} {packets:>18} packets {:>12}",
                n.percent(*share),
                n.bytes(origin.bytes)
            ));
        }
        if origins.len() > MOST_ORIGINS {
            self.line(&format!("  and {} more", origins.len() - MOST_ORIGINS));
        }
        if origins.iter().any(|(origin, _)| origin.country.is_none()) {
            let note = "(unproven: the sender did not prove its address, so it has no country)";
            self.line(&format!("  {note}"));
        }
    }

    fn minutes(&mut self, report: &RunReport) {
        let sites = by_site(&report.minutes);
        if sites.is_empty() {
            return;
        }
        self.heading("Minutes", "UTC, minutes with the same verdict taken together");
        for (site, minutes) in &sites {
            let spans = spans(minutes);
            self.line(&format!("  {site}"));
            for span in spans.iter().take(MOST_SPANS) {
                self.span(span);
            }
            if spans.len() > MOST_SPANS {
                self.line(&format!("    and {} more changes, all in --format json", spans.len() - MOST_SPANS));
            }
        }
    }

    fn span(&mut self, span: &Span) {
        let (when, name) = (words::when(span, &self.first_day), self.words.minute(span.verdict));
        let text = wrapped(&format!("    {when}  "), 17, &format!("{name}: {}", self.words.figures(span)));
        let code = match span.verdict {
            MinuteKind::Attack | MinuteKind::Mixed => "31",
            MinuteKind::Overload | MinuteKind::Fault | MinuteKind::Undetermined => "33",
            _ => "0",
        };
        let text = if code == "0" { text } else { text.replacen(name, &self.coloured(name, code), 1) };
        self.line(&text);
    }

    fn alerts(&mut self, report: &RunReport) {
        let alerts = report.alerts_by_weight();
        let count = |severity| alerts.iter().filter(|alert| alert.severity == severity).count();
        let note = format!(
            "{} critical, {} warning, {} info",
            count(Severity::Critical),
            count(Severity::Warning),
            count(Severity::Info)
        );
        self.heading("Alerts", &note);
        for alert in alerts.iter().take(MOST_ALERTS) {
            self.alert(alert);
        }
        if alerts.len() > MOST_ALERTS {
            self.line(&format!("  and {} more, all in --format json", alerts.len() - MOST_ALERTS));
        }
    }

    fn alert(&mut self, alert: &Alert) {
        let n = self.words.notation();
        let severity = alert.severity.name();
        let code = match alert.severity {
            Severity::Critical => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "2",
        };
        let seconds = alert.end().since(alert.started_at).as_secs_f64();
        let pulse = if alert.pulses > 1 { format!(", pulse {}", alert.pulses) } else { String::new() };
        let body = format!(
            "{} on {}, {} to {} ({}{pulse}), verdict {} with confidence {}",
            alert.kind,
            whom(alert),
            clock(alert.started_at, &self.first_day),
            clock(alert.end(), &self.first_day),
            n.duration(seconds),
            alert.verdict,
            n.percent(alert.confidence.get()),
        );
        let text = wrapped(&format!("  {severity:<9} "), 12, &body);
        self.line(&text.replacen(severity, &self.coloured(severity, code), 1));
        self.line(&wrapped(&" ".repeat(12), 12, &alert.why));
    }

    fn detectors(&mut self, report: &RunReport) {
        let unarmed: Vec<_> = report.detectors.iter().filter(|detector| detector.since.is_none()).collect();
        if unarmed.is_empty() {
            return;
        }
        self.heading("Detectors not armed", "");
        for detector in unarmed {
            let why = detector.why_not.as_deref().unwrap_or("no reason given");
            self.line(&wrapped(&format!("  {:<16} ", detector.detector), 19, why));
        }
    }

    fn faults(&mut self, report: &RunReport) {
        let faults = report.all_faults();
        if faults.is_empty() {
            return;
        }
        self.heading("Faults", "");
        for fault in faults {
            self.line(&wrapped("  ", 2, &plain(&fault)));
        }
    }
}

fn values(sites: &[&ProtectedSite]) -> Vec<String> {
    sites.iter().flat_map(|site| site.values()).collect()
}

fn whom(alert: &Alert) -> String {
    let prefix = alert.target.prefix.map(|prefix| prefix.to_string());
    let port = alert.target.port.map(|port| format!(" port {port}")).unwrap_or_default();
    match (&alert.target.site, prefix) {
        (Some(site), Some(prefix)) => format!("{site} {prefix}{port}"),
        (Some(site), None) => site.to_string(),
        (None, Some(prefix)) => format!("{prefix}{port}"),
        (None, None) => "the monitored link".to_owned(),
    }
}
