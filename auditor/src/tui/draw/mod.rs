//! The screen, drawn from a report and what the reader has chosen, and from nothing else. Works at
//! any size: what does not fit is left out in order of importance, down to one line that says RSS.

mod chart;
mod corner;
mod findings;
mod footer;
mod header;
mod life;
mod paint;
mod panes;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::state::{Pane, State};
use crate::audit::report::Report;
use crate::render::style::Tone;
use header::Findings;

/// The smallest screen that holds a table.
const SMALLEST: (u16, u16) = (40, 8);
/// Rows of maps that are left before findings and growths get a place of their own.
const MAPS_FIRST: u16 = 12;
/// Most lines of the list of findings.
const FINDINGS: u16 = 6;
/// From so many columns on, findings and growths stand side by side.
const SIDE_BY_SIDE: u16 = 180;

/// Where everything goes.
struct Parts {
    header: Rect,
    chart: Rect,
    body: Rect,
    findings: Rect,
    growths: Rect,
    activity: Rect,
    footer: Rect,
}

/// Draws one screen.
pub fn draw(report: &Report, state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let Some(parts) = parts(area, report, state.pane) else {
        return corner::draw(report, state, area, frame);
    };
    let listed = if parts.findings.height > 0 { Findings::Listed } else { Findings::Here };
    header::draw(report, state, listed, parts.header, frame);
    chart::draw(report, state, parts.chart, frame);
    match state.pane {
        Pane::Table | Pane::Filter | Pane::Jump => {
            table::maps(report, state, parts.body, frame);
            findings::list(report, state, parts.findings, frame);
            table::growths(report, state, parts.growths, frame);
        }
        Pane::Columns => panes::columns(report, state, parts.body, frame),
        Pane::Findings => findings::full(report, state, parts.body, frame),
        Pane::Life => life::draw(report, state, parts.body, frame),
        Pane::Help => panes::help(state, parts.body, frame),
    }
    footer::activity(report, state, parts.activity, frame);
    footer::draw(report, state, parts.footer, frame);
}

/// Draws that there is nothing yet.
pub fn nothing(state: &State, frame: &mut Frame<'_>) {
    let words = paint::line(state.style, Tone::Quiet, "no report yet");
    paint::lines(vec![words], frame.area(), frame);
}

/// How many rows below a title a screen of that size shows.
#[must_use]
pub fn page(area: Rect, report: &Report, state: &State) -> usize {
    parts(area, report, state.pane).map_or(1, |parts| usize::from(parts.body.height.saturating_sub(1)))
}

/// Divides the screen; `None` where there is no room for a table. What opens takes the chart's place.
fn parts(area: Rect, report: &Report, pane: Pane) -> Option<Parts> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return None;
    }
    let (header, chart, activity, footer) = match area.height {
        ..12 => (3, 0, 0, 1),
        12..18 => (4, 0, 0, 2),
        18..30 => (5, 6, 0, 2),
        30..45 => (5, 10, 2, 2),
        _ => (5, 14, 2, 2),
    };
    let chart = if pane.has_table() { chart } else { 0 };
    let body = area.height.saturating_sub(header + chart + activity + footer);
    let (findings, growths) = if pane.has_table() { below(area.width, body, report) } else { (0, 0) };
    let below = if area.width >= SIDE_BY_SIDE { findings.max(growths) } else { findings + growths };
    let heights = [header, chart, body.saturating_sub(below), below, activity, footer];
    let [header, chart, body, below, activity, footer] =
        Layout::vertical(heights.map(Constraint::Length)).areas(area);
    let [findings, growths] = if area.width >= SIDE_BY_SIDE && findings > 0 {
        let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
        halves.spacing(2).areas(below)
    } else {
        Layout::vertical([Constraint::Length(findings), Constraint::Length(growths)]).areas(below)
    };
    Some(Parts { header, chart, body, findings, growths, activity, footer })
}

/// Lines for findings and for growths, out of so many for them and the maps.
fn below(width: u16, body: u16, report: &Report) -> (u16, u16) {
    let spare = body.saturating_sub(MAPS_FIRST);
    let wanted = findings::height(report).min(FINDINGS);
    // A title alone says nothing.
    let findings = if wanted <= spare && wanted > 1 { wanted } else { 0 };
    let left = if width >= SIDE_BY_SIDE { spare } else { spare - findings };
    let growths = left.min(body / 3);
    (findings, if growths < 3 { 0 } else { growths })
}
