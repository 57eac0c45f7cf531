//! The parts of the note, in their order. Each says nothing, or one line that says so, where there
//! is nothing to say. One look is told in another order: what it found has to be on the first screen,
//! and nothing could be seen to happen.

use super::page::{Page, ROWS, named, said};
use super::{maps, memory, opening, trust, writers};
use crate::audit::fact::GrowthKind;
use crate::audit::report::{Episode, Finding, Report};
use crate::render::columns::episodes;
use crate::render::style::Tone;
use crate::render::{human, outlook, phrases};

/// Rules that are named which cannot tell yet.
const UNDECIDED: usize = 4;

/// One part.
type Section = fn(&Report, &mut Page);

/// Every part of an audit, in order.
const AUDIT: &[Section] = &[
    opening::title,
    opening::headline,
    findings,
    maps::members,
    memory::ladder,
    memory::changes,
    maps::table,
    maps::closer,
    maps::populations,
    maps::garbage,
    growths,
    next_growths,
    memory::collector,
    writers::writers,
    memory::syscalls,
    events,
    trust::trust,
    trust::cost,
    trust::again,
];

/// Every part of one look, in order.
const LOOK: &[Section] = &[
    opening::title,
    opening::headline,
    findings,
    maps::members,
    maps::table,
    maps::populations,
    maps::garbage,
    memory::ladder,
    next_growths,
    memory::collector,
    maps::closer,
    trust::trust,
    trust::cost,
    trust::again,
];

/// The parts of a report.
pub(super) fn of(report: &Report) -> &'static [Section] {
    if phrases::is_one_look(report) { LOOK } else { AUDIT }
}

fn findings(report: &Report, page: &mut Page) {
    if report.findings.is_empty() && report.undecided.is_empty() {
        return;
    }
    page.heading("Findings");
    for finding in report.findings.iter().take(ROWS) {
        one_finding(finding, page);
    }
    page.and_more(report.findings.len(), "finding");
    for undecided in report.undecided.iter().take(UNDECIDED) {
        let text = format!("{} [{}]", said(&undecided.reason), named(&undecided.rule));
        page.labelled("too early", Tone::Quiet, &text);
    }
}

fn one_finding(finding: &Finding, page: &mut Page) {
    let (severity, tone) = phrases::severity(finding.severity);
    page.labelled(severity, tone, &format!("{} [{}]", said(&finding.summary), named(&finding.rule)));
    for evidence in finding.evidence.iter().take(ROWS) {
        page.labelled("", Tone::Normal, &format!("because {}", said(evidence)));
    }
    let frees =
        finding.reclaimable.map_or_else(String::new, |size| format!(" (frees {})", human::bytes(size)));
    page.labelled("", Tone::Normal, &format!("remedy: {}{frees}", said(&finding.remedy)));
}

fn growths(report: &Report, page: &mut Page) {
    if report.episodes.is_empty() {
        return;
    }
    let all = report.episodes.len();
    page.heading(&format!(
        "Growths ({}; the {} largest, in time order)",
        human::count(all as u64),
        all.min(ROWS)
    ));
    let shown = largest_in_time_order(&report.episodes);
    page.table(episodes::EPISODES, shown.iter().copied(), report);
    // That a map doubles because it was full needs no line.
    for episode in shown.iter().filter(|episode| episode.kind != GrowthKind::Double) {
        if let Some(cause) = &episode.cause {
            let when = human::offset(&report.window, episode.start);
            page.labelled(&when, Tone::Normal, &format!("because {}", said(cause)));
        }
    }
}

/// The next ones, and how far such a list can be trusted.
fn next_growths(report: &Report, page: &mut Page) {
    let forecast = &report.forecast;
    if forecast.growths.is_empty() {
        return;
    }
    page.heading("Next growths (what each holds on top while old and new tables are there)");
    for growth in forecast.growths.iter().take(ROWS) {
        let (when, what) = outlook::growth(report, growth);
        let tone = if growth.fits == Some(false) { Tone::Warn } else { Tone::Normal };
        page.labelled(&when, tone, &what);
    }
    page.and_more(forecast.growths.len(), "growth");
    if let Some(record) = outlook::record(forecast) {
        page.indented(Tone::Quiet, &record);
    }
}

fn largest_in_time_order(episodes: &[Episode]) -> Vec<&Episode> {
    let mut largest: Vec<&Episode> = episodes.iter().collect();
    largest.sort_by_key(|episode| std::cmp::Reverse(episode.allocated));
    largest.truncate(ROWS);
    largest.sort_by_key(|episode| episode.start);
    largest
}

fn events(report: &Report, page: &mut Page) {
    page.heading("Events, over all maps");
    page.indented(Tone::Normal, &phrases::events(&report.events, human::count).join(", "));
}
