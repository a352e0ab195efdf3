//! What a change of the part that is counted does to what is under way: it is forgotten, and nothing comes of it.

use vigie::hash::Seed;
use vigie::packet::Packet;
use vigie::sampling::Sampling;
use vigie::summary::{ContactStage, EndReason, Summary};

use super::conversation::{ACK, Pair, SYN, Watch, at};

const HALF: Sampling = Sampling::WHOLE.sparser();

fn is_kept(pair: &Pair) -> bool {
    HALF.keeps(Seed::default().pair(pair.client.0, pair.server.0))
}

/// A client that is counted at one in two, and one that is not.
fn kept_and_cut() -> [Pair; 2] {
    let find = |kept| (1..1_000).map(Pair::tcp).find(|pair| is_kept(pair) == kept).unwrap();
    [find(true), find(false)]
}

fn ended(ticks: &[Summary], reason: EndReason) -> u64 {
    ticks.iter().map(|tick| tick.flows.ended[reason as usize]).sum()
}

/// Counts one in two from a moment on.
fn halve(watch: &mut Watch, millis: u64) {
    let now = at(millis);
    watch.pass(now);
    watch.shard.resample(HALF, now.tick());
}

#[test]
fn a_handshake_that_is_cut_has_no_outcome() {
    let mut watch = Watch::of([]);
    for pair in kept_and_cut() {
        watch.see(pair.handshake(0).into_iter().take(2));
    }
    halve(&mut watch, 250);
    let watch = watch.after(10);
    assert_eq!(watch.sum(|host| host.cohort.opened), 2, "they were begun");
    let told = |tick: &Summary| !tick.cohorts.is_empty() || !tick.probes.iter().all(|probe| probe.at < at(250));
    assert!(!watch.ticks.iter().any(told), "neither handshakes nor first contacts are told as unfinished");
}

#[test]
fn a_connection_that_is_cut_is_cancelled_and_one_that_is_kept_goes_on() {
    let [kept, cut] = kept_and_cut();
    let mut watch = Watch::of([]);
    for pair in [kept, cut] {
        watch.see(pair.handshake(0));
    }
    halve(&mut watch, 1_000);
    watch.see([kept.asks(1_100, ACK, (101, 901), 300), kept.answers(1_200, ACK, (901, 401), 900)]);
    let watch = watch.after(400);
    assert_eq!(ended(&watch.ticks, EndReason::LackOfResources), 1);
    assert_eq!(ended(&watch.ticks, EndReason::IdleTimeout), 1);
    assert_eq!(watch.sum(|host| host.connections.ended), 1, "the one that is left stands for both");
    assert_eq!((watch.sum(|host| host.connections.ripe), watch.sum(|host| host.connections.empty)), (1, 0));
    let settled: Vec<_> =
        watch.contacts().into_iter().filter(|contact| contact.stage == ContactStage::Settled).collect();
    assert_eq!(settled.iter().map(|contact| contact.originator).collect::<Vec<_>>(), [kept.client.0]);
}

/// A shard that counted one in two and counts everything from the next second on.
fn whole_again() -> Watch {
    let mut watch = Watch::of([]);
    halve(&mut watch, 0);
    watch.pass(at(1_000));
    watch.shard.resample(Sampling::WHOLE, at(1_000).tick());
    watch
}

fn talk(pair: Pair, millis: u64) -> [Packet; 2] {
    [pair.asks(millis, ACK, (5_000, 7_000), 300), pair.answers(millis + 50, ACK, (7_000, 5_300), 900)]
}

#[test]
fn a_connection_that_was_under_way_unseen_is_no_new_client() {
    let [_, cut] = kept_and_cut();
    let mut watch = whole_again();
    watch.see(talk(cut, 2_000));
    watch.see(talk(cut, 59_000));
    assert_eq!(watch.sum(|host| host.verified), 0);
    assert!(watch.strays().is_empty(), "nor are its segments of no connection");
    assert_eq!(watch.sum(|host| host.tcp_in), 1, "of those, the tick that is closed");
    watch.see(talk(cut, 70_000));
    let watch = watch.after(5);
    assert_eq!(watch.sum(|host| host.verified), 1, "after a minute it is as good as any");
}

#[test]
fn a_connection_that_begins_after_the_change_is_counted_from_its_first_packet() {
    let [_, cut] = kept_and_cut();
    let mut watch = whole_again();
    watch.see(cut.handshake(2_000));
    watch.see([cut.asks(2_100, ACK, (101, 901), 300), cut.answers(2_200, ACK, (901, 401), 900)]);
    let watch = watch.after(5);
    assert_eq!((watch.sum(|host| host.verified), watch.sum(|host| host.served)), (1, 1));
}

#[test]
fn a_handshake_after_the_change_is_followed_as_before_it() {
    let [kept, _] = kept_and_cut();
    let mut watch = Watch::of([kept.asks(0, SYN, (100, 0), 0)]);
    halve(&mut watch, 500);
    watch.see(Pair { client: (kept.client.0, 40_001), ..kept }.handshake(1_000));
    let watch = watch.after(5);
    assert_eq!(watch.sum(|host| host.cohort.finished.iter().sum()), 1);
}
