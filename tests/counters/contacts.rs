//! Contacts of every kind of conversation, and of those that carry much.

use vigie::flow::{Timeouts, Volume};
use vigie::packet::{Packet, Protocol};
use vigie::policy::{Policy, Site};
use vigie::summary::{Contact, ContactStage, ShardSettings};

use super::conversation::{ACK, FIN, Pair, Watch, server};

fn of(watch: &Watch, stage: ContactStage) -> Vec<Contact> {
    watch.contacts().into_iter().filter(|contact| contact.stage == stage).collect()
}

fn transfer(pair: Pair, megabytes: u32) -> Vec<Packet> {
    let mut packets = pair.handshake(0).to_vec();
    packets.push(pair.asks(30, ACK, (101, 901), 200));
    for n in 0..megabytes * 16 {
        let sequence = 901 + n * 65_000;
        packets.push(Packet { wire_len: 65_536, ..pair.answers(40 + u64::from(n), ACK, (sequence, 301), 65_000) });
    }
    packets
}

fn total(contacts: &[Contact], of: fn(&Contact) -> Volume) -> Volume {
    let mut sum = Volume::default();
    contacts.iter().for_each(|contact| sum += of(contact));
    sum
}

#[test]
fn datagrams_settle_unverified() {
    let pair = Pair::udp(1, 50_000, 53);
    let watch = Watch::of([pair.asks(0, 0, (0, 0), 40), pair.answers(5, 0, (0, 0), 200)]).after(70);
    let contacts = watch.contacts();
    assert_eq!(contacts.len(), 1);
    let contact = &contacts[0];
    assert_eq!((contact.stage, contact.protocol, contact.port), (ContactStage::Settled, Protocol::UDP, 53));
    assert_eq!((contact.verified, contact.served), (false, true));
    assert_eq!((contact.sent.packets, contact.received.packets), (1, 1));
    assert!((9_000..=12_000).contains(&contact.age_ms), "{}", contact.age_ms);
}

#[test]
fn a_large_transfer_is_told_every_four_mebibytes_and_at_its_end() {
    let pair = Pair::tcp(1);
    let mut packets = transfer(pair, 21);
    let last = packets.last().unwrap().timestamp;
    let millis = (last.as_nanos() - super::conversation::at(0).as_nanos()) / 1_000_000;
    packets.push(pair.answers(millis + 10, FIN | ACK, (901 + 21 * 16 * 65_000, 301), 0));
    packets.push(pair.asks(millis + 20, FIN | ACK, (301, 902 + 21 * 16 * 65_000), 0));
    packets.push(pair.answers(millis + 30, ACK, (902 + 21 * 16 * 65_000, 302), 0));
    let watch = Watch::of(packets.clone()).after(20);
    let told = of(&watch, ContactStage::Progress);
    assert_eq!(told.len(), 6);
    assert!(told[..5].iter().all(|contact| (4_100_000..=4_400_000).contains(&contact.received.bytes)), "{told:?}");
    let sent: u64 = packets.iter().filter(|p| p.destination == server()).map(|p| u64::from(p.wire_len)).sum();
    let received: u64 = packets.iter().filter(|p| p.source == server()).map(|p| u64::from(p.wire_len)).sum();
    assert_eq!(
        (total(&told, |contact| contact.sent).bytes, total(&told, |contact| contact.received).bytes),
        (sent, received)
    );
    assert_eq!(of(&watch, ContactStage::Settled).len(), 1);
}

#[test]
fn small_conversations_make_no_progress() {
    let watch = Watch::of(transfer(Pair::tcp(1), 3)).after(400);
    assert_eq!((of(&watch, ContactStage::Progress).len(), of(&watch, ContactStage::Settled).len()), (0, 1));
}

#[test]
fn progress_adds_up_across_reports_of_the_flow() {
    let timeouts = Timeouts { active: std::time::Duration::from_millis(100), ..Timeouts::default() };
    let site = Site { name: "web".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
    let settings = ShardSettings { timeouts, ..ShardSettings::default() };
    let mut watch = Watch::new(settings, Policy::new(vec![site], false));
    let packets = transfer(Pair::tcp(1), 64);
    watch.see(packets.clone());
    let watch = watch.after(400);
    let received: u64 = packets.iter().filter(|p| p.source == server()).map(|p| u64::from(p.wire_len)).sum();
    assert_eq!(total(&of(&watch, ContactStage::Progress), |contact| contact.received).bytes, received);
}

#[test]
fn unproven_talk_does_not_thin_verified_contacts() {
    let mut packets = Vec::new();
    for n in 0..20_000_u32 {
        let pair = Pair::udp(100_000 + n, 50_000, 53);
        packets.push(pair.asks(u64::from(n) / 200, 0, (0, 0), 40));
        packets.push(pair.answers(u64::from(n) / 200 + 1, 0, (0, 0), 200));
    }
    for n in 0..500 {
        packets.extend(Pair::tcp(n).handshake(u64::from(n) / 10));
    }
    packets.sort_by_key(|packet| packet.timestamp);
    let watch = Watch::of(packets).after(70);
    let verified = of(&watch, ContactStage::Verified);
    assert_eq!(verified.len(), 500);
    assert!(verified.iter().all(|contact| contact.weight == 1));
    let unproven: Vec<_> = watch.contacts().into_iter().filter(|contact| !contact.verified).collect();
    let estimate: u32 = unproven.iter().map(|contact| contact.weight).sum();
    assert!((15_000..=25_000).contains(&estimate), "{estimate} in {}", unproven.len());
}
