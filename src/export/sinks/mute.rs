//! Rules of silence: what people have said they do not want to hear, by what it is about and by when.
//!
//! A muted alert is written and counted like any other; only sinks are not told. Time is the alert's own, so that a replay
//! is silent where the live run was.

use std::fmt;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::told::Told;
use crate::address::Prefix;
use crate::country::Country;
use crate::kind::{AlertKind, Severity};

/// The share of the verified connections that must come from the muted countries: a tenth from elsewhere is worth hearing.
const COUNTRY_SHARE: f64 = 0.9;

/// A rule. Every condition that is given must hold; a list holds when one of its entries does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mute {
    /// Why, for those who read the log.
    pub reason: Option<String>,
    /// Kinds of alert.
    pub kinds: Vec<AlertKind>,
    /// Sites, by name.
    pub sites: Vec<String>,
    /// Prefixes; the target lies in one of them.
    pub targets: Vec<Prefix>,
    /// Countries that nine tenths of the verified sources are registered in.
    pub countries: Vec<Country>,
    /// The alert's severity lies below this.
    pub below: Option<Severity>,
    /// From this moment on.
    pub from: Option<jiff::Timestamp>,
    /// Before this moment.
    pub until: Option<jiff::Timestamp>,
    /// At these times of the week.
    pub weekly: Option<Weekly>,
}

/// Times of the week.
#[derive(Clone, Debug, PartialEq)]
pub struct Weekly {
    /// Days on which the time begins; every day where none is named.
    pub days: Vec<Weekday>,
    /// From a time of the day to another; over midnight where the second is the earlier. The whole day where not given.
    pub hours: Option<(Time, Time)>,
    /// On whose clocks.
    pub zone: TimeZone,
}

impl Mute {
    /// Tells whether the rule silences an alert as it is now.
    #[must_use]
    pub fn covers(&self, told: &Told) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&told.kind))
            && (self.sites.is_empty() || told.target.site.as_ref().is_some_and(|site| self.sites.contains(site)))
            && (self.targets.is_empty() || self.covers_target(told))
            && (self.countries.is_empty() || self.covers_origins(told))
            && self.below.is_none_or(|below| told.severity < below)
            && self.from.is_none_or(|from| told.at >= from)
            && self.until.is_none_or(|until| told.at < until)
            && self.weekly.as_ref().is_none_or(|weekly| weekly.covers(told.at))
    }

    fn covers_target(&self, told: &Told) -> bool {
        let within =
            |outer: &Prefix, inner: Prefix| outer.contains(inner.network()) && outer.length() <= inner.length();
        told.prefix().is_some_and(|prefix| self.targets.iter().any(|target| within(target, prefix)))
    }

    fn covers_origins(&self, told: &Told) -> bool {
        let muted = |code: &str| self.countries.iter().any(|country| country.to_string() == code);
        told.origins.iter().filter(|origin| muted(&origin.country)).map(|origin| origin.share).sum::<f64>()
            >= COUNTRY_SHARE
    }
}

impl fmt::Display for Mute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let mut list = |name: &str, values: Vec<String>| {
            if !values.is_empty() {
                parts.push(format!("{name} {}", values.join(" or ")));
            }
        };
        list("kind", self.kinds.iter().map(ToString::to_string).collect());
        list("site", self.sites.clone());
        list("target in", self.targets.iter().map(ToString::to_string).collect());
        list("from", self.countries.iter().map(ToString::to_string).collect());
        list("severity below", self.below.iter().map(ToString::to_string).collect());
        list("since", self.from.iter().map(ToString::to_string).collect());
        list("until", self.until.iter().map(ToString::to_string).collect());
        list("at", self.weekly.iter().map(ToString::to_string).collect());
        f.write_str(&parts.join(", "))?;
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

impl Weekly {
    /// Tells whether a moment lies in it.
    #[must_use]
    pub fn covers(&self, at: jiff::Timestamp) -> bool {
        let local = at.to_zoned(self.zone.clone()).datetime();
        let named = |day: Weekday| self.days.is_empty() || self.days.contains(&day);
        let (today, yesterday) = (local.weekday(), local.weekday().previous());
        match self.hours {
            None => named(today),
            Some((start, end)) if start <= end => named(today) && (start..end).contains(&local.time()),
            // Over midnight: the small hours belong to the day on which the time began.
            Some((start, end)) => (named(today) && local.time() >= start) || (named(yesterday) && local.time() < end),
        }
    }
}

impl fmt::Display for Weekly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<String> = self.days.iter().map(|day| format!("{day:?}").to_lowercase()).collect();
        f.write_str(&if days.is_empty() { "every day".to_owned() } else { days.join(", ") })?;
        match self.hours {
            Some((start, end)) => write!(f, " {}-{}", start.strftime("%H:%M"), end.strftime("%H:%M")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::{Origin, samples};
    use super::*;

    /// A SYN flood at 192.0.2.10, site `example`, warning, on Tuesday 2021-04-06 at 09:00 UTC.
    fn told() -> Told {
        samples::open()
    }

    #[test]
    fn every_condition_that_is_given_must_hold() {
        let kinds = vec![AlertKind::PortScan, AlertKind::SynFlood];
        assert!(Mute { kinds: kinds.clone(), ..Mute::default() }.covers(&told()));
        assert!(!Mute { kinds: vec![AlertKind::PortScan], ..Mute::default() }.covers(&told()));
        let sites = vec!["example".to_owned()];
        assert!(Mute { kinds: kinds.clone(), sites: sites.clone(), ..Mute::default() }.covers(&told()));
        let elsewhere = Told { target: super::super::told::Target::default(), ..told() };
        assert!(!Mute { kinds, sites, ..Mute::default() }.covers(&elsewhere));
    }

    #[test]
    fn a_target_is_muted_by_what_it_lies_in() {
        let by = |prefix: &str| Mute { targets: vec![prefix.parse().unwrap()], ..Mute::default() }.covers(&told());
        assert!(by("192.0.2.0/24") && by("192.0.2.10/32"));
        assert!(!by("192.0.2.11/32") && !by("2001:db8::/32"));
        let wide = Told {
            target: super::super::told::Target { prefix: Some("192.0.2.0/24".to_owned()), site: None },
            ..told()
        };
        assert!(!Mute { targets: vec!["192.0.2.0/25".parse().unwrap()], ..Mute::default() }.covers(&wide));
    }

    #[test]
    fn severities_below_a_line_are_muted() {
        let below = |severity| Mute { below: Some(severity), ..Mute::default() }.covers(&told());
        assert_eq!([Severity::Info, Severity::Warning, Severity::Critical].map(below), [false, false, true]);
    }

    #[test]
    fn countries_mute_only_what_comes_from_them() {
        let from = |shares: &[(&str, f64)]| {
            let origin = |(country, share): &(&str, f64)| Origin { country: (*country).to_owned(), share: *share };
            let told = Told { origins: shares.iter().map(origin).collect(), ..told() };
            Mute { countries: vec!["FR".parse().unwrap(), "BE".parse().unwrap()], ..Mute::default() }.covers(&told)
        };
        assert!(from(&[("FR", 0.6), ("BE", 0.35), ("RU", 0.05)]));
        assert!(!from(&[("FR", 0.6), ("RU", 0.4)]));
        assert!(!from(&[]), "forged sources are of no country");
    }

    #[test]
    fn a_window_holds_its_first_moment_and_not_its_end() {
        let at: jiff::Timestamp = told().at;
        let second = jiff::SignedDuration::from_secs(1);
        let window = |from, until| Mute { from: Some(from), until: Some(until), ..Mute::default() }.covers(&told());
        assert!(window(at, at + second));
        assert!(!window(at - second, at));
        assert!(!window(at + second, at + second + second));
    }

    #[test]
    fn times_of_the_week_are_on_the_clocks_of_their_zone() {
        let weekly = |days: &[Weekday], hours: Option<(i8, i8)>, moment: &str| {
            let hours = hours.map(|(start, end)| (Time::constant(start, 0, 0, 0), Time::constant(end, 0, 0, 0)));
            Weekly { days: days.to_vec(), hours, zone: TimeZone::get("Europe/Paris").unwrap() }
                .covers(moment.parse().unwrap())
        };
        assert!(weekly(&[Weekday::Tuesday], Some((11, 12)), "2021-04-06T09:00:00Z"), "11:00 in Paris");
        assert!(!weekly(&[Weekday::Tuesday], Some((9, 10)), "2021-04-06T09:00:00Z"));
        assert!(weekly(&[Weekday::Sunday], None, "2021-04-10T22:30:00Z"), "Sunday in Paris already");
        // Saturday 23:00 to 04:00, over midnight.
        assert!(weekly(&[Weekday::Saturday], Some((23, 4)), "2021-04-10T21:00:00Z"));
        assert!(weekly(&[Weekday::Saturday], Some((23, 4)), "2021-04-11T01:59:59Z"));
        assert!(!weekly(&[Weekday::Saturday], Some((23, 4)), "2021-04-11T02:00:00Z"));
        assert!(!weekly(&[Weekday::Saturday], Some((23, 4)), "2021-04-10T01:00:00Z"), "Friday's night");
        assert!(weekly(&[], Some((23, 4)), "2021-04-10T01:00:00Z"));
    }

    #[test]
    fn a_rule_says_what_it_silences() {
        let mute = Mute {
            reason: Some("weekly backup".to_owned()),
            kinds: vec![AlertKind::Exfiltration],
            below: Some(Severity::Critical),
            weekly: Some(Weekly {
                days: vec![Weekday::Sunday],
                hours: Some((Time::constant(2, 0, 0, 0), Time::constant(4, 30, 0, 0))),
                zone: TimeZone::UTC,
            }),
            ..Mute::default()
        };
        let text = "kind exfiltration, severity below critical, at sunday 02:00-04:30 (weekly backup)";
        assert_eq!(mute.to_string(), text);
    }
}
