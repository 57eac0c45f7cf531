//! The maps, one a row, as many columns as fit; and where there is room, the latest growths.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{REVERSED, bar, line, lines, look, selected};
use crate::audit::report::{Episode, Map, Report};
use crate::render::columns::episodes::EPISODES;
use crate::render::columns::maps::MAPS;
use crate::render::columns::{BAR, Bars, Cell, Column, GAP, Placed, Sheet, Side, any_width, fit, fit_by};
use crate::render::human;
use crate::render::style::Tone;
use crate::tui::rows;
use crate::tui::state::{Choice, Direction, State};

/// What a screen has room for first; the other columns follow by their own importance. A page of text has
/// sentences beside its table, a screen has not.
const FIRST: [&str; 9] =
    ["map", "allocated", "full", "resident", "state", "stranded", "comes back", "next growth", "live"];

/// Which column has room first on a screen.
fn rank(column: &Column<Map>) -> u8 {
    let first = FIRST.iter().position(|title| *title == column.title);
    first.and_then(|at| u8::try_from(at).ok()).unwrap_or(column.importance.saturating_add(100))
}

/// The columns that are shown in so many cells.
pub(super) fn placed(report: &Report, state: &State, cells: usize) -> Vec<Placed<Map>> {
    let sheet = Sheet { report, cells, bars: Bars::Drawn };
    fit_by(MAPS, sheet, any_width, |at, column| match state.columns.get(at) {
        Some(Choice::Never) => None,
        Some(Choice::Always) => Some(0),
        _ => (column.speaks)(report).then(|| rank(column).saturating_add(1)),
    })
}

/// The maps, with the selected one in reverse video.
pub(super) fn maps(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let placed = placed(report, state, cells);
    let maps = rows::shown(report, state);
    let mut page = vec![sorted_titles(&placed, state, cells)];
    if maps.is_empty() {
        page.push(line(state.style, Tone::Quiet, nothing(report)));
    }
    let rows = usize::from(area.height).saturating_sub(1);
    // The last row says where we are when not all maps fit.
    let room = if maps.len() > rows { rows.saturating_sub(1) } else { rows };
    let cursor = state.cursor(&maps);
    let first = cursor.saturating_sub(room / 2).min(maps.len().saturating_sub(room));
    for (index, map) in maps.iter().enumerate().skip(first).take(room) {
        let line = row(*map, &placed, report, state);
        page.push(if index == cursor { selected(line, cells) } else { line });
    }
    if maps.len() > rows {
        page.push(line(state.style, Tone::Quiet, position(first, room, maps.len(), report.maps.len())));
    }
    lines(page, area, frame);
}

/// The latest growths, the newest first.
pub(super) fn growths(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let placed = fit(EPISODES, Sheet { report, cells, bars: Bars::Drawn }, any_width);
    let mut page = vec![titles(&placed, cells)];
    if report.episodes.is_empty() {
        page.push(line(state.style, Tone::Quiet, "no growth was seen yet"));
    }
    let latest = report.episodes.iter().rev().take(usize::from(area.height));
    page.extend(latest.map(|episode| row(episode, &placed, report, state)));
    lines(page, area, frame);
}

/// The growths of one map, the newest first, with their titles.
pub(super) fn growths_of(
    episodes: &[&Episode],
    report: &Report,
    state: &State,
    cells: usize,
) -> Vec<Line<'static>> {
    let sheet = Sheet { report, cells, bars: Bars::Drawn };
    let of_one = |_, column: &Column<Episode>| {
        (column.title != "map" && (column.speaks)(report)).then_some(column.importance)
    };
    let placed = fit_by(EPISODES, sheet, any_width, of_one);
    let rows = episodes.iter().map(|episode| row(*episode, &placed, report, state));
    [titles(&placed, cells)].into_iter().chain(rows).collect()
}

fn titles<Row>(placed: &[Placed<Row>], cells: usize) -> Line<'static> {
    let titles: Vec<String> = placed.iter().map(Placed::title).collect();
    let titles = titles.join(&" ".repeat(GAP));
    Line::from(Span::styled(format!("{titles:<cells$}"), REVERSED))
}

/// Titles, with an arrow in that of the column that sorts, where there is room for it.
fn sorted_titles(placed: &[Placed<Map>], state: &State, cells: usize) -> Line<'static> {
    let sorts = MAPS.get(state.sort).map(|column| column.title);
    let arrow = if state.direction == Direction::Down { '▼' } else { '▲' };
    let title = |placed: &Placed<Map>| {
        let title = placed.title();
        match placed.column.side {
            _ if Some(placed.column.title) != sorts => title,
            Side::Left | Side::Stretch => title.strip_suffix(' ').map_or(title.clone(), |title| {
                let (words, room) = title.split_at(title.trim_end().len());
                format!("{words}{arrow}{room}")
            }),
            Side::Right | Side::Bar => title.strip_prefix(' ').map_or(title.clone(), |title| {
                let (room, words) = title.split_at(title.len() - title.trim_start().len());
                format!("{room}{arrow}{words}")
            }),
        }
    };
    let titles = placed.iter().map(title).collect::<Vec<_>>().join(&" ".repeat(GAP));
    Line::from(Span::styled(format!("{titles:<cells$}"), REVERSED))
}

/// Why the table is empty.
const fn nothing(report: &Report) -> &'static str {
    if report.maps.is_empty() { "no map is listed yet" } else { "no map matches the filter: Esc clears it" }
}

fn position(first: usize, room: usize, shown: usize, all: usize) -> String {
    let count = |number: usize| human::count(number as u64);
    let of = if shown < all { format!(" that match, of {}", count(all)) } else { String::new() };
    format!("rows {} to {} of {}{of}", count(first + 1), count(first + room), count(shown))
}

fn row<Row>(row: &Row, placed: &[Placed<Row>], report: &Report, state: &State) -> Line<'static> {
    let mut spans = Vec::new();
    for column in placed {
        if !spans.is_empty() {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let cell = column.print(row, report);
        let text = with_bar(column, &cell);
        spans.push(Span::styled(text, look(state.style, cell.tone)));
    }
    Line::from(spans)
}

/// Replaces the spaces at the beginning of a cell by a bar, where the column has room for one.
fn with_bar<Row>(placed: &Placed<Row>, cell: &Cell) -> String {
    let column = placed.column;
    match cell.permille {
        Some(permille) if column.side == Side::Bar && placed.cells >= column.width + BAR => {
            let number = cell.text.get(BAR..).unwrap_or_default();
            format!("{} {number}", bar(permille, BAR - 1))
        }
        _ => cell.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_first_on_a_screen_are_columns_that_there_are() {
        for title in FIRST {
            assert!(MAPS.iter().any(|column| column.title == title), "{title}");
        }
    }
}
