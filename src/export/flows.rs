//! Flow records as files, JSON lines or CSV by the file's ending, in the names and values of IPFIX (RFC 5102, RFC 5103).
//!
//! Records are written as they come through one buffer, so that a file of any size costs the same memory. Times are text
//! in RFC 3339; `flowEndReason` is the number IPFIX gives it. Two columns are Vigie's own and begin with its name.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use crate::address::Address;
use crate::country::Country;
use crate::flow::FlowRecord;
use crate::packet::Protocol;
use crate::time::Timestamp;

/// Bytes that are gathered before the system is asked to write.
const BUFFER: usize = 256 * 1024;

/// Columns of the CSV form, in the order of the keys of the JSON form.
const COLUMNS: &str = "flowStartMicroseconds,flowEndMicroseconds,sourceIPv4Address,sourceIPv6Address,\
destinationIPv4Address,destinationIPv6Address,protocolIdentifier,sourceTransportPort,destinationTransportPort,\
icmpTypeCodeIPv4,icmpTypeCodeIPv6,packetDeltaCount,octetDeltaCount,reversePacketDeltaCount,reverseOctetDeltaCount,\
tcpControlBits,reverseTcpControlBits,flowEndReason,vigieSourceCountry,vigieSourceVerified";

/// Why flow records cannot be written. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum FlowFileError {
    /// The ending names no format.
    #[error("{0}: flow records are written as .jsonl or .csv: give a file name with one of these endings")]
    Ending(String),
    /// The file cannot be created.
    #[error("cannot write flow records to {name}: {reason}: choose a path that can be written")]
    Open {
        /// The path as given.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// Writing failed; what was written before stays.
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
}

impl FlowFormat {
    /// Chooses the format by the file's ending, in either case.
    ///
    /// # Errors
    /// [`FlowFileError::Ending`] when it is neither `.jsonl` nor `.csv`.
    pub fn of(path: &Path) -> Result<Self, FlowFileError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("jsonl") => Ok(Self::JsonLines),
            Some(ending) if ending.eq_ignore_ascii_case("csv") => Ok(Self::Csv),
            _ => Err(FlowFileError::Ending(path.display().to_string())),
        }
    }
}

/// A file of flow records.
#[derive(Debug)]
pub struct FlowFile {
    name: String,
    writer: FlowWriter<File>,
}

impl FlowFile {
    /// Creates the file; for CSV it begins with the column names.
    ///
    /// # Errors
    /// When the ending names no format or the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, FlowFileError> {
        let format = FlowFormat::of(path)?;
        let name = path.display().to_string();
        let opened = File::create(path).and_then(|file| FlowWriter::new(file, format));
        match opened {
            Ok(writer) => Ok(Self { name, writer }),
            Err(reason) => Err(FlowFileError::Open { name, reason }),
        }
    }

    /// Writes one record.
    ///
    /// # Errors
    /// [`FlowFileError::Write`] when the disk takes no more; the caller says so once and goes on without this file.
    pub fn write(&mut self, record: &FlowRecord) -> Result<(), FlowFileError> {
        self.writer.write(record).map_err(|reason| FlowFileError::Write { name: self.name.clone(), reason })
    }

    /// Writes out what is still gathered.
    ///
    /// # Errors
    /// As [`FlowFile::write`].
    pub fn finish(self) -> Result<(), FlowFileError> {
        self.writer.finish().map_err(|reason| FlowFileError::Write { name: self.name, reason })
    }
}

/// Writes flow records to anything.
#[derive(Debug)]
pub struct FlowWriter<W: Write> {
    out: BufWriter<W>,
    format: FlowFormat,
}

impl<W: Write> FlowWriter<W> {
    /// Begins; CSV begins with its column names.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn new(out: W, format: FlowFormat) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(BUFFER, out);
        if format == FlowFormat::Csv {
            writeln!(out, "{COLUMNS}")?;
        }
        Ok(Self { out, format })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When the buffer was full and could not be written.
    pub fn write(&mut self, record: &FlowRecord) -> io::Result<()> {
        let row = Row::from(record);
        match self.format {
            FlowFormat::JsonLines => {
                serde_json::to_writer(&mut self.out, &row)?;
                self.out.write_all(b"\n")
            }
            FlowFormat::Csv => row.write_csv(&mut self.out),
        }
    }

    /// Writes out what is still gathered.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A record as IPFIX names it. What does not apply to its family or protocol is absent, or empty in CSV.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    flow_start_microseconds: Timestamp,
    flow_end_microseconds: Timestamp,
    #[serde(rename = "sourceIPv4Address", skip_serializing_if = "Option::is_none")]
    source_v4: Option<IpAddr>,
    #[serde(rename = "sourceIPv6Address", skip_serializing_if = "Option::is_none")]
    source_v6: Option<IpAddr>,
    #[serde(rename = "destinationIPv4Address", skip_serializing_if = "Option::is_none")]
    destination_v4: Option<IpAddr>,
    #[serde(rename = "destinationIPv6Address", skip_serializing_if = "Option::is_none")]
    destination_v6: Option<IpAddr>,
    protocol_identifier: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_transport_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_transport_port: Option<u16>,
    #[serde(rename = "icmpTypeCodeIPv4", skip_serializing_if = "Option::is_none")]
    icmp_v4: Option<u16>,
    #[serde(rename = "icmpTypeCodeIPv6", skip_serializing_if = "Option::is_none")]
    icmp_v6: Option<u16>,
    packet_delta_count: u64,
    octet_delta_count: u64,
    reverse_packet_delta_count: u64,
    reverse_octet_delta_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp_control_bits: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reverse_tcp_control_bits: Option<u8>,
    flow_end_reason: u8,
    vigie_source_country: Country,
    vigie_source_verified: bool,
}

impl From<&FlowRecord> for Row {
    fn from(record: &FlowRecord) -> Self {
        let v4 = |address: Address| Some(address.to_ip()).filter(IpAddr::is_ipv4);
        let v6 = |address: Address| Some(address.to_ip()).filter(IpAddr::is_ipv6);
        let tcp = record.protocol == Protocol::TCP;
        let icmp = |protocol| (record.protocol == protocol).then_some(record.responder_port);
        let ports = tcp || record.protocol == Protocol::UDP;
        Self {
            flow_start_microseconds: record.start,
            flow_end_microseconds: record.end,
            source_v4: v4(record.originator),
            source_v6: v6(record.originator),
            destination_v4: v4(record.responder),
            destination_v6: v6(record.responder),
            protocol_identifier: record.protocol.0,
            source_transport_port: ports.then_some(record.originator_port),
            destination_transport_port: ports.then_some(record.responder_port),
            icmp_v4: icmp(Protocol::ICMP),
            icmp_v6: icmp(Protocol::ICMPV6),
            packet_delta_count: record.sent.packets,
            octet_delta_count: record.sent.bytes,
            reverse_packet_delta_count: record.received.packets,
            reverse_octet_delta_count: record.received.bytes,
            tcp_control_bits: tcp.then_some(record.originator_flags.0),
            reverse_tcp_control_bits: tcp.then_some(record.responder_flags.0),
            flow_end_reason: end_reason(record),
            vigie_source_country: record.country,
            vigie_source_verified: record.verified,
        }
    }
}

/// Returns IPFIX's number of the reason: our reasons stand in its order, and it counts from 1.
fn end_reason(record: &FlowRecord) -> u8 {
    record.end_reason as u8 + 1
}

impl Row {
    fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{},{}", self.flow_start_microseconds, self.flow_end_microseconds)?;
        for address in [self.source_v4, self.source_v6, self.destination_v4, self.destination_v6] {
            write_cell(out, address)?;
        }
        write!(out, ",{}", self.protocol_identifier)?;
        for number in [self.source_transport_port, self.destination_transport_port, self.icmp_v4, self.icmp_v6] {
            write_cell(out, number)?;
        }
        let counts = [
            self.packet_delta_count,
            self.octet_delta_count,
            self.reverse_packet_delta_count,
            self.reverse_octet_delta_count,
        ];
        for count in counts {
            write_cell(out, Some(count))?;
        }
        for bits in [self.tcp_control_bits, self.reverse_tcp_control_bits] {
            write_cell(out, bits)?;
        }
        writeln!(out, ",{},{},{}", self.flow_end_reason, self.vigie_source_country, self.vigie_source_verified)
    }
}

/// Writes a comma and a value that needs no quotes, or nothing after the comma.
fn write_cell(out: &mut impl Write, value: Option<impl std::fmt::Display>) -> io::Result<()> {
    match value {
        Some(value) => write!(out, ",{value}"),
        None => out.write_all(b","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::EndReason;
    use crate::packet::TcpFlags;
    use crate::summary::Volume;
    use serde_json::Value;

    fn record(originator: &str, responder: &str, protocol: Protocol) -> FlowRecord {
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

    #[test]
    fn end_reasons_are_the_numbers_of_ipfix() {
        // RFC 5102 section 5.11.3.
        let expected = [
            (EndReason::IdleTimeout, 1),
            (EndReason::ActiveTimeout, 2),
            (EndReason::EndOfFlow, 3),
            (EndReason::ForcedEnd, 4),
            (EndReason::LackOfResources, 5),
        ];
        for (reason, number) in expected {
            let ended = FlowRecord { end_reason: reason, ..records()[0] };
            assert_eq!(end_reason(&ended), number, "{reason}");
        }
    }

    #[test]
    fn an_ending_that_names_no_format_says_what_to_write() {
        let error = FlowFile::create(Path::new("flows.parquet")).unwrap_err().to_string();
        assert!(error.contains("flows.parquet") && error.contains(".jsonl or .csv"), "{error}");
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
