//! Any bytes are a capture, the beginning of one, or refused in a sentence: pcap, pcapng, gzip and zstd.
//!
//! The first byte says whether the rest is compressed first, so that damage gets behind a checksum.
#![no_main]

#[path = "../scratch.rs"]
mod scratch;

use std::io::Write as _;

use libfuzzer_sys::fuzz_target;
use vigie::source::{FileOptions, PacketSource as _, Progress, open_files};
use vigie::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let [form, bytes @ ..] = input else { return };
    let packed = match form % 8 {
        0 => gzip(bytes),
        1 => zstd::encode_all(bytes, 1).expect("compresses"),
        _ => bytes.to_vec(),
    };
    let Ok(mut source) = open_files(&[scratch::file(&packed).clone()], FileOptions::default()) else { return };
    let mut promised = Timestamp::ZERO;
    loop {
        let progress = source.poll(&mut |frame| {
            assert!(frame.wire_len as usize >= frame.bytes.len());
            assert!(frame.bytes.len() <= 262_144);
        });
        match progress {
            Ok(Progress::Open { watermark }) => {
                assert!(watermark >= promised, "the watermark went back");
                promised = watermark;
            }
            Ok(Progress::End) => break,
            Err(error) => {
                let text = error.to_string();
                assert!(!text.contains('\n') && text.contains("at byte"), "{text}");
                break;
            }
        }
    }
    assert!(source.bytes_read() <= packed.len() as u64);
});

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}
