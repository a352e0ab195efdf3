//! Alerts on their way to people: Alertmanager, webhooks, chat, syslog, a program of the user's own.
//!
//! The scorer hands a line to one bounded channel and goes on, whatever becomes of it ([`Sinks::tell`]). A thread, the
//! desk, decides who is told ([`filter`], [`mute`]) and lays the line into each sink's backlog, on disk where there is a
//! spool. Each sink has a thread of its own, the courier, that takes the oldest line of its backlog to the receiver, tries
//! again until it is taken, and only then takes the next: a receiver gets its lines in their order, and one that is dead
//! holds up nobody else. Knows alert lines as they are written, and nothing of how an alert is found.

mod alertmanager;
mod backlog;
mod backoff;
mod client;
mod clock;
mod courier;
mod desk;
mod exec;
pub mod filter;
pub mod mute;
mod receiver;
mod secret;
pub mod settings;
mod slack;
mod spool;
pub mod syslog;
mod template;
mod tls;
mod told;
mod webhook;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError, bounded};

pub use exec::Helper;
pub use exec::helper::attend;
pub use mute::Mute;
pub use receiver::Refusal;
pub use secret::Secret;
pub use settings::{Settings, To};
pub use told::Told;

use crate::alert::Alert;
use crate::metrics::{DeliveryOutcome, Metrics};
use courier::Courier;
use desk::{Desk, ToDesk};
use receiver::{Message, Receiver};
use spool::Spool;

/// Lines on their way to the desk. It does nothing but lay them down, so this is filled by a disk that stalls.
const DESK_LINES: usize = 8_192;

/// Why sinks cannot be started. One sentence: which, what, what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What is configured cannot work.
    #[error("sink `{name}`: {reason}")]
    Sink {
        /// The sink.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its spool cannot be used.
    #[error("sink `{name}`: the spool {} cannot be used: {reason}", path.display())]
    Spool {
        /// The sink.
        name: String,
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Sinks cannot be changed now.
    #[error("sinks cannot be changed: too many alerts are on their way to them: try again later")]
    Busy,
}

impl StartError {
    /// Returns what is wrong, without the sink's name.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Sink { reason, .. } | Self::Spool { reason, .. } => reason,
            Self::Busy => "too many alerts are on their way",
        }
    }
}

/// What a sink had not delivered at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The sink.
    pub sink: String,
    /// Lines that wait on disk for the next run.
    pub kept: usize,
    /// Lines that are lost.
    pub lost: u64,
}

/// All sinks of a run.
pub struct Sinks {
    /// To the desk; `None` once it is closed.
    lines: Option<Sender<ToDesk>>,
    desk: Option<std::thread::JoinHandle<Desk>>,
    names: Vec<String>,
    metrics: Option<Arc<Metrics>>,
    /// Lines that the desk had no room for.
    unheard: u64,
}

impl std::fmt::Debug for Sinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sinks").field("names", &self.names).field("unheard", &self.unheard).finish_non_exhaustive()
    }
}

impl Sinks {
    /// Opens every sink and its spool, and starts their threads. What an earlier run left in a spool goes first.
    ///
    /// # Errors
    /// One sentence for the first sink that cannot work.
    pub fn start(
        sinks: &[Settings],
        mutes: Vec<Mute>,
        spool: Option<&Path>,
        metrics: Option<Arc<Metrics>>,
    ) -> Result<Self, StartError> {
        let mut couriers = Vec::new();
        for settings in sinks {
            couriers.push(start_courier(settings, spool, metrics.clone())?);
        }
        let (lines, incoming) = bounded(DESK_LINES);
        let names = sinks.iter().map(|settings| settings.name.clone()).collect();
        let desk = Desk::new(sinks, mutes, couriers, spool.map(Path::to_owned), metrics.clone());
        let desk = std::thread::spawn(move || desk.run(&incoming));
        Ok(Self { lines: Some(lines), desk: Some(desk), names, metrics, unheard: 0 })
    }

    /// Tells all sinks, and never waits.
    pub fn tell(&mut self, line: &str) {
        let Some(lines) = &self.lines else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            lines.try_send(ToDesk::Line(Arc::from(line)))
        {
            self.unheard += 1;
            if let Some(metrics) = &self.metrics {
                self.names.iter().for_each(|name| metrics.record_delivery(name, DeliveryOutcome::Dropped));
            }
        }
    }

    /// Goes on with other sinks and mutes, and never waits. A sink whose settings are the same goes on as it is; one that
    /// changed, or is no longer wanted, has two seconds to deliver what waits, and keeps the rest in its spool. Lines told
    /// before go to the sinks before.
    ///
    /// # Errors
    /// When the desk has no room, or a sink cannot be opened; nothing is changed then.
    pub fn revise(&mut self, sinks: Vec<Settings>, mutes: Vec<Mute>) -> Result<(), StartError> {
        for settings in &sinks {
            open(settings)?;
        }
        let names = sinks.iter().map(|settings| settings.name.clone()).collect();
        let sent = self.lines.as_ref().map(|lines| lines.try_send(ToDesk::Revise(sinks, mutes)));
        match sent {
            Some(Ok(())) => {
                self.names = names;
                Ok(())
            }
            _ => Err(StartError::Busy),
        }
    }

    /// Delivers what waits, for at most so long, and returns what each sink could not deliver.
    #[must_use]
    pub fn finish(mut self, limit: Duration) -> Vec<Left> {
        drop(self.lines.take());
        let couriers = match self.desk.take().map(std::thread::JoinHandle::join) {
            Some(Ok(desk)) => desk.close(),
            _ => Vec::new(),
        };
        let deadline = clock::now() + limit;
        couriers.iter().for_each(|courier| courier.close(deadline));
        let left = couriers.into_iter().map(|courier| courier.finish(deadline));
        left.map(|left| Left { lost: left.lost + self.unheard, ..left })
            .filter(|left| left.kept > 0 || left.lost > 0)
            .collect()
    }
}

/// Checks what can be checked without asking a receiver: addresses, certificates, templates, programs.
///
/// # Errors
/// One sentence: what is wrong and what to write instead.
pub fn check(settings: &Settings) -> Result<(), StartError> {
    open(settings).map(|_| ())
}

/// Hands lines to one receiver, one after the other, each once, and waits until they are taken.
///
/// # Errors
/// Why one was not.
pub fn deliver_now(settings: &Settings, alerts: &[Alert]) -> Result<(), String> {
    let mut receiver = open(settings).map_err(|error| error.to_string())?;
    for alert in alerts {
        let line = alert.to_json().map_err(|error| error.to_string())?;
        let told: Told = serde_json::from_str(&line).map_err(|error| error.to_string())?;
        let message = Message { line: &line, told: &told, fresh: true };
        receiver.send(&message, settings.timeout).map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}

/// Opens a sink and its spool, and starts its courier.
fn start_courier(
    settings: &Settings,
    spool: Option<&Path>,
    metrics: Option<Arc<Metrics>>,
) -> Result<Courier, StartError> {
    let receiver = open(settings)?;
    let spool = spool.map(|folder| open_spool(settings, folder)).transpose()?;
    Ok(Courier::start(settings, receiver, spool, metrics))
}

fn open_spool(settings: &Settings, folder: &Path) -> Result<Spool, StartError> {
    let path = folder.join(&settings.name);
    let failed = |reason: std::io::Error| StartError::Spool {
        name: settings.name.clone(),
        path: path.clone(),
        reason: reason.to_string(),
    };
    Spool::open(&path).map_err(failed)
}

fn open(settings: &Settings) -> Result<Box<dyn Receiver>, StartError> {
    let opened: Result<Box<dyn Receiver>, String> = match &settings.to {
        To::Alertmanager(to) => alertmanager::Alertmanager::open(to).map(|receiver| Box::new(receiver) as _),
        To::Webhook(to) => webhook::Webhook::open(to).map(|receiver| Box::new(receiver) as _),
        To::Slack(to) => slack::Slack::open(to).map(|receiver| Box::new(receiver) as _),
        To::Syslog(to) => syslog::Syslog::open(to).map(|receiver| Box::new(receiver) as _),
        To::Exec(to) => exec::Exec::open(to).map(|receiver| Box::new(receiver) as _),
    };
    opened.map_err(|reason| StartError::Sink { name: settings.name.clone(), reason })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::kind::Severity;

    /// A receiver that lets everybody wait: connections stand in the listener's queue and are never answered.
    fn silent() -> (TcpListener, Settings) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Secret::new(format!("http://{}/", listener.local_addr().unwrap()));
        let settings = Settings {
            name: "silent".to_owned(),
            severity: Severity::Info,
            updates: filter::Updates::All,
            timeout: Duration::from_secs(60),
            queue: 100,
            to: To::Slack(settings::Slack { http: settings::Http { url, headers: Vec::new(), ca: None }, link: None }),
        };
        (listener, settings)
    }

    /// Tells a life of two lines and ends soon.
    fn left(settings: Settings, spool: Option<&Path>) -> Vec<Left> {
        let metrics = Arc::new(Metrics::new());
        let mut sinks = Sinks::start(&[settings], Vec::new(), spool, Some(Arc::clone(&metrics))).unwrap();
        told::samples::lines().iter().for_each(|line| sinks.tell(line));
        sinks.finish(Duration::from_millis(100))
    }

    #[test]
    fn the_end_does_not_wait_for_a_receiver_that_never_answers() {
        let (_listener, settings) = silent();
        let lost = [Left { sink: "silent".to_owned(), kept: 0, lost: 2 }];
        assert_eq!(left(settings.clone(), None), lost);
        let folder = tempfile::tempdir().unwrap();
        let kept = [Left { sink: "silent".to_owned(), kept: 2, lost: 0 }];
        assert_eq!(left(settings, Some(folder.path())), kept);
    }

    #[test]
    fn a_full_queue_loses_the_oldest_and_counts_them() {
        let (_listener, settings) = silent();
        let metrics = Arc::new(Metrics::new());
        let settings = Settings { queue: 1, ..settings };
        let mut sinks = Sinks::start(&[settings], Vec::new(), None, Some(Arc::clone(&metrics))).unwrap();
        told::samples::lines().iter().for_each(|line| sinks.tell(line));
        assert_eq!(sinks.finish(Duration::from_millis(100)), [Left { sink: "silent".to_owned(), kept: 0, lost: 2 }]);
        let text = metrics.text();
        let dropped = "vigie_sink_deliveries_total{outcome=\"dropped\",sink=\"silent\"} 1\n";
        assert!(text.contains(dropped) && text.contains("vigie_sink_backlog_lines{sink=\"silent\"} 1\n"), "{text}");
    }

    #[test]
    fn two_runs_cannot_share_a_spool() {
        let (_listener, settings) = silent();
        let folder = tempfile::tempdir().unwrap();
        let running = Sinks::start(std::slice::from_ref(&settings), Vec::new(), Some(folder.path()), None).unwrap();
        let error = Sinks::start(&[settings], Vec::new(), Some(folder.path()), None).unwrap_err().to_string();
        assert!(error.contains("sink `silent`") && error.contains("another vigie uses it"), "{error}");
        assert!(running.finish(Duration::from_secs(1)).is_empty());
    }

    #[test]
    fn a_sink_that_changed_hands_its_spool_over_and_one_that_did_not_goes_on() {
        let (_listener, settings) = silent();
        let folder = tempfile::tempdir().unwrap();
        let other = Settings { name: "other".to_owned(), ..settings.clone() };
        let both = [settings.clone(), other.clone()];
        let mut sinks = Sinks::start(&both, Vec::new(), Some(folder.path()), None).unwrap();
        told::samples::lines().iter().for_each(|line| sinks.tell(line));
        let changed = Settings { timeout: Duration::from_secs(30), ..settings };
        sinks.revise(vec![changed, other], Vec::new()).unwrap();
        told::samples::lines().iter().for_each(|line| sinks.tell(line));
        let mut left = sinks.finish(Duration::from_millis(100));
        left.sort_by(|a, b| a.sink.cmp(&b.sink));
        // Four lines each: those from before the change lie in the spool that was handed over.
        assert_eq!(left, ["other", "silent"].map(|sink| Left { sink: sink.to_owned(), kept: 4, lost: 0 }));
    }

    #[test]
    fn a_sink_that_cannot_work_changes_nothing() {
        let (_listener, settings) = silent();
        let mut sinks = Sinks::start(std::slice::from_ref(&settings), Vec::new(), None, None).unwrap();
        let to = To::Exec(settings::Exec { command: vec!["/nowhere/page".to_owned()], helper: None });
        assert!(sinks.revise(vec![Settings { to, ..settings }], Vec::new()).is_err());
        told::samples::lines().iter().for_each(|line| sinks.tell(line));
        assert_eq!(sinks.finish(Duration::from_millis(100)), [Left { sink: "silent".to_owned(), kept: 0, lost: 2 }]);
    }
}
