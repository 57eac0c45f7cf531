//! What the next growth of a map needs, and when it comes; and how well that was foretold of growths that have
//! come since.
//!
//! A look tells with how many entries a map grows and what it asks for then ([`Next`]). What was told at the
//! first look at a shape is kept and held against what happens: the live entries that a hook saw when the
//! growth began, or else those of the two looks that it began between.

use super::fact::{Grow, GrowthKind, Next, Shape};
use super::life::Life;
use super::pace::Pace;
use super::report::{Forecast, Misses, NextGrowth, Upcoming};
use super::unit::{Bytes, Nanos};

/// Maps that ask for less than this need no forecast: it is a page.
const WORTH: Bytes = Bytes(4096);
/// Misses that are kept, of each kind: of more, the first ones.
const MOST: usize = 1024;
/// A growth by many steps is complete with this many of a hundred slots.
const COMPLETE: u64 = 97;
/// Slots of a bucket, or of a group: growths are told in these.
const SLOTS: u64 = 8;

/// What is foreseen of one map.
#[derive(Clone, Debug, Default)]
pub(super) struct Foresight {
    pace: Pace,
    standing: Option<Standing>,
    /// Tables of the growth that is under way, whose size is still to be told.
    due: Option<Bytes>,
    /// The last look: when, and its live entries.
    last: (Nanos, u64),
}

/// A forecast that waits for the growth it is of.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// Told at the first look at this shape.
    first: Next,
    /// Told at the last.
    latest: Next,
    /// Slots at the first look.
    slots: u64,
    /// Since when there is a time for it, and which.
    eta: Option<(Nanos, Nanos)>,
    /// Whether its entries and time have been held against the growth.
    has_begun: bool,
    /// Splits so far: the slots that they added, and the bytes that they asked for.
    added: u64,
    asked: Bytes,
}

impl Standing {
    const fn new(next: Next, slots: u64) -> Self {
        Self { first: next, latest: next, slots, eta: None, has_begun: false, added: 0, asked: Bytes(0) }
    }
}

/// How well growths were foretold: misses in thousandths of what was foretold.
#[derive(Clone, Debug, Default)]
pub(super) struct Scores {
    at_live: Vec<u64>,
    new_table: Vec<u64>,
    eta: Vec<u64>,
}

impl Scores {
    /// As the report has it, with the growths to come.
    pub(super) fn report(&self, growths: Vec<Upcoming>) -> Forecast {
        Forecast {
            growths,
            at_live: misses(&self.at_live),
            new_table: misses(&self.new_table),
            eta: misses(&self.eta),
        }
    }

    fn entries(&mut self, foretold: u64, (least, most): (u64, u64)) {
        add(&mut self.at_live, distance(foretold, (least, most)), foretold);
    }

    fn tables(&mut self, foretold: Bytes, seen: Bytes) {
        add(&mut self.new_table, foretold.0.abs_diff(seen.0), foretold.0);
    }

    fn time(&mut self, (made, foretold): (Nanos, Nanos), (least, most): (Nanos, Nanos)) {
        let off = distance(foretold.0, (least.0, most.0));
        add(&mut self.eta, off, foretold.since(made).0);
    }
}

/// How far a value is from a range.
const fn distance(value: u64, (least, most): (u64, u64)) -> u64 {
    if value < least { least - value } else { value.saturating_sub(most) }
}

fn add(misses: &mut Vec<u64>, off: u64, of: u64) {
    if misses.len() < MOST && of > 0 {
        let permille = u128::from(off) * 1000 / u128::from(of);
        misses.push(u64::try_from(permille).unwrap_or(u64::MAX));
    }
}

fn misses(all: &[u64]) -> Option<Misses> {
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    let median = *sorted.get(sorted.len() / 2)?;
    let worst = *sorted.last()?;
    Some(Misses { growths: sorted.len() as u64, median_permille: median, worst_permille: worst })
}

impl Foresight {
    /// It was looked at.
    fn look(&mut self, at: Nanos, shape: &Shape, scores: &mut Scores) {
        self.pace.seen(at, shape.live);
        if let Some(standing) = &mut self.standing {
            standing.has_grown((self.last, (at, shape.live)), shape.capacity, scores);
        }
        let is_over = |standing: &Standing| {
            let complete = u128::from(standing.first.slots) * u128::from(COMPLETE);
            let slots = u128::from(shape.capacity) * 100;
            slots >= complete || shape.capacity < standing.slots
        };
        self.standing = self.standing.take().filter(|standing| !is_over(standing));
        self.last = (at, shape.live);
        let Some(next) = shape.next else { return };
        let standing = self.standing.get_or_insert(Standing::new(next, shape.capacity));
        standing.latest = next;
        if standing.eta.is_none() && !standing.has_begun {
            let eta = self.pace.eta(at, shape.live, next.at_live);
            standing.eta = eta.filter(|_| self.pace.is_told()).map(|eta| (at, at.plus(eta.likely)));
        }
    }

    /// It grows, all at once.
    fn grow(&mut self, at: Nanos, fact: &Grow, scores: &mut Scores) {
        self.due = None;
        let foretold = self.standing.take().filter(|standing| !standing.has_begun);
        let is_foretold = matches!(fact.kind, GrowthKind::Double | GrowthKind::SameSize | GrowthKind::Other);
        let Some(standing) = foretold.filter(|_| is_foretold) else { return };
        if let Some(live) = fact.live {
            scores.entries(standing.latest.at_live, (live, live));
        }
        if let Some(eta) = standing.eta {
            scores.time(eta, (at, at));
        }
        match fact.bytes {
            Some(bytes) => scores.tables(standing.latest.tables, bytes),
            None => self.due = Some(standing.latest.tables),
        }
    }

    /// The table of a growth was asked for.
    fn asked(&mut self, bytes: Bytes, scores: &mut Scores) {
        if let Some(due) = self.due.take() {
            scores.tables(due, bytes);
        }
    }
}

impl Standing {
    /// Holds it against the growth that shows between two looks.
    fn has_grown(
        &mut self,
        ((before, least), (at, most)): ((Nanos, u64), (Nanos, u64)),
        slots: u64,
        scores: &mut Scores,
    ) {
        let halfway = self.slots / 2 + self.first.slots / 2;
        if slots >= halfway && self.first.slots > self.slots && !self.has_begun {
            self.has_begun = true;
            scores.entries(self.first.at_live, (least.min(most), most));
            if let Some(eta) = self.eta {
                scores.time(eta, (before, at));
            }
        }
    }

    /// One of its tables splits. The sizes are held against each other once as many slots were added as were
    /// foretold: splits that come before the next look are of the growth after that, of which nothing was
    /// foretold, and so are those of a map that was to double its only table.
    fn splits(&mut self, fact: &Grow, scores: &mut Scores) {
        let is_complete =
            |slots: u64| u128::from(slots) * 100 >= u128::from(self.first.slots) * u128::from(COMPLETE);
        if is_complete(self.slots.saturating_add(self.added)) {
            return;
        }
        self.added = self.added.saturating_add(fact.to.saturating_sub(fact.from).saturating_mul(SLOTS));
        let slots = self.slots.saturating_add(self.added);
        let is_its_own = slots <= self.first.slots;
        self.asked += fact.bytes.unwrap_or_default();
        if is_complete(slots) && is_its_own && self.asked > Bytes(0) {
            scores.tables(self.foretold_so_far(), self.asked);
        }
    }

    /// The tables that were foretold, in the share of the slots that were added: the last ones may take long.
    fn foretold_so_far(&self) -> Bytes {
        let all = self.first.slots.saturating_sub(self.slots).max(1);
        let tables = u128::from(self.first.tables.0) * u128::from(self.added) / u128::from(all);
        Bytes(u64::try_from(tables).unwrap_or(u64::MAX))
    }
}

impl Life {
    /// Holds what was foretold against a look, and foretells anew.
    pub(super) fn foresee(&mut self, at: Nanos, shape: &Shape, scores: &mut Scores) {
        let is_worth = shape.next.is_some_and(|next| next.tables >= WORTH);
        if is_worth || self.foresight.is_some() {
            self.foresight.get_or_insert_default().look(at, shape, scores);
        }
    }

    /// Holds what was foretold against a growth.
    pub(super) fn was_foreseen(&mut self, at: Nanos, fact: &Grow, scores: &mut Scores) {
        let Some(foresight) = &mut self.foresight else { return };
        match (fact.kind, &mut foresight.standing) {
            (GrowthKind::Split, Some(standing)) => standing.splits(fact, scores),
            (GrowthKind::Split, None) => {}
            _ => foresight.grow(at, fact, scores),
        }
    }

    /// Holds what was foretold against a table that was asked for.
    pub(super) fn table_was_foreseen(&mut self, bytes: Bytes, scores: &mut Scores) {
        if let Some(foresight) = &mut self.foresight {
            foresight.asked(bytes, scores);
        }
    }

    /// What its next growth needs, as of `now`.
    pub(super) fn next_growth(&self, now: Nanos) -> Option<NextGrowth> {
        let seen = self.seen.filter(|seen| !seen.dropped && self.gone.is_none())?;
        let next = seen.next?;
        let pace = self.foresight.as_ref().map(|foresight| &foresight.pace);
        let eta = pace.and_then(|pace| pace.eta(now, seen.live, next.at_live));
        Some(NextGrowth {
            at_live: next.at_live,
            new_table: next.tables,
            // It cannot grow before the old table has gone.
            peak_extra: next.tables.less(seen.old_bytes),
            capacity: next.slots,
            eta: eta.map(|eta| eta.likely),
            eta_least: eta.map(|eta| eta.least),
            eta_most: eta.and_then(|eta| eta.most),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Address;

    const SECOND: u64 = 1_000_000_000;

    fn next(at_live: u64, tables: u64, slots: u64) -> Option<Next> {
        Some(Next { at_live, tables: Bytes(tables), slots })
    }

    fn shape(live: u64, capacity: u64, next: Option<Next>) -> Shape {
        Shape { live, capacity, next, ..Shape::default() }
    }

    fn grow(kind: GrowthKind, live: Option<u64>, bytes: Option<u64>) -> Grow {
        Grow { map: Address(1), kind, from: 1, to: 2, live, bytes: bytes.map(Bytes), stack: None }
    }

    /// A map of 1,000 slots that fills by 100 entries a second.
    fn filling(scores: &mut Scores) -> Foresight {
        let mut foresight = Foresight::default();
        for second in 0..5 {
            let shape = shape(100 * second, 1000, next(800, 9000, 2000));
            foresight.look(Nanos(second * SECOND), &shape, scores);
        }
        foresight
    }

    fn permille(misses: Option<Misses>) -> Option<(u64, u64)> {
        misses.map(|misses| (misses.growths, misses.worst_permille))
    }

    #[test]
    fn a_growth_that_comes_as_foretold_is_no_miss() {
        let mut scores = Scores::default();
        let mut foresight = filling(&mut scores);
        foresight.grow(Nanos(8 * SECOND), &grow(GrowthKind::Double, Some(800), None), &mut scores);
        foresight.asked(Bytes(9000), &mut scores);
        foresight.asked(Bytes(123), &mut scores);
        let report = scores.report(Vec::new());
        assert_eq!(permille(report.at_live), Some((1, 0)));
        assert_eq!(permille(report.new_table), Some((1, 0)));
        assert_eq!(permille(report.eta), Some((1, 0)));
    }

    #[test]
    fn one_that_comes_early_late_or_larger_is() {
        let mut scores = Scores::default();
        let mut foresight = filling(&mut scores);
        // Foretold at 3 s, for 8 s.
        foresight.grow(Nanos(10 * SECOND), &grow(GrowthKind::Other, Some(1000), Some(9900)), &mut scores);
        let report = scores.report(Vec::new());
        assert_eq!(permille(report.at_live), Some((1, 250)));
        assert_eq!(permille(report.new_table), Some((1, 100)));
        assert_eq!(permille(report.eta), Some((1, 400)));
    }

    #[test]
    fn a_growth_that_no_hook_tells_is_found_between_two_looks() {
        let mut scores = Scores::default();
        let mut foresight = filling(&mut scores);
        foresight.look(Nanos(7 * SECOND), &shape(700, 1000, next(800, 9000, 2000)), &mut scores);
        foresight.look(Nanos(9 * SECOND), &shape(900, 2000, next(1600, 18_000, 4000)), &mut scores);
        let report = scores.report(Vec::new());
        assert_eq!(permille(report.at_live), Some((1, 0)));
        assert_eq!(permille(report.eta), Some((1, 0)));
        assert_eq!(permille(report.new_table), None);
    }

    /// A map of so many full tables, which are to be twice as many, is looked at; then so many of them split.
    fn splitting(slots: u64, next: Option<Next>, splits: u64) -> Forecast {
        let mut scores = Scores::default();
        let mut life = Life::new(Address(1), crate::audit::who::Birth::Before);
        life.foresee(Nanos(0), &shape(1, slots, next), &mut scores);
        let split = Grow { from: 128, to: 256, ..grow(GrowthKind::Split, None, Some(3000)) };
        (0..splits).for_each(|at| life.was_foreseen(Nanos(at), &split, &mut scores));
        scores.report(Vec::new())
    }

    #[test]
    fn of_many_splits_the_half_way_is_the_moment_and_their_sum_the_size() {
        let mut scores = Scores::default();
        let mut life = Life::new(Address(1), crate::audit::who::Birth::Before);
        let full = |live, tables: u64| shape(live, 1024 * tables, next(800, 9000, 6 * 1024));
        (0..5).for_each(|second| {
            life.foresee(Nanos(second * SECOND), &full(100 * second, 3), &mut scores);
        });
        let split = Grow { from: 128, to: 256, ..grow(GrowthKind::Split, None, Some(3000)) };
        for (second, live, tables) in [(6, 700, 4), (8, 800, 5), (12, 1500, 6)] {
            life.was_foreseen(Nanos(0), &split, &mut scores);
            let last = shape(live, 1024 * tables, next(1600, 18_000, 12 * 1024));
            life.foresee(Nanos(second * SECOND), &last, &mut scores);
        }
        let report = scores.report(Vec::new());
        assert_eq!(permille(report.at_live), Some((1, 0)));
        assert_eq!(permille(report.new_table), Some((1, 0)));
        assert_eq!(permille(report.eta), Some((1, 0)));
        let standing = life.foresight.unwrap().standing.unwrap();
        assert_eq!((standing.slots, standing.first.slots), (6 * 1024, 12 * 1024), "the next one is foretold");
    }

    #[test]
    fn splits_of_the_growth_after_the_one_foretold_are_not_held_against_it() {
        let of_four = next(3584, 4 * 3000, 8 * 1024);
        assert_eq!(permille(splitting(4 * 1024, of_four, 3).new_table), None, "not all have split");
        for splits in [4, 5, 4 + 8 + 16] {
            assert_eq!(permille(splitting(4 * 1024, of_four, splits).new_table), Some((1, 0)), "{splits}");
        }
        assert_eq!(
            permille(splitting(4 * 1024, next(3584, 3 * 3000, 8 * 1024), 9).new_table),
            Some((1, 333))
        );
    }

    #[test]
    fn the_last_tables_that_split_are_not_waited_for() {
        let of_sixty_four = next(57_344, 64 * 3000, 128 * 1024);
        assert_eq!(permille(splitting(64 * 1024, of_sixty_four, 60).new_table), None);
        assert_eq!(permille(splitting(64 * 1024, of_sixty_four, 61).new_table), Some((1, 0)));
    }

    #[test]
    fn splits_are_not_held_against_a_table_that_was_to_double() {
        assert_eq!(permille(splitting(512, next(448, 18_464, 1024), 7).new_table), None);
    }

    #[test]
    fn a_first_table_and_a_shrink_are_not_foretold() {
        let mut scores = Scores::default();
        for kind in [GrowthKind::First, GrowthKind::Shrink] {
            filling(&mut scores).grow(Nanos(9), &grow(kind, Some(5), Some(5)), &mut scores);
        }
        assert_eq!(permille(scores.report(Vec::new()).at_live), None);
    }

    #[test]
    fn misses_are_bounded_and_nothing_overflows() {
        let mut scores = Scores::default();
        (0..2 * MOST as u64).for_each(|_| scores.entries(1, (u64::MAX, u64::MAX)));
        scores.entries(0, (1, 1));
        assert_eq!(permille(scores.report(Vec::new()).at_live), Some((MOST as u64, u64::MAX)));
    }
}
