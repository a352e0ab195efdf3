//! What `vigie watch` tells the service manager, which this test is: a datagram socket named in the environment.

#[expect(dead_code, reason = "each test file uses its part of what they share")]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;

use support::netns::{Network, PATIENCE, Wiring};
use support::watch::Watch;

/// The manager's end of the socket.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, folder }
    }

    fn name(&self) -> String {
        self.folder.path().join("notify").display().to_string()
    }

    /// Waits for a message.
    fn next(&self) -> String {
        let mut bytes = [0; 512];
        let length = self.socket.recv(&mut bytes).expect("a message in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Waits for a message that begins so; signs of life are passed over.
    fn next_of(&self, beginning: &str) -> String {
        let message = std::iter::repeat_with(|| self.next()).find(|message| message != "WATCHDOG=1").unwrap();
        assert!(message.starts_with(beginning), "not {beginning} but {message}");
        message
    }
}

#[test]
fn it_is_ready_once_it_judges_and_alive_on_an_idle_link() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    let manager = Manager::new();
    let (name, config) = (manager.name(), manager.folder.path().join("vigie.toml"));
    fs::write(&config, "home = \"FR\"\n").unwrap();
    let arguments = ["--config".to_owned(), config.display().to_string()];
    let environment = [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "60000000")];
    let watch = Watch::start_with(&network.receiver, &["recv0"], &arguments, &environment);
    assert!(manager.next().starts_with("READY=1\n"), "ready is the first that is told");
    for _ in 0..3 {
        assert_eq!(manager.next(), "WATCHDOG=1");
    }
    watch.process.signal_program("HUP");
    let began = manager.next_of("RELOADING=1\n");
    let micros: u64 = began.split_once("MONOTONIC_USEC=").unwrap().1.parse().unwrap();
    assert!(micros > 0);
    manager.next_of("READY=1");
    watch.stop("TERM");
    manager.next_of("STOPPING=1\n");
}

#[test]
fn without_a_watchdog_no_signs_of_life_are_sent() {
    let Some(network) = Network::make(Wiring::default(), &[]) else { return };
    let manager = Manager::new();
    let name = manager.name();
    let unasked = [("NOTIFY_SOCKET", name.as_str())];
    let others = [("NOTIFY_SOCKET", name.as_str()), ("WATCHDOG_USEC", "60000000"), ("WATCHDOG_PID", "1")];
    for environment in [unasked.as_slice(), &others] {
        let watch = Watch::start_with(&network.receiver, &["recv0"], &[], environment);
        watch.stop("TERM");
        assert!(manager.next().starts_with("READY=1\n"));
        assert!(manager.next().starts_with("STOPPING=1\n"), "nothing lies between");
    }
}

#[test]
fn a_manager_that_cannot_be_reached_is_an_error() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_vigie"))
        .args(["watch", "-i", "lo", "--metrics", "off"])
        .env("NOTIFY_SOCKET", "/nowhere/notify")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("NOTIFY_SOCKET /nowhere/notify"), "{said}");
}
