//! Where frames leave the simulation: the mirror port, with the faults that mirror ports have.

use std::ops::ControlFlow;

use super::frame::{Fragment, FrameWriter, MOST_KEPT, Network, Segment, Way};
use super::parameters::{Parameters, View};
use super::queue::Nanos;
use super::random::{Random, split_mix};
use crate::time::Timestamp;

/// Takes frames in time order.
pub(super) type Sink<'a> = dyn FnMut(Timestamp, u32, &[u8]) -> ControlFlow<()> + 'a;

/// What stands between the wire and whoever captures.
pub(super) struct Outlet<'a> {
    writer: FrameWriter,
    port: Port<'a>,
}

impl<'a> Outlet<'a> {
    pub(super) fn new(parameters: &Parameters, opens_at: Nanos, sink: &'a mut Sink<'a>) -> Self {
        Self {
            writer: FrameWriter::new(parameters.snap_length as usize),
            port: Port {
                sink,
                opens_at,
                stopped: false,
                wrote: false,
                view: parameters.view,
                loss: parameters.capture_loss,
                duplicates: parameters.duplicates,
                vlan: parameters.vlan,
                chance: Random::new(split_mix(parameters.seed ^ 0x7a9_0000)),
                tagged: [0; MOST_KEPT + TAG],
            },
        }
    }

    /// Tells whether the sink wants no more.
    pub(super) const fn is_stopped(&self) -> bool {
        self.port.stopped
    }

    /// Tells whether the last frame was captured.
    pub(super) const fn wrote(&self) -> bool {
        self.port.wrote
    }

    pub(super) fn tcp(&mut self, now: Nanos, network: &Network, segment: &Segment<'_>) {
        if self.port.sees(now, network.way) {
            self.port.put(now, self.writer.tcp(network, segment));
        }
    }

    pub(super) fn udp(&mut self, now: Nanos, network: &Network, ports: (u16, u16), payload: u16, head: &[u8]) {
        if self.port.sees(now, network.way) {
            self.port.put(now, self.writer.udp(network, ports, payload, head));
        }
    }

    pub(super) fn gre(&mut self, now: Nanos, network: &Network, inside: &Network, ports: (u16, u16), payload: u16) {
        if self.port.sees(now, network.way) {
            self.port.put(now, self.writer.gre(network, inside, ports, payload));
        }
    }

    pub(super) fn echo(&mut self, now: Nanos, network: &Network, reply: bool, numbers: (u16, u16), data: u16) {
        if self.port.sees(now, network.way) {
            self.port.put(now, self.writer.echo(network, reply, numbers, data));
        }
    }

    pub(super) fn unreachable(
        &mut self,
        now: Nanos,
        network: &Network,
        asked: &Network,
        ports: (u16, u16),
        payload: u16,
    ) {
        if self.port.sees(now, network.way) {
            self.port.put(now, self.writer.unreachable(network, asked, ports, payload));
        }
    }

    pub(super) fn fragment(&mut self, now: Nanos, network: &Network, fragment: &Fragment<'_>) {
        if self.port.sees(now, network.way) {
            self.port.put(now, self.writer.fragment(network, fragment));
        }
    }
}

/// Bytes of an IEEE 802.1Q tag, and where it goes: after both addresses.
const TAG: usize = 4;
const TAG_AT: usize = 12;

struct Port<'a> {
    sink: &'a mut Sink<'a>,
    opens_at: Nanos,
    stopped: bool,
    wrote: bool,
    view: View,
    loss: f64,
    duplicates: f64,
    vlan: Option<u16>,
    /// Of its own, so that a worse port sees the same traffic.
    chance: Random,
    tagged: [u8; MOST_KEPT + TAG],
}

impl Port<'_> {
    /// Tells whether a frame that passes now will be captured.
    fn sees(&mut self, now: Nanos, way: Way) -> bool {
        let in_view = match self.view {
            View::Both => true,
            View::Inbound => way == Way::In,
            View::Outbound => way == Way::Out,
        };
        self.wrote = now >= self.opens_at && in_view && !(self.loss > 0.0 && self.chance.chance(self.loss));
        self.wrote
    }

    fn put(&mut self, now: Nanos, (wire, bytes): (u32, &[u8])) {
        let copies = if self.duplicates > 0.0 && self.chance.chance(self.duplicates) { 2 } else { 1 };
        let at = Timestamp::from_nanos(now);
        for _ in 0..copies {
            let flow = match self.vlan {
                None => (self.sink)(at, wire, bytes),
                Some(vlan) => {
                    let end = bytes.len() + TAG;
                    self.tagged[..TAG_AT].copy_from_slice(&bytes[..TAG_AT]);
                    self.tagged[TAG_AT..TAG_AT + 2].copy_from_slice(&[0x81, 0x00]);
                    self.tagged[TAG_AT + 2..TAG_AT + TAG].copy_from_slice(&vlan.to_be_bytes());
                    self.tagged[TAG_AT + TAG..end].copy_from_slice(&bytes[TAG_AT..]);
                    (self.sink)(at, wire + 4, &self.tagged[..end])
                }
            };
            self.stopped |= flow.is_break();
        }
    }
}
