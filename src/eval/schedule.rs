//! Many worlds over a few threads: outcomes in the order of the worlds, whatever the order in which they come.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;

/// How much may be spent.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    /// Worlds at the same time.
    pub jobs: usize,
    /// No world is begun after this time; `None`: all are run.
    pub time: Option<Duration>,
}

/// The time of a run, which begins when this is made.
#[derive(Clone, Copy, Debug)]
pub struct Purse {
    begun: Instant,
    time: Option<Duration>,
}

impl Purse {
    /// Begins the run; `None`: it takes as long as it takes.
    #[must_use]
    pub fn new(time: Option<Duration>) -> Self {
        Self { begun: now(), time }
    }

    /// Returns what is left of the time, less a part of the whole, 0 to 1, that is kept for later.
    #[must_use]
    pub fn left(&self, kept: f64) -> Option<Duration> {
        let spent = now().saturating_duration_since(self.begun);
        self.time.map(|time| time.saturating_sub(spent).saturating_sub(time.mul_f64(kept)))
    }
}

/// Runs `work` on each item and returns what came of them, in order. Items that were not begun in time are missing at the
/// end.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    allowance: Allowance,
    work: impl Fn(&T) -> R + Sync,
    mut on_done: impl FnMut(usize, &R),
) -> Vec<R> {
    let begun = now();
    let is_over = || allowance.time.is_some_and(|time| now().saturating_duration_since(begun) >= time);
    let next = AtomicUsize::new(0);
    let (done, results) = unbounded();
    let mut ordered: Vec<(usize, R)> = Vec::with_capacity(items.len());
    thread::scope(|scope| {
        for _ in 0..allowance.jobs.clamp(1, items.len().max(1)) {
            let (done, next, work, is_over) = (done.clone(), &next, &work, &is_over);
            scope.spawn(move || {
                while !is_over() {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { return };
                    // The receiver lives until all threads have ended.
                    let _ = done.send((place, work(item)));
                }
            });
        }
        drop(done);
        for (place, result) in &results {
            on_done(place, &result);
            ordered.push((place, result));
        }
    });
    ordered.sort_unstable_by_key(|(place, _)| *place);
    ordered.into_iter().map(|(_, result)| result).collect()
}

#[expect(clippy::disallowed_methods, reason = "how long worlds may be begun; nothing in a world depends on it")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..200).collect();
        for jobs in [1, 4] {
            let squares = in_parallel(&items, Allowance { jobs, time: None }, |n| n * n, |_, _| {});
            assert_eq!(squares, items.iter().map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_kept_for_later_is_not_spent_before() {
        let hour = Duration::from_secs(3_600);
        let purse = Purse::new(Some(hour));
        assert!(purse.left(0.25).is_some_and(|left| left <= hour.mul_f64(0.75)));
        assert!(purse.left(0.25) <= purse.left(0.0) && purse.left(0.0) <= Some(hour));
        assert_eq!((Purse::new(None).left(0.25), Purse::new(Some(hour)).left(1.0)), (None, Some(Duration::ZERO)));
    }

    #[test]
    fn no_time_is_no_result() {
        let allowance = Allowance { jobs: 2, time: Some(Duration::ZERO) };
        assert!(in_parallel(&[1, 2, 3], allowance, |n| *n, |_, _: &i32| {}).is_empty());
    }
}
