//! The sandbox of a live run: what the run will still need, asked for before anything else is given up.
//!
//! Closed once everything is open and before any thread is started. What a changed configuration may then ask for is in
//! [`Limits`]; what it may not is refused with a sentence.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::terminal::complain;
use crate::config::Config;
use crate::export::flows::FlowFormat;
use crate::export::sinks::{Helper, Settings, To};
use crate::guard::{self, Calls, Files, Place, Plan, Standing, User};

/// What `watch` is told of its sandbox.
#[derive(Debug, Default, Args)]
pub(super) struct SandboxOptions {
    /// Run as this user when started as root [default: vigie where there is such a user, else nobody, else whoever can
    /// write the files].
    #[arg(long, value_name = "NAME", help_heading = "Running")]
    user: Option<String>,

    /// Keep every right the program was started with: user, capabilities, files, system calls.
    #[arg(long, help_heading = "Running", conflicts_with = "user")]
    no_sandbox: bool,
}

/// A sandbox that is to be closed.
pub(super) struct Sandbox {
    user: Option<String>,
    /// Where the configuration is read again.
    config_file: Option<PathBuf>,
    /// Whose losses are read.
    interfaces: Vec<String>,
    /// It serves the endpoint.
    serves: bool,
    /// It draws on the terminal.
    screen: bool,
    quiet: bool,
}

/// What a sandbox that is closed allows a changed configuration to ask for.
pub(super) struct Limits {
    helpers: Vec<Helper>,
    /// What is in force.
    pub(super) standing: Standing,
}

impl SandboxOptions {
    /// Returns the sandbox to close, unless there is to be none.
    pub(super) fn sandbox(
        &self,
        config_file: Option<PathBuf>,
        interfaces: &[String],
        screen: bool,
        quiet: bool,
    ) -> Option<Sandbox> {
        (!self.no_sandbox).then(|| Sandbox {
            user: self.user.clone(),
            config_file,
            interfaces: interfaces.to_vec(),
            serves: false,
            screen,
            quiet,
        })
    }
}

impl Sandbox {
    /// Serves connections from inside.
    pub(super) fn serving(self, serves: bool) -> Self {
        Self { serves, ..self }
    }

    /// Closes it, and says so. Commands of `sinks` are given helpers outside.
    ///
    /// # Errors
    /// One sentence: what is needed and cannot be had.
    pub(super) fn close(self, config: &Config, sinks: &mut [Settings]) -> anyhow::Result<Limits> {
        ensure!(guard::is_alone(), "the sandbox cannot be closed: a thread is running already");
        let places = places(config)?;
        let user = User::choose(self.user.as_deref(), &places)?;
        let helpers = helpers(sinks, user.as_ref())?;
        admit(&helpers, sinks)?;
        let calls = Calls { serves: self.serves, dials: self.dials() };
        let plan = Plan { files: self.files(config, &places, user.as_ref()), user, calls };
        let standing = guard::close(plan)?;
        if !self.quiet {
            complain(&format!("sandbox: {standing}"));
        }
        self.caution();
        Ok(Limits { helpers, standing })
    }

    /// Sinks stand in a configuration file only, and may come with a change of it.
    const fn dials(&self) -> bool {
        self.config_file.is_some()
    }

    fn files(&self, config: &Config, places: &[Place], user: Option<&User>) -> Files {
        // The kernel's tables of this process and of its control group.
        let mut files = Files { read: ["/proc", "/sys/fs/cgroup"].map(PathBuf::from).to_vec(), ..Files::default() };
        let losses = self.interfaces.iter().map(|name| Path::new("/sys/class/net").join(name));
        files.read.extend(losses.filter_map(|path| path.canonicalize().ok()));
        if let Some(file) = &self.config_file {
            files.read_again(file);
            files.read.extend(config.sink_files());
            config.certificate_files().iter().for_each(|file| files.read_again(file));
        }
        if self.dials() {
            files.dials = true;
            files.read.extend(NAMES_AND_CERTIFICATES.iter().map(PathBuf::from));
            files.read.extend(
                ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().filter_map(|name| Some(std::env::var_os(name)?.into())),
            );
            // Tables there are replaced by renaming; root, who could read the rest of it, waits for a restart.
            if user.is_none_or(|user| user.uid != 0) {
                files.read.push("/etc".into());
            }
        }
        files.write.extend(places.iter().map(|place| place.folder().to_owned()));
        if self.screen {
            files.devices.push("/dev/tty".into());
        }
        files
    }

    /// Says what SIGHUP will not find, while somebody still looks.
    fn caution(&self) {
        let Some(file) = &self.config_file else { return };
        let read = File::open(file).and_then(|mut file| file.read(&mut [0]));
        if let Err(error) = read
            && error.kind() == ErrorKind::PermissionDenied
        {
            let file = file.display();
            complain(&format!(
                "{file} cannot be read any more by the user of this run: SIGHUP will be refused until it can"
            ));
        }
    }
}

/// What resolving names and trusting certificates reads (nsswitch.conf(5), resolver(5)).
const NAMES_AND_CERTIFICATES: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/run/systemd/resolve",
    "/run/NetworkManager",
    "/run/resolvconf",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
];

/// Where the run writes by name, and makes the folders among them.
fn places(config: &Config) -> anyhow::Result<Vec<Place>> {
    let mut places = Vec::new();
    let folders =
        [("--state", config.state.clone()), ("spool", config.spool_folder()), ("--evidence", config.evidence.clone())];
    for (option, path) in folders {
        let Some(path) = path else { continue };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{option} {}: the folder cannot be made: choose another place", path.display()))?;
        // What lies in another of them goes with it.
        if !places.iter().any(|place: &Place| path.starts_with(place.folder())) {
            places.push(Place::Folder(option, path));
        }
    }
    places.extend(config.report.clone().map(|path| Place::File("--report", path)));
    let whole_at_its_end = |path: &PathBuf| FlowFormat::of(path).is_ok_and(|format| format == FlowFormat::Parquet);
    places.extend(config.flows.clone().filter(whole_at_its_end).map(|path| Place::File("--flows", path)));
    Ok(places)
}

/// Starts a helper for each command, as the user that the run becomes.
fn helpers(sinks: &[Settings], user: Option<&User>) -> anyhow::Result<Vec<Helper>> {
    let mut helpers: Vec<Helper> = Vec::new();
    let mut arguments = vec!["hook".to_owned()];
    arguments.extend(user.into_iter().flat_map(|user| ["--user".to_owned(), user.name.clone()]));
    for sink in sinks {
        if let To::Exec(exec) = &sink.to
            && !helpers.iter().any(|helper| helper.runs(&exec.command))
        {
            let helper = Helper::start(&exec.command, &arguments);
            helpers.push(helper.map_err(|reason| anyhow::anyhow!("sink `{}`: {reason}", sink.name))?);
        }
    }
    Ok(helpers)
}

impl Limits {
    /// Gives commands the helpers that run them.
    ///
    /// # Errors
    /// When there is none for one.
    pub(super) fn admit(&self, sinks: &mut [Settings]) -> anyhow::Result<()> {
        admit(&self.helpers, sinks)
    }
}

fn admit(helpers: &[Helper], sinks: &mut [Settings]) -> anyhow::Result<()> {
    for sink in sinks {
        if let To::Exec(exec) = &mut sink.to {
            let Some(helper) = helpers.iter().find(|helper| helper.runs(&exec.command)) else {
                bail!(
                    "sink `{}`: the sandbox runs only commands that it was started with: restart for this one",
                    sink.name
                );
            };
            exec.helper = Some(helper.clone());
        }
    }
    Ok(())
}
