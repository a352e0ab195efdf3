//! `vigie watch` between two network namespaces: real senders, a real kernel, the whole program.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::Deadline;
use support::fixtures::Fixture;
use support::netns::{Namespace, Network, PATIENCE, Wiring, device_address, is_installed, tcpreplay};
use support::watch::Watch;

const SEND: &[&str] = &["tcpreplay"];

#[test]
fn a_calm_link_is_counted_to_the_frame_and_raises_nothing() {
    let Some(network) = Network::make(Wiring::default(), SEND) else { return };
    let fixture = Fixture::read("calm");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calm.pcap");
    let start = fixture.start();
    let frames = fixture.write_stretch(start, start.plus(Duration::from_secs(20)), &path);
    let watch = Watch::start(&network.receiver, &["recv0"], &fixture.arguments());
    assert_eq!(tcpreplay(&network.sender, "send0", "--multiplier=1", &path), frames);
    watch.wait_for(frames);
    let outcome = watch.stop("INT");
    assert_eq!(outcome.packets(), frames);
    assert_eq!(outcome.loud(), BTreeSet::new());
}

/// From 20 s before a flood to 25 s after its start.
fn flood(directory: &tempfile::TempDir) -> (Fixture, std::path::PathBuf, u64) {
    let fixture = Fixture::read("syn-flood");
    let path = directory.path().join("flood.pcap");
    let start = fixture.start_of("syn_flood");
    let frames =
        fixture.write_stretch(start.minus(Duration::from_secs(20)), start.plus(Duration::from_secs(25)), &path);
    (fixture, path, frames)
}

#[test]
fn a_flood_is_named_the_same_on_one_tap_and_on_a_tap_for_each_direction() {
    let Some(network) = Network::make(Wiring { cables: 3, ..Wiring::default() }, &["tcpreplay", "tcpprep"]) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (fixture, path, frames) = flood(&directory);
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();

    let merged = Watch::start(&network.receiver, &["recv0"], &[&fixture.arguments()[..], &threads(2)].concat());
    assert_eq!(tcpreplay(&network.sender, "send0", "--multiplier=1", &path), frames);
    merged.wait_for(frames);
    let merged = merged.stop("INT");
    assert_eq!(merged.packets(), frames);
    assert!(merged.loud().iter().any(|(kind, ..)| kind == "syn_flood"), "{:?}", merged.loud());
    merged.assert_closed();

    // One process sends both halves, so that a SYN-ACK keeps its distance from its SYN.
    let cache = directory.path().join("sides");
    let servers = fixture.protected().join(",");
    let sides = format!("--cidr={servers}");
    network
        .sender
        .run("tcpprep", &[&sides, &format!("--pcap={}", text(&path)), &format!("--cachefile={}", text(&cache))]);
    let split = Watch::start(&network.receiver, &["recv1", "recv2"], &fixture.arguments());
    let both = format!("--cachefile={}", text(&cache));
    network
        .sender
        .run("tcpreplay", &["-q", "--timer=nano", "--multiplier=1", "-i", "send1", "-I", "send2", &both, &text(&path)]);
    split.wait_for(frames);
    let split = split.stop("TERM");
    assert_eq!(split.packets(), frames);
    assert_eq!(split.loud(), merged.loud());
}

fn threads(count: u8) -> [String; 2] {
    ["--threads".to_owned(), count.to_string()]
}

#[test]
fn a_real_flood_against_a_real_server_opens_an_alert() {
    let Some(network) = Network::make(Wiring::default(), &["hping3"]) else { return };
    let server = route(&network);
    let arguments = ["--protect", "203.0.113.0/24=web"].map(str::to_owned);
    let watch = Watch::start(&network.receiver, &["recv0"], &[&arguments[..], &threads(2)].concat());
    let before = carried(&network.receiver);
    for _ in 0..100 {
        network.sender.enter(ask_the_server);
    }
    let sent = 20_000;
    let flood = ["-q", "-S", "--rand-source", "-i", "u500", "-c", "20000", "-p", "443", "-I", "send0", "203.0.113.10"];
    // hping3 counts replies, which go to the forged sources: its exit code says that none came back.
    let output = network.sender.command("hping3", &flood).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("20000 packets transmitted"), "{said}");
    let frames = carried(&network.receiver) - before;
    assert!(frames > sent, "{frames}");
    watch.wait_for(frames);
    let outcome = watch.stop("INT");
    drop(server);
    // The kernel may still have repeated a SYN-ACK or two after its counters were read.
    assert!(outcome.packets().abs_diff(frames) < 2_000, "{} seen, {frames} carried", outcome.packets());
    assert!(outcome.packets() >= frames);
    let loud = outcome.loud();
    assert!(loud.iter().any(|(kind, target, _)| kind == "syn_flood" && target == "203.0.113.10/32"), "{loud:?}");
    let opened = outcome.alerts.iter().find(|line| line["kind"] == "syn_flood").expect("it opened");
    assert_eq!(opened["spoofed"], true, "{opened}");
    outcome.assert_closed();
}

/// Gives the receiver's side a web server at 203.0.113.10 that answers forged sources through the sender's side.
fn route(network: &Network) -> impl Drop {
    let (receiver, sender) = (&network.receiver, &network.sender);
    receiver.run("ip", &["address", "add", "203.0.113.10/24", "dev", "recv0"]);
    receiver.run("ip", &["address", "add", "198.51.100.1/24", "dev", "recv0"]);
    sender.run("ip", &["address", "add", "198.51.100.2/24", "dev", "send0"]);
    sender.run("ip", &["route", "add", "203.0.113.0/24", "dev", "send0"]);
    for (namespace, device, address, neighbour) in
        [(receiver, "recv0", "198.51.100.2", "send0"), (sender, "send0", "203.0.113.10", "recv0")]
    {
        let hardware = device_address(neighbour);
        namespace.run("ip", &["neigh", "add", address, "lladdr", &hardware, "dev", device, "nud", "permanent"]);
    }
    receiver.run("ip", &["route", "add", "default", "via", "198.51.100.2"]);
    Server::start(receiver)
}

/// A server that answers each connection with a line.
struct Server(Option<(thread::JoinHandle<()>, std::sync::Arc<std::sync::atomic::AtomicBool>)>);

impl Server {
    fn start(place: &Namespace) -> Self {
        use std::sync::atomic::Ordering::Relaxed;
        let listener = place.enter(|| TcpListener::bind("203.0.113.10:443").unwrap());
        listener.set_nonblocking(true).unwrap();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let serve = move || {
            Deadline::after(Duration::from_secs(120)).wait_until(|| {
                while let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.set_nonblocking(false);
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                    let mut request = [0; 64];
                    let _ = stream.read(&mut request).and_then(|_| stream.write_all(&[b'v'; 600]));
                }
                stopped.load(Relaxed)
            });
        };
        Self(Some((thread::spawn(serve), stop)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((thread, stop)) = self.0.take() {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            let _ = thread.join();
        }
    }
}

/// One ordinary visit.
fn ask_the_server() {
    let mut stream = TcpStream::connect("203.0.113.10:443").unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), 600);
}

/// Frames that the receiver's interface has carried, both ways.
fn carried(place: &Namespace) -> u64 {
    place.enter(|| {
        let table = fs::read_to_string("/proc/thread-self/net/dev").unwrap();
        let line = table.lines().find_map(|line| line.trim().strip_prefix("recv0:")).expect("the interface is there");
        let numbers: Vec<u64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        numbers[1] + numbers[9]
    })
}

#[test]
fn an_idle_link_ends_well_on_either_signal() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    for signal in ["INT", "TERM"] {
        let outcome = Watch::start(&network.receiver, &["recv0"], &[]).stop(signal);
        assert_eq!(outcome.packets(), 0);
        assert_eq!(outcome.summary["schema"], "vigie.summary/1");
    }
}

#[test]
fn a_changed_file_is_taken_on_sighup_and_a_wrong_one_is_refused() {
    let Some(network) = Network::make(Wiring::default(), SEND) else { return };
    let directory = tempfile::tempdir().unwrap();
    // The run gives up root: whoever it becomes reads the configuration, and the hook writes.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let config = directory.path().join("vigie.toml");
    let write = |text: &str| fs::write(&config, text).unwrap();
    let told = directory.path().join("told.jsonl");
    let script = format!("cat >> {}; echo >> {}", told.display(), told.display());
    let sink =
        |name: &str| format!("[[sink]]\nname = \"{name}\"\ntype = \"exec\"\ncommand = [\"sh\", \"-c\", {script:?}]\n");
    write(&format!("home = \"FR\"\nprotect = \"203.0.113.0/24=web\"\n{}severity = \"critical\"\n", sink("page")));
    let arguments = ["--config".to_owned(), config.to_str().unwrap().to_owned()];
    let watch = Watch::start(&network.receiver, &["recv0"], &arguments);
    let sites = || -> Vec<String> {
        let answer = watch.get("/api/v1/status");
        let body = answer.split_once("\r\n\r\n").map_or("{}", |(_, body)| body);
        let status: Value = serde_json::from_str(body).unwrap_or_default();
        let sites = status["sites"].as_array().cloned().unwrap_or_default();
        sites.iter().map(|site| format!("{}={}", site["name"].as_str().unwrap(), site["prefixes"][0])).collect()
    };
    let said = |what: &str| {
        let heard = || watch.file("errors.txt").contains(what);
        assert!(Deadline::after(PATIENCE).wait_until(heard), "not said: {what}: {}", watch.file("errors.txt"));
    };
    // Frames before the change are still in the books after it.
    let fixture = Fixture::read("calm");
    let path = directory.path().join("calm.pcap");
    let start = fixture.start();
    let frames = fixture.write_stretch(start, start.plus(Duration::from_secs(2)), &path);
    assert_eq!(tcpreplay(&network.sender, "send0", "--topspeed", &path), frames);
    watch.wait_for(frames);

    write("homme = \"FR\"\nprotect = \"203.0.113.1/24\"\n");
    watch.process.signal_program("HUP");
    said("vigie.toml:1: unknown key `homme`: did you mean `home`?");
    said("vigie.toml:2: `203.0.113.1/24` has bits set after its 24-bit prefix");
    said("reload: refused, the configuration before stays in force");
    assert_eq!(sites(), ["web=\"203.0.113.0/24\""]);

    write("[[sink]]\nname = \"late\"\ntype = \"exec\"\ncommand = [\"true\"]\n");
    watch.process.signal_program("HUP");
    said("sink `late`: the sandbox runs only commands that it was started with: restart for this one");

    let protect = "protect = [\"203.0.113.0/25=web\", \"2001:db8:113::/48=web\", \"198.51.100.0/24=lab\"]\n";
    // A receiver that was not there at the start, by its name: it is resolved and dialled from inside the sandbox.
    let (port, bodies) = receive(&network.receiver);
    let hook = format!("[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://localhost:{port}/told\"\n");
    write(&format!("home = \"DE\"\n{protect}{}{hook}", sink("chat")));
    watch.process.signal_program("HUP");
    said("reload: in force from now on: protect, sink; needs a restart: home");
    let rules = || sites() == ["web=\"203.0.113.0/25\"", "lab=\"198.51.100.0/24\""];
    assert!(Deadline::after(PATIENCE).wait_until(rules), "{:?}", sites());
    assert!(watch.counter("vigie_packets_total") >= frames, "the books go on");

    // A flood is told to the sink that came with the second file.
    let flood = ["-q", "-S", "--rand-source", "-i", "u500", "-c", "20000", "-p", "443", "-I", "send0", "203.0.113.10"];
    if is_installed("hping3") {
        let server = route(&network);
        let output = network.sender.command("hping3", &flood).output().unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("20000 packets transmitted"));
        let heard = || fs::read_to_string(&told).unwrap_or_default().contains("\"site\":\"web\"");
        assert!(Deadline::after(PATIENCE).wait_until(heard), "{}", watch.file("alerts.jsonl"));
        let body = bodies.recv_timeout(PATIENCE).expect("the new receiver is called");
        assert!(body.contains("vigie.alert/1"), "{body}");
        drop(server);
    }
    let outcome = watch.stop("TERM");
    assert!(outcome.packets() >= frames);
}

/// A receiver of alerts on a loopback address that takes them all; returns its port and what comes.
fn receive(place: &Namespace) -> (u16, mpsc::Receiver<String>) {
    let listener = place.enter(|| TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    let (tell, bodies) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut length = 0;
            for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                if let Some((name, value)) = line.split_once(':')
                    && name.eq_ignore_ascii_case("content-length")
                {
                    length = value.trim().parse().unwrap_or(0);
                }
            }
            let mut body = vec![0; length];
            if reader.read_exact(&mut body).is_ok() {
                let _ = tell.send(String::from_utf8_lossy(&body).into_owned());
            }
            let taken = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = reader.get_mut().write_all(taken);
        }
    });
    (port, bodies)
}

#[test]
fn without_the_right_to_capture_one_sentence_says_what_to_run() {
    if !is_installed("setpriv") {
        support::skip("`setpriv` is not installed");
        return;
    }
    // A copy that an unprivileged user may execute, wherever the build directory is.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = directory.path().join("vigie");
    fs::copy(env!("CARGO_BIN_EXE_vigie"), &binary).unwrap();
    let mut command = Command::new("timeout");
    command.args(["60", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]);
    command.arg("--bounding-set=-all").arg(&binary).args(["watch", "-i", "lo", "--metrics", "127.0.0.1:0"]);
    let output = command.current_dir("/").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("setpriv: ") {
        support::skip(&format!("giving up rights needs root: {said}"));
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{said}");
    let line = format!("`sudo setcap cap_net_raw,cap_net_admin=eip {}`", binary.display());
    assert!(said.contains(&line), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "one sentence: {said}");
}

#[test]
fn a_missing_interface_is_answered_with_those_that_exist() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    let output = network.receiver.command(env!("CARGO_BIN_EXE_vigie"), &["watch", "-i", "eth9"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("eth9: there is no such interface; there are: lo, recv0"), "{said}");
}

/// Makes the link busy for some seconds.
fn send_some(network: &Network) -> u64 {
    let fixture = Fixture::read("syn-flood");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("some.pcap");
    let start = fixture.start_of("syn_flood");
    let frames = fixture.write_stretch(start, start.plus(Duration::from_secs(4)), &path);
    assert!(frames > 1_500, "{frames} frames make no busy link");
    assert_eq!(tcpreplay(&network.sender, "send0", "--multiplier=1", &path), frames);
    frames
}

#[test]
fn an_interface_that_goes_away_blinds_the_sensor_and_is_captured_again_when_it_is_back() {
    let Some(network) = Network::make(Wiring::default(), SEND) else { return };
    // In the sandbox it may not open a socket again.
    let arguments = [&threads(4)[..], &["--no-sandbox".to_owned()]].concat();
    let watch = Watch::start(&network.receiver, &["recv0"], &arguments);
    let before = send_some(&network);
    watch.wait_for(before);

    network.receiver.run("ip", &["link", "delete", "recv0"]);
    let blind = || watch.file("alerts.jsonl").contains("\"kind\":\"sensor_blind\"");
    assert!(Deadline::after(2 * PATIENCE).wait_until(blind), "{}", watch.file("errors.txt"));
    assert!(watch.file("errors.txt").contains("the interface is down or gone"), "{}", watch.file("errors.txt"));

    network.lay(0, false);
    let back = || watch.file("errors.txt").matches("the interface is back").count() == 2;
    assert!(Deadline::after(PATIENCE).wait_until(back), "both sockets come back: {}", watch.file("errors.txt"));
    let after = send_some(&network);
    watch.wait_for(before + after);

    network.receiver.run("ip", &["link", "set", "recv0", "down"]);
    let gone = || watch.file("errors.txt").matches("the interface is down or gone").count() == 4;
    assert!(Deadline::after(PATIENCE).wait_until(gone), "{}", watch.file("errors.txt"));
    network.receiver.run("ip", &["link", "set", "recv0", "up"]);
    let back = || watch.file("errors.txt").matches("the interface is back").count() == 4;
    assert!(Deadline::after(PATIENCE).wait_until(back), "{}", watch.file("errors.txt"));
    let last = send_some(&network);
    watch.wait_for(before + after + last);
    let outcome = watch.stop("TERM");
    assert_eq!(outcome.packets(), before + after + last, "no frame is counted by two sockets");
    outcome.assert_closed();
}

#[test]
fn a_program_that_could_not_run_knows_what_it_lost_and_says_that_it_was_blind() {
    let Some(network) = Network::make(Wiring::default(), SEND) else { return };
    let directory = tempfile::tempdir().unwrap();
    let (_, path, frames) = flood(&directory);
    let watch = Watch::start(&network.receiver, &["recv0"], &["--ring-size", "1"].map(str::to_owned));
    watch.process.signal_program("STOP");
    assert_eq!(tcpreplay(&network.sender, "send0", "--topspeed", &path), frames);
    watch.process.signal_program("CONT");
    watch.wait_for(frames);
    let blind = || watch.file("alerts.jsonl").contains("\"kind\":\"sensor_blind\"");
    assert!(Deadline::after(PATIENCE).wait_until(blind), "{}", watch.file("alerts.jsonl"));
    let outcome = watch.stop("TERM");
    assert_eq!(outcome.packets(), frames);
    assert!(outcome.summary["dropped"]["kernel"].as_u64() > Some(frames / 20), "{}", outcome.summary["dropped"]);
}

#[test]
fn an_interface_that_may_not_be_opened_again_ends_the_run_so_that_it_is_started_anew() {
    let Some(network) = Network::make(Wiring::default(), SEND) else { return };
    let watch = Watch::start(&network.receiver, &["recv0"], &[]);
    let frames = send_some(&network);
    watch.wait_for(frames);
    network.receiver.run("ip", &["link", "set", "recv0", "down"]);
    let gone = || watch.file("errors.txt").contains("the interface is down or gone");
    assert!(Deadline::after(PATIENCE).wait_until(gone), "{}", watch.file("errors.txt"));
    network.receiver.run("ip", &["link", "set", "recv0", "up"]);
    let Watch { process, files, .. } = watch;
    let status = process.finish().status;
    let said = fs::read_to_string(files.path().join("errors.txt")).unwrap();
    assert_eq!(status.code(), Some(75), "{said}");
    assert!(said.contains("the interface is back, but cannot be opened again"), "{said}");
    let summary: Value = serde_json::from_str(&fs::read_to_string(files.path().join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["packets"], frames);
}
