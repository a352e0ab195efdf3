//! Live capture between two network namespaces: what is sent is what is counted.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use support::Deadline;
use support::frames::{ACK, Segment, write_pcap};
use support::netns::{Network, PATIENCE, Wiring, tcpreplay};
use vigie::source::live::{self, LiveSource, Settings};
use vigie::source::{Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError};
use vigie::time::Timestamp;

const INTERFACE: InterfaceId = InterfaceId(3);

/// A source that holds every promise of the trait against what it hands out.
struct Tap {
    source: LiveSource,
    promised: Timestamp,
    frames: u64,
    bytes: u64,
}

impl Tap {
    fn new(source: LiveSource) -> Self {
        Self { source, promised: Timestamp::ZERO, frames: 0, bytes: 0 }
    }

    fn poll(&mut self, mut on_frame: impl FnMut(Frame<'_>)) -> Result<Timestamp, SourceError> {
        let (promised, mut frames, mut bytes) = (self.promised, 0, 0);
        let progress = self.source.poll(&mut |frame| {
            assert!(frame.timestamp >= promised, "a frame of {} after a watermark of {promised}", frame.timestamp);
            assert_eq!(frame.interface, INTERFACE);
            assert!(usize::try_from(frame.wire_len).unwrap() >= frame.bytes.len());
            frames += 1;
            bytes += u64::from(frame.wire_len);
            on_frame(frame);
        })?;
        let Progress::Open { watermark } = progress else { panic!("a live link does not end") };
        assert!(watermark >= self.promised, "the watermark went back");
        self.promised = watermark;
        self.frames += frames;
        self.bytes += bytes;
        Ok(watermark)
    }

    /// Polls until nothing has come for half a second after `done`.
    fn drain(&mut self, done: &AtomicBool, mut on_frame: impl FnMut(Frame<'_>)) {
        let deadline = Deadline::after(PATIENCE);
        let mut last = None;
        loop {
            assert!(!deadline.passed(), "{} frames after {PATIENCE:?}", self.frames);
            // The flag first: what was sent before it was set is then in the ring or behind the watermark.
            let was_done = done.load(Ordering::Acquire);
            let before = self.frames;
            let watermark = self.poll(&mut on_frame).unwrap();
            if self.frames > before || !was_done {
                last = Some(watermark);
            } else if last.is_some_and(|last| watermark.since(last) > Duration::from_millis(500)) {
                return;
            }
        }
    }

    fn lost(&mut self) -> u64 {
        let drops = self.source.drops().unwrap();
        drops.kernel + drops.interface
    }
}

fn open(interface: &str, settings: &Settings) -> Vec<LiveSource> {
    live::open(interface, INTERFACE, settings).unwrap_or_else(|error| panic!("{error}"))
}

fn open_one(interface: &str, settings: &Settings) -> Tap {
    Tap::new(open(interface, settings).pop().expect("one socket"))
}

fn v4(a: u8, b: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, a, b))
}

fn v6(a: u8, b: u8) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, u16::from(a), 0, 0, 0, u16::from(b)))
}

/// Conversations of IPv4 and IPv6 addresses, untagged, in a VLAN and in two, both directions, `rounds` times.
fn conversations(pairs: u8, rounds: u32) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for round in 0..rounds {
        for pair in 0..pairs {
            for address in [v4, v6] {
                for vlans in [[None, None], [Some(7), None], [Some(100), Some(7)]] {
                    let client = (address(pair, pair.wrapping_mul(31)), 40_000 + u16::from(pair));
                    let server = (address(200, pair % 16), 443);
                    for (from, to) in [(client, server), (server, client)] {
                        let segment = Segment { vlans, ..Segment::new(from, to, ACK, round, 300) };
                        frames.push(segment.frame());
                    }
                }
            }
        }
    }
    frames
}

fn capture_file(name: &str, frames: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    write_pcap(&path, frames).unwrap();
    (directory, path)
}

#[test]
fn every_frame_sent_at_top_speed_is_handed_out_or_counted_as_lost() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let frames = conversations(100, 40);
    let sent_bytes: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
    let (_directory, path) = capture_file("sent.pcap", &frames);
    let done = AtomicBool::new(false);
    let (ready, is_ready) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            network.receiver.enter(|| {
                let mut tap = open_one("recv0", &Settings::default());
                ready.send(()).unwrap();
                tap.drain(&done, |frame| {
                    assert_eq!(frame.link, LinkType::Ethernet);
                    assert!(frame.bytes.len() >= 60);
                });
                let lost = tap.lost();
                assert_eq!(tap.frames + lost, frames.len() as u64, "{lost} lost");
                if lost == 0 {
                    assert_eq!(tap.bytes, sent_bytes);
                }
            });
        });
        is_ready.recv_timeout(PATIENCE).expect("the capture opens");
        assert_eq!(tcpreplay(&network.sender, "send0", "--topspeed", &path), frames.len() as u64);
        done.store(true, Ordering::Release);
    });
}

#[test]
fn a_reader_that_sleeps_loses_frames_and_knows_how_many() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let frames = conversations(100, 20);
    let (_directory, path) = capture_file("sent.pcap", &frames);
    network.receiver.enter(|| {
        let mut tap = open_one("recv0", &Settings { ring_bytes: 1 << 20, ..Settings::default() });
        // Nobody reads while all is sent.
        tcpreplay(&network.sender, "send0", "--topspeed", &path);
        tap.drain(&AtomicBool::new(true), |_| {});
        let lost = tap.lost();
        assert!(lost > 1_000, "a ring of 1 MiB cannot hold {} frames", frames.len());
        assert_eq!(tap.frames + lost, frames.len() as u64);
        assert_eq!(tap.lost(), lost, "reading the count does not change it");
    });
}

#[test]
fn what_was_on_the_wire_is_known_when_the_frame_is_cut() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let segment = Segment::new((v4(1, 1), 1_000), (v4(2, 2), 443), ACK, 1, 1_400);
    let frame = segment.frame();
    let (_directory, path) = capture_file("sent.pcap", std::slice::from_ref(&frame));
    network.receiver.enter(|| {
        let mut tap = open_one("recv0", &Settings { snap_len: 96, ..Settings::default() });
        tcpreplay(&network.sender, "send0", "--topspeed", &path);
        let mut seen = Vec::new();
        tap.drain(&AtomicBool::new(true), |frame| seen.push((frame.wire_len, frame.bytes.to_vec())));
        assert_eq!(seen, [(u32::try_from(frame.len()).unwrap(), frame[..96].to_vec())]);
    });
}

#[test]
fn two_sockets_share_the_frames_and_keep_both_directions_together() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let frames = conversations(200, 3);
    let (_directory, path) = capture_file("sent.pcap", &frames);
    let settings = Settings { sockets: NonZeroUsize::new(2).unwrap(), ..Settings::default() };
    let done = AtomicBool::new(false);
    let (ready, is_ready) = mpsc::channel();
    thread::scope(|scope| {
        for (namespace, interface) in [(&network.receiver, "recv0"), (&network.sender, "send0")] {
            let (done, ready, settings, sent) = (&done, ready.clone(), &settings, frames.len() as u64);
            scope.spawn(move || namespace.enter(|| check_fanout(interface, settings, sent, done, &ready)));
        }
        for _ in 0..2 {
            is_ready.recv_timeout(PATIENCE).expect("both captures open");
        }
        tcpreplay(&network.sender, "send0", "--topspeed", &path);
        done.store(true, Ordering::Release);
    });
}

/// Captures with a group and checks that each unordered pair of addresses has one socket, and each socket its share.
fn check_fanout(interface: &str, settings: &Settings, sent: u64, done: &AtomicBool, ready: &mpsc::Sender<()>) {
    let sources = open(interface, settings);
    assert_eq!(sources.len(), 2);
    ready.send(()).unwrap();
    let taps: Vec<(Tap, BTreeMap<Vec<u8>, u64>)> = thread::scope(|scope| {
        let threads: Vec<_> = sources
            .into_iter()
            .map(|source| {
                scope.spawn(|| {
                    let mut pairs = BTreeMap::new();
                    let mut tap = Tap::new(source);
                    tap.drain(done, |frame| *pairs.entry(unordered_pair(frame.bytes)).or_default() += 1);
                    (tap, pairs)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let [(mut first, first_pairs), (mut second, second_pairs)] = <[_; 2]>::try_from(taps).ok().unwrap();
    let lost = first.lost() + second.lost();
    assert_eq!(first.frames + second.frames + lost, sent, "{interface}");
    let split: Vec<_> = first_pairs.keys().filter(|pair| second_pairs.contains_key(*pair)).collect();
    assert!(split.is_empty(), "{interface}: {} pairs on both sockets, such as {:?}", split.len(), split.first());
    for share in [first.frames, second.frames] {
        assert!(share > sent / 4, "{interface}: {} and {}", first.frames, second.frames);
    }
    if lost == 0 {
        // Two directions, three taggings, three rounds: a conversation has all of its frames in one place.
        assert!(first_pairs.values().chain(second_pairs.values()).all(|count| *count == 2 * 3 * 3));
    }
}

/// The addresses of a frame in order of their bytes, whatever its tags.
fn unordered_pair(frame: &[u8]) -> Vec<u8> {
    let ethertype = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let mut at = 12;
    while matches!(ethertype(at), 0x8100 | 0x88a8) {
        at += 4;
    }
    let (from, to) = match ethertype(at) {
        0x0800 => (&frame[at + 14..at + 18], &frame[at + 18..at + 22]),
        0x86dd => (&frame[at + 10..at + 26], &frame[at + 26..at + 42]),
        other => panic!("unexpected frame of type {other:#06x}"),
    };
    if from < to { [from, to].concat() } else { [to, from].concat() }
}

#[test]
fn an_idle_link_moves_time_and_sparse_frames_are_not_overtaken_by_it() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let (_directory, path) = capture_file("sparse.pcap", &conversations(5, 1));
    let done = AtomicBool::new(false);
    let (ready, is_ready) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            network.receiver.enter(|| {
                let settings = Settings::default();
                let mut tap = open_one("recv0", &settings);
                let first = tap.poll(|_| {}).unwrap();
                let mut idle = first;
                while idle.since(first) < Duration::from_millis(700) {
                    let bound = settings.poll_bound + Duration::from_millis(500);
                    let before = wall();
                    idle = tap.poll(|_| {}).unwrap();
                    assert!(wall().since(before) < bound, "one poll of an idle link is bounded");
                }
                assert_eq!(tap.frames, 0);
                assert!(wall() > idle && wall().since(idle) < Duration::from_secs(1), "{idle} is not now");
                ready.send(()).unwrap();
                // `Tap::poll` fails when a frame is older than what was promised.
                tap.drain(&done, |_| {});
                assert_eq!(tap.frames, 60);
            });
        });
        is_ready.recv_timeout(PATIENCE).expect("time moves");
        tcpreplay(&network.sender, "send0", "--pps=37", &path);
        done.store(true, Ordering::Release);
    });
}

#[expect(clippy::disallowed_methods, reason = "the watermark of an idle link is held against the wall clock")]
fn wall() -> Timestamp {
    Timestamp::ZERO.plus(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap())
}

#[test]
fn an_interface_that_goes_down_or_away_ends_the_source_with_a_sentence() {
    let Some(network) = Network::make(Wiring { cables: 2, ..Wiring::default() }, &[]) else { return };
    for (interface, change, sentence) in [
        ("recv0", &["link", "set", "recv0", "down"][..], "was taken down"),
        ("recv1", &["link", "delete", "recv1"][..], "has disappeared"),
    ] {
        network.receiver.enter(|| {
            let mut tap = open_one(interface, &Settings::default());
            tap.poll(|_| {}).unwrap();
            network.receiver.run("ip", change);
            let deadline = Deadline::after(PATIENCE);
            let error = loop {
                assert!(!deadline.passed());
                if let Err(error) = tap.poll(|_| {}) {
                    break error;
                }
            };
            assert!(matches!(error, SourceError::Lost { .. }), "{error:?}");
            assert!(error.to_string().contains(sentence), "{error}");
            assert_eq!(tap.lost(), 0, "the count survives the interface");
        });
    }
}

#[test]
fn an_interface_that_is_down_or_missing_is_refused_with_a_sentence() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    network.receiver.run("ip", &["link", "set", "recv0", "down"]);
    network.receiver.enter(|| {
        let refused = |name: &str| match live::open(name, INTERFACE, &Settings::default()) {
            Ok(_) => panic!("{name} was opened"),
            Err(error) => error.to_string(),
        };
        assert_eq!(refused("recv0"), "recv0: the interface is down: `sudo ip link set recv0 up`");
        assert_eq!(refused("eth9"), "eth9: there is no such interface; there are: lo, recv0");
    });
}

#[test]
fn all_interfaces_together_are_captured_cooked() {
    let Some(network) = Network::make(Wiring { cables: 2, ..Wiring::default() }, &["tcpreplay"]) else { return };
    let (_directory, path) = capture_file("sent.pcap", &conversations(10, 1));
    network.receiver.enter(|| {
        let mut tap = open_one("any", &Settings::default());
        for interface in ["send0", "send1"] {
            tcpreplay(&network.sender, interface, "--topspeed", &path);
        }
        tap.drain(&AtomicBool::new(true), |frame| assert_eq!(frame.link, LinkType::LinuxSll));
        assert_eq!(tap.frames + tap.lost(), 2 * 10 * 12);
    });
}
