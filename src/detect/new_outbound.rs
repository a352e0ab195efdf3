//! New outbound connection: a server that never opens connections of its own opens one to the outside (DETECTION 5, EXF-3).
//!
//! Method: a host that has served clients, was watched for fourteen days or longer (in this run or, by saved state, before)
//! and opened no connection to the outside in that time, opens one. Name and time services do not count. A host that
//! fetches its updates has opened connections, and is not judged: the rule is for those that are silent.
//!
//! Sources: DETECTION 5.
//!
//! Blind spots: hosts watched for less than fourteen days; an intruder who only answers; DNS and NTP used as a tunnel.

use std::time::Duration;

use crate::address::Address;
use crate::detect::finding::{FigureName as F, Finding, SourceShare};
use crate::detect::view::{View, figure};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::packet::Protocol;
use crate::summary::Contact;
use crate::time::Timestamp;

/// How long a host is watched before its silence is a habit.
pub(super) const HABIT: Duration = Duration::from_secs(14 * 86_400);

/// Clients that make a server.
const CLIENTS: u32 = 20;

/// DNS, DHCP, NTP, DNS over TLS.
const ROUTINE: [u16; 4] = [53, 67, 123, 853];

/// A first connection, and how long the host had been silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    pub(super) at: Timestamp,
    pub(super) silent: Duration,
    pub(super) destination: Address,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// Tells whether a conversation counts as a host's own doing.
pub(super) fn counts(contact: &Contact) -> bool {
    !ROUTINE.contains(&contact.port) && contact.received.packets > 0
}

/// Tells whether a connection is a silent server's first; `before` is since when the host was watched, when it last opened
/// one, and how many clients it served.
pub(super) fn first(
    now: Timestamp,
    contact: &Contact,
    (since, last, served): (Timestamp, Option<Timestamp>, u32),
) -> Option<First> {
    let silent = now.since(last.unwrap_or(since).max(since));
    (silent >= HABIT && served >= CLIENTS).then(|| First {
        at: contact.at,
        silent,
        destination: contact.responder,
        port: contact.port,
        protocol: contact.protocol,
        packets: contact.sent.packets + contact.received.packets,
        bytes: contact.sent.bytes + contact.received.bytes,
    })
}

/// Makes the finding.
pub(super) fn finding(view: &View, host: Address, first: &First) -> Finding {
    // What did not happen in n hours happens in the next with probability 1 / (n + 2) (Laplace's rule of succession).
    let decades = |silent: Duration| (silent.as_secs_f64() / 3_600.0 + 2.0).log10();
    let (score, alert_at) = (decades(first.silent), decades(HABIT));
    let mut finding = view.about(AlertKind::NewOutbound, host.host_prefix(), score, alert_at);
    finding.target.port = Some(first.port);
    finding.target.protocol = Some(first.protocol);
    finding.gates_hold = true;
    finding.severity = Severity::Warning;
    finding.verdict = Some(Verdict::Suspicion);
    finding.confidence = 0.6;
    finding.onset = first.at;
    finding.figures = vec![figure(F::WithoutOutboundSeconds, first.silent.as_secs_f64(), None)];
    finding.sources = vec![SourceShare { address: first.destination, packets: first.packets, bytes: first.bytes }];
    finding.settings = vec![("silent_seconds", HABIT.as_secs_f64()), ("least_clients", f64::from(CLIENTS))];
    finding
}
