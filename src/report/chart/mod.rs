//! Charts as SVG, drawn here so that a page needs no script and no network.
//!
//! A [`Plot`] is what all of them share: columns of equal width, an axis of rates, paths in steps. [`minutes`] draws a
//! site's verdicts by minute, [`seconds`] its last hour as it happens; [`map`] draws countries. Colours are classes that the page's style
//! defines, for light, dark and paper; areas are hatched and lines differ in their dashes, so that nothing hangs on
//! colour alone.

pub(super) mod map;
pub(super) mod minutes;
pub(super) mod seconds;

use std::fmt::Write as _;

use crate::alert::text::notation::Notation;
use crate::report::page::Escaped;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const PLOT: f64 = 230.0;

/// Columns under an axis of rates.
struct Plot {
    svg: String,
    columns: usize,
    /// The rate at the upper edge.
    top: f64,
    notation: Notation,
}

impl Plot {
    /// Opens a drawing `total` units high that is called `title`. `number` tells the page's charts apart.
    fn open(columns: usize, largest: f64, total: f64, title: &str, number: usize, notation: Notation) -> Self {
        let mut plot = Self { svg: String::new(), columns: columns.max(1), top: round_up(largest), notation };
        // Writing to a string cannot fail, here and below.
        let _ = write!(
            plot.svg,
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {total:.0}\" role=\"img\" aria-label=\"{}\">\
             <defs><pattern id=\"hatch-{number}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" class=\"attack-ground\"/>\
             <rect width=\"2.4\" height=\"6\" class=\"attack-line\"/></pattern></defs>",
            Escaped(title)
        );
        plot
    }

    fn put(&mut self, text: &str) {
        self.svg.push_str(text);
    }

    fn close(mut self) -> String {
        self.put("</svg>");
        self.svg
    }

    /// Returns the width of a column.
    fn width(&self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.columns as f64
    }

    /// Returns the left edge of a column.
    fn x(&self, place: usize) -> f64 {
        LEFT + self.width() * place as f64
    }

    fn y(&self, rate: f64) -> f64 {
        let share = if rate.is_finite() { (rate / self.top).clamp(0.0, 1.0) } else { 0.0 };
        TOP + PLOT * (1.0 - share)
    }

    /// Draws the lines of the rates.
    fn rates(&mut self) {
        for step in 0..=4_u8 {
            let rate = self.top * f64::from(step) / 4.0;
            let y = self.y(rate);
            let right = WIDTH - RIGHT;
            let label = if step == 0 { "0".to_owned() } else { self.notation.rate(rate) };
            self.put(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                LEFT - 6.0,
                y + 4.0
            ));
        }
    }

    /// Writes a time under a column; one that would be cut at the right edge is left out.
    fn time(&mut self, place: usize, label: &str) {
        let x = self.x(place);
        if x > WIDTH - RIGHT - 34.0 {
            return;
        }
        self.put(&format!(
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
            TOP + PLOT,
            TOP + PLOT + 5.0,
            x + 2.0,
            TOP + PLOT + 16.0,
        ));
    }

    /// Returns the outline of an area in steps, from (column, lower edge, upper edge).
    fn area(&self, run: impl DoubleEndedIterator<Item = (usize, f64, f64)> + Clone) -> String {
        let width = self.width();
        let mut path = String::new();
        for (index, (place, _, high)) in run.clone().enumerate() {
            let (x, y) = (self.x(place), self.y(high));
            let command = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{x:.1} {y:.1}H{:.1}", x + width);
        }
        for (place, low, _) in run.rev() {
            let (x, y) = (self.x(place), self.y(low));
            let _ = write!(path, "L{:.1} {y:.1}H{x:.1}", x + width);
        }
        path.push('Z');
        path
    }

    /// Returns a line in steps, from (column, rate), interrupted where there is no rate.
    fn steps(&self, run: impl Iterator<Item = (usize, Option<f64>)>) -> String {
        let width = self.width();
        let mut path = String::new();
        let mut drawing = false;
        for (place, rate) in run {
            let Some(rate) = rate else {
                drawing = false;
                continue;
            };
            let (x, y) = (self.x(place), self.y(rate));
            let command = if drawing { 'L' } else { 'M' };
            let _ = write!(path, "{command}{x:.1} {y:.1}H{:.1}", x + width);
            drawing = true;
        }
        path
    }

    /// Draws an invisible column whose title browsers show under the pointer.
    fn hint(&mut self, place: usize, height: f64, title: &str) {
        let (x, width) = (self.x(place), self.width());
        self.put(&format!(
            "<rect class=\"hint\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height:.1}\">\
             <title>{}</title></rect>",
            Escaped(title)
        ));
    }
}

/// Splits columns into runs without a hole, as (place, column).
fn runs<T>(columns: impl Iterator<Item = Option<T>>) -> Vec<Vec<(usize, T)>> {
    let mut runs = Vec::new();
    let mut run = Vec::new();
    for (place, column) in columns.enumerate() {
        match column {
            Some(column) => run.push((place, column)),
            None => runs.push(std::mem::take(&mut run)),
        }
    }
    runs.push(run);
    runs.retain(|run| !run.is_empty());
    runs
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
    fn holes_part_runs() {
        let columns = [None, Some('a'), Some('b'), None, None, Some('c'), None];
        assert_eq!(runs(columns.into_iter()), [vec![(1, 'a'), (2, 'b')], vec![(5, 'c')]]);
        assert!(runs::<char>([].into_iter()).is_empty());
    }
}
