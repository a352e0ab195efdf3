//! What the service manager is told while watching: ready, alive, reading the configuration, stopping (sd_notify(3)).
//!
//! Connected before the sandbox closes and written to ever after, which is why the crates for this, which open the socket
//! anew for each message, do not fit. Alive means judged ticks: a scorer that is stuck, or that nothing reaches any more,
//! is silent, and the watchdog starts the run anew.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

/// The service manager, where there is one.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    socket: Option<UnixDatagram>,
    /// It wants to hear that the run is alive.
    watches: bool,
    ready: AtomicBool,
}

impl Supervisor {
    /// Connects to the manager that the environment names.
    ///
    /// # Errors
    /// When one is named and cannot be reached: it would wait for us in vain.
    pub(super) fn connect() -> anyhow::Result<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let Some(name) = variable("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let socket = connected(name.as_bytes()).with_context(|| format!("NOTIFY_SOCKET {}", name.display()))?;
        let for_us = variable("WATCHDOG_PID").is_none_or(|id| *id == *std::process::id().to_string());
        let watches = variable("WATCHDOG_USEC").is_some() && for_us;
        Ok(Self { socket: Some(socket), watches, ready: AtomicBool::new(false) })
    }

    /// A tick was judged, the last of its second or not.
    pub(super) fn judged(&self, last_of_second: bool) {
        if !self.ready.swap(true, Ordering::Relaxed) {
            self.tell("READY=1\nSTATUS=watching");
        }
        if self.watches && last_of_second {
            self.tell("WATCHDOG=1");
        }
    }

    /// The configuration is being read again.
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000));
    }

    /// It was read, and taken or refused.
    pub(super) fn reloaded(&self) {
        self.tell("READY=1");
    }

    /// The run is at its end.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=closing alerts and delivering what is left");
    }

    /// A manager that does not read loses a message, and holds up nothing.
    fn tell(&self, message: &str) {
        if let Some(Err(error)) = self.socket.as_ref().map(|socket| socket.send(message.as_bytes())) {
            tracing::debug!(%error, "the service manager was not told");
        }
    }
}

/// Connects to a path, or to a name without one that begins with `@`.
fn connected(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = listener.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    #[test]
    fn readiness_is_told_once_and_life_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let socket = Some(connected(path.as_os_str().as_bytes()).unwrap());
        let supervisor = Supervisor { socket, watches: true, ready: AtomicBool::new(false) };
        [false, true, false, true].into_iter().for_each(|last| supervisor.judged(last));
        supervisor.reloading();
        supervisor.stopping();
        assert_eq!(heard(&listener), "READY=1\nSTATUS=watching");
        assert_eq!([heard(&listener), heard(&listener)], ["WATCHDOG=1", "WATCHDOG=1"]);
        assert!(heard(&listener).starts_with("RELOADING=1\nMONOTONIC_USEC="));
        assert!(heard(&listener).starts_with("STOPPING=1\n"));
    }

    #[test]
    fn a_name_without_a_path_is_reached_and_a_missing_one_is_an_error() {
        let name = format!("vigie-test-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        connected(format!("@{name}").as_bytes()).unwrap().send(b"READY=1").unwrap();
        assert_eq!(heard(&listener), "READY=1");
        assert!(connected(b"/nowhere/notify").is_err());
    }

    #[test]
    fn a_manager_that_does_not_read_holds_up_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let _listener = UnixDatagram::bind(&path).unwrap();
        let socket = Some(connected(path.as_os_str().as_bytes()).unwrap());
        let supervisor = Supervisor { socket, watches: true, ready: AtomicBool::new(false) };
        (0..10_000).for_each(|_| supervisor.judged(true));
        Supervisor::default().judged(true);
    }
}
