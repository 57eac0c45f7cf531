//! What walking the chains of large maps came to, so that a poll need not walk them again while nothing
//! shows that they have changed.

use std::collections::BTreeMap;

use super::Header;
use super::overflow::Overflow;

/// Maps whose walks are remembered. At about 150 bytes each they take 600 KiB.
const MOST: usize = 4096;

/// Walks, by the address of the map.
#[derive(Clone, Debug, Default)]
pub struct Walks {
    known: BTreeMap<u64, (State, Overflow)>,
}

/// What changes when chains do. Entries that take the place of others may lengthen one chain and leave all of
/// this as it is, until the next census walks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    buckets: u64,
    old: u64,
    moved: u64,
    overflow: u16,
    count: u64,
}

impl State {
    const fn of(header: &Header) -> Self {
        let Header { buckets, old, moved, overflow, count, .. } = *header;
        Self { buckets, old, moved, overflow, count }
    }
}

impl Walks {
    /// A census begins: it walks again.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Adds what was walked in another part of the heap.
    pub fn take_over(&mut self, other: Self) {
        let room = MOST.saturating_sub(self.known.len());
        self.known.extend(other.known.into_iter().take(room));
    }

    /// What the last walk came to, if the map is as it was.
    pub(super) fn get(&self, header: &Header) -> Option<Overflow> {
        let (state, overflow) = self.known.get(&header.at)?;
        (*state == State::of(header)).then_some(*overflow)
    }

    /// A map was walked.
    pub(super) fn put(&mut self, header: &Header, overflow: Overflow) {
        if self.known.len() < MOST || self.known.contains_key(&header.at) {
            self.known.insert(header.at, (State::of(header), overflow));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_are_remembered_of_so_many_maps_and_no_more() {
        let mut walks = Walks::default();
        let header = |at| Header { at, count: 5, ..Header::default() };
        (0..MOST as u64 + 9).for_each(|at| walks.put(&header(at), Overflow::default()));
        assert_eq!(walks.known.len(), MOST);
        assert_eq!(walks.get(&header(7)), Some(Overflow::default()));
        assert_eq!(walks.get(&Header { count: 6, ..header(7) }), None);
        walks.clear();
        assert_eq!(walks.get(&header(7)), None);
    }
}
