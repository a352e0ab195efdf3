//! A headless Chromium, driven over the DevTools protocol on a plain socket.
//!
//! What tests need of RFC 6455 is here: one connection, text frames, nothing split by us.

#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http;

/// Names under which it is installed; the first one is Debian's package.
const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// A running browser with one page.
pub(crate) struct Browser {
    process: Child,
    _profile: TempDir,
    socket: TcpStream,
    calls: u64,
    /// What the page complained of: exceptions, refused loads, policy violations.
    pub(crate) complaints: Vec<String>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Browser {
    /// Starts one; `None`, said visibly, where there is none. `VIGIE_REQUIRE_ALL=1` makes that a failure.
    pub(crate) fn start() -> Option<Self> {
        let runs = |program: &&&str| {
            let version = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        };
        let Some(program) = PROGRAMS.iter().find(runs) else {
            let required = std::env::var("VIGIE_REQUIRE_ALL").as_deref() == Ok("1");
            assert!(!required, "Chromium (Debian package chromium) is missing");
            eprintln!("SKIPPED: Chromium (Debian package chromium) is missing");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // A test that is killed must not leave a browser running.
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", program])
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (address, page) = devtools(profile.path());
        let socket = connect(address, &page);
        let mut browser = Self { process, _profile: profile, socket, calls: 0, complaints: Vec::new() };
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Calls a method and returns its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let id = self.calls;
        send(&mut self.socket, &json!({"id": id, "method": method, "params": parameters}).to_string());
        loop {
            let message: Value = serde_json::from_str(&receive(&mut self.socket)).unwrap();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, event: &Value) {
        match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => self.complaints.push(event["params"].to_string()),
            Some("Log.entryAdded") if event["params"]["entry"]["level"] == "error" => {
                self.complaints.push(event["params"]["entry"].to_string());
            }
            _ => {}
        }
    }

    /// Opens an address and waits until the page has loaded.
    pub(crate) fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
        let loaded = "location.href !== 'about:blank' && document.readyState === 'complete'";
        assert!(self.wait_for(loaded), "{address} does not load");
    }

    /// Evaluates an expression.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let result = self.call("Runtime.evaluate", json!({"expression": expression, "returnByValue": true}));
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits for an expression to be true, for ten seconds at most.
    pub(crate) fn wait_for(&mut self, expression: &str) -> bool {
        http::wait_until(Duration::from_secs(10), || self.value(expression) == true)
    }

    /// Tells whether an expression becomes true within three updates of the page.
    pub(crate) fn wait_for_a_moment(&mut self, expression: &str) -> bool {
        http::wait_until(Duration::from_secs(3), || self.value(expression) == true)
    }

    /// Presses and releases a key.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Sets the width of the window, and dark or light.
    pub(crate) fn look(&mut self, width: u32, scheme: &str) {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        );
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"media": "", "features": features}));
    }

    /// Takes a picture of the whole page.
    pub(crate) fn picture(&mut self, path: &Path) {
        let shot = self.call("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
        let bytes = decoded(shot["data"].as_str().unwrap());
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{} bytes", bytes.len());
        std::fs::write(path, bytes).unwrap();
    }

    /// Lays the page out as it is printed, so many pixels of 1/96 inch wide.
    pub(crate) fn on_paper(&mut self, width: u32) {
        self.look(width, "light");
        self.call("Emulation.setEmulatedMedia", json!({"media": "print", "features": []}));
    }

    /// Prints the page as a PDF file.
    pub(crate) fn print(&mut self, path: &Path) {
        let printed = self.call("Page.printToPDF", json!({"printBackground": true}));
        let bytes = decoded(printed["data"].as_str().unwrap());
        assert!(bytes.starts_with(b"%PDF") && bytes.len() > 10_000, "{} bytes", bytes.len());
        std::fs::write(path, bytes).unwrap();
    }
}

/// Waits for the browser to say where it listens, and returns that with the path of its page.
fn devtools(profile: &Path) -> (SocketAddr, String) {
    let mut found = None;
    let ready = http::wait_until(Duration::from_secs(30), || {
        let Ok(port) = std::fs::read_to_string(profile.join("DevToolsActivePort")) else { return false };
        let Some(port) = port.lines().next().and_then(|line| line.parse::<u16>().ok()) else { return false };
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let Ok(targets) = targets(address) else { return false };
        let page = targets.as_array().into_iter().flatten().find(|target| target["type"] == "page");
        found = page.and_then(|page| page["webSocketDebuggerUrl"].as_str()).map(|url| {
            let path = url.trim_start_matches("ws://").split_once('/').map_or("", |(_, path)| path);
            (address, format!("/{path}"))
        });
        found.is_some()
    });
    assert!(ready, "Chromium does not start");
    found.unwrap()
}

/// Asks for the list of pages. Its server speaks HTTP/1.1 only and keeps the connection.
fn targets(address: SocketAddr) -> std::io::Result<Value> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    socket.write_all(format!("GET /json/list HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let head = head(&mut socket)?.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.and_then(|length| length.trim().parse().ok()).unwrap_or(0)];
    socket.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

fn head(socket: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn connect(address: SocketAddr, path: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let answer = head(&mut socket).unwrap();
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    socket
}

/// Sends one text frame, masked with zeros (RFC 6455 section 5.3 asks for a mask, not for a good one).
fn send(socket: &mut TcpStream, text: &str) {
    let mut frame = vec![0x81];
    match text.len() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    socket.write_all(&frame).unwrap();
}

/// Reads one message, of one frame or several.
fn receive(socket: &mut TcpStream) -> String {
    let mut message = Vec::new();
    loop {
        let mut head = [0; 2];
        socket.read_exact(&mut head).unwrap();
        let length = match head[1] & 0x7f {
            126 => {
                let mut length = [0; 2];
                socket.read_exact(&mut length).unwrap();
                usize::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                socket.read_exact(&mut length).unwrap();
                usize::try_from(u64::from_be_bytes(length)).unwrap()
            }
            short => usize::from(short),
        };
        let start = message.len();
        message.resize(start + length, 0);
        socket.read_exact(&mut message[start..]).unwrap();
        assert!(matches!(head[0] & 0x0f, 0 | 1), "the browser closed the connection");
        if head[0] & 0x80 != 0 {
            return String::from_utf8(message).unwrap();
        }
    }
}

/// Decodes base64 (RFC 4648 section 4).
fn decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let six = ALPHABET.iter().position(|known| *known == letter).unwrap();
        bits = bits << 6 | u32::try_from(six).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}
