//! A small process that runs one program for another process, which has given up starting any.
//!
//! It is this program anew, started before the sandbox closes, so that nothing of the run is in its memory. Which command
//! it runs it is told once, in its first line, and whoever takes over the run later cannot change it: what comes after are
//! lines for that command and the time each may take. Both sides speak JSON, a line at a time, over a socket that is the
//! helper's standard input; when it closes the helper ends.

use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::receiver::{Again, Refusal};
use super::{check, program};

/// What the helper may take beyond the program's own time: to start it, and to kill it with all its children.
const SLACK: Duration = Duration::from_secs(10);

/// One line to be handed over.
#[derive(Debug, Serialize, Deserialize)]
struct Task {
    line: String,
    limit: Duration,
}

/// What became of it: nothing where it was taken.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    refused: Option<String>,
    again: bool,
}

/// The helper of one command, as its employer sees it.
#[derive(Clone, Debug)]
pub struct Helper {
    command: Arc<[String]>,
    /// `None` once it no longer answers.
    link: Arc<Mutex<Option<BufReader<UnixStream>>>>,
}

impl Helper {
    /// Starts a helper for the command: this program with `arguments`, which is to call [`attend`].
    ///
    /// # Errors
    /// One sentence: the program is not there, or the helper does not start.
    pub fn start(command: &[String], arguments: &[String]) -> Result<Self, String> {
        check(command)?;
        let start = || -> io::Result<UnixStream> {
            let (mut ours, theirs) = UnixStream::pair()?;
            // A group of its own: Ctrl-C is for the run, which still has alerts to deliver.
            Command::new("/proc/self/exe")
                .args(arguments)
                .stdin(OwnedFd::from(theirs))
                .stdout(Stdio::null())
                .process_group(0)
                .spawn()?;
            write_line(&mut ours, &command)?;
            Ok(ours)
        };
        let link = start().map_err(|error| format!("the helper that runs {} does not start: {error}", command[0]))?;
        Ok(Self { command: command.into(), link: Arc::new(Mutex::new(Some(BufReader::new(link)))) })
    }

    /// Tells whether it runs this command.
    #[must_use]
    pub fn runs(&self, command: &[String]) -> bool {
        *self.command == *command
    }

    /// Has a line handed to the program.
    pub(super) fn run(&self, line: &str, limit: Duration) -> Result<(), Refusal> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || Refusal::later("the helper that runs programs has ended: a restart brings it back");
        let task = Task { line: line.to_owned(), limit };
        match link.as_mut().map(|link| ask(link, &task)) {
            Some(Ok(Answer { refused: None, .. })) => Ok(()),
            Some(Ok(Answer { refused: Some(why), again })) => {
                Err(Refusal { why, again: if again { Again::Later(None) } else { Again::Never } })
            }
            // An answer that comes late would be taken for that to the next line.
            Some(Err(_)) => {
                *link = None;
                Err(gone())
            }
            None => Err(gone()),
        }
    }
}

fn ask(link: &mut BufReader<UnixStream>, task: &Task) -> io::Result<Answer> {
    link.get_ref().set_read_timeout(Some(task.limit.saturating_add(SLACK)))?;
    write_line(link.get_mut(), task)?;
    read_line(link)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The helper's side: takes the command from the link, then runs it for each line until the link closes.
///
/// # Errors
/// When what comes is not what an employer sends.
pub fn attend(link: UnixStream) -> io::Result<()> {
    let mut link = BufReader::new(link);
    let Some(command) = read_line::<Vec<String>>(&mut link)? else { return Ok(()) };
    while let Some(Task { line, limit }) = read_line(&mut link)? {
        let refused = program::run(&command, &line, limit).err();
        let again = refused.as_ref().is_some_and(|refusal| refusal.again != Again::Never);
        write_line(link.get_mut(), &Answer { refused: refused.map(|refusal| refusal.why), again })?;
    }
    Ok(())
}

fn write_line<T: Serialize>(link: &mut UnixStream, value: &T) -> io::Result<()> {
    let mut text = serde_json::to_string(value).map_err(io::Error::other)?;
    text.push('\n');
    link.write_all(text.as_bytes())
}

/// Reads a line; `None` at the end.
fn read_line<T: for<'de> Deserialize<'de>>(link: &mut BufReader<UnixStream>) -> io::Result<Option<T>> {
    let mut text = String::new();
    if link.read_line(&mut text)? == 0 {
        return Ok(None);
    }
    serde_json::from_str(&text).map(Some).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A helper on a thread of this process.
    fn helper(script: &str) -> (Helper, std::thread::JoinHandle<io::Result<()>>) {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || attend(theirs));
        let command: Vec<String> = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        write_line(&mut ours, &command).unwrap();
        (Helper { command: command.into(), link: Arc::new(Mutex::new(Some(BufReader::new(ours)))) }, thread)
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn each_line_is_handed_over_and_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("got");
        let (helper, thread) = helper(&format!("read line; echo \"$line\" >> {}; exit \"$line\"", path.display()));
        assert_eq!(helper.run("0", PATIENCE), Ok(()));
        assert_eq!(helper.run("3", PATIENCE), Err(Refusal::never("it ended with 3")));
        assert_eq!(helper.run("75", PATIENCE).unwrap_err().again, Again::Later(None));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "0\n3\n75\n");
        assert!(helper.runs(&helper.command) && !helper.runs(&["/bin/sh".to_owned()]));
        drop(helper);
        thread.join().unwrap().unwrap();
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed_there() {
        let (helper, _thread) = helper("sleep 600");
        let refusal = helper.run("{}", Duration::from_millis(100)).unwrap_err();
        assert_eq!(refusal, Refusal::never("it was killed after 0.1 s"));
    }

    #[test]
    fn a_helper_that_has_ended_leaves_lines_for_later() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(theirs);
        let helper = Helper { command: Arc::new([]), link: Arc::new(Mutex::new(Some(BufReader::new(ours)))) };
        for _ in 0..2 {
            assert_eq!(helper.run("{}", PATIENCE).unwrap_err().again, Again::Later(None));
        }
    }

    #[test]
    fn what_no_employer_sends_ends_the_helper() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        ours.write_all(b"[\"/bin/true\"]\nrm -rf\n").unwrap();
        assert!(attend(theirs).is_err());
    }
}
