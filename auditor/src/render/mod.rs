//! Report to bytes: one format a file, all of them in [`FORMATS`]. No clock, no environment, no
//! file: what is written depends on the report alone.
//!
//! `human` knows how numbers look, `escape` is the door for text from the target, `columns` lists
//! every column once, `headline` says what holds the memory; `tui` draws with the same four.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, unsafe_code)]

pub mod changes;
pub mod columns;
pub mod details;
pub mod diff;
pub mod escape;
pub mod gate;
pub mod headline;
mod html;
pub mod human;
mod json;
pub mod look;
pub mod outlook;
pub mod phrases;
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
    write: fn(&Report, Paper, &mut dyn Write) -> io::Result<()>,
}

/// Every format, once.
pub const FORMATS: &[Row] = &[
    Row { format: Format::Text, name: "text", about: "an incident note for people", write: text::report },
    Row { format: Format::Json, name: "json", about: "one object, docs/report.md", write: json::pretty },
    Row { format: Format::Ndjson, name: "ndjson", about: "one object a line", write: json::line },
    Row { format: Format::Html, name: "html", about: "one page for a browser", write: html::report },
];

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
        for format in [Format::Text, Format::Json, Format::Ndjson, Format::Html] {
            assert_eq!(FORMATS.iter().filter(|row| row.format == format).count(), 1);
            assert_eq!(format.row().name.parse(), Ok(format));
        }
    }

    #[test]
    fn an_unknown_format_is_answered_with_those_there_are() {
        let error = "yaml".parse::<Format>().map_err(|error| error.to_string());
        assert_eq!(error, Err("there is no format \"yaml\"; there are text, json, ndjson, html".to_owned()));
    }
}
