//! The SYN cohort sampler of a partition (DETECTION 2.2): a fixed ring of handshakes under way.
//!
//! A keyed hash of the 4-tuple chooses which first SYNs are followed; both directions of a chosen one are followed for
//! 3.5 s, and each entry keeps the weight at which it was chosen. Who is chosen at which rate, and where outcomes are
//! counted, is decided outside: this file owns the entries and the rules of what happened to a handshake.
//!
//! All entries live equally long, so that the ring is also the queue of their deadlines. Forty bytes an entry:
//! 65,536 of them are 2.5 MiB.

use crate::address::Address;
use crate::flow::limits::{micros_between, micros32};
use crate::packet::Packet;
use crate::time::{Tick, Timestamp};

/// How many ticks a handshake is followed for after its first SYN: 4 s, so that a retry after 3 s is seen.
pub const AGES: usize = 16;

/// What happened to a handshake, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome(pub u8);

impl Outcome {
    /// The server sent a SYN-ACK.
    pub const ANSWERED: u8 = 0x01;
    /// The client proved its address (DETECTION 0.2).
    pub const FINISHED: u8 = 0x02;
    /// The client sent the same SYN again, 700 ms or more later.
    pub const RETRIED: u8 = 0x04;
    /// The client reset it.
    pub const CLIENT_RESET: u8 = 0x08;
    /// The server reset it.
    pub const SERVER_RESET: u8 = 0x10;
    /// The client sent anything else than SYN or RST: all that an inbound-only capture can know.
    pub const CONTINUED: u8 = 0x20;

    /// Tells whether any of the given bits is set.
    #[must_use]
    pub const fn any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }

    /// Tells whether the client neither finished, nor retried, nor reset, nor went on (DETECTION 2.2, "silent").
    #[must_use]
    pub const fn is_silent(self) -> bool {
        !self.any(Self::FINISHED | Self::RETRIED | Self::CLIENT_RESET | Self::CONTINUED)
    }

    /// Tells whether the server answered and the client neither finished nor reset.
    #[must_use]
    pub const fn is_unfinished(self) -> bool {
        self.any(Self::ANSWERED) && !self.any(Self::FINISHED | Self::CLIENT_RESET)
    }
}

/// Least time after the first SYN, or SYN-ACK, at which the same one again is a retransmission and not a copy made by the
/// mirror port (DETECTION 0.2). Stacks wait a second (RFC 6298 section 2).
const RETRANSMISSION_US: u32 = 700_000;
/// Age of the first report.
const LOOK_US: u32 = 1_000_000;
/// Age at which a handshake is no longer followed.
pub(crate) const CLOSE_US: u32 = 3_500_000;
/// Ticks for which an entry is held, from its SYN to the close of the tick in which it is old enough.
pub(crate) const HELD_TICKS: u32 = 15;

/// Something happened that is counted; ages are in ticks and below [`AGES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// First SYN-ACK, by ticks since the first SYN.
    Answered(usize),
    /// The client proved its address, by ticks since the SYN-ACK.
    Finished(usize),
    /// The client reset after the answer, by ticks since the SYN-ACK.
    Abandoned(usize),
    /// First retry while unanswered, by ticks since the first SYN.
    Retried(usize),
    /// The server reset the SYN, by ticks since the first SYN.
    Refused(usize),
    /// The server turned the client away after its ACK: it repeated its SYN-ACK, or reset.
    TurnedAway,
}

/// Which handshake a packet may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tuple {
    /// Hash of the 4-tuple for the sampler, independent of the flow table's.
    pub(crate) hash: u64,
    /// The client.
    pub(crate) client: Address,
    /// The server's port.
    pub(crate) port: u16,
    /// The place of the server's host.
    pub(crate) place: u8,
}

impl Tuple {
    /// Tells whether the tuple is chosen at a rate of 1 in 2^shift. Those chosen at a higher shift are chosen at all lower ones.
    pub(crate) const fn is_chosen(&self, shift: u8) -> bool {
        self.hash & ((1 << shift) - 1) == 0
    }

    const fn tag(&self) -> u32 {
        (self.hash >> 32) as u32
    }
}

/// What a SYN says of its sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Syn {
    pub(crate) isn: u32,
    pub(crate) window: u16,
    pub(crate) ttl: u8,
}

impl Syn {
    pub(crate) const fn of(packet: &Packet) -> Self {
        Self { isn: packet.sequence, window: packet.window, ttl: packet.ttl }
    }
}

/// A handshake under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handshake {
    /// Source unit: an IPv4 address, or the upper half of an IPv6 one.
    source: u64,
    tag: u32,
    syn_us: u32,
    server_isn: u32,
    /// Folded to 16 bits: enough to tell a retransmission from a new connection.
    client_isn: u16,
    /// From SYN to SYN-ACK, in units of 2^-14 s.
    answered_after: u16,
    port: u16,
    flags: u16,
    next: u16,
    place: u8,
    shift: u8,
    window: u16,
    ttl: u8,
}

const _: () = assert!(size_of::<Handshake>() == 40, "65,536 handshakes are 2.5 MiB");

/// Flags past those of [`Outcome`].
const TURNED_AWAY: u16 = 1 << 8;
const LOOKED: u16 = 1 << 9;
const IPV6: u16 = 1 << 10;
/// Closed before its time; the place is freed with its turn.
const OVER: u16 = 1 << 11;

impl Handshake {
    /// Returns what happened so far.
    pub(crate) fn outcome(&self) -> Outcome {
        Outcome((self.flags & 0xff) as u8)
    }

    /// Returns the client's source unit.
    pub(crate) fn source(&self) -> Address {
        if self.has(IPV6) {
            return Address::from_u128(u128::from(self.source) << 64);
        }
        Address::v4(((self.source & 0xffff_ffff) as u32).to_be_bytes())
    }

    /// Returns when the first SYN came, to the microsecond, as seen from a later moment less than an hour away.
    pub(crate) fn first_syn(&self, now: Timestamp) -> Timestamp {
        let now = Timestamp::from_nanos(now.as_nanos() / 1_000 * 1_000);
        now.minus(std::time::Duration::from_micros(u64::from(micros_between(self.syn_us, micros32(now)))))
    }

    /// Returns the place of the server's host.
    pub(crate) fn place(&self) -> u8 {
        self.place
    }

    /// Returns the server's port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the time to live, or hop limit, of the first SYN.
    pub(crate) fn ttl(&self) -> u8 {
        self.ttl
    }

    /// Returns the window of the first SYN.
    pub(crate) fn window(&self) -> u16 {
        self.window
    }

    /// Returns how many handshakes it stands for.
    pub(crate) fn weight(&self) -> u32 {
        1 << self.shift
    }

    fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    fn is(&self, outcome: u8) -> bool {
        self.outcome().any(outcome)
    }

    fn set(&mut self, outcome: u8) {
        self.flags |= u16::from(outcome);
    }

    fn age_us(&self, now: Timestamp) -> u32 {
        micros_between(self.syn_us, micros32(now))
    }

    fn ticks_since_syn(&self, now: Timestamp) -> usize {
        ticks(self.first_syn(now), now)
    }

    fn answered_us(&self) -> u32 {
        (((u64::from(self.answered_after) * 1_000_000) >> 14) & 0xffff_ffff) as u32
    }

    fn ticks_since_answer(&self, now: Timestamp) -> usize {
        let answered = std::time::Duration::from_micros(u64::from(self.answered_us()));
        ticks(self.first_syn(now).plus(answered), now)
    }

    /// Tells whether the client has finished, and long enough ago that its SYN again is no copy made by the mirror port.
    fn is_done(&self, now: Timestamp) -> bool {
        self.is(Outcome::FINISHED) && self.age_us(now) >= RETRANSMISSION_US
    }

    fn answer(&mut self, now: Timestamp) -> Option<Event> {
        let after = (u64::from(self.age_us(now)) << 14) / 1_000_000;
        self.answered_after = u16::try_from(after).unwrap_or(u16::MAX);
        self.set(Outcome::ANSWERED);
        Some(Event::Answered(self.ticks_since_syn(now)))
    }
}

fn ticks(earlier: Timestamp, now: Timestamp) -> usize {
    usize::try_from(now.tick().since(earlier.tick())).unwrap_or(AGES).min(AGES - 1)
}

fn source_bits(client: Address) -> (u64, u16) {
    let bits = client.as_u128();
    if client.is_ipv4() { ((bits & 0xffff_ffff) as u64, 0) } else { ((bits >> 64) as u64, IPV6) }
}

const fn fold(isn: u32) -> u16 {
    (isn >> 16) as u16 ^ (isn & 0xffff) as u16
}

/// What a SYN without a flow turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A first SYN that the sampler does not follow.
    Unchosen,
    /// A first SYN, followed from now on.
    Followed,
    /// A first SYN for which there was no room.
    Full,
    /// One that is followed already, with what it changed.
    Again(Option<(u32, Event)>),
}

/// When a handshake is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// One second after the first SYN.
    Look,
    /// The handshake is no longer followed.
    Close,
}

/// No entry.
const NONE: u16 = u16::MAX;
/// Of each target so many handshakes may be followed in a partition whatever the others take: 64 in all (DETECTION 2.2).
const RESERVED_PER_TARGET: u16 = 1;

/// The handshakes a partition follows.
#[derive(Debug)]
pub(crate) struct Cohort {
    ring: Vec<Handshake>,
    /// Chains of entries by hash.
    heads: Vec<u16>,
    capacity: usize,
    /// Numbers of the oldest entry, of the oldest not looked at, and of the next one; a place is its number modulo capacity.
    oldest: u64,
    unlooked: u64,
    next: u64,
    /// Places that are kept for targets without any.
    reserve: usize,
    /// Entries taken in this tick, and how many may be.
    intake: usize,
    most_intake: usize,
    refused: u32,
}

impl Cohort {
    pub(crate) fn new(total: usize, targets: usize, pretouch: bool) -> Self {
        let capacity = (total / crate::hash::PARTITIONS).clamp(4, usize::from(NONE) - 1);
        let mut ring = Vec::with_capacity(capacity);
        if pretouch {
            ring.resize(capacity, Handshake::default());
            ring.clear();
        }
        Self {
            ring,
            heads: vec![NONE; capacity.next_power_of_two()],
            capacity,
            oldest: 0,
            unlooked: 0,
            next: 0,
            reserve: targets.min(capacity / 4),
            intake: 0,
            // An entry stays for 15 ticks: the first tick of a flood must not fill the ring and blind the next fourteen.
            most_intake: (capacity / 8).max(1),
            refused: 0,
        }
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        self.capacity * size_of::<Handshake>() + self.heads.len() * size_of::<u16>()
    }

    /// Places taken.
    pub(crate) fn taken(&self) -> usize {
        usize::try_from(self.next - self.oldest).unwrap_or(self.capacity)
    }

    /// Tells whether no handshake is followed.
    pub(crate) fn is_empty(&self) -> bool {
        self.oldest == self.next
    }

    /// Places in all.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Takes a SYN; a first one is followed if it is chosen at 1 in 2^`shift`. `followed` is the number of entries its target
    /// has; `early` is given a handshake that this SYN ends before its time.
    ///
    /// The same ISN again is a copy or a retry. Another ISN is another connection attempt (RFC 9293 section 3.10.7): the
    /// client has given the old one up, whatever became of it, so that one is closed with its outcome as it stands and
    /// the new one is a first SYN of its own. So is the same ISN of a client that has finished: nothing is left to retry,
    /// and a recording is being sent again (`tcpreplay --loop`).
    pub(crate) fn syn(
        &mut self,
        tuple: &Tuple,
        syn: Syn,
        shift: u8,
        followed: u16,
        now: Timestamp,
        early: impl FnMut(&Handshake, Stage),
    ) -> Opening {
        if let Some(at) = self.find(tuple) {
            if self.ring[at].client_isn == fold(syn.isn) && !self.ring[at].is_done(now) {
                return Opening::Again(self.retry(at, now));
            }
            self.end(at, early);
        }
        self.open(tuple, syn, shift, followed, now)
    }

    /// Takes a SYN of the client on a connection that is open: what answers it turns nobody away.
    pub(crate) fn syn_in_flow(&mut self, tuple: &Tuple, now: Timestamp, early: impl FnMut(&Handshake, Stage)) {
        if let Some(at) = self.find(tuple).filter(|at| self.ring[*at].is_done(now)) {
            self.end(at, early);
        }
    }

    fn retry(&mut self, at: usize, now: Timestamp) -> Option<(u32, Event)> {
        let entry = &mut self.ring[at];
        if entry.is(Outcome::RETRIED) || entry.age_us(now) < RETRANSMISSION_US {
            return None;
        }
        entry.set(Outcome::RETRIED);
        (!entry.is(Outcome::ANSWERED)).then(|| (entry.weight(), Event::Retried(entry.ticks_since_syn(now))))
    }

    fn open(&mut self, tuple: &Tuple, syn: Syn, shift: u8, followed: u16, now: Timestamp) -> Opening {
        if !tuple.is_chosen(shift) {
            return Opening::Unchosen;
        }
        let taken = self.taken();
        let general = taken < self.capacity - self.reserve && self.intake < self.most_intake;
        let reserved = taken < self.capacity && followed < RESERVED_PER_TARGET;
        if !general && !reserved {
            self.refused += 1;
            return Opening::Full;
        }
        let (source, family) = source_bits(tuple.client);
        let head = self.head(tuple.hash);
        let entry = Handshake {
            source,
            tag: tuple.tag(),
            syn_us: micros32(now),
            client_isn: fold(syn.isn),
            window: syn.window,
            ttl: syn.ttl,
            port: tuple.port,
            flags: family,
            next: self.heads[head],
            place: tuple.place,
            shift,
            ..Handshake::default()
        };
        let at = self.at(self.next);
        if at == self.ring.len() {
            self.ring.push(entry);
        } else {
            self.ring[at] = entry;
        }
        self.heads[head] = u16::try_from(at).unwrap_or(NONE);
        self.next += 1;
        self.intake += 1;
        Opening::Followed
    }

    /// Takes a SYN-ACK of the server; returns the weight and what it changed.
    pub(crate) fn syn_ack(&mut self, tuple: &Tuple, isn: u32, now: Timestamp) -> Option<(u32, Event)> {
        let at = self.find(tuple)?;
        let entry = &mut self.ring[at];
        let event = if !entry.is(Outcome::ANSWERED) {
            entry.server_isn = isn;
            entry.answer(now)
        } else if !entry.is(Outcome::FINISHED) {
            // A server with SYN cookies may answer a retry with another ISN; the client takes the last it was sent.
            entry.server_isn = isn;
            None
        } else {
            let after = entry.age_us(now).saturating_sub(entry.answered_us());
            let first = !entry.has(TURNED_AWAY) && after >= RETRANSMISSION_US;
            entry.flags |= if first { TURNED_AWAY } else { 0 };
            first.then_some(Event::TurnedAway)
        };
        event.map(|event| (entry.weight(), event))
    }

    /// Takes a segment of the client that is neither SYN nor RST.
    pub(crate) fn segment(&mut self, tuple: &Tuple, ack: Option<u32>, now: Timestamp) -> Option<(u32, Event)> {
        let at = self.find(tuple)?;
        let entry = &mut self.ring[at];
        entry.set(Outcome::CONTINUED);
        let open = entry.is(Outcome::ANSWERED) && !entry.is(Outcome::FINISHED | Outcome::CLIENT_RESET);
        if !open || ack != Some(entry.server_isn.wrapping_add(1)) {
            return None;
        }
        entry.set(Outcome::FINISHED);
        Some((entry.weight(), Event::Finished(entry.ticks_since_answer(now))))
    }

    /// Takes that the client's address was proven by what came after the handshake: the capture missed the ACK.
    pub(crate) fn prove(&mut self, tuple: &Tuple, now: Timestamp) -> [Option<(u32, Event)>; 2] {
        let Some(at) = self.find(tuple) else { return [None; 2] };
        let entry = &mut self.ring[at];
        if entry.is(Outcome::FINISHED | Outcome::CLIENT_RESET) {
            return [None; 2];
        }
        let weight = entry.weight();
        let answered = if entry.is(Outcome::ANSWERED) { None } else { entry.answer(now) };
        entry.set(Outcome::FINISHED | Outcome::CONTINUED);
        let finished = Event::Finished(entry.ticks_since_answer(now));
        [answered.map(|event| (weight, event)), Some((weight, finished))]
    }

    /// Takes an RST of the client.
    pub(crate) fn client_reset(&mut self, tuple: &Tuple, now: Timestamp) -> Option<(u32, Event)> {
        let at = self.find(tuple)?;
        let entry = &mut self.ring[at];
        if entry.is(Outcome::FINISHED | Outcome::CLIENT_RESET) {
            return None;
        }
        entry.set(Outcome::CLIENT_RESET);
        entry.is(Outcome::ANSWERED).then(|| (entry.weight(), Event::Abandoned(entry.ticks_since_answer(now))))
    }

    /// Takes an RST of the server.
    pub(crate) fn server_reset(&mut self, tuple: &Tuple, now: Timestamp) -> Option<(u32, Event)> {
        let at = self.find(tuple)?;
        let entry = &mut self.ring[at];
        if entry.is(Outcome::FINISHED | Outcome::SERVER_RESET) {
            return None;
        }
        entry.set(Outcome::SERVER_RESET);
        (!entry.is(Outcome::ANSWERED)).then(|| (entry.weight(), Event::Refused(entry.ticks_since_syn(now))))
    }

    /// Takes that the server reset a finished handshake before it had sent anything.
    pub(crate) fn turn_away(&mut self, tuple: &Tuple) -> Option<(u32, Event)> {
        let at = self.find(tuple)?;
        let entry = &mut self.ring[at];
        let first = entry.is(Outcome::FINISHED) && !entry.has(TURNED_AWAY);
        entry.flags |= if first { TURNED_AWAY } else { 0 };
        first.then(|| (entry.weight(), Event::TurnedAway))
    }

    /// Ends a tick: reports entries that reached an age of one second, then frees those of three and a half. With `all`,
    /// time has leapt and every entry is old.
    pub(crate) fn close(&mut self, tick: Tick, all: bool, mut report: impl FnMut(&Handshake, Stage)) {
        let now = tick.end();
        let is_of_age = |entry: &Handshake, age: u32| all || entry.age_us(now) >= age;
        while self.unlooked < self.next && is_of_age(&self.ring[self.at(self.unlooked)], LOOK_US) {
            let at = self.at(self.unlooked);
            self.look(at, &mut report);
            self.unlooked += 1;
        }
        while self.oldest < self.next && is_of_age(&self.ring[self.at(self.oldest)], CLOSE_US) {
            let at = self.at(self.oldest);
            if !self.ring[at].has(OVER) {
                self.end(at, &mut report);
            }
            self.oldest += 1;
        }
        self.unlooked = self.unlooked.max(self.oldest);
        self.intake = 0;
    }

    /// Returns how many first SYNs found no room since it was last asked.
    pub(crate) fn take_refused(&mut self) -> u32 {
        std::mem::take(&mut self.refused)
    }

    /// Forgets everything, without outcomes: the capture clock was set.
    pub(crate) fn clear(&mut self) {
        self.heads.fill(NONE);
        self.oldest = self.next;
        self.unlooked = self.next;
        self.intake = 0;
    }

    fn look(&mut self, at: usize, report: &mut impl FnMut(&Handshake, Stage)) {
        if !self.ring[at].has(LOOKED) {
            report(&self.ring[at], Stage::Look);
            self.ring[at].flags |= LOOKED;
        }
    }

    /// Reports an entry for the last time and takes it out of its chain; its place is freed with its turn.
    fn end(&mut self, at: usize, mut report: impl FnMut(&Handshake, Stage)) {
        self.look(at, &mut report);
        report(&self.ring[at], Stage::Close);
        self.ring[at].flags |= OVER;
        self.unlink(at);
    }

    fn unlink(&mut self, at: usize) {
        let (entry, wanted) = (self.ring[at], u16::try_from(at).unwrap_or(NONE));
        let head = self.head_of(entry.tag);
        if self.heads[head] == wanted {
            self.heads[head] = entry.next;
            return;
        }
        let mut link = self.heads[head];
        while link != NONE {
            if self.ring[usize::from(link)].next == wanted {
                self.ring[usize::from(link)].next = entry.next;
                return;
            }
            link = self.ring[usize::from(link)].next;
        }
    }

    fn find(&self, tuple: &Tuple) -> Option<usize> {
        let (source, family) = source_bits(tuple.client);
        let mut link = self.heads[self.head(tuple.hash)];
        while link != NONE {
            let entry = &self.ring[usize::from(link)];
            if entry.tag == tuple.tag() && entry.source == source && entry.flags & IPV6 == family {
                return Some(usize::from(link));
            }
            link = entry.next;
        }
        None
    }

    fn head(&self, hash: u64) -> usize {
        self.head_of((hash >> 32) as u32)
    }

    /// The chain follows from the tag, so that an entry can be taken out without its hash.
    fn head_of(&self, tag: u32) -> usize {
        tag as usize & (self.heads.len() - 1)
    }

    fn at(&self, number: u64) -> usize {
        usize::try_from(number % self.capacity as u64).unwrap_or(0)
    }
}
