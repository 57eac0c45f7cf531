//! RSS over the whole audit, from 0 to its peak, and below it on the same axis of time a mark where a map
//! grew, the collector ended a cycle, memory went back.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Sparkline;

use super::paint::{line, lines, look};
use crate::audit::report::{Report, Window};
use crate::audit::unit::{Bytes, Nanos};
use crate::render::style::Tone;
use crate::render::{escape, human};
use crate::tui::history::{Mark, slice};
use crate::tui::state::State;

/// Cells of the scale.
const SCALE: u16 = 11;
/// With so many lines there is one for the time.
const WITH_TIME: u16 = 7;

/// A row of marks: what it is called, its tone, the marks.
type Row = (&'static str, Tone, String);

pub(super) fn draw(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    if area.height < 2 || area.width <= SCALE {
        return;
    }
    let cells = usize::from(area.width - SCALE);
    let rows = rows(report, state, cells);
    let below = rows.len() as u16 + u16::from(area.height >= WITH_TIME);
    let below = below.min(area.height - 1);
    let [top, bottom] = Layout::vertical([Constraint::Min(0), Constraint::Length(below)]).areas(area);
    bars(report, state, top, frame);
    let mut page: Vec<Line<'static>> = Vec::new();
    if area.height >= WITH_TIME {
        page.push(line(state.style, Tone::Quiet, format!("{:11}{}", "", times(&report.window, cells))));
    }
    for (name, tone, marks) in rows {
        let mut named = line(state.style, Tone::Quiet, format!("{name:>10} "));
        named.spans.extend(line(state.style, tone, marks).spans);
        page.push(named);
    }
    lines(page, bottom, frame);
}

fn bars(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let [scale, plot] = Layout::horizontal([Constraint::Length(SCALE), Constraint::Min(0)]).areas(area);
    let slices = readings(report, state, usize::from(plot.width));
    let top = slices.iter().flatten().copied().max();
    draw_scale(top, state, scale, frame);
    let plotted = Sparkline::default()
        .data(&slices)
        .max(top.unwrap_or(1).max(1))
        .absent_value_symbol(" ")
        .style(look(state.style, Tone::Good));
    frame.render_widget(plotted, plot);
}

/// RSS by slice of the window, with the peak where it was even when no report showed it.
fn readings(report: &Report, state: &State, cells: usize) -> Vec<Option<u64>> {
    let window = &report.window;
    let mut slices = state.history.slices(window.start, window.end, cells);
    if let (Some(peak), Some(at)) = (report.memory.rss.peak, report.memory.rss.peak_at) {
        let slot = slice(window.start, window.end, cells, at).and_then(|index| slices.get_mut(index));
        if let Some(slot) = slot {
            *slot = Some(slot.unwrap_or(0).max(peak.0));
        }
    }
    slices
}

/// The peak at the top, 0 at the bottom.
fn draw_scale(top: Option<u64>, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let mut scale = vec![Line::default(); usize::from(area.height)];
    let labels = [human::known(top, |top| human::bytes(Bytes(top))), "0".to_owned()];
    let last = scale.len().saturating_sub(1);
    for (at, label) in [0, last].into_iter().zip(labels).take(scale.len()) {
        scale[at] = line(state.style, Tone::Quiet, format!("{label:>10}"));
    }
    lines(scale, area, frame);
}

/// The rows of marks of which anybody tells.
fn rows(report: &Report, state: &State, cells: usize) -> Vec<Row> {
    let marks = |mark| state.history.marks(mark, report.window.start, report.window.end, cells);
    let mut rows = vec![("growths", Tone::Warn, drawn(&growths(report, cells), '▲'))];
    if report.gc.as_ref().is_some_and(|gc| gc.cycles.is_some()) {
        rows.push(("GC", Tone::Normal, drawn(&marks(Mark::Collected), 'o')));
    }
    if report.syscalls.is_some() {
        let gave = marks(Mark::GaveBack).into_iter().map(|bytes| bytes.min(1)).collect::<Vec<_>>();
        rows.push(("gives back", Tone::Good, drawn(&gave, '▼')));
    }
    rows
}

/// How many growths started in each slice.
fn growths(report: &Report, cells: usize) -> Vec<u64> {
    let starts = report.episodes.iter().map(|episode| episode.start);
    counts(starts, &report.window, cells)
}

/// How many of these times are in each slice.
pub(super) fn counts(times: impl Iterator<Item = Nanos>, window: &Window, cells: usize) -> Vec<u64> {
    let mut counts = vec![0_u64; cells];
    for at in times {
        let slot = slice(window.start, window.end, cells, at).and_then(|index| counts.get_mut(index));
        if let Some(slot) = slot {
            *slot += 1;
        }
    }
    counts
}

/// A mark for one, a digit for several.
pub(super) fn drawn(counts: &[u64], one: char) -> String {
    let mark = |count: &u64| match count {
        0 => ' ',
        1 => one,
        2..=9 => char::from_digit(u32::try_from(*count).unwrap_or(9), 10).unwrap_or('+'),
        _ => '+',
    };
    counts.iter().map(mark).collect()
}

/// The axis: times since the beginning, each where it is.
pub(super) fn times(window: &Window, cells: usize) -> String {
    /// Cells from one time to the next.
    const APART: usize = 20;
    let mut axis = String::new();
    let all = window.end.since(window.start);
    let last = human::offset(window, window.end);
    let room = cells.saturating_sub(escape::width(&last) + 1);
    for at in (0..room).step_by(APART) {
        let part = u128::from(all.0) * at as u128 / cells.max(1) as u128;
        let time = human::offset(window, Nanos(window.start.0.saturating_add(part as u64)));
        let label = format!("|{time}");
        if at + escape::width(&label) < room {
            axis += &" ".repeat(at.saturating_sub(escape::width(&axis)));
            axis += &label;
        }
    }
    let gap = cells.saturating_sub(escape::width(&axis) + escape::width(&last));
    escape::clip(&format!("{axis}{}{last}", " ".repeat(gap)), cells)
}
