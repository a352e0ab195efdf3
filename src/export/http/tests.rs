//! Clients that mean no good: slow to ask, slow to read, or only there to hold places.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream};

use super::*;
use crate::metrics::Metrics;

/// Short enough for a test to sit out.
const SHORT: Limits = Limits {
    connections: 8,
    of_one_address: 4,
    head_bytes: 16 * 1024,
    head_lines: 64,
    head_time: Duration::from_millis(300),
    connection_time: Duration::from_millis(600),
    grace: Duration::from_millis(200),
};

/// Far beyond all of them, and a bound on what a test waits.
const LONG: Duration = Duration::from_secs(20);

fn endpoint(limits: Limits) -> Server {
    let board = Arc::new(Board::new(Arc::new(Metrics::new()), None));
    let bound = bind(SocketAddr::from(([127, 0, 0, 1], 0)), &Settings::default()).unwrap();
    Bound { limits, ..bound }.serve(board).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

/// Reads to the end, however it comes.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("it was left open for {LONG:?}"),
        _ => bytes,
    }
}

fn served(stream: &mut TcpStream) -> bool {
    // A connection that was closed at once may refuse the request.
    let _ = stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
    rest(stream).starts_with(b"HTTP/1.0 200")
}

#[test]
fn a_request_that_drips_is_cut_off() {
    let server = endpoint(SHORT);
    let mut stream = connect(&server);
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    // A byte every 50 ms is always some progress, and never a request.
    let cut_after = (0..400).find(|_| {
        let mut byte = [0; 64];
        let waits = |error: std::io::Error| error.kind() == ErrorKind::WouldBlock;
        stream.write_all(b"x").is_err() || !stream.read(&mut byte).is_err_and(waits)
    });
    assert!(cut_after.is_some(), "it still drips");
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let server = endpoint(SHORT);
    let mut stream = connect(&server);
    stream.set_write_timeout(Some(LONG)).unwrap();
    // Answers that nobody reads fill the buffers between, until nothing is taken any more.
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(500);
    let ended = (0..1_000).find_map(|_| stream.write_all(&request).err());
    assert!(ended.is_some_and(|error| error.kind() != ErrorKind::WouldBlock), "it is still held");
    assert!(served(&mut connect(&server)));
}

#[test]
fn who_holds_places_leaves_some_to_others_and_loses_them() {
    let server = endpoint(Limits { head_time: Duration::from_secs(1), ..SHORT });
    let mut idle: Vec<TcpStream> = (0..20).map(|_| connect(&server)).collect();
    // Another address of this machine, which is somebody else.
    let other = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&other, &SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), 0)).unwrap();
    rustix::net::connect(&other, &server.address()).unwrap();
    let mut other = TcpStream::from(other);
    other.set_read_timeout(Some(LONG)).unwrap();
    assert!(served(&mut other), "the other half is free");
    assert!(!served(&mut connect(&server)), "the holder has its share");
    idle.iter_mut().for_each(|stream| assert!(rest(stream).is_empty()));
    assert!(served(&mut connect(&server)), "and lost it");
}

#[test]
fn a_connection_is_not_kept_for_ever() {
    let server = endpoint(SHORT);
    let mut stream = connect(&server);
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(rest(&mut stream).starts_with(b"HTTP/1.1 200"));
    let _ = stream.shutdown(Shutdown::Both);
}

#[test]
fn a_head_of_too_many_lines_or_bytes_is_refused() {
    let server = endpoint(Limits { head_time: LONG, connection_time: LONG, ..SHORT });
    let code = |lines: String| {
        let mut stream = connect(&server);
        let _ = stream.write_all(format!("GET /healthz HTTP/1.0\r\n{lines}\r\n").as_bytes());
        String::from_utf8_lossy(&rest(&mut stream)).get(9..12).map(str::to_owned)
    };
    assert_eq!(code("X: y\r\n".repeat(60)).as_deref(), Some("200"));
    assert_eq!(code("X: y\r\n".repeat(70)).as_deref(), Some("431"));
    assert_ne!(code(format!("X: {}\r\n", "y".repeat(64 * 1024))).as_deref(), Some("200"));
}

#[test]
fn no_path_leads_to_a_file_and_every_answer_is_guarded() {
    let server = endpoint(Limits::default());
    for (path, code) in [
        ("/../../etc/passwd", "404"),
        ("/%2e%2e/%2e%2e/etc/passwd", "404"),
        ("/live.js/../../etc/passwd", "404"),
        ("//etc/passwd", "404"),
        ("/live.js%00", "404"),
        ("/etc/passwd", "404"),
        ("/", "200"),
        ("/metrics", "200"),
        ("/healthz", "200"),
    ] {
        let mut stream = connect(&server);
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
        let answer = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
        assert_eq!(answer.get(9..12), Some(code), "{path}: {answer}");
        assert!(!answer.contains("root:"), "{path}");
        for header in [
            "content-security-policy: default-src 'none';",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
        ] {
            assert!(answer.contains(header), "{path}: no {header}: {answer}");
        }
    }
}
