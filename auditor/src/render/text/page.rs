//! Laying out: headings, paragraphs, labelled lines and tables within the columns of the paper.
//! Knows nothing about maps.

use crate::audit::report::Report;
use crate::render::columns::{Bars, Column, GAP, Sheet, fit};
use crate::render::style::{Paper, Tone};
use crate::render::wrap::wrap;
use crate::render::{escape, human};

/// Columns before everything below a heading.
const INDENT: usize = 2;

/// Columns of a label with the space behind it.
const LABEL: usize = 13;

/// Rows of every table and list but that of the maps.
pub(super) const ROWS: usize = 10;

/// Cells of a name that stands within a line before it is cut.
const NAME: usize = 60;

/// Cells of one sentence of the report before it is cut.
const SENTENCE: usize = 300;

/// Text under construction. Everything put on it must be harmless already.
pub(super) struct Page {
    text: String,
    paper: Paper,
}

impl Page {
    pub(super) const fn new(paper: Paper) -> Self {
        Self { text: String::new(), paper }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Columns of a line below a heading.
    pub(super) const fn room(&self) -> usize {
        self.paper.columns() - INDENT
    }

    /// An empty line, then the name of what follows.
    pub(super) fn heading(&mut self, title: &str) {
        self.text.push('\n');
        self.paragraph(Tone::Heading, title);
    }

    /// Sentences from the left edge.
    pub(super) fn paragraph(&mut self, tone: Tone, text: &str) {
        wrap(text, self.paper.columns()).iter().for_each(|line| self.line(0, tone, line));
    }

    /// Sentences below a heading.
    pub(super) fn indented(&mut self, tone: Tone, text: &str) {
        wrap(text, self.room()).iter().for_each(|line| self.line(INDENT, tone, line));
    }

    /// One line below a heading whose spaces mean something.
    pub(super) fn aligned(&mut self, tone: Tone, text: &str) {
        self.line(INDENT, tone, escape::clip(text, self.room()).trim_end());
    }

    /// `label     text`, the text in a column of its own.
    pub(super) fn labelled(&mut self, label: &str, tone: Tone, text: &str) {
        let mut label = format!("{label:<LABEL$}");
        for line in wrap(text, self.room() - LABEL) {
            let line = self.paper.style.paint(tone, &line).into_owned();
            self.line(INDENT, Tone::Normal, &(label + &line));
            label = " ".repeat(LABEL);
        }
    }

    /// Rows of the table of maps.
    pub(super) const fn rows(&self) -> usize {
        self.paper.rows()
    }

    /// That there are more, where there are.
    pub(super) fn and_more(&mut self, all: usize, thing: &str) {
        if all > ROWS {
            let left = human::plural((all - ROWS) as u64, &format!("more {thing}"));
            self.indented(Tone::Quiet, &format!("and {left}"));
        }
    }

    /// A table of the columns that fit.
    pub(super) fn table<'a, Row: 'static>(
        &mut self,
        columns: &'static [Column<Row>],
        rows: impl Iterator<Item = &'a Row> + Clone,
        report: &Report,
    ) {
        let cells = self.paper.wide() - INDENT;
        let sheet = Sheet { report, cells, bars: Bars::Left };
        let longest = |column: &Column<Row>| {
            let texts = rows.clone().map(|row| (column.cell)(row, report, cells).text);
            texts.map(|text| escape::width(&text)).max().unwrap_or_default()
        };
        let placed = fit(columns, sheet, longest);
        let titles: Vec<String> = placed.iter().map(|placed| placed.title()).collect();
        self.line(INDENT, Tone::Quiet, titles.join(&" ".repeat(GAP)).trim_end());
        for row in rows {
            let cells = placed.iter().map(|placed| placed.print(row, report));
            let painted: Vec<String> =
                cells.map(|cell| self.paper.style.paint(cell.tone, &cell.text).into_owned()).collect();
            self.line(INDENT, Tone::Normal, painted.join(&" ".repeat(GAP)).trim_end());
        }
    }

    fn line(&mut self, indent: usize, tone: Tone, text: &str) {
        if !text.is_empty() {
            self.text.push_str(&" ".repeat(indent));
            self.text.push_str(&self.paper.style.paint(tone, text));
        }
        self.text.push('\n');
    }
}

/// A name from the target within a line.
pub(super) fn named(text: &str) -> String {
    escape::visible(text, NAME)
}

/// A sentence with text from the target.
pub(super) fn said(text: &str) -> String {
    escape::visible(text, SENTENCE)
}
