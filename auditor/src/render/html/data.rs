//! The report itself, inside the page: what programs read, and what another face can be drawn from.

use std::io::{self, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use flate2::Compression;
use flate2::write::GzEncoder;
use maud::{Markup, PreEscaped, html};

use super::Part;
use crate::audit::report::Report;
use crate::render::{human, json};

/// A report up to this size is there as it is; a larger one is compressed, to a twentieth or so.
const PLAIN: usize = 256 << 10;
/// How hard packing tries: one step less than usual takes a seventh less time, for a page that is 4 % larger.
const LEVEL: Compression = Compression::new(5);
/// Maps and growths that are inside: what is beyond is only in `-f json`.
const MOST: usize = 10_000;

/// The data of the page.
pub(super) fn data(report: &Report) -> Part {
    let whole = bounded(report);
    let left_out = [(report.maps.len(), "map"), (report.episodes.len(), "growth")]
        .map(|(all, what)| (all.saturating_sub(MOST) as u64, what));
    let island = Island::of(PLAIN, |out| json::one_line(whole.as_ref().unwrap_or(report), out));
    let body = html! {
        p { "The report that this page was drawn from is inside it, as " code { "-f json" } " writes it: "
            code { "docs/report.md" } " says what its fields mean. "
            @if island.packed.is_none() { "It is the text of the element with the id " code { "report" } "." }
            @else { "It is the text of the element with the id " code { "report" } ", gzip in base64." }
        }
        @for (left, what) in left_out {
            @if left > 0 { p.w { (human::plural(left, &format!("more {what}"))) " left out of it: replay with " code { "-f json" } " has all." } }
        }
        p.tools hidden { button type="button" id="save" { "Save the JSON" } }
        (island.element("report"))
    };
    Part { id: "data", title: "The data".to_owned(), short: "Data", body }
}

/// JSON for an element of the page, as it is or, beyond so many bytes, compressed while it is written.
pub(super) struct Island {
    most: usize,
    plain: Vec<u8>,
    packed: Option<GzEncoder<Vec<u8>>>,
}

impl Island {
    /// What is written.
    pub(super) fn of(most: usize, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Self {
        let mut island = Self { most, plain: Vec::new(), packed: None };
        write(&mut island).expect("memory takes everything");
        island
    }

    /// It in an element of that id.
    pub(super) fn element(self, id: &str) -> Markup {
        let Some(packed) = self.packed else {
            return html! { script id=(id) type="application/json" { (PreEscaped(harmless(&self.plain))) } };
        };
        let packed = BASE64_STANDARD.encode(packed.finish().expect("memory takes everything"));
        html! { script id=(id) type="application/octet-stream" data-encoding="gzip, base64" { (PreEscaped(packed)) } }
    }
}

impl Write for Island {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(packed) = &mut self.packed {
            return packed.write(bytes);
        }
        self.plain.extend_from_slice(bytes);
        if self.plain.len() > self.most {
            let mut packed = GzEncoder::new(Vec::new(), LEVEL);
            packed.write_all(&self.plain)?;
            self.packed = Some(packed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
