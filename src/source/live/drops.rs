//! Losses since the source began, from counters that wrap, reset, or began long before.
//!
//! libpcap counts in 32 bits, so that a flood wraps it in hours; the kernel counts since the interface was made, and
//! from zero again when it is made anew. What comes out only grows.

use crate::source::CaptureDrops;

/// Adds up what counters gain.
#[derive(Debug, Default)]
pub(super) struct DropMeter {
    kernel: Option<u32>,
    interface: Option<u64>,
    sum: CaptureDrops,
}

impl DropMeter {
    /// Takes libpcap's count of frames for which the ring had no room. The first reading is where counting begins.
    pub(super) fn kernel(&mut self, reading: u32) {
        if let Some(last) = self.kernel.replace(reading) {
            self.sum.kernel += u64::from(gained(last, reading));
        }
    }

    /// Takes the interface's count of lost frames. The first reading is where counting begins.
    pub(super) fn interface(&mut self, reading: u64) {
        if let Some(last) = self.interface.replace(reading) {
            // It began anew when it is lower: 64 bits do not wrap.
            self.sum.interface += reading.checked_sub(last).unwrap_or(reading);
        }
    }

    pub(super) fn sum(&self) -> CaptureDrops {
        self.sum
    }
}

/// Tells a 32-bit counter that wrapped (from its upper half to its lower) from one that began anew.
fn gained(last: u32, reading: u32) -> u32 {
    const HALF: u32 = 1 << 31;
    let wrapped = last >= HALF && reading < HALF;
    if reading >= last || wrapped { reading.wrapping_sub(last) } else { reading }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_begins_at_the_first_reading() {
        let mut meter = DropMeter::default();
        meter.kernel(7);
        meter.interface(1_000);
        assert_eq!(meter.sum(), CaptureDrops::default());
        meter.kernel(10);
        meter.interface(1_004);
        assert_eq!(meter.sum(), CaptureDrops { kernel: 3, interface: 4 });
    }

    #[test]
    fn a_wrap_and_a_restart_both_only_add() {
        let mut meter = DropMeter::default();
        for reading in [0, u32::MAX - 1, 3, 5, 2] {
            meter.kernel(reading);
        }
        // 2^32 - 2, then 5 across the wrap, then 2, then 2 after a restart.
        assert_eq!(meter.sum().kernel, u64::from(u32::MAX - 1) + 5 + 2 + 2);
        meter.interface(100);
        meter.interface(8);
        assert_eq!(meter.sum().interface, 8);
    }
}
