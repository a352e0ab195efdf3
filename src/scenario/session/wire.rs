//! From the state of a scripted session to its segments.

use super::{Session, Side};
use crate::packet::TcpFlags;
use crate::scenario::frame::{Network, Segment};
use crate::scenario::number::low_u32;
use crate::scenario::stack::Options;
use crate::scenario::world::World;

/// What differs from one segment to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    flags: u8,
    window: Option<u16>,
    payload: u16,
    head: &'static [u8],
    options: Option<Options>,
    /// One below the next number: a probe of a closed window.
    back: bool,
}

impl World<'_> {
    /// Sends the SYN, or the SYN-ACK, and counts its number.
    pub(super) fn send_handshake(&mut self, s: &mut Session, is_first: bool) {
        let side = s.side(is_first);
        let mss = if s.opening.inside.is_ipv4() { 1_460 } else { 1_440 };
        let options = match (is_first, side) {
            (true, Side::Outside) => s.opening.outside.system.syn_options(s.opening.outside.mss, self.clock_of(s)),
            (true, Side::Inside) => crate::scenario::stack::System::Linux.syn_options(mss, self.clock_of(s)),
            (false, _) => {
                let clock = self.clock_of(s);
                Options::of_syn_ack(mss, s.has_timestamps().then_some((clock ^ 0x5a5a, clock)))
            }
        };
        let flags = if is_first { TcpFlags::SYN } else { TcpFlags::SYN | TcpFlags::ACK };
        let number = &mut s.next[side as usize];
        if !is_first || s.tries == 1 {
            *number = number.wrapping_add(1);
        }
        if !is_first {
            s.received[side as usize] = s.next[side.other() as usize];
        }
        let piece = Piece { flags, options: Some(options), back: true, ..Piece::default() };
        self.send_session(s, side, piece);
    }

    pub(super) fn send_ack(&mut self, s: &Session, side: Side, window: Option<u16>) {
        self.send_session(s, side, Piece { flags: TcpFlags::ACK, window, ..Piece::default() });
    }

    pub(super) fn send_window(&mut self, s: &Session, side: Side, window: Option<u16>, back: bool) {
        self.send_session(s, side, Piece { flags: TcpFlags::ACK, window, back, ..Piece::default() });
    }

    pub(super) fn send_data(&mut self, s: &mut Session, side: Side, payload: u16, head: &'static [u8], is_last: bool) {
        let flags = if is_last { TcpFlags::ACK | TcpFlags::PSH } else { TcpFlags::ACK };
        let head = &head[..head.len().min(usize::from(payload))];
        self.send_session(s, side, Piece { flags, payload, head, ..Piece::default() });
        let next = &mut s.next[side as usize];
        *next = next.wrapping_add(u32::from(payload));
    }

    pub(super) fn send_fin(&mut self, s: &mut Session, by_client: bool) {
        let side = s.side(by_client);
        s.received[side as usize] = s.next[side.other() as usize];
        self.send_session(s, side, Piece { flags: TcpFlags::ACK | TcpFlags::FIN, ..Piece::default() });
        s.next[side as usize] = s.next[side as usize].wrapping_add(1);
        s.received[side.other() as usize] = s.next[side as usize];
    }

    pub(super) fn send_abort(&mut self, s: &Session, side: Side) {
        self.send_session(s, side, Piece { flags: TcpFlags::RST | TcpFlags::ACK, window: Some(0), ..Piece::default() });
    }

    fn clock_of(&self, s: &Session) -> u32 {
        s.clock.wrapping_add(low_u32((self.now / 1_000_000) & 0xffff_ffff))
    }

    fn send_session(&mut self, s: &Session, side: Side, piece: Piece) {
        let opening = &s.opening;
        let (source, destination, hop_limit) = match side {
            Side::Outside => (opening.outside.address, opening.inside, opening.outside.hop_limit),
            Side::Inside => (opening.inside, opening.outside.address, 64),
        };
        let is_client = side == opening.client;
        let ports = if is_client { (s.client_port, opening.port) } else { (opening.port, s.client_port) };
        let sequence = s.next[side as usize].wrapping_sub(u32::from(piece.back));
        let network = Network {
            way: side.way(),
            source,
            destination,
            hop_limit,
            identification: s.identification.wrapping_add((sequence & 0xffff) as u16),
        };
        let clock = self.clock_of(s);
        let stamped = s.has_timestamps() && piece.flags & TcpFlags::RST == 0;
        let stamps = if is_client { (clock, clock ^ 0x5a5a) } else { (clock ^ 0x5a5a, clock) };
        let segment = Segment {
            source_port: ports.0,
            destination_port: ports.1,
            sequence,
            acknowledgment: s.received[side as usize],
            flags: piece.flags,
            window: piece.window.unwrap_or_else(|| s.window(side, piece.flags)),
            options: piece.options.unwrap_or_else(|| Options::of_segment(stamped.then_some(stamps))),
            payload: piece.payload,
            head: piece.head,
        };
        self.outlet.tcp(self.now, &network, &segment);
        if let Some(attack) = opening.attack
            && is_client
        {
            self.count_attack(attack);
        }
    }
}

impl Session {
    const fn has_timestamps(&self) -> bool {
        self.opening.outside.system.has_timestamps()
    }

    const fn window(&self, side: Side, flags: u8) -> u16 {
        match (side, flags & TcpFlags::SYN != 0) {
            (Side::Outside, true) => self.opening.outside.system.syn_window(),
            (Side::Outside, false) => self.opening.outside.system.window(),
            (Side::Inside, true) => 65_160,
            (Side::Inside, false) => 501,
        }
    }
}
