//! Which tick each frame belongs to, and which ticks open and close.
//!
//! A pure state machine over timestamps: it reads no wall clock, holds no frames and knows nothing of what is counted in
//! a tick. Whoever counts calls [`CaptureClock::place`] for each frame, [`CaptureClock::advance`] when a source says how
//! far time has come, and after either takes the ticks that have come due from [`CaptureClock::next_tick`].
//!
//! # Rules (DESIGN 4; DETECTION 0.2, "Time")
//!
//! - The *watermark* is the latest believed timestamp; the tick it lies in is the open one. Ticks are aligned to the epoch
//!   and their numbers only grow.
//! - A frame of an older tick is *late*: it is counted in the open tick. A closed tick never reopens.
//! - A frame more than 2 s behind or 60 s ahead of the watermark is a *stray*: it too is counted in the open tick, at once
//!   and without being held, and does not move the watermark.
//! - The sixteenth stray in a row that agrees with those before it (same side of the watermark, none more than 2 s older
//!   than the newest of them) is a *clock step*: the open tick closes, the next opens with a gap, and it and all that
//!   follow are placed on the new base. Strays that the end of the input leaves undecided are a step as well, with nothing
//!   left to place: [`CaptureClock::finish`].
//! - Silence is zeros: ticks without frames open one by one, up to a bound; then time waits for the next frame, whose tick
//!   opens with a gap, however far away it is.
//! - A source that can look ahead (a file) or that has a clock (a live link) vouches for a leap with its watermark, so that
//!   the frame after a long silence is no stray: see [`CaptureClock::advance`].
//!
//! # When a clock is set back
//!
//! Tick numbers cannot go back with it. From a step to an earlier time on, ticks run *shifted*: the first frame on the new
//! base opens the tick after the last one, and those that follow keep their distance from it. The shift is a whole number
//! of ticks, so ticks are cut at the same places of the new time as ever. [`Placement::timestamp`] is shifted alike, so
//! that timers see one line of time; [`CaptureClock::shift`] tells by how much. A later step forward, past the
//! last tick, ends the shift.
//!
//! ```
//! use vigie::source::clock::{CaptureClock, SILENCE_TICKS};
//! use vigie::time::Timestamp;
//!
//! let mut clock = CaptureClock::default();
//! let mut opened = Vec::new();
//! for milliseconds in [1_000, 1_100, 2_050, 1_900] {
//!     let placement = clock.place(Timestamp::from_nanos(milliseconds * 1_000_000));
//!     while let Some(opening) = clock.next_tick(SILENCE_TICKS) {
//!         opened.push(opening.tick.number()); // Close the tick under way, then open this one.
//!     }
//!     assert_eq!(placement.late, milliseconds == 1_900); // Count the frame in `placement.tick`.
//! }
//! assert_eq!(opened, [4, 5, 6, 7, 8]);
//! ```

use std::time::Duration;

use crate::source::time_base::{TimeBase, Verdict};
use crate::time::{TICKS_PER_SECOND, Tick, Timestamp};

/// Silence is ticked for at most 15 minutes (DESIGN 4).
pub const SILENCE_TICKS: u64 = 15 * 60 * TICKS_PER_SECOND;

/// A jump of the capture clock that sixteen frames, or the end of the input, confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The watermark before, in capture time.
    pub from: Timestamp,
    /// The watermark after, in capture time.
    pub to: Timestamp,
}

/// Where a frame is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The tick it is counted in; never less than that of the frame before.
    pub tick: Tick,
    /// Its time on the run's line: the frame's own, shifted after a step back; the watermark for a stray.
    pub timestamp: Timestamp,
    /// It is older than its tick, or so far behind that it is a stray.
    pub late: bool,
    /// With this frame the clock has stepped. Its tick opens with a gap.
    pub step: Option<Step>,
}

/// A tick that comes due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The tick; greater than every one opened before.
    pub tick: Tick,
    /// Ticks are missing before it: a clock step, or silence beyond the bound. Windows restart.
    pub gap: bool,
}

/// The clock of a run: one for each stream of frames that is cut into ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaptureClock {
    base: TimeBase,
    /// How many ticks the line of ticks runs ahead of capture time.
    shift: u64,
    /// The tick that time has reached; none before the first frame or watermark.
    reached: Option<Tick>,
    /// The tick handed out last by `next_tick`.
    open: Option<Tick>,
    /// The tick reached holds a frame.
    occupied: bool,
    /// A step lies before the tick reached.
    stepped: bool,
    /// Ticks opened since the last one that held a frame.
    silent: u64,
    /// The tick that is open, where time has come no further and is not shifted: a frame in it is placed at once.
    under_way: Option<UnderWay>,
}

/// A tick and its first moments within and after.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    tick: Tick,
    start: Timestamp,
    end: Timestamp,
}

impl CaptureClock {
    /// Places the next frame, in the order in which the source gave it. Constant time, no allocation.
    ///
    /// Every frame, decoded or not: the source follows the same rules, and its watermarks presume it.
    #[inline]
    pub fn place(&mut self, timestamp: Timestamp) -> Placement {
        if let Some(UnderWay { tick, start, end }) = self.under_way
            && (start..end).contains(&timestamp)
            && self.base.observe_near(timestamp)
        {
            (self.occupied, self.silent) = (true, 0);
            return Placement { tick, timestamp, late: false, step: None };
        }
        self.place_anywhere(timestamp)
    }

    fn place_anywhere(&mut self, timestamp: Timestamp) -> Placement {
        match self.base.observe(timestamp) {
            Verdict::Near => {
                let own = timestamp.tick().plus(self.shift);
                let tick = self.reached.map_or(own, |reached| reached.max(own));
                self.occupy(tick);
                Placement { tick, timestamp: self.on_the_line(timestamp), late: own < tick, step: None }
            }
            Verdict::Far => self.place_stray(timestamp),
            Verdict::Step { from } => self.place_after_step(from, timestamp),
        }
    }

    fn occupy(&mut self, tick: Tick) {
        self.reach(tick);
        self.occupied = true;
        if self.open == Some(tick) {
            self.silent = 0;
        }
    }

    fn reach(&mut self, tick: Tick) {
        if self.reached.replace(tick) != Some(tick) {
            self.under_way = None;
        }
    }

    fn on_the_line(&self, timestamp: Timestamp) -> Timestamp {
        Timestamp::from_nanos(timestamp.as_nanos().saturating_add(self.shift.saturating_mul(Tick::NANOS)))
    }

    #[cold]
    fn place_stray(&mut self, timestamp: Timestamp) -> Placement {
        let watermark = self.base.watermark().unwrap_or(timestamp);
        let tick = self.reached.unwrap_or_else(|| timestamp.tick());
        self.occupy(tick);
        Placement { tick, timestamp: self.on_the_line(watermark), late: timestamp < watermark, step: None }
    }

    #[cold]
    fn place_after_step(&mut self, from: Timestamp, timestamp: Timestamp) -> Placement {
        let to = self.base.watermark().unwrap_or(timestamp);
        let earliest = self.reached.map_or(Tick::default(), Tick::next);
        self.shift = earliest.since(to.tick());
        let tick = to.tick().plus(self.shift);
        self.occupy(tick);
        self.stepped = true;
        let late = timestamp.tick() < to.tick();
        Placement { tick, timestamp: self.on_the_line(timestamp), late, step: Some(Step { from, to }) }
    }

    /// Moves time to a watermark, in capture time, that the source vouches for.
    ///
    /// It must be on the time base of the source's frames. A watermark behind the clock, or of zero before the first
    /// frame ("nothing known yet"), changes nothing.
    pub fn advance(&mut self, watermark: Timestamp) {
        let news = self.base.watermark().map_or(watermark > Timestamp::ZERO, |now| watermark > now);
        if !news {
            return;
        }
        self.base.advance(watermark);
        let tick = watermark.tick().plus(self.shift);
        if self.reached.is_none_or(|reached| tick > reached) {
            self.reach(tick);
            self.occupied = false;
        }
    }

    /// Tells whether time has come beyond the open tick, so that [`next_tick`](Self::next_tick) may have something to open.
    #[inline]
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.open != self.reached
    }

    /// Returns the next tick to open, after the one under way is closed; none when time has come no further.
    ///
    /// Call it until it returns none, after each [`place`](Self::place) and before counting the frame, and after each
    /// [`advance`](Self::advance). `silence_bound` is how many ticks without frames are opened in a row: at most
    /// [`SILENCE_TICKS`], less if the caller knows that no alert is open and no window cares.
    #[inline]
    pub fn next_tick(&mut self, silence_bound: u64) -> Option<Opening> {
        if self.is_due() { self.open_next(silence_bound) } else { None }
    }

    fn open_next(&mut self, silence_bound: u64) -> Option<Opening> {
        let reached = self.reached?;
        let (tick, gap) = match self.open {
            None => (reached, false),
            Some(_) if self.stepped => (reached, true),
            Some(open) if open.next() == reached && self.occupied => (reached, false),
            Some(_) if self.silent >= silence_bound && self.occupied => (reached, true),
            Some(_) if self.silent >= silence_bound => return None,
            Some(open) => (open.next(), false),
        };
        self.stepped = false;
        self.open = Some(tick);
        let is_plain = tick == reached && self.shift == 0;
        self.under_way = is_plain.then(|| UnderWay { tick, start: tick.start(), end: tick.end() });
        self.silent = if tick == reached && self.occupied { 0 } else { self.silent + 1 };
        Some(Opening { tick, gap })
    }

    /// Returns the tick opened last.
    #[must_use]
    pub const fn open(&self) -> Option<Tick> {
        self.open
    }

    /// Returns how far capture time has come, in the time of the frames.
    #[must_use]
    pub const fn watermark(&self) -> Option<Timestamp> {
        self.base.watermark()
    }

    /// Tells by how much ticks and placed timestamps run ahead of the capture's, since it was set back.
    #[must_use]
    pub const fn shift(&self) -> Duration {
        Duration::from_nanos(self.shift.saturating_mul(Tick::NANOS))
    }

    /// Ends the input: strays that are still undecided were a clock step. They have been counted; nothing is to open.
    #[must_use = "the step is to be counted"]
    pub fn finish(&mut self) -> Option<Step> {
        self.base.finish().map(|(from, to)| Step { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    /// Plays the part of the pipeline: counts frames by tick, and remembers what was opened.
    #[derive(Default)]
    struct Counter {
        clock: CaptureClock,
        opened: Vec<Opening>,
        frames: Vec<u64>,
        late: u64,
        steps: Vec<Step>,
    }

    impl Counter {
        fn open(&mut self) {
            while let Some(opening) = self.clock.next_tick(SILENCE_TICKS) {
                self.opened.push(opening);
                self.frames.push(0);
            }
        }

        fn place(&mut self, nanos: u64) -> Placement {
            let placement = self.clock.place(Timestamp::from_nanos(nanos));
            self.open();
            assert_eq!(self.clock.open(), Some(placement.tick), "a frame is counted in the open tick");
            *self.frames.last_mut().unwrap() += 1;
            self.late += u64::from(placement.late);
            self.steps.extend(placement.step);
            placement
        }

        fn advance(&mut self, seconds: u64) {
            self.clock.advance(Timestamp::from_secs(seconds));
            self.open();
        }

        fn gaps(&self) -> usize {
            self.opened.iter().filter(|opening| opening.gap).count()
        }
    }

    proptest! {
        #[test]
        fn a_frame_of_the_open_tick_is_placed_as_any_other(
            steps in prop::collection::vec((0_u8..12, 0_u64..400), 1..400)
        ) {
            let (mut quick, mut plain) = (CaptureClock::default(), CaptureClock::default());
            let mut now = 100_000_000;
            for (kind, milliseconds) in steps {
                now = match kind {
                    0 => now + 100_000 + milliseconds,
                    1 => now - 100_000 - milliseconds,
                    2 => now - milliseconds,
                    _ => now + milliseconds / 8,
                };
                let timestamp = Timestamp::from_nanos(now * 1_000_000);
                if kind == 3 {
                    quick.advance(timestamp);
                    plain.advance(timestamp);
                } else {
                    prop_assert_eq!(quick.place(timestamp), plain.place_anywhere(timestamp));
                }
                loop {
                    let (opening, same) = (quick.next_tick(40), plain.next_tick(40));
                    prop_assert_eq!(opening, same);
                    if opening.is_none() {
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn late_frames_are_counted_in_the_open_tick() {
        let mut counter = Counter::default();
        counter.place(10 * SECOND);
        counter.place(11 * SECOND);
        let late = counter.place(10 * SECOND + SECOND / 2);
        assert_eq!((late.tick, late.late), (Tick::new(44), true));
        assert_eq!(late.timestamp, Timestamp::from_nanos(10 * SECOND + SECOND / 2));
        let reordered = counter.place(11 * SECOND - 1);
        assert!(reordered.late, "one nanosecond before the tick");
        let same_tick = counter.place(11 * SECOND + SECOND / 8);
        assert!(!same_tick.late && !counter.place(11 * SECOND).late, "older, but of the open tick");
        assert_eq!(counter.frames, [1, 0, 0, 0, 5]);
    }

    #[test]
    fn a_stray_ahead_moves_nothing_and_is_lost_nowhere() {
        let mut counter = Counter::default();
        counter.place(1_000 * SECOND);
        let stray = counter.place(9_000 * SECOND);
        assert_eq!((stray.tick, stray.late, stray.step), (Tick::new(4_000), false, None));
        assert_eq!(stray.timestamp, Timestamp::from_secs(1_000), "timers must not see its time");
        counter.place(1_000 * SECOND + 1);
        assert_eq!(counter.frames, [3]);
        assert!(counter.clock.finish().is_none());
    }

    #[test]
    fn sixteen_that_agree_are_a_step_forward() {
        let mut counter = Counter::default();
        counter.place(1_000 * SECOND);
        for n in 0..20 {
            counter.place(50_000 * SECOND + n);
        }
        assert_eq!(counter.frames, [16, 5]);
        assert_eq!(counter.opened[1], Opening { tick: Tick::new(200_000), gap: true });
        assert_eq!(counter.steps.len(), 1);
        assert_eq!(counter.clock.shift(), Duration::ZERO);
    }

    #[test]
    fn a_clock_set_back_shifts_ticks_until_it_is_set_forward() {
        let mut counter = Counter::default();
        counter.place(5_000 * SECOND);
        for n in 0..20 {
            counter.place(1_000 * SECOND + n * SECOND / 10);
        }
        assert_eq!(
            counter.steps,
            [Step { from: Timestamp::from_secs(5_000), to: Timestamp::from_nanos(1_001_500_000_000) }]
        );
        let placed = counter.place(1_002 * SECOND);
        assert_eq!(placed.tick, Tick::new(20_001 + 2), "half a second after the step, which opened tick 20,001");
        assert_eq!(
            placed.timestamp,
            Timestamp::from_nanos(1_002 * SECOND + u64::try_from(counter.clock.shift().as_nanos()).unwrap())
        );
        assert_eq!(placed.timestamp.tick(), placed.tick);
        assert!(counter.opened.windows(2).all(|pair| pair[0].tick < pair[1].tick));
        for n in 0..20 {
            counter.place(6_000 * SECOND + n);
        }
        assert_eq!((counter.steps.len(), counter.clock.shift(), counter.gaps()), (2, Duration::ZERO, 2));
        assert_eq!(counter.clock.open(), Some(Timestamp::from_secs(6_000).tick()));
    }

    #[test]
    fn silence_is_zeros_up_to_the_bound_and_then_one_gap() {
        let mut counter = Counter::default();
        counter.place(1_000 * SECOND);
        counter.advance(1_000 + 14 * 60);
        counter.place((1_000 + 14 * 60) * SECOND);
        assert_eq!((counter.opened.len(), counter.gaps()), (1 + 14 * 240, 0));
        counter.advance(10_000_000);
        assert_eq!(counter.opened.len(), 1 + 14 * 240 + 3_600, "time waits for a frame");
        counter.advance(10_000_050);
        counter.place(10_000_051 * SECOND);
        assert_eq!(counter.opened.len(), 1 + 14 * 240 + 3_600 + 1);
        assert_eq!(counter.opened.last(), Some(&Opening { tick: Timestamp::from_secs(10_000_051).tick(), gap: true }));
        counter.place(10_000_052 * SECOND);
        assert_eq!(counter.gaps(), 1);
    }

    #[test]
    fn silence_told_in_small_pieces_is_the_same_silence() {
        let mut whole = Counter::default();
        let mut pieces = Counter::default();
        for counter in [&mut whole, &mut pieces] {
            counter.place(1_000 * SECOND);
        }
        whole.advance(9_000);
        (1_000..=9_000).for_each(|second| pieces.advance(second));
        for counter in [&mut whole, &mut pieces] {
            counter.place(9_000 * SECOND + 7);
        }
        assert_eq!(whole.opened, pieces.opened);
    }

    #[test]
    fn a_caller_may_shorten_silence() {
        let mut clock = CaptureClock::default();
        clock.place(Timestamp::from_secs(10));
        assert!(clock.next_tick(0).is_some_and(|opening| !opening.gap));
        clock.place(Timestamp::from_secs(20));
        let first = clock.next_tick(2).unwrap();
        assert_eq!(first, Opening { tick: Tick::new(41), gap: false });
        let second = clock.next_tick(0).unwrap();
        assert_eq!(second, Opening { tick: Tick::new(80), gap: true });
        assert_eq!(clock.next_tick(0), None);
    }

    #[test]
    fn nothing_is_known_before_the_first_frame() {
        let mut counter = Counter::default();
        counter.advance(0);
        assert!(counter.opened.is_empty());
        counter.place(0);
        assert_eq!(counter.opened, [Opening { tick: Tick::new(0), gap: false }]);
        let mut idle = Counter::default();
        idle.advance(100);
        idle.advance(101);
        assert_eq!(idle.opened.len(), 5, "an idle link moves time");
    }

    #[test]
    fn undecided_strays_at_the_end_are_a_step() {
        let mut counter = Counter::default();
        counter.place(1_000 * SECOND);
        counter.place(40_000_000 * SECOND);
        counter.place(40_000_001 * SECOND);
        assert_eq!(counter.frames, [3]);
        let step = counter.clock.finish();
        assert_eq!(step, Some(Step { from: Timestamp::from_secs(1_000), to: Timestamp::from_secs(40_000_001) }));
        assert_eq!(counter.clock.finish(), None);
    }

    /// Times as captures have them: mostly going on, sometimes jumping, sometimes absurd.
    fn times() -> impl Strategy<Value = Vec<u64>> {
        let moves = prop_oneof![
            12 => (0_u64..SECOND).prop_map(|by| (0_u8, by)),
            4 => (0_u64..3 * SECOND).prop_map(|by| (1, by)),
            1 => (0_u64..4_000 * SECOND).prop_map(|by| (0, by)),
            1 => (0_u64..4_000 * SECOND).prop_map(|by| (1, by)),
            1 => any::<u64>().prop_map(|to| (2, to)),
            1 => any::<u64>().prop_map(|to| (3, to)),
        ];
        prop::collection::vec(moves, 1..400).prop_map(|moves| {
            let mut now = 1_700_000_000 * SECOND;
            let step = |(kind, value)| match kind {
                0 => {
                    now = now.saturating_add(value);
                    now
                }
                1 => now.saturating_sub(value),
                2 => {
                    now = value;
                    now
                }
                _ => value,
            };
            moves.into_iter().map(step).collect()
        })
    }

    proptest! {
        #[test]
        fn ticks_only_grow_and_every_frame_is_counted_once(times in times(), advance_every in 1_usize..20) {
            let mut counter = Counter::default();
            for (n, time) in times.iter().enumerate() {
                counter.place(*time);
                if n % advance_every == 0 {
                    let watermark = counter.clock.watermark().unwrap();
                    counter.clock.advance(watermark);
                    counter.open();
                }
            }
            prop_assert_eq!(counter.frames.iter().sum::<u64>(), times.len() as u64);
            prop_assert!(counter.opened.windows(2).all(|pair| pair[0].tick < pair[1].tick));
            prop_assert!(counter.opened.windows(2).all(|pair| pair[1].gap || pair[0].tick.next() == pair[1].tick));
            prop_assert!(counter.steps.len() <= times.len() / 16);
        }

        #[test]
        fn frames_in_order_with_pauses_below_a_minute_are_placed_where_they_belong(
            pauses in prop::collection::vec(0_u64..60 * SECOND, 1..100)
        ) {
            let mut counter = Counter::default();
            let mut now = 1_700_000_000 * SECOND;
            for pause in pauses {
                now += pause;
                let placement = counter.place(now);
                let own = Timestamp::from_nanos(now);
                prop_assert_eq!(placement, Placement { tick: own.tick(), timestamp: own, late: false, step: None });
            }
            prop_assert_eq!(counter.gaps(), 0);
        }
    }
}
