//! What is going to happen, by time; what happens at the same time comes in the order in which it was planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A moment of the simulation in nanoseconds since the epoch.
pub(super) type Nanos = u64;

#[derive(Debug)]
struct Planned<E> {
    at: Nanos,
    order: u64,
    event: E,
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl<E> Eq for Planned<E> {}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Planned<E> {
    /// The earliest is the greatest, since the heap gives the greatest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// Future events. As large as what is under way at once, however long the capture.
#[derive(Debug)]
pub(super) struct EventQueue<E> {
    heap: BinaryHeap<Planned<E>>,
    planned: u64,
}

impl<E> EventQueue<E> {
    pub(super) fn new() -> Self {
        Self { heap: BinaryHeap::with_capacity(1 << 14), planned: 0 }
    }

    /// Plans an event.
    pub(super) fn plan(&mut self, at: Nanos, event: E) {
        self.heap.push(Planned { at, order: self.planned, event });
        self.planned += 1;
    }

    /// Takes the next event.
    pub(super) fn next(&mut self) -> Option<(Nanos, E)> {
        self.heap.pop().map(|planned| (planned.at, planned.event))
    }
}

/// Names an entry of a [`Slab`]; stale once the entry is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    index: u32,
    serial: u32,
}

/// Things under way, reusing places; a handle to what is gone finds nothing.
#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { entries: Vec::new(), free: Vec::new() }
    }

    pub(super) fn insert(&mut self, value: T) -> Handle {
        if let Some(index) = self.free.pop() {
            let entry = &mut self.entries[index as usize];
            entry.1 = Some(value);
            return Handle { index, serial: entry.0 };
        }
        let index = super::number::low_u32(self.entries.len() as u64);
        self.entries.push((0, Some(value)));
        Handle { index, serial: 0 }
    }

    pub(super) fn get_mut(&mut self, handle: Handle) -> Option<&mut T> {
        let (serial, value) = self.entries.get_mut(handle.index as usize)?;
        if *serial == handle.serial { value.as_mut() } else { None }
    }

    pub(super) fn remove(&mut self, handle: Handle) -> Option<T> {
        let (serial, value) = self.entries.get_mut(handle.index as usize)?;
        if *serial != handle.serial {
            return None;
        }
        let taken = value.take();
        *serial = serial.wrapping_add(1);
        self.free.push(handle.index);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_in_the_order_planned() {
        let mut queue = EventQueue::new();
        for (at, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b')] {
            queue.plan(at, name);
        }
        let order: String = std::iter::from_fn(|| queue.next()).map(|(_, name)| name).collect();
        assert_eq!(order, "abcd");
    }

    #[test]
    fn a_stale_handle_finds_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert(1);
        assert_eq!(slab.remove(first), Some(1));
        let second = slab.insert(2);
        assert!(slab.get_mut(first).is_none() && slab.remove(first).is_none());
        assert_eq!(slab.get_mut(second), Some(&mut 2));
    }
}
