//! What a process may still do once it reads bytes that strangers chose: as little as its work needs.
//!
//! Before any thread is started a run gives up root for another user, every capability and the way to new ones, the files
//! it was not told of (`files`) and the system calls it has no use for (`syscalls`). What was opened before stays
//! open: packet sockets, the listening port, the file of alerts. Each of these holds for the calling thread and for those
//! it starts, which is why it comes first ([`is_alone`]). Knows paths and users, and nothing of what they are for.
//!
//! Of the ways to write a filter of system calls, libseccomp is a C library to link and to ship, and extrasafe brings its
//! own sets of rules; seccompiler turns a table of ours into the program and needs `libc` alone.

mod capabilities;
mod files;
mod syscalls;
mod user;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use files::{Files, Held};
pub use syscalls::Calls;
pub use user::{Place, User};

/// Why the sandbox cannot be closed. One sentence: what and what to do.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The user is not known.
    #[error("--user {0}: there is no such user in /etc/passwd: `useradd --system {0}` makes one")]
    NoSuchUser(String),
    /// Only root can become somebody else.
    #[error("--user {0}: only root can run as another user: start as root or leave the option out")]
    NotRoot(String),
    /// A place cannot be written by the user.
    #[error("{option} {}: the user `{user}`, as whom it would run, cannot write there: {reason}", path.display())]
    Place {
        /// The option that named it.
        option: &'static str,
        /// What it named.
        path: PathBuf,
        /// The user.
        user: String,
        /// What to do.
        reason: String,
    },
    /// The system refused a step.
    #[error("the sandbox cannot be closed: {step}: {reason}: --no-sandbox runs without it")]
    Step {
        /// What was being done.
        step: &'static str,
        /// What the system said.
        reason: io::Error,
    },
}

impl GuardError {
    fn step(step: &'static str) -> impl Fn(io::Error) -> Self {
        move |reason| Self::Step { step, reason }
    }
}

/// What a process is to be left with.
#[derive(Debug)]
pub struct Plan {
    /// Whom it becomes; `None` to stay who it is.
    pub user: Option<User>,
    /// What it may open.
    pub files: Files,
    /// What it may ask of the system.
    pub calls: Calls,
}

/// What holds from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// As whom it runs.
    pub user: Option<String>,
    /// How far the kernel confines it to its files.
    pub files: Held,
    /// System calls are filtered; not on every kind of machine.
    pub calls: bool,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().map_or_else(String::new, |user| format!("user {user}, "));
        let calls = if self.calls {
            "system calls filtered"
        } else {
            "system calls not filtered (no filter for this machine or kernel)"
        };
        write!(f, "{user}no capabilities, {}, {calls}", self.files)
    }
}

/// Gives up everything that the plan does not name, for this thread and those it starts.
///
/// # Errors
/// When the system refuses a step; what was given up by then stays so, and the process should end.
pub fn close(plan: Plan) -> Result<Standing, GuardError> {
    // Opened as whoever we still are: the user need not see the folders above its own.
    let files = plan.files.prepare()?;
    capabilities::bound().map_err(GuardError::step("capabilities"))?;
    if let Some(user) = &plan.user {
        user.assume().map_err(GuardError::step("changing the user"))?;
    }
    capabilities::clear().map_err(GuardError::step("capabilities"))?;
    rustix::thread::set_no_new_privs(true).map_err(|error| GuardError::step("no_new_privs")(error.into()))?;
    let files = files.restrict()?;
    let calls = plan.calls.filter().map_err(GuardError::step("the filter of system calls"))?;
    Ok(Standing { user: plan.user.map(|user| user.name), files, calls })
}

/// Gives up new privileges and unneeded system calls, for all threads: what a run over recorded traffic can do in no time.
/// Tells whether system calls are filtered now.
///
/// # Errors
/// When the system refuses.
pub fn narrow(calls: Calls) -> Result<bool, GuardError> {
    calls.filter_all_threads().map_err(GuardError::step("the filter of system calls"))
}

/// Gives up what a helper outside the sandbox does not need: the user, and every capability in use. Programs that it
/// starts may still gain what their files give them.
///
/// # Errors
/// When the system refuses.
pub fn step_down(user: Option<&User>) -> io::Result<()> {
    user.map_or(Ok(()), User::assume)?;
    capabilities::clear()
}

/// Tells whether this process has one thread only; one that runs already would stay outside.
#[must_use]
pub fn is_alone() -> bool {
    std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() == 1)
}

/// Tells whether it is root that runs this.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(test)]
mod tests;
