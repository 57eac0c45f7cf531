//! One target being audited: drain, order, tee to the recording, apply, tick.

use std::collections::BTreeMap;

use nix::time::{ClockId, clock_gettime};

use super::burst::Burst;
use super::governor::Governor;
use super::keep::Keep;
use super::kindred::Kindred;
use super::latecomers::Latecomers;
use super::member::Member;
use crate::audit::Extent;
use crate::audit::fact::{self, Ended, Fact, HookState, What};
use crate::audit::family::Family;
use crate::audit::report::Report;
use crate::audit::unit::{Nanos, Pid};
use crate::probes::decode::Event;
use crate::probes::kernel::Kernel;
use crate::target::own::Own;
use crate::target::process::Identity;

/// How long a fact waits for an earlier one. A program that took its time may be interrupted before
/// it has its place in the ring; what comes later still is counted as late.
const PATIENCE: Nanos = Nanos(20_000_000);
/// Records read at once, so that a flood does not keep the rest of the loop waiting.
const BATCH: usize = 1 << 16;

/// One target being audited: a process, or with those that came of it by fork.
#[derive(Debug)]
pub struct Live {
    /// The process that was asked for.
    pub(super) first: Member,
    /// `None`: there is no other.
    pub(super) kindred: Option<Kindred>,
    pub(super) kernel: Kernel,
    pub(super) governor: Governor,
    pub(super) hooks: BTreeMap<u32, fact::Hook>,
    pub(super) own: Option<Own>,
    pub(super) audit: Family,
    /// Hits of each hook that were told last.
    pub(super) hits: BTreeMap<u32, u64>,
    recording: Option<Keep>,
    /// Whose facts are applied.
    current: Pid,
    /// Whether anybody wants a report at each tick.
    draws_intervals: Option<Extent>,
    /// Whether facts came since the last report was drawn.
    news: bool,
    replaced: bool,
    /// When the hooks began to see.
    began: Nanos,
    /// A short look at the writers of one map.
    pub(super) burst: Option<Burst>,
    /// `None`: what comes later is of no interest.
    pub(super) latecomers: Option<Latecomers>,
}

/// What a live target is made of.
#[derive(Debug)]
pub struct Parts {
    /// The process.
    pub first: Member,
    /// The kernel side, with hooks placed.
    pub kernel: Kernel,
    /// The budget.
    pub governor: Governor,
    /// All hooks, placed or not.
    pub hooks: BTreeMap<u32, fact::Hook>,
    /// Where facts are kept.
    pub recording: Option<Keep>,
    /// What comes later, if that is of interest.
    pub latecomers: Option<Latecomers>,
    /// The others of its family, if they are followed.
    pub kindred: Option<Kindred>,
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
        Self {
            own: Own::open().map_err(|error| log::warn!("own cost: {error}")).ok(),
            current: parts.first.pid(),
            first: parts.first,
            kindred: parts.kindred,
            kernel: parts.kernel,
            governor: parts.governor,
            hooks: parts.hooks,
            recording: parts.recording,
            audit: Family::new(),
            hits: BTreeMap::new(),
            draws_intervals: Some(Extent::Whole),
            news: false,
            replaced: false,
            began: Nanos(0),
            burst: None,
            latecomers: parts.latecomers,
        }
    }

    /// The target.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.first.pid()
    }

    /// What /proc says of it.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        self.first.process.identity()
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

    /// A fact of this moment, of the process that was asked for.
    pub(super) fn tell(&mut self, what: What) {
        self.first.tell(what);
    }

    /// A hook is not what it was, which is news of every process that it sees.
    pub(super) fn tell_hook(&mut self, hook: &fact::Hook) {
        self.tell(What::Hook(hook.clone()));
        if let Some(kindred) = &mut self.kindred {
            kindred.tell_hook(hook, None);
        }
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
        self.first.faults.round();
        self.read_ring();
        self.greet_latecomers();
        self.greet_kindred();
        self.first.faults.told().into_iter().for_each(|fact| self.first.order.push(fact));
        self.first.greet_the_newborn(&mut self.kernel);
        self.apply_until(Nanos(before.0.saturating_sub(PATIENCE.0)))
    }

    /// Asks the governor, and takes a hook out of the target where it says so. What is returned is to
    /// be dropped off the loop: that waits for the kernel.
    pub fn govern(&mut self) -> Option<crate::probes::place::Links> {
        let kernel = &self.kernel;
        let over = self.governor.observe(now(), |hook| kernel.traps(hook))?;
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
            self.tell_hook(&hook);
        }
        links
    }

    /// Polls and takes stock; an interval ends with it. Stacks are named here and not at each drain:
    /// reading a program's debug information for the first frame takes longer than the governor may
    /// be kept waiting.
    pub fn tick(&mut self) {
        self.first.name_stacks();
        self.look_for_latecomers();
        self.first.poll(&mut self.kernel, &self.audit);
        self.first.tell_memory();
        self.first.faults.at_tick().into_iter().for_each(|fact| self.first.order.push(fact));
        self.poll_kindred();
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
            self.first.tell_memory();
            self.first.tell_arenas();
        }
        drop(self.break_burst_off());
        self.latecomers.iter_mut().for_each(Latecomers::end);
        self.kernel.remove_all();
        while self.read_ring() == BATCH {}
        self.greet_latecomers();
        self.first.faults.at_tick().into_iter().for_each(|fact| self.first.order.push(fact));
        self.first.name_stacks();
        self.end_kindred(ended);
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
            self.take(event);
        }
        read
    }

    fn take(&mut self, event: Event) {
        if let (Some(burst), Event::Hook(record, _)) = (&mut self.burst, &event)
            && burst.takes(record)
        {
            return;
        }
        let ours = match &mut self.kindred {
            Some(kindred) => kindred.take(event, self.first.pid(), &self.kernel),
            None => Some(event),
        };
        if let Some(event) = ours {
            self.first.take(&event, &self.kernel);
        }
    }

    fn apply_until(&mut self, until: Nanos) -> Vec<Report> {
        let mut ready = Vec::new();
        let pid = self.first.pid();
        self.first.release(until, |fact| ready.push((pid, fact)));
        if let Some(kindred) = &mut self.kindred {
            kindred.release(until, |pid, fact| ready.push((pid, fact)));
            // Stable: of facts of one time and one process the order stays.
            ready.sort_by_key(|(_, fact)| fact.at);
        }
        let mut ticks = Vec::new();
        for (of, fact) in ready {
            self.turn_to(of, &fact);
            self.keep(&fact);
            self.replaced |= of == pid && fact.what == What::Exec;
            if fact.what == What::Tick
                && let Some(extent) = self.draws_intervals
            {
                ticks.push(self.audit.drawn(extent));
                self.news = false;
            }
        }
        ticks
    }

    /// Says whose facts come, where it was another's.
    fn turn_to(&mut self, pid: Pid, fact: &Fact) {
        if self.current == pid {
            return;
        }
        self.current = pid;
        if !matches!(fact.what, What::Member(_)) {
            self.keep(&Fact { at: fact.at, thread: None, what: What::Of(pid) });
        }
    }

    fn keep(&mut self, fact: &Fact) {
        if let Some(recording) = &mut self.recording {
            recording.take(fact);
        }
        self.audit.apply(fact);
        self.news = true;
    }
}

/// An error with its causes, in one line.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |story, cause| format!("{story}: {cause}"))
}
