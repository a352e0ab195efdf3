//! Times of day and wrapped lines, alike on the terminal and on the page.

use std::borrow::Cow;

use crate::time::Timestamp;

/// Columns of the terminal summary.
pub(super) const WIDTH: usize = 80;

/// Where a line is not broken: between a number and its unit.
const GLUED: [&str; 5] = [" %", " ± ", "± ", " min", " s)"];

/// Returns `2021-04-06`, UTC.
pub(super) fn date(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

/// Returns `09:02`, UTC.
pub(super) fn minute_of_day(moment: Timestamp) -> String {
    moment.to_string().chars().skip(11).take(5).collect()
}

/// Returns `09:02:17`, UTC.
pub(super) fn second_of_day(moment: Timestamp) -> String {
    moment.to_string().chars().skip(11).take(8).collect()
}

/// Returns the time of day, after its date where that is not the first day of the run.
pub(super) fn clock(moment: Timestamp, first_day: &str) -> String {
    let day = date(moment);
    if day == first_day { second_of_day(moment) } else { format!("{day} {}", second_of_day(moment)) }
}

/// Says when something was, to the second, with the second date where it is another one.
/// `to` stands between the two.
pub(super) fn between(start: Timestamp, end: Timestamp, to: &str) -> String {
    let (first, last) = (date(start), date(end));
    let until = if first == last { String::new() } else { format!("{last} ") };
    format!("{first} {} {to} {until}{} UTC", second_of_day(start), second_of_day(end))
}

/// Returns a text that moves no cursor and changes no colour: a file may bear any name, and its name ends on a terminal.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() && c != '\n';
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Breaks a text at spaces into lines of at most [`WIDTH`] columns, the first after `first`, the others after as many
/// spaces as `indent`. A word longer than a line stands alone.
pub(super) fn wrapped(first: &str, indent: usize, text: &str) -> String {
    let text = GLUED.iter().fold(text.to_owned(), |text, pair| text.replace(pair, &pair.replace(' ', "\u{a0}")));
    let mut lines = String::from(first);
    let mut column = first.chars().count();
    let mut fresh = true;
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !fresh && column + 1 + length > WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            column = indent;
            fresh = true;
        }
        if !fresh {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
        fresh = false;
    }
    lines.replace('\u{a0}', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text = "word ".repeat(60);
        let lines = wrapped("  - ", 4, &text);
        assert!(lines.lines().count() > 3);
        assert!(lines.lines().all(|line| line.chars().count() <= WIDTH), "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with("    word")), "{lines}");
    }

    #[test]
    fn what_would_act_on_a_terminal_is_written_out() {
        assert_eq!(plain("école.pcap\nlycée.pcap"), "école.pcap\nlycée.pcap");
        assert_eq!(plain("a\u{1b}]0;b\u{7}\r\u{9b}2J"), "a\\u{1b}]0;b\\u{7}\\r\\u{9b}2J");
    }

    #[test]
    fn a_later_day_is_named() {
        let moment = Timestamp::from_secs(1_617_699_720);
        assert_eq!(clock(moment, "2021-04-06"), "09:02:00");
        assert_eq!(clock(moment, "2021-04-05"), "2021-04-06 09:02:00");
    }

    #[test]
    fn a_time_span_names_its_second_date_only_when_it_differs() {
        let start = Timestamp::from_secs(1_617_699_720);
        assert_eq!(between(start, Timestamp::from_secs(1_617_699_737), "to"), "2021-04-06 09:02:00 to 09:02:17 UTC");
        let next = between(start, Timestamp::from_secs(1_617_699_720 + 86_400), "to");
        assert_eq!(next, "2021-04-06 09:02:00 to 2021-04-07 09:02:00 UTC");
    }
}
