//! QUIC conversations, and what proves a client's address.

use vigie::packet::{Marks, Packet};
use vigie::summary::{ContactStage, QuicTick};

use super::conversation::{Pair, Watch};

const FIRST_CHOICE: u32 = 0x1111_1111;
const SERVER_ID: u32 = 0x2222_2222;

fn initial(packet: Packet) -> Packet {
    Packet { marks: Marks(Marks::QUIC_INITIAL), ..packet }
}

/// A client's Initial, the server's flight with its own connection id, and the client's next with that id.
fn handshake(pair: Pair, millis: u64, server_id: u32, used: u32) -> [Packet; 4] {
    [
        initial(pair.asks(millis, 0, (FIRST_CHOICE, 7), 1_200)),
        initial(pair.answers(millis + 10, 0, (7, server_id), 1_200)),
        pair.asks(millis + 20, 0, (used, 0), 100),
        pair.answers(millis + 30, 0, (7, 0), 900),
    ]
}

fn quic(watch: &Watch) -> QuicTick {
    QuicTick {
        opened: watch.sum(|host| host.quic.opened),
        answered: watch.sum(|host| host.quic.answered),
        finished: watch.sum(|host| host.quic.finished),
    }
}

#[test]
fn a_client_proves_its_address_with_the_servers_id() {
    let pair = Pair::udp(1, 50_000, 443);
    let mut packets = handshake(pair, 0, SERVER_ID, SERVER_ID).to_vec();
    packets.push(pair.asks(40, 0, (SERVER_ID, 0), 60));
    let watch = Watch::of(packets).after(80);
    assert_eq!(quic(&watch), QuicTick { opened: 1, answered: 1, finished: 1 });
    assert_eq!((watch.sum(|host| host.verified), watch.sum(|host| host.served)), (1, 1));
    assert_eq!(watch.sum(|host| host.verified_from.iter().map(|(_, count)| count).sum()), 1);
    assert_eq!(watch.sum(|host| host.connections.ended), 1);
    let contacts: Vec<_> = watch.contacts().into_iter().map(|contact| (contact.stage, contact.verified)).collect();
    assert_eq!(contacts, [(ContactStage::Verified, true), (ContactStage::Settled, true)]);
    assert_eq!(watch.sum(|host| host.cohort.opened + host.syn), 0);
}

#[test]
fn nothing_else_proves_an_address() {
    for (server_id, used, answered) in [
        (SERVER_ID, FIRST_CHOICE, 1),
        (SERVER_ID, 0x3333_3333, 1),
        // The server took over what the client chose, or wants no ids: nobody is asked to prove anything.
        (FIRST_CHOICE, FIRST_CHOICE, 0),
        (0, 0, 0),
    ] {
        let watch = Watch::of(handshake(Pair::udp(1, 50_000, 443), 0, server_id, used)).after(80);
        assert_eq!(quic(&watch), QuicTick { opened: 1, answered, finished: 0 }, "{server_id:#x} {used:#x}");
        assert_eq!(watch.sum(|host| host.verified), 0);
        assert!(watch.contacts().iter().all(|contact| !contact.verified));
    }
    // Datagrams that only look so: no Initial was seen.
    let pair = Pair::udp(1, 50_000, 443);
    let plain = [pair.asks(0, 0, (1, 0), 60), pair.answers(10, 0, (0, 5), 60), pair.asks(20, 0, (5, 0), 60)];
    assert_eq!(quic(&Watch::of(plain).after(1)), QuicTick::default());
}

#[test]
fn a_retry_proves_as_well() {
    let pair = Pair::udp(1, 50_000, 443);
    let packets = [
        initial(pair.asks(0, 0, (FIRST_CHOICE, 7), 1_200)),
        pair.answers(10, 0, (7, SERVER_ID), 100),
        initial(pair.asks(20, 0, (SERVER_ID, 7), 1_200)),
    ];
    assert_eq!(quic(&Watch::of(packets).after(1)).finished, 1);
}

#[test]
fn initials_sent_again_open_nothing_new() {
    let pair = Pair::udp(1, 50_000, 443);
    let again = (0..5).map(|n| initial(pair.asks(n * 300, 0, (FIRST_CHOICE, 7), 1_200)));
    // An attacker reflects a server's Initial at us: nobody opens anything.
    let reflected = (0..5).map(|n| initial(Pair::udp(9, 443, 4_000).asks(2_000 + n, 0, (7, 8), 1_200)));
    let watch = Watch::of(again.chain(reflected)).after(1);
    assert_eq!(quic(&watch), QuicTick { opened: 1, answered: 0, finished: 0 });
}
