//! Which type a map is of: by what its table says, or by the sizes of its tables.

use std::array;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::Kind;
use super::cost::Costs;
use crate::audit::fact::{Next, Sizes, SizesId};
use crate::audit::unit::{Address, Bytes};
use crate::target::go::types::{MapType, Types};

/// Most types that are named where one cannot be told.
pub const NAMED: usize = 8;
/// Most sizes of tables that are remembered, most sets of types, and most types in all of them. A program with
/// a thousand map types has 8,000 and 40,000 sizes; beyond that nothing is known of the type.
const MOST_SIZES: usize = 1 << 16;
const MOST_SETS: usize = 1 << 16;
const MOST_MEMBERS: usize = 1 << 21;
/// Maps of fewer entries are the most by far: what they need is computed once a type.
const FEW: usize = 32;
/// How many map types all unnamed ones begin with.
const UNNAMED: &str = "map[";

/// What counts of a map type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Where it is described.
    pub at: Address,
    /// Where its buckets or groups are.
    pub bucket: Address,
    /// Bytes of a bucket or group.
    pub bucket_size: u64,
    /// Whether these hold no pointers.
    pub is_pointer_free: bool,
    /// Bytes of the objects that each entry has behind pointers: keys and elements too large for a slot.
    pub behind: u64,
}

/// The types that a map may be of, by number. The same set has the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guess(u32);

impl Guess {
    /// As another one numbers it, by the numbers of [`MapTypes::take_over`].
    #[must_use]
    pub fn renumbered(self, numbers: &[Self]) -> Self {
        numbers.get(self.0 as usize).copied().unwrap_or_default()
    }
}

/// Types that a map may be of, and what every map of them asks for.
#[derive(Clone, Debug)]
struct Set {
    /// As places among the known ones.
    numbers: Vec<u32>,
    /// Where they are described.
    places: Vec<Address>,
    /// One of them, where all are alike in all that counts, or in their tables alone.
    common: Option<u32>,
    common_table: Option<u32>,
}

impl Set {
    fn of(numbers: Vec<u32>, known: &[Known]) -> Self {
        let all: Vec<&Known> = numbers.iter().filter_map(|number| known.get(*number as usize)).collect();
        let are_alike = |what: &dyn Fn(&Known) -> (u64, bool, u64)| {
            let is_so = all.windows(2).all(|two| matches!(two, [one, other] if what(one) == what(other)));
            numbers.first().copied().filter(|_| is_so)
        };
        Self {
            places: all.iter().map(|known| known.at).collect(),
            common: are_alike(&|known| (known.bucket_size, known.is_pointer_free, known.behind)),
            common_table: are_alike(&|known| (known.bucket_size, known.is_pointer_free, 0)),
            numbers,
        }
    }
}

/// What a map of fewer than [`FEW`] entries needs, by their number; empty until one asks.
type Needs = OnceLock<Box<[Option<Bytes>; FEW]>>;

/// A table as the heap shows it: bytes of its object, whether that holds no pointers, and how many groups, or
/// buckets as a power of two, are in it.
type Sized = (u64, bool, u64);

/// The map types of a program.
#[derive(Clone, Debug)]
pub struct MapTypes {
    types: Arc<Types>,
    costs: Costs,
    known: Vec<Known>,
    /// For each of these.
    needs: Vec<Needs>,
    by_bucket: BTreeMap<Address, Guess>,
    by_size: FxHashMap<Sized, Guess>,
    numbers: BTreeMap<Vec<u32>, Guess>,
    sets: Vec<Set>,
    /// Of all sets together.
    members: usize,
}

impl MapTypes {
    /// Those of a program.
    #[must_use]
    pub fn new(types: Types, costs: Costs) -> Self {
        let known: Vec<Known> = types.maps().iter().map(|map| known(map, &types, &costs)).collect();
        let mut all = Self {
            types: Arc::new(types),
            costs,
            needs: vec![Needs::new(); known.len()],
            known,
            by_bucket: BTreeMap::new(),
            by_size: FxHashMap::default(),
            numbers: BTreeMap::new(),
            sets: Vec::new(),
            members: 0,
        };
        // The empty set is the first one: nothing is known.
        let nothing = all.number(Vec::new());
        debug_assert_eq!(nothing, Guess::default());
        let mut by_bucket = BTreeMap::<Address, Vec<u32>>::new();
        for (number, known) in (0..).zip(&all.known) {
            by_bucket.entry(known.bucket).or_default().push(number);
        }
        all.by_bucket = by_bucket.into_iter().map(|(bucket, set)| (bucket, all.number(set))).collect();
        all
    }

    /// The types themselves.
    #[must_use]
    pub fn types(&self) -> &Types {
        &self.types
    }

    /// How the release makes maps.
    #[must_use]
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// Maps whose buckets or groups are of that type. A named type shares them with what it is made of.
    #[must_use]
    pub fn of_bucket(&self, bucket: Address) -> Option<Guess> {
        self.by_bucket.get(&bucket).copied()
    }

    /// The map type described at an address.
    #[must_use]
    pub fn at(&self, at: Address) -> Option<&Known> {
        let number = self.known.binary_search_by_key(&at, |known| known.at).ok()?;
        self.known.get(number)
    }

    /// Maps that have a table of so many bytes for so many groups, or for 2^`count` buckets.
    pub fn of_size(&mut self, bytes: u64, is_pointer_free: bool, count: u64) -> Guess {
        let key = (bytes, is_pointer_free, count);
        if let Some(guess) = self.by_size.get(&key) {
            return *guess;
        }
        if self.by_size.len() >= MOST_SIZES {
            return Guess::default();
        }
        let table = |known: &Known| match self.costs.kind {
            Kind::Swiss => self.costs.groups(known, count),
            Kind::Bucket => self.costs.bucket_array(known, u32::try_from(count).ok()?),
        };
        let fits = |known: &Known| known.is_pointer_free == is_pointer_free && table(known) == Some(bytes);
        let set = (0..).zip(&self.known).filter(|(_, known)| fits(known)).map(|(number, _)| number).collect();
        let guess = self.number(set);
        self.by_size.insert(key, guess);
        guess
    }

    /// The types in both sets.
    pub fn both(&mut self, one: Guess, other: Guess) -> Guess {
        if one == other {
            return one;
        }
        let set = self.set(one).iter().filter(|number| self.set(other).contains(number)).copied().collect();
        self.number(set)
    }

    /// Takes over the sets that a clone has found since, and answers which number each of its sets has here. They are
    /// numbered as if they had been found here.
    pub fn take_over(&mut self, clone: Self) -> Vec<Guess> {
        let numbers = clone.sets.into_iter().map(|set| self.number(set.numbers)).collect::<Vec<Guess>>();
        let mut sizes: Vec<(Sized, Guess)> = clone.by_size.into_iter().collect();
        sizes.sort_unstable();
        for (size, guess) in sizes {
            if self.by_size.len() < MOST_SIZES {
                self.by_size.entry(size).or_insert(guess.renumbered(&numbers));
            }
        }
        numbers
    }

    /// What all types of a set have in common; `None`: they differ in what counts, or there is none.
    #[must_use]
    pub fn common(&self, guess: Guess) -> Option<&Known> {
        self.known.get(self.sets.get(guess.0 as usize)?.common? as usize)
    }

    /// A type whose tables are as large as those of all types of a set, whatever their entries have behind
    /// pointers; `None`: their tables differ, or there is no type.
    #[must_use]
    pub fn common_table(&self, guess: Guess) -> Option<&Known> {
        self.known.get(self.sets.get(guess.0 as usize)?.common_table? as usize)
    }

    /// What a map of any of these types would need for so many entries, just rebuilt; `None`: it depends on
    /// which of them it is.
    #[must_use]
    pub fn needed(&self, guess: Guess, live: u64) -> Option<Bytes> {
        match self.sets.get(guess.0 as usize)?.common {
            Some(number) => self.needed_of(SizesId(number), live),
            None => (live == 0).then(|| Bytes(self.costs.header_object())),
        }
    }

    /// The same of one type, by its number.
    #[must_use]
    pub fn needed_of(&self, id: SizesId, live: u64) -> Option<Bytes> {
        let known = self.known.get(id.0 as usize)?;
        let needed = |live: u64| self.costs.needed(known, live);
        let few = || Box::new(array::from_fn(|live| needed(live as u64)));
        let few = self.needs.get(id.0 as usize)?.get_or_init(few);
        let few = usize::try_from(live).ok().and_then(|live| few.get(live));
        few.copied().unwrap_or_else(|| needed(live))
    }

    /// What a map of any of these types asks for when it grows next; `None`: it depends on which of them it is.
    #[must_use]
    pub fn next(&self, guess: Guess, of: impl Fn(&Costs, &Known) -> Option<Next>) -> Option<Next> {
        of(&self.costs, self.common_table(guess)?)
    }

    /// By which number [`Self::sizes`] knows how maps of any of these types are sized; `None`: it depends on which
    /// of them it is.
    #[must_use]
    pub fn sizes_id(&self, guess: Guess) -> Option<SizesId> {
        self.sets.get(guess.0 as usize)?.common.map(SizesId)
    }

    /// The same of one type.
    #[must_use]
    pub fn sizes_id_of(&self, known: &Known) -> Option<SizesId> {
        let number = self.known.binary_search_by_key(&known.at, |known| known.at).ok()?;
        u32::try_from(number).ok().map(SizesId)
    }

    /// How maps of the type with that number are sized.
    #[must_use]
    pub fn sizes(&self, id: SizesId) -> Option<Sizes> {
        self.known.get(id.0 as usize).map(|known| self.costs.all_sizes(known, id))
    }

    /// Whether there is any type in a set.
    #[must_use]
    pub fn is_possible(&self, guess: Guess) -> bool {
        !self.set(guess).is_empty()
    }

    /// Where the types of a set are described.
    pub fn places(&self, guess: Guess) -> &[Address] {
        self.sets.get(guess.0 as usize).map_or(&[], |set| &set.places)
    }

    /// The name of the type, or else the names of those it may be, sorted. Where all are made of the same
    /// map type and that is among them, it is the name.
    #[must_use]
    pub fn names(&self, guess: Guess) -> (Option<String>, Vec<String>) {
        let set: Vec<&Known> =
            self.set(guess).iter().filter_map(|number| self.known.get(*number as usize)).collect();
        let is_one = set.windows(2).all(|two| matches!(two, [one, other] if one.bucket == other.bucket));
        let mut names: Vec<String> = set.iter().filter_map(|known| self.types.name(known.at)).collect();
        names.sort();
        names.dedup();
        let unnamed = names.iter().position(|name| name.starts_with(UNNAMED)).filter(|_| is_one);
        match (unnamed, names.len()) {
            (Some(place), _) => (Some(names.swap_remove(place)), Vec::new()),
            (None, 1) => (names.pop(), Vec::new()),
            _ => {
                names.truncate(NAMED);
                (None, names)
            }
        }
    }

    fn set(&self, guess: Guess) -> &[u32] {
        self.sets.get(guess.0 as usize).map_or(&[], |set| &set.numbers)
    }

    fn number(&mut self, set: Vec<u32>) -> Guess {
        if let Some(guess) = self.numbers.get(&set) {
            return *guess;
        }
        if self.sets.len() >= MOST_SETS || self.members.saturating_add(set.len()) > MOST_MEMBERS {
            return Guess::default();
        }
        let guess = Guess(u32::try_from(self.sets.len()).unwrap_or(0));
        self.members += set.len();
        self.sets.push(Set::of(set.clone(), &self.known));
        self.numbers.insert(set, guess);
        guess
    }
}

fn known(map: &MapType, types: &Types, costs: &Costs) -> Known {
    let behind = |at: Address, size: Option<u64>| {
        let is_pointer_free = types.get(at).is_some_and(|found| found.pointer_bytes == 0);
        size.and_then(|size| costs.sizes.object(size, is_pointer_free)).unwrap_or(0)
    };
    let behind = behind(map.key, map.indirect_key).saturating_add(behind(map.element, map.indirect_element));
    Known {
        at: map.at,
        bucket: map.bucket,
        bucket_size: map.bucket_size,
        is_pointer_free: map.is_pointer_free,
        behind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::go::made::{bucket_type, map_types};

    #[test]
    fn types_that_differ_only_behind_pointers_have_their_tables_in_common() {
        let mut types = map_types(19, Kind::Bucket, &[(144, true), (144, true), (208, true)]);
        types.known[1].behind = 1008;
        let all = types.of_size(144, true, 0);
        assert_eq!(types.places(all).len(), 2);
        assert_eq!(types.common(all), None);
        assert_eq!(types.common_table(all).unwrap().bucket_size, 144);
        let other = types.of_bucket(Address(bucket_type(2))).unwrap();
        let mixed = types.number(vec![0, 2]);
        assert_eq!(types.common_table(mixed), None);
        assert_eq!(types.both(all, other), Guess::default());
    }

    #[test]
    fn sizes_and_sets_that_a_hostile_heap_makes_up_are_bounded() {
        let mut types = map_types(19, Kind::Bucket, &[(144, true)]);
        (0..MOST_SIZES as u64 + 1000).for_each(|size| _ = types.of_size(16 * size, true, 0));
        assert_eq!(types.by_size.len(), MOST_SIZES);
        assert_eq!(types.of_size(144, true, 0), types.of_bucket(Address(bucket_type(0))).unwrap());
        let set = |first: u32| (first..first + 100).collect();
        (0..MOST_SETS as u32).for_each(|first| _ = types.number(set(first)));
        assert!(types.members <= MOST_MEMBERS && types.sets.len() <= MOST_SETS, "{}", types.members);
        assert_eq!(types.number(set(u32::MAX - 200)), Guess::default());
    }
}
