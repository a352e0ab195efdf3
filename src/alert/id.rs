//! Names of alerts and incidents: readable, safe in file names and addresses, and the same for the same input.
//!
//! A name ends in 40 bits of a hash with a fixed key over what it stands for, the opening tick included. The key is no
//! secret and not that of the run: live and replayed, the same traffic gives the same names.

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::time::{Tick, Timestamp};

/// Makes a name such as `syn_flood-20210406T090201Z-1f3a09c2d4`.
pub(super) fn name(what: &str, whom: &str, opening: Tick) -> String {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(what.as_bytes());
    hasher.write_u8(0);
    hasher.write(whom.as_bytes());
    hasher.write_u8(0);
    hasher.write(&opening.number().to_le_bytes());
    format!("{what}-{}-{:010x}", compact(opening.end()), hasher.finish() >> 24)
}

/// Writes a moment to the second in the basic format of ISO 8601.
fn compact(moment: Timestamp) -> String {
    let text = moment.to_string();
    let second = text.split('.').next().unwrap_or_default();
    second.chars().filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_depends_on_all_it_stands_for() {
        let opening = Timestamp::from_secs(1_617_699_721).tick();
        let first = name("syn_flood", "192.0.2.10/32", opening);
        assert!(first.starts_with("syn_flood-20210406T090201Z-"), "{first}");
        assert_eq!(first, name("syn_flood", "192.0.2.10/32", opening));
        for other in [
            name("rush", "192.0.2.10/32", opening),
            name("syn_flood", "192.0.2.11/32", opening),
            name("syn_flood", "192.0.2.10/32", opening.next()),
        ] {
            assert_ne!(first, other);
        }
    }
}
