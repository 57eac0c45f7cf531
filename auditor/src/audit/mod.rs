//! The pure core: facts in, report out. No IO, no clock, no hash order, no async, no unsafe.
//!
//! [`Audit::apply`] folds one fact in, [`Audit::report`] says what is known so far. The same facts
//! in the same order give the same report, wherever they come from and however often a report is
//! drawn in between. Facts come in through [`order::Order`], which merges their sources by time.
//!
//! Read `fact/` (what goes in), `report/` (what comes out), then `lives.rs` (maps), `episodes.rs`
//! (growths), `coverage.rs` (doubts). Whatever facts hold, nothing here panics, sums saturate, and
//! every collection has a stated limit.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, unsafe_code)]

mod books;
mod changes;
mod collector;
mod counters;
mod counts;
mod coverage;
mod deaths;
pub mod diff;
mod differences;
mod doubt;
mod drawn;
pub mod episodes;
mod evacuation;
mod events;
mod evidence;
pub mod fact;
pub mod family;
mod faults;
pub mod findings;
mod forecast;
pub mod gate;
mod giving_back;
mod happenings;
mod head;
mod headroom;
mod held;
mod here;
mod holding;
mod hooks;
mod identity;
mod judged;
pub mod ladder;
mod lags;
mod ledger;
mod lengths;
mod life;
pub mod lives;
mod memory;
mod mmaps;
pub mod nearest;
mod oddities;
pub mod order;
mod pace;
mod pauses;
mod placed;
mod populations;
mod rank;
mod recognised;
pub mod report;
mod row;
mod seen;
mod sites;
mod sizes;
mod splits;
mod stacks;
mod steps;
mod syscalls;
mod tally;
#[cfg(test)]
mod tests;
pub mod timeline;
mod told;
mod trend;
pub mod unit;
mod verdict;
pub mod whatif;
mod who;
pub mod words;
mod writers;

use std::cmp::Ordering;

use changes::Changes;
use collector::Collector;
use coverage::{Coverage, Step};
pub use drawn::Extent;
use episodes::Episodes;
use events::Events;
use fact::{Beside, Call, Cost, Crowd, Ended, Fact, Look, Rss, Syscall, What, Written};
use findings::Thresholds;
use head::Head;
use headroom::Headroom;
use hooks::{Event, Hooks};
use ladder::{Ladder, Sources};
use lives::Lives;
use memory::Memory;
use populations::Populations;
use recognised::Recognised;
use sizes::Kinds;
use stacks::Stacks;
use syscalls::Syscalls;
use timeline::Timeline;
use told::Told;
use trend::Trends;
use unit::{Address, Bytes, Nanos};

/// Everything that the facts so far have told.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    head: Head,
    recognised: Recognised,
    hooks: Hooks,
    told: Told,
    events: Events,
    lives: Lives,
    /// The small maps that the last census added up; `None`: none did.
    crowds: Option<Populations>,
    /// When they were last counted.
    counted: Option<Nanos>,
    /// Maps that only later censuses found; `None`: there was none, or not known.
    born: Option<u64>,
    episodes: Episodes,
    memory: Memory,
    headroom: Headroom,
    /// What lies beside the maps, and what was left to the kernel to take; `None`: nobody asked.
    beside: Option<Beside>,
    lazily_freed: Option<Bytes>,
    collector: Collector,
    written: Option<Box<Written>>,
    syscalls: Syscalls,
    stacks: Stacks,
    kinds: Kinds,
    coverage: Coverage,
    cost: Option<Cost>,
    trends: Trends,
    changes: Changes,
    timeline: Timeline,
    thresholds: Thresholds,
}

impl Audit {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds one fact in. Facts should come in the order of their times; one that does not is
    /// applied and counted as late.
    pub fn apply(&mut self, fact: &Fact) {
        let at = fact.at;
        if at < self.head.latest() && coverage::is_event(&fact.what) {
            self.coverage.came_late(self.step(fact));
        }
        self.head.passed(at);
        match &fact.what {
            What::Began(began) => {
                self.head.began(began);
                self.lives.list_from(self.head.min_bytes());
            }
            What::Runtime(runtime) => self.recognised.add(runtime),
            What::Hook(hook) => self.hook(at, hook),
            What::Allocate(_) | What::Grow(_) | What::Evacuate(_) | What::Free(_) | What::Clear(_) => {
                self.event(fact);
            }
            What::Look(look) => self.look(at, look),
            What::Gone { map } => self.lives.gone(at, *map),
            What::Stack(stack) => self.stacks.add(stack),
            What::Syscall(syscall) => self.syscall(at, syscall),
            What::Rss(rss) => self.rss(at, rss),
            What::Exec => self.replaced(at),
            What::OomMark => {
                self.coverage.note("the kernel chose the target as an out-of-memory victim");
                self.headroom.is_dying();
            }
            What::Exit => self.headroom.is_dying(),
            What::Memory(memory) => self.read_memory(at, memory),
            What::Lost(lost) => self.coverage.lost(lost),
            What::Hits { hook, hits } => self.hooks.hit(*hook, *hits),
            What::Cost(cost) => self.cost = Some(cost.clone()),
            What::Note(words) => self.coverage.note(words),
            What::Tick => self.tick(at),
            What::Ended(why) => self.head.ended(*why),
            // Of families: `family/` knows them.
            What::Fork { .. } | What::Member(_) | What::Of(_) | What::Left(_) | What::Shares(_) => {}
            What::Described(described) => self.lives.describe(described),
            What::Crowds(crowds) => self.count(at, crowds),
            What::Heap(heap) => self.collector.read(at, heap),
            What::Cycle(cycle) => {
                if self.collector.ended(*cycle) {
                    self.episodes.cycle(at);
                }
            }
            What::Born(maps) => self.born = Some(*maps),
            What::Written(written) => self.written = Some(writers::bounded(written)),
            What::Managed(managed) => self.collector.happened(managed),
            What::Pressure(pressure) => self.headroom.read(**pressure),
            What::Rules(text) => self.rules(text),
            What::Sizes(sizes) => self.kinds.add(sizes),
            What::Allocator(name) => self.head.has_allocator(name),
            What::Resident(resident) => self.lives.asked(resident),
            What::LazilyFreed(bytes) => self.lazily_freed = Some(*bytes),
            What::Beside(beside) => self.beside = Some(*beside),
            What::Faults(faults) => self.episodes.faults((at, *faults)),
            What::Arenas(arenas) => self.memory.has_arenas(*arenas),
        }
    }

    /// The maps that live, by address, each with the bytes it holds.
    pub fn live_maps(&self) -> impl Iterator<Item = (Address, Bytes)> {
        self.lives.living().map(|life| (life.address, life.holding.allocated()))
    }

    /// What of a living map is in RAM, as far as it was told.
    #[must_use]
    pub fn resident(&self, map: Address) -> Option<fact::Resident> {
        self.lives.living_at(map).and_then(|life| life.resident.as_deref()).copied()
    }

    /// The tables of a living map that were seen asked for and not let go, as far as their addresses are
    /// remembered.
    pub fn tables(&self, map: Address) -> impl Iterator<Item = (Address, Bytes)> {
        self.lives.living_at(map).into_iter().flat_map(|life| life.holding.ledger.placed())
    }

    /// Whether the target leaves pages to the kernel to take (`MADV_FREE`), as its heap or a call of its says.
    #[must_use]
    pub fn frees_lazily(&self) -> bool {
        self.collector.gives_back_lazily() || self.syscalls.freed_lazily()
    }

    /// RSS now, as far as it is known.
    const fn last_rss(&self) -> Option<Bytes> {
        self.memory.rss().last
    }

    /// Why the audit ended, if it has.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.head.end()
    }

    fn hook(&mut self, at: Nanos, hook: &fact::Hook) {
        self.hooks.changed(at, hook);
        self.told = self.hooks.tell();
    }

    /// What a hook of a runtime tells.
    fn event(&mut self, fact: &Fact) {
        let (event, times) = match &fact.what {
            What::Allocate(allocate) => {
                self.waited(fact.at, allocate);
                self.lives.allocate(fact.at, allocate, &mut self.episodes);
                (Event::Allocate, 1)
            }
            What::Grow(grow) => {
                self.lives.grow(fact.at, grow, &mut self.episodes);
                (Event::Grow, 1)
            }
            What::Evacuate(evacuate) => {
                self.lives.evacuate(fact.at, evacuate);
                (Event::Evacuate, evacuate.moved)
            }
            What::Free(free) => {
                self.episodes.let_go(fact.at);
                self.lives.free(fact.at, free, &mut self.episodes);
                (Event::Free, 1)
            }
            What::Clear(clear) => {
                self.lives.clear(fact.at, clear, &mut self.episodes);
                (Event::Clear, 1)
            }
            _ => return,
        };
        self.events.happened(event, times);
    }

    fn count(&mut self, at: Nanos, crowds: &[Crowd]) {
        self.crowds = Some(Populations::of_crowds(crowds, &mut self.recognised));
        self.counted = Some(at);
    }

    fn look(&mut self, at: Nanos, look: &Look) {
        let runtime = self.recognised.id(&look.runtime);
        self.lives.look(at, look, runtime, self.told, &mut self.episodes);
    }

    fn syscall(&mut self, at: Nanos, syscall: &Syscall) {
        self.syscalls.ended(at, syscall);
        if syscall.call == Call::Mmap && syscall.failed.is_none() {
            self.episodes.mapped(at, syscall.address, syscall.bytes);
        }
    }

    fn rss(&mut self, at: Nanos, rss: &Rss) {
        let way = self.memory.moved(at, rss);
        self.episodes.rss(steps::Step { at, rss: self.memory.now(), way });
    }

    fn read_memory(&mut self, at: Nanos, memory: &fact::Memory) {
        self.memory.read(at, memory, self.head.saw_the_start());
        self.episodes.rss(steps::Step { at, rss: self.memory.now(), way: Ordering::Equal });
        self.changed(at);
    }

    /// The target replaced its program.
    fn replaced(&mut self, at: Nanos) {
        self.lives.replaced(at, &mut self.episodes);
        self.memory.replaced();
        self.collector.replaced();
        (self.crowds, self.counted, self.born) = (None, None, None);
        self.kinds.replaced();
        (self.beside, self.lazily_freed) = (None, None);
        self.syscalls.replaced();
        self.trends.replaced();
        self.changes.replaced();
    }

    /// Whether a late fact may have changed a total.
    fn step(&self, fact: &Fact) -> Step {
        let out = match &fact.what {
            What::Allocate(allocate) => self.lives.is_out_of_step(fact.at, allocate.map),
            What::Grow(grow) => self.lives.is_out_of_step(fact.at, grow.map),
            What::Free(free) => self.lives.is_out_of_step(fact.at, free.map),
            What::Clear(clear) => self.lives.is_out_of_step(fact.at, clear.map),
            What::Syscall(syscall) => self.syscalls.is_out_of_step(fact.at, syscall),
            What::Exec => true,
            _ => false,
        };
        if out { Step::Out } else { Step::In }
    }

    fn ladder(&self) -> Ladder {
        let sources = Sources {
            heap: self.collector.kept(),
            maps: self.lives.held(self.crowds.as_ref()),
            beside: self.beside,
            lazily_freed: self.lazily_freed,
        };
        ladder::ladder(&self.memory, sources)
    }
}
