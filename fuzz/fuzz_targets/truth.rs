//! Any bytes are a truth file or refused; one that is accepted says the same when written and read again.
#![no_main]

#[path = "../scratch.rs"]
mod scratch;

use libfuzzer_sys::fuzz_target;
use vigie::scenario::Truth;

fuzz_target!(|bytes: &[u8]| {
    let Ok(truth) = Truth::read(scratch::file(bytes)) else { return };
    let written = truth.to_json();
    let again = Truth::read(scratch::file(written.as_bytes())).unwrap_or_else(|error| panic!("{error}: {written}"));
    assert_eq!(again.to_json(), written);
});
