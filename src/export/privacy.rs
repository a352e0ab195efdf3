//! How much of an address leaves the program in alerts and flow records.
//!
//! Truncated, an outside address shows its /24 or /48, which is what people of one place share, so that an alert can still
//! be read and filtered by. What is protected stays exact: it is nobody's visit, and an alert that does not say what is hit
//! helps nobody. A record of which neither end is protected (yet) shows neither. Applied where lines leave the scorer, so that the file, the sinks, the page, the terminal and the report
//! show the same.

use std::borrow::Cow;

use crate::address::{Address, Prefix};
use crate::alert::Alert;
use crate::alert::line::Source;
use crate::flow::FlowRecord;
use crate::policy::Policy;

/// How much of an outside address is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// All of it; of IPv6 the /64.
    #[default]
    Full,
    /// The /24 of IPv4, the /48 of IPv6.
    Truncate,
}

impl Privacy {
    /// The words and what they mean.
    pub const WORDS: &'static [(&'static str, Self)] = &[("full", Self::Full), ("truncate", Self::Truncate)];

    /// Returns the word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Truncate => "truncate",
        }
    }

    /// Returns an alert as it may be shown.
    #[must_use]
    pub fn shown(self, alert: &Alert) -> Cow<'_, Alert> {
        match self {
            Self::Full => Cow::Borrowed(alert),
            Self::Truncate => Cow::Owned(truncated(alert)),
        }
    }

    /// Returns a flow record as it may be shown. Country, ports and counts stay.
    #[must_use]
    pub fn shown_flow(self, record: &FlowRecord, policy: &Policy) -> FlowRecord {
        let end = |address: Address| match self {
            Self::Truncate if policy.site_of(address).is_none() => address.network(),
            _ => address,
        };
        FlowRecord { originator: end(record.originator), responder: end(record.responder), ..*record }
    }
}

fn truncated(alert: &Alert) -> Alert {
    let mut shown = alert.clone();
    shown.sources = joined(&alert.sources);
    let sources = alert.sources.iter().map(|source| unit(source.address));
    // A sweep is named by who makes it, who then is no site's.
    let outside = alert.target.site.is_none();
    let targets: Vec<Prefix> =
        alert.target.prefix.into_iter().chain(alert.target.members.iter().copied()).filter(|_| outside).collect();
    for prefix in sources.chain(targets) {
        shown.filter = without(&shown.filter, prefix, true);
        shown.why = without(&shown.why, prefix, false);
        shown.evidence.iter_mut().for_each(|sentence| *sentence = without(sentence, prefix, false));
    }
    if outside {
        shown.target.prefix = shown.target.prefix.map(network);
        shown.target.members = shown.target.members.iter().map(|member| network(*member)).collect();
        shown.target.members.dedup();
    }
    shown
}

/// Adds up what comes from one network; the heaviest first, as before.
fn joined(sources: &[Source]) -> Vec<Source> {
    let mut joined: Vec<Source> = Vec::new();
    for source in sources {
        let address = source.address.network();
        match joined.iter_mut().find(|sum| sum.address == address) {
            Some(sum) => {
                sum.packets += source.packets;
                sum.bytes += source.bytes;
            }
            None => joined.push(Source { address, ..source.clone() }),
        }
    }
    joined.sort_by_key(|source| (std::cmp::Reverse(source.packets), source.address));
    joined
}

/// What a filter names as one source.
fn unit(address: Address) -> Prefix {
    if address.is_ipv4() { address.host_prefix() } else { Prefix::of(address, 64) }
}

/// Returns the network around a prefix, or the prefix, if it is that wide already.
fn network(prefix: Prefix) -> Prefix {
    let length = if prefix.network().is_ipv4() { 24 } else { 48 };
    if prefix.length() <= length { prefix } else { Prefix::of(prefix.network(), length) }
}

/// Writes the network instead of the prefix. A filter says `host` of one address and `net` of several.
fn without(text: &str, prefix: Prefix, is_filter: bool) -> String {
    let around = network(prefix).to_string();
    let host = prefix.network().to_string();
    let text =
        if is_filter { replaced(text, &format!("host {host}"), &format!("net {around}")) } else { text.to_owned() };
    let text = replaced(&text, &prefix.to_string(), &around);
    if prefix.is_host() { replaced(&text, &host, &around) } else { text }
}

/// Replaces whole words only: 192.0.2.1 is no part of 192.0.2.10, nor of 192.0.2.1/24.
fn replaced(text: &str, old: &str, new: &str) -> String {
    // What joins the parts of an address ends it where no further part follows, as at the end of a sentence.
    let joint = if old.contains(':') { ':' } else { '.' };
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == joint;
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, after) = (&rest[..at], &rest[at + old.len()..]);
        let begins = !before.ends_with(is_part);
        let goes_on = after.strip_prefix(joint).is_some_and(|more| more.starts_with(is_part));
        let ends = !goes_on && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/');
        written.push_str(before);
        written.push_str(if begins && ends { new } else { old });
        rest = after;
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;
    use crate::export::flows::tests::record;
    use crate::kind::{AlertKind, Verdict};
    use crate::packet::Protocol;
    use crate::policy::Site;
    use crate::time::Timestamp;

    fn source(address: &str, packets: u64) -> Source {
        Source { address: address.parse().unwrap(), packets, bytes: packets * 100 }
    }

    fn scan() -> Alert {
        let alert = &sample(AlertKind::PortScan, Verdict::Suspicion, "ecole", Timestamp::from_secs(1))[0];
        Alert {
            sources: vec![source("198.51.100.1", 50), source("203.0.113.9", 45), source("198.51.100.10", 30)],
            filter: "(dst host 192.0.2.10 and (src host 198.51.100.1 or src host 198.51.100.10 or \
                     src net 2001:db8:7:1::/64))"
                .to_owned(),
            why: "198.51.100.10 tried 1,900 ports of ecole.".to_owned(),
            ..alert.clone()
        }
    }

    #[test]
    fn sources_become_networks_and_what_is_protected_stays() {
        let mut alert = scan();
        alert.sources.push(source("2001:db8:7:1::", 5));
        let shown = Privacy::Truncate.shown(&alert);
        let sources: Vec<(String, u64)> =
            shown.sources.iter().map(|source| (source.address.to_string(), source.packets)).collect();
        let expected = [("198.51.100.0", 80), ("203.0.113.0", 45), ("2001:db8:7::", 5)];
        assert_eq!(sources, expected.map(|(address, packets)| (address.to_owned(), packets)));
        let filter = "(dst host 192.0.2.10 and (src net 198.51.100.0/24 or src net 198.51.100.0/24 or \
                      src net 2001:db8:7::/48))";
        assert_eq!(shown.filter, filter);
        assert_eq!(shown.why, "198.51.100.0/24 tried 1,900 ports of ecole.");
        assert_eq!(shown.target, alert.target);
        let line = shown.to_json().unwrap();
        assert!(!["198.51.100.1\"", "198.51.100.10", "203.0.113.9"].iter().any(|word| line.contains(word)), "{line}");
    }

    #[test]
    fn a_sweep_that_is_named_by_its_source_is_truncated_there_too() {
        let mut alert = scan();
        alert.target.site = None;
        alert.target.prefix = Some("198.51.100.10/32".parse().unwrap());
        alert.filter = "src host 198.51.100.10 and tcp dst port 22".to_owned();
        let shown = Privacy::Truncate.shown(&alert);
        assert_eq!(shown.target.prefix.unwrap().to_string(), "198.51.100.0/24");
        assert_eq!(shown.filter, "src net 198.51.100.0/24 and tcp dst port 22");
    }

    #[test]
    fn flow_records_show_the_network_of_who_is_not_protected() {
        let site = Site { name: "ecole".into(), prefixes: vec!["192.0.2.0/24".parse().unwrap()] };
        let policy = Policy::new(vec![site], false);
        for (originator, responder, shown) in [
            ("198.51.100.7", "192.0.2.10", ("198.51.100.0", "192.0.2.10")),
            ("192.0.2.10", "2001:db8:7:1::9", ("192.0.2.10", "2001:db8:7::")),
            ("198.51.100.7", "203.0.113.9", ("198.51.100.0", "203.0.113.0")),
        ] {
            let record = record(originator, responder, Protocol::TCP);
            assert_eq!(Privacy::Full.shown_flow(&record, &policy), record);
            let truncated = Privacy::Truncate.shown_flow(&record, &policy);
            assert_eq!((truncated.originator.to_string().as_str(), truncated.responder.to_string().as_str()), shown);
            let rest = FlowRecord { originator: record.originator, responder: record.responder, ..truncated };
            assert_eq!(rest, record, "all else stays");
        }
    }

    #[test]
    fn full_addresses_are_left_as_they_are() {
        let alert = scan();
        assert!(matches!(Privacy::Full.shown(&alert), Cow::Borrowed(same) if *same == alert));
    }

    #[test]
    fn an_address_is_replaced_as_a_word() {
        assert_eq!(
            replaced("192.0.2.1, 192.0.2.10 and 192.0.2.1/24.", "192.0.2.1", "X"),
            "X, 192.0.2.10 and 192.0.2.1/24."
        );
        assert_eq!(replaced("from 192.0.2.1.", "192.0.2.1", "X"), "from X.");
        assert_eq!(replaced("192.0.2.1:443 or 192.0.2.1: both", "192.0.2.1", "X"), "X:443 or X: both");
        assert_eq!(replaced("2001:db8::1:2 2001:db8::1: 2001:db8::1", "2001:db8::1", "X"), "2001:db8::1:2 X: X");
        assert_eq!(replaced("2192.0.2.1 5.192.0.2.1", "192.0.2.1", "X"), "2192.0.2.1 5.192.0.2.1");
    }
}
