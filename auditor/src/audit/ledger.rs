//! The tables of one map: a credit when one is asked for, a debit when it is let go. Every debit
//! answers a credit, so at any moment credited = debited + held; [`Ledger::is_balanced`] checks it.
//!
//! A growth turns every table held into a table of an older generation: together these are the
//! "old table". Sums are 128 bits wide, so that no sequence of 64-bit sizes can overflow them.

use super::counts::Tables;
use super::fact::{Allocate, Free};
use super::placed::Placed;
use super::unit::{Address, Bytes};

/// The tables of one map.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    placed: Placed<Table>,
    /// Tables whose address is not known, by [`Age`], where there ever was one.
    unplaced: Option<Box<[Pile; 2]>>,
    /// How many growths have started.
    generation: u64,
    held: u128,
    old: u128,
    old_tables: u64,
    balance: Balance,
    seen: Tables,
}

/// A table that is held.
#[derive(Clone, Copy, Debug)]
struct Table {
    bytes: Bytes,
    generation: u64,
}

/// Tables that cannot be told apart.
#[derive(Clone, Copy, Debug, Default)]
struct Pile {
    tables: u64,
    bytes: u128,
}

/// Whether a table is from before the growth that started last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// It belongs to the newest generation.
    Current,
    /// It is part of the old table.
    Old,
}

/// All credits and all debits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// Bytes asked for.
    pub(super) credited: u128,
    /// Bytes let go, or written off with the map.
    pub(super) debited: u128,
}

impl Balance {
    /// Both sides of another ledger on top.
    pub(super) fn add(&mut self, other: Self) {
        self.credited += other.credited;
        self.debited += other.debited;
    }
}

/// What a credit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credit {
    /// Nothing there.
    New,
    /// A table at that address whose end was not seen; it has been written off.
    InPlaceOfAnother,
}

/// What a debit found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Debit {
    /// The credit that it answers.
    Known {
        /// Of which generation.
        age: Age,
        /// Whether the credit named the same size.
        same_size: bool,
    },
    /// None: the table is from before the audit, or its credit was lost.
    Unknown,
}

impl Ledger {
    /// A table was asked for. `place` is its address, where that is known and is to be remembered.
    pub(super) fn credit(&mut self, fact: &Allocate, place: Option<Address>) -> Credit {
        self.seen.allocated = self.seen.allocated.saturating_add(1);
        self.seen.allocated_bytes += fact.bytes;
        let table = Table { bytes: fact.bytes, generation: self.generation };
        self.balance.credited += wide(fact.bytes);
        self.held += wide(fact.bytes);
        let Some(place) = place else {
            self.unplaced.get_or_insert_default()[Age::Current as usize].add(fact.bytes);
            return Credit::New;
        };
        match self.placed.insert(place, table) {
            None => Credit::New,
            Some(missed) => {
                self.let_go(wide(missed.bytes), self.age(missed));
                Credit::InPlaceOfAnother
            }
        }
    }

    /// A table was let go.
    pub(super) fn debit(&mut self, fact: &Free) -> Debit {
        self.seen.freed = self.seen.freed.saturating_add(1);
        self.seen.freed_bytes += fact.bytes;
        if let Some(table) = self.placed.remove(fact.table) {
            let age = self.age(table);
            self.let_go(wide(table.bytes), age);
            return Debit::Known { age, same_size: table.bytes == fact.bytes };
        }
        for age in [Age::Old, Age::Current] {
            let pile = self.unplaced.as_mut().map(|piles| &mut piles[age as usize]);
            if let Some(bytes) = pile.and_then(|pile| pile.take(fact.bytes)) {
                self.let_go(bytes, age);
                return Debit::Known { age, same_size: true };
            }
        }
        // Its credit was not seen: it is entered together with the debit.
        self.balance.credited += wide(fact.bytes);
        self.balance.debited += wide(fact.bytes);
        Debit::Unknown
    }

    /// The tables that are held and whose address is remembered, each with its bytes.
    pub(super) fn placed(&self) -> impl Iterator<Item = (Address, Bytes)> {
        self.placed.all().into_iter().map(|(at, table)| (at, table.bytes))
    }

    /// A growth started: what is held becomes old.
    pub(super) fn grow(&mut self) {
        self.generation = self.generation.saturating_add(1);
        if let Some([current, old]) = self.unplaced.as_deref_mut() {
            old.tables = old.tables.saturating_add(current.tables);
            old.bytes += current.bytes;
            *current = Pile::default();
        }
        self.old = self.held;
        self.old_tables = self.tables();
    }

    /// The old tables are gone, and nobody saw them go.
    pub(super) fn write_off_old(&mut self) {
        let generation = self.generation;
        self.placed.retain(|table| table.generation == generation);
        if let Some([_, old]) = self.unplaced.as_deref_mut() {
            *old = Pile::default();
        }
        self.balance.debited += self.old;
        self.held -= self.old;
        (self.old, self.old_tables) = (0, 0);
    }

    /// The map is gone; what it still held went with it.
    pub(super) fn write_off(&mut self) {
        self.balance.debited += self.held;
        self.placed = Placed::default();
        self.unplaced = None;
        (self.held, self.old, self.old_tables) = (0, 0, 0);
    }

    /// Bytes of the tables that are held.
    pub(super) const fn held(&self) -> u128 {
        self.held
    }

    /// Of these, the old ones.
    pub(super) const fn old(&self) -> u128 {
        self.old
    }

    /// Whether a table of an older generation is held.
    pub(super) const fn holds_old(&self) -> bool {
        self.old_tables > 0
    }

    /// How many tables are held.
    pub(super) fn tables(&self) -> u64 {
        let unplaced = self
            .unplaced
            .iter()
            .flat_map(|piles| piles.iter())
            .fold(0, |sum: u64, pile| sum.saturating_add(pile.tables));
        unplaced.saturating_add(self.placed.len() as u64)
    }

    /// How many tables are remembered by address.
    pub(super) fn remembered(&self) -> usize {
        self.placed.len()
    }

    /// What was seen, for the report.
    pub(super) const fn seen(&self) -> Tables {
        self.seen
    }

    /// Both sides.
    pub(super) const fn balance(&self) -> Balance {
        self.balance
    }

    /// Whether every debit answers a credit.
    pub(super) const fn is_balanced(&self) -> bool {
        self.balance.credited == self.balance.debited + self.held && self.old <= self.held
    }

    const fn age(&self, table: Table) -> Age {
        if table.generation < self.generation { Age::Old } else { Age::Current }
    }

    fn let_go(&mut self, bytes: u128, age: Age) {
        self.balance.debited += bytes;
        self.held -= bytes;
        if age == Age::Old {
            self.old -= bytes;
            self.old_tables = self.old_tables.saturating_sub(1);
        }
    }
}

impl Pile {
    fn add(&mut self, bytes: Bytes) {
        self.tables = self.tables.saturating_add(1);
        self.bytes += wide(bytes);
    }

    /// Takes one table of that size out, if the pile can hold one. The last one takes the rest
    /// with it, so that an empty pile holds no bytes.
    fn take(&mut self, bytes: Bytes) -> Option<u128> {
        if self.tables == 0 || self.bytes < wide(bytes) {
            return None;
        }
        let taken = if self.tables == 1 { self.bytes } else { wide(bytes) };
        self.tables -= 1;
        self.bytes -= taken;
        Some(taken)
    }
}

fn wide(bytes: Bytes) -> u128 {
    u128::from(bytes.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    fn at(address: u64) -> Option<Address> {
        Some(Address(address))
    }

    #[test]
    fn a_growth_makes_what_is_held_old_until_it_is_let_go() {
        let mut ledger = Ledger::default();
        ledger.credit(&allocate(100), at(0x10));
        ledger.grow();
        ledger.credit(&allocate(200), at(0x20));
        assert_eq!((ledger.held(), ledger.old()), (300, 100));
        let debit = ledger.debit(&free(0x10, 100));
        assert_eq!(debit, Debit::Known { age: Age::Old, same_size: true });
        assert_eq!((ledger.held(), ledger.old(), ledger.holds_old()), (200, 0, false));
    }

    #[test]
    fn a_table_without_an_address_is_found_by_its_size() {
        let mut ledger = Ledger::default();
        ledger.credit(&allocate(100), None);
        ledger.grow();
        ledger.credit(&allocate(200), None);
        let debit = ledger.debit(&free(0x99, 100));
        assert_eq!(debit, Debit::Known { age: Age::Old, same_size: true });
        assert_eq!((ledger.held(), ledger.tables()), (200, 1));
    }

    #[test]
    fn a_credit_at_an_address_that_is_taken_writes_the_other_off() {
        let mut ledger = Ledger::default();
        ledger.credit(&allocate(100), at(0x10));
        assert_eq!(ledger.credit(&allocate(40), at(0x10)), Credit::InPlaceOfAnother);
        assert_eq!(ledger.held(), 40);
        assert!(ledger.is_balanced());
    }

    #[test]
    fn a_debit_without_a_credit_is_said_and_changes_nothing_held() {
        let mut ledger = Ledger::default();
        ledger.credit(&allocate(100), at(0x10));
        assert_eq!(ledger.debit(&free(0x30, 500)), Debit::Unknown);
        assert_eq!(ledger.held(), 100);
        assert_eq!(ledger.seen().freed_bytes, Bytes(500));
        assert!(ledger.is_balanced());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Credit(u64, Option<u64>),
        Debit(u64, u64),
        Grow,
        WriteOffOld,
        WriteOff,
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = prop_oneof![0_u64..100, Just(u64::MAX)];
        prop_oneof![
            4 => (size.clone(), prop::option::of(0_u64..6)).prop_map(|(b, t)| Step::Credit(b, t)),
            4 => (0_u64..6, size).prop_map(|(t, b)| Step::Debit(t, b)),
            2 => Just(Step::Grow),
            1 => Just(Step::WriteOffOld),
            1 => Just(Step::WriteOff),
        ]
    }

    proptest! {
        #[test]
        fn credits_are_debits_and_what_is_held(steps in prop::collection::vec(step(), 0..80)) {
            let mut ledger = Ledger::default();
            for step in steps {
                match step {
                    Step::Credit(bytes, place) => {
                        ledger.credit(&allocate(bytes), place.map(Address));
                    }
                    Step::Debit(table, bytes) => {
                        ledger.debit(&free(table, bytes));
                    }
                    Step::Grow => ledger.grow(),
                    Step::WriteOffOld => ledger.write_off_old(),
                    Step::WriteOff => ledger.write_off(),
                }
                prop_assert!(ledger.is_balanced());
                let placed = ledger.placed().map(|(_, bytes)| wide(bytes)).sum::<u128>();
                let unplaced = ledger.unplaced.iter().flat_map(|piles| piles.iter()).map(|pile| pile.bytes).sum::<u128>();
                prop_assert_eq!(placed + unplaced, ledger.held());
                let old: Vec<_> =
                    ledger.placed.all();
                let pile = ledger.unplaced.as_ref().map_or(Pile::default(), |piles| piles[Age::Old as usize]);
                let old: Vec<_> = old.iter().filter(|(_, table)| table.generation < ledger.generation).collect();
                let old_bytes = old.iter().map(|(_, table)| wide(table.bytes)).sum::<u128>();
                prop_assert_eq!(old_bytes + pile.bytes, ledger.old());
                prop_assert_eq!(old.len() as u64 + pile.tables > 0, ledger.holds_old());
            }
        }
    }
}
