//! Contacts of a partition in one tick: bounded, thinned by source and never by arrival.
//!
//! When more than the bound are offered, half of all sources are given up at once, by a keyed hash of the source unit, for
//! those already kept as well (Wegman's adaptive sampling, Flajolet 1990). What remains is every contact of the sources
//! kept, whenever in the tick it came. The rate carries over and recovers tick by tick.

use crate::summary::{Contact, ContactStage};

/// Sources are thinned at most to one in 65,536.
const MOST_SHIFT: u32 = 16;

/// The contacts of a tick.
#[derive(Debug)]
pub(crate) struct ContactSampler {
    kept: Vec<(u64, Contact)>,
    most: usize,
    shift: u32,
}

impl ContactSampler {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.max(1);
        Self { kept: Vec::with_capacity(most), most, shift: 0 }
    }

    /// Offers a contact whose originator's source unit hashes to `source`.
    pub(crate) fn offer(&mut self, source: u64, contact: Contact) {
        while self.is_kept(source) && self.kept.len() >= self.most && self.shift < MOST_SHIFT {
            self.shift += 1;
            let shift = self.shift;
            self.kept.retain(|(source, _)| is_kept(*source, shift));
        }
        if self.is_kept(source) && self.kept.len() < self.most {
            self.kept.push((source, contact));
        }
    }

    /// Hands out the contacts of the tick and begins the next one.
    pub(crate) fn close(&mut self, contacts: &mut Vec<Contact>) {
        let (weight, few) = (1 << self.shift, self.kept.len() * 4 <= self.most);
        contacts.extend(self.kept.drain(..).map(|(_, contact)| Contact { weight, ..contact }));
        if few {
            self.shift = self.shift.saturating_sub(1);
        }
    }

    fn is_kept(&self, source: u64) -> bool {
        is_kept(source, self.shift)
    }
}

/// The contacts of a partition, in four samplers: conversations that proved nothing, which anyone can forge where a service
/// answers, must not thin those that did, a rush must not thin those that carry much, and who stops and goes on all the time
/// must not thin any.
#[derive(Debug)]
pub(crate) struct ContactSamplers {
    verified: ContactSampler,
    unproven: ContactSampler,
    progress: ContactSampler,
    held: ContactSampler,
}

impl ContactSamplers {
    /// Makes room for `most` contacts of verified conversations a tick, for half as many of those that carry much and of those
    /// that proved nothing, and for a quarter as many that are held.
    pub(crate) fn new(most: usize) -> Self {
        let sampler = ContactSampler::new;
        Self {
            verified: sampler(most),
            unproven: sampler(most / 2),
            progress: sampler(most / 2),
            held: sampler(most / 4),
        }
    }

    /// Offers a contact whose originator's source unit hashes to `source`.
    pub(crate) fn offer(&mut self, source: u64, contact: Contact) {
        let sampler = match contact.stage {
            ContactStage::Progress => &mut self.progress,
            stage if stage.is_held() => &mut self.held,
            _ if contact.verified => &mut self.verified,
            _ => &mut self.unproven,
        };
        sampler.offer(source, contact);
    }

    /// Hands out the contacts of the tick and begins the next one.
    pub(crate) fn close(&mut self, contacts: &mut Vec<Contact>) {
        for sampler in [&mut self.verified, &mut self.unproven, &mut self.progress, &mut self.held] {
            sampler.close(contacts);
        }
    }

    /// Tells, after a close, whether the next one would change nothing if nothing came before it.
    pub(crate) fn is_at_rest(&self) -> bool {
        [&self.verified, &self.unproven, &self.progress, &self.held].iter().all(|sampler| sampler.shift == 0)
    }
}

const fn is_kept(source: u64, shift: u32) -> bool {
    source & ((1 << shift) - 1) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::country::Country;
    use crate::flow::Volume;
    use crate::hash::Seed;
    use crate::packet::Protocol;
    use crate::time::Timestamp;

    fn contact(source: u32, port: u16) -> (u64, Contact) {
        let originator = Address::v4(source.to_be_bytes());
        let contact = Contact {
            at: Timestamp::ZERO,
            stage: ContactStage::Verified,
            originator,
            responder: Address::v4([192, 0, 2, 1]),
            port,
            protocol: Protocol::TCP,
            country: Country::UNKNOWN,
            verified: true,
            age_ms: 1_000,
            sent: Volume::default(),
            received: Volume::default(),
            served: false,
            repeated: false,
            weight: 1,
        };
        (Seed::default().address(originator), contact)
    }

    #[test]
    fn all_contacts_of_a_kept_source_are_kept_and_weighted() {
        let mut sampler = ContactSampler::new(64);
        for port in 1..=3 {
            for source in 0..400 {
                let (hash, contact) = contact(source, port);
                sampler.offer(hash, contact);
            }
        }
        let mut contacts = Vec::new();
        sampler.close(&mut contacts);
        assert!(contacts.len() <= 64 && contacts.len() > 8, "{}", contacts.len());
        for kept in &contacts {
            assert_eq!(contacts.iter().filter(|other| other.originator == kept.originator).count(), 3);
        }
        let estimate: u32 = contacts.iter().map(|contact| contact.weight).sum();
        assert!((400..=3_600).contains(&estimate), "{estimate}");
    }

    #[test]
    fn few_contacts_are_all_kept_with_weight_one() {
        let mut sampler = ContactSampler::new(48);
        for source in 0..48 {
            let (hash, contact) = contact(source, 443);
            sampler.offer(hash, contact);
        }
        let mut contacts = Vec::new();
        sampler.close(&mut contacts);
        assert_eq!(contacts.len(), 48);
        assert!(contacts.iter().all(|contact| contact.weight == 1));
    }

    #[test]
    fn the_rate_recovers_when_contacts_become_few() {
        let mut sampler = ContactSampler::new(4);
        for source in 0..1_000 {
            let (hash, contact) = contact(source, 443);
            sampler.offer(hash, contact);
        }
        let mut contacts = Vec::new();
        for _ in 0..20 {
            sampler.close(&mut contacts);
        }
        assert_eq!(sampler.shift, 0);
    }
}
