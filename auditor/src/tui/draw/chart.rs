//! RSS over the whole audit, from 0 to its peak, with a mark below each moment at which a map grew.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Sparkline;

use super::paint::{lines, look, span};
use crate::audit::report::Report;
use crate::audit::unit::Bytes;
use crate::render::human;
use crate::render::style::Tone;
use crate::tui::history::slice;
use crate::tui::state::State;

/// Cells of the scale.
const SCALE: u16 = 10;

pub(super) fn draw(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    if area.height < 2 {
        return;
    }
    let [scale, plot] = Layout::horizontal([Constraint::Length(SCALE), Constraint::Min(0)]).areas(area);
    let [bars, marks] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(plot);
    let slices = readings(report, state, usize::from(plot.width));
    let top = slices.iter().flatten().copied().max();
    draw_scale(top, state, scale, frame);
    let plotted = Sparkline::default()
        .data(&slices)
        .max(top.unwrap_or(1).max(1))
        .absent_value_symbol(" ")
        .style(look(state.style, Tone::Good));
    frame.render_widget(plotted, bars);
    let growths = growths(report, usize::from(plot.width));
    lines(vec![Line::from(span(state.style, Tone::Warn, growths))], marks, frame);
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

/// The peak at the top, 0 at the bottom, and what the marks are.
fn draw_scale(top: Option<u64>, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let quiet = |text: String| Line::from(span(state.style, Tone::Quiet, text));
    let mut scale = vec![Line::default(); usize::from(area.height)];
    let last = scale.len() - 1;
    scale[0] = quiet(format!("{:>9}", human::known(top, |top| human::bytes(Bytes(top)))));
    if last > 1 {
        scale[last - 1] = quiet(format!("{:>9}", "0"));
    }
    scale[last] = quiet(format!("{:>9}", "growths"));
    lines(scale, area, frame);
}

/// A mark in every slice in which a growth started; a digit where there were several.
fn growths(report: &Report, cells: usize) -> String {
    let window = &report.window;
    let mut counts = vec![0_u64; cells];
    for episode in &report.episodes {
        let slot =
            slice(window.start, window.end, cells, episode.start).and_then(|index| counts.get_mut(index));
        if let Some(slot) = slot {
            *slot += 1;
        }
    }
    let mark = |count: &u64| match count {
        0 => ' ',
        1 => '▲',
        2..=9 => char::from_digit(u32::try_from(*count).unwrap_or(9), 10).unwrap_or('+'),
        _ => '+',
    };
    counts.iter().map(mark).collect()
}
