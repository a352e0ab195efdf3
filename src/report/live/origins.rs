//! The live page's visitors: home against abroad, and the leading countries as bars.

use std::fmt::Write as _;

use super::{Live, LiveSite, MOST_SITES, Standing, Visitors};
use crate::report::page::{Escaped, Page, filled};

/// Countries with a bar of their own.
const MOST_COUNTRIES: usize = 12;

impl Page {
    pub(super) fn visitors(&mut self, live: &Live, sites: &[(&LiveSite, Standing)]) {
        let l = &self.l.live;
        self.live_section("visitors", l.origins);
        self.note("note", l.origins_note);
        self.put("<div class=\"sites\">");
        for (site, _) in sites.iter().take(MOST_SITES) {
            self.put("<div>");
            self.text("h3", &site.name);
            self.site_visitors(live, site);
            self.put("</div>");
        }
        self.put("</div></section>");
    }

    fn site_visitors(&mut self, live: &Live, site: &LiveSite) {
        let all: u64 = site.visitors.iter().map(|visitors| visitors.recent).sum();
        if all == 0 {
            self.text("p", self.l.live.no_connection);
        } else {
            self.sides(live, &site.visitors, all);
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
        let home_known = live.knows_home();
        let mut sums = [0_u64; 3];
        for visitors in visitors {
            let side = match visitors.country {
                country if !country.is_known() || !home_known => 2,
                country if live.is_home(country) => 0,
                _ => 1,
            };
            sums[side] += visitors.recent;
        }
        let names = [l.home_side, l.abroad_side, l.unknown_side];
        let share = |count: u64| count as f64 / all as f64;
        let said: Vec<String> = names
            .iter()
            .zip(sums)
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{name} {}", self.n.percent(share(count))))
            .collect();
        let _ =
            write!(self.out, "<p class=\"sides\">{}</p><div class=\"sides\" aria-hidden=\"true\">", said.join(" · "));
        for (class, count) in ["home", "abroad", "nowhere"].into_iter().zip(sums) {
            let _ = write!(self.out, "<span class=\"{class}\" style=\"width:{:.2}%\"></span>", share(count) * 100.0);
        }
        self.put("</div>");
    }

    fn countries(&mut self, live: &Live, visitors: &[Visitors], all: u64) {
        let l = &self.l.live;
        let hour: u64 = visitors.iter().map(|visitors| visitors.hour).sum();
        let largest = visitors.first().map_or(1, |visitors| visitors.recent.max(1)) as f64;
        let share = format!("#{}", self.l.share);
        self.table("countries", &[self.l.registered_in, &share, ""]);
        for visitors in visitors.iter().take(MOST_COUNTRIES).filter(|visitors| visitors.recent > 0) {
            let is_home = live.is_home(visitors.country);
            let name = if visitors.country.is_known() {
                self.words.country(visitors.country)
            } else {
                self.l.unknown.to_owned()
            };
            let home = if is_home { format!(" ({})", self.l.home) } else { String::new() };
            let side = match visitors.country {
                country if !country.is_known() || !live.knows_home() => "nowhere",
                _ if is_home => "home",
                _ => "abroad",
            };
            // The mark stands where the bar would end if the last minutes were like the hour.
            let mark = visitors.hour as f64 / hour.max(1) as f64 * all as f64 / largest;
            let _ = write!(
                self.out,
                "<tr><td>{}{home}</td><td class=\"num\">{}</td><td class=\"bar\"><div><i class=\"{side}\" \
                 style=\"width:{:.1}%\"></i><b style=\"left:{:.1}%\"></b></div></td></tr>",
                Escaped(&name),
                self.n.percent(visitors.recent as f64 / all as f64),
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
