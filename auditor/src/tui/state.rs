//! What the reader of the screen has chosen: order, filter, selection, what is open. [`State::update`]
//! is pure: an input and the rows as they stand give the next state and what to do about it.

use super::history::History;
use super::input::Input;
use crate::audit::report::{Map, Report};
use crate::audit::unit::{Address, Nanos};
use crate::render::columns::maps::MAPS;
use crate::render::style::Style;

/// Letters of a filter.
const FILTER: usize = 60;

/// A map, as the screen remembers it: addresses are used again, so its birth belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id {
    address: Address,
    born: Option<Nanos>,
}

impl Id {
    /// Of a map.
    #[must_use]
    pub const fn of(map: &Map) -> Self {
        Self { address: map.address, born: map.born }
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
    /// One map.
    Details,
    /// Keys, and where each number comes from.
    Help,
}

/// Whether the screen follows the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    #[default]
    Live,
    /// It stands still; the audit goes on.
    Paused,
}

/// Which way the maps are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Largest first.
    #[default]
    Down,
    /// Smallest first.
    Up,
}

/// What the session has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: the input meant nothing here.
    Ignore,
    /// Draw again.
    Draw,
    /// End the audit.
    Quit,
}

/// What the reader has chosen.
#[derive(Clone, Debug)]
pub struct State {
    /// What is open.
    pub pane: Pane,
    /// Whether it follows.
    pub flow: Flow,
    /// With or without colours.
    pub style: Style,
    /// Index into [`MAPS`] of the column that sorts.
    pub sort: usize,
    /// Which way.
    pub direction: Direction,
    /// Maps whose name, type, runtime or address do not hold it are not shown.
    pub filter: String,
    /// The selected map; it stays selected when the order changes.
    pub selected: Option<Id>,
    /// Lines scrolled in an open pane.
    pub scroll: usize,
    /// RSS so far.
    pub history: History,
    /// Rows a page holds, as last drawn.
    page: usize,
    /// The filter before it was edited.
    old_filter: String,
}

impl Default for State {
    fn default() -> Self {
        Self {
            pane: Pane::default(),
            flow: Flow::default(),
            style: Style::default(),
            sort: by_title("allocated"),
            direction: Direction::default(),
            filter: String::new(),
            selected: None,
            scroll: 0,
            history: History::default(),
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

    /// Remembers what a report says of RSS.
    pub fn feed(&mut self, report: &Report) {
        if let Some(rss) = report.memory.rss.last {
            self.history.add(report.window.end, rss);
        }
    }

    /// Says how many rows a page holds.
    pub fn fit(&mut self, page: usize) {
        self.page = page.max(1);
    }

    /// What an input changes. `rows` are the maps as they are sorted and filtered now.
    pub fn update(&mut self, input: Input, rows: &[Id]) -> Action {
        if input == Input::Interrupt {
            return Action::Quit;
        }
        if input == Input::Resize {
            return Action::Draw;
        }
        match self.pane {
            Pane::Table => self.in_table(input, rows),
            Pane::Filter => self.in_filter(input),
            Pane::Details | Pane::Help => self.in_pane(input),
        }
    }

    fn in_table(&mut self, input: Input, rows: &[Id]) -> Action {
        match input {
            Input::Letter('q') | Input::Escape => return Action::Quit,
            Input::Letter('s') => self.sort = next_sort(self.sort),
            Input::Letter('r') => self.direction = self.direction.turned(),
            Input::Letter('p' | ' ') => self.flow = self.flow.turned(),
            Input::Letter('/') => self.edit_filter(),
            Input::Letter('?') => self.open(Pane::Help),
            Input::Enter if !rows.is_empty() => self.open_details(rows),
            _ => return self.select(input, rows),
        }
        Action::Draw
    }

    fn in_filter(&mut self, input: Input) -> Action {
        match input {
            Input::Enter => self.pane = Pane::Table,
            Input::Escape => {
                self.filter = std::mem::take(&mut self.old_filter);
                self.pane = Pane::Table;
            }
            Input::Backspace => drop(self.filter.pop()),
            Input::Letter(letter) if self.filter.chars().count() < FILTER => self.filter.push(letter),
            _ => return Action::Ignore,
        }
        Action::Draw
    }

    fn in_pane(&mut self, input: Input) -> Action {
        let page = self.page;
        match input {
            Input::Letter('q' | '?') | Input::Escape | Input::Enter => self.open(Pane::Table),
            Input::Letter('p' | ' ') => self.flow = self.flow.turned(),
            Input::Up | Input::Letter('k') => self.scroll = self.scroll.saturating_sub(1),
            Input::Down | Input::Letter('j') => self.scroll = self.scroll.saturating_add(1),
            Input::PageUp => self.scroll = self.scroll.saturating_sub(page),
            Input::PageDown => self.scroll = self.scroll.saturating_add(page),
            Input::Home => self.scroll = 0,
            // Drawing stops at the last line.
            Input::End => self.scroll = usize::MAX,
            _ => return Action::Ignore,
        }
        Action::Draw
    }

    fn edit_filter(&mut self) {
        self.old_filter.clone_from(&self.filter);
        self.pane = Pane::Filter;
    }

    fn open(&mut self, pane: Pane) {
        self.pane = pane;
        self.scroll = 0;
    }

    fn open_details(&mut self, rows: &[Id]) {
        self.selected = rows.get(self.cursor(rows)).copied();
        self.open(Pane::Details);
    }

    /// Moves the selection.
    fn select(&mut self, input: Input, rows: &[Id]) -> Action {
        let (at, last) = (self.cursor(rows), rows.len().saturating_sub(1));
        let to = match input {
            Input::Up | Input::Letter('k') => at.saturating_sub(1),
            Input::Down | Input::Letter('j') => at.saturating_add(1),
            Input::PageUp => at.saturating_sub(self.page),
            Input::PageDown => at.saturating_add(self.page),
            Input::Home | Input::Letter('g') => 0,
            Input::End | Input::Letter('G') => last,
            _ => return Action::Ignore,
        };
        self.selected = rows.get(to.min(last)).copied();
        Action::Draw
    }

    /// The selected row; the first where none is, or where the selected map is not shown.
    #[must_use]
    pub fn cursor(&self, rows: &[Id]) -> usize {
        let is_selected = |id: &Id| Some(*id) == self.selected;
        rows.iter().position(is_selected).unwrap_or(0)
    }
}

impl Flow {
    const fn turned(self) -> Self {
        match self {
            Self::Live => Self::Paused,
            Self::Paused => Self::Live,
        }
    }
}

impl Direction {
    const fn turned(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

/// The next column that is an order.
fn next_sort(sort: usize) -> usize {
    let mut after = (1..=MAPS.len()).map(|step| (sort + step) % MAPS.len());
    after.find(|index| MAPS[*index].sort.is_some()).unwrap_or(sort)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(number: u64) -> Vec<Id> {
        (0..number).map(|address| Id { address: Address(address), born: None }).collect()
    }

    fn typed(state: &mut State, text: &str) {
        for letter in text.chars() {
            state.update(Input::Letter(letter), &[]);
        }
    }

    #[test]
    fn the_selection_follows_its_map_when_the_order_changes() {
        let mut state = State::default();
        let mut rows = rows(5);
        state.update(Input::Down, &rows);
        state.update(Input::Down, &rows);
        rows.reverse();
        assert_eq!(state.cursor(&rows), 2);
        rows.rotate_left(1);
        assert_eq!(state.cursor(&rows), 1);
    }

    #[test]
    fn the_selection_stays_on_the_table() {
        let mut state = State::default();
        let rows = rows(3);
        state.update(Input::Up, &rows);
        assert_eq!(state.cursor(&rows), 0);
        state.update(Input::PageDown, &rows);
        assert_eq!(state.cursor(&rows), 2);
        state.update(Input::End, &[]);
        assert_eq!(state.selected, None);
    }

    #[test]
    fn letters_are_text_while_a_filter_is_typed() {
        let mut state = State::default();
        typed(&mut state, "/sq");
        assert_eq!((state.pane, state.filter.as_str()), (Pane::Filter, "sq"));
        assert_eq!(state.update(Input::Enter, &[]), Action::Draw);
        assert_eq!((state.pane, state.filter.as_str()), (Pane::Table, "sq"));
    }

    #[test]
    fn escape_takes_an_edited_filter_back() {
        let mut state = State::default();
        typed(&mut state, "/old");
        state.update(Input::Enter, &[]);
        typed(&mut state, "/er");
        state.update(Input::Escape, &[]);
        assert_eq!((state.pane, state.filter.as_str()), (Pane::Table, "old"));
    }

    #[test]
    fn a_filter_does_not_grow_without_end() {
        let mut state = State::default();
        typed(&mut state, "/");
        typed(&mut state, &"x".repeat(1000));
        assert_eq!(state.filter.len(), FILTER);
    }

    #[test]
    fn escape_closes_what_is_open_before_it_ends_the_audit() {
        let mut state = State::default();
        state.update(Input::Letter('?'), &[]);
        assert_eq!(state.update(Input::Escape, &[]), Action::Draw);
        assert_eq!(state.update(Input::Escape, &[]), Action::Quit);
    }

    #[test]
    fn an_interrupt_ends_the_audit_from_anywhere() {
        for keys in ["", "/", "?"] {
            let mut state = State::default();
            typed(&mut state, keys);
            assert_eq!(state.update(Input::Interrupt, &[]), Action::Quit);
        }
    }

    #[test]
    fn sorting_visits_every_order_and_comes_back() {
        let mut state = State::default();
        let first = state.sort;
        let orders = MAPS.iter().filter(|column| column.sort.is_some()).count();
        for _ in 0..orders {
            state.update(Input::Letter('s'), &[]);
            assert!(MAPS[state.sort].sort.is_some());
        }
        assert_eq!(state.sort, first);
    }

    #[test]
    fn there_are_no_details_of_no_map() {
        let mut state = State::default();
        assert_eq!(state.update(Input::Enter, &[]), Action::Ignore);
        assert_eq!(state.pane, Pane::Table);
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            any::<char>().prop_map(Input::Letter),
            prop::sample::select(vec!['q', 's', 'r', 'p', '/', '?', 'j', 'k', 'g', 'G'])
                .prop_map(Input::Letter),
            prop::sample::select(vec![
                Input::Enter,
                Input::Escape,
                Input::Backspace,
                Input::Up,
                Input::Down,
                Input::Home,
                Input::End,
                Input::PageUp,
                Input::PageDown,
                Input::Resize,
            ]),
        ]
    }

    proptest! {
        #[test]
        fn no_input_leads_off_the_table(inputs in prop::collection::vec(any_input(), 0..60), number in 0_u64..40) {
            let mut state = State::default();
            let rows = rows(number);
            for input in inputs {
                state.update(input, &rows);
                prop_assert!(rows.is_empty() || state.cursor(&rows) < rows.len());
            }
        }
    }
}
