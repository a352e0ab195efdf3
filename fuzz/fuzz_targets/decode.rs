//! On any bytes and any link type the decoder keeps its contract.
//!
//! `cargo fuzz run -s none decode` runs on the stable toolchain. The first byte chooses the link type, the second how
//! many bytes the snap length cut off; the rest is the frame.
#![no_main]

#[path = "../contract.rs"]
mod contract;

use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: contract::CountingAllocator = contract::CountingAllocator;

fuzz_target!(|input: &[u8]| {
    let [choice, cut, bytes @ ..] = input else { return };
    let link = contract::LINKS[usize::from(*choice) % contract::LINKS.len()];
    contract::assert_contract(link, bytes, bytes.len() + usize::from(*cut));
});
