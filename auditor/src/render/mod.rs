//! Report to bytes: one format a file, all of them in [`FORMATS`]. No clock, no environment, no
//! file: what is written depends on the report alone.
//!
//! `human` knows how numbers look, `escape` is the door for text from the target, `columns` lists
//! every column once, `headline` says what holds the memory; `tui` draws with the same four. `export` writes
//! for other programs.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, unsafe_code)]

pub mod changes;
pub mod columns;
pub mod details;
pub mod diff;
pub mod escape;
mod export;
pub mod gate;
pub mod headline;
mod html;
pub mod human;
mod json;
pub mod look;
pub mod outlook;
pub mod phrases;
pub mod sources;
pub mod status;
pub mod style;
pub mod text;
pub mod whatif;
pub mod wrap;

use std::io::{self, Write};
use std::str::FromStr;

use crate::audit::report::Report;
use style::{Paper, Style};

/// A format that a report can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one object.
    Json,
    /// For programs: one object a line.
    Ndjson,
    /// For people: one page for a browser.
    Html,
    /// Metrics.
    OpenMetrics,
    /// A profile.
    Pprof,
    /// A trace.
    Perfetto,
    /// Call stacks of growths.
    Folded,
    /// A table of maps.
    Csv,
}

/// What is written in a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text, of which several can follow each other.
    Stream,
    /// Text that is a whole file.
    File,
    /// Bytes that are a whole file and not for a terminal.
    Binary,
}

/// One row of [`FORMATS`].
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which format.
    pub format: Format,
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it is, in one line for `--help`.
    pub about: &'static str,
    /// What is written.
    pub kind: Kind,
    write: fn(&Report, Paper, &mut dyn Write) -> io::Result<()>,
}

/// Every format, once.
pub const FORMATS: &[Row] = &[
    row(Format::Text, "text", "an incident note for people", Kind::Stream, text::report),
    row(Format::Json, "json", "one object, docs/report.md", Kind::Stream, json::pretty),
    row(Format::Ndjson, "ndjson", "one object a line", Kind::Stream, json::line),
    row(Format::Html, "html", "one page for a browser", Kind::File, html::report),
    row(
        Format::OpenMetrics,
        "openmetrics",
        "metrics for Prometheus",
        Kind::File,
        export::openmetrics::report,
    ),
    row(Format::Pprof, "pprof", "a profile for go tool pprof", Kind::Binary, export::pprof::report),
    row(Format::Perfetto, "perfetto", "a trace for ui.perfetto.dev", Kind::Binary, export::perfetto::report),
    row(
        Format::Folded,
        "folded",
        "stacks of growth bytes for flame graphs",
        Kind::File,
        export::folded::report,
    ),
    row(Format::Csv, "csv", "a table of maps", Kind::File, export::csv::report),
];

type Writer = fn(&Report, Paper, &mut dyn Write) -> io::Result<()>;

const fn row(format: Format, name: &'static str, about: &'static str, kind: Kind, write: Writer) -> Row {
    Row { format, name, about, kind, write }
}

impl Format {
    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static Row {
        FORMATS.iter().find(|row| row.format == self).expect("every format has a row: a test holds it")
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        let row = FORMATS.iter().find(|row| row.name == name);
        row.map(|row| row.format).ok_or_else(|| UnknownFormat { name: escape::visible(name, 40) })
    }
}

/// There is no such format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {name:?}; there are {}", names())]
pub struct UnknownFormat {
    name: String,
}

fn names() -> String {
    FORMATS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ")
}

/// Writes a report, without colours.
///
/// # Errors
/// Those of `out`.
pub fn render(report: &Report, format: Format, out: &mut dyn Write) -> io::Result<()> {
    render_on(report, format, Style::Plain.into(), out)
}

/// Writes a report on this paper; for formats for programs it makes no difference.
///
/// # Errors
/// Those of `out`.
pub fn render_on(report: &Report, format: Format, paper: Paper, out: &mut dyn Write) -> io::Result<()> {
    (format.row().write)(report, paper, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_one_row_and_is_found_by_its_name() {
        use Format::{Csv, Folded, Html, Json, Ndjson, OpenMetrics, Perfetto, Pprof, Text};
        for format in [Text, Json, Ndjson, Html, OpenMetrics, Pprof, Perfetto, Folded, Csv] {
            assert_eq!(FORMATS.iter().filter(|row| row.format == format).count(), 1);
            assert_eq!(format.row().name.parse(), Ok(format));
        }
    }

    #[test]
    fn an_unknown_format_is_answered_with_those_there_are() {
        let error = "yaml".parse::<Format>().map_err(|error| error.to_string());
        let names = "text, json, ndjson, html, openmetrics, pprof, perfetto, folded, csv";
        assert_eq!(error, Err(format!("there is no format \"yaml\"; there are {names}")));
    }
}
