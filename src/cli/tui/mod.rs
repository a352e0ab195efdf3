//! The terminal: the live page's facts as a screen of text, for those who are on the machine.
//!
//! One thread draws and reads keys, apart from the packet path; it sees what the page sees. Whatever ends the run, the
//! terminal is given back as it was, also when something panics. [`view`] draws, [`choice`] is what the reader chose.

mod choice;
mod view;

use std::io::IsTerminal as _;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// What the drawing thread and a panic hook agree on.
#[derive(Debug, Default)]
struct Gate {
    /// Who holds it may use the terminal.
    drawing: Mutex<()>,
    given_back: AtomicBool,
}

impl Gate {
    /// Waits until nothing is being drawn.
    fn wait(&self) -> MutexGuard<'_, ()> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the terminal back, once: a second time would move the cursor back into what was written since.
    fn give_back(&self) {
        if !self.given_back.swap(true, Ordering::Relaxed) {
            ratatui::restore();
        }
    }
}

/// A screen that is shown until it is stopped.
#[derive(Debug)]
pub(super) struct Screen {
    over: Arc<AtomicBool>,
    gate: Arc<Gate>,
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
        let gate = Arc::new(Gate::default());
        // Sets a hook of its own, which ours must come before: it does not wait for the drawing thread.
        let terminal = ratatui::try_init().context("the terminal cannot be used for --tui")?;
        give_back_on_panic(&gate);
        let over = Arc::new(AtomicBool::new(false));
        let (until, shared) = (Arc::clone(&over), Arc::clone(&gate));
        let show = move || show(terminal, &board, &stop, &until, &shared);
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(show).context("--tui cannot be shown")?;
        Ok(Self { over, gate, thread: Some(thread) })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the drawing thread has been reported by then and must not become another.
            let _ = thread.join();
        }
        self.gate.give_back();
    }
}

const THREAD: &str = "vigie screen";

/// Makes a panic of any thread give the terminal back before it is told, and end the drawing.
fn give_back_on_panic(gate: &Arc<Gate>) {
    let (before, gate) = (panic::take_hook(), Arc::clone(gate));
    panic::set_hook(Box::new(move |told| {
        // The drawing thread may hold the gate when it panics itself, and must not wait for itself.
        let _waited = (thread::current().name() != Some(THREAD)).then(|| gate.wait());
        gate.give_back();
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
            let _held = gate.wait();
            let Some(live) = shown.as_ref().filter(|_| !gate.given_back.load(Ordering::Relaxed)) else { return };
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::metrics::Metrics;

    /// Not a test by itself: what [`a_panic_gives_the_terminal_back_before_it_is_told`] runs on a terminal.
    #[test]
    #[ignore = "needs a terminal, which another test gives it"]
    fn panics_while_the_screen_is_shown() {
        let board = Arc::new(Board::new(Arc::new(Metrics::new()), None));
        let _screen = Screen::open(board, Arc::new(AtomicBool::new(false))).unwrap();
        let worker = thread::spawn(|| panic!("a worker fails"));
        assert!(worker.join().is_err());
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        let program = std::env::current_exe().unwrap();
        let test = "cli::tui::tests::panics_while_the_screen_is_shown";
        let line = format!("stty cols 80 rows 24; {} --ignored --exact --nocapture {test}", program.display());
        let run = Command::new("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut script) = run else {
            assert!(std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "script(1) is missing");
            return eprintln!("SKIPPED: script(1) is missing (Debian package bsdutils)");
        };
        // The keyboard stays open as long as the program runs.
        let _keyboard = script.stdin.take();
        let output = script.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        let (_, after) = text.split_once("\u{1b}[?1049h").expect("the screen has a page of its own");
        let (_, after) = after.split_once("\u{1b}[?1049l").expect("and leaves it");
        let (_, after) = after.split_once("a worker fails").expect("the panic is told on the terminal");
        assert!(!after.contains("\u{1b}[?1049"), "nothing is taken or given back over it: {after:?}");
    }
}
