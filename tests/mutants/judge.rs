//! One capture through the program: what must hold whatever its bytes are.
//!
//! It ends by itself with 0 or 2, after at most two seconds of work and within a bounded memory, says nothing of a panic, hands in a
//! summary whose books balance, and has counted each frame that the readers give.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use vigie::source::{FileOptions, PacketSource as _, Progress, SourceError, open_files};

/// Seconds of work, all threads together: the kernel ends a program that takes longer, however busy the machine is. A build
/// with assertions is slower.
const MOST_SECONDS: u32 = if cfg!(debug_assertions) { 10 } else { 2 };
/// Address space in KiB, of which the tables take a third and the largest window that zstd may ask for a tenth.
const MOST_KIB: u32 = 1 << 20;
/// Seconds after which a program that does nothing is held to hang.
const LONGEST_WAIT: u32 = 60;

/// How a capture was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// So many frames were read, perhaps with a fault after them.
    Read(u64),
    /// Nothing could be read.
    Refused,
}

/// Replays a capture within limits.
pub(crate) fn replay(path: &Path, options: &[&str]) -> Output {
    let limits = format!("ulimit -v {MOST_KIB}; ulimit -t {MOST_SECONDS}; exec \"$@\"");
    Command::new("timeout")
        .args(["--kill-after=1", &LONGEST_WAIT.to_string(), "sh", "-c", &limits, "sh", env!("CARGO_BIN_EXE_vigie")])
        .args(["replay", "-q", "--format", "json", "--threads", "1"])
        .args(options)
        .arg(path)
        .env_clear()
        .output()
        .unwrap()
}

/// Holds the program to what must be so; what is not, as a sentence.
pub(crate) fn judge(path: &Path) -> Result<Verdict, String> {
    let output = replay(path, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code();
    if !matches!(code, Some(0 | 2)) || said.contains("panicked") {
        return Err(format!("{}: {said}", output.status));
    }
    if output.stdout.is_empty() {
        return match (code, frames(path)) {
            (Some(2), Err(_)) if said.starts_with("vigie: ") && said.lines().count() == 1 => Ok(Verdict::Refused),
            (code, frames) => Err(format!("no summary with {code:?} and {frames:?}: {said}")),
        };
    }
    let summary: Value = serde_json::from_slice(&output.stdout).map_err(|error| format!("the summary: {error}"))?;
    let count = |key: &str| summary[key].as_u64().ok_or_else(|| format!("no {key}"));
    let sum =
        |key: &str| -> u64 { summary[key].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum() };
    let (packets, counted) = (count("packets")?, count("processed")? + sum("discarded") + sum("dropped"));
    if packets != counted {
        return Err(format!("{packets} packets, but {counted} in the counts"));
    }
    match frames(path) {
        Ok((given, is_whole)) if (given, is_whole) == (packets, code == Some(0)) => Ok(Verdict::Read(packets)),
        given => Err(format!("{packets} packets and {code:?}, where the readers give {given:?}: {said}")),
    }
}

/// Frames that the readers give, and whether they come to the end; or why the file is refused.
fn frames(path: &Path) -> Result<(u64, bool), SourceError> {
    let mut source = open_files(&[PathBuf::from(path)], FileOptions::default())?;
    let mut frames = 0;
    loop {
        match source.poll(&mut |_| frames += 1) {
            Ok(Progress::Open { .. }) => {}
            Ok(Progress::End) => return Ok((frames, true)),
            Err(_) => return Ok((frames, false)),
        }
    }
}
