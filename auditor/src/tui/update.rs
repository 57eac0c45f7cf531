//! What keys do. [`State::update`] is pure: an input and the maps as they stand give the next state and
//! what to do about it.

use super::input::Input;
use super::state::{Action, Choice, Direction, Id, Pane, State, Travel};
use crate::audit::report::Map;
use crate::audit::unit::Nanos;
use crate::render::columns::maps::MAPS;

/// Letters of a filter.
const FILTER: usize = 60;
/// Letters of a time.
const TIME: usize = 16;
/// Moments that `[` and `]` go.
const FAR: usize = 10;

impl State {
    /// What an input changes. `maps` are those that are shown, as they are sorted and filtered now.
    pub fn update(&mut self, input: Input, maps: &[&Map]) -> Action {
        let told = self.notice.take().is_some();
        let action = match (input, self.pane) {
            (Input::Interrupt, _) => return Action::Quit,
            (Input::Resize, _) => return Action::Draw,
            (_, Pane::Table) => self.in_table(input, maps),
            (_, Pane::Filter) => self.in_filter(input),
            (_, Pane::Jump) => self.in_jump(input),
            (_, Pane::Columns) => self.in_columns(input),
            (_, Pane::Life) if matches!(input, Input::Letter('n' | 'N')) => self.next_life(input, maps),
            (_, Pane::Findings | Pane::Life | Pane::Help) => self.in_pane(input),
        };
        if action == Action::Ignore && told { Action::Draw } else { action }
    }

    fn in_table(&mut self, input: Input, maps: &[&Map]) -> Action {
        match input {
            Input::Letter('q') => return Action::Quit,
            // Whoever leaves a filter does not want to end the audit.
            Input::Escape if !self.filter.is_empty() => self.filter.clear(),
            Input::Escape => return Action::Quit,
            Input::Letter('s') => self.sort = neighbour(self.sort, 1),
            Input::Letter('S') => self.sort = neighbour(self.sort, MAPS.len() - 1),
            Input::Letter('r') => self.direction = self.direction.turned(),
            Input::Letter('/') => self.edit_filter(),
            Input::Letter('c') => self.open(Pane::Columns),
            Input::Enter if !maps.is_empty() => self.open_life(maps),
            _ => return self.anywhere(input).unwrap_or_else(|| self.select(input, maps)),
        }
        Action::Draw
    }

    /// What goes in the table and in all that opens.
    fn anywhere(&mut self, input: Input) -> Option<Action> {
        let travel = match input {
            Input::Letter('p' | ' ') => Travel::Turn,
            Input::Left => Travel::Back(1),
            Input::Right => Travel::Ahead(1),
            Input::Letter('[') => Travel::Back(FAR),
            Input::Letter(']') => Travel::Ahead(FAR),
            Input::Letter('+' | '=') if self.reel.is_some() => Travel::Faster,
            Input::Letter('-') if self.reel.is_some() => Travel::Slower,
            Input::Letter('w') => return Some(Action::Snapshot),
            Input::Letter('t') => {
                self.time.clear();
                self.open(Pane::Jump);
                return Some(Action::Draw);
            }
            Input::Letter('f') => return Some(self.toggle(Pane::Findings)),
            Input::Letter('?') => return Some(self.toggle(Pane::Help)),
            _ => return None,
        };
        Some(Action::Travel(travel))
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

    fn in_jump(&mut self, input: Input) -> Action {
        match input {
            Input::Enter => {
                self.pane = Pane::Table;
                let Some(time) = time(&self.time) else {
                    self.notice = Some("not a time: write 90, 12.5s, 3m or 1m30s".to_owned());
                    return Action::Draw;
                };
                return Action::Travel(Travel::To(time));
            }
            Input::Escape => self.pane = Pane::Table,
            Input::Backspace => drop(self.time.pop()),
            Input::Letter(letter) if self.time.chars().count() < TIME => self.time.push(letter),
            _ => return Action::Ignore,
        }
        Action::Draw
    }

    fn in_columns(&mut self, input: Input) -> Action {
        let last = MAPS.len() - 1;
        match input {
            Input::Letter('q' | 'c') | Input::Escape | Input::Enter => self.open(Pane::Table),
            Input::Up | Input::Letter('k') => self.column = self.column.saturating_sub(1),
            Input::Down | Input::Letter('j') => self.column = (self.column + 1).min(last),
            Input::PageUp | Input::Home | Input::Letter('g') => self.column = 0,
            Input::PageDown | Input::End | Input::Letter('G') => self.column = last,
            Input::Letter(' ' | 'x') => {
                if let Some(choice) = self.columns.get_mut(self.column) {
                    *choice = choice.turned();
                }
            }
            Input::Letter('s') => self.sort = self.column,
            Input::Letter('r') => self.direction = self.direction.turned(),
            _ => return Action::Ignore,
        }
        Action::Draw
    }

    fn in_pane(&mut self, input: Input) -> Action {
        let page = self.page;
        match input {
            Input::Letter('q') | Input::Escape | Input::Enter => self.open(Pane::Table),
            Input::Up | Input::Letter('k') => self.scroll = self.scroll.saturating_sub(1),
            Input::Down | Input::Letter('j') => self.scroll = self.scroll.saturating_add(1),
            Input::PageUp => self.scroll = self.scroll.saturating_sub(page),
            Input::PageDown => self.scroll = self.scroll.saturating_add(page),
            Input::Home | Input::Letter('g') => self.scroll = 0,
            // Drawing stops at the last line.
            Input::End | Input::Letter('G') => self.scroll = usize::MAX,
            _ => return self.anywhere(input).unwrap_or(Action::Ignore),
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

    fn toggle(&mut self, pane: Pane) -> Action {
        self.open(if self.pane == pane { Pane::Table } else { pane });
        Action::Draw
    }

    fn open_life(&mut self, maps: &[&Map]) {
        self.selected = maps.get(self.cursor(maps)).map(|map| Id::of(map));
        self.open(Pane::Life);
    }

    /// The life of the next map of the table, or of the one before.
    fn next_life(&mut self, input: Input, maps: &[&Map]) -> Action {
        let to = if input == Input::Letter('n') { Input::Down } else { Input::Up };
        self.scroll = 0;
        self.select(to, maps)
    }

    /// Moves the selection.
    fn select(&mut self, input: Input, maps: &[&Map]) -> Action {
        let (at, last) = (self.cursor(maps), maps.len().saturating_sub(1));
        let to = match input {
            Input::Up | Input::Letter('k') => at.saturating_sub(1),
            Input::Down | Input::Letter('j') => at.saturating_add(1),
            Input::PageUp => at.saturating_sub(self.page),
            Input::PageDown => at.saturating_add(self.page),
            Input::Home | Input::Letter('g') => 0,
            Input::End | Input::Letter('G') => last,
            _ => return Action::Ignore,
        };
        self.selected = maps.get(to.min(last)).map(|map| Id::of(map));
        Action::Draw
    }
}

/// A time since the beginning: `90`, `12.5s`, `+3m`, `1m30s`.
fn time(text: &str) -> Option<Nanos> {
    /// Nobody records for longer.
    const MOST: f64 = 1e9;
    let text = text.trim().trim_start_matches('+');
    let seconds = text.trim_end_matches('s').trim_end().parse::<f64>();
    if let Ok(seconds) = seconds {
        let sound = (0.0..MOST).contains(&seconds);
        return sound.then_some(Nanos((seconds * 1e9) as u64));
    }
    let time = humantime::parse_duration(text).ok()?;
    u64::try_from(time.as_nanos()).ok().map(Nanos)
}

/// Another column to sort by.
const fn neighbour(sort: usize, steps: usize) -> usize {
    (sort + steps) % MAPS.len()
}

impl Direction {
    const fn turned(self) -> Self {
        match self {
            Self::Down => Self::Up,
            Self::Up => Self::Down,
        }
    }
}

impl Choice {
    const fn turned(self) -> Self {
        match self {
            Self::Auto => Self::Always,
            Self::Always => Self::Never,
            Self::Never => Self::Auto,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::Audit;
    use crate::audit::fact::{Fact, Look, Occasion, Shape, What};
    use crate::audit::report::Report;
    use crate::audit::unit::Address;

    /// A report of so many maps.
    fn listing(number: u64) -> Report {
        let mut audit = Audit::new();
        for address in 0..number {
            let shape = Shape { live: number - address, ..Shape::default() };
            let runtime = "demo".to_owned();
            let occasion = Occasion::Poll;
            let look = Look { map: Address(address + 1), occasion, runtime, shape: shape.into(), name: None };
            audit.apply(&Fact { at: Nanos(1), thread: None, what: What::Look(look) });
        }
        audit.report()
    }

    fn rows(report: &Report) -> Vec<&Map> {
        report.maps.iter().collect()
    }

    fn typed(state: &mut State, text: &str) {
        for letter in text.chars() {
            state.update(Input::Letter(letter), &[]);
        }
    }

    #[test]
    fn the_selection_follows_its_map_when_the_order_changes() {
        let mut state = State::default();
        let report = listing(5);
        let mut rows = rows(&report);
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
        let report = listing(3);
        let rows = rows(&report);
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
    fn escape_clears_a_filter_before_it_ends_the_audit() {
        let mut state = State::default();
        typed(&mut state, "/sess");
        state.update(Input::Enter, &[]);
        assert_eq!(state.update(Input::Escape, &[]), Action::Draw);
        assert_eq!(state.filter, "");
        assert_eq!(state.update(Input::Escape, &[]), Action::Quit);
    }

    #[test]
    fn a_column_is_shown_always_then_never_then_by_itself_again() {
        let mut state = State::default();
        typed(&mut state, "cj");
        let mut seen = vec![];
        for _ in 0..3 {
            typed(&mut state, "x");
            seen.push(state.columns[1]);
        }
        assert_eq!(seen, [Choice::Always, Choice::Never, Choice::Auto]);
        typed(&mut state, "s");
        assert_eq!(state.sort, 1);
        assert_eq!(state.update(Input::Escape, &[]), Action::Draw);
        assert_eq!(state.pane, Pane::Table);
    }

    #[test]
    fn a_time_is_typed_in_seconds_or_with_units() {
        let second = 1_000_000_000;
        let times =
            [("90", 90 * second), ("12.5s", 12_500_000_000), ("+3m", 180 * second), ("1m30s", 90 * second)];
        for (text, expected) in times {
            let mut state = State::default();
            typed(&mut state, "t");
            typed(&mut state, text);
            assert_eq!(
                state.update(Input::Enter, &[]),
                Action::Travel(Travel::To(Nanos(expected))),
                "{text}"
            );
        }
        for text in ["", "soon", "-5", "inf", "NaN", "1e300"] {
            let mut state = State::default();
            typed(&mut state, "t");
            typed(&mut state, text);
            assert_eq!(state.update(Input::Enter, &[]), Action::Draw, "{text}");
            assert!(state.notice.is_some() && state.pane == Pane::Table, "{text}");
        }
    }

    #[test]
    fn only_a_recording_has_a_speed() {
        let mut state = State::default();
        assert_eq!(state.update(Input::Letter('+'), &[]), Action::Ignore);
        let motion = crate::tui::state::Motion::Plays;
        state.reel = Some(crate::tui::state::Reel { length: Nanos(1), motion, speed: 100, winding: None });
        assert_eq!(state.update(Input::Letter('+'), &[]), Action::Travel(Travel::Faster));
    }

    #[test]
    fn what_was_said_goes_with_the_next_key() {
        let mut state = State { notice: Some("written".to_owned()), ..State::default() };
        assert_eq!(state.update(Input::Letter('y'), &[]), Action::Draw);
        assert_eq!(state.notice, None);
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
        let mut visited: Vec<usize> = (0..MAPS.len())
            .map(|_| {
                state.update(Input::Letter('s'), &[]);
                state.sort
            })
            .collect();
        assert_eq!(state.sort, first);
        state.update(Input::Letter('S'), &[]);
        assert_eq!(Some(&state.sort), visited.get(MAPS.len() - 2));
        visited.sort_unstable();
        assert!(visited.into_iter().eq(0..MAPS.len()));
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
            prop::sample::select(vec![
                'q', 's', 'S', 'r', 'p', '/', '?', 'j', 'k', 'g', 'G', 'c', 'x', 'f', 't', 'w', 'n', 'N',
                '[', ']'
            ])
            .prop_map(Input::Letter),
            prop::sample::select(vec![
                Input::Enter,
                Input::Escape,
                Input::Backspace,
                Input::Left,
                Input::Right,
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
            let report = listing(number);
            let rows = rows(&report);
            for input in inputs {
                state.update(input, &rows);
                prop_assert!(state.column < MAPS.len() && state.sort < MAPS.len());
                prop_assert!(rows.is_empty() || state.cursor(&rows) < rows.len());
            }
        }
    }
}
