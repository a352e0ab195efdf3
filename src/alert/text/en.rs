//! English: evidence sentences and names.

use crate::alert::line::Alert;
use crate::alert::text::by_source;
use crate::alert::text::notation::Notation;
use crate::detect::finding::{Caveat, Figure, FigureName};
use crate::kind::{AlertKind, Verdict};

const N: Notation = Notation::ENGLISH;

/// Behaviour evidence from which a crowd counts as robots, and below whose negative as people (DETECTION 4.2, FC-1).
const BEHAVIOUR_LINE: f64 = 4.0;
/// Different senders in a second up to which their number is an estimate (`summary::Distinct`).
const MOST_SOURCES: f64 = 5_000.0;
/// Countries that one sentence names.
const MOST_COUNTRIES: usize = 5;

pub(super) fn evidence(alert: &Alert) -> Vec<String> {
    let mut sentences: Vec<String> = alert.figures.iter().filter_map(|figure| sentence(figure, alert)).collect();
    sentences.extend(origins(alert));
    if alert.spoofed {
        sentences.push("The sources are forged: the origin cannot be attributed.".to_owned());
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
        F::FirstSynsPerSecond => {
            format!("Clients asked for {} new connections a second{}.", N.figure(value), at_most_rate(figure))
        }
        F::UnfinishedShare => format!(
            "Clients finished {} of the handshakes the server answered{}.",
            finished(figure),
            figure.expected.map(|usual| format!("; usual is at least {}", N.percent(1.0 - usual))).unwrap_or_default()
        ),
        F::UnfinishedPerSecond => format!(
            "The server answered {} handshakes a second that no client finished{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::AttackShare => format!(
            "{} of the connection attempts are held to be forged or never meant to finish{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::SilentShare => silent(figure, alert),
        F::SilentKnownShare if has(alert, F::SilentShare) => return None,
        F::SilentKnownShare => format!(
            "{} of the handshakes of known visitors were neither finished, retried nor reset{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::HalfOpenCount => format!(
            "About {} handshakes are left half-open on the server at once{}.",
            N.figure(value),
            figure.expected.map(|room| format!("; at most {} is expected", N.limit(room))).unwrap_or_default()
        ),
        F::NetworksCount => format!(
            "The unfinished handshakes bear addresses of {} different networks within ten seconds{}.",
            N.figure(value),
            at_most(figure)
        ),
        F::SingleSourceShare => format!("{} of their addresses appear once in ten seconds.", percent(figure)),
        F::ImpossibleSourceShare => format!(
            "{} of the addresses lie in space that no sender can have; of addresses drawn at random 13 % do.",
            percent(figure)
        ),
        F::SignatureShare => format!(
            "{} of the unfinished requests bear one and the same time to live and window{}.",
            percent(figure),
            figure.expected.map(|usual| format!("; in quiet traffic {} do", N.percent(usual))).unwrap_or_default()
        ),
        F::HighTtlShare => {
            format!("{} of them have a time to live above 200, which ordinary systems do not use.", percent(figure))
        }
        F::ResetShare => format!(
            "{} of the answered requests were reset by their senders{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::UnansweredShare => {
            format!(
                "The server left {} of the connection attempts unanswered{}.",
                percent(figure),
                at_most_share(figure)
            )
        }
        F::RetriedShare if value < 0.01 => "None of the unanswered attempts was tried again so far.".to_owned(),
        F::RetriedShare => {
            format!("{} of the unanswered attempts were tried again, which is what real clients do.", percent(figure))
        }
        F::RefusedShare => format!(
            "Closed ports refused {} of the connection attempts with a reset{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::TurnedAwayShare => format!(
            "The server turned away {} of the finished handshakes, the sign of a full accept queue{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::FirstByteSeconds => format!(
            "Half of the clients waited {} or longer for the server's first byte{}.",
            N.duration(value),
            figure.expected.map(|usual| format!("; usual is at most {}", N.duration(usual))).unwrap_or_default()
        ),
        F::AnswerSeconds => format!(
            "Half of the questions on open connections waited {} or longer for the server's answer{}.",
            N.duration(value),
            figure.expected.map(|usual| format!("; usual is at most {}", N.duration(usual))).unwrap_or_default()
        ),
        F::GivenUpShare => {
            format!("On {} of the questions the client ended the connection instead of waiting.", percent(figure))
        }
        F::VerifiedPerSecond => format!(
            "Clients that proved their address opened {} connections a second{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::ExcessPerSecond => format!("{} of them a second are beyond what is usual.", N.figure(value)),
        F::ServedPerSecond => {
            format!("The server sent data on {} new connections a second{}.", N.figure(value), about_rate(figure))
        }
        F::DemandPerSecond => format!(
            "Legitimate demand stands at {} connections a second{}.",
            N.figure(value),
            figure
                .expected
                .map(|shown| format!("; the service has borne {} so far", N.rate(shown)))
                .unwrap_or_default()
        ),
        F::ForeignPerSecond => format!(
            "{} connections a second came from addresses registered abroad{}.",
            N.figure(value),
            given_home(figure)
        ),
        F::ForeignShare => format!(
            "{} of the verified connections came from addresses registered abroad{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::CountryPerSecond => {
            format!("{} connections a second came from {}{}.", N.figure(value), leading(alert), given_home(figure))
        }
        F::SystemShare => {
            let system = alert.origins.iter().find_map(|origin| origin.asn);
            let named = system.map_or_else(String::new, |number| format!(", AS{number}"));
            format!("{} of the additional connections come from one autonomous system{named}.", percent(figure))
        }
        F::NewSourceShare => {
            format!(
                "{} of the visitors from abroad were never served before{}.",
                percent(figure),
                at_most_share(figure)
            )
        }
        F::HomeGrowthRatio if value < 1.05 => "Traffic from home has not grown.".to_owned(),
        F::HomeGrowthRatio => format!("Traffic from home stands at {} times its usual level.", N.figure(value)),
        F::BehaviourNats => behaviour(value),
        F::OneSystemShare => format!(
            "Systems of one kind, by hop limit and window, account for {} of those of the leading shape beyond their usual part.",
            percent(figure)
        ),
        F::IdenticalRequestShare => format!(
            "{} of the requests of the leading shape are alike to the byte, among those of one system each.",
            percent(figure)
        ),
        F::TopShapeShare => format!(
            "{} of the additional connections have one and the same shape{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::SourceSpreadRatio => format!(
            "Connections per source vary by {} of their mean in the additional traffic{}.",
            percent(figure),
            figure.expected.map(|usual| format!("; usual is about {}", N.percent(usual))).unwrap_or_default()
        ),
        F::ShapeDivergence => format!(
            "The mixture of the additional connections differs from the usual one by {} of what is possible.",
            percent(figure)
        ),
        F::NewNetworkShare => format!(
            "{} of the additional sources are of networks that were not served before{}.",
            percent(figure),
            about_share(figure)
        ),
        F::ConnectionsPerSource => format!(
            "An additional source opens {} connections in ten seconds on average{}.",
            N.figure(value),
            figure.expected.map(|usual| format!("; usual is about {}", N.figure(usual))).unwrap_or_default()
        ),
        F::GapSpreadRatio => format!(
            "The pauses between one additional source's connections vary by {} of their mean{}.",
            percent(figure),
            about_share(figure)
        ),
        F::DeepShare => format!(
            "{} of the additional sources opened several different things{}.",
            percent(figure),
            about_share(figure)
        ),
        F::ResponseRatio => format!(
            "Each byte asked for by the additional connections brought {} times the usual response.",
            N.figure(value)
        ),
        F::ReactionRatio => {
            format!("New attempts stand at {} of what they were when the server began to fail.", percent(figure))
        }
        F::OnsetSeconds => format!("The rise from a tenth to nine tenths of its height took {}.", N.duration(value)),
        F::EmptyShare => format!(
            "On {} of the completed connections the client sent nothing{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::EmptyPerSecond => {
            format!("{} such connections a second were opened{}.", N.figure(value), at_most_rate(figure))
        }
        F::OpenCount => format!("{} connections are open at once{}.", N.figure(value), about(figure)),
        F::WaitingCount => format!(
            "{} open connections wait for the rest of their client's request{}.",
            N.figure(value),
            about(figure)
        ),
        F::WaitingShare => format!("They are {} of the open connections{}.", percent(figure), at_most_share(figure)),
        F::StayRatio => format!("Connections stay open {} times as long as usual.", N.figure(value)),
        F::IdleSourcesCount => {
            format!("{} opened more than 50 connections each and were hardly ever served.", sources(value))
        }
        F::HeaviestSourceCount => {
            format!("The heaviest source opened {} such connections in the last minutes.", N.figure(value.round()))
        }
        F::BlockedCount => format!(
            "On {} open connections the client does not read what the server has sent{}.",
            N.figure(value),
            about(figure)
        ),
        F::BlockedShare => format!("These are {} of the open connections{}.", percent(figure), at_most_share(figure)),
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
        F::PacketsPerSecond => format!("{} packets a second arrived{}.", N.figure(value), at_most_rate(figure)),
        F::BitsPerSecond => format!(
            "They carry {} a second{}.",
            N.bits(value),
            figure.expected.map(|usual| format!("; usual is at most {}", N.bits(usual))).unwrap_or_default()
        ),
        F::OneWayPerSecond => {
            format!(
                "{} datagrams a second arrived that the host did not answer{}.",
                N.figure(value),
                at_most_rate(figure)
            )
        }
        F::OneWayShare => {
            format!("{} of the datagrams got no answer{}.", percent(figure), at_most_share(figure))
        }
        F::QuicOpenedPerSecond => {
            format!("Clients began {} QUIC connections a second{}.", N.figure(value), at_most_rate(figure))
        }
        F::QuicUnfinishedShare => format!(
            "{} of the QUIC clients that the host answered never went on{}.",
            percent(figure),
            at_most_share(figure)
        ),
        F::RepliesPerSecond => format!(
            "{} replies a second arrived that the host had not asked for{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::ReflectorPort => reflectors(figure, alert),
        F::ReflectorShare if has(alert, F::ReflectorPort) => return None,
        F::ReflectorShare => format!("{} of the replies come from one service.", percent(figure)),
        F::IcmpPerSecond => {
            format!("{} ICMP messages a second arrived{}.", N.figure(value), at_most_rate(figure))
        }
        F::FragmentsPerSecond => {
            format!("{} fragments a second arrived{}.", N.figure(value), at_most_rate(figure))
        }
        F::FragmentShare => {
            format!("{} of the packets are fragments{}.", percent(figure), at_most_share(figure))
        }
        F::OutOfStatePerSecond => {
            format!("{} TCP segments a second belong to no connection{}.", N.figure(value), at_most_rate(figure))
        }
        F::OutOfStateShare => {
            format!("{} of the inbound TCP segments belong to no connection{}.", percent(figure), at_most_share(figure))
        }
        F::OtherProtocolPerSecond => format!(
            "{} packets a second arrived of protocols other than TCP, UDP and ICMP{}.",
            N.figure(value),
            at_most_rate(figure)
        ),
        F::SourcesCount if value >= MOST_SOURCES => {
            format!("They bear more than {} different source addresses within a second.", N.figure(MOST_SOURCES))
        }
        F::SourcesCount => {
            format!("They bear about {} different source addresses within a second.", N.figure(value))
        }
        F::TargetsCount => format!("About {} hosts are hit within a second.", N.figure(value)),
        F::LostShare => {
            format!("{} of the frames were lost before Vigie saw them{}.", percent(figure), at_most_share(figure))
        }
        F::SilentSeconds => format!("No frame was seen for {}{}.", N.duration(value), at_most_time(figure)),
    };
    Some(text)
}

/// Writes the share of new visitors' handshakes that went silent beside that of known ones, their control group.
fn silent(figure: &Figure, alert: &Alert) -> String {
    let known = alert.figures.iter().find(|other| other.name == FigureName::SilentKnownShare);
    let control = known.map_or_else(
        || at_most_share(figure),
        |known| format!("; known visitors under the same load: {}", N.percent(known.observed)),
    );
    format!("{} of the handshakes of new visitors were neither finished, retried nor reset{control}.", percent(figure))
}

/// Names the service that reflects.
fn reflectors(port: &Figure, alert: &Alert) -> String {
    let share = alert.figures.iter().find(|figure| figure.name == FigureName::ReflectorShare);
    let most = share.map_or_else(|| "Most".to_owned(), |share| N.percent(share.observed));
    let number = N.limit(port.observed);
    match port.port().and_then(super::service) {
        Some(service) => format!("{most} of the replies come from {service} servers (UDP port {number})."),
        None => format!("{most} of the replies come from UDP port {number}."),
    }
}

fn behaviour(nats: f64) -> String {
    let towards = if nats >= BEHAVIOUR_LINE {
        "The additional visitors look like robots to the behaviour test"
    } else if nats <= -BEHAVIOUR_LINE {
        "The additional visitors behave like people"
    } else {
        "The behaviour of the additional visitors tells neither people nor robots"
    };
    let sign = if nats > 0.0 { "+" } else { "" };
    format!("{towards} (evidence {sign}{}; robots from +4, people from -4).", N.figure(nats))
}

fn origins(alert: &Alert) -> Option<String> {
    let share = |origin: &crate::alert::line::Origin| {
        let country =
            if origin.country.is_known() { origin.country.to_string() } else { "no known country".to_owned() };
        format!("{country} ({})", N.percent(origin.share.get()))
    };
    let named: Vec<_> = alert.origins.iter().take(MOST_COUNTRIES).map(share).collect();
    (!named.is_empty()).then(|| format!("The verified sources are registered in {}.", list(&named)))
}

fn leading(alert: &Alert) -> String {
    match alert.origins.first() {
        Some(origin) if origin.country.is_known() => format!("addresses registered in {}", origin.country),
        _ => "the addresses of one country".to_owned(),
    }
}

pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

const fn qualification(caveat: Caveat) -> &'static str {
    match caveat {
        Caveat::OneSided => "Only one direction of the traffic is captured: what the other side answered is not known.",
        Caveat::CaptureLoss => "The capture lost frames while this was measured: rates and shares may be off.",
        Caveat::ColdStart => "The usual range was learned in minutes, not in weeks.",
        Caveat::NoProfile => {
            "The usual range was learned in hours: what is usual at this time of the week is not known."
        }
        Caveat::YoungProfile => "The weekly profile is less than a fortnight old, or a neighbour's.",
        Caveat::DeclaredEvent => "A declared event is on: more than usual is expected.",
        Caveat::Duplicates => "Frames are seen more than once at this capture point: rates are corrected for it.",
        Caveat::EstimatesDiffer => {
            "The two estimates of the attack share differ by more than 15 points: take the share with caution."
        }
        Caveat::Reflectors => {
            "The senders are servers that somebody asked in the target's name: who that was cannot be told from here."
        }
        Caveat::Unattributable => "The addresses are unproven: the origin cannot be attributed.",
        Caveat::Sampled => "Handshakes were sampled: the figures are estimates.",
        Caveat::Shed => {
            "More packets came than could be handled: a uniform sample of the conversations was judged, and rates are estimates from it."
        }
        Caveat::HumanLike => "The crowd from abroad behaves like people, which is consistent with genuine interest.",
        Caveat::ServerSilent => "The server answers hardly anything: only the clients' side could be judged.",
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

fn at_most(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is at most {}", N.figure(usual))).unwrap_or_default()
}

fn at_most_rate(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is at most {}", N.rate(usual))).unwrap_or_default()
}

fn about_rate(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is about {}", N.rate(usual))).unwrap_or_default()
}

fn about(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is about {}", N.figure(usual.round()))).unwrap_or_default()
}

fn sources(count: f64) -> String {
    if count.round() <= 1.0 { "One source".to_owned() } else { format!("{} sources", N.figure(count.round())) }
}

fn about_share(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is about {}", N.percent(usual))).unwrap_or_default()
}

fn at_most_share(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is at most {}", N.percent(usual))).unwrap_or_default()
}

fn at_most_time(figure: &Figure) -> String {
    figure.expected.map(|usual| format!("; usual is at most {}", N.duration(usual))).unwrap_or_default()
}

fn given_home(figure: &Figure) -> String {
    let expected = |usual| format!("; at most {} is expected, given the traffic from home", N.rate(usual));
    figure.expected.map(expected).unwrap_or_default()
}

pub(super) const fn kind(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::SynFlood => "SYN flood",
        AlertKind::ForeignSurge => "Surge from abroad",
        AlertKind::UdpFlood => "UDP flood",
        AlertKind::Amplification => "Amplification",
        AlertKind::IcmpFlood => "ICMP flood",
        AlertKind::FragmentFlood => "Fragment flood",
        AlertKind::TcpFlagFlood => "TCP flood outside connections",
        AlertKind::CarpetBombing => "Carpet bombing",
        AlertKind::RoboticSurge => "Surge of look-alike connections",
        AlertKind::ConnectionExhaustion => "Connection exhaustion",
        AlertKind::PortScan => "Port scan",
        AlertKind::HostSweep => "Host sweep",
        AlertKind::BruteForce => "Log-in attempts from one source",
        AlertKind::CredentialStuffing => "Log-in attempts from many sources",
        AlertKind::Exfiltration => "Unusual data leaving",
        AlertKind::NewOutbound => "New outbound connection",
        AlertKind::Beacon => "Regular outbound connections",
        AlertKind::Rush => "Rush of users",
        AlertKind::Overload => "Overload",
        AlertKind::Outage => "Outage",
        AlertKind::SensorBlind => "Sensor blind",
    }
}

pub(super) const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Attack => "attack",
        Verdict::Rush => "rush of users",
        Verdict::Mixed => "attack and overload together",
        Verdict::Overload => "overload by real users",
        Verdict::Suspicion => "suspicion",
        Verdict::Health => "health of server or sensor",
    }
}
