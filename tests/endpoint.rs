//! The endpoint as a whole program serves it: behind TLS and a password, and on an address that others can reach.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A replay that waits for its input, so that its endpoint can be asked meanwhile.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    /// What it said until it served.
    said: String,
    address: SocketAddr,
}

impl Run {
    fn start(folder: &Path, metrics: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(["replay", "-v", "--config", "vigie.toml", "--metrics", metrics, "-"])
            .current_dir(folder)
            .env("VIGIE_TEST_TOKEN", "s3cret")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        // A file header of pcap, and nothing more for now.
        let header = [0xd4c3_b2a1_u32.to_be_bytes(), [2, 0, 4, 0], [0; 4], [0; 4], [0, 0, 1, 0], [1, 0, 0, 0]].concat();
        input.write_all(&header).unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("serving metrics") {
            assert!(errors.read_line(&mut said).unwrap() > 0, "it ended before: {said}");
        }
        let line = said.lines().last().unwrap();
        let address = line.rsplit_once("address=").unwrap().1.trim().parse().unwrap();
        Self { child, input: Some(input), said, address }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.input.take());
        // It may have ended by itself; either way it is reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a certificate for 127.0.0.1 that signed itself; `false` where there is no openssl.
fn make_identity(folder: &Path) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out", "cert.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status();
    let made = made.is_ok_and(|status| status.success());
    assert!(made || std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "openssl is missing");
    if !made {
        eprintln!("skipped: openssl is missing");
    }
    made
}

/// Asks over TLS, trusting the certificate in the folder.
fn ask(folder: &Path, address: SocketAddr, path: &str, headers: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    // The other side may end without TLS's good-bye; what came is what counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn over_tls_with_a_token_it_is_read_and_without_either_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    if !make_identity(folder.path()) {
        return;
    }
    let config = "[http]\ntoken = { env = \"VIGIE_TEST_TOKEN\" }\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(folder.path().join("vigie.toml"), config).unwrap();
    let run = Run::start(folder.path(), "127.0.0.1:0");
    let ask = |path: &str, headers: &str| ask(folder.path(), run.address, path, headers);
    assert!(ask("/metrics", "").starts_with("HTTP/1.0 401"));
    let metrics = ask("/metrics", "Authorization: Bearer s3cret\r\n");
    assert!(metrics.starts_with("HTTP/1.0 200") && metrics.contains("vigie_build_info"), "{metrics}");
    assert!(ask("/healthz", "").starts_with("HTTP/1.0 200"));
    // Without TLS nothing is answered, not even that there is something.
    let mut plain = TcpStream::connect(run.address).unwrap();
    plain.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn an_address_that_others_can_reach_is_warned_of_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vigie.toml"), "").unwrap();
    let warned = |run: &Run| run.said.lines().filter(|line| line.starts_with("vigie: ")).count();
    let open = Run::start(folder.path(), ":0");
    assert!(open.said.contains("every address of this machine"), "{}", open.said);
    assert!(open.said.contains("set token, or user and password, and certificate and key"), "{}", open.said);
    assert_eq!(warned(&open), 1, "{}", open.said);
    let loopback = Run::start(folder.path(), "127.0.0.1:0");
    assert_eq!(warned(&loopback), 0, "{}", loopback.said);
}

#[test]
fn a_certificate_that_cannot_be_used_is_a_mistake_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = "home = [\"FR\"]\n[http]\ncertificate = \"none.pem\"\nkey = \"none.pem\"\n";
    std::fs::write(folder.path().join("vigie.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
    let output = command.args(["check", "--config", "vigie.toml"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("vigie: vigie.toml:2: [http] certificate: none.pem cannot be read: "), "{said}");
}
