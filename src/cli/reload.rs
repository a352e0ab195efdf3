//! SIGHUP while watching: the configuration is read again, and what a run can take without losing what it knows is taken.
//!
//! A configuration that is wrong is refused with the sentences of `vigie check`, and the one before stays in force.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

use super::check::examine;
use super::sandbox::Limits;
use super::supervisor::Supervisor;
use super::terminal::complain;
use crate::config::{Changes, Config};
use crate::export::http::Renewable;
use crate::export::privacy::Privacy;
use crate::export::sinks::{Mute, Settings};
use crate::metrics::{Metrics, ReloadOutcome};
use crate::pipeline::Revision;

/// Changes on their way: who sends signals faster than ticks come is told so.
const PENDING: usize = 16;

/// What outputs go on with.
pub(super) struct Delivery {
    /// Who is told.
    pub(super) sinks: Vec<Settings>,
    /// Of what not.
    pub(super) mutes: Vec<Mute>,
    /// How much of addresses is shown.
    pub(super) privacy: Privacy,
}

/// What of the endpoint a signal concerns.
#[derive(Default)]
pub(super) struct Endpoint {
    /// The certificate that is read again.
    pub(super) certificate: Option<Arc<Renewable>>,
    /// Where reloads are counted.
    pub(super) metrics: Option<Arc<Metrics>>,
}

/// Where a run gets changes from.
pub(super) struct Incoming {
    /// For the scorer.
    pub(super) revisions: Receiver<Revision>,
    /// For the outputs.
    pub(super) deliveries: Receiver<Delivery>,
}

/// Signals that came and wait to be followed. From here on SIGHUP does not end the program.
pub(super) struct Hangups(Signals);

impl Hangups {
    /// Begins to catch them.
    ///
    /// # Errors
    /// When the system takes no handler.
    pub(super) fn catch() -> anyhow::Result<Self> {
        Ok(Self(Signals::new([SIGHUP]).context("signals cannot be handled")?))
    }

    /// Follows them on a thread of its own: `read` reads the configuration as it was read at the start.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn follow(
        mut self,
        started: Config,
        limits: Option<Limits>,
        supervisor: Arc<Supervisor>,
        endpoint: Endpoint,
        read: impl Fn() -> anyhow::Result<Config> + Send + 'static,
    ) -> anyhow::Result<Incoming> {
        let (to_scorer, revisions) = bounded(PENDING);
        let (to_outputs, deliveries) = bounded(PENDING);
        let mut reload = Reload { current: started.clone(), started, limits, endpoint, to_scorer, to_outputs };
        let follow = move || {
            for _ in self.0.forever() {
                supervisor.reloading();
                complain(&reload.again(read()));
                supervisor.reloaded();
            }
        };
        std::thread::Builder::new()
            .name("vigie reload".to_owned())
            .spawn(follow)
            .context("signals cannot be handled")?;
        Ok(Incoming { revisions, deliveries })
    }
}

/// What is in force, and where changes of it go.
struct Reload {
    started: Config,
    current: Config,
    /// What the sandbox allows, where there is one.
    limits: Option<Limits>,
    endpoint: Endpoint,
    to_scorer: Sender<Revision>,
    to_outputs: Sender<Delivery>,
}

impl Reload {
    /// Takes what was read, and returns what is to be said of it.
    fn again(&mut self, read: anyhow::Result<Config>) -> String {
        let certificate = self.endpoint.certificate.as_ref().map(|certificate| certificate.renew());
        let taken = read.and_then(|config| {
            let sinks = self.sinks(&config)?;
            let changes = self.current.changes(&self.started, &config);
            self.send(&config, &changes, sinks)?;
            self.current = config;
            Ok(said(&changes))
        });
        let is_refused = taken.is_err() || matches!(certificate, Some(Err(_)));
        if let Some(metrics) = &self.endpoint.metrics {
            metrics.record_reload(if is_refused { ReloadOutcome::Refused } else { ReloadOutcome::Succeeded });
        }
        let mut text = taken
            .unwrap_or_else(|error| format!("{error:#}\nreload: refused, the configuration before stays in force"));
        match certificate {
            Some(Ok(true)) => text.push_str("\nreload: the endpoint shows its new certificate"),
            // Writing to a string cannot fail.
            Some(Err(error)) => {
                let _ = write!(text, "\nreload: [http] {error}: the certificate before stays in force");
            }
            Some(Ok(false)) | None => {}
        }
        text
    }

    /// Tries what the configuration names. Inside a sandbox that is its sinks: what needs a restart may lie out of sight.
    fn sinks(&self, config: &Config) -> anyhow::Result<Vec<Settings>> {
        let Some(limits) = &self.limits else {
            examine(config)?;
            return Ok(config.sinks()?);
        };
        let mut sinks = config.sinks()?;
        limits.admit(&mut sinks)?;
        Ok(sinks)
    }

    fn send(&self, config: &Config, changes: &Changes, sinks: Vec<Settings>) -> anyhow::Result<()> {
        let protects = changes.taken.iter().any(|name| matches!(*name, "protect" | "site"));
        let revision =
            Revision { sites: protects.then(|| config.sites()), engine: config.engine(), alert: config.alert.clone() };
        let delivery = Delivery { sinks, mutes: config.mutes(), privacy: config.privacy };
        let busy = "the last change has not been taken yet: try again";
        self.to_outputs.try_send(delivery).ok().context(busy)?;
        self.to_scorer.try_send(revision).ok().context(busy)
    }
}

fn said(changes: &Changes) -> String {
    let mut text = match changes.taken.as_slice() {
        [] => "reload: nothing changed that can be taken while running".to_owned(),
        taken => format!("reload: in force from now on: {}", taken.join(", ")),
    };
    if !changes.restart.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, "; needs a restart: {}", changes.restart.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> anyhow::Result<Config> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Ok(Config::load(Some(file.path()), [], &[])?)
    }

    fn reload(text: &str) -> (Reload, Incoming) {
        let (to_scorer, revisions) = bounded(PENDING);
        let (to_outputs, deliveries) = bounded(PENDING);
        let config = load(text).unwrap();
        (
            Reload {
                started: config.clone(),
                current: config,
                limits: None,
                endpoint: Endpoint::default(),
                to_scorer,
                to_outputs,
            },
            Incoming { revisions, deliveries },
        )
    }

    #[test]
    fn what_changed_is_sent_and_said() {
        let (mut reload, incoming) = reload("protect = \"192.0.2.0/24=a\"\nhome = \"FR\"\n");
        let said = reload.again(load("protect = \"192.0.2.0/25=a\"\nhome = \"DE\"\nprivacy = \"truncate\"\n"));
        assert_eq!(said, "reload: in force from now on: protect, privacy; needs a restart: home");
        let sites = incoming.revisions.try_recv().unwrap().sites.unwrap();
        assert_eq!(sites[0].prefixes[0].to_string(), "192.0.2.0/25");
        assert_eq!(incoming.deliveries.try_recv().unwrap().privacy, Privacy::Truncate);
        let said = reload.again(load("protect = \"192.0.2.0/25=a\"\nhome = \"FR\"\nprivacy = \"truncate\"\n"));
        assert_eq!(said, "reload: nothing changed that can be taken while running");
        assert!(incoming.revisions.try_recv().unwrap().sites.is_none());
    }

    #[test]
    fn what_is_wrong_is_refused_and_nothing_is_sent() {
        let (mut reload, incoming) = reload("home = \"FR\"\n");
        let said = reload.again(load("homme = \"FR\"\n[[sink]]\nname = \"a\"\n"));
        assert!(said.contains("did you mean `home`?") && said.contains("needs a type"), "{said}");
        assert!(said.ends_with("\nreload: refused, the configuration before stays in force"), "{said}");
        assert!(incoming.revisions.is_empty() && incoming.deliveries.is_empty());
    }
}
