//! A program of the user's own, run once a line with the alert's JSON on standard input.
//!
//! One at a time, each in a process group of its own that is killed when its time is up ([`program`]). Exit code 0 is
//! taken, 75 (`EX_TEMPFAIL`, sysexits.h) asks for another attempt, anything else is a refusal. A process that has given up
//! starting programs has a [`Helper`] that does it.

pub(super) mod helper;
mod program;

use std::path::Path;
use std::time::Duration;

pub use helper::Helper;

use super::receiver::{Message, Receiver, Refusal};
use super::settings;

/// A program.
pub(super) struct Exec {
    command: Vec<String>,
    helper: Option<Helper>,
}

impl Exec {
    /// Checks that the program is there, where its place was written. Whoever has a helper may be unable to see it, and had
    /// it checked when the helper was started.
    ///
    /// # Errors
    /// One sentence: what to write instead.
    pub(super) fn open(to: &settings::Exec) -> Result<Self, String> {
        if to.helper.is_none() {
            check(&to.command)?;
        }
        Ok(Self { command: to.command.clone(), helper: to.helper.clone() })
    }
}

fn check(command: &[String]) -> Result<(), String> {
    let Some(program) = command.first().filter(|program| !program.is_empty()) else {
        return Err("command is empty: write command = [\"/usr/local/bin/page\"]".to_owned());
    };
    if program.contains('/') && !Path::new(program).is_file() {
        return Err(format!("command: {program} is no file"));
    }
    Ok(())
}

impl Receiver for Exec {
    fn send(&mut self, message: &Message<'_>, limit: Duration) -> Result<(), Refusal> {
        match &self.helper {
            Some(helper) => helper.run(message.line, limit),
            None => program::run(&self.command, message.line, limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::receiver::Again;
    use super::super::told::samples;
    use super::*;

    fn shell(script: &str, limit: Duration) -> Result<(), Refusal> {
        let command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let mut exec = Exec::open(&settings::Exec { command, helper: None }).unwrap();
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
        let missing = settings::Exec { command: vec!["/nowhere/hook".to_owned()], helper: None };
        assert!(Exec::open(&missing).err().unwrap().contains("/nowhere/hook"));
        assert!(Exec::open(&settings::Exec { command: Vec::new(), helper: None }).is_err());
    }
}
