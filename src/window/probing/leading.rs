//! The leading ports or hosts of a prober: few places, the one with the fewest failures gives way.

use crate::time::Tick;
use crate::window::trw::Walk;

use super::breadth::{Breadth, DAY, WINDOW};

/// How first contacts ended: the walk, and counts over the last five to ten minutes and a day.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    walk: Walk,
    window: u64,
    /// (failures, successes) in this window and the one before.
    now: (u32, u32),
    before: (u32, u32),
    day_since: Tick,
    day: (u32, u32),
}

impl Tally {
    /// Takes an outcome.
    pub fn observe(&mut self, now: Tick, failed: bool) {
        self.roll(now);
        self.walk.step(now, failed);
        for (failures, successes) in [&mut self.now, &mut self.day] {
            *failures = failures.saturating_add(u32::from(failed));
            *successes = successes.saturating_add(u32::from(!failed));
        }
    }

    /// Returns the evidence for a scanner in decades.
    #[must_use]
    pub fn decades(&self) -> f64 {
        self.walk.decades()
    }

    /// Returns when the failures began that make the evidence.
    #[must_use]
    pub const fn onset(&self) -> Tick {
        self.walk.onset()
    }

    /// Returns failures and successes of the last five to ten minutes.
    #[must_use]
    pub fn recent(mut self, now: Tick) -> (u32, u32) {
        self.roll(now);
        (self.now.0 + self.before.0, self.now.1 + self.before.1)
    }

    /// Returns failures and successes since the day began.
    #[must_use]
    pub const fn day(&self) -> (u32, u32) {
        self.day
    }

    fn roll(&mut self, now: Tick) {
        let window = now.number() / WINDOW;
        if window > self.window {
            self.before = if window == self.window + 1 { self.now } else { (0, 0) };
            (self.now, self.window) = ((0, 0), window);
        }
        if now.since(self.day_since) >= DAY {
            (self.day, self.day_since) = ((0, 0), now);
        }
    }
}

/// One of the leading: how contacts with it ended, and how many different others they went to.
#[derive(Clone, Copy, Debug)]
pub struct Lead<T> {
    of: T,
    /// How contacts ended.
    pub tally: Tally,
    /// Different hosts of a port, or ports of a host, with failures.
    pub others: Breadth,
}

/// The leading ports or hosts.
#[derive(Clone, Debug)]
pub struct Leading<T, const N: usize>(Vec<Lead<T>>);

impl<T, const N: usize> Default for Leading<T, N> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy + Ord, const N: usize> Leading<T, N> {
    /// Takes the outcome of a contact with `of`, `other` being the hash of the other half of the door; it is tallied once,
    /// when it `is_new`.
    pub fn observe(&mut self, now: Tick, of: T, other: u64, failed: bool, is_new: bool) {
        let place = self.0.iter().position(|lead| lead.of == of);
        let Some(place) = place.or_else(|| failed.then(|| self.make_room(now, of))) else { return };
        let lead = &mut self.0[place];
        if is_new {
            lead.tally.observe(now, failed);
        }
        if failed {
            lead.others.insert(now, other);
        }
    }

    /// The one with the fewest different others gives way; its failures are not handed on, so nothing is overstated.
    fn make_room(&mut self, now: Tick, of: T) -> usize {
        let lead = Lead { of, tally: Tally::default(), others: Breadth::default() };
        if self.0.len() < N {
            self.0.push(lead);
            return self.0.len() - 1;
        }
        let few = |lead: &Lead<T>| (lead.others.recent(now).at_least(), lead.others.day().at_least(), lead.of);
        let place = (0..N).min_by_key(|place| few(&self.0[*place])).unwrap_or(0);
        self.0[place] = lead;
        place
    }

    /// Returns the one with the most different others in the last minutes.
    #[must_use]
    pub fn first(&self, now: Tick) -> Option<(T, &Lead<T>)> {
        let most = |lead: &&Lead<T>| (lead.others.recent(now).at_least(), std::cmp::Reverse(lead.of));
        self.0.iter().max_by_key(most).map(|lead| (lead.of, lead))
    }

    /// Returns the one with the most different others of the day.
    #[must_use]
    pub fn first_of_day(&self) -> Option<(T, &Lead<T>)> {
        let most = |lead: &&Lead<T>| (lead.others.day().at_least(), std::cmp::Reverse(lead.of));
        self.0.iter().max_by_key(most).map(|lead| (lead.of, lead))
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = (T, &Lead<T>)> {
        self.0.iter().map(|lead| (lead.of, lead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    #[test]
    fn the_leading_port_survives_many_that_are_seen_once() {
        let mut leading: Leading<u16, 4> = Leading::default();
        for n in 0..200 {
            leading.observe(Tick::new(100), 23, mix(1, n), true, true);
            leading.observe(Tick::new(100), 1_000 + u16::try_from(n).unwrap(), mix(1, n), true, true);
        }
        let (port, lead) = leading.first(Tick::new(100)).unwrap();
        assert_eq!(port, 23);
        assert_eq!(lead.tally.recent(Tick::new(100)), (200, 0));
        assert!((lead.others.recent(Tick::new(100)).distinct() - 200.0).abs() < 60.0);
    }

    #[test]
    fn successes_make_no_place_and_count_where_there_is_one() {
        let mut leading: Leading<u16, 4> = Leading::default();
        leading.observe(Tick::new(1), 443, 7, false, true);
        assert!(leading.first(Tick::new(1)).is_none());
        leading.observe(Tick::new(1), 443, 7, true, true);
        leading.observe(Tick::new(1), 443, 8, false, true);
        assert_eq!(leading.first(Tick::new(1)).unwrap().1.tally.recent(Tick::new(1)), (1, 1));
    }
}
