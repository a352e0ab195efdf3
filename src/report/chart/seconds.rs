//! The last minutes of one site as they happen.
//!
//! Connection requests a second, split by what became of them: completed by the client; answered and left unfinished by
//! the client, which is what a forged flood shows; not answered or refused by the server, which is what an overload
//! shows. Behind them lies the usual range, so that a rush shows too. Under the time axis stand the verdicts of the full
//! minutes.

use std::fmt::Write as _;

use super::{PLOT, Plot, TOP, runs};
use crate::alert::text::Language;
use crate::detect::minute::MinuteVerdict;
use crate::report::layout::{minute_of_day, second_of_day};
use crate::report::live::{Column, TimeLine};
use crate::report::page::Escaped;
use crate::report::words;
use crate::time::Timestamp;

/// Height of the strip of verdicts.
const STRIP: f64 = 12.0;

/// Draws a time line with the verdicts of its minutes. `number` tells the page's charts apart.
pub(in crate::report) fn svg(
    line: &TimeLine,
    minutes: &[MinuteVerdict],
    title: &str,
    number: usize,
    language: Language,
) -> String {
    let shown = || line.columns.iter().flatten();
    let largest = shown().map(Column::requests).fold(0.0, f64::max);
    let usual = shown().filter_map(|column| column.usual).map(|(_, most)| most).fold(0.0, f64::max);
    let total = TOP + PLOT + 22.0 + STRIP + 4.0;
    // What is usual at most says how high the present is, but must not flatten it.
    let top = largest.max(usual.min(3.0 * largest));
    let plot = Plot::open(line.columns.len(), top, total, title, number, language.notation());
    let mut chart = Chart { plot, line, number, language };
    chart.usual();
    chart.plot.rates();
    chart.times();
    chart.areas();
    chart.most();
    chart.verdicts(minutes);
    chart.hints();
    chart.plot.close()
}

struct Chart<'a> {
    plot: Plot,
    line: &'a TimeLine,
    number: usize,
    language: Language,
}

impl Chart<'_> {
    fn runs(&self) -> Vec<Vec<(usize, Column)>> {
        runs(self.line.columns.iter().copied())
    }

    fn usual(&mut self) {
        for run in runs(self.line.columns.iter().map(|column| column.and_then(|column| column.usual))) {
            let band = self.plot.area(run.iter().map(|(place, (_, most))| (*place, 0.0, *most)));
            self.plot.put(&format!("<path class=\"usual\" d=\"{band}\"/>"));
        }
    }

    fn times(&mut self) {
        let every = label_every(self.line.columns.len() as u64 * self.line.seconds_each);
        for place in 0..self.line.columns.len() {
            let second = (self.line.first + place as u64) * self.line.seconds_each;
            if second.is_multiple_of(every) {
                let moment = Timestamp::from_secs(second);
                let label = if every < 60 { second_of_day(moment) } else { minute_of_day(moment) };
                self.plot.time(place, &label);
            }
        }
    }

    /// Stacks what became of the requests.
    fn areas(&mut self) {
        for run in self.runs() {
            let answered = |column: &Column| column.completed + column.unfinished;
            let of = |low: &dyn Fn(&Column) -> f64, high: &dyn Fn(&Column) -> f64| {
                self.plot.area(run.iter().map(|(place, column)| (*place, low(column), high(column))))
            };
            let completed = of(&|_| 0.0, &|column| column.completed);
            let unfinished = of(&|column| column.completed, &answered);
            let unanswered = of(&answered, &Column::requests);
            self.plot.put(&format!(
                "<path class=\"demand\" d=\"{completed}\"/><path class=\"attack\" fill=\"url(#hatch-{})\" \
                 d=\"{unfinished}\"/><path class=\"unanswered\" d=\"{unanswered}\"/>",
                self.number
            ));
        }
    }

    /// Draws the upper end of the usual range above all else.
    fn most(&mut self) {
        let most =
            |column: &Option<Column>| column.and_then(|column| column.usual).map(|(_, most)| most.min(self.plot.top));
        let path = self.plot.steps(self.line.columns.iter().map(most).enumerate());
        if !path.is_empty() {
            self.plot.put(&format!("<path class=\"most\" d=\"{path}\"/>"));
        }
    }

    fn verdicts(&mut self, minutes: &[MinuteVerdict]) {
        let first = self.line.first * self.line.seconds_each;
        let columns = self.line.columns.len() as f64;
        let words = words::of(self.language);
        let mut strip = String::new();
        for minute in minutes {
            let from = (minute.start.as_secs_f64() - first as f64) / self.line.seconds_each as f64;
            let to = from + 60.0 / self.line.seconds_each as f64;
            if to <= 0.0 || from >= columns {
                continue;
            }
            let (left, right) = (from.max(0.0), to.min(columns));
            // Writing to a string cannot fail.
            let _ = write!(
                strip,
                "<rect class=\"m-{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{STRIP}\">\
                 <title>{} {}</title></rect>",
                minute.verdict,
                self.plot.x(0) + self.plot.width() * left,
                TOP + PLOT + 22.0,
                self.plot.width() * (right - left),
                minute_of_day(minute.start),
                Escaped(&words.minute_figures(minute))
            );
        }
        self.plot.put(&strip);
    }

    fn hints(&mut self) {
        let words = words::of(self.language);
        for (place, column) in self.runs().into_iter().flatten() {
            let title = format!("{} {}", second_of_day(column.start), words.column(&column));
            self.plot.hint(place, PLOT, &title);
        }
    }
}

/// Returns after how many seconds the time axis is labelled: about ten labels.
fn label_every(seconds: u64) -> u64 {
    let steps = [10, 30, 60, 120, 300, 600, 1_200, 3_600];
    steps.into_iter().find(|every| seconds / every <= 11).unwrap_or(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(second: u64, completed: f64, unfinished: f64) -> Option<Column> {
        let start = Timestamp::from_secs(second);
        Some(Column { start, completed, unfinished, unanswered: 3.0, usual: Some((100.0, 180.0)) })
    }

    #[test]
    fn columns_are_stacked_under_a_round_scale() {
        let columns = vec![column(600, 120.0, 0.0), None, column(602, 120.0, 77.0)];
        let line = TimeLine { first: 600, seconds_each: 1, columns };
        let svg = svg(&line, &[], "title", 0, Language::English);
        assert!(svg.contains(">200/s</text>") && svg.contains(">00:10:00</text>"), "{svg}");
        assert_eq!(svg.matches("class=\"attack\"").count(), 2, "a hole parts the areas");
        assert_eq!(svg.matches("class=\"hint\"").count(), 2);
        assert!(svg.contains("unfinished 77/s"), "{svg}");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn nothing_can_be_drawn() {
        for columns in [vec![], vec![None; 300]] {
            let line = TimeLine { first: 0, seconds_each: 12, columns };
            assert!(svg(&line, &[], "title", 0, Language::English).ends_with("</svg>"));
        }
    }

    #[test]
    fn the_axis_has_about_ten_labels() {
        for seconds in [300, 900, 3_600, 86_400] {
            assert!((1..=24).contains(&(seconds / label_every(seconds))), "{seconds}");
        }
        assert_eq!([300, 900, 3_600].map(label_every), [30, 120, 600]);
    }
}
