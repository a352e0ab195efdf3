//! What happens when in each scenario: demand curves, attacks and faults, in seconds since the capture began.

mod incident;
mod script;
mod surges;

pub(super) use script::{defaults, least, of};

use super::parameters::{Geography, Spoofing};
use super::technique::Technique;
use crate::country::Country;

/// Everything a scenario does beside ordinary traffic.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Extra demand of people.
    pub(super) crowds: Vec<Crowd>,
    /// Attacks.
    pub(super) attacks: Vec<Attack>,
    /// When the application hangs.
    pub(super) outage: Option<(f64, f64)>,
    /// Connections a second the web server accepts.
    pub(super) capacity: f64,
    /// Sessions a second that inside clients open outwards.
    pub(super) browsing: f64,
    /// People log in to the host that log-ins are tried at.
    pub(super) administered: bool,
    /// Visitors of the web server log in, once a visit or so.
    pub(super) has_logins: bool,
    /// There is no ordinary traffic: it is in another capture.
    pub(super) is_quiet: bool,
    /// What fails, and when.
    pub(super) fault: Option<Fault>,
    /// When the file host sends its backup out.
    pub(super) backup: Option<(f64, f64)>,
    /// Conversations a second of an inside client with peers.
    pub(super) peers: f64,
    /// Datagrams a second of a one-way stream.
    pub(super) stream: f64,
    /// Health checkers, beside the two there always are.
    pub(super) checkers: u32,
    /// Share of connections that are followed by one over QUIC; the usual one if none.
    pub(super) quic_share: Option<f64>,
}

/// Something that fails without anybody's doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// What.
    pub(super) kind: FaultKind,
    /// From when to when.
    pub(super) from: f64,
    /// See `from`.
    pub(super) to: f64,
}

/// How a part of the servers fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FaultKind {
    /// The application takes so many seconds more for each reply.
    Slow(f64),
    /// The second site answers nothing at all.
    Silent,
}

/// People who come beside the ordinary ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    /// New connections a second: corners of a line, by time; 0 before the first and after the last.
    pub(super) curve: Vec<(f64, f64)>,
    /// From where, largest first; empty means from home.
    pub(super) from: Vec<Country>,
    /// Machines of a hosting provider that fetch for others; none if these are people.
    pub(super) fetchers: u32,
}

impl Crowd {
    /// Returns the rate at a time.
    pub(super) fn rate(&self, at: f64) -> f64 {
        let place = self.curve.partition_point(|(time, _)| *time <= at);
        match (place.checked_sub(1).map(|before| self.curve[before]), self.curve.get(place)) {
            (Some((t0, r0)), Some((t1, r1))) => r0 + (r1 - r0) * (at - t0) / (t1 - t0),
            _ => 0.0,
        }
    }
}

/// Hostile traffic.
#[derive(Clone, Debug)]
pub(super) struct Attack {
    /// What is done.
    pub(super) technique: Technique,
    /// Where its packets claim to come from, where they can claim anything.
    pub(super) spoofing: Spoofing,
    /// Where its machines stand otherwise.
    pub(super) geography: Geography,
    /// The countries of those abroad.
    pub(super) countries: Vec<Country>,
    /// From when to when, all pulses and the time between them included.
    pub(super) start: f64,
    /// See `start`.
    pub(super) end: f64,
    /// Units a second at full height.
    pub(super) rate: f64,
    /// Seconds until then.
    pub(super) ramp: f64,
    /// Seconds of one pulse, and of the silence before the next; none if it comes once.
    pub(super) pulse: Option<(f64, f64)>,
    /// What a person should know of it.
    pub(super) note: &'static str,
    /// Somebody announced it.
    pub(super) declared: bool,
}

impl Attack {
    /// Returns the rate at a time between start and end, never quite zero so that it gets going.
    pub(super) fn rate_at(&self, at: f64) -> f64 {
        let begun = at - self.start - self.pulse_start(at);
        let risen = if self.ramp > 0.0 { (begun / self.ramp).clamp(0.02, 1.0) } else { 1.0 };
        self.rate * risen
    }

    /// Returns when it strikes again, if it pauses at this time.
    pub(super) fn resumes_at(&self, at: f64) -> Option<f64> {
        let (on, gap) = self.pulse?;
        let begun = self.pulse_start(at);
        (at - self.start - begun >= on).then_some(self.start + begun + on + gap)
    }

    /// Returns the start of the pulse, or of the pulse before the pause, in seconds after its own start.
    fn pulse_start(&self, at: f64) -> f64 {
        self.pulse.map_or(0.0, |(on, gap)| ((at - self.start) / (on + gap)).floor() * (on + gap))
    }

    /// Returns how many pulses it has.
    pub(super) fn pulses(&self) -> u32 {
        self.pulse.map_or(1, |(on, gap)| {
            super::number::low_u32(super::number::floor_u64((self.end - self.start + gap) / (on + gap) + 0.5))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_straight_between_its_corners_and_nothing_outside() {
        let crowd = Crowd { curve: vec![(10.0, 0.0), (20.0, 100.0), (30.0, 100.0)], ..Crowd::default() };
        let rates: Vec<f64> = [9.0, 10.0, 15.0, 20.0, 29.0, 30.0].iter().map(|at| crowd.rate(*at)).collect();
        assert_eq!(rates, [0.0, 0.0, 50.0, 100.0, 100.0, 0.0]);
    }
}
