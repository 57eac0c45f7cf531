//! What a map has counted itself, as far as it belongs to the audit: from its birth for a map whose
//! birth was seen, else from the first reading on.

use super::fact::Counted;

/// The first and the last reading of one map's counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    range: Option<(Counted, Counted)>,
}

/// Counters of many maps, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    /// Keys put in, keys taken out, old buckets moved; `None`: no map counts them.
    pub(super) total: Option<Moved>,
}

/// What moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// New keys put in.
    pub(super) insert: u64,
    /// Keys taken out.
    pub(super) delete: u64,
    /// Old buckets moved.
    pub(super) evacuate: u64,
}

impl Counters {
    /// They were read. `whole`: the map's birth was seen, so they all belong to the audit.
    pub(super) fn read(&mut self, now: Counted, whole: bool) {
        let first = if whole { Counted::default() } else { now };
        self.range.get_or_insert((first, now)).1 = now;
    }

    /// Whether these can only be the counters of another map: they have gone back.
    pub(super) fn went_back(&self, now: Option<Counted>) -> bool {
        let (Some((_, last)), Some(now)) = (self.range, now) else { return false };
        now.insert < last.insert || now.delete < last.delete || now.evacuate < last.evacuate
    }

    /// What it counted since the audit began.
    pub(super) fn moved(&self) -> Option<Moved> {
        self.range.map(|(first, last)| Moved {
            insert: last.insert.saturating_sub(first.insert),
            delete: last.delete.saturating_sub(first.delete),
            evacuate: last.evacuate.saturating_sub(first.evacuate),
        })
    }
}

impl Sum {
    /// One map more.
    pub(super) fn add(&mut self, counters: &Counters) {
        let Some(moved) = counters.moved() else { return };
        let total = self.total.get_or_insert_default();
        total.insert = total.insert.saturating_add(moved.insert);
        total.delete = total.delete.saturating_add(moved.delete);
        total.evacuate = total.evacuate.saturating_add(moved.evacuate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(insert: u64, delete: u64) -> Counted {
        Counted { insert, delete, grow: 0, evacuate: 0 }
    }

    #[test]
    fn what_a_map_counted_before_the_audit_is_not_the_audits() {
        for (whole, expected) in [(true, 110), (false, 10)] {
            let mut counters = Counters::default();
            counters.read(counted(100, 0), whole);
            counters.read(counted(110, 4), whole);
            let mut sum = Sum::default();
            sum.add(&counters);
            let total = sum.total.unwrap();
            assert_eq!((total.insert, total.delete), (expected, 4));
        }
    }

    #[test]
    fn maps_that_do_not_count_leave_the_sum_unknown() {
        let mut sum = Sum::default();
        sum.add(&Counters::default());
        assert_eq!(sum.total, None);
    }

    #[test]
    fn counters_that_go_back_are_another_maps() {
        let mut counters = Counters::default();
        assert!(!counters.went_back(Some(counted(0, 0))));
        counters.read(counted(5, 5), true);
        assert!(counters.went_back(Some(counted(5, 4))));
        assert!(!counters.went_back(Some(counted(5, 5))));
        assert!(!counters.went_back(None));
    }
}
