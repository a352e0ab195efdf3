//! What a sink is given: to whom, what, and with how much patience. Defaults are here, with their reasons.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::exec::Helper;
use super::filter::Updates;
use super::secret::Secret;
use super::syslog::Facility;
use crate::kind::Severity;

/// How long one attempt may take unless configured: a receiver that needs longer is in trouble.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How many lines wait in memory unless configured: at three kilobytes each, 12 MB.
pub const QUEUE: usize = 4_096;

/// One sink.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Its name: label `sink` in the metrics, folder in the spool.
    pub name: String,
    /// Alerts below this are not told, as long as they stay below.
    pub severity: Severity,
    /// Which updates of an alert are told.
    pub updates: Updates,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many lines wait in memory where there is no spool.
    pub queue: usize,
    /// To whom.
    pub to: To,
}

/// A receiver.
#[derive(Clone, Debug, PartialEq)]
pub enum To {
    /// Prometheus' Alertmanager, version 2 of its API.
    Alertmanager(Alertmanager),
    /// Any HTTP receiver.
    Webhook(Webhook),
    /// Slack, or a chat that takes the same.
    Slack(Slack),
    /// Syslog, RFC 5424.
    Syslog(Syslog),
    /// A program of the user's own.
    Exec(Exec),
}

/// What all receivers over HTTP need.
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Where to; as good as a secret, since some carry a token.
    pub url: Secret,
    /// Further header lines.
    pub headers: Vec<(String, Secret)>,
    /// Certificates to trust instead of the system's, as PEM.
    pub ca: Option<PathBuf>,
}

/// An Alertmanager.
#[derive(Clone, Debug, PartialEq)]
pub struct Alertmanager {
    /// Its address, without `/api/v2/alerts`.
    pub http: Http,
    /// Where people look for more.
    pub link: Option<String>,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// Its address.
    pub http: Http,
    /// Key of the signature.
    pub secret: Option<Secret>,
    /// The body, instead of the alert's own JSON.
    pub template: Option<String>,
    /// What the body is.
    pub content_type: String,
}

/// A chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Slack {
    /// Its address.
    pub http: Http,
    /// Where people look for more.
    pub link: Option<String>,
}

/// A syslog receiver.
#[derive(Clone, Debug, PartialEq)]
pub struct Syslog {
    /// How to reach it.
    pub transport: Transport,
    /// Host or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Under which facility.
    pub facility: Facility,
    /// The host's own name in the messages.
    pub hostname: String,
    /// Certificates to trust instead of the system's, as PEM.
    pub ca: Option<PathBuf>,
}

/// How syslog messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram a message (RFC 5426).
    Udp,
    /// Octet counting (RFC 6587, 3.4.1).
    Tcp,
    /// The same over TLS (RFC 5425).
    Tls,
}

impl Transport {
    /// The words before `://` and what they mean.
    pub const WORDS: &'static [(&'static str, Self)] = &[("udp", Self::Udp), ("tcp", Self::Tcp), ("tls", Self::Tls)];

    /// Returns the word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, transport)| *transport == self).map_or("udp", |(word, _)| word)
    }

    /// Returns the port that is registered for it (RFC 5426, 3.3; RFC 5425, 4.1; plain TCP has none and uses the first).
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 514,
            Self::Tls => 6_514,
        }
    }
}

/// A program that is run for each line.
#[derive(Clone, Debug)]
pub struct Exec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Who runs it for a process that has given up starting programs.
    pub helper: Option<Helper>,
}

/// Who runs the program is no part of what was asked for.
impl PartialEq for Exec {
    fn eq(&self, other: &Self) -> bool {
        self.command == other.command
    }
}

/// Tells whether text is an address and port, or a name and port, without resolving it.
#[must_use]
pub fn host_and_port(text: &str, port: u16) -> Option<(String, u16)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip().to_string(), address.port()));
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>() {
        return Some((address.to_string(), port));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, port),
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    (!host.is_empty() && host.chars().all(named)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let read = |text| host_and_port(text, 514).map(|(host, port)| format!("{host} {port}"));
        assert_eq!(read("192.0.2.1:6514").as_deref(), Some("192.0.2.1 6514"));
        assert_eq!(read("[2001:db8::1]:6514").as_deref(), Some("2001:db8::1 6514"));
        assert_eq!(read("2001:db8::1").as_deref(), Some("2001:db8::1 514"));
        assert_eq!(read("log.example").as_deref(), Some("log.example 514"));
        assert_eq!(read("log.example:99999"), None);
        assert_eq!(read("log example"), None);
        assert_eq!(read(""), None);
    }
}
