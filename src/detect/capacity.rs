//! What a service can bear: the largest rate it served in good health, and the rate at which it stopped keeping up.
//!
//! A rate served in good health is a lower bound: the service bears at least as much. Only an overload by real demand
//! shows the upper end, since a full server serves what it can. Demand is counted in first attempts, of which a usual part
//! is never served (spare sockets, visitors who leave), so it is scaled by that part before it is compared.

/// Ten-second samples of an overloaded service after which its limit is known.
const SAMPLES: u32 = 2;

/// How far beyond the most it ever served the limit may lie: ten seconds are a short look.
const ABOVE_THE_MOST: f64 = 1.1;

/// How much more must be asked for than is served for a sample to show a limit.
const ASKED_FOR: f64 = 1.1;

/// Weight of a sample in the usual part of attempts that is served.
const GAIN: f64 = 0.1;

/// What a ten-second sample was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Everything is well.
    Well,
    /// Real demand is not kept up with.
    Overloaded,
    /// Something else is going on: nothing can be learned.
    Disturbed,
}

/// Bounds of a capacity, in served connections a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// It bears at least this.
    pub low: f64,
    /// It does not bear more than this; `None` while that was never seen.
    pub high: Option<f64>,
}

/// What demand is beside a capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It would be borne.
    Within,
    /// It would not.
    Beyond,
    /// It is more than was ever served, and whether it would be borne is not known.
    Unproven,
    /// It lies too near to tell.
    Near,
}

impl Bounds {
    /// A configured capacity.
    #[must_use]
    pub const fn exactly(capacity: f64) -> Self {
        Self { low: capacity, high: Some(capacity) }
    }

    /// Compares a demand, with the margins of DETECTION 4.4 (0.85 and 1.15) where the limit is known. What was served in
    /// good health needs no margin but that of a ten-second look.
    #[must_use]
    pub fn judge(&self, demand: f64) -> Demand {
        let clearly_within = if self.high == Some(self.low) { 0.85 * self.low } else { 1.05 * self.low };
        match self.high {
            _ if demand < clearly_within => Demand::Within,
            Some(high) if demand > 1.15 * high.min(self.low * ABOVE_THE_MOST) => Demand::Beyond,
            None if demand > 1.15 * self.low => Demand::Unproven,
            _ => Demand::Near,
        }
    }
}

/// What was learned of one site or host.
#[derive(Clone, Debug, Default)]
pub struct Capacity {
    most_served: f64,
    overloaded: u32,
    served_part: Option<f64>,
}

impl Capacity {
    /// Takes the rates of ten seconds.
    pub fn observe(&mut self, served: f64, first_syns: f64, condition: Condition) {
        match condition {
            Condition::Well => {
                self.most_served = self.most_served.max(served);
                if first_syns >= 2.0 {
                    let part = (served / first_syns).clamp(0.2, 1.0);
                    self.served_part = Some(self.served_part.map_or(part, |usual| usual + GAIN * (part - usual)));
                }
            }
            Condition::Overloaded => {
                let asked = first_syns * self.served_part();
                if served >= 0.5 * self.most_served && asked >= ASKED_FOR * served {
                    self.most_served = self.most_served.max(served);
                    self.overloaded = self.overloaded.saturating_add(1);
                }
            }
            Condition::Disturbed => {}
        }
    }

    /// Builds what an earlier run has seen a service serve: a lower bound.
    #[must_use]
    pub const fn remembered(most_served: f64) -> Self {
        Self { most_served, overloaded: 0, served_part: None }
    }

    /// Returns the most it ever served, a second; 0 while nothing was.
    #[must_use]
    pub const fn most_served(&self) -> f64 {
        self.most_served
    }

    /// Returns the usual part of first attempts that is served, 1 while unknown.
    #[must_use]
    pub fn served_part(&self) -> f64 {
        self.served_part.unwrap_or(1.0)
    }

    /// Tells whether it was seen not to keep up, so that its limit is known.
    #[must_use]
    pub const fn is_limit_known(&self) -> bool {
        self.overloaded >= SAMPLES
    }

    /// Returns what it bears; `None` until something was served.
    #[must_use]
    pub fn bounds(&self) -> Option<Bounds> {
        let high = self.is_limit_known().then_some(self.most_served * ABOVE_THE_MOST);
        (self.most_served > 0.0).then_some(Bounds { low: self.most_served, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_health_shows_a_lower_bound_and_overload_the_upper() {
        let mut capacity = Capacity::default();
        assert_eq!(capacity.bounds(), None);
        capacity.observe(90.0, 100.0, Condition::Well);
        let bounds = capacity.bounds().unwrap();
        assert_eq!((bounds.low, bounds.high, capacity.served_part()), (90.0, None, 0.9));
        assert_eq!(bounds.judge(90.0), Demand::Within, "it was borne before");
        assert_eq!(bounds.judge(200.0), Demand::Unproven);
        for _ in 0..3 {
            capacity.observe(300.0, 900.0, Condition::Overloaded);
        }
        let bounds = capacity.bounds().unwrap();
        assert_eq!(bounds.low, 300.0);
        assert_eq!(bounds.judge(400.0), Demand::Beyond);
        assert_eq!(bounds.judge(320.0), Demand::Near);
        assert_eq!(bounds.judge(200.0), Demand::Within);
    }

    #[test]
    fn a_dead_server_and_an_attacked_one_show_no_limit() {
        let mut capacity = Capacity::default();
        capacity.observe(100.0, 100.0, Condition::Well);
        (0..9).for_each(|_| capacity.observe(3.0, 100.0, Condition::Overloaded));
        (0..9).for_each(|_| capacity.observe(50.0, 5_000.0, Condition::Disturbed));
        assert_eq!(capacity.bounds(), Some(Bounds { low: 100.0, high: None }));
    }

    #[test]
    fn a_configured_capacity_is_compared_with_its_margins() {
        let bounds = Bounds::exactly(100.0);
        let judged = [80.0, 90.0, 110.0, 120.0].map(|demand| bounds.judge(demand));
        assert_eq!(judged, [Demand::Within, Demand::Near, Demand::Near, Demand::Beyond]);
    }
}
