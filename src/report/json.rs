//! The summary as one JSON object, `vigie.summary/1` (CONTRACT 1).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::alert::Alert;
use crate::alert::number::Number;
use crate::detect::engine::Armed;
use crate::detect::minute::{Estimate, MinuteKind, MinuteVerdict, Resource};
use crate::report::RunReport;
use crate::time::Timestamp;

/// Version of the object's shape.
pub const SCHEMA: &str = "vigie.summary/1";

#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    packets: u64,
    processed: u64,
    discarded: BTreeMap<&'static str, u64>,
    dropped: BTreeMap<&'static str, u64>,
    bytes: u64,
    flows: u64,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    wall_seconds: Number,
    packets_per_second: Number,
    origins: Vec<Origin>,
    alerts: &'a [Alert],
    minutes: Vec<Minute<'a>>,
    detectors: &'a [Armed],
    settings: BTreeMap<&'a str, serde_json::Value>,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct Origin {
    country: String,
    share: Number,
    packets: u64,
    bytes: u64,
}

/// A minute with its figures rounded; the names are those of [`MinuteVerdict`].
#[derive(Serialize)]
struct Minute<'a> {
    start: Timestamp,
    site: &'a str,
    verdict: MinuteKind,
    first_syns_per_second: Number,
    demand_per_second: Interval,
    attack_share: Interval,
    capacity_per_second: Option<Number>,
    capacity_limit_per_second: Option<Number>,
    exhausted: Option<Resource>,
    verified_per_second: Number,
    answered_share: Number,
    foreign_share: Option<Number>,
    unhealthy: bool,
}

#[derive(Serialize)]
struct Interval {
    value: Number,
    low: Number,
    high: Number,
}

/// Writes the object on several lines, without a newline at the end.
///
/// # Errors
/// None that these types can cause; the encoder's signature has one.
pub fn summary(report: &RunReport) -> Result<String, serde_json::Error> {
    let accounting = &report.accounting;
    let summary = Summary {
        schema: SCHEMA,
        packets: accounting.packets,
        processed: accounting.processed,
        discarded: accounting.discarded.iter().map(|(reason, count)| (reason.name(), *count)).collect(),
        dropped: [
            ("kernel", accounting.dropped.kernel),
            ("interface", accounting.dropped.interface),
            ("shed", accounting.shed),
        ]
        .into(),
        bytes: accounting.bytes,
        flows: report.flows,
        start: report.start,
        end: report.end,
        wall_seconds: positive(report.wall_seconds),
        packets_per_second: positive(report.packets_per_second()),
        origins: origins(report),
        alerts: &report.alerts,
        minutes: report.minutes.iter().map(minute).collect(),
        detectors: &report.detectors,
        settings: settings(report)?,
        faults: report.all_faults(),
    };
    serde_json::to_string_pretty(&summary)
}

fn origins(report: &RunReport) -> Vec<Origin> {
    let line = |(total, share): (super::OriginTotal, f64)| Origin {
        country: total.name(),
        share: positive(share),
        packets: total.packets,
        bytes: total.bytes,
    };
    report.origins_by_share().into_iter().map(line).collect()
}

fn minute(minute: &MinuteVerdict) -> Minute<'_> {
    Minute {
        start: minute.start,
        site: &minute.site,
        verdict: minute.verdict,
        first_syns_per_second: positive(minute.first_syns_per_second),
        demand_per_second: interval(minute.demand_per_second),
        attack_share: interval(minute.attack_share),
        capacity_per_second: minute.capacity_per_second.and_then(Number::new),
        capacity_limit_per_second: minute.capacity_limit_per_second.and_then(Number::new),
        exhausted: minute.exhausted,
        verified_per_second: positive(minute.verified_per_second),
        answered_share: positive(minute.answered_share),
        foreign_share: minute.foreign_share.and_then(Number::new),
        unhealthy: minute.unhealthy,
    }
}

fn interval(estimate: Estimate) -> Interval {
    Interval { value: positive(estimate.value), low: positive(estimate.low), high: positive(estimate.high) }
}

fn positive(value: f64) -> Number {
    Number::clamped(value, 0.0, f64::MAX)
}

/// The settings given, and what the run found out for itself: it decides the verdicts as much as they do.
fn settings(report: &RunReport) -> Result<BTreeMap<&str, serde_json::Value>, serde_json::Error> {
    let protect: Vec<_> = report.protected.iter().flat_map(super::ProtectedSite::values).collect();
    let mut settings: BTreeMap<&str, serde_json::Value> =
        report.settings.iter().map(|(name, value)| (name.as_str(), from_toml(value))).collect();
    settings.insert("home", serde_json::to_value(&report.home)?);
    settings.insert("protect", protect.into());
    settings.insert("geo", report.geo.as_str().into());
    settings.insert("inputs", report.inputs.clone().into());
    Ok(settings)
}

/// A setting as it stands in a configuration file, and as text where that is no TOML.
fn from_toml(value: &str) -> serde_json::Value {
    let read: Result<BTreeMap<String, serde_json::Value>, _> = toml::from_str(&format!("value = {value}"));
    read.ok().and_then(|mut line| line.remove("value")).unwrap_or_else(|| value.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_keep_their_types() {
        for (text, value) in [
            ("1024", json!(1_024)),
            ("0.5", json!(0.5)),
            ("false", json!(false)),
            ("\"a.jsonl\"", json!("a.jsonl")),
            ("[\"FR\", \"MA\"]", json!(["FR", "MA"])),
            ("{ cidr = \"192.0.2.0/24\" }", json!({ "cidr": "192.0.2.0/24" })),
            ("no TOML", json!("no TOML")),
        ] {
            assert_eq!(from_toml(text), value, "{text}");
        }
    }
}
