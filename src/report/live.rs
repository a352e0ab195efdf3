//! The live page: what a run sees right now and saw in the last hour, readable in ten seconds.
//!
//! [`Live`] holds the facts; [`page()`] writes them with the same code as the after-action report. The page works without
//! scripts: it reloads itself then. With scripts only the parts that changed are replaced, so that keyboard focus, open
//! details and what a screen reader is reading stay where they are.

mod health;
mod origins;
mod sites;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::Alert;
use crate::alert::text::Language;
use crate::country::Country;
use crate::detect::engine::{Armed, Home};
use crate::detect::minute::{MinuteKind, MinuteVerdict};
use crate::kind::{AlertKind, Severity, Verdict, closed_set};
use crate::report::layout::{date, second_of_day};
use crate::report::page::{Escaped, Page, STYLE, filled};
use crate::sampling::Sampling;
use crate::time::Timestamp;

/// The page's script, served beside it: it fetches the page each second and replaces what changed.
pub const SCRIPT: &str = include_str!("live/live.js");

pub(super) const LIVE_STYLE: &str = include_str!("live/live.css");

/// Sites with a card and a chart of their own; the others are counted.
const MOST_SITES: usize = 8;
/// Incidents written out.
const MOST_OPEN: usize = 40;
/// Closed alerts that are still named.
const MOST_CLOSED: usize = 20;

closed_set! {
    /// What a site is in right now, the gravest first.
    Standing {
        /// Attack and overload together.
        Mixed = "mixed",
        /// An attack.
        Attack = "attack",
        /// Real demand beyond what the service bears.
        Overload = "overload",
        /// Bad service that neither a crowd nor an attack explains.
        Trouble = "trouble",
        /// Something that may be an attack.
        Suspicion = "suspicion",
        /// Many real users, served.
        Rush = "rush",
        /// Nothing unusual.
        Ordinary = "ordinary",
        /// Too early to say.
        Unjudged = "unjudged",
    }
}

impl Standing {
    /// Returns what a site is in, by its open alerts and its last full minute. Alerts know within seconds, minutes know
    /// what harm was done; a minute without open alerts is over and only speaks of bad service that is still unexplained.
    #[must_use]
    pub fn of<'a>(alerts: impl Iterator<Item = &'a Alert>, minute: Option<&MinuteVerdict>) -> Self {
        let verdicts: Vec<Verdict> = alerts
            .filter(|alert| alert.kind != AlertKind::SensorBlind)
            // A rush is never more than info, and a warning-to-be is not yet held against anybody.
            .filter(|alert| {
                alert.severity > Severity::Info || matches!(alert.verdict, Verdict::Rush | Verdict::Overload)
            })
            .map(|alert| alert.verdict)
            .collect();
        let has = |verdict| verdicts.contains(&verdict);
        if has(Verdict::Mixed) || (has(Verdict::Attack) && has(Verdict::Overload)) {
            Self::Mixed
        } else if has(Verdict::Attack) {
            Self::Attack
        } else if has(Verdict::Overload) {
            Self::Overload
        } else if has(Verdict::Health) {
            Self::Trouble
        } else if has(Verdict::Suspicion) {
            Self::Suspicion
        } else if has(Verdict::Rush) {
            Self::Rush
        } else {
            match minute.map(|minute| minute.verdict) {
                None => Self::Unjudged,
                Some(MinuteKind::RushAbsorbed) => Self::Rush,
                Some(MinuteKind::Fault | MinuteKind::Undetermined) => Self::Trouble,
                Some(_) => Self::Ordinary,
            }
        }
    }
}

/// Connection requests in one column of a time line, by what became of them; rates a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// First moment of the column.
    pub start: Timestamp,
    /// Completed by the client.
    pub completed: f64,
    /// Answered by the server and left unfinished by the client.
    pub unfinished: f64,
    /// Not answered by the server, or refused.
    pub unanswered: f64,
    /// The usual rate of requests and what is usual at most, where known.
    pub usual: Option<(f64, f64)>,
}

impl Column {
    /// Returns all requests a second.
    #[must_use]
    pub const fn requests(&self) -> f64 {
        self.completed + self.unfinished + self.unanswered
    }
}

/// Columns of equal length, the newest last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeLine {
    /// Number of the first column since 1970, in columns.
    pub first: u64,
    /// Length of a column.
    pub seconds_each: u64,
    /// Columns; `None` where nothing was seen or it is too early to say.
    pub columns: Vec<Option<Column>>,
}

/// Verified connections of one country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitors {
    /// Where their addresses are registered.
    pub country: Country,
    /// In the last two minutes.
    pub recent: u64,
    /// In the last hour.
    pub hour: u64,
}

/// One protected site.
#[derive(Clone, Debug)]
pub struct LiveSite {
    /// Its name.
    pub name: Arc<str>,
    /// The last seconds whose outcome is known; `None` without traffic.
    pub now: Option<Column>,
    /// The time shown.
    pub line: TimeLine,
    /// Full minutes of the last hour, in time order.
    pub minutes: Vec<MinuteVerdict>,
    /// Verified connections by country, the most in the last two minutes first.
    pub visitors: Vec<Visitors>,
    /// Share of the inbound packets of the last two minutes whose sender proved nothing.
    pub unproven: Option<f64>,
    /// Distinct sources in ten seconds, estimated.
    pub sources: Option<f64>,
    /// Only one direction of its traffic is captured.
    pub one_sided: bool,
}

/// What is known of the sensor.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Frames of the last minute, lost ones included.
    pub frames: u64,
    /// Those lost before Vigie saw them.
    pub lost: u64,
    /// How far the judged time lies behind the clock; `None` for recorded traffic.
    pub lag: Option<Duration>,
    /// Share of the TCP data segments of the last minute that were seen twice.
    pub duplicates: f64,
    /// Which part of the pairs of addresses is counted.
    pub sampling: Sampling,
    /// Handshakes are followed at a rate of 1 in 2 to this power.
    pub sampler_shift: u32,
    /// Flows in the table.
    pub flows: u64,
    /// Packets since the start that could not be decoded, by reason.
    pub discarded: Vec<(&'static str, u64)>,
}

/// How far the run has come, as the page tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing is judged yet.
    Starting,
    /// At work.
    Running,
    /// Over, as it should.
    Ended,
    /// It should be at work and is not.
    Stalled,
    /// Over for a reason.
    Failed(String),
}

/// How much time the charts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Five minutes, a second each column.
    Five,
    /// A quarter of an hour, three seconds each.
    Quarter,
    /// An hour, twelve seconds each.
    Hour,
}

impl Window {
    /// Every window, the shortest first.
    pub const ALL: [Self; 3] = [Self::Five, Self::Quarter, Self::Hour];

    /// Returns its length in minutes.
    #[must_use]
    pub const fn minutes(self) -> u64 {
        match self {
            Self::Five => 5,
            Self::Quarter => 15,
            Self::Hour => 60,
        }
    }

    /// Returns the length of a column in seconds: a window has 300 of them.
    #[must_use]
    pub const fn seconds_each(self) -> u64 {
        self.minutes() * 60 / 300
    }

    /// Returns the shortest window that holds so many seconds, or the longest.
    #[must_use]
    pub fn holding(seconds: u64) -> Self {
        Self::ALL.into_iter().find(|window| seconds <= window.minutes() * 60).unwrap_or(Self::Hour)
    }
}

/// All facts of the page.
#[derive(Clone, Debug)]
pub struct Live {
    /// How far the run has come.
    pub stage: Stage,
    /// Time up to which everything is judged.
    pub until: Option<Timestamp>,
    /// Time shown; `chosen` by the reader rather than by what there is to show.
    pub window: Window,
    /// See `window`.
    pub chosen: bool,
    /// Sites with traffic, in the order of their names.
    pub sites: Vec<LiveSite>,
    /// The latest line of each open alert.
    pub open: Vec<Arc<Alert>>,
    /// Closed alerts, the latest first.
    pub closed: Vec<Arc<Alert>>,
    /// The sensor.
    pub health: Health,
    /// Protected sites and what belongs to them.
    pub protected: Vec<(Arc<str>, Vec<String>)>,
    /// Whether more protection is learned.
    pub learning: bool,
    /// What counts as home.
    pub home: Option<Home>,
    /// Which detectors are at work.
    pub detectors: Vec<Armed>,
}

impl Live {
    /// Returns what a site is in.
    #[must_use]
    pub fn standing(&self, site: &LiveSite) -> Standing {
        let own = self.open.iter().filter(|alert| alert.target.site.as_ref() == Some(&site.name));
        Standing::of(own.map(|alert| &**alert), site.minutes.last())
    }

    /// Returns the sites with what they are in, the gravest first.
    fn by_gravity(&self) -> Vec<(&LiveSite, Standing)> {
        let mut sites: Vec<_> = self.sites.iter().map(|site| (site, self.standing(site))).collect();
        let requests = |site: &LiveSite| site.now.map_or(0.0, |now| now.requests());
        sites.sort_by(|(a, a_is), (b, b_is)| a_is.cmp(b_is).then(requests(b).total_cmp(&requests(a))));
        sites
    }

    /// Returns the share of a site's verified visitors of the last two minutes that came from abroad; `None` while home is
    /// unknown, or nobody came.
    #[must_use]
    pub fn share_from_abroad(&self, site: &LiveSite) -> Option<f64> {
        let verified: u64 = site.visitors.iter().map(|visitors| visitors.recent).sum();
        let abroad = site.visitors.iter().filter(|v| v.country.is_known() && !self.is_home(v.country));
        let abroad: u64 = abroad.map(|visitors| visitors.recent).sum();
        (self.knows_home() && verified > 0).then(|| abroad as f64 / verified as f64)
    }

    fn knows_home(&self) -> bool {
        self.home.as_ref().is_some_and(|home| !home.countries.is_empty())
    }

    /// Tells whether a country counts as home.
    #[must_use]
    pub fn is_home(&self, country: Country) -> bool {
        self.home.as_ref().is_some_and(|home| home.countries.contains(&country))
    }
}

/// Writes the page.
#[must_use]
pub fn page(live: &Live, language: Language) -> String {
    let mut page = Page::new(language, live.until.map(date).unwrap_or_default());
    let sites = live.by_gravity();
    page.live_head(live, &sites);
    page.verdicts(live, &sites);
    page.live_lines(&sites);
    page.open_alerts(live);
    page.visitors(live, &sites);
    page.health(live);
    page.closed_alerts(live);
    page.watched(live);
    page.put("</main></body></html>\n");
    page.out
}

impl Page {
    fn live_head(&mut self, live: &Live, sites: &[(&LiveSite, Standing)]) {
        let l = &self.l.live;
        let headline = self.live_headline(sites);
        let _ = write!(
            self.out,
            "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\
             <title>{} - Vigie</title><style>{STYLE}{LIVE_STYLE}</style>\
             <script src=\"/live.js\" defer></script></head>\
             <body data-lost=\"{}\" data-paused=\"{}\" data-go-on=\"{}\">\
             <a class=\"skip\" href=\"#verdicts\">{}</a><main class=\"live\"><header>",
            self.language.code(),
            Escaped(&headline),
            Escaped(l.lost),
            Escaped(l.paused),
            Escaped(l.go_on),
            Escaped(l.skip),
        );
        let _ = write!(
            self.out,
            "<p class=\"brand\">Vigie</p><div role=\"status\" id=\"headline\" data-live><h1>{}</h1></div>\
             <p class=\"sub\" id=\"state\" data-live>{}</p>",
            Escaped(&headline),
            Escaped(&self.state_line(live)),
        );
        self.controls(live);
        let _ = write!(self.out, "<noscript><p class=\"note\">{}</p></noscript>", Escaped(l.no_scripts));
        self.put("<p id=\"stale\" role=\"alert\" hidden></p></header>");
    }

    /// Says the gravest thing that is going on, and where.
    fn live_headline(&self, sites: &[(&LiveSite, Standing)]) -> String {
        let Some((_, gravest)) = sites.first() else { return self.words.standing(Standing::Unjudged).to_owned() };
        let there: Vec<&str> =
            sites.iter().filter(|(_, standing)| standing == gravest).map(|(site, _)| &*site.name).take(4).collect();
        format!("{}{}{}", there.join(", "), self.l.colon, self.words.standing(*gravest))
    }

    fn state_line(&self, live: &Live) -> String {
        let l = &self.l.live;
        let until = live.until.map_or_else(
            || l.nothing_yet.to_owned(),
            |until| filled(l.judged_until, &[&format!("{} {}", date(until), second_of_day(until))]),
        );
        let stage = match &live.stage {
            Stage::Starting => l.phases.starting.to_owned(),
            Stage::Running => l.phases.running.to_owned(),
            Stage::Ended => l.phases.ended.to_owned(),
            Stage::Stalled => l.phases.stalled.to_owned(),
            Stage::Failed(reason) => format!("{}{}{reason}", l.phases.failed, self.l.colon),
        };
        format!("{stage}; {until}")
    }

    /// Writes the choices of time and language as links, which work without scripts; the script adds its button.
    fn controls(&mut self, live: &Live) {
        let l = &self.l.live;
        let _ = write!(
            self.out,
            "<nav class=\"controls\"><button type=\"button\" id=\"pause\" hidden>{}</button>\
             <span id=\"spans\" data-live>{}{}",
            Escaped(l.pause),
            Escaped(l.span),
            self.l.colon
        );
        for window in Window::ALL {
            let current = if window == live.window { " aria-current=\"true\"" } else { "" };
            let minutes = window.minutes();
            let _ = write!(
                self.out,
                " <a href=\"?minutes={minutes}&amp;lang={}\"{current}>{minutes} min</a>",
                self.language.code()
            );
        }
        let _ = write!(self.out, "</span><span>{}{}", Escaped(l.language), self.l.colon);
        let minutes = if live.chosen { format!("&amp;minutes={}", live.window.minutes()) } else { String::new() };
        for language in Language::ALL {
            let current = if *language == self.language { " aria-current=\"true\"" } else { "" };
            let (code, name) = (language.code(), language.name());
            let _ = write!(self.out, " <a href=\"?lang={code}{minutes}\" lang=\"{code}\"{current}>{name}</a>");
        }
        self.put("</span></nav>");
    }

    /// Opens a section that the script keeps fresh.
    fn live_section(&mut self, id: &str, title: &str) {
        let _ = write!(
            self.out,
            "<section class=\"{id}\" id=\"{id}\" data-live aria-labelledby=\"{id}-title\"><h2 id=\"{id}-title\">{}</h2>",
            Escaped(title)
        );
    }

    fn open_alerts(&mut self, live: &Live) {
        let l = &self.l.live;
        self.live_section("open", l.open);
        if live.open.is_empty() {
            self.text("p", l.none_open);
        }
        let mut open: Vec<&Alert> = live.open.iter().map(|alert| &**alert).collect();
        open.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.started_at));
        for alert in open.iter().take(MOST_OPEN) {
            self.alert_title(alert);
            self.alert_facts(alert, live.until);
            let _ = write!(
                self.out,
                "<details id=\"more-{}\"><summary>{}</summary>",
                Escaped(&alert.id),
                Escaped(l.evidence)
            );
            self.alert_evidence(alert);
            self.put("</details></article>");
        }
        if open.len() > MOST_OPEN {
            let more = filled(self.l.more_alerts, &[&(open.len() - MOST_OPEN).to_string()]);
            self.text("p", &more);
        }
        self.put("</section>");
    }

    fn closed_alerts(&mut self, live: &Live) {
        let l = &self.l.live;
        self.live_section("closed", l.closed);
        if live.closed.is_empty() {
            self.text("p", l.none_closed);
        }
        self.put("<ul class=\"plain\">");
        for alert in live.closed.iter().take(MOST_CLOSED) {
            let _ = write!(
                self.out,
                "<li><span class=\"badge a-{}\">{}</span> <b>{}</b> <span class=\"when\">{}-{}</span> {}</li>",
                alert.severity,
                self.language.severity(alert.severity),
                Escaped(self.language.kind(alert.kind)),
                second_of_day(alert.started_at),
                second_of_day(alert.end()),
                Escaped(&self.language.why(alert)),
            );
        }
        self.put("</ul></section>");
    }
}
