//! How the note begins: who it is about, and what holds the memory, in a few sentences.

use super::page::{Page, named, said};
use crate::audit::report::Report;
use crate::render::style::Tone;
use crate::render::{escape, headline, human, look, outlook, phrases};

/// Runtimes that are named.
const RUNTIMES: usize = 4;

/// One sentence.
pub(in crate::render) type Sentence = (Tone, String);

/// Who, where, when.
pub(super) fn title(report: &Report, page: &mut Page) {
    who(report).iter().for_each(|(tone, sentence)| page.paragraph(*tone, sentence));
}

/// What holds the memory and how it moved.
pub(super) fn headline(report: &Report, page: &mut Page) {
    let sentences = answer(report);
    let (first, rest) = sentences.split_first().expect("the first sentence is always there");
    page.heading(&first.1);
    rest.iter().for_each(|(tone, sentence)| page.paragraph(*tone, sentence));
}

/// Who, where, when: the first sentence names the target.
pub(in crate::render) fn who(report: &Report) -> Vec<Sentence> {
    let (target, host) = (&report.target, &report.host);
    let [comm, kernel, arch] = [&target.comm, &host.kernel, &host.arch].map(|text| escape::visible(text, 40));
    let build = target.build_id.as_ref().map_or_else(String::new, |id| format!(", build id {}", named(id)));
    let window = &report.window;
    let seen = format!(
        "seen by auditor {} from {} for {}, {}",
        escape::visible(&report.auditor.version, 40),
        escape::visible(&window.wall_start, 40),
        human::span(window.end.since(window.start)),
        phrases::ended(window.ended)
    );
    let mut sentences = vec![
        (Tone::Heading, format!("{comm} (pid {}) on Linux {kernel} {arch}", target.pid.0)),
        (Tone::Normal, format!("{}{build}", escape::visible_tail(&target.exe, 200))),
        (Tone::Normal, seen),
    ];
    for runtime in target.runtimes.iter().take(RUNTIMES) {
        let version =
            runtime.version.as_ref().map_or_else(String::new, |version| format!(" {}", named(version)));
        let [name, evidence] = [&runtime.name, &runtime.evidence].map(|text| named(text));
        sentences.push((Tone::Quiet, format!("runtime {name}{version}, recognised by {evidence}")));
    }
    sentences
}

/// What holds the memory, how RSS moved, whether it comes back, what is left.
pub(in crate::render) fn answer(report: &Report) -> Vec<Sentence> {
    let looked_once = phrases::is_one_look(report);
    let (holder, rss, together) = if looked_once {
        (look::holders(report), look::rss(&report.memory), look::together(report))
    } else {
        (headline::holder(report), headline::rss(report), headline::together(report))
    };
    let normal = |sentence: String| (Tone::Normal, sentence);
    let warning = |sentence: String| (Tone::Warn, sentence);
    // One look says what is left with RSS.
    let left = outlook::headroom(report).filter(|_| !looked_once);
    let more = [
        comes_back(report).map(normal),
        together.map(normal),
        look::garbage(report).map(normal),
        left.map(normal),
        outlook::scarcity(report).map(warning),
        outlook::first_that_does_not_fit(report).map(warning),
    ];
    let first = [(Tone::Heading, holder), (Tone::Heading, rss)];
    first.into_iter().chain(more.into_iter().flatten()).collect()
}

/// Whether RSS comes back.
fn comes_back(report: &Report) -> Option<String> {
    let memory = &report.memory;
    let text = phrases::outlook(memory.verdict?, memory.outlook.as_ref(), said);
    Some(format!("Will RSS come down: {text}."))
}
