//! What opens instead of the table: the frame of a page that scrolls, the help, the choice of columns.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{line, lines, selected, span, title};
use super::table;
use crate::audit::report::Report;
use crate::render::columns::maps::MAPS;
use crate::render::escape;
use crate::render::sources::SOURCES;
use crate::render::style::Tone;
use crate::render::wrap::wrap;
use crate::tui::past;
use crate::tui::state::{Choice, Direction, State};

/// Cells of a label with the space behind it.
const LABEL: usize = 13;

/// What every key does.
const KEYS: &[(&str, &str)] = &[
    ("j k ↓ ↑", "the next map, the one before; PgDn PgUp a screenful, g G Home End the first, the last"),
    ("Enter", "the life of the selected map; there n and N go to the next one and the one before"),
    ("s S", "sort by the next column, by the one before: numbers largest first, words from A to Z"),
    ("r", "reverse the order; what is unknown stays at the end"),
    ("/", "show only maps whose name, owner, type, runtime or address holds what you type; Esc clears it"),
    ("c", "choose columns, and sort by any of them"),
    ("f", "what the rules found, with evidence and remedies"),
    (
        "p Space",
        "hold the screen still, the audit goes on; again: back to the latest. A replay stops and plays",
    ),
    ("← →", "the moment before, the next one; [ and ] go ten at once"),
    ("t", "jump to a time since the beginning, such as 90, 12.5s or 3m"),
    ("+ -", "in a replay: twice as fast, half as fast"),
    ("w", "write what is shown to a new JSON file in the current folder; its name is said"),
    ("?", "this help"),
    ("q Esc", "close what is open; from the table, end the audit with its report"),
];

/// Keys, and where each number comes from.
pub(super) fn help(state: &State, area: Rect, frame: &mut Frame<'_>) {
    let mut page = Vec::new();
    let part = |name: &'static str, rows: Vec<(&str, String)>, page: &mut Vec<Line<'static>>| {
        page.push(line(state.style, Tone::Heading, name));
        for (label, text) in rows {
            labelled(label, &text, Tone::Normal, state, area, page);
        }
    };
    part("KEYS", KEYS.iter().map(|(key, text)| (*key, (*text).to_owned())).collect(), &mut page);
    let sources = SOURCES.iter().map(|source| (source.name, format!("{} [{}]", source.text, source.topic)));
    part("WHERE THE NUMBERS COME FROM ([TOPIC]: auditor explain TOPIC)", sources.collect(), &mut page);
    let columns = MAPS.iter().map(|column| (column.title, column.help.to_owned()));
    part("COLUMNS OF THE MAPS", columns.collect(), &mut page);
    part("LOOKING BACK", vec![("moments", kept())], &mut page);
    pane("help", page, state, area, frame);
}

/// How far one can look back.
fn kept() -> String {
    format!(
        "{} at most, half a second apart or more, in about {} MiB: what is long ago gets coarser; RSS and marks stay. A replay goes to any of its own",
        past::MOMENTS,
        past::MOST_BYTES >> 20
    )
}

/// All columns, and whether each is shown.
pub(super) fn columns(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let placed = table::placed(report, state, cells);
    let mut page = vec![title("columns of the maps", "[x] always  [ ] never  [-] by itself", cells)];
    let rows = usize::from(area.height).saturating_sub(1);
    let first = state.column.saturating_sub(rows / 2).min(MAPS.len().saturating_sub(rows));
    for (index, column) in MAPS.iter().enumerate().skip(first).take(rows) {
        let choice = state.columns.get(index).copied().unwrap_or_default();
        let is_shown = placed.iter().any(|placed| placed.column.title == column.title);
        let fate = match (choice, is_shown) {
            (Choice::Never, _) => "hidden",
            (_, true) => "shown",
            (Choice::Auto, _) if !(column.speaks)(report) => "silent",
            _ => "no room",
        };
        let mark = match choice {
            Choice::Auto => '-',
            Choice::Always => 'x',
            Choice::Never => ' ',
        };
        let order = match (index == state.sort, state.direction) {
            (false, _) => ' ',
            (true, Direction::Down) => '▼',
            (true, Direction::Up) => '▲',
        };
        let text = format!("[{mark}] {:10} {order} {fate:8} {}", column.title, column.help);
        let row = line(state.style, Tone::Normal, escape::clip(&text, cells));
        page.push(if index == state.column { selected(row, cells) } else { row });
    }
    lines(page, area, frame);
}

/// A label and its text, wrapped.
pub(super) fn labelled(
    label: &str,
    text: &str,
    tone: Tone,
    state: &State,
    area: Rect,
    page: &mut Vec<Line<'static>>,
) {
    let mut label = format!("{label:<LABEL$}");
    for line in wrap(text, usize::from(area.width).saturating_sub(LABEL)) {
        page.push(Line::from(vec![span(state.style, Tone::Heading, label), span(state.style, tone, line)]));
        label = " ".repeat(LABEL);
    }
}

/// A title and the lines from where the reader has scrolled to; the last line never leaves the screen.
pub(super) fn pane(name: &str, page: Vec<Line<'static>>, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let rows = usize::from(area.height).saturating_sub(1);
    let first = state.scroll.min(page.len().saturating_sub(rows));
    let more = match page.len().saturating_sub(first + rows) {
        0 => "Esc closes".to_owned(),
        left => format!("{left} more lines: j"),
    };
    let mut shown = vec![title(name, &more, usize::from(area.width))];
    shown.extend(page.into_iter().skip(first).take(rows));
    lines(shown, area, frame);
}
