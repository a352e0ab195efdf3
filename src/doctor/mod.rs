//! Looks at a mirror port for a while and says what to mend.
//!
//! Counts what a capture can know of its own quality: whether both directions are seen, how many frames come twice, are
//! merged, cut, tagged, tunnelled or lost. It knows frames and decoded packets; it does not know flows, detectors or the
//! command line. [`examine`] looks, a [`Diagnosis`] says; everything is bounded, so that an attack under way cannot
//! exhaust the doctor.

mod diagnosis;
mod duplicates;
mod observer;
mod sidedness;

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

pub use self::diagnosis::{Advice, Diagnosis, Grade};
pub use self::duplicates::Duplicates;
use self::observer::Observer;
pub use self::observer::{Counts, Stamps};
pub use self::sidedness::Conversations;
use crate::source::live;
use crate::source::{CaptureDrops, InterfaceId, PacketSource, Progress, SourceError};
use crate::time::Timestamp;

/// How long a look takes unless told otherwise.
pub const DURATION: Duration = Duration::from_secs(60);

/// How far the look has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// Time looked.
    pub elapsed: Duration,
    /// Frames seen.
    pub frames: u64,
}

/// Why there is no diagnosis.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The interface cannot be looked at.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The diagnosis cannot be written.
    #[error("the diagnosis cannot be written: {0}")]
    Output(#[from] io::Error),
}

/// Looks at the interface for `duration` with one socket and writes the diagnosis as text. `on_progress` is told at
/// least ten times a second and may break off; what was seen until then is judged.
///
/// # Errors
/// When the interface cannot be opened or is lost, or the text cannot be written.
pub fn run(
    interface: &str,
    duration: Duration,
    settings: &live::Settings,
    output: &mut dyn io::Write,
    on_progress: &mut dyn FnMut(Glimpse) -> ControlFlow<()>,
) -> Result<Diagnosis, DoctorError> {
    let diagnosis = examine(interface, duration, settings, on_progress)?;
    write!(output, "{diagnosis}")?;
    output.flush()?;
    Ok(diagnosis)
}

/// Looks at the interface for `duration` and returns what was seen. See [`run`] for `on_progress`.
///
/// # Errors
/// When the interface cannot be opened or is lost.
pub fn examine(
    interface: &str,
    duration: Duration,
    settings: &live::Settings,
    on_progress: &mut dyn FnMut(Glimpse) -> ControlFlow<()>,
) -> Result<Diagnosis, SourceError> {
    let settings = live::Settings { sockets: std::num::NonZeroUsize::MIN, ..settings.clone() };
    let mut sources = live::open(interface, InterfaceId(0), &settings)?;
    let source = sources.first_mut().expect("one socket was asked for");
    let mut observer = Observer::new(live::link_facts(interface));
    let elapsed = watch(source, duration, &mut observer, on_progress)?;
    let dropped = source.drops()?;
    Ok(observer.diagnose(interface, elapsed, dropped))
}

/// Feeds the observer until time is up; returns the time looked.
fn watch(
    source: &mut impl PacketSource,
    duration: Duration,
    observer: &mut Observer,
    on_progress: &mut dyn FnMut(Glimpse) -> ControlFlow<()>,
) -> Result<Duration, SourceError> {
    let mut start: Option<Timestamp> = None;
    let mut now = Timestamp::ZERO;
    loop {
        let expected = now;
        let progress = source.poll(&mut |frame| observer.observe(&frame, expected))?;
        let Progress::Open { watermark } = progress else { break };
        now = watermark;
        // A clock set back during the look must not make it endless.
        let began = *start.insert(start.map_or(now, |start| start.min(now)));
        let elapsed = now.since(began);
        let glimpse = Glimpse { elapsed, frames: observer.frames() };
        if on_progress(glimpse).is_break() || elapsed >= duration {
            break;
        }
    }
    Ok(start.map_or(Duration::ZERO, |start| now.since(start)))
}

/// Share of frames that were lost, 0..=1.
fn loss(frames: u64, dropped: CaptureDrops) -> f64 {
    let lost = dropped.kernel.saturating_add(dropped.interface);
    share(lost, frames.saturating_add(lost))
}

/// `part` of `whole`, 0 when there is nothing.
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
