//! One target being audited: drain, order, tee to the recording, apply, tick.

use std::collections::BTreeMap;

use nix::time::{ClockId, clock_gettime};

use super::burst::Burst;
use super::census::Schedule;
use super::faults::Faults;
use super::governor::Governor;
use super::keep::Keep;
use super::latecomers::Latecomers;
use super::readings::{self, Readings};
use super::residents::Residents;
use super::sampler::Sampler;
use super::stacks::Stacks;
use super::stock::Told;
use super::translate::Translator;
use crate::audit::fact::{self, Ended, Fact, HookState, What};
use crate::audit::order::Order;
use crate::audit::report::Report;
use crate::audit::unit::{Address, Bytes, Nanos, Pid};
use crate::audit::{Audit, Extent};
use crate::probes::decode::Event;
use crate::probes::kernel::Kernel;
use crate::target::memory::LiveMemory;
use crate::target::own::Own;
use crate::target::pressure::Scarcity;
use crate::target::process::{Identity, Process};
use crate::target::usage::Usage;

/// How long a fact waits for an earlier one. A program that took its time may be interrupted before
/// it has its place in the ring; what comes later still is counted as late.
const PATIENCE: Nanos = Nanos(20_000_000);
/// Records read at once, so that a flood does not keep the rest of the loop waiting.
const BATCH: usize = 1 << 16;

/// One target being audited.
#[derive(Debug)]
pub struct Live {
    pub(super) process: Process,
    pub(super) memory: LiveMemory,
    pub(super) translator: Translator,
    pub(super) kernel: Kernel,
    pub(super) governor: Governor,
    pub(super) hooks: BTreeMap<u32, fact::Hook>,
    pub(super) recording: Option<Keep>,
    pub(super) sampler: Sampler,
    pub(super) stacks: Stacks,
    pub(super) usage: Option<Usage>,
    pub(super) scarcity: Scarcity,
    pub(super) own: Option<Own>,
    pub(super) order: Order<Fact>,
    pub(super) audit: Audit,
    pub(super) lost: BTreeMap<&'static str, u64>,
    /// What was told last, so that only news become facts.
    pub(super) told: Told,
    /// Whether anybody wants a report at each tick.
    draws_intervals: Option<Extent>,
    /// Whether facts came since the last report was drawn.
    news: bool,
    replaced: bool,
    /// When the hooks began to see.
    began: Nanos,
    /// Maps whose first table has just been seen, or whose look was overtaken: they are looked at while
    /// they live, for the name.
    pub(super) newborn: Vec<Address>,
    /// Readings whose looks wait to be applied.
    pub(super) readings: Readings,
    /// Maps below it may be folded.
    pub(super) min_bytes: Bytes,
    pub(super) schedule: Schedule,
    /// `None`: there is no page map that could be asked.
    pub(super) residents: Option<Residents>,
    faults: Faults,
    /// A short look at the writers of one map.
    pub(super) burst: Option<Burst>,
    /// `None`: what comes later is of no interest.
    pub(super) latecomers: Option<Latecomers>,
}

/// What a live target is made of.
#[derive(Debug)]
pub struct Parts {
    /// The process.
    pub process: Process,
    /// Its memory.
    pub memory: LiveMemory,
    /// Its runtime.
    pub translator: Translator,
    /// The kernel side, with hooks placed.
    pub kernel: Kernel,
    /// The budget.
    pub governor: Governor,
    /// All hooks, placed or not.
    pub hooks: BTreeMap<u32, fact::Hook>,
    /// Where facts are kept.
    pub recording: Option<Keep>,
    /// Maps below it may be folded.
    pub min_bytes: Bytes,
    /// What comes later, if that is of interest.
    pub latecomers: Option<Latecomers>,
}

/// CLOCK_BOOTTIME now, the clock of all facts.
#[must_use]
pub fn now() -> Nanos {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .map(|time| Nanos(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64))
        .unwrap_or_default()
}

impl Live {
    /// Nothing has been seen yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let pid = parts.process.pid();
        Self {
            stacks: Stacks::new(pid),
            faults: Faults::of(pid),
            residents: Residents::open(pid).map_err(|error| log::warn!("{}", whole(&error))).ok(),
            usage: Usage::open(pid).map_err(|error| log::warn!("{pid:?}: {error}")).ok(),
            scarcity: Scarcity::of(pid),
            own: Own::open().map_err(|error| log::warn!("own cost: {error}")).ok(),
            process: parts.process,
            memory: parts.memory,
            translator: parts.translator,
            kernel: parts.kernel,
            governor: parts.governor,
            hooks: parts.hooks,
            recording: parts.recording,
            sampler: Sampler::default(),
            order: Order::new(),
            audit: Audit::new(),
            lost: BTreeMap::new(),
            told: Told::default(),
            draws_intervals: Some(Extent::Whole),
            news: false,
            replaced: false,
            began: Nanos(0),
            newborn: Vec::new(),
            readings: Readings::default(),
            min_bytes: parts.min_bytes,
            schedule: Schedule::default(),
            burst: None,
            latecomers: parts.latecomers,
        }
    }

    /// The target.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// What /proc says of it.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.process.identity()
    }

    /// All hooks, placed or not.
    pub fn hooks(&self) -> impl Iterator<Item = &fact::Hook> {
        self.hooks.values()
    }

    /// Whether the target has replaced its program, and with it everything that was placed.
    #[must_use]
    pub const fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// What is known now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.audit.report()
    }

    /// Whether more is known than the last report drawn had.
    pub(super) const fn has_news(&self) -> bool {
        self.news
    }

    /// What is known now, drawn.
    pub(super) fn news(&mut self) -> Report {
        self.news = false;
        self.report()
    }

    /// The first facts: how it began, what was recognised, what was placed.
    pub(super) fn introduce(&mut self, began: fact::Began, runtimes: Vec<fact::Runtime>) {
        self.tell(What::Began(Box::new(began)));
        runtimes.into_iter().for_each(|runtime| self.tell(What::Runtime(runtime)));
        let hooks: Vec<fact::Hook> = self.hooks.values().cloned().collect();
        hooks.into_iter().for_each(|hook| self.tell(What::Hook(hook)));
    }

    /// A fact of this moment.
    pub(super) fn tell(&mut self, what: What) {
        self.order.push(Fact { at: now(), thread: None, what });
    }

    /// The hooks see from now on: what came before is all there.
    pub(super) fn begins(&mut self) {
        self.began = now();
    }

    /// Whether reports are drawn at ticks.
    pub(super) const fn draw_intervals(&mut self, extent: Option<Extent>) {
        self.draws_intervals = extent;
    }

    /// The report at the first tick. It waits for nothing: before the hooks saw anything, there was
    /// nothing that could still be on its way.
    pub fn first(&mut self) -> Vec<Report> {
        self.apply_until(self.began)
    }

    /// Reads the ring and applies what is old enough. Returns the report at each tick that was among
    /// it: as it was then, and not with what came after, so that a replay gives the same.
    pub fn drain(&mut self) -> Vec<Report> {
        let before = now();
        self.faults.round();
        self.read_ring();
        self.greet_latecomers();
        self.faults.told().into_iter().for_each(|fact| self.order.push(fact));
        self.greet_the_newborn();
        self.apply_until(Nanos(before.0.saturating_sub(PATIENCE.0)))
    }

    /// Asks the governor, and takes a hook out of the target where it says so. What is returned is to
    /// be dropped off the loop: that waits for the kernel.
    pub fn govern(&mut self) -> Option<crate::probes::place::Links> {
        let kernel = &self.kernel;
        let over = self.governor.observe(now(), |hook| kernel.hits(hook))?;
        let links = self.kernel.remove(over.hook);
        if let Some(hook) = self.hooks.get_mut(&over.hook) {
            hook.state = HookState::Disabled;
            hook.reason = Some(format!(
                "over the budget: {} hits took about {} ms of the target's time; counts of it are lower bounds from here on (--budget raises the limit)",
                over.hits,
                over.taken.0 / 1_000_000
            ));
            let hook = hook.clone();
            let reason = hook.reason.as_deref().unwrap_or_default();
            log::warn!("{} taken out: {reason}", hook.name);
            if let Some(burst) = &mut self.burst {
                burst.lost(hook.id, reason, now());
            }
            self.tell(What::Hook(hook));
        }
        links
    }

    /// Polls and takes stock; an interval ends with it. Stacks are named here and not at each drain:
    /// reading a program's debug information for the first frame takes longer than the governor may
    /// be kept waiting.
    pub fn tick(&mut self) {
        self.name_stacks();
        self.look_for_latecomers();
        self.poll();
        self.tell_memory();
        self.faults.at_tick().into_iter().for_each(|fact| self.order.push(fact));
        self.take_stock();
        self.tell(What::Tick);
        if let Some(recording) = &mut self.recording {
            recording.flush();
        }
    }

    /// Ends the audit: takes the hooks out, reads what is left, and gives the last report. Before it
    /// those of the ticks that were still waiting, to `tick`.
    pub fn finish(&mut self, ended: Ended, tick: impl FnMut(Report)) -> Report {
        if ended == Ended::TargetExited {
            // Not every kernel tells, and what is read of its group from here on is without it.
            self.tell(What::Exit);
        } else {
            self.poll_for_the_last_time();
            self.tell_memory();
        }
        drop(self.break_burst_off());
        self.kernel.remove_all();
        while self.read_ring() == BATCH {}
        self.faults.at_tick().into_iter().for_each(|fact| self.order.push(fact));
        self.name_stacks();
        self.take_stock();
        self.tell(What::Ended(ended));
        self.apply_until(Nanos(u64::MAX)).into_iter().for_each(tick);
        if let Some(recording) = self.recording.take() {
            recording.finish(ended);
        }
        self.report()
    }

    pub(super) fn read_ring(&mut self) -> usize {
        self.kernel.log_diagnostics();
        let mut events = Vec::new();
        let read = self.kernel.ring.drain(BATCH, |event| events.push(event));
        for event in events {
            self.take(&event);
        }
        read
    }

    fn take(&mut self, event: &Event) {
        if let (Some(burst), Event::Hook(record, _)) = (&mut self.burst, event)
            && burst.takes(record)
        {
            return;
        }
        if let Some(late) = &mut self.latecomers {
            late.hears(event);
        }
        let stack = match event {
            Event::Hook(record, _) if record.stack >= 0 => {
                let kernel = &self.kernel;
                self.stacks.number(record.stack, record.caller, |id| kernel.stack(id))
            }
            _ => None,
        };
        let faults = &mut self.faults;
        let (order, sampler, newborn) = (&mut self.order, &mut self.sampler, &mut self.newborn);
        let translated = self.translator.event(event, stack, |fact| {
            newborn.extend(sampler.follow(&fact.what));
            faults.drained(&fact.what);
            order.push(fact);
        });
        if let Err(lost) = translated {
            *self.lost.entry(lost.0).or_default() += 1;
        }
    }

    fn name_stacks(&mut self) {
        let instance = self.translator.instance();
        for stack in self.stacks.named(|at| instance.frames(at)) {
            self.tell(What::Stack(stack));
        }
    }

    fn apply_until(&mut self, until: Nanos) -> Vec<Report> {
        let mut ticks = Vec::new();
        let overtaken = self.readings.overtaken(self.order.waiting());
        for fact in self.order.release(until) {
            if let Some(map) = readings::is_among(&overtaken, &fact) {
                if self.sampler.misread(map) {
                    self.newborn.push(map);
                }
                continue;
            }
            let kind = self.told.kinds.before(&fact, self.translator.instance());
            for fact in kind.iter().chain([&fact]) {
                if let Some(recording) = &mut self.recording {
                    recording.take(fact);
                }
                self.audit.apply(fact);
            }
            self.news = true;
            self.replaced |= fact.what == What::Exec;
            if fact.what == What::Tick
                && let Some(extent) = self.draws_intervals
            {
                ticks.push(self.audit.drawn(extent));
                self.news = false;
            }
        }
        self.readings.applied(until);
        ticks
    }
}

/// An error with its causes, in one line.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |story, cause| format!("{story}: {cause}"))
}
