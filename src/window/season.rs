//! The weekly part of a level: the profile under it, or a sibling's, and how far today is from it (DETECTION 1.2).
//!
//! The usual rate is `exp(s(t) + deviation)`. `s` is the profile's; the deviation follows "today is busier" as a clipped
//! EWMA, never by more than a factor of two. A host with no profile of its own borrows the shape of a day from a sibling
//! of its site: then the deviation is anchored at its own size, and bounded around that.

use crate::window::calendar::Moment;
use crate::window::profile::{Profile, Season};

/// Bound of the deviation: a factor of two.
const BOUND: f64 = std::f64::consts::LN_2;

/// Quarter-hours in which half of a deviation is forgotten over a restart: the level's two hours.
const FADES_IN: f64 = 8.0;

/// Ten-second samples in a quarter-hour.
const IN_QUARTER: usize = 90;

/// Where the seasonal part comes from at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nothing is known of this time of the week.
    #[default]
    Unknown,
    /// A sibling's profile, or the own one of a day that is alike.
    Borrowed,
    /// The own profile.
    Own,
}

/// The seasonal part of one level.
#[derive(Clone, Debug, Default)]
pub struct Seasonal {
    profile: Profile,
    /// Samples accepted in the quarter-hour under way.
    in_quarter: usize,
    at: Option<Moment>,
    origin: Origin,
    location: f64,
    above: f64,
    spread: f64,
    deviation: f64,
    /// The middle of the deviation's bounds.
    anchor: f64,
    /// The deviation before a restart, and the quarter-hour it was of.
    kept: Option<(f64, u64)>,
}

impl Seasonal {
    /// Moves to a moment. `newest` gives that many of the newest accepted logarithms; `usual` is the logarithm of what was
    /// usual until now; `own` tells whether the own profile is old enough to be used; `donor` is a sibling's season.
    pub fn prepare(
        &mut self,
        moment: &Moment,
        newest: impl FnOnce(usize) -> Vec<f32>,
        usual: f64,
        own: bool,
        donor: Option<Season>,
    ) {
        if let Some(last) = self.at.filter(|last| last.quarter != moment.quarter) {
            self.profile.close(last.bin, &newest(self.in_quarter));
            self.in_quarter = 0;
        }
        self.at = Some(*moment);
        let (origin, season) = match self.profile.at(moment).filter(|_| own) {
            Some(season) if season.seen => (Origin::Own, Some(season)),
            alike => {
                let season = donor.or(alike);
                (if season.is_some() { Origin::Borrowed } else { Origin::Unknown }, season)
            }
        };
        let Some(season) = season else {
            self.origin = Origin::Unknown;
            return;
        };
        (self.location, self.above, self.spread) = (season.location, season.above, season.spread);
        if let (Origin::Own, Some((deviation, quarter))) = (origin, self.kept.take()) {
            // What was special about that day has faded by now.
            let fading = 0.5_f64.powf(moment.quarter.saturating_sub(quarter) as f64 / FADES_IN);
            (self.origin, self.anchor, self.deviation) = (origin, 0.0, (deviation * fading).clamp(-BOUND, BOUND));
        }
        if origin != self.origin {
            // What is usual goes on where it was, as far as the bound allows.
            self.anchor = if origin == Origin::Own { 0.0 } else { usual - season.location };
            self.deviation = (usual - season.location).clamp(self.anchor - BOUND, self.anchor + BOUND);
            self.origin = origin;
        }
    }

    /// Takes an accepted sample; `gain` is the EWMA's.
    pub fn learn(&mut self, y: f64, gain: f64) {
        self.in_quarter = (self.in_quarter + 1).min(IN_QUARTER);
        if self.origin > Origin::Unknown {
            let error = (y - self.location - self.deviation).clamp(-self.spread, self.spread);
            self.deviation = (self.deviation + gain * error).clamp(self.anchor - BOUND, self.anchor + BOUND);
        }
    }

    /// Returns the logarithm of what is usual now and its spread, where anything is known of this time of the week.
    #[must_use]
    pub fn usual(&self) -> Option<(f64, f64)> {
        (self.origin > Origin::Unknown).then_some((self.location + self.deviation, self.spread))
    }

    /// Returns how much more than usual, as a logarithm, may come at a step on the quarter.
    #[must_use]
    pub fn above(&self) -> f64 {
        if self.origin > Origin::Unknown { self.above } else { 0.0 }
    }

    /// Returns where it comes from.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Moves the whole profile: a new regime was accepted.
    pub fn shift(&mut self, by: f64) {
        self.profile.shift(by);
        self.location += by;
    }

    /// Returns the profile.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the deviation from the own profile, and the quarter-hour it is of.
    #[must_use]
    pub fn deviation(&self) -> (f64, u64) {
        let deviation = if self.origin == Origin::Own { self.deviation } else { 0.0 };
        (deviation, self.at.map_or(0, |at| at.quarter))
    }

    /// Builds on what was kept: the profile, and the deviation with the quarter-hour it was of.
    #[must_use]
    pub fn resume(profile: Profile, deviation: (f64, u64)) -> Self {
        Self { profile, kept: Some(deviation), ..Self::default() }
    }
}
