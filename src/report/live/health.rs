//! The live page's last parts: whether the sensor sees what it should, what is watched, and with what.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Live, Stage};
use crate::kind::AlertKind;
use crate::report::page::{Escaped, Page, filled};

/// Lost frames from which figures may be off: as much as the sensor's own alert needs to become a warning.
const MUCH_LOST: f64 = 0.001;

/// Judging may lie so far behind the clock: two ticks, a batch and the deadline of handshakes.
const MUCH_LAG: Duration = Duration::from_secs(5);

/// Share of segments seen twice from which the mirror port is not as it should be.
const MUCH_DOUBLED: f64 = 0.01;

impl Live {
    /// Tells whether the sensor sees what it should.
    #[must_use]
    pub fn is_seeing(&self) -> bool {
        let health = &self.health;
        let blind = self.open.iter().any(|alert| alert.kind == AlertKind::SensorBlind);
        let lost = health.lost as f64 > MUCH_LOST * health.frames as f64;
        let late = self.stage == Stage::Running && health.lag.is_some_and(|lag| lag > MUCH_LAG);
        let stuck = matches!(self.stage, Stage::Stalled | Stage::Failed(_));
        let one_sided = self.sites.iter().any(|site| site.one_sided);
        let shed = !health.sampling.is_whole();
        !(blind || lost || shed || late || stuck || one_sided || health.duplicates > MUCH_DOUBLED)
    }
}

impl Page {
    pub(super) fn health(&mut self, live: &Live) {
        let l = &self.l.live;
        self.live_section("health", l.health);
        let (class, text) = if live.is_seeing() { ("good", l.health_good) } else { ("bad", l.health_bad) };
        self.note(class, text);
        let rows = self.health_rows(live);
        self.rows("", &rows);
        self.put("</section>");
    }

    fn health_rows(&self, live: &Live) -> Vec<(String, String)> {
        let (n, l, health) = (self.n, &self.l.live, &live.health);
        let row = |name: &str, value: String| (name.to_owned(), value);
        let share = health.lost as f64 / health.frames.max(1) as f64;
        let lag = match health.lag {
            None => l.lag_replay.to_owned(),
            Some(lag) => n.duration(lag.as_secs_f64()),
        };
        let counted = match health.sampling {
            sampling if sampling.is_whole() => l.sampling_all.to_owned(),
            sampling => filled(l.sampling_part, &[&n.limit(f64::from(sampling.one_in()))]),
        };
        let sampling = match health.sampler_shift {
            0 => l.sampling_all.to_owned(),
            shift => filled(l.sampling_part, &[&n.limit(f64::from(shift).exp2())]),
        };
        let mut rows = vec![
            row(
                l.lost_in_minute,
                format!("{} / {} ({})", n.whole(health.lost), n.whole(health.frames), n.percent(share)),
            ),
            row(l.counted, counted),
            row(l.lag, lag),
        ];
        for site in &live.sites {
            let seen = if site.one_sided { l.one_direction } else { l.both_directions };
            rows.push(row(&format!("{}{}{}", l.directions, self.l.colon, site.name), seen.to_owned()));
        }
        rows.push(row(l.duplicates, n.percent(health.duplicates)));
        rows.push(row(l.sampling, sampling));
        rows.push(row(l.flows_in_table, n.whole(health.flows)));
        for (reason, count) in &health.discarded {
            rows.push(row(&format!("{}{}{reason}", self.l.discarded, self.l.colon), n.whole(*count)));
        }
        rows
    }

    pub(super) fn watched(&mut self, live: &Live) {
        let l = &self.l.live;
        self.live_section("about", l.about);
        let mut rows: Vec<(String, String)> = live
            .protected
            .iter()
            .map(|(site, prefixes)| (format!("{}{}{site}", l.protected, self.l.colon), prefixes.join(", ")))
            .collect();
        if live.learning {
            rows.push((l.protected.to_owned(), l.learning.to_owned()));
        }
        if let Some(home) = &live.home {
            let countries: Vec<_> = home.countries.iter().map(|country| self.words.country(*country)).collect();
            let countries = if countries.is_empty() { self.l.none.to_owned() } else { countries.join(", ") };
            rows.push((capital(self.l.home), format!("{countries} ({})", self.words.how_home(home))));
        }
        for armed in live.detectors.iter().filter(|armed| armed.since.is_none()) {
            let why = self.words.why_not(armed.why_not.as_deref().unwrap_or_default());
            rows.push((format!("{}{}{}", l.not_at_work, self.l.colon, armed.detector), why));
        }
        self.rows("", &rows);
        let _ = write!(
            self.out,
            "<p class=\"note\">{}: <a href=\"/api\">API</a> <a href=\"/api/v1/alerts\">alerts</a> <a href=\"/api/v1/status\">status</a> \
             <a href=\"/metrics\">metrics</a></p></section>",
            Escaped(l.for_programs)
        );
    }
}

/// Returns a word as the head of a row.
fn capital(word: &str) -> String {
    let mut rest = word.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
