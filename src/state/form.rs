//! The form of a state file: 8 bytes of name, 2 of version, 16 of checksum over all that follows, then the sections.
//!
//! The checksum (SipHash-2-4, 128 bits, a fixed key) finds accidents, not malice: whoever may write the file may also
//! write its checksum, so the sections' owners check every value they take.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::hash::Hasher;

use super::{FormError, Sections};
use crate::time::Timestamp;

/// First bytes of every state.
const NAME: [u8; 8] = *b"VIGIE\0ST";

/// The version written, and the latest that is read.
pub(super) const VERSION: u16 = 1;

/// Bytes before the sections.
const HEAD: usize = NAME.len() + 2 + 16;

/// Largest state that is read: four times what 256 subjects and all their countries can need.
pub const MOST_BYTES: usize = 64 << 20;

/// Writes sections as the bytes of a file.
#[must_use]
pub fn encode(sections: &Sections) -> Vec<u8> {
    let body = postcard::to_allocvec(&(sections.saved_at.as_nanos(), &sections.parts)).unwrap_or_default();
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend(NAME);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(checksum(&body));
    bytes.extend(body);
    bytes
}

/// Reads the bytes of a file.
///
/// # Errors
/// What is wrong with them. Total: no bytes panic.
pub fn decode(bytes: &[u8]) -> Result<Sections, FormError> {
    if bytes.len() > MOST_BYTES {
        return Err(FormError::TooLarge);
    }
    let known = bytes.len().min(NAME.len());
    if bytes.is_empty() || bytes[..known] != NAME[..known] {
        return Err(FormError::Foreign);
    }
    let (Some(version), Some(sum)) = (bytes.get(8..10), bytes.get(10..HEAD)) else { return Err(FormError::Damaged) };
    let version = u16::from_le_bytes([version[0], version[1]]);
    if version > VERSION {
        return Err(FormError::TooNew(version));
    }
    let body = &bytes[HEAD..];
    if version == 0 || checksum(body) != sum {
        return Err(FormError::Damaged);
    }
    let ((saved_at, parts), rest) = postcard::take_from_bytes(body).map_err(|_| FormError::Damaged)?;
    if !rest.is_empty() {
        return Err(FormError::Damaged);
    }
    Ok(Sections { saved_at: Timestamp::from_nanos(saved_at), parts })
}

fn checksum(body: &[u8]) -> [u8; 16] {
    let mut hasher = SipHasher24::new_with_keys(0x7669_6769_6500_7374, 0x6174_6500_0000_0001);
    hasher.write(body);
    hasher.finish128().as_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state() -> Vec<u8> {
        let mut sections = Sections::new(Timestamp::from_secs(1_700_000_000));
        sections.put("levels", &vec![1.0_f32; 20]);
        sections.put("home", &vec!["FR", "RE"]);
        encode(&sections)
    }

    #[test]
    fn what_was_written_is_read() {
        let sections = decode(&state()).unwrap();
        assert_eq!(sections.saved_at, Timestamp::from_secs(1_700_000_000));
        assert_eq!(sections.get::<Vec<String>>("home").unwrap(), ["FR", "RE"]);
        assert_eq!(encode(&sections), state());
    }

    #[test]
    fn a_state_cut_at_any_length_is_refused() {
        let bytes = state();
        for length in 0..bytes.len() {
            let wanted = if length == 0 { FormError::Foreign } else { FormError::Damaged };
            assert_eq!(decode(&bytes[..length]), Err(wanted), "{length} bytes");
        }
    }

    #[test]
    fn any_flipped_bit_is_found() {
        let bytes = state();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(decode(b"\xd4\xc3\xb2\xa1 a capture"), Err(FormError::Foreign));
        let mut newer = state();
        newer[8] = 9;
        assert_eq!(decode(&newer), Err(FormError::TooNew(9)));
        assert_eq!(decode(&vec![0; MOST_BYTES + 1]), Err(FormError::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            // With a right checksum, so that the body is reached.
            let mut bytes = NAME.to_vec();
            bytes.extend(VERSION.to_le_bytes());
            bytes.extend(checksum(&body));
            bytes.extend(&body);
            if let Ok(sections) = decode(&bytes) {
                prop_assert!(sections.get::<Vec<String>>("x").is_none() || sections.has("x"));
            }
        }
    }
}
