//! What a piece of text is to the reader, and the escapes that say so on a terminal. The only place
//! that knows an ANSI code.

use std::borrow::Cow;

/// With or without colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// No escape at all: files, pipes, tickets.
    #[default]
    Plain,
    /// ANSI colours.
    Colour,
}

/// What a page of text is written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    /// With or without colours.
    pub style: Style,
    columns: usize,
    wide: usize,
    rows: usize,
}

impl Paper {
    /// Columns of a page that no terminal shows, and the most of sentences on one that does: longer lines
    /// are hard to read.
    pub const COLUMNS: usize = 100;
    /// The fewest: a table needs them.
    const FEWEST: usize = 60;
    /// The most of a table: types and owners are long.
    const WIDEST: usize = 200;
    /// Rows of the table of maps.
    pub const ROWS: usize = 20;

    /// For a terminal with so many columns.
    #[must_use]
    pub fn of(style: Style, columns: usize) -> Self {
        let wide = columns.clamp(Self::FEWEST, Self::WIDEST);
        Self { style, columns: wide.min(Self::COLUMNS), wide, rows: Self::ROWS }
    }

    /// The same with so many rows of maps.
    #[must_use]
    pub const fn with_rows(self, rows: usize) -> Self {
        Self { rows, ..self }
    }

    /// How many columns a line may have.
    #[must_use]
    pub const fn columns(self) -> usize {
        self.columns
    }

    /// How many columns a line of a table may have.
    #[must_use]
    pub const fn wide(self) -> usize {
        self.wide
    }

    /// How many maps are listed, at most.
    #[must_use]
    pub const fn rows(self) -> usize {
        self.rows
    }
}

impl From<Style> for Paper {
    fn from(style: Style) -> Self {
        Self::of(style, Self::COLUMNS)
    }
}

/// What a piece of text is to the reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Normal,
    /// Names a part of the page.
    Heading,
    /// May be passed over.
    Quiet,
    /// As it should be.
    Good,
    /// Look at it.
    Warn,
    /// Look at it first.
    Bad,
}

impl Style {
    /// `text` as that style shows that tone. `text` must be harmless already.
    #[must_use]
    pub fn paint(self, tone: Tone, text: &str) -> Cow<'_, str> {
        match (self, code(tone)) {
            (Self::Colour, Some(code)) if !text.is_empty() => {
                Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
            }
            _ => Cow::Borrowed(text),
        }
    }
}

/// Select Graphic Rendition, ECMA-48 8.3.117.
const fn code(tone: Tone) -> Option<&'static str> {
    match tone {
        Tone::Normal => None,
        Tone::Heading => Some("1"),
        Tone::Quiet => Some("2"),
        Tone::Good => Some("32"),
        Tone::Warn => Some("33"),
        Tone::Bad => Some("1;31"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_bears_no_escape() {
        assert_eq!(Style::Plain.paint(Tone::Bad, "lost"), "lost");
        assert_eq!(Style::Colour.paint(Tone::Bad, "lost"), "\x1b[1;31mlost\x1b[0m");
    }
}
