//! A receiver over HTTP, plain or with TLS: keeps what comes, and answers as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::PATIENCE;

/// What came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Says with which status the request of that number, from 0, is answered. May take its time.
type Answer = dyn FnMut(usize) -> u16 + Send;

/// A receiver, as long as the test lasts.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Receiver<Request>,
}

/// What requests of all connections share.
struct Desk {
    requests: Sender<Request>,
    answer: Box<Answer>,
    answered: usize,
}

impl Server {
    pub(crate) fn start(answer: impl FnMut(usize) -> u16 + Send + 'static) -> Self {
        Self::listen(free(), None, answer)
    }

    /// Listens at a given address.
    pub(crate) fn at(address: SocketAddr, answer: impl FnMut(usize) -> u16 + Send + 'static) -> Self {
        Self::listen(TcpListener::bind(address).unwrap(), None, answer)
    }

    pub(crate) fn secure(identity: &Identity, answer: impl FnMut(usize) -> u16 + Send + 'static) -> Self {
        Self::listen(free(), Some(identity.server()), answer)
    }

    fn listen(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answer: impl FnMut(usize) -> u16 + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let desk = Arc::new(Mutex::new(Desk { requests: sender, answer: Box::new(answer), answered: 0 }));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, desk, tls) = (stream.unwrap(), Arc::clone(&desk), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(stream.try_clone().unwrap(), &desk),
                    Some(config) => serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream), &desk),
                });
            }
        });
        Self { address, requests }
    }

    /// Waits for the next request.
    #[track_caller]
    pub(crate) fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).expect("a request in time")
    }

    /// Returns all requests so far that were not asked for yet.
    pub(crate) fn rest(&self) -> Vec<Request> {
        self.requests.try_iter().collect()
    }
}

/// Reads requests of one connection until it ends. A client that goes away is none of our business.
fn serve(stream: impl Read + Write, desk: &Mutex<Desk>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        let status = {
            let mut desk = desk.lock().unwrap();
            let number = desk.answered;
            desk.answered += 1;
            if desk.requests.send(request).is_err() {
                return;
            }
            (desk.answer)(number)
        };
        let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 4\r\n\r\nsaid");
        if stream.get_mut().write_all(answer.as_bytes()).and_then(|()| stream.get_mut().flush()).is_err() {
            return;
        }
    }
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body: String::from_utf8(body).ok()? })
}

fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

/// An address nobody listens on: the system does not hand a port out again at once.
pub(crate) fn nobody() -> SocketAddr {
    free().local_addr().unwrap()
}

/// A certificate for 127.0.0.1 that signed itself, made by openssl.
pub(crate) struct Identity {
    folder: tempfile::TempDir,
}

impl Identity {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out", "cert.pem"])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        Self { folder }
    }

    /// The file to trust.
    pub(crate) fn certificate(&self) -> String {
        self.folder.path().join("cert.pem").display().to_string()
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let certificate = CertificateDer::from_pem_file(self.folder.path().join("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.folder.path().join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
    }
}
