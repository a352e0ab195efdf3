//! `vigie hook`: the helper that runs the command of a sink for a run inside its sandbox. Nobody types it.

use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::Args;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::Exit;
use crate::export::sinks::attend;
use crate::guard::{self, User};

/// Run a sink's command for a run that has given up starting programs. It is started by `vigie watch`.
#[derive(Debug, Args)]
pub(super) struct Hook {
    /// Run it as this user.
    #[arg(long)]
    user: Option<String>,
}

impl Hook {
    /// Serves its employer on standard input until that is closed.
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        // The employer, which gets these signals too, has last alerts to deliver, and ends this by closing the link.
        let unheeded = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&unheeded)).context("signals cannot be handled")?;
        }
        let user = self.user.as_deref().map(User::named).transpose()?;
        guard::step_down(user.as_ref()).context("the rights of the run cannot be given up")?;
        let link = io::stdin().as_fd().try_clone_to_owned().context("there is no link to an employer")?;
        attend(UnixStream::from(link)).context("what came is from no employer")?;
        Ok(Exit::Done)
    }
}
