//! Reads captures to their end, as the pipeline does.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use vigie::source::{FileOptions, FileSource, Frame, LinkType, PacketSource, Progress, SourceError, open_files};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) nanos: u64,
    pub(crate) link: LinkType,
    pub(crate) interface: u16,
    pub(crate) wire_len: u32,
    pub(crate) bytes: Vec<u8>,
}

impl From<Frame<'_>> for Seen {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            nanos: frame.timestamp.as_nanos(),
            link: frame.link,
            interface: frame.interface.0,
            wire_len: frame.wire_len,
            bytes: frame.bytes.to_vec(),
        }
    }
}

pub(crate) fn open(paths: &[PathBuf]) -> Result<FileSource, SourceError> {
    open_files(paths, FileOptions::default())
}

/// Reads to the end; an error must be followed by the end.
pub(crate) fn drain(source: &mut FileSource, on_frame: &mut dyn FnMut(Frame<'_>)) -> Option<SourceError> {
    loop {
        match source.poll(on_frame) {
            Ok(Progress::Open { .. }) => {}
            Ok(Progress::End) => return None,
            Err(error) => {
                assert_eq!(source.poll(&mut |_| panic!("a frame after the error")).unwrap(), Progress::End);
                return Some(error);
            }
        }
    }
}

pub(crate) fn read(paths: &[PathBuf]) -> (Vec<Seen>, Option<SourceError>) {
    let mut seen = Vec::new();
    match open(paths) {
        Ok(mut source) => {
            let error = drain(&mut source, &mut |frame| seen.push(frame.into()));
            (seen, error)
        }
        Err(error) => (seen, Some(error)),
    }
}

pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

pub(crate) fn read_bytes(bytes: &[u8]) -> (Vec<Seen>, Option<SourceError>) {
    let files = Files::new();
    read(&[files.write("capture", bytes)])
}
