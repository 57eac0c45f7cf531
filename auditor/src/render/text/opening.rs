//! How the note begins: who it is about, and what holds the memory, in a few sentences.

use super::page::{Page, named, said};
use crate::audit::report::Report;
use crate::render::style::Tone;
use crate::render::{escape, headline, human, look, phrases};

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
    if let Some(verdict) = headline::largest(report).and_then(|(map, _)| map.verdict.as_ref()) {
        page.paragraph(Tone::Normal, &format!("Will it come back: {}", said(verdict)));
    }
    if let Some(together) = headline::together(report) {
        page.paragraph(Tone::Normal, &together);
    }
    if let Some(garbage) = look::garbage(report) {
        page.paragraph(Tone::Normal, &garbage);
    }
    if let Some(limit) = report.memory.limit {
        let left = report.memory.rss.last.map(|last| human::bytes(limit.less(last)));
        let left = left.map_or_else(String::new, |left| format!(", {left} above RSS now"));
        page.paragraph(Tone::Normal, &format!("The memory limit is {}{left}.", human::bytes(limit)));
    }
}

/// What one look found.
pub(super) fn look(report: &Report, page: &mut Page) {
    page.heading(&look::holders(report));
    page.paragraph(Tone::Heading, &look::rss(&report.memory));
    for sentence in look::together(report).into_iter().chain(look::garbage(report)) {
        page.paragraph(Tone::Normal, &sentence);
    }
}
