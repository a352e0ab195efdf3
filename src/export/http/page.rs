//! The page at `/`: what the run sees, in plain HTML written on the server. No script; it reloads itself.
//!
//! Everything that comes from traffic or configuration is escaped on its way in.

use std::fmt::Write as _;

use serde_json::Value;

use crate::detect::minute::MinuteVerdict;
use crate::export::board::{Phase, Sight, Status};

/// Closed alerts on the page; the rest is in `/api/v1/alerts`.
const SHOWN_CLOSED: usize = 20;

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>Vigie</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8886; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
.severity { font-weight: 600; white-space: nowrap; }
.critical { border-left: .5rem solid #b3261e; padding-left: .5rem; }
.warning { border-left: .5rem solid #c77700; padding-left: .5rem; }
.info { border-left: .5rem solid #5b7083; padding-left: .5rem; }
</style>
</head>
<body>
"#;

/// Writes the page.
pub(super) fn write(sight: &Sight, phase: &str) -> String {
    let mut page = Page(HEAD.to_owned());
    page.put(format_args!("<h1>Vigie: {}</h1>\n", headline(sight)));
    page.put(format_args!("<p>{}</p>\n", state_line(sight, phase)));
    page.alerts("Open alerts", sight.open.iter().map(|line| &**line), "None.");
    if let Some(status) = &sight.status {
        page.minutes(&status.minutes);
    }
    let closed = sight.closed.iter().take(SHOWN_CLOSED).map(|line| &**line);
    page.alerts("Closed lately", closed, "None.");
    if let Some(status) = &sight.status {
        page.capture(status);
        page.settings(status);
    }
    page.0.push_str(
        "<p><a href=\"/api/v1/alerts\">alerts</a> <a href=\"/api/v1/status\">status</a> \
         <a href=\"/metrics\">metrics</a></p>\n</body>\n</html>\n",
    );
    page.0
}

/// The answer in a few words: the loudest open alerts.
fn headline(sight: &Sight) -> String {
    let severities: Vec<String> = sight
        .open
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .map(|alert| text(&alert, "/severity"))
        .collect();
    let count = |severity: &str| severities.iter().filter(|name| *name == severity).count();
    match (count("critical"), count("warning")) {
        (0, 0) => "no warning".to_owned(),
        (critical, warning) => format!("{critical} critical, {warning} warning"),
    }
}

fn state_line(sight: &Sight, phase: &str) -> String {
    let time = sight.status.as_ref().and_then(|status| status.packet_time);
    let time = time.map_or_else(|| "nothing is judged yet".to_owned(), |time| format!("judged up to {time}"));
    match &sight.phase {
        Phase::Failed(reason) => format!("{phase}: {}; {time}", escape(reason)),
        _ => format!("{phase}; {time}"),
    }
}

struct Page(String);

impl Page {
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("a string takes all text");
    }

    fn table(&mut self, title: &str, heads: &[&str]) {
        let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
        self.put(format_args!("<h2>{title}</h2>\n<table>\n<tr>{heads}</tr>\n"));
    }

    fn alerts<'a>(&mut self, title: &str, lines: impl Iterator<Item = &'a str>, none: &str) {
        let mut lines = lines.peekable();
        if lines.peek().is_none() {
            self.put(format_args!("<h2>{title}</h2>\n<p>{none}</p>\n"));
            return;
        }
        self.table(title, &["severity", "verdict", "kind", "target", "started", "ended", "what it is"]);
        for alert in lines.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            self.alert(&alert);
        }
        self.0.push_str("</table>\n");
    }

    fn alert(&mut self, alert: &Value) {
        let cell = |pointer: &str| escape(&text(alert, pointer));
        let class = match text(alert, "/severity").as_str() {
            "critical" => "critical",
            "warning" => "warning",
            _ => "info",
        };
        let target = [cell("/target/site"), cell("/target/prefix")].join(" ");
        self.put(format_args!(
            "<tr><td class=\"severity {class}\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            cell("/severity"),
            cell("/verdict"),
            cell("/kind"),
            target.trim(),
            cell("/started_at"),
            cell("/ended_at"),
            cell("/why"),
        ));
    }

    fn minutes(&mut self, minutes: &[MinuteVerdict]) {
        if minutes.is_empty() {
            return;
        }
        let heads = [
            "site",
            "minute",
            "verdict",
            "first SYNs/s",
            "demand/s",
            "attack share",
            "served by at most/s",
            "from abroad",
        ];
        self.table("The last full minute", &heads);
        for minute in minutes {
            let capacity = minute.capacity_per_second.map_or_else(String::new, |rate| format!("{rate:.0}"));
            let foreign = minute.foreign_share.map_or_else(|| "not known".to_owned(), percent);
            self.put(format_args!(
                "<tr><td>{}</td><td>{}</td><td>{}</td>{}{}{}{}{}</tr>\n",
                escape(&minute.site),
                minute.start,
                minute.verdict,
                number(&format!("{:.0}", minute.first_syns_per_second)),
                number(&format!("{:.0}", minute.demand_per_second.value)),
                number(&percent(minute.attack_share.value)),
                number(&capacity),
                number(&foreign),
            ));
        }
        self.0.push_str("</table>\n");
    }

    fn capture(&mut self, status: &Status) {
        self.table("Capture", &["what", "packets"]);
        let seen = [("seen", status.packets), ("processed", status.processed)];
        for (what, count) in seen {
            self.put(format_args!("<tr><td>{what}</td>{}</tr>\n", number(&count.to_string())));
        }
        for (reason, count) in &status.discarded {
            self.put(format_args!("<tr><td>discarded: {reason}</td>{}</tr>\n", number(&count.to_string())));
        }
        for (place, count) in &status.dropped {
            self.put(format_args!("<tr><td>dropped: {place}</td>{}</tr>\n", number(&count.to_string())));
        }
        self.0.push_str("</table>\n");
        self.put(format_args!("<p>{} flows in the table.</p>\n", status.flows));
    }

    fn settings(&mut self, status: &Status) {
        self.0.push_str("<h2>Protected</h2>\n<ul>\n");
        for site in &status.sites {
            self.put(format_args!("<li>{}: {}</li>\n", escape(&site.name), escape(&site.prefixes.join(", "))));
        }
        self.0.push_str("</ul>\n");
        if status.learning {
            self.0.push_str("<p>More is learned from traffic.</p>\n");
        }
        if let Some(home) = &status.home {
            let countries: Vec<String> = home.countries.iter().map(ToString::to_string).collect();
            let countries = if countries.is_empty() { "not known".to_owned() } else { countries.join(", ") };
            self.put(format_args!("<p>Home: {countries} ({}).</p>\n", escape(&home.how)));
        }
        self.unarmed(status);
    }

    fn unarmed(&mut self, status: &Status) {
        let mut unarmed = status.detectors.iter().filter(|armed| armed.since.is_none()).peekable();
        if unarmed.peek().is_none() {
            return;
        }
        self.0.push_str("<h2>Detectors not at work</h2>\n<ul>\n");
        for armed in unarmed {
            let why = armed.why_not.as_deref().unwrap_or("");
            self.put(format_args!("<li>{}: {}</li>\n", escape(armed.detector), escape(why)));
        }
        self.0.push_str("</ul>\n");
    }
}

fn number(text: &str) -> String {
    format!("<td class=\"number\">{text}</td>")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Returns a text of an alert line, empty where it is absent.
fn text(alert: &Value, pointer: &str) -> String {
    alert.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Accounting;
    use crate::policy::{Policy, Site};
    use std::sync::Arc;

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "<script>alert('x')</script>";
        let site = Site { name: hostile.into(), prefixes: Vec::new() };
        let status = Status::new(&Accounting::default(), &Policy::new(vec![site], false));
        let line = serde_json::json!({
            "severity": hostile, "kind": hostile, "verdict": hostile, "why": hostile,
            "started_at": hostile, "target": {"site": hostile, "prefix": hostile},
        });
        let sight = Sight {
            phase: Phase::Failed(hostile.to_owned()),
            status: Some(Arc::new(status)),
            open: vec![line.to_string().into()],
            closed: vec!["not JSON <b>".into()],
            stalled: None,
        };
        let page = write(&sight, "failed");
        assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 9, "{page}");
    }

    #[test]
    fn the_headline_counts_the_loud_ones() {
        let line = |severity: &str| -> Arc<str> { format!(r#"{{"severity":"{severity}"}}"#).into() };
        let mut sight =
            Sight { phase: Phase::Running, status: None, open: vec![line("info")], closed: vec![], stalled: None };
        assert_eq!(headline(&sight), "no warning");
        sight.open.extend([line("critical"), line("warning"), line("critical")]);
        assert_eq!(headline(&sight), "2 critical, 1 warning");
    }
}
