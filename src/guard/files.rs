//! Which files can still be opened (landlock(7)): some to read, some folders to write in, nothing to run.
//!
//! A rule holds for what lies beneath a path at this moment. A file that is replaced by renaming is another file, so what
//! is read again later is named by its folder.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use super::GuardError;
use super::user::parent;

/// The newest rules that were tried: later ones may forbid what is needed.
const KNOWN: ABI = ABI::V6;

/// What a process may open by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// What it may read: files, or all that lies beneath folders. What is not there is passed over.
    pub read: Vec<PathBuf>,
    /// Folders in which it may write, and read.
    pub write: Vec<PathBuf>,
    /// Devices that it may use, such as the terminal.
    pub devices: Vec<PathBuf>,
    /// It may open TCP connections. It may not listen on further ports in any case.
    pub dials: bool,
}

/// How far the kernel confines a process to its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// As far as is known to us.
    Fully,
    /// An older kernel, which leaves some of it open.
    Partly,
    /// Not at all: landlock is not in this kernel, or not turned on.
    No,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fully => "files confined by landlock",
            Self::Partly => "files confined by landlock as far as this kernel can",
            Self::No => "files not confined (this kernel has no landlock)",
        })
    }
}

/// Rules that are ready to be put in force.
pub(super) struct Prepared(RulesetCreated);

impl Files {
    /// Adds the folder of a file that is read again while the run goes on, wherever links lead. The root folder is never
    /// added for the sake of a file in it.
    pub fn read_again(&mut self, file: &Path) {
        self.read.push(file.to_owned());
        for path in [Some(file.to_owned()), file.canonicalize().ok()].into_iter().flatten() {
            let folder = parent(&path);
            if folder != Path::new("/") {
                self.read.push(folder.to_owned());
            }
        }
    }

    pub(super) fn prepare(&self) -> Result<Prepared, GuardError> {
        self.rules().map(Prepared).map_err(refused)
    }

    fn rules(&self) -> Result<RulesetCreated, RulesetError> {
        let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let mut net: BitFlags<AccessNet> = AccessNet::BindTcp.into();
        if !self.dials {
            net |= AccessNet::ConnectTcp;
        }
        Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .handle_access(net)?
            .scope(Scope::from_all(KNOWN))?
            .create()?
            .add_rules(path_beneath_rules(&self.read, read))?
            .add_rules(path_beneath_rules(&self.write, read | writing()))?
            .add_rules(path_beneath_rules(&self.devices, make_bitflags!(AccessFs::{ReadFile | WriteFile | IoctlDev})))
    }
}

/// Files and folders, but no devices, sockets, pipes or links, and nothing that runs.
fn writing() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | RemoveFile | MakeDir | RemoveDir | Refer})
}

impl Prepared {
    pub(super) fn restrict(self) -> Result<Held, GuardError> {
        let status = self.0.restrict_self().map_err(refused)?;
        Ok(match status.ruleset {
            RulesetStatus::FullyEnforced => Held::Fully,
            RulesetStatus::PartiallyEnforced => Held::Partly,
            RulesetStatus::NotEnforced => Held::No,
        })
    }
}

fn refused(error: RulesetError) -> GuardError {
    GuardError::step("landlock")(io::Error::other(error))
}
