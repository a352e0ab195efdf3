//! First attempts, and clients that have to ask again.

use vigie::packet::Packet;
use vigie::summary::{Contact, ContactStage};

use super::conversation::{ACK, FIN, Pair, SYN, Watch};

fn first_attempts(packets: Vec<Packet>) -> u32 {
    Watch::of(packets).after(5).sum(|host| host.cohort.opened)
}

fn settled(packets: Vec<Packet>) -> Contact {
    let contacts = Watch::of(packets).after(12).contacts();
    *contacts.iter().find(|contact| contact.stage == ContactStage::Settled).unwrap()
}

#[test]
fn a_syn_is_one_first_attempt_however_often_it_is_repeated() {
    let retries = [0, 1_000, 3_000, 7_000, 15_000, 31_000];
    assert_eq!(first_attempts(retries.map(|millis| Pair::tcp(1).asks(millis, SYN, (100, 0), 0)).to_vec()), 1);
}

#[test]
fn another_connection_from_the_same_port_is_another_attempt() {
    let pair = Pair::tcp(1);
    assert_eq!(first_attempts(vec![pair.asks(0, SYN, (100, 0), 0), pair.asks(7_000, SYN, (5_000, 0), 0)]), 2);
}

/// A request, perhaps sent again, and its answer.
fn asked(again_after: Option<u64>) -> Vec<Packet> {
    let pair = Pair::tcp(1);
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(30, ACK, (101, 901), 200));
    packets.extend(again_after.map(|millis| pair.asks(30 + millis, ACK, (101, 901), 200)));
    packets.push(pair.answers(2_000, FIN | ACK, (901, 301), 500));
    packets
}

#[test]
fn a_client_that_asks_again_is_told_from_a_copy_of_the_mirror_port() {
    assert!(!settled(asked(None)).repeated);
    assert!(!settled(asked(Some(1))).repeated, "a copy");
    assert!(settled(asked(Some(300))).repeated);
}

#[test]
fn a_handshake_that_takes_a_second_was_asked_for_again() {
    let pair = Pair::tcp(1);
    let connection = |answered: u64| {
        let mut packets = vec![pair.asks(0, SYN, (100, 0), 0)];
        packets.push(pair.answers(answered, SYN | ACK, (900, 101), 0));
        packets.push(pair.asks(answered + 10, ACK, (101, 901), 0));
        packets.push(pair.asks(answered + 20, ACK, (101, 901), 200));
        packets.push(pair.answers(answered + 40, FIN | ACK, (901, 301), 500));
        packets
    };
    assert!(!settled(connection(600)).repeated);
    assert!(settled(connection(1_050)).repeated);
}
