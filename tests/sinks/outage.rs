//! A receiver that is killed and comes back, with a restart of the program in between: lines are counted at both ends.
//!
//! The outage lasts three seconds; `VIGIE_OUTAGE_SECONDS=60` makes it a minute.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::server::nobody;
use super::{PATIENCE, Place, http, installed};

/// A receiver in a process of its own that writes down each request before it answers.
const RECEIVER: &str = "
import http.server, json, os, sys
log = open(sys.argv[2], 'a')
class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        body = self.rfile.read(int(self.headers['content-length'])).decode()
        log.write(json.dumps({'id': self.headers['webhook-id'], 'body': body}) + '\\n')
        log.flush()
        self.send_response(200)
        self.send_header('content-length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Receiver).serve_forever()
";

struct Receiver(Child);

impl Receiver {
    fn start(address: SocketAddr, log: &Path) -> Self {
        let arguments = ["-c", RECEIVER, &address.port().to_string(), log.to_str().unwrap()].map(str::to_owned);
        let receiver = Self(Command::new("python3").args(arguments).stdin(Stdio::null()).spawn().unwrap());
        assert!(http::wait_until(PATIENCE, || TcpStream::connect(address).is_ok()), "the receiver does not start");
        receiver
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // SIGKILL: nothing is finished, nothing is said to anybody.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the receivers wrote down: the id and the body of each request.
fn received(log: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let entry = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        (entry["id"].as_str().unwrap().to_owned(), entry["body"].as_str().unwrap().to_owned())
    };
    // A line that is still being written has no end.
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(entry).collect()
}

fn outage() -> Duration {
    let seconds = std::env::var("VIGIE_OUTAGE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

#[test]
fn a_receiver_killed_and_a_restart_in_between_lose_nothing_and_tell_nothing_twice() {
    if !installed("python3", "python3") {
        return;
    }
    let address = nobody();
    let place = Place::with(&format!("[[sink]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"http://{address}/\"\n"));
    let log = place.path("received");
    let state = ["--state".to_owned(), place.path("state").display().to_string()];
    let replay = |fixture: &str, speed: u64| {
        let mut command = place.replay(fixture);
        command.args(&state).args(["--speed", &speed.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };

    // Lines arrive; then the receiver is killed, and more lines are written that nobody takes.
    let receiver = Receiver::start(address, &log);
    let mut first = replay("launch-morning-small", 40);
    assert!(http::wait_until(PATIENCE, || received(&log).len() >= 3), "nothing arrives");
    drop(receiver);
    let at_the_kill = place.lines().len();
    assert!(http::wait_until(PATIENCE, || place.lines().len() >= at_the_kill + 3), "nothing is written");

    // The program is restarted in the middle of it: another run goes on with what this one leaves in the spool.
    assert!(Command::new("kill").args(["-TERM", &first.id().to_string()]).status().unwrap().success());
    assert!(first.wait().unwrap().success());
    let mut written = place.lines();
    // It holds 275 s of traffic and outlasts the outage.
    let mut second = replay("rush-overload", 275 / (outage().as_secs() * 3 / 2 + 3));
    assert!(!http::wait_until(outage(), || received(&log).len() > written.len()), "nobody is there to receive");
    let receiver = Receiver::start(address, &log);
    assert!(second.wait().unwrap().success());
    written.extend(place.lines());

    let all = received(&log);
    let mut seen = BTreeSet::new();
    let once: Vec<&String> = all.iter().filter(|(id, _)| seen.insert(id.clone())).map(|(_, body)| body).collect();
    assert_eq!(once, written.iter().collect::<Vec<_>>(), "each line once, in order, by its id");
    assert!(all.len() <= once.len() + 1, "{} requests for {} lines", all.len(), once.len());
    eprintln!("{} lines written, {} arrived, {} requests", written.len(), once.len(), all.len());

    let third = place.run(place.replay("calm").args(&state));
    assert_eq!(third.code, 0);
    assert_eq!(received(&log).len(), all.len(), "nothing comes later");
    drop(receiver);
}
