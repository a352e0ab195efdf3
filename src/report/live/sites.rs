//! The live page's sites: a card each with the verdict and its figures, and the time line.

use std::fmt::Write as _;

use super::{Column, Live, LiveSite, MOST_SITES, Standing};
use crate::alert::Alert;
use crate::report::chart;
use crate::report::layout::{minute_of_day, second_of_day};
use crate::report::page::{Escaped, Page, filled};

/// Rows of the table that says what the chart shows: about one a minute.
const MOST_ROWS: usize = 20;

impl Page {
    pub(super) fn verdicts(&mut self, live: &Live, sites: &[(&LiveSite, Standing)]) {
        self.live_section("verdicts", self.l.live.now);
        if sites.is_empty() {
            self.text("p", self.l.live.no_site);
        }
        self.put("<div class=\"cards\">");
        for (site, standing) in sites.iter().take(MOST_SITES) {
            self.card(live, site, *standing);
        }
        self.put("</div>");
        if sites.len() > MOST_SITES {
            self.quieter(&sites[MOST_SITES..]);
        }
        self.put("</section>");
    }

    fn card(&mut self, live: &Live, site: &LiveSite, standing: Standing) {
        let words = self.words;
        let _ = write!(
            self.out,
            "<article class=\"site v-{standing}\"><h3>{}</h3><p class=\"standing\"><span class=\"badge v-{standing}\">{}\
             </span></p><p class=\"why\">{}</p>",
            Escaped(&site.name),
            Escaped(words.standing(standing)),
            Escaped(&self.reason(live, site, standing)),
        );
        self.put("<dl class=\"numbers\">");
        self.numbers(live, site);
        self.put("</dl>");
        if let Some(minute) = site.minutes.last() {
            let text = filled(self.l.live.last_minute, &[&minute_of_day(minute.start), &words.minute_figures(minute)]);
            self.note("note", &text);
        }
        self.put("</article>");
    }

    /// Returns the sentence of the alert that the standing rests on, or a plain one.
    fn reason(&self, live: &Live, site: &LiveSite, standing: Standing) -> String {
        let own = |alert: &&&Alert| alert.target.site.as_ref() == Some(&site.name);
        let open: Vec<&Alert> = live.open.iter().map(|alert| &**alert).collect();
        let alerts = open.iter().filter(own).filter(|alert| Standing::of(std::iter::once(**alert), None) <= standing);
        // Of two alerts alike in gravity the one with more evidence speaks.
        let first = alerts.min_by(|a, b| {
            let gravity = |alert: &Alert| Standing::of(std::iter::once(alert), None);
            gravity(a).cmp(&gravity(b)).then(b.severity.cmp(&a.severity)).then(b.score.get().total_cmp(&a.score.get()))
        });
        match first {
            Some(alert) if standing <= Standing::Rush => self.language.why(alert),
            _ => self.words.plain_standing(standing).to_owned(),
        }
    }

    fn numbers(&mut self, live: &Live, site: &LiveSite) {
        let (n, l) = (self.n, &self.l.live);
        let now = site.now;
        let requests = now.map_or(0.0, |now| now.requests());
        let usual = now.and_then(|now| now.usual).map_or_else(
            || l.usual_unknown.to_owned(),
            |(usual, most)| filled(l.usually, &[&n.rate(usual), &n.rate(most)]),
        );
        self.number(&n.rate(requests), l.requests, &usual);
        if let Some(now) = now.filter(|now| now.requests() > 0.0) {
            let answered = (now.completed + now.unfinished) / now.requests();
            self.number(&n.percent(answered), l.answered, "");
            if !site.one_sided {
                let of_answered = now.unfinished / (now.completed + now.unfinished).max(f64::MIN_POSITIVE);
                self.number(&n.percent(of_answered.min(1.0)), l.unfinished, "");
            }
        }
        if let Some(abroad) = live.share_from_abroad(site) {
            self.number(&n.percent(abroad), l.abroad, "");
        }
        if let Some(sources) = site.sources {
            self.number(&n.figure(sources.round()), l.sources, "");
        }
    }

    fn number(&mut self, value: &str, what: &str, more: &str) {
        let _ = write!(self.out, "<div><dt>{}</dt><dd>{}", Escaped(what), Escaped(value));
        if !more.is_empty() {
            let _ = write!(self.out, " <small>{}</small>", Escaped(more));
        }
        self.put("</dd></div>");
    }

    /// Names the sites without a card, with what they are in.
    fn quieter(&mut self, sites: &[(&LiveSite, Standing)]) {
        let named: Vec<String> = sites
            .iter()
            .map(|(site, standing)| format!("{}{}{}", site.name, self.l.colon, self.words.standing(*standing)))
            .collect();
        self.note("note", &named.join("; "));
    }

    pub(super) fn live_lines(&mut self, sites: &[(&LiveSite, Standing)]) {
        if sites.is_empty() {
            return;
        }
        self.live_section("lines", self.l.time_line);
        self.live_legend();
        for (number, (site, _)) in sites.iter().take(MOST_SITES).enumerate() {
            let caption = filled(self.l.live.chart_caption, &[&site.name]);
            let title = match &site.now {
                Some(now) => format!("{caption}. {}", self.words.column(now)),
                None => caption.clone(),
            };
            let chart = chart::seconds::svg(&site.line, &site.minutes, &title, number, self.language);
            let _ = write!(
                self.out,
                "<figure><figcaption>{}</figcaption><div class=\"wide\" id=\"line-{number}\">{chart}</div>",
                Escaped(&caption)
            );
            self.line_table(site, number);
            self.put("</figure>");
        }
        self.put("</section>");
    }

    fn live_legend(&mut self) {
        let l = &self.l.live;
        self.put("<p class=\"legend\">");
        for (key, text) in
            [("demand", l.completed), ("attack", l.left), ("unanswered", l.unanswered), ("most", l.usual_range)]
        {
            let _ = write!(self.out, "<span class=\"key {key}\"></span>{} ", Escaped(text));
        }
        self.put("</p>");
    }

    /// Writes what the chart shows for those who do not see it, the newest first.
    fn line_table(&mut self, site: &LiveSite, number: usize) {
        let (n, l) = (self.n, &self.l.live);
        let _ = write!(self.out, "<details id=\"table-{number}\"><summary>{}</summary>", Escaped(l.table));
        let numbers = [l.completed, l.left, l.unanswered, l.usual_range].map(|label| format!("#{label}"));
        self.table("figures", &[l.time, &numbers[0], &numbers[1], &numbers[2], &numbers[3]]);
        let each = site.line.columns.len().div_ceil(MOST_ROWS).max(1);
        let shown: Vec<Column> = site.line.columns.rchunks(each).filter_map(mean).collect();
        for column in shown {
            let usual = column.usual.map_or_else(|| self.l.unknown.to_owned(), |(_, most)| n.rate(most));
            let _ = write!(self.out, "<tr><td class=\"when\">{}</td>", second_of_day(column.start));
            for cell in [n.rate(column.completed), n.rate(column.unfinished), n.rate(column.unanswered), usual] {
                let _ = write!(self.out, "<td class=\"num\">{}</td>", Escaped(&cell));
            }
            self.put("</tr>");
        }
        self.end_table();
        self.put("</details>");
    }
}

/// Takes several columns as one.
fn mean(columns: &[Option<Column>]) -> Option<Column> {
    let known: Vec<&Column> = columns.iter().flatten().collect();
    let first = known.first()?;
    let of = |rate: fn(&Column) -> f64| known.iter().map(|column| rate(column)).sum::<f64>() / known.len() as f64;
    Some(Column {
        start: first.start,
        completed: of(|column| column.completed),
        unfinished: of(|column| column.unfinished),
        unanswered: of(|column| column.unanswered),
        usual: known.iter().rev().find_map(|column| column.usual),
    })
}
