//! Frames from a live link, by libpcap.
//!
//! A [`LiveSource`] is one packet socket with a TPACKET_V3 ring: the kernel fills blocks of 256 KiB and hands each over
//! when it is full or its timer has run out. It owns the socket, the losses it counts and the promise about time; it does
//! not know what a frame contains. Several sockets on one interface form a fan-out group, see `fanout`; several
//! interfaces are several sources.

mod clock;
mod drops;
mod fanout;
mod gauge;
mod interface;
mod returning;
mod socket;

use std::num::NonZeroUsize;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use pcap::{Active, Capture, Linktype, Precision};

use self::clock::{WallClock, Watermark};
use self::drops::DropMeter;
use self::gauge::Gauge;
pub use self::interface::{LinkFacts, link_facts, names};
pub use self::returning::{Returning, open_returning};
use super::{CaptureDrops, Frame, InterfaceId, LinkType, PacketSource, Progress, SourceError, Strain};
use crate::time::Timestamp;

/// How to capture.
///
/// The defaults were measured between two network namespaces, on two cores with a load of 6 to 17, with tcpreplay at its
/// top speed: 80,000 to 230,000 frames a second, 800,000 a run, one half of 64 bytes, the other of 1,450. A reader that
/// never pauses lost nothing with any ring from 2 to 64 MiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Bytes of the ring of each socket, at least 1 MiB; rounded to blocks of 256 KiB. The kernel pins this memory, or
    /// silently less when it has not as much in one piece.
    ///
    /// 32 MiB: with a reader that pauses for 300 ms every second and 512 bytes kept of each frame, 2 MiB lost 21 %,
    /// 8 MiB 10 %, 16 MiB 0.6 %, and 32 MiB nothing. It holds some 120,000 such frames of 256 bytes.
    pub ring_bytes: u32,
    /// Bytes kept of each frame, at least 64; the length on the wire is known all the same.
    ///
    /// 256: enough for two VLAN tags, an IPv6 tunnel and an IPv6 TCP header with its options inside. Reading cost
    /// 0.05 us a frame with 128 bytes, 0.06 to 0.09 with 256, and 0.12 to 0.15 with 512, and the ring holds twice as many.
    pub snap_len: u32,
    /// Whether frames for other machines are wanted, as on a mirror port.
    pub promiscuous: bool,
    /// Sockets in the interface's fan-out group; one makes no group.
    pub sockets: NonZeroUsize,
    /// How long a frame may wait in a half-filled block, in whole milliseconds, 1 to 1,000.
    ///
    /// 20 ms: with 1 ms there were four times as many reads, half as dear again for each frame, and nothing was gained;
    /// with 100 ms a frame waited for up to 88 ms.
    pub block_timeout: Duration,
    /// How long one poll waits for a frame.
    ///
    /// 50 ms: an idle link costs twenty wake-ups a second, and a signal to stop is seen at once.
    pub poll_bound: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ring_bytes: 32 << 20,
            snap_len: 256,
            promiscuous: true,
            sockets: NonZeroUsize::MIN,
            block_timeout: Duration::from_millis(20),
            poll_bound: Duration::from_millis(50),
        }
    }
}

/// Frames of one read: no more than a block of 256 KiB can hold of the smallest.
const BATCH: usize = 2_048;

/// One packet socket on one interface.
pub struct LiveSource {
    capture: Capture<Active>,
    name: Arc<str>,
    id: InterfaceId,
    link: LinkType,
    poll_bound: Duration,
    clock: WallClock,
    watermark: Watermark,
    /// Frames stamped earlier came before the fan-out group was complete and are not ours alone.
    began: Option<Timestamp>,
    meter: DropMeter,
    gauge: Gauge,
    /// Interface losses are everybody's: only the first socket of a group tells them.
    tells_interface_drops: bool,
}

/// Opens the interface with as many sockets as the settings say. Counting begins here: what the sockets caught while
/// the group was being made is left out.
///
/// # Errors
/// When the interface does not exist, is down or may not be captured on, or a setting is out of range.
pub fn open(interface: &str, id: InterfaceId, settings: &Settings) -> Result<Vec<LiveSource>, SourceError> {
    check(interface, settings)?;
    let captures = (0..settings.sockets.get())
        .map(|_| activate(interface, settings).map_err(|error| interface::why_not(interface, &text(&error))))
        .collect::<Result<Vec<_>, _>>()?;
    if captures.len() > 1 {
        let descriptors: Vec<_> = captures.iter().map(AsFd::as_fd).collect();
        fanout::join(&descriptors).map_err(|error| {
            refused(interface, format!("the kernel refuses a fan-out group: {error}; use one socket"))
        })?;
    }
    let mut clock = WallClock::new();
    let began = clock.read().now;
    captures
        .into_iter()
        .enumerate()
        .map(|(index, capture)| LiveSource::begin(capture, interface, id, settings, (index == 0, began)))
        .collect()
}

fn check(interface: &str, settings: &Settings) -> Result<(), SourceError> {
    let most = u32::try_from(i32::MAX).expect("positive");
    let reason = if !(1 << 20..=most).contains(&settings.ring_bytes) {
        format!("a ring of {} bytes: choose 1 MiB to 2 GiB", settings.ring_bytes)
    } else if !(64..=262_144).contains(&settings.snap_len) {
        format!("a snap length of {} bytes: choose 64 to 262144", settings.snap_len)
    } else if !(1..=1_000).contains(&settings.block_timeout.as_millis()) {
        format!("a block timeout of {:?}: choose 1 ms to 1 s", settings.block_timeout)
    } else {
        return Ok(());
    };
    Err(refused(interface, reason))
}

fn refused(interface: &str, reason: String) -> SourceError {
    SourceError::Open { name: interface.to_owned(), reason }
}

/// Opens one socket: ring, promiscuity, nanoseconds, non-blocking.
fn activate(interface: &str, settings: &Settings) -> Result<Capture<Active>, pcap::Error> {
    let positive = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let millis = u32::try_from(settings.block_timeout.as_millis()).unwrap_or(u32::MAX);
    let mut capture = Capture::from_device(interface)?
        .buffer_size(positive(settings.ring_bytes))
        .snaplen(positive(settings.snap_len))
        // All interfaces together cannot be made promiscuous; libpcap warns, and the crate makes that an error.
        .promisc(settings.promiscuous && interface != interface::ANY)
        .timeout(positive(millis))
        .immediate_mode(false)
        .precision(Precision::Nano)
        .open()?;
    // The empty filter accepts everything, cut to the snap length. Without a filter the kernel copies whole frames
    // into the ring and libpcap cuts them there.
    capture.filter("", true)?;
    // libpcap leaves its socket open to programs that are started, which have no business with it.
    rustix::io::fcntl_setfd(capture.as_fd(), rustix::io::FdFlags::CLOEXEC)
        .map_err(|error| pcap::Error::IoError(std::io::Error::from(error).kind()))?;
    capture.setnonblock()
}

/// What libpcap said, without the crate's prefix.
fn text(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(said) => said.clone(),
        other => other.to_string(),
    }
}

/// Maps libpcap's link types (DLT values; the tcpdump group's page of link-layer header types).
fn link_type(link: Linktype) -> LinkType {
    match link.0 {
        1 => LinkType::Ethernet,
        113 => LinkType::LinuxSll,
        276 => LinkType::LinuxSll2,
        12 | 14 | 101 | 228 | 229 => LinkType::RawIp,
        0 | 108 => LinkType::Null,
        other => LinkType::Other(u16::try_from(other).unwrap_or(u16::MAX)),
    }
}

impl LiveSource {
    fn begin(
        capture: Capture<Active>,
        interface: &str,
        id: InterfaceId,
        settings: &Settings,
        (is_first, began): (bool, Timestamp),
    ) -> Result<Self, SourceError> {
        let mut source = Self {
            link: link_type(capture.get_datalink()),
            capture,
            name: interface.into(),
            id,
            poll_bound: settings.poll_bound,
            clock: WallClock::new(),
            watermark: Watermark::new(clock::longest_hold(settings.block_timeout)),
            began: (settings.sockets.get() > 1).then_some(began),
            meter: DropMeter::default(),
            gauge: Gauge::new(settings.ring_bytes, settings.snap_len, began),
            tells_interface_drops: is_first,
        };
        // The first readings are where the meter begins.
        source.drops()?;
        Ok(source)
    }

    /// Returns the interface's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns how its frames are to be read.
    #[must_use]
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Hands out what the ring holds, at most [`BATCH`] frames. Returns how many were taken from it and the newest.
    fn read(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<(usize, Option<Timestamp>), SourceError> {
        let (link, interface, began, gauge) = (self.link, self.id, self.began, &mut self.gauge);
        let mut newest = None;
        let taken = self.capture.dispatch(Some(BATCH), |packet| {
            let timestamp = stamp(packet.header);
            newest = newest.max(Some(timestamp));
            gauge.frame(packet.header.caplen);
            if began.is_none_or(|began| timestamp >= began) {
                let wire_len = packet.header.len.max(packet.header.caplen);
                on_frame(Frame { timestamp, link, interface, wire_len, bytes: packet.data });
            }
        });
        let taken = taken.map_err(|error| self.lost(&text(&error)))?;
        Ok((taken, newest))
    }

    fn lost(&self, said: &str) -> SourceError {
        match interface::check_alive(&self.name) {
            Err(error) => error,
            Ok(()) => SourceError::Lost {
                name: self.name.to_string(),
                reason: format!("reading from libpcap failed: {said}"),
            },
        }
    }
}

/// Reads the time stamp, which holds nanoseconds where libpcap has microseconds since it was asked to.
fn stamp(header: &pcap::PacketHeader) -> Timestamp {
    let seconds = u64::try_from(header.ts.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(header.ts.tv_usec).unwrap_or(0);
    Timestamp::from_secs(seconds).plus(Duration::from_nanos(nanos))
}

impl PacketSource for LiveSource {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        // The clock is read before the ring: what is not in the ring then is younger than the hold, or will never come.
        let mut looked = self.clock.read();
        let (mut taken, mut newest) = self.read(on_frame)?;
        if taken == 0 {
            let waited = socket::wait_readable(self.capture.as_fd(), self.poll_bound);
            waited.map_err(|error| self.lost(&error.to_string()))?;
            let again = self.clock.read();
            self.gauge.waited(looked.now, again.now);
            looked = clock::Reading { stepped: looked.stepped || again.stepped, ..again };
            (taken, newest) = self.read(on_frame)?;
        }
        if looked.stepped {
            self.watermark.restart(looked.now);
            // A clock set back must not make everything look older than the beginning.
            self.began = None;
        }
        self.gauge.look(looked.now, newest);
        if let Some(newest) = newest {
            self.watermark.frame(newest);
        }
        if taken == 0 {
            interface::check_alive(&self.name)?;
            self.watermark.empty_ring(looked.now);
        }
        Ok(Progress::Open { watermark: self.watermark.at() })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        let stats = self.capture.stats().map_err(|error| self.lost(&text(&error)))?;
        self.meter.kernel(stats.dropped);
        // When the interface has gone, what it had lost stays.
        if self.tells_interface_drops
            && let Some(drops) = interface::drops(&self.name)
        {
            self.meter.interface(drops);
        }
        Ok(self.meter.sum())
    }

    fn strain(&mut self) -> Option<Strain> {
        Some(self.gauge.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let open = |settings: Settings| open("lo", InterfaceId(0), &settings).map(|_| ()).unwrap_err().to_string();
        let small = open(Settings { ring_bytes: 4_096, ..Settings::default() });
        assert_eq!(small, "lo: a ring of 4096 bytes: choose 1 MiB to 2 GiB");
        let slow = open(Settings { block_timeout: Duration::ZERO, ..Settings::default() });
        assert!(slow.contains("choose 1 ms to 1 s"), "{slow}");
        let cut = open(Settings { snap_len: 20, ..Settings::default() });
        assert!(cut.contains("choose 64 to 262144"), "{cut}");
    }

    #[test]
    fn link_types_follow_the_registry() {
        assert_eq!(link_type(Linktype(1)), LinkType::Ethernet);
        assert_eq!(link_type(Linktype(12)), LinkType::RawIp);
        assert_eq!(link_type(Linktype(113)), LinkType::LinuxSll);
        assert_eq!(link_type(Linktype(127)), LinkType::Other(127));
    }
}
