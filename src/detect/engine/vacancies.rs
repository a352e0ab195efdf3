//! Which watched hosts may lose their places in a tick, and in which order.

use super::hosts::Hosts;
use crate::address::Address;
use crate::detect::watched::Watched;
use crate::time::Tick;

/// A host unseen for so long may lose its place: fifteen minutes.
const FORGET_AFTER: u64 = 3_600;

/// Hosts that may lose their places, found once in a tick: where a thousand are busy, those without a place ask in each.
#[derive(Debug)]
pub(super) struct Vacancies(Vec<Vacancy>);

/// The one that was seen least lately goes first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Vacancy {
    last_seen: Tick,
    address: Address,
    /// Unseen for long: it goes for whoever comes. Otherwise it is mute, and goes for a host that has more to say.
    is_idle: bool,
}

impl Vacancies {
    /// Finds those of some hosts.
    pub(super) fn of(hosts: &Hosts, tick: Tick) -> Self {
        let speaks = |watched: &Watched| watched.subject.verified.per_second() > 0.0 || watched.situation.flood;
        let vacancy = |(address, watched): (&Address, &Watched)| {
            let last_seen = watched.subject.last_seen;
            let is_idle = tick.since(last_seen) > FORGET_AFTER;
            (is_idle || !speaks(watched)).then_some(Vacancy { last_seen, address: *address, is_idle })
        };
        let mut vacancies: Vec<Vacancy> = hosts.iter().filter_map(vacancy).collect();
        vacancies.sort_unstable();
        Self(vacancies)
    }

    /// Takes the host that makes room for another, which `wants` a place more than the mute do.
    pub(super) fn take(&mut self, wants: bool) -> Option<Address> {
        let place = self.0.iter().position(|vacancy| wants || vacancy.is_idle)?;
        Some(self.0.remove(place).address)
    }

    /// Adds a host that has just been given a place, and has said nothing yet.
    pub(super) fn add(&mut self, address: Address, last_seen: Tick) {
        let vacancy = Vacancy { last_seen, address, is_idle: false };
        let place = self.0.partition_point(|other| *other < vacancy);
        self.0.insert(place, vacancy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SiteId;
    use crate::window::cusum::STEP_CAP;

    fn address(last: u8) -> Address {
        Address::v4([192, 0, 2, last])
    }

    /// Hosts that were last seen at these ticks; those with an odd address speak.
    fn hosts(seen: &[(u8, u64)]) -> Hosts {
        let mut hosts = Hosts::default();
        for (last, at) in seen {
            let mut watched = Watched::new(address(*last).host_prefix(), SiteId(0), false, Tick::new(*at));
            watched.subject.verified.observe(Tick::new(*at), u64::from(last % 2), 1.0, 5.0, STEP_CAP);
            hosts.insert(address(*last), watched);
        }
        hosts
    }

    #[test]
    fn the_idle_go_for_anybody_and_the_mute_for_those_that_want_a_place() {
        let now = Tick::new(10_000);
        let mut vacancies = Vacancies::of(&hosts(&[(1, 9_999), (2, 9_999), (3, 6_399), (4, 9_000), (6, 9_000)]), now);
        assert_eq!(vacancies.take(false), Some(address(3)), "it speaks, and was heard of long ago");
        assert_eq!(vacancies.take(false), None);
        assert_eq!(vacancies.take(true), Some(address(4)));
        vacancies.add(address(200), now);
        assert_eq!(vacancies.take(true), Some(address(6)));
        assert_eq!(vacancies.take(true), Some(address(2)));
        assert_eq!(vacancies.take(true), Some(address(200)), "who came last goes last");
        assert_eq!(vacancies.take(true), None, "who speaks stays");
    }
}
