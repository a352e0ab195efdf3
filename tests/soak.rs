//! A run that goes on and on stays as it was after its first part: memory, descriptors, threads.
//!
//! `make soak` replays two simulated weeks through the program and watches a live link for half an hour. Plain
//! `cargo test` does the same with a few hours, and leaves the live part to `make soak`.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use support::Deadline;
use support::netns::{Background, Network, Wiring};

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Held {
    /// Resident memory in KiB.
    memory: u64,
    descriptors: usize,
    threads: usize,
}

impl Held {
    /// Nothing once the process is gone.
    fn of(id: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        Some(Self {
            memory: field("VmRSS:")?.parse().ok()?,
            descriptors: fs::read_dir(format!("/proc/{id}/fd")).ok()?.count(),
            threads: field("Threads:")?.parse().ok()?,
        })
    }
}

/// KiB by which the second half of a run may hold more: a hundredth of what a run may take (DESIGN 7), and the verdicts of
/// minutes, which are kept for the summary, 300 bytes each.
const GROWTH: u64 = (256 << 10) / 100 + 3_000;

/// Fails when the second half of a run holds more than its first half ever did.
#[track_caller]
fn assert_flat(looks: &[Held]) {
    let (first, second) = looks.split_at(looks.len() / 2);
    let most = |looks: &[Held], of: fn(&Held) -> u64| looks.iter().map(of).max().unwrap_or_default();
    let memory = |looks: &[Held]| most(looks, |held| held.memory);
    eprintln!("{} looks, {:?} in the middle, {:?} at the end", looks.len(), first.last(), second.last());
    assert!(looks.len() >= 20, "too short to tell: {looks:?}");
    assert!(memory(second) <= memory(first) + GROWTH, "memory grows: {first:?} {second:?}");
    assert!(typical(second, |held| held.descriptors) <= typical(first, |held| held.descriptors), "descriptors grow");
    assert!(typical(second, |held| held.threads) <= typical(first, |held| held.threads), "threads grow");
}

/// The median: a look may meet a file that is just being written, and what leaks is still there at every later look.
fn typical(looks: &[Held], of: fn(&Held) -> usize) -> usize {
    let mut counts: Vec<_> = looks.iter().map(of).collect();
    counts.sort_unstable();
    counts[counts.len() / 2]
}

/// Looks at a process until it has ended.
fn follow(child: &mut Child, every: Duration) -> Vec<Held> {
    let mut looks = Vec::new();
    while !Deadline::after(every).wait_until(|| child.try_wait().unwrap().is_some()) {
        looks.extend(Held::of(child.id()));
    }
    looks
}

/// Seconds of ordinary traffic that is repeated.
const STRETCH: u32 = 1_800;

/// Half an hour of ordinary traffic, a connection a second.
fn stretch(folder: &Path) -> Vec<u8> {
    let path = folder.join("calm.pcap");
    let seconds = STRETCH.to_string();
    let synth = ["synth", "calm", "-q", "--rate", "1", "--lead", "60", "--duration", &seconds, "-o"];
    assert!(Command::new(env!("CARGO_BIN_EXE_vigie")).args(synth).arg(&path).status().unwrap().success());
    fs::read(path).unwrap()
}

/// Writes the stretch again and again, each time later: what grows has nothing to grow by but time.
fn write_days(days: f64, capture: &[u8], out: &mut impl Write) -> io::Result<()> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    out.write_all(&capture[..24])?;
    let seconds = u32::try_from(Duration::from_secs_f64(days * 86_400.0).as_secs()).expect("fewer than a century");
    for time in 0..seconds / STRETCH {
        let mut at = 24;
        while at < capture.len() {
            let next = at + 16 + usize::try_from(word(at + 8)).unwrap();
            out.write_all(&(word(at) + time * STRETCH).to_le_bytes())?;
            out.write_all(&capture[at + 4..next])?;
            at = next;
        }
    }
    out.flush()
}

#[test]
fn simulated_time_makes_nothing_grow() {
    let days: f64 = std::env::var("VIGIE_SOAK_DAYS").map_or(0.25, |days| days.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let capture = stretch(folder.path());
    // Tables that are all in use soon: memory is reserved at the start and resident when it is first used.
    fs::write(folder.path().join("vigie.toml"), "flow_capacity = 4096\npending_capacity = 4096\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_vigie"))
        .args(["replay", "-q", "--metrics", "127.0.0.1:0", "--home", "FR", "--protect", "203.0.113.0/24=ecole"])
        .args(["--protect", "2001:db8:113::/48=ecole", "--threads", "2", "--alerts", "alerts.jsonl"])
        .args(["--config", "vigie.toml", "--state", "state", "-"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = BufWriter::new(child.stdin.take().unwrap());
    let writer = thread::spawn(move || write_days(days, &capture, &mut input));
    let looks = follow(&mut child, Duration::from_millis(if days < 1.0 { 50 } else { 500 }));
    assert!(child.wait().unwrap().success());
    writer.join().unwrap().unwrap();
    assert_flat(&looks);
}

/// Only where it is asked for, by `VIGIE_SOAK_SECONDS`: it takes its time.
#[test]
fn a_live_link_makes_nothing_grow() {
    let Some(seconds) = std::env::var("VIGIE_SOAK_SECONDS").ok() else { return };
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("calm.pcap");
    let fixture = support::fixtures::Fixture::read("calm");
    let start = fixture.start();
    fixture.write_stretch(start, start.plus(Duration::from_secs(60)), &capture);
    // Without the bound of the tests' commands: half an hour is what this is about.
    let inside = |program: &str| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &network.receiver.name, program]).stdin(Stdio::null());
        command
    };
    let mut watch = inside(env!("CARGO_BIN_EXE_vigie"));
    watch.args(["watch", "-q", "-i", "recv0", "--alerts", "alerts.jsonl", "--state", "state"]);
    let mut watch = watch.current_dir(folder.path()).spawn().unwrap();
    let sender = Background::start(
        Command::new("ip")
            .args(["netns", "exec", &network.sender.name, "tcpreplay", "-q", "--loop=0", "--pps=20000"])
            .args([&format!("--duration={seconds}"), "-i", "send0"])
            .arg(&capture)
            .stdout(Stdio::null()),
    );
    let mut looks = Vec::new();
    let end = Deadline::after(Duration::from_secs(seconds.parse().unwrap()));
    while !end.passed() && !Deadline::after(Duration::from_secs(2)).wait_until(|| watch.try_wait().unwrap().is_some()) {
        looks.extend(Held::of(watch.id()));
    }
    drop(sender);
    assert!(Command::new("kill").arg(watch.id().to_string()).status().unwrap().success());
    assert!(watch.wait().unwrap().success());
    assert_flat(&looks);
}
