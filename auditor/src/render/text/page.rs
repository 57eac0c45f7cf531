//! Laying out: headings, paragraphs, labelled lines and tables within the columns of the paper.
//! Knows nothing about maps.

use crate::audit::report::Report;
use crate::render::columns::{Bars, Column, GAP, fit};
use crate::render::escape;
use crate::render::style::{Paper, Tone};
use crate::render::wrap::wrap;

/// Columns before everything below a heading.
const INDENT: usize = 2;

/// Columns of a label with the space behind it.
const LABEL: usize = 13;

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

    /// A table of the columns that fit.
    pub(super) fn table<'a, Row: 'static>(
        &mut self,
        columns: &'static [Column<Row>],
        rows: impl Iterator<Item = &'a Row>,
        report: &Report,
    ) {
        let placed = fit(columns, self.room(), Bars::Left);
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
