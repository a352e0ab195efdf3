//! How full a capture ring is and how much of its time a reader waits, from what the reader sees anyway.
//!
//! libpcap does not tell how much of a ring is unread. But the newest frame that a read hands out was stamped when it
//! entered, so its age is the time the ring is behind, and what comes in such a time is what lies in it.

use std::time::Duration;

use crate::source::Strain;
use crate::time::Timestamp;

/// Bytes of the ring that a frame takes beside its own: TPACKET_V3's header (48), the link-layer address (20), and what
/// aligning them leaves empty.
const OVERHEAD: u64 = 96;

/// Measures one socket.
#[derive(Debug)]
pub(super) struct Gauge {
    ring: f64,
    snap_len: u64,
    /// Bytes of the ring read since it was last asked, and in which time they had come.
    bytes: u64,
    from: Timestamp,
    newest: Timestamp,
    /// Age of the newest frame of the last read, in seconds.
    behind: f64,
    waited: Duration,
    now: Timestamp,
    asked: Timestamp,
}

impl Gauge {
    /// Begins at `now` with an empty ring of so many bytes.
    pub(super) fn new(ring_bytes: u32, snap_len: u32, now: Timestamp) -> Self {
        Self {
            ring: f64::from(ring_bytes.max(1)),
            snap_len: u64::from(snap_len),
            bytes: 0,
            from: now,
            newest: now,
            behind: 0.0,
            waited: Duration::ZERO,
            now,
            asked: now,
        }
    }

    /// Takes a frame of which so many bytes were captured.
    pub(super) fn frame(&mut self, captured: u32) {
        self.bytes += u64::from(captured).min(self.snap_len) + OVERHEAD;
    }

    /// Takes a time of waiting for frames.
    pub(super) fn waited(&mut self, from: Timestamp, to: Timestamp) {
        self.waited += to.since(from);
    }

    /// Takes the end of a read that began at `now`, and the newest frame it found, if any.
    pub(super) fn look(&mut self, now: Timestamp, newest: Option<Timestamp>) {
        self.behind = newest.map_or(0.0, |newest| seconds(newest, now));
        self.newest = self.newest.max(newest.unwrap_or(self.newest));
        self.now = now;
    }

    /// Tells how it is, and begins anew.
    pub(super) fn take(&mut self) -> Strain {
        let came_in = seconds(self.from, self.newest);
        let per_second = if came_in > 0.0 { self.bytes as f64 / came_in } else { 0.0 };
        let elapsed = self.now.since(self.asked);
        let idle = if elapsed.is_zero() { 0.0 } else { self.waited.div_duration_f64(elapsed) };
        let strain =
            Strain { fill: (self.behind * per_second / self.ring).clamp(0.0, 1.0), idle: idle.clamp(0.0, 1.0) };
        // A clock that was set back must not make all that comes look younger than what came.
        (self.bytes, self.from, self.waited, self.asked) = (0, self.newest.min(self.now), Duration::ZERO, self.now);
        self.newest = self.from;
        strain
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.since(from).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_nanos(1_000_000_000_000 + millis * 1_000_000)
    }

    fn gauge() -> Gauge {
        Gauge::new(10_000_000, 104, at(0))
    }

    #[test]
    fn a_reader_that_keeps_up_sees_an_empty_ring() {
        let mut gauge = gauge();
        for n in 1..=10 {
            (0..1_000).for_each(|_| gauge.frame(104));
            gauge.waited(at(n * 25 - 20), at(n * 25));
            gauge.look(at(n * 25), Some(at(n * 25)));
        }
        assert_eq!(gauge.take(), Strain { fill: 0.0, idle: 0.8 });
        gauge.look(at(500), None);
        assert_eq!(gauge.take(), Strain { fill: 0.0, idle: 0.0 }, "it was busy with other things");
    }

    #[test]
    fn what_lies_in_the_ring_is_what_came_in_the_time_it_is_behind() {
        let mut gauge = gauge();
        // 100,000 frames a second of 200 bytes in the ring, cut to the snap length before they enter it.
        (0..25_000).for_each(|_| gauge.frame(1_500));
        gauge.look(at(450), Some(at(250)));
        let strain = gauge.take();
        assert!((strain.fill - 0.2 * 20e6 / 10e6).abs() < 1e-6, "{strain:?}");
        assert_eq!(strain.idle, 0.0);
        (0..25_000).for_each(|_| gauge.frame(104));
        gauge.look(at(2_000), Some(at(500)));
        assert_eq!(gauge.take().fill, 1.0, "it cannot be more than full");
    }

    #[test]
    fn a_clock_that_was_set_makes_no_strain_for_long() {
        let mut gauge = gauge();
        gauge.frame(104);
        gauge.look(at(0), Some(at(3_600_000)));
        gauge.take();
        for n in 1..=5 {
            gauge.frame(104);
            gauge.look(at(n * 50), Some(at(n * 50)));
        }
        assert!(gauge.take().fill < 1e-6);
    }
}
