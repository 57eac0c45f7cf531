//! What opens instead of the table: one map in full, and the help.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{REVERSED, lines, span};
use crate::audit::report::Report;
use crate::render::columns::maps::{MAPS, label};
use crate::render::details::{self, Depth};
use crate::render::escape;
use crate::render::style::Tone;
use crate::render::wrap::wrap;
use crate::tui::state::{Id, State};

/// Cells of a label with the space behind it.
const LABEL: usize = 13;

/// What is told of a map's history on a screen that scrolls.
const DEPTH: Depth = Depth { frames: 32, episodes: 32 };

/// What every key does.
const KEYS: &[(&str, &str)] = &[
    ("j k ↓ ↑", "the next map, the one before; PgDn PgUp a screenful, Home End the first, the last"),
    ("Enter", "everything about the selected map"),
    ("s", "sort by the next column that is a number"),
    ("r", "reverse the order; what is unknown stays at the end"),
    ("/", "show only maps whose name, owner, type, runtime or address holds what you type"),
    ("p", "hold the screen still; the audit goes on"),
    ("?", "this help"),
    ("q Esc", "close what is open; from the table, end the audit with its report"),
];

/// What feeds the numbers outside the table.
const SOURCES: &[(&str, &str)] = &[
    ("RSS", "kernel rss_stat events where they can be had, else /proc/PID/status; swap likewise"),
    ("limit", "the smallest memory limit of the target's cgroups"),
    ("growths ▲", "one growth started in that slice of time, a digit for several; growth hooks"),
    ("events", "how many of each the hooks saw, over all maps; - is not counted"),
    ("mmap ...", "calls that ended, and the bytes of those that succeeded; kernel syscall events"),
    ("lost late", "events that did not arrive, or arrived after later ones had been counted"),
    ("exact", "everything was seen; 'at least': totals are lower bounds"),
    ("cost", "what the probes took from the target: hits x an estimate by class of site"),
    ("agent", "CPU of one core and RSS of the auditor itself; /proc/self"),
];

/// Everything about the selected map.
pub(super) fn details(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let Some(map) = report.maps.iter().find(|map| Some(Id::of(map)) == state.selected) else {
        return pane("the map is no longer listed", vec![], state, area, frame);
    };
    let mut page = Vec::new();
    for line in details::lines(map, report, DEPTH) {
        labelled(line.label, &line.text, line.tone, state, area, &mut page);
    }
    pane(&label(map, usize::from(area.width)), page, state, area, frame);
}

/// Keys, and where each number comes from.
pub(super) fn help(state: &State, area: Rect, frame: &mut Frame<'_>) {
    let mut page = Vec::new();
    let columns = MAPS.iter().map(|column| (column.title, column.help));
    for (name, text) in KEYS.iter().copied().chain(columns).chain(SOURCES.iter().copied()) {
        labelled(name, text, Tone::Normal, state, area, &mut page);
    }
    pane("keys, and what feeds each number", page, state, area, frame);
}

/// A label and its text, wrapped.
fn labelled(label: &str, text: &str, tone: Tone, state: &State, area: Rect, page: &mut Vec<Line<'static>>) {
    let mut label = format!("{label:<LABEL$}");
    for line in wrap(text, usize::from(area.width).saturating_sub(LABEL)) {
        page.push(Line::from(vec![span(state.style, Tone::Heading, label), span(state.style, tone, line)]));
        label = " ".repeat(LABEL);
    }
}

/// A title and the lines from where the reader has scrolled to; the last line never leaves the screen.
fn pane(title: &str, page: Vec<Line<'static>>, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let (cells, rows) = (usize::from(area.width), usize::from(area.height).saturating_sub(1));
    let first = state.scroll.min(page.len().saturating_sub(rows));
    let more = match page.len().saturating_sub(first + rows) {
        0 => "Esc closes".to_owned(),
        left => format!("{left} more lines: j"),
    };
    let room = cells.saturating_sub(escape::width(&more) + 1);
    let title = escape::clip(title, room);
    let gap = " ".repeat(cells.saturating_sub(escape::width(&title) + escape::width(&more)));
    let mut shown = vec![Line::from(Span::styled(format!("{title}{gap}{more}"), REVERSED))];
    shown.extend(page.into_iter().skip(first).take(rows));
    lines(shown, area, frame);
}
