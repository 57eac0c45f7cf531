//! How the note begins: who it is about, and what holds the memory, in a few sentences.

use super::page::{Page, named, said};
use crate::audit::report::Report;
use crate::render::style::Tone;
use crate::render::{escape, headline, human, look, outlook, phrases};

/// Runtimes that are named.
const RUNTIMES: usize = 4;

/// Who, where, when.
pub(super) fn title(report: &Report, page: &mut Page) {
    let (target, host) = (&report.target, &report.host);
    let [comm, kernel, arch] = [&target.comm, &host.kernel, &host.arch].map(|text| escape::visible(text, 40));
    page.paragraph(Tone::Heading, &format!("{comm} (pid {}) on Linux {kernel} {arch}", target.pid.0));
    let build = target.build_id.as_ref().map_or_else(String::new, |id| format!(", build id {}", named(id)));
    page.paragraph(Tone::Normal, &format!("{}{build}", escape::visible_tail(&target.exe, 200)));
    let window = &report.window;
    page.paragraph(
        Tone::Normal,
        &format!(
            "seen by auditor {} from {} for {}, {}",
            escape::visible(&report.auditor.version, 40),
            escape::visible(&window.wall_start, 40),
            human::span(window.end.since(window.start)),
            phrases::ended(window.ended)
        ),
    );
    for runtime in report.target.runtimes.iter().take(RUNTIMES) {
        let version =
            runtime.version.as_ref().map_or_else(String::new, |version| format!(" {}", named(version)));
        let [name, evidence] = [&runtime.name, &runtime.evidence].map(|text| named(text));
        page.paragraph(Tone::Quiet, &format!("runtime {name}{version}, recognised by {evidence}"));
    }
}

/// What holds the memory and how it moved.
pub(super) fn headline(report: &Report, page: &mut Page) {
    page.heading(&headline::holder(report));
    page.paragraph(Tone::Heading, &headline::rss(report));
    comes_back(report, page);
    if let Some(together) = headline::together(report) {
        page.paragraph(Tone::Normal, &together);
    }
    if let Some(garbage) = look::garbage(report) {
        page.paragraph(Tone::Normal, &garbage);
    }
    to_come(report, page);
}

/// What is left, and what does not fit.
fn to_come(report: &Report, page: &mut Page) {
    // One look says what is left with RSS.
    let left = outlook::headroom(report).filter(|_| !phrases::is_one_look(report));
    let left = left.map(|left| (Tone::Normal, left));
    let scarce = outlook::scarcity(report).map(|scarce| (Tone::Warn, scarce));
    let too_large = outlook::first_that_does_not_fit(report).map(|growth| (Tone::Warn, growth));
    for (tone, sentence) in [left, scarce, too_large].into_iter().flatten() {
        page.paragraph(tone, &sentence);
    }
}

/// Whether RSS comes back.
fn comes_back(report: &Report, page: &mut Page) {
    let memory = &report.memory;
    let Some(verdict) = memory.verdict else { return };
    let text = phrases::outlook(verdict, memory.outlook.as_ref(), said);
    page.paragraph(Tone::Normal, &format!("Will RSS come down: {text}."));
}

/// What one look found.
pub(super) fn look(report: &Report, page: &mut Page) {
    page.heading(&look::holders(report));
    page.paragraph(Tone::Heading, &look::rss(&report.memory));
    comes_back(report, page);
    for sentence in look::together(report).into_iter().chain(look::garbage(report)) {
        page.paragraph(Tone::Normal, &sentence);
    }
    to_come(report, page);
}
