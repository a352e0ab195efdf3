use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::alert::Alert;
use crate::flow::FlowRecord;
use crate::metrics::Metrics;
use crate::origin::Origins;
use crate::policy::{Policy, Site};
use crate::source::synthetic::{OwnedFrame, SyntheticSource};
use crate::source::{CaptureDrops, Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError};
use crate::summary::{ShardSettings, Summary};
use crate::time::Timestamp;

/// Everything a run gave away, as text.
#[derive(Default)]
struct Record {
    lines: Vec<String>,
    gaps: usize,
    panic_at: Option<usize>,
}

impl Outlet for Record {
    fn tick(&mut self, tick: &JudgedTick<'_>) {
        assert_ne!(self.panic_at, Some(self.lines.len()), "asked to");
        self.gaps += usize::from(tick.capture.gap);
        let Summary { tick: at, hosts, sites, flows, .. } = tick.summary;
        let books: Vec<_> = tick.books.iter().map(|books| (books.packets, books.processed, books.late)).collect();
        self.lines.push(format!("{at:?} {hosts:?} {sites:?} {flows:?} {:?} {books:?}", tick.capture));
    }

    fn alert(&mut self, line: &Alert) {
        self.lines.push(line.to_json().unwrap());
    }

    fn flow(&mut self, record: &FlowRecord, _: &Policy) {
        self.lines.push(format!("{record:?}"));
    }
}

fn settings(threads: usize) -> Settings {
    let sites = vec![Site { name: "school".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] }];
    Settings {
        threads: NonZeroUsize::new(threads).unwrap(),
        live: false,
        shard: ShardSettings::default(),
        engine: crate::detect::engine::Settings::default(),
        alert: crate::alert::Settings::default(),
        recall: None,
        revisions: None,
        keep: crate::pipeline::Keep::Never,
        policy: Arc::new(Policy::new(sites, false)),
        origins: Arc::new(Origins::default()),
        evidence: None,
        metrics: None,
    }
}

/// A frame of 54 bytes: Ethernet, IPv4, TCP with the SYN bit, from a client chosen by `number` to one of 200 servers.
fn syn(millis: u64, number: u32) -> OwnedFrame {
    let mut bytes = vec![0; 54];
    bytes[12..14].copy_from_slice(&[0x08, 0x00]);
    bytes[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    bytes[26..30].copy_from_slice(&(0xc633_6400 + number % 251).to_be_bytes());
    bytes[30..34].copy_from_slice(&[192, 0, 2, u8::try_from(number % 200).unwrap()]);
    bytes[34..38].copy_from_slice(&[0x9c, 0x40, 0, 80]);
    bytes[38..42].copy_from_slice(&number.to_be_bytes());
    bytes[46..50].copy_from_slice(&[0x50, 0x02, 0xff, 0xff]);
    OwnedFrame { timestamp: Timestamp::from_nanos(millis * 1_000_000), link: LinkType::Ethernet, bytes }
}

/// Frames of many pairs over 30 s, some late, some not IP, with a pause of 20 s in the middle.
fn mixed() -> Vec<OwnedFrame> {
    (0..20_000_u32)
        .map(|number| {
            let millis = 1_000_000 + u64::from(number) / 2 + if number > 9_000 { 20_000 } else { 0 };
            let millis = if number % 97 == 0 { millis - 300 } else { millis };
            let mut frame = syn(millis, number.wrapping_mul(2_654_435_761) >> 7);
            if number % 50 == 0 {
                frame.bytes[12..14].copy_from_slice(&[0x08, 0x06]);
            }
            frame
        })
        .collect()
}

/// Seven seconds in which 16,000 datagrams a second from everywhere reach one server that never answers.
fn flood() -> Vec<OwnedFrame> {
    (0..120_000_u32)
        .map(|number| {
            let mut frame = syn(1_000_000 + u64::from(number) / 16, number.wrapping_mul(2_654_435_761) >> 7);
            frame.bytes[23] = 17;
            frame.bytes[26..30].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            frame.bytes[33] = 10;
            frame.bytes[38..40].copy_from_slice(&[0, 20]);
            frame
        })
        .collect()
}

fn source<'s>(frames: Box<dyn PacketSource + Send + 's>) -> Source<'s> {
    Source { name: "test".to_owned(), frames }
}

fn run_over(frames: &[OwnedFrame], settings: &Settings) -> (RunOutcome, Record) {
    let mut record = Record::default();
    let sources = vec![source(Box::new(SyntheticSource::new(frames.to_vec()).with_block(300)))];
    let outcome = run(sources, settings, &mut record, &AtomicBool::new(false));
    assert!(outcome.panics.is_empty(), "{:?}", outcome.panics);
    (outcome, record)
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let frames = mixed();
    let (outcome, expected) = run_over(&frames, &settings(1));
    assert!(expected.lines.len() > 100, "{}", expected.lines.len());
    for threads in [2, 4, 7, 64] {
        let (other, record) = run_over(&frames, &settings(threads));
        assert_eq!(record.lines, expected.lines, "{threads} threads");
        assert_eq!(other.accounting(), outcome.accounting());
    }
}

#[test]
fn a_learned_policy_rules_from_the_same_tick_in_every_shard() {
    // One server gets two thousand packets a second from everywhere, which no configuration names.
    let mut frames = mixed();
    frames.iter_mut().for_each(|frame| frame.bytes[33] = 10);
    let learning = |threads| Settings { policy: Arc::new(Policy::new(Vec::new(), true)), ..settings(threads) };
    let (outcome, expected) = run_over(&frames, &learning(1));
    assert_eq!(outcome.judged.policy.sites().len(), 1, "{:?}", outcome.judged.policy);
    // The race that this is about is lost rarely.
    for threads in [2, 3, 4].repeat(8) {
        let (_, record) = run_over(&frames, &learning(threads));
        assert_eq!(record.lines, expected.lines, "{threads} threads");
    }
}

#[test]
fn every_frame_is_in_exactly_one_count() {
    let frames = mixed();
    let (outcome, _) = run_over(&frames, &settings(3));
    let books = outcome.accounting();
    assert_eq!(books.packets, 20_000);
    assert_eq!(books.discarded.values().sum::<u64>(), 400);
    assert_eq!(books.packets, books.processed + 400);
    assert!(books.late > 0);
    let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
    assert_eq!(books.bytes, bytes as u64);
    assert_eq!(outcome.span().unwrap().1, frames.last().unwrap().timestamp);
}

/// Gives frames one by one. If it looks ahead, as a file does, its watermark is the time of the next frame.
struct OneByOne {
    frames: std::vec::IntoIter<OwnedFrame>,
    looks_ahead: bool,
}

impl PacketSource for OneByOne {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        let Some(frame) = self.frames.next() else { return Ok(Progress::End) };
        let OwnedFrame { timestamp, link, bytes } = &frame;
        on_frame(Frame {
            timestamp: *timestamp,
            link: *link,
            interface: InterfaceId(0),
            wire_len: u32::try_from(bytes.len()).unwrap(),
            bytes,
        });
        let next = self.frames.as_slice().first().filter(|_| self.looks_ahead);
        Ok(Progress::Open { watermark: next.map_or(Timestamp::ZERO, |next| next.timestamp) })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops::default())
    }
}

#[test]
fn a_long_silence_is_ticked_for_a_while_and_then_one_gap() {
    let day = 86_400_000;
    let frames: Vec<_> = (0..40).map(|n| syn(day + n, 1)).chain((0..40).map(|n| syn(2 * day + n, 2))).collect();
    for threads in [1, 3] {
        let mut record = Record::default();
        let one_by_one = OneByOne { frames: frames.clone().into_iter(), looks_ahead: true };
        let sources = vec![source(Box::new(one_by_one))];
        let outcome = run(sources, &settings(threads), &mut record, &AtomicBool::new(false));
        assert_eq!(record.gaps, 1);
        assert!((1_200..1_210).contains(&record.lines.len()), "{} ticks", record.lines.len());
        assert_eq!(outcome.accounting().clock_steps, 0);
    }
}

#[test]
fn a_leap_that_nobody_vouches_for_is_a_clock_step() {
    let day = 86_400_000;
    let frames: Vec<_> = (0..40).map(|n| syn(day + n, 1)).chain((0..40).map(|n| syn(2 * day + n, 2))).collect();
    let mut record = Record::default();
    let sources = vec![source(Box::new(OneByOne { frames: frames.into_iter(), looks_ahead: false }))];
    let outcome = run(sources, &settings(2), &mut record, &AtomicBool::new(false));
    assert_eq!((record.gaps, record.lines.len()), (1, 2));
    assert_eq!(outcome.accounting().clock_steps, 1);
}

#[test]
fn a_short_silence_is_zeros() {
    let frames: Vec<_> = (0..40).map(|n| syn(n, 1)).chain((0..40).map(|n| syn(50_000 + n, 2))).collect();
    let (_, record) = run_over(&frames, &settings(2));
    assert_eq!(record.gaps, 0);
    assert_eq!(record.lines.iter().filter(|line| line.contains("frames: 0")).count(), 199);
}

#[test]
fn the_stop_flag_ends_the_run_with_closed_books() {
    let mut record = Record::default();
    let stop = AtomicBool::new(true);
    let outcome = run(vec![source(Box::new(SyntheticSource::new(mixed())))], &settings(2), &mut record, &stop);
    assert!(outcome.panics.is_empty());
    assert_eq!(outcome.accounting().packets, 0);
}

/// Panics at a poll.
struct Panics(usize, SyntheticSource);

impl PacketSource for Panics {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        self.0 = self.0.checked_sub(1).expect("the source was asked to panic");
        self.1.poll(on_frame)
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops::default())
    }
}

#[test]
fn a_panic_in_a_capture_ends_the_run_and_what_was_judged_is_kept() {
    for threads in [1, 2, 4] {
        let mut record = Record::default();
        let frames = Box::new(Panics(5, SyntheticSource::new(mixed())));
        let outcome = run(vec![source(frames)], &settings(threads), &mut record, &AtomicBool::new(false));
        assert_eq!(outcome.panics.len(), 1, "{:?}", outcome.panics);
        assert!(outcome.panics[0].contains("asked to panic"), "{:?}", outcome.panics);
        assert!(!record.lines.is_empty());
    }
}

#[test]
fn a_panic_in_the_scorer_stops_the_capture() {
    for threads in [1, 2, 4] {
        let mut record = Record { panic_at: Some(3), ..Record::default() };
        let frames = Box::new(SyntheticSource::new(mixed()));
        let outcome = run(vec![source(frames)], &settings(threads), &mut record, &AtomicBool::new(false));
        assert_eq!(outcome.panics.len(), 1, "{:?}", outcome.panics);
        assert_eq!(record.lines.len(), 3);
    }
}

#[test]
fn a_panic_in_any_thread_closes_the_alerts_that_are_open() {
    let frames = flood();
    let (_, whole) = run_over(&frames, &settings(1));
    let is = |event: &'static str| move |line: &String| line.contains(&format!("\"event\":\"{event}\""));
    let opened = whole.lines.iter().position(is("open")).expect("the flood is told");
    for threads in [1, 2, 4] {
        let scorer_panics = Record { panic_at: Some(opened + 3), ..Record::default() };
        let capture_panics = Panics(100, SyntheticSource::new(frames.clone()).with_block(300));
        let sound = Panics(usize::MAX, SyntheticSource::new(frames.clone()).with_block(300));
        for (mut record, frames) in [(scorer_panics, sound), (Record::default(), capture_panics)] {
            let sources = vec![source(Box::new(frames))];
            let outcome = run(sources, &settings(threads), &mut record, &AtomicBool::new(false));
            assert_eq!(outcome.panics.len(), 1, "{:?}", outcome.panics);
            let count = |event| record.lines.iter().filter(|line| is(event)(line)).count();
            assert!(
                count("open") > 0 && count("open") == count("close"),
                "{threads} threads: {:?}",
                record.lines.last()
            );
        }
    }
}

/// Fails after its frames.
struct Breaks(SyntheticSource);

impl PacketSource for Breaks {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        match self.0.poll(on_frame)? {
            Progress::End => Err(SourceError::Damaged {
                name: "cut.pcap".to_owned(),
                offset: 77,
                reason: "a record ends after 3 of 16 bytes".to_owned(),
            }),
            open => Ok(open),
        }
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops { kernel: 5, interface: 2 })
    }
}

#[test]
fn everything_before_a_fault_is_judged_and_losses_are_counted() {
    let mut record = Record::default();
    let frames = Box::new(Breaks(SyntheticSource::new(mixed())));
    let outcome = run(vec![source(frames)], &settings(2), &mut record, &AtomicBool::new(false));
    assert_eq!(outcome.faults().count(), 1);
    let books = outcome.accounting();
    assert_eq!((books.packets, books.dropped.kernel), (20_007, 5));
    assert_eq!(books.packets, books.processed + books.discarded.values().sum::<u64>() + 7);
    assert!(!record.lines.is_empty());
}

#[test]
fn two_taps_of_one_line_give_what_the_merged_capture_gives() {
    let frames = mixed();
    let mut in_order = frames.clone();
    in_order.sort_by_key(|frame| frame.timestamp);
    let (_, expected) = run_over(&in_order, &settings(2));
    let summaries = |record: &Record| -> Vec<String> {
        record.lines.iter().map(|line| line.split(" CaptureTick").next().unwrap().to_owned()).collect()
    };
    for threads in [1, 5] {
        let mut record = Record::default();
        let halves: Vec<Vec<OwnedFrame>> = (0..2)
            .map(|half| {
                let odd = in_order.iter().enumerate().filter(|(n, _)| n % 2 == half);
                odd.map(|(_, frame)| frame.clone()).collect()
            })
            .collect();
        let sources = halves.into_iter().map(|frames| source(Box::new(SyntheticSource::new(frames)))).collect();
        let settings = Settings { live: true, metrics: Some(Arc::new(Metrics::new())), ..settings(threads) };
        let outcome = run(sources, &settings, &mut record, &AtomicBool::new(false));
        assert!(outcome.panics.is_empty(), "{:?}", outcome.panics);
        assert_eq!(outcome.accounting().packets, 20_000);
        assert_eq!(summaries(&record), summaries(&expected));
    }
}
