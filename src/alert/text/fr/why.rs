//! French: the one sentence that an official can read, in the same three parts as the English one.

use super::{N, by_source};
use crate::alert::line::{Alert, Event};
use crate::alert::text::why::{MOST, is_growth_alone, is_of_quic, leading_sign, place};
use crate::detect::finding::FigureName;
use crate::kind::{AlertKind, Verdict};

pub(super) fn why(alert: &Alert) -> String {
    let over = alert.event == Event::Close;
    let growth = is_growth_alone(alert);
    let (now, past) = match alert.kind {
        _ if growth => GROWTH,
        _ if is_of_quic(alert) => QUIC,
        kind => what(kind),
    };
    let (now, past) = by_source::what(alert).unwrap_or((now, past));
    let what = if over { past } else { now }.replace("{place}", &place(alert, "la liaison surveillée"));
    format!("{what}{}{}.", measure(alert, over, growth), held_to_be(alert, over, growth))
}

/// What is said of a SYN flood while more requests is all that was measured, or all that is left of it.
const GROWTH: (&str, &str) = (
    "Bien plus de demandes de connexion que d'habitude arrivent sur {place}",
    "Bien plus de demandes de connexion que d'habitude sont arrivées sur {place}",
);

/// What is said of a UDP flood that opens connections over QUIC.
const QUIC: (&str, &str) = (
    "Des connexions QUIC que leurs émetteurs ouvrent sans s'en servir arrivent sur {place}",
    "Des connexions QUIC que leurs émetteurs ont ouvertes sans s'en servir sont arrivées sur {place}",
);

/// Returns what happens, while it does and afterwards.
const fn what(kind: AlertKind) -> (&'static str, &'static str) {
    use AlertKind as K;
    match kind {
        K::SynFlood => (
            "Des demandes de connexion que leurs émetteurs n'achèvent pas arrivent sur {place}",
            "Des demandes de connexion que leurs émetteurs n'ont pas achevées sont arrivées sur {place}",
        ),
        K::ForeignSurge => (
            "Les connexions vers {place} depuis des adresses enregistrées à l'étranger ont augmenté plus que le trafic \
             national ne l'explique",
            "Les connexions vers {place} depuis des adresses enregistrées à l'étranger avaient augmenté plus que le \
             trafic national ne l'explique",
        ),
        K::UdpFlood => (
            "Des datagrammes que personne n'a demandés arrivent en grand nombre sur {place}",
            "Des datagrammes que personne n'avait demandés sont arrivés en grand nombre sur {place}",
        ),
        K::Amplification => (
            "Des réponses de serveurs extérieurs à qui rien n'a été demandé arrivent en grand nombre sur {place}",
            "Des réponses de serveurs extérieurs à qui rien n'avait été demandé sont arrivées en grand nombre sur {place}",
        ),
        K::IcmpFlood => (
            "Des « pings » et autres messages de contrôle arrivent en grand nombre sur {place}",
            "Des « pings » et autres messages de contrôle sont arrivés en grand nombre sur {place}",
        ),
        K::FragmentFlood => (
            "Des fragments de paquets arrivent en grand nombre sur {place}",
            "Des fragments de paquets sont arrivés en grand nombre sur {place}",
        ),
        K::TcpFlagFlood => (
            "Des paquets qui n'appartiennent à aucune connexion arrivent en grand nombre sur {place}",
            "Des paquets qui n'appartenaient à aucune connexion sont arrivés en grand nombre sur {place}",
        ),
        K::CarpetBombing => (
            "Un trafic inhabituel se répartit sur de nombreuses adresses de {place} à la fois, sans qu'aucune se \
             distingue à elle seule",
            "Un trafic inhabituel s'est réparti sur de nombreuses adresses de {place} à la fois, sans qu'aucune se \
             distingue à elle seule",
        ),
        K::RoboticSurge => (
            "Des connexions complètes et toutes semblables arrivent sur {place}",
            "Des connexions complètes et toutes semblables sont arrivées sur {place}",
        ),
        K::ConnectionExhaustion => (
            "Des connexions gardées ouvertes ou vides occupent des places sur {place}",
            "Des connexions gardées ouvertes ou vides ont occupé des places sur {place}",
        ),
        K::PortScan => (
            "Une même source essaie de nombreux ports de {place}",
            "Une même source a essayé de nombreux ports de {place}",
        ),
        K::HostSweep => (
            "Une même source essaie de nombreuses machines de {place}",
            "Une même source a essayé de nombreuses machines de {place}",
        ),
        K::BruteForce => (
            "Une même source ouvre une courte connexion après l'autre vers un service d'identification de {place}",
            "Une même source a ouvert une courte connexion après l'autre vers un service d'identification de {place}",
        ),
        K::CredentialStuffing => (
            "De nombreuses sources ouvrent chacune quelques connexions courtes et uniformes vers un service \
             d'identification de {place}",
            "De nombreuses sources ont ouvert chacune quelques connexions courtes et uniformes vers un service \
             d'identification de {place}",
        ),
        K::Exfiltration => (
            "{place} envoie vers l'extérieur bien plus de données que d'habitude",
            "{place} a envoyé vers l'extérieur bien plus de données que d'habitude",
        ),
        K::NewOutbound => (
            "{place} ouvre de lui-même des connexions vers l'extérieur, ce qui n'avait pas été vu auparavant",
            "{place} a ouvert de lui-même des connexions vers l'extérieur, ce qui n'avait pas été vu auparavant",
        ),
        K::Beacon => (
            "{place} établit de petites connexions vers l'extérieur à intervalles réguliers",
            "{place} a établi de petites connexions vers l'extérieur à intervalles réguliers",
        ),
        K::Rush => (
            "Bien plus d'utilisateurs que d'habitude se connectent à {place}",
            "Bien plus d'utilisateurs que d'habitude se sont connectés à {place}",
        ),
        K::Overload => (
            "{place} ne suit pas le rythme des connexions que ses utilisateurs demandent",
            "{place} n'a pas suivi le rythme des connexions que ses utilisateurs demandaient",
        ),
        K::Outage => (
            "{place} ne sert presque plus personne alors que les utilisateurs continuent de demander",
            "{place} n'a presque plus servi personne alors que les utilisateurs continuaient de demander",
        ),
        K::SensorBlind => (
            "Vigie ne voit pas assez du trafic sur {place} pour le juger",
            "Vigie n'a pas vu assez du trafic sur {place} pour le juger",
        ),
    }
}

/// Returns the figure that carries the sentence, as a clause.
fn measure(alert: &Alert, over: bool, growth: bool) -> String {
    let (are, stay, is, wait) = if over {
        ("étaient", "sont restées", "était", "attendaient")
    } else {
        ("sont", "restent", "est", "attendent")
    };
    let of = |name| alert.figures.iter().find(|figure| figure.name == name);
    let figure = match alert.kind {
        AlertKind::SynFlood if growth => {
            of(FigureName::FirstSynsPerSecond).map(|rate| format!(", {}", N.rate(rate.observed)))
        }
        AlertKind::SynFlood => of(FigureName::AttackShare)
            .map(|share| format!(", {} de toutes les demandes", N.percent(share.observed)))
            .or_else(|| of(FigureName::UnfinishedPerSecond).map(|rate| format!(", {}", N.rate(rate.observed)))),
        AlertKind::ForeignSurge => of(FigureName::ForeignShare)
            .map(|share| format!(" : elles {are} {} de toutes les connexions", N.percent(share.observed))),
        AlertKind::Rush => of(FigureName::HomeGrowthRatio)
            .filter(|growth| growth.observed >= 1.5)
            .map(|growth| {
                format!(", depuis le pays environ {} fois le nombre habituel", N.figure(growth.observed.round()))
            })
            .or_else(|| mostly_from(alert)),
        AlertKind::RoboticSurge => of(FigureName::ExcessPerSecond).map(|rate| {
            format!(", environ {} par seconde au-delà du nombre habituel", N.figure(rate.observed.round()))
        }),
        AlertKind::Overload => leading_sign(alert).map(|(sign, value)| match sign {
            FigureName::TurnedAwayShare => {
                let were = if over { "ont été éconduits" } else { "sont éconduits" };
                format!(" : {} de ceux qu'il avait admis {were}", N.percent(value))
            }
            FigureName::UnansweredShare => format!(" : {} de leurs tentatives {stay} sans réponse", N.percent(value)),
            _ => format!(" : la moitié d'entre eux {wait} {} ou plus", N.duration(value)),
        }),
        AlertKind::ConnectionExhaustion => of(FigureName::WaitingCount)
            .map(|count| format!(" : {} {wait} une requête qui ne vient pas", N.figure(count.observed)))
            .or_else(|| {
                of(FigureName::BlockedCount)
                    .map(|count| format!(" : sur {} le client ne lit pas la réponse", N.figure(count.observed)))
            })
            .or_else(|| {
                of(FigureName::EmptyShare)
                    .map(|share| format!(" : sur {} d'entre elles rien n'{is} envoyé", N.percent(share.observed)))
            }),
        AlertKind::UdpFlood | AlertKind::FragmentFlood | AlertKind::IcmpFlood | AlertKind::TcpFlagFlood => rate(alert),
        AlertKind::Amplification => of(FigureName::ReflectorPort)
            .and_then(|figure| figure.port().and_then(crate::alert::text::service))
            .map(|service| format!(", la plupart de serveurs {service}"))
            .map(|from| format!("{from}{}", rate(alert).unwrap_or_default())),
        AlertKind::CarpetBombing => of(FigureName::TargetsCount)
            .map(|hosts| format!(" : environ {} d'entre elles en une seconde", N.figure(hosts.observed))),
        AlertKind::PortScan
        | AlertKind::HostSweep
        | AlertKind::BruteForce
        | AlertKind::CredentialStuffing
        | AlertKind::Exfiltration
        | AlertKind::Beacon => by_source::measure(alert),
        AlertKind::SensorBlind => of(FigureName::LostShare)
            .map(|share| format!(" : {} en {is} perdu", N.percent(share.observed)))
            .or_else(|| of(FigureName::SilentSeconds).map(|s| format!(" : rien pendant {}", N.duration(s.observed)))),
        _ => None,
    };
    figure.unwrap_or_default()
}

/// Returns bits a second, or else packets, as a clause.
fn rate(alert: &Alert) -> Option<String> {
    use FigureName as F;
    let packets = [
        F::OneWayPerSecond,
        F::QuicOpenedPerSecond,
        F::OtherProtocolPerSecond,
        F::RepliesPerSecond,
        F::IcmpPerSecond,
        F::FragmentsPerSecond,
        F::OutOfStatePerSecond,
    ];
    let of = |name| alert.figures.iter().find(|figure| figure.name == name);
    let large = of(F::BitsPerSecond).filter(|bits| bits.observed >= 1e6);
    let bits = large.map(|bits| format!(", {} par seconde", N.bits(bits.observed)));
    bits.or_else(|| packets.into_iter().find_map(of).map(|rate| format!(", {}", N.rate(rate.observed))))
}

/// Says where a crowd comes from when its growth from home is not known or small.
fn mostly_from(alert: &Alert) -> Option<String> {
    let leading = alert.origins.first().filter(|origin| origin.country.is_known() && origin.share.get() >= MOST)?;
    Some(format!(
        ", {} d'entre eux depuis des adresses enregistrées en {}",
        N.percent(leading.share.get()),
        leading.country
    ))
}

/// Returns what it is held to be, as a clause.
fn held_to_be(alert: &Alert, over: bool, growth: bool) -> String {
    let is = if over { "c'était" } else { "c'est" };
    let origin =
        if alert.spoofed { " ; les émetteurs sont falsifiés, l'origine ne peut donc être attribuée" } else { "" };
    match (alert.verdict, alert.kind) {
        (Verdict::Attack, AlertKind::SynFlood) => {
            format!(" ; des personnes achèvent les leurs, {is} donc une attaque et non une affluence{origin}")
        }
        (Verdict::Attack, AlertKind::ForeignSurge) => {
            let behave = if over { "se comportaient" } else { "se comportent" };
            format!(" ; les visiteurs {behave} comme des machines, {is} donc tenu pour une attaque{origin}")
        }
        (Verdict::Attack, AlertKind::Overload | AlertKind::Outage) => {
            " ; la cause tenue pour vraie est une attaque, sans laquelle le service aurait résisté".to_owned()
        }
        (Verdict::Attack, _) => format!(" ; {is} tenu pour une attaque et non pour une affluence{origin}"),
        (Verdict::Mixed, _) => format!(
            " ; en même temps, de vrais utilisateurs {} à eux seuls plus que le serveur ne supporte : attaque et surcharge à \
             la fois{origin}",
            if over { "demandaient" } else { "demandent" }
        ),
        (Verdict::Overload, AlertKind::Overload) if alert.beside_attack => {
            format!(" ; la demande {} réelle, et la part de l'attaque au même moment n'est pas connue", was(over))
        }
        (Verdict::Overload, AlertKind::Overload) => {
            format!(" ; la demande {} réelle, et rien n'indique qu'une attaque en soit la cause", was(over))
        }
        (Verdict::Overload, _) => {
            format!(
                " ; une demande réelle au-delà de ce que le serveur supporte en {} la meilleure explication",
                was(over)
            )
        }
        (Verdict::Rush, AlertKind::Rush) if alert.beside_attack => {
            let (behave, has) = if over { ("se comportaient", "avait") } else { ("se comportent", "a") };
            format!(
                " ; ces visiteurs {behave} comme des personnes, et une attaque au même moment {has} une alerte à elle"
            )
        }
        (Verdict::Rush, AlertKind::Rush) => {
            let behave = if over { "se comportaient" } else { "se comportent" };
            format!(" ; les visiteurs {behave} comme des personnes, ce n'{} pas une attaque", was(over))
        }
        (Verdict::Rush, _) => {
            let behave = if over { "se comportaient" } else { "se comportent" };
            format!(" ; les émetteurs {behave} comme des personnes, {is} donc tenu pour une affluence")
        }
        (Verdict::Suspicion, AlertKind::SynFlood) if growth => {
            " ; cela est compatible avec une affluence comme avec une attaque".to_owned()
        }
        (Verdict::Suspicion, kind) => format!(" ; cela est compatible avec {}", hint(kind)),
        (Verdict::Health, AlertKind::SensorBlind) => {
            " ; il ne faut pas se fier aux verdicts de cette période".to_owned()
        }
        (Verdict::Health, _) => {
            format!(
                " ; il n'y {} pas de demande supplémentaire, la cause est donc du côté du serveur ou de son réseau",
                if over { "avait" } else { "a" }
            )
        }
    }
}

const fn was(over: bool) -> &'static str {
    if over { "était" } else { "est" }
}

/// Returns what a suspicion is compatible with.
const fn hint(kind: AlertKind) -> &'static str {
    use AlertKind as K;
    match kind {
        K::SynFlood => "un flot de demandes falsifiées, sans le prouver",
        K::ForeignSurge => "une attaque depuis l'étranger comme avec un intérêt véritable là-bas",
        K::RoboticSurge => "l'action de robots, sans la prouver",
        K::ConnectionExhaustion => "une tentative d'épuiser les connexions du serveur, sans la prouver",
        K::PortScan | K::HostSweep => "une recherche de portes ouvertes, sans la prouver",
        K::BruteForce => "des essais de mots de passe, sans les prouver",
        K::CredentialStuffing => "l'essai de mots de passe volés, sans le prouver",
        K::Exfiltration => "une copie de données vers l'extérieur comme avec un usage inhabituel mais légitime",
        K::NewOutbound => "un serveur compromis comme avec un usage nouveau et légitime",
        K::Beacon => "un programme caché qui rend compte à son maître comme avec des contrôles de routine",
        K::Rush => "une affluence",
        K::Overload | K::Outage => "un serveur qui ne suit plus",
        K::SensorBlind => "un défaut de la capture",
        _ => "un flot destiné à saturer la liaison, sans le prouver",
    }
}
