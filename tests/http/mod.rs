//! HTTP as tests need it: one request, one answer, over a plain socket.

#![expect(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status code.
    pub(crate) code: u16,
    /// Header lines, names in lower case.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: String,
}

/// Asks for a path. HTTP/1.0, so that the answer ends with the connection and is never chunked.
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Result<Answer, String> {
    send(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n"))
}

/// Sends a request as it is and reads all that comes back.
pub(crate) fn send(address: SocketAddr, request: &str) -> Result<Answer, String> {
    let limit = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&address, limit).map_err(|error| format!("{address}: {error}"))?;
    stream.set_read_timeout(Some(limit)).map_err(|error| error.to_string())?;
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    // A refused request may be answered and then reset while it is still being sent.
    if let Err(error) = stream.read_to_end(&mut bytes)
        && bytes.is_empty()
    {
        return Err(error.to_string());
    }
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("no head in {text:?}"))?;
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| format!("no code in {head}"))?;
    Ok(Answer { code, head: lower_names(head), body: body.to_owned() })
}

fn lower_names(head: &str) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some((name, value)) => format!("{}:{value}\n", name.to_ascii_lowercase()),
        None => format!("{line}\n"),
    };
    head.lines().map(line).collect()
}

/// Writes text as a part of a query (RFC 3986: everything but unreserved characters).
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Asks again and again, for at most `limit`, until something holds.
#[expect(
    clippy::disallowed_methods,
    reason = "another process or thread gives no sign to wait on; the wait is bounded"
)]
pub(crate) fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}
