//! Conversions between numbers that say what happens at the edges, so that no cast truncates by accident.

/// Returns the whole part, 0 for negative numbers and NaN, `u64::MAX` beyond it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturation is what is promised")]
pub(super) const fn floor_u64(x: f64) -> u64 {
    x as u64
}

/// Returns the number, or `u32::MAX` beyond it.
pub(super) const fn low_u32(x: u64) -> u32 {
    if x > u32::MAX as u64 { u32::MAX } else { (x & 0xffff_ffff) as u32 }
}

/// Returns the number, or `u16::MAX` beyond it.
pub(super) const fn low_u16(x: u64) -> u16 {
    if x > u16::MAX as u64 { u16::MAX } else { (x & 0xffff) as u16 }
}

/// Returns the number, or 255 beyond it.
pub(super) const fn low_u8(x: u64) -> u8 {
    if x > u8::MAX as u64 { u8::MAX } else { (x & 0xff) as u8 }
}

/// Returns seconds as nanoseconds, 0 for negative ones.
pub(super) fn nanos(seconds: f64) -> u64 {
    floor_u64(seconds * 1e9)
}
