//! What recognising maps needs: the heap, the types, memory; and what it tells.

use super::bucket::Walks;
use super::gather::Gather;
use super::heap::{Heap, Object, Typing};
use super::types::{Guess, MapTypes};
use crate::audit::fact::Shape;
use crate::audit::unit::Address;

/// A map that was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Where its header is.
    pub at: Address,
    /// Its seed, which another map at the same place does not share.
    pub seed: u64,
    /// What it looked like.
    pub shape: Shape,
    /// The types it may be of.
    pub guess: Guess,
    /// Whether tables lie between the header and the entries (Swiss maps of more than eight).
    pub has_tables: bool,
    /// Whether its overflow was not counted but is what the map itself believes.
    pub is_estimate: bool,
}

/// How objects are looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// As the heap was when it was read.
    Snapshot,
    /// As it is now.
    Live,
}

/// What recognising needs.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The heap.
    pub heap: &'a Heap,
    /// The program's map types.
    pub types: &'a mut MapTypes,
    /// Its memory.
    pub gather: Gather<'a>,
    /// How objects are looked up.
    pub lookup: Lookup,
    /// Bytes that may still be read to count overflow buckets.
    pub walk: u64,
    /// What counting them came to before.
    pub walks: &'a mut Walks,
}

impl Reader<'_> {
    /// The objects whose values begin at addresses; `None`: none does.
    pub fn objects_with_data_at(&self, all: &[u64]) -> Vec<Option<Object>> {
        let objects = self.objects(all);
        let at_begin = |(object, at): (Option<Object>, &u64)| object.filter(|object| object.data() == *at);
        objects.into_iter().zip(all).map(at_begin).collect()
    }

    /// The objects that hold addresses.
    pub fn objects(&self, all: &[u64]) -> Vec<Option<Object>> {
        match self.lookup {
            Lookup::Snapshot => all.iter().map(|at| self.heap.object(Address(*at))).collect(),
            Lookup::Live => {
                let all: Vec<Address> = all.iter().map(|at| Address(*at)).collect();
                self.heap.live_objects(&all, self.gather.memory())
            }
        }
    }

    /// Bytes of the object that a bucket beside an array is. An object that was not there yet when the heap was
    /// read would have the size of what was there then.
    #[must_use]
    pub fn bucket_object(&self, bucket_size: Option<u64>, is_pointer_free: bool) -> Option<u64> {
        self.types.costs().sizes.object(bucket_size?, is_pointer_free)
    }

    /// The types a map may be of by an object that holds its groups or buckets: `word` is the object's first
    /// one, where its type may be; `count` as in [`MapTypes::of_size`]. A type that is not the program's,
    /// but made while it ran, is not known.
    pub fn guess(&mut self, object: &Object, word: Option<u64>, count: u64) -> Guess {
        let of = match object.typing {
            Typing::None => return self.types.of_size(object.size, object.is_pointer_free, count),
            Typing::FirstWord => word,
            Typing::Span(at) => Some(at.0),
        };
        of.and_then(|at| self.types.of_bucket(Address(at))).unwrap_or_default()
    }
}
