//! Every column once: its title, its width, how it is printed and where its number comes from. Text
//! and screen choose from the same lists by what fits, so they cannot disagree.

pub mod classes;
pub mod episodes;
pub mod fields;
pub mod maps;
pub mod members;
mod names;
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
    /// Whether it says anything in this report; a column that does not is left out.
    pub speaks: fn(&Report) -> bool,
    /// What it prints, in at most so many cells. Harmless text only.
    pub cell: fn(&Row, &Report, usize) -> Cell,
    /// What it is sorted by, largest first; unknown comes last. `None`: it is no order.
    pub sort: Option<fn(&Row) -> Option<u64>>,
}

/// For [`Column::speaks`]: it always has something to say.
#[must_use]
pub const fn always(_: &Report) -> bool {
    true
}

/// To which side a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Words.
    Left,
    /// Words; takes of the cells that are left over what it can use.
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

/// What a table is set on.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The report whose rows it has.
    pub report: &'a Report,
    /// How wide it may be.
    pub cells: usize,
    /// Whether bars are drawn.
    pub bars: Bars,
}

/// For [`fit`]: whatever a stretching column gets, it can use.
#[must_use]
pub const fn any_width<Row>(_: &Column<Row>) -> usize {
    usize::MAX
}

/// From this importance on, a column gets on a page of text only what longer names leave over.
const LUXURY: u8 = 12;

/// The columns that have something to say and fit, in their order. The stretching ones share what is
/// left over; `longest` says how many cells one can use at most.
#[must_use]
pub fn fit<Row>(
    columns: &'static [Column<Row>],
    sheet: Sheet<'_>,
    longest: impl Fn(&Column<Row>) -> usize,
) -> Vec<Placed<Row>> {
    let by_itself = |_, column: &Column<Row>| (column.speaks)(sheet.report).then_some(column.importance);
    fit_by(columns, sheet, longest, by_itself)
}

/// As [`fit`], but which columns are wanted is the reader's choice: `rank` says of each, by its index, with
/// which importance; `None`: not at all.
#[must_use]
pub fn fit_by<Row>(
    columns: &'static [Column<Row>],
    sheet: Sheet<'_>,
    longest: impl Fn(&Column<Row>) -> usize,
    rank: impl Fn(usize, &Column<Row>) -> Option<u8>,
) -> Vec<Placed<Row>> {
    let ranked = columns.iter().enumerate().filter_map(|(at, column)| Some((rank(at, column)?, at)));
    let mut order: Vec<(u8, usize)> = ranked.collect();
    order.sort_unstable();
    let luxury = match sheet.bars {
        Bars::Left => order.partition_point(|(rank, _)| *rank < LUXURY),
        Bars::Drawn => order.len(),
    };
    let order: Vec<usize> = order.into_iter().map(|(_, at)| at).collect();
    let mut widths = vec![None; columns.len()];
    let mut spare = sheet.cells;
    for part in [&order[..luxury], &order[luxury..]] {
        for index in part {
            let gap = if spare == sheet.cells { 0 } else { GAP };
            let width = gap + needed(&columns[*index], sheet.bars, &longest);
            if width <= spare {
                spare -= width;
                widths[*index] = Some(width - gap);
            }
        }
        stretch(columns, &mut widths, &mut spare, &longest);
    }
    let placed = columns.iter().zip(widths).filter_map(|(column, width)| Some((column, width?)));
    placed.map(|(column, cells)| Placed { column, cells }).collect()
}

/// Cells a column needs at least.
fn needed<Row>(column: &Column<Row>, bars: Bars, longest: impl Fn(&Column<Row>) -> usize) -> usize {
    match (column.side, bars) {
        (Side::Stretch, _) => column.width.min(longest(column).max(escape::width(column.title))),
        (Side::Bar, Bars::Drawn) => column.width + BAR,
        _ => column.width,
    }
}

/// Gives the cells that are left over to those that can use them: equal shares first, then what others
/// left of theirs.
fn stretch<Row>(
    columns: &[Column<Row>],
    widths: &mut [Option<usize>],
    spare: &mut usize,
    longest: impl Fn(&Column<Row>) -> usize,
) {
    /// A name that takes so much more than it needs does not get easier to read.
    const MOST: usize = 40;
    let can_use = |column: &Column<Row>, width: usize| {
        let most = longest(column).min(column.width + MOST);
        if column.side == Side::Stretch { most.saturating_sub(width) } else { 0 }
    };
    let placed = columns.iter().zip(widths.iter_mut());
    let mut placed: Vec<_> = placed
        .filter_map(|(column, width)| width.as_mut().map(|width| (can_use(column, *width), width)))
        .filter(|(use_of, _)| *use_of > 0)
        .collect();
    let share = *spare / placed.len().max(1);
    for most in [share, usize::MAX] {
        for (use_of, width) in &mut placed {
            let given = (*use_of).min(most).min(*spare);
            (*use_of, *spare) = (*use_of - given, *spare - given);
            **width += given;
        }
    }
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
    use crate::audit::report::{Map, NextGrowth};

    fn report() -> Report {
        crate::audit::Audit::new().report()
    }

    /// A report in which every column of a map has something to say.
    fn full() -> Report {
        use crate::audit::fact::{Described, Fact, HookState, Look, Occasion, Progress, Shape, What};
        use crate::audit::unit::{Address, Bytes, Nanos};
        let map = Address(1);
        let hook = crate::audit::fact::Hook {
            id: 1,
            name: "demo_map_grow".to_owned(),
            place: String::new(),
            state: HookState::Attached,
            reason: None,
            cost_per_hit: Nanos(0),
        };
        let look = |map, runtime: &str| {
            let evacuation = Some(Progress { moved: 1, total: 2 });
            let needed = Some(Bytes(1));
            let shape = Shape { tombstones: Some(1), needed, evacuation, ..Shape::default() };
            What::Look(Look {
                map,
                occasion: Occasion::Poll,
                runtime: runtime.to_owned(),
                shape: shape.into(),
                name: None,
            })
        };
        let described = Described {
            map,
            type_name: Some("map[int]int".to_owned()),
            candidates: vec![],
            owner: None,
            reachable: None,
        };
        let whats = [
            What::Hook(hook),
            look(map, "demo"),
            look(Address(2), "go_swiss"),
            What::Described(Box::new(described)),
        ];
        let mut audit = crate::audit::Audit::new();
        for what in whats {
            audit.apply(&Fact { at: Nanos(1), thread: None, what });
        }
        let mut report = audit.report();
        report.maps[0].bytes.resident = Some(Bytes(1));
        report.maps[0].bytes.stranded = Some(Bytes(1));
        let one = Some(Nanos(1));
        report.maps[0].next_growth = Some(NextGrowth {
            at_live: 1,
            new_table: Bytes(1),
            peak_extra: Bytes(1),
            capacity: 1,
            eta: one,
            eta_least: one,
            eta_most: one,
        });
        report
    }

    fn titles(report: &Report, cells: usize, bars: Bars) -> Vec<&'static str> {
        let placed = fit(MAPS, Sheet { report, cells, bars }, any_width);
        placed.iter().map(|placed| placed.column.title).collect()
    }

    #[test]
    fn the_most_important_columns_are_placed_first() {
        assert_eq!(titles(&full(), 30, Bars::Left), ["map", "allocated"]);
        assert_eq!(
            titles(&full(), 80, Bars::Drawn),
            ["map", "live", "full", "allocated", "resident", "growths", "state"]
        );
        let mut report = full();
        report.maps.iter_mut().for_each(|map| map.bytes.resident = None);
        assert_eq!(
            titles(&report, 80, Bars::Drawn),
            ["map", "live", "full", "allocated", "old table", "growths", "state"]
        );
    }

    #[test]
    fn on_a_page_long_names_come_before_the_columns_that_matter_least() {
        let report = full();
        let sheet = Sheet { report: &report, cells: 185, bars: Bars::Left };
        let shown = |longest| -> Vec<_> {
            let placed = fit(MAPS, sheet, |_| longest);
            placed.iter().map(|placed| placed.column.title).collect()
        };
        assert!(shown(10).contains(&"peak"));
        assert!(!shown(60).contains(&"peak"));
    }

    #[test]
    fn where_nothing_fits_nothing_is_placed() {
        assert!(titles(&full(), 3, Bars::Left).is_empty());
    }

    #[test]
    fn a_wide_page_shows_every_column() {
        let mut report = full();
        report.maps[0].pid = Some(crate::audit::unit::Pid(7));
        assert_eq!(titles(&report, 250, Bars::Drawn).len(), MAPS.len());
    }

    #[test]
    fn a_column_with_nothing_to_say_leaves_its_room_to_others() {
        let shown = titles(&report(), 200, Bars::Drawn);
        for title in ["type", "runtime", "resident", "old table", "growths"] {
            assert!(!shown.contains(&title), "{shown:?}");
        }
    }

    #[test]
    fn stretching_columns_share_what_is_left_and_take_no_more_than_they_can_use() {
        let report = full();
        let sheet = Sheet { report: &report, cells: 140, bars: Bars::Left };
        let cells = |longest: fn(&Column<Map>) -> usize| {
            let placed = fit(MAPS, sheet, longest);
            let of = |title| placed.iter().find(|placed| placed.column.title == title).map(|it| it.cells);
            (of("map").unwrap(), of("type").unwrap())
        };
        let (map, type_name) = cells(any_width);
        assert!(map >= 20 && type_name >= 14, "{map} {type_name}");
        assert_eq!(cells(|column| if column.title == "map" { 5 } else { usize::MAX }).0, 5);
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
        fn placed_columns_never_outgrow_the_page(cells in 0_usize..300, longest in 0_usize..90) {
            let report = full();
            let placed = fit(MAPS, Sheet { report: &report, cells, bars: Bars::Drawn }, |_| longest);
            let gaps = placed.len().saturating_sub(1) * GAP;
            prop_assert!(placed.iter().map(|placed| placed.cells).sum::<usize>() + gaps <= cells);
        }
    }
}
