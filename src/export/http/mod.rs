//! The HTTP endpoint: metrics, health, alerts, status and a page to look at. It only reads.
//!
//! One thread with a single-threaded runtime serves it, apart from the packet path. The address is bound before any
//! work, so that a busy port is a clear error at the start and not a surprise later. Requests are bounded in size and
//! time and connections in number: whoever can reach the port can slow the port, and nothing else. A token or a password
//! keeps readers out, and TLS keeps what they read from others ([`Settings`]).

mod access;
mod headers;
mod host;
mod limits;
mod negotiate;
mod page;
mod routes;
mod settings;
mod tls;

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

pub use settings::{Identity, Login, Settings};
pub use tls::Renewable;

use super::board::Board;
use access::Access;
use limits::{Limits, Place, Places};

/// Pause after a failed accept: the process is out of descriptors, and asking again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the endpoint cannot be served. The text is one sentence: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Another program holds the address.
    #[error("{0} is in use by another program: stop that one, or choose another address with --metrics ADDR")]
    Busy(SocketAddr),
    /// The address cannot be bound for another reason.
    #[error("cannot listen on {address}: {reason}: choose an address of this machine with --metrics ADDR")]
    Bind {
        /// The address as given.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The serving thread or its runtime could not be started.
    #[error("cannot serve {address}: {reason}")]
    Start {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("[http] {0}")]
    Identity(String),
}

/// A running endpoint; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    certificate: Option<Arc<Renewable>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Returns the address it listens on: the port that was chosen, where 0 was asked for.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the certificate it shows, where it speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<Arc<Renewable>> {
        self.certificate.clone()
    }

    /// Stops listening, lets answers that are under way finish for at most two seconds, and ends the thread.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A panic of the serving thread has been reported by then and must not become another.
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// An address that is bound and not served yet: no thread is running, and connections wait.
pub struct Bound {
    address: SocketAddr,
    listener: TcpListener,
    identity: Option<(TlsAcceptor, Arc<Renewable>)>,
    access: Option<Access>,
    limits: Limits,
}

impl Bound {
    /// Returns the address it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves the board from a thread of its own.
    ///
    /// # Errors
    /// When the thread or its runtime cannot be started.
    pub fn serve(self, board: Arc<Board>) -> Result<Server, HttpError> {
        let Self { address, listener, identity, access, limits } = self;
        let (acceptor, certificate) = identity.unzip();
        let start = |reason| HttpError::Start { address, reason };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(start)?;
        let mut router = routes::router(board);
        if address.ip().is_loopback() {
            router = router.layer(axum::middleware::from_fn(host::check));
        }
        if let Some(access) = access {
            router = router.layer(axum::middleware::from_fn_with_state(Arc::new(access), access::check));
        }
        let router = router.layer(axum::middleware::map_response(headers::add));
        let (stop, stopped) = watch::channel(false);
        let thread = std::thread::Builder::new()
            .name("vigie-http".to_owned())
            .spawn(move || runtime.block_on(listen(listener, limits, acceptor, router, stopped)))
            .map_err(start)?;
        Ok(Server { address, certificate, stop, thread: Some(thread) })
    }
}

/// Binds the address and reads what protects it.
///
/// # Errors
/// When the address cannot be bound or the certificate not be used.
pub fn bind(address: SocketAddr, settings: &Settings) -> Result<Bound, HttpError> {
    let identity = identity(settings)?;
    let listener = listener(address)?;
    let address = listener.local_addr().map_err(|reason| HttpError::Start { address, reason })?;
    Ok(Bound { address, listener, identity, access: Access::of(settings), limits: Limits::default() })
}

/// Binds the address and serves the board from a thread of its own.
///
/// # Errors
/// When the address cannot be bound, the certificate not be used or the thread not started; nothing is left running then.
pub fn serve(address: SocketAddr, board: Arc<Board>, settings: &Settings) -> Result<Server, HttpError> {
    bind(address, settings)?.serve(board)
}

/// Checks what can be checked without serving: the certificate and its key.
///
/// # Errors
/// What is wrong with them.
pub fn check(settings: &Settings) -> Result<(), HttpError> {
    identity(settings).map(|_| ())
}

fn identity(settings: &Settings) -> Result<Option<(TlsAcceptor, Arc<Renewable>)>, HttpError> {
    let read = settings.identity.as_ref().map(tls::server).transpose().map_err(HttpError::Identity)?;
    Ok(read.map(|(config, certificate)| (TlsAcceptor::from(config), certificate)))
}

fn listener(address: SocketAddr) -> Result<TcpListener, HttpError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|reason| match reason.kind() {
        ErrorKind::AddrInUse => HttpError::Busy(address),
        _ => HttpError::Bind { address, reason },
    })
}

async fn listen(
    listener: TcpListener,
    limits: Limits,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(reason) => {
            tracing::error!(%reason, "the HTTP endpoint is not served");
            return;
        }
    };
    let places = Places::new(limits);
    loop {
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                if let Some(place) = places.take(client.ip()) {
                    let service = Service { router: router.clone(), limits, stop: stop.clone(), _place: place };
                    tokio::spawn(greet(stream, acceptor.clone(), service));
                }
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    // All places are free again once every connection has ended.
    places.all_free().await;
}

/// What one connection is served with.
struct Service {
    router: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
    _place: Place,
}

/// Shakes hands, where there is TLS, and serves the connection.
async fn greet(stream: TcpStream, acceptor: Option<TlsAcceptor>, service: Service) {
    match acceptor {
        None => answer(stream, service).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(service.limits.head_time, acceptor.accept(stream)).await {
                answer(stream, service).await;
            }
        }
    }
}

/// Serves one connection. Its errors are the other side's affair: a reset, a bad request, a head that came too slowly.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: S, service: Service) {
    let Service { router, limits, mut stop, _place } = service;
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(limits.head_bytes)
        .max_headers(limits.head_lines)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => {}
        () = sleep(limits.connection_time) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(limits.grace, connection).await;
}

#[cfg(test)]
mod tests;
