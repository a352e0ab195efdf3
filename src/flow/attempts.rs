//! First contacts on their way to an outcome: a fixed ring of attempts, thinned by source.
//!
//! An attempt is followed for three seconds from its first packet, answered or not, so that what is sent again in that time
//! is the same one. When a partition is offered more than it may take, the excess of the tick is let go; if it came from
//! many sources, every other source is given up from the next tick on, and taken back when there is room. So a lone
//! scanner is never lost to its own speed, and a forged flood costs a comparison a packet.
//!
//! ICMP errors are not followed to the datagram they refuse: that one stays silent.

use crate::address::Address;
use crate::flow::limits::{micros_between, micros32};
use crate::packet::Protocol;
use crate::time::{Tick, Timestamp};

/// Attempts that a partition follows: 32,768 in all, 1.9 MiB.
const CAPACITY: usize = 512;
/// Rows by which attempts are found, twice as many.
const ROWS: usize = 2 * CAPACITY;
/// Attempts that a partition begins to follow in one tick: they stay for thirteen ticks, and the first tick of a flood must
/// not fill the ring.
const MOST_INTAKE: u32 = 64;
/// When nothing comes back for so long, nothing will.
const SILENCE_US: u32 = 3_000_000;
/// Distinct sources, of 64 classes, from which on too many attempts are not one scanner's doing.
const MANY_SOURCES: u32 = 24;
/// Sources are thinned at most to one in 65,536.
const MOST_SHIFT: u32 = 16;
const NONE: u16 = u16::MAX;

/// A first contact.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    /// The asker's source unit.
    pub(crate) source: Address,
    /// Who was asked.
    pub(crate) target: Address,
    /// The port asked; 0 for ICMP.
    pub(crate) port: u16,
    pub(crate) protocol: Protocol,
    /// The first packet is one that no stack begins with.
    pub(crate) stealthy: bool,
    shift: u8,
    over: bool,
    first_us: u32,
    tag: u32,
    next: u16,
}

impl Attempt {
    pub(crate) fn new(source: Address, target: Address, port: u16, protocol: Protocol, stealthy: bool) -> Self {
        Self { source, target, port, protocol, stealthy, shift: 0, over: false, first_us: 0, tag: 0, next: NONE }
    }

    /// Returns how many sources it stands for.
    pub(crate) fn weight(&self) -> u32 {
        1 << self.shift
    }
}

/// The first contacts a partition follows.
#[derive(Debug)]
pub(crate) struct Attempts {
    ring: Vec<Attempt>,
    heads: Vec<u16>,
    /// Numbers of the oldest attempt and of the next; a place is its number modulo [`CAPACITY`].
    oldest: u64,
    next: u64,
    shift: u32,
    intake: u32,
    refused: bool,
    /// Classes of the sources that offered something in this tick.
    classes: u64,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            ring: Vec::with_capacity(CAPACITY),
            heads: vec![NONE; ROWS],
            oldest: 0,
            next: 0,
            shift: 0,
            intake: 0,
            refused: false,
            classes: 0,
        }
    }

    /// Bytes reserved.
    pub(crate) fn bytes(&self) -> usize {
        CAPACITY * size_of::<Attempt>() + ROWS * size_of::<u16>()
    }

    /// Tells whether attempts of a source are followed, by a keyed hash of it, and counts it among those that offer any.
    pub(crate) fn chooses(&mut self, source: u64) -> bool {
        if source & ((1 << self.shift) - 1) != 0 {
            return false;
        }
        self.classes |= 1 << (source >> 58);
        true
    }

    /// Begins to follow an attempt of a chosen source, unless its conversation, by hash, is followed already.
    pub(crate) fn begin(&mut self, hash: u64, attempt: Attempt, now: Timestamp) {
        if self.intake >= MOST_INTAKE || self.next - self.oldest >= CAPACITY as u64 {
            self.refused = true;
            return;
        }
        if self.find(hash, attempt.target).is_some() {
            return;
        }
        let head = row(tag(hash));
        let shift = u8::try_from(self.shift).unwrap_or(u8::MAX);
        let attempt = Attempt { shift, first_us: micros32(now), tag: tag(hash), next: self.heads[head], ..attempt };
        let at = place(self.next);
        if at == self.ring.len() {
            self.ring.push(attempt);
        } else {
            self.ring[at] = attempt;
        }
        self.heads[head] = u16::try_from(at).unwrap_or(NONE);
        self.next += 1;
        self.intake += 1;
    }

    /// Takes that `target` said something in a conversation; returns the attempt that has its outcome thereby.
    pub(crate) fn answer(&mut self, hash: u64, target: Address) -> Option<Attempt> {
        let at = self.find(hash, target)?;
        let attempt = &mut self.ring[at];
        let first = !attempt.over;
        attempt.over = true;
        first.then_some(*attempt)
    }

    /// Ends a tick: hands out the attempts that stayed silent, and adapts. With `all`, time has leapt and every one is old.
    pub(crate) fn close(&mut self, tick: Tick, all: bool, mut silent: impl FnMut(&Attempt)) {
        let now = micros32(tick.end());
        while self.oldest < self.next {
            let at = place(self.oldest);
            if !all && micros_between(self.ring[at].first_us, now) < SILENCE_US {
                break;
            }
            if !self.ring[at].over {
                silent(&self.ring[at]);
            }
            self.unlink(at);
            self.oldest += 1;
        }
        let few = self.intake * 4 <= MOST_INTAKE && (self.next - self.oldest) * 4 <= CAPACITY as u64;
        if self.refused && self.classes.count_ones() >= MANY_SOURCES {
            self.shift = (self.shift + 1).min(MOST_SHIFT);
        } else if few {
            self.shift = self.shift.saturating_sub(1);
        }
        (self.intake, self.refused, self.classes) = (0, false, 0);
    }

    /// Tells, after a close, whether the next one would change nothing if nothing came before it.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.oldest == self.next && self.shift == 0
    }

    /// Forgets everything, without outcomes: the capture clock was set.
    pub(crate) fn clear(&mut self) {
        self.heads.fill(NONE);
        self.oldest = self.next;
    }

    fn find(&self, hash: u64, target: Address) -> Option<usize> {
        let mut link = self.heads[row(tag(hash))];
        while link != NONE {
            let attempt = &self.ring[usize::from(link)];
            if attempt.tag == tag(hash) && attempt.target == target {
                return Some(usize::from(link));
            }
            link = attempt.next;
        }
        None
    }

    fn unlink(&mut self, at: usize) {
        let (attempt, wanted) = (self.ring[at], u16::try_from(at).unwrap_or(NONE));
        let head = row(attempt.tag);
        if self.heads[head] == wanted {
            self.heads[head] = attempt.next;
            return;
        }
        let mut link = self.heads[head];
        while link != NONE {
            if self.ring[usize::from(link)].next == wanted {
                self.ring[usize::from(link)].next = attempt.next;
                return;
            }
            link = self.ring[usize::from(link)].next;
        }
    }
}

/// The flow table takes the low half of a hash, the choice of the sampler another mix of it.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

fn row(tag: u32) -> usize {
    tag as usize % ROWS
}

fn place(number: u64) -> usize {
    usize::try_from(number % CAPACITY as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::mix;

    fn hash(n: u64) -> u64 {
        mix(0x0123_4567_89ab_cdef, n)
    }

    fn attempt(n: u64) -> Attempt {
        let source = Address::v4(u32::try_from(n).unwrap().to_be_bytes());
        Attempt::new(source, Address::v4([192, 0, 2, 1]), 443, Protocol::TCP, false)
    }

    fn silent(attempts: &mut Attempts, tick: u64) -> usize {
        let mut count = 0;
        attempts.close(Tick::new(tick), false, |_| count += 1);
        count
    }

    #[test]
    fn an_attempt_is_answered_once_or_falls_silent_after_three_seconds() {
        let mut attempts = Attempts::new();
        let target = attempt(0).target;
        for n in 0..2 {
            attempts.begin(hash(n), attempt(n), Tick::new(0).start());
            attempts.begin(hash(n), attempt(n), Tick::new(4).start());
        }
        assert!(attempts.answer(hash(0), target).is_some());
        assert!(attempts.answer(hash(0), target).is_none());
        assert!(attempts.answer(hash(9), target).is_none());
        assert_eq!((0..20).map(|tick| silent(&mut attempts, tick)).collect::<Vec<_>>()[11..13], [1, 0]);
        assert!(attempts.answer(hash(1), target).is_none());
    }

    #[test]
    fn a_lone_scanner_is_cut_short_and_never_lost() {
        let mut attempts = Attempts::new();
        let mut seen = 0;
        for tick in 0..200 {
            for port in 0..1_000 {
                assert!(attempts.chooses(7));
                attempts.begin(hash(tick * 1_000 + port), attempt(7), Tick::new(tick).start());
            }
            seen += silent(&mut attempts, tick);
        }
        assert!(seen > 6_000, "{seen}");
        assert_eq!(attempts.shift, 0);
    }

    #[test]
    fn a_forged_flood_is_thinned_by_source_and_the_rate_recovers() {
        let mut attempts = Attempts::new();
        let (mut n, mut begun) = (0, 0_u64);
        for tick in 0..40 {
            for _ in 0..4_000 {
                n += 1;
                let source = mix(99, n);
                if attempts.chooses(source) {
                    attempts.begin(hash(n), attempt(n), Tick::new(tick).start());
                }
            }
            if tick >= 20 {
                begun += u64::from(attempts.intake) << attempts.shift;
            }
            silent(&mut attempts, tick);
        }
        assert!((60_000..=90_000).contains(&begun), "{begun} of 80,000, shift {}", attempts.shift);
        (40..80).for_each(|tick| {
            silent(&mut attempts, tick);
        });
        assert_eq!(attempts.shift, 0);
    }
}
