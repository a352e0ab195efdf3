//! How long a silent flow is kept, and how the fixed stores are cut to size.

use std::time::Duration;

use crate::time::Timestamp;

/// Timeouts of the flow table. Each is taken as at most one hour, since an entry keeps time in 32 bits of microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// UDP, ICMP, other protocols and TCP that proved nothing: 60 s (the UDP value of most NATs and of Zeek).
    pub datagram: Duration,
    /// TCP whose originator proved its address: 300 s (Zeek's `tcp_inactivity_timeout`).
    pub established: Duration,
    /// TCP after a FIN from one side: 10 s.
    pub closing: Duration,
    /// TCP after RST or two acknowledged FINs. The flow has ended; its entry stays this long, so that stragglers and
    /// repeated last segments are counted in it and do not look like a new conversation: 2 s (one retransmission).
    pub linger: Duration,
    /// A flow that never falls silent is reported this often: 1,800 s (the active timeout of RFC 5470 practice).
    pub active: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            datagram: Duration::from_secs(60),
            established: Duration::from_secs(300),
            closing: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            active: Duration::from_secs(1_800),
        }
    }
}

impl Timeouts {
    const MOST: Duration = Duration::from_secs(3_600);

    /// Returns the timeouts with each cut to what an entry can hold.
    #[must_use]
    pub(crate) fn bounded(self) -> Self {
        Self {
            datagram: self.datagram.min(Self::MOST),
            established: self.established.min(Self::MOST),
            closing: self.closing.min(Self::MOST),
            linger: self.linger.min(Self::MOST),
            active: self.active.min(Self::MOST),
        }
    }
}

/// Returns how many rows of `lanes` places a partition gets, a power of two, when `total` places are asked for.
pub(crate) fn rows_per_partition(total: usize, lanes: usize) -> usize {
    // 2^16 rows are the most that the hash bits kept in an entry can address: 33 million flows.
    (total / (lanes * crate::hash::PARTITIONS)).next_power_of_two().clamp(1, 1 << 16)
}

/// Returns the low 32 bits of the time in microseconds: enough for what lives less than an hour.
pub(crate) fn micros32(time: Timestamp) -> u32 {
    ((time.as_nanos() / 1_000) & 0xffff_ffff) as u32
}

/// Returns the microseconds from `earlier` to `later`, both taken by [`micros32`]; zero when time went backwards.
pub(crate) fn micros_between(earlier: u32, later: u32) -> u32 {
    let distance = later.wrapping_sub(earlier);
    if distance > u32::MAX / 8 * 7 { 0 } else { distance }
}

/// Returns the microseconds from `earlier` to `later`, saturating at both ends.
pub(crate) fn micros_since(earlier: Timestamp, later: Timestamp) -> u32 {
    // Plain integers: this runs several times a packet, and `Duration` divides in 128 bits.
    let micros = later.as_nanos().saturating_sub(earlier.as_nanos()) / 1_000;
    u32::try_from(micros).unwrap_or(u32::MAX)
}

/// Writes to one place of every page, so that the kernel backs a table before the first packet needs it.
pub(crate) fn touch<T: Copy>(places: &mut [T]) {
    const PAGE: usize = 4_096;
    for place in places.iter_mut().step_by((PAGE / size_of::<T>()).max(1)) {
        *place = std::hint::black_box(*place);
    }
}
