//! RSS explained row by row. What no row explains is the last row, so the rows always add up.
//!
//! A managed heap is told by its runtime's own counters, and not all that they count need be in RAM. So
//! each row is at most what is left of RSS; what the counters say beyond it is `Ladder::beyond`.

use super::collector::Kept;
use super::memory::Memory;
use super::report::{Map, Population, Rung};
use super::unit::Bytes;

/// The last row.
pub const UNEXPLAINED: &str = "unexplained";

/// RSS, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ladder {
    /// The rows; none while RSS is not known.
    pub(super) rungs: Vec<Rung>,
    /// What the heap's counters say beyond what is left of RSS: it is not in RAM.
    pub(super) beyond: Bytes,
}

/// What maps hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Those that something leads to, or may.
    by_live: Bytes,
    /// Those that wait for the collector.
    by_dead: Bytes,
}

impl Held {
    /// By all maps of a report.
    pub(super) fn by(maps: &[Map], populations: &[Population]) -> Self {
        let listed = maps.iter().map(|map| (map.reachable, map.bytes.allocated.unwrap_or_default()));
        let folded = populations.iter().map(|row| (row.reachable, row.bytes.allocated));
        listed.chain(folded).fold(Self::default(), |sum, (reachable, bytes)| match reachable {
            Some(false) => Self { by_dead: sum.by_dead + bytes, ..sum },
            _ => Self { by_live: sum.by_live + bytes, ..sum },
        })
    }
}

/// The rows for the last RSS known. Where there is no managed heap, nothing tells how much of the maps
/// is in RAM, and they have no row.
pub(super) fn ladder(memory: &Memory, heap: Option<Kept>, maps: Held) -> Ladder {
    let Some(rest) = memory.rss().last else { return Ladder::default() };
    let mut climb = Climb { rest, ladder: Ladder::default() };
    climb.row("file pages", memory.file());
    climb.row("shared memory", memory.shmem());
    climb.ladder.beyond = Bytes(0);
    if let Some(heap) = heap {
        climb.heap(heap, maps);
    }
    climb.ladder.rungs.push(rung(UNEXPLAINED, climb.rest));
    climb.ladder
}

/// On the way down.
struct Climb {
    rest: Bytes,
    ladder: Ladder,
}

impl Climb {
    /// A row cannot explain more than there is: members are not read at the same instant.
    fn row(&mut self, name: &str, bytes: Option<Bytes>) {
        let Some(bytes) = bytes else { return };
        let in_ram = bytes.min(self.rest);
        self.ladder.beyond += bytes.less(in_ram);
        self.rest = self.rest.less(in_ram);
        self.ladder.rungs.push(rung(name, in_ram));
    }

    /// What is in use is there for maps first. They were counted at another moment than the heap, so
    /// together they are no more than it.
    fn heap(&mut self, heap: Kept, maps: Held) {
        if let Some(in_use) = heap.in_use {
            let by_live = maps.by_live.min(in_use);
            let by_dead = maps.by_dead.min(in_use.less(by_live));
            self.row("maps", Some(by_live));
            self.row("maps that nothing refers to", Some(by_dead).filter(|dead| *dead > Bytes(0)));
            self.row("heap in use, not maps", Some(in_use.less(by_live).less(by_dead)));
        }
        self.row("heap free, kept", heap.free);
        self.row("stacks", heap.stacks);
    }
}

fn rung(name: &str, bytes: Bytes) -> Rung {
    Rung { name: name.to_owned(), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact;
    use crate::audit::unit::Nanos;

    fn memory(anon: u64) -> Memory {
        let mut memory = Memory::default();
        let seen =
            fact::Memory { anon: Bytes(anon), file: Bytes(20), shmem: Bytes(3), ..fact::Memory::default() };
        memory.read(Nanos(1), &seen, false);
        memory
    }

    fn heap(in_use: u64) -> Kept {
        Kept { in_use: Some(Bytes(in_use)), free: Some(Bytes(30)), stacks: Some(Bytes(10)) }
    }

    fn shown(ladder: &Ladder) -> Vec<(&str, u64)> {
        ladder.rungs.iter().map(|rung| (rung.name.as_str(), rung.bytes.0)).collect()
    }

    const MAPS: Held = Held { by_live: Bytes(100), by_dead: Bytes(50) };

    #[test]
    fn no_reading_gives_no_row() {
        assert_eq!(ladder(&Memory::default(), Some(heap(5)), MAPS), Ladder::default());
    }

    #[test]
    fn the_rows_add_up_to_the_last_rss() {
        let rows = ladder(&memory(7), None, MAPS);
        assert_eq!(shown(&rows), [("file pages", 20), ("shared memory", 3), (UNEXPLAINED, 7)]);
    }

    #[test]
    fn a_heap_that_tells_of_itself_is_told_apart_from_its_maps() {
        let rows = ladder(&memory(300), Some(heap(200)), MAPS);
        let expected = [
            ("file pages", 20),
            ("shared memory", 3),
            ("maps", 100),
            ("maps that nothing refers to", 50),
            ("heap in use, not maps", 50),
            ("heap free, kept", 30),
            ("stacks", 10),
            (UNEXPLAINED, 60),
        ];
        assert_eq!((shown(&rows).as_slice(), rows.beyond), (expected.as_slice(), Bytes(0)));
    }

    #[test]
    fn what_the_heap_counts_beyond_rss_is_not_in_ram_and_no_row_is_negative() {
        let rows = ladder(&memory(120), Some(heap(200)), MAPS);
        let sum: u64 = rows.rungs.iter().map(|rung| rung.bytes.0).sum();
        assert_eq!((sum, rows.beyond), (143, Bytes(120)));
        assert_eq!(rows.rungs.last().unwrap().bytes, Bytes(0));
    }

    #[test]
    fn maps_that_were_counted_when_the_heap_was_larger_are_no_more_than_it() {
        let rows = ladder(&memory(1000), Some(heap(120)), MAPS);
        assert!(shown(&rows).contains(&("maps", 100)));
        assert!(shown(&rows).contains(&("maps that nothing refers to", 20)));
        assert!(shown(&rows).contains(&("heap in use, not maps", 0)));
    }
}
