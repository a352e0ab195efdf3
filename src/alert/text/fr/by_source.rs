//! French: what is said of single sources, and of pairs of hosts.

use super::N;
use crate::alert::line::Alert;
use crate::alert::text::by_source::{MOST_TRIED, whole};
use crate::detect::finding::{Figure, FigureName};
use crate::kind::AlertKind;

/// Writes what a figure says; `None` where another figure's sentence says it.
pub(super) fn sentence(figure: &Figure, alert: &Alert) -> Option<String> {
    use FigureName as F;
    let value = figure.observed;
    Some(match figure.name {
        F::ProbedHostsCount => {
            format!("{} a essayé {} en vain{}.", who(alert), tried(value, "machine"), needed(figure))
        }
        F::ProbedPortsCount => format!("{} a essayé {} en vain{}.", who(alert), tried(value, "port"), needed(figure)),
        F::FailedContactsShare => format!(
            "{} des premiers contacts ont été refusés ou laissés sans réponse ; les clients ordinaires échouent à environ \
             {}.",
            N.percent(value),
            N.percent(figure.expected.unwrap_or_default())
        ),
        F::StealthyCount => format!(
            "{} d'une sorte qu'aucun système n'envoie pour ouvrir une connexion.",
            if value.round() == 1.0 {
                "1 sonde était".to_owned()
            } else {
                format!("{} sondes étaient", N.figure(value.round()))
            }
        ),
        F::AttemptsCount => format!(
            "{} a ouvert {} avec le service d'identification en dix minutes{}.",
            who(alert),
            conversations(value.round(), " courte"),
            needed(figure)
        ),
        F::AlikeShare => format!(
            "{} d'entre elles ont la taille de la conversation médiane, à 10\u{202f}% près, dans les deux sens ; celles \
             de personnes sont de tailles diverses.",
            N.percent(value)
        ),
        F::SentBytes => format!("La moitié d'entre elles envoient {} ou plus.", N.bytes(whole(value))),
        F::ReceivedBytes => format!("La moitié d'entre elles reçoivent {} ou plus.", N.bytes(whole(value))),
        F::FetchedBytes => format!(
            "{} a retiré {} en une heure{}.",
            who(alert),
            N.bytes(whole(value)),
            figure
                .expected
                .map(|most| format!(" ; jusqu'à {} est tenu pour ordinaire", N.bytes(whole(most))))
                .unwrap_or_default()
        ),
        F::AnswersCount => {
            format!("Elle a retiré {} de taille semblable dans l'heure{}.", count(value, "réponse"), needed(figure))
        }
        F::OtherClientsCount => {
            format!(
                "Dans cette heure, {} se sont servis auprès du même serveur.",
                count_of(value, "autre client", "autres clients")
            )
        }
        F::OtherClientsBytes => {
            format!("Un autre client sur mille retire plus de {} en une heure.", N.bytes(whole(value)))
        }
        F::SentHourBytes => format!(
            "La machine a envoyé {} en une heure par des connexions qu'elle a ouvertes elle-même{}.",
            N.bytes(whole(value)),
            figure
                .expected
                .map(|most| format!(" ; l'habitude est d'au plus {}", N.bytes(whole(most))))
                .unwrap_or_default()
        ),
        F::NewDestinationShare => format!(
            "{} en sont allés vers des réseaux que la machine a contactés pour la première fois il y a moins d'un jour.",
            N.percent(value)
        ),
        F::WithoutOutboundSeconds => {
            format!("La machine n'avait ouvert aucune connexion vers l'extérieur depuis {}.", N.duration(value))
        }
        F::UnfollowedShare => format!(
            "{} des visites au service d'identification n'ont été suivies d'aucune session{}.",
            N.percent(value),
            figure.expected.map(|most| format!(" ; l'habitude est d'au plus {}", N.percent(most))).unwrap_or_default()
        ),
        F::UnfollowedCount => {
            format!("C'est {} de plus que d'habitude depuis le début.", count(value, "visite"))
        }
        F::VisitConversationsCount => {
            format!("Chacune compte en moyenne {}.", conversations(value, ""))
        }
        F::IntervalSeconds => {
            format!("La machine se connecte à {} toutes les {}{}.", peer(alert), N.duration(value), deviation(alert))
        }
        F::DeviationSeconds | F::CoveredSeconds => return None,
        F::RegularityShare => format!(
            "Pauses et tailles sont régulières à {} de ce que serait une horloge ; cela est signalé à partir de {}.",
            N.percent(value),
            N.percent(figure.expected.unwrap_or_default())
        ),
        F::ConnectionsCount => format!("Il y a eu {}{}.", count(value, "connexion"), covered(alert)),
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
        AlertKind::HostSweep if outwards => Some((
            "{place} essaie de nombreuses machines partout sur le réseau",
            "{place} a essayé de nombreuses machines partout sur le réseau",
        )),
        AlertKind::PortScan if alert.sources.len() > 1 => Some((
            "Plusieurs sources essaient de nombreux ports de {place}",
            "Plusieurs sources ont essayé de nombreux ports de {place}",
        )),
        AlertKind::HostSweep if alert.sources.len() > 1 => Some((
            "Plusieurs sources essaient de nombreuses machines de {place}",
            "Plusieurs sources ont essayé de nombreuses machines de {place}",
        )),
        AlertKind::BruteForce if alert.sources.len() > 1 => Some((
            "Plusieurs sources ouvrent chacune une courte connexion après l'autre vers un service d'identification de \
             {place}",
            "Plusieurs sources ont ouvert chacune une courte connexion après l'autre vers un service d'identification \
             de {place}",
        )),
        _ => None,
    }
}

/// Returns the figure that carries the sentence, as a clause.
pub(super) fn measure(alert: &Alert) -> Option<String> {
    let of = |name| alert.figures.iter().find(|figure| figure.name == name);
    match alert.kind {
        AlertKind::PortScan => {
            of(FigureName::ProbedPortsCount).map(|ports| format!(", {} jusqu'ici", told(ports.observed)))
        }
        AlertKind::HostSweep => {
            of(FigureName::ProbedHostsCount).map(|hosts| format!(", {} jusqu'ici", told(hosts.observed)))
        }
        AlertKind::BruteForce => {
            of(FigureName::AttemptsCount).map(|attempts| format!(", {} en dix minutes", N.figure(attempts.observed)))
        }
        AlertKind::Exfiltration => of(FigureName::FetchedBytes)
            .or_else(|| of(FigureName::SentHourBytes))
            .map(|bytes| format!(", {} en une heure", N.bytes(whole(bytes.observed)))),
        AlertKind::Beacon => of(FigureName::IntervalSeconds)
            .map(|interval| format!(", une toutes les {}", N.duration(interval.observed))),
        AlertKind::CredentialStuffing => of(FigureName::UnfollowedCount)
            .map(|visits| format!(", {} de plus que d'habitude", N.figure(visits.observed))),
        _ => None,
    }
}

fn told(number: f64) -> String {
    if number > MOST_TRIED { format!("plus de {}", N.figure(MOST_TRIED)) } else { N.figure(number) }
}

fn tried(number: f64, what: &str) -> String {
    if number > MOST_TRIED { format!("{} {what}s", told(number)) } else { count(number, what) }
}

fn who(alert: &Alert) -> String {
    alert.sources.first().map_or_else(|| "Une même source".to_owned(), |source| source.address.to_string())
}

fn peer(alert: &Alert) -> String {
    let port = alert.target.port.map_or_else(String::new, |port| format!(", port {port},"));
    alert
        .sources
        .first()
        .map_or_else(|| "une même destination".to_owned(), |source| format!("{}{port}", source.address))
}

fn deviation(alert: &Alert) -> String {
    let of = alert.figures.iter().find(|figure| figure.name == FigureName::DeviationSeconds);
    of.map(|figure| format!(", une fois sur deux à {} près", N.duration(figure.observed))).unwrap_or_default()
}

fn covered(alert: &Alert) -> String {
    let of = alert.figures.iter().find(|figure| figure.name == FigureName::CoveredSeconds);
    of.map(|figure| format!(" en {}", N.duration(figure.observed))).unwrap_or_default()
}

fn needed(figure: &Figure) -> String {
    figure.expected.map(|most| format!(" ; jusqu'à {} est tenu pour ordinaire", N.limit(most))).unwrap_or_default()
}

/// Writes a number with its noun, which takes an s from two on.
fn count(value: f64, thing: &str) -> String {
    count_of(value, thing, &format!("{thing}s"))
}

fn count_of(value: f64, one: &str, many: &str) -> String {
    format!("{} {}", N.figure(value.round()), if value.round() < 2.0 { one } else { many })
}

fn conversations(value: f64, adjective: &str) -> String {
    let s = if value < 2.0 { "" } else { "s" };
    format!("{} conversation{s}{adjective}{}", N.figure(value), if adjective.is_empty() { "" } else { s })
}
