//! Text for people: results on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};

use crate::report::plain;
use crate::report::text::Style;

/// Says on standard error what went wrong; a standard error that is closed hears nothing.
pub(super) fn complain(text: &str) {
    let mut err = std::io::stderr().lock();
    for line in plain(text).lines() {
        let _ = writeln!(err, "vigie: {line}");
    }
}

/// Where a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Output,
    /// Standard error: standard output carries something else.
    Error,
}

impl Stream {
    /// Prints a result as it is.
    ///
    /// # Errors
    /// When the stream is closed or full.
    pub(super) fn print(self, text: &str) -> std::io::Result<()> {
        match self {
            Self::Output => {
                let mut out = std::io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
            Self::Error => std::io::stderr().lock().write_all(text.as_bytes()),
        }
    }

    /// Tells whether colours are wanted: on a terminal, unless `NO_COLOR` is set (no-color.org).
    pub(super) fn style(self) -> Style {
        let terminal = match self {
            Self::Output => std::io::stdout().is_terminal(),
            Self::Error => std::io::stderr().is_terminal(),
        };
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if terminal && !refused { Style::Coloured } else { Style::Plain }
    }
}
