//! The mappings made last: which of them gave a table its memory. The kernel ends the mmap before
//! the call that asked for the table returns, so a short memory is enough.

use std::collections::VecDeque;

use super::unit::{Address, Bytes, Nanos};

/// How many mappings are remembered.
const MOST: usize = 256;

/// The mappings made last.
#[derive(Clone, Debug, Default)]
pub(super) struct Mmaps {
    recent: VecDeque<Mapping>,
}

/// One that has not been given to a table yet.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    at: Nanos,
    range: Range,
}

/// Addresses from the first to the last byte.
#[derive(Clone, Copy, Debug)]
struct Range {
    first: u64,
    last: u64,
}

/// What mmap gave to a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// Bytes of the mappings.
    pub(super) bytes: Bytes,
    /// When the first of them was made.
    pub(super) first: Nanos,
}

impl Mmaps {
    /// A mapping was made.
    pub(super) fn made(&mut self, at: Nanos, address: Address, bytes: Bytes) {
        let Some(range) = Range::of(address, bytes) else { return };
        if self.recent.len() == MOST {
            self.recent.pop_front();
        }
        self.recent.push_back(Mapping { at, range });
    }

    /// Takes the mappings made from `from` to `until` that cover a table or lie in it. Each is given
    /// once.
    pub(super) fn give(&mut self, from: Nanos, until: Nanos, table: Address, bytes: Bytes) -> Option<Given> {
        let table = Range::of(table, bytes)?;
        let mut given: Option<Given> = None;
        self.recent.retain(|mapping| {
            let fits = (from..=until).contains(&mapping.at)
                && (mapping.range.covers(table) || table.covers(mapping.range));
            if fits {
                let so_far = given.get_or_insert(Given { bytes: Bytes(0), first: mapping.at });
                so_far.bytes += mapping.range.bytes();
                so_far.first = so_far.first.min(mapping.at);
            }
            !fits
        });
        given
    }
}

impl Range {
    fn of(address: Address, bytes: Bytes) -> Option<Self> {
        let last = address.0.checked_add(bytes.0.checked_sub(1)?)?;
        Some(Self { first: address.0, last })
    }

    const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    const fn bytes(self) -> Bytes {
        Bytes((self.last - self.first).saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Address = Address(0x1_0010);

    fn give(mmaps: &mut Mmaps) -> Option<Given> {
        mmaps.give(Nanos(10), Nanos(20), TABLE, Bytes(0x3000))
    }

    #[test]
    fn a_mapping_around_the_table_is_given_once() {
        let mut mmaps = Mmaps::default();
        mmaps.made(Nanos(15), Address(0x1_0000), Bytes(0x4000));
        assert_eq!(give(&mut mmaps), Some(Given { bytes: Bytes(0x4000), first: Nanos(15) }));
        assert_eq!(give(&mut mmaps), None);
    }

    #[test]
    fn mappings_inside_the_table_add_up() {
        let mut mmaps = Mmaps::default();
        mmaps.made(Nanos(12), Address(0x1_1000), Bytes(0x1000));
        mmaps.made(Nanos(11), Address(0x1_2000), Bytes(0x1000));
        assert_eq!(give(&mut mmaps), Some(Given { bytes: Bytes(0x2000), first: Nanos(11) }));
    }

    #[test]
    fn neither_another_time_nor_another_place_counts() {
        let mut mmaps = Mmaps::default();
        mmaps.made(Nanos(9), Address(0x1_0000), Bytes(0x4000));
        mmaps.made(Nanos(21), Address(0x1_0000), Bytes(0x4000));
        mmaps.made(Nanos(15), Address(0x9_0000), Bytes(0x4000));
        mmaps.made(Nanos(15), Address(0x1_2000), Bytes(0x4000));
        assert_eq!(give(&mut mmaps), None);
    }

    #[test]
    fn ranges_at_the_end_of_the_address_space_do_no_harm() {
        let mut mmaps = Mmaps::default();
        mmaps.made(Nanos(15), Address(0), Bytes(u64::MAX));
        mmaps.made(Nanos(15), Address(u64::MAX), Bytes(u64::MAX));
        mmaps.made(Nanos(15), Address(7), Bytes(0));
        assert_eq!(give(&mut mmaps), Some(Given { bytes: Bytes(u64::MAX), first: Nanos(15) }));
    }

    #[test]
    fn only_the_youngest_are_remembered() {
        let mut mmaps = Mmaps::default();
        mmaps.made(Nanos(15), Address(0x1_0000), Bytes(0x4000));
        for page in 0..MOST as u64 {
            mmaps.made(Nanos(15), Address(0x100_0000 + page * 0x1000), Bytes(0x1000));
        }
        assert_eq!(give(&mut mmaps), None);
    }
}
