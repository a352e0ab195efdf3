//! Any bytes are a table of countries or of autonomous systems, or refused in a sentence; look-ups in one always end.
#![no_main]

#[path = "../scratch.rs"]
mod scratch;

use libfuzzer_sys::fuzz_target;
use vigie::address::Address;
use vigie::origin::{Origins, Settings};

fuzz_target!(|bytes: &[u8]| {
    let path = scratch::file(bytes);
    for settings in [
        Settings { geo: Some(path.clone()), ..Settings::default() },
        Settings { asn: Some(path.clone()), ..Settings::default() },
    ] {
        match Origins::load(&settings) {
            Ok(origins) => look_up(&origins),
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }
});

fn look_up(origins: &Origins) {
    assert!(!origins.describe().is_empty());
    for first in [1, 5, 80, 193, 223, 255] {
        for address in [Address::v4([first, 2, 3, 4]), Address::v6([first; 16])] {
            let _ = (origins.country(address), origins.asn(address));
        }
    }
}
