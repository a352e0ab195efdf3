//! The after-action report: one page that opens anywhere, needs no network, no script and no other file, and prints.
//!
//! The first page is for an official: what happened, from where, how sure, the time-line, and every minute in plain
//! words. Then come the incidents with their evidence, and last what an analyst needs to reproduce them. Every text
//! that is not ours is escaped.

mod evidence;
mod facts;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::alert::text::Language;
use crate::detect::minute::{MinuteKind, MinuteVerdict};
use crate::report::layout::{between, date};
use crate::report::page::{Page, filled};
use crate::report::span::{Span, by_site, spans};
use crate::report::{RunReport, chart, words};

pub(crate) use crate::report::page::{Escaped, STYLE};

/// Sites with a chart, and alerts written out: what is beyond is in the JSON summary, and the page says so.
const MOST_CHARTS: usize = 8;
const MOST_ALERTS: usize = 150;
const MOST_SPANS: usize = 120;

/// Writes the page.
#[must_use]
pub fn page(report: &RunReport, language: Language) -> String {
    let mut page = Page::new(language, report.start.map(date).unwrap_or_default());
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

impl Page {
    fn head(&mut self, report: &RunReport) {
        let inputs = report.inputs.join(", ");
        let title = filled(self.l.report_of, &[&inputs]);
        let _ = write!(
            self.out,
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title><style>{STYLE}</style></head><body><main>",
            self.language.code(),
            Escaped(&title)
        );
        let when = report.start.zip(report.end).map_or_else(
            || self.l.no_packet.to_owned(),
            |(start, end)| {
                let length = self.n.duration(end.since(start).as_secs_f64());
                format!("{} ({length})", between(start, end, self.l.to))
            },
        );
        self.put("<header>");
        self.note("brand", self.l.report);
        self.text("h1", self.words.headline(words::gravest(report)));
        let _ = write!(self.out, "<p class=\"sub\">{}<br>{}</p></header>", Escaped(&when), Escaped(&inputs));
    }

    fn answers(&mut self, report: &RunReport) {
        let sites = by_site(&report.minutes);
        let several = sites.len() > 1;
        let mut happened = Vec::new();
        for (site, minutes) in &sites {
            let spans = spans(minutes);
            happened.extend(words::happened(self.words, &spans, several.then_some(&**site), &self.first_day));
        }
        if happened.is_empty() {
            let nothing = if sites.is_empty() { self.l.nothing_judged } else { self.l.nothing_unusual };
            happened.push((String::new(), nothing.to_owned()));
        }
        self.put("<section class=\"answers\">");
        self.answer(self.l.what_happened, &happened);
        let without_lead =
            |answers: Vec<String>| answers.into_iter().map(|answer| (String::new(), answer)).collect::<Vec<_>>();
        self.answer(self.l.from_where, &without_lead(words::origin_of_attacks(self.words, report)));
        self.answer(self.l.how_sure, &without_lead(words::how_sure(self.words, report)));
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
        self.section("time-line", self.l.time_line);
        self.legend();
        let alerts = report.alerts_by_weight();
        for (number, (site, minutes)) in busiest(&sites).into_iter().take(MOST_CHARTS).enumerate() {
            let own: Vec<_> =
                alerts.iter().filter(|a| a.target.site.as_deref() == Some(site)).take(MOST_ALERTS).copied().collect();
            let title = filled(self.l.chart_title, &[site]);
            let chart = chart::minutes::svg(minutes, &own, &title, number, self.language);
            let caption = filled(self.l.chart_caption, &[site]);
            let _ = write!(self.out, "<figure><figcaption>{}</figcaption>", Escaped(&caption));
            let _ = write!(self.out, "<div class=\"wide\">{chart}</div></figure>");
        }
        if sites.len() > MOST_CHARTS {
            let more = filled(self.l.quieter_sites, &[&(sites.len() - MOST_CHARTS).to_string()]);
            self.text("p", &more);
        }
        self.put("</section>");
    }

    fn legend(&mut self) {
        let legend = &self.l.legend;
        self.put("<p class=\"legend\">");
        for (key, text) in [
            ("demand", legend.demand),
            ("attack", legend.attack),
            ("answered", legend.answered),
            ("capacity", legend.capacity),
        ] {
            let _ = write!(self.out, "<span class=\"key {key}\"></span>{} ", Escaped(text));
        }
        let _ = write!(self.out, "<br>{}</p>", Escaped(self.l.strip_note));
    }

    fn minutes(&mut self, report: &RunReport) {
        let sites = by_site(&report.minutes);
        if sites.is_empty() {
            return;
        }
        self.section("minutes", self.l.minute_by_minute);
        self.note("note", self.l.minutes_note);
        let numbers = [self.l.demand, self.l.capacity, self.l.attack_share, self.l.answered].map(|l| format!("#{l}"));
        let [demand, capacity, attack, answered] = numbers.each_ref().map(String::as_str);
        let heads = [self.l.when, self.l.verdict, self.l.in_plain_words, demand, capacity, attack, answered];
        for (site, minutes) in busiest(&sites) {
            let spans = spans(minutes);
            if sites.len() > 1 {
                self.text("h3", site);
            }
            self.table("", &heads);
            for span in spans.iter().take(MOST_SPANS) {
                self.span(span);
            }
            self.end_table();
            if spans.len() > MOST_SPANS {
                let more = filled(self.l.more_changes, &[&(spans.len() - MOST_SPANS).to_string()]);
                self.text("p", &more);
            }
        }
        self.put("</section>");
    }

    fn span(&mut self, span: &Span) {
        let (n, l, share) = (self.n, self.l, span.attack_share);
        let capacity = span.capacity_per_second.map_or_else(
            || l.not_shown.to_owned(),
            |rate| if span.capacity_is_at_least { filled(l.at_least, &[&n.rate(rate)]) } else { n.rate(rate) },
        );
        let _ = write!(
            self.out,
            "<tr><td class=\"when\">{}</td><td><span class=\"badge m-{}\">{}</span></td><td class=\"words\">{}</td>",
            words::when(span, &self.first_day),
            span.verdict,
            Escaped(self.words.minute(span.verdict)),
            Escaped(self.words.plain(span.verdict)),
        );
        for (label, value) in [
            (l.demand, n.rate(span.demand_per_second.value)),
            (l.capacity, capacity),
            (l.attack_share, n.percent_within(share.value, share.low, share.high)),
            (l.answered, n.percent(span.answered_share)),
        ] {
            // Where the table is narrow each figure bears its head.
            let label = label.to_lowercase();
            let _ = write!(self.out, "<td class=\"num\" data-label=\"{}\">{}</td>", Escaped(&label), Escaped(&value));
        }
        self.put("</tr>");
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
