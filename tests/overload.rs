//! When more packets come than can be handled: what is shed, what the rest stands for, and what is said of it.
//!
//! The source is a double that hands out simulated traffic and tells a strain of its own, so that every run sheds at the
//! same moments; but for the last test, in which a real ring fills since whoever handles its frames is slow.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use support::Deadline;
use support::frames::{ACK, Segment, write_pcap};
use support::netns::{Network, PATIENCE, Wiring, tcpreplay};
use vigie::alert::{self, Alert};
use vigie::capture::Accounting;
use vigie::decode::decode;
use vigie::detect::engine;
use vigie::detect::finding::Caveat;
use vigie::flow::FlowRecord;
use vigie::hash::Seed;
use vigie::kind::{AlertKind, Severity, Verdict};
use vigie::origin::Origins;
use vigie::pipeline::{self, JudgedTick, Keep, Outlet, Source, run};
use vigie::policy::{Direction, Policy, Site};
use vigie::sampling::Sampling;
use vigie::scenario::{self, Parameters, Scenario};
use vigie::source::live::{self, LiveSource};
use vigie::source::{CaptureDrops, Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError, Strain};
use vigie::summary::ShardSettings;
use vigie::time::Timestamp;

/// A frame with its time and its length on the wire.
type Kept = (Timestamp, u32, Vec<u8>);

/// What a source says of itself, by the seconds since its first frame.
type Script = fn(f64) -> Strain;

const AT_EASE: Strain = Strain { fill: 0.0, idle: 0.9 };
const BUSY: Strain = Strain { fill: 0.2, idle: 0.1 };
const FULL: Strain = Strain { fill: 0.9, idle: 0.0 };

/// Traffic that comes as fast as the script says.
struct Pressed<'a> {
    frames: std::iter::Peekable<std::slice::Iter<'a, Kept>>,
    began: Timestamp,
    now: Timestamp,
    script: Script,
}

/// Capture time handed out in one poll.
const STEP: Duration = Duration::from_millis(50);

impl PacketSource for Pressed<'_> {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        self.now = self.now.plus(STEP);
        while let Some((timestamp, wire_len, bytes)) = self.frames.next_if(|(timestamp, _, _)| *timestamp < self.now) {
            on_frame(Frame {
                timestamp: *timestamp,
                link: LinkType::Ethernet,
                interface: InterfaceId::default(),
                wire_len: *wire_len,
                bytes,
            });
        }
        Ok(if self.frames.peek().is_some() { Progress::Open { watermark: self.now } } else { Progress::End })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        Ok(CaptureDrops::default())
    }

    fn strain(&mut self) -> Option<Strain> {
        Some((self.script)(self.now.since(self.began).as_secs_f64()))
    }
}

/// Everything a run said.
#[derive(Default)]
struct Said {
    lines: Vec<Alert>,
    /// Of each tick: which part was counted, inbound packets, SYNs, verified connections.
    ticks: Vec<(Sampling, [u64; 3])>,
    /// Handshakes answered, finished, and given up by the client.
    handshakes: [u64; 3],
    books: Accounting,
    loudest: BTreeMap<&'static str, f64>,
}

impl Outlet for Said {
    fn tick(&mut self, tick: &JudgedTick<'_>) {
        let mut sums = [0; 3];
        for host in &tick.summary.hosts {
            let counts = [host.inbound.packets, u64::from(host.syn), u64::from(host.verified)];
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            let cohort = &host.cohort;
            for (sum, by_age) in self.handshakes.iter_mut().zip([cohort.answered, cohort.finished, cohort.abandoned]) {
                *sum += by_age.iter().copied().map(u64::from).sum::<u64>();
            }
        }
        self.ticks.push((tick.capture.sampling, sums));
        for score in &tick.output.scores {
            let loudest = self.loudest.entry(score.detector).or_default();
            *loudest = loudest.max(score.ratio);
        }
    }

    fn alert(&mut self, line: &Alert) {
        self.lines.push(line.clone());
    }

    fn flow(&mut self, _record: &FlowRecord, _policy: &Policy) {}
}

fn policy() -> Policy {
    let prefixes = vec!["203.0.113.0/24".parse().unwrap(), "2001:db8:113::/48".parse().unwrap()];
    Policy::new(vec![Site { name: "ecole".into(), prefixes }], false)
}

fn settings(threads: usize, live: bool) -> pipeline::Settings {
    pipeline::Settings {
        threads: NonZeroUsize::new(threads).unwrap(),
        live,
        shard: ShardSettings::default(),
        engine: engine::Settings::default(),
        alert: alert::Settings::default(),
        recall: None,
        revisions: None,
        keep: Keep::Never,
        policy: Arc::new(policy()),
        origins: Arc::new(Origins::default()),
        evidence: None,
        metrics: None,
    }
}

fn traffic(scenario: Scenario, parameters: &Parameters) -> Vec<Kept> {
    let mut frames = Vec::new();
    scenario::generate(scenario, parameters, &mut |timestamp, wire_len, bytes| {
        frames.push((timestamp, wire_len, bytes.to_vec()));
    })
    .unwrap();
    frames
}

fn watch(frames: &[Kept], script: Script, settings: &pipeline::Settings) -> Said {
    let began = frames[0].0;
    let pressed = Pressed { frames: frames.iter().peekable(), began, now: began, script };
    let mut said = Said::default();
    let sources = vec![Source { name: "double".to_owned(), frames: Box::new(pressed) }];
    let outcome = run(sources, settings, &mut said, &AtomicBool::new(false));
    assert!(outcome.panics.is_empty(), "{:?}", outcome.panics);
    said.books = outcome.accounting();
    let books = &said.books;
    assert_eq!(books.packets, frames.len() as u64);
    assert_eq!(books.packets, books.processed + books.discarded.values().sum::<u64>() + books.shed);
    said
}

fn sums(said: &Said) -> [u64; 3] {
    said.ticks.iter().fold([0; 3], |sum, (_, counts)| std::array::from_fn(|n| sum[n] + counts[n]))
}

/// Inbound packets and SYNs of each pair of addresses.
fn by_pair(frames: &[Kept]) -> BTreeMap<u64, [f64; 2]> {
    let (policy, mut pairs) = (policy(), BTreeMap::<u64, [f64; 2]>::new());
    for (timestamp, wire_len, bytes) in frames {
        let (timestamp, wire_len) = (*timestamp, *wire_len);
        let frame = Frame { timestamp, link: LinkType::Ethernet, interface: InterfaceId::default(), wire_len, bytes };
        let Ok(packet) = decode(&frame) else { continue };
        if matches!(policy.direction(packet.source, packet.destination), Direction::Inbound(_)) {
            let pair = pairs.entry(Seed::default().pair(packet.source, packet.destination)).or_default();
            pair[0] += 1.0;
            pair[1] += f64::from(u8::from(packet.is_tcp() && packet.flags.is_syn()));
        }
    }
    pairs
}

/// Pressed from the first moment until one pair in eight is counted, and busy from then on.
fn to_an_eighth(seconds: f64) -> Strain {
    if seconds < 1.7 { FULL } else { BUSY }
}

#[test]
fn a_replay_is_never_in_a_hurry() {
    let (duration, lead) = (Duration::from_secs(10), Duration::ZERO);
    let frames = traffic(Scenario::Calm, &Parameters { duration, lead, ..Parameters::default() });
    let said = watch(&frames, |_| FULL, &settings(1, false));
    assert_eq!(said.books.shed, 0);
    assert!(said.ticks.iter().all(|(sampling, _)| sampling.is_whole()));
}

#[test]
fn what_is_counted_stands_for_all_within_the_chance_of_sampling() {
    let lead = Duration::from_secs(3);
    let short = Parameters { duration: Duration::from_secs(40), lead, ..Parameters::default() };
    for (scenario, parameters) in [
        (Scenario::Calm, Parameters { rate: 60.0, ..short.clone() }),
        (Scenario::SynFlood, Parameters { attack_rate: Some(3_000.0), ..short }),
    ] {
        let frames = traffic(scenario, &parameters);
        let said = watch(&frames, to_an_eighth, &settings(1, true));
        // From the first tick at an eighth on, and after it.
        let at = said.ticks.iter().position(|(sampling, _)| sampling.one_in() == 8).unwrap();
        assert!(said.ticks[at..].iter().all(|(sampling, _)| sampling.one_in() == 8));
        let from = Timestamp::from_nanos((frames[0].0.tick().number() + at as u64) * 250_000_000);
        let after: Vec<Kept> = frames.iter().filter(|(timestamp, _, _)| *timestamp >= from).cloned().collect();
        let pairs = by_pair(&after);
        for (n, what) in ["packets", "SYNs"].into_iter().enumerate() {
            let exact: f64 = pairs.values().map(|pair| pair[n]).sum();
            // The estimator's variance: the sum over pairs of x^2 (1 - p) / p (Horvitz & Thompson 1952).
            let spread = pairs.values().map(|pair| pair[n] * pair[n] * 7.0).sum::<f64>().sqrt();
            let estimated: f64 = said.ticks[at..].iter().map(|(_, counts)| counts[n] as f64).sum();
            assert!(spread < 0.5 * exact, "{scenario:?}: {what} would show nothing: {spread} of {exact}");
            assert!(
                (estimated - exact).abs() <= 4.0 * spread,
                "{scenario:?}: {estimated} {what} estimated, {exact} came, spread {spread}"
            );
        }
        let kept = pairs.keys().filter(|hash| said.ticks[at].0.keeps(**hash)).count() as f64;
        let (n, p) = (pairs.len() as f64, 0.125);
        assert!((kept - n * p).abs() <= 4.0 * (n * p * (1.0 - p)).sqrt(), "{kept} of {n} pairs");
    }
}

/// To an eighth in steps of a quarter minute, and back in steps of as long.
fn up_and_down(seconds: f64) -> Strain {
    let cycle = seconds % 120.0;
    let pressed = [15.0, 30.0, 45.0].iter().any(|at| (*at..at + 0.25).contains(&cycle));
    if pressed {
        FULL
    } else if cycle < 60.0 {
        BUSY
    } else {
        AT_EASE
    }
}

#[test]
fn what_was_cut_is_never_counted_as_unfinished_or_as_an_attack() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let calm = Parameters { duration: minutes(8), rate: 60.0, ..Parameters::default() };
    let rush = Parameters { lead: minutes(4), ..calm.clone() };
    for (scenario, parameters) in [(Scenario::Calm, calm), (Scenario::Rush, rush)] {
        let frames = traffic(scenario, &parameters);
        let exact = watch(&frames, |_| AT_EASE, &settings(2, true));
        let sampled = watch(&frames, up_and_down, &settings(2, true));
        let levels: Vec<u32> = sampled.ticks.iter().map(|(sampling, _)| sampling.one_in()).collect();
        let changes = levels.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(levels.contains(&8) && changes >= 20, "{scenario:?}: {changes} changes");
        let unfinished = |said: &Said| {
            let [answered, finished, abandoned] = said.handshakes.map(|count| count as f64);
            (answered - finished - abandoned) / answered
        };
        let (before, after) = (unfinished(&exact), unfinished(&sampled));
        assert!((after - before).abs() < 0.01, "{scenario:?}: {after} unfinished instead of {before}");
        let loud: Vec<_> = sampled.lines.iter().filter(|line| line.severity > Severity::Info).collect();
        assert!(loud.is_empty(), "{scenario:?}: {:?}", loud.iter().map(|line| &line.why).collect::<Vec<_>>());
    }
}

/// Overloaded for as long as the flood lasts, and calm before and after.
fn with_the_flood(seconds: f64) -> Strain {
    match seconds {
        ..60.5 => AT_EASE,
        ..61.3 => FULL,
        ..90.0 => BUSY,
        _ => AT_EASE,
    }
}

fn flood() -> Vec<Kept> {
    let parameters = Parameters {
        duration: Duration::from_secs(150),
        lead: Duration::from_secs(60),
        attack_duration: Some(Duration::from_secs(30)),
        attack_rate: Some(2_000.0),
        ..Parameters::default()
    };
    traffic(Scenario::SynFlood, &parameters)
}

#[test]
fn a_flood_is_told_under_sampling_with_its_rate_and_its_caveat_and_all_is_counted_afterwards() {
    let frames = flood();
    let exact = watch(&frames, |_| AT_EASE, &settings(1, true));
    let sampled = watch(&frames, with_the_flood, &settings(1, true));
    let loudest = |said: &Said| {
        let floods = said.lines.iter().filter(|line| line.kind == AlertKind::SynFlood);
        floods.max_by(|a, b| a.severity.cmp(&b.severity).then(a.at.cmp(&b.at))).expect("the flood is told").clone()
    };
    let (whole, part) = (loudest(&exact), loudest(&sampled));
    assert_eq!((part.severity, part.verdict), (whole.severity, Verdict::Attack));
    assert!(!whole.caveats.contains(&Caveat::Shed) && !whole.settings.contains_key("sampled_one_in"));
    let opened = sampled.lines.iter().find(|line| line.id == part.id).unwrap();
    for line in [opened, &part] {
        assert!(line.caveats.contains(&Caveat::Shed) || line.at < opened.at.plus(Duration::from_secs(2)), "{line:?}");
    }
    assert!(part.caveats.contains(&Caveat::Shed), "{:?}", part.caveats);
    assert!(part.evidence.iter().any(|sentence| sentence.contains("uniform sample")), "{:?}", part.evidence);
    assert!(part.settings.contains_key("sampled_one_in"));
    assert!(part.confidence.get() < whole.confidence.get());
    let [all, estimated] = [&exact, &sampled].map(|said| sums(said)[1] as f64);
    assert!((estimated / all - 1.0).abs() < 0.05, "{estimated} SYNs of {all}");
    let recovered = sampled.ticks.iter().rposition(|(sampling, _)| !sampling.is_whole()).unwrap();
    assert!(sampled.ticks.len() - recovered > 100, "everything is counted again for half a minute");
    assert!(sampled.books.shed > 0 && exact.books.shed == 0);
}

#[test]
fn an_overloaded_run_says_the_same_with_any_number_of_threads() {
    let frames = flood();
    let of = |threads| {
        let said = watch(&frames, with_the_flood, &settings(threads, true));
        let lines: Vec<String> = said.lines.iter().map(|line| line.to_json().unwrap()).collect();
        (lines, said.ticks, said.handshakes, said.books)
    };
    let one = of(1);
    assert!(!one.0.is_empty());
    for threads in [2, 4] {
        assert_eq!(of(threads), one, "{threads} threads");
    }
}

/// Traffic that comes at once, and tells how far it has come.
struct AtOnce<'a> {
    frames: Pressed<'a>,
    reached: &'a AtomicU64,
}

impl PacketSource for AtOnce<'_> {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        self.reached.store(self.frames.now.tick().number(), Ordering::Relaxed);
        self.frames.poll(on_frame)
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        self.frames.drops()
    }

    fn strain(&mut self) -> Option<Strain> {
        self.frames.strain()
    }
}

/// An outlet that takes 2 ms for each tick, and notes how many were ahead of it at most.
struct Behind<'a> {
    reached: &'a AtomicU64,
    most: u64,
}

impl Outlet for Behind<'_> {
    fn tick(&mut self, tick: &JudgedTick<'_>) {
        let over = Deadline::after(Duration::from_millis(2));
        while !over.passed() {
            std::hint::spin_loop();
        }
        self.most = self.most.max(self.reached.load(Ordering::Relaxed).saturating_sub(tick.summary.tick.number()));
    }

    fn alert(&mut self, _line: &Alert) {}

    fn flow(&mut self, _record: &FlowRecord, _policy: &Policy) {}
}

#[test]
fn a_scorer_that_is_too_slow_holds_up_the_capture_instead_of_growing_a_queue() {
    let lead = Duration::ZERO;
    let frames =
        traffic(Scenario::Calm, &Parameters { duration: Duration::from_secs(250), lead, ..Parameters::default() });
    for threads in [2, 4] {
        let (began, reached) = (frames[0].0, AtomicU64::new(0));
        let pressed = Pressed { frames: frames.iter().peekable(), began, now: began, script: |_| AT_EASE };
        let source = AtOnce { frames: pressed, reached: &reached };
        let sources = vec![Source { name: "double".to_owned(), frames: Box::new(source) }];
        let mut behind = Behind { reached: &reached, most: 0 };
        let outcome = run(sources, &settings(threads, true), &mut behind, &AtomicBool::new(false));
        assert_eq!(outcome.accounting().processed, frames.len() as u64);
        // Those that wait in the channel, and the packets of those under way in batches.
        assert!((8..100).contains(&behind.most), "{threads} threads: {} ticks behind", behind.most);
    }
}

/// An outlet that takes 40 us for each packet that was counted, and stops the run when all are counted again.
struct Slow<'a> {
    counted: u64,
    sparsest: Sampling,
    deadline: Deadline,
    stop: &'a AtomicBool,
}

impl Outlet for Slow<'_> {
    fn tick(&mut self, tick: &JudgedTick<'_>) {
        let counted = tick.books.iter().map(|books| books.processed).sum();
        let takes = Duration::from_micros(40) * u32::try_from(counted - self.counted).unwrap();
        self.counted = counted;
        let over = Deadline::after(takes);
        while !over.passed() {
            std::hint::spin_loop();
        }
        let sampling = tick.capture.sampling;
        self.sparsest = self.sparsest.max(sampling);
        let recovered = sampling.is_whole() && !self.sparsest.is_whole();
        if recovered || self.deadline.passed() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }

    fn alert(&mut self, _line: &Alert) {}

    fn flow(&mut self, _record: &FlowRecord, _policy: &Policy) {}
}

/// Five seconds of 60,000 frames a second from 2,000 clients.
fn rain() -> Vec<Vec<u8>> {
    let frame = |n: u32| {
        let [.., high, low] = (n.wrapping_mul(2_654_435_761) % 2_000).to_be_bytes();
        let client = (IpAddr::V4(Ipv4Addr::new(198, 18, high, low)), 40_000);
        Segment::new(client, (IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), 443), ACK, n, 20).frame()
    };
    (0..300_000).map(frame).collect()
}

#[test]
fn a_run_that_is_too_slow_for_its_interface_sheds_instead_of_losing_and_recovers() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let (frames, folder) = (rain(), tempfile::tempdir().unwrap());
    let path = folder.path().join("rain.pcap");
    write_pcap(&path, &frames).unwrap();
    let stop = AtomicBool::new(false);
    let (ready, is_ready) = mpsc::channel();
    let (books, slow) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            network.receiver.enter(|| {
                let sockets = live::open("recv0", InterfaceId(0), &live::Settings::default()).unwrap();
                let [socket] = <[LiveSource; 1]>::try_from(sockets).ok().unwrap();
                let sources = vec![Source { name: "recv0".to_owned(), frames: Box::new(socket) }];
                ready.send(()).unwrap();
                let deadline = Deadline::after(2 * PATIENCE);
                let mut slow = Slow { counted: 0, sparsest: Sampling::WHOLE, deadline, stop: &stop };
                let outcome = run(sources, &settings(1, true), &mut slow, &stop);
                (outcome.accounting(), slow)
            })
        });
        is_ready.recv_timeout(PATIENCE).expect("the capture opens");
        assert_eq!(tcpreplay(&network.sender, "send0", "--pps=60000", &path), frames.len() as u64);
        watching.join().unwrap()
    });
    assert!(!slow.deadline.passed(), "everything is counted again: {:?}, {books:?}", slow.sparsest);
    let lost = books.dropped.kernel + books.dropped.interface;
    assert_eq!(books.packets, frames.len() as u64);
    assert_eq!(books.packets, books.processed + books.discarded.values().sum::<u64>() + lost + books.shed);
    assert!(books.shed > lost, "{} shed and {lost} lost", books.shed);
    eprintln!("{} of {} shed, {lost} lost, down to one in {}", books.shed, books.packets, slow.sparsest.one_in());
}
