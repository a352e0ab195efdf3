//! One program: fed a line, awaited for so long, killed with all it started when its time is up.

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::super::receiver::Refusal;

/// `EX_TEMPFAIL` of sysexits.h.
const TRY_AGAIN: i32 = 75;

/// Runs the program and tells what became of the line.
pub(super) fn run(command: &[String], line: &str, limit: Duration) -> Result<(), Refusal> {
    let Some((name, arguments)) = command.split_first() else { return Err(Refusal::never("there is no command")) };
    let child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| Refusal::later(format!("{name} does not start: {error}")))?;
    match attend(child, format!("{line}\n"), limit) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) if status.code() == Some(TRY_AGAIN) => Err(Refusal::later("it asks to be tried again")),
        Ok(Some(status)) => Err(Refusal::never(how(status))),
        Ok(None) => Err(Refusal::never(format!("it was killed after {:.1} s", limit.as_secs_f64()))),
        Err(error) => Err(Refusal::later(error.to_string())),
    }
}

/// Feeds a child and waits for it; `None` when its time was up and it was killed with all its children.
fn attend(mut child: Child, line: String, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
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
