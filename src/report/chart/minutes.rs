//! The time-line of one site by minute.
//!
//! Per minute: legitimate demand with the attack stacked on it, a line for what the server answered, and one for the
//! capacity shown so far. Under the time axis stand the verdict of each minute and the alerts.

use std::fmt::Write as _;

use super::{LEFT, PLOT, Plot, RIGHT, TOP, WIDTH, runs};
use crate::alert::Alert;
use crate::alert::text::Language;
use crate::detect::minute::MinuteVerdict;
use crate::report::layout::{date, minute_of_day};
use crate::report::page::Escaped;
use crate::report::words;
use crate::time::{NANOS_PER_SECOND, Timestamp};

/// Height of the strip of verdicts, and of one lane of alerts.
const STRIP: f64 = 16.0;
const LANE: f64 = 9.0;
/// Columns at most: narrower ones could not be seen. Longer runs show the busiest minute of each column.
const MOST_COLUMNS: u64 = 240;
/// Alerts are packed into so many lanes at most; the list below the chart has them all.
const MOST_LANES: usize = 8;
const MINUTE: u64 = 60;

/// The columns of a chart: one a minute, or one for several where there are many.
struct Columns<'a> {
    first: u64,
    minutes_each: u64,
    shown: Vec<Option<&'a MinuteVerdict>>,
}

impl<'a> Columns<'a> {
    fn of(minutes: &[&'a MinuteVerdict]) -> Self {
        let number = |minute: &MinuteVerdict| minute.start.as_nanos() / (MINUTE * NANOS_PER_SECOND);
        let first = minutes.iter().map(|minute| number(minute)).min().unwrap_or(0);
        let last = minutes.iter().map(|minute| number(minute)).max().unwrap_or(0);
        let minutes_each = (last - first + 1).div_ceil(MOST_COLUMNS);
        let count = usize::try_from((last - first) / minutes_each + 1).unwrap_or(1);
        let mut shown: Vec<Option<&MinuteVerdict>> = vec![None; count];
        for minute in minutes {
            let place = usize::try_from((number(minute) - first) / minutes_each).unwrap_or(0);
            let best = &mut shown[place];
            if best.is_none_or(|best| minute.first_syns_per_second > best.first_syns_per_second) {
                *best = Some(minute);
            }
        }
        Self { first, minutes_each, shown }
    }

    fn start(&self, place: usize) -> Timestamp {
        Timestamp::from_secs((self.first + self.minutes_each * place as u64) * MINUTE)
    }

    /// Returns where a moment lies, within the plot.
    fn x_of(&self, moment: Timestamp) -> f64 {
        let minutes = moment.as_secs_f64() / MINUTE as f64 - self.first as f64;
        let width = (WIDTH - LEFT - RIGHT) / self.shown.len() as f64;
        (LEFT + width * minutes / self.minutes_each as f64).clamp(LEFT, WIDTH - RIGHT)
    }

    fn runs(&self) -> Vec<Vec<(usize, &'a MinuteVerdict)>> {
        runs(self.shown.iter().copied())
    }
}

/// Draws a site's minutes and the alerts on it.
/// `number` tells the page's charts apart.
pub(in crate::report) fn svg(
    minutes: &[&MinuteVerdict],
    alerts: &[&Alert],
    title: &str,
    number: usize,
    language: Language,
) -> String {
    let columns = Columns::of(minutes);
    let lanes = lanes(alerts, &columns);
    let used = lanes.iter().map(|(lane, _)| lane + 1).max().unwrap_or(0);
    let total = TOP + PLOT + 22.0 + STRIP + 6.0 + LANE * used as f64 + 4.0;
    let largest = minutes.iter().map(|minute| height(minute)).fold(0.0, f64::max);
    let plot = Plot::open(columns.shown.len(), largest, total, title, number, language.notation());
    let mut chart = Chart { plot, columns, number, language };
    chart.plot.rates();
    chart.times();
    chart.areas();
    chart.lines();
    chart.verdicts();
    chart.alerts(&lanes);
    chart.hints();
    chart.plot.close()
}

struct Chart<'a> {
    plot: Plot,
    columns: Columns<'a>,
    number: usize,
    language: Language,
}

impl Chart<'_> {
    fn times(&mut self) {
        let count = self.columns.shown.len();
        let every = label_every(count as u64 * self.columns.minutes_each).div_ceil(self.columns.minutes_each);
        let several_days = date(self.columns.start(0)) != date(self.columns.start(count.saturating_sub(1)));
        for place in 0..count {
            let minute = self.columns.first / self.columns.minutes_each + place as u64;
            if minute.is_multiple_of(every) {
                let start = self.columns.start(place);
                let day = if several_days { format!("{} ", &date(start)[5..]) } else { String::new() };
                self.plot.time(place, &format!("{day}{}", minute_of_day(start)));
            }
        }
    }

    /// Stacks the attack on the demand, in steps.
    fn areas(&mut self) {
        let demand = |minute: &MinuteVerdict| minute.demand_per_second.value;
        for run in self.columns.runs() {
            let base = self.plot.area(run.iter().map(|(place, minute)| (*place, 0.0, demand(minute))));
            let attack = self
                .plot
                .area(run.iter().map(|(place, minute)| (*place, demand(minute), demand(minute) + attack(minute))));
            self.plot.put(&format!(
                "<path class=\"demand\" d=\"{base}\"/><path class=\"attack\" \
                 fill=\"url(#hatch-{})\" d=\"{attack}\"/>",
                self.number
            ));
        }
    }

    fn lines(&mut self) {
        for run in self.columns.runs() {
            let of = |rate: fn(&MinuteVerdict) -> Option<f64>| {
                self.plot.steps(run.iter().map(|(place, minute)| (*place, rate(minute))))
            };
            let answered = of(|minute| Some(minute.first_syns_per_second * minute.answered_share));
            let capacity = of(|minute| minute.capacity_per_second);
            self.plot.put(&format!(
                "<path class=\"answered\" d=\"{answered}\"/><path class=\"capacity\" d=\"{capacity}\"/>"
            ));
        }
    }

    fn verdicts(&mut self) {
        let y = TOP + PLOT + 22.0;
        let width = self.plot.width();
        let mut strip = String::new();
        for run in self.columns.runs() {
            for same in run.chunk_by(|a, b| a.1.verdict == b.1.verdict) {
                let Some((place, minute)) = same.first() else { continue };
                // Writing to a string cannot fail.
                let _ = write!(
                    strip,
                    "<rect class=\"m-{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{STRIP}\"/>",
                    minute.verdict,
                    self.plot.x(*place),
                    width * same.len() as f64
                );
            }
        }
        self.plot.put(&strip);
    }

    fn alerts(&mut self, lanes: &[(usize, &Alert)]) {
        let top = TOP + PLOT + 22.0 + STRIP + 6.0;
        let mut bars = String::new();
        for (lane, alert) in lanes {
            let (start, end) = (self.columns.x_of(alert.started_at), self.columns.x_of(alert.end()));
            let _ = write!(
                bars,
                "<a href=\"#{}\"><rect class=\"a-{}\" x=\"{start:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" rx=\"2\">\
                 <title>{}: {}</title></rect></a>",
                Escaped(&alert.id),
                alert.severity,
                top + LANE * *lane as f64,
                (end - start).max(3.0),
                LANE - 2.0,
                Escaped(self.language.kind(alert.kind)),
                Escaped(&self.language.why(alert))
            );
        }
        self.plot.put(&bars);
    }

    fn hints(&mut self) {
        let words = words::of(self.language);
        for (place, minute) in self.columns.runs().into_iter().flatten() {
            let title = format!("{} {}", minute_of_day(minute.start), words.minute_figures(minute));
            self.plot.hint(place, PLOT + 22.0 + STRIP, &title);
        }
    }
}

fn attack(minute: &MinuteVerdict) -> f64 {
    minute.first_syns_per_second * minute.attack_share.value
}

/// Returns the largest rate drawn for a minute.
fn height(minute: &MinuteVerdict) -> f64 {
    let stacked = minute.demand_per_second.value + attack(minute);
    stacked.max(minute.capacity_per_second.unwrap_or(0.0))
}

/// Returns after how many minutes the time axis is labelled: about ten labels.
fn label_every(minutes: u64) -> u64 {
    let within_a_day = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440];
    let days = minutes.div_ceil(11).div_ceil(1_440) * 1_440;
    within_a_day.into_iter().find(|every| minutes / every <= 11).unwrap_or(days)
}

/// Packs alerts into lanes so that none covers another; the loudest come first and what finds no lane is left out.
fn lanes<'a>(alerts: &[&'a Alert], columns: &Columns<'_>) -> Vec<(usize, &'a Alert)> {
    let mut taken: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut placed = Vec::new();
    for alert in alerts {
        let start = columns.x_of(alert.started_at);
        let end = columns.x_of(alert.end()).max(start + 3.0);
        let is_free = |lane: &Vec<(f64, f64)>| lane.iter().all(|(from, to)| end + 1.0 < *from || *to + 1.0 < start);
        let lane = taken.iter().position(is_free).unwrap_or_else(|| {
            taken.push(Vec::new());
            taken.len() - 1
        });
        taken[lane].push((start, end));
        if lane < MOST_LANES {
            placed.push((lane, *alert));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_about_ten_labels_at_any_length() {
        for minutes in (1..2_000).chain([100_000, 1_000_000]) {
            assert!(minutes / label_every(minutes) <= 11, "{minutes}");
        }
    }
}
