//! What Go's collector and heap count themselves: `runtime.gcController` (src/runtime/mgcpacer.go) and
//! `runtime.memstats` (src/runtime/mstats.go), read from memory. No probe, no stop: `runtime.ReadMemStats`
//! would stop the world.

use std::ops::Range;

use super::scavenger;
use crate::audit::fact::{Cycle, Fact, Heap, SizeClass, What};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::runtimes::Moment;
use crate::target::go::layouts::Layout;
use crate::target::go::words::Words;
use crate::target::memory::{Memory, read_u64};

/// Pauses that the runtime remembers (`MemStats.PauseNs`).
const REMEMBERED: u64 = 256;
/// Bytes that are read at once of variables that are searched.
const BLOCK: u64 = 1 << 20;
/// Counters that change while they are read may not fit each other.
const TRIES: usize = 3;
/// Most bytes of variables that are searched.
const SEARCHED: u64 = 1 << 30;
/// Most places that are looked at more closely in a search.
const LOOKS: usize = 1 << 14;
/// Bytes of a page of Go's heap.
const PAGE: u64 = 8192;
/// The largest value of `GOGC` that is believed.
const PERCENT: i32 = 1_000_000;
/// A count that is searched for may have moved on by one part in so many.
const MOVED: u64 = 16;
/// Objects fill no less of the heap in use than one part in so many.
const FULL: u64 = 64;
/// Two counts of free memory fit if they differ by no more than one part in so many, or by so few bytes: pages move
/// while they are counted, and each processor has some in a cache.
const FITS: u64 = 8;
const FEW: u64 = 4 << 20;
/// Pauses longer than this are none.
const PAUSE: u64 = 3_600_000_000_000;

/// Where the counters are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// `runtime.gcController`.
    pub collector: Option<Address>,
    /// `runtime.memstats`.
    pub statistics: Option<Address>,
    /// `runtime.mheap_`.
    pub heap: Address,
}

/// Where what is not known is searched.
#[derive(Clone, Copy, Debug)]
struct Known<'a> {
    layout: &'static Layout,
    heap: Address,
    variables: &'a [Range<Address>],
}

/// The counters of one program, and which cycles have been told.
#[derive(Clone, Debug)]
pub struct Counters {
    places: Places,
    layout: &'static Layout,
    runtime: &'static str,
    /// The last cycle that was told; `None`: those before the first reading are not.
    told: Option<u64>,
    /// Whether it gives pages back lazily; `None`: not known.
    pub gives_back_lazily: Option<bool>,
    /// As the last census has counted them.
    pub classes: Vec<SizeClass>,
}

impl Counters {
    /// Those that are there by name.
    #[must_use]
    pub const fn new(runtime: &'static str, layout: &'static Layout, places: Places) -> Self {
        Self { places, layout, runtime, told: None, gives_back_lazily: None, classes: Vec::new() }
    }

    /// Searches among the program's variables for those that are not there by name. What is not found is not told,
    /// and may be found later: before the first cycle of the collector, there is little to know it by.
    pub fn search(&mut self, variables: &[Range<Address>], memory: &dyn Memory) {
        let known = Known { layout: self.layout, heap: self.places.heap, variables };
        let places = &mut self.places;
        places.collector =
            places.collector.or_else(|| (0..TRIES).find_map(|_| search_collector(known, memory)));
        places.statistics =
            places.statistics.or_else(|| (0..TRIES).find_map(|_| search_statistics(known, memory)));
    }

    /// Where they were found.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// The heap now; `None`: its counters were not found, or make no sense.
    #[must_use]
    pub fn heap(&self, memory: &dyn Memory) -> Option<Heap> {
        let mut heap = (0..TRIES).find_map(|_| self.collector(memory))?;
        heap.cycles = cycles(self.places.heap, self.layout, memory);
        heap.pause_total = self.pause_total(memory);
        heap.waits = heap.free.and_then(|free| self.waits(free, memory));
        heap.gives_back_lazily = self.gives_back_lazily;
        heap.classes.clone_from(&self.classes);
        Some(heap)
    }

    /// The heap, and the cycles that have ended since the last call.
    pub fn news(&mut self, now: Moment, memory: &dyn Memory) -> Vec<Fact> {
        let heap = self.heap(memory).map(|heap| What::Heap(Box::new(heap)));
        let mut facts = self.cycles(now, memory).unwrap_or_default();
        facts.extend(heap.map(|what| Fact { at: now.at, thread: None, what }));
        facts
    }

    /// What of the free memory waits for a cycle. `None`: the scavenger was not understood, as it has another number
    /// of free pages than the heap counts.
    fn waits(&self, free: Bytes, memory: &dyn Memory) -> Option<Bytes> {
        let pages = scavenger::free_pages(self.places.heap, self.layout, memory)?;
        let all = pages.now + pages.later;
        let slack = (all.max(free).0 / FITS).max(FEW);
        (all.0.abs_diff(free.0) <= slack).then(|| pages.later.min(free))
    }

    fn pause_total(&self, memory: &dyn Memory) -> Option<Nanos> {
        let at = self.places.statistics?.plus(self.layout.statistics.pause_total as u64)?;
        read_u64(memory, at).ok().map(Nanos)
    }

    fn collector(&self, memory: &dyn Memory) -> Option<Heap> {
        let mut bytes = vec![0; self.layout.collector.size];
        memory.read(self.places.collector?, &mut bytes).ok()?;
        parse_collector(&bytes, self.layout).map(|heap| Heap { runtime: self.runtime.to_owned(), ..heap })
    }

    /// Each at the time when it ended, which the runtime remembers by the wall clock.
    fn cycles(&mut self, now: Moment, memory: &dyn Memory) -> Option<Vec<Fact>> {
        let of = &self.layout.statistics;
        let start = self.places.statistics?.plus(of.pauses as u64)?;
        let mut bytes = vec![0; of.cycles + 4 - of.pauses];
        memory.read(start, &mut bytes).ok()?;
        let words = Words(&bytes);
        let last = u64::from(words.u32(of.cycles - of.pauses)?);
        let first = self.told.replace(last)?.max(last.saturating_sub(REMEMBERED));
        let fact = |number: u64| {
            let slot = ((number + REMEMBERED - 1) % REMEMBERED) as usize;
            let pause = words.u64(8 * slot).filter(|pause| *pause < PAUSE)?;
            let ended = words.u64(of.pause_ends - of.pauses + 8 * slot)?;
            let at = Nanos(now.at.0.saturating_sub(now.wall.saturating_sub(ended)));
            Some(Fact { at, thread: None, what: What::Cycle(Cycle { number, pause: Nanos(pause) }) })
        };
        Some((first + 1..=last).filter_map(fact).collect())
    }
}

/// The heap's generation grows by two a cycle (`sweepgen`, src/runtime/mheap.go).
fn cycles(heap: Address, layout: &Layout, memory: &dyn Memory) -> Option<u64> {
    let mut bytes = [0; 4];
    memory.read(heap.plus(layout.heap.sweep_generation as u64)?, &mut bytes).ok()?;
    Some(u64::from(u32::from_le_bytes(bytes) / 2))
}

/// Understands `runtime.gcController`; `None` where it makes no sense.
fn parse_collector(bytes: &[u8], layout: &Layout) -> Option<Heap> {
    let words = Words(bytes);
    let of = &layout.collector;
    let percent = words.i32(of.percent)?;
    let limit = words.u64(of.memory_limit)?;
    let [in_use, free, released, marked] =
        [of.in_use, of.free, of.released, of.marked].map(|offset| words.u64(offset));
    let (in_use, free, released, marked) = (in_use?, free?, released?, marked?);
    let allocated = words.u64(of.total_allocated)?.checked_sub(words.u64(of.total_freed)?)?;
    let pages = [in_use, free, released].iter().all(|bytes| bytes.is_multiple_of(PAGE / 2));
    let sound = (-1..=PERCENT).contains(&percent) && limit <= i64::MAX as u64 && pages;
    let goal = words.u64(of.goal)?;
    sound.then(|| Heap {
        in_use: Some(Bytes(in_use)),
        allocated: Some(Bytes(allocated)),
        free: Some(Bytes(free)),
        released: Some(Bytes(released)),
        live: Some(Bytes(marked)),
        // "No goal" is a number that no heap reaches.
        goal: Some(Bytes(goal)).filter(|goal| goal.0 < 1 << 62),
        percent: u32::try_from(percent).ok(),
        limit: Some(Bytes(limit)).filter(|limit| limit.0 < i64::MAX as u64),
        ..Heap::default()
    })
}

/// The variable whose count of bytes in use is that of the heap's pages, and whose other counts fit it.
fn search_collector(known: Known<'_>, memory: &dyn Memory) -> Option<Address> {
    let of = &known.layout.collector;
    let pages = known.heap.plus(known.layout.heap.pages_in_use as u64)?;
    let in_use = read_u64(memory, pages).ok()?.checked_mul(PAGE).filter(|bytes| *bytes > 0)?;
    let slack = in_use / MOVED;
    // Before the first cycle it is said to have found as much alive as makes it begin.
    let has_collected = cycles(known.heap, known.layout, memory)? > 0;
    let may_be = |word: u64| word.is_multiple_of(PAGE) && word.abs_diff(in_use) <= slack;
    search(known.variables, memory, may_be, |at, word| {
        let start = at.checked_sub(of.in_use as u64)?;
        let mut bytes = vec![0; of.size];
        memory.read(Address(start), &mut bytes).ok()?;
        let heap = parse_collector(&bytes, known.layout)?;
        let ready = Words(&bytes).u64(of.mapped_ready)?;
        // Round numbers are found in many places: each of the other counts must be possible beside this one.
        let objects = (word / FULL).max(1)..=word.saturating_add(slack);
        let fits = objects.contains(&heap.allocated?.0) && ready >= word.saturating_add(heap.free?.0);
        let is_marked = !has_collected || heap.live?.0 <= ready;
        (fits && is_marked).then_some(Address(start))
    })
}

/// The variable that counts as many cycles as the heap has generations, and that says of the last one
/// twice when it ended.
fn search_statistics(known: Known<'_>, memory: &dyn Memory) -> Option<Address> {
    let of = &known.layout.statistics;
    let last = cycles(known.heap, known.layout, memory).filter(|last| *last > 0)?;
    let slot = (last + REMEMBERED - 1) % REMEMBERED;
    // Behind the count of all cycles is that of those that were asked for.
    let may_be = |word: u64| word & 0xffff_ffff == last;
    search(known.variables, memory, may_be, |at, _| {
        let start = at.checked_sub(of.cycles as u64)?;
        let of_last = read_u64(memory, Address(start + of.pause_ends as u64 + 8 * slot)).ok()?;
        // `last_gc_unix` is the word before `pause_total_ns`.
        let again = read_u64(memory, Address(start + of.pause_total as u64 - 8)).ok()?;
        (of_last != 0 && of_last == again).then_some(Address(start))
    })
}

/// Hands on the words of the variables that may be it, with their addresses, until one is taken.
fn search(
    variables: &[Range<Address>],
    memory: &dyn Memory,
    may_be: impl Fn(u64) -> bool,
    accept: impl Fn(u64, u64) -> Option<Address>,
) -> Option<Address> {
    let (mut searched, mut looks) = (0, 0);
    for range in variables {
        let mut start = range.start.0.next_multiple_of(8);
        while start < range.end.0 && searched < SEARCHED && looks < LOOKS {
            let len = (range.end.0 - start).min(BLOCK);
            let mut bytes = vec![0; len as usize];
            if memory.read(Address(start), &mut bytes).is_ok() {
                let words = bytes.chunks_exact(8).filter_map(<[u8]>::first_chunk).copied();
                let words = (start..).step_by(8).zip(words.map(u64::from_le_bytes));
                let found = words.filter(|(_, word)| may_be(*word)).find_map(|(at, word)| {
                    looks += 1;
                    accept(at, word)
                });
                if found.is_some() {
                    return found;
                }
            }
            searched += len;
            start += len;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::go::Release;
    use crate::target::go::layouts::{LAYOUTS, nearest};
    use crate::target::memory::CapturedMemory;
    use proptest::prelude::*;

    const HEAP: u64 = 0x10_0000;
    const DATA: u64 = 0x40_0000;
    const COLLECTOR: u64 = DATA + 0x1000;
    const STATISTICS: u64 = DATA + 0x4000;
    const CYCLES: u32 = 300;
    const VARIABLES: [Range<Address>; 1] = [Address(DATA)..Address(DATA + 0x2_0000)];
    const IN_USE: u64 = 100 * PAGE;

    fn put(bytes: &mut [u8], at: usize, word: u64) {
        bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// A heap of 100 pages after 300 cycles, cycle n with a pause of n and ended at 1000 n.
    fn made(layout: &Layout) -> CapturedMemory {
        let mut heap = vec![0; layout.heap.size];
        put(&mut heap, layout.heap.pages_in_use, 100);
        put(&mut heap, layout.heap.sweep_generation, u64::from(2 * CYCLES));
        let mut data = vec![0; 0x2_0000];
        let of = &layout.collector;
        let collector = &mut data[(COLLECTOR - DATA) as usize..];
        put(collector, of.percent, 100);
        put(collector, of.memory_limit, i64::MAX as u64);
        put(collector, of.in_use, IN_USE);
        put(collector, of.free, 4 * PAGE);
        put(collector, of.released, 8 * PAGE);
        put(collector, of.total_allocated, 900_000);
        put(collector, of.total_freed, 300_000);
        put(collector, of.mapped_ready, 120 * PAGE);
        put(collector, of.marked, 500_000);
        let of = &layout.statistics;
        let statistics = &mut data[(STATISTICS - DATA) as usize..];
        for number in u64::from(CYCLES) - 255..=u64::from(CYCLES) {
            let slot = 8 * ((number + 255) % 256) as usize;
            put(statistics, of.pauses + slot, number);
            put(statistics, of.pause_ends + slot, 1000 * number);
        }
        put(statistics, of.pause_total - 8, 1000 * u64::from(CYCLES));
        put(statistics, of.pause_total, 7_777);
        put(statistics, of.cycles, u64::from(CYCLES) | 5 << 32);
        let mut memory = CapturedMemory::new();
        memory.insert(Address(HEAP), heap).insert(Address(DATA), data);
        memory
    }

    fn found(layout: &'static Layout, memory: &CapturedMemory) -> Counters {
        let heap = Places { heap: Address(HEAP), ..Places::default() };
        let mut counters = Counters::new("go_swiss", layout, heap);
        counters.search(&VARIABLES, memory);
        counters
    }

    #[test]
    fn in_a_program_without_symbols_the_counters_are_found_by_what_they_must_be() {
        for layout in LAYOUTS {
            let counters = found(layout, &made(layout));
            assert_eq!(counters.places.collector, Some(Address(COLLECTOR)), "{}", layout.release);
            assert_eq!(counters.places.statistics, Some(Address(STATISTICS)), "{}", layout.release);
        }
    }

    #[test]
    fn the_heap_is_told_as_it_counts_itself() {
        let layout = nearest(Release { major: 1, minor: 27 });
        let memory = made(layout);
        let heap = found(layout, &memory).heap(&memory).unwrap();
        assert_eq!((heap.in_use, heap.allocated), (Some(Bytes(IN_USE)), Some(Bytes(600_000))));
        assert_eq!((heap.free, heap.released), (Some(Bytes(4 * PAGE)), Some(Bytes(8 * PAGE))));
        assert_eq!((heap.percent, heap.limit), (Some(100), None), "no limit is no number");
        assert_eq!((heap.cycles, heap.pause_total), (Some(300), Some(Nanos(7_777))));
    }

    #[test]
    fn a_constant_of_that_size_is_not_taken_for_the_count() {
        for layout in LAYOUTS {
            let of = &layout.collector;
            let mut decoy = vec![0; of.size];
            put(&mut decoy, of.in_use, IN_USE);
            put(&mut decoy, of.total_allocated, 512);
            put(&mut decoy, of.mapped_ready, 200 * PAGE);
            let mut memory = made(layout);
            memory.insert(Address(DATA - 0x2000), decoy);
            let variables = [Address(DATA - 0x2000)..Address(DATA - 0x1800), VARIABLES[0].clone()];
            let known = Known { layout, heap: Address(HEAP), variables: &variables };
            assert_eq!(search_collector(known, &memory), Some(Address(COLLECTOR)), "{}", layout.release);
        }
    }

    #[test]
    fn cycles_are_told_once_and_at_the_time_they_ended() {
        let layout = nearest(Release { major: 1, minor: 23 });
        let memory = made(layout);
        let mut counters = found(layout, &memory);
        let now = Moment { at: Nanos(5_000_000), wall: 400_000 };
        let cycles = |facts: Vec<Fact>| -> Vec<(u64, u64, u64)> {
            let cycle = |fact: &Fact| match &fact.what {
                What::Cycle(cycle) => Some((cycle.number, cycle.pause.0, fact.at.0)),
                _ => None,
            };
            facts.iter().filter_map(cycle).collect()
        };
        assert_eq!(cycles(counters.news(now, &memory)), [], "what was before is not told");
        counters.told = Some(298);
        let news = cycles(counters.news(now, &memory));
        assert_eq!(news, [(299, 299, 4_899_000), (300, 300, 4_900_000)]);
        assert_eq!(cycles(counters.news(now, &memory)), []);
        counters.told = Some(3);
        assert_eq!(cycles(counters.news(now, &memory)).len(), 256, "older ones are forgotten");
    }

    #[test]
    fn a_heap_that_never_collected_has_no_statistics_and_no_pauses_until_it_does() {
        let layout = nearest(Release { major: 1, minor: 27 });
        let mut memory = made(layout);
        let collected = memory.clone();
        let mut heap = vec![0; layout.heap.size];
        put(&mut heap, layout.heap.pages_in_use, 100);
        memory.insert(Address(HEAP), heap);
        let mut counters = found(layout, &memory);
        assert_eq!(counters.places.statistics, None);
        assert_eq!(counters.heap(&memory).unwrap().cycles, Some(0));
        counters.search(&VARIABLES, &collected);
        assert_eq!(counters.places.statistics, Some(Address(STATISTICS)));
    }

    proptest! {
        #[test]
        fn hostile_variables_never_panic(words in proptest::collection::vec(any::<u64>(), 0..4000), pages in any::<u64>()) {
            let layout = &LAYOUTS[0];
            let mut heap = vec![0; layout.heap.size];
            put(&mut heap, layout.heap.pages_in_use, pages);
            put(&mut heap, layout.heap.sweep_generation, pages);
            let data: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            let mut memory = CapturedMemory::new();
            memory.insert(Address(HEAP), heap).insert(Address(DATA), data);
            let mut counters = found(layout, &memory);
            let _news = counters.news(Moment { at: Nanos(1), wall: 1 }, &memory);
        }
    }
}
