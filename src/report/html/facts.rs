//! The page's last part: origins of the whole run, what the data cannot tell, and the facts to reproduce it by.

use std::fmt::Write as _;

use super::{Escaped, Page};
use crate::detect::engine::Armed;
use crate::report::layout::{date, second_of_day};
use crate::report::{ProtectedSite, RunReport};

impl Page {
    pub(super) fn origins(&mut self, report: &RunReport) {
        self.section("origins", "Where traffic came from");
        if report.origins.is_empty() {
            self.put("<p>No inbound traffic to a protected site was seen.</p>");
        } else {
            self.origin_table(report);
        }
        let home: Vec<_> = report.home.countries.iter().map(ToString::to_string).collect();
        let home = if home.is_empty() { "none".to_owned() } else { home.join(", ") };
        self.text("p", &format!("Home: {home} ({}). Table of countries: {}.", report.home.how, report.geo));
        self.put("</section>");
    }

    fn origin_table(&mut self, report: &RunReport) {
        self.put(
            "<p>Inbound traffic of the whole run. A country is given only to senders that proved their address, and it \
             is where that address is <b>registered</b>, not where its user sits. Traffic of senders that proved \
             nothing is <i>unproven</i>; addresses in no table are <i>unknown</i> and never counted as foreign.</p>",
        );
        self.put(
            "<div class=\"wide\"><table><thead><tr><th>Registered in</th><th class=\"num\">Share</th><th></th>\
             <th class=\"num\">Packets</th><th class=\"num\">Bytes</th></tr></thead><tbody>",
        );
        for (origin, share) in report.origins_by_share().into_iter().take(20) {
            let home = origin.country.is_some_and(|country| report.home.countries.contains(&country));
            let _ = write!(
                self.out,
                "<tr><td>{}{}</td><td class=\"num\">{}</td><td class=\"bar\"><span style=\"width:{:.1}%\"></span></td>\
                 <td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
                origin.name(),
                if home { " (home)" } else { "" },
                self.n.percent(share),
                share * 100.0,
                self.n.whole(origin.packets),
                self.n.bytes(origin.bytes)
            );
        }
        self.put("</tbody></table></div>");
    }

    pub(super) fn limits(&mut self) {
        self.section("limits", "What the data cannot tell");
        self.put("<ul>");
        for sentence in self.words.blind_spots() {
            self.text("li", sentence);
        }
        self.put("</ul></section>");
    }

    pub(super) fn capture(&mut self, report: &RunReport) {
        self.section("capture", "Capture and settings");
        self.put("<p class=\"note\">With these and the same capture the same alerts come out.</p>");
        self.rows("Capture", &self.capture_rows(report));
        let protected: Vec<_> = report.protected.iter().flat_map(protected_rows).collect();
        self.rows("Protected sites", &protected);
        self.rows("Tests", &report.detectors.iter().map(detector_row).collect::<Vec<_>>());
        self.rows("Settings", &report.settings);
        let _ = write!(self.out, "<p class=\"note\">Written by Vigie {}.</p></section>", env!("CARGO_PKG_VERSION"));
    }

    fn capture_rows(&self, report: &RunReport) -> Vec<(String, String)> {
        let (n, books) = (self.n, &report.accounting);
        let row = |name: &str, value: String| (name.to_owned(), value);
        let discarded: Vec<_> =
            books.discarded.iter().map(|(reason, count)| format!("{reason} {}", n.whole(*count))).collect();
        let mut rows = vec![
            row("Packets seen", n.whole(books.packets)),
            row("Processed", n.whole(books.processed)),
            row("Discarded", if discarded.is_empty() { "0".to_owned() } else { discarded.join(", ") }),
            row(
                "Dropped",
                format!("kernel {}, interface {}", n.whole(books.dropped.kernel), n.whole(books.dropped.interface)),
            ),
            row("Bytes on the wire", n.whole(books.bytes)),
            row("Flows", n.whole(report.flows)),
            row("Late frames, clock steps", format!("{}, {}", n.whole(books.late), n.whole(books.clock_steps))),
            row(
                "Rate achieved",
                format!(
                    "{} in {}",
                    n.scaled(report.packets_per_second(), &["packets/s", "k packets/s", "M packets/s"]),
                    n.duration(report.wall_seconds)
                ),
            ),
        ];
        rows.extend(report.all_faults().into_iter().map(|fault| row("Fault", fault)));
        rows
    }

    fn rows(&mut self, title: &str, rows: &[(String, String)]) {
        if rows.is_empty() {
            return;
        }
        self.text("h3", title);
        self.put("<table class=\"rows\"><tbody>");
        for (name, value) in rows {
            let _ = write!(self.out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", Escaped(name), Escaped(value));
        }
        self.put("</tbody></table>");
    }
}

fn protected_rows(site: &ProtectedSite) -> Vec<(String, String)> {
    let how = if site.learned { "found in the traffic" } else { "configured" };
    site.values().map(|value| (value, how.to_owned())).collect()
}

fn detector_row(detector: &Armed) -> (String, String) {
    let state = match (detector.since, &detector.why_not) {
        (Some(since), _) => format!("at work since {} {}", date(since), second_of_day(since)),
        (None, Some(why)) => format!("not at work: {why}"),
        (None, None) => "not at work".to_owned(),
    };
    (detector.detector.to_owned(), state)
}
