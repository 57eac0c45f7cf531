//! One map's life: its shape over time, all that is known of it, its growths, and what remedies would do.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::chart::{counts, drawn, times};
use super::paint::{LEVELS, line};
use super::panes::{labelled, pane};
use super::table;
use crate::audit::report::{Episode, Map, Report};
use crate::audit::unit::Nanos;
use crate::audit::whatif::{self, Ask};
use crate::render::columns::maps::label;
use crate::render::details::{self, Depth};
use crate::render::style::{Paper, Style, Tone};
use crate::render::whatif as answers;
use crate::render::{Format, human};
use crate::tui::history::{held_over, slice};
use crate::tui::state::{Id, State};

/// What is told in sentences; growths are a table here.
const DEPTH: Depth = Depth { frames: 32, episodes: 0 };
/// Growths that are listed.
const GROWTHS: usize = 64;
/// Cells of the scale.
const SCALE: usize = 11;
/// Lines of the shape itself, on screens of this height and more; on smaller ones two less.
const SHAPE: usize = 5;
const HIGH: u16 = 16;

/// Everything about the selected map.
pub(super) fn draw(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let Some((id, map)) = selected(report, state) else {
        return pane("the map is not listed at this moment", vec![], state, area, frame);
    };
    let mut page = shapes(id, map, report, state, area);
    for told in details::lines(map, report, DEPTH) {
        labelled(told.label, &told.text, told.tone, state, area, &mut page);
    }
    let cells = usize::from(area.width);
    let growths = episodes(map, report);
    if !growths.is_empty() {
        page.push(Line::default());
        page.extend(table::growths_of(&growths, report, state, cells));
    }
    page.extend(what_if(map, report, state, cells));
    pane(&format!("life of {}", label(map, cells)), page, state, area, frame);
}

fn selected<'a>(report: &'a Report, state: &State) -> Option<(Id, &'a Map)> {
    let id = state.selected?;
    let exactly = report.maps.iter().find(|map| Id::of(map) == id);
    Some((id, exactly.or_else(|| report.maps.iter().find(|map| id.is(map)))?))
}

/// Its growths, the newest first.
fn episodes<'a>(map: &Map, report: &'a Report) -> Vec<&'a Episode> {
    let is_its = |episode: &&Episode| episode.place() == map.place() && map.lived_at(episode.start);
    report.episodes.iter().rev().filter(is_its).take(GROWTHS).collect()
}

/// What would become of it, by the same words as `auditor whatif`.
fn what_if(map: &Map, report: &Report, state: &State, cells: usize) -> Vec<Line<'static>> {
    if map.died.is_some() {
        return vec![];
    }
    let Ok(told) = whatif::answer(report, map.address, &Ask::default()) else { return vec![] };
    let mut text = Vec::new();
    let paper = Paper::of(Style::Plain, cells);
    if answers::render(&told, Format::Text, paper, &mut text).is_err() {
        return vec![];
    }
    let text = String::from_utf8_lossy(&text).into_owned();
    let shown = text.lines().enumerate().map(|(number, words)| {
        let tone = if number == 0 { Tone::Heading } else { Tone::Normal };
        line(state.style, tone, words.to_owned())
    });
    [Line::default()].into_iter().chain(shown).collect()
}

/// Live entries of its slots at each moment that is remembered, and when it grew.
fn shapes(id: Id, map: &Map, report: &Report, state: &State, area: Rect) -> Vec<Line<'static>> {
    let cells = usize::from(area.width).saturating_sub(SCALE);
    let rows = if area.height < HIGH { SHAPE - 2 } else { SHAPE };
    let slices = sizes(id, map, report, state, cells);
    let top = slices.iter().flatten().map(|(live, capacity)| (*live).max(*capacity)).max();
    let quiet = |text: String| line(state.style, Tone::Quiet, text);
    let legend = format!("{:11}entries █ of slots ░ since the beginning", "");
    let mut page = vec![quiet(legend)];
    for row in 0..rows {
        let scale = match row {
            0 => human::known(top, human::short),
            _ if row + 1 == rows => "0".to_owned(),
            _ => String::new(),
        };
        let mut drawn = quiet(format!("{scale:>10} "));
        let bars: String = slices.iter().map(|slice| level(*slice, top, rows - 1 - row, rows)).collect();
        drawn.spans.extend(line(state.style, Tone::Good, bars).spans);
        page.push(drawn);
    }
    page.push(quiet(format!("{:11}{}", "", times(&report.window, cells))));
    let starts = episodes(map, report).into_iter().map(|episode| episode.start);
    let marks = drawn(&counts(starts, &report.window, cells), '▲');
    let mut growths = quiet(format!("{:>10} ", "growths"));
    growths.spans.extend(line(state.style, Tone::Warn, marks).spans);
    page.push(growths);
    page
}

/// Live and capacity by slice of the window; a slice without a moment shows the one before it.
fn sizes(id: Id, map: &Map, report: &Report, state: &State, cells: usize) -> Vec<Option<(u64, u64)>> {
    let window = &report.window;
    let mut slices = vec![None; cells];
    let now = [(window.end, map)];
    let past = state.past.of_map(move |map| id.is(map), window.end).chain(now);
    for (at, map) in past {
        let slot = slice(window.start, window.end, cells, at).and_then(|index| slices.get_mut(index));
        if let (Some(slot), Some(live), Some(capacity)) = (slot, map.live, map.capacity) {
            *slot = Some((live, capacity));
        }
    }
    let died = map.died.unwrap_or(Nanos(u64::MAX));
    let dead = slice(window.start, window.end, cells, died).unwrap_or(cells);
    let mut held = held_over(slices);
    held.iter_mut().skip(dead + 1).for_each(|slot| *slot = None);
    held
}

/// One cell of the shape: `row` counts from below.
fn level(sizes: Option<(u64, u64)>, top: Option<u64>, row: usize, rows: usize) -> char {
    let (Some((live, capacity)), Some(top)) = (sizes, top.filter(|top| *top > 0)) else { return ' ' };
    let eighths = |size: u64| (u128::from(size) * rows as u128 * 8 / u128::from(top)) as usize;
    let above = |size: u64| eighths(size).saturating_sub(row * 8).min(8);
    match (above(live), above(capacity)) {
        (0, 4..) => '░',
        (live, _) => LEVELS[live],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_fill_from_below_and_free_slots_stand_on_them() {
        let column = |live, capacity| -> String {
            (0..4).map(|row| level(Some((live, capacity)), Some(8), row, 4)).collect()
        };
        assert_eq!(column(0, 0), "    ");
        assert_eq!(column(4, 8), "██░░");
        assert_eq!(column(3, 4), "█▄  ");
        assert_eq!(column(8, 8), "████");
        assert_eq!(level(None, Some(8), 0, 4), ' ');
        assert_eq!(level(Some((u64::MAX, u64::MAX)), Some(u64::MAX), 3, 4), '█');
    }
}
