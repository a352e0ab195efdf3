//! The page's last part: origins of the whole run, what the data cannot tell, and the facts to reproduce it by.

use std::fmt::Write as _;

use super::Escaped;
use crate::detect::engine::Armed;
use crate::report::chart::map::{Place, Side};
use crate::report::layout::{date, second_of_day};
use crate::report::page::{Page, filled};
use crate::report::{ProtectedSite, RunReport, words};

impl Page {
    pub(super) fn origins(&mut self, report: &RunReport) {
        self.section("origins", self.l.origins);
        if report.origins.is_empty() {
            self.text("p", self.l.no_origins);
        } else {
            self.origin_table(report);
        }
        let home: Vec<_> = report.home.countries.iter().map(|country| self.words.country(*country)).collect();
        let home = if home.is_empty() { self.l.none.to_owned() } else { home.join(", ") };
        let home = self.words.home_and_table(&home, &self.words.how_home(&report.home), &report.geo);
        self.text("p", &home);
        self.put("</section>");
    }

    fn origin_table(&mut self, report: &RunReport) {
        self.text("p", self.l.origins_note);
        self.origin_map(report);
        let numbers = [self.l.share, self.l.packets, self.l.bytes].map(|label| format!("#{}", capital(label)));
        self.table("", &[self.l.registered_in, &numbers[0], "", &numbers[1], &numbers[2]]);
        for (origin, share) in report.origins_by_share().into_iter().take(20) {
            let name = match origin.country {
                None => self.l.unproven.to_owned(),
                Some(country) => self.country_on_its_side(country, Side::of(country, &report.home.countries)),
            };
            let _ = write!(
                self.out,
                "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"bar\"><span style=\"width:{:.1}%\"></span></td>\
                 <td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
                Escaped(&name),
                self.n.percent(share),
                share * 100.0,
                self.n.whole(origin.packets),
                self.n.bytes(origin.bytes)
            );
        }
        self.end_table();
    }

    fn origin_map(&mut self, report: &RunReport) {
        let origins = report.origins_by_share();
        let known = origins.iter().filter_map(|(origin, share)| origin.country.map(|country| (country, *share)));
        let places: Vec<Place> = known
            .filter(|(country, _)| country.is_known())
            .map(|(country, share)| self.place(country, Side::of(country, &report.home.countries), share))
            .collect();
        if !places.is_empty() {
            self.map_ground();
            self.map(&places, self.l.map.whole_run, 0);
        }
    }

    pub(super) fn limits(&mut self) {
        self.section("limits", self.l.limits);
        self.put("<ul>");
        for sentence in self.words.blind_spots() {
            self.text("li", sentence);
        }
        self.put("</ul></section>");
    }

    pub(super) fn capture(&mut self, report: &RunReport) {
        self.section("capture", self.l.capture_and_settings);
        self.note("note", self.l.reproduce);
        self.rows(self.l.capture, &self.capture_rows(report));
        let protected: Vec<_> = report.protected.iter().flat_map(|site| self.protected_rows(site)).collect();
        self.rows(self.l.protected_sites, &protected);
        let tests: Vec<_> = report.detectors.iter().map(|detector| self.detector_row(detector)).collect();
        self.rows(self.l.tests, &tests);
        self.rows(self.l.settings, &report.settings);
        self.note("note", &filled(self.l.written_by, &[env!("CARGO_PKG_VERSION")]));
        self.put("</section>");
    }

    fn capture_rows(&self, report: &RunReport) -> Vec<(String, String)> {
        let (n, l, books) = (self.n, self.l, &report.accounting);
        let row = |name: &str, value: String| (name.to_owned(), value);
        let discarded: Vec<_> =
            books.discarded.iter().map(|(reason, count)| format!("{reason} {}", n.whole(*count))).collect();
        let dropped = [books.dropped.kernel, books.dropped.interface, books.shed].map(|count| n.whole(count));
        let rate = [n.scaled(report.packets_per_second(), &l.rate_units), n.duration(report.wall_seconds)];
        let mut rows = vec![
            row(l.packets_seen, n.whole(books.packets)),
            row(l.processed, n.whole(books.processed)),
            row(l.discarded, if discarded.is_empty() { "0".to_owned() } else { discarded.join(", ") }),
            row(l.dropped, filled(l.dropped_at, &dropped.each_ref().map(String::as_str))),
            row(l.bytes_on_the_wire, n.whole(books.bytes)),
            row(l.flows, n.whole(report.flows)),
            row(l.late_and_steps, format!("{}, {}", n.whole(books.late), n.whole(books.clock_steps))),
            row(l.rate_achieved, filled(l.rate_in, &rate.each_ref().map(String::as_str))),
        ];
        rows.extend(words::faults(self.words, report).into_iter().map(|fault| row(l.fault, fault)));
        rows
    }

    fn protected_rows(&self, site: &ProtectedSite) -> Vec<(String, String)> {
        let how = if site.learned { self.l.found } else { self.l.configured };
        site.values().map(|value| (value, how.to_owned())).collect()
    }

    pub(in crate::report) fn detector_row(&self, detector: &Armed) -> (String, String) {
        let state = match (detector.since, &detector.why_not) {
            (Some(since), _) => filled(self.l.at_work_since, &[&format!("{} {}", date(since), second_of_day(since))]),
            (None, Some(why)) => format!("{}{}{}", self.l.not_at_work, self.l.colon, self.words.why_not(why)),
            (None, None) => self.l.not_at_work.to_owned(),
        };
        (detector.detector.to_owned(), state)
    }
}

/// Returns a label as the head of a column.
fn capital(label: &str) -> String {
    let mut rest = label.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
