//! A made-up alert, for those who want to see what one looks like where it arrives.

use crate::alert::book::{Book, Settings};
use crate::alert::line::Alert;
use crate::detect::finding::{Figure, FigureName, Finding, OriginShare, Target};
use crate::kind::{AlertKind, Severity, Verdict};
use crate::packet::Protocol;
use crate::time::Timestamp;

/// Returns the lines of a made-up alert at a documentation address (RFC 5737): its opening at `at`, and its end.
#[must_use]
pub fn sample(kind: AlertKind, verdict: Verdict, site: &str, at: Timestamp) -> Vec<Alert> {
    let mut book = Book::new(Settings::default());
    let mut lines = book.observe(at.tick(), &[finding(kind, verdict, site, at)]);
    lines.extend(book.finish(at.tick().next().end()));
    lines
}

fn finding(kind: AlertKind, verdict: Verdict, site: &str, at: Timestamp) -> Finding {
    let figure = |name, observed, expected| Figure { name, observed, expected, interval: None };
    Finding {
        kind,
        target: Target {
            prefix: "192.0.2.10/32".parse().ok(),
            site: Some(site.into()),
            port: Some(443),
            protocol: Some(Protocol::TCP),
            members: Vec::new(),
        },
        score: 41.0,
        alert_at: 9.3,
        gates_hold: true,
        severity: if verdict == Verdict::Rush { Severity::Info } else { Severity::Warning },
        verdict: Some(verdict),
        confidence: 0.94,
        onset: at,
        figures: vec![
            figure(FigureName::UnfinishedShare, 0.62, Some(0.03)),
            figure(FigureName::FirstSynsPerSecond, 5_400.0, Some(900.0)),
        ],
        spoofed: false,
        origins: vec![OriginShare { country: crate::country::Country::UNKNOWN, asn: None, share: 1.0, packets: 5_400 }],
        sources: Vec::new(),
        caveats: Vec::new(),
        settings: vec![("window_seconds", 10.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Event;

    #[test]
    fn a_sample_opens_and_closes() {
        let lines = sample(AlertKind::SynFlood, Verdict::Attack, "example", Timestamp::from_secs(1_617_699_600));
        assert_eq!(lines.first().map(|line| line.event), Some(Event::Open));
        assert_eq!(lines.last().map(|line| line.event), Some(Event::Close));
        assert!(lines.iter().all(|line| line.severity == Severity::Warning && line.id == lines[0].id));
    }
}
