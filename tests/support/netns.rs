//! Two network namespaces joined by virtual cables, removed when dropped.
//!
//! Traffic stays between them. A test's thread can step into one; commands run in one with a bound on their time.
#![expect(unsafe_code, reason = "setns(2) has no safe form")]

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::skip;

/// Longest time any command may take.
const BOUND_SECONDS: u32 = 90;

/// A namespace that sends and one that receives, joined by `send0`-`recv0`, `send1`-`recv1` and so on.
pub(crate) struct Network {
    /// Where the traffic begins.
    pub(crate) sender: Namespace,
    /// Where it is watched.
    pub(crate) receiver: Namespace,
}

/// How a network is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wiring {
    /// Virtual cables.
    pub(crate) cables: u32,
    /// Whether the kernels may speak IPv6 by themselves; frames of IPv6 pass either way.
    pub(crate) ipv6: bool,
    /// Whether the kernel may hand over packets larger than the cable's frames.
    pub(crate) offloads: bool,
}

impl Default for Wiring {
    fn default() -> Self {
        Self { cables: 1, ipv6: false, offloads: false }
    }
}

impl Network {
    /// Makes a network, or says why the test is skipped: it needs root, `ip` and the given tools.
    pub(crate) fn make(wiring: Wiring, tools: &[&str]) -> Option<Self> {
        if !is_root() {
            skip("making network namespaces needs root");
            return None;
        }
        for tool in ["ip", "timeout"].iter().chain(tools) {
            if !is_installed(tool) {
                skip(&format!("`{tool}` is not installed"));
                return None;
            }
        }
        remove_orphans();
        let network = Self { sender: Namespace::make("send"), receiver: Namespace::make("recv") };
        for namespace in [&network.sender, &network.receiver] {
            if !wiring.ipv6 {
                namespace.shell("for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done");
            }
            namespace.run("ip", &["link", "set", "lo", "up"]);
        }
        for cable in 0..wiring.cables {
            network.lay(cable, wiring.offloads);
        }
        Some(network)
    }

    /// Lays a cable, perhaps one that was cut before.
    pub(crate) fn lay(&self, cable: u32, offloads: bool) {
        let (near, far) = (format!("send{cable}"), format!("recv{cable}"));
        let (from, to) = (&self.sender, &self.receiver);
        let line = format!("link add {near} netns {} type veth peer name {far} netns {}", from.name, to.name);
        succeed(Command::new("ip").args(line.split(' ')));
        for (namespace, device) in [(from, &near), (to, &far)] {
            namespace.run("ip", &["link", "set", device, "address", &device_address(device), "up"]);
            if !offloads {
                namespace.without_offloads(device);
            }
        }
    }
}

/// The hardware address a device of the network is given.
pub(crate) fn device_address(device: &str) -> String {
    let (kind, cable) = device.split_at(4);
    format!("02:00:00:00:{}:{cable:0>2}", if kind == "send" { "0a" } else { "0b" })
}

/// One network namespace.
pub(crate) struct Namespace {
    /// Its name under `/run/netns`.
    pub(crate) name: String,
}

impl Namespace {
    fn make(role: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("vigie-{}-{number}-{role}", std::process::id());
        succeed(Command::new("ip").args(["netns", "add", &name]));
        Self { name }
    }

    /// A command that runs here and is stopped after [`BOUND_SECONDS`]. Signals sent to it are passed on.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        // In the foreground `timeout` passes a signal on once; otherwise twice, and a second one ends a program at once.
        command.args([
            "--foreground",
            "--kill-after=5",
            &BOUND_SECONDS.to_string(),
            "ip",
            "netns",
            "exec",
            &self.name,
            program,
        ]);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, which must be good.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        succeed(&mut self.command(program, arguments))
    }

    fn shell(&self, line: &str) {
        self.run("sh", &["-c", line]);
    }

    /// Runs a closure on a thread that is inside this namespace, as are the threads it starts.
    pub(crate) fn enter<T: Send>(&self, inside: impl FnOnce() -> T + Send) -> T {
        let place = File::open(format!("/run/netns/{}", self.name)).expect("the namespace was made");
        let stepped_in = move || {
            // SAFETY: setns reads a descriptor that is open for the length of the call; only this thread moves.
            let outcome = unsafe { libc::setns(place.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(outcome, 0, "setns: {}", std::io::Error::last_os_error());
            inside()
        };
        thread::scope(|scope| match scope.spawn(stepped_in).join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Turns off what merges or defers packets: by ethtool, or without it by allowing one segment a packet.
    fn without_offloads(&self, device: &str) {
        if is_installed("ethtool") {
            // Features that a kernel does not know make ethtool fail, and leave nothing to turn off.
            let features = ["gro", "off", "gso", "off", "tso", "off", "tx", "off", "rx", "off"];
            let _ = self.command("ethtool", &["-K", device]).args(features).output();
        } else {
            self.run("ip", &["link", "set", device, "gso_max_segs", "1"]);
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).output();
    }
}

/// A program in the background: interrupted and awaited, or killed when dropped.
pub(crate) struct Background(Option<Child>);

impl Background {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))))
    }

    /// Sends a signal by its name, such as `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let child = self.0.as_ref().expect("not yet awaited");
        succeed(Command::new("kill").args(["-s", name, &child.id().to_string()]));
    }

    /// Sends a signal to the program itself: `timeout`, which stands between, passes each on and takes it for the
    /// beginning of the end.
    pub(crate) fn signal_program(&self, name: &str) {
        succeed(Command::new("kill").args(["-s", name, &self.program_id().to_string()]));
    }

    /// The process number of the program itself, behind whatever started it.
    pub(crate) fn program_id(&self) -> u32 {
        let mut id = self.0.as_ref().expect("not yet awaited").id();
        let is_it = |id: u32| fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|exe| exe.ends_with("vigie"));
        let child_of = |id: u32| {
            let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            children.split_whitespace().next().and_then(|child| child.parse::<u32>().ok())
        };
        // The program itself may have children: the helpers of its sinks.
        while let Some(child) = child_of(id).filter(|_| !is_it(id)) {
            id = child;
        }
        id
    }

    /// Waits for its end and returns what it wrote to piped outputs.
    pub(crate) fn finish(mut self) -> Output {
        self.0.take().expect("not yet awaited").wait_with_output().expect("a started program can be awaited")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // `timeout` passes SIGTERM on; SIGKILL it could not.
            let _ = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).output();
            let _ = child.wait();
        }
    }
}

/// Sends a capture file on an interface of the namespace, once; returns the number of frames tcpreplay says it sent.
pub(crate) fn tcpreplay(namespace: &Namespace, interface: &str, pace: &str, file: &std::path::Path) -> u64 {
    let file = file.to_str().expect("test paths are UTF-8");
    let output = namespace.run("tcpreplay", &["-q", "--timer=nano", pace, "-i", interface, file]);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.contains("Successful packets:"));
    let count = line.and_then(|line| line.split_whitespace().last()?.parse().ok());
    count.unwrap_or_else(|| panic!("tcpreplay said: {text}"))
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

/// Tells whether a program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// Removes namespaces of test runs that were killed.
fn remove_orphans() {
    let entries = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    for name in entries.filter_map(|entry| entry.file_name().into_string().ok()) {
        let process = name.strip_prefix("vigie-").and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !fs::exists(format!("/proc/{process}")).unwrap_or(true)) {
            let _ = Command::new("ip").args(["netns", "delete", &name]).output();
        }
    }
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    output
}

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
