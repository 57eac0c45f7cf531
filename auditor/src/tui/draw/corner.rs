//! What can be said in a corner, where no table fits: a line each of what matters most.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::header;
use super::paint::{line, lines};
use crate::audit::report::Report;
use crate::render::columns::maps::label;
use crate::render::status::{self, Room};
use crate::render::style::Tone;
use crate::render::{escape, headline, human};
use crate::tui::state::State;

/// RSS, the worst finding, what is to come, the largest map, how to get more.
pub(super) fn draw(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let rss = human::known(report.memory.rss.last, human::bytes);
    let used = status::permille_of_limit(report).map(|permille| human::share(permille, 1000));
    let rss = format!("RSS {rss}");
    let rss = match used {
        Some(used) if escape::width(&rss) + escape::width(&used) + 2 <= cells => format!("{rss}  {used}"),
        _ => rss,
    };
    let mut told = vec![(rss, Tone::Heading)];
    if !report.findings.is_empty() {
        told.push(header::worst(report, cells));
    }
    told.extend(status::to_come(report, Room::Narrow).into_iter().rev());
    if let Some((map, held)) = headline::largest(report) {
        let size = human::bytes(held.bytes());
        let room = cells.saturating_sub(escape::width(&size) + 1);
        told.push((format!("{} {size}", label(map, room)), Tone::Normal));
    }
    let rows = usize::from(area.height);
    if rows > 1 {
        told.truncate(rows - 1);
        told.push(("q quits; too small".to_owned(), Tone::Quiet));
    }
    let told = told.into_iter().take(rows);
    let told = told.map(|(text, tone)| line(state.style, tone, escape::clip(&text, cells)));
    lines(told.collect(), area, frame);
}
