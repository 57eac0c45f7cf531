//! What the rules found: a few lines beside the table, or all of it in a pane.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{line, lines, title};
use super::panes::{labelled, pane};
use crate::audit::report::{Finding, Report};
use crate::render::columns::maps::label;
use crate::render::style::Tone;
use crate::render::{escape, human, phrases};
use crate::tui::state::State;

/// Cells of one sentence before it is cut: text from a target may be of any length.
const SENTENCE: usize = 480;
/// Cells of the name of a rule or a map.
const NAME: usize = 48;
/// Findings, and pieces of evidence of each, that are told.
const MOST: usize = 200;
const EVIDENCE: usize = 20;

/// Lines that the short list would fill, its title included.
pub(super) fn height(report: &Report) -> u16 {
    match report.findings.len() {
        0 => 0,
        findings => u16::try_from(findings).unwrap_or(u16::MAX).saturating_add(1),
    }
}

/// The worst ones, a line each.
pub(super) fn list(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    if area.height == 0 {
        return;
    }
    let cells = usize::from(area.width);
    let rows = usize::from(area.height) - 1;
    let more = report.findings.len().saturating_sub(rows);
    let hint = if more > 0 { format!("{more} more, and what to do: f") } else { "what to do: f".to_owned() };
    let mut page = vec![title(&format!("findings ({})", report.findings.len()), &hint, cells)];
    for finding in worst_first(report).into_iter().take(rows) {
        let (severity, tone) = phrases::severity(finding.severity);
        let text = format!("{severity:8}  {}", escape::visible(&finding.summary, SENTENCE));
        page.push(line(state.style, tone, escape::clip(&text, cells)));
    }
    lines(page, area, frame);
}

/// All of them, with what they rest on and what to do.
pub(super) fn full(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let mut page: Vec<Line<'static>> = Vec::new();
    for finding in worst_first(report).into_iter().take(MOST) {
        one(finding, report, state, area, &mut page);
    }
    for undecided in report.undecided.iter().take(MOST) {
        let text = format!("{} [{}]", said(&undecided.reason), named(&undecided.rule));
        labelled("too early", &text, Tone::Quiet, state, area, &mut page);
    }
    if page.is_empty() {
        labelled("", "no rule has found anything so far", Tone::Normal, state, area, &mut page);
    }
    pane("findings, the worst first", page, state, area, frame);
}

fn one(finding: &Finding, report: &Report, state: &State, area: Rect, page: &mut Vec<Line<'static>>) {
    let (severity, tone) = phrases::severity(finding.severity);
    labelled(severity, &said(&finding.summary), tone, state, area, page);
    let map = finding.place().and_then(|map| report.maps.iter().find(|row| row.place() == map));
    if let Some(map) = map {
        labelled("  map", &label(map, NAME), Tone::Normal, state, area, page);
    }
    for evidence in finding.evidence.iter().take(EVIDENCE) {
        labelled("  because", &said(evidence), Tone::Normal, state, area, page);
    }
    let frees =
        finding.reclaimable.map_or_else(String::new, |size| format!(" (frees {})", human::bytes(size)));
    labelled("  remedy", &format!("{}{frees}", said(&finding.remedy)), Tone::Heading, state, area, page);
    labelled(
        "  explained",
        &format!("auditor explain {}", named(&finding.rule)),
        Tone::Quiet,
        state,
        area,
        page,
    );
    page.push(Line::default());
}

fn worst_first(report: &Report) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn said(text: &str) -> String {
    escape::visible(text, SENTENCE)
}

fn named(text: &str) -> String {
    escape::visible(text, NAME)
}
