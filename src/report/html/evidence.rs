//! The page's incidents: each alert with its sentence, its evidence, its figures beside the usual ones, and its filter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Escaped, MOST_ALERTS};
use crate::alert::Alert;
use crate::alert::number::Number;
use crate::detect::finding::FigureName;
use crate::report::RunReport;
use crate::report::layout::{between, clock};
use crate::report::page::{Page, filled};
use crate::report::words::AlertFacts;
use crate::time::Timestamp;

/// Sources named for an alert; its line has up to twenty.
const MOST_SOURCES: usize = 5;

impl Page {
    pub(super) fn incidents(&mut self, report: &RunReport) {
        self.section("incidents", self.l.incidents);
        let alerts = report.alerts_by_weight();
        if alerts.is_empty() {
            self.text("p", self.l.no_alert);
        }
        for incident in incidents(alerts.iter().take(MOST_ALERTS).copied()) {
            self.incident(&incident);
        }
        if alerts.len() > MOST_ALERTS {
            let more = filled(self.l.more_alerts, &[&(alerts.len() - MOST_ALERTS).to_string()]);
            self.text("p", &more);
        }
        self.put("</section>");
    }

    fn incident(&mut self, alerts: &[&Alert]) {
        let Some(first) = alerts.iter().min_by_key(|alert| alert.started_at) else { return };
        let end = alerts.iter().map(|alert| alert.end()).max().unwrap_or_else(|| first.end());
        let place = first.target.site.as_deref().map_or_else(|| self.target(first), str::to_owned);
        let _ = write!(
            self.out,
            "<h3>{} <small>{}</small></h3><p class=\"note\">{} <code>{}</code></p>",
            Escaped(&place),
            between(first.started_at, end, self.l.to),
            self.l.incident,
            Escaped(&first.incident)
        );
        for alert in alerts {
            self.alert(alert);
        }
    }

    fn alert(&mut self, alert: &Alert) {
        self.alert_title(alert);
        self.alert_facts(alert, None);
        self.alert_evidence(alert);
        self.put("</article>");
    }

    /// Opens an alert with what it is and the sentence that explains it.
    pub(in crate::report) fn alert_title(&mut self, alert: &Alert) {
        let _ = write!(
            self.out,
            "<article id=\"{}\" class=\"s-{}\"><h4><span class=\"badge a-{}\">{}</span> {} <small>{}</small></h4>\
             <p class=\"why\">{}</p>",
            Escaped(&alert.id),
            alert.severity,
            alert.severity,
            self.language.severity(alert.severity),
            Escaped(self.language.kind(alert.kind)),
            Escaped(&self.target(alert)),
            Escaped(&self.language.why(alert)),
        );
    }

    /// Writes when it was, and how sure that is. An alert that is open lasts until `now`.
    pub(in crate::report) fn alert_facts(&mut self, alert: &Alert, now: Option<Timestamp>) {
        let n = self.n;
        let end = now.is_none().then(|| clock(alert.end(), &self.first_day));
        let facts = self.words.alert_facts(&AlertFacts {
            start: &clock(alert.started_at, &self.first_day),
            end: end.as_deref(),
            length: &n.duration(now.unwrap_or_else(|| alert.end()).since(alert.started_at).as_secs_f64()),
            pulses: alert.pulses,
            delay: &n.duration(alert.detected_at.since(alert.started_at).as_secs_f64()),
            verdict: self.language.verdict(alert.verdict),
            confidence: &n.percent(alert.confidence.get()),
            score: &n.figure(alert.score.get()),
            line: &alert
                .settings
                .get("alert_at")
                .map_or_else(|| self.l.unknown.to_owned(), |line| n.figure(line.get())),
        });
        self.note("facts", &facts);
    }

    /// Writes the sentences, the figures beside the usual ones, the heaviest sources and the filter.
    pub(in crate::report) fn alert_evidence(&mut self, alert: &Alert) {
        self.put("<ul>");
        for sentence in self.language.evidence(alert) {
            self.text("li", &sentence);
        }
        self.put("</ul>");
        self.figures(alert);
        self.sources(alert);
        let _ = write!(
            self.out,
            "<p class=\"filter\">{} <code>{}</code></p>",
            Escaped(self.l.filter),
            Escaped(&alert.filter)
        );
    }

    fn figures(&mut self, alert: &Alert) {
        if alert.observed.is_empty() {
            return;
        }
        let numbers = [self.l.seen, self.l.usual, self.l.largest].map(|label| format!("#{label}"));
        self.table("figures", &[self.l.figure, &numbers[0], &numbers[1], &numbers[2]]);
        for (name, seen) in &alert.observed {
            let usual = alert.expected.get(name).copied().flatten();
            let largest = alert.peak.get(name).copied();
            let cells = [Some(*seen), usual, largest].map(|value| self.cell(*name, value));
            let _ = write!(
                self.out,
                "<tr><td><code>{name}</code></td><td class=\"num\">{}</td><td class=\"num\">{}</td>\
                 <td class=\"num\">{}</td></tr>",
                cells[0], cells[1], cells[2]
            );
        }
        self.end_table();
    }

    /// Writes a figure in the unit that its name ends in.
    fn cell(&self, name: FigureName, value: Option<Number>) -> String {
        let Some(value) = value.map(Number::get) else { return self.l.unknown.to_owned() };
        match name.name() {
            name if name.ends_with("_share") => self.n.percent(value),
            name if name.ends_with("_per_second") => self.n.rate(value),
            name if name.ends_with("_seconds") => self.n.duration(value),
            name if name.ends_with("_count") => self.n.limit(value),
            _ => self.n.figure(value),
        }
    }

    fn sources(&mut self, alert: &Alert) {
        if alert.sources.is_empty() {
            return;
        }
        let source = |source: &crate::alert::line::Source| {
            let (packets, bytes) = (self.n.whole(source.packets), self.n.bytes(source.bytes));
            format!("{} ({packets} {}, {bytes})", source.address, self.l.packets)
        };
        let named: Vec<_> = alert.sources.iter().take(MOST_SOURCES).map(source).collect();
        let named = filled(self.l.heaviest_sources, &[&named.join(", ")]);
        self.text("p", &named);
    }

    fn target(&self, alert: &Alert) -> String {
        let l = self.l;
        let prefix = alert.target.prefix.map_or_else(|| l.link.to_owned(), |prefix| prefix.to_string());
        let port = alert.target.port.map(|port| format!(", {} {port}", l.port)).unwrap_or_default();
        let protocol = alert.target.protocol.map(|protocol| format!(", {protocol}")).unwrap_or_default();
        let members = match alert.target.members.len() {
            0 => String::new(),
            count => format!(", {count} {}", l.hosts),
        };
        format!("{prefix}{protocol}{port}{members}")
    }
}

/// Groups alerts, the loudest first, by incident; incidents stand in the order of their loudest alert.
fn incidents<'a>(alerts: impl Iterator<Item = &'a Alert>) -> Vec<Vec<&'a Alert>> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut groups: Vec<Vec<&Alert>> = Vec::new();
    for alert in alerts {
        let place = *places.entry(alert.incident.as_str()).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(alert);
    }
    groups
}
