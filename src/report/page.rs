//! What the report and the live page share: escaping, headings, badges, and the language they are written in.

use std::fmt::{self, Write as _};

use crate::alert::text::Language;
use crate::alert::text::notation::Notation;
use crate::country::Country;
use crate::report::chart::map::{self, Place, Side};
use crate::report::words::{self, Labels, Words};

pub(crate) const STYLE: &str = include_str!("page.css");

/// A text made safe for element content and for attributes in double quotes.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // No control character may stand in a page; what a file name holds is shown as unreadable.
                c if c.is_control() && c != '\n' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Puts values in the places of a label, in their order.
pub(crate) fn filled(label: &str, values: &[&str]) -> String {
    let mut parts = label.split("{}");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        text.push_str(values.next().copied().unwrap_or_default());
        text.push_str(part);
    }
    text
}

/// A page being written.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) language: Language,
    pub(super) n: Notation,
    pub(super) words: &'static dyn Words,
    pub(super) l: &'static Labels,
    /// Times on other days bear their date.
    pub(super) first_day: String,
}

impl Page {
    pub(super) fn new(language: Language, first_day: String) -> Self {
        let words = words::of(language);
        Self { out: String::new(), language, n: words.notation(), words, l: words.labels(), first_day }
    }

    pub(super) fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Writes an element with a text in it.
    pub(super) fn text(&mut self, tag: &str, text: &str) {
        // Writing to a string cannot fail, here and elsewhere.
        let _ = write!(self.out, "<{tag}>{}</{tag}>", Escaped(text));
    }

    /// Writes a paragraph of a class.
    pub(super) fn note(&mut self, class: &str, text: &str) {
        let _ = write!(self.out, "<p class=\"{class}\">{}</p>", Escaped(text));
    }

    /// Opens a section with its title. The class is its id too.
    pub(super) fn section(&mut self, class: &str, title: &str) {
        let _ = write!(
            self.out,
            "<section class=\"{class}\" id=\"{class}\" aria-labelledby=\"{class}-title\">\
             <h2 id=\"{class}-title\">{}</h2>",
            Escaped(title)
        );
    }

    /// Names a country, and home as such.
    pub(super) fn country_on_its_side(&self, country: Country, side: Side) -> String {
        let name = if country.is_known() { self.words.country(country) } else { self.l.unknown.to_owned() };
        if side == Side::Home { format!("{name}, {}", self.l.home) } else { name }
    }

    /// Returns a country as the map shows it.
    pub(super) fn place(&self, country: Country, side: Side, share: f64) -> Place {
        let said = format!("{} {}", self.country_on_its_side(country, side), self.n.percent(share));
        Place { country, share, side, said }
    }

    /// Writes what maps stand on, once a page.
    pub(super) fn map_ground(&mut self) {
        self.put(map::ground());
    }

    /// Writes the map and what its tiles mean. The figures stand in the table that follows.
    pub(super) fn map(&mut self, places: &[Place], title: &str, number: usize) {
        let l = &self.l.map;
        let _ = write!(
            self.out,
            "<figure class=\"wide\" id=\"map-{number}\">{}</figure><p class=\"legend\">\
             <span class=\"key tile home\"></span>{} <span class=\"key tile abroad\"></span>{}<br>{}</p>",
            map::svg(places, title, number),
            Escaped(l.home),
            Escaped(l.abroad),
            Escaped(l.note),
        );
    }

    /// Opens a table under its heads; those that begin with `#` are over numbers.
    pub(super) fn table(&mut self, class: &str, heads: &[&str]) {
        let _ = write!(self.out, "<div class=\"wide\"><table class=\"{class}\"><thead><tr>");
        for head in heads {
            let _ = match head.strip_prefix('#') {
                Some(head) => write!(self.out, "<th scope=\"col\" class=\"num\">{}</th>", Escaped(head)),
                None => write!(self.out, "<th scope=\"col\">{}</th>", Escaped(head)),
            };
        }
        self.put("</tr></thead><tbody>");
    }

    /// Closes what [`Page::table`] opened.
    pub(super) fn end_table(&mut self) {
        self.put("</tbody></table></div>");
    }

    /// Writes names and values under a title.
    pub(super) fn rows(&mut self, title: &str, rows: &[(String, String)]) {
        if rows.is_empty() {
            return;
        }
        if !title.is_empty() {
            self.text("h3", title);
        }
        self.put("<table class=\"rows\"><tbody>");
        for (name, value) in rows {
            let _ = write!(self.out, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", Escaped(name), Escaped(value));
        }
        self.put("</tbody></table>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_take_their_values_in_order_and_no_value_is_read_as_a_label() {
        assert_eq!(filled("{} of {}.", &["{}", "2"]), "{} of 2.");
        assert_eq!(filled("none", &["1"]), "none");
        assert_eq!(filled("{}, {}", &["1"]), "1, ");
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "<b a=\"'&\u{1b}>";
        assert_eq!(Escaped(hostile).to_string(), "&lt;b a=&quot;&#39;&amp;\u{fffd}&gt;");
    }
}
