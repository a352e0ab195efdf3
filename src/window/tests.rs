//! Weeks of ten-second samples on levels and profiles alone: phases, Monday at nine, poisoning, siblings, new regimes.

use crate::hash::mix;
use crate::time::Timestamp;
use crate::window::calendar::{Calendar, Moment};
use crate::window::freeze::{Freeze, Lesson};
use crate::window::level::{Level, Phase};

/// Monday 2026-11-02, midnight.
const MONDAY: u64 = 1_793_577_600;
const DAY: u64 = 8_640;
const HOUR: u64 = 360;

fn moment(sample: u64) -> Moment {
    Calendar::default().moment(Timestamp::from_secs(MONDAY + sample * 10))
}

/// What a school sees: quiet nights, a steep nine o'clock on school days, half of it on a Wednesday afternoon, little at
/// the weekend; 20 % of noise that is never the same twice.
fn school(sample: u64) -> f64 {
    let (day, hour) = (sample / DAY % 7, sample % DAY / HOUR);
    let base = match (day, hour) {
        (5 | 6, _) => 8.0,
        (_, 0..=7 | 22..) => 4.0,
        (_, 8) => 60.0,
        (2, 13..) => 50.0,
        (_, 9) => 400.0,
        _ => 120.0,
    };
    let noise = (mix(sample, 7) % 1_000) as f64 / 1_000.0 - 0.5;
    base * (1.0 + 0.2 * noise)
}

fn live(level: &mut Level, samples: std::ops::Range<u64>, rate: impl Fn(u64) -> f64) {
    for sample in samples {
        level.learn(rate(sample), 10.0, 1.0);
        level.prepare(&moment(sample + 1), None);
    }
}

#[test]
fn a_level_grows_up_in_a_fortnight() {
    let mut level = Level::default();
    assert_eq!(level.phase(), Phase::Unarmed);
    live(&mut level, 0..HOUR / 2, school);
    assert_eq!(level.phase(), Phase::Cold);
    live(&mut level, HOUR / 2..2 * HOUR, school);
    assert_eq!(level.phase(), Phase::Level);
    live(&mut level, 2 * HOUR..DAY + 12 * HOUR, school);
    assert_eq!(level.phase(), Phase::Young);
    live(&mut level, DAY + 12 * HOUR..15 * DAY, school);
    assert_eq!(level.phase(), Phase::Own);
    assert_eq!(
        [0, 0, 1, 2, 3],
        [Phase::Unarmed, Phase::Cold, Phase::Level, Phase::Young, Phase::Own].map(Phase::number)
    );
}

#[test]
fn the_second_monday_at_nine_is_expected_and_the_first_was_not() {
    let mut level = Level::default();
    live(&mut level, 0..9 * HOUR + 30, school);
    assert!(level.envelope(20.0).unwrap() < 350.0, "{:?}", level.envelope(20.0));
    live(&mut level, 9 * HOUR + 30..7 * DAY + 9 * HOUR, school);
    assert!(level.envelope(20.0).unwrap() > 440.0, "at the bell: {:?}", level.envelope(20.0));
    live(&mut level, 7 * DAY + 9 * HOUR..7 * DAY + 9 * HOUR + 60, school);
    let usual = level.usual().unwrap();
    assert!((300.0..480.0).contains(&usual), "ten past nine: {usual}");
    assert!(level.envelope(20.0).unwrap() > 440.0, "{:?}", level.envelope(20.0));
    // The same number on a Sunday at nine is none that is usual.
    live(&mut level, 7 * DAY + 9 * HOUR + 60..13 * DAY + 9 * HOUR + 30, school);
    assert!(level.envelope(20.0).unwrap() < 40.0, "{:?}", level.envelope(20.0));
}

#[test]
fn every_sample_of_the_third_week_lies_inside_the_envelope() {
    let mut level = Level::default();
    live(&mut level, 0..14 * DAY, school);
    let mut above = 0;
    for sample in 14 * DAY..21 * DAY {
        above += u32::from(school(sample) > level.envelope(20.0).unwrap());
        live(&mut level, sample..sample + 1, school);
    }
    // Steps of the school bell lie inside a quarter-hour's interpolation; nothing else may stick out.
    assert!(above < 7 * 8_640 / 100, "{above} of {} samples", 7 * DAY);
}

#[test]
fn a_patient_poisoner_moves_the_usual_by_the_bound_only() {
    let mut level = Level::default();
    live(&mut level, 0..14 * DAY + 12 * HOUR, school);
    let (before, sigma) = (level.usual().unwrap(), level.sigma());
    // Never noticed: each sample is a spread and a half above what was usual, weighted in full.
    let hours = 2;
    live(&mut level, 14 * DAY + 12 * HOUR..14 * DAY + (12 + hours) * HOUR, |sample| 1.5 * sigma.exp() * school(sample));
    let moved = (level.usual().unwrap() / before).ln();
    // Deviation: a spread times ln 2 over the half-life, an hour. Profile: 0.9 spreads a visit, and its own widening.
    let bound = sigma * std::f64::consts::LN_2 / 2.0 * hours as f64 + 0.9 * sigma;
    assert!(moved > 0.0 && moved <= 1.05 * bound, "moved {moved}, bound {bound}");
}

#[test]
fn a_frozen_level_stays_where_it_was() {
    let mut level = Level::default();
    live(&mut level, 0..2 * DAY + 12 * HOUR, school);
    let before = level.usual().unwrap();
    for sample in 2 * DAY + 12 * HOUR..2 * DAY + 13 * HOUR {
        level.learn(1e6, 10.0, 0.0);
        level.prepare(&moment(sample), None);
    }
    let after = level.usual().unwrap();
    assert!((after / before).ln().abs() < 0.25, "{before} {after}");
}

#[test]
fn a_new_host_borrows_the_shape_of_the_day_and_keeps_its_own_size() {
    let (mut old, mut new) = (Level::default(), Level::default());
    live(&mut old, 0..14 * DAY + 6 * HOUR, school);
    let small = |sample| school(sample) / 10.0;
    for sample in 14 * DAY + 6 * HOUR..14 * DAY + 9 * HOUR + 60 {
        live(&mut old, sample..sample + 1, school);
        new.learn(small(sample), 10.0, 1.0);
        new.prepare(&moment(sample + 1), old.season(&moment(sample + 1)));
    }
    assert_eq!(new.phase(), Phase::Young);
    // A tenth of the sibling at night, so a tenth of it at nine: no host alone could know that.
    let usual = new.usual().unwrap();
    assert!((25.0..60.0).contains(&usual), "ten past nine: {usual}");
}

#[test]
fn a_new_school_year_is_usual_after_two_alarming_days() {
    let (mut level, mut freeze) = (Level::default(), Freeze::default());
    live(&mut level, 0..7 * DAY, school);
    let mut frozen = [0_u64; 4];
    for sample in 7 * DAY..11 * DAY {
        let rate = 3.0 * school(sample);
        let weight = if rate > level.envelope(20.0).unwrap() { 0.0 } else { 1.0 };
        frozen[usize::try_from(sample / DAY - 7).unwrap()] += u64::from(weight <= 0.0);
        match freeze.observe(weight, true) {
            Lesson::Learn(weight) => level.learn(rate, 10.0, weight),
            Lesson::SetAside => level.set_aside(rate, 10.0),
            Lesson::Accept(part) => level.accept(part),
        }
        level.prepare(&moment(sample + 1), None);
    }
    assert!(frozen[0] > 10 * HOUR, "tripled days alarm at first: {frozen:?}");
    assert!(frozen[3] < HOUR, "and no longer on the fourth day: {frozen:?}");
}

#[test]
fn a_restart_over_the_weekend_expects_monday_all_the_same() {
    let mut level = Level::default();
    // Stopped on the second Friday at six in the evening, half as busy again as other days.
    live(&mut level, 0..11 * DAY, school);
    live(&mut level, 11 * DAY..11 * DAY + 18 * HOUR, |sample| 1.5 * school(sample));
    let mut level = Level::from_memory(&level.memory(360), false).unwrap();
    level.prepare(&moment(14 * DAY + 10 * HOUR + 60), None);
    let usual = level.usual().unwrap();
    assert!((95.0..150.0).contains(&usual), "Monday at ten past ten, as ever: {usual}");
}
