//! The sheet on a terminal: columns as wide as what they hold.

use super::{Section, tables};
use crate::eval::sheet::Sheet;

/// Failures listed at most, of each sort; the JSON sheet has them all.
const MOST_LISTED: usize = 12;

/// Columns in which words are set.
const WIDTH: usize = 100;

/// Writes the sheet.
#[must_use]
pub fn sheet(sheet: &Sheet) -> String {
    let mut text = String::from("Vigie eval\n");
    for line in tables::ran(sheet) {
        text.push_str(&filled(&line));
    }
    for section in tables::of(sheet).iter().chain(&tables::failures(sheet, MOST_LISTED)) {
        write(&mut text, section);
    }
    text
}

fn write(text: &mut String, section: &Section) {
    text.push_str(&format!("\n{}\n", section.title));
    section.words.iter().for_each(|words| text.push_str(&filled(words)));
    let head: Vec<String> = section.head.iter().map(ToString::to_string).collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| section.rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in std::iter::once(&head).chain(&section.rows) {
        let mut line = String::from(" ");
        for (column, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            let cell = if section.is_number(column) { format!(" {pad}{cell} ") } else { format!(" {cell}{pad} ") };
            line.push_str(&cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Sets words in lines of at most [`WIDTH`].
fn filled(words: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from(" ");
    for word in words.split_whitespace() {
        if line.chars().count() + word.chars().count() >= WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other_and_numbers_to_the_right() {
        let mut section = Section::new("Title", &["what", "count"]).saying("Words.");
        section.row(["a".to_owned(), "7".to_owned()]);
        section.row(["longer".to_owned(), "1234567".to_owned()]);
        let mut text = String::new();
        write(&mut text, &section);
        assert_eq!(text, "\nTitle\n  Words.\n  what      count\n  a             7\n  longer  1234567\n");
    }

    #[test]
    fn words_are_set_in_lines() {
        let lines = filled(&"word ".repeat(60));
        assert!(lines.lines().count() == 4 && lines.lines().all(|line| line.chars().count() <= WIDTH));
    }
}
