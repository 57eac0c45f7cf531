//! What a map of so many entries takes, and what it takes to grow there: a walk up the steps that its runtime
//! has told.

use super::super::fact::{Sizes, Step};
use super::super::unit::Bytes;

/// The sizes that maps of one kind can have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ladder<'a>(pub(super) &'a Sizes);

/// What growing step by step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Climb {
    /// Growths on the way.
    pub(super) growths: u64,
    /// The most that is held at once, tables of before and after together.
    pub(super) peak: Option<Bytes>,
}

impl Ladder<'_> {
    /// The tables of a map that is made for so many entries; `None`: there can be no such map.
    pub(super) fn made_for(self, entries: u64) -> Option<Step> {
        self.0.steps.iter().find(|step| step.live >= entries).copied()
    }

    /// What a map takes that is made for so many entries and holds them.
    pub(super) fn bytes(self, entries: u64) -> Option<Bytes> {
        let tables = if entries == 0 { Bytes(0) } else { self.made_for(entries)?.bytes };
        Some(self.around(entries)? + tables + self.overflow(entries))
    }

    /// Overflow buckets beyond the spare ones that such a map is expected to have, with the list of them.
    pub(super) fn overflow(self, entries: u64) -> Bytes {
        self.made_for(entries).map_or(Bytes(0), |step| self.overflow_of(step, entries))
    }

    fn overflow_of(self, step: Step, entries: u64) -> Bytes {
        self.0.overflow.map_or(Bytes(0), |bucket| step.chained(entries, (bucket, self.0.listed)))
    }

    /// What a map of so many entries takes beside its tables.
    fn around(self, entries: u64) -> Option<Bytes> {
        let behind = self.0.behind.0.checked_mul(entries)?;
        self.0.header.0.checked_add(behind).map(Bytes)
    }

    /// The steps to which maps grow.
    fn grown(self) -> impl Iterator<Item = (Step, Bytes)> {
        self.0.steps.iter().filter_map(|step| Some((*step, step.beside?)))
    }

    /// The way from so many slots to where so many entries fit.
    pub(super) fn climb(self, slots: u64, entries: u64) -> Option<Climb> {
        let mut climb = Climb { growths: 0, peak: None };
        let mut before: Option<Step> = None;
        let around = self.around(entries)?;
        for (step, beside) in self.grown() {
            if step.slots > slots {
                climb.growths = climb.growths.saturating_add(growths(before, step, slots));
                let chained = before.map_or(Bytes(0), |old| self.overflow_of(old, old.live));
                climb.peak = climb.peak.max(Some(around + step.bytes + beside + chained));
            }
            if step.live >= entries {
                return Some(climb);
            }
            before = Some(step);
        }
        None
    }

    /// The tables before and after the growth of one table, of a map that is made for so many entries.
    pub(super) fn one_growth(self, entries: u64) -> Option<Bytes> {
        let now = self.made_for(entries)?;
        let (step, beside) = self.grown().find(|(step, _)| step.slots > now.slots)?;
        // Where there are several, one becomes as many as all of them do, in its share.
        let share = Bytes(step.bytes.0.checked_div(now.tables)?);
        Some(share + beside + self.overflow_of(now, now.live))
    }
}

/// Growths from one step to the next: each table by itself. A map between the two has some of them behind it.
fn growths(before: Option<Step>, step: Step, slots: u64) -> u64 {
    // The first table is no growth.
    let Some(before) = before else { return 0 };
    let (all, done) = (step.slots.saturating_sub(before.slots), slots.saturating_sub(before.slots));
    let behind = u128::from(before.tables) * u128::from(done) / u128::from(all.max(1));
    before.tables.saturating_sub(u64::try_from(behind).unwrap_or(u64::MAX))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn step((live, slots, tables): (u64, u64, u64), bytes: u64, beside: Option<u64>) -> Step {
        Step { live, slots, tables, bytes: Bytes(bytes), spare: 0, together: 1, beside: beside.map(Bytes) }
    }

    /// A doubling map: buckets of 100 bytes, a header of 10.
    pub(in super::super) fn doubling() -> Sizes {
        let steps = vec![
            step((8, 8, 1), 100, Some(0)),
            step((13, 16, 1), 200, Some(100)),
            step((26, 32, 1), 400, Some(200)),
            step((52, 64, 1), 800, Some(400)),
        ];
        Sizes { header: Bytes(10), slot: Some(Bytes(12)), behind: Bytes(1), steps, ..Sizes::default() }
    }

    /// A splitting map: tables of at most 16 slots of 160 bytes.
    pub(in super::super) fn splitting() -> Sizes {
        let steps = vec![
            step((8, 8, 1), 80, Some(0)),
            step((14, 16, 1), 160, Some(80)),
            step((15, 16, 2), 170, None),
            step((28, 32, 2), 330, Some(160)),
            step((56, 64, 4), 650, Some(160)),
        ];
        Sizes { header: Bytes(10), slot: None, behind: Bytes(0), steps, ..Sizes::default() }
    }

    #[test]
    fn a_map_takes_its_header_its_tables_and_what_is_behind_them() {
        let sizes = doubling();
        let bytes = |entries| Ladder(&sizes).bytes(entries).map(|bytes| bytes.0);
        assert_eq!([0, 8, 9, 52].map(bytes), [Some(10), Some(118), Some(219), Some(862)]);
        assert_eq!((bytes(53), bytes(u64::MAX)), (None, None));
        let splitting = splitting();
        assert_eq!(Ladder(&splitting).bytes(15), Some(Bytes(180)), "made, though none grows to it");
    }

    #[test]
    fn growing_holds_the_largest_step_with_the_one_before() {
        let sizes = doubling();
        let climb = |slots, entries| Ladder(&sizes).climb(slots, entries).map(|it| (it.growths, it.peak));
        assert_eq!(climb(8, 52), Some((3, Some(Bytes(10 + 52 + 800 + 400)))));
        assert_eq!(climb(0, 20), Some((2, Some(Bytes(10 + 20 + 400 + 200)))), "the first is no growth");
        assert_eq!((climb(32, 26), climb(64, 1)), (Some((0, None)), Some((0, None))));
        assert_eq!(climb(8, 53), None);
    }

    #[test]
    fn tables_that_split_grow_one_by_one() {
        let sizes = splitting();
        let climb = |slots, entries| Ladder(&sizes).climb(slots, entries).map(|it| (it.growths, it.peak));
        assert_eq!(climb(8, 56), Some((1 + 1 + 2, Some(Bytes(10 + 650 + 160)))));
        assert_eq!(climb(48, 56), Some((1, Some(Bytes(820)))), "one of two has split");
        assert_eq!(Ladder(&sizes).one_growth(28), Some(Bytes(325 + 160)), "two for one");
        assert_eq!(Ladder(&doubling()).one_growth(13), Some(Bytes(400 + 200)));
        assert_eq!(Ladder(&doubling()).one_growth(52), None);
    }

    #[test]
    fn overflow_buckets_come_on_top_where_the_spare_ones_do_not_do() {
        let full = Step { spare: 100, ..step((6500, 8000, 1), 100_000, Some(50_000)) };
        let next = step((13_000, 16_000, 1), 200_000, Some(100_000));
        let sizes =
            Sizes { overflow: Some(Bytes(10)), steps: vec![full, next], behind: Bytes(0), ..doubling() };
        let ladder = Ladder(&sizes);
        // 6.5 entries a bucket: 209 of 1000 have a bucket behind them, 100 are spare.
        assert_eq!((ladder.overflow(6500), ladder.overflow(3000)), (Bytes(1090), Bytes(0)));
        assert_eq!(ladder.bytes(6500), Some(Bytes(10 + 100_000 + 1090)));
        let peak = Some(Bytes(10 + 200_000 + 100_000 + 1090));
        assert_eq!(ladder.climb(8000, 7000), Some(Climb { growths: 1, peak }));
        assert_eq!(ladder.one_growth(6500), Some(Bytes(300_000 + 1090)));
    }

    #[test]
    fn steps_that_make_no_sense_neither_panic_nor_overflow() {
        let most = u64::MAX;
        let odd = step((most, most, most), most, Some(most));
        let steps = vec![odd, step((0, 0, 0), 0, Some(0)), odd, step((most, 1, 0), 0, None)];
        let sizes = Sizes { header: Bytes(most), behind: Bytes(most), steps, ..Sizes::default() };
        for entries in [0, 1, most] {
            let ladder = Ladder(&sizes);
            let told = [
                ladder.bytes(entries),
                ladder.one_growth(entries),
                ladder.climb(0, entries).and_then(|it| it.peak),
            ];
            assert!(told.iter().flatten().all(|bytes| bytes.0 == most), "{told:?}");
        }
    }
}
