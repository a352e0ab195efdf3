//! Alerts as JSON lines in a file or on standard output, each flushed as it is written.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::{AlertSink, SinkError};

/// The argument that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Writes one line per alert event.
///
/// A line and its newline go out in one write, so that a reader following the file sees whole lines only. After a failed
/// write the next line starts on a line of its own, so that a full disk costs the lines it refused and no others.
pub struct JsonLines {
    name: String,
    out: Box<dyn Write + Send>,
    torn: bool,
}

impl JsonLines {
    /// Opens a file anew, or standard output for `-`.
    ///
    /// # Errors
    /// [`SinkError::Open`] when the file cannot be created.
    pub fn open(path: &Path) -> Result<Self, SinkError> {
        if path == Path::new(STANDARD_OUTPUT) {
            return Ok(Self::new("stdout", Box::new(io::stdout())));
        }
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self::new("jsonl", Box::new(file))),
            Err(reason) => Err(SinkError::Open { name, reason }),
        }
    }

    /// Writes to anything, under a name.
    #[must_use]
    pub fn new(name: &str, out: Box<dyn Write + Send>) -> Self {
        Self { name: name.to_owned(), out, torn: false }
    }
}

impl std::fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonLines").field("name", &self.name).field("torn", &self.torn).finish_non_exhaustive()
    }
}

impl AlertSink for JsonLines {
    fn name(&self) -> &str {
        &self.name
    }

    fn deliver(&mut self, line: &str) -> Result<(), SinkError> {
        let mut text = String::with_capacity(line.len() + 2);
        if self.torn {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Ok(()) => {
                self.torn = false;
                Ok(())
            }
            Err(reason) if reason.kind() == ErrorKind::BrokenPipe => Err(SinkError::Closed { name: self.name.clone() }),
            Err(reason) => {
                self.torn = true;
                Err(SinkError::Write { name: self.name.clone(), reason })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

    impl Write for Disk {
        /// Takes half a line, then fails, as often as it is told to.
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let (taken, faults) = &mut *self.0.lock().unwrap();
            match *faults {
                0 => taken.extend_from_slice(bytes),
                1 => {
                    *faults = 0;
                    return Err(io::Error::from_raw_os_error(libc::ENOSPC));
                }
                _ => {
                    *faults -= 1;
                    let half = bytes.len() / 2;
                    taken.extend_from_slice(&bytes[..half]);
                    return Ok(half);
                }
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_costs_its_line_and_no_other() {
        let disk = Disk::default();
        let mut sink = JsonLines::new("jsonl", Box::new(disk.clone()));
        sink.deliver(r#"{"n":1}"#).unwrap();
        disk.0.lock().unwrap().1 = 2;
        let error = sink.deliver(r#"{"n":2}"#).unwrap_err();
        assert!(!error.is_closed() && error.to_string().contains("No space left"), "{error}");
        sink.deliver(r#"{"n":3}"#).unwrap();
        let written = String::from_utf8(disk.0.lock().unwrap().0.clone()).unwrap();
        let lines: Vec<&str> = written.lines().collect();
        assert_eq!(lines, [r#"{"n":1}"#, r#"{"n""#, r#"{"n":3}"#]);
    }

    #[test]
    fn an_unwritable_path_is_named_with_what_to_do() {
        let error = JsonLines::open(Path::new("/nowhere/alerts.jsonl")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/alerts.jsonl") && error.contains("choose a path"), "{error}");
    }

    #[test]
    fn lines_are_in_the_file_as_soon_as_they_are_delivered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.jsonl");
        let mut sink = JsonLines::open(&path).unwrap();
        sink.deliver("{}").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n");
    }
}
