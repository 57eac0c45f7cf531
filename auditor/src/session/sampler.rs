//! Polls the headers of living maps: a few large reads, no stop of the target, no probe. What has
//! not changed makes no fact, so an idle target records nothing.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use crate::audit::fact::{Allocate, Described, Fact, Free, Grow, Look, Occasion, Shape, What};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::runtimes::Instance;
use crate::runtimes::census::Census;
use crate::target::memory::{Memory, Request};
use auditor_ebpf::LOOK_BYTES;

/// Maps read at each poll, largest first.
pub const LARGEST: usize = 4096;
/// Of the others, how many are read at each poll, in turn.
pub const OTHERS: usize = 4096;
/// Headers that are read by one call, and stay in the cache until they are looked at.
const TOGETHER: usize = 512;
/// A header that cannot be read or understood this many polls in a row belongs to no map any more.
const STRIKES: u8 = 2;
/// How often a map is asked for its name: one that is changing may not be able to tell it yet.
const QUESTIONS: u8 = 3;

/// What polling has seen last.
#[derive(Debug, Default)]
pub struct Sampler {
    seen: FxHashMap<Address, Seen>,
    /// Where the turn of the others is.
    turn: usize,
    /// Headers that could not be read or understood, where deaths are told.
    failed: u64,
}

#[derive(Debug, Default)]
struct Seen {
    shape: Shape,
    told: bool,
    /// How often it was asked for its name; [`QUESTIONS`] once there is one.
    asked: u8,
    /// Whether something has happened to it since.
    stirred: bool,
    /// Whether a census has told of it.
    counted: bool,
    strikes: u8,
    /// When the first of these strikes was.
    struck: Nanos,
    missed: u8,
    described: Option<Box<Described>>,
}

/// The world that a poll looks at.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// What a map looks like.
    pub instance: &'a dyn Instance,
    /// The target's memory.
    pub memory: &'a dyn Memory,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.instance.fmt(f)
    }
}

/// The maps that live, each with the bytes it holds: those that the audit knows, with those that were
/// born in what still waits to be applied, and without those that died in it.
pub fn living<'a>(
    known: impl Iterator<Item = (Address, Bytes)>,
    waiting: impl Iterator<Item = &'a Fact>,
) -> Vec<(Address, Bytes)> {
    let mut news: BTreeMap<Address, Option<Bytes>> = BTreeMap::new();
    for fact in waiting {
        match &fact.what {
            What::Allocate(allocate) => news.insert(allocate.map, Some(allocate.bytes)),
            What::Free(free) if free.shape.as_ref().is_some_and(|shape| shape.dropped) => {
                news.insert(free.map, None)
            }
            _ => continue,
        };
    }
    let lives = |map: &(Address, Bytes)| news.remove(&map.0).is_none_or(|bytes| bytes.is_some());
    let mut maps: Vec<(Address, Bytes)> = known.filter(lives).collect();
    maps.extend(news.into_iter().filter_map(|(map, bytes)| Some((map, bytes?))));
    maps
}

impl Sampler {
    /// Reads living maps (address and size) at a time just before the reading; `clock` tells it.
    pub fn poll(
        &mut self,
        view: View<'_>,
        mut maps: Vec<(Address, Bytes)>,
        clock: impl Fn() -> Nanos,
    ) -> Vec<Fact> {
        self.forget_the_dead(&maps);
        if maps.len() > LARGEST {
            maps.select_nth_unstable_by_key(LARGEST, |(_, bytes)| std::cmp::Reverse(*bytes));
            let others = maps.split_off(LARGEST);
            let start = self.turn.min(others.len());
            let end = others.len().min(start + OTHERS);
            maps.extend_from_slice(&others[start..end]);
            self.turn = if end == others.len() { 0 } else { end };
        }
        maps.sort_unstable();
        let addresses: Vec<Address> = maps.iter().map(|(address, _)| *address).collect();
        self.look(view, &addresses, Occasion::Poll, clock)
    }

    /// What a census found, as facts of now; maps whose shape it did not tell are read.
    pub fn count(
        &mut self,
        view: View<'_>,
        mut census: Census,
        occasion: Occasion,
        clock: impl Fn() -> Nanos,
    ) -> Vec<Fact> {
        let at = clock();
        census.bound_crowds();
        // What is not new was there all along, as far as anybody knows.
        let of_known = if occasion == Occasion::Census { Occasion::Poll } else { occasion };
        let mut unread = Vec::new();
        let mut told = Vec::new();
        for found in census.maps {
            let occasion = if found.is_new { occasion } else { of_known };
            // A poll may have read it before: that it is new is to be told all the same.
            let seen = self.seen.entry(found.map).or_default();
            seen.stirred |= found.is_new && !std::mem::replace(&mut seen.counted, true);
            match found.shape {
                Some(shape) => told.extend(self.changed(view, found.map, shape, occasion, || None)),
                None => unread.push(found.map),
            }
            told.extend(self.described(found.map, found.described));
        }
        told.extend(census.crowds.map(What::Crowds));
        told.extend(census.heap.map(|heap| What::Heap(Box::new(heap))));
        told.extend(census.notes.into_iter().map(What::Note));
        told.extend(census.born.map(What::Born));
        let mut facts: Vec<Fact> = told.into_iter().map(|what| Fact { at, thread: None, what }).collect();
        facts.extend(self.look(view, &unread, of_known, clock));
        facts
    }

    /// What a later census found, and what it did not find any more. One that is missed once may have been
    /// overlooked while the target moved it; one that is missed twice is gone. One that is smaller than it was
    /// is another one, where maps never shrink.
    pub fn recount(&mut self, view: View<'_>, mut census: Census, clock: impl Fn() -> Nanos) -> Vec<Fact> {
        let at = clock();
        let mut gone = if view.instance.maps_shrink() { Vec::new() } else { self.replaced(&mut census) };
        let found: BTreeSet<Address> = census.maps.iter().map(|found| found.map).collect();
        self.seen.retain(|map, seen| {
            seen.missed = if found.contains(map) { 0 } else { seen.missed.saturating_add(1) };
            if seen.missed >= STRIKES {
                gone.push(*map);
            }
            seen.missed < STRIKES
        });
        gone.sort_unstable();
        let mut facts = Vec::new();
        facts.extend(gone.into_iter().map(|map| Fact { at, thread: None, what: What::Gone { map } }));
        facts.extend(self.count(view, census, Occasion::Census, clock));
        facts
    }

    /// Those in whose place a smaller one was found: that is a new one.
    fn replaced(&mut self, census: &mut Census) -> Vec<Address> {
        let mut replaced = Vec::new();
        for found in &mut census.maps {
            let slots = |shape: &Shape| shape.capacity;
            let before = self.seen.get(&found.map).map(|seen| slots(&seen.shape));
            if before > found.shape.as_ref().map(slots) && found.shape.is_some() {
                self.forget(found.map);
                replaced.push(found.map);
                found.is_new = true;
            }
        }
        replaced
    }

    /// Reads these maps now.
    pub fn look(
        &mut self,
        view: View<'_>,
        maps: &[Address],
        occasion: Occasion,
        clock: impl Fn() -> Nanos,
    ) -> Vec<Fact> {
        let at = clock();
        let mut facts = Vec::new();
        for maps in maps.chunks(TOGETHER) {
            self.look_together(view, maps, (at, occasion), &mut facts);
        }
        facts
    }

    fn look_together(
        &mut self,
        view: View<'_>,
        maps: &[Address],
        (at, occasion): (Nanos, Occasion),
        facts: &mut Vec<Fact>,
    ) {
        let length = |map: &Address| view.instance.header_len_of(*map).min(LOOK_BYTES);
        let mut headers = vec![[0; LOOK_BYTES]; maps.len()];
        let mut requests: Vec<Request<'_>> = maps
            .iter()
            .zip(&mut headers)
            .map(|(at, header)| Request { at: *at, into: &mut header[..length(at)] })
            .collect();
        let answers = view.memory.read_many(&mut requests);
        let found = maps.iter().zip(&headers).zip(answers);
        facts.extend(found.filter_map(|((map, header), answer)| {
            let header = answer.ok().map(|()| &header[..length(map)]);
            self.one(view, (*map, at), header, occasion).map(|what| Fact { at, thread: None, what })
        }));
    }

    /// What a hook has told: addresses are used again. Gives a map that is heard of for the first time.
    pub fn follow(&mut self, what: &What) -> Option<Address> {
        match what {
            What::Free(free) if free.shape.as_ref().is_some_and(|shape| shape.dropped) => {
                self.forget(free.map);
            }
            What::Gone { map } => self.forget(*map),
            What::Allocate(Allocate { map, .. }) | What::Look(Look { map, .. }) if self.meets(*map) => {
                return Some(*map);
            }
            What::Allocate(Allocate { map, .. })
            | What::Grow(Grow { map, .. })
            | What::Free(Free { map, .. }) => self.stir(*map),
            _ => {}
        }
        None
    }

    /// Whether this is the first that is heard of a map.
    pub fn meets(&mut self, map: Address) -> bool {
        let mut is_new = false;
        self.seen.entry(map).or_insert_with(|| {
            is_new = true;
            Seen::default()
        });
        is_new
    }

    /// A hook has told something of a map. A reading is dated before it is made, so what was read last
    /// may have been of after that, and applied before: the next reading is news, whatever it says.
    pub fn stir(&mut self, map: Address) {
        if let Some(seen) = self.seen.get_mut(&map) {
            seen.stirred = true;
        }
    }

    /// What was read of a map is not going to be told: its next reading is news, with its name. Says
    /// whether the map is still there, as far as anybody knows.
    pub fn misread(&mut self, map: Address) -> bool {
        let seen = self.seen.get_mut(&map);
        seen.map(|seen| (seen.told, seen.asked) = (false, 0)).is_some()
    }

    /// A map has been dropped: the next one at its address is another.
    pub fn forget(&mut self, map: Address) {
        self.seen.remove(&map);
    }

    /// Headers so far that could not be read or understood though nothing had told of a death.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.failed
    }

    /// Forgets maps that are not asked for any more, once there are many of them.
    fn forget_the_dead(&mut self, living: &[(Address, Bytes)]) {
        if self.seen.len() > 2 * living.len() + LARGEST {
            let living: BTreeSet<Address> = living.iter().map(|(address, _)| *address).collect();
            self.seen.retain(|address, _| living.contains(address));
        }
    }

    fn one(
        &mut self,
        view: View<'_>,
        (map, at): (Address, Nanos),
        header: Option<&[u8]>,
        occasion: Occasion,
    ) -> Option<What> {
        let shape = header.and_then(|header| view.instance.look(map, header, Some(view.memory)).ok());
        let seen = self.seen.entry(map).or_default();
        let (Some(shape), Some(header)) = (shape, header) else {
            seen.struck = if seen.strikes == 0 { at } else { seen.struck };
            seen.strikes = seen.strikes.saturating_add(1);
            if seen.strikes < STRIKES || at.since(seen.struck) < view.instance.looks_wrong_for() {
                return None;
            }
            // Where nothing tells of deaths, this is how they are noticed.
            self.failed += u64::from(view.instance.births_are_told());
            self.seen.remove(&map);
            return Some(What::Gone { map });
        };
        self.changed(view, map, shape, occasion, || view.instance.name_of(map, header, view.memory))
    }

    /// The news of a shape, if it is any. The name is asked for until there is one, but not for ever.
    fn changed(
        &mut self,
        view: View<'_>,
        map: Address,
        shape: Shape,
        occasion: Occasion,
        name: impl FnOnce() -> Option<String>,
    ) -> Option<What> {
        if !self.is_news(map, &shape) {
            return None;
        }
        let seen = self.seen.entry(map).or_default();
        let name = (seen.asked < QUESTIONS).then(name).flatten();
        seen.asked = if name.is_some() { QUESTIONS } else { seen.asked.saturating_add(1) };
        seen.told = true;
        Some(What::Look(Look {
            map,
            occasion,
            runtime: view.instance.runtime_of(map).to_owned(),
            shape: shape.into(),
            name,
        }))
    }

    /// Whether a shape that was read is to be told: the first, another than the last, or the first since
    /// something happened.
    fn is_news(&mut self, map: Address, shape: &Shape) -> bool {
        let seen = self.seen.entry(map).or_default();
        seen.strikes = 0;
        let is_news = !seen.told || seen.stirred || seen.shape != *shape;
        seen.shape.clone_from(shape);
        seen.stirred = false;
        is_news
    }

    /// The news of who a map is, if there are any.
    fn described(&mut self, map: Address, described: Option<Described>) -> Option<What> {
        let described = described.map(Box::new);
        let seen = self.seen.entry(map).or_default();
        if described.is_none() || seen.described == described {
            return None;
        }
        seen.described.clone_from(&described);
        described.map(What::Described)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::{self, Allocate, Free, Part};
    use crate::runtimes::LayoutError;
    use crate::runtimes::census::Found;
    use crate::runtimes::hook::{Hit, Hook};
    use crate::target::memory::CapturedMemory;
    use crate::target::module::{Module, Symbol};

    fn fact(what: What) -> Fact {
        Fact { at: Nanos(0), thread: None, what }
    }

    fn born(map: u64) -> Fact {
        let (map, bytes) = (Address(map), Bytes(100));
        fact(What::Allocate(Allocate {
            map,
            table: None,
            bytes,
            part: Part::Buckets,
            stack: None,
            took: None,
        }))
    }

    fn lets_go(map: u64, dropped: bool) -> Fact {
        let shape = Some(Box::new(Shape { dropped, ..Shape::default() }));
        fact(What::Free(Free { map: Address(map), table: Address(9), bytes: Bytes(100), shape }))
    }

    fn among(waiting: &[Fact]) -> Vec<u64> {
        let known = [1, 2].map(|map| (Address(map), Bytes(1000)));
        living(known.into_iter(), waiting.iter()).iter().map(|(map, _)| map.0).collect()
    }

    #[test]
    fn maps_that_were_born_or_died_in_what_is_not_applied_yet_count() {
        assert_eq!(among(&[]), [1, 2]);
        assert_eq!(among(&[born(3)]), [1, 2, 3]);
        assert_eq!(among(&[born(3), lets_go(3, true)]), [1, 2]);
        assert_eq!(among(&[lets_go(1, true)]), [2]);
    }

    /// What was read in the midst of events, and applied before they were, would otherwise never be told
    /// again.
    #[test]
    fn what_a_poll_reads_is_news_once_more_when_a_hook_has_told_something_since() {
        let (map, shape) = (Address(7), |live| Shape { live, ..Shape::default() });
        let mut sampler = Sampler::default();
        sampler.seen.entry(map).or_default().told = true;
        assert!(sampler.is_news(map, &shape(229)) && sampler.is_news(map, &shape(375)));
        assert!(!sampler.is_news(map, &shape(375)));
        sampler.stir(map);
        assert!(sampler.is_news(map, &shape(375)) && !sampler.is_news(map, &shape(375)));
        assert!(sampler.misread(map) && sampler.is_news(map, &shape(375)));
        sampler.forget(map);
        assert!(!sampler.misread(map));
    }

    #[test]
    fn a_map_with_another_table_or_in_a_dead_ones_place_is_there_once() {
        assert_eq!(among(&[born(2), lets_go(2, false)]), [1, 2]);
        assert_eq!(among(&[lets_go(1, true), born(1)]), [1, 2]);
    }

    /// A runtime whose maps never shrink and are only told of by censuses.
    #[derive(Debug)]
    struct Polled;

    impl Instance for Polled {
        fn found(&self) -> Vec<fact::Runtime> {
            Vec::new()
        }
        fn runtime_of(&self, _: Address) -> &str {
            "polled"
        }
        fn hooks(&self) -> Vec<Hook> {
            Vec::new()
        }
        fn header_len(&self) -> usize {
            8
        }
        fn evacuation_is_readable(&self) -> bool {
            true
        }
        fn check(&mut self, _: &dyn Memory) -> Result<(), LayoutError> {
            Ok(())
        }
        fn census(&mut self, _: Bytes, _: &dyn Memory) -> Result<Census, LayoutError> {
            Ok(Census::default())
        }
        fn look(&self, at: Address, _: &[u8], _: Option<&dyn Memory>) -> Result<Shape, LayoutError> {
            Err(LayoutError::Check { what: "the map", at, check: "it is none".to_owned() })
        }
        fn header_suffices(&self) -> bool {
            false
        }
        fn function(&self, _: &Module, _: &str) -> Option<Symbol> {
            None
        }
        fn name_of(&self, _: Address, _: &[u8], _: &dyn Memory) -> Option<String> {
            None
        }
        fn decode(&mut self, _: &str, _: &Hit, _: &dyn Memory, _: &mut Vec<What>) -> Option<()> {
            None
        }
        fn decode_count(&self, _: &str, _: u64, _: u64) -> Option<What> {
            None
        }
        fn births_are_told(&self) -> bool {
            false
        }
        fn maps_shrink(&self) -> bool {
            false
        }
    }

    /// What later censuses tell that find one map of so many slots, or none; whether it is new.
    fn recounted(sampler: &mut Sampler, found: Option<(u64, bool)>) -> Vec<String> {
        let found = found.map(|(capacity, is_new)| Found {
            map: Address(7),
            shape: Some(Shape { capacity, ..Shape::default() }),
            described: None,
            is_new,
        });
        let census = Census { maps: found.into_iter().collect(), ..Census::default() };
        let memory = CapturedMemory::default();
        let view = View { instance: &Polled, memory: &memory };
        let facts = sampler.recount(view, census, || Nanos(9));
        facts.into_iter().map(|fact| said(&fact.what)).collect()
    }

    fn said(what: &What) -> String {
        match what {
            What::Gone { .. } => "gone".to_owned(),
            What::Look(look) => format!("{:?} {}", look.occasion, look.shape.capacity),
            other => format!("{other:?}"),
        }
    }

    /// The collector frees a map, and its place is something else's.
    #[test]
    fn a_place_that_is_no_maps_any_more_is_a_death_and_no_loss_where_nothing_tells_of_deaths() {
        let mut sampler = Sampler::default();
        recounted(&mut sampler, Some((64, false)));
        let memory = CapturedMemory::default();
        let view = View { instance: &Polled, memory: &memory };
        let mut look = || sampler.look(view, &[Address(7)], Occasion::Poll, || Nanos(9));
        assert_eq!(look(), []);
        assert_eq!(said(&look()[0].what), "gone");
        assert_eq!(sampler.failed(), 0);
    }

    #[test]
    fn only_a_map_that_is_new_to_a_later_census_is_told_as_found_by_it() {
        assert_eq!(recounted(&mut Sampler::default(), Some((64, true))), ["Census 64"]);
        assert_eq!(recounted(&mut Sampler::default(), Some((64, false))), ["Poll 64"]);
        let mut polled = Sampler::default();
        let shape = Shape { capacity: 64, ..Shape::default() };
        let seen = Seen { shape, told: true, ..Seen::default() };
        polled.seen.insert(Address(7), seen);
        assert_eq!(
            recounted(&mut polled, Some((64, true))),
            ["Census 64"],
            "though a poll had read the same"
        );
        assert_eq!(recounted(&mut polled, Some((64, true))), [""; 0], "once");
    }

    #[test]
    fn a_map_is_gone_when_two_censuses_miss_it_or_a_smaller_one_has_its_place() {
        let mut sampler = Sampler::default();
        recounted(&mut sampler, Some((64, false)));
        assert_eq!(recounted(&mut sampler, None), [""; 0]);
        assert_eq!(recounted(&mut sampler, None), ["gone"]);
        recounted(&mut sampler, Some((64, false)));
        assert_eq!(recounted(&mut sampler, Some((128, false))), ["Poll 128"]);
        assert_eq!(recounted(&mut sampler, Some((8, false))), ["gone", "Census 8"]);
    }
}
