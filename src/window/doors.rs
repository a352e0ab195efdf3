//! Services that are in use: host and port somebody talked to both ways in the last hour or two.
//!
//! Who fails at one of them meets an overloaded or dead service, and is no scanner for it. A [`Bloom`] of two generations
//! of an hour at most; only conversations enter, so forged packets cannot fill it.

use std::time::Duration;

use crate::address::Address;
use crate::hash::{Seed, mix};
use crate::time::Tick;
use crate::window::bloom::Bloom;

/// Bits of a generation: 128 KiB, for 72,000 services.
const BITS: usize = 1 << 20;

/// How long a generation fills at most.
const GENERATION: Duration = Duration::from_secs(3_600);

/// The services.
#[derive(Debug)]
pub struct Doors {
    seed: Seed,
    used: Bloom,
}

impl Doors {
    /// Builds an empty set keyed by `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        Self { seed, used: Bloom::new(BITS) }
    }

    /// Notes that a service is in use.
    pub fn note(&mut self, now: Tick, host: Address, port: u16) {
        self.used.turn_after(GENERATION, now.start());
        self.used.insert(self.hash(host, port), now.start());
    }

    /// Tells whether a service is in use.
    #[must_use]
    pub fn is_used(&self, host: Address, port: u16) -> bool {
        self.used.contains(self.hash(host, port))
    }

    fn hash(&self, host: Address, port: u16) -> u64 {
        mix(self.seed.address(host), u64::from(port) | 1 << 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_for_an_hour_at_least_and_two_at_most() {
        let mut doors = Doors::new(Seed::default());
        let host = Address::v4([203, 0, 113, 1]);
        doors.note(Tick::new(4), host, 443);
        assert!(doors.is_used(host, 443) && !doors.is_used(host, 80));
        doors.note(Tick::new(4 * 3_601), host, 25);
        assert!(doors.is_used(host, 443));
        doors.note(Tick::new(8 * 3_602), host, 25);
        assert!(!doors.is_used(host, 443));
    }
}
