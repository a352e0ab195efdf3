//! The last hour of each site, second by second: what the live page and the terminal draw.
//!
//! Handshakes are laid back onto the second in which they began, or were answered, by their age, so that shares compare
//! handshakes with their own outcomes. All room is taken when a site is first seen: 3,600 seconds and 60 minutes of
//! countries, about 200 KB; there are at most [`Policy::MAX_SITES`] sites, and those that are no longer protected go.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::capture::CaptureTick;
use crate::country::Country;
use crate::detect::minute::MinuteVerdict;
use crate::detect::usual::SiteUsual;
use crate::policy::{Policy, SiteId};
use crate::report::live::{Column, Health, LiveSite, TimeLine, Visitors, Window};
use crate::sampling::Sampling;
use crate::summary::{FlowTick, HostTick, OriginTick, Summary, sketch};
use crate::time::{TICKS_PER_SECOND, Tick, Timestamp};

/// Seconds kept.
const SECONDS: u64 = 3_600;
/// Minutes kept.
const MINUTES: u64 = 60;
/// Minutes that "lately" means for origins, the one under way included.
const RECENT: u64 = 2;
/// A handshake counts as left unfinished a second after the answer; so much later the outcome of a second is known.
const SETTLE: u64 = 2;
/// Seconds whose mean is "right now".
const NOW: u64 = 5;

/// What happened in one second of a site.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    /// First SYNs of this second, those answered, and those answered in it.
    asked: u32,
    answered: u32,
    answers: u32,
    /// Of the answers of this second, those the client finished.
    finished: u32,
    /// What was usual and usual at most, a second; 0 while unknown.
    usual: f32,
    most: f32,
}

/// Origins of one minute.
#[derive(Clone, Debug, Default)]
struct OriginMinute {
    number: u64,
    connections: BTreeMap<Country, u64>,
    packets: u64,
    unproven: u64,
}

/// One site.
#[derive(Clone, Debug)]
struct SiteHour {
    seconds: Box<[Second]>,
    origins: Vec<OriginMinute>,
    minutes: Vec<MinuteVerdict>,
    usual: Option<(f64, f64)>,
    one_sided: bool,
    sources: Option<f64>,
    first: u64,
}

/// What the sensor did in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Sensed {
    number: u64,
    frames: u64,
    lost: u64,
    segments: u64,
    repeated: u64,
}

/// The last hour of all sites.
#[derive(Clone, Debug)]
pub struct Hour {
    sites: BTreeMap<Arc<str>, SiteHour>,
    sensed: [Sensed; 60],
    flows: FlowTick,
    sampling: Sampling,
    /// The last second that is complete.
    now: Option<u64>,
}

impl Default for Hour {
    fn default() -> Self {
        Self {
            sites: BTreeMap::new(),
            sensed: [Sensed::default(); 60],
            flows: FlowTick::default(),
            sampling: Sampling::WHOLE,
            now: None,
        }
    }
}

impl Hour {
    /// Takes one merged tick, in the order of time, with what is usual and which minutes ended, where the detectors said so.
    pub fn observe(
        &mut self,
        policy: &Policy,
        summary: &Summary,
        capture: &CaptureTick,
        minutes: &[MinuteVerdict],
        usual: &[SiteUsual],
    ) {
        let tick = summary.tick;
        self.forget(policy);
        for host in &summary.hosts {
            if let Some(site) = policy.site_of(host.address) {
                self.site(policy, site, tick).count(tick, host);
            }
        }
        for origin in &summary.origins {
            self.site(policy, origin.site, tick).count_origin(tick, origin);
        }
        for site in &summary.sites {
            if let Some(registers) = &site.sources {
                self.site(policy, site.site, tick).sources = Some(sketch::estimate(registers));
            }
        }
        for usual in usual {
            if let Some(site) = self.sites.get_mut(&usual.site) {
                (site.usual, site.one_sided) = (usual.first_syns, usual.one_sided);
            }
        }
        for minute in minutes {
            if let Some(site) = self.sites.get_mut(&minute.site) {
                site.minutes.push(minute.clone());
                let surplus = site.minutes.len().saturating_sub(60);
                site.minutes.drain(..surplus);
            }
        }
        self.sense(capture, &summary.flows);
        if tick.closes_period(TICKS_PER_SECOND) {
            self.now = Some(second(tick));
        }
    }

    /// Returns the window that shows all there is, up to an hour.
    #[must_use]
    pub fn window(&self) -> Window {
        let first = self.sites.values().map(|site| site.first).min();
        let seen = first.zip(self.now).map_or(0, |(first, now)| now.saturating_sub(first));
        Window::holding(seen)
    }

    /// Returns every site as it is now, in the order of their names.
    #[must_use]
    pub fn sites(&self, window: Window) -> Vec<LiveSite> {
        let Some(now) = self.now else { return Vec::new() };
        self.sites.iter().map(|(name, site)| site.show(name, now, window)).collect()
    }

    /// Returns what the sensor saw in the last minute.
    #[must_use]
    pub fn health(&self) -> Health {
        let now = self.now.unwrap_or_default();
        let recent = || self.sensed.iter().filter(|sensed| sensed.number + 60 > now);
        let sum = |of: fn(&Sensed) -> u64| recent().map(of).sum::<u64>();
        Health {
            frames: sum(|sensed| sensed.frames),
            lost: sum(|sensed| sensed.lost),
            duplicates: sum(|sensed| sensed.repeated) as f64 / sum(|sensed| sensed.segments).max(1) as f64,
            sampling: self.sampling,
            sampler_shift: self.flows.sampler_shift,
            flows: self.flows.active,
            ..Health::default()
        }
    }

    fn site(&mut self, policy: &Policy, id: SiteId, tick: Tick) -> &mut SiteHour {
        self.sites.entry(policy.name(id)).or_insert_with(|| SiteHour::new(second(tick)))
    }

    /// Lets sites go that are no longer protected.
    fn forget(&mut self, policy: &Policy) {
        if self.sites.len() > policy.sites().len() {
            self.sites.retain(|name, _| policy.sites().iter().any(|site| site.name == *name));
        }
    }

    fn sense(&mut self, capture: &CaptureTick, flows: &FlowTick) {
        let number = second(capture.tick);
        let sensed = &mut self.sensed[index(number, 60)];
        if sensed.number != number {
            *sensed = Sensed { number, ..Sensed::default() };
        }
        sensed.frames += capture.frames + capture.lost;
        sensed.lost += capture.lost;
        sensed.segments += flows.data_segments;
        sensed.repeated += flows.repeated_segments;
        self.flows = *flows;
        self.sampling = capture.sampling;
    }
}

impl SiteHour {
    fn new(first: u64) -> Self {
        Self {
            seconds: vec![Second::default(); index(SECONDS - 1, SECONDS) + 1].into(),
            origins: vec![OriginMinute::default(); index(MINUTES - 1, MINUTES) + 1],
            minutes: Vec::new(),
            usual: None,
            one_sided: false,
            sources: None,
            first,
        }
    }

    /// Returns the second that a tick lies in, emptied if it held one of an hour ago; `None` for what is longer ago.
    fn second(&mut self, number: u64) -> Option<&mut Second> {
        let (usual, most) = self.usual.unwrap_or_default();
        let place = &mut self.seconds[index(number, SECONDS)];
        if place.number < number {
            #[expect(clippy::cast_possible_truncation, reason = "rates are shown with three digits")]
            let (usual, most) = (usual as f32, most as f32);
            *place = Second { number, usual, most, ..Second::default() };
        }
        (place.number == number).then_some(place)
    }

    fn count(&mut self, tick: Tick, host: &HostTick) {
        let cohort = &host.cohort;
        let at = |age: usize| tick.number().saturating_sub(age as u64) / TICKS_PER_SECOND;
        if let Some(second) = self.second(second(tick)) {
            second.asked = second.asked.saturating_add(cohort.opened);
            second.answers = second.answers.saturating_add(cohort.answered.iter().sum());
        }
        for (age, (answered, finished)) in cohort.answered.iter().zip(cohort.finished).enumerate() {
            if *answered + finished > 0
                && let Some(second) = self.second(at(age))
            {
                second.answered = second.answered.saturating_add(*answered);
                second.finished = second.finished.saturating_add(finished);
            }
        }
        for (country, count) in &host.verified_from {
            *self.minute(tick).connections.entry(*country).or_default() += u64::from(*count);
        }
    }

    fn count_origin(&mut self, tick: Tick, origin: &OriginTick) {
        let minute = self.minute(tick);
        minute.packets += origin.inbound.packets;
        if origin.country.is_none() {
            minute.unproven += origin.inbound.packets;
        }
    }

    fn minute(&mut self, tick: Tick) -> &mut OriginMinute {
        let number = second(tick) / 60;
        let minute = &mut self.origins[index(number, MINUTES)];
        if minute.number != number {
            *minute = OriginMinute { number, ..OriginMinute::default() };
        }
        minute
    }

    fn show(&self, name: &Arc<str>, now: u64, window: Window) -> LiveSite {
        let settled = now.saturating_sub(SETTLE);
        let (visitors, unproven) = self.visitors(now / 60);
        LiveSite {
            name: Arc::clone(name),
            now: self.column(settled.saturating_sub(NOW - 1), NOW, settled),
            line: self.line(settled, window),
            minutes: self.minutes.clone(),
            visitors,
            unproven,
            sources: self.sources,
            one_sided: self.one_sided,
        }
    }

    /// Returns the columns of a window. They begin at multiples of their length, so that they move by whole columns.
    fn line(&self, settled: u64, window: Window) -> TimeLine {
        let seconds_each = window.seconds_each();
        let count = window.minutes() * 60 / seconds_each;
        let last = settled / seconds_each;
        let first = last.saturating_sub(count - 1);
        let columns = (first..=last).map(|place| self.column(place * seconds_each, seconds_each, settled)).collect();
        TimeLine { first, seconds_each, columns }
    }

    /// Returns the mean of the seconds from `start` on, as far as their outcome is known; silence within the life of the
    /// site is a rate of 0.
    fn column(&self, start: u64, length: u64, settled: u64) -> Option<Column> {
        let span = start.max(self.first)..(start + length).min(settled + 1);
        let seconds = span.end.checked_sub(span.start).filter(|seconds| *seconds > 0)?;
        let mut column = Column {
            start: Timestamp::from_secs(start),
            completed: 0.0,
            unfinished: 0.0,
            unanswered: 0.0,
            usual: None,
        };
        for number in span {
            let second = &self.seconds[index(number, SECONDS)];
            if second.number == number {
                let answered = f64::from(second.answered).min(f64::from(second.asked));
                let unfinished = f64::from(second.answers.saturating_sub(second.finished)).min(answered);
                column.completed += answered - unfinished;
                column.unfinished += unfinished;
                column.unanswered += f64::from(second.asked) - answered;
                if second.most > 0.0 {
                    column.usual = Some((f64::from(second.usual), f64::from(second.most)));
                }
            }
        }
        for rate in [&mut column.completed, &mut column.unfinished, &mut column.unanswered] {
            *rate /= seconds as f64;
        }
        Some(column)
    }

    fn visitors(&self, now: u64) -> (Vec<Visitors>, Option<f64>) {
        let mut by_country: BTreeMap<Country, Visitors> = BTreeMap::new();
        let (mut packets, mut unproven) = (0, 0);
        for minute in self.origins.iter().filter(|minute| minute.number + MINUTES > now) {
            let is_recent = minute.number + RECENT > now;
            if is_recent {
                packets += minute.packets;
                unproven += minute.unproven;
            }
            for (&country, &count) in &minute.connections {
                let visitors = by_country.entry(country).or_insert(Visitors { country, recent: 0, hour: 0 });
                visitors.hour += count;
                visitors.recent += if is_recent { count } else { 0 };
            }
        }
        let mut visitors: Vec<Visitors> = by_country.into_values().collect();
        visitors.sort_by_key(|visitors| (std::cmp::Reverse(visitors.recent), visitors.country));
        (visitors, (packets > 0).then(|| unproven as f64 / packets as f64))
    }
}

/// Numbers the second that a tick lies in.
const fn second(tick: Tick) -> u64 {
    tick.number() / TICKS_PER_SECOND
}

/// Returns the place of a number in a ring.
fn index(number: u64, ring: u64) -> usize {
    usize::try_from(number % ring).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Site;
    use crate::summary::CohortTick;

    const START: u64 = 1_617_699_600;

    fn policy() -> Policy {
        Policy::new(vec![Site { name: "ecole".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] }], false)
    }

    /// Four ticks a second; every handshake is answered at once and finished a tick later, if at all.
    fn feed(hour: &mut Hour, seconds: std::ops::Range<u64>, asked: u32, answered: u32, finished: u32) {
        let policy = policy();
        for number in seconds.start * 4..seconds.end * 4 {
            let tick = Tick::new(number);
            let mut cohort = CohortTick { opened: asked, ..CohortTick::default() };
            cohort.answered[0] = answered;
            cohort.finished[1] = finished;
            let host = HostTick {
                address: "192.0.2.10".parse().unwrap(),
                verified_from: vec![("FR".parse().unwrap(), finished)],
                cohort,
                ..HostTick::default()
            };
            let summary = Summary { tick, hosts: vec![host], ..Summary::default() };
            let capture = CaptureTick { tick, frames: 10, lost: 1, ..CaptureTick::default() };
            hour.observe(&policy, &summary, &capture, &[], &[]);
        }
    }

    #[test]
    fn requests_are_split_by_what_became_of_them() {
        let mut hour = Hour::default();
        feed(&mut hour, START..START + 20, 10, 8, 3);
        let site = &hour.sites(Window::Five)[0];
        let now = site.now.unwrap();
        assert_eq!((now.completed, now.unfinished, now.unanswered), (12.0, 20.0, 8.0));
        assert_eq!(site.line.columns.len(), 300);
        assert_eq!(site.line.columns.iter().flatten().count(), 18, "the last two seconds are not known yet");
        assert_eq!(site.visitors, [Visitors { country: "FR".parse().unwrap(), recent: 240, hour: 240 }]);
        assert_eq!((hour.health().frames, hour.health().lost), (880, 80));
    }

    #[test]
    fn an_hour_is_kept_and_no_more_and_silence_is_seen() {
        let mut hour = Hour::default();
        feed(&mut hour, START..START + 10, 10, 10, 10);
        assert_eq!(hour.window(), Window::Five);
        feed(&mut hour, START + 3_700..START + 3_710, 2, 2, 2);
        assert_eq!(hour.window(), Window::Hour);
        let site = &hour.sites(Window::Hour)[0];
        let rates: Vec<f64> = site.line.columns.iter().flatten().map(Column::requests).collect();
        assert_eq!(rates.len(), 300);
        assert!(rates[..299].iter().all(|rate| *rate == 0.0), "what is older than an hour is gone: {rates:?}");
        assert!(rates[299] > 0.0);
        assert_eq!(site.visitors[0].hour, 80);
    }

    #[test]
    fn what_is_usual_stays_with_its_second() {
        let mut hour = Hour::default();
        feed(&mut hour, START..START + 10, 10, 10, 10);
        let usual = SiteUsual { site: "ecole".into(), first_syns: Some((30.0, 60.0)), one_sided: true };
        let summary = Summary { tick: Tick::new((START + 10) * 4 - 1), ..Summary::default() };
        hour.observe(&policy(), &summary, &CaptureTick::default(), &[], &[usual]);
        feed(&mut hour, START + 10..START + 20, 10, 10, 10);
        let site = &hour.sites(Window::Five)[0];
        assert!(site.one_sided);
        let known: Vec<bool> = site.line.columns.iter().flatten().map(|column| column.usual.is_some()).collect();
        assert_eq!(known.iter().filter(|known| **known).count(), 8);
        assert_eq!(known.last(), Some(&true));
    }

    #[test]
    fn a_site_that_is_no_longer_protected_goes() {
        let mut hour = Hour::default();
        feed(&mut hour, START..START + 2, 1, 1, 1);
        hour.observe(&Policy::default(), &Summary::default(), &CaptureTick::default(), &[], &[]);
        assert!(hour.sites(Window::Five).is_empty());
    }
}
