//! The lines at the top: who, how much, what holds it, what is wrong.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{fitting, lines, span};
use crate::audit::report::{Finding, Report};
use crate::render::style::Tone;
use crate::render::{escape, headline, human, phrases};
use crate::tui::state::{Flow, State};

pub(super) fn draw(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let (what, tone) = worst(report);
    let top = vec![
        who(report, state, cells),
        Line::from(span(state.style, Tone::Normal, fitting(rss(report), cells))),
        Line::from(span(state.style, Tone::Heading, escape::clip(&headline::holder(report), cells))),
        Line::from(span(state.style, tone, escape::clip(&what, cells))),
    ];
    lines(top, area, frame);
}

/// `target-demo 4711  /usr/bin/target-demo                    LIVE 42.0 s`.
fn who(report: &Report, state: &State, cells: usize) -> Line<'static> {
    let (status, tone) = status(report, state);
    let name = format!("{} {}", escape::visible(&report.target.comm, 20), report.target.pid.0);
    let left = cells.saturating_sub(escape::width(&name) + escape::width(&status) + 4);
    let exe = escape::visible_tail(&report.target.exe, left);
    let room = " ".repeat(left.saturating_sub(escape::width(&exe)) + 2);
    Line::from(vec![
        span(state.style, Tone::Heading, name),
        span(state.style, Tone::Normal, format!("  {exe}{room}")),
        span(state.style, tone, status),
    ])
}

/// Whether it goes on, and for how long it has.
fn status(report: &Report, state: &State) -> (String, Tone) {
    let window = &report.window;
    let time = human::span(window.end.since(window.start));
    match (state.flow, window.ended) {
        (Flow::Paused, _) => (format!("PAUSED at {time}"), Tone::Warn),
        (Flow::Live, None) => (format!("LIVE {time}"), Tone::Good),
        (Flow::Live, Some(_)) => (format!("ENDED at {time}"), Tone::Warn),
    }
}

/// RSS and its limit, one piece each, the most important first.
fn rss(report: &Report) -> Vec<String> {
    let (memory, size) = (&report.memory, |size| human::known(size, human::bytes));
    let at = memory.rss.peak_at.map(|at| human::offset(&report.window, at));
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    let used = match (memory.rss.last, memory.limit) {
        (Some(last), Some(limit)) => format!(" ({})", human::share(last.0, limit.0)),
        _ => String::new(),
    };
    vec![
        format!("RSS {}", size(memory.rss.last)),
        format!("peak {}{at}", size(memory.rss.peak)),
        format!("limit {}{used}", size(memory.limit)),
        format!("first {}", size(memory.rss.first)),
        format!("swap {}", size(memory.swap)),
    ]
}

/// The worst finding, or else what all maps hold.
fn worst(report: &Report) -> (String, Tone) {
    let Some(finding) = report.findings.iter().min_by_key(|finding| finding.severity) else {
        return (headline::together(report).unwrap_or_default(), Tone::Normal);
    };
    let more = match report.findings.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    found(finding, &more)
}

fn found(finding: &Finding, more: &str) -> (String, Tone) {
    let (severity, tone) = phrases::severity(finding.severity);
    (format!("{severity}: {}{more}", escape::visible(&finding.summary, 150)), tone)
}
