//! Other methods over the same frames, judged by the same matching: what is in use, and what the literature began with.
//!
//! Each looks at one protected host second by second and says whether it is alarmed. They know no kinds, so any kind of
//! event on the host counts as found: more credit than they deserve. An alarm lasts until nothing was alarming for a
//! minute, as Vigie's does, so that duplicates are counted alike.

mod counting;
mod fixed;
mod smoothed;
mod syn_fin;

use crate::address::{Address, Prefix};
use crate::eval::life::{Life, Said};
use crate::kind::{Severity, closed_set};
use crate::time::{NANOS_PER_SECOND, Timestamp};

pub(super) use counting::Counting;

closed_set! {
    /// The methods.
    Rival {
        /// More than 20,000 packets, 1 Gbit or 3,500 flows a second, averaged over five seconds: FastNetMon's defaults.
        Fixed = "fixed_thresholds",
        /// More than three times the 99th percentile of packets a second so far.
        ThreeTimesP99 = "three_times_p99",
        /// Packets a second more than four standard deviations above an exponentially weighted mean.
        Ewma = "ewma_z_score",
        /// SYNs that no FIN follows, summed up (Wang, Zhang & Shin 2002).
        SynFin = "syn_fin_cusum",
    }
}

impl Rival {
    /// Says in one line what it does.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Fixed => "20,000 packets, 1 Gbit or 3,500 flows a second to a host, 5 s mean: FastNetMon's defaults",
            Self::ThreeTimesP99 => "packets a second above three times their 99th percentile, after 180 s",
            Self::Ewma => "packets a second more than 4 standard deviations above their moving mean, after 180 s",
            Self::SynFin => "SYN-FIN CUSUM of Wang, Zhang & Shin 2002: a = 0.35, N = 1.05, periods of 20 s",
        }
    }
}

/// What went to and from one host in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Second {
    /// Packets to it.
    packets: f64,
    /// Bits to it.
    bits: f64,
    /// Different conversations among them.
    flows: f64,
    /// Segments with SYN, both ways.
    opening: f64,
    /// Segments with FIN, both ways, and three of four with RST: about so many end a connection that was open.
    closing: f64,
}

/// A method at work on one host.
trait Detector: std::fmt::Debug + Send {
    /// Takes the next second and tells whether it is alarming.
    fn is_alarmed(&mut self, second: &Second) -> bool;
}

fn begin(rival: Rival) -> Box<dyn Detector> {
    match rival {
        Rival::Fixed => Box::<fixed::Fixed>::default(),
        Rival::ThreeTimesP99 => Box::<fixed::ThreeTimesP99>::default(),
        Rival::Ewma => Box::<smoothed::Ewma>::default(),
        Rival::SynFin => Box::<syn_fin::SynFin>::default(),
    }
}

/// Packets a second below which history says nothing of a host: a scanner would alarm about an idle one.
const LEAST_PACKETS: f64 = 100.0;

/// Seconds after which history is believed, as with Vigie (DETECTION 0.2).
const ARMED_AFTER: usize = 180;

/// A method on one host, and the alarms it raised.
#[derive(Debug)]
struct Post {
    detector: Box<dyn Detector>,
    alarmed_at: Option<u64>,
    open: Option<Life>,
    ended: Vec<Life>,
}

/// Seconds without alarm after which one ends.
const HOLD: u64 = 60;

impl Post {
    fn new(rival: Rival) -> Self {
        Self { detector: begin(rival), alarmed_at: None, open: None, ended: Vec::new() }
    }

    fn observe(&mut self, host: Address, number: u64, second: &Second) {
        if self.detector.is_alarmed(second) {
            self.alarmed_at = Some(number);
            self.open.get_or_insert_with(|| alarm(host.host_prefix(), end_of(number)));
        } else if self.alarmed_at.is_some_and(|at| number >= at + HOLD) {
            self.close(number);
        }
    }

    fn close(&mut self, number: u64) {
        if let Some(mut life) = self.open.take() {
            let last = life.lines.last().cloned();
            life.lines.extend(last.map(|line| Said { at: end_of(number), ..line }));
            self.ended.push(life);
        }
    }
}

/// A second is judged when it is over.
const fn end_of(number: u64) -> Timestamp {
    Timestamp::from_nanos((number + 1) * NANOS_PER_SECOND)
}

fn alarm(prefix: Prefix, at: Timestamp) -> Life {
    let line = Said { at, severity: Severity::Critical, verdict: None, confidence: 1.0, origins: Vec::new() };
    Life { kind: None, prefix: Some(prefix), incident: format!("{prefix} {at}"), lines: vec![line] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which a method is alarmed by packets a second.
    fn alarmed(rival: Rival, rates: impl IntoIterator<Item = Second>) -> Vec<usize> {
        let mut detector = begin(rival);
        rates.into_iter().enumerate().filter(|(_, second)| detector.is_alarmed(second)).map(|(at, _)| at).collect()
    }

    fn packets(rate: f64) -> Second {
        Second { packets: rate, bits: rate * 800.0, ..Second::default() }
    }

    #[test]
    fn fixed_thresholds_are_averaged_over_five_seconds() {
        let rates = [1_000.0; 10].into_iter().chain([60_000.0; 10]).map(packets);
        assert_eq!(alarmed(Rival::Fixed, rates).first(), Some(&11), "the mean passes 20,000 in the second second");
        let flows = (0..5).map(|_| Second { flows: 3_501.0, ..Second::default() });
        assert_eq!(alarmed(Rival::Fixed, flows).len(), 5);
        assert!(alarmed(Rival::Fixed, (0..600).map(|_| packets(19_999.0))).is_empty());
    }

    #[test]
    fn history_is_needed_and_then_a_tripling_alarms() {
        let ordinary = |n: usize| packets(500.0 + (n % 7) as f64 * 10.0);
        for rival in [Rival::ThreeTimesP99, Rival::Ewma] {
            assert!(alarmed(rival, (0..300).map(ordinary)).is_empty(), "{rival}");
            let surge = (0..200).map(ordinary).chain([packets(2_000.0)]);
            assert_eq!(alarmed(rival, surge), [200], "{rival}");
            let early = (0..100).map(ordinary).chain([packets(2_000.0)]);
            assert!(alarmed(rival, early).is_empty(), "{rival} before 180 s");
        }
    }

    #[test]
    fn syns_without_fins_add_up_and_a_rush_that_ends_its_connections_does_not() {
        let balanced = |rate: f64| Second { opening: rate, closing: rate, ..Second::default() };
        let rush = (0..600).map(|n| balanced(if n < 300 { 100.0 } else { 1_000.0 }));
        assert!(alarmed(Rival::SynFin, rush).is_empty());
        let flood = (0..400).map(|n| Second { opening: if n < 200 { 100.0 } else { 300.0 }, ..balanced(100.0) });
        let first = alarmed(Rival::SynFin, flood)[0];
        assert!((219..260).contains(&first), "{first}");
    }

    #[test]
    fn an_alarm_lasts_until_a_minute_was_quiet() {
        let host = Address::v4([192, 0, 2, 10]);
        let mut post = Post::new(Rival::Fixed);
        for number in 0..200 {
            post.observe(host, number, &packets(if (50..60).contains(&number) { 1e6 } else { 0.0 }));
        }
        assert!(post.open.is_none());
        let life = &post.ended[0];
        assert_eq!(life.opened(), Timestamp::from_secs(51));
        // The mean needs some seconds to fall below the line again.
        assert!(life.closed() >= Timestamp::from_secs(120) && life.closed() < Timestamp::from_secs(150));
    }
}
