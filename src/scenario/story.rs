//! From what was planned and what really happened to the truth: events with their first and last packets.

use super::Scenario;
use super::attack::{DESKTOP, FILE_HOST, LOGIN_HOST};
use super::number::nanos;
use super::parameters::Geography;
use super::plan::{Attack, Crowd, FaultKind};
use super::technique::{Carpet, Sweep, Technique, Theft};
use super::truth::{SCHEMA, Truth, TruthEvent};
use super::world::{MAIN, World};
use crate::address::Prefix;
use crate::kind::{AlertKind, Verdict};
use crate::time::Timestamp;

/// What makes a second of a server bad (`health.rs`), as the truth says it.
const OVERLOADED: &str = "more than 5 % of first SYNs unanswered, or of finished handshakes not accepted, \
                          or half kept waiting for a second";

/// A stretch of time in seconds since the capture began.
type Stretch = (f64, f64);

/// Tells what happened.
pub(super) fn tell(scenario: Scenario, world: &World<'_>) -> Truth {
    let teller = Teller { world };
    let mut events = teller.crowds();
    let overloads = teller.overloads();
    events.extend(overloads.iter().map(|stretch| teller.overload(*stretch)));
    events.extend(teller.outage());
    events.extend(teller.fault());
    events
        .extend(world.plan.attacks.iter().enumerate().map(|(place, attack)| teller.attack(place, attack, &overloads)));
    events.extend(teller.collateral(&overloads));
    events.sort_by_key(|event| event.start);
    let parameters = world.parameters;
    Truth {
        schema: SCHEMA.to_owned(),
        home: vec![parameters.home],
        protect: parameters.protect.clone(),
        start: Some(parameters.start),
        end: Some(parameters.start.plus(parameters.duration)),
        scenario: Some(scenario.name().to_owned()),
        seed: Some(parameters.seed),
        events,
        proxies: world.population.proxies().into_iter().map(crate::address::Address::host_prefix).collect(),
        minutes: if parameters.minutes { world.verdicts() } else { Vec::new() },
    }
}

struct Teller<'a, 'b> {
    world: &'a World<'b>,
}

impl Teller<'_, '_> {
    fn event(&self, kind: AlertKind, verdict: Verdict, stretch: Stretch) -> TruthEvent {
        TruthEvent {
            kind,
            verdict,
            target: self.targets(None),
            start: self.moment(stretch.0),
            end: self.moment(stretch.1.min(self.world.parameters.duration.as_secs_f64())),
            origin: Vec::new(),
            spoofed: false,
            verified: false,
            note: String::new(),
            also: Vec::new(),
            verdict_also: Vec::new(),
            optional: false,
            rate_per_second: None,
            packets: None,
            technique: None,
            pulses: None,
            declared: false,
        }
    }

    fn moment(&self, second: f64) -> Timestamp {
        Timestamp::from_nanos((self.world.parameters.start.as_nanos() + nanos(second)) / 1_000 * 1_000)
    }

    /// Returns the web server's addresses, of one family or of both.
    fn targets(&self, ipv4: Option<bool>) -> Vec<Prefix> {
        let server = &self.world.servers[MAIN];
        [(true, server.v4), (false, server.v6)]
            .into_iter()
            .filter(|(family, _)| ipv4.is_none_or(|wanted| wanted == *family))
            .filter_map(|(_, address)| address.map(crate::address::Address::host_prefix))
            .collect()
    }

    fn crowds(&self) -> Vec<TruthEvent> {
        self.world.plan.crowds.iter().filter_map(|crowd| self.crowd(crowd)).collect()
    }

    /// A rush lasts while there are more extra visitors than 15 % of their peak.
    fn crowd(&self, crowd: &Crowd) -> Option<TruthEvent> {
        let (start, end) = (crowd.curve.first()?.0, crowd.curve.last()?.0);
        let peak = crowd.curve.iter().map(|(_, rate)| *rate).fold(0.0, f64::max);
        let least = 0.15 * peak;
        let mut last = start;
        let mut at = start;
        while at < end {
            if crowd.rate(at) > least {
                last = at + 0.25;
            }
            at += 0.25;
        }
        let mut event = self.event(AlertKind::Rush, Verdict::Rush, (start, last));
        event.verified = true;
        event.rate_per_second = Some(peak);
        if crowd.fetchers > 0 {
            event.note = "machines of a content network's new region".to_owned();
        } else if crowd.from.is_empty() {
            event.note = "visitors of the usual kind, many more of them".to_owned();
            event.origin = vec![self.world.parameters.home];
        } else {
            event.note = "people from abroad who follow a link".to_owned();
            event.origin.clone_from(&crowd.from);
            // A surge from abroad it is; an attack it is not.
            event.also = vec![AlertKind::ForeignSurge];
            event.verdict_also = vec![Verdict::Suspicion];
        }
        Some(event)
    }

    /// Returns the bad periods of the web server in seconds.
    fn bad(&self) -> impl Iterator<Item = Stretch> {
        self.world.servers[MAIN].health.bad_periods().into_iter().map(|(first, last)| (first as f64, last as f64 + 1.0))
    }

    /// Returns the bad periods that began while a crowd asked for more than the capacity.
    fn overloads(&self) -> Vec<Stretch> {
        let demand =
            |at: f64| self.world.parameters.rate + self.world.plan.crowds.iter().map(|c| c.rate(at)).sum::<f64>();
        let is_demanded = |(from, to): Stretch| {
            let (mut at, mut most) = (from - 10.0, 0.0_f64);
            while at < to {
                most = most.max(demand(at));
                at += 1.0;
            }
            most > self.world.plan.capacity
        };
        self.bad().filter(|stretch| is_demanded(*stretch)).collect()
    }

    fn overload(&self, stretch: Stretch) -> TruthEvent {
        let mut event = self.event(AlertKind::Overload, Verdict::Overload, stretch);
        OVERLOADED.clone_into(&mut event.note);
        if self.world.plan.attacks.iter().any(|attack| overlap((attack.start, attack.end), stretch) > 0.0) {
            event.verdict_also = vec![Verdict::Mixed];
        }
        event
    }

    fn outage(&self) -> Option<TruthEvent> {
        let stretch = self.world.plan.outage?;
        let mut event = self.event(AlertKind::Outage, Verdict::Health, stretch);
        "the application hangs; its kernel still answers until its queue is full".clone_into(&mut event.note);
        event.also = vec![AlertKind::Overload];
        event.verdict_also = vec![Verdict::Overload];
        Some(event)
    }

    /// What fails without demand: an alert there is right.
    fn fault(&self) -> Option<TruthEvent> {
        let fault = self.world.plan.fault?;
        let mut event = self.event(AlertKind::Outage, Verdict::Health, (fault.from, fault.to));
        match fault.kind {
            FaultKind::Slow(_) => {
                "every reply takes seconds; connections are accepted as ever".clone_into(&mut event.note);
                event.optional = true;
            }
            FaultKind::Silent => {
                let second = &self.world.servers[1];
                let addresses = [second.v4, second.v6].into_iter().flatten();
                event.target = addresses.map(crate::address::Address::host_prefix).collect();
                "the second site answers nothing".clone_into(&mut event.note);
            }
        }
        event.also = vec![AlertKind::Overload];
        event.verdict_also = vec![Verdict::Overload];
        Some(event)
    }

    fn attack(&self, place: usize, attack: &Attack, overloads: &[Stretch]) -> TruthEvent {
        let sent = self.world.sent[place];
        let kind = attack.technique.kind();
        let mut event = match kind {
            AlertKind::SynFlood => self.flood(attack, overloads),
            _ if kind.is_attack() => self.judged(attack, overloads),
            _ => self.event(kind, Verdict::Suspicion, (attack.start, attack.end)),
        };
        event.target = self.targets_of(attack);
        event.origin = match attack.technique {
            // Reflectors are not where the attacker is; that they are what is seen, a reader may say.
            Technique::SynFlood | Technique::PatientSynFlood => Vec::new(),
            _ => self.world.origins_of(place, attack),
        };
        event.spoofed = attack.is_forged();
        event.verified = attack.is_verified();
        event.also = also(attack, self.world.parameters.geography);
        if kind == AlertKind::CredentialStuffing {
            // At a web port nobody named as a log-in these are look-alike connections, and told as such.
            event.verdict_also = vec![Verdict::Attack];
        }
        // Truth is written in microseconds: rounded so that the first and the last packet stay inside.
        event.start = Timestamp::from_nanos(sent.first.max(self.world.parameters.start.as_nanos()) / 1_000 * 1_000);
        event.end = Timestamp::from_nanos(sent.last.max(event.start.as_nanos()).next_multiple_of(1_000));
        attack.note.clone_into(&mut event.note);
        event.rate_per_second = Some(attack.rate);
        event.packets = Some(sent.packets);
        event.declared = attack.declared;
        event.technique = match attack.technique {
            Technique::SynFlood | Technique::ForeignSurge => None,
            technique => Some(technique.to_string()),
        };
        event.pulses = (attack.pulses() > 1).then(|| attack.pulses());
        event
    }

    fn targets_of(&self, attack: &Attack) -> Vec<Prefix> {
        let p = self.world.parameters;
        let inside =
            |number| p.host(p.has_v4(), number).map(crate::address::Address::host_prefix).into_iter().collect();
        match attack.technique {
            Technique::CarpetBombing(_) => vec![p.first_prefix(attack.is_v4(p))],
            Technique::HostSweep(Sweep::Tcp | Sweep::Icmp) => vec![p.first_prefix(p.has_v4())],
            Technique::HostSweep(Sweep::Outwards) | Technique::Beacon => inside(DESKTOP),
            Technique::BruteForce(_) => inside(LOGIN_HOST),
            Technique::Exfiltration(Theft::Upload) => inside(FILE_HOST),
            Technique::ForeignSurge | Technique::RoboticSurge | Technique::CredentialStuffing => self.targets(None),
            _ => self.targets(Some(attack.is_v4(p))),
        }
    }

    /// An attack that flow data proves, inside an overload or not.
    fn judged(&self, attack: &Attack, overloads: &[Stretch]) -> TruthEvent {
        let mut event = self.flood(attack, overloads);
        event.kind = attack.technique.kind();
        event
    }

    fn flood(&self, attack: &Attack, overloads: &[Stretch]) -> TruthEvent {
        let stretch = (attack.start, attack.end);
        let overloaded: f64 = overloads.iter().map(|overload| overlap(*overload, stretch)).sum();
        let is_mixed = overloaded > 0.3 * (attack.end - attack.start);
        let verdict = if is_mixed { Verdict::Mixed } else { Verdict::Attack };
        let mut event = self.event(AlertKind::SynFlood, verdict, stretch);
        // Just after an overload its last signs may still count.
        let is_near = overloads.iter().any(|overload| overlap((overload.0, overload.1 + 20.0), stretch) > 0.0);
        event.verdict_also = match (is_mixed, is_near) {
            (true, _) => vec![Verdict::Attack],
            (false, true) => vec![Verdict::Mixed],
            (false, false) => Vec::new(),
        };
        event
    }

    /// Bad periods that an attack or the outage caused: an alert there is right, and none is asked for.
    fn collateral(&self, overloads: &[Stretch]) -> Vec<TruthEvent> {
        self.bad()
            .filter(|stretch| !overloads.contains(stretch))
            .map(|stretch| {
                let mut event = self.event(AlertKind::Overload, Verdict::Overload, stretch);
                "people who were not served, or not in time".clone_into(&mut event.note);
                event.also = vec![AlertKind::Outage];
                event.verdict_also = vec![Verdict::Attack, Verdict::Mixed, Verdict::Health];
                event.optional = true;
                event
            })
            .collect()
    }
}

fn overlap(a: Stretch, b: Stretch) -> f64 {
    (a.1.min(b.1) - a.0.max(b.0)).max(0.0)
}

/// Returns the other kinds that describe an attack rightly.
fn also(attack: &Attack, geography: Geography) -> Vec<AlertKind> {
    use AlertKind as K;
    match attack.technique {
        Technique::ForeignSurge => vec![K::RoboticSurge],
        Technique::RoboticSurge if geography != Geography::Home => vec![K::ForeignSurge],
        // Large replies come in fragments, and replies are datagrams.
        Technique::Amplification(_) => vec![K::UdpFlood, K::FragmentFlood],
        Technique::FragmentFlood => vec![K::UdpFlood],
        Technique::CarpetBombing(Carpet::Udp) => vec![K::UdpFlood],
        Technique::CarpetBombing(Carpet::Syn) => vec![K::SynFlood],
        Technique::CarpetBombing(Carpet::Icmp) => vec![K::IcmpFlood],
        Technique::HostSweep(_) => vec![K::PortScan],
        Technique::Exhaustion(_) => vec![K::RoboticSurge],
        Technique::CredentialStuffing => vec![K::RoboticSurge, K::ForeignSurge],
        Technique::Exfiltration(Theft::Upload) => vec![K::NewOutbound],
        _ => Vec::new(),
    }
}
