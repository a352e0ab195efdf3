//! Where the bytes of a capture come from: a plain file read directly, or a thread that reads ahead.
//!
//! It opens what is named on the command line and says what is wrong with it; it knows compression but no capture format.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use crate::source::file::decompress::Compression;
use crate::source::file::read_ahead::{Hurry, ReadAhead, Received};
use crate::source::file::window::Window;

/// How long standard input is waited for before the caller is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(100);

/// What is read.
#[derive(Debug)]
pub(super) enum Input {
    /// A plain file, in blocks by read(2).
    File { file: File, consumed: u64 },
    /// A compressed file, a pipe or standard input.
    Ahead(ReadAhead),
}

/// An opened input.
#[derive(Debug)]
pub(super) struct Opened {
    pub input: Input,
    /// Size on disk; pipes have none.
    pub size: Option<u64>,
}

impl Input {
    /// Opens a file, or standard input for `-`. Compression is found by the first bytes.
    ///
    /// # Errors
    /// What is wrong and what to do, as the end of a sentence.
    pub(super) fn open(path: &Path, block: usize) -> Result<Opened, String> {
        let start =
            |ahead: io::Result<ReadAhead>| ahead.map(Self::Ahead).map_err(|error| cannot("be read ahead", &error));
        if is_standard_input(path) {
            let input = start(ReadAhead::start(io::stdin(), block, Hurry::Latency))?;
            return Ok(Opened { input, size: None });
        }
        let file = File::open(path).map_err(|error| explain_open(&error))?;
        let metadata = file.metadata().map_err(|error| cannot("be examined", &error))?;
        if metadata.is_dir() {
            return Err("is a directory: name the capture files in it, such as DIRECTORY/*.pcap".to_owned());
        }
        if !metadata.is_file() {
            let input = start(ReadAhead::start(file, block, Hurry::Latency))?;
            return Ok(Opened { input, size: None });
        }
        let mut head = [0; 4];
        let length = file.read_at(&mut head, 0).map_err(|error| cannot("be read", &error))?;
        let input = match Compression::recognise(&head[..length]) {
            Some(_) => start(ReadAhead::start(file, block, Hurry::Throughput))?,
            None => Self::File { file, consumed: 0 },
        };
        Ok(Opened { input, size: Some(metadata.len()) })
    }

    /// Shows the next block in the window.
    ///
    /// # Errors
    /// When the input is damaged from here on, in words.
    pub(super) fn fill(&mut self, window: &mut Window) -> Result<Received, String> {
        match self {
            Self::Ahead(ahead) => ahead.receive(window, PATIENCE),
            Self::File { file, consumed } => {
                let count = read(file, window.room()).map_err(|error| format!("reading failed ({error})"))?;
                window.commit(count);
                *consumed += count as u64;
                Ok(if count > 0 { Received::More } else { Received::End })
            }
        }
    }

    /// Returns how many bytes were read, compressed as they are.
    pub(super) fn consumed(&self) -> u64 {
        match self {
            Self::File { consumed, .. } => *consumed,
            Self::Ahead(ahead) => ahead.consumed(),
        }
    }
}

/// Tells whether `-` is meant.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn read(file: &mut File, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(room) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn explain_open(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file: check the path".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user: change its permissions or the user".to_owned(),
        _ => cannot("be opened", error),
    }
}

fn cannot(what: &str, error: &io::Error) -> String {
    format!("cannot {what} ({error})")
}
