//! The endpoint as a whole program serves it: behind TLS and a password, on an address that others can reach, and with a
//! certificate that is renewed while it runs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A run whose endpoint can be asked.
struct Run {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What it said so far.
    said: String,
    address: SocketAddr,
}

impl Run {
    /// A replay that waits for its input.
    fn start(folder: &Path, metrics: &str) -> Self {
        let mut run = Self::of(folder, &["replay", "-"], metrics);
        // A file header of pcap; packets come later, or never.
        let header = [0xd4c3_b2a1_u32.to_be_bytes(), [2, 0, 4, 0], [0; 4], [0; 4], [0, 0, 1, 0], [1, 0, 0, 0]].concat();
        run.input.as_mut().unwrap().write_all(&header).unwrap();
        run.serve();
        run
    }

    /// A live run on the loopback interface.
    fn watch(folder: &Path) -> Self {
        let mut run = Self::of(folder, &["watch", "-i", "lo"], "127.0.0.1:0");
        run.serve();
        run
    }

    fn of(folder: &Path, command: &[&str], metrics: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vigie"))
            .args(command)
            .args(["-v", "--config", "vigie.toml", "--metrics", metrics])
            .current_dir(folder)
            .env("VIGIE_TEST_TOKEN", "s3cret")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (tell, lines) = mpsc::channel();
        thread::spawn(move || errors.lines().map_while(Result::ok).all(|line| tell.send(line).is_ok()));
        let input = child.stdin.take();
        Self { child, input, lines, said: String::new(), address: SocketAddr::from(([0; 4], 0)) }
    }

    fn serve(&mut self) {
        let line = self.hear("serving metrics");
        self.address = line.rsplit_once("address=").unwrap().1.trim().parse().unwrap();
    }

    /// Waits for a line that holds these words, and returns it.
    fn hear(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60));
            let line = line.unwrap_or_else(|_| panic!("not said: {words}: {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(words) {
                return line;
            }
        }
    }

    fn hang_up(&self) {
        let status = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
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

type Connection = StreamOwned<ClientConnection, TcpStream>;

/// Asks over TLS, trusting the certificate in the folder.
fn ask(folder: &Path, address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = connect(folder, address);
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n").unwrap();
    let mut answer = Vec::new();
    // The other side may end without TLS's good-bye; what came is what counts.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// Connects over TLS, trusting the certificate in the folder.
fn connect(folder: &Path, address: SocketAddr) -> Connection {
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
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
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

/// Lets whoever a run becomes read what it is given.
fn open_to_all(folder: &Path) {
    let allow = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(folder, 0o755);
    ["cert.pem", "key.pem"].iter().for_each(|name| allow(&folder.join(name), 0o644));
}

#[test]
fn a_renewed_certificate_is_shown_on_sighup_and_connections_go_on() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "only root captures");
        return eprintln!("SKIPPED: only root captures");
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    if !make_identity(folder) {
        return;
    }
    open_to_all(folder);
    std::fs::write(folder.join("vigie.toml"), "[http]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let mut run = Run::watch(folder);
    let address = run.address;
    assert!(ask(folder, address, "/healthz", "").starts_with("HTTP/1.0 200"));
    let mut before = connect(folder, address);
    let healthy = |stream: &mut Connection| {
        write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut answer = [0; 4_096];
        let length = stream.read(&mut answer).unwrap();
        answer[..length].starts_with(b"HTTP/1.1 200")
    };
    assert!(healthy(&mut before));

    // Both files are replaced, as clients of certificate authorities do; those who trust the new one are answered.
    make_identity(folder);
    open_to_all(folder);
    run.hang_up();
    run.hear("reload: the endpoint shows its new certificate");
    assert!(ask(folder, address, "/healthz", "").starts_with("HTTP/1.0 200"));
    assert!(healthy(&mut before), "a connection from before goes on");

    // A file that is no certificate is refused, and the one before stays.
    let good = std::fs::read(folder.join("cert.pem")).unwrap();
    std::fs::write(folder.join("cert.pem"), "-----BEGIN NOTHING-----\n").unwrap();
    run.hang_up();
    let said = run.hear("the certificate before stays in force");
    assert!(said.contains("reload: [http] certificate: cert.pem "), "{said}");
    std::fs::write(folder.join("cert.pem"), good).unwrap();
    let metrics = ask(folder, address, "/metrics", "");
    for line in ["vigie_reloads_total{outcome=\"succeeded\"} 1", "vigie_reloads_total{outcome=\"refused\"} 1"] {
        assert!(metrics.contains(line), "{line} is not among {metrics}");
    }
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
