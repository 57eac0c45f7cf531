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

/// Every part of an audit, in order.
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
    data::data,
];

/// Every part of one look: what it found comes first, and nothing could be seen to happen.
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
    data::data,
];

/// The whole page.
pub(super) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    let makers = if super::phrases::is_one_look(report) { LOOK } else { AUDIT };
    let parts: Vec<Part> = makers.iter().filter_map(|part| part(report)).collect();
    out.write_all(frame::page(report, &parts).into_string().as_bytes())
}
