//! As whom a run goes on: an unprivileged user who can write where the run must.
//!
//! Users are read from `/etc/passwd` (passwd(5)): asking the C library would start whatever `nsswitch.conf` names, as
//! root and before the sandbox. Without `--user` the first who can write everything is taken, of the user `vigie`, where
//! there is one, `nobody`, whoever called sudo(8), and at last root, which then keeps its name and nothing else.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::{GuardError, capabilities};

/// Who is asked first.
const PREFERRED: [&str; 2] = ["vigie", "nobody"];

/// A folder made over is walked so deep: the state may hold the spool, which has a folder for each sink.
const DEPTH: usize = 3;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
}

/// Where the run writes by name while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder of its own, which is made over to the user.
    Folder(&'static str, PathBuf),
    /// A file that is put beside its old self and renamed; its folder belongs to others too.
    File(&'static str, PathBuf),
}

impl User {
    /// Finds a user by name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, GuardError> {
        let table = fs::read_to_string("/etc/passwd").unwrap_or_default();
        find(&table, name).ok_or_else(|| GuardError::NoSuchUser(name.to_owned()))
    }

    /// Chooses as whom to go on: the user `wanted`, or the first fit one. `None` when we are not root to begin with. The
    /// folders are made over to the choice.
    ///
    /// # Errors
    /// When nobody can write everything.
    pub fn choose(wanted: Option<&str>, places: &[Place]) -> Result<Option<Self>, GuardError> {
        if !super::is_root() {
            return match wanted {
                Some(name) => Err(GuardError::NotRoot(name.to_owned())),
                None => Ok(None),
            };
        }
        let candidates = match wanted {
            Some(name) => vec![Self::named(name)?],
            None => Self::candidates(),
        };
        let mut first = None;
        for candidate in candidates {
            match candidate.lacks(places) {
                None => {
                    candidate.take_over(places).map_err(GuardError::step("making folders over"))?;
                    return Ok(Some(candidate));
                }
                Some(place) => first = first.or(Some(place.refusal(&candidate))),
            }
        }
        Err(first.unwrap_or_else(|| GuardError::NoSuchUser("nobody".to_owned())))
    }

    fn candidates() -> Vec<Self> {
        let table = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let caller = std::env::var("SUDO_USER").ok();
        let names = PREFERRED.into_iter().chain(caller.as_deref()).chain(["root"]);
        names.filter_map(|name| find(&table, name)).collect()
    }

    /// Becomes the user, in this thread and those it starts, without supplementary groups.
    pub(super) fn assume(&self) -> io::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        if rustix::process::geteuid() == uid && !uid.is_root() {
            return Ok(());
        }
        set_thread_groups(&[])?;
        set_thread_res_gid(gid, gid, gid)?;
        Ok(set_thread_res_uid(uid, uid, uid)?)
    }

    /// Returns a place that the user could not write even if the folders were its own. Tried on a thread that is the user.
    fn lacks<'a>(&self, places: &'a [Place]) -> Option<&'a Place> {
        std::thread::scope(|scope| {
            let tried = scope.spawn(|| match self.assume().and_then(|()| capabilities::clear()) {
                Ok(()) => places.iter().find(|place| !place.is_open_to_us()),
                Err(_) => places.first(),
            });
            tried.join().unwrap_or(places.first())
        })
    }

    /// Makes folders that are root's over to the user, with what root has put into them.
    fn take_over(&self, places: &[Place]) -> io::Result<()> {
        for place in places {
            if let Place::Folder(_, path) = place {
                self.own(path, DEPTH)?;
            }
        }
        Ok(())
    }

    /// Links are not followed, and files with other names are left: both could lead to what is not ours.
    fn own(&self, path: &Path, depth: usize) -> io::Result<()> {
        let found = fs::symlink_metadata(path)?;
        if found.uid() == 0 && self.uid != 0 && (found.is_dir() || found.is_file() && found.nlink() == 1) {
            lchown(path, Some(self.uid), Some(self.gid))?;
        }
        if depth > 0 && found.is_dir() {
            for entry in fs::read_dir(path)? {
                self.own(&entry?.path(), depth - 1)?;
            }
        }
        Ok(())
    }
}

impl Place {
    /// Returns the folder that is written in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        match self {
            Self::Folder(_, path) => path,
            Self::File(_, path) => parent(path),
        }
    }

    fn is_open_to_us(&self) -> bool {
        let open = |path: &Path, rights| access(path, rights).is_ok();
        match self {
            Self::Folder(_, path) => {
                let ours =
                    fs::metadata(path).is_ok_and(|folder| folder.uid() == 0) && open(parent(path), Access::EXEC_OK);
                ours || open(path, Access::WRITE_OK | Access::EXEC_OK)
            }
            Self::File(_, path) => open(parent(path), Access::WRITE_OK | Access::EXEC_OK),
        }
    }

    fn refusal(&self, user: &User) -> GuardError {
        let (Self::Folder(option, path) | Self::File(option, path)) = self;
        let reason = format!("make it over to that user (chown {}), or name another with --user", user.name);
        GuardError::Place { option, path: path.clone(), user: user.name.clone(), reason }
    }
}

/// Returns the folder that a path lies in.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

/// Reads a line of passwd(5): name, password, number, group's number, and more.
fn find(table: &str, name: &str) -> Option<User> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        is_it.then(|| User { name: name.to_owned(), uid, gid })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "root:x:0:0:root:/root:/bin/bash\nbroken\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\nx:y:z\n";

    #[test]
    fn users_are_found_by_their_whole_name() {
        let nobody = User { name: "nobody".to_owned(), uid: 65_534, gid: 65_534 };
        assert_eq!(find(TABLE, "nobody"), Some(nobody));
        for name in ["nobod", "nobody:x", "x", "broken", ""] {
            assert_eq!(find(TABLE, name), None, "{name}");
        }
    }

    #[test]
    fn a_file_without_a_folder_lies_here() {
        assert_eq!(parent(Path::new("report.html")), Path::new("."));
        assert_eq!(parent(Path::new("/var/report.html")), Path::new("/var"));
        assert_eq!(parent(Path::new("/")), Path::new("/"));
    }
}
