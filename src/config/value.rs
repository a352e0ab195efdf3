//! A value as it was written, in a file, a variable or a flag, and the readers that make something of it.
//!
//! Variables and flags give text, files give typed values; a reader takes either, so that each setting is understood in
//! one place. Readers complain and go on, since all mistakes are to be told at once.

use std::fmt::Display;
use std::str::FromStr;

use super::suggest::nearest;

/// A value and the line it stands on, if it came from a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) line: Option<usize>,
    pub(super) value: Value,
}

/// What may be written.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text.
    Text(String),
    /// A number, as written.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// Several values.
    List(Vec<Item>),
    /// Named values.
    Table(Vec<(Item, Item)>),
}

/// One complaint about a value: the line, if it is known, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) line: Option<usize>,
    pub(super) text: String,
}

/// What readers complain of.
pub(super) type Complaints = Vec<Complaint>;

impl Item {
    /// Takes the text of a variable or flag.
    pub(super) fn text(text: &str) -> Self {
        Self { line: None, value: Value::Text(text.to_owned()) }
    }

    /// Complains about this value.
    pub(super) fn complain(&self, complaints: &mut Complaints, text: impl Into<String>) {
        complaints.push(Complaint { line: self.line, text: text.into() });
    }

    /// Says what was written, for complaints.
    pub(super) fn written(&self) -> String {
        match &self.value {
            Value::Text(text) | Value::Number(text) => format!("`{text}`"),
            Value::Bool(value) => format!("`{value}`"),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }

    /// Reads one text; `wanted` says what to write, such as `a file name`.
    pub(super) fn as_text(&self, wanted: &str, complaints: &mut Complaints) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => {
                self.complain(complaints, format!("{} is not {wanted}", self.written()));
                None
            }
        }
    }

    /// Reads a number within bounds.
    pub(super) fn as_number<N>(&self, wanted: &str, least: N, most: N, complaints: &mut Complaints) -> Option<N>
    where
        N: FromStr + PartialOrd + Display,
    {
        let number = match &self.value {
            Value::Text(text) | Value::Number(text) => text.replace('_', "").parse::<N>().ok(),
            _ => None,
        };
        let number = number.filter(|number| *number >= least && *number <= most);
        if number.is_none() {
            self.complain(
                complaints,
                format!("{} is not {wanted}: write a number from {least} to {most}", self.written()),
            );
        }
        number
    }

    /// Reads yes or no.
    pub(super) fn as_bool(&self, complaints: &mut Complaints) -> Option<bool> {
        match &self.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if matches!(text.as_str(), "true" | "on" | "yes" | "1") => Some(true),
            Value::Text(text) if matches!(text.as_str(), "false" | "off" | "no" | "0") => Some(false),
            _ => {
                self.complain(complaints, format!("{} is neither true nor false", self.written()));
                None
            }
        }
    }

    /// Reads one of a closed set of words.
    pub(super) fn as_word<T: Copy>(&self, words: &[(&str, T)], complaints: &mut Complaints) -> Option<T> {
        let written = self.as_text("a word", complaints)?;
        let found = words.iter().find(|(word, _)| *word == written).map(|(_, value)| *value);
        if found.is_none() {
            let choices = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
            self.complain(complaints, format!("{} is not known: write {choices}", self.written()));
        }
        found
    }

    /// Reads several values: a list, or text with commas between them. Empty text is no value.
    pub(super) fn as_list(&self) -> Vec<Self> {
        match &self.value {
            Value::List(items) => items.iter().flat_map(Self::as_list).collect(),
            Value::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| Self { line: self.line, value: Value::Text(part.to_owned()) })
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// Reads several values, each by its own rule of writing; what cannot be read is complained of and left out.
    pub(super) fn as_each<T>(&self, wanted: &str, complaints: &mut Complaints) -> Vec<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        let mut read = Vec::new();
        for item in self.as_list() {
            let Some(text) = item.as_text(wanted, complaints) else { continue };
            match text.parse::<T>() {
                Ok(value) => read.push(value),
                Err(error) => item.complain(complaints, error.to_string()),
            }
        }
        read
    }

    /// Returns what stands under a key of a table.
    pub(super) fn entry(&self, name: &str) -> Option<&Self> {
        let Value::Table(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| matches!(&key.value, Value::Text(text) if text == name)).map(|(_, item)| item)
    }

    /// Reads a table whose keys are all known, and calls `set` for each.
    pub(super) fn as_table(
        &self,
        known: &[&'static str],
        complaints: &mut Complaints,
        mut set: impl FnMut(&str, &Self, &mut Complaints),
    ) {
        let Value::Table(entries) = &self.value else {
            let keys = known.join("`, `");
            self.complain(complaints, format!("{} is not a table with the keys `{keys}`", self.written()));
            return;
        };
        for (key, item) in entries {
            let Some(name) = key.as_text("a key", complaints) else { continue };
            if known.contains(&name) {
                set(name, item, complaints);
            } else {
                key.complain(complaints, unknown_key(name, known.iter().copied()));
            }
        }
    }
}

/// Says that a key is not known, and which was probably meant.
pub(super) fn unknown_key<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(written, known.clone()) {
        Some(name) => format!("unknown key `{written}`: did you mean `{name}`?"),
        None => {
            let known = known.into_iter().collect::<Vec<_>>().join("`, `");
            format!("unknown key `{written}`: the keys here are `{known}`")
        }
    }
}
