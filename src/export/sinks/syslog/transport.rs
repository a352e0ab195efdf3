//! How a syslog message gets there: a datagram, or its length and itself on a stream.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::super::settings::{Syslog, Transport};
use super::super::tls;
use super::cut;

/// How to reach a receiver.
pub(super) struct Way {
    transport: Transport,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// A connection that stands.
pub(super) enum Connection {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Way {
    /// Prepares to connect.
    ///
    /// # Errors
    /// One sentence: what is wrong with the certificates or the name.
    pub(super) fn open(to: &Syslog) -> Result<Self, String> {
        let tls = match to.transport {
            Transport::Tls => {
                let name = ServerName::try_from(to.host.clone())
                    .map_err(|_| format!("address: `{}` cannot be the name in a certificate", to.host))?;
                Some((tls::client(to.ca.as_deref())?, name))
            }
            Transport::Udp | Transport::Tcp => None,
        };
        Ok(Self { transport: to.transport, host: to.host.clone(), port: to.port, tls })
    }

    /// Connects to the first of its addresses that answers.
    pub(super) fn connect(&self, limit: Duration) -> io::Result<Connection> {
        let mut last = io::Error::new(ErrorKind::NotFound, format!("{} has no address", self.host));
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match self.connect_to(address, limit) {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn connect_to(&self, address: SocketAddr, limit: Duration) -> io::Result<Connection> {
        if self.transport == Transport::Udp {
            let any: SocketAddr = if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            return Ok(Connection::Udp(socket));
        }
        let stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        let Some((config, name)) = &self.tls else { return Ok(Connection::Tcp(stream)) };
        let session = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Connection::Tls(Box::new(stream)))
    }
}

impl Connection {
    /// Writes one message; a datagram is cut to what receivers take.
    pub(super) fn write(&mut self, text: &str, limit: Duration) -> io::Result<()> {
        // Octet counting (RFC 6587, 3.4.1; RFC 5425, 4.3).
        let framed = format!("{} {text}", text.len());
        match self {
            Self::Udp(socket) => socket.send(cut(text).as_bytes()).map(drop),
            Self::Tcp(stream) => {
                stream.set_write_timeout(Some(limit))?;
                stream.write_all(framed.as_bytes())
            }
            Self::Tls(stream) => {
                stream.sock.set_write_timeout(Some(limit))?;
                stream.write_all(framed.as_bytes())?;
                stream.flush()
            }
        }
    }

    /// Gives the connection back unless the receiver has closed it.
    pub(super) fn still_open(mut self) -> Option<Self> {
        let open = match &mut self {
            Self::Udp(_) => true,
            Self::Tcp(stream) => unread(stream, |stream| stream.read(&mut [0; 256])),
            Self::Tls(stream) => {
                let StreamOwned { conn, sock } = stream.as_mut();
                let read = unread(sock, |sock| conn.read_tls(sock));
                read && conn.process_new_packets().is_ok_and(|state| !state.peer_has_closed())
            }
        };
        open.then_some(self)
    }
}

/// Reads what came without waiting; tells whether the other end goes on. Receivers say nothing but good-bye, and TLS its
/// session tickets.
fn unread(stream: &mut TcpStream, mut read: impl FnMut(&mut TcpStream) -> io::Result<usize>) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let open = match read(stream) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    };
    stream.set_nonblocking(false).is_ok() && open
}
