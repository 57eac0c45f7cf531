//! What the reader of the screen has chosen: order, filter, columns, selection, what is open, which
//! moment. How keys change it is `update`'s to say.

use super::history::History;
use super::past::Past;
use crate::audit::report::{Map, Place, Report};
use crate::audit::unit::Nanos;
use crate::render::columns::maps::MAPS;
use crate::render::style::Style;

/// A map, as the screen remembers it: places are used again, so its birth belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    pub(super) place: Place,
    pub(super) born: Option<Nanos>,
}

impl Id {
    /// Of a map.
    #[must_use]
    pub const fn of(map: &Map) -> Self {
        Self { place: map.place(), born: map.born }
    }

    /// Whether a map is it. One whose birth was found out later is still the same.
    #[must_use]
    pub fn is(self, map: &Map) -> bool {
        self.place == map.place() && (self.born == map.born || self.born.is_none() || map.born.is_none())
    }
}

/// What the screen shows below its header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// The maps.
    #[default]
    Table,
    /// The maps, while a filter is typed.
    Filter,
    /// The maps, while a time is typed to jump to.
    Jump,
    /// Which columns the maps have.
    Columns,
    /// What the rules found.
    Findings,
    /// One map's life.
    Life,
    /// Keys, and where each number comes from.
    Help,
}

impl Pane {
    /// Whether the maps are to be seen.
    #[must_use]
    pub const fn has_table(self) -> bool {
        matches!(self, Self::Table | Self::Filter | Self::Jump)
    }
}

/// Which moment the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// The latest.
    #[default]
    Live,
    /// The latest when it was held; the audit goes on.
    Paused,
    /// One that the reader has gone back to; the audit goes on.
    Past,
}

/// A recording that is shown. Times count from its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reel {
    /// How long it is.
    pub length: Nanos,
    /// Whether it runs.
    pub motion: Motion,
    /// How fast it runs, in hundredths of the time that passed then.
    pub speed: u32,
    /// While it is wound to a moment: how far, in thousandths.
    pub winding: Option<u64>,
}

/// Whether a recording runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// It does.
    Plays,
    /// It stands still.
    Stands,
}

/// Which way the maps are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Largest number first, words from A to Z.
    #[default]
    Down,
    /// The other way round.
    Up,
}

/// Whether a column is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Where it says something and there is room.
    #[default]
    Auto,
    /// Before all others.
    Always,
    /// Not at all.
    Never,
}

/// A way through time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travel {
    /// Stop, or go on.
    Turn,
    /// So many moments back.
    Back(usize),
    /// So many moments ahead.
    Ahead(usize),
    /// To a time since the beginning.
    To(Nanos),
    /// A recording is to run twice as fast.
    Faster,
    /// A recording is to run half as fast.
    Slower,
}

/// What the session has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the input meant nothing here.
    Ignore,
    /// Draw again.
    Draw,
    /// Go to another moment.
    Travel(Travel),
    /// Write what is shown to a file.
    Snapshot,
    /// End the audit.
    Quit,
}

/// What the reader has chosen, and what was.
#[derive(Clone, Debug)]
pub struct State {
    /// What is open.
    pub pane: Pane,
    /// Which moment is shown.
    pub flow: Flow,
    /// The recording that is shown; `None`: an audit is.
    pub reel: Option<Reel>,
    /// With or without colours.
    pub style: Style,
    /// Index into [`MAPS`] of the column that sorts.
    pub sort: usize,
    /// Which way.
    pub direction: Direction,
    /// For each of [`MAPS`], whether it is shown.
    pub columns: Vec<Choice>,
    /// The selected row of the list of columns.
    pub column: usize,
    /// Maps whose name, type, runtime or address do not hold it are not shown.
    pub filter: String,
    /// The time that is typed.
    pub time: String,
    /// The selected map; it stays selected when the order changes.
    pub selected: Option<Id>,
    /// Lines scrolled in an open pane.
    pub scroll: usize,
    /// What is said at the bottom until the next key.
    pub notice: Option<String>,
    /// RSS so far.
    pub history: History,
    /// Moments to look back to.
    pub past: Past,
    /// Rows a page holds, as last drawn.
    pub(super) page: usize,
    /// The filter before it was edited.
    pub(super) old_filter: String,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pane: Pane::default(),
            flow: Flow::default(),
            reel: None,
            style: Style::default(),
            sort: by_title("allocated"),
            direction: Direction::default(),
            columns: vec![Choice::default(); MAPS.len()],
            column: 0,
            filter: String::new(),
            time: String::new(),
            selected: None,
            scroll: 0,
            notice: None,
            history: History::default(),
            past: Past::default(),
            page: 10,
            old_filter: String::new(),
        }
    }
}

/// The index of a column.
fn by_title(title: &str) -> usize {
    MAPS.iter().position(|column| column.title == title).unwrap_or_default()
}

impl State {
    /// Nothing chosen yet.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    /// Remembers a report.
    pub fn feed(&mut self, report: &std::rc::Rc<Report>) {
        self.history.feed(report);
        self.past.keep(report);
    }

    /// Says how many rows a page holds.
    pub fn fit(&mut self, page: usize) {
        self.page = page.max(1);
    }

    /// The selected row; the first where none is, or where the selected map is not shown.
    #[must_use]
    pub fn cursor(&self, maps: &[&Map]) -> usize {
        let Some(selected) = self.selected else { return 0 };
        let exactly = maps.iter().position(|map| Id::of(map) == selected);
        exactly.or_else(|| maps.iter().position(|map| selected.is(map))).unwrap_or(0)
    }
}
