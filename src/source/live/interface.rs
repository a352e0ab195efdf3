//! What the system says of an interface: whether it is there and up, its size of frames, its offloads, its losses, and
//! the sentence for each reason why it cannot be captured on.
//!
//! Names are read from `/proc/thread-self/net/dev`, which always shows the network namespace of the calling thread;
//! `/sys/class/net` shows that of whoever mounted it.

use std::fs;

use super::socket;
use crate::source::SourceError;

/// The pseudo-interface that stands for all of them.
pub(super) const ANY: &str = "any";

/// What an interface says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkFacts {
    /// Maximum transmission unit in bytes, link header not included; `None` for `any`.
    pub mtu: Option<u32>,
    /// Receive offloads at work that merge packets before a capture sees them, by ethtool's short names: `gro`, `lro`.
    pub merging: Vec<&'static str>,
}

// Commands and flags of linux/ethtool.h.
const ETHTOOL_GFLAGS: u32 = 0x25;
const ETHTOOL_GGRO: u32 = 0x2b;
const ETH_FLAG_LRO: u32 = 1 << 15;

/// Asks the system about an interface.
#[must_use]
pub fn link_facts(interface: &str) -> LinkFacts {
    let mut merging = Vec::new();
    if socket::ethtool_value(interface, ETHTOOL_GGRO).is_some_and(|on| on != 0) {
        merging.push("gro");
    }
    if socket::ethtool_value(interface, ETHTOOL_GFLAGS).is_some_and(|flags| flags & ETH_FLAG_LRO != 0) {
        merging.push("lro");
    }
    LinkFacts { mtu: socket::mtu(interface), merging }
}

/// Lists the interfaces of this network namespace.
#[must_use]
pub fn names() -> Vec<String> {
    fs::read_to_string("/proc/thread-self/net/dev").map(|text| parse_names(&text)).unwrap_or_default()
}

/// Reads `/proc/net/dev`: two lines of headings, then `name: counters`.
fn parse_names(text: &str) -> Vec<String> {
    text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

/// Counts frames lost before the capture since the interface began, for want of room in the hardware or its rings:
/// `rx_missed_errors` and `rx_fifo_errors`, as libpcap does, but in 64 bits and without losing count when the interface
/// goes away.
///
/// `rx_dropped` is left out: frames that the capture saw, and the host's own protocols then had no use for, are counted
/// there too. A mirrored frame with two VLAN tags was measured to be one of them.
pub(super) fn drops(interface: &str) -> Option<u64> {
    let counter = |name| {
        let text = fs::read_to_string(format!("/sys/class/net/{interface}/statistics/{name}")).ok()?;
        text.trim().parse::<u64>().ok()
    };
    Some(counter("rx_missed_errors")?.saturating_add(counter("rx_fifo_errors")?))
}

/// Tells whether frames can still come.
///
/// # Errors
/// When the interface is gone or was taken down.
pub(super) fn check_alive(interface: &str) -> Result<(), SourceError> {
    let reason = match socket::is_up(interface) {
        _ if interface == ANY => return Ok(()),
        Some(true) => return Ok(()),
        Some(false) => format!("the interface was taken down: `sudo ip link set {interface} up`, then start again"),
        None => "the interface has disappeared: start again when it is back".to_owned(),
    };
    Err(SourceError::Lost { name: interface.to_owned(), reason })
}

/// Finds the sentence for a capture that cannot be opened.
pub(super) fn why_not(interface: &str, said: &str) -> SourceError {
    let reason = if interface != ANY && socket::is_up(interface).is_none() {
        format!("there is no such interface; there are: {}", listed(&names()))
    } else if !may_capture() || said.contains("CAP_NET_RAW") || said.contains("not permitted") {
        needs_capability()
    } else if interface != ANY && socket::is_up(interface) == Some(false) {
        format!("the interface is down: `sudo ip link set {interface} up`")
    } else if said.is_empty() {
        "libpcap cannot capture on it and does not say why: try `tcpdump -i` on it".to_owned()
    } else {
        format!("libpcap cannot capture on it: {said}")
    };
    SourceError::Open { name: interface.to_owned(), reason }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn needs_capability() -> String {
    let binary = std::env::current_exe().map_or_else(|_| "vigie".to_owned(), |path| path.display().to_string());
    let binary = if binary.contains(|c: char| c.is_whitespace() || c == '\'') { format!("{binary:?}") } else { binary };
    format!(
        "capturing needs root or a capability that this program does not have: run `sudo setcap \
         cap_net_raw,cap_net_admin=eip {binary}` once after each installation"
    )
}

/// CAP_NET_RAW (linux/capability.h).
const CAP_NET_RAW: u32 = 13;

/// Tells whether this thread may open packet sockets; when that cannot be known, yes.
fn may_capture() -> bool {
    fs::read_to_string("/proc/thread-self/status").map_or(true, |status| has_capability(&status, CAP_NET_RAW))
}

fn has_capability(status: &str, capability: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_none_or(|mask| mask >> capability & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_table() {
        let text = "Inter-|   Receive\n face |bytes    packets\n    lo: 2776770   11307\n  eth0:1215645    2751\n";
        assert_eq!(parse_names(text), ["lo", "eth0"]);
    }

    #[test]
    fn a_missing_interface_is_answered_with_those_that_exist() {
        let error = why_not("vigie-none0", "No such device exists").to_string();
        assert!(error.starts_with("vigie-none0: there is no such interface; there are: "), "{error}");
        assert!(error.contains("lo"), "{error}");
    }

    #[test]
    fn a_name_longer_than_the_kernel_allows_is_no_interface() {
        assert!(why_not(&"x".repeat(300), "").to_string().contains("there is no such interface"));
    }

    #[test]
    fn capabilities_are_read_from_the_mask() {
        assert!(has_capability("Name:\tvigie\nCapEff:\t0000000000003000\n", CAP_NET_RAW));
        assert!(!has_capability("Name:\tvigie\nCapEff:\t0000000000001000\n", CAP_NET_RAW));
        assert!(has_capability("", CAP_NET_RAW));
    }

    #[test]
    fn the_sentence_names_the_line_to_run() {
        let sentence = needs_capability();
        assert!(sentence.contains("`sudo setcap cap_net_raw,cap_net_admin=eip /"), "{sentence}");
    }

    #[test]
    fn loopback_has_an_mtu_and_is_not_a_missing_interface() {
        assert!(link_facts("lo").mtu.is_some_and(|mtu| mtu >= 1_280));
        assert!(drops("lo").is_some());
        assert!(drops("vigie-none0").is_none());
    }
}
