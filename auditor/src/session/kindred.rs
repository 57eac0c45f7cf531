//! What came of the target by fork and runs its program: followed with it, each process a [`Member`] of its own.
//!
//! The kernel side makes a child a target before it runs; its first records wait here until it has been looked at.
//! Looking at one takes its time, so that is done in a share of it: what is forked faster than that, and ends
//! before its turn, is told as not looked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::allowance::{Allowance, Share};
use super::arenas::Arenas;
use super::inspect::{self, Options, SetupError};
use super::kin::{self, MEMBERS};
use super::latecomers::{Grounds, Latecomers, Watch};
use super::live::{now, whole};
use super::member::Member;
use super::recognise::Model;
use super::setup;
use super::timed::timed;
use super::translate::Translator;
use crate::audit::fact::{self, Fact, Left, Sight, What};
use crate::audit::unit::{Nanos, Pid};
use crate::probes::decode::Event;
use crate::probes::kernel::{Counted, Kernel};
use crate::runtimes::hook::Hook;
use crate::target::family::{self, Kin};
use crate::target::memory::LiveMemory;
use crate::target::module::Module;
use auditor_ebpf::{TaskRecord, task};

/// Most records that wait for their processes to be looked at.
const WAITING: usize = 1 << 16;
/// The part of the time in which processes are looked at, and how much of it is saved up.
const LOOKS: Share = Share { part: 20, saved: Nanos(1_000_000_000) };
/// The same for what they share with each other: the kernel walks their pages for that.
const SHARES: Share = Share { part: 100, saved: Nanos(100_000_000) };

/// The processes beside the first one.
#[derive(Debug)]
pub struct Kindred {
    options: Options,
    /// What the first one has that others have, too.
    model: Model,
    /// Names of its runtimes.
    runtimes: Vec<String>,
    /// Its hooks: they see the others, too.
    hooks: BTreeMap<u32, Hook>,
    pub(super) members: BTreeMap<Pid, Member>,
    /// Those that are followed no more, and of which counts may still come.
    pub(super) departing: Vec<(Nanos, Left, Member)>,
    /// Those of which everything was told.
    pub(super) departed: Vec<Member>,
    pub(super) expected: VecDeque<Expected>,
    pub(super) looks: Allowance,
    /// To whom files may have come since they were looked at.
    unwatched: BTreeSet<Pid>,
    shares: Allowance,
    /// Who was last asked what it shares.
    asked: Pid,
    /// Of processes without a member.
    told: Vec<(Pid, Fact)>,
    /// Records for which there was no room, and processes.
    pub(super) lost: u64,
    pub(super) beyond: u64,
    /// Of these, those that were there before: each is counted once.
    left_out: BTreeSet<Pid>,
}

/// A process that was not looked at yet.
#[derive(Debug)]
pub(super) struct Expected {
    kin: Kin,
    sight: Sight,
    at: Nanos,
    /// What was told of it meanwhile.
    events: Vec<Event>,
    has_ended: bool,
}

impl Kindred {
    /// None is known yet. `model`, `runtimes` and `hooks` are the first one's.
    #[must_use]
    pub(super) fn new(
        options: Options,
        model: Model,
        runtimes: &[fact::Runtime],
        hooks: BTreeMap<u32, Hook>,
    ) -> Self {
        Self {
            // What they have was their parent's.
            options: Options { from_start: false, ..options },
            model,
            runtimes: runtimes.iter().map(|runtime| runtime.name.clone()).collect(),
            hooks,
            members: BTreeMap::new(),
            departing: Vec::new(),
            departed: Vec::new(),
            expected: VecDeque::new(),
            looks: Allowance::new(LOOKS),
            unwatched: BTreeSet::new(),
            shares: Allowance::new(SHARES),
            asked: Pid(0),
            told: Vec::new(),
            lost: 0,
            beyond: 0,
            left_out: BTreeSet::new(),
        }
    }

    /// Takes what the kernel side tells, and gives back what is the first one's.
    pub(super) fn take(&mut self, event: Event, first: Pid, kernel: &Kernel) -> Option<Event> {
        let Some(pid) = event.pid() else { return Some(event) };
        let becomes = match &event {
            Event::Task(TaskRecord { event, other, header }) => Some((*event, *other, Nanos(header.at))),
            _ => None,
        };
        if let Some((task::FORK, child, at)) = becomes {
            self.expect(Kin { pid: Pid(child), parent: pid }, Sight::Forked, at);
        }
        if pid == first {
            return Some(event);
        }
        if let Some(member) = self.members.get_mut(&pid) {
            member.take(&event, kernel);
            match becomes {
                Some((task::EXIT, _, at)) => self.depart(pid, at, Left::Exited),
                Some((task::EXEC, _, at)) => self.depart(pid, at, Left::Replaced),
                _ => {}
            }
        } else if let Some(place) = self.expected.iter().position(|it| it.kin.pid == pid && !it.has_ended) {
            match becomes {
                // It was forked to run something else.
                Some((task::EXEC, ..)) => _ = self.expected.remove(place),
                Some((task::EXIT, ..)) => self.expected[place].has_ended = true,
                _ => self.keep(place, event),
            }
        } else if let Some((_, _, member)) = self.departing.iter_mut().find(|(.., it)| it.pid() == pid) {
            member.take(&event, kernel);
        }
        None
    }

    /// Takes hits that were counted in the kernel, of another process than the first.
    pub(super) fn count(&mut self, counted: &Counted) {
        let departing = self.departing.iter_mut().map(|(.., member)| member);
        match self.members.get_mut(&counted.pid) {
            Some(member) => member.count(counted),
            None => match departing.into_iter().find(|member| member.pid() == counted.pid) {
                Some(member) => member.count(counted),
                None => self.lost = self.lost.saturating_add(counted.count),
            },
        }
    }

    /// A hook is not what it was; one of them may have been told.
    pub(super) fn tell_hook(&mut self, hook: &fact::Hook, told: Option<Pid>) {
        let others = self.members.values_mut().filter(|member| Some(member.pid()) != told);
        others.for_each(|member| member.tell(What::Hook(hook.clone())));
    }

    /// Files may have come to any of them.
    pub(super) fn look_out(&mut self) {
        self.unwatched = self.members.keys().copied().collect();
    }

    /// Looks at files that have come to them, as far as there is time: where something told of one first.
    pub(super) fn greet_latecomers(&mut self, grounds: &mut Grounds<'_>) {
        let told = |member: &Member| member.watch.as_ref().is_some_and(Watch::may_have_come);
        while self.looks.has_some() {
            let next = self.members.iter().find(|(_, member)| told(member)).map(|(pid, _)| *pid);
            let Some(pid) = next.or_else(|| self.unwatched.pop_first()) else { return };
            let began = now();
            self.members.get_mut(&pid).into_iter().for_each(|member| grounds.greet(member));
            self.looks.spent_since(began);
        }
    }

    /// Lets go what is dated until then.
    pub(super) fn release(&mut self, until: Nanos, mut take: impl FnMut(Pid, Fact)) {
        self.told.drain(..).for_each(|(pid, fact)| take(pid, fact));
        let departing = self.departing.iter_mut().map(|(.., member)| member);
        for member in self.members.values_mut().chain(departing).chain(&mut self.departed) {
            let pid = member.pid();
            member.release(until, |fact| take(pid, fact));
        }
        self.departed.retain(|member| !member.order.is_empty());
    }

    fn keep(&mut self, place: usize, event: Event) {
        let waiting: usize = self.expected.iter().map(|it| it.events.len()).sum();
        if waiting < WAITING {
            self.expected[place].events.push(event);
        } else {
            self.lost = self.lost.saturating_add(1);
        }
    }

    pub(super) fn knows(&self, pid: Pid) -> bool {
        let is_expected = self.expected.iter().any(|it| it.kin.pid == pid);
        is_expected || self.members.contains_key(&pid) || self.left_out.contains(&pid)
    }

    pub(super) fn expect(&mut self, kin: Kin, sight: Sight, at: Nanos) {
        if self.members.contains_key(&kin.pid) {
            // Its number is another's now.
            self.depart(kin.pid, at, Left::Exited);
        }
        self.expected.iter_mut().filter(|it| it.kin.pid == kin.pid).for_each(|it| it.has_ended = true);
        if self.members.len() + self.expected.len() + 1 >= MEMBERS {
            self.beyond = self.beyond.saturating_add(1);
            if sight == Sight::Found {
                self.left_out.insert(kin.pid);
            }
            return;
        }
        self.expected.push_back(Expected { kin, sight, at, events: Vec::new(), has_ended: false });
    }

    pub(super) fn depart(&mut self, pid: Pid, at: Nanos, why: Left) {
        if let Some(member) = self.members.remove(&pid) {
            self.departing.push((at, why, member));
        }
    }

    /// Looks at the one that waits longest.
    pub(super) fn look(
        &mut self,
        expected: Expected,
        hooks: &BTreeMap<u32, fact::Hook>,
        grounds: &mut Grounds<'_>,
    ) {
        let (Kin { pid, parent }, at) = (expected.kin, expected.at);
        let comm = kin::comm(pid);
        let member = fact::Member { pid, parent: Some(parent), comm, sight: expected.sight };
        let member = What::Member(Box::new(member));
        let entered = timed("looking at a child", || self.enter(&expected, member.clone(), hooks, grounds));
        let why = match entered {
            Ok(member) => {
                self.members.insert(pid, member);
                return;
            }
            Err(error) if kin::is_over(&error) => "it ended before it was looked at".to_owned(),
            Err(error) => whole(&error),
        };
        let fact = |at, what| (pid, Fact { at, thread: None, what });
        self.told.extend([fact(at, member), fact(now(), What::Left(Left::Unread(why)))]);
    }

    fn enter(
        &self,
        expected: &Expected,
        introduction: What,
        hooks: &BTreeMap<u32, fact::Hook>,
        grounds: &mut Grounds<'_>,
    ) -> Result<Member, SetupError> {
        let pid = expected.kin.pid;
        if expected.has_ended {
            return Err(SetupError::Ended { pid: pid.0 });
        }
        let mut opened = inspect::open_beside(pid, &self.options.runtimes, Some(&self.model))?;
        let (build_id, allocator) = (opened.build_id(), opened.allocator());
        let malloc = opened.malloc();
        let process = opened.process.clone();
        let memory = LiveMemory::of(&process);
        let found = setup::check_layout(&mut opened.runtimes, &process, &memory)?;
        // What it holds besides is taken as what comes later, or has no hooks.
        if !self.runtimes.iter().eq(found.iter().map(|found| &found.name).take(self.runtimes.len())) {
            let why =
                format!("it holds {}, the first process {}", setup::names(&found), self.runtimes.join(", "));
            return Err(SetupError::Unusable { pid: pid.0, comm: kin::comm(pid), why });
        }
        // Hooks get the names that the first one's have.
        (0..opened.runtimes.parts()).for_each(|part| drop(opened.runtimes.hooks_of(part)));
        let began = setup::began(&process, build_id, &self.options);
        let translator = Translator::with(opened.runtimes, self.hooks.clone());
        let name = setup::names(&found);
        let arenas = Arenas::find(&memory, &malloc);
        let mut member = Member::new(process, memory, translator, arenas, self.options.min_bytes);
        let is_known = |module: &&Module| !opened.is_of_model || self.model.has(module);
        let watch = |late: &&mut Latecomers| late.watch(pid, opened.modules.iter().filter(is_known));
        member.watch = grounds.late.as_ref().map(watch);
        let rules = self.options.rules.iter().map(|text| What::Rules(text.clone()));
        let introduced = [introduction, What::Began(Box::new(began))]
            .into_iter()
            .chain(rules)
            .chain(allocator.map(|name| What::Allocator(name.to_owned())))
            .chain(found.into_iter().map(What::Runtime))
            .chain(hooks.values().cloned().map(What::Hook));
        introduced.for_each(|what| member.tell_of(expected.at, what));
        grounds.greet(&mut member);
        expected.events.iter().for_each(|event| member.take(event, grounds.kernel));
        let counted = member.census(grounds.kernel);
        counted.map_err(|error| setup::failed(&member.process, name, error))?;
        Ok(member)
    }

    /// Asks one after the other what they share.
    pub(super) fn ask_shares(&mut self, first: &mut Member) {
        for _ in 0..=self.members.len() {
            if !self.shares.has_some() {
                return;
            }
            let next = self.members.range(Pid(self.asked.0.saturating_add(1))..).next();
            let pid = next.map_or(first.pid(), |(pid, _)| *pid);
            self.asked = next.map_or(Pid(0), |(pid, _)| *pid);
            let began = now();
            let shares = family::shares(pid);
            self.shares.spent_since(began);
            let member = self.members.get_mut(&pid).unwrap_or(first);
            shares.into_iter().for_each(|shares| member.tell(What::Shares(shares)));
        }
    }
}
