//! The parts that are sentences and small tables: why RSS moved, growths, the collector, writers, syscalls.

use maud::{Markup, html};

use super::Part;
use super::table::{lines, linked, table};
use crate::audit::fact::GrowthKind;
use crate::audit::report::{Change, Episode, Report};
use crate::render::columns::classes::CLASSES;
use crate::render::columns::episodes::EPISODES;
use crate::render::text::{memory, writers};
use crate::render::{changes as sentences, escape, human, outlook, phrases};

/// Growths that are listed: the largest.
const GROWTHS: usize = 50;
/// Reasons of them, and writers, that are told.
const REASONS: usize = 10;
/// Size classes that are listed.
const SIZE_CLASSES: usize = 20;
/// Cells of a sentence.
const SENTENCE: usize = 300;

/// Why RSS moved, in the order of time; and how long what moves it takes.
pub(super) fn changes(report: &Report) -> Option<Part> {
    let changes = report.memory.changes.as_ref()?;
    let body = html! {
        ol.changes { @for change in &changes.largest { (one_change(change, report)) } }
        @if changes.omitted > 0 { p.q { "and " (human::plural(changes.omitted, "smaller change")) } }
        @if !report.lags.is_empty() {
            h3 { "How long after what" }
            ul { @for lag in &report.lags { li { (sentences::lag(lag)) } } }
        }
    };
    let title = format!("Why RSS moved ({})", sentences::explained(changes));
    Some(Part { id: "changes", title, short: "Why it moved", body })
}

fn one_change(change: &Change, report: &Report) -> Markup {
    let way = if change.rss < 0 { "fell" } else { "rose" };
    html! {
        li class=(way) { span.when { (human::offset(&report.window, change.start)) } " " (sentences::change(report, change)) }
    }
}

/// The largest growths, in the order of time.
pub(super) fn growths(report: &Report) -> Option<Part> {
    let all = report.episodes.len();
    if all == 0 {
        return None;
    }
    let mut shown: Vec<&Episode> = report.episodes.iter().collect();
    shown.sort_by_key(|episode| std::cmp::Reverse(episode.allocated));
    shown.truncate(GROWTHS);
    shown.sort_by_key(|episode| episode.start);
    let because = shown.iter().filter(|episode| episode.kind != GrowthKind::Double);
    let because = because.filter_map(|episode| Some((episode, episode.cause.as_deref()?)));
    let caption = format!("The {} largest, in time order", human::count(shown.len() as u64));
    let body = html! {
        (table(&caption, EPISODES, shown.iter().copied(), report))
        ul { @for (episode, cause) in because.take(REASONS) {
            li { span.when { (human::offset(&report.window, episode.start)) } " because " (escape::visible(cause, SENTENCE)) }
        } }
    };
    Some(Part {
        id: "growths",
        title: format!("Growths ({})", human::count(all as u64)),
        short: "Growths",
        body,
    })
}

/// The next ones, and how far such a list can be trusted.
pub(super) fn next_growths(report: &Report) -> Option<Part> {
    let forecast = &report.forecast;
    if forecast.growths.is_empty() {
        return None;
    }
    let body = html! {
        p { "What each holds on top while old and new tables are there." }
        ul { @for growth in &forecast.growths {
            @let (when, what) = outlook::growth(report, growth);
            li class=[(growth.fits == Some(false)).then_some("w")] {
                span.when { (when) } " " (what) " (" (linked(report, growth.place(), report.window.end)) ")"
            }
        } }
        @if let Some(record) = outlook::record(forecast) { p.q { (record) } }
    };
    Some(Part { id: "next", title: "Next growths".to_owned(), short: "Next growths", body })
}

/// The managed heap and its collector.
pub(super) fn collector(report: &Report) -> Option<Part> {
    let gc = report.gc.as_ref()?;
    let classes = &gc.size_classes;
    let body = html! {
        (lines(&memory::heap_lines(gc)))
        @if !classes.is_empty() {
            (table("Size classes that hold most", CLASSES, classes.iter().take(SIZE_CLASSES), report))
        }
    };
    Some(Part { id: "collector", title: "Heap and garbage collector".to_owned(), short: "Collector", body })
}

/// Who writes one map, where somebody asked.
pub(super) fn writers(report: &Report) -> Option<Part> {
    let writers = report.writers.as_ref()?;
    let body = html! {
        p { (writers::summary(writers)) }
        @if let Some(reason) = &writers.cut_short { p.w { "ended early: " (escape::visible(reason, SENTENCE)) } }
        ul { @for writer in writers.by.iter().take(REASONS) {
            li { (writers::wrote(writer)) @if !writer.site.is_empty() { br; span.q { (writers::place(writer)) } } }
        } }
        p.q { (writers::LIMITS) }
    };
    let title = format!("Who writes the map at {}", writers.map);
    Some(Part { id: "writers", title, short: "Writers", body })
}

/// How the target asked the kernel for memory.
pub(super) fn syscalls(report: &Report) -> Option<Part> {
    let syscalls = report.syscalls.as_ref()?;
    let advised = syscalls.madvise.by_advice.iter().take(REASONS);
    let body = html! {
        dl.lines {
            @for (name, calls) in phrases::syscalls(syscalls) { dt { (name) } dd { (phrases::calls(calls)) } }
            @for (advice, calls) in advised { dd.q { (memory::advised(advice, *calls)) } }
        }
    };
    let title = "Memory syscalls (the bytes are of those that succeeded)".to_owned();
    Some(Part { id: "syscalls", title, short: "Syscalls", body })
}

/// How many of each event were seen.
pub(super) fn events(report: &Report) -> Option<Part> {
    let body = html! { p { (phrases::events(&report.events, human::count).join(", ")) } };
    Some(Part { id: "events", title: "Events, over all maps".to_owned(), short: "Events", body })
}
