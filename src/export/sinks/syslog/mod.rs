//! Syslog: messages as RFC 5424 writes them, over UDP, TCP or TLS.
//!
//! The sentence is the message; what a program would look for stands beside it as structured data. Syslog has no
//! acknowledgement: a line counts as delivered once the system took it, or for TCP and TLS once it was written to a
//! connection that the receiver had not closed.

mod transport;

use std::time::Duration;

use super::receiver::{Message, Receiver, Refusal};
use super::settings;
use super::told::Told;
use crate::kind::{Severity, closed_set};
use transport::{Connection, Way};

/// The structured data's name; 32473 is the number for examples (RFC 5612), since Vigie has none of its own.
const DATA: &str = "vigie@32473";

/// The longest datagram that receivers should take (RFC 5426, 3.2).
const DATAGRAM_BYTES: usize = 2_048;

closed_set! {
    /// Under which facility messages stand (RFC 5424, table 1): those for programs of the site's own.
    Facility {
        /// Number 3.
        Daemon = "daemon",
        /// Number 4.
        Auth = "auth",
        /// Number 16.
        Local0 = "local0",
        /// Number 17.
        Local1 = "local1",
        /// Number 18.
        Local2 = "local2",
        /// Number 19.
        Local3 = "local3",
        /// Number 20.
        Local4 = "local4",
        /// Number 21.
        Local5 = "local5",
        /// Number 22.
        Local6 = "local6",
        /// Number 23.
        Local7 = "local7",
    }
}

impl Facility {
    /// The words and what they mean.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("daemon", Self::Daemon),
        ("auth", Self::Auth),
        ("local0", Self::Local0),
        ("local1", Self::Local1),
        ("local2", Self::Local2),
        ("local3", Self::Local3),
        ("local4", Self::Local4),
        ("local5", Self::Local5),
        ("local6", Self::Local6),
        ("local7", Self::Local7),
    ];

    const fn number(self) -> u8 {
        match self {
            Self::Daemon => 3,
            Self::Auth => 4,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

/// A syslog receiver.
pub(super) struct Syslog {
    way: Way,
    connection: Option<Connection>,
    facility: Facility,
    hostname: String,
}

impl Syslog {
    /// Prepares to send; nothing is connected yet.
    ///
    /// # Errors
    /// One sentence: what is wrong with the certificates or the name.
    pub(super) fn open(to: &settings::Syslog) -> Result<Self, String> {
        let hostname = if to.hostname.is_empty() { own_hostname() } else { to.hostname.clone() };
        Ok(Self { way: Way::open(to)?, connection: None, facility: to.facility, hostname })
    }
}

impl Receiver for Syslog {
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal> {
        let text = write(message.told, self.facility, &self.hostname);
        let failed = |error: std::io::Error| Refusal::later(error.to_string());
        // What the receiver closed meanwhile would take a line and lose it.
        let mut connection = match self.connection.take().and_then(Connection::still_open) {
            Some(connection) => connection,
            None => self.way.connect(limit).map_err(failed)?,
        };
        connection.write(&text, limit).map_err(failed)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// Writes one message (RFC 5424, 6).
fn write(told: &Told, facility: Facility, hostname: &str) -> String {
    let severity = match told.severity {
        Severity::Critical => 2,
        Severity::Warning => 4,
        Severity::Info => 6,
    };
    let priority = facility.number() * 8 + severity;
    let head = format!("<{priority}>1 {} {hostname} vigie {} {}", told.at, std::process::id(), told.kind);
    let mut fields = vec![
        ("event", told.event.to_string()),
        ("id", told.id.clone()),
        ("incident", told.incident.clone()),
        ("severity", told.severity.to_string()),
        ("verdict", told.verdict.to_string()),
        ("score", told.score.to_string()),
        ("started_at", told.started_at.to_string()),
    ];
    fields.extend(told.ended_at.map(|at| ("ended_at", at.to_string())));
    fields.extend(told.target.site.clone().map(|site| ("site", site)));
    fields.extend(told.target.prefix.clone().map(|prefix| ("target", prefix)));
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
    // The byte order mark says that the message is UTF-8 (RFC 5424, 6.4).
    let why: String = told.why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{head} [{DATA} {}] \u{feff}{why}", fields.join(" "))
}

/// Escapes a value of structured data (RFC 5424, 6.3.3).
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

/// Cuts a message to what a datagram may hold, between characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(DATAGRAM_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the host's name as the system has it; `-` where it has none, as the RFC asks.
fn own_hostname() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let printable = name.chars().all(|c| c.is_ascii_graphic());
    if name.is_empty() || !printable { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::super::told::samples;
    use super::*;

    #[test]
    fn a_message_is_written_as_the_rfc_asks() {
        let text = write(&samples::open(), Facility::Local0, "sensor1");
        let head =
            format!("<132>1 2021-04-06T09:00:00.25Z sensor1 vigie {} syn_flood [vigie@32473 ", std::process::id());
        assert!(text.starts_with(&head), "{text}");
        assert!(text.contains(" target=\"192.0.2.10/32\"] \u{feff}"), "{text}");
        assert!(text.ends_with(&samples::open().why), "{text}");
        assert!(!text.contains("ended_at") && write(&samples::close(), Facility::Daemon, "-").contains("ended_at=\""));
    }

    #[test]
    fn values_cannot_leave_their_quotes() {
        assert_eq!(escape(r#"a"b]c\d"#), r#"a\"b\]c\\d"#);
        let told = Told { why: "one\ntwo".to_owned(), ..samples::open() };
        assert!(write(&told, Facility::Local0, "-").ends_with("one two"), "a line break would be a message of its own");
    }

    #[test]
    fn a_datagram_is_cut_between_characters() {
        let long = "é".repeat(2_000);
        assert_eq!(cut(&long).len(), DATAGRAM_BYTES);
        assert_eq!(cut(&format!("a{long}")).len(), DATAGRAM_BYTES - 1);
        assert_eq!(cut("short"), "short");
    }

    #[test]
    fn a_connection_that_the_receiver_closed_is_made_anew() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut syslog = Syslog::open(&settings::Syslog {
            transport: settings::Transport::Tcp,
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().unwrap().port(),
            facility: Facility::Local0,
            hostname: "sensor1".to_owned(),
            ca: None,
        })
        .unwrap();
        let (line, told) = (samples::lines().remove(0), samples::open());
        let limit = Duration::from_secs(30);
        let mut received = 0;
        for _ in 0..3 {
            syslog.send(&Message { line: &line, told: &told, fresh: true }, limit).unwrap();
            // Reads what is there and closes.
            let (mut stream, _) = listener.accept().unwrap();
            received += usize::from(std::io::Read::read(&mut stream, &mut [0; 4_096]).unwrap() > 0);
        }
        assert_eq!(received, 3);
    }

    #[test]
    fn the_words_are_the_names() {
        assert!(Facility::WORDS.iter().all(|(word, facility)| *word == facility.name()));
        assert_eq!(Facility::WORDS.len(), Facility::ALL.len());
    }
}
