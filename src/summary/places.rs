//! Which protected hosts a partition counts one by one, and at which rate it samples the handshakes of each.
//!
//! Places are few and anyone can fill them by sending to a wide protected prefix; therefore a quarter is kept for hosts
//! that have answered, and a host that never did loses its place after a second of silence. Each host has its own
//! sampling shift: a flood on one is sampled more thinly, its neighbours are not. Shifts change at ticks only.

use crate::address::Address;
use crate::flow::cohort::HELD_TICKS;
use crate::summary::hosts::{HostBook, HostId, add_sorted};
use crate::summary::sketch::address_hash;

/// SYN ports that a place counts one by one in a tick.
const PORTS: usize = 8;
/// Idle ticks after which a host that never answered loses its place: 1 s.
const SILENT_TICKS: u16 = 4;
/// The same for a host that did: 60 s.
const HEARD_TICKS: u16 = 240;
/// A host that is sent one SYN and says nothing keeps its place for so many ticks: until its handshake is closed. Such hosts
/// get that part of the places in a tick, or the first tick of a flood at ever new ones would take them all, and nothing
/// could be counted one by one in those that follow.
const STAYS_TICKS: usize = HELD_TICKS as usize + 1;
/// Handshakes are thinned at most to one in 65,536.
const MOST_SHIFT: u8 = 16;

/// A protected host in a partition.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    address: Address,
    host: HostId,
    used: bool,
    /// The host has sent something.
    heard: bool,
    active: bool,
    idle_ticks: u16,
    /// Handshakes followed at the moment.
    pub(crate) followed: u16,
    /// Verified connections that are open; their end is counted here too.
    pub(crate) connections: u32,
    /// First SYNs chosen in this tick, followed or not.
    pub(crate) offered: u32,
    shift: u8,
    /// The smallest shift at which a handshake still followed may have been chosen, and for how many ticks that holds.
    floor: u8,
    floor_ticks: u8,
    ports: [(u16, u32); PORTS],
    port_count: u8,
    other_ports: u32,
}

impl Place {
    fn new(address: Address, host: HostId) -> Self {
        Self {
            address,
            host,
            used: true,
            heard: false,
            active: true,
            idle_ticks: 0,
            followed: 0,
            connections: 0,
            offered: 0,
            shift: 0,
            floor: 0,
            floor_ticks: 0,
            ports: [(0, 0); PORTS],
            port_count: 0,
            other_ports: 0,
        }
    }

    /// Returns whose counters are meant.
    pub(crate) fn host(&self) -> HostId {
        self.host
    }

    /// Returns the host's address.
    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Returns the rate at which first SYNs are chosen now: 1 in 2^shift.
    pub(crate) fn shift(&self) -> u8 {
        self.shift
    }

    /// Returns the shift below which no followed handshake was chosen.
    pub(crate) fn floor(&self) -> u8 {
        self.floor
    }

    /// Takes that an open connection ended; the place stays until that is reported.
    pub(crate) fn end_connection(&mut self) {
        self.connections = self.connections.saturating_sub(1);
        self.active = true;
    }

    /// Counts an inbound SYN by its port.
    pub(crate) fn count_syn(&mut self, port: u16) {
        let count = usize::from(self.port_count);
        if let Some((_, syns)) = self.ports[..count].iter_mut().find(|(other, _)| *other == port) {
            *syns += 1;
        } else if count < PORTS {
            self.ports[count] = (port, 1);
            self.port_count += 1;
        } else {
            self.other_ports += 1;
        }
    }

    fn raise(&mut self, to: u8) {
        if self.floor_ticks == 0 {
            self.floor = self.shift;
        }
        self.floor_ticks = u8::try_from(HELD_TICKS + 1).unwrap_or(u8::MAX);
        self.shift = to;
    }

    fn lower(&mut self) {
        self.shift = self.shift.saturating_sub(1);
        self.floor = self.floor.min(self.shift);
    }

    fn settle_floor(&mut self) {
        self.floor_ticks = self.floor_ticks.saturating_sub(1);
        if self.floor_ticks == 0 {
            self.floor = self.shift;
        }
    }

    fn report_ports(&mut self, hosts: &mut HostBook) {
        if self.port_count == 0 {
            return;
        }
        let host = hosts.count(self.host);
        for (port, syns) in self.ports[..usize::from(self.port_count)].iter() {
            add_sorted(&mut host.syn_ports, *port, *syns);
        }
        if self.other_ports > 0 {
            add_sorted(&mut host.syn_ports, 0, self.other_ports);
        }
        self.port_count = 0;
        self.other_ports = 0;
    }
}

/// The places of a partition.
#[derive(Debug)]
pub(crate) struct Places {
    key: u64,
    places: Vec<Place>,
    /// Rows of place numbers plus one, 0 where free; twice as many as places, so that searches stay short.
    rows: Vec<u16>,
    most: usize,
    taken: usize,
    /// Hosts that have said nothing and were given a place in this tick.
    silent_intake: usize,
}

impl Places {
    /// Makes room for `most` hosts, at least 1 and at most 255.
    pub(crate) fn new(most: usize, key: u64) -> Self {
        let most = most.clamp(1, usize::from(u8::MAX));
        Self {
            key,
            places: Vec::with_capacity(most),
            rows: vec![0; (2 * most).next_power_of_two()],
            most,
            taken: 0,
            silent_intake: 0,
        }
    }

    /// Returns how many hosts can have a place.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn get(&self, at: u8) -> &Place {
        &self.places[usize::from(at)]
    }

    pub(crate) fn get_mut(&mut self, at: u8) -> &mut Place {
        &mut self.places[usize::from(at)]
    }

    /// Returns the place of a host, giving it one if it may have one; `hint` is where it was last.
    #[inline]
    pub(crate) fn place(&mut self, address: Address, sends: bool, hint: u8, hosts: &mut HostBook) -> Option<u8> {
        let at = self.known(address, hint).or_else(|| self.take(address, sends, hosts))?;
        let place = &mut self.places[usize::from(at)];
        place.active = true;
        place.heard |= sends;
        Some(at)
    }

    /// Ends a tick: reports SYN ports, adapts shifts, frees the places of silent hosts. Returns the largest shift.
    ///
    /// `taken` of `capacity` places of the sampler are in use, and with `pressed` some first SYNs found none.
    pub(crate) fn close(&mut self, taken: usize, capacity: usize, pressed: bool, hosts: &mut HostBook) -> u8 {
        self.silent_intake = 0;
        if self.taken == 0 {
            return 0;
        }
        let contenders = self.places.iter().filter(|place| place.used && place.offered > 0).count().max(1);
        // Half of the sampler is what all contenders together may take in the long run.
        let share = u64::try_from(capacity / 2 / contenders).unwrap_or(1).max(1);
        let (full, empty) = (pressed || taken * 4 > capacity * 3, taken * 4 < capacity);
        let (mut freed, mut largest) = (false, 0);
        for place in self.places.iter_mut().filter(|place| place.used) {
            place.report_ports(hosts);
            adapt(place, share, full, empty);
            largest = largest.max(place.shift);
            if place.ages() {
                place.used = false;
                hosts.release(place.host);
                self.taken -= 1;
                freed = true;
            }
        }
        if freed {
            self.index();
        }
        largest
    }

    /// Tells whether no host has a place.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken == 0
    }

    /// Forgets which handshakes are followed: the sampler was emptied.
    pub(crate) fn forget_followed(&mut self) {
        for place in &mut self.places {
            place.followed = 0;
        }
    }

    /// Returns the place a host has, without giving it one; `hint` is where it was last.
    #[inline]
    pub(crate) fn known(&self, address: Address, hint: u8) -> Option<u8> {
        let known = self.places.get(usize::from(hint)).is_some_and(|place| place.used && place.address == address);
        if known { Some(hint) } else { self.find(address) }
    }

    fn find(&self, address: Address) -> Option<u8> {
        let row = self.row(address);
        let at = self.rows[row].checked_sub(1)?;
        u8::try_from(at).ok()
    }

    fn take(&mut self, address: Address, sends: bool, hosts: &mut HostBook) -> Option<u8> {
        let most = if sends { self.most } else { self.most - self.most / 4 };
        if self.taken >= most || !sends && self.silent_intake >= most.div_ceil(STAYS_TICKS) {
            return None;
        }
        self.silent_intake += usize::from(!sends);
        let place = Place::new(address, hosts.hold(address));
        let at = match self.places.iter().position(|place| !place.used) {
            Some(at) => {
                self.places[at] = place;
                at
            }
            None => {
                self.places.push(place);
                self.places.len() - 1
            }
        };
        self.taken += 1;
        let row = self.row(address);
        self.rows[row] = u16::try_from(at + 1).unwrap_or(0);
        u8::try_from(at).ok()
    }

    /// Returns the row of an address, or the free one where it belongs.
    fn row(&self, address: Address) -> usize {
        let hash = address_hash(self.key, address);
        let mask = self.rows.len() - 1;
        let mut row = (hash & 0xffff) as usize & mask;
        while self.rows[row] != 0 && self.places[usize::from(self.rows[row]) - 1].address != address {
            row = (row + 1) & mask;
        }
        row
    }

    fn index(&mut self) {
        self.rows.fill(0);
        for at in 0..self.places.len() {
            if self.places[at].used {
                let row = self.row(self.places[at].address);
                self.rows[row] = u16::try_from(at + 1).unwrap_or(0);
            }
        }
    }
}

impl Place {
    /// Counts idle ticks; tells whether the place is to be freed.
    fn ages(&mut self) -> bool {
        self.idle_ticks = if self.active { 0 } else { self.idle_ticks.saturating_add(1) };
        self.active = false;
        self.followed == 0
            && self.connections == 0
            && self.idle_ticks >= if self.heard { HEARD_TICKS } else { SILENT_TICKS }
    }
}

/// Moves a place's shift: up at once to where its share of the sampler suffices, down a step a tick.
fn adapt(place: &mut Place, share: u64, full: bool, empty: bool) {
    let projected = u64::from(place.offered) * u64::from(HELD_TICKS);
    // A few first SYNs that met in one tick are no flood.
    let weighs = u64::from(place.offered) + u64::from(place.followed) > share / 2;
    if full && weighs && projected > share {
        let mut to = place.shift;
        while projected >> (to - place.shift) > share && to < MOST_SHIFT {
            to += 1;
        }
        place.raise(to);
    } else if place.shift > 0 && (empty && projected * 2 <= share || projected * 8 <= share) {
        // Either there is room again, or this host's flood is over while another's goes on.
        place.lower();
        place.settle_floor();
    } else {
        place.settle_floor();
    }
    place.offered = 0;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> Address {
        Address::v4(n.to_be_bytes())
    }

    #[test]
    fn a_sweep_over_silent_hosts_leaves_places_for_those_that_answer() {
        let (mut places, mut hosts) = (Places::new(8, 3), HostBook::default());
        for n in 0..100 {
            // Those that have a place are asked again and again.
            let known: Vec<_> = (0..n).map(address).filter(|host| places.known(*host, 0).is_some()).collect();
            for host in known.into_iter().chain([address(n)]) {
                places.place(host, false, 0, &mut hosts);
            }
            places.close(0, 64, false, &mut hosts);
        }
        assert_eq!(places.taken, 6);
        let at = places.place(address(1_000), true, 0, &mut hosts).expect("kept for it");
        assert_eq!(places.get(at).address(), address(1_000));
        for _ in 0..=SILENT_TICKS {
            places.close(0, 64, false, &mut hosts);
        }
        assert_eq!(places.taken, 1);
        assert_eq!(places.place(address(1_000), false, 0, &mut hosts), Some(at));
        assert!(places.place(address(2_000), false, 0, &mut hosts).is_some());
    }

    #[test]
    fn every_tick_of_a_flood_at_ever_new_hosts_counts_some_of_them() {
        let (mut places, mut hosts) = (Places::new(128, 3), HostBook::default());
        let mut placed = Vec::new();
        for tick in 0..64 {
            let new = (0..500).filter(|n| places.place(address(tick * 500 + n), false, 0, &mut hosts).is_some());
            placed.push(new.count());
            places.close(0, 64, false, &mut hosts);
        }
        assert_eq!(placed, [6; 64]);
    }

    #[test]
    fn a_flood_raises_its_own_shift_only_and_at_once() {
        let (mut places, mut hosts) = (Places::new(8, 3), HostBook::default());
        let flooded = places.place(address(1), true, 0, &mut hosts).unwrap();
        let calm = places.place(address(2), true, 0, &mut hosts).unwrap();
        places.get_mut(flooded).offered = 4_000;
        places.get_mut(calm).offered = 2;
        places.close(128, 1_024, true, &mut hosts);
        // 4,000 a tick for 15 ticks fit into 256 places at 1 in 256.
        assert_eq!((places.get(flooded).shift(), places.get(calm).shift()), (8, 0));
        assert_eq!(places.get(flooded).floor(), 0);
        for _ in 0..=HELD_TICKS {
            places.get_mut(flooded).offered = 4_000 >> 8;
            places.close(400, 1_024, false, &mut hosts);
        }
        assert_eq!((places.get(flooded).shift(), places.get(flooded).floor()), (8, 8));
    }

    #[test]
    fn the_shift_comes_down_when_the_flood_is_over() {
        let (mut places, mut hosts) = (Places::new(8, 3), HostBook::default());
        let at = places.place(address(1), true, 0, &mut hosts).unwrap();
        places.get_mut(at).offered = 4_000;
        places.close(128, 1_024, true, &mut hosts);
        for _ in 0..10 {
            places.place(address(1), true, at, &mut hosts);
            places.close(0, 1_024, false, &mut hosts);
        }
        assert_eq!(places.get(at).shift(), 0);
    }

    #[test]
    fn syn_ports_beyond_eight_are_counted_together() {
        let (mut places, mut hosts) = (Places::new(8, 3), HostBook::default());
        let at = places.place(address(1), false, 0, &mut hosts).unwrap();
        for port in [443, 443, 80, 1, 2, 3, 4, 5, 6, 7, 8, 443] {
            places.get_mut(at).count_syn(port);
        }
        places.close(0, 64, false, &mut hosts);
        let mut ticks = Vec::new();
        hosts.close(&mut ticks);
        assert_eq!(ticks[0].syn_ports, [(0, 2), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1), (80, 1), (443, 3)]);
    }
}
