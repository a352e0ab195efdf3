//! Flow records as files, JSON lines, CSV or Parquet by the file's ending, in the names and values of IPFIX (RFC 5102, RFC
//! 5103).
//!
//! Records are written as they come through one buffer, so that a file of any size costs the same memory. Times are text
//! in RFC 3339; `flowEndReason` is the number IPFIX gives it. Two columns are Vigie's own and begin with its name. Lines
//! are of use from the first on and go to the file itself; a Parquet file is of use only when it is whole, so that it is
//! written beside and renamed at its end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use self::parquet::ParquetWriter;
use self::row::{COLUMNS, Row};
use crate::flow::FlowRecord;

mod parquet;
mod row;

/// Bytes that are gathered before the system is asked to write.
const BUFFER: usize = 256 * 1024;

/// Why flow records cannot be written. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum FlowFileError {
    /// The ending names no format.
    #[error("{0}: flow records are written as .jsonl, .csv or .parquet: give a file name with one of these endings")]
    Ending(String),
    /// The file cannot be created.
    #[error("cannot write flow records to {name}: {reason}: choose a path that can be written")]
    Open {
        /// The path as given.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// Writing failed; lines that were written before stay.
    #[error("{name}: flow records are not written from here on: {reason}")]
    Write {
        /// The path as given.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowFormat {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values (RFC 4180) with one line of column names.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl FlowFormat {
    /// Chooses the format by the file's ending, in either case.
    ///
    /// # Errors
    /// [`FlowFileError::Ending`] when it is none of `.jsonl`, `.csv` and `.parquet`.
    pub fn of(path: &Path) -> Result<Self, FlowFileError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("jsonl") => Ok(Self::JsonLines),
            Some(ending) if ending.eq_ignore_ascii_case("csv") => Ok(Self::Csv),
            Some(ending) if ending.eq_ignore_ascii_case("parquet") => Ok(Self::Parquet),
            _ => Err(FlowFileError::Ending(path.display().to_string())),
        }
    }
}

/// A file of flow records.
#[derive(Debug)]
pub struct FlowFile {
    name: String,
    writer: FlowWriter<File>,
    /// Where the file is until it is whole, and where it goes then.
    part: Option<(PathBuf, PathBuf)>,
    /// The disk took no more: nothing is written from there on.
    failed: bool,
}

impl FlowFile {
    /// Creates the file; for CSV it begins with the column names. Parquet is written to `NAME.part` until it is whole.
    ///
    /// # Errors
    /// When the ending names no format or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, FlowFileError> {
        let format = FlowFormat::of(path)?;
        let name = path.display().to_string();
        let part = (format == FlowFormat::Parquet).then(|| (neighbour(path), path.to_owned()));
        let place = part.as_ref().map_or(path, |(part, _)| part);
        let opened = File::create(place).and_then(|file| FlowWriter::new(file, format));
        match opened {
            Ok(writer) => Ok(Self { name, writer, part, failed: false }),
            Err(reason) => Err(FlowFileError::Open { name, reason }),
        }
    }

    /// Writes one record; nothing after a failure.
    ///
    /// # Errors
    /// [`FlowFileError::Write`] when the disk takes no more; the caller says so once and goes on without this file.
    pub fn write(&mut self, record: &FlowRecord) -> Result<(), FlowFileError> {
        if self.failed {
            return Ok(());
        }
        self.writer.write(record).map_err(|reason| {
            self.failed = true;
            FlowFileError::Write { name: self.name.clone(), reason }
        })
    }

    /// Writes out what is still gathered, and gives a file that is whole its name. After a failure nothing is left of a
    /// file that no reader would take.
    ///
    /// # Errors
    /// As [`FlowFile::write`].
    pub fn finish(self) -> Result<(), FlowFileError> {
        let Self { name, writer, part, failed } = self;
        let finished = if failed { Ok(()) } else { writer.finish() };
        let placed = match &part {
            Some((part, _)) if failed || finished.is_err() => fs::remove_file(part),
            Some((part, path)) => fs::rename(part, path),
            None => Ok(()),
        };
        finished.and(placed).map_err(|reason| FlowFileError::Write { name, reason })
    }
}

/// Returns the name of a file that is not whole yet, in the same directory.
fn neighbour(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Writes flow records to anything.
#[derive(Debug)]
pub struct FlowWriter<W: Write + Send>(Form<W>);

#[derive(Debug)]
enum Form<W: Write + Send> {
    JsonLines(BufWriter<W>),
    Csv(BufWriter<W>),
    Parquet(Box<ParquetWriter<W>>),
}

impl<W: Write + Send> FlowWriter<W> {
    /// Begins; CSV begins with its column names.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(out: W, format: FlowFormat) -> io::Result<Self> {
        let buffered = |out| BufWriter::with_capacity(BUFFER, out);
        Ok(Self(match format {
            FlowFormat::JsonLines => Form::JsonLines(buffered(out)),
            FlowFormat::Csv => {
                let mut out = buffered(out);
                writeln!(out, "{COLUMNS}")?;
                Form::Csv(out)
            }
            FlowFormat::Parquet => Form::Parquet(Box::new(ParquetWriter::new(out)?)),
        }))
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When the buffer was full and could not be written.
    pub fn write(&mut self, record: &FlowRecord) -> io::Result<()> {
        let row = Row::from(record);
        match &mut self.0 {
            Form::JsonLines(out) => {
                serde_json::to_writer(&mut *out, &row)?;
                out.write_all(b"\n")
            }
            Form::Csv(out) => row.write_csv(out),
            Form::Parquet(out) => out.write(row),
        }
    }

    /// Writes out what is still gathered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(self) -> io::Result<()> {
        match self.0 {
            Form::JsonLines(mut out) | Form::Csv(mut out) => out.flush(),
            Form::Parquet(out) => out.finish(),
        }
    }
}

#[cfg(test)]
pub(in crate::export) mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;

    use super::*;
    use crate::flow::EndReason;
    use crate::packet::{Protocol, TcpFlags};
    use crate::summary::Volume;
    use crate::time::Timestamp;
    use serde_json::Value;

    /// A conversation between two addresses, whole in everything else.
    pub(in crate::export) fn record(originator: &str, responder: &str, protocol: Protocol) -> FlowRecord {
        FlowRecord {
            end: Timestamp::from_nanos(1_617_699_721_500_000_000),
            start: Timestamp::from_nanos(1_617_699_720_123_456_789),
            originator: originator.parse().unwrap(),
            responder: responder.parse().unwrap(),
            originator_port: if protocol == Protocol::TCP { 51_000 } else { 0 },
            responder_port: if protocol == Protocol::TCP { 443 } else { 0x0800 },
            protocol,
            sent: Volume { packets: 6, bytes: 900 },
            received: Volume { packets: 5, bytes: 4_000 },
            originator_flags: TcpFlags(0x1b),
            responder_flags: TcpFlags(0x13),
            end_reason: EndReason::EndOfFlow,
            country: "FR".parse().unwrap(),
            verified: protocol == Protocol::TCP,
        }
    }

    fn records() -> [FlowRecord; 3] {
        [
            record("198.51.100.7", "192.0.2.10", Protocol::TCP),
            record("2001:db8::7", "2001:db8:1::10", Protocol::ICMPV6),
            record("198.51.100.7", "192.0.2.10", Protocol(47)),
        ]
    }

    fn written(format: FlowFormat) -> String {
        let mut bytes = Vec::new();
        let mut writer = FlowWriter::new(&mut bytes, format).unwrap();
        for record in records() {
            writer.write(&record).unwrap();
        }
        writer.finish().unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_carry_the_names_and_numbers_of_ipfix() {
        let text = written(FlowFormat::JsonLines);
        let first = text.lines().next().unwrap();
        let expected = concat!(
            r#"{"flowStartMicroseconds":"2021-04-06T09:02:00.123456Z","flowEndMicroseconds":"2021-04-06T09:02:01.500000Z","#,
            r#""sourceIPv4Address":"198.51.100.7","destinationIPv4Address":"192.0.2.10","protocolIdentifier":6,"#,
            r#""sourceTransportPort":51000,"destinationTransportPort":443,"packetDeltaCount":6,"octetDeltaCount":900,"#,
            r#""reversePacketDeltaCount":5,"reverseOctetDeltaCount":4000,"tcpControlBits":27,"reverseTcpControlBits":19,"#,
            r#""flowEndReason":3,"vigieSourceCountry":"FR","vigieSourceVerified":true}"#,
        );
        assert_eq!(first, expected);
        let second: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        assert_eq!(second["icmpTypeCodeIPv6"], 0x0800);
        assert_eq!(second["sourceIPv6Address"], "2001:db8::7");
        assert!(second.get("sourceTransportPort").is_none() && second.get("sourceIPv4Address").is_none());
    }

    #[test]
    fn csv_says_the_same_as_json() {
        let (csv, json) = (written(FlowFormat::Csv), written(FlowFormat::JsonLines));
        let columns: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
        for (row, object) in csv.lines().skip(1).zip(json.lines()) {
            let object: Value = serde_json::from_str(object).unwrap();
            let cells: Vec<&str> = row.split(',').collect();
            assert_eq!(cells.len(), columns.len(), "{row}");
            for (column, cell) in columns.iter().zip(cells) {
                let value = match &object[*column] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                assert_eq!(cell, value, "{column}");
            }
            assert!(object.as_object().unwrap().keys().all(|key| columns.contains(&key.as_str())));
        }
        assert_eq!(csv.lines().count(), 1 + records().len());
    }

    /// Every cell of a Parquet file, by name, as the JSON form writes it; what is null is absent.
    fn read_back(path: &Path) -> Vec<serde_json::Map<String, Value>> {
        let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
        let cell = |(name, field): (&String, &Field)| {
            let value = match field {
                Field::Null => return None,
                Field::TimestampMicros(time) => Timestamp::from_nanos(time.cast_unsigned() * 1_000).to_string().into(),
                Field::Str(text) => text.as_str().into(),
                Field::Bool(truth) => (*truth).into(),
                Field::UByte(number) => (*number).into(),
                Field::UShort(number) => (*number).into(),
                Field::ULong(number) => (*number).into(),
                other => panic!("{name} is {other:?}"),
            };
            Some((name.clone(), value))
        };
        rows.map(|row| row.get_column_iter().filter_map(cell).collect()).collect()
    }

    #[test]
    fn parquet_says_the_same_as_json_over_group_after_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.parquet");
        let mut file = FlowFile::create(&path).unwrap();
        let mut lines = FlowWriter::new(Vec::new(), FlowFormat::JsonLines).unwrap();
        let many = parquet::GROUP_ROWS + 10;
        for number in 0..many {
            let mut record = records()[number % 3];
            record.sent.bytes = u64::MAX - number as u64;
            file.write(&record).unwrap();
            lines.write(&record).unwrap();
        }
        assert!(!path.exists() && neighbour(&path).exists(), "a file that is not whole has no name");
        file.finish().unwrap();
        assert!(!neighbour(&path).exists());
        let Form::JsonLines(lines) = lines.0 else { unreachable!() };
        let lines = String::from_utf8(lines.into_inner().unwrap()).unwrap();
        let lines: Vec<serde_json::Map<String, Value>> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), many);
        assert!(read_back(&path) == lines, "Parquet and JSON differ");
        let groups = SerializedFileReader::new(File::open(&path).unwrap()).unwrap().num_row_groups();
        assert_eq!(groups, 2);
    }

    #[test]
    fn a_run_without_flows_leaves_an_empty_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.parquet");
        FlowFile::create(&path).unwrap().finish().unwrap();
        assert!(read_back(&path).is_empty());
    }

    #[test]
    fn what_a_killed_run_leaves_is_read_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.parquet");
        let mut file = FlowFile::create(&path).unwrap();
        for _ in 0..=parquet::GROUP_ROWS {
            file.write(&records()[0]).unwrap();
        }
        // As if the process were gone: nothing is finished.
        std::mem::forget(file);
        assert!(!path.exists());
        assert!(fs::metadata(neighbour(&path)).unwrap().len() > 0);
        assert!(SerializedFileReader::new(File::open(neighbour(&path)).unwrap()).is_err());
    }

    #[test]
    fn a_full_disk_leaves_no_parquet_file() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped: /dev/full is missing");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.parquet");
        std::os::unix::fs::symlink("/dev/full", neighbour(&path)).unwrap();
        let mut file = FlowFile::create(&path).unwrap();
        file.write(&records()[0]).unwrap();
        let error = file.finish().unwrap_err().to_string();
        assert!(error.contains("flows.parquet") && error.contains("No space left"), "{error}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
    }

    #[test]
    fn an_ending_that_names_no_format_says_what_to_write() {
        let error = FlowFile::create(Path::new("flows.xlsx")).unwrap_err().to_string();
        assert!(error.contains("flows.xlsx") && error.contains(".jsonl, .csv or .parquet"), "{error}");
        assert!(matches!(FlowFormat::of(Path::new("FLOWS.CSV")), Ok(FlowFormat::Csv)));
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped: /dev/full is missing");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.csv");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let mut file = FlowFile::create(&path).unwrap();
        file.write(&records()[0]).unwrap();
        let error = file.finish().unwrap_err().to_string();
        assert!(error.contains("flows.csv") && error.contains("No space left"), "{error}");
    }
}
