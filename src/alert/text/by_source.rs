//! English: what is said of single sources, and of pairs of hosts.

use crate::alert::line::Alert;
use crate::alert::text::notation::Notation;
use crate::detect::finding::{Figure, FigureName};
use crate::kind::AlertKind;

const N: Notation = Notation::ENGLISH;

/// Writes what a figure says; `None` where another figure's sentence says it.
pub(super) fn sentence(figure: &Figure, alert: &Alert) -> Option<String> {
    use FigureName as F;
    let value = figure.observed;
    Some(match figure.name {
        F::ProbedHostsCount => format!("{} tried {} in vain{}.", who(alert), tried(value, "host"), needed(figure)),
        F::ProbedPortsCount => format!("{} tried {} in vain{}.", who(alert), tried(value, "port"), needed(figure)),
        F::FailedContactsShare => format!(
            "{} of the first contacts were refused or left without an answer; ordinary clients fail at about {}.",
            N.percent(value),
            N.percent(figure.expected.unwrap_or_default())
        ),
        F::StealthyCount => {
            format!("{} were of a kind that no network stack sends to open a connection.", count(value, "probe"))
        }
        F::AttemptsCount => format!(
            "{} opened {} with the log-in service in ten minutes{}.",
            who(alert),
            count(value, "short conversation"),
            needed(figure)
        ),
        F::AlikeShare => format!(
            "{} of them are as large as the median one, within 10 %, both ways; people's are of many sizes.",
            N.percent(value)
        ),
        F::SentBytes => format!("Half of them send {} or more.", N.bytes(whole(value))),
        F::ReceivedBytes => format!("Half of them receive {} or more.", N.bytes(whole(value))),
        F::FetchedBytes => format!(
            "{} fetched {} within an hour{}.",
            who(alert),
            N.bytes(whole(value)),
            figure
                .expected
                .map(|most| format!("; up to {} is held to be ordinary", N.bytes(whole(most))))
                .unwrap_or_default()
        ),
        F::AnswersCount => {
            format!("It fetched {} of like size within the hour{}.", count(value, "answer"), needed(figure))
        }
        F::OtherClientsCount => format!("{} fetched from the same server in that hour.", count(value, "other client")),
        F::OtherClientsBytes => {
            format!("One of a thousand other clients fetches more than {} in an hour.", N.bytes(whole(value)))
        }
        F::SentHourBytes => format!(
            "The host sent {} within an hour over connections that it opened itself{}.",
            N.bytes(whole(value)),
            figure.expected.map(|most| format!("; usual is at most {}", N.bytes(whole(most)))).unwrap_or_default()
        ),
        F::NewDestinationShare => {
            format!("{} of it went to networks that the host was first seen to reach within a day.", N.percent(value))
        }
        F::WithoutOutboundSeconds => {
            format!("The host had opened no connection to the outside for {}.", N.duration(value))
        }
        F::UnfollowedShare => format!(
            "{} of the visits to the log-in service were not followed by a session{}.",
            N.percent(value),
            figure.expected.map(|most| format!("; usual is at most {}", N.percent(most))).unwrap_or_default()
        ),
        F::UnfollowedCount => format!("That is {} more than usual since it began.", count(value, "visit")),
        F::VisitConversationsCount => format!("Each of them is {} long on average.", count_of(value, "conversation")),
        F::IntervalSeconds => {
            format!("The host connects to {} every {}{}.", peer(alert), N.duration(value), deviation(alert))
        }
        F::DeviationSeconds | F::CoveredSeconds => return None,
        F::RegularityShare => format!(
            "Pauses and sizes are regular to {} of what a clock would be; from {} on it is told.",
            N.percent(value),
            N.percent(figure.expected.unwrap_or_default())
        ),
        F::ConnectionsCount => format!("There were {}{}.", count(value, "connection"), covered(alert)),
        _ => return None,
    })
}

/// Returns what happens, where more is known than the kind alone says.
pub(super) fn what(alert: &Alert) -> Option<(&'static str, &'static str)> {
    let outwards = alert
        .target
        .prefix
        .is_some_and(|prefix| alert.sources.iter().any(|source| source.address.host_prefix() == prefix));
    match alert.kind {
        AlertKind::HostSweep if outwards => {
            Some(("{place} is trying many hosts all over the network", "{place} tried many hosts all over the network"))
        }
        AlertKind::PortScan if alert.sources.len() > 1 => {
            Some(("Several sources are trying many ports of {place}", "Several sources tried many ports of {place}"))
        }
        AlertKind::HostSweep if alert.sources.len() > 1 => {
            Some(("Several sources are trying many hosts of {place}", "Several sources tried many hosts of {place}"))
        }
        AlertKind::BruteForce if alert.sources.len() > 1 => Some((
            "Several sources are each opening one short connection after another to a log-in service of {place}",
            "Several sources each opened one short connection after another to a log-in service of {place}",
        )),
        _ => None,
    }
}

/// Returns the figure that carries the sentence, as a clause.
pub(super) fn measure(alert: &Alert) -> Option<String> {
    let of = |name| alert.figures.iter().find(|figure| figure.name == name);
    match alert.kind {
        AlertKind::PortScan => {
            of(FigureName::ProbedPortsCount).map(|ports| format!(", {} so far", told(ports.observed)))
        }
        AlertKind::HostSweep => {
            of(FigureName::ProbedHostsCount).map(|hosts| format!(", {} so far", told(hosts.observed)))
        }
        AlertKind::BruteForce => {
            of(FigureName::AttemptsCount).map(|attempts| format!(", {} in ten minutes", N.figure(attempts.observed)))
        }
        AlertKind::Exfiltration => of(FigureName::FetchedBytes)
            .or_else(|| of(FigureName::SentHourBytes))
            .map(|bytes| format!(", {} within an hour", N.bytes(whole(bytes.observed)))),
        AlertKind::Beacon => {
            of(FigureName::IntervalSeconds).map(|interval| format!(", one every {}", N.duration(interval.observed)))
        }
        AlertKind::CredentialStuffing => {
            of(FigureName::UnfollowedCount).map(|visits| format!(", {} more than usual", N.figure(visits.observed)))
        }
        _ => None,
    }
}

/// Different hosts or ports up to which their number is an estimate (`window::bitmap`).
pub(super) const MOST_TRIED: f64 = 600.0;

/// Writes how many different things were tried, as far as that can be told.
fn told(number: f64) -> String {
    if number > MOST_TRIED { format!("more than {}", N.figure(MOST_TRIED)) } else { N.figure(number) }
}

fn tried(number: f64, what: &str) -> String {
    if number > MOST_TRIED { format!("{} {what}s", told(number)) } else { count(number, what) }
}

fn who(alert: &Alert) -> String {
    alert.sources.first().map_or_else(|| "One source".to_owned(), |source| source.address.to_string())
}

fn peer(alert: &Alert) -> String {
    let port = alert.target.port.map_or_else(String::new, |port| format!(" on port {port}"));
    alert.sources.first().map_or_else(|| "one destination".to_owned(), |source| format!("{}{port}", source.address))
}

fn deviation(alert: &Alert) -> String {
    let of = alert.figures.iter().find(|figure| figure.name == FigureName::DeviationSeconds);
    of.map(|figure| format!(", half of the time within {}", N.duration(figure.observed))).unwrap_or_default()
}

fn covered(alert: &Alert) -> String {
    let of = alert.figures.iter().find(|figure| figure.name == FigureName::CoveredSeconds);
    of.map(|figure| format!(" in {}", N.duration(figure.observed))).unwrap_or_default()
}

/// Writes an average with its noun: `1.2 conversations`.
fn count_of(value: f64, thing: &str) -> String {
    format!("{} {thing}s", N.figure(value))
}

fn needed(figure: &Figure) -> String {
    figure.expected.map(|most| format!("; up to {} is held to be ordinary", N.limit(most))).unwrap_or_default()
}

fn count(value: f64, thing: &str) -> String {
    format!("{} {thing}{}", N.figure(value.round()), if value.round() == 1.0 { "" } else { "s" })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates; bytes are not negative"
)]
pub(super) fn whole(value: f64) -> u64 {
    value.round() as u64
}
