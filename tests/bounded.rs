//! What attackers send makes nothing grow: memory, metrics and alert lines after a million forged sources and after many
//! times that, through the whole program.
//!
//! `VIGIE_SOURCES=100000000` sends so many (`make floods`); plain `cargo test` sends three million of each kind. The flood
//! comes through a pipe at 250,000 packets a second of capture time, with 100 established connections among it. Tables are
//! small, so that a million sources fill them: memory is reserved at the start and resident when it is first used.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::Value;
use vigie::hash::mix;

/// Sources after which memory is first looked at.
const FIRST_LOOK: u64 = 1_000_000;
const BY_DEFAULT: u64 = 3_000_000;
const PACKETS_PER_SECOND: u64 = 250_000;
/// Tables that a million sources fill.
const SMALL: &str = "flow_capacity = 65536\npending_capacity = 65536\ncohort_capacity = 4096\n";
/// What a replay may take in KiB (DESIGN 7); it may vary by a hundredth of that.
const BUDGET: u64 = 256 << 10;
/// Connections that were there before, and how many packets of the flood lie between two of theirs.
const ESTABLISHED: u64 = 100;
const BETWEEN: u64 = 1_000;
/// Turns of theirs before the flood, five a second.
const QUIET_ROUNDS: u64 = 2_100;

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn sources() -> u64 {
    std::env::var("VIGIE_SOURCES").map_or(BY_DEFAULT, |text| text.parse().expect("VIGIE_SOURCES is a number"))
}

/// A TCP segment between IPv4 or IPv6 addresses.
#[derive(Clone, Copy, Default)]
struct Segment {
    /// The lower 32 bits of an IPv4 address, or the upper and lower half of one of IPv6.
    from: (u64, u64),
    to: (u64, u64),
    ports: (u16, u16),
    flags: u8,
    numbers: (u32, u32),
    payload: u16,
    is_v6: bool,
}

/// 203.0.113.10, which is protected.
const SERVER: (u64, u64) = (0, 0xcb00_710a);

impl Segment {
    fn to_server(source: u64, n: u64) -> Self {
        let port = 1_024 + u16::try_from(n % 60_000).unwrap();
        Self { from: (0, source & 0xffff_ffff), to: SERVER, ports: (port, 443), flags: SYN, ..Self::default() }
    }

    /// Writes a pcap record: header, Ethernet, IP, TCP.
    fn write(&self, nanos: u64, out: &mut impl Write) -> std::io::Result<()> {
        let mut frame = [0_u8; 16 + 74];
        let length = if self.is_v6 { 74 } else { 54 };
        // Only headers are captured, as with a snap length.
        let words = [nanos / 1_000_000_000, nanos % 1_000_000_000, length, length + u64::from(self.payload)];
        for (place, word) in words.into_iter().enumerate() {
            frame[place * 4..place * 4 + 4].copy_from_slice(&u32::try_from(word).unwrap().to_le_bytes());
        }
        let ip = 16 + 14;
        let tcp = if self.is_v6 {
            frame[28..30].copy_from_slice(&[0x86, 0xdd]);
            frame[ip..ip + 8].copy_from_slice(&[0x60, 0, 0, 0, 0, 20, 6, 64]);
            for (place, half) in [self.from.0, self.from.1, self.to.0, self.to.1].into_iter().enumerate() {
                frame[ip + 8 + place * 8..ip + 16 + place * 8].copy_from_slice(&half.to_be_bytes());
            }
            ip + 40
        } else {
            frame[28..30].copy_from_slice(&[0x08, 0x00]);
            frame[ip..ip + 10].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
            frame[ip + 2..ip + 4].copy_from_slice(&(40 + self.payload).to_be_bytes());
            frame[ip + 12..ip + 16].copy_from_slice(&self.from.1.to_be_bytes()[4..]);
            frame[ip + 16..ip + 20].copy_from_slice(&self.to.1.to_be_bytes()[4..]);
            ip + 20
        };
        frame[tcp..tcp + 2].copy_from_slice(&self.ports.0.to_be_bytes());
        frame[tcp + 2..tcp + 4].copy_from_slice(&self.ports.1.to_be_bytes());
        frame[tcp + 4..tcp + 8].copy_from_slice(&self.numbers.0.to_be_bytes());
        frame[tcp + 8..tcp + 12].copy_from_slice(&self.numbers.1.to_be_bytes());
        frame[tcp + 12..tcp + 16].copy_from_slice(&[0x50, self.flags, 0xff, 0xff]);
        out.write_all(&frame[..tcp + 20])
    }
}

/// One source after another, each with one packet, and what the packet is.
type Flood = (&'static str, fn(u64) -> Segment);

const FLOODS: [Flood; 7] = [
    ("SYNs from random sources", |n| Segment::to_server(mix(1, n), n)),
    ("random IPv6 sources and destinations", |n| Segment {
        from: (0x2a01_0000_0000_0000 | mix(2, n) >> 16, mix(3, n)),
        to: (0x2001_0db8_0113_0000 | mix(4, n) & 0xffff, mix(5, n)),
        ports: (40_000, 443),
        flags: SYN,
        is_v6: true,
        ..Segment::default()
    }),
    ("a segment of no connection from each source", |n| Segment {
        flags: ACK,
        numbers: (7, 9),
        ..Segment::to_server(mix(6, n), n)
    }),
    ("every combination of flags", |n| Segment {
        flags: u8::try_from(n & 0xff).unwrap(),
        ..Segment::to_server(mix(7, n), n)
    }),
    // What collides in a hash without a secret: addresses and ports whose sums and exclusive ors are all the same.
    ("sources chosen to collide", |n| {
        let low = n & 0xffff;
        let source = (n >> 16 & 0xffff ^ low) << 16 | low;
        let port = u16::try_from(low ^ 0x5555).unwrap();
        Segment { ports: (port, 443), ..Segment::to_server(source, n) }
    }),
    ("every country in turn", |n| Segment::to_server(n.wrapping_mul(0x0001_0001) & 0xffff_ffff, n)),
    ("every port of every host", |n| Segment {
        to: (0, 0xcb00_7100 | n & 0xff),
        ports: (50_000, u16::try_from(mix(8, n) & 0xffff).unwrap()),
        ..Segment::to_server(mix(9, n), n)
    }),
];

/// A replay that reads from us, and shows its metrics meanwhile.
struct Run {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    address: String,
    nanos: u64,
}

/// What was seen of it at one moment.
#[derive(Debug)]
struct Look {
    /// Resident, in KiB.
    memory: u64,
    /// Bytes of `/metrics`.
    metrics: usize,
}

impl Run {
    fn start(folder: &Path, tables: &str) -> Self {
        fs::write(folder.join("vigie.toml"), tables).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["replay", "-v", "--format", "json", "--threads", "1", "--metrics", "127.0.0.1:0", "--home", "FR"])
            .args(["--protect", "203.0.113.0/24=ecole", "--protect", "2001:db8:113::/48=ecole"])
            .args(["--config", "vigie.toml", "--alerts", "alerts.jsonl", "-"])
            .current_dir(folder)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = BufWriter::with_capacity(1 << 16, child.stdin.take().unwrap());
        input.write_all(&[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]).unwrap();
        input.flush().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("serving metrics") {
            assert!(errors.read_line(&mut said).unwrap() > 0, "it ended before: {said}");
        }
        let address = said.lines().last().unwrap().rsplit_once("address=").unwrap().1.trim().to_owned();
        // What it says later is of no interest, and must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Self { child, input: Some(input), address, nanos: 1_700_000_000_000_000_000 }
    }

    fn send(&mut self, segment: &Segment) {
        self.nanos += 1_000_000_000 / PACKETS_PER_SECOND;
        segment.write(self.nanos, self.input.as_mut().expect("open until the end")).unwrap();
    }

    /// The connections that were there before, for long enough that windows of five minutes are full.
    fn establish(&mut self) {
        for n in 0..ESTABLISHED {
            let [client, server] = established(n);
            self.send(&Segment { flags: SYN, numbers: (100, 0), ..client });
            self.send(&Segment { flags: SYN | ACK, numbers: (900, 101), ..server });
            self.send(&Segment { flags: ACK, numbers: (101, 901), ..client });
        }
        for n in 0..QUIET_ROUNDS {
            self.nanos += 200_000_000;
            self.keep_talking(n);
        }
    }

    fn keep_talking(&mut self, n: u64) {
        let [client, server] = established(n % ESTABLISHED);
        let said = u32::try_from(n / ESTABLISHED % 1_000_000).unwrap() * 1_000;
        self.send(&Segment { flags: ACK, numbers: (101 + said, 901 + said), payload: 1_000, ..client });
        self.send(&Segment { flags: ACK, numbers: (901 + said, 1_101 + said), payload: 1_000, ..server });
    }

    /// Looks once everything sent so far was taken: the pipe is short, and what is read ahead is part of the memory.
    fn look(&mut self) -> Look {
        self.input.as_mut().expect("open until the end").flush().unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        let memory = line.split_whitespace().next().unwrap().parse().unwrap();
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"), "{answer}");
        Look { memory, metrics: answer.len() }
    }

    fn end(mut self) -> Value {
        drop(self.input.take());
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", output.status);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// Both directions of a connection that stays.
fn established(n: u64) -> [Segment; 2] {
    let client = Segment { ports: (2_000, 443), ..Segment::to_server(0x5102_0000 + n, 0) };
    let server = Segment { from: client.to, to: client.from, ports: (443, 2_000), ..client };
    [client, server]
}

#[test]
fn many_millions_of_sources_take_the_memory_of_one_million() {
    let sources = sources();
    for (name, segment) in FLOODS {
        let folder = tempfile::tempdir().unwrap();
        let mut run = Run::start(folder.path(), SMALL);
        run.establish();
        let mut first = None;
        for n in 0..sources {
            run.send(&segment(n));
            if n % BETWEEN == 0 {
                run.keep_talking(QUIET_ROUNDS + n / BETWEEN);
            }
            if n + 1 == FIRST_LOOK {
                first = Some(run.look());
            }
        }
        let (first, last) = (first.expect("more than a million"), run.look());
        let summary = run.end();
        let lines = fs::read_to_string(folder.path().join("alerts.jsonl")).unwrap().lines().count();
        eprintln!(
            "{name}: {} KiB after {FIRST_LOOK} sources, {} after {sources}; /metrics {} and {} bytes; {lines} alert lines",
            first.memory, last.memory, first.metrics, last.metrics
        );
        assert!(last.memory <= first.memory + BUDGET / 100, "{name}: {first:?}, then {last:?}");
        assert!(last.metrics < 512 << 10 && last.metrics < first.metrics * 3 / 2, "{name}: {first:?}, then {last:?}");
        let seconds = sources / PACKETS_PER_SECOND + 1;
        assert!((1..=40 + 4 * seconds).contains(&(lines as u64)), "{name}: {lines} alert lines in {seconds} s");
        // Each established connection is still the flow it was: one that had been evicted would have been admitted again.
        assert_eq!(summary["flows"], ESTABLISHED, "{name}");
        let packets = sources + 3 * ESTABLISHED + 2 * QUIET_ROUNDS + 2 * sources.div_ceil(BETWEEN);
        assert_eq!((&summary["packets"], &summary["processed"]), (&packets.into(), &packets.into()), "{name}");
    }
}

/// Bots with addresses of their own, who do finish their handshakes, fill the table; who talks keeps his place.
#[test]
fn a_table_full_of_finished_handshakes_keeps_the_connections_that_talk() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path(), "");
    run.establish();
    let bots = 1_500_000;
    for n in 0..bots {
        let client = Segment { ports: (3_000, 443), ..Segment::to_server(0x5200_0000 + n, 0) };
        let server = Segment { from: client.to, to: client.from, ports: (443, 3_000), ..client };
        run.send(&Segment { flags: SYN, numbers: (1, 0), ..client });
        run.send(&Segment { flags: SYN | ACK, numbers: (5, 2), ..server });
        run.send(&Segment { flags: ACK, numbers: (2, 6), ..client });
        if n % BETWEEN == 0 {
            (0..ESTABLISHED).for_each(|talker| run.keep_talking(QUIET_ROUNDS + n / BETWEEN * ESTABLISHED + talker));
        }
    }
    let mut stream = TcpStream::connect(&run.address).unwrap();
    run.look();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {}\r\n\r\n", run.address).unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    let evicted = metrics
        .lines()
        .find_map(|line| line.strip_prefix("vigie_flows_ended_total{reason=\"lack_of_resources\"} "))
        .unwrap_or_else(|| panic!("evictions are shown: {metrics}"))
        .parse::<u64>()
        .unwrap();
    let admitted = run.end()["flows"].as_u64().unwrap();
    eprintln!("{admitted} flows admitted, {evicted} evicted");
    assert!(evicted > bots / 5, "the table was to be full: {evicted} evictions");
    assert!(admitted <= bots + ESTABLISHED, "connections that talk were evicted and came back: {admitted}");
    // Of the talkers, as of the bots, a few may find no place when both their buckets are full of others that are busy.
    assert!(admitted >= (bots + ESTABLISHED) * 99 / 100, "{admitted} of {} admitted", bots + ESTABLISHED);
}
