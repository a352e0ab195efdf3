//! An alert from its opening to its close, as far as truth can be held against it. Vigie's and those of other methods
//! look alike here, so that the same judge reads both.

use crate::address::Prefix;
use crate::alert::{Alert, Event};
use crate::country::Country;
use crate::kind::{AlertKind, Severity, Verdict};
use crate::time::Timestamp;

/// All lines of one alert.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    /// Its kind; `None` for a method that knows no kinds, which is then right with any.
    pub kind: Option<AlertKind>,
    /// Its target; `None` for the sensor's own.
    pub prefix: Option<Prefix>,
    /// The incident it belongs to.
    pub incident: String,
    /// Its lines by time, at least one.
    pub lines: Vec<Said>,
}

/// What one line said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// When.
    pub at: Timestamp,
    /// How loud.
    pub severity: Severity,
    /// What the situation was held to be; `None` for a method that has no opinion.
    pub verdict: Option<Verdict>,
    /// Confidence of the verdict, 0 to 1.
    pub confidence: f64,
    /// Countries named, largest share first.
    pub origins: Vec<Country>,
}

impl Life {
    /// Returns when it opened.
    #[must_use]
    pub fn opened(&self) -> Timestamp {
        self.lines.first().map_or(Timestamp::ZERO, |line| line.at)
    }

    /// Returns when its last line was written: until then it was open.
    #[must_use]
    pub fn closed(&self) -> Timestamp {
        self.lines.last().map_or(Timestamp::ZERO, |line| line.at)
    }

    /// Tells whether it ever was a warning or critical.
    #[must_use]
    pub fn is_loud(&self) -> bool {
        self.lines.iter().any(Said::is_loud)
    }

    /// Returns the last line written up to a moment; the opening where there is none.
    #[must_use]
    pub fn at(&self, moment: Timestamp) -> Option<&Said> {
        self.lines.iter().rev().find(|line| line.at <= moment).or_else(|| self.lines.first())
    }
}

impl Said {
    /// Tells whether it is a warning or critical.
    #[must_use]
    pub fn is_loud(&self) -> bool {
        self.severity > Severity::Info
    }
}

/// Sorts alert lines, in the order in which they were written, into lives, in the order in which they opened.
#[must_use]
pub fn lives(lines: &[Alert]) -> Vec<Life> {
    let mut lives: Vec<(&str, Life)> = Vec::new();
    for line in lines {
        let said = Said {
            at: line.at,
            severity: line.severity,
            verdict: Some(line.verdict),
            confidence: line.confidence.get(),
            origins: line.origins.iter().map(|origin| origin.country).collect(),
        };
        let known = lives.iter_mut().rev().find(|(id, _)| *id == line.id && line.event != Event::Open);
        match known {
            Some((_, life)) => life.lines.push(said),
            None => lives.push((&line.id, begin(line, said))),
        }
    }
    lives.into_iter().map(|(_, life)| life).collect()
}

fn begin(line: &Alert, said: Said) -> Life {
    Life { kind: Some(line.kind), prefix: line.target.prefix, incident: line.incident.clone(), lines: vec![said] }
}
