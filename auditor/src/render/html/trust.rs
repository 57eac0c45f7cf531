//! How the page ends: how far to trust it, and what it cost.

use maud::html;

use super::Part;
use super::table::{class, lines};
use crate::audit::fact::HookState;
use crate::audit::report::{Probe, Report};
use crate::render::style::Tone;
use crate::render::text::trust;
use crate::render::{escape, human, phrases};

/// Probes that are missing, and notes, that are told.
const MOST: usize = 100;
/// Cells of a note, of a hook and of its place.
const SENTENCE: usize = 300;
const HOOK: usize = 60;

/// What was not seen, which hooks there were, and what they cost.
pub(super) fn trust(report: &Report) -> Option<Part> {
    let coverage = &report.coverage;
    let missing: Vec<&Probe> = trust::missing(report).collect();
    let left = missing.len().saturating_sub(MOST) + coverage.notes.len().saturating_sub(MOST);
    let body = html! {
        (lines(&trust::lines(report)))
        @if !missing.is_empty() || !coverage.notes.is_empty() {
            ul {
                @for probe in missing.iter().take(MOST) { li.w { (trust::missing_probe(probe)) } }
                @for note in coverage.notes.iter().take(MOST) { li { (escape::visible(note, SENTENCE)) } }
            }
        }
        @if left > 0 { p.q { "and " (human::count(left as u64)) " more" } }
        @if !coverage.probes.is_empty() {
            details {
                summary { "Hooks (" (human::count(coverage.probes.len() as u64)) ")" }
                div.scroll { table {
                    caption { "Where the auditor looked, and how often each place was hit" }
                    thead { tr {
                        th scope="col" { "hook" } th scope="col" { "state" } th.n scope="col" { "hits" } th scope="col" { "where" }
                    } }
                    tbody { @for probe in coverage.probes.iter().take(MOST) { tr {
                        th scope="row" { (escape::visible(&probe.hook, HOOK)) }
                        td class=[class(tone(probe))] { (phrases::hook(probe.state)) }
                        td.n { (human::count(probe.hits)) }
                        td.q { (escape::visible(&probe.place, SENTENCE)) }
                    } } }
                } }
            }
        }
        h3 { "What the audit cost" }
        p { (trust::costs(report)) }
    };
    Some(Part { id: "trust", title: "How far to trust this".to_owned(), short: "Trust", body })
}

fn tone(probe: &Probe) -> Tone {
    if probe.state == HookState::Attached { Tone::Good } else { Tone::Warn }
}
