//! The packets of one alert on their way to its file.
//!
//! A quarter second may fill at most a 128th of what is left of the file, so that the ten seconds before an alert take a
//! quarter of it at most, a short flood is kept densely, and a long one to its end, ever more thinly.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::pcapng::{Interface, PacketBlock, PcapNg, Statistics, packet_block_len};
use super::recorder::Kept;
use super::remark::{self, Moments};
use super::{Counts, Origin};
use crate::address::Prefix;
use crate::alert::Alert;
use crate::decode::decode;
use crate::kind::AlertKind;
use crate::packet::Packet;
use crate::source::{FrameFilter, InterfaceId};
use crate::time::Timestamp;

/// Share of what is left of a file that one tick may fill: a 128th.
const TICK_SHARE: u64 = 128;
/// Bytes that a tick may fill however little is left: some thirty packets.
const LEAST_OF_TICK: u64 = 8 * 1024;
/// Bytes kept for the statistics at the end.
const END: u64 = 4 * 1024;

/// What an alert's packets look like where its filter cannot look: inside tunnels.
#[derive(Clone, Debug)]
struct Aim {
    prefix: Option<Prefix>,
    port: Option<u16>,
    protocol: Option<&'static str>,
}

impl Aim {
    fn hits(&self, packet: &Packet) -> bool {
        let address = |prefix: Prefix| prefix.contains(packet.destination) || prefix.contains(packet.source);
        let port = |port| packet.destination_port == port || packet.source_port == port;
        self.prefix.is_none_or(address)
            && self.port.is_none_or(port)
            && self.protocol.is_none_or(|name| packet.protocol.name() == name)
    }
}

/// An interface of the section.
#[derive(Debug)]
struct Described {
    number: u32,
    delivered: u64,
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Recording<W: Write> {
    kind: AlertKind,
    moments: Moments,
    about: String,
    filter: String,
    filters: BTreeMap<u16, Option<FrameFilter>>,
    aim: Aim,
    /// `None` until a packet matches: an alert without packets leaves no file.
    file: Option<PcapNg<W>>,
    most_bytes: u64,
    /// Where the tick under way must end.
    tick_ends_at: u64,
    interfaces: BTreeMap<(InterfaceId, u16), Described>,
    span: Option<(Timestamp, Timestamp)>,
    left_out: u64,
}

impl<W: Write> Recording<W> {
    /// Begins with the line that made the alert worth it.
    pub(super) fn new(alert: &Alert, most_bytes: u64) -> Self {
        let Alert { id, kind, why, filter, target, settings, .. } = alert;
        let sampled = settings.get("sampled_one_in").map_or_else(String::new, |one_in| {
            format!(
                " The sensor was overloaded: one conversation in {} was counted, and only those are here.",
                one_in.get()
            )
        });
        let about = format!(
            "Vigie alert {id}: {why} The packets are those that the alert's filter selects: {filter}. Ordinary packets of \
             the same looks are among them.{sampled}"
        );
        Self {
            kind: *kind,
            moments: Moments { started_at: alert.started_at, detected_at: alert.detected_at },
            about,
            filter: filter.clone(),
            filters: BTreeMap::new(),
            aim: Aim { prefix: target.prefix, port: target.port, protocol: target.protocol },
            file: None,
            most_bytes: most_bytes.saturating_sub(END),
            tick_ends_at: 0,
            interfaces: BTreeMap::new(),
            span: None,
            left_out: 0,
        }
    }

    /// Takes a later line: what is looked for may have become clearer.
    pub(super) fn learn(&mut self, alert: &Alert) {
        if alert.filter != self.filter {
            self.filter.clone_from(&alert.filter);
            self.filters.clear();
        }
    }

    /// Begins a tick.
    pub(super) fn begin_tick(&mut self) {
        let written = self.file.as_ref().map_or(0, PcapNg::written);
        let left = self.most_bytes.saturating_sub(written);
        self.tick_ends_at = written + (left / TICK_SHARE).max(LEAST_OF_TICK).min(left);
    }

    /// Takes a frame; one that matches is written while the tick has room. `open` makes the file.
    ///
    /// # Errors
    /// When the file cannot be made or written.
    pub(super) fn take(
        &mut self,
        kept: &Kept<'_>,
        origin: &Origin,
        snap: u16,
        open: impl FnOnce() -> io::Result<W>,
    ) -> io::Result<()> {
        if !self.selects(kept) {
            return Ok(());
        }
        let frame = &kept.frame;
        let packet = decode(frame).ok();
        let comment = remark::of(self.kind, packet.as_ref(), frame.timestamp, self.moments);
        let written = self.file.as_ref().map_or(0, PcapNg::written);
        if written + packet_block_len(frame.bytes.len(), comment.len()) > self.tick_ends_at {
            self.left_out += 1;
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some(PcapNg::new(open()?, &self.about)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let number = u32::try_from(self.interfaces.len()).unwrap_or(u32::MAX);
        let key = (frame.interface, frame.link.number());
        if !self.interfaces.contains_key(&key) {
            let name = origin.name_of(frame.interface);
            file.interface(Interface { link: key.1, snap_bytes: u32::from(snap), name })?;
        }
        let interface = self.interfaces.entry(key).or_insert(Described { number, delivered: 0 });
        interface.delivered += 1;
        let (first, last) = self.span.unwrap_or((frame.timestamp, frame.timestamp));
        self.span = Some((first.min(frame.timestamp), last.max(frame.timestamp)));
        file.packet(PacketBlock {
            interface: interface.number,
            timestamp: frame.timestamp,
            wire_len: frame.wire_len,
            bytes: frame.bytes,
            comment: &comment,
        })
    }

    /// Ends the file with what is known of its interfaces, and returns its bytes; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(self, origin: &Origin, counts: &[Counts], missed: u64) -> io::Result<Option<u64>> {
        let (Some(mut file), Some(span)) = (self.file, self.span) else { return Ok(None) };
        let comment = format!(
            "{} more packets of the alert were left out for the size of this file; {missed} frames of any kind found no \
             place in memory. Counts of frames and losses are since the run began{}.",
            self.left_out,
            origin.scope()
        );
        let mut described: Vec<(&(InterfaceId, u16), &Described)> = self.interfaces.iter().collect();
        described.sort_by_key(|(_, described)| described.number);
        for ((interface, _), Described { number, delivered }) in described {
            let Counts { received, interface_drops, kernel_drops, shed } = origin.counts_of(*interface, counts);
            let delivered = *delivered;
            let comment = &format!("{comment}{}", of_shed(shed));
            file.statistics(*number, Statistics { span, received, interface_drops, kernel_drops, delivered, comment })?;
        }
        file.flush()?;
        Ok(Some(file.written()))
    }

    /// Hands on what lies in buffers, so that a file is of use while it grows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), PcapNg::flush)
    }

    fn selects(&mut self, kept: &Kept<'_>) -> bool {
        let frame = &kept.frame;
        let (text, link) = (&self.filter, frame.link);
        let filter = self.filters.entry(link.number()).or_insert_with(|| FrameFilter::compile(text, link));
        match filter {
            Some(filter) if filter.selects(frame.bytes, frame.wire_len) => true,
            Some(_) if !kept.tunnelled => false,
            // In a tunnel, or on a link of which libpcap knows no addresses.
            _ => decode(frame).is_ok_and(|packet| self.aim.hits(&packet)),
        }
    }
}

/// Says of how many frames nothing can be here, since their conversations were not counted.
fn of_shed(frames: u64) -> String {
    match frames {
        0 => String::new(),
        frames => format!(" {frames} of them were shed with their conversations, as more came than could be handled."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::number::Number;
    use crate::alert::sample;
    use crate::kind::Verdict;
    use crate::source::{Frame, LinkType};

    /// What a file of one SYN says, when so many frames of the interface were shed.
    fn written(alert: &Alert, shed: u64) -> String {
        const SYN: &[u8] = &[
            0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 198, 51, 100, 7, 203, 0, 113, 10, // IPv4
            0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x02, 0, 0, 0, 0, 0, 0, // TCP
        ];
        let (interface, link) = (InterfaceId(0), LinkType::RawIp);
        let frame = Frame { timestamp: alert.detected_at, link, interface, wire_len: 40, bytes: SYN };
        let origin = Origin { live: true, inputs: vec!["eth1".to_owned()], sources: vec!["eth1".to_owned()] };
        let mut recording = Recording::new(alert, 1 << 20);
        recording.begin_tick();
        let (mut file, kept) = (Vec::new(), Kept { frame, tunnelled: false });
        recording.take(&kept, &origin, 96, || Ok(&mut file)).unwrap();
        let counts = [Counts { received: 9_000, shed, ..Counts::default() }];
        recording.finish(&origin, &counts, 0).unwrap().expect("a packet was taken");
        String::from_utf8_lossy(&file).into_owned()
    }

    #[test]
    fn what_was_shed_is_said_and_nothing_else_is() {
        let mut alert = sample(AlertKind::SynFlood, Verdict::Attack, "school", Timestamp::from_secs(900)).remove(0);
        alert.filter = "tcp".to_owned();
        let whole = written(&alert, 0);
        assert!(!whole.contains("shed") && !whole.contains("overloaded"), "{whole}");
        alert.settings.insert("sampled_one_in", Number::new(8.0).unwrap());
        let sampled = written(&alert, 4_000);
        assert!(sampled.contains("one conversation in 8 was counted"), "{sampled}");
        assert!(sampled.contains("4000 of them were shed with their conversations"), "{sampled}");
    }
}
