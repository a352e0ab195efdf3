//! The time-line of one site as SVG, drawn here so that the page needs no script and no network.
//!
//! Per minute: legitimate demand with the attack stacked on it, a line for what the server answered, and one for the
//! capacity shown so far. Under the time axis stand the verdict of each minute and the alerts. Colours are classes that
//! the page's style defines, for light, dark and paper; the attack is hatched and the lines differ in their dashes,
//! so that nothing hangs on colour alone.

use std::fmt::Write as _;

use crate::alert::Alert;
use crate::alert::text::Language;
use crate::detect::minute::MinuteVerdict;
use crate::report::html::Escaped;
use crate::report::layout::{date, minute_of_day};
use crate::report::words::Words;
use crate::time::{NANOS_PER_SECOND, Timestamp};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const PLOT: f64 = 230.0;
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

    fn width(&self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.shown.len() as f64
    }

    fn x(&self, place: usize) -> f64 {
        LEFT + self.width() * place as f64
    }

    fn start(&self, place: usize) -> Timestamp {
        Timestamp::from_secs((self.first + self.minutes_each * place as u64) * MINUTE)
    }

    /// Returns where a moment lies, within the plot.
    fn x_of(&self, moment: Timestamp) -> f64 {
        let minutes = moment.as_secs_f64() / MINUTE as f64 - self.first as f64;
        (LEFT + self.width() * minutes / self.minutes_each as f64).clamp(LEFT, WIDTH - RIGHT)
    }

    /// Returns runs of columns without a hole, as (place, minute).
    fn runs(&self) -> Vec<Vec<(usize, &'a MinuteVerdict)>> {
        let mut runs = vec![Vec::new()];
        for (place, minute) in self.shown.iter().enumerate() {
            match minute {
                Some(minute) => runs.last_mut().into_iter().for_each(|run| run.push((place, *minute))),
                None => runs.push(Vec::new()),
            }
        }
        runs.retain(|run| !run.is_empty());
        runs
    }
}

/// Draws a site's minutes and the alerts on it.
/// `number` tells the page's charts apart.
pub(super) fn svg(
    minutes: &[&MinuteVerdict],
    alerts: &[&Alert],
    title: &str,
    number: usize,
    language: Language,
) -> String {
    let columns = Columns::of(minutes);
    let top = round_up(minutes.iter().map(|minute| height(minute)).fold(0.0, f64::max));
    let lanes = lanes(alerts, &columns);
    let used = lanes.iter().map(|(lane, _)| lane + 1).max().unwrap_or(0);
    let total = TOP + PLOT + 22.0 + STRIP + 6.0 + LANE * used as f64 + 4.0;
    let mut chart = Chart { svg: String::new(), columns, top, number, language };
    chart.put(&format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {total:.0}\" role=\"img\" aria-label=\"{}\">\
         <defs><pattern id=\"hatch-{number}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" class=\"attack-ground\"/>\
         <rect width=\"2.4\" height=\"6\" class=\"attack-line\"/></pattern></defs>",
        Escaped(title)
    ));
    chart.axes();
    chart.areas();
    chart.lines();
    chart.verdicts();
    chart.alerts(&lanes);
    chart.hints();
    chart.put("</svg>");
    chart.svg
}

struct Chart<'a> {
    svg: String,
    columns: Columns<'a>,
    top: f64,
    number: usize,
    language: Language,
}

impl Chart<'_> {
    fn put(&mut self, text: &str) {
        self.svg.push_str(text);
    }

    fn y(&self, rate: f64) -> f64 {
        let share = if rate.is_finite() { (rate / self.top).clamp(0.0, 1.0) } else { 0.0 };
        TOP + PLOT * (1.0 - share)
    }

    fn axes(&mut self) {
        let notation = self.language.notation();
        for step in 0..=4_u8 {
            let rate = self.top * f64::from(step) / 4.0;
            let y = self.y(rate);
            let right = WIDTH - RIGHT;
            let label = if step == 0 { "0".to_owned() } else { notation.rate(rate) };
            self.put(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                y + 4.0
            ));
        }
        let count = self.columns.shown.len();
        let every = label_every(count as u64 * self.columns.minutes_each).div_ceil(self.columns.minutes_each);
        let several_days = date(self.columns.start(0)) != date(self.columns.start(count.saturating_sub(1)));
        for place in 0..count {
            let minute = self.columns.first / self.columns.minutes_each + place as u64;
            // A label of a column that is nearly at the right edge would be cut.
            if !minute.is_multiple_of(every) || self.columns.x(place) > WIDTH - RIGHT - 34.0 {
                continue;
            }
            let (x, start) = (self.columns.x(place), self.columns.start(place));
            let day = if several_days { format!("{} ", &date(start)[5..]) } else { String::new() };
            self.put(&format!(
                "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{day}{}</text>",
                TOP + PLOT,
                TOP + PLOT + 5.0,
                x + 2.0,
                TOP + PLOT + 16.0,
                minute_of_day(start)
            ));
        }
    }

    /// Stacks the attack on the demand, in steps.
    fn areas(&mut self) {
        let demand = |minute: &MinuteVerdict| minute.demand_per_second.value;
        for run in self.columns.runs() {
            let base = self.area(&run, |_| 0.0, demand);
            let attack = self.area(&run, demand, |minute| demand(minute) + attack(minute));
            self.put(&format!(
                "<path class=\"demand\" d=\"{base}\"/><path class=\"attack\" \
                 fill=\"url(#hatch-{})\" d=\"{attack}\"/>",
                self.number
            ));
        }
    }

    fn lines(&mut self) {
        for run in self.columns.runs() {
            let answered = self.steps(&run, |minute| Some(minute.first_syns_per_second * minute.answered_share));
            let capacity = self.steps(&run, |minute| minute.capacity_per_second);
            self.put(&format!(
                "<path class=\"answered\" d=\"{answered}\"/><path class=\"capacity\" d=\"{capacity}\"/>"
            ));
        }
    }

    fn verdicts(&mut self) {
        let y = TOP + PLOT + 22.0;
        let width = self.columns.width();
        let mut strip = String::new();
        for run in self.columns.runs() {
            for same in run.chunk_by(|a, b| a.1.verdict == b.1.verdict) {
                let Some((place, minute)) = same.first() else { continue };
                // Writing to a string cannot fail.
                let _ = write!(
                    strip,
                    "<rect class=\"m-{}\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{STRIP}\"/>",
                    minute.verdict,
                    self.columns.x(*place),
                    width * same.len() as f64
                );
            }
        }
        self.put(&strip);
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
                Escaped(&alert.why)
            );
        }
        self.put(&bars);
    }

    /// Invisible columns whose titles browsers show under the pointer.
    fn hints(&mut self) {
        let notation = self.language.notation();
        let words = Words::of(self.language);
        let width = self.columns.width();
        let mut hints = String::new();
        for (place, minute) in self.columns.runs().into_iter().flatten() {
            let capacity = minute.capacity_per_second.map(|c| format!(", capacity {}", notation.rate(c)));
            let _ = write!(
                hints,
                "<rect class=\"hint\" x=\"{:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{:.1}\"><title>{} {}: demand {}, \
                 attack {}, answered {}{}</title></rect>",
                self.columns.x(place),
                PLOT + 22.0 + STRIP,
                minute_of_day(minute.start),
                words.minute(minute.verdict),
                notation.rate(minute.demand_per_second.value),
                notation.percent(minute.attack_share.value),
                notation.percent(minute.answered_share),
                capacity.unwrap_or_default()
            );
        }
        self.put(&hints);
    }

    fn area(
        &self,
        run: &[(usize, &MinuteVerdict)],
        low: impl Fn(&MinuteVerdict) -> f64,
        high: impl Fn(&MinuteVerdict) -> f64,
    ) -> String {
        let width = self.columns.width();
        let mut path = String::new();
        for (index, (place, minute)) in run.iter().enumerate() {
            let (x, y) = (self.columns.x(*place), self.y(high(minute)));
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x:.1} {y:.1}H{:.1}", x + width);
        }
        for (place, minute) in run.iter().rev() {
            let (x, y) = (self.columns.x(*place), self.y(low(minute)));
            let _ = write!(path, "L{:.1} {y:.1}H{x:.1}", x + width);
        }
        path.push('Z');
        path
    }

    fn steps(&self, run: &[(usize, &MinuteVerdict)], of: impl Fn(&MinuteVerdict) -> Option<f64>) -> String {
        let width = self.columns.width();
        let mut path = String::new();
        let mut drawing = false;
        for (place, minute) in run {
            let Some(rate) = of(minute) else {
                drawing = false;
                continue;
            };
            let (x, y) = (self.columns.x(*place), self.y(rate));
            let command = if drawing { 'L' } else { 'M' };
            let _ = write!(path, "{command}{x:.1} {y:.1}H{:.1}", x + width);
            drawing = true;
        }
        path
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

/// Rounds up to 1, 2, 4 or 8 times a power of ten, so that quarters are readable.
fn round_up(rate: f64) -> f64 {
    if !rate.is_finite() || rate <= 4.0 {
        return 4.0;
    }
    let power = 10.0_f64.powi(exponent(rate));
    [1.0, 2.0, 4.0, 6.0, 8.0].into_iter().map(|m| m * power).find(|top| *top >= rate).unwrap_or(10.0 * power)
}

fn exponent(rate: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a finite double lies within 400")]
    let exponent = rate.log10().floor() as i32;
    exponent
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
    fn the_scale_ends_on_a_round_number_above() {
        for (rate, top) in [(0.0, 4.0), (4.1, 6.0), (61.0, 80.0), (999.0, 1_000.0), (4_100.0, 6_000.0), (1e9, 1e9)] {
            assert_eq!(round_up(rate), top, "{rate}");
        }
        assert_eq!(round_up(f64::NAN), 4.0);
    }

    #[test]
    fn the_axis_has_about_ten_labels_at_any_length() {
        for minutes in (1..2_000).chain([100_000, 1_000_000]) {
            assert!(minutes / label_every(minutes) <= 11, "{minutes}");
        }
    }
}
