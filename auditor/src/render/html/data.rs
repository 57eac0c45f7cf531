//! The report itself, inside the page: what programs read, and what another face can be drawn from.

use std::io::Write as _;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{Markup, PreEscaped, html};

use super::Part;
use crate::audit::report::Report;
use crate::render::{human, json};

/// A report up to this size is there as it is; a larger one is compressed, to a twentieth or so.
const PLAIN: usize = 256 << 10;
/// Maps and growths that are inside: what is beyond is only in `-f json`.
const MOST: usize = 10_000;

/// The data of the page.
pub(super) fn data(report: &Report) -> Option<Part> {
    let whole = bounded(report);
    let left_out = [(report.maps.len(), "map"), (report.episodes.len(), "growth")]
        .map(|(all, what)| (all.saturating_sub(MOST) as u64, what));
    let mut line = Vec::new();
    json::one_line(whole.as_ref().unwrap_or(report), &mut line).expect("a vector takes everything");
    let plain = line.len() <= PLAIN;
    let body = html! {
        p { "The report that this page was drawn from is inside it, as " code { "-f json" } " writes it: "
            code { "docs/report.md" } " says what its fields mean. "
            @if plain { "It is the text of the element with the id " code { "report" } "." }
            @else { "It is the text of the element with the id " code { "report" } ", gzip in base64." }
        }
        @for (left, what) in left_out {
            @if left > 0 { p.w { (human::plural(left, &format!("more {what}"))) " left out of it: replay with " code { "-f json" } " has all." } }
        }
        p.tools hidden { button type="button" id="save" { "Save the JSON" } }
        (script("report", &line, PLAIN))
    };
    Some(Part { id: "data", title: "The data".to_owned(), short: "Data", body })
}

/// JSON in an element of that id, as it is or, from so many bytes on, compressed.
pub(super) fn script(id: &str, json: &[u8], plain: usize) -> Markup {
    if json.len() <= plain {
        return html! { script id=(id) type="application/json" { (PreEscaped(harmless(json))) } };
    }
    let packed = BASE64_STANDARD.encode(compressed(json));
    html! { script id=(id) type="application/octet-stream" data-encoding="gzip, base64" { (PreEscaped(packed)) } }
}

/// The report with no more than so many maps and growths; `None`: it has no more.
fn bounded(report: &Report) -> Option<Report> {
    (report.maps.len().max(report.episodes.len()) > MOST).then(|| Report {
        maps: report.maps.iter().take(MOST).cloned().collect(),
        episodes: report.episodes.iter().take(MOST).cloned().collect(),
        ..report.clone()
    })
}

/// JSON in which nothing can end the element that it is in: `<` occurs in strings alone.
fn harmless(json: &[u8]) -> String {
    String::from_utf8_lossy(json).trim_end().replace('<', "\\u003c")
}

fn compressed(json: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(json).and_then(|()| encoder.finish()).expect("a vector takes everything")
}
