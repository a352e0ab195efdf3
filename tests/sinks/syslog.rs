//! Syslog as a receiver takes it apart: RFC 5424 in datagrams, in counted octets, in counted octets over TLS.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::thread::JoinHandle;

use rustls::{ServerConnection, StreamOwned};

use super::server::Identity;
use super::{PATIENCE, Place, installed};

/// A message, taken apart.
#[derive(Debug, PartialEq)]
struct Message {
    priority: u8,
    hostname: String,
    app: String,
    kind: String,
    /// `event` of the structured data.
    event: String,
    text: String,
}

/// Reads a message by the grammar of RFC 5424, section 6.
fn parse(message: &str) -> Message {
    let rest = message.strip_prefix('<').unwrap();
    let (priority, rest) = rest.split_once(">1 ").unwrap();
    let words: Vec<&str> = rest.splitn(6, ' ').collect();
    let [at, hostname, app, process, kind, rest] = words[..] else { panic!("{message}") };
    at.parse::<jiff::Timestamp>().unwrap();
    process.parse::<u32>().unwrap();
    let data = rest.strip_prefix("[vigie@32473 ").unwrap();
    let (data, text) = data.split_once("] \u{feff}").unwrap();
    let event = data.split(' ').find_map(|field| field.strip_prefix("event=\"")?.strip_suffix('"')).unwrap();
    Message {
        priority: priority.parse().unwrap(),
        hostname: hostname.to_owned(),
        app: app.to_owned(),
        kind: kind.to_owned(),
        event: event.to_owned(),
        text: text.to_owned(),
    }
}

/// Reads messages in octet counting (RFC 6587, 3.4.1) until the sender closes.
fn counted(stream: impl Read) -> Vec<Message> {
    let mut stream = BufReader::new(stream);
    let mut messages = Vec::new();
    loop {
        let mut count = Vec::new();
        // A sender that ends without TLS's good-bye has ended all the same.
        if stream.read_until(b' ', &mut count).is_err() || count.is_empty() {
            return messages;
        }
        let count: usize = std::str::from_utf8(&count).unwrap().trim_end().parse().unwrap();
        let mut message = vec![0; count];
        stream.read_exact(&mut message).unwrap();
        messages.push(parse(std::str::from_utf8(&message).unwrap()));
    }
}

fn config(name: &str, address: &str) -> String {
    format!(
        "[[sink]]\nname = \"{name}\"\ntype = \"syslog\"\naddress = \"{address}\"\nfacility = \"local3\"\nhostname = \"sensor1\"\n"
    )
}

#[track_caller]
fn assert_a_life(messages: &[Message]) {
    let events: Vec<&str> = messages.iter().map(|message| message.event.as_str()).collect();
    assert_eq!(events, ["open", "close"]);
    for message in messages {
        // local3 is 19, warning is 4.
        assert_eq!((message.priority, message.app.as_str()), (19 * 8 + 4, "vigie"));
        assert_eq!((message.hostname.as_str(), message.kind.as_str()), ("sensor1", "syn_flood"));
        assert!(message.text.starts_with("This is a test"), "{}", message.text);
    }
}

#[track_caller]
fn assert_delivered(place: &Place) {
    let run = place.run(&mut place.vigie(&["alert", "test"]));
    assert_eq!((run.code, run.said.as_str()), (0, "siem: delivered\n"), "{}", run.complained);
}

#[test]
fn over_udp_a_message_is_a_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let place = Place::with(&config("siem", &format!("udp://{}", socket.local_addr().unwrap())));
    assert_delivered(&place);
    let receive = || {
        let mut bytes = [0; 4_096];
        let count = socket.recv(&mut bytes).unwrap();
        parse(std::str::from_utf8(&bytes[..count]).unwrap())
    };
    assert_a_life(&[receive(), receive()]);
}

#[test]
fn over_tcp_messages_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::with(&config("siem", &format!("tcp://{}", listener.local_addr().unwrap())));
    let receiver = std::thread::spawn(move || counted(listener.accept().unwrap().0));
    assert_delivered(&place);
    assert_a_life(&receiver.join().unwrap());
}

#[test]
fn over_tls_messages_are_counted_and_the_receiver_is_known() {
    if !installed("openssl", "openssl") {
        return;
    }
    let identity = Identity::make();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tls://{}", listener.local_addr().unwrap());
    let place = Place::with(&format!("{}ca = \"{}\"\n", config("siem", &address), identity.certificate()));
    let server = identity.server();
    let receiver: JoinHandle<Vec<Message>> = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        counted(StreamOwned::new(ServerConnection::new(server).unwrap(), stream))
    });
    assert_delivered(&place);
    assert_a_life(&receiver.join().unwrap());
}
