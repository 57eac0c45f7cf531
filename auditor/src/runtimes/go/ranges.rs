//! Where the memory of a Go map is: the objects that its header leads to, as they are now, each with what its
//! size class rounds it to. Overflow buckets beside the arrays are left out, and so are keys and elements behind
//! pointers.

use super::cost::{Costs, TABLE};
use super::gather::{Gather, Piece};
use super::heap::{Heap, Object};
use super::{Kind, bucket, swiss};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::ranges::{MOST, Ranges};
use crate::target::memory::Memory;

/// Entries of a directory that are read at once.
const PIECE: u64 = 1 << 12;

/// The ranges of a map by the bytes at its address; `None`: they are none's, something that they lead to is no
/// object (it is being changed, or the header is stale), or there are too many.
pub fn ranges(
    heap: &Heap,
    costs: &Costs,
    (map, header): (Address, &[u8]),
    memory: &dyn Memory,
) -> Option<Ranges> {
    let objects = Objects { heap, memory };
    // A header on a stack is no object.
    let own = objects.at(&[map.0]).into_iter().flatten().next().unwrap_or((map, Bytes(costs.header)));
    let mut ranges = match costs.kind {
        Kind::Bucket => classic(&objects, bucket::places(header, costs.header)?)?,
        Kind::Swiss => of_tables(&objects, swiss::place(header)?)?,
    };
    ranges.rest.push(own);
    Some(ranges)
}

/// The objects of a heap, as they are now.
struct Objects<'a> {
    heap: &'a Heap,
    memory: &'a dyn Memory,
}

impl Objects<'_> {
    /// The objects whose values begin at addresses.
    fn at(&self, places: &[u64]) -> Vec<Option<(Address, Bytes)>> {
        let places: Vec<Address> = places.iter().map(|at| Address(*at)).collect();
        let objects = self.heap.live_objects(&places, self.memory);
        let begins = |(object, at): (Option<Object>, &Address)| {
            object.filter(|object| object.data() == at.0).map(|object| (object.base, Bytes(object.size)))
        };
        objects.into_iter().zip(&places).map(begins).collect()
    }

    /// The same, where there has to be one at each.
    fn all_at(&self, places: &[u64]) -> Option<Vec<(Address, Bytes)>> {
        self.at(places).into_iter().collect()
    }

    /// The same of places where 0 stands for none.
    fn any_at(&self, place: u64) -> Option<Vec<(Address, Bytes)>> {
        if place == 0 { Some(Vec::new()) } else { self.all_at(&[place]) }
    }
}

fn classic(objects: &Objects<'_>, [buckets, old, extra]: [u64; 3]) -> Option<Ranges> {
    let (current, old) = (objects.any_at(buckets)?, objects.any_at(old)?);
    Some(Ranges { current, old, rest: objects.any_at(extra)? })
}

/// Of one group, or of tables in a directory.
fn of_tables(objects: &Objects<'_>, (place, listed): (u64, u64)) -> Option<Ranges> {
    if listed == 0 {
        return Some(Ranges { current: objects.any_at(place)?, ..Ranges::default() });
    }
    let mut gather = Gather::new(objects.memory);
    let tables = directory(&mut gather, place, listed)?;
    let pieces: Vec<Piece> = tables.iter().map(|at| Piece { at: *at, len: TABLE as u32 }).collect();
    let mut groups = vec![None; pieces.len()];
    gather.pieces(&pieces, &mut |number, bytes| {
        groups.get_mut(number).into_iter().for_each(|into| *into = bytes.and_then(swiss::groups));
    });
    let groups: Vec<u64> = groups.into_iter().collect::<Option<_>>()?;
    let mut rest = objects.all_at(&[place])?;
    rest.extend(objects.all_at(&tables)?);
    Some(Ranges { current: objects.all_at(&groups)?, old: Vec::new(), rest })
}

/// The tables that a directory lists, each once: those that split less often are listed several times in a row.
fn directory(gather: &mut Gather<'_>, at: u64, listed: u64) -> Option<Vec<u64>> {
    if listed > MOST as u64 {
        return None;
    }
    let piece = |first: u64| {
        let len = 8 * (listed - first).min(PIECE);
        Some(Piece { at: at.checked_add(8 * first)?, len: len as u32 })
    };
    let pieces: Vec<Piece> = (0..listed).step_by(PIECE as usize).map(piece).collect::<Option<_>>()?;
    let mut tables = Vec::new();
    let mut is_whole = true;
    gather.pieces(&pieces, &mut |_, bytes| {
        is_whole &= bytes.is_some();
        let words = bytes.unwrap_or_default().as_chunks().0;
        tables.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
    });
    tables.dedup();
    // Each has a header and groups.
    (is_whole && tables.len() <= MOST / 2).then_some(tables)
}

#[cfg(test)]
mod tests {
    use super::super::made::{Made, bucket_type};
    use super::*;
    use crate::target::go::Release;

    const SEED: u64 = 0x9876_5432_10ab_cdef;

    fn found(made: &Made, kind: Kind, minor: u32, map: u64) -> Option<Ranges> {
        let memory = made.memory();
        let heap = Heap::read(made.place(), &memory).unwrap();
        let costs = Costs::of(Release { major: 1, minor }, kind);
        let mut header = vec![0; costs.header as usize];
        memory.read(Address(map), &mut header).unwrap();
        ranges(&heap, &costs, (Address(map), &header), &memory)
    }

    fn range(at: u64, len: u64) -> (Address, Bytes) {
        (Address(at), Bytes(len))
    }

    #[test]
    fn a_swiss_map_is_in_the_groups_of_its_tables_each_once() {
        let mut made = Made::new(27);
        let groups: Vec<u64> = (0..3).map(|_| made.object(128 * 136, true, bucket_type(1))).collect();
        let tables: Vec<u64> = (0..3).map(|_| made.object(32, false, 0)).collect();
        for (table, groups) in tables.iter().zip(&groups) {
            made.words(*table, &[100 | 1024 << 16 | 700 << 32 | 1 << 48, 0, *groups, 127]);
        }
        let directory = made.object(32, false, 0);
        made.words(directory, &[tables[0], tables[0], tables[1], tables[2]]);
        let map = made.object(48, false, 0);
        made.words(map, &[300, SEED, directory, 4, 62 << 8 | 2, 0]);
        let ranges = found(&made, Kind::Swiss, 27, map).unwrap();
        let size = ranges.current[0].1.0;
        assert!(size >= 128 * 136, "{size}");
        assert_eq!(ranges.current, groups.iter().map(|at| range(*at, size)).collect::<Vec<_>>());
        let mut rest = vec![range(directory, 32)];
        rest.extend(tables.iter().map(|at| range(*at, 32)));
        rest.push(range(map, 48));
        assert_eq!((ranges.rest, ranges.old), (rest, Vec::new()));
        made.words(tables[1], &[0, 0, 0, 0]);
        assert_eq!(found(&made, Kind::Swiss, 27, map), None, "a table that is none");
    }

    #[test]
    fn a_classic_map_is_in_its_arrays_and_its_lists() {
        let mut made = Made::new(23);
        let (buckets, old) = (made.object(2688, true, 0), made.object(1152, true, 0));
        let extra = made.object(24, false, 0);
        let map = made.object(48, false, 0);
        made.words(map, &[60, 4 << 8 | 0x1234_5678 << 32, buckets, old, 3, extra]);
        let ranges = found(&made, Kind::Bucket, 23, map).unwrap();
        assert_eq!((ranges.current, ranges.old), (vec![range(buckets, 2688)], vec![range(old, 1152)]));
        assert_eq!(ranges.rest, [range(extra, 24), range(map, 48)]);
        made.words(map, &[60, 4 << 8 | 0x1234_5678 << 32, buckets + 8, 0, 0, 0]);
        assert_eq!(found(&made, Kind::Bucket, 23, map), None, "where no object begins");
    }

    #[test]
    fn a_directory_that_claims_too_much_is_not_followed() {
        let mut made = Made::new(27);
        let directory = made.object(32, false, 0);
        let map = made.object(48, false, 0);
        made.words(map, &[300, SEED, directory, 1 << 20, (64 - 20) << 8 | 20, 0]);
        assert_eq!(found(&made, Kind::Swiss, 27, map), None);
    }
}
