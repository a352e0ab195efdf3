//! How much of the endpoint a client may take: connections, bytes of a request, time.
//!
//! Whoever sends slowly, or reads slowly, or opens connections and does neither, has them closed on it, and leaves places
//! to others meanwhile: one address holds at most half of them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections served at once; further ones are closed at once. A dozen scrapers and people need fewer.
    pub(super) connections: u32,
    /// Connections of one address, or of one /64 of IPv6, which is one customer's.
    pub(super) of_one_address: u32,
    /// Largest request head in bytes; a browser's is below 4 KiB.
    pub(super) head_bytes: usize,
    /// Most lines of a request head; a browser sends some twenty.
    pub(super) head_lines: usize,
    /// A request head must have come within this time, and before it the handshake of TLS.
    pub(super) head_time: Duration,
    /// A connection is closed after this time, between two requests if it can be; scrapers open another.
    pub(super) connection_time: Duration,
    /// What is under way at the end may take so long.
    pub(super) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            of_one_address: 32,
            head_bytes: 16 * 1024,
            head_lines: 64,
            head_time: Duration::from_secs(10),
            connection_time: Duration::from_secs(60),
            grace: Duration::from_secs(2),
        }
    }
}

/// The places for connections.
#[derive(Clone, Debug)]
pub(super) struct Places {
    limits: Limits,
    free: Arc<Semaphore>,
    held: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    holder: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, free: Arc::new(Semaphore::new(limits.connections as usize)), held: Arc::default() }
    }

    /// Takes a place for a client; `None` where there is none for it.
    pub(super) fn take(&self, client: IpAddr) -> Option<Place> {
        let holder = holder(client);
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(holder).or_default();
        if *count >= self.limits.of_one_address {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Place { places: self.clone(), holder, _permit: permit })
    }

    /// Waits until every place is free, for at most the grace.
    pub(super) async fn all_free(&self) {
        let _ = tokio::time::timeout(self.limits.grace, self.free.acquire_many(self.limits.connections)).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

fn holder(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_share_and_leaves_the_rest() {
        let places = Places::new(Limits { connections: 3, of_one_address: 2, ..Limits::default() });
        let take = |text: &str| places.take(text.parse().unwrap());
        let (first, second) = (take("2001:db8::1"), take("2001:db8::ffff:1"));
        assert!(first.is_some() && second.is_some());
        assert!(take("2001:db8::2").is_none(), "the same /64");
        let other = take("2001:db8:0:1::1");
        assert!(other.is_some() && take("192.0.2.1").is_none(), "all are taken");
        drop((first, other));
        assert!(take("::ffff:192.0.2.1").is_some());
        drop(second);
        assert!(places.held.lock().unwrap().is_empty(), "nobody is remembered");
    }
}
