//! A TOML file as items with lines.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistakes::{Mistake, Place};
use super::value::{Item, Value};

/// Reads the file's top level: each key with its value. Syntax errors are mistakes, and what can be read is read.
pub(super) fn read(path: &Path, text: &str, mistakes: &mut Vec<Mistake>) -> Vec<(Item, Item)> {
    let lines = Lines::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| lines.at(span.start));
        let place = Place::File { path: path.to_owned(), line };
        mistakes.push(Mistake { place, text: format!("not TOML: {}", error.message()) });
    }
    entries(table.get_ref(), &lines)
}

fn entries(table: &DeTable<'_>, lines: &Lines) -> Vec<(Item, Item)> {
    let mut entries: Vec<(Item, Item)> = table
        .iter()
        .map(|(key, value)| {
            let line = Some(lines.at(key.span().start));
            (Item { line, value: Value::Text(key.get_ref().to_string()) }, item(value, lines))
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.line);
    entries
}

fn item(spanned: &Spanned<DeValue<'_>>, lines: &Lines) -> Item {
    let value = match spanned.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(integer) => Value::Number(integer.as_str().to_owned()),
        DeValue::Float(float) => Value::Number(float.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(moment) => Value::Text(moment.to_string()),
        DeValue::Array(values) => Value::List(values.iter().map(|value| item(value, lines)).collect()),
        DeValue::Table(table) => Value::Table(entries(table, lines)),
    };
    Item { line: Some(lines.at(spanned.span().start)), value }
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// Returns the line, from 1, that a byte lies on.
    fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_lines() {
        let mut mistakes = Vec::new();
        let items = read(Path::new("v.toml"), "a = 1\n\n[b]\nc = [\n  true,\n]\n", &mut mistakes);
        assert!(mistakes.is_empty());
        assert_eq!(items[0].0, Item { line: Some(1), value: Value::Text("a".to_owned()) });
        let Value::Table(b) = &items[1].1.value else { panic!("{items:?}") };
        assert_eq!(b[0].0.line, Some(4));
        assert_eq!(b[0].1.value, Value::List(vec![Item { line: Some(5), value: Value::Bool(true) }]));
    }

    #[test]
    fn a_syntax_error_names_its_line_and_the_rest_is_read() {
        let mut mistakes = Vec::new();
        let items = read(Path::new("v.toml"), "a = 1\nb = = 2\nc = 3\n", &mut mistakes);
        assert!(mistakes[0].to_string().starts_with("v.toml:2: not TOML: "), "{mistakes:?}");
        assert!(items.iter().any(|(key, _)| key.value == Value::Text("c".to_owned())));
    }
}
