//! The page's incidents: each alert with its sentence, its evidence, its figures beside the usual ones, and its filter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Escaped, MOST_ALERTS, Page};
use crate::alert::Alert;
use crate::alert::number::Number;
use crate::detect::finding::FigureName;
use crate::report::RunReport;
use crate::report::layout::{between, clock};

/// Sources named for an alert; its line has up to twenty.
const MOST_SOURCES: usize = 5;

impl Page {
    pub(super) fn incidents(&mut self, report: &RunReport) {
        self.section("incidents", "Incidents and their evidence");
        let alerts = report.alerts_by_weight();
        if alerts.is_empty() {
            self.put("<p>No alert was raised.</p>");
        }
        for incident in incidents(alerts.iter().take(MOST_ALERTS).copied()) {
            self.incident(&incident);
        }
        if alerts.len() > MOST_ALERTS {
            let more =
                format!("{} more alerts, none louder than these, are in the alert file.", alerts.len() - MOST_ALERTS);
            self.text("p", &more);
        }
        self.put("</section>");
    }

    fn incident(&mut self, alerts: &[&Alert]) {
        let Some(first) = alerts.iter().min_by_key(|alert| alert.started_at) else { return };
        let end = alerts.iter().map(|alert| alert.end()).max().unwrap_or_else(|| first.end());
        let place = first.target.site.as_deref().map_or_else(|| target(first), str::to_owned);
        let _ = write!(
            self.out,
            "<h3>{} <small>{}</small></h3><p class=\"note\">Incident <code>{}</code></p>",
            Escaped(&place),
            between(first.started_at, end),
            Escaped(&first.incident)
        );
        for alert in alerts {
            self.alert(alert);
        }
    }

    fn alert(&mut self, alert: &Alert) {
        let n = self.n;
        let seconds = alert.end().since(alert.started_at).as_secs_f64();
        let pulse = if alert.pulses > 1 { format!(", pulse {}", alert.pulses) } else { String::new() };
        let _ = write!(
            self.out,
            "<article id=\"{}\" class=\"s-{}\"><h4><span class=\"badge a-{}\">{}</span> {} <small>{}</small></h4>\
             <p class=\"why\">{}</p><p class=\"facts\">{} to {} UTC ({}{pulse}) · seen after {} · verdict: <b>{}</b>, \
             confidence {} · evidence {} decades, alert line {}</p>",
            Escaped(&alert.id),
            alert.severity,
            alert.severity,
            self.language.severity(alert.severity),
            Escaped(self.language.kind(alert.kind)),
            Escaped(&target(alert)),
            Escaped(&self.language.why(alert)),
            clock(alert.started_at, &self.first_day),
            clock(alert.end(), &self.first_day),
            n.duration(seconds),
            n.duration(alert.detected_at.since(alert.started_at).as_secs_f64()),
            self.language.verdict(alert.verdict),
            n.percent(alert.confidence.get()),
            n.figure(alert.score.get()),
            alert.settings.get("alert_at").map_or_else(|| "unknown".to_owned(), |line| n.figure(line.get())),
        );
        self.put("<ul>");
        for sentence in self.language.evidence(alert) {
            self.text("li", &sentence);
        }
        self.put("</ul>");
        self.figures(alert);
        self.sources(alert);
        let _ = write!(
            self.out,
            "<p class=\"filter\">Capture filter <code>{}</code></p></article>",
            Escaped(&alert.filter)
        );
    }

    fn figures(&mut self, alert: &Alert) {
        if alert.observed.is_empty() {
            return;
        }
        self.put(
            "<div class=\"wide\"><table class=\"figures\"><thead><tr><th>Figure</th><th class=\"num\">Seen</th>\
             <th class=\"num\">Usual</th><th class=\"num\">Largest</th></tr></thead><tbody>",
        );
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
        self.put("</tbody></table></div>");
    }

    /// Writes a figure in the unit that its name ends in.
    fn cell(&self, name: FigureName, value: Option<Number>) -> String {
        let Some(value) = value.map(Number::get) else { return "unknown".to_owned() };
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
            format!("{} ({} packets, {})", source.address, self.n.whole(source.packets), self.n.bytes(source.bytes))
        };
        let named: Vec<_> = alert.sources.iter().take(MOST_SOURCES).map(source).collect();
        self.text("p", &format!("Heaviest verified sources: {}.", named.join(", ")));
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

fn target(alert: &Alert) -> String {
    let prefix = alert.target.prefix.map_or_else(|| "the monitored link".to_owned(), |prefix| prefix.to_string());
    let port = alert.target.port.map(|port| format!(", port {port}")).unwrap_or_default();
    let protocol = alert.target.protocol.map(|protocol| format!(", {protocol}")).unwrap_or_default();
    let members = match alert.target.members.len() {
        0 => String::new(),
        count => format!(", {count} hosts"),
    };
    format!("{prefix}{protocol}{port}{members}")
}
