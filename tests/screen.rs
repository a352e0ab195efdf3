//! The screen as a person has it: in a terminal that is resized and typed into, and is theirs again afterwards.
//!
//! The terminal is tmux's, which runs the program on a pseudo-terminal of its own and says what stands on the screen. What
//! it shows at a calm moment, in a rush and in a mixed attack is left below the target folder, to be looked at.

mod http;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

const VIGIE: &str = env!("CARGO_BIN_EXE_vigie");

/// A shell in a terminal.
struct Terminal {
    /// The name of its server, so that no other is touched.
    server: String,
}

impl Terminal {
    /// Opens one of 80 columns and 24 rows; `None`, said visibly, where there is no tmux.
    fn open(name: &str, variables: &[(&str, &str)]) -> Option<Self> {
        let is_there =
            Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        if !is_there {
            let required = std::env::var("VIGIE_REQUIRE_ALL").as_deref() == Ok("1");
            assert!(!required, "tmux (Debian package tmux) is missing");
            eprintln!("SKIPPED: tmux (Debian package tmux) is missing");
            return None;
        }
        let terminal = Self { server: format!("vigie-{name}-{}", std::process::id()) };
        let mut start =
            terminal.command(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "env", "-i"]);
        start.args([format!("PATH={}", std::env::var("PATH").unwrap()), "TERM=screen-256color".to_owned()]);
        start.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        start.args(["PS1=$ ", "LC_ALL=C.UTF-8", "sh"]);
        let output = start.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(terminal)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.server]).args(arguments);
        command
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn run(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.press("Enter");
    }

    /// Runs the program; after it stands `over 42`.
    fn show(&self, program: &str) {
        self.run(&format!("{program}; echo over $((40 + 2))"));
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What stands on the screen.
    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// The same with its colours and weights as escape sequences.
    fn inked(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p", "-e"]).stdout).unwrap()
    }

    /// Asks for what tmux knows of the terminal.
    fn state(&self, format: &str) -> String {
        String::from_utf8(self.tmux(&["display-message", "-p", format]).stdout).unwrap().trim().to_owned()
    }

    /// Waits until the screen is as a test wants it.
    fn wait(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let came = http::wait_until(Duration::from_secs(120), || holds(&self.screen()));
        assert!(came, "{what} does not come:\n{}", self.screen());
        self.screen()
    }

    fn wait_for(&self, words: &str) -> String {
        self.wait(words, |screen| screen.contains(words))
    }

    /// Holds that the shell has its terminal back: its own page, a cursor, and a line that echoes and is edited.
    fn assert_given_back(&self) {
        assert_eq!(self.state("#{alternate_on} #{cursor_flag}"), "0 1");
        self.run("clear; stty -a | tr ' ' '\\n' | grep -E -c '^(echo|icanon|isig|opost);?$'; echo asked");
        let screen = self.wait_for("\nasked\n");
        assert!(screen.starts_with("4\nasked\n"), "{screen}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Nothing is left to stop where it could not be started.
        let _ = self.tmux(&["kill-server"]);
    }
}

fn replay(fixture: &str, speed: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    let protect = "--protect 203.0.113.0/24=ecole --protect 2001:db8:113::/48=ecole";
    format!("{VIGIE} replay {} --home FR {protect} --speed {speed} --tui", path.display())
}

#[test]
fn it_follows_keys_and_sizes_and_leaves_the_terminal_as_it_was() {
    let Some(terminal) = Terminal::open("keys", &[]) else { return };
    terminal.run("echo what stood there");
    terminal.show(&replay("calm.pcap.zst", "5"));
    let screen = terminal.wait_for("> ecole");
    assert!(screen.contains("usual most") && screen.contains("q quit"), "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80) && !screen.contains("what stood there"), "{screen}");
    assert_eq!(terminal.state("#{alternate_on}"), "1");

    terminal.press("?");
    terminal.wait_for("Keys");
    terminal.press("Escape");
    terminal.wait("no help", |screen| !screen.contains("Keys"));
    terminal.press("s");
    terminal.wait_for("sorted by rate");
    terminal.press("p");
    let paused = terminal.wait_for("PAUSED");
    let judged = |screen: &str| screen.split("judged up to ").nth(1).map(|rest| rest[..19].to_owned()).unwrap();
    assert!(!http::wait_until(Duration::from_secs(2), || judged(&terminal.screen()) != judged(&paused)), "it stands");
    terminal.press("p");
    terminal.wait("it goes on", |screen| !screen.contains("PAUSED") && judged(screen) != judged(&paused));

    for (columns, rows) in [(132, 40), (60, 15), (80, 24)] {
        terminal.resize(columns, rows);
        let rule = "\u{2500}".repeat(usize::from(columns));
        let wide = |screen: &str| screen.lines().any(|line| line == rule) && screen.contains("> ecole");
        terminal.wait("the new size", wide);
    }

    terminal.press("q");
    let after = terminal.wait_for("over 42");
    assert!(!after.contains("q quit"), "{after}");
    terminal.assert_given_back();
}

#[test]
fn no_colour_is_kept_and_colour_is_used_without_it() {
    let colours = |inked: &str| ["\u{1b}[3", "\u{1b}[4", "\u{1b}[9"].iter().any(|sign| colour_after(inked, sign));
    for (name, variables, coloured) in [("plain", &[("NO_COLOR", "1")][..], false), ("coloured", &[], true)] {
        let Some(terminal) = Terminal::open(name, variables) else { return };
        terminal.show(&replay("syn-flood.pcap.zst", "50"));
        terminal.wait("the flood", |screen| screen.contains("attack") && screen.contains("SYN flood"));
        assert_eq!(colours(&terminal.inked()), coloured, "{name}: {}", terminal.inked());
        terminal.press("C-c");
        terminal.wait_for("over 42");
        terminal.assert_given_back();
    }
}

/// Tells whether one of these escape sequences sets a colour: 30 to 37, 40 to 47, 90 to 97, or 38 and 48 with more.
fn colour_after(inked: &str, sign: &str) -> bool {
    inked.split(sign).skip(1).any(|rest| {
        let digit = rest.chars().next().is_some_and(|c| matches!(c, '0'..='8'));
        let ends = rest.chars().nth(1).is_some_and(|c| matches!(c, 'm' | ';'));
        digit && ends
    })
}

#[test]
fn a_live_run_has_the_same_screen() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var("VIGIE_REQUIRE_ALL").as_deref() != Ok("1"), "only root captures");
        return eprintln!("SKIPPED: only root captures");
    }
    let Some(terminal) = Terminal::open("live", &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    terminal.run(&format!("cd {}", folder.path().display()));
    terminal.show(&format!("{VIGIE} watch -i lo --tui --metrics off --protect 127.0.0.0/8=here"));
    terminal.wait_for("running; judged up to");
    terminal.resize(100, 30);
    let rule = "\u{2500}".repeat(100);
    terminal.wait("the new size", |screen| screen.lines().any(|line| line == rule));
    terminal.press("q");
    terminal.wait_for("over 42");
    terminal.assert_given_back();
}

#[test]
fn a_morning_is_seen_as_it_goes() {
    let Some(terminal) = Terminal::open("morning", &[]) else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("terminal");
    std::fs::create_dir_all(&folder).unwrap();
    terminal.show(&replay("launch-morning-small.pcap.zst", "20"));
    for (moment, verdicts) in [("calm", ["ordinary"; 2]), ("rush", ["rush", "overload"]), ("mixed", ["mixed"; 2])] {
        let is_so = |line: &str| line.starts_with("> ecole") && verdicts.iter().any(|verdict| line.contains(verdict));
        let screen = terminal.wait(moment, |screen| screen.lines().any(is_so));
        assert!(screen.contains("Visitors of ecole") && screen.contains("sensor"), "{screen}");
        std::fs::write(folder.join(format!("{moment}.txt")), screen).unwrap();
    }
    terminal.press("q");
    terminal.wait_for("over 42");
    terminal.assert_given_back();
}
