//! What becomes of time: silence, leaps, strays, and clocks set back.

use vigie::source::clock::{CaptureClock, Opening, SILENCE_TICKS, Step};
use vigie::source::{PacketSource, Progress};
use vigie::time::{Tick, Timestamp};

use crate::SECOND;
use crate::reading::{Files, open};
use crate::writing::nano_pcap;

/// What the pipeline makes of a source's time.
#[derive(Default)]
pub(crate) struct Timeline {
    pub(crate) clock: CaptureClock,
    pub(crate) opened: Vec<Opening>,
    pub(crate) frames: Vec<u64>,
    pub(crate) ticks: Vec<Tick>,
    pub(crate) late: u64,
    pub(crate) steps: Vec<Step>,
}

impl Timeline {
    pub(crate) fn of(source: &mut dyn PacketSource) -> Self {
        let mut line = Self::default();
        while let Progress::Open { watermark } = source.poll(&mut |frame| line.place(frame.timestamp)).unwrap() {
            line.clock.advance(watermark);
            line.open();
        }
        line.steps.extend(line.clock.finish());
        line
    }

    pub(crate) fn of_times(times: &[u64]) -> Self {
        let files = Files::new();
        let frames: Vec<_> = times.iter().map(|time| (*time, vec![0; 60])).collect();
        let mut source = open(&[files.write("times.pcap", &nano_pcap(&frames))]).unwrap();
        Self::of(&mut source)
    }

    fn open(&mut self) {
        while let Some(opening) = self.clock.next_tick(SILENCE_TICKS) {
            self.opened.push(opening);
            self.frames.push(0);
        }
    }

    fn place(&mut self, timestamp: Timestamp) {
        let placement = self.clock.place(timestamp);
        self.open();
        assert_eq!(self.clock.open(), Some(placement.tick));
        *self.frames.last_mut().unwrap() += 1;
        self.ticks.push(placement.tick);
        self.late += u64::from(placement.late);
        self.steps.extend(placement.step);
    }

    pub(crate) fn gaps(&self) -> usize {
        self.opened.iter().filter(|opening| opening.gap).count()
    }
}

#[test]
fn a_sparse_capture_keeps_its_times() {
    // A beacon every five minutes, then a day of silence, then two packets.
    let mut times: Vec<u64> = (0..10).map(|n| (1_000_000 + n * 300) * SECOND).collect();
    times.extend([1_100_000 * SECOND, 1_100_001 * SECOND]);
    let line = Timeline::of_times(&times);
    let own: Vec<_> = times.iter().map(|time| Timestamp::from_nanos(*time).tick()).collect();
    assert_eq!(line.ticks, own);
    assert_eq!((line.gaps(), line.late, line.steps.len()), (1, 0, 0), "a day is a gap, five minutes are zeros");
}

#[test]
fn a_year_between_two_packets_is_a_gap() {
    let line = Timeline::of_times(&[1_000 * SECOND, 31_001_000 * SECOND]);
    assert_eq!((line.gaps(), line.opened.len()), (1, 1 + 3_600 + 1));
    assert_eq!(line.frames.iter().sum::<u64>(), 2);
    assert_eq!(line.ticks[1], Timestamp::from_secs(31_001_000).tick());
}

#[test]
fn a_stray_in_a_file_moves_no_time() {
    for (stray, late) in [(40_000_000, 0), (999_000, 1)] {
        let mut times: Vec<u64> = (0..40).map(|n| 1_000_000 * SECOND + n * SECOND / 10).collect();
        times.insert(20, stray * SECOND);
        let line = Timeline::of_times(&times);
        assert_eq!((line.gaps(), line.late, line.steps.len()), (0, late, 0));
        assert_eq!(line.opened.len(), 16);
    }
}

#[test]
fn the_last_record_may_leap_and_the_first_may_be_a_stray() {
    let mut times: Vec<u64> = (0..40).map(|n| 1_000_000 * SECOND + n * SECOND / 10).collect();
    times.push(2_000_000 * SECOND);
    let line = Timeline::of_times(&times);
    assert_eq!((line.gaps(), *line.ticks.last().unwrap()), (1, Timestamp::from_secs(2_000_000).tick()));

    times.rotate_right(1);
    let line = Timeline::of_times(&times);
    assert_eq!((line.steps.len(), line.gaps()), (1, 1), "the others are a step back");
    assert_eq!(line.frames[..2], [16, 3]);
}
