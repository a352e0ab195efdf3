//! English: the one sentence that an official can read.
//!
//! It has three parts: what happens where, in words of the kind; the figure that carries it, where there is one; and what
//! that is held to be, in words of the verdict.

use crate::alert::line::{Alert, Event};
use crate::alert::text::by_source;
use crate::alert::text::notation::Notation;
use crate::detect::finding::FigureName;
use crate::kind::{AlertKind, Verdict};
use crate::policy::LEARNED_SITE;

const N: Notation = Notation::ENGLISH;

pub(super) fn why(alert: &Alert) -> String {
    let over = alert.event == Event::Close;
    let (now, past) = match alert.kind {
        _ if is_growth_alone(alert) => GROWTH,
        _ if is_of_quic(alert) => QUIC,
        kind => what(kind),
    };
    let (now, past) = by_source::what(alert).unwrap_or((now, past));
    let what = if over { past } else { now }.replace("{place}", &place(alert, "the monitored link"));
    format!("{what}{}{}.", measure(alert, over), held_to_be(alert, over))
}

/// What is said of a SYN flood while more requests is all that was measured, or all that is left of it.
const GROWTH: (&str, &str) = (
    "Many more connection requests than usual are reaching {place}",
    "Many more connection requests than usual reached {place}",
);

/// What is said of a UDP flood that opens connections over QUIC.
const QUIC: (&str, &str) = (
    "Connections over QUIC that their senders open and do not use are reaching {place}",
    "Connections over QUIC that their senders opened and did not use reached {place}",
);

/// Tells whether a UDP flood was judged by connections over QUIC.
pub(super) fn is_of_quic(alert: &Alert) -> bool {
    let judged = alert.figures.iter().any(|figure| figure.name == FigureName::QuicUnfinishedShare);
    alert.kind == AlertKind::UdpFlood && judged
}

/// Tells whether nothing was seen, or is held any more, of requests that are not completed.
pub(super) fn is_growth_alone(alert: &Alert) -> bool {
    use FigureName as F;
    let unfinished = [F::UnfinishedShare, F::UnfinishedPerSecond, F::AttackShare, F::SilentShare];
    let seen = alert.figures.iter().any(|figure| unfinished.contains(&figure.name));
    let held = matches!(alert.verdict, Verdict::Attack | Verdict::Mixed | Verdict::Suspicion);
    alert.kind == AlertKind::SynFlood && !(seen && held)
}

/// Names the site, or the address, or what is left. The site that Vigie made up of what it found says nothing to anybody.
pub(super) fn place(alert: &Alert, the_link: &str) -> String {
    match (&alert.target.site, alert.target.prefix) {
        (Some(site), prefix) if prefix.is_none() || **site != *LEARNED_SITE => site.to_string(),
        (_, Some(prefix)) if prefix.is_host() => prefix.network().to_string(),
        (_, Some(prefix)) => prefix.to_string(),
        (_, None) => the_link.to_owned(),
    }
}

/// Returns what happens, while it does and afterwards.
const fn what(kind: AlertKind) -> (&'static str, &'static str) {
    use AlertKind as K;
    match kind {
        K::SynFlood => (
            "Connection requests that their senders do not complete are reaching {place}",
            "Connection requests that their senders did not complete reached {place}",
        ),
        K::ForeignSurge => (
            "Connections to {place} from addresses registered abroad have grown beyond what the traffic from home explains",
            "Connections to {place} from addresses registered abroad grew beyond what the traffic from home explains",
        ),
        K::UdpFlood => (
            "Datagrams that nobody asked for are arriving in great number at {place}",
            "Datagrams that nobody asked for arrived in great number at {place}",
        ),
        K::Amplification => (
            "Replies from outside servers that were never asked are arriving in great number at {place}",
            "Replies from outside servers that were never asked arrived in great number at {place}",
        ),
        K::IcmpFlood => (
            "Ping and other control messages are arriving in great number at {place}",
            "Ping and other control messages arrived in great number at {place}",
        ),
        K::FragmentFlood => (
            "Pieces of packets are arriving in great number at {place}",
            "Pieces of packets arrived in great number at {place}",
        ),
        K::TcpFlagFlood => (
            "Packets that belong to no connection are arriving in great number at {place}",
            "Packets that belong to no connection arrived in great number at {place}",
        ),
        K::CarpetBombing => (
            "Unusual traffic is spread over many addresses of {place} at once, so that none stands out by itself",
            "Unusual traffic was spread over many addresses of {place} at once, so that none stood out by itself",
        ),
        K::RoboticSurge => (
            "Completed connections that all look alike are reaching {place}",
            "Completed connections that all looked alike reached {place}",
        ),
        K::ConnectionExhaustion => (
            "Connections that are held open or carry nothing are taking up places at {place}",
            "Connections that were held open or carried nothing took up places at {place}",
        ),
        K::PortScan => ("One source is trying many ports of {place}", "One source tried many ports of {place}"),
        K::HostSweep => ("One source is trying many hosts of {place}", "One source tried many hosts of {place}"),
        K::BruteForce => (
            "One source is opening one short connection after another to a log-in service of {place}",
            "One source opened one short connection after another to a log-in service of {place}",
        ),
        K::CredentialStuffing => (
            "Many sources are each opening a few short, uniform connections to a log-in service of {place}",
            "Many sources each opened a few short, uniform connections to a log-in service of {place}",
        ),
        K::Exfiltration => (
            "{place} is sending out far more data than it usually does",
            "{place} sent out far more data than it usually does",
        ),
        K::NewOutbound => (
            "{place} is opening connections of its own to the outside, which it was not seen to do before",
            "{place} opened connections of its own to the outside, which it was not seen to do before",
        ),
        K::Beacon => (
            "{place} is making small connections to the outside at regular intervals",
            "{place} made small connections to the outside at regular intervals",
        ),
        K::Rush => ("Many more users than usual are reaching {place}", "Many more users than usual reached {place}"),
        K::Overload => (
            "{place} is not keeping up with the connections that its users ask for",
            "{place} did not keep up with the connections that its users asked for",
        ),
        K::Outage => (
            "{place} serves hardly anyone although users keep asking",
            "{place} served hardly anyone although users kept asking",
        ),
        K::SensorBlind => (
            "Vigie does not see enough of the traffic on {place} to judge it",
            "Vigie did not see enough of the traffic on {place} to judge it",
        ),
    }
}

/// Share of clients refused from which that is the sign of an overload: less is ordinary.
const SIGN: f64 = 0.05;

/// Returns by what an overload shows most, and how much: clients turned away, attempts left unanswered, or a slow first byte.
pub(super) fn leading_sign(alert: &Alert) -> Option<(FigureName, f64)> {
    use FigureName as F;
    let of = |name| alert.figures.iter().find(|figure| figure.name == name).map(|figure| (name, figure.observed));
    let refused = [of(F::UnansweredShare), of(F::TurnedAwayShare)].into_iter().flatten();
    let most = refused.reduce(|a, b| if b.1 > a.1 { b } else { a });
    let slow = [of(F::FirstByteSeconds), of(F::AnswerSeconds)].into_iter().flatten();
    let slowest = slow.reduce(|a, b| if b.1 > a.1 { b } else { a });
    most.filter(|(_, share)| *share >= SIGN).or(slowest).or(most)
}

/// Returns the figure that carries the sentence, as a clause.
fn measure(alert: &Alert, over: bool) -> String {
    let (are, stay, is) = if over { ("were", "stayed", "was") } else { ("are", "stay", "is") };
    let is_open = if over { "waited" } else { "wait" };
    let of = |name| alert.figures.iter().find(|figure| figure.name == name);
    let figure = match alert.kind {
        AlertKind::SynFlood if is_growth_alone(alert) => {
            of(FigureName::FirstSynsPerSecond).map(|rate| format!(", {}", N.rate(rate.observed)))
        }
        AlertKind::SynFlood => of(FigureName::AttackShare)
            .map(|share| format!(", {} of all requests", N.percent(share.observed)))
            .or_else(|| of(FigureName::UnfinishedPerSecond).map(|rate| format!(", {}", N.rate(rate.observed)))),
        AlertKind::ForeignSurge => of(FigureName::ForeignShare)
            .map(|share| format!(": they {are} {} of all connections", N.percent(share.observed))),
        AlertKind::Rush => of(FigureName::HomeGrowthRatio)
            .filter(|growth| growth.observed >= 1.5)
            .map(|growth| format!(", from home about {} times the usual number", N.figure(growth.observed.round())))
            .or_else(|| mostly_from(alert)),
        AlertKind::RoboticSurge => of(FigureName::ExcessPerSecond)
            .map(|rate| format!(", about {} a second beyond the usual number", N.figure(rate.observed.round()))),
        AlertKind::Overload => leading_sign(alert).map(|(sign, value)| match sign {
            FigureName::TurnedAwayShare => format!(": {} of those it had let in {are} turned away", N.percent(value)),
            FigureName::UnansweredShare => format!(": {} of their attempts {stay} without an answer", N.percent(value)),
            _ => format!(": half of them {is_open} {} or longer", N.duration(value)),
        }),
        AlertKind::ConnectionExhaustion => of(FigureName::WaitingCount)
            .map(|count| format!(": {} {is_open} for a request that does not come", N.figure(count.observed)))
            .or_else(|| {
                of(FigureName::BlockedCount).map(|count| format!(": {} {are} not read from", N.figure(count.observed)))
            })
            .or_else(|| {
                of(FigureName::EmptyShare).map(|share| format!(": on {} nothing {is} sent", N.percent(share.observed)))
            }),
        AlertKind::UdpFlood | AlertKind::FragmentFlood | AlertKind::IcmpFlood | AlertKind::TcpFlagFlood => rate(alert),
        AlertKind::Amplification => of(FigureName::ReflectorPort)
            .and_then(|figure| figure.port().and_then(super::service))
            .map(|service| format!(", most of them from {service} servers"))
            .map(|from| format!("{from}{}", rate(alert).unwrap_or_default())),
        AlertKind::CarpetBombing => of(FigureName::TargetsCount)
            .map(|hosts| format!(": about {} of them within a second", N.figure(hosts.observed))),
        AlertKind::PortScan
        | AlertKind::HostSweep
        | AlertKind::BruteForce
        | AlertKind::CredentialStuffing
        | AlertKind::Exfiltration
        | AlertKind::Beacon => by_source::measure(alert),
        AlertKind::SensorBlind => of(FigureName::LostShare)
            .map(|share| format!(": {} of it {is} lost", N.percent(share.observed)))
            .or_else(|| of(FigureName::SilentSeconds).map(|s| format!(": nothing for {}", N.duration(s.observed)))),
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
    let bits = large.map(|bits| format!(", {} a second", N.bits(bits.observed)));
    bits.or_else(|| packets.into_iter().find_map(of).map(|rate| format!(", {}", N.rate(rate.observed))))
}

/// Share of a crowd from which the country that most of it comes from is named.
pub(super) const MOST: f64 = 0.5;

/// Says where a crowd comes from when its growth from home is not known or small: the leading country and its share.
fn mostly_from(alert: &Alert) -> Option<String> {
    let leading = alert.origins.first().filter(|origin| origin.country.is_known() && origin.share.get() >= MOST)?;
    Some(format!(", {} of them from addresses registered in {}", N.percent(leading.share.get()), leading.country))
}

/// Returns what it is held to be, as a clause.
fn held_to_be(alert: &Alert, over: bool) -> String {
    let origin = if alert.spoofed { "; the senders are forged, so the origin cannot be attributed" } else { "" };
    match (alert.verdict, alert.kind) {
        (Verdict::Attack, AlertKind::SynFlood) => {
            format!("; people complete theirs, so this {} an attack and not a rush of users{origin}", verb(over))
        }
        (Verdict::Attack, AlertKind::ForeignSurge) => {
            format!(
                "; the visitors behave{} like machines, so this {} held to be an attack{origin}",
                ed(over, "d"),
                verb(over)
            )
        }
        (Verdict::Attack, AlertKind::Overload | AlertKind::Outage) => {
            format!("; the cause {} held to be an attack, without which the service would hold", verb(over))
        }
        (Verdict::Attack, _) => format!("; this {} held to be an attack and not a rush of users{origin}", verb(over)),
        (Verdict::Mixed, _) => format!(
            "; at the same time real users alone ask{} for more than the server bears: attack and overload together{origin}",
            ed(over, "ed")
        ),
        (Verdict::Overload, AlertKind::Overload) if alert.beside_attack => {
            format!(
                "; the demand {} real, and how much of this is due to the attack at the same time is not known",
                verb(over)
            )
        }
        (Verdict::Overload, AlertKind::Overload) => {
            format!("; the demand {} real, and there is no sign that an attack causes this", verb(over))
        }
        (Verdict::Overload, _) => {
            format!("; real demand beyond what the server bears {} the better explanation", verb(over))
        }
        (Verdict::Rush, AlertKind::Rush) if alert.beside_attack => {
            format!(
                "; these visitors behave{} like people, and an attack at the same time {} an alert of its own",
                ed(over, "d"),
                if over { "had" } else { "has" }
            )
        }
        (Verdict::Rush, AlertKind::Rush) => {
            format!("; the visitors behave{} like people, and this {} no attack", ed(over, "d"), verb(over))
        }
        (Verdict::Rush, _) => {
            format!(
                "; the senders behave{} like people, so this {} held to be a rush of users",
                ed(over, "d"),
                verb(over)
            )
        }
        (Verdict::Suspicion, AlertKind::SynFlood) if is_growth_alone(alert) => {
            "; this is consistent with a rush of users as well as with an attack".to_owned()
        }
        (Verdict::Suspicion, kind) => format!("; this is consistent with {}", hint(kind)),
        (Verdict::Health, AlertKind::SensorBlind) => "; the verdicts of this time are not to be relied on".to_owned(),
        (Verdict::Health, _) => {
            format!("; there {} no additional demand, so the cause lies with the server or its network", verb(over))
        }
    }
}

const fn verb(over: bool) -> &'static str {
    if over { "was" } else { "is" }
}

/// Returns the ending of a past tense.
const fn ed(over: bool, ending: &'static str) -> &'static str {
    if over { ending } else { "" }
}

/// Returns what a suspicion is consistent with.
const fn hint(kind: AlertKind) -> &'static str {
    use AlertKind as K;
    match kind {
        K::SynFlood => "a flood of forged requests, and does not prove it",
        K::ForeignSurge => "an attack from abroad as well as with genuine interest there",
        K::RoboticSurge => "robots at work, and does not prove it",
        K::ConnectionExhaustion => "an attempt to use up the server's connections, and does not prove it",
        K::PortScan | K::HostSweep => "a search for open doors, and does not prove it",
        K::BruteForce => "the guessing of passwords, and does not prove it",
        K::CredentialStuffing => "the trying of stolen passwords, and does not prove it",
        K::Exfiltration => "data being copied out as well as with an unusual but rightful use",
        K::NewOutbound => "a compromised server as well as with a new, rightful use",
        K::Beacon => "a hidden program reporting to its owner as well as with routine checks",
        K::Rush => "a rush of users",
        K::Overload | K::Outage => "a server that cannot keep up",
        K::SensorBlind => "a fault of the capture",
        _ => "a flood meant to take up the line, and does not prove it",
    }
}
