//! Reading and decompressing on a thread of its own, at most two blocks ahead.
//!
//! Three blocks circulate between the thread and the reader, so that memory is fixed and nothing is allocated on the way.
//! The thread ends with its input, or when the reader is gone; while standard input is silent it waits in read(2), and
//! nobody waits for it.

use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::source::file::decompress::Plain;
use crate::source::file::window::{Window, new_block, payload};

/// Blocks that circulate: one being read, one waiting, one being filled.
const BLOCKS: usize = 3;

/// When a block is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hurry {
    /// When it is full: files.
    Throughput,
    /// As soon as something has come: pipes, behind which a live capture may be.
    Latency,
}

/// A block under way: its payload holds so many bytes.
type Filled = Result<(Vec<u8>, usize), String>;

/// The reading end.
#[derive(Debug)]
pub(super) struct ReadAhead {
    filled: Receiver<Filled>,
    empty: Sender<Vec<u8>>,
    consumed: Arc<AtomicU64>,
}

/// What came of waiting for a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// The window has more bytes.
    More,
    /// Nothing came in time.
    Nothing,
    /// The stream has ended.
    End,
}

impl ReadAhead {
    /// Starts reading.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start<R: Read + Send + 'static>(input: R, block: usize, hurry: Hurry) -> io::Result<Self> {
        let (filled_to, filled) = bounded(BLOCKS - 1);
        let (empty, empty_from) = bounded(BLOCKS);
        for _ in 0..BLOCKS - 1 {
            // The third is the window's own; there is room for all.
            let _ = empty.send(new_block(block));
        }
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted { input, count: Arc::clone(&consumed) };
        thread::Builder::new()
            .name("vigie-read".to_owned())
            .spawn(move || read_all(counted, hurry, &filled_to, &empty_from))?;
        Ok(Self { filled, empty, consumed })
    }

    /// Returns how many bytes were read of the input, compressed as it is.
    pub(super) fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Waits for the next block, at most so long, and shows it in the window.
    ///
    /// # Errors
    /// When the input is damaged from here on, in words.
    pub(super) fn receive(&self, window: &mut Window, patience: Duration) -> Result<Received, String> {
        match self.filled.recv_timeout(patience) {
            Ok(Ok((_, 0))) => Ok(Received::End),
            Ok(Ok((block, count))) => {
                // A full channel cannot be: no more blocks exist than it holds. A closed one means that the thread is done.
                let _ = self.empty.try_send(window.accept(block, count));
                Ok(Received::More)
            }
            Ok(Err(reason)) => Err(reason),
            Err(RecvTimeoutError::Timeout) => Ok(Received::Nothing),
            Err(RecvTimeoutError::Disconnected) => Err("the reading thread ended without a word".to_owned()),
        }
    }
}

/// The body of the thread: sends filled blocks, then an empty one, or the reason why there are no more.
fn read_all<R: Read>(input: R, hurry: Hurry, filled: &Sender<Filled>, empty: &Receiver<Vec<u8>>) {
    let mut plain = match Plain::new(input) {
        Ok(plain) => plain,
        Err(error) => {
            let _ = filled.send(Err(format!("reading failed ({error})")));
            return;
        }
    };
    while let Ok(mut block) = empty.recv() {
        let (count, ended) = fill(&mut plain, payload(&mut block), hurry);
        if count > 0 && filled.send(Ok((block, count))).is_err() {
            return;
        }
        if let Some(ended) = ended {
            let last = match ended {
                Ok(()) => Ok((Vec::new(), 0)),
                Err(error) => Err(plain.explain(&error)),
            };
            let _ = filled.send(last);
            return;
        }
    }
}

/// Fills a block; tells how much came, and how the stream ended if it did.
fn fill<R: Read>(plain: &mut Plain<R>, room: &mut [u8], hurry: Hurry) -> (usize, Option<io::Result<()>>) {
    let mut count = 0;
    while count < room.len() {
        match plain.read(&mut room[count..]) {
            Ok(0) => return (count, Some(Ok(()))),
            Ok(more) => count += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (count, Some(Err(error))),
        }
        if hurry == Hurry::Latency {
            break;
        }
    }
    (count, None)
}

/// Counts what is read.
struct Counted<R> {
    input: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn gives_all_bytes_and_then_the_end() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n % 253) as u8).collect();
        for hurry in [Hurry::Throughput, Hurry::Latency] {
            let ahead = ReadAhead::start(io::Cursor::new(bytes.clone()), 1_000, hurry).unwrap();
            let mut window = Window::new(1_000);
            let mut seen = Vec::new();
            while ahead.receive(&mut window, PATIENCE).unwrap() == Received::More {
                seen.extend_from_slice(window.unread());
                window.skip(window.unread().len() as u64);
            }
            assert!(seen == bytes);
            assert_eq!(ahead.consumed(), bytes.len() as u64);
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        let gz = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
            io::Write::write_all(&mut encoder, &[5; 40_000]).unwrap();
            encoder.finish().unwrap()
        };
        let cut = gz[..30_000].to_vec();
        let ahead = ReadAhead::start(io::Cursor::new(cut), 1_000, Hurry::Throughput).unwrap();
        let mut window = Window::new(1_000);
        let mut seen = 0;
        let reason = loop {
            match ahead.receive(&mut window, PATIENCE) {
                Ok(Received::More) => {
                    seen += window.unread().len();
                    window.skip(window.unread().len() as u64);
                }
                Ok(other) => panic!("{other:?}"),
                Err(reason) => break reason,
            }
        };
        assert!(seen > 29_000, "{seen}");
        assert!(reason.contains("ends early"), "{reason}");
    }

    #[test]
    fn a_thread_whose_reader_is_gone_ends() {
        let ahead = ReadAhead::start(io::repeat(0), 1_000, Hurry::Throughput).unwrap();
        let count = Arc::clone(&ahead.consumed);
        drop(ahead);
        let ended = (0..100_000_000_u64).any(|_| Arc::strong_count(&count) == 1);
        assert!(ended);
    }

    #[test]
    fn silence_is_told_and_not_waited_for() {
        let (reader, writer) = io::pipe().unwrap();
        let ahead = ReadAhead::start(reader, 1_000, Hurry::Latency).unwrap();
        let mut window = Window::new(1_000);
        assert_eq!(ahead.receive(&mut window, Duration::from_millis(1)), Ok(Received::Nothing));
        drop(writer);
        assert_eq!(ahead.receive(&mut window, PATIENCE), Ok(Received::End));
    }
}
