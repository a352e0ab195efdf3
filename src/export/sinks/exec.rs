//! A program of the user's own, run once a line with the alert's JSON on standard input.
//!
//! One at a time, each in a process group of its own that is killed when its time is up. Exit code 0 is taken, 75
//! (`EX_TEMPFAIL`, sysexits.h) asks for another attempt, anything else is a refusal.

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::receiver::{Message, Receiver, Refusal};
use super::settings;

/// `EX_TEMPFAIL` of sysexits.h.
const TRY_AGAIN: i32 = 75;

/// A program.
pub(super) struct Exec {
    command: Vec<String>,
}

impl Exec {
    /// Checks that the program is there, where its place was written.
    ///
    /// # Errors
    /// One sentence: what to write instead.
    pub(super) fn open(to: &settings::Exec) -> Result<Self, String> {
        let Some(program) = to.command.first().filter(|program| !program.is_empty()) else {
            return Err("command is empty: write command = [\"/usr/local/bin/page\"]".to_owned());
        };
        if program.contains('/') && !Path::new(program).is_file() {
            return Err(format!("command: {program} is no file"));
        }
        Ok(Self { command: to.command.clone() })
    }
}

impl Receiver for Exec {
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal> {
        let child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| Refusal::later(format!("{} does not start: {error}", self.command[0])))?;
        let ended = run(child, format!("{}\n", message.line), limit);
        match ended {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) if status.code() == Some(TRY_AGAIN) => Err(Refusal::later("it asks to be tried again")),
            Ok(Some(status)) => Err(Refusal::never(how(status))),
            Ok(None) => Err(Refusal::never(format!("it was killed after {:.1} s", limit.as_secs_f64()))),
            Err(error) => Err(Refusal::later(error.to_string())),
        }
    }
}

/// Feeds a child and waits for it; `None` when its time was up and it was killed with all its children.
fn run(mut child: Child, line: String, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // A child that does not read must not hold us: what it leaves unread ends with it.
    if let Some(mut stdin) = child.stdin.take() {
        std::thread::spawn(move || drop(stdin.write_all(line.as_bytes())));
    }
    let (tell, ended) = crossbeam_channel::bounded(1);
    if let Some(pid) = group {
        std::thread::spawn(move || {
            // Without reaping, so that the group's number is nobody else's when it is killed.
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            let _ = tell.send(());
        });
    }
    let in_time = ended.recv_timeout(limit).is_ok();
    if let (false, Some(group)) = (in_time, group) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    Ok(in_time.then_some(status))
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with {code}"),
        (None, Some(signal)) => format!("signal {signal} ended it"),
        (None, None) => "it ended unwell".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::receiver::Again;
    use super::super::told::samples;
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<(), Refusal> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let mut exec = Exec::open(&settings::Exec { command }).unwrap();
        let (line, told) = (samples::lines().remove(0), samples::open());
        exec.send(&Message { line: &line, told: &told, fresh: true }, limit)
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn the_line_comes_on_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("got.json");
        shell(&format!("cat > {}", path.display()), PATIENCE).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), format!("{}\n", samples::lines()[0]));
    }

    #[test]
    fn how_it_ends_says_what_becomes_of_the_line() {
        assert_eq!(shell("exit 0", PATIENCE), Ok(()));
        assert_eq!(shell("exit 75", PATIENCE).unwrap_err().again, Again::Later(None));
        assert_eq!(shell("exit 3", PATIENCE), Err(Refusal::never("it ended with 3")));
        assert_eq!(shell("kill -9 $$", PATIENCE), Err(Refusal::never("signal 9 ended it")));
    }

    #[test]
    fn it_is_killed_with_its_children_when_its_time_is_up() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("alive");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // Child and grandchild hold the fifo open; reading it ends when both are gone.
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::read(fifo).unwrap()
        });
        let script = format!("exec 3>{}; sleep 600 & sleep 600", fifo.display());
        let refusal = shell(&script, Duration::from_millis(200)).unwrap_err();
        assert!(refusal.why.contains("killed after 0.2 s") && refusal.again == Again::Never, "{refusal}");
        assert!(reader.join().unwrap().is_empty());
    }

    #[test]
    fn a_program_that_is_not_there_is_said_at_the_start() {
        let missing = settings::Exec { command: vec!["/nowhere/hook".to_owned()] };
        assert!(Exec::open(&missing).err().unwrap().contains("/nowhere/hook"));
        assert!(Exec::open(&settings::Exec { command: Vec::new() }).is_err());
    }
}
