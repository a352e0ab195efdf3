//! Bytes of one layer: what was captured of it and how long it was. Knows no protocol.

/// The rest of a frame or packet from some header on.
///
/// What the headers before declare (`len`) and what the snap length left (`bytes`) are kept apart: a header that does
/// not fit into the first is a contradiction, one that does not fit into the second was cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    /// What was captured.
    pub(super) bytes: &'a [u8],
    /// Bytes on the wire, as the layer before declares them; may be less or more than were captured.
    pub(super) len: usize,
}

/// A header is longer than what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short;

impl<'a> Span<'a> {
    /// Takes captured bytes and the declared length.
    pub(super) fn new(bytes: &'a [u8], len: usize) -> Self {
        Self { bytes: bytes.get(..len).unwrap_or(bytes), len }
    }

    /// Splits off a header of `N` bytes.
    pub(super) fn take<const N: usize>(self) -> Result<(&'a [u8; N], Self), Short> {
        let (header, bytes) = self.bytes.split_first_chunk::<N>().ok_or(Short)?;
        Ok((header, Self { bytes, len: self.len.saturating_sub(N) }))
    }

    /// Passes `count` bytes, whether they were captured or not.
    pub(super) fn skip(self, count: usize) -> Self {
        Self { bytes: self.bytes.get(count..).unwrap_or_default(), len: self.len.saturating_sub(count) }
    }

    /// Returns the first byte, if it was captured.
    pub(super) fn first(self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// Tells whether less was captured than declared.
    pub(super) fn is_cut(self) -> bool {
        self.bytes.len() < self.len
    }
}
