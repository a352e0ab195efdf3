//! Puts a scenario on disk: a pcap file, plain or compressed by its ending, and the truth beside it.
//!
//! Both appear under their names only when they are whole; what was begun and could not be finished is removed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::number::low_u32;
use super::parameters::{ParameterError, Parameters};
use super::truth::Truth;
use super::{Scenario, simulate};
use crate::time::{NANOS_PER_SECOND, Timestamp};

/// The magic number of a pcap file with nanoseconds (draft-ietf-opsawg-pcap section 4).
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;

/// `LINKTYPE_ETHERNET`.
const ETHERNET: u32 = 1;

/// Measured on a calm capture: 9 leaves 28 % at 36 MB/s, 19 leaves 24 % at 2 MB/s, which is too long to wait for.
const ZSTD_LEVEL: i32 = 9;

/// Why a scenario could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The parameters cannot be granted.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// A file could not be written; nothing of it is left.
    #[error("{}: {reason}; nothing was left behind", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// Generates a scenario into `path` (pcap, nanoseconds, Ethernet; compressed when it ends in `.zst` or `.gz`) and its
/// truth into `path` with `.truth.json` added.
///
/// # Errors
/// When the parameters cannot be granted, or a file cannot be written: then neither file exists unless it did before.
pub fn write(scenario: Scenario, parameters: &Parameters, path: &Path) -> Result<Truth, ScenarioError> {
    put_both(path, |writer| write_frames(scenario, parameters, writer))
}

fn write_frames(scenario: Scenario, parameters: &Parameters, writer: &mut PcapWriter) -> Result<Truth, ScenarioError> {
    writer.header(ETHERNET, parameters.snap_length);
    let truth = simulate(scenario, parameters, &mut |timestamp, wire_len, bytes| {
        writer.record(timestamp, wire_len, bytes);
        if writer.has_failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(truth)
}

/// Writes a capture by `work` and the truth that it returns.
///
/// # Errors
/// When `work` fails, or a file cannot be written: then neither file exists unless it did before.
pub(super) fn put_both<E: From<ScenarioError>>(
    path: &Path,
    work: impl FnOnce(&mut PcapWriter) -> Result<Truth, E>,
) -> Result<Truth, E> {
    let truth_path = Truth::path_of(path);
    let capture = Unfinished::create(path)?;
    let truth = write_capture(&capture, work)?;
    let label = Unfinished::create(&truth_path)?;
    label.fallible(|file| (&*file).write_all(truth.to_json().as_bytes()))?;
    // The truth first: a capture without its truth would look like a whole one.
    label.finish()?;
    capture.finish().inspect_err(|_| drop(fs::remove_file(&truth_path)))?;
    Ok(truth)
}

fn write_capture<E: From<ScenarioError>>(
    capture: &Unfinished,
    work: impl FnOnce(&mut PcapWriter) -> Result<Truth, E>,
) -> Result<Truth, E> {
    let file = capture.fallible(File::try_clone)?;
    let writer = capture.fallible(|_| Compressor::new(&capture.path, BufWriter::with_capacity(1 << 20, file)))?;
    let mut writer = PcapWriter { out: writer, failure: None };
    let truth = work(&mut writer)?;
    capture.fallible(|_| writer.finish())?;
    Ok(truth)
}

/// A file under a temporary name beside its own; removed unless finished.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    temporary: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(path: &Path) -> Result<Self, ScenarioError> {
        // A device or a link would be replaced by the rename, and its truth would stand beside it.
        if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            let reason = io::Error::new(io::ErrorKind::InvalidInput, "is not an ordinary file: name a new one");
            return Err(ScenarioError::Write { path: path.to_owned(), reason });
        }
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = PathBuf::from(name);
        let file = File::create(&temporary).map_err(|reason| ScenarioError::Write { path: path.to_owned(), reason })?;
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    fn fallible<T>(&self, work: impl FnOnce(&File) -> io::Result<T>) -> Result<T, ScenarioError> {
        work(&self.file).map_err(|reason| ScenarioError::Write { path: self.path.clone(), reason })
    }

    fn finish(self) -> Result<(), ScenarioError> {
        self.fallible(File::sync_all)?;
        self.fallible(|_| fs::rename(&self.temporary, &self.path))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name any more.
        drop(fs::remove_file(&self.temporary));
    }
}

/// Plain or compressed, by the ending of the name.
enum Compressor {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    Zstd(Box<zstd::stream::write::Encoder<'static, BufWriter<File>>>),
}

impl Compressor {
    fn new(path: &Path, file: BufWriter<File>) -> io::Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Ok(Self::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default()))),
            Some("zst") => Ok(Self::Zstd(Box::new(zstd::stream::write::Encoder::new(file, ZSTD_LEVEL)?))),
            _ => Ok(Self::Plain(file)),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
            Self::Zstd(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        let mut file = match self {
            Self::Plain(out) => out,
            Self::Gzip(out) => out.finish()?,
            Self::Zstd(out) => out.finish()?,
        };
        file.flush()
    }
}

/// Writes a pcap file; after a failure it writes nothing more, and `finish` tells.
pub(super) struct PcapWriter {
    out: Compressor,
    failure: Option<io::Error>,
}

impl PcapWriter {
    /// Writes the file's header.
    pub(super) fn header(&mut self, link: u32, snap_length: u32) {
        let mut header = [0; 24];
        header[..4].copy_from_slice(&MAGIC_NANOSECONDS.to_le_bytes());
        header[4..6].copy_from_slice(&2_u16.to_le_bytes());
        header[6..8].copy_from_slice(&4_u16.to_le_bytes());
        header[16..20].copy_from_slice(&snap_length.to_le_bytes());
        header[20..].copy_from_slice(&link.to_le_bytes());
        self.put(&header);
    }

    /// Writes a frame.
    pub(super) fn record(&mut self, timestamp: Timestamp, wire_len: u32, bytes: &[u8]) {
        let nanos = timestamp.as_nanos();
        let mut header = [0; 16];
        header[..4].copy_from_slice(&low_u32(nanos / NANOS_PER_SECOND).to_le_bytes());
        header[4..8].copy_from_slice(&low_u32(nanos % NANOS_PER_SECOND).to_le_bytes());
        header[8..12].copy_from_slice(&low_u32(bytes.len() as u64).to_le_bytes());
        header[12..].copy_from_slice(&wire_len.to_le_bytes());
        self.put(&header);
        self.put(bytes);
    }

    /// Tells whether nothing more can be written.
    pub(super) const fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.failure.is_none() {
            self.failure = self.out.write_all(bytes).err();
        }
    }

    fn finish(self) -> io::Result<()> {
        match self.failure {
            Some(failure) => Err(failure),
            None => self.out.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_a_sentence_and_leaves_nothing() {
        let Ok(full) = File::options().write(true).open("/dev/full") else {
            eprintln!("SKIPPED: this system has no /dev/full");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.pcap", "a.pcap.gz", "a.pcap.zst"] {
            let begun = Unfinished::create(&folder.path().join(name)).unwrap();
            let capture = Unfinished {
                file: full.try_clone().unwrap(),
                path: begun.path.clone(),
                temporary: begun.temporary.clone(),
            };
            let write = |writer: &mut PcapWriter| write_frames(Scenario::Calm, &Parameters::default(), writer);
            let error = write_capture(&capture, write).unwrap_err().to_string();
            assert!(error.contains("No space left on device") && error.ends_with("nothing was left behind"), "{error}");
            drop((capture, begun));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
