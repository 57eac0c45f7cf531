//! The managed heap and its collector: what the last reading said, and what became of it since the
//! first. Cycles that are told one by one and the runtime's own count of them are one account.

use super::fact::{self, Cycle, Heap, Managed};
use super::happenings::Happenings;
use super::hooks::Hooks;
use super::lengths::Lengths;
use super::pauses::Pauses;
use super::report::{self, Gc, SizeClass};
use super::stacks::Stacks;
use super::unit::{Bytes, Nanos};

/// Size classes that are kept; Go has 68, each with and without pointers.
const MOST_CLASSES: usize = 256;
/// Longest name of a runtime that is kept, in bytes.
const MOST_NAME: usize = 256;
/// From here on a window tells how often something happens in a minute.
const LONG_ENOUGH: Nanos = Nanos(10_000_000_000);
/// A minute.
const MINUTE: u128 = 60_000_000_000;

/// What is known of one managed heap: that of the runtime which tells of one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Collector {
    first: Option<Counted>,
    last: Option<(Nanos, Box<Heap>)>,
    pauses: Pauses,
    happenings: Happenings,
}

/// The counters that only rise.
#[derive(Clone, Copy, Debug)]
struct Counted {
    at: Nanos,
    cycles: Option<u64>,
    pause: Option<Nanos>,
}

/// What the heap says of the memory it keeps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    /// In spans that hold objects.
    pub(super) in_use: Option<Bytes>,
    /// In spans that hold none.
    pub(super) free: Option<Bytes>,
    /// In stacks.
    pub(super) stacks: Option<Bytes>,
}

impl Collector {
    /// The heap's counters were read.
    pub(super) fn read(&mut self, at: Nanos, heap: &Heap) {
        let other = self.last.as_ref().is_some_and(|(then, last)| at < *then || last.runtime != heap.runtime);
        if other {
            return;
        }
        self.first.get_or_insert(Counted { at, cycles: heap.cycles, pause: heap.pause_total });
        let mut heap = Box::new(heap.clone());
        heap.runtime.truncate(heap.runtime.floor_char_boundary(MOST_NAME));
        heap.classes.truncate(MOST_CLASSES);
        self.last = Some((at, heap));
    }

    /// A cycle ended. Answers whether it was not told before.
    pub(super) fn ended(&mut self, cycle: Cycle) -> bool {
        self.pauses.ended(cycle)
    }

    /// A hook saw the heap or its collector do something.
    pub(super) fn happened(&mut self, fact: &Managed) {
        self.happenings.happened(fact);
    }

    /// The target replaced its program: that heap is gone.
    pub(super) fn replaced(&mut self) {
        (self.first, self.last) = (None, None);
        self.pauses.restart();
    }

    /// Cycles and pauses since the program began, by the last reading.
    pub(super) fn counted(&self) -> (Option<u64>, Option<Nanos>) {
        let last = self.last.as_ref().map(|(_, heap)| heap);
        (last.and_then(|heap| heap.cycles), last.and_then(|heap| heap.pause_total))
    }

    /// What the heap keeps, by the last reading.
    pub(super) fn kept(&self) -> Option<Kept> {
        let (_, heap) = self.last.as_ref()?;
        Some(Kept { in_use: heap.in_use, free: heap.free, stacks: heap.stacks })
    }

    /// Whether pages are given back lazily, as the heap says.
    pub(super) fn gives_back_lazily(&self) -> bool {
        self.last.as_ref().is_some_and(|(_, heap)| heap.gives_back_lazily == Some(true))
    }

    /// As the report has it; `None`: nobody told of a heap or a cycle.
    pub(super) fn report(&self, hooks: &Hooks, stacks: &Stacks) -> Option<Gc> {
        let heap = self.last.as_ref().map(|(_, heap)| &**heap);
        if heap.is_none() && self.pauses.took.count == 0 {
            return None;
        }
        let size = |of: fn(&Heap) -> Option<Bytes>| heap.and_then(of);
        Some(Gc {
            runtime: heap.map_or_else(String::new, |heap| heap.runtime.clone()),
            cycles: self.cycles(),
            cycles_per_minute: self.per_minute(|window| window.cycles),
            cycles_in_all: heap.and_then(|heap| heap.cycles),
            pauses: self.pauses(heap),
            heap_live: size(|heap| heap.live),
            heap_goal: size(|heap| heap.goal),
            in_use: size(|heap| heap.in_use),
            allocated: size(|heap| heap.allocated),
            free: size(|heap| heap.free),
            waits: size(|heap| heap.waits),
            released: size(|heap| heap.released),
            stacks: size(|heap| heap.stacks),
            percent: heap.and_then(|heap| heap.percent),
            limit: size(|heap| heap.limit),
            gives_back_lazily: heap.and_then(|heap| heap.gives_back_lazily),
            size_classes: heap.map_or_else(Vec::new, classes),
            world_stops: self.happenings.world_stops(hooks),
            extended: self.happenings.extended(hooks),
            large_objects: self.happenings.large_objects(hooks, stacks),
        })
    }

    fn pauses(&self, heap: Option<&Heap>) -> report::Pauses {
        let told = (self.pauses.took.count > 0).then_some(&self.pauses.took);
        let counted = self.between().and_then(|between| between.pause);
        report::Pauses {
            count: told.map(|told| told.count),
            // Of the two accounts the one that saw more of the same pauses.
            total: counted.max(told.map(|told| told.total)),
            max: told.map(|told| told.max),
            p99: told.and_then(Lengths::p99),
            per_minute: self.per_minute(|window| window.pause.map(|pause| pause.0)).map(Nanos),
            in_all: heap.and_then(|heap| heap.pause_total),
        }
    }

    fn cycles(&self) -> Option<u64> {
        let told = Some(self.pauses.took.count).filter(|count| *count > 0);
        self.between().and_then(|between| between.cycles).max(told)
    }

    /// From the first reading to the last, `at` being the time between them; `None`: there was one.
    fn between(&self) -> Option<Counted> {
        let (first, (at, last)) = (self.first?, self.last.as_ref()?);
        (first.at < *at).then(|| Counted {
            at: Nanos(at.since(first.at).0),
            cycles: last.cycles.zip(first.cycles).map(|(last, first)| last.saturating_sub(first)),
            pause: last.pause_total.zip(first.pause).map(|(last, first)| last.since(first)),
        })
    }

    fn per_minute(&self, what: impl Fn(Counted) -> Option<u64>) -> Option<u64> {
        let between = self.between().filter(|between| between.at >= LONG_ENOUGH)?;
        let in_a_minute = u128::from(what(between)?) * MINUTE / u128::from(between.at.0);
        Some(u64::try_from(in_a_minute).unwrap_or(u64::MAX))
    }
}

fn classes(heap: &Heap) -> Vec<SizeClass> {
    let mut classes: Vec<SizeClass> = heap.classes.iter().copied().map(class).collect();
    classes.sort_by_key(|class| (std::cmp::Reverse(class.used), class.object, class.pointer_free));
    classes
}

const fn class(class: fact::SizeClass) -> SizeClass {
    let fact::SizeClass { object, pointer_free, objects, used, spans } = class;
    SizeClass { object, pointer_free, objects, used, spans }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn report(collector: &Collector) -> Option<Gc> {
        collector.report(&Hooks::default(), &Stacks::default())
    }

    fn heap(cycles: u64, pause: u64) -> Heap {
        Heap {
            runtime: "go_swiss".to_owned(),
            in_use: Some(Bytes(100 * cycles)),
            cycles: Some(cycles),
            pause_total: Some(Nanos(pause)),
            ..Heap::default()
        }
    }

    #[test]
    fn one_reading_tells_what_is_and_not_what_happened() {
        let mut collector = Collector::default();
        assert_eq!(report(&collector), None);
        collector.read(Nanos(5), &heap(40, 7000));
        let gc = report(&collector).unwrap();
        assert_eq!((gc.cycles, gc.pauses.total, gc.pauses.count), (None, None, None));
        assert_eq!((gc.cycles_in_all, gc.pauses.in_all), (Some(40), Some(Nanos(7000))));
        assert_eq!(gc.heap_live, None, "what the runtime does not count is not 0");
    }

    #[test]
    fn between_two_readings_the_difference_counts_and_a_minute_is_reckoned_from_it() {
        let mut collector = Collector::default();
        collector.read(Nanos(0), &heap(40, 7000));
        collector.read(Nanos(5 * SECOND), &heap(42, 8000));
        let gc = report(&collector).unwrap();
        assert_eq!((gc.cycles, gc.cycles_per_minute, gc.pauses.per_minute), (Some(2), None, None));
        collector.read(Nanos(20 * SECOND), &heap(50, 17_000));
        let gc = report(&collector).unwrap();
        assert_eq!((gc.cycles, gc.cycles_per_minute), (Some(10), Some(30)));
        assert_eq!((gc.pauses.total, gc.pauses.per_minute), (Some(Nanos(10_000)), Some(Nanos(30_000))));
        assert_eq!(gc.in_use, Some(Bytes(5000)));
    }

    #[test]
    fn counters_that_were_not_found_are_unknown_and_not_zero() {
        let unknown = || Heap { cycles: None, pause_total: None, ..heap(40, 7000) };
        let mut collector = Collector::default();
        collector.read(Nanos(0), &unknown());
        collector.read(Nanos(20 * SECOND), &unknown());
        let gc = report(&collector).unwrap();
        assert_eq!((gc.cycles, gc.cycles_in_all, gc.cycles_per_minute), (None, None, None));
        assert_eq!((gc.pauses.total, gc.pauses.in_all, gc.pauses.per_minute), (None, None, None));
    }

    #[test]
    fn cycles_that_are_told_and_the_count_of_them_are_one_account() {
        let mut collector = Collector::default();
        collector.read(Nanos(0), &heap(40, 7000));
        for number in 41..=43 {
            collector.ended(Cycle { number, pause: Nanos(500) });
        }
        collector.read(Nanos(9), &heap(43, 8500));
        let gc = report(&collector).unwrap();
        assert_eq!((gc.cycles, gc.pauses.count), (Some(3), Some(3)));
        assert_eq!((gc.pauses.total, gc.pauses.max), (Some(Nanos(1500)), Some(Nanos(500))));
    }

    #[test]
    fn a_heap_of_another_runtime_and_one_of_another_time_are_not_mixed_in() {
        let mut collector = Collector::default();
        collector.read(Nanos(5), &heap(40, 0));
        collector.read(Nanos(6), &Heap { runtime: "cpython".to_owned(), ..heap(1, 0) });
        collector.read(Nanos(4), &heap(39, 0));
        let gc = report(&collector).unwrap();
        assert_eq!((gc.runtime.as_str(), gc.cycles_in_all), ("go_swiss", Some(40)));
    }
}
