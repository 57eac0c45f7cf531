//! The pure core: facts in, report out. No IO, no clock, no hash order, no async, no unsafe.
//!
//! [`Audit::apply`] folds one fact in, [`Audit::report`] says what is known so far. The same facts
//! in the same order give the same report, wherever they come from and however often a report is
//! drawn in between. Facts come in through [`order::Order`], which merges their sources by time.
//!
//! Read `fact.rs` (what goes in), `report.rs` (what comes out), then `lives.rs` (maps), `episodes.rs`
//! (growths), `coverage.rs` (doubts). Whatever facts hold, nothing here panics, sums saturate, and
//! every collection has a stated limit.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, unsafe_code)]

mod counters;
mod coverage;
mod deaths;
mod doubt;
pub mod episodes;
mod evacuation;
mod events;
pub mod fact;
mod head;
mod holding;
mod hooks;
pub mod ladder;
mod ledger;
mod life;
pub mod lives;
mod memory;
mod mmaps;
mod oddities;
pub mod order;
mod populations;
mod recognised;
pub mod report;
mod row;
mod splits;
mod stacks;
mod steps;
mod syscalls;
#[cfg(test)]
mod tests;
pub mod unit;

use std::cmp::Reverse;

use coverage::{Coverage, Evidence, Step};
use doubt::Doubt;
use episodes::Episodes;
use events::Events;
use fact::{Call, Cost, Ended, Fact, Look, Rss, Syscall, What};
use head::Head;
use hooks::{Event, Hooks};
use life::{Frees, Life};
use lives::{Lives, Told};
use memory::Memory;
use recognised::Recognised;
use report::Report;
use row::Context;
use stacks::Stacks;
use syscalls::Syscalls;
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
    episodes: Episodes,
    memory: Memory,
    syscalls: Syscalls,
    stacks: Stacks,
    coverage: Coverage,
    cost: Option<Cost>,
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
            What::Allocate(_) | What::Grow(_) | What::Evacuate(_) | What::Free(_) => self.event(fact),
            What::Look(look) => self.look(at, look),
            What::Gone { map } => self.lives.gone(at, *map),
            What::Stack(stack) => self.stacks.add(stack),
            What::Syscall(syscall) => self.syscall(at, syscall),
            What::Rss(rss) => self.rss(at, rss),
            What::Exec => self.replaced(at),
            What::OomMark => self.coverage.note("the kernel chose the target as an out-of-memory victim"),
            What::Memory(memory) => self.read_memory(at, memory),
            What::Lost(lost) => self.coverage.lost(lost),
            What::Hits { hook, hits } => self.hooks.hit(*hook, *hits),
            What::Cost(cost) => self.cost = Some(cost.clone()),
            What::Note(words) => self.coverage.note(words),
            What::Tick => self.lives.tick(at, &mut self.episodes),
            What::Ended(why) => self.head.ended(*why),
            What::Fork { .. } | What::Exit => {}
            // Told, and kept in recordings; the report does not show them yet.
            What::Described(_)
            | What::Crowds(_)
            | What::Heap(_)
            | What::Cycle(_)
            | What::Managed(_)
            | What::Clear(_) => {}
        }
    }

    /// What is known now. Drawing it changes nothing.
    #[must_use]
    pub fn report(&self) -> Report {
        let now = self.head.latest();
        let (maps, populations) = self.listing(now);
        let (episodes, omitted) = self.episodes.report(now, |map| self.lives.moves(map, now));
        let counted = self.lives.counted();
        Report {
            schema: report::SCHEMA.to_owned(),
            auditor: self.head.auditor(),
            host: self.head.host(),
            target: self.head.target(&self.recognised),
            window: self.head.window(),
            memory: self.memory.report(),
            syscalls: self.hooks.told(Event::Syscall).then(|| self.syscalls.report()),
            events: self.events.report(&self.hooks, counted),
            maps,
            populations,
            episodes,
            gc: None,
            findings: Vec::new(),
            coverage: self.coverage.report(self.evidence(omitted, counted.total.is_some())),
            cost: self.cost(),
        }
    }

    /// The maps that live, by address, each with the bytes it holds.
    pub fn live_maps(&self) -> impl Iterator<Item = (Address, Bytes)> {
        self.lives.living().map(|life| (life.address, life.holding.allocated()))
    }

    /// Why the audit ended, if it has.
    #[must_use]
    pub const fn ended(&self) -> Option<Ended> {
        self.head.end()
    }

    fn hook(&mut self, at: Nanos, hook: &fact::Hook) {
        self.hooks.changed(at, hook);
        let frees = if self.hooks.tells_all(Event::Free) { Frees::Seen } else { Frees::Unseen };
        self.told = Told { births: self.hooks.told(Event::Allocate), frees };
    }

    /// What a hook of a runtime tells.
    fn event(&mut self, fact: &Fact) {
        let (event, times) = match &fact.what {
            What::Allocate(allocate) => {
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
                self.lives.free(fact.at, free, &mut self.episodes);
                (Event::Free, 1)
            }
            _ => return,
        };
        self.events.happened(event, times);
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
        let rose = self.memory.moved(at, rss);
        self.episodes.rss(steps::Step { at, rss: self.memory.now(), rose });
    }

    fn read_memory(&mut self, at: Nanos, memory: &fact::Memory) {
        self.memory.read(at, memory, self.head.saw_the_start());
        self.episodes.rss(steps::Step { at, rss: self.memory.now(), rose: false });
    }

    /// The target replaced its program.
    fn replaced(&mut self, at: Nanos) {
        self.lives.replaced(at, &mut self.episodes);
        self.memory.replaced();
        self.syscalls.replaced();
    }

    /// Whether a late fact may have changed a total.
    fn step(&self, fact: &Fact) -> Step {
        let out = match &fact.what {
            What::Allocate(allocate) => self.lives.is_out_of_step(fact.at, allocate.map),
            What::Grow(grow) => self.lives.is_out_of_step(fact.at, grow.map),
            What::Free(free) => self.lives.is_out_of_step(fact.at, free.map),
            What::Syscall(syscall) => self.syscalls.is_out_of_step(fact.at, syscall),
            What::Exec => true,
            _ => false,
        };
        if out { Step::Out } else { Step::In }
    }

    fn listing(&self, now: Nanos) -> (Vec<report::Map>, Vec<report::Population>) {
        let context = Context { now, recognised: &self.recognised, stacks: &self.stacks };
        let (mut listed, populations) = self.lives.listing();
        listed.sort_by_key(|life| rank(life));
        let rows = listed.into_iter().map(|life| row::row(life, context)).collect();
        (rows, populations.report(&self.recognised))
    }

    fn evidence(&self, omitted_episodes: u64, counters_are_shown: bool) -> Evidence {
        let mut doubts: Vec<Doubt> = self.hooks.doubts(self.head.start()).collect();
        doubts.extend(self.lives.oddities().doubts(counters_are_shown));
        if !self.recognised.is_empty() && self.recognised.verified().is_none() {
            doubts.push(Doubt::lowering("the layout of a runtime has not been checked".to_owned()));
        }
        if !self.lives.are_balanced() {
            doubts.push(Doubt::lowering("the ledger does not balance".to_owned()));
        }
        if self.head.end() == Some(Ended::TargetExited) {
            doubts.extend(self.lives.unread_at_the_exit());
        }
        if omitted_episodes > 0 {
            doubts.push(Doubt::remark(format!("{omitted_episodes} smaller episodes are left out")));
        }
        Evidence {
            doubts,
            probes: self.hooks.report(),
            layout_verified: self.recognised.verified(),
            maps_were_seen: self.lives.were_looked_at() || self.hooks.told_of_maps(),
        }
    }

    fn cost(&self) -> report::Cost {
        let cost = self.cost.as_ref();
        report::Cost {
            probe_hits: self.hooks.hits(),
            target_time_estimate: self.hooks.target_time(),
            agent_cpu: cost.map(|cost| cost.agent_cpu),
            agent_rss: cost.map(|cost| cost.agent_rss),
            bpf_memory: cost.map(|cost| cost.bpf_memory),
        }
    }
}

/// Largest first; what is left of maps of equal size is told apart by address and age.
fn rank(life: &Life) -> (Reverse<Bytes>, Address, Option<Nanos>) {
    let allocated = if life.gone.is_some() { Bytes(0) } else { life.holding.allocated() };
    (Reverse(allocated), life.address, life.born)
}
