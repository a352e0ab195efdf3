//! Sliding windows, baselines and sequential tests: what the scorer remembers of each subject.
//!
//! Everything here takes integers from merged summaries and turns them into rates, shares and evidence. It knows no
//! channel, no alert and no sentence. Each statistic is one file that names its source and what it assumes.

pub mod bitmap;
pub mod bloom;
pub mod calendar;
pub mod clients;
pub mod cohorts;
pub mod concert;
pub mod connections;
pub mod cusum;
pub mod dark;
mod divergence;
pub mod doors;
pub mod first_byte;
pub mod foreign;
pub mod freeze;
pub mod gaps;
pub mod history;
pub mod known;
pub mod level;
pub mod logins;
pub mod majority;
pub mod mixture;
pub mod negative_binomial;
pub mod outbound;
pub mod outlook;
pub mod overlap;
pub mod pareto;
pub mod ports;
pub mod probing;
pub mod profile;
pub mod pulls;
pub mod quic;
pub mod rate;
pub mod records;
pub mod ring;
pub mod rise;
pub mod scanners;
pub mod season;
pub mod series;
pub mod shapes;
pub mod shift;
pub mod sources;
pub mod spread;
pub mod stacks;
pub mod stratum;
pub mod strays;
pub mod subject;
pub mod systems;
pub mod table;
pub mod trw;
pub mod visits;

#[cfg(test)]
mod tests;

/// Rounds a count that was kept as a float; negative ones are zero.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate, and counts are far smaller")]
pub fn whole(count: f64) -> u64 {
    count.round() as u64
}
