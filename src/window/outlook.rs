//! What calendar and configuration say of this moment, and how a subject's six profiled rates take it.

use crate::time::Timestamp;
use crate::window::calendar::Moment;
use crate::window::level::Terms;
use crate::window::profile::Season;
use crate::window::rate::Rate;
use crate::window::subject::Subject;

/// Rates of a subject that keep a weekly profile: first SYNs, verified, served, packets, home, abroad.
pub const PROFILED: usize = 6;

/// What one host's profiles say of a moment, for its siblings.
pub type Seasons = [Option<Season>; PROFILED];

/// A declared event: a launch, an exam, a transfer window.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedEvent {
    /// The site it concerns; `None` for all.
    pub site: Option<String>,
    /// When it begins.
    pub start: Timestamp,
    /// When it is over.
    pub end: Timestamp,
    /// How many times the usual traffic is expected at most, at least 1.
    pub times: f64,
}

impl ExpectedEvent {
    /// Tells whether it is on at `now` for a site.
    #[must_use]
    pub fn is_on(&self, now: Timestamp, site: &str) -> bool {
        self.start <= now && now < self.end && self.site.as_deref().is_none_or(|name| name == site)
    }
}

/// What is to be expected of one site now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Where in the week it is.
    pub moment: Moment,
    /// Envelope width in spreads.
    pub width: f64,
    /// How many times the usual traffic declared events allow; 1 without one.
    pub times: f64,
    /// Connections a second that were configured to be expected at most (DETECTION 1.2, phase 0); 0 for none.
    pub peak: f64,
}

impl Subject {
    /// Takes the outlook. Declared events raise the envelopes of volume only: shares, origins and behaviour are judged as
    /// ever.
    pub fn prepare(&mut self, outlook: &Outlook, donor: &Seasons) {
        let whole = Terms { width: outlook.width, times: outlook.times, peak: outlook.peak };
        let packets = Terms { peak: 0.0, ..whole };
        let abroad = Terms { times: 1.0, ..packets };
        let terms = [whole, whole, whole, packets, packets, abroad];
        for ((series, terms), donor) in self.profiled_mut().into_iter().zip(terms).zip(donor) {
            series.prepare(&outlook.moment, terms, *donor);
        }
    }

    /// Returns what this subject's own profiles say of a moment.
    #[must_use]
    pub fn seasons(&self, moment: &Moment) -> Seasons {
        self.profiled().map(|series| series.level().season(moment))
    }

    /// Returns the rates that keep a profile.
    #[must_use]
    pub fn profiled(&self) -> [&Rate; PROFILED] {
        [&self.syns, &self.verified, &self.served, &self.packets, &self.foreign.home, &self.foreign.abroad.rate]
    }

    /// Returns the rates that keep a profile, to be changed.
    pub fn profiled_mut(&mut self) -> [&mut Rate; PROFILED] {
        [
            &mut self.syns,
            &mut self.verified,
            &mut self.served,
            &mut self.packets,
            &mut self.foreign.home,
            &mut self.foreign.abroad.rate,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SiteId;
    use crate::time::Tick;

    fn subject() -> Subject {
        let mut subject = Subject::new("192.0.2.1/32".parse().unwrap(), SiteId(0), false, Tick::new(0));
        (0..40).for_each(|_| subject.syns.learn_rate(100.0));
        subject
    }

    fn outlook(times: f64, peak: f64) -> Outlook {
        Outlook { moment: Moment::default(), width: 3.0, times, peak }
    }

    #[test]
    fn a_declared_event_raises_volume_and_nothing_else() {
        let mut subject = subject();
        let before = subject.syns.envelope(20.0).unwrap();
        subject.prepare(&outlook(25.0, 0.0), &[None; PROFILED]);
        assert!((subject.syns.envelope(20.0).unwrap() / before - 25.0).abs() < 1e-9);
        assert!((subject.syns.usual().unwrap() - 100.05).abs() < 0.1, "what is usual stays");
    }

    #[test]
    fn a_configured_peak_holds_before_anything_is_known_and_not_after_an_hour() {
        let mut new = Subject::new("192.0.2.1/32".parse().unwrap(), SiteId(0), false, Tick::new(0));
        assert_eq!(new.syns.envelope(20.0), None);
        new.prepare(&outlook(1.0, 900.0), &[None; PROFILED]);
        assert_eq!(new.syns.envelope(20.0), Some(900.0));
        (0..40).for_each(|_| new.syns.learn_rate(100.0));
        assert_eq!(new.syns.envelope(20.0), Some(900.0));
        (0..400).for_each(|_| new.syns.learn_rate(100.0));
        assert!(new.syns.envelope(20.0).unwrap() < 200.0);
    }

    #[test]
    fn an_event_is_on_from_its_start_until_its_end_at_its_site() {
        let event = ExpectedEvent {
            site: Some("school".to_owned()),
            start: Timestamp::from_secs(100),
            end: Timestamp::from_secs(200),
            times: 25.0,
        };
        let on = |seconds, site| event.is_on(Timestamp::from_secs(seconds), site);
        assert!(on(100, "school") && on(199, "school"));
        assert!(!on(99, "school") && !on(200, "school") && !on(150, "town"));
    }
}
