//! The doctor between two network namespaces: a good port, and ports with one thing wrong each.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use support::frames::{ACK, SYN, Segment, write_pcap};
use support::netns::{Network, PATIENCE, Wiring, tcpreplay};
use vigie::doctor::{self, Diagnosis, Grade};
use vigie::source::live::Settings;

/// Long enough for what a test sends; the look is not cut short.
const LOOK: Duration = Duration::from_secs(3);

/// Looks at `recv0` while `traffic` runs.
fn look(network: &Network, traffic: impl FnOnce() + Send) -> (Diagnosis, String) {
    let (ready, is_ready) = mpsc::channel();
    thread::scope(|scope| {
        let doctor = scope.spawn(|| {
            network.receiver.enter(|| {
                let mut text = Vec::new();
                let mut on_progress = |_| {
                    let _ = ready.send(());
                    ControlFlow::Continue(())
                };
                let diagnosis = doctor::run("recv0", LOOK, &Settings::default(), &mut text, &mut on_progress);
                (diagnosis.unwrap(), String::from_utf8(text).unwrap())
            })
        });
        is_ready.recv_timeout(PATIENCE).expect("the look begins");
        traffic();
        doctor.join().unwrap()
    })
}

/// Conversations of a client with a server: opening, then twenty segments from each side.
fn conversations(count: u8, ipv6: bool) -> Vec<Segment> {
    let address = |host: u8| -> IpAddr {
        if ipv6 {
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)).into()
        } else {
            Ipv4Addr::new(198, 51, 100, host).into()
        }
    };
    let server = (address(250), 443);
    let talk = |client: u8| {
        let client = (address(client), 50_000);
        let opening = [Segment::new(client, server, SYN, 1, 0), Segment::new(server, client, SYN | ACK, 1, 0)];
        let turns = (0..40u32).map(move |turn| {
            let (from, to) = if turn % 2 == 0 { (client, server) } else { (server, client) };
            Segment::new(from, to, ACK, 1_000 + turn * 200, 200)
        });
        opening.into_iter().chain(turns)
    };
    (1..=count).flat_map(talk).collect()
}

fn capture_file(frames: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sent.pcap");
    write_pcap(&path, frames).unwrap();
    (directory, path)
}

/// Sends the frames at a pace that any machine keeps up with, inside the look.
fn send(network: &Network, frames: &[Vec<u8>]) {
    let (_directory, path) = capture_file(frames);
    assert_eq!(tcpreplay(&network.sender, "send0", "--pps=4000", &path), frames.len() as u64);
}

fn grades(diagnosis: &Diagnosis, at_least: Grade) -> Vec<String> {
    let worse = diagnosis.advice().into_iter().filter(|advice| advice.grade >= at_least);
    worse.map(|advice| advice.sentence).collect()
}

#[test]
fn a_good_port_is_good() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let segments = [conversations(40, false), conversations(20, true)].concat();
    let frames: Vec<_> = segments.iter().map(Segment::frame).collect();
    let (diagnosis, text) = look(&network, || send(&network, &frames));
    assert!(diagnosis.is_usable(), "{text}");
    assert_eq!(grades(&diagnosis, Grade::Mend), Vec::<String>::new(), "{text}");
    assert_eq!(diagnosis.counts.frames, frames.len() as u64, "{text}");
    assert_eq!((diagnosis.counts.ipv4, diagnosis.counts.ipv6), (40 * 42, 20 * 42));
    assert_eq!((diagnosis.conversations.both_ways, diagnosis.conversations.one_way), (60, 0));
    assert_eq!(diagnosis.facts.mtu, Some(1_500));
    assert!(diagnosis.looked >= LOOK && diagnosis.looked < LOOK + Duration::from_secs(2), "{:?}", diagnosis.looked);
    assert!(text.ends_with("This port can be used.\n"), "{text}");
}

#[test]
fn a_port_that_shows_one_direction_is_unusable() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let inbound = conversations(40, false).into_iter().filter(|segment| segment.to.1 == 443);
    let frames: Vec<_> = inbound.map(|segment| segment.frame()).collect();
    let (diagnosis, text) = look(&network, || send(&network, &frames));
    assert!(!diagnosis.is_usable(), "{text}");
    let [sentence] = &grades(&diagnosis, Grade::Mend)[..] else { panic!("{text}") };
    assert!(sentence.starts_with("Only one direction is seen in 40 of 40 conversations"), "{sentence}");
}

#[test]
fn a_port_that_shows_packets_twice_is_told_why() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    for (change, cause) in [
        ((|segment| Segment { ttl: 63, ..segment }) as fn(Segment) -> Segment, "both sides of a router"),
        (|segment| Segment { vlans: [Some(7), None], ..segment }, "before and after it is tagged"),
        (|segment| segment, "where they enter and again where they leave"),
    ] {
        let twice = conversations(40, false).into_iter().flat_map(|segment| [segment, change(segment)]);
        let frames: Vec<_> = twice.map(|segment| segment.frame()).collect();
        let (diagnosis, text) = look(&network, || send(&network, &frames));
        assert!(diagnosis.is_usable(), "{text}");
        let [sentence] = &grades(&diagnosis, Grade::Mend)[..] else { panic!("{text}") };
        assert!(sentence.starts_with("50.0 % of the packets with payload come twice"), "{sentence}");
        assert!(sentence.contains(cause), "{sentence}");
    }
}

#[test]
fn a_silent_port_and_one_without_a_mirror_session_are_unusable() {
    let Some(network) = Network::make(Wiring::default(), &["tcpreplay"]) else { return };
    let (diagnosis, text) = look(&network, || {});
    assert!(!diagnosis.is_usable(), "{text}");
    assert!(text.contains("Nothing was seen"), "{text}");
    // A group address, as in the broadcasts that reach every port of a switch.
    let noise = |segment: &Segment| {
        let mut frame = segment.frame();
        frame[..6].fill(0xff);
        frame
    };
    let frames: Vec<_> = conversations(20, false).iter().map(noise).collect();
    let (diagnosis, text) = look(&network, || send(&network, &frames));
    assert!(!diagnosis.is_usable(), "{text}");
    assert!(text.contains("Only broadcasts and multicasts"), "{text}");
}

#[test]
fn merged_packets_are_noticed() {
    let Some(network) = Network::make(Wiring { offloads: true, ..Wiring::default() }, &[]) else { return };
    network.receiver.run("ip", &["address", "add", "192.0.2.1/24", "dev", "recv0"]);
    network.sender.run("ip", &["address", "add", "192.0.2.2/24", "dev", "send0"]);
    let (diagnosis, text) = look(&network, || download(&network, 16 << 20));
    let sentences = grades(&diagnosis, Grade::Mend);
    assert!(diagnosis.counts.oversized > 100, "{text}");
    assert!(sentences.iter().any(|sentence| sentence.contains("`sudo ethtool -K recv0 gro off")), "{text}");
}

/// Moves bytes from the receiver's namespace to the sender's over a real TCP connection.
fn download(network: &Network, bytes: usize) {
    thread::scope(|scope| {
        let listener = network.receiver.enter(|| TcpListener::bind("192.0.2.1:8080").unwrap());
        scope.spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&vec![b'v'; bytes]).unwrap();
        });
        let mut stream = network.sender.enter(|| TcpStream::connect("192.0.2.1:8080").unwrap());
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        assert_eq!(received.len(), bytes);
    });
}
