//! How many events were found by when: a curve for each rate, drawn here so that the page needs no script.

use std::fmt::Write as _;

use crate::eval::sheet::recall::RecallRow;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 34.0;

/// The time axis: a quarter of a second to two minutes, each doubling as wide as the next.
const FIRST: f64 = 0.25;
const LAST: f64 = 128.0;

/// Draws the rates of one kind.
pub(super) fn svg(rows: &[&RecallRow], title: &str) -> String {
    let mut svg = format!(
        "<svg class=\"chart curve\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}: share found by time\">"
    );
    axes(&mut svg);
    for (number, row) in rows.iter().enumerate() {
        curve(&mut svg, row, number);
    }
    svg.push_str("</svg>");
    svg
}

fn x(delay: f64) -> f64 {
    let share = (delay.clamp(FIRST, LAST) / FIRST).ln() / (LAST / FIRST).ln();
    LEFT + (WIDTH - LEFT - RIGHT) * share
}

fn y(share: f64) -> f64 {
    TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share)
}

fn axes(svg: &mut String) {
    for quarter in 0..=4_u8 {
        let (share, right) = (f64::from(quarter) / 4.0, WIDTH - RIGHT);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>\
             <text class=\"tick\" x=\"{1:.1}\" y=\"{2:.1}\" text-anchor=\"end\">{3:.0} %</text>",
            y(share),
            LEFT - 5.0,
            y(share) + 4.0,
            share * 100.0
        );
    }
    for delay in [0.25, 1.0, 4.0, 16.0, 64.0] {
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{TOP}\" y2=\"{1:.1}\"/>\
             <text class=\"tick\" x=\"{0:.1}\" y=\"{2:.1}\" text-anchor=\"middle\">{delay} s</text>",
            x(delay),
            y(0.0),
            HEIGHT - 16.0
        );
    }
}

/// A step for each event found, from nothing to the share that ever was.
fn curve(svg: &mut String, row: &RecallRow, number: usize) {
    let mut path = format!("M{LEFT} {:.1}", y(0.0));
    for (found, delay) in row.delays.iter().enumerate() {
        let _ = write!(path, "H{:.1}V{:.1}", x(*delay), y((found + 1) as f64 / row.events as f64));
    }
    let _ = write!(path, "H{:.1}", WIDTH - RIGHT);
    let rate = row.rate.map_or_else(|| row.group.to_string(), |rate| format!("{rate}x"));
    let _ = write!(
        svg,
        "<path class=\"curve-{}\" d=\"{path}\"><title>{rate}: {} of {} found</title></path>",
        number % CLASSES,
        row.found,
        row.events
    );
}

/// Classes of curves that the page's style tells apart.
const CLASSES: usize = 8;

/// Writes what each curve stands for.
pub(super) fn legend(rows: &[&RecallRow]) -> String {
    let mut legend = String::from("<p class=\"legend\">");
    for (number, row) in rows.iter().enumerate() {
        let rate = row.rate.map_or_else(|| row.group.to_string(), |rate| format!("{rate}x"));
        let _ = write!(legend, "<span class=\"key line-{}\"></span>{rate}", number % CLASSES);
    }
    legend.push_str("</p>");
    legend
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::world::Group;
    use crate::kind::AlertKind;

    #[test]
    fn a_curve_ends_at_the_share_that_was_found() {
        let row = RecallRow {
            group: Group::Attack,
            kind: AlertKind::SynFlood,
            rate: Some(1.0),
            events: 4,
            found: 2,
            recall: 0.5,
            interval: (0.1, 0.9),
            delay_p50: Some(4.0),
            delay_p95: None,
            verdicts_right: 2,
            delays: vec![1.0, 4.0],
        };
        let svg = svg(&[&row], "syn_flood");
        let half = format!("H{:.1}V{:.1}H{:.1}\"", x(4.0), y(0.5), WIDTH - RIGHT);
        assert!(svg.contains(&half), "{svg}");
        assert!(svg.contains("1x: 2 of 4 found"));
        assert!((x(0.25) - LEFT).abs() < 1e-9 && (x(1e9) - (WIDTH - RIGHT)).abs() < 1e-9);
    }
}
