//! Capabilities (capabilities(7)): all sets emptied, so that none is there and none can come back.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
};

/// Empties the bounding set, which takes CAP_SETPCAP. Who has not got it, such as a program with file capabilities, goes
/// on: `no_new_privs` closes the same way.
pub(super) fn bound() -> io::Result<()> {
    for number in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // Beyond the last that the kernel knows, or not allowed.
            Err(Errno::INVAL | Errno::PERM) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Empties the effective, permitted, inheritable and ambient sets.
pub(super) fn clear() -> io::Result<()> {
    match clear_ambient_capability_set() {
        // Before Linux 4.3 there was none.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
