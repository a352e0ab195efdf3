//! The screen: sites, the selected one's rate, incidents, origins and sources, the sensor, keys.
//!
//! It says in words what it says in colour, so that nothing is lost with `NO_COLOR` (no-color.org), and fits 80 columns
//! by 24 lines. On anything smaller the lower parts are cut first.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Sparkline, Table, Wrap};

use super::choice::Choice;
use crate::alert::Alert;
use crate::alert::text::Language;
use crate::alert::text::notation::Notation;
use crate::kind::Severity;
use crate::report::live::{Live, LiveSite, Stage, Standing};

const N: Notation = Notation::ENGLISH;

/// Sites listed at most: the selected one is always among them.
const MOST_SITES: usize = 8;

const KEYS: &str = " q quit  p pause  s sort  j k site  1 2 3 time  ? help";

const HELP: &str = "\
q, Ctrl-C   end the run
p, space    hold the screen still
s           sort sites by gravity, rate or name
j k, arrows choose the site that is shown in full
1 2 3 0     show 5, 15, 60 minutes, or what there is
Ctrl-L      draw anew
?           this help

completed: the client finished the handshake
unfinished: answered, and the client never went on
unanswered: the server did not answer, or refused";

/// Whether there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    /// Colours beside words.
    Coloured,
    /// Words, bold and reverse.
    Plain,
}

impl Ink {
    /// Takes colour unless `NO_COLOR` is set.
    pub(super) fn of_environment() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if refused { Self::Plain } else { Self::Coloured }
    }

    fn colour(self, style: Style, colour: Color) -> Style {
        match self {
            Self::Coloured => style.fg(colour),
            Self::Plain => style,
        }
    }

    fn standing(self, standing: Standing) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        match standing {
            Standing::Attack | Standing::Mixed => self.colour(bold, Color::LightRed),
            Standing::Overload | Standing::Trouble | Standing::Suspicion => self.colour(bold, Color::Yellow),
            Standing::Rush => self.colour(bold, Color::LightGreen),
            Standing::Ordinary => self.colour(Style::new(), Color::Green),
            Standing::Unjudged => Style::new(),
        }
    }

    fn severity(self, severity: Severity) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        match severity {
            Severity::Critical => self.colour(bold, Color::LightRed),
            Severity::Warning => self.colour(bold, Color::Yellow),
            Severity::Info => Style::new(),
        }
    }
}

/// Draws the screen.
pub(super) fn draw(frame: &mut Frame<'_>, live: &Live, choice: &Choice) {
    let mut sites: Vec<(&LiveSite, Standing)> = live.sites.iter().map(|site| (site, live.standing(site))).collect();
    choice.order.sort(&mut sites);
    let selected = choice.selected(sites.len());
    let listed = u16::try_from(sites.len().clamp(1, MOST_SITES)).unwrap_or(1);
    let [head, table, rate, middle, health, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(listed + 2),
        Constraint::Length(6),
        Constraint::Min(3),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(head_line(live, choice), head);
    draw_sites(frame, table, &sites, selected, live, choice);
    if let Some((site, _)) = sites.get(selected) {
        draw_rate(frame, rate, live, site, choice);
        let [left, right] = Layout::horizontal([Constraint::Percentage(64), Constraint::Percentage(36)]).areas(middle);
        draw_incidents(frame, left, live, choice);
        draw_origins(frame, right, live, site);
    } else {
        let text = "No protected site is known yet. Name what is defended with --protect, or wait until it is found.";
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), middle);
    }
    frame.render_widget(health_line(live, choice), health);
    frame.render_widget(Line::styled(KEYS, Style::new().add_modifier(Modifier::DIM)), keys);
    if choice.help {
        draw_help(frame);
    }
}

fn head_line(live: &Live, choice: &Choice) -> Line<'static> {
    let stage = match &live.stage {
        Stage::Starting => "starting".to_owned(),
        Stage::Running => "running".to_owned(),
        Stage::Ended => "ended".to_owned(),
        Stage::Stalled => "STALLED".to_owned(),
        Stage::Failed(reason) => format!("FAILED: {reason}"),
    };
    let until = live.until.map_or_else(
        || "nothing is judged yet".to_owned(),
        |until| {
            let text = until.to_string();
            format!("judged up to {} {} UTC", text.get(..10).unwrap_or_default(), text.get(11..19).unwrap_or_default())
        },
    );
    let mut spans = vec![
        Span::styled(" Vigie ", Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED)),
        Span::raw(format!(" {stage}; {until}; sorted by {}", choice.order.name())),
    ];
    if choice.is_paused() {
        spans.push(Span::styled("  PAUSED", Style::new().add_modifier(Modifier::BOLD)));
    }
    Line::from(spans)
}

fn draw_sites(
    frame: &mut Frame<'_>,
    area: Rect,
    sites: &[(&LiveSite, Standing)],
    selected: usize,
    live: &Live,
    choice: &Choice,
) {
    // What is selected stays in sight.
    let first = (selected + 1).saturating_sub(MOST_SITES);
    let rows = sites.iter().enumerate().skip(first).take(MOST_SITES).map(|(place, (site, standing))| {
        let cells = site_cells(live, site);
        let mark = if place == selected { "> " } else { "  " };
        let mut row = vec![
            Cell::from(format!("{mark}{}", site.name)),
            Cell::from(standing.name()).style(choice.ink.standing(*standing)),
        ];
        row.extend(cells.into_iter().map(|cell| Cell::from(Line::from(cell).right_aligned())));
        Row::new(row)
    });
    let heads = ["", "verdict", "asked", "usual most", "answered", "unfinished", "abroad"];
    let head = heads.iter().enumerate().map(|(place, head)| {
        let line = Line::from(*head);
        Cell::from(if place < 2 { line } else { line.right_aligned() })
    });
    let widths = [
        Constraint::Min(12),
        Constraint::Length(10),
        Constraint::Length(9),
        Constraint::Length(10),
        Constraint::Length(8),
        Constraint::Length(10),
        Constraint::Length(7),
    ];
    let head = Row::new(head).style(Style::new().add_modifier(Modifier::DIM));
    frame.render_widget(Table::new(rows, widths).header(head).block(Block::new().borders(Borders::BOTTOM)), area);
}

/// Returns requests, what is usual at most, the shares answered and unfinished, and that from abroad.
fn site_cells(live: &Live, site: &LiveSite) -> [String; 5] {
    let unknown = || "-".to_owned();
    let now = site.now.filter(|now| now.requests() > 0.0);
    let asked = site.now.map_or_else(unknown, |now| N.rate(now.requests()));
    let most = site.now.and_then(|now| now.usual).map_or_else(unknown, |(_, most)| N.rate(most));
    let answered = now.map_or_else(unknown, |now| N.percent((now.completed + now.unfinished) / now.requests()));
    let unfinished = now
        .filter(|now| now.completed + now.unfinished > 0.0 && !site.one_sided)
        .map_or_else(unknown, |now| N.percent(now.unfinished / (now.completed + now.unfinished)));
    [asked, most, answered, unfinished, live.share_from_abroad(site).map_or_else(unknown, |share| N.percent(share))]
}

fn draw_rate(frame: &mut Frame<'_>, area: Rect, live: &Live, site: &LiveSite, choice: &Choice) {
    let rates: Vec<f64> =
        site.line.columns.iter().map(|column| column.map_or(0.0, |column| column.requests())).collect();
    let width = usize::from(area.width).max(1);
    let each = rates.len().div_ceil(width).max(1);
    // The largest of what falls into one character: a short flood must not vanish.
    let shown: Vec<u64> = rates.chunks(each).map(|rates| whole(rates.iter().copied().fold(0.0, f64::max))).collect();
    let largest = rates.iter().copied().fold(0.0, f64::max);
    let now = site.now.map_or_else(String::new, |now| {
        format!(
            "; completed {}, unfinished {}, unanswered {}",
            N.rate(now.completed),
            N.rate(now.unfinished),
            N.rate(now.unanswered)
        )
    });
    let title = format!("{}, {} min, top {}{now}", site.name, live.window.minutes(), N.rate(largest));
    let line = Sparkline::default()
        .block(Block::new().title(title).borders(Borders::BOTTOM))
        .style(choice.ink.colour(Style::new(), Color::LightBlue))
        .data(&shown);
    frame.render_widget(line, area);
}

fn draw_incidents(frame: &mut Frame<'_>, area: Rect, live: &Live, choice: &Choice) {
    let mut open: Vec<&Alert> = live.open.iter().map(|alert| &**alert).collect();
    open.sort_by_key(|alert| (std::cmp::Reverse(alert.severity), alert.started_at));
    let mut text = Text::default();
    for alert in &open {
        let since = alert.started_at.to_string();
        text.push_line(Line::from(vec![
            Span::styled(alert.severity.name(), choice.ink.severity(alert.severity)),
            Span::raw(format!(
                " {} since {}: ",
                Language::English.kind(alert.kind),
                since.get(11..19).unwrap_or_default()
            )),
            Span::raw(Language::English.why(alert)),
        ]));
    }
    if open.is_empty() {
        text.push_line("None.");
    }
    let block = Block::new().title(format!("Open incidents: {}", open.len())).borders(Borders::RIGHT | Borders::BOTTOM);
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }).block(block), area);
}

fn draw_origins(frame: &mut Frame<'_>, area: Rect, live: &Live, site: &LiveSite) {
    let all: u64 = site.visitors.iter().map(|visitors| visitors.recent).sum();
    let mut text = Text::default();
    for visitors in site.visitors.iter().filter(|visitors| visitors.recent > 0).take(6) {
        let share = visitors.recent as f64 / all.max(1) as f64;
        let home = if live.is_home(visitors.country) { " home" } else { "" };
        let name = format!("{}{home}", visitors.country);
        let bar = "#".repeat(usize::try_from(whole(share * 10.0)).unwrap_or(0));
        text.push_line(format!("{name:<8} {:>6} {bar}", N.percent(share)));
    }
    if all == 0 {
        text.push_line("No verified connection lately.");
    }
    let mut sources = live.open.iter().flat_map(|alert| alert.sources.iter()).collect::<Vec<_>>();
    sources.sort_by_key(|source| (std::cmp::Reverse(source.packets), source.address));
    sources.dedup_by_key(|source| source.address);
    if !sources.is_empty() {
        text.push_line(Line::styled("Heaviest sources", Style::new().add_modifier(Modifier::DIM)));
    }
    for source in sources.into_iter().take(5) {
        text.push_line(format!("{} {} packets", source.address, N.whole(source.packets)));
    }
    let block = Block::new().title(format!("Visitors of {}", site.name)).borders(Borders::BOTTOM);
    frame.render_widget(Paragraph::new(text).block(block), area);
}

fn health_line(live: &Live, choice: &Choice) -> Line<'static> {
    let health = &live.health;
    let seeing = live.is_seeing();
    let (word, colour) = if seeing { ("sensor good", Color::Green) } else { ("SENSOR NOT GOOD", Color::LightRed) };
    let lag = health.lag.map_or_else(|| "recorded".to_owned(), |lag| format!("lag {}", N.duration(lag.as_secs_f64())));
    let sided: Vec<&str> = live.sites.iter().filter(|site| site.one_sided).map(|site| &*site.name).collect();
    let sided = if sided.is_empty() { String::new() } else { format!(", one-sided: {}", sided.join(" ")) };
    let counted = match health.sampling {
        sampling if sampling.is_whole() => String::new(),
        sampling => format!(" counts 1 in {},", sampling.one_in()),
    };
    Line::from(vec![
        Span::styled(format!(" {word}"), choice.ink.colour(Style::new().add_modifier(Modifier::BOLD), colour)),
        Span::raw(format!(
            ":{counted} lost {} of {} in a minute, {lag}, twice {}, {} flows{sided}",
            N.whole(health.lost),
            N.whole(health.frames),
            N.percent(health.duplicates),
            N.whole(health.flows)
        )),
    ])
}

fn draw_help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (area.width.min(58), area.height.min(14));
    let place = Rect::new((area.width - width) / 2, (area.height - height) / 2, width, height);
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title("Keys")), place);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates; rates are not negative"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::alert::sample;
    use crate::detect::engine::Home;
    use crate::kind::{AlertKind, Verdict};
    use crate::report::live::{Column, Health, TimeLine, Visitors, Window};
    use crate::sampling::Sampling;
    use crate::time::Timestamp;

    /// 2021-04-06T09:00:00Z.
    const START: u64 = 1_617_699_600;

    fn site(name: &str, completed: f64, unfinished: f64) -> LiveSite {
        let column = |second: u64, part: f64| Column {
            start: Timestamp::from_secs(START + second),
            completed: completed * part,
            unfinished: unfinished * part,
            unanswered: 3.0,
            usual: Some((400.0, 900.0)),
        };
        let columns = (0..300).map(|n| (n > 20).then(|| column(n, if n > 250 { 1.0 } else { 0.2 }))).collect();
        let visitors = |code: &str, recent| Visitors { country: code.parse().unwrap(), recent, hour: recent * 9 };
        LiveSite {
            name: name.into(),
            now: Some(column(299, 1.0)),
            line: TimeLine { first: START, seconds_each: 1, columns },
            minutes: Vec::new(),
            visitors: vec![visitors("FR", 900), visitors("BE", 60), visitors("DE", 40)],
            unproven: Some(0.7),
            sources: Some(4_100.0),
            one_sided: false,
        }
    }

    fn live() -> Live {
        let at = Timestamp::from_secs(START + 280);
        let alert = |kind, verdict, site| Arc::new(sample(kind, verdict, site, at).remove(0));
        Live {
            stage: Stage::Running,
            until: Some(Timestamp::from_secs(START + 300)),
            window: Window::Five,
            chosen: false,
            sites: vec![site("ecole", 600.0, 4_900.0), site("lycee", 310.0, 2.0)],
            open: vec![
                alert(AlertKind::SynFlood, Verdict::Attack, "ecole"),
                alert(AlertKind::Rush, Verdict::Rush, "lycee"),
            ],
            closed: Vec::new(),
            health: Health { frames: 812_345, lost: 42, flows: 9_100, ..Health::default() },
            protected: Vec::new(),
            learning: false,
            home: Some(Home { countries: vec!["FR".parse().unwrap()], how: "configured".to_owned() }),
            detectors: Vec::new(),
        }
    }

    fn drawn(live: &Live, choice: &Choice, width: u16, height: u16) -> Terminal<TestBackend> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, live, choice)).unwrap();
        terminal
    }

    #[test]
    fn eighty_columns_hold_all_that_matters() {
        let screen = drawn(&live(), &Choice::new(Ink::Plain), 80, 24).backend().to_string();
        insta::assert_snapshot!(screen);
    }

    #[test]
    fn without_colour_there_is_none_and_with_it_the_words_are_the_same() {
        let plain = drawn(&live(), &Choice::new(Ink::Plain), 80, 24);
        let coloured = drawn(&live(), &Choice::new(Ink::Coloured), 80, 24);
        let colours = |terminal: &Terminal<TestBackend>| {
            terminal.backend().buffer().content().iter().filter(|cell| cell.fg != Color::Reset).count()
        };
        assert_eq!(colours(&plain), 0);
        assert!(colours(&coloured) > 20);
        assert_eq!(plain.backend().to_string(), coloured.backend().to_string());
    }

    #[test]
    fn a_run_that_sheds_says_so_first() {
        let sampling = Sampling::WHOLE.sparser().sparser();
        let overloaded = Live { health: Health { sampling, ..live().health }, ..live() };
        let screen = drawn(&overloaded, &Choice::new(Ink::Plain), 80, 24).backend().to_string();
        assert!(screen.contains("SENSOR NOT GOOD: counts 1 in 4, lost 42 of"), "{screen}");
    }

    #[test]
    fn no_size_is_too_small_or_too_large() {
        let none = Live { sites: Vec::new(), open: Vec::new(), until: None, ..live() };
        let mut choice = Choice::new(Ink::Plain);
        for help in [false, true] {
            choice.help = help;
            for (width, height) in [(1, 1), (2, 40), (7, 3), (40, 10), (80, 24), (300, 100)] {
                drawn(&live(), &choice, width, height);
                drawn(&none, &choice, width, height);
            }
        }
    }

    #[test]
    fn the_chosen_site_is_shown_in_full() {
        let mut choice = Choice::new(Ink::Plain);
        choice.selected = 1;
        let screen = drawn(&live(), &choice, 80, 24).backend().to_string();
        assert!(screen.contains("Visitors of lycee") && screen.contains("> lycee"), "{screen}");
    }
}
