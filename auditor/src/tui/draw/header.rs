//! The lines at the top: who, how much, what is to come, what holds it, what is wrong.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{bar, fitting, line, lines, normal, span};
use crate::audit::report::Report;
use crate::audit::unit::Nanos;
use crate::render::status::{self, Room};
use crate::render::style::Tone;
use crate::render::{escape, headline, human, phrases};
use crate::tui::state::{Flow, Motion, Reel, State};

/// From here on there is room for whole sentences.
const WIDE: usize = 110;
/// Cells of the bar of RSS against its limit.
const BAR: [usize; 2] = [8, 20];
/// Cells of a finding's sentence.
const SUMMARY: usize = 150;
/// From so many cells on there is room to say how to see more.
const HINTED: usize = 40;

/// What is wrong is said here, or in a list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Findings {
    /// Here.
    Here,
    /// Below.
    Listed,
}

pub(super) fn draw(report: &Report, state: &State, findings: Findings, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let together = || (headline::together(report).unwrap_or_default(), Tone::Normal);
    let (what, tone) = if findings == Findings::Here { worst(report, cells) } else { together() };
    let worst = || line(state.style, tone, escape::clip(&what, cells));
    let holder = || line(state.style, Tone::Heading, escape::clip(&headline::holder(report), cells));
    let to_come = || fitting(state.style, status::to_come(report, room(cells)), cells);
    let mut top = vec![who(report, state, cells), rss(report, state, cells)];
    // The fewer lines there are, the more each must matter.
    match area.height {
        ..3 => {}
        3 => top.push(worst()),
        4 => top.extend([to_come(), worst()]),
        _ => top.extend([to_come(), holder(), worst()]),
    }
    lines(top, area, frame);
}

const fn room(cells: usize) -> Room {
    if cells < WIDE { Room::Narrow } else { Room::Wide }
}

/// `target-demo 4711  /usr/bin/target-demo                    LIVE 42.0 s`.
fn who(report: &Report, state: &State, cells: usize) -> Line<'static> {
    let (status, tone) = standing(report, state);
    let status = escape::clip(&status, cells);
    let pid = format!(" {}", report.target.pid.0);
    let room = cells.saturating_sub(escape::width(&status) + escape::width(&pid) + 2).min(20);
    let name = format!("{}{pid}", escape::visible(&report.target.comm, room));
    let left = cells.saturating_sub(escape::width(&name) + escape::width(&status) + 4);
    let exe = escape::visible_tail(&report.target.exe, left);
    let gap = cells.saturating_sub(escape::width(&name) + escape::width(&exe) + escape::width(&status) + 2);
    Line::from(vec![
        span(state.style, Tone::Heading, name),
        span(state.style, Tone::Normal, format!("  {exe}{}", " ".repeat(gap))),
        span(state.style, tone, status),
    ])
}

/// Which moment this is, and whether time goes on.
fn standing(report: &Report, state: &State) -> (String, Tone) {
    let window = &report.window;
    let since = window.end.since(window.start);
    if let Some(reel) = state.reel {
        return replayed(reel, since);
    }
    let time = human::span(since);
    match (state.flow, window.ended) {
        (Flow::Paused, _) => (format!("PAUSED at {time}"), Tone::Warn),
        (Flow::Past, _) => {
            let (number, all) = (state.past.number(window.end), state.past.len());
            (format!("PAST {time} (moment {number} of {all})"), Tone::Warn)
        }
        (Flow::Live, None) => (format!("LIVE {time}"), Tone::Good),
        (Flow::Live, Some(_)) => (format!("ENDED at {time}"), Tone::Warn),
    }
}

/// `REPLAY x2  12.3 s of 1m03s`.
fn replayed(reel: Reel, since: Nanos) -> (String, Tone) {
    let place = format!("{} of {}", human::span(since), human::span(reel.length));
    match (reel.winding, reel.motion) {
        (Some(permille), _) => (format!("WINDING {}  {place}", human::share(permille, 1000)), Tone::Warn),
        (None, Motion::Plays) => (format!("REPLAY x{}  {place}", times(reel.speed)), Tone::Good),
        (None, Motion::Stands) => (format!("REPLAY STOPPED  {place}"), Tone::Warn),
    }
}

/// `0.25`, `1`, `64`, of hundredths.
fn times(speed: u32) -> String {
    if speed.is_multiple_of(100) {
        (speed / 100).to_string()
    } else {
        format!("{}.{:02}", speed / 100, speed % 100)
    }
}

/// RSS against its limit, and around it.
fn rss(report: &Report, state: &State, cells: usize) -> Line<'static> {
    let now = human::known(report.memory.rss.last, human::bytes);
    let permille = status::permille_of_limit(report);
    let tone = match permille {
        Some(900..) => Tone::Bad,
        Some(750..) => Tone::Warn,
        _ => Tone::Heading,
    };
    let [short, long] = BAR;
    let bar = permille.map(|permille| bar(permille, if cells < WIDE { short } else { long }));
    let limited = bar.map_or_else(|| status::rss(report), |bar| format!("{bar} {}", status::rss(report)));
    let mut around = status::around_rss(report).into_iter();
    let peak = around.next().unwrap_or_default();
    let pieces = [(format!("RSS {now}"), tone), (limited, Tone::Normal), (peak, Tone::Normal)];
    let pressure = status::pressure(report, room(cells));
    fitting(state.style, pieces.into_iter().chain([pressure]).chain(normal(around)), cells)
}

/// The worst finding, or else what all maps hold.
pub(super) fn worst(report: &Report, cells: usize) -> (String, Tone) {
    let Some(finding) = report.findings.iter().min_by_key(|finding| finding.severity) else {
        return (escape::clip(&headline::together(report).unwrap_or_default(), cells), Tone::Normal);
    };
    let hint = match report.findings.len() - 1 {
        0 => " (f)".to_owned(),
        more => format!(" (f: {more} more)"),
    };
    let hint = if cells < HINTED { "" } else { &hint };
    let (severity, tone) = phrases::severity(finding.severity);
    let found = format!("{severity}: {}", escape::visible(&finding.summary, SUMMARY));
    (escape::clip(&found, cells.saturating_sub(escape::width(hint))) + hint, tone)
}
