//! The after-action report: one page that opens anywhere, needs no network, no script and no other file, and prints.
//!
//! The first page is for an official: what happened, from where, how sure, the time-line, and every minute in plain
//! words. Then come the incidents with their evidence, and last what an analyst needs to reproduce them. Every text
//! that is not ours is escaped.

mod evidence;
mod facts;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use crate::alert::text::Language;
use crate::alert::text::notation::Notation;
use crate::detect::minute::{MinuteKind, MinuteVerdict};
use crate::kind::Severity;
use crate::report::layout::{between, date};
use crate::report::span::{Span, by_site, spans};
use crate::report::words::Words;
use crate::report::{RunReport, chart};

pub(crate) const STYLE: &str = include_str!("page.css");
/// Sites with a chart, and alerts written out: what is beyond is in the JSON summary, and the page says so.
const MOST_CHARTS: usize = 8;
const MOST_ALERTS: usize = 150;
const MOST_SPANS: usize = 120;

/// A text made safe for element content and for attributes in double quotes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No control character may stand in a page; what a file name holds is shown as unreadable.
                c if c.is_control() && c != '\n' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Writes the page.
#[must_use]
pub fn page(report: &RunReport, language: Language) -> String {
    let first_day = report.start.map(date).unwrap_or_default();
    let mut page = Page { out: String::new(), language, n: language.notation(), words: Words::of(language), first_day };
    page.head(report);
    page.answers(report);
    page.time_lines(report);
    page.minutes(report);
    page.incidents(report);
    page.origins(report);
    page.limits();
    page.capture(report);
    page.put("</main></body></html>\n");
    page.out
}

struct Page {
    out: String,
    language: Language,
    n: Notation,
    words: Words,
    first_day: String,
}

impl Page {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn text(&mut self, tag: &str, text: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.out, "<{tag}>{}</{tag}>", Escaped(text));
    }

    fn section(&mut self, class: &str, title: &str) {
        let _ = write!(self.out, "<section class=\"{class}\"><h2>{}</h2>", Escaped(title));
    }

    fn head(&mut self, report: &RunReport) {
        let inputs = report.inputs.join(", ");
        let title = format!("Vigie report: {inputs}");
        let _ = write!(
            self.out,
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title><style>{STYLE}</style></head><body><main>",
            self.language.code(),
            Escaped(&title)
        );
        let when = report.start.zip(report.end).map_or_else(
            || "No packet was read.".to_owned(),
            |(start, end)| format!("{} ({})", between(start, end), self.n.duration(end.since(start).as_secs_f64())),
        );
        self.put("<header><p class=\"brand\">Vigie after-action report</p>");
        self.text("h1", headline(report));
        let _ = write!(self.out, "<p class=\"sub\">{}<br>{}</p></header>", Escaped(&when), Escaped(&inputs));
    }

    fn answers(&mut self, report: &RunReport) {
        let sites = by_site(&report.minutes);
        let several = sites.len() > 1;
        let mut happened = Vec::new();
        for (site, minutes) in &sites {
            let spans = spans(minutes);
            happened.extend(self.words.happened(&spans, several.then_some(&**site), &self.first_day));
        }
        if happened.is_empty() {
            let nothing = if sites.is_empty() {
                "No minute could be judged: no protected site carried traffic.".to_owned()
            } else {
                "Nothing unusual happened in any minute.".to_owned()
            };
            happened.push((String::new(), nothing));
        }
        self.put("<section class=\"answers\">");
        self.answer("What happened?", &happened);
        let without_lead =
            |answers: Vec<String>| answers.into_iter().map(|answer| (String::new(), answer)).collect::<Vec<_>>();
        self.answer("From where?", &without_lead(self.words.origin_of_attacks(report)));
        self.answer("How sure is this?", &without_lead(self.words.how_sure(report)));
        self.put("</section>");
    }

    /// Writes a question and its answers, each with what stands before it in bold.
    fn answer(&mut self, question: &str, answers: &[(String, String)]) {
        let _ = write!(self.out, "<div><h2>{}</h2>", Escaped(question));
        for (lead, answer) in answers {
            // Word joiners keep 09:02-09:12 on one line.
            let lead = lead.replace('-', "\u{2060}-\u{2060}");
            let _ = match lead.as_str() {
                "" => write!(self.out, "<p>{}</p>", Escaped(answer)),
                lead => write!(self.out, "<p><b>{}</b> {}</p>", Escaped(lead), Escaped(answer)),
            };
        }
        self.put("</div>");
    }

    fn time_lines(&mut self, report: &RunReport) {
        let sites = by_site(&report.minutes);
        if sites.is_empty() {
            return;
        }
        self.section("time-line", "Time-line");
        self.put(LEGEND);
        let alerts = report.alerts_by_weight();
        for (number, (site, minutes)) in busiest(&sites).into_iter().take(MOST_CHARTS).enumerate() {
            let own: Vec<_> =
                alerts.iter().filter(|a| a.target.site.as_deref() == Some(site)).take(MOST_ALERTS).copied().collect();
            let title = format!("Requests a second to {site}, by minute: demand, attack, answered, capacity");
            let chart = chart::svg(minutes, &own, &title, number, self.language);
            let _ = write!(self.out, "<figure><figcaption>{}, requests a second, UTC</figcaption>", Escaped(site));
            let _ = write!(self.out, "<div class=\"wide\">{chart}</div></figure>");
        }
        if sites.len() > MOST_CHARTS {
            let more = format!("{} quieter sites are in the table only.", sites.len() - MOST_CHARTS);
            self.text("p", &more);
        }
        self.put("</section>");
    }

    fn minutes(&mut self, report: &RunReport) {
        let sites = by_site(&report.minutes);
        if sites.is_empty() {
            return;
        }
        self.section("minutes", "Minute by minute");
        self.put("<p class=\"note\">Minutes in a row with the same verdict are one line. Times are UTC.</p>");
        for (site, minutes) in busiest(&sites) {
            let spans = spans(minutes);
            if sites.len() > 1 {
                self.text("h3", site);
            }
            self.put(
                "<div class=\"wide\"><table><thead><tr><th>When</th><th>Verdict</th><th>In plain words</th>\
                 <th class=\"num\">Demand</th><th class=\"num\">Capacity</th><th class=\"num\">Attack share</th>\
                 <th class=\"num\">Answered</th></tr></thead><tbody>",
            );
            for span in spans.iter().take(MOST_SPANS) {
                self.span(span);
            }
            self.put("</tbody></table></div>");
            if spans.len() > MOST_SPANS {
                let more = format!("{} more changes are in the JSON summary.", spans.len() - MOST_SPANS);
                self.text("p", &more);
            }
        }
        self.put("</section>");
    }

    fn span(&mut self, span: &Span) {
        let (n, share) = (self.n, span.attack_share);
        let capacity = span.capacity_per_second.map_or_else(
            || "not shown".to_owned(),
            |rate| if span.capacity_is_at_least { format!("at least {}", n.rate(rate)) } else { n.rate(rate) },
        );
        let _ = write!(
            self.out,
            "<tr><td class=\"when\">{}</td><td><span class=\"badge m-{}\">{}</span></td><td class=\"words\">{}</td>\
             <td class=\"num\" data-label=\"demand\">{}</td><td class=\"num\" data-label=\"capacity\">{capacity}</td>\
             <td class=\"num\" data-label=\"attack\">{}</td><td class=\"num\" data-label=\"answered\">{}</td></tr>",
            self.words.when(span, &self.first_day),
            span.verdict,
            self.words.minute(span.verdict),
            Escaped(self.words.plain(span.verdict)),
            n.rate(span.demand_per_second.value),
            n.percent_within(share.value, share.low, share.high),
            n.percent(span.answered_share),
        );
    }
}

const LEGEND: &str = "<p class=\"legend\"><span class=\"key demand\"></span>real demand <span class=\"key attack\"></span>\
    attack <span class=\"key answered\"></span>answered by the server <span class=\"key capacity\"></span>capacity shown \
    so far. The strip below the time axis is the verdict of each minute; the bars under it are alerts.</p>";

/// Returns the report's title: the gravest thing that happened.
fn headline(report: &RunReport) -> &'static str {
    let had = |kinds: &[MinuteKind]| report.minutes.iter().any(|minute| kinds.contains(&minute.verdict));
    let attacked = had(&[MinuteKind::Attack, MinuteKind::Mixed]);
    let overloaded = had(&[MinuteKind::Overload, MinuteKind::Mixed]);
    match (attacked, overloaded) {
        (true, true) => "Both: real users overloaded the service, and it was attacked",
        (true, false) => "An attack harmed the service",
        (false, true) => "Real users overloaded the service",
        _ if had(&[MinuteKind::Fault]) => "The service failed with neither a crowd nor an attack",
        _ if had(&[MinuteKind::Undetermined]) => "The service was bad, and the figures do not say why",
        _ if had(&[MinuteKind::AttackAbsorbed]) => "An attack was borne without harm",
        _ if had(&[MinuteKind::RushAbsorbed]) => "A rush of users was borne without harm",
        _ if report.alerts.iter().any(|alert| alert.severity > Severity::Info) => {
            "The service held; there are alerts to look at"
        }
        _ if report.minutes.is_empty() => "Nothing could be judged",
        _ => "Nothing unusual happened",
    }
}

/// Returns the sites with the most remarkable minutes first.
fn busiest<'a>(
    sites: &'a BTreeMap<std::sync::Arc<str>, Vec<&'a MinuteVerdict>>,
) -> Vec<(&'a str, &'a [&'a MinuteVerdict])> {
    let mut order: Vec<_> = sites.iter().map(|(site, minutes)| (&**site, minutes.as_slice())).collect();
    let remarkable = |minutes: &[&MinuteVerdict]| minutes.iter().filter(|m| m.verdict != MinuteKind::Normal).count();
    order.sort_by_key(|(_, minutes)| std::cmp::Reverse(remarkable(minutes)));
    order
}
