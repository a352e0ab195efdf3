//! Numbers as people write them: three significant digits, thousands grouped, the unit that fits.

/// The marks of a language's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notation {
    /// Between groups of three digits.
    pub thousands: char,
    /// Before the fraction.
    pub decimal: char,
    /// After a number of hundredths, with what stands between.
    pub percent: &'static str,
    /// Between the ends of an interval.
    pub to: &'static str,
    /// Before what is less, and what is more, than can be written.
    pub under: &'static str,
    /// See `under`.
    pub over: &'static str,
    /// Bytes, and their thousandfolds.
    pub bytes: [&'static str; 6],
    /// A day, in short.
    pub day: &'static str,
}

impl Notation {
    /// `5,400` and `0.4`.
    pub const ENGLISH: Self = Self {
        thousands: ',',
        decimal: '.',
        percent: " %",
        to: "to",
        under: "under",
        over: "over",
        bytes: ["bytes", "kB", "MB", "GB", "TB", "PB"],
        day: "d",
    };

    /// `5 400` and `0,4`, with narrow spaces that do not break.
    pub const FRENCH: Self = Self {
        thousands: '\u{202f}',
        decimal: ',',
        percent: "\u{202f}%",
        to: "à",
        under: "moins de",
        over: "plus de",
        bytes: ["octets", "ko", "Mo", "Go", "To", "Po"],
        day: "j",
    };

    /// Writes a count or a plain figure with three significant digits: `63,000`, `4.1`, `0.02`.
    #[must_use]
    pub fn figure(self, value: f64) -> String {
        let rounded: f64 = format!("{value:.2e}").parse().unwrap_or(value);
        let size = rounded.abs();
        let places = match size {
            _ if size == 0.0 || size >= 100.0 || rounded.fract() == 0.0 => 0,
            _ if size >= 10.0 => 1,
            _ if size >= 0.1 => 2,
            _ => 3,
        };
        self.marked(&trimmed(format!("{rounded:.places$}")))
    }

    /// Writes a whole number in full: `12,345,678`.
    #[must_use]
    pub fn whole(self, value: u64) -> String {
        self.marked(&value.to_string())
    }

    /// Writes a limit that somebody set, in full where it is a whole number: `4,096`.
    #[must_use]
    pub fn limit(self, value: f64) -> String {
        if value.fract() == 0.0 && value.abs() < 1e15 {
            self.marked(&format!("{value:.0}"))
        } else {
            self.figure(value)
        }
    }

    /// Writes a rate: `5,400/s`.
    #[must_use]
    pub fn rate(self, per_second: f64) -> String {
        format!("{}/s", self.figure(per_second))
    }

    /// Writes bits with the prefix that fits: `340 kbit`, `2.1 Gbit`.
    #[must_use]
    pub fn bits(self, bits: f64) -> String {
        let units = [(1e9, "Gbit"), (1e6, "Mbit"), (1e3, "kbit")];
        let (size, unit) = units.into_iter().find(|(size, _)| bits >= *size).unwrap_or((1.0, "bit"));
        format!("{} {unit}", self.figure(bits / size))
    }

    /// Writes a share of 1 in percent: `8 %`, `0.4 %`, `99.7 %`.
    #[must_use]
    pub fn percent(self, share: f64) -> String {
        format!("{}{}", self.points(share * 100.0), self.percent)
    }

    /// Writes a share with its interval: `91 ± 1 %`, or `5 % (0 to 12 %)` when it is lopsided.
    #[must_use]
    pub fn percent_within(self, share: f64, low: f64, high: f64) -> String {
        let (value, low, high) = (share * 100.0, low * 100.0, high * 100.0);
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return self.percent(share);
        }
        let half = (high - low) / 2.0;
        let lopsided = (value - f64::midpoint(low, high)).abs() > half / 4.0;
        // "5 ± 6 %" would name shares below nothing.
        if lopsided || value < half || value + half > 100.0 {
            let (value, low, high) = (self.points(value), self.points(low), self.points(high));
            return format!("{value}{0} ({low} {1} {high}{0})", self.percent, self.to);
        }
        // "0.00 ± 0.00 %" would boast of a precision that it does not show.
        if half < 0.005 {
            return self.percent(share);
        }
        if half < 0.5 {
            let places = if half < 0.05 { 2 } else { 1 };
            return self.marked_within(&format!("{value:.places$}"), &format!("{half:.places$}"));
        }
        self.marked_within(&format!("{value:.0}"), &format!("{half:.0}"))
    }

    /// Writes a time: `350 ms`, `12 s`, `4 min 10 s`, `1 h 05 min`, `3 d 4 h`.
    #[must_use]
    pub fn duration(self, seconds: f64) -> String {
        let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
        if seconds < 1.0 && seconds > 0.0 {
            return format!("{} ms", self.figure(seconds * 1_000.0));
        }
        if seconds < 60.0 {
            return format!("{} s", self.figure(seconds));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative; saturating is right"
        )]
        let whole = seconds.round() as u64;
        match (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60) {
            (0, 0, minutes, 0) => format!("{minutes} min"),
            (0, 0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
            (0, hours, minutes, _) => format!("{hours} h {minutes:02} min"),
            (days, hours, ..) => format!("{} {} {hours} h", self.whole(days), self.day),
        }
    }

    /// Writes bytes in decimal units: `1.23 GB`.
    #[must_use]
    pub fn bytes(self, bytes: u64) -> String {
        self.scaled(bytes as f64, &self.bytes)
    }

    /// Writes a figure in the decimal unit that leaves one to three digits before the point.
    #[must_use]
    pub fn scaled(self, value: f64, units: &[&str]) -> String {
        let mut value = value;
        let mut unit = 0;
        // 999.5 would be written as 1,000 of the smaller unit.
        while value >= 999.5 && unit + 1 < units.len() {
            value /= 1_000.0;
            unit += 1;
        }
        format!("{} {}", self.figure(value), units.get(unit).copied().unwrap_or_default()).trim_end().to_owned()
    }

    /// Writes percentage points: whole ones, with a decimal where a whole one would hide something.
    fn points(self, points: f64) -> String {
        let hides = points != 0.0 && !(1.0..=99.0).contains(&points) && points.fract() != 0.0;
        let text = if hides { trimmed(format!("{points:.1}")) } else { format!("{points:.0}") };
        match text.as_str() {
            "0" if points > 0.0 => format!("{} {}", self.under, self.marked("0.1")),
            "100" if points < 100.0 => format!("{} {}", self.over, self.marked("99.9")),
            _ => self.marked(&text),
        }
    }

    fn marked_within(self, value: &str, half: &str) -> String {
        format!("{} ± {}{}", self.marked(value), self.marked(half), self.percent)
    }

    /// Puts the language's marks into a number written the plain way.
    fn marked(self, plain: &str) -> String {
        let digits = plain.trim_start_matches('-');
        let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let mut text: String = plain[..plain.len() - digits.len()].to_owned();
        for (place, c) in digits.chars().enumerate() {
            if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
                text.push(self.thousands);
            }
            text.push(if c == '.' { self.decimal } else { c });
        }
        text
    }
}

/// Cuts zeros at the end of a fraction.
fn trimmed(text: String) -> String {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EN: Notation = Notation::ENGLISH;

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!(EN.rate(5_412.3), "5,410/s");
        assert_eq!(EN.figure(63_012.0), "63,000");
        assert_eq!(EN.figure(1_234_567.0), "1,230,000");
        assert_eq!(EN.figure(4.1), "4.1");
        assert_eq!(EN.figure(0.0312), "0.031");
        assert_eq!(EN.figure(0.0), "0");
        assert_eq!(EN.figure(-4.25), "-4.25");
        assert_eq!(EN.whole(12_345_678), "12,345,678");
        assert_eq!(EN.limit(4_096.0), "4,096");
        assert_eq!(EN.limit(0.5), "0.5");
    }

    #[test]
    fn shares_never_round_to_nothing_or_to_all() {
        assert_eq!(EN.percent(0.08), "8 %");
        assert_eq!(EN.percent(0.004), "0.4 %");
        assert_eq!(EN.percent(0.9974), "99.7 %");
        assert_eq!(EN.percent(0.0), "0 %");
        assert_eq!(EN.percent(1.0), "100 %");
        assert_eq!(EN.percent(0.000_01), "under 0.1 %");
        assert_eq!(EN.percent(0.999_99), "over 99.9 %");
    }

    #[test]
    fn intervals_are_short_when_they_are_even() {
        assert_eq!(EN.percent_within(0.91, 0.90, 0.92), "91 ± 1 %");
        assert_eq!(EN.percent_within(0.912, 0.909, 0.915), "91.2 ± 0.3 %");
        assert_eq!(EN.percent_within(0.05, 0.0, 0.12), "5 % (0 to 12 %)");
        assert_eq!(EN.percent_within(0.05, f64::NAN, 0.12), "5 %");
        assert_eq!(EN.percent_within(0.0, 0.0, 0.0), "0 %");
    }

    #[test]
    fn times_use_the_unit_that_fits() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.25, "250 ms"),
            (12.0, "12 s"),
            (250.0, "4 min 10 s"),
            (120.0, "2 min"),
            (3_900.0, "1 h 05 min"),
            (273_600.0, "3 d 4 h"),
            (f64::NAN, "0 s"),
        ] {
            assert_eq!(EN.duration(seconds), text);
        }
    }

    #[test]
    fn french_marks_its_numbers_its_own_way() {
        const FR: Notation = Notation::FRENCH;
        assert_eq!(FR.rate(5_412.3), "5\u{202f}410/s");
        assert_eq!(FR.percent(0.004), "0,4\u{202f}%");
        assert_eq!(FR.percent_within(0.912, 0.909, 0.915), "91,2 ± 0,3\u{202f}%");
        assert_eq!(FR.percent_within(0.05, 0.0, 0.12), "5\u{202f}% (0 à 12\u{202f}%)");
        assert_eq!(FR.percent(0.999_99), "plus de 99,9\u{202f}%");
        assert_eq!(FR.bytes(1_234_567_890), "1,23 Go");
        assert_eq!(FR.duration(273_600.0), "3 j 4 h");
    }

    #[test]
    fn large_amounts_change_their_unit() {
        assert_eq!(EN.bytes(999), "999 bytes");
        assert_eq!(EN.bytes(1_234_567_890), "1.23 GB");
        assert_eq!(EN.scaled(999_700.0, &["", "k", "M"]), "1 M");
        assert_eq!(EN.scaled(12.0, &["", "k", "M"]), "12");
    }
}
