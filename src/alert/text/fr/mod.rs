//! French: evidence sentences and names. What is typographically one, such as a number and its unit, is kept together
//! where the notation does so; the rest is as the English module writes it.

mod by_source;
mod why;

use crate::alert::line::{Alert, Origin};
use crate::alert::text::notation::Notation;
use crate::detect::finding::{Caveat, Figure, FigureName};
use crate::kind::{AlertKind, Severity, Verdict};

const N: Notation = Notation::FRENCH;

/// Behaviour evidence from which a crowd counts as robots, and below whose negative as people (DETECTION 4.2, FC-1).
const BEHAVIOUR_LINE: f64 = 4.0;
/// Different senders in a second up to which their number is an estimate (`summary::Distinct`).
const MOST_SOURCES: f64 = 5_000.0;
/// Countries that one sentence names.
const MOST_COUNTRIES: usize = 5;

pub(super) fn why(alert: &Alert) -> String {
    why::why(alert)
}

pub(super) fn evidence(alert: &Alert) -> Vec<String> {
    let mut sentences: Vec<String> = alert.figures.iter().filter_map(|figure| sentence(figure, alert)).collect();
    sentences.extend(origins(alert));
    if alert.spoofed {
        sentences.push("Les sources sont falsifiées : l'origine ne peut être attribuée.".to_owned());
    }
    for caveat in &alert.caveats {
        if !(alert.spoofed && *caveat == Caveat::Unattributable) {
            sentences.push(qualification(*caveat).to_owned());
        }
    }
    sentences
}

/// Writes what a figure says; `None` where another figure's sentence says it.
fn sentence(figure: &Figure, alert: &Alert) -> Option<String> {
    use FigureName as F;
    let value = figure.observed;
    let text = match figure.name {
        F::FirstSynsPerSecond => format!(
            "Les clients ont demandé {} nouvelles connexions par seconde{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::UnfinishedShare => format!(
            "Les clients ont achevé {} des ouvertures de connexion auxquelles le serveur a répondu{}.",
            finished(figure),
            figure
                .expected
                .map(|usual| format!(" ; l'habitude est d'au moins {}", N.percent(1.0 - usual)))
                .unwrap_or_default()
        ),
        F::UnfinishedPerSecond => format!(
            "Le serveur a répondu à {} ouvertures par seconde qu'aucun client n'a achevées{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::AttackShare => format!(
            "{} des tentatives de connexion sont tenues pour falsifiées ou jamais destinées à aboutir{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::SilentShare => silent(figure, alert),
        F::SilentKnownShare if has(alert, F::SilentShare) => return None,
        F::SilentKnownShare => format!(
            "{} des ouvertures de visiteurs connus n'ont été ni achevées, ni réessayées, ni annulées{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::HalfOpenCount => format!(
            "Environ {} connexions à demi ouvertes restent à la fois sur le serveur{}.",
            N.figure(value),
            figure.expected.map(|room| format!(" ; {} au plus sont attendues", N.limit(room))).unwrap_or_default()
        ),
        F::NetworksCount => format!(
            "En dix secondes, les ouvertures inachevées portent des adresses de {} réseaux différents{}.",
            N.figure(value),
            at_most(figure)
        ),
        F::SingleSourceShare => {
            format!("{} de leurs adresses n'apparaissent qu'une fois en dix secondes.", percent(figure))
        }
        F::ImpossibleSourceShare => format!(
            "{} des adresses sont dans un espace qu'aucun émetteur ne peut avoir ; d'adresses tirées au hasard, \
             13\u{202f}% le sont.",
            percent(figure)
        ),
        F::SignatureShare => format!(
            "{} des demandes inachevées portent une seule et même durée de vie (TTL) et fenêtre{}.",
            percent(figure),
            figure.expected.map(|usual| format!(" ; en temps calme, {}", N.percent(usual))).unwrap_or_default()
        ),
        F::HighTtlShare => format!(
            "{} d'entre elles ont une durée de vie (TTL) supérieure à 200, que les systèmes ordinaires n'emploient pas.",
            percent(figure)
        ),
        F::ResetShare => format!(
            "{} des demandes auxquelles il a été répondu ont été annulées par leurs émetteurs{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::UnansweredShare => format!(
            "Le serveur a laissé {} des tentatives de connexion sans réponse{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::RetriedShare if value < 0.01 => "Aucune des tentatives sans réponse n'a encore été renouvelée.".to_owned(),
        F::RetriedShare => format!(
            "{} des tentatives sans réponse ont été renouvelées, ce que font de vrais clients.",
            percent(figure)
        ),
        F::RefusedShare => format!(
            "Des ports fermés ont refusé {} des tentatives de connexion par une remise à zéro (RST){}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::TurnedAwayShare => format!(
            "Le serveur a éconduit {} des ouvertures achevées, signe d'une file d'acceptation pleine{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::FirstByteSeconds => format!(
            "La moitié des clients ont attendu {} ou plus le premier octet du serveur{}.",
            N.duration(value),
            at_most_time(figure)
        ),
        F::AnswerSeconds => format!(
            "La moitié des questions sur les connexions ouvertes ont attendu {} ou plus la réponse du serveur{}.",
            N.duration(value),
            at_most_time(figure)
        ),
        F::GivenUpShare => {
            format!("Pour {} des questions, le client a mis fin à la connexion au lieu d'attendre.", percent(figure))
        }
        F::VerifiedPerSecond => format!(
            "Les clients qui ont prouvé leur adresse ont ouvert {} connexions par seconde{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::ExcessPerSecond => {
            format!("{} d'entre elles par seconde sont au-delà de l'habitude.", N.figure(value))
        }
        F::ServedPerSecond => format!(
            "Le serveur a envoyé des données sur {} nouvelles connexions par seconde{}.",
            N.figure(value),
            about_rate(figure)
        ),
        F::DemandPerSecond => format!(
            "La demande légitime est de {} connexions par seconde{}.",
            N.figure(value),
            figure
                .expected
                .map(|shown| format!(" ; le service en a supporté {} jusqu'ici", N.rate(shown)))
                .unwrap_or_default()
        ),
        F::ForeignPerSecond => format!(
            "{} connexions par seconde venaient d'adresses enregistrées à l'étranger{}.",
            N.figure(value),
            given_home(figure)
        ),
        F::ForeignShare => format!(
            "{} des connexions vérifiées venaient d'adresses enregistrées à l'étranger{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::CountryPerSecond => {
            format!("{} connexions par seconde venaient {}{}.", N.figure(value), leading(alert), given_home(figure))
        }
        F::SystemShare => {
            let system = alert.origins.iter().find_map(|origin| origin.asn);
            let named = system.map_or_else(String::new, |number| format!(", AS{number}"));
            format!("{} des connexions supplémentaires viennent d'un seul système autonome{named}.", percent(figure))
        }
        F::NewSourceShare => format!(
            "{} des visiteurs de l'étranger n'avaient jamais été servis auparavant{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::HomeGrowthRatio if value < 1.05 => "Le trafic national n'a pas augmenté.".to_owned(),
        F::HomeGrowthRatio => format!("Le trafic national est à {} fois son niveau habituel.", N.figure(value)),
        F::BehaviourNats => behaviour(value),
        F::OneSystemShare => format!(
            "Des systèmes d'un même type, d'après la durée de vie et la fenêtre, comptent pour {} des connexions \
             de la forme dominante au-delà de leur part habituelle.",
            percent(figure)
        ),
        F::IdenticalRequestShare => format!(
            "{} des requêtes de la forme dominante sont identiques à l'octet près, parmi celles d'un même système.",
            percent(figure)
        ),
        F::TopShapeShare => format!(
            "{} des connexions supplémentaires ont une seule et même forme{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::SourceSpreadRatio => format!(
            "Dans le trafic supplémentaire, le nombre de connexions par source varie de {} de sa moyenne{}.",
            percent(figure),
            about_share(figure)
        ),
        F::ShapeDivergence => format!(
            "Le mélange des connexions supplémentaires s'écarte du mélange habituel de {} du possible.",
            percent(figure)
        ),
        F::NewNetworkShare => format!(
            "{} des sources supplémentaires sont de réseaux qui n'avaient pas été servis auparavant{}.",
            percent(figure),
            about_share(figure)
        ),
        F::ConnectionsPerSource => format!(
            "Une source supplémentaire ouvre en moyenne {} connexions en dix secondes{}.",
            N.figure(value),
            figure.expected.map(|usual| format!(" ; l'habitude est d'environ {}", N.figure(usual))).unwrap_or_default()
        ),
        F::GapSpreadRatio => format!(
            "Les pauses entre les connexions d'une source supplémentaire varient de {} de leur moyenne{}.",
            percent(figure),
            about_share(figure)
        ),
        F::DeepShare => format!(
            "{} des sources supplémentaires ont ouvert plusieurs choses différentes{}.",
            percent(figure),
            about_share(figure)
        ),
        F::ResponseRatio => format!(
            "Chaque octet demandé par les connexions supplémentaires a rapporté {} fois la réponse habituelle.",
            N.figure(value)
        ),
        F::ReactionRatio => format!(
            "Les nouvelles tentatives sont à {} de ce qu'elles étaient quand le serveur a commencé à défaillir.",
            percent(figure)
        ),
        F::OnsetSeconds => {
            format!("La montée d'un dixième à neuf dixièmes de la hauteur a pris {}.", N.duration(value))
        }
        F::EmptyShare => format!(
            "Sur {} des connexions achevées, le client n'a rien envoyé{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::EmptyPerSecond => {
            format!(
                "{} connexions de cette sorte ont été ouvertes par seconde{}.",
                N.figure(value),
                at_most_rate(figure)
            )
        }
        F::OpenCount => format!("{} connexions sont ouvertes à la fois{}.", N.figure(value), about(figure)),
        F::WaitingCount => format!(
            "{} connexions ouvertes attendent la suite de la requête de leur client{}.",
            N.figure(value),
            about(figure)
        ),
        F::WaitingShare => {
            format!("Elles sont {} des connexions ouvertes{}.", percent(figure), at_most_share(figure))
        }
        F::StayRatio => {
            format!("Les connexions restent ouvertes {} fois plus longtemps que d'habitude.", N.figure(value))
        }
        F::IdleSourcesCount if value.round() <= 1.0 => {
            "Une source a ouvert plus de 50 connexions et n'a presque jamais été servie.".to_owned()
        }
        F::IdleSourcesCount => format!(
            "{} sources ont ouvert chacune plus de 50 connexions et n'ont presque jamais été servies.",
            N.figure(value.round())
        ),
        F::HeaviestSourceCount => format!(
            "La source la plus active a ouvert {} connexions de cette sorte dans les dernières minutes.",
            N.figure(value.round())
        ),
        F::BlockedCount => format!(
            "Sur {} connexions ouvertes, le client ne lit pas ce que le serveur a envoyé{}.",
            N.figure(value),
            about(figure)
        ),
        F::BlockedShare => {
            format!("Ce sont {} des connexions ouvertes{}.", percent(figure), at_most_share(figure))
        }
        F::ProbedHostsCount
        | F::ProbedPortsCount
        | F::FailedContactsShare
        | F::StealthyCount
        | F::AttemptsCount
        | F::AlikeShare
        | F::SentBytes
        | F::ReceivedBytes
        | F::FetchedBytes
        | F::AnswersCount
        | F::OtherClientsCount
        | F::OtherClientsBytes
        | F::SentHourBytes
        | F::NewDestinationShare
        | F::WithoutOutboundSeconds
        | F::UnfollowedShare
        | F::UnfollowedCount
        | F::VisitConversationsCount
        | F::IntervalSeconds
        | F::DeviationSeconds
        | F::RegularityShare
        | F::ConnectionsCount
        | F::CoveredSeconds => return by_source::sentence(figure, alert),
        F::PacketsPerSecond => {
            format!("{} paquets par seconde sont arrivés{}.", N.figure(value), at_most_rate(figure))
        }
        F::BitsPerSecond => format!(
            "Ils portent {} par seconde{}.",
            N.bits(value),
            figure.expected.map(|usual| format!(" ; l'habitude est d'au plus {}", N.bits(usual))).unwrap_or_default()
        ),
        F::OneWayPerSecond => format!(
            "{} datagrammes par seconde sont arrivés auxquels la machine n'a pas répondu{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::OneWayShare => {
            format!("{} des datagrammes sont restés sans réponse{}.", percent(figure), at_most_share(figure))
        }
        F::QuicOpenedPerSecond => {
            format!("Les clients ont commencé {} connexions QUIC par seconde{}.", N.figure(value), at_most_rate(figure))
        }
        F::QuicUnfinishedShare => format!(
            "{} des clients QUIC auxquels la machine a répondu n'ont jamais continué{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::RepliesPerSecond => format!(
            "{} réponses par seconde sont arrivées que la machine n'avait pas demandées{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::ReflectorPort => reflectors(figure, alert),
        F::ReflectorShare if has(alert, F::ReflectorPort) => return None,
        F::ReflectorShare => format!("{} des réponses viennent d'un même service.", percent(figure)),
        F::IcmpPerSecond => {
            format!("{} messages ICMP par seconde sont arrivés{}.", N.figure(value), at_most_rate(figure))
        }
        F::FragmentsPerSecond => {
            format!("{} fragments par seconde sont arrivés{}.", N.figure(value), at_most_rate(figure))
        }
        F::FragmentShare => {
            format!("{} des paquets sont des fragments{}.", percent(figure), at_most_share(figure))
        }
        F::OutOfStatePerSecond => format!(
            "{} segments TCP par seconde n'appartiennent à aucune connexion{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::OutOfStateShare => format!(
            "{} des segments TCP entrants n'appartiennent à aucune connexion{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::OtherProtocolPerSecond => format!(
            "{} paquets par seconde sont arrivés d'autres protocoles que TCP, UDP et ICMP{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::SourcesCount if value >= MOST_SOURCES => {
            format!("En une seconde, ils portent plus de {} adresses sources différentes.", N.figure(MOST_SOURCES))
        }
        F::SourcesCount => {
            format!("En une seconde, ils portent environ {} adresses sources différentes.", N.figure(value))
        }
        F::TargetsCount => format!("Environ {} machines sont touchées en une seconde.", N.figure(value)),
        F::LostShare => format!(
            "{} des trames ont été perdues avant que Vigie ne les voie{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::SilentSeconds => {
            format!("Aucune trame n'a été vue pendant {}{}.", N.duration(value), at_most_time(figure))
        }
    };
    Some(text)
}

/// Writes the share of new visitors' handshakes that went silent beside that of known ones, their control group.
fn silent(figure: &Figure, alert: &Alert) -> String {
    let known = alert.figures.iter().find(|other| other.name == FigureName::SilentKnownShare);
    let control = known.map_or_else(
        || at_most_share(figure),
        |known| format!(" ; visiteurs connus sous la même charge : {}", N.percent(known.observed)),
    );
    format!(
        "{} des ouvertures de nouveaux visiteurs n'ont été ni achevées, ni réessayées, ni annulées{control}.",
        percent(figure)
    )
}

/// Names the service that reflects.
fn reflectors(port: &Figure, alert: &Alert) -> String {
    let share = alert.figures.iter().find(|figure| figure.name == FigureName::ReflectorShare);
    let most = share.map_or_else(|| "La plupart".to_owned(), |share| N.percent(share.observed));
    let number = format!("{:.0}", port.observed);
    match port.port().and_then(super::service) {
        Some(service) => format!("{most} des réponses viennent de serveurs {service} (port UDP {number})."),
        None => format!("{most} des réponses viennent du port UDP {number}."),
    }
}

fn behaviour(nats: f64) -> String {
    let towards = if nats >= BEHAVIOUR_LINE {
        "Les visiteurs supplémentaires ressemblent à des robots selon l'examen du comportement"
    } else if nats <= -BEHAVIOUR_LINE {
        "Les visiteurs supplémentaires se comportent comme des personnes"
    } else {
        "Le comportement des visiteurs supplémentaires ne désigne ni des personnes ni des robots"
    };
    let sign = if nats > 0.0 { "+" } else { "" };
    format!("{towards} (indice {sign}{} ; robots à partir de +4, personnes à partir de -4).", N.figure(nats))
}

fn origins(alert: &Alert) -> Option<String> {
    let share = |origin: &Origin| {
        let country =
            if origin.country.is_known() { origin.country.to_string() } else { "aucun pays connu".to_owned() };
        format!("{country} ({})", N.percent(origin.share.get()))
    };
    let named: Vec<_> = alert.origins.iter().take(MOST_COUNTRIES).map(share).collect();
    (!named.is_empty()).then(|| format!("Pays d'enregistrement des sources vérifiées : {}.", list(&named)))
}

fn leading(alert: &Alert) -> String {
    match alert.origins.first() {
        Some(origin) if origin.country.is_known() => format!("d'adresses enregistrées en {}", origin.country),
        _ => "des adresses d'un même pays".to_owned(),
    }
}

fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} et {last}", first.join(", ")),
    }
}

const fn qualification(caveat: Caveat) -> &'static str {
    match caveat {
        Caveat::OneSided => "Un seul sens du trafic est capturé : ce que l'autre côté a répondu n'est pas connu.",
        Caveat::CaptureLoss => {
            "La capture a perdu des trames pendant cette mesure : débits et proportions peuvent être inexacts."
        }
        Caveat::ColdStart => "La plage habituelle a été apprise en minutes, non en semaines.",
        Caveat::NoProfile => {
            "La plage habituelle a été apprise en heures : ce qui est habituel à ce moment de la semaine n'est pas connu."
        }
        Caveat::YoungProfile => "Le profil hebdomadaire a moins de quinze jours, ou vient d'un voisin.",
        Caveat::DeclaredEvent => "Un événement déclaré est en cours : davantage que d'habitude est attendu.",
        Caveat::Duplicates => {
            "Des trames sont vues plus d'une fois à ce point de capture : les débits en sont corrigés."
        }
        Caveat::EstimatesDiffer => {
            "Les deux estimations de la part d'attaque diffèrent de plus de 15 points : à prendre avec prudence."
        }
        Caveat::Reflectors => {
            "Les émetteurs sont des serveurs que quelqu'un a sollicités au nom de la cible : on ne peut savoir d'ici qui."
        }
        Caveat::Unattributable => "Les adresses ne sont pas prouvées : l'origine ne peut être attribuée.",
        Caveat::Sampled => "Les ouvertures ont été échantillonnées : les chiffres sont des estimations.",
        Caveat::Shed => {
            "Davantage de paquets sont venus qu'on n'en pouvait traiter : un échantillon uniforme des conversations a été jugé, et les débits en sont des estimations."
        }
        Caveat::HumanLike => {
            "La foule venue de l'étranger se comporte comme des personnes, ce qui est compatible avec un intérêt véritable."
        }
        Caveat::ServerSilent => "Le serveur ne répond presque plus : seul le côté des clients a pu être jugé.",
    }
}

fn has(alert: &Alert, name: FigureName) -> bool {
    alert.figures.iter().any(|figure| figure.name == name)
}

fn percent(figure: &Figure) -> String {
    match figure.interval {
        Some((low, high)) => N.percent_within(figure.observed, low, high),
        None => N.percent(figure.observed),
    }
}

/// The complement of an unfinished share, with its interval turned round.
fn finished(figure: &Figure) -> String {
    let turned = Figure {
        observed: 1.0 - figure.observed,
        interval: figure.interval.map(|(low, high)| (1.0 - high, 1.0 - low)),
        ..*figure
    };
    percent(&turned)
}

fn usual(figure: &Figure, most: &str, written: impl Fn(f64) -> String) -> String {
    figure.expected.map(|usual| format!(" ; l'habitude est {most} {}", written(usual))).unwrap_or_default()
}

fn at_most(figure: &Figure) -> String {
    usual(figure, "d'au plus", |value| N.figure(value))
}

fn at_most_rate(figure: &Figure) -> String {
    usual(figure, "d'au plus", |value| N.rate(value))
}

fn at_most_share(figure: &Figure) -> String {
    usual(figure, "d'au plus", |value| N.percent(value))
}

fn at_most_time(figure: &Figure) -> String {
    usual(figure, "d'au plus", |value| N.duration(value))
}

fn about(figure: &Figure) -> String {
    usual(figure, "d'environ", |value| N.figure(value.round()))
}

fn about_rate(figure: &Figure) -> String {
    usual(figure, "d'environ", |value| N.rate(value))
}

fn about_share(figure: &Figure) -> String {
    usual(figure, "d'environ", |value| N.percent(value))
}

fn given_home(figure: &Figure) -> String {
    let expected = |usual| format!(" ; {} au plus sont attendues, au vu du trafic national", N.rate(usual));
    figure.expected.map(expected).unwrap_or_default()
}

pub(super) const fn kind(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::SynFlood => "Inondation SYN",
        AlertKind::ForeignSurge => "Afflux de l'étranger",
        AlertKind::UdpFlood => "Inondation UDP",
        AlertKind::Amplification => "Amplification",
        AlertKind::IcmpFlood => "Inondation ICMP",
        AlertKind::FragmentFlood => "Inondation de fragments",
        AlertKind::TcpFlagFlood => "Inondation TCP hors connexion",
        AlertKind::CarpetBombing => "Bombardement de préfixe",
        AlertKind::RoboticSurge => "Afflux de connexions identiques",
        AlertKind::ConnectionExhaustion => "Épuisement des connexions",
        AlertKind::PortScan => "Balayage de ports",
        AlertKind::HostSweep => "Balayage de machines",
        AlertKind::BruteForce => "Tentatives d'identification d'une source",
        AlertKind::CredentialStuffing => "Tentatives d'identification de nombreuses sources",
        AlertKind::Exfiltration => "Sortie de données inhabituelle",
        AlertKind::NewOutbound => "Nouvelle connexion sortante",
        AlertKind::Beacon => "Connexions sortantes régulières",
        AlertKind::Rush => "Affluence",
        AlertKind::Overload => "Surcharge",
        AlertKind::Outage => "Panne",
        AlertKind::SensorBlind => "Sonde aveugle",
    }
}

pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "attaque",
        Verdict::Rush => "affluence d'utilisateurs",
        Verdict::Mixed => "attaque et surcharge à la fois",
        Verdict::Overload => "surcharge par de vrais utilisateurs",
        Verdict::Suspicion => "soupçon",
        Verdict::Health => "santé du serveur ou de la sonde",
    }
}

pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "alerte",
        Severity::Critical => "critique",
    }
}
