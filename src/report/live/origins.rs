//! The live page's visitors: home against abroad, on a map of tiles, and the leading countries as bars.

use std::fmt::Write as _;

use super::{Live, LiveSite, MOST_SITES, Standing, Visitors};
use crate::country::Country;
use crate::report::chart::map::{Place, Side};
use crate::report::page::{Escaped, Page, filled};

/// Countries with a bar of their own.
const MOST_COUNTRIES: usize = 12;

impl Page {
    pub(super) fn visitors(&mut self, live: &Live, sites: &[(&LiveSite, Standing)]) {
        let l = &self.l.live;
        self.live_section("visitors", l.origins);
        self.note("note", l.origins_note);
        self.map_ground();
        self.put("<div class=\"sites\">");
        for (number, (site, _)) in sites.iter().take(MOST_SITES).enumerate() {
            self.put("<div>");
            self.text("h3", &site.name);
            self.site_visitors(live, site, number);
            self.put("</div>");
        }
        self.put("</div></section>");
    }

    fn site_visitors(&mut self, live: &Live, site: &LiveSite, number: usize) {
        let all: u64 = site.visitors.iter().map(|visitors| visitors.recent).sum();
        if all == 0 {
            self.text("p", self.l.live.no_connection);
        } else {
            self.sides(live, &site.visitors, all);
            self.visitors_map(live, site, all, number);
            self.countries(live, &site.visitors, all);
        }
        if let Some(unproven) = site.unproven {
            let text = filled(self.l.live.unproven_share, &[&self.n.percent(unproven)]);
            self.note("note", &text);
        }
    }

    /// Writes home, abroad and unknown as one bar, with the figures in words.
    fn sides(&mut self, live: &Live, visitors: &[Visitors], all: u64) {
        let l = &self.l.live;
        let names = [(Side::Home, l.home_side), (Side::Abroad, l.abroad_side), (Side::Nowhere, l.unknown_side)];
        let sums = names.map(|(side, name)| {
            let own = visitors.iter().filter(|visitors| live.side(visitors.country) == side);
            (side, name, own.map(|visitors| visitors.recent).sum::<u64>() as f64 / all as f64)
        });
        let said: Vec<String> = sums
            .iter()
            .filter(|(.., share)| *share > 0.0)
            .map(|(_, name, share)| format!("{name} {}", self.n.percent(*share)))
            .collect();
        let _ =
            write!(self.out, "<p class=\"sides\">{}</p><div class=\"sides\" aria-hidden=\"true\">", said.join(" · "));
        for (side, _, share) in sums {
            let _ = write!(self.out, "<span class=\"{}\" style=\"width:{:.2}%\"></span>", side.class(), share * 100.0);
        }
        self.put("</div>");
    }

    fn visitors_map(&mut self, live: &Live, site: &LiveSite, all: u64, number: usize) {
        let places: Vec<Place> = site
            .visitors
            .iter()
            .filter(|visitors| visitors.country.is_known() && visitors.recent > 0)
            .map(|visitors| {
                let (side, share) = (live.side(visitors.country), visitors.recent as f64 / all as f64);
                self.place(visitors.country, side, share)
            })
            .collect();
        let title = filled(self.l.map.title, &[&site.name]);
        self.map(&places, &title, number);
    }

    fn countries(&mut self, live: &Live, visitors: &[Visitors], all: u64) {
        let l = &self.l.live;
        let hour: u64 = visitors.iter().map(|visitors| visitors.hour).sum();
        let largest = visitors.first().map_or(1, |visitors| visitors.recent.max(1)) as f64;
        let share = format!("#{}", self.l.share);
        self.table("countries", &[self.l.registered_in, &share, ""]);
        for visitors in visitors.iter().take(MOST_COUNTRIES).filter(|visitors| visitors.recent > 0) {
            let side = live.side(visitors.country);
            let name = self.country_on_its_side(visitors.country, side);
            // The mark stands where the bar would end if the last minutes were like the hour.
            let mark = visitors.hour as f64 / hour.max(1) as f64 * all as f64 / largest;
            let _ = write!(
                self.out,
                "<tr><td>{}</td><td class=\"num\">{}</td><td class=\"bar\"><div><i class=\"{}\" \
                 style=\"width:{:.1}%\"></i><b style=\"left:{:.1}%\"></b></div></td></tr>",
                Escaped(&name),
                self.n.percent(visitors.recent as f64 / all as f64),
                side.class(),
                visitors.recent as f64 / largest * 100.0,
                (mark * 100.0).min(100.0),
            );
        }
        self.end_table();
        let others = visitors.iter().skip(MOST_COUNTRIES).filter(|visitors| visitors.recent > 0).count();
        let more = if others > 0 { filled(l.other_countries, &[&others.to_string()]) + ". " } else { String::new() };
        self.note("note", &(more + l.hour_share));
    }
}

impl Live {
    fn side(&self, country: Country) -> Side {
        Side::of(country, self.home.as_ref().map_or(&[], |home| &home.countries))
    }
}
