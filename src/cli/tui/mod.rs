//! The terminal: the live page's facts as a screen of text, for those who are on the machine.
//!
//! One thread draws and reads keys, apart from the packet path; it sees what the page sees. Whatever ends the run, the
//! terminal is given back as it was, also when something panics. [`view`] draws, [`choice`] is what the reader chose.

mod choice;
mod view;

use std::io::IsTerminal as _;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::export::board::Board;
use crate::export::live::facts;
use crate::report::live::Live;
use choice::{Asked, Choice};

/// A key is answered at once; without one the screen is drawn anew after this time.
const REFRESH: Duration = Duration::from_millis(250);

/// What the drawing thread and a panic hook agree on: who holds it may use the terminal, while it is `true`.
type Gate = Arc<Mutex<bool>>;

/// A screen that is shown until it is stopped.
#[derive(Debug)]
pub(super) struct Screen {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Screen {
    /// Takes the terminal. `stop` ends the run when the reader wants to leave.
    ///
    /// # Errors
    /// When standard output is no terminal, or the terminal cannot be taken.
    pub(super) fn open(board: Arc<Board>, stop: Arc<AtomicBool>) -> anyhow::Result<Self> {
        anyhow::ensure!(
            std::io::stdout().is_terminal() && std::io::stdin().is_terminal(),
            "--tui needs a terminal: leave it out, or look at the page that --metrics serves"
        );
        let gate: Gate = Arc::new(Mutex::new(true));
        give_back_on_panic(&gate);
        let terminal = ratatui::try_init().context("the terminal cannot be used for --tui")?;
        let over = Arc::new(AtomicBool::new(false));
        let (until, gate) = (Arc::clone(&over), Arc::clone(&gate));
        let show = move || show(terminal, &board, &stop, &until, &gate);
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(show).context("--tui cannot be shown")?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the drawing thread has been reported by then and must not become another.
            let _ = thread.join();
        }
        ratatui::restore();
    }
}

const THREAD: &str = "vigie screen";

/// Makes a panic of any thread give the terminal back before it is told, and end the drawing.
fn give_back_on_panic(gate: &Gate) {
    let (before, gate) = (panic::take_hook(), Arc::clone(gate));
    panic::set_hook(Box::new(move |told| {
        // The drawing thread may hold the gate when it panics itself, and must not wait for itself.
        if thread::current().name() == Some(THREAD) {
            ratatui::restore();
        } else {
            let mut open = gate.lock().unwrap_or_else(PoisonError::into_inner);
            *open = false;
            ratatui::restore();
        }
        before(told);
    }));
}

/// Draws and reads keys until the run or the reader ends it.
fn show(mut terminal: DefaultTerminal, board: &Board, stop: &AtomicBool, over: &AtomicBool, gate: &Gate) {
    let mut choice = Choice::new(view::Ink::of_environment());
    let mut shown: Option<Live> = None;
    let mut has_keys = true;
    while !over.load(Ordering::Relaxed) {
        if shown.is_none() || !choice.is_paused() {
            shown = Some(facts(board, choice.window()));
        }
        {
            let open = gate.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(live) = shown.as_ref().filter(|_| *open) else { return };
            // A terminal that is gone is noticed by what reads from it; until then nothing can be done about it.
            let _ = terminal.draw(|frame| view::draw(frame, live, &choice));
        }
        if !has_keys {
            thread::park_timeout(REFRESH);
            continue;
        }
        match next_key() {
            Ok(Some(key)) => match choice.press(key) {
                Some(Asked::Leave) => stop.store(true, Ordering::Relaxed),
                Some(Asked::Redraw) => {
                    let _ = terminal.clear();
                }
                None => {}
            },
            Ok(None) => {}
            // The keyboard is gone: what happens is still shown.
            Err(_) => has_keys = false,
        }
    }
}

/// Waits for a key, for a quarter of a second at most.
fn next_key() -> std::io::Result<Option<event::KeyEvent>> {
    if !event::poll(REFRESH)? {
        return Ok(None);
    }
    Ok(match event::read()? {
        Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
        _ => None,
    })
}
