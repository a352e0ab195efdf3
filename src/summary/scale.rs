//! What a sampled tick says of all: each count times the number of pairs that a counted one stands for.
//!
//! Counts of packets, bytes, handshakes and connections, and the weights of records, are scaled: their expectation is then
//! what would have been counted of all pairs (Horvitz & Thompson 1952). Not scaled are sketches of distinct sources and
//! targets, which say at least how many there were; [`CohortTick::sampled`], the n of every test; and [`Summary::flows`],
//! which tells of the tables and not of the traffic.

use crate::sampling::Sampling;
use crate::summary::{
    Candidate, CohortTick, ConnectionTick, HostTick, OriginTick, QuicTick, SiteTick, Stray, Summary, Volume,
};

impl Summary {
    /// Scales what was counted of a part of the pairs of addresses. Call it once, after the last merge.
    pub fn stand_for_all(&mut self, sampling: Sampling) {
        if sampling.is_whole() {
            return;
        }
        let by = By(sampling.one_in());
        self.hosts.iter_mut().for_each(|host| by.host(host, sampling));
        self.sites.iter_mut().for_each(|site| by.site(site));
        for OriginTick { inbound, .. } in &mut self.origins {
            by.volume(inbound);
        }
        for Candidate { packets, bytes, strays, .. } in &mut self.candidates {
            by.count(packets);
            by.sum(bytes);
            by.strays(strays);
        }
        self.cohorts.iter_mut().for_each(|record| by.count(&mut record.weight));
        self.contacts.iter_mut().for_each(|contact| by.count(&mut contact.weight));
        self.probes.iter_mut().for_each(|probe| by.count(&mut probe.weight));
    }
}

/// How many pairs a counted one stands for.
#[derive(Clone, Copy)]
struct By(u32);

impl By {
    fn count(self, count: &mut u32) {
        *count = count.saturating_mul(self.0);
    }

    fn sum(self, sum: &mut u64) {
        *sum = sum.saturating_mul(u64::from(self.0));
    }

    fn counts<const N: usize>(self, counts: [&mut u32; N]) {
        counts.into_iter().for_each(|count| self.count(count));
    }

    fn volumes<const N: usize>(self, volumes: [&mut Volume; N]) {
        volumes.into_iter().for_each(|volume| self.volume(volume));
    }

    fn volume(self, volume: &mut Volume) {
        self.sum(&mut volume.packets);
        self.sum(&mut volume.bytes);
    }

    fn strays(self, strays: &mut [Stray]) {
        for Stray { volume, answered, kind: _, sources: _ } in strays {
            self.volume(volume);
            self.volume(answered);
        }
    }

    fn host(self, host: &mut HostTick, at: Sampling) {
        let HostTick {
            address: _,
            sampling,
            inbound,
            outbound,
            tcp_in,
            tcp_out,
            syn,
            syn_ack,
            rst_in,
            rst_out,
            udp_in,
            strays,
            quic,
            connections,
            verified,
            served,
            two_sided,
            client_data,
            cohort,
            first_byte,
            answers,
            answers_resumed,
            given_up,
            verified_from,
            syn_ports,
        } = host;
        *sampling = at;
        self.volumes([inbound, outbound, udp_in]);
        self.counts([tcp_in, tcp_out, syn, syn_ack, rst_in, rst_out]);
        self.counts([verified, served, two_sided, client_data]);
        self.strays(strays);
        let QuicTick { opened, answered, finished } = quic;
        self.counts([opened, answered, finished]);
        self.connections(connections);
        self.cohort(cohort);
        first_byte.iter_mut().chain(answers).for_each(|count| self.count(count));
        self.counts([answers_resumed, given_up]);
        verified_from.iter_mut().for_each(|(_, count)| self.count(count));
        syn_ports.iter_mut().for_each(|(_, count)| self.count(count));
    }

    fn connections(self, counts: &mut ConnectionTick) {
        let ConnectionTick {
            ripe,
            empty,
            ended,
            waiting_began,
            waiting_ended,
            dripping_began,
            dripping_ended,
            blocked_began,
            blocked_ended,
        } = counts;
        self.counts([
            ripe,
            empty,
            ended,
            waiting_began,
            waiting_ended,
            dripping_began,
            dripping_ended,
            blocked_began,
            blocked_ended,
        ]);
    }

    fn cohort(self, cohort: &mut CohortTick) {
        let CohortTick { sampled: _, opened, answered, finished, abandoned, retried, refused, turned_away } = cohort;
        self.counts([opened, turned_away]);
        for by_age in [answered, finished, abandoned, retried, refused] {
            by_age.iter_mut().for_each(|count| self.count(count));
        }
    }

    fn site(self, site: &mut SiteTick) {
        let SiteTick { site: _, inbound, outbound, internal, strays, stray_targets: _, sources: _ } = site;
        self.volumes([inbound, outbound, internal]);
        self.strays(strays);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Tick;

    #[test]
    fn counts_stand_for_all_and_facts_stay() {
        let cohort = CohortTick { sampled: 5, opened: 10, answered: [3; 16], ..CohortTick::default() };
        let host = HostTick { syn: 7, verified: 2, cohort, ..HostTick::default() };
        let counted = Summary { tick: Tick::new(9), hosts: vec![host.clone()], ..Summary::default() };
        let mut whole = counted.clone();
        whole.stand_for_all(Sampling::WHOLE);
        assert_eq!(whole, counted);
        let mut quarter = counted.clone();
        quarter.flows.admitted = 3;
        let sampling = Sampling::WHOLE.sparser().sparser();
        quarter.stand_for_all(sampling);
        let scaled = &quarter.hosts[0];
        assert_eq!((scaled.syn, scaled.verified, scaled.cohort.opened, scaled.cohort.answered), (28, 8, 40, [12; 16]));
        assert_eq!((scaled.cohort.sampled, scaled.sampling, quarter.flows.admitted), (5, sampling, 3));
    }
}
