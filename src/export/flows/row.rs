//! A flow record as IPFIX names it: one row, whatever the format of the file.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::Serialize;

use crate::address::Address;
use crate::country::Country;
use crate::flow::{EndReason, FlowRecord};
use crate::packet::Protocol;
use crate::time::Timestamp;

/// Columns of the CSV form, in the order of the keys of the JSON form.
pub(super) const COLUMNS: &str = "flowStartMicroseconds,flowEndMicroseconds,sourceIPv4Address,sourceIPv6Address,\
destinationIPv4Address,destinationIPv6Address,protocolIdentifier,sourceTransportPort,destinationTransportPort,\
icmpTypeCodeIPv4,icmpTypeCodeIPv6,packetDeltaCount,octetDeltaCount,reversePacketDeltaCount,reverseOctetDeltaCount,\
tcpControlBits,reverseTcpControlBits,flowEndReason,vigieSourceCountry,vigieSourceVerified";

/// A record as IPFIX names it. What does not apply to its family or protocol is absent, or empty in CSV.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) flow_start_microseconds: Timestamp,
    pub(super) flow_end_microseconds: Timestamp,
    #[serde(rename = "sourceIPv4Address", skip_serializing_if = "Option::is_none")]
    pub(super) source_v4: Option<IpAddr>,
    #[serde(rename = "sourceIPv6Address", skip_serializing_if = "Option::is_none")]
    pub(super) source_v6: Option<IpAddr>,
    #[serde(rename = "destinationIPv4Address", skip_serializing_if = "Option::is_none")]
    pub(super) destination_v4: Option<IpAddr>,
    #[serde(rename = "destinationIPv6Address", skip_serializing_if = "Option::is_none")]
    pub(super) destination_v6: Option<IpAddr>,
    pub(super) protocol_identifier: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_transport_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination_transport_port: Option<u16>,
    #[serde(rename = "icmpTypeCodeIPv4", skip_serializing_if = "Option::is_none")]
    pub(super) icmp_v4: Option<u16>,
    #[serde(rename = "icmpTypeCodeIPv6", skip_serializing_if = "Option::is_none")]
    pub(super) icmp_v6: Option<u16>,
    pub(super) packet_delta_count: u64,
    pub(super) octet_delta_count: u64,
    pub(super) reverse_packet_delta_count: u64,
    pub(super) reverse_octet_delta_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tcp_control_bits: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reverse_tcp_control_bits: Option<u8>,
    pub(super) flow_end_reason: u8,
    pub(super) vigie_source_country: Country,
    pub(super) vigie_source_verified: bool,
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
            flow_end_reason: end_reason(record.end_reason),
            vigie_source_country: record.country,
            vigie_source_verified: record.verified,
        }
    }
}

/// Returns IPFIX's number of the reason: our reasons stand in its order, and it counts from 1.
const fn end_reason(reason: EndReason) -> u8 {
    reason as u8 + 1
}

impl Row {
    /// Writes the record as a line of CSV, its cells in the order of [`COLUMNS`].
    pub(super) fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
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
            assert_eq!(end_reason(reason), number, "{reason}");
        }
    }
}
