//! How the page begins: who it is about, what holds the memory, the figures that matter, what the rules found.

use maud::{Markup, html};

use super::Part;
use super::table::{class, linked};
use crate::audit::report::{Finding, Report};
use crate::render::style::Tone;
use crate::render::text::opening;
use crate::render::{escape, headline, human, phrases};

/// Findings and suspicions that are told.
const MOST: usize = 200;
/// Evidence of one.
const EVIDENCE: usize = 20;
/// Cells of one sentence, and of a rule's name.
const SENTENCE: usize = 300;
const RULE: usize = 60;

/// Who, where, when.
pub(super) fn header(report: &Report) -> Markup {
    let sentences = opening::who(report);
    html! {
        header {
            @for (tone, sentence) in &sentences {
                @if *tone == Tone::Heading { h1 { (sentence) } } @else { p class=[class(*tone)] { (sentence) } }
            }
        }
    }
}

/// What holds the memory, and whether it comes back.
pub(super) fn summary(report: &Report) -> Markup {
    let sentences = opening::answer(report);
    html! {
        section #summary aria-label="Summary" {
            @for (number, (tone, sentence)) in sentences.iter().enumerate() {
                @match (number, tone) {
                    (0, _) => p.cause { (sentence) },
                    (_, Tone::Heading) => p.second { (sentence) },
                    _ => p class=[class(*tone)] { (sentence) },
                }
            }
            (tiles(report))
        }
    }
}

/// The figures that are asked for first.
fn tiles(report: &Report) -> Markup {
    let memory = &report.memory;
    let size = |size| human::known(size, human::bytes);
    let peak = memory.rss.peak_at.map(|at| format!("at {}", human::offset(&report.window, at)));
    let share = memory.rss.last.zip(memory.limit);
    let share = share.map(|(rss, limit)| format!("RSS is {} of it", human::share(rss.0, limit.0)));
    let (confidence, meaning, tone) = phrases::confidence(report.coverage.confidence);
    let all = [
        ("RSS", size(memory.rss.last), None, Tone::Normal),
        ("peak", size(memory.rss.peak), peak, Tone::Normal),
        ("limit", size(memory.limit), share, Tone::Normal),
        ("left", size(memory.headroom), None, Tone::Normal),
        ("maps hold", size(headline::all_maps(report)), None, Tone::Normal),
        ("confidence", confidence.to_owned(), Some(meaning.to_owned()), tone),
    ];
    html! {
        dl.tiles {
            @for (name, value, note, tone) in all {
                div {
                    dt { (name) }
                    dd class=[class(tone)] { (value) @if let Some(note) = note { small { (note) } } }
                }
            }
        }
    }
}

/// What the rules found, and what they cannot tell yet.
pub(super) fn findings(report: &Report) -> Option<Part> {
    let (found, undecided) = (&report.findings, &report.undecided);
    let more = (found.len() + undecided.len()).saturating_sub(2 * MOST);
    let body = html! {
        @if found.is_empty() { p.q { "The rules found nothing." } }
        @for finding in found.iter().take(MOST) { (one(finding, report)) }
        @if !undecided.is_empty() {
            h3 { "Too early to tell" }
            ul { @for one in undecided.iter().take(MOST) {
                li { (said(&one.reason)) " " code { (escape::visible(&one.rule, RULE)) } }
            } }
        }
        @if more > 0 { p.q { "and " (human::plural(more as u64, "more")) } }
    };
    Some(Part {
        id: "findings",
        title: format!("Findings ({})", human::count(found.len() as u64)),
        short: "Findings",
        body,
    })
}

fn one(finding: &Finding, report: &Report) -> Markup {
    let (severity, tone) = phrases::severity(finding.severity);
    let frees = finding.reclaimable.map(human::bytes);
    html! {
        article class={ "finding " (class(tone).unwrap_or_default()) } {
            h3 { span.severity { (severity) } " " (said(&finding.summary)) " " code { (escape::visible(&finding.rule, RULE)) } }
            @if !finding.evidence.is_empty() {
                ul { @for evidence in finding.evidence.iter().take(EVIDENCE) { li { "because " (said(evidence)) } } }
            }
            p.remedy { b { "remedy: " } (said(&finding.remedy)) @if let Some(frees) = frees { " (frees " (frees) ")" } }
            @if let Some(map) = finding.place() { p.q { "map: " (linked(report, map, report.window.end)) } }
        }
    }
}

fn said(text: &str) -> String {
    escape::visible(text, SENTENCE)
}
