//! What the reader of the screen chose, by keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::view::Ink;
use crate::report::live::{LiveSite, Standing, Window};

/// How sites are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// The gravest first.
    #[default]
    Gravity,
    /// The busiest first.
    Rate,
    /// By name.
    Name,
}

impl Order {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gravity => "gravity",
            Self::Rate => "rate",
            Self::Name => "name",
        }
    }

    /// Sorts sites with what they are in.
    pub(super) fn sort(self, sites: &mut [(&LiveSite, Standing)]) {
        let rate = |site: &LiveSite| site.now.map_or(0.0, |now| now.requests());
        match self {
            Self::Gravity => sites.sort_by(|(a, a_is), (b, b_is)| a_is.cmp(b_is).then(rate(b).total_cmp(&rate(a)))),
            Self::Rate => sites.sort_by(|(a, _), (b, _)| rate(b).total_cmp(&rate(a))),
            Self::Name => sites.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name)),
        }
    }
}

/// What only the outside can do for the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// End the run.
    Leave,
    /// Draw everything anew.
    Redraw,
}

/// What is shown, and how.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) order: Order,
    pub(super) ink: Ink,
    /// Place of the site that is shown in full.
    pub(super) selected: usize,
    pub(super) help: bool,
    paused: bool,
    window: Option<Window>,
}

impl Choice {
    pub(super) const fn new(ink: Ink) -> Self {
        Self { order: Order::Gravity, ink, selected: 0, help: false, paused: false, window: None }
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) const fn window(&self) -> Option<Window> {
        self.window
    }

    /// Takes a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Option<Asked> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return Some(Asked::Leave),
            KeyCode::Char('l') if control => return Some(Asked::Redraw),
            KeyCode::Char('q') => return Some(Asked::Leave),
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Char('s') => {
                self.order = match self.order {
                    Order::Gravity => Order::Rate,
                    Order::Rate => Order::Name,
                    Order::Name => Order::Gravity,
                };
            }
            KeyCode::Char('1') => self.window = Some(Window::Five),
            KeyCode::Char('2') => self.window = Some(Window::Quarter),
            KeyCode::Char('3') => self.window = Some(Window::Hour),
            KeyCode::Char('0') => self.window = None,
            KeyCode::Down | KeyCode::Char('j') | KeyCode::Tab => self.selected = self.selected.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') | KeyCode::BackTab => self.selected = self.selected.saturating_sub(1),
            KeyCode::Char('?' | 'h') => self.help = !self.help,
            KeyCode::Esc => self.help = false,
            _ => {}
        }
        None
    }

    /// Returns the place of the selected one among so many.
    pub(super) fn selected(&self, sites: usize) -> usize {
        self.selected.min(sites.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(choice: &mut Choice, code: KeyCode, modifiers: KeyModifiers) -> Option<Asked> {
        choice.press(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_do_what_the_help_says() {
        let mut choice = Choice::new(Ink::Plain);
        let none = KeyModifiers::NONE;
        for (key, order) in [('s', Order::Rate), ('s', Order::Name), ('s', Order::Gravity)] {
            assert_eq!(press(&mut choice, KeyCode::Char(key), none), None);
            assert_eq!(choice.order, order);
        }
        press(&mut choice, KeyCode::Char('p'), none);
        assert!(choice.is_paused());
        press(&mut choice, KeyCode::Char('3'), none);
        assert_eq!(choice.window(), Some(Window::Hour));
        press(&mut choice, KeyCode::Char('0'), none);
        assert_eq!(choice.window(), None);
        press(&mut choice, KeyCode::Down, none);
        press(&mut choice, KeyCode::Down, none);
        assert_eq!((choice.selected(2), choice.selected(0)), (1, 0), "never past the last site");
        assert_eq!(press(&mut choice, KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Asked::Leave));
        assert_eq!(press(&mut choice, KeyCode::Char('c'), none), None);
        assert_eq!(press(&mut choice, KeyCode::Char('q'), none), Some(Asked::Leave));
    }
}
