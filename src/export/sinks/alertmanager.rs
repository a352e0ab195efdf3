//! Prometheus' Alertmanager, version 2 of its API (POST /api/v2/alerts).
//!
//! Alertmanager knows an alert by its labels and holds it open until `endsAt`. So an open alert is sent again each minute,
//! with an end a few minutes off: should Vigie die, it resolves by itself. Labels that change with the alert (its severity)
//! make it another one for Alertmanager, and the one before is resolved in the same request. The closing line gives the
//! end itself. What a run left open that was killed is told from its spool and not sent again. `startsAt` and the end are packet time; that end lies in the past by the time it is sent.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::client::Client;
use super::clock;
use super::receiver::{Message, Receiver, Refusal};
use super::settings;
use super::told::Told;
use crate::alert::Event;

/// Where alerts are posted.
const PATH: &str = "/api/v2/alerts";

/// How often an open alert is sent again: Prometheus' own resend delay.
const RESEND: Duration = Duration::from_secs(60);

/// How long an alert is open after it was last sent: four times as long, as Prometheus has it, so that three requests may
/// be lost.
const LASTS: Duration = Duration::from_secs(240);

/// The most alerts that are kept to be sent again. More are open in no network; those would resolve by themselves.
const OPEN: usize = 4_096;

/// An Alertmanager.
pub(super) struct Alertmanager {
    client: Client,
    link: Option<String>,
    /// What it was last sent of each open alert, by id.
    open: BTreeMap<String, Sent>,
}

/// An open alert.
struct Sent {
    posted: Posted,
    /// It is of this run, so that its end will be heard of.
    fresh: bool,
}

/// An alert as Alertmanager takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl Alertmanager {
    /// Prepares to send.
    ///
    /// # Errors
    /// One sentence: what is wrong with the address.
    pub(super) fn open(to: &settings::Alertmanager) -> Result<Self, String> {
        Ok(Self { client: Client::open(&to.http, PATH)?, link: to.link.clone(), open: BTreeMap::new() })
    }

    fn post(&self, alerts: &[Posted], limit: Duration) -> Result<(), Refusal> {
        let body = serde_json::to_vec(alerts).map_err(|error| Refusal::never(error.to_string()))?;
        self.client.post(&body, &[("content-type", "application/json")], limit)
    }
}

impl Receiver for Alertmanager {
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal> {
        let told = message.told;
        let posted = Posted::of(told, self.link.as_deref(), now());
        let before = self.open.get(&told.id).map(|sent| sent.posted.clone());
        let other = before.filter(|before| before.labels != posted.labels);
        let resolved = other.map(|other| Posted { ends_at: now().max(other.starts_at), ..other });
        self.post(&resolved.into_iter().chain([posted.clone()]).collect::<Vec<_>>(), limit)?;
        if told.event == Event::Close {
            self.open.remove(&told.id);
        } else if self.open.len() < OPEN || self.open.contains_key(&told.id) {
            self.open.insert(told.id.clone(), Sent { posted, fresh: message.fresh });
        }
        Ok(())
    }

    fn renews_every(&self) -> Option<Duration> {
        self.open.values().any(|sent| sent.fresh).then_some(RESEND)
    }

    fn renew(&mut self, limit: Duration) -> Result<(), Refusal> {
        let ends_at = now() + LASTS;
        let renewed = |sent: &Sent| Posted { ends_at, ..sent.posted.clone() };
        let alerts: Vec<Posted> = self.open.values().filter(|sent| sent.fresh).map(renewed).collect();
        self.post(&alerts, limit)
    }
}

impl Posted {
    fn of(told: &Told, link: Option<&str>, now: Timestamp) -> Self {
        let ends_at = match told.event {
            Event::Close => told.ended_at.unwrap_or(told.at).max(told.started_at),
            Event::Open | Event::Update => (now + LASTS).max(told.started_at),
        };
        Self {
            labels: labels(told),
            annotations: annotations(told),
            starts_at: told.started_at,
            ends_at,
            link: link.map(str::to_owned),
        }
    }
}

/// What Alertmanager routes and groups by. `id` keeps two alerts of one kind on one target apart.
fn labels(told: &Told) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([
        ("alertname", "Vigie".to_owned()),
        ("kind", told.kind.to_string()),
        ("severity", told.severity.to_string()),
        ("incident", told.incident.clone()),
        ("id", told.id.clone()),
    ]);
    labels.extend(told.target.site.as_ref().map(|site| ("site", site.clone())));
    labels.extend(told.target.prefix.as_ref().map(|prefix| ("target", prefix.clone())));
    labels
}

fn annotations(told: &Told) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("summary", format!("{} {} at {}", told.severity, told.kind, told.place())),
        ("description", told.why.clone()),
        ("evidence", told.evidence.join(" ")),
        ("verdict", format!("{} ({:.0} %)", told.verdict, told.confidence * 100.0)),
        ("filter", told.filter.clone()),
    ])
}

fn now() -> Timestamp {
    let elapsed = clock::since_epoch();
    Timestamp::from_nanosecond(i128::try_from(elapsed.as_nanos()).unwrap_or(i128::MAX)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::told::samples;
    use super::*;

    #[test]
    fn an_open_alert_ends_in_the_future_and_a_closed_one_when_it_ended() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let open = Posted::of(&samples::open(), Some("https://vigie.example/"), now);
        let close = Posted::of(&samples::close(), None, now);
        assert_eq!(open.ends_at.to_string(), "2026-01-01T00:04:00Z");
        assert_eq!(Some(close.ends_at), samples::close().ended_at);
        assert_eq!(open.labels, close.labels, "it is the same alert");
        let written = serde_json::to_value(&open).unwrap();
        assert_eq!(written["startsAt"], "2021-04-06T09:00:00Z");
        assert_eq!(written["generatorURL"], "https://vigie.example/");
        let labels = ["alertname", "id", "incident", "kind", "severity", "site", "target"];
        assert_eq!(open.labels.keys().copied().collect::<Vec<_>>(), labels);
        assert_eq!(open.annotations["description"], samples::open().why);
    }

    /// Answers as many requests as it is told to; gives their bodies back.
    fn answering(requests: usize) -> (String, std::thread::JoinHandle<Vec<serde_json::Value>>) {
        use std::io::{BufRead, BufReader, Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut body = || {
                let head: Vec<String> =
                    stream.by_ref().lines().map(Result::unwrap).take_while(|l| !l.is_empty()).collect();
                let length =
                    head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap()];
                stream.read_exact(&mut body).unwrap();
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                serde_json::from_slice(&body).unwrap()
            };
            (0..requests).map(|_| body()).collect()
        };
        (url, std::thread::spawn(answer))
    }

    #[test]
    fn what_is_open_is_sent_again_unless_an_earlier_run_left_it() {
        let (url, requests) = answering(4);
        let http = settings::Http { url: super::super::Secret::new(url), headers: Vec::new(), ca: None };
        let mut manager = Alertmanager::open(&settings::Alertmanager { http, link: None }).unwrap();
        let (fresh, old) = (samples::open(), Told { id: "old".to_owned(), ..samples::open() });
        let limit = Duration::from_secs(30);
        manager.send(&Message { line: "", told: &old, fresh: false }, limit).unwrap();
        assert_eq!(manager.renews_every(), None);
        manager.send(&Message { line: "", told: &fresh, fresh: true }, limit).unwrap();
        assert_eq!(manager.renews_every(), Some(RESEND));
        manager.renew(limit).unwrap();
        manager.send(&Message { line: "", told: &samples::close(), fresh: true }, limit).unwrap();
        assert_eq!(manager.renews_every(), None, "it is over");
        let renewed = &requests.join().unwrap()[2];
        assert_eq!((renewed.as_array().unwrap().len(), &renewed[0]["labels"]["id"]), (1, &fresh.id.into()));
    }

    #[test]
    fn no_alert_ends_before_it_begins() {
        let early: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
        let open = Posted::of(&samples::open(), None, early);
        assert!(open.ends_at >= open.starts_at, "a capture clock that runs ahead");
    }
}
