//! `[[sink]]`: who is told of alerts, and how.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::Config;
use super::keys::{list, quote};
use super::mistakes::{Mistake, Mistakes, Place};
use super::secrets::Kept;
use super::value::{Complaints, Item, Value};
use crate::export::sinks::filter::Updates;
use crate::export::sinks::settings::{self, Transport};
use crate::export::sinks::syslog::Facility;
use crate::export::sinks::{Settings, To};
use crate::kind::Severity;

/// The most sinks: each has a thread, and a name of its own in the metrics beside that of the alert file.
const MOST: usize = 15;

/// What a sink is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkType {
    /// Prometheus' Alertmanager.
    Alertmanager,
    /// Any HTTP receiver.
    Webhook,
    /// Slack, or a chat that takes the same.
    Slack,
    /// Syslog.
    Syslog,
    /// A program.
    Exec,
}

use SinkType::{Alertmanager, Exec, Slack, Syslog, Webhook};

/// The words and what they mean.
const TYPES: &[(&str, SinkType)] =
    &[("alertmanager", Alertmanager), ("webhook", Webhook), ("slack", Slack), ("syslog", Syslog), ("exec", Exec)];

/// The severities as words.
pub(super) const SEVERITIES: &[(&str, Severity)] =
    &[("info", Severity::Info), ("warning", Severity::Warning), ("critical", Severity::Critical)];

/// The keys of every sink, the keys of some, and of which.
const COMMON: &[&str] = &["name", "type", "severity", "updates", "timeout_seconds", "queue"];
const SPECIAL: &[(&str, &[SinkType])] = &[
    ("url", &[Alertmanager, Webhook, Slack]),
    ("headers", &[Alertmanager, Webhook, Slack]),
    ("link", &[Alertmanager, Slack]),
    ("ca", &[Alertmanager, Webhook, Slack, Syslog]),
    ("secret", &[Webhook]),
    ("template", &[Webhook]),
    ("template_file", &[Webhook]),
    ("content_type", &[Webhook]),
    ("address", &[Syslog]),
    ("facility", &[Syslog]),
    ("hostname", &[Syslog]),
    ("command", &[Exec]),
];

/// One `[[sink]]`, as written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SinkEntry {
    line: Option<usize>,
    name: String,
    kind: Option<SinkType>,
    severity: Option<Severity>,
    updates: Option<Updates>,
    timeout: Option<Duration>,
    queue: Option<usize>,
    url: Option<Kept>,
    headers: Vec<(String, Kept)>,
    link: Option<String>,
    ca: Option<PathBuf>,
    secret: Option<Kept>,
    template: Option<String>,
    template_file: Option<PathBuf>,
    content_type: Option<String>,
    address: Option<(Transport, String, u16)>,
    facility: Option<Facility>,
    hostname: Option<String>,
    command: Vec<String>,
}

impl SinkEntry {
    /// Tells whether two say the same, wherever they stand.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        Self { line: other.line, ..self.clone() } == *other
    }

    /// Reads the `[[sink]]` tables.
    pub(super) fn read(item: &Item, complaints: &mut Complaints) -> Vec<Self> {
        let mut names = BTreeSet::new();
        let mut entries = Vec::new();
        for table in item.as_list() {
            let entry = Self::read_one(&table, complaints);
            if !entry.name.is_empty() && !names.insert(entry.name.clone()) {
                table.complain(
                    complaints,
                    format!("two sinks are called `{}`: give each a name of its own", entry.name),
                );
            }
            entries.push(entry);
        }
        if entries.len() > MOST {
            item.complain(complaints, format!("{} sinks are more than {MOST}", entries.len()));
        }
        entries
    }

    fn read_one(table: &Item, complaints: &mut Complaints) -> Self {
        let mut entry = Self { line: table.line, ..Self::default() };
        let kind = table.entry("type").and_then(|item| item.as_word(TYPES, complaints));
        if kind.is_none() && table.entry("type").is_none() {
            let words: Vec<&str> = TYPES.iter().map(|(word, _)| *word).collect();
            table.complain(complaints, format!("a [[sink]] needs a type: write one of {}", words.join(", ")));
        }
        entry.kind = kind;
        let before = complaints.len();
        let fits = |types: &[SinkType]| kind.is_none_or(|kind| types.contains(&kind));
        let special = SPECIAL.iter().filter(|(_, types)| fits(types)).map(|(key, _)| *key);
        let known: Vec<&'static str> = COMMON.iter().copied().chain(special).collect();
        table.as_table(&known, complaints, |key, item, complaints| entry.set(key, item, complaints));
        if entry.name.is_empty() && complaints.len() == before {
            table.complain(complaints, "a [[sink]] needs a name of letters, digits, - and _: write name = \"oncall\"");
        }
        if complaints.len() == before {
            entry.check_complete(table, complaints);
        }
        entry
    }

    fn set(&mut self, key: &str, item: &Item, complaints: &mut Complaints) {
        let text = |wanted: &str, complaints: &mut Complaints| item.as_text(wanted, complaints).map(str::to_owned);
        match key {
            "name" => self.name = name(item, complaints).unwrap_or_default(),
            "severity" => self.severity = item.as_word(SEVERITIES, complaints),
            "updates" => self.updates = item.as_word(Updates::WORDS, complaints),
            "timeout_seconds" => {
                let seconds = item.as_number("a number of seconds", 0.1, 300.0, complaints);
                self.timeout = seconds.map(Duration::from_secs_f64);
            }
            "queue" => self.queue = item.as_number("a number of alert lines", 1, 1_000_000, complaints),
            "url" => self.url = Kept::read(item, "an address such as \"https://example.org/hook\"", complaints),
            "headers" => self.headers = headers(item, complaints),
            "link" => self.link = link(item, complaints),
            "ca" => self.ca = text("a file of certificates", complaints).map(PathBuf::from),
            "secret" => self.secret = Kept::read(item, "a secret", complaints),
            "template" => self.template = text("a template", complaints),
            "template_file" => self.template_file = text("a file with a template", complaints).map(PathBuf::from),
            "content_type" => self.content_type = text("a content type such as text/plain", complaints),
            "address" => self.address = address(item, complaints),
            "facility" => self.facility = item.as_word(Facility::WORDS, complaints),
            "hostname" => self.hostname = hostname(item, complaints),
            "command" => self.command = command(item, complaints),
            _ => {}
        }
    }

    /// What a sink cannot do without.
    fn check_complete(&self, table: &Item, complaints: &mut Complaints) {
        let missing = match self.kind {
            Some(Alertmanager) if self.url.is_none() => "an alertmanager needs url = \"http://127.0.0.1:9093\"",
            Some(Webhook) if self.url.is_none() => "a webhook needs url = \"https://example.org/hook\"",
            Some(Slack) if self.url.is_none() => "slack needs url = { file = \"/etc/vigie/slack-url\" }",
            Some(Syslog) if self.address.is_none() => "syslog needs address = \"udp://127.0.0.1:514\"",
            Some(Exec) if self.command.is_empty() => "exec needs command = [\"/usr/local/bin/page\"]",
            Some(Webhook) if self.template.is_some() && self.template_file.is_some() => {
                "template and template_file say the same: write one of them"
            }
            _ => return,
        };
        table.complain(complaints, missing);
    }

    fn severity(&self) -> Severity {
        self.severity.unwrap_or(Severity::Info)
    }

    /// People are told of changes; programs and archives of everything.
    fn updates(&self) -> Updates {
        self.updates.unwrap_or(match self.kind {
            Some(Slack | Exec) => Updates::Changes,
            _ => Updates::All,
        })
    }

    /// Reads its secrets and files, and makes settings of it.
    fn compose(&self) -> Result<Settings, String> {
        let http = || -> Result<settings::Http, String> {
            let url = self.url.as_ref().map_or(Err("url is missing".to_owned()), |url| named("url", url))?;
            let header = |(name, value): &(String, Kept)| Ok((name.clone(), named(name, value)?));
            let headers = self.headers.iter().map(header).collect::<Result<_, String>>()?;
            Ok(settings::Http { url, headers, ca: self.ca.clone() })
        };
        let link = self.link.clone();
        let to = match (self.kind, &self.address) {
            (Some(Alertmanager), _) => To::Alertmanager(settings::Alertmanager { http: http()?, link }),
            (Some(Slack), _) => To::Slack(settings::Slack { http: http()?, link }),
            (Some(Webhook), _) => To::Webhook(settings::Webhook {
                http: http()?,
                secret: self.secret.as_ref().map(|secret| named("secret", secret)).transpose()?,
                template: self.template()?,
                content_type: self.content_type.clone().unwrap_or_else(|| "application/json".to_owned()),
            }),
            (Some(Syslog), Some((transport, host, port))) => To::Syslog(settings::Syslog {
                transport: *transport,
                host: host.clone(),
                port: *port,
                facility: self.facility.unwrap_or(Facility::Local0),
                hostname: self.hostname.clone().unwrap_or_default(),
                ca: self.ca.clone(),
            }),
            (Some(Exec), _) => To::Exec(settings::Exec { command: self.command.clone(), helper: None }),
            (Some(Syslog), None) | (None, _) => return Err("type or address is missing".to_owned()),
        };
        Ok(Settings {
            name: self.name.clone(),
            severity: self.severity(),
            updates: self.updates(),
            timeout: self.timeout.unwrap_or(settings::TIMEOUT),
            queue: self.queue.unwrap_or(settings::QUEUE),
            to,
        })
    }

    /// Returns the files that its secrets, certificates and template are in.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let secrets = self.url.iter().chain(self.headers.iter().map(|(_, kept)| kept)).chain(&self.secret);
        secrets.filter_map(Kept::file).chain(&self.ca).chain(&self.template_file)
    }

    fn template(&self) -> Result<Option<String>, String> {
        let Some(path) = &self.template_file else { return Ok(self.template.clone()) };
        let text = std::fs::read_to_string(path);
        text.map(Some).map_err(|error| format!("template_file: {} cannot be read: {error}", path.display()))
    }

    fn show(&self) -> String {
        let mut parts = vec![format!("name = {}", quote(&self.name))];
        let mut add = |key: &str, value: Option<String>| parts.extend(value.map(|value| format!("{key} = {value}")));
        let word = TYPES.iter().find(|(_, kind)| Some(*kind) == self.kind).map(|(word, _)| quote(word));
        add("type", word);
        add("url", self.url.as_ref().map(Kept::show));
        add("address", self.address.as_ref().map(|at| quote(&show_address(at))));
        add("command", (!self.command.is_empty()).then(|| list(&self.command)));
        add("severity", Some(quote(self.severity().name())));
        add("updates", Some(quote(self.updates().word())));
        add("timeout_seconds", Some(self.timeout.unwrap_or(settings::TIMEOUT).as_secs_f64().to_string()));
        add("queue", Some(self.queue.unwrap_or(settings::QUEUE).to_string()));
        add("headers", (!self.headers.is_empty()).then(|| show_headers(&self.headers)));
        add("secret", self.secret.as_ref().map(Kept::show));
        add("template", self.template.as_deref().map(quote));
        add("template_file", self.template_file.as_ref().map(|path| quote(&path.display().to_string())));
        add("content_type", self.content_type.as_deref().map(quote));
        add("link", self.link.as_deref().map(quote));
        add("ca", self.ca.as_ref().map(|path| quote(&path.display().to_string())));
        add("facility", self.facility.map(|facility| quote(facility.name())));
        add("hostname", self.hostname.as_deref().map(quote));
        format!("{{ {} }}", parts.join(", "))
    }
}

/// Writes sinks as TOML, without their secrets.
pub(super) fn show(entries: &[SinkEntry]) -> String {
    format!("[{}]", entries.iter().map(SinkEntry::show).collect::<Vec<_>>().join(", "))
}

impl Config {
    /// Reads the secrets and files of all sinks, and returns what each is given.
    ///
    /// # Errors
    /// A mistake for each sink that cannot work, with its line.
    pub fn sinks(&self) -> Result<Vec<Settings>, Mistakes> {
        let (mut sinks, mut mistakes) = (Vec::new(), Vec::new());
        for entry in &self.sink {
            let composed = entry.compose().and_then(|settings| {
                crate::export::sinks::check(&settings).map_err(|error| error.reason().to_owned())?;
                Ok(settings)
            });
            match composed {
                Ok(settings) => sinks.push(settings),
                Err(text) => {
                    let place = self.place_of_entry("sink", entry.line);
                    mistakes.push(Mistake { place, text: format!("sink `{}`: {text}", entry.name) });
                }
            }
        }
        if mistakes.is_empty() { Ok(sinks) } else { Err(Mistakes(mistakes)) }
    }

    /// Tells whether a sink runs a command.
    #[must_use]
    pub fn runs_commands(&self) -> bool {
        self.sink.iter().any(|entry| entry.kind == Some(Exec))
    }

    /// Returns the files that sinks name, which are read again with the configuration.
    #[must_use]
    pub fn sink_files(&self) -> Vec<PathBuf> {
        self.sink.iter().flat_map(SinkEntry::files).cloned().collect()
    }

    /// Returns the folder in which undelivered alerts wait: `spool`, or one in `state`.
    #[must_use]
    pub fn spool_folder(&self) -> Option<PathBuf> {
        self.spool.clone().or_else(|| Some(self.state.as_ref()?.join("spool")))
    }

    /// Returns the line of an entry, where it came from a file.
    pub(super) fn place_of_entry(&self, key: &str, line: Option<usize>) -> Place {
        match (self.place(key), line) {
            (Place::File { path, .. }, Some(line)) => Place::File { path: path.clone(), line },
            (place, _) => place.clone(),
        }
    }
}

fn named(what: &str, kept: &Kept) -> Result<crate::export::sinks::Secret, String> {
    kept.reveal().map_err(|error| format!("{what}: {error}"))
}

fn name(item: &Item, complaints: &mut Complaints) -> Option<String> {
    let text = item.as_text("a name", complaints)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
        item.complain(complaints, format!("`{text}` is no name for a sink: write letters, digits, - and _"));
        return None;
    }
    if matches!(text, "jsonl" | "stdout" | "other") {
        item.complain(complaints, format!("`{text}` has a meaning of its own in the metrics: write another name"));
        return None;
    }
    Some(text.to_owned())
}

fn link(item: &Item, complaints: &mut Complaints) -> Option<String> {
    let text = item.as_text("an address", complaints)?;
    let fine = (text.starts_with("http://") || text.starts_with("https://"))
        && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '|' | '"'));
    if !fine {
        item.complain(complaints, format!("`{text}` is no link: write one such as https://vigie.example/"));
    }
    fine.then(|| text.to_owned())
}

fn headers(item: &Item, complaints: &mut Complaints) -> Vec<(String, Kept)> {
    let Value::Table(entries) = &item.value else {
        item.complain(complaints, "headers are a table: write headers = { Authorization = { env = \"HOOK_TOKEN\" } }");
        return Vec::new();
    };
    let mut read = Vec::new();
    for (key, value) in entries {
        let name = key.as_text("a header's name", complaints).map(str::to_owned);
        read.extend(name.zip(Kept::read(value, "a header's value", complaints)));
    }
    read
}

fn address(item: &Item, complaints: &mut Complaints) -> Option<(Transport, String, u16)> {
    let text = item.as_text("an address such as udp://127.0.0.1:514", complaints)?;
    let read = text.split_once("://").and_then(|(word, rest)| {
        let transport = Transport::WORDS.iter().find(|(known, _)| *known == word).map(|(_, transport)| *transport)?;
        let (host, port) = settings::host_and_port(rest, transport.port())?;
        Some((transport, host, port))
    });
    if read.is_none() {
        let text =
            format!("`{text}` is no syslog address: write udp://, tcp:// or tls://, a host and, if need be, :port");
        item.complain(complaints, text);
    }
    read
}

fn show_address((transport, host, port): &(Transport, String, u16)) -> String {
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!("{}://{host}:{port}", transport.word())
}

fn hostname(item: &Item, complaints: &mut Complaints) -> Option<String> {
    let text = item.as_text("a host's name", complaints)?;
    if text.is_empty() || text.len() > 255 || !text.chars().all(|c| c.is_ascii_graphic()) {
        item.complain(complaints, format!("`{text}` cannot be a host's name in syslog (RFC 5424, 6.2.4)"));
        return None;
    }
    Some(text.to_owned())
}

/// A command is a list and nothing is split: its arguments may hold commas and spaces.
fn command(item: &Item, complaints: &mut Complaints) -> Vec<String> {
    let wanted = "a list of a program and its arguments, such as [\"/usr/local/bin/page\", \"--net\"]";
    let Value::List(items) = &item.value else {
        item.complain(complaints, format!("{} is not {wanted}", item.written()));
        return Vec::new();
    };
    items.iter().filter_map(|item| item.as_text(wanted, complaints).map(str::to_owned)).collect()
}

fn show_headers(headers: &[(String, Kept)]) -> String {
    let parts: Vec<String> =
        headers.iter().map(|(name, value)| format!("{} = {}", quote(name), value.show())).collect();
    format!("{{ {} }}", parts.join(", "))
}
