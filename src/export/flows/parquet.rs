//! Flow records as Apache Parquet (<https://parquet.apache.org/docs/file-format/>), for DuckDB, pandas and their like.
//!
//! Rows are gathered into groups of a fixed size, so that memory does not grow with the file but for its table of
//! contents, some 3 KiB a group. That table is written last: without [`ParquetWriter::finish`] no reader takes the file.
//! The columns are those of the CSV form; times are numbers here, and addresses text, since no type of Parquet is an
//! address.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::row::Row;
use crate::time::Timestamp;

/// Rows of a group. 65,536, some 16 MiB while they are gathered: readers take whole groups, and compress them as one.
pub(super) const GROUP_ROWS: usize = 1 << 16;

/// A column: its name, its type as a Parquet schema writes it, and how its cells are taken from a row.
struct Column {
    name: &'static str,
    logical: &'static str,
    cells: Cells,
}

/// How the cells of a column are taken from a row. `None` is a null; what is never null is declared so.
enum Cells {
    Time(fn(&Row) -> Timestamp),
    Number(fn(&Row) -> i32),
    MaybeNumber(fn(&Row) -> Option<i32>),
    /// Parquet has no unsigned integers of its own: the type says that these 64 bits are one.
    Count(fn(&Row) -> u64),
    Text(fn(&Row) -> String),
    MaybeText(fn(&Row) -> Option<String>),
    Truth(fn(&Row) -> bool),
}

const TIME: &str = "TIMESTAMP(MICROS,true)";
const U8: &str = "INTEGER(8,false)";
const U16: &str = "INTEGER(16,false)";
const U64: &str = "INTEGER(64,false)";
const TEXT: &str = "STRING";

const fn column(name: &'static str, logical: &'static str, cells: Cells) -> Column {
    Column { name, logical, cells }
}

/// Every column, in the order of the CSV form.
const TABLE: &[Column] = &[
    column("flowStartMicroseconds", TIME, Cells::Time(|row| row.flow_start_microseconds)),
    column("flowEndMicroseconds", TIME, Cells::Time(|row| row.flow_end_microseconds)),
    column("sourceIPv4Address", TEXT, Cells::MaybeText(|row| text(row.source_v4))),
    column("sourceIPv6Address", TEXT, Cells::MaybeText(|row| text(row.source_v6))),
    column("destinationIPv4Address", TEXT, Cells::MaybeText(|row| text(row.destination_v4))),
    column("destinationIPv6Address", TEXT, Cells::MaybeText(|row| text(row.destination_v6))),
    column("protocolIdentifier", U8, Cells::Number(|row| i32::from(row.protocol_identifier))),
    column("sourceTransportPort", U16, Cells::MaybeNumber(|row| row.source_transport_port.map(i32::from))),
    column("destinationTransportPort", U16, Cells::MaybeNumber(|row| row.destination_transport_port.map(i32::from))),
    column("icmpTypeCodeIPv4", U16, Cells::MaybeNumber(|row| row.icmp_v4.map(i32::from))),
    column("icmpTypeCodeIPv6", U16, Cells::MaybeNumber(|row| row.icmp_v6.map(i32::from))),
    column("packetDeltaCount", U64, Cells::Count(|row| row.packet_delta_count)),
    column("octetDeltaCount", U64, Cells::Count(|row| row.octet_delta_count)),
    column("reversePacketDeltaCount", U64, Cells::Count(|row| row.reverse_packet_delta_count)),
    column("reverseOctetDeltaCount", U64, Cells::Count(|row| row.reverse_octet_delta_count)),
    column("tcpControlBits", U8, Cells::MaybeNumber(|row| row.tcp_control_bits.map(i32::from))),
    column("reverseTcpControlBits", U8, Cells::MaybeNumber(|row| row.reverse_tcp_control_bits.map(i32::from))),
    column("flowEndReason", U8, Cells::Number(|row| i32::from(row.flow_end_reason))),
    column("vigieSourceCountry", TEXT, Cells::Text(|row| row.vigie_source_country.to_string())),
    column("vigieSourceVerified", "", Cells::Truth(|row| row.vigie_source_verified)),
];

fn text(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

impl Column {
    /// Writes the column as a line of a schema.
    fn declared(&self) -> String {
        let (repetition, physical) = match self.cells {
            Cells::Time(_) | Cells::Count(_) => ("REQUIRED", "INT64"),
            Cells::Number(_) => ("REQUIRED", "INT32"),
            Cells::MaybeNumber(_) => ("OPTIONAL", "INT32"),
            Cells::Text(_) => ("REQUIRED", "BYTE_ARRAY"),
            Cells::MaybeText(_) => ("OPTIONAL", "BYTE_ARRAY"),
            Cells::Truth(_) => ("REQUIRED", "BOOLEAN"),
        };
        let logical = if self.logical.is_empty() { String::new() } else { format!(" ({})", self.logical) };
        format!("{repetition} {physical} {}{logical};\n", self.name)
    }

    fn write(&self, rows: &[Row], out: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        match self.cells {
            Cells::Time(of) => all::<Int64Type>(rows, out, |row| micros(of(row))),
            Cells::Count(of) => all::<Int64Type>(rows, out, |row| of(row).cast_signed()),
            Cells::Number(of) => all::<Int32Type>(rows, out, of),
            Cells::MaybeNumber(of) => some::<Int32Type>(rows, out, of),
            Cells::Text(of) => all::<ByteArrayType>(rows, out, |row| bytes(of(row))),
            Cells::MaybeText(of) => some::<ByteArrayType>(rows, out, |row| of(row).map(bytes)),
            Cells::Truth(of) => all::<BoolType>(rows, out, of),
        }
    }
}

fn micros(time: Timestamp) -> i64 {
    // Nanoseconds of a u64 are fewer microseconds than an i64 holds.
    (time.as_nanos() / 1_000).cast_signed()
}

fn bytes(text: String) -> ByteArray {
    ByteArray::from(text.into_bytes())
}

/// Writes a column that has a value in every row.
fn all<T: DataType>(
    rows: &[Row],
    out: &mut SerializedColumnWriter<'_>,
    of: impl Fn(&Row) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = rows.iter().map(of).collect();
    out.typed::<T>().write_batch(&values, None, None).map(drop)
}

/// Writes a column with nulls: the values that are there, and for each row whether it has one.
fn some<T: DataType>(
    rows: &[Row],
    out: &mut SerializedColumnWriter<'_>,
    of: impl Fn(&Row) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = rows.iter().map(of).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    out.typed::<T>().write_batch(&values, Some(&levels), None).map(drop)
}

/// Writes rows to anything, a group at a time.
pub(super) struct ParquetWriter<W: Write + Send> {
    out: SerializedFileWriter<W>,
    rows: Vec<Row>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// When its first bytes cannot be written.
    pub(super) fn new(out: W) -> io::Result<Self> {
        let schema = format!("message flow {{\n{}}}", TABLE.iter().map(Column::declared).collect::<String>());
        let schema = parse_message_type(&schema).map_err(io::Error::other)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("vigie ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let out = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(reason)?;
        Ok(Self { out, rows: Vec::new() })
    }

    /// Takes one row, and writes a group when it is full.
    ///
    /// # Errors
    /// When the group cannot be written; its rows are lost.
    pub(super) fn write(&mut self, row: Row) -> io::Result<()> {
        self.rows.push(row);
        if self.rows.len() < GROUP_ROWS { Ok(()) } else { self.write_group() }
    }

    /// Writes the last group and the table of contents.
    ///
    /// # Errors
    /// When they cannot be written: no reader will take the file.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.out.close().map(drop).map_err(reason)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let written = self.out.next_row_group().and_then(|group| write_columns(&self.rows, group));
        self.rows.clear();
        written.map_err(reason)
    }
}

fn write_columns<W: Write + Send>(
    rows: &[Row],
    mut group: SerializedRowGroupWriter<'_, W>,
) -> Result<(), ParquetError> {
    for column in TABLE {
        let Some(mut out) = group.next_column()? else { break };
        column.write(rows, &mut out)?;
        out.close()?;
    }
    group.close().map(drop)
}

/// Returns what the system said, where it was the system.
fn reason(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(system) => *system,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

impl<W: Write + Send> std::fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetWriter").field("waiting", &self.rows.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::COLUMNS;
    use super::*;

    #[test]
    fn columns_are_those_of_csv_in_their_order() {
        let names: Vec<&str> = TABLE.iter().map(|column| column.name).collect();
        assert_eq!(names.join(","), COLUMNS);
    }

    #[test]
    fn a_group_costs_the_memory_that_is_stated() {
        assert!(GROUP_ROWS * size_of::<Row>() <= 16 << 20, "{} bytes a row", size_of::<Row>());
    }
}
