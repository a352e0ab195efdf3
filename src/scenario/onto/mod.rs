//! Lays an attack over a capture that exists: real people, a generated attack, and a truth for both.
//!
//! The capture is read twice: once to find its busiest server and how busy that is, once to merge. What the target's
//! kernel answers to a flood is generated as well, as by a server that bears it: how the real one would have fared, and
//! what its people would have felt, cannot be known. Memory does not grow with the capture.

mod survey;

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{PcapWriter, ScenarioError, put_both};
use super::number::low_u32;
use super::parameters::{ParameterError, Parameters, Spoofing};
use super::technique::{Sweep, Technique};
use super::truth::{ProtectedPrefix, Truth};
use super::{Scenario, plan, story};
use crate::address::Address;
use crate::country::Country;
use crate::scenario::outlet::Sink;
use crate::scenario::world::World;
use crate::source::{FileOptions, FileSource, LinkType, PacketSource, Progress, SourceError, open_files};
use crate::time::Timestamp;
pub(super) use survey::Survey;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// Where an attack is laid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onto {
    /// The capture: pcap or pcapng, compressed or not.
    pub capture: PathBuf,
    /// Whom the attack hits; the busiest server of the capture if none.
    pub target: Option<Address>,
    /// The capture's own home, for the truth.
    pub home: Option<Country>,
}

/// Why an attack cannot be laid over a capture.
#[derive(Debug, thiserror::Error)]
pub enum OntoError {
    /// The capture cannot be read, or not to its end.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Nothing to lay.
    #[error("`{0}` is no attack: name one, such as syn-flood or amplification:ntp")]
    NoAttack(Scenario),
    /// Frames of a kind that attack frames cannot be put beside.
    #[error("{}: only Ethernet and raw IP captures can be laid over, all frames being of one kind", .0.display())]
    Link(PathBuf),
    /// No IP packets.
    #[error("{}: no server was found in it: name one with --target", .0.display())]
    NoServer(PathBuf),
    /// Too little time.
    #[error("{}: it lasts {seconds:.1} s: an attack needs at least 3", capture.display())]
    Short {
        /// Which.
        capture: PathBuf,
        /// Its length.
        seconds: f64,
    },
    /// The result cannot be written, or the wish not be granted.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The wish cannot be granted.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
}

/// Lays the attack of a scenario over a capture; writes the result to `path` and its truth beside it. What `parameters`
/// leave open follows from the capture: the attack takes the middle third of its time, at once its own rate.
///
/// # Errors
/// When the capture cannot be read, the attack not be laid over it, or the result not be written: then nothing is left.
pub fn write_onto(scenario: Scenario, parameters: &Parameters, onto: &Onto, path: &Path) -> Result<Truth, OntoError> {
    let technique = parameters.technique.or_else(|| scenario.technique()).ok_or(OntoError::NoAttack(scenario))?;
    let survey = Survey::of(&onto.capture)?;
    let target = onto.target.or_else(|| survey.busiest()).ok_or_else(|| OntoError::NoServer(onto.capture.clone()))?;
    let fitted = fit(technique, parameters, &survey, target, &onto.capture)?;
    fitted.validate_attacks(scenario)?;
    let mut below = Below::open(&onto.capture)?;
    put_both(path, |out| {
        out.header(survey.link_number(), 262_144);
        let mut truth = merge(scenario, &fitted, survey.is_raw(), &mut below, out);
        below.pour(None, out);
        truth.home = onto.home.into_iter().collect();
        // Truth is written in microseconds.
        truth.start = Some(Timestamp::from_nanos(survey.first.as_nanos() / 1_000 * 1_000));
        truth.end = Some(Timestamp::from_nanos(survey.last.as_nanos().next_multiple_of(1_000)));
        below.fault.take().map_or(Ok(truth), |fault| Err(fault.into()))
    })
}

/// Fits what was asked to what the capture is.
fn fit(
    technique: Technique,
    parameters: &Parameters,
    survey: &Survey,
    target: Address,
    capture: &Path,
) -> Result<Parameters, OntoError> {
    let span = survey.last.since(survey.first);
    if span < Duration::from_secs(3) {
        return Err(OntoError::Short { capture: capture.to_owned(), seconds: span.as_secs_f64() });
    }
    let wide = matches!(technique, Technique::CarpetBombing(_) | Technique::HostSweep(Sweep::Tcp | Sweep::Icmp));
    let length = match (wide, target.is_ipv4()) {
        (true, true) => 24,
        (true, false) => 64,
        (false, true) => 32,
        (false, false) => 128,
    };
    let busy = survey.rate_of(target, technique.per_connection() > 1.0);
    let own = if technique.follows_traffic() { Some(busy.max(1.0)) } else { None };
    let scaled = parameters.attack_times.and_then(|times| own.map(|own| times * own));
    let third = span / 3;
    let forged_v6 = !target.is_ipv4() && parameters.spoofing.is_forged();
    Ok(Parameters {
        start: survey.first,
        duration: span + Duration::from_nanos(1),
        lead: if parameters.attack_start.is_zero() { third } else { Duration::ZERO },
        attack_duration: parameters.attack_duration.or((parameters.pulses == 1).then_some(third)),
        rate: survey.rate_of(target, false).clamp(1.0, 10_000.0),
        attack_rate: parameters.attack_rate.or(scaled).or(own),
        attack_times: None,
        capacity: Some(1e6),
        workers: u32::MAX,
        spoofing: if forged_v6 { Spoofing::Ipv6 } else { parameters.spoofing },
        protect: vec![ProtectedPrefix { prefix: crate::address::Prefix::of(target, length), site: None }],
        ..parameters.clone()
    })
}

/// Generates the attack, with the frames below it in between.
fn merge(scenario: Scenario, parameters: &Parameters, is_raw: bool, below: &mut Below, out: &mut PcapWriter) -> Truth {
    let plan = plan::Plan { is_quiet: true, crowds: Vec::new(), ..plan::of(scenario, parameters) };
    let sink: &mut Sink<'_> = &mut |at: Timestamp, wire: u32, bytes: &[u8]| {
        below.pour(Some(at), out);
        if is_raw {
            let bytes = &bytes[ETHERNET..];
            let length = ip_length(bytes);
            out.record(at, low_u32(length as u64), &bytes[..bytes.len().min(length)]);
        } else {
            out.record(at, wire, bytes);
        }
        if out.has_failed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut world = World::new(parameters, &plan, sink);
    world.run();
    story::tell(scenario, &world)
}

/// Returns the length an IP header gives for itself and all that follows.
fn ip_length(packet: &[u8]) -> usize {
    let word = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    if packet[0] >> 4 == 4 { word(2) } else { 40 + word(4) }
}

/// The frames of the capture, in its own order.
struct Below {
    source: FileSource,
    frames: VecDeque<(Timestamp, u32, Vec<u8>)>,
    has_ended: bool,
    fault: Option<SourceError>,
}

impl Below {
    fn open(capture: &Path) -> Result<Self, SourceError> {
        let source = open_files(&[capture.to_owned()], FileOptions::default())?;
        Ok(Self { source, frames: VecDeque::new(), has_ended: false, fault: None })
    }

    /// Writes every frame up to a moment, or all that are left.
    fn pour(&mut self, upto: Option<Timestamp>, out: &mut PcapWriter) {
        loop {
            while let Some((at, wire, bytes)) = self.frames.front() {
                if upto.is_some_and(|upto| *at > upto) {
                    return;
                }
                out.record(*at, *wire, bytes);
                self.frames.pop_front();
            }
            if self.has_ended || out.has_failed() {
                return;
            }
            self.read();
        }
    }

    fn read(&mut self) {
        let frames = &mut self.frames;
        let progress = self.source.poll(&mut |frame| {
            frames.push_back((frame.timestamp, frame.wire_len, frame.bytes.to_vec()));
        });
        match progress {
            Ok(Progress::Open { .. }) => {}
            Ok(Progress::End) => self.has_ended = true,
            Err(fault) => {
                self.has_ended = true;
                self.fault = Some(fault);
            }
        }
    }
}

/// Tells whether attack frames can be put beside frames of this kind.
const fn is_usable(link: LinkType) -> bool {
    matches!(link, LinkType::Ethernet | LinkType::RawIp)
}
