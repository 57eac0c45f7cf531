//! What came of the target by fork and runs its program: followed with it, each process a [`Member`] of its own.
//!
//! The kernel side makes a child a target before it runs; its first records wait here until it has been looked at.
//! Looking at one takes its time, so that is done in a share of it: what is forked faster than that, and ends
//! before its turn, is told as not looked at.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::path::Path;

use super::allowance::{Allowance, Share};
use super::arenas::Arenas;
use super::inspect::{self, Options, SetupError};
use super::kin::{self, MEMBERS};
use super::live::{Live, now, whole};
use super::member::Member;
use super::recognise::Model;
use super::setup;
use super::timed::timed;
use super::translate::Translator;
use crate::audit::fact::{self, Ended, Fact, Left, Lost, Sight, What};
use crate::audit::family::Family;
use crate::audit::unit::{Nanos, Pid};
use crate::probes::decode::Event;
use crate::probes::kernel::{Counted, Kernel};
use crate::probes::object::LoadError;
use crate::runtimes::hook::Hook;
use crate::target::family::{self, Kin};
use crate::target::memory::LiveMemory;
use crate::target::proc;
use auditor_ebpf::{TaskRecord, task};

/// Most records that wait for their processes to be looked at.
const WAITING: usize = 1 << 16;
/// The part of the time in which processes are looked at, and how much of it is saved up.
const LOOKS: Share = Share { part: 20, saved: Nanos(1_000_000_000) };
/// The same for what they share with each other: the kernel walks their pages for that.
const SHARES: Share = Share { part: 100, saved: Nanos(100_000_000) };
/// How long maps that came since the last census are looked for at the end.
const LAST: Nanos = Nanos(2_000_000_000);
/// How often the children are listed until no new one is among them.
const LISTINGS: usize = 4;

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
    members: BTreeMap<Pid, Member>,
    /// Those that are followed no more, and of which counts may still come.
    departing: Vec<(Nanos, Left, Member)>,
    /// Those of which everything was told.
    departed: Vec<Member>,
    expected: VecDeque<Expected>,
    looks: Allowance,
    shares: Allowance,
    /// Who was last asked what it shares.
    asked: Pid,
    /// Of processes without a member.
    told: Vec<(Pid, Fact)>,
    /// Records for which there was no room, and processes.
    lost: u64,
    beyond: u64,
    /// Of these, those that were there before: each is counted once.
    left_out: BTreeSet<Pid>,
}

/// A process that was not looked at yet.
#[derive(Debug)]
struct Expected {
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

    /// A hook is not what it was.
    pub(super) fn tell_hook(&mut self, hook: &fact::Hook) {
        self.members.values_mut().for_each(|member| member.tell(What::Hook(hook.clone())));
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

    fn knows(&self, pid: Pid) -> bool {
        let is_expected = self.expected.iter().any(|it| it.kin.pid == pid);
        is_expected || self.members.contains_key(&pid) || self.left_out.contains(&pid)
    }

    fn expect(&mut self, kin: Kin, sight: Sight, at: Nanos) {
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

    fn depart(&mut self, pid: Pid, at: Nanos, why: Left) {
        if let Some(member) = self.members.remove(&pid) {
            self.departing.push((at, why, member));
        }
    }

    /// Looks at the one that waits longest.
    fn look(&mut self, expected: Expected, hooks: &BTreeMap<u32, fact::Hook>, kernel: &mut Kernel) {
        let (Kin { pid, parent }, at) = (expected.kin, expected.at);
        let comm = kin::comm(pid);
        let member = fact::Member { pid, parent: Some(parent), comm, sight: expected.sight };
        let member = What::Member(Box::new(member));
        let entered = timed("looking at a child", || self.enter(&expected, member.clone(), hooks, kernel));
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
        kernel: &mut Kernel,
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
        // What it holds besides has no hooks.
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
        let rules = self.options.rules.iter().map(|text| What::Rules(text.clone()));
        let introduced = [introduction, What::Began(Box::new(began))]
            .into_iter()
            .chain(rules)
            .chain(allocator.map(|name| What::Allocator(name.to_owned())))
            .chain(found.into_iter().map(What::Runtime))
            .chain(hooks.values().cloned().map(What::Hook));
        introduced.for_each(|what| member.tell_of(expected.at, what));
        expected.events.iter().for_each(|event| member.take(event, kernel));
        let counted = member.census(kernel);
        counted.map_err(|error| setup::failed(&member.process, name, error))?;
        Ok(member)
    }

    /// Asks one after the other what they share.
    fn ask_shares(&mut self, first: &mut Member) {
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

impl Live {
    /// Follows the children that there are, and looks at them.
    pub(super) fn adopt_kindred(&mut self) -> Result<(), LoadError> {
        let first = self.first.pid();
        for _ in 0..LISTINGS {
            let Some(kindred) = &mut self.kindred else { return Ok(()) };
            let found = family::descendants(Path::new(proc::ROOT), first).unwrap_or_else(|error| {
                self.first.tell(What::Note(format!("its children are not known: {error}")));
                Vec::new()
            });
            let new: Vec<Kin> = found.into_iter().filter(|kin| !kindred.knows(kin.pid)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for kin in new {
                let at = now();
                self.kernel.follow_kin(kin.pid)?;
                kindred.expect(kin, Sight::Found, at);
            }
            self.look_at_expected();
        }
        Ok(())
    }

    /// Looks at all that have come, however long that takes.
    fn look_at_expected(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        while let Some(expected) = kindred.expected.pop_front() {
            kindred.look(expected, &self.hooks, &mut self.kernel);
        }
    }

    /// Looks at those that have come, as far as there is time.
    pub(super) fn greet_kindred(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        while kindred.looks.has_some()
            && let Some(expected) = kindred.expected.pop_front()
        {
            let began = now();
            kindred.look(expected, &self.hooks, &mut self.kernel);
            kindred.looks.spent_since(began);
        }
        kindred.members.values_mut().for_each(|member| member.greet_the_newborn(&mut self.kernel));
    }

    /// Polls them, and asks what they share.
    pub(super) fn poll_kindred(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        let is_gone = |(pid, member): (&Pid, &Member)| member.process.has_exited().then_some(*pid);
        let gone: Vec<Pid> = kindred.members.iter().filter_map(is_gone).collect();
        // Where the kernel tells of it, that is read first; not every one does.
        gone.into_iter().for_each(|pid| kindred.depart(pid, now(), Left::Exited));
        for member in kindred.members.values_mut() {
            poll(member, &mut self.kernel, &self.audit);
        }
        kindred.ask_shares(&mut self.first);
        let lost = [("member_records", kindred.lost), ("members_beyond_limit", kindred.beyond)];
        for (source, count) in lost {
            if count > 0 && self.first.told.lost.insert(source, count) != Some(count) {
                self.first.tell(What::Lost(Lost { source: source.to_owned(), count }));
            }
        }
    }

    /// Those that are followed no more have told everything.
    pub(super) fn part_with_kindred(&mut self) {
        let Some(kindred) = &mut self.kindred else { return };
        let departing = mem::take(&mut kindred.departing);
        let pids: BTreeSet<Pid> =
            departing.iter().map(|(.., member)| member.pid()).filter(|pid| !kindred.knows(*pid)).collect();
        if !pids.is_empty() {
            self.kernel.forget(&pids);
        }
        for (at, why, mut member) in departing {
            member.name_stacks();
            member.tell_losses();
            member.tell_of(at, What::Left(why));
            kindred.departed.push(member);
        }
    }

    /// Takes the last look at each, for some the first one.
    pub(super) fn end_kindred(&mut self, ended: Ended) {
        self.look_at_expected();
        let Some(kindred) = &mut self.kindred else { return };
        let end = now().plus(LAST);
        for member in kindred.members.values_mut() {
            if now() < end {
                member.recount_for_the_last_time();
            } else {
                member.tell(What::Note("maps born since its last census may be missing".to_owned()));
            }
        }
        self.poll_kindred();
        let Some(kindred) = &mut self.kindred else { return };
        kindred.members.values_mut().for_each(|member| member.tell(What::Ended(ended)));
    }
}

/// The rest of an interval of one member.
fn poll(member: &mut Member, kernel: &mut Kernel, audit: &Family) {
    member.name_stacks();
    member.poll(kernel, audit);
    member.tell_memory();
    member.faults.at_tick().into_iter().for_each(|fact| member.order.push(fact));
    member.tell_losses();
}
