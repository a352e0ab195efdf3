//! The page at `/`: the board's facts, as the live page of [`crate::report::live`] takes them.
//!
//! A query chooses what is shown: `lang=fr`, and `minutes=5`, `15` or `60`. What is not understood is passed over.

use crate::alert::text::Language;
use crate::export::board::Board;
use crate::export::live::facts;
use crate::report::live::{self, Window};

/// What a reader asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wish {
    language: Option<Language>,
    window: Option<Window>,
}

impl Wish {
    fn of(query: &str) -> Self {
        let mut wish = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "lang" => wish.language = Language::from_code(value),
                "minutes" => {
                    let named = |window: &Window| window.minutes().to_string() == value;
                    wish.window = Window::ALL.into_iter().find(named);
                }
                _ => {}
            }
        }
        wish
    }
}

/// Writes the page.
pub(super) fn write(board: &Board, query: &str) -> String {
    let wish = Wish::of(query);
    live::page(&facts(board, wish.window), wish.language.unwrap_or_else(|| board.language()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_chooses_and_nonsense_is_passed_over() {
        assert_eq!(Wish::of("minutes=15&lang=en").window, Some(Window::Quarter));
        assert_eq!(Wish::of("lang=en").language, Some(Language::English));
        assert_eq!(Wish::of("lang=../x&minutes=&&=&minutes=7&a"), Wish::default());
    }
}
