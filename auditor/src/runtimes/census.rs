//! What a look over a whole process asks for and finds. No probe, no stop: memory is read, that is all.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::audit::fact::{Crowd, Described, Heap, Shape};
use crate::audit::unit::{Address, Bytes};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Maps, by address.
    pub maps: Vec<Found>,
    /// What the others come to; `None`: there are no others.
    pub crowds: Option<Vec<Crowd>>,
    /// The managed heap, where there is one.
    pub heap: Option<Heap>,
    /// What the reader of a report should know about what was not seen, in words.
    pub notes: Vec<String>,
    /// Maps so far that the first census of this instance did not find and a later one did; `None`: this is
    /// the first, or not known.
    pub born: Option<u64>,
    /// How much of the target's memory was read.
    pub read: Bytes,
}

/// Most kinds of crowds that are told apart, and most bytes of their types and owners: all crowds are one fact,
/// and one fact has to fit into a frame of a recording, of 4 MiB.
const MOST_CROWDS: usize = 4096;
const MOST_TEXT: usize = 2 << 20;

/// One map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub map: Address,
    /// What it looked like; `None`: [`super::Instance::look`] can tell from the bytes there.
    pub shape: Option<Shape>,
    /// Who it is, where more is known than the address.
    pub described: Option<Described>,
    /// Whether the first census of this instance did not find it, nor any other small map that lives there
    /// since.
    pub is_new: bool,
}

impl Census {
    /// A census that knows where the maps are and no more.
    #[must_use]
    pub fn of(maps: impl IntoIterator<Item = Address>) -> Self {
        let found = |map| Found { map, shape: None, described: None, is_new: false };
        Self { maps: maps.into_iter().map(found).collect(), ..Self::default() }
    }

    /// Keeps the crowds that hold most, as far as one fact has room for them. The others are added up without
    /// type and owner, by runtime, and a note says how many kinds they were.
    pub fn bound_crowds(&mut self) {
        let Some(crowds) = &mut self.crowds else { return };
        crowds.sort_by_key(|crowd| Reverse(crowd.allocated));
        let (mut kinds, mut bytes) = (0, 0_usize);
        let has_room = |crowd: &Crowd| {
            let texts = [&crowd.type_name, &crowd.owner].into_iter().flatten();
            let size = texts.map(String::len).sum::<usize>() + crowd.runtime.len();
            let has_room = kinds < MOST_CROWDS && bytes + size <= MOST_TEXT;
            (kinds, bytes) = if has_room { (kinds + 1, bytes + size) } else { (kinds, bytes) };
            has_room
        };
        let (kept, others): (Vec<Crowd>, Vec<Crowd>) = std::mem::take(crowds).into_iter().partition(has_room);
        *crowds = kept;
        if others.is_empty() {
            return;
        }
        self.notes.push(format!("{} kinds of small maps are not told apart: too many", others.len()));
        let mut rest = BTreeMap::<String, Crowd>::new();
        for other in others {
            match rest.get_mut(&other.runtime) {
                Some(sum) => add(sum, &other),
                None => _ = rest.insert(other.runtime.clone(), unnamed(other)),
            }
        }
        crowds.extend(rest.into_values());
    }
}

/// A crowd of which no more is told than the runtime.
fn unnamed(crowd: Crowd) -> Crowd {
    Crowd { type_name: None, owner: None, reachable: None, ..crowd }
}

/// Adds the maps of one crowd to another's, whose type and owner it keeps.
pub fn add(sum: &mut Crowd, other: &Crowd) {
    let both = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
    sum.maps = sum.maps.saturating_add(other.maps);
    sum.live = sum.live.saturating_add(other.live);
    sum.capacity = sum.capacity.saturating_add(other.capacity);
    sum.allocated += other.allocated;
    sum.needed = sum.needed.zip(other.needed).map(|(one, other)| one + other);
    sum.near_empty = sum.near_empty.saturating_add(other.near_empty);
    sum.over_presized = both(sum.over_presized, other.over_presized);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn census(kinds: u64, text: usize) -> Census {
        let crowd = |number: u64| Crowd {
            runtime: "go_swiss".to_owned(),
            type_name: Some("t".repeat(text)),
            maps: 2,
            allocated: Bytes(number),
            over_presized: Some(1),
            ..Crowd::default()
        };
        let mut census = Census { crowds: Some((0..kinds).map(crowd).collect()), ..Census::default() };
        census.bound_crowds();
        census
    }

    #[test]
    fn crowds_fit_into_a_frame_and_the_others_are_one_that_loses_no_map() {
        for (kinds, text, kept) in [(5000, 8, 4096), (100, 100_000, 20), (3, 3 << 20, 0)] {
            let Census { crowds, notes, .. } = census(kinds, text);
            let crowds = crowds.unwrap();
            assert_eq!((crowds.len(), crowds.iter().map(|crowd| crowd.maps).sum()), (kept + 1, 2 * kinds));
            let rest = crowds.last().unwrap();
            assert_eq!((&rest.type_name, rest.over_presized), (&None, Some(kinds - kept as u64)));
            assert_eq!(
                notes,
                [format!("{} kinds of small maps are not told apart: too many", kinds - kept as u64)]
            );
            let largest =
                crowds.iter().filter(|crowd| crowd.type_name.is_some()).map(|crowd| crowd.allocated);
            assert!(largest.max().is_none_or(|largest| largest == Bytes(kinds - 1)));
            let fact = postcard::to_stdvec(&crate::audit::fact::What::Crowds(crowds)).unwrap();
            assert!(fact.len() < 4 << 20, "{}", fact.len());
        }
        assert_eq!(census(4096, 8).notes, Vec::<String>::new());
    }
}
