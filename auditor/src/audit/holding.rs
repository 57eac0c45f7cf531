//! What one map holds, from two sources that are both kept: the tables in its ledger, and what the
//! map itself said at the last look. Whichever is younger is shown.
//!
//! The difference between the two is what the map holds *beyond* the ledger: its header, and the
//! tables it had before the audit. It only changes when such a table is let go, so it is the check
//! of both sources: a look that gives another difference than the one established raises a doubt,
//! and a second look in a row that gives it again is a disagreement, counted and taken over. One
//! look alone proves nothing, for it may have been read while an event was on its way.

use super::fact::{Allocate, Free, Shape};
use super::ledger::{Credit, Debit, Ledger};
use super::told::Ledgers;
use super::unit::{Address, Bytes, Nanos};

/// What one map holds.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    /// Its tables.
    pub(super) ledger: Ledger,
    /// Whether all its tables were seen: then what is beyond the ledger is its header.
    whole: bool,
    said: Option<Said>,
    said_is_younger: bool,
    beyond: Option<Beyond>,
    /// Whether a second look has given the same.
    established: bool,
    /// What the last look gave instead.
    doubt: Option<i128>,
    peak: u128,
}

/// What the map said of itself at a look.
#[derive(Clone, Copy, Debug)]
struct Said {
    at: Nanos,
    allocated: Bytes,
    old: Bytes,
}

/// Bytes that the map says it holds and the ledger does not know of. Negative when the ledger
/// holds too much.
#[derive(Clone, Copy, Debug)]
struct Beyond {
    all: i128,
    /// The part of it that belongs to the old table, while that is known.
    old: Option<i128>,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The two sources agree, or it is too early to tell.
    Agrees,
    /// They do not.
    Disagrees,
}

impl Holding {
    /// Nothing yet. `whole`: every table there will be is going to be seen.
    pub(super) fn new(whole: bool) -> Self {
        Self {
            ledger: Ledger::default(),
            whole,
            said: None,
            said_is_younger: false,
            beyond: None,
            established: false,
            doubt: None,
            peak: 0,
        }
    }

    /// A table was asked for.
    pub(super) fn credit(&mut self, at: Nanos, fact: &Allocate, place: Option<Address>) -> Credit {
        let credit = self.ledger.credit(fact, place);
        self.changed(at);
        self.raise();
        credit
    }

    /// A table was let go.
    pub(super) fn debit(&mut self, at: Nanos, fact: &Free) -> Debit {
        let debit = self.ledger.debit(fact);
        if debit == Debit::Unknown && !self.whole {
            self.itemise(fact.bytes);
        }
        self.changed(at);
        debit
    }

    /// A growth started: what was current is old.
    pub(super) fn grow(&mut self, at: Nanos) {
        self.ledger.grow();
        if let Some(beyond) = self.beyond.as_mut().filter(|_| !self.whole) {
            beyond.old = None;
        }
        self.changed(at);
    }

    /// The map was read. Against a ledger that nobody keeps, nothing can be held.
    pub(super) fn look(&mut self, at: Nanos, shape: &Shape, ledgers: Ledgers) -> Verdict {
        if self.said.is_some_and(|said| at < said.at) {
            return Verdict::Agrees;
        }
        self.said = Some(Said { at, allocated: shape.allocated, old: shape.old_bytes });
        self.said_is_younger = true;
        let difference = self.difference(shape);
        let verdict = match ledgers {
            Ledgers::Kept => self.compare(difference),
            Ledgers::Empty => {
                self.take(difference);
                Verdict::Agrees
            }
        };
        self.raise();
        verdict
    }

    /// The map was read just before a table of it is let go. When no look has told the size of its
    /// header, this does; a reading from amid a series of frees that is out of step is not taken.
    pub(super) fn read_before_free(&mut self, shape: &Shape) {
        let difference = self.difference(shape);
        if self.whole && self.beyond.is_none() && difference.all >= 0 {
            self.take(difference);
            self.raise();
        }
    }

    /// Whether what it holds is known, or only a part of it: a map from before the audit has to be
    /// looked at first.
    pub(super) const fn is_known(&self) -> bool {
        self.whole || self.beyond.is_some()
    }

    /// Header, tables, overflow, old table, as far as they are known.
    pub(super) fn allocated(&self) -> Bytes {
        match self.said {
            Some(said) if self.said_is_younger => said.allocated,
            _ => narrow(self.by_ledger()),
        }
    }

    /// The old table, where it can be told from the rest.
    pub(super) fn old(&self) -> Option<Bytes> {
        let old = signed(self.ledger.old());
        match (self.said, self.beyond) {
            (Some(said), _) if self.said_is_younger => Some(said.old),
            (_, Some(beyond)) => beyond.old.map(|beyond| narrow(old + beyond)),
            (_, None) => self.whole.then(|| narrow(old)),
        }
    }

    /// The most `allocated` there was.
    pub(super) fn peak(&self) -> Bytes {
        narrow(signed(self.peak))
    }

    fn by_ledger(&self) -> i128 {
        signed(self.ledger.held()) + self.beyond.map_or(0, |beyond| beyond.all)
    }

    fn difference(&self, shape: &Shape) -> Beyond {
        Beyond {
            all: i128::from(shape.allocated.0) - signed(self.ledger.held()),
            old: Some(i128::from(shape.old_bytes.0) - signed(self.ledger.old())),
        }
    }

    fn compare(&mut self, found: Beyond) -> Verdict {
        let agrees = self.beyond.is_some_and(|beyond| beyond.all == found.all);
        if agrees || !self.established {
            self.established = agrees;
            self.take(found);
            return Verdict::Agrees;
        }
        if self.doubt != Some(found.all) {
            self.doubt = Some(found.all);
            return Verdict::Agrees;
        }
        self.take(found);
        Verdict::Disagrees
    }

    /// From now on this is the difference. The first one belongs on top of the peak of the tables.
    fn take(&mut self, found: Beyond) {
        if self.beyond.is_none() {
            self.peak = self.peak.saturating_add_signed(found.all.max(0));
        }
        self.doubt = None;
        self.beyond = Some(found);
    }

    /// A table that was not in the ledger is let go.
    fn itemise(&mut self, bytes: Bytes) {
        let Some(beyond) = &mut self.beyond else { return };
        let bytes = i128::from(bytes.0);
        beyond.all -= bytes;
        beyond.old = beyond.old.map(|old| if old > 0 { (old - bytes).max(0) } else { old });
    }

    fn changed(&mut self, at: Nanos) {
        if self.said.is_none_or(|said| said.at <= at) {
            self.said_is_younger = false;
        }
    }

    fn raise(&mut self) {
        self.peak = self.peak.max(u128::from(self.allocated().0));
    }
}

/// A ledger's sum stays far below 2^127: it adds fewer than 2^63 sizes of 64 bits.
const fn signed(sum: u128) -> i128 {
    sum.cast_signed()
}

fn narrow(sum: i128) -> Bytes {
    Bytes(u64::try_from(sum.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::Part;

    fn allocate(bytes: u64) -> Allocate {
        Allocate {
            map: Address(1),
            table: None,
            bytes: Bytes(bytes),
            part: Part::Buckets,
            stack: None,
            took: None,
        }
    }

    fn free(table: u64, bytes: u64) -> Free {
        Free { map: Address(1), table: Address(table), bytes: Bytes(bytes), shape: None }
    }

    fn shape(allocated: u64, old: u64) -> Shape {
        Shape { allocated: Bytes(allocated), old_bytes: Bytes(old), ..Shape::default() }
    }

    #[test]
    fn the_first_look_tells_the_header_of_a_map_seen_whole() {
        let mut holding = Holding::new(true);
        holding.credit(Nanos(1), &allocate(1000), Some(Address(0x10)));
        assert_eq!(holding.allocated(), Bytes(1000));
        holding.look(Nanos(2), &shape(1128, 0), Ledgers::Kept);
        holding.grow(Nanos(3));
        holding.credit(Nanos(3), &allocate(2000), Some(Address(0x20)));
        assert_eq!((holding.allocated(), holding.old()), (Bytes(3128), Some(Bytes(1000))));
        holding.debit(Nanos(4), &free(0x10, 1000));
        assert_eq!((holding.allocated(), holding.old()), (Bytes(2128), Some(Bytes(0))));
        assert_eq!(holding.peak(), Bytes(3128));
    }

    #[test]
    fn a_free_tells_the_header_where_no_look_did_and_the_peak_includes_it() {
        let mut holding = Holding::new(true);
        holding.credit(Nanos(1), &allocate(1000), Some(Address(0x10)));
        holding.read_before_free(&shape(1128, 0));
        holding.debit(Nanos(2), &free(0x10, 1000));
        assert_eq!((holding.allocated(), holding.peak()), (Bytes(128), Bytes(1128)));
    }

    #[test]
    fn a_table_from_before_the_audit_leaves_with_its_bytes() {
        let mut holding = Holding::new(false);
        holding.look(Nanos(1), &shape(1128, 0), Ledgers::Kept);
        holding.grow(Nanos(2));
        assert_eq!(holding.old(), None, "how much of it is header is not known");
        holding.credit(Nanos(2), &allocate(2000), Some(Address(0x20)));
        assert_eq!(holding.debit(Nanos(3), &free(0x10, 1000)), Debit::Unknown);
        assert_eq!(holding.allocated(), Bytes(2128));
    }

    #[test]
    fn a_difference_that_two_looks_repeat_is_a_disagreement() {
        let mut holding = Holding::new(true);
        holding.credit(Nanos(1), &allocate(1000), Some(Address(0x10)));
        let verdicts: Vec<_> = [1128, 1128, 1500, 1500, 1500]
            .into_iter()
            .zip(2..)
            .map(|(allocated, at)| holding.look(Nanos(at), &shape(allocated, 0), Ledgers::Kept))
            .collect();
        let disagreements = verdicts.iter().filter(|v| **v == Verdict::Disagrees).count();
        assert_eq!((disagreements, verdicts[3]), (1, Verdict::Disagrees));
        holding.debit(Nanos(9), &free(0x10, 1000));
        assert_eq!(holding.allocated(), Bytes(500), "the look's difference was taken over");
    }

    #[test]
    fn a_look_that_ran_into_an_event_is_forgotten() {
        let mut holding = Holding::new(true);
        holding.credit(Nanos(1), &allocate(1000), Some(Address(0x10)));
        for (at, allocated) in [(2, 1128), (3, 1128), (4, 128), (5, 1128), (6, 128), (7, 1128)] {
            assert_eq!(holding.look(Nanos(at), &shape(allocated, 0), Ledgers::Kept), Verdict::Agrees);
        }
        holding.credit(Nanos(8), &allocate(1), Some(Address(0x20)));
        assert_eq!(holding.allocated(), Bytes(1129));
    }

    #[test]
    fn a_late_event_does_not_make_the_ledger_younger_than_a_look() {
        let mut holding = Holding::new(true);
        holding.look(Nanos(5), &shape(1128, 0), Ledgers::Kept);
        holding.credit(Nanos(4), &allocate(1000), Some(Address(0x10)));
        assert_eq!(holding.allocated(), Bytes(1128));
    }
}
