//! The score sheet as tables, and the three ways of writing them: for a terminal, as a page, as documentation.

mod curves;
pub mod docs;
pub mod html;
mod tables;
pub mod text;

/// A table with the words that explain it.
#[derive(Clone, Debug, PartialEq)]
struct Section {
    title: String,
    /// Plain words above the table, a paragraph each.
    words: Vec<String>,
    head: Vec<&'static str>,
    /// As many cells as the head has.
    rows: Vec<Vec<String>>,
}

impl Section {
    fn new(title: impl Into<String>, head: &[&'static str]) -> Self {
        Self { title: title.into(), words: Vec::new(), head: head.to_vec(), rows: Vec::new() }
    }

    fn saying(mut self, words: impl Into<String>) -> Self {
        self.words.push(words.into());
        self
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(N, self.head.len(), "{}", self.title);
        self.rows.push(cells.to_vec());
    }

    /// Tells whether a column is of numbers, which are set to the right.
    fn is_number(&self, column: usize) -> bool {
        self.rows.iter().all(|row| row[column].starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == 'n'))
            && column > 0
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn share(part: usize, of: usize) -> String {
    if of > 0 { percent(part as f64 / of as f64) } else { "-".to_owned() }
}

fn seconds(delay: Option<f64>) -> String {
    delay.map_or_else(|| "never".to_owned(), |delay| format!("{delay:.1} s"))
}
