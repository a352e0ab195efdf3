//! The watched hosts by address, in the order of addresses.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::detect::watched::Watched;

/// The hosts, each in memory of its own: one is twenty kilobytes, and in the nodes of the tree a host that comes would move
/// up to eleven others.
#[derive(Debug, Default)]
pub(in crate::detect) struct Hosts(BTreeMap<Address, Box<Watched>>);

impl Hosts {
    pub(in crate::detect) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::detect) fn contains_key(&self, address: &Address) -> bool {
        self.0.contains_key(address)
    }

    pub(in crate::detect) fn get(&self, address: &Address) -> Option<&Watched> {
        self.0.get(address).map(|watched| &**watched)
    }

    pub(in crate::detect) fn get_mut(&mut self, address: &Address) -> Option<&mut Watched> {
        self.0.get_mut(address).map(|watched| &mut **watched)
    }

    pub(in crate::detect) fn insert(&mut self, address: Address, watched: Watched) {
        self.0.insert(address, Box::new(watched));
    }

    pub(in crate::detect) fn remove(&mut self, address: &Address) {
        self.0.remove(address);
    }

    pub(in crate::detect) fn retain(&mut self, mut keep: impl FnMut(&Address, &mut Watched) -> bool) {
        self.0.retain(|address, watched| keep(address, watched));
    }

    pub(in crate::detect) fn iter(&self) -> impl Iterator<Item = (&Address, &Watched)> {
        self.0.iter().map(|(address, watched)| (address, &**watched))
    }

    pub(in crate::detect) fn iter_mut(&mut self) -> impl Iterator<Item = (&Address, &mut Watched)> {
        self.0.iter_mut().map(|(address, watched)| (address, &mut **watched))
    }

    pub(in crate::detect) fn values(&self) -> impl Iterator<Item = &Watched> {
        self.0.values().map(|watched| &**watched)
    }

    pub(in crate::detect) fn values_mut(&mut self) -> impl Iterator<Item = &mut Watched> {
        self.0.values_mut().map(|watched| &mut **watched)
    }
}
