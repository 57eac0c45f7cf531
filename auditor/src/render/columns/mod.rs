//! Every column once: its title, its width, how it is printed and where its number comes from. Text
//! and screen choose from the same lists by what fits, so they cannot disagree.

pub mod episodes;
pub mod maps;
pub mod populations;

use super::escape;
use super::style::Tone;
use crate::audit::report::Report;

/// Cells between two columns.
pub const GAP: usize = 1;

/// Cells that a bar adds to its column, with the space before it.
pub const BAR: usize = 5;

/// One column of a table of `Row`s.
#[derive(Debug)]
pub struct Column<Row: 'static> {
    /// Its heading.
    pub title: &'static str,
    /// What it says, in which unit, and what feeds it.
    pub help: &'static str,
    /// Cells it needs; the widest thing it prints fits.
    pub width: usize,
    /// To which side.
    pub side: Side,
    /// 1 is placed first; what no longer fits is left out.
    pub importance: u8,
    /// What it prints, in at most so many cells. Harmless text only.
    pub cell: fn(&Row, &Report, usize) -> Cell,
    /// What it is sorted by, largest first; unknown comes last. `None`: it is no order.
    pub sort: Option<fn(&Row) -> Option<u64>>,
}

/// To which side a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Words; takes the cells that are left over.
    Stretch,
    /// Numbers.
    Right,
    /// Numbers with a bar where there is room for one.
    Bar,
}

/// What a column prints for one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// What it is to the reader.
    pub tone: Tone,
    /// For bars: how much of it is full, in thousandths.
    pub permille: Option<u64>,
}

impl Cell {
    /// Text that is nothing special.
    #[must_use]
    pub const fn normal(text: String) -> Self {
        Self { text, tone: Tone::Normal, permille: None }
    }

    /// Text with a tone.
    #[must_use]
    pub const fn toned(text: String, tone: Tone) -> Self {
        Self { text, tone, permille: None }
    }
}

/// A column with the cells it got.
#[derive(Debug)]
pub struct Placed<Row: 'static> {
    /// Which column.
    pub column: &'static Column<Row>,
    /// How wide it is here.
    pub cells: usize,
}

/// Whether bars are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bars {
    /// On a screen.
    Drawn,
    /// In text.
    Left,
}

/// The columns that fit into `cells`, in their order; the stretching one takes what is left over.
#[must_use]
pub fn fit<Row>(columns: &'static [Column<Row>], cells: usize, bars: Bars) -> Vec<Placed<Row>> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|index| columns[*index].importance);
    let mut widths = vec![None; columns.len()];
    let mut used = 0;
    for index in order {
        let gap = if used == 0 { 0 } else { GAP };
        let width = needed(&columns[index], bars);
        if used + gap + width <= cells {
            used += gap + width;
            widths[index] = Some(width);
        }
    }
    let spare = cells.saturating_sub(used);
    let placed = columns.iter().zip(widths).filter_map(|(column, width)| Some((column, width?)));
    placed.map(|(column, width)| Placed { column, cells: width + stretch(column, spare) }).collect()
}

/// Cells a column needs.
fn needed<Row>(column: &Column<Row>, bars: Bars) -> usize {
    let bar = column.side == Side::Bar && bars == Bars::Drawn;
    column.width + if bar { BAR } else { 0 }
}

/// Cells a column takes of those that are left over.
fn stretch<Row>(column: &Column<Row>, spare: usize) -> usize {
    /// A name wider than this does not get easier to read.
    const MOST: usize = 40;
    if column.side == Side::Stretch { spare.min(MOST) } else { 0 }
}

impl<Row> Placed<Row> {
    /// What it prints, exactly as wide as it is.
    #[must_use]
    pub fn print(&self, row: &Row, report: &Report) -> Cell {
        let cell = (self.column.cell)(row, report, self.cells);
        Cell { text: self.set(&cell.text), ..cell }
    }

    /// Its title, exactly as wide as it is.
    #[must_use]
    pub fn title(&self) -> String {
        self.set(self.column.title)
    }

    fn set(&self, text: &str) -> String {
        let text = escape::clip(text, self.cells);
        let room = " ".repeat(self.cells.saturating_sub(escape::width(&text)));
        match self.column.side {
            Side::Left | Side::Stretch => text + &room,
            Side::Right | Side::Bar => room + &text,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::maps::MAPS;
    use super::*;

    fn titles(cells: usize, bars: Bars) -> Vec<&'static str> {
        fit(MAPS, cells, bars).iter().map(|placed| placed.column.title).collect()
    }

    #[test]
    fn the_most_important_columns_are_placed_first() {
        assert_eq!(titles(30, Bars::Left), ["map", "allocated"]);
        assert_eq!(
            titles(80, Bars::Drawn),
            ["map", "live", "full", "allocated", "old table", "growths", "state"]
        );
    }

    #[test]
    fn where_nothing_fits_nothing_is_placed() {
        assert!(fit(MAPS, 3, Bars::Left).is_empty());
    }

    #[test]
    fn a_wide_page_shows_every_column() {
        assert_eq!(fit(MAPS, 200, Bars::Drawn).len(), MAPS.len());
    }

    #[test]
    fn every_column_says_where_its_number_comes_from() {
        for column in MAPS {
            assert!(column.help.len() > 20, "{}", column.title);
            assert!(escape::width(column.title) <= column.width, "{}", column.title);
        }
    }

    proptest! {
        #[test]
        fn placed_columns_never_outgrow_the_page(cells in 0_usize..300) {
            let placed = fit(MAPS, cells, Bars::Drawn);
            let gaps = placed.len().saturating_sub(1) * GAP;
            prop_assert!(placed.iter().map(|placed| placed.cells).sum::<usize>() + gaps <= cells);
        }
    }
}
