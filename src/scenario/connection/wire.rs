//! From the state of a connection to the segment on the wire: numbers, options, windows, addresses.

use super::{Connection, HTTPS, RST, Role, SYN};
use crate::scenario::frame::{Network, Segment, Way};
use crate::scenario::number::low_u16;
use crate::scenario::stack::Options;
use crate::scenario::world::World;

impl World<'_> {
    pub(super) fn client_clock(&self, c: &Connection) -> u32 {
        c.clock.wrapping_add(milliseconds(self.now))
    }

    pub(super) fn server_timestamps(&self, c: &Connection) -> (u32, u32) {
        let own = (c.server_isn ^ 0x5a5a).wrapping_add(milliseconds(self.now));
        (own, self.client_clock(c))
    }

    pub(super) fn client_timestamps(&self, c: &Connection) -> (u32, u32) {
        let trip = milliseconds(c.client.round_trip);
        let (server, client) = self.server_timestamps(c);
        (client.wrapping_sub(trip / 2), server.wrapping_sub(trip))
    }

    pub(super) fn send_in(&mut self, c: &Connection, piece: Piece) {
        let Some(server) = self.servers[usize::from(c.server)].address(c.client.address.is_ipv4()) else { return };
        let timestamps = c.client.system.has_timestamps() && piece.flags & (SYN | RST) == 0;
        let options = if piece.flags & SYN != 0 {
            piece.options
        } else {
            Options::of_segment(timestamps.then(|| self.client_timestamps(c)))
        };
        let network = Network {
            way: Way::In,
            source: c.client.address,
            destination: server,
            hop_limit: c.client.hop_limit,
            identification: c.identification.wrapping_add((c.client_next.wrapping_sub(c.client_isn) & 0xfff) as u16),
        };
        let window = if piece.window > 0 { piece.window } else { c.client.system.window() };
        let acknowledgment = c.acknowledged;
        self.send(&network, (c.client_port, HTTPS), Piece { options, window, ..piece }, acknowledgment);
        if let Role::Robot { attack } = c.role {
            self.count_attack(usize::from(attack));
        }
    }

    pub(super) fn send_out(&mut self, c: &Connection, piece: Piece) {
        let Some(server) = self.servers[usize::from(c.server)].address(c.client.address.is_ipv4()) else { return };
        let timestamps = c.client.system.has_timestamps() && piece.flags & (SYN | RST) == 0;
        let options = if piece.flags & SYN != 0 {
            piece.options
        } else {
            Options::of_segment(timestamps.then(|| self.server_timestamps(c)))
        };
        let network = Network {
            way: Way::Out,
            source: server,
            destination: c.client.address,
            hop_limit: 64,
            // Linux numbers neither SYN-ACKs nor resets.
            identification: if piece.flags & (SYN | RST) == 0 {
                (c.server_next.wrapping_sub(c.server_isn) & 0xffff) as u16
            } else {
                0
            },
        };
        let window = if piece.flags == RST {
            0
        } else if piece.window > 0 {
            piece.window
        } else {
            501
        };
        self.send(&network, (HTTPS, c.client_port), Piece { options, window, ..piece }, c.received);
    }

    pub(super) fn send(&mut self, network: &Network, ports: (u16, u16), piece: Piece, acknowledgment: u32) {
        let segment = Segment {
            source_port: ports.0,
            destination_port: ports.1,
            sequence: piece.sequence,
            acknowledgment,
            flags: piece.flags,
            window: piece.window,
            options: piece.options,
            payload: piece.payload,
            head: piece.record.as_ref().map_or(&[], <[u8; 5]>::as_slice),
        };
        self.outlet.tcp(self.now, network, &segment);
    }
}

/// What differs from one segment of a connection to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Piece {
    pub(super) flags: u8,
    pub(super) sequence: u32,
    pub(super) options: Options,
    pub(super) window: u16,
    pub(super) payload: u16,
    /// Header of the TLS record that begins here.
    pub(super) record: Option<[u8; 5]>,
}

/// Returns a TCP timestamp clock's reading: milliseconds, wrapping around (RFC 7323 section 5.4).
const fn milliseconds(nanos: u64) -> u32 {
    ((nanos / 1_000_000) & 0xffff_ffff) as u32
}

/// Returns the header of a TLS record (RFC 8446 section 5.1) that fills this many bytes, as far as a record goes.
pub(super) fn record(kind: u8, bytes: u32) -> [u8; 5] {
    let [high, low] = low_u16(u64::from(bytes.saturating_sub(5).min(1 << 14))).to_be_bytes();
    [kind, 3, 3, high, low]
}
