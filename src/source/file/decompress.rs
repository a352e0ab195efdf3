//! Gzip and zstd streams as plain bytes, recognised by their first bytes.
//!
//! Everything is streamed: what a file claims about its size is never believed, and memory is what the decoder's window
//! takes (32 KiB for gzip, as the stream asks but at most 128 MiB for zstd, which is also what the `zstd` command accepts).

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use flate2::bufread::GzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: u32 = 0xfd2f_b528;
/// Zstd streams may begin with a frame to skip (RFC 8878 section 3.1.2), as parallel and seekable writers do.
const ZSTD_SKIPPABLE: u32 = 0x184d_2a50;
/// Log of the largest zstd window: 128 MiB, the limit of the `zstd` command without `--memory`.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Small, since what a damaged part of it still holds is lost with it.
const INPUT_BUFFER: usize = 32 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// Looks at the first four bytes of a file, or as many as it has.
    pub(super) fn recognise(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&GZIP) {
            return Some(Self::Gzip);
        }
        match u32::from_le_bytes(bytes.first_chunk().copied()?) {
            ZSTD => Some(Self::Zstd),
            magic if magic & 0xffff_fff0 == ZSTD_SKIPPABLE => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Says in words what a failure to decompress means.
    pub(super) fn explain(self, error: &io::Error) -> String {
        let name = match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        };
        match error.kind() {
            ErrorKind::UnexpectedEof => format!("the {name} stream ends early: the file is cut"),
            _ => format!("the {name} stream is damaged ({error})"),
        }
    }
}

/// A stream as plain bytes.
pub(super) struct Plain<R: Read> {
    reader: Reader<R>,
    compression: Option<Compression>,
}

enum Reader<R: Read> {
    Stored(io::Chain<io::Cursor<Vec<u8>>, R>),
    Gzip(Gzip<BufReader<io::Chain<io::Cursor<Vec<u8>>, R>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<io::Chain<io::Cursor<Vec<u8>>, R>>>),
}

impl<R: Read> Plain<R> {
    /// Looks at the first bytes, waiting for them if need be.
    ///
    /// # Errors
    /// When reading fails.
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        input.by_ref().take(4).read_to_end(&mut head)?;
        let compression = Compression::recognise(&head);
        let whole = io::Cursor::new(head).chain(input);
        let reader = match compression {
            None => Reader::Stored(whole),
            Some(Compression::Gzip) => Reader::Gzip(Gzip::new(BufReader::with_capacity(INPUT_BUFFER, whole))),
            Some(Compression::Zstd) => {
                let buffered = BufReader::with_capacity(INPUT_BUFFER, whole);
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Reader::Zstd(decoder)
            }
        };
        Ok(Self { reader, compression })
    }

    /// Says in words what a failure to read on means.
    pub(super) fn explain(&self, error: &io::Error) -> String {
        self.compression.map_or_else(|| format!("reading failed ({error})"), |compression| compression.explain(error))
    }
}

impl<R: Read> Read for Plain<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.reader {
            Reader::Stored(reader) => reader.read(buffer),
            Reader::Gzip(reader) => reader.read(buffer),
            Reader::Zstd(reader) => reader.read(buffer),
        }
    }
}

/// Gzip members one after another (RFC 1952 section 2.2), zero padding after the last allowed as `gzip` does.
struct Gzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gzip<R> {
    fn new(input: R) -> Self {
        Self { member: Some(GzDecoder::new(input)) }
    }

    /// Goes to the next member; none follows an end or padding.
    fn next_member(mut input: R) -> io::Result<Option<GzDecoder<R>>> {
        loop {
            let ahead = match input.fill_buf() {
                Ok(ahead) => ahead,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            match ahead.iter().position(|byte| *byte != 0) {
                None if ahead.is_empty() => return Ok(None),
                None => {
                    let padding = ahead.len();
                    input.consume(padding);
                }
                Some(0) => return Ok(Some(GzDecoder::new(input))),
                Some(_) => return Err(io::Error::new(ErrorKind::InvalidData, "garbage follows zero padding")),
            }
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if let Some(ended) = self.member.take() {
                self.member = Self::next_member(ended.into_inner())?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut plain = Plain::new(bytes).unwrap();
        let mut out = Vec::new();
        plain.read_to_end(&mut out).map_err(|error| plain.explain(&error))?;
        Ok(out)
    }

    #[test]
    fn members_and_frames_follow_one_another() {
        let gz = [gzip(b"one "), gzip(b""), gzip(b"two"), vec![0; 512]].concat();
        assert_eq!(read_all(&gz).unwrap(), b"one two");
        let frame = |text: &[u8]| zstd::encode_all(text, 1).unwrap();
        let skippable = [0x184d_2a5e_u32.to_le_bytes(), 3_u32.to_le_bytes()].concat();
        let zst = [skippable, vec![1, 2, 3], frame(b"one "), frame(b"two")].concat();
        assert_eq!(read_all(&zst).unwrap(), b"one two");
        assert_eq!(read_all(b"as it is").unwrap(), b"as it is");
        assert_eq!(read_all(b"").unwrap(), b"");
    }

    #[test]
    fn damage_is_named() {
        let gz = gzip(&[7; 5_000]);
        assert!(read_all(&gz[..gz.len() - 1]).unwrap_err().contains("gzip stream ends early"));
        let mut wrong_sum = gz.clone();
        let crc = wrong_sum.len() - 8;
        wrong_sum[crc] ^= 1;
        assert!(read_all(&wrong_sum).unwrap_err().contains("gzip stream is damaged"));
        assert!(
            read_all(&[gz, b"garbage that is no member".to_vec()].concat())
                .unwrap_err()
                .contains("gzip stream is damaged")
        );
        let zst = zstd::encode_all(&[7; 5_000][..], 1).unwrap();
        assert!(read_all(&zst[..zst.len() - 1]).unwrap_err().contains("zstd stream ends early"));
    }

    #[test]
    fn a_zstd_window_beyond_the_limit_is_refused_and_not_reserved() {
        // A frame header alone (RFC 8878 section 3.1.1.1): window descriptor for 2^41 bytes.
        let header = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 31 << 3, 0x01, 0x00, 0x00];
        assert!(read_all(&header).unwrap_err().contains("zstd stream is damaged"));
    }
}
