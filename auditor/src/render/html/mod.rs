//! The report as one page for a browser: a file that opens offline and needs nothing beside it. All it says it
//! says without a script; `assets/report.js` sorts, searches and zooms.
//!
//! Text from the target comes in through `escape`, as everywhere, and through maud, which escapes for HTML. The
//! page's own policy forbids every request, and every script but ours.

mod chart;
mod data;
mod flame;
mod frame;
mod ladder;
mod maps;
mod opening;
mod pages;
mod sections;
mod table;
mod trust;

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::thread;

use maud::Markup;

use super::style::Paper;
use crate::audit::report::Report;

/// A part of the page.
struct Part {
    /// Its address within the page.
    id: &'static str,
    /// Its heading.
    title: String,
    /// How the list of parts calls it.
    short: &'static str,
    body: Markup,
}

/// What makes a part; `None`: there is nothing to say.
type Maker = fn(&Report) -> Option<Part>;

/// Every part of an audit, in order; the data follow.
const AUDIT: &[Maker] = &[
    opening::findings,
    chart::timeline,
    sections::changes,
    ladder::ladder,
    maps::members,
    maps::table,
    maps::populations,
    maps::garbage,
    sections::growths,
    sections::next_growths,
    flame::flame,
    pages::pages,
    sections::collector,
    sections::writers,
    sections::syscalls,
    sections::events,
    trust::trust,
];

/// The same of one look: what it found comes first, and nothing could be seen to happen.
const LOOK: &[Maker] = &[
    opening::findings,
    maps::members,
    maps::table,
    maps::populations,
    maps::garbage,
    ladder::ladder,
    sections::next_growths,
    pages::pages,
    sections::collector,
    trust::trust,
];

/// The whole page.
pub(super) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    let makers = if super::phrases::is_one_look(report) { LOOK } else { AUDIT };
    out.write_all(frame::page(report, &parts(makers, report)).into_string().as_bytes())
}

/// The data are as much work as all else: where a thread can be had, they are packed beside it.
fn parts(makers: &[Maker], report: &Report) -> Vec<Part> {
    thread::scope(|scope| {
        let packing = thread::Builder::new().spawn_scoped(scope, || data::data(report)).ok();
        let mut parts: Vec<Part> = makers.iter().filter_map(|part| part(report)).collect();
        parts.push(match packing {
            Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => data::data(report),
        });
        parts
    })
}
