//! Capture files as their users have them: whole, compressed, cut, damaged, merged, misnamed, with times gone wrong.

mod captures;
mod damage;
mod formats;
mod merging;
mod reading;
mod streams;
mod time;
mod writing;

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;
