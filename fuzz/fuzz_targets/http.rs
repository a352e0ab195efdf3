//! Any bytes on a connection to the endpoint are answered as HTTP or not at all, and never with a fault of its own.
#![no_main]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use vigie::export::board::Board;
use vigie::export::http::{Server, Settings, serve};
use vigie::metrics::Metrics;

static SERVER: LazyLock<Server> = LazyLock::new(|| {
    let board = Arc::new(Board::new(Arc::new(Metrics::new()), None));
    serve("127.0.0.1:0".parse().expect("an address"), board, &Settings::default()).expect("serves")
});

fuzz_target!(|bytes: &[u8]| {
    let mut stream = TcpStream::connect(SERVER.address()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
    // It may answer and close before everything was sent.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answer) {
        assert!(!matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut), "no answer");
    }
    if !answer.is_empty() {
        let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2)).copied();
        assert!(matches!(status, Some(b'2'..=b'4')), "{}", String::from_utf8_lossy(&answer));
    }
});
