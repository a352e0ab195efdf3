//! The sheet as a page that opens anywhere: no script, no network, no other file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Section, curves, tables};
use crate::eval::sheet::Sheet;
use crate::eval::sheet::recall::RecallRow;
use crate::eval::world::Group;
use crate::kind::AlertKind;
use crate::report::html::{Escaped, STYLE};

/// Failures listed at most, of each sort.
const MOST_LISTED: usize = 100;

/// What the page has beyond the report: small charts side by side, and a colour and a dash for each curve.
const OWN_STYLE: &str = "
.curves{display:grid;grid-template-columns:repeat(auto-fit,minmax(21rem,1fr));gap:1rem}.curves figure{margin:0}
.chart.curve{min-width:0}.curve path{fill:none;stroke-width:2}
.curve-0,.line-0{stroke:#8d99a1;border-color:#8d99a1}.curve-1,.line-1{stroke:#b08b2e;border-color:#b08b2e}
.curve-2,.line-2{stroke:#d9822b;border-color:#d9822b}.curve-3,.line-3{stroke:#c43d3d;border-color:#c43d3d}
.curve-4,.line-4{stroke:#a24a86;border-color:#a24a86}.curve-5,.line-5{stroke:#6a5acd;border-color:#6a5acd}
.curve-6,.line-6{stroke:#3f7fc0;border-color:#3f7fc0}.curve-7,.line-7{stroke:#1f8f6a;border-color:#1f8f6a}
.curve-1,.curve-5{stroke-dasharray:6 3}.curve-2,.curve-6{stroke-dasharray:2 3}.curve-3{stroke-dasharray:9 3 2 3}
.key[class*=line-]{height:0;border-top-width:3px;border-top-style:solid;border-radius:0;vertical-align:.25em}
[class^=kept-]{white-space:nowrap}
.kept-yes{color:var(--answered);font-weight:600}.kept-no{color:var(--attack);font-weight:700}.kept-open{color:var(--soft)}
";

/// Writes the page.
#[must_use]
pub fn page(sheet: &Sheet) -> String {
    let mut page = Page(String::new());
    page.head(sheet);
    let sections = tables::of(sheet);
    let (first, others) = sections.split_at(sections.len().min(1));
    first.iter().for_each(|section| page.section(section));
    page.curves(sheet);
    others.iter().for_each(|section| page.section(section));
    tables::failures(sheet, MOST_LISTED).iter().for_each(|section| page.section(section));
    page.settings(sheet);
    page.0.push_str("</main></body></html>\n");
    page.0
}

struct Page(String);

impl Page {
    fn text(&mut self, tag: &str, class: &str, text: &str) {
        // Writing to a string cannot fail, here and below.
        let _ = write!(self.0, "<{tag} class=\"{class}\">{}</{tag}>", Escaped(text));
    }

    fn head(&mut self, sheet: &Sheet) {
        let _ = write!(
            self.0,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>How often is Vigie right?</title>\
             <style>{STYLE}{OWN_STYLE}</style></head><body><main><header><p class=\"brand\">Vigie score sheet</p>\
             <h1>How often is Vigie right?</h1>"
        );
        tables::ran(sheet).iter().for_each(|line| self.text("p", "sub", line));
        self.0.push_str("</header>");
    }

    fn curves(&mut self, sheet: &Sheet) {
        let mut kinds: BTreeMap<AlertKind, Vec<&RecallRow>> = BTreeMap::new();
        for row in sheet.recall.iter().filter(|row| row.group == Group::Attack) {
            kinds.entry(row.kind).or_default().push(row);
        }
        if kinds.is_empty() {
            return;
        }
        self.0.push_str("<section><h2>Found by when</h2>");
        self.text(
            "p",
            "note",
            "Share of events found so long after their first packet, one curve for each rate as a multiple of ordinary traffic.",
        );
        self.0.push_str("<div class=\"curves\">");
        for (kind, rows) in kinds {
            let _ = write!(
                self.0,
                "<figure><figcaption>{kind}</figcaption>{}{}</figure>",
                curves::svg(&rows, kind.name()),
                curves::legend(&rows)
            );
        }
        self.0.push_str("</div></section>");
    }

    fn section(&mut self, section: &Section) {
        self.0.push_str("<section>");
        self.text("h2", "", &section.title);
        section.words.iter().for_each(|words| self.text("p", "note", words));
        self.0.push_str("<div class=\"wide\"><table><thead><tr>");
        for (column, head) in section.head.iter().enumerate() {
            self.text("th", class(section, column), head);
        }
        self.0.push_str("</tr></thead><tbody>");
        for row in &section.rows {
            self.0.push_str("<tr>");
            for (column, cell) in row.iter().enumerate() {
                let kept = match cell.as_str() {
                    "yes" if section.head[column] == "kept" => Some("kept-yes"),
                    "NO" => Some("kept-no"),
                    "too few" => Some("kept-open"),
                    _ => None,
                };
                self.text("td", kept.unwrap_or_else(|| class(section, column)), cell);
            }
            self.0.push_str("</tr>");
        }
        self.0.push_str("</tbody></table></div></section>");
    }

    fn settings(&mut self, sheet: &Sheet) {
        let mut section = Section::new("Settings", &["setting", "value"]);
        for (name, value) in &sheet.ran.settings {
            section.row([name.clone(), value.clone()]);
        }
        self.section(&section);
    }
}

fn class(section: &Section, column: usize) -> &'static str {
    if section.is_number(column) { "num" } else { "" }
}
