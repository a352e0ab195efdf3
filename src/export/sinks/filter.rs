//! Which lines of an alert's life a sink is told: from the severity it asked for on, and the end of whatever it was told.

use std::collections::BTreeMap;

use super::told::Told;
use crate::alert::Event;
use crate::kind::{Severity, Verdict};

/// Which updates are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updates {
    /// All of them: at most one every ten seconds and alert.
    All,
    /// Those that change the severity or the verdict.
    Changes,
    /// None: beginnings and ends only.
    Never,
}

impl Updates {
    /// The words and what they mean.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("all", Self::All), ("changes", Self::Changes), ("none", Self::Never)];

    /// Returns the word.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, updates)| *updates == self).map_or("all", |(word, _)| word)
    }
}

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is told.
    Tell,
    /// It would be told, were it not muted.
    Muted,
    /// It is not for this sink.
    Skip,
}

/// The filter of one sink, with what it was told of the alerts that are open.
#[derive(Debug)]
pub(super) struct Filter {
    least: Severity,
    updates: Updates,
    told: BTreeMap<String, (Severity, Verdict)>,
}

impl Filter {
    /// Begins with nothing told.
    pub(super) fn new(least: Severity, updates: Updates) -> Self {
        Self { least, updates, told: BTreeMap::new() }
    }

    /// Judges the next line. What was told is ended too, muted or not: nobody is left with an alert that never closes.
    pub(super) fn judge(&mut self, told: &Told, muted: bool) -> Judgement {
        if told.event == Event::Close && self.told.remove(&told.id).is_some() {
            return Judgement::Tell;
        }
        let now = (told.severity, told.verdict);
        let before = self.told.get(&told.id).copied();
        let wanted = match before {
            None => told.event != Event::Close && told.severity >= self.least,
            Some(before) => match self.updates {
                Updates::All => true,
                Updates::Changes => before != now,
                Updates::Never => false,
            },
        };
        match (wanted, muted) {
            (false, _) => Judgement::Skip,
            (true, true) => Judgement::Muted,
            (true, false) => {
                self.told.insert(told.id.clone(), now);
                Judgement::Tell
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::told::samples;
    use super::*;

    fn line(event: Event, severity: Severity) -> Told {
        Told { event, severity, ..samples::open() }
    }

    fn judged(filter: &mut Filter, lines: &[(Event, Severity, bool)]) -> Vec<Judgement> {
        lines.iter().map(|(event, severity, muted)| filter.judge(&line(*event, *severity), *muted)).collect()
    }

    use Event::{Close, Open, Update};
    use Judgement::{Muted, Skip, Tell};
    use Severity::{Critical, Info, Warning};

    #[test]
    fn an_alert_is_told_from_the_severity_asked_for_to_its_end() {
        let mut filter = Filter::new(Warning, Updates::All);
        let life = [(Open, Info, false), (Update, Warning, false), (Update, Info, false), (Close, Info, false)];
        assert_eq!(judged(&mut filter, &life), [Skip, Tell, Tell, Tell]);
        assert_eq!(judged(&mut filter, &[(Open, Info, false), (Close, Info, false)]), [Skip, Skip]);
    }

    #[test]
    fn only_changes_are_told_where_only_changes_are_wanted() {
        let life =
            [(Open, Warning, false), (Update, Warning, false), (Update, Critical, false), (Close, Critical, false)];
        assert_eq!(judged(&mut Filter::new(Info, Updates::Changes), &life), [Tell, Skip, Tell, Tell]);
        assert_eq!(judged(&mut Filter::new(Info, Updates::Never), &life), [Tell, Skip, Skip, Tell]);
    }

    #[test]
    fn what_was_told_is_ended_in_a_window_of_silence_too() {
        let life = [(Open, Warning, false), (Update, Warning, true), (Close, Warning, true)];
        assert_eq!(judged(&mut Filter::new(Info, Updates::All), &life), [Tell, Muted, Tell]);
        let silent = [(Open, Warning, true), (Update, Warning, true), (Close, Warning, true)];
        assert_eq!(judged(&mut Filter::new(Info, Updates::All), &silent), [Muted, Muted, Skip]);
    }

    #[test]
    fn an_alert_that_outlasts_its_silence_is_told_then() {
        let life = [(Open, Warning, true), (Update, Warning, false), (Close, Warning, false)];
        assert_eq!(judged(&mut Filter::new(Info, Updates::Never), &life), [Muted, Tell, Tell]);
    }
}
