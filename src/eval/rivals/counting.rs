//! Counts for the other methods: second by second and host by host, from the frames that the pipeline reads.

use std::collections::{BTreeMap, HashSet};

use super::{Post, Rival, Second};
use crate::address::{Address, Prefix};
use crate::decode::decode;
use crate::eval::life::Life;
use crate::hash::{Seed, mix};
use crate::packet::{Packet, TcpFlags};
use crate::source::{CaptureDrops, Frame, PacketSource, Progress, SourceError};
use crate::time::NANOS_PER_SECOND;

/// What one host did in the second under way.
#[derive(Debug, Default)]
struct Host {
    second: Second,
    /// Hashes of conversations; only their number is used.
    flows: HashSet<u64>,
    posts: Vec<Post>,
}

/// A source that lets the other methods look on.
#[derive(Debug)]
pub(in crate::eval) struct Counting<S> {
    source: S,
    desk: Desk,
}

#[derive(Debug)]
struct Desk {
    protected: Vec<Prefix>,
    hosts: BTreeMap<Address, Host>,
    /// Whole seconds since the epoch.
    now: Option<u64>,
}

impl<S: PacketSource> Counting<S> {
    /// Looks at what goes to and from the protected prefixes.
    pub(in crate::eval) const fn new(source: S, protected: Vec<Prefix>) -> Self {
        Self { source, desk: Desk { protected, hosts: BTreeMap::new(), now: None } }
    }

    /// Ends the watch: the alarms of each method, in the order of [`Rival::ALL`].
    pub(in crate::eval) fn finish(mut self) -> Vec<Vec<Life>> {
        self.desk.close_second();
        let number = self.desk.now.unwrap_or_default();
        let mut alarms: Vec<Vec<Life>> = vec![Vec::new(); Rival::ALL.len()];
        for host in self.desk.hosts.values_mut() {
            for (post, own) in host.posts.iter_mut().zip(&mut alarms) {
                post.close(number);
                own.append(&mut post.ended);
            }
        }
        alarms
    }
}

impl<S: PacketSource> PacketSource for Counting<S> {
    fn poll(&mut self, on_frame: &mut dyn FnMut(Frame<'_>)) -> Result<Progress, SourceError> {
        let desk = &mut self.desk;
        self.source.poll(&mut |frame| {
            if let Ok(packet) = decode(&frame) {
                desk.count(&packet);
            }
            on_frame(frame);
        })
    }

    fn drops(&mut self) -> Result<CaptureDrops, SourceError> {
        self.source.drops()
    }
}

impl Desk {
    fn count(&mut self, packet: &Packet) {
        let second = packet.timestamp.as_nanos() / NANOS_PER_SECOND;
        // A frame that is late counts in the second under way; a leap of hours is passed as one.
        match self.now {
            Some(now) if second > now => {
                (now..second).take(600).for_each(|_| self.close_second());
                self.now = Some(second);
            }
            Some(_) => {}
            None => self.now = Some(second),
        }
        let (to, from) = (self.is_protected(packet.destination), self.is_protected(packet.source));
        match (to, from) {
            (true, false) => self.count_inbound(packet),
            (false, true) => self.count_segment(packet.source, packet),
            _ => {}
        }
    }

    fn is_protected(&self, address: Address) -> bool {
        self.protected.iter().any(|prefix| prefix.contains(address))
    }

    fn count_inbound(&mut self, packet: &Packet) {
        self.count_segment(packet.destination, packet);
        let Some(host) = self.hosts.get_mut(&packet.destination) else { return };
        host.second.packets += 1.0;
        host.second.bits += 8.0 * f64::from(packet.wire_len);
        let ports = u64::from(packet.source_port) << 16 | u64::from(packet.destination_port);
        host.flows.insert(mix(Seed::default().address(packet.source), ports));
    }

    fn count_segment(&mut self, host: Address, packet: &Packet) {
        let host = self.hosts.entry(host).or_insert_with(|| Host {
            posts: Rival::ALL.iter().map(|rival| Post::new(*rival)).collect(),
            ..Host::default()
        });
        if !packet.is_tcp() {
            return;
        }
        let flags = packet.flags;
        host.second.opening += f64::from(u8::from(flags.has(TcpFlags::SYN)));
        host.second.closing += f64::from(u8::from(flags.has(TcpFlags::FIN)));
        host.second.closing += 0.75 * f64::from(u8::from(flags.has(TcpFlags::RST)));
    }

    fn close_second(&mut self) {
        let Some(number) = self.now else { return };
        for (address, host) in &mut self.hosts {
            host.second.flows = host.flows.len() as f64;
            for post in &mut host.posts {
                post.observe(*address, number, &host.second);
            }
            host.second = Second::default();
            host.flows.clear();
        }
        self.now = Some(number + 1);
    }
}
