//! One page a map: all that is known of it. Only the largest have one; the table says something of every map.

use maud::{Markup, html};

use super::Part;
use super::ladder::tenths;
use super::table::{lines, short_row};
use crate::audit::fact::Step;
use crate::audit::report::{Map, MapBytes, Report};
use crate::audit::unit::Bytes;
use crate::render::columns::maps;
use crate::render::details::{self, Depth};
use crate::render::{escape, headline, human, phrases};

/// Maps that have a page.
const MOST: usize = 64;
/// Pages that are open where nobody has opened any.
const OPEN: usize = 1;
/// Frames of a call stack.
const FRAMES: usize = 8;
/// Growths of one map: its latest.
const GROWTHS: usize = 6;
/// Sizes it may have, below and above what it has.
const BELOW: usize = 2;
const ABOVE: usize = 2;
/// Cells of a name, and of a sentence.
const NAME: usize = 80;
const SENTENCE: usize = 300;

/// Whether the map at this place of the report has a page.
pub(super) const fn has_page(number: usize) -> bool {
    number < MOST
}

/// The pages.
pub(super) fn pages(report: &Report) -> Option<Part> {
    let (with, without) = report.maps.split_at(report.maps.len().min(MOST));
    if with.is_empty() {
        return None;
    }
    let body = html! {
        p.tools hidden {
            button type="button" id="open-all" { "Open all" } " " button type="button" id="close-all" { "Close all" }
        }
        @for (number, map) in with.iter().enumerate() { (page(number, map, report)) }
        @if !without.is_empty() {
            p.q { (human::plural(without.len() as u64, "more map")) " have no page here: the data below have all of it" }
        }
    };
    Some(Part { id: "pages", title: "Map by map".to_owned(), short: "Map by map", body })
}

fn page(number: usize, map: &Map, report: &Report) -> Markup {
    let held = headline::held(map).map(|held| human::bytes(held.bytes()));
    let state = maps::state(map);
    let verdict = map.verdict.map(|verdict| phrases::verdict(verdict).0);
    let depth = Depth { frames: FRAMES, episodes: GROWTHS };
    html! {
        details.map id={ "m" (number) } open[number < OPEN] {
            summary {
                h3 { (maps::label(map, NAME)) }
                @for word in [held, verdict.map(str::to_owned), Some(state.text)].into_iter().flatten() { " " span.word { (word) } }
            }
            div {
                (bar(&map.bytes))
                (lines(&details::lines(map, report, depth)))
                (findings(map, report))
                (other_sizes(map, report))
                p.q { a href="#maps-part" { "Back to the table" } }
            }
        }
    }
}

/// What it holds, drawn: what it needs, what is stranded, the old table.
fn bar(bytes: &MapBytes) -> Markup {
    let Some(all) = bytes.allocated.filter(|all| *all > Bytes(0)) else { return html! {} };
    let old = bytes.old_table.unwrap_or_default().min(all);
    let rest = all.less(old);
    let needed = bytes.needed.unwrap_or(rest).min(rest);
    let beyond = rest.less(needed);
    let parts =
        [("needed", "c-tables", needed), ("beyond that", "c-beyond", beyond), ("old table", "c-old", old)];
    let name = if bytes.needed.is_some() { "needed" } else { "tables" };
    let parts = parts.map(|(what, colour, size)| (if what == "needed" { name } else { what }, colour, size));
    html! {
        div.holds aria-hidden="true" {
            @for (what, colour, size) in parts.into_iter().filter(|part| part.2 > Bytes(0)) {
                span.(colour) style={ "width:" (tenths(human::permille(size.0, all.0).unwrap_or(0))) "%" }
                    title={ (what) " " (human::bytes(size)) } { (what) }
            }
        }
    }
}

/// What the rules found of it.
fn findings(map: &Map, report: &Report) -> Markup {
    let its: Vec<_> = report.findings.iter().filter(|finding| finding.place() == Some(map.place())).collect();
    html! { @if !its.is_empty() {
        ul.found { @for finding in its {
            @let (severity, tone) = phrases::severity(finding.severity);
            li class=[super::table::class(tone)] { (severity) ": " (escape::visible(&finding.summary, SENTENCE)) }
        } }
    } }
}

/// What it would take with fewer or more entries, as its runtime sizes such maps.
fn other_sizes(map: &Map, report: &Report) -> Markup {
    let sizes = map.sizes.and_then(|id| report.sizes.iter().find(|sizes| sizes.id == id));
    let (Some(sizes), Some(live)) = (sizes, map.live.filter(|_| map.died.is_none())) else { return html! {} };
    let here = sizes.steps.partition_point(|step| step.live < live);
    let near = here.saturating_sub(BELOW)..here.saturating_add(ABOVE + 1).min(sizes.steps.len());
    let Some(steps) = sizes.steps.get(near.clone()).filter(|steps| !steps.is_empty()) else {
        return html! {};
    };
    html! {
        div.scroll { table.numbers {
            caption { "What it would take, just made for so many entries" }
            thead { tr { th scope="col" { "entries up to" } th scope="col" { "slots" } th scope="col" { "bytes" } } }
            tbody { @for (at, step) in near.zip(steps) { (size(step, at == here)) } }
        } }
    }
}

fn size(step: &Step, fits: bool) -> Markup {
    let live = html! { @if fits { "enough now: " } (human::count(step.live)) };
    let figures = [human::count(step.slots), human::bytes(step.bytes)].map(|text| html! { (text) });
    let class = if fits { " class=g" } else { "" };
    short_row(class, &[&[live], figures.as_slice()].concat())
}
