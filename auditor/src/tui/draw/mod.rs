//! The screen, drawn from a report and what the reader has chosen, and from nothing else. Works at
//! any size: what does not fit is left out in order of importance, down to one line that says RSS.

mod chart;
mod footer;
mod header;
mod paint;
mod panes;
mod table;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::state::{Pane, State};
use crate::audit::report::Report;
use crate::render::wrap::wrap;
use crate::render::{escape, human};

/// The smallest screen that holds a table.
const SMALLEST: (u16, u16) = (40, 8);

/// Rows of maps that are left before growths get a table of their own.
const MAPS_FIRST: u16 = 12;

/// Where everything goes.
struct Parts {
    header: Rect,
    chart: Rect,
    body: Rect,
    growths: Rect,
    activity: Rect,
    footer: Rect,
}

/// Draws one screen.
pub fn draw(report: &Report, state: &State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let Some(parts) = parts(area, state.pane) else { return too_small(report, area, frame) };
    header::draw(report, state, parts.header, frame);
    chart::draw(report, state, parts.chart, frame);
    match state.pane {
        Pane::Table | Pane::Filter => {
            table::maps(report, state, parts.body, frame);
            table::growths(report, state, parts.growths, frame);
        }
        Pane::Details => panes::details(report, state, parts.body, frame),
        Pane::Help => panes::help(state, parts.body, frame),
    }
    footer::activity(report, state, parts.activity, frame);
    footer::draw(report, state, parts.footer, frame);
}

/// How many rows below a title a screen of that size shows.
#[must_use]
pub fn page(area: Rect, state: &State) -> usize {
    parts(area, state.pane).map_or(1, |parts| usize::from(parts.body.height.saturating_sub(1)))
}

/// Divides the screen; `None` where there is no room for a table. What opens takes the chart's place.
fn parts(area: Rect, pane: Pane) -> Option<Parts> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return None;
    }
    let (header, chart, activity, footer) = match area.height {
        ..12 => (2, 0, 0, 1),
        12..18 => (3, 0, 0, 2),
        18..30 => (4, 5, 2, 2),
        30..45 => (4, 8, 2, 2),
        _ => (4, 12, 2, 2),
    };
    let tables = matches!(pane, Pane::Table | Pane::Filter);
    let chart = if tables { chart } else { 0 };
    let body = area.height.saturating_sub(header + chart + activity + footer);
    let growths = if tables { body.saturating_sub(MAPS_FIRST).min(body / 3) } else { 0 };
    let heights = [header, chart, body.saturating_sub(growths), growths, activity, footer];
    let [header, chart, body, growths, activity, footer] =
        Layout::vertical(heights.map(Constraint::Length)).areas(area);
    Some(Parts { header, chart, body, growths, activity, footer })
}

/// What can be said in a corner: RSS, and that there is more.
fn too_small(report: &Report, area: Rect, frame: &mut Frame<'_>) {
    let rss = human::known(report.memory.rss.last, human::bytes);
    let (width, height) = SMALLEST;
    let text = format!("RSS {rss} (screen too small: needs {width}x{height}; q quits)");
    let cells = usize::from(area.width);
    let lines = wrap(&text, cells).into_iter().take(usize::from(area.height));
    let lines: Vec<_> = lines.map(|line| escape::clip(&line, cells).into()).collect();
    paint::lines(lines, area, frame);
}
