//! What can be asked of a scenario, with defaults, and the sentence that says why a wish cannot be granted.

use std::time::Duration;

mod choices;

pub use choices::{Geography, Overflow, Spoofing, Vector, VectorError, View};

use super::Scenario;
use super::frame::MOST_KEPT;
use super::technique::Technique;
use super::truth::ProtectedPrefix;
use crate::address::{Address, Prefix};
use crate::country::Country;
use crate::time::Timestamp;

/// The settings of a scenario. Rates count new connections a second; what is `None` follows from `rate`.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameters {
    /// Everything that chance decides follows from it.
    pub seed: u64,
    /// First moment of the capture.
    pub start: Timestamp,
    /// Length of the capture.
    pub duration: Duration,
    /// Ordinary traffic before anything happens: levels are learned in 180 s.
    pub lead: Duration,
    /// Ordinary new connections a second.
    pub rate: f64,
    /// SYNs or connections a second of the (largest) attack.
    pub attack_rate: Option<f64>,
    /// Time in which an attack rises to its rate.
    pub attack_ramp: Duration,
    /// Peak of a rush as a multiple of `rate`.
    pub rush_factor: f64,
    /// Time in which a crowd comes; the scenario's usual one if none.
    pub rush_ramp: Option<Duration>,
    /// How eagerly people abroad join a crowd, those at home being 1.
    pub elasticity: f64,
    /// Share of visits by someone who has been here before: ordinarily, and in a crowd.
    pub revisits: (f64, f64),
    /// Share of visits from home that come out of schools, many behind one address.
    pub school_share: f64,
    /// Share of visits from home that come from phones behind a carrier's addresses.
    pub mobile_share: f64,
    /// Everybody comes through a content network's few addresses.
    pub fronted: bool,
    /// Connections a second the web server accepts.
    pub capacity: Option<f64>,
    /// Where most visitors live.
    pub home: Country,
    /// Share of visitors from there.
    pub home_share: f64,
    /// Share of visitors who come over IPv6, where a protected prefix is IPv6.
    pub ipv6_share: f64,
    /// What is defended: servers stand at the first prefix of each family.
    pub protect: Vec<ProtectedPrefix>,
    /// Countries a robotic surge comes from.
    pub countries: usize,
    /// Where a flood claims to come from.
    pub spoofing: Spoofing,
    /// Entries of the SYN queue.
    pub backlog: u32,
    /// Entries of the accept queue.
    pub accept_queue: u32,
    /// Answer with SYN cookies when the SYN queue is full.
    pub cookies: bool,
    /// What a full accept queue does.
    pub overflow: Overflow,
    /// Share of visitors who give up before each retry.
    pub abandonment: f64,
    /// Most reloads by one who gave up.
    pub reloads: u32,
    /// Share of sockets that a browser opens in advance and never uses.
    pub spare_sockets: f64,
    /// Median share of packets lost on a visitor's path.
    pub path_loss: f64,
    /// Background radiation as a share of `rate`.
    pub radiation: f64,
    /// How the scenario's own attack is made; of the scenario's kind.
    pub technique: Option<Technique>,
    /// Attacks beside what the scenario does by itself.
    pub vectors: Vec<Vector>,
    /// The attack's rate as a multiple of ordinary traffic in its own unit; `attack_rate` goes before.
    pub attack_times: Option<f64>,
    /// Time from the end of the lead to the attack.
    pub attack_start: Duration,
    /// Length of the attack; of each pulse if there are several.
    pub attack_duration: Option<Duration>,
    /// How often the attack comes.
    pub pulses: u32,
    /// Time between two pulses.
    pub pulse_gap: Duration,
    /// Where machines that are not forged stand.
    pub geography: Geography,
    /// Machines an attack uses, where they are few.
    pub attackers: Option<u32>,
    /// Share of its period by which a beacon comes early or late.
    pub jitter: f64,
    /// Bytes of the smallest and the largest document that is taken.
    pub document_sizes: (u32, u32),
    /// Connections that may be held before the application has no worker left.
    pub workers: u32,
    /// Which directions the mirror port shows.
    pub view: View,
    /// Share of frames that the capture misses.
    pub capture_loss: f64,
    /// Share of frames that the mirror port gives twice.
    pub duplicates: f64,
    /// Identifier of an IEEE 802.1Q tag on every frame.
    pub vlan: Option<u16>,
    /// Bytes kept of each frame.
    pub snap_length: u32,
    /// Tell in the truth what each minute was.
    pub minutes: bool,
}

/// Why a scenario cannot be generated as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// A number outside its range.
    #[error("{name} is {value}: it must lie between {low} and {high}")]
    Range {
        /// Which one.
        name: &'static str,
        /// What was asked.
        value: f64,
        /// Least.
        low: f64,
        /// Most.
        high: f64,
    },
    /// Too little time for what is to happen.
    #[error("duration is {duration} s with a lead of {lead} s: the scenario needs at least {least} s after its lead")]
    Short {
        /// Asked.
        duration: u64,
        /// Asked.
        lead: u64,
        /// Needed.
        least: u64,
    },
    /// No prefix to stand in.
    #[error("nothing is protected: name at least one prefix, such as 203.0.113.0/24")]
    NoPrefix,
    /// A home without networks.
    #[error("home is `{0}`: no registered networks of that country are known")]
    Home(Country),
    /// An attack of another kind than the scenario's.
    #[error("`{technique}` is no variant of `{scenario}`: add it with --with")]
    Variant {
        /// What was asked.
        technique: Technique,
        /// Of this.
        scenario: Scenario,
    },
    /// An attack after the end.
    #[error(
        "`{technique}` would end {end} s after the capture begins, which lasts {duration} s: shorten the attack or lengthen the capture"
    )]
    Late {
        /// Which.
        technique: Technique,
        /// When it would end, in seconds.
        end: u64,
        /// Seconds asked.
        duration: u64,
    },
    /// IPv6 flood at IPv4 servers, or the reverse.
    #[error("spoofing `{0}` needs a protected prefix of that family")]
    Family(Spoofing),
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            seed: 1,
            // 08:45 in Paris on the morning that gave this project its question.
            start: Timestamp::from_secs(1_617_691_500),
            duration: Duration::from_secs(300),
            lead: Duration::from_secs(200),
            rate: 30.0,
            attack_rate: None,
            attack_ramp: Duration::ZERO,
            rush_factor: 10.0,
            rush_ramp: None,
            elasticity: 0.6,
            revisits: (0.7, 0.15),
            school_share: 0.22,
            mobile_share: 0.24,
            fronted: false,
            capacity: None,
            home: Country::from_letters(*b"FR"),
            home_share: 0.95,
            ipv6_share: 0.35,
            protect: vec![protected("203.0.113.0/24", "ecole"), protected("2001:db8:113::/48", "ecole")],
            countries: 10,
            spoofing: Spoofing::Random,
            backlog: 512,
            accept_queue: 128,
            cookies: true,
            overflow: Overflow::DropSyn,
            abandonment: 0.2,
            reloads: 2,
            spare_sockets: 0.06,
            path_loss: 0.004,
            radiation: 0.015,
            technique: None,
            vectors: Vec::new(),
            attack_times: None,
            attack_start: Duration::ZERO,
            attack_duration: None,
            pulses: 1,
            pulse_gap: Duration::from_secs(20),
            geography: Geography::Abroad,
            attackers: None,
            jitter: 0.05,
            document_sizes: (100_000, 300_000),
            workers: 400,
            view: View::Both,
            capture_loss: 0.0,
            duplicates: 0.0,
            vlan: None,
            snap_length: 98,
            minutes: false,
        }
    }
}

fn protected(prefix: &str, site: &str) -> ProtectedPrefix {
    let prefix = prefix.parse().expect("the default prefixes are well written");
    ProtectedPrefix { prefix, site: Some(site.to_owned()) }
}

impl Parameters {
    /// Checks that a capture can be made of these; `least` is the time the scenario needs after its lead.
    ///
    /// # Errors
    /// The first wish that cannot be granted.
    pub(super) fn validate(&self, least: Duration) -> Result<(), ParameterError> {
        for (name, value, low, high) in [
            ("rate", self.rate, 1.0, 100_000.0),
            ("attack_rate", self.attack_rate.unwrap_or(1.0), 0.001, 10_000_000.0),
            ("attack_ramp", self.attack_ramp.as_secs_f64(), 0.0, 3_600.0),
            ("rush_factor", self.rush_factor, 1.0, 1_000.0),
            ("rush_ramp", self.rush_ramp.unwrap_or_default().as_secs_f64(), 0.0, 3_600.0),
            ("elasticity", self.elasticity, 0.0, 3.0),
            ("revisits", self.revisits.0, 0.0, 1.0),
            ("revisits in a crowd", self.revisits.1, 0.0, 1.0),
            ("school_share", self.school_share, 0.0, 1.0),
            ("mobile_share", self.mobile_share, 0.0, 1.0 - self.school_share),
            ("capacity", self.capacity.unwrap_or(1.0), 1.0, 10_000_000.0),
            ("home_share", self.home_share, 0.0, 1.0),
            ("ipv6_share", self.ipv6_share, 0.0, 1.0),
            ("countries", self.countries as f64, 1.0, 60.0),
            ("backlog", f64::from(self.backlog), 1.0, 4_194_304.0),
            ("accept_queue", f64::from(self.accept_queue), 1.0, 65_535.0),
            ("abandonment", self.abandonment, 0.0, 0.9),
            ("reloads", f64::from(self.reloads), 0.0, 10.0),
            ("spare_sockets", self.spare_sockets, 0.0, 0.5),
            ("path_loss", self.path_loss, 0.0, 0.05),
            ("radiation", self.radiation, 0.0, 1.0),
            ("duration", self.duration.as_secs_f64(), 1.0, 86_400.0),
            ("attack_times", self.attack_times.unwrap_or(1.0), 0.01, 10_000.0),
            ("attack_duration", self.attack_duration.unwrap_or(Duration::from_secs(1)).as_secs_f64(), 0.5, 86_400.0),
            ("pulses", f64::from(self.pulses), 1.0, 10_000.0),
            ("pulse_gap", self.pulse_gap.as_secs_f64(), 0.0, 86_400.0),
            ("attackers", f64::from(self.attackers.unwrap_or(1)), 1.0, 100_000.0),
            ("jitter", self.jitter, 0.0, 0.9),
            ("document size", f64::from(self.document_sizes.0), 1_000.0, f64::from(self.document_sizes.1)),
            ("document size", f64::from(self.document_sizes.1), 1_000.0, 100e6),
            ("workers", f64::from(self.workers), 1.0, 1e9),
            ("capture_loss", self.capture_loss, 0.0, 0.5),
            ("duplicates", self.duplicates, 0.0, 1.0),
            ("vlan", f64::from(self.vlan.unwrap_or(1)), 1.0, 4_094.0),
            ("snap_length", f64::from(self.snap_length), 60.0, MOST_KEPT as f64),
        ] {
            if !(low..=high).contains(&value) {
                return Err(ParameterError::Range { name, value, low, high });
            }
        }
        if self.duration < self.lead + least {
            return Err(ParameterError::Short {
                duration: self.duration.as_secs(),
                lead: self.lead.as_secs(),
                least: least.as_secs(),
            });
        }
        self.validate_places()
    }

    /// Checks that the scenario's attack is of its kind, and that all end in time.
    ///
    /// # Errors
    /// The first that does not.
    pub(super) fn validate_attacks(&self, scenario: Scenario) -> Result<(), ParameterError> {
        if let Some(technique) = self.technique
            && scenario.technique().map(Technique::kind) != Some(technique.kind())
        {
            return Err(ParameterError::Variant { technique, scenario });
        }
        let duration = self.duration.as_secs_f64();
        let plan = super::plan::of(scenario, self);
        match plan.attacks.iter().find(|attack| attack.end > duration + 1e-6) {
            Some(attack) => Err(ParameterError::Late {
                technique: attack.technique,
                end: super::number::floor_u64(attack.end),
                duration: self.duration.as_secs(),
            }),
            None => Ok(()),
        }
    }

    fn validate_places(&self) -> Result<(), ParameterError> {
        if self.protect.is_empty() {
            return Err(ParameterError::NoPrefix);
        }
        let has_networks = || super::blocks::has_networks(self.home);
        if !self.home.is_known() || !has_networks() {
            return Err(ParameterError::Home(self.home));
        }
        let fits = if self.spoofing == Spoofing::Ipv6 { self.has_v6() } else { self.has_v4() };
        if fits { Ok(()) } else { Err(ParameterError::Family(self.spoofing)) }
    }

    pub(super) fn has_v4(&self) -> bool {
        self.first(true).is_some()
    }

    pub(super) fn has_v6(&self) -> bool {
        self.first(false).is_some()
    }

    /// Returns the first protected prefix of a family, or the first of all if there is none of it.
    pub(super) fn first_prefix(&self, ipv4: bool) -> Prefix {
        self.first(ipv4).unwrap_or(self.protect[0].prefix)
    }

    fn first(&self, ipv4: bool) -> Option<Prefix> {
        self.protect.iter().map(|protected| protected.prefix).find(|prefix| prefix.network().is_ipv4() == ipv4)
    }

    /// Returns the host of this number in the first protected prefix of a family; small prefixes wrap around.
    pub(super) fn host(&self, ipv4: bool, number: u32) -> Option<Address> {
        let prefix = self.first(ipv4)?;
        let free = u32::from(if ipv4 { 32 } else { 128 } - prefix.length());
        let size = 1_u128 << free.min(32);
        Some(Address::from_u128(prefix.network().as_u128() + u128::from(number) % size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        Parameters::default().validate(Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn a_wish_that_cannot_be_granted_is_a_sentence() {
        let least = Duration::from_secs(60);
        let error = |change: &dyn Fn(&mut Parameters)| {
            let mut parameters = Parameters::default();
            change(&mut parameters);
            parameters.validate(least).unwrap_err().to_string()
        };
        assert_eq!(error(&|p| p.rate = f64::NAN), "rate is NaN: it must lie between 1 and 100000");
        assert_eq!(error(&|p| p.home_share = 1.5), "home_share is 1.5: it must lie between 0 and 1");
        assert!(error(&|p| p.duration = p.lead).contains("needs at least 60 s after its lead"));
        assert!(error(&|p| p.protect.clear()).starts_with("nothing is protected"));
        assert!(error(&|p| p.home = Country::UNKNOWN).starts_with("home is `unknown`"));
        let v4_only = |p: &mut Parameters| {
            p.protect.truncate(1);
            p.spoofing = Spoofing::Ipv6;
        };
        assert_eq!(error(&v4_only), "spoofing `ipv6` needs a protected prefix of that family");
    }

    #[test]
    fn servers_stand_inside_their_prefix() {
        let mut parameters = Parameters::default();
        assert_eq!(parameters.host(true, 10).unwrap().to_string(), "203.0.113.10");
        assert_eq!(parameters.host(false, 0x10).unwrap().to_string(), "2001:db8:113::10");
        parameters.protect = vec![protected("192.0.2.7/32", "one")];
        assert_eq!(parameters.host(true, 10).unwrap().to_string(), "192.0.2.7");
        assert_eq!(parameters.host(false, 10), None);
    }
}
