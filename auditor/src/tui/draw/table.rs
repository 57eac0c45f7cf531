//! The maps, one a row, as many columns as fit; and where there is room, the latest growths.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::paint::{REVERSED, lines, look, span};
use crate::audit::report::Report;
use crate::render::columns::episodes::EPISODES;
use crate::render::columns::maps::MAPS;
use crate::render::columns::{BAR, Bars, Cell, GAP, Placed, Sheet, Side, any_width, fit};
use crate::render::human;
use crate::render::style::Tone;
use crate::tui::rows;
use crate::tui::state::State;

/// The maps, with the selected one in reverse video.
pub(super) fn maps(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let placed = fit(MAPS, Sheet { report, cells, bars: Bars::Drawn }, any_width);
    let maps = rows::shown(report, state);
    let mut page = vec![titles(&placed, cells)];
    if maps.is_empty() {
        page.push(Line::from(span(state.style, Tone::Quiet, nothing(report))));
    }
    let rows = usize::from(area.height).saturating_sub(1);
    // The last row says where we are when not all maps fit.
    let room = if maps.len() > rows { rows.saturating_sub(1) } else { rows };
    let cursor = state.cursor(&rows::ids(&maps));
    let first = cursor.saturating_sub(room / 2).min(maps.len().saturating_sub(room));
    for (index, map) in maps.iter().enumerate().skip(first).take(room) {
        let line = row(*map, &placed, report, state);
        page.push(if index == cursor { selected(line, cells) } else { line });
    }
    if maps.len() > rows {
        page.push(Line::from(span(state.style, Tone::Quiet, position(first, room, maps.len()))));
    }
    lines(page, area, frame);
}

/// The latest growths, the newest first.
pub(super) fn growths(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let placed = fit(EPISODES, Sheet { report, cells, bars: Bars::Drawn }, any_width);
    let mut page = vec![titles(&placed, cells)];
    if report.episodes.is_empty() {
        page.push(Line::from(span(state.style, Tone::Quiet, "no growth was seen yet")));
    }
    let latest = report.episodes.iter().rev().take(usize::from(area.height));
    page.extend(latest.map(|episode| row(episode, &placed, report, state)));
    lines(page, area, frame);
}

fn titles<Row>(placed: &[Placed<Row>], cells: usize) -> Line<'static> {
    let titles: Vec<String> = placed.iter().map(Placed::title).collect();
    let titles = titles.join(&" ".repeat(GAP));
    Line::from(Span::styled(format!("{titles:<cells$}"), REVERSED))
}

/// Why the table is empty.
const fn nothing(report: &Report) -> &'static str {
    if report.maps.is_empty() { "no map is listed yet" } else { "no map matches the filter" }
}

fn position(first: usize, room: usize, all: usize) -> String {
    let [from, to, all] = [first + 1, first + room, all].map(|number| human::count(number as u64));
    format!("rows {from} to {to} of {all}")
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

/// The whole width in reverse video.
fn selected(line: Line<'static>, cells: usize) -> Line<'static> {
    let room = cells.saturating_sub(line.width());
    let mut spans = line.spans;
    spans.push(Span::raw(" ".repeat(room)));
    Line::from(spans).style(REVERSED)
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

/// A bar of so many cells, exact to an eighth of a cell.
fn bar(permille: u64, cells: usize) -> String {
    const EIGHTHS: [char; 8] = ['░', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = usize::try_from(permille.min(1000)).unwrap_or(1000) * cells * 8 / 1000;
    let cell = |index: usize| match eighths.saturating_sub(index * 8) {
        8.. => '█',
        part => EIGHTHS[part],
    };
    (0..cells).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth_of_a_cell() {
        assert_eq!(bar(0, 4), "░░░░");
        assert_eq!(bar(625, 4), "██▌░");
        assert_eq!(bar(1000, 4), "████");
        assert_eq!(bar(u64::MAX, 4), "████");
    }
}
