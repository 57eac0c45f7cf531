//! Libraries that a process of the target loads while it is audited: what is described of them is looked for, and
//! its hooks are placed, as at the beginning. A file is looked into once and its hooks are placed once, whichever
//! process of a family has loaded it: with the second one they are there already, and it learns their numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::governor::Governor;
use super::inspect::plan_of;
use super::live::{Live, now};
use super::member::Member;
use super::recognise::{Choice, Found, lend};
use super::sampler::View;
use super::setup;
use crate::audit::fact::{self, HookState, Occasion, What};
use crate::audit::unit::Pid;
use crate::probes::decode::Event;
use crate::probes::host::Host;
use crate::probes::kernel::Kernel;
use crate::probes::plan::{self, Evacuation};
use crate::runtimes::Instance;
use crate::runtimes::hook::Hook;
use crate::target::arrivals::Arrivals;
use crate::target::maps::MapsError;
use crate::target::memory::LiveMemory;
use crate::target::module::Module;

/// mmap of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) and its third argument's bit for code
/// (include/uapi/asm-generic/mman-common.h, `PROT_EXEC`).
const MMAP: u64 = 9;
const PROT_EXEC: u64 = 4;

/// Most files that are looked at, of one process and of all. A target that maps one after the other is not
/// followed for ever.
const MOST: usize = 1024;
/// Most hits of one process that wait until its library has been looked at.
const WAITING: usize = 1 << 12;

/// A file, by path and inode. A probe sits in it wherever it is mapped: one that is unloaded and loaded again has
/// them already.
type File = (PathBuf, u64);

/// What is known of libraries that came later.
#[derive(Debug)]
pub struct Latecomers {
    files: BTreeMap<File, Known>,
    choice: Choice,
    host: Host,
    evacuation: Evacuation,
    /// The numbers of the first hook of them all, and of the next.
    first: u32,
    next: u32,
    /// Whether nothing is placed any more.
    is_over: bool,
}

/// A file that was looked into.
#[derive(Debug)]
struct Known {
    /// Where it was mapped then.
    module: Module,
    /// What is in it, with nothing of a process.
    parts: Vec<Box<dyn Instance>>,
    /// The numbers of the hooks of each runtime, in the order in which it has them; `None`: not placed.
    hooks: BTreeMap<String, Vec<Option<u32>>>,
}

/// What one process has loaded, as far as it was looked at.
#[derive(Debug)]
pub struct Watch {
    arrivals: Arrivals,
    known: BTreeSet<File>,
    /// Whether a file may have come since somebody looked.
    may_have_come: bool,
    /// Hooks from this number on may be in files that came later.
    from: u32,
    /// Hits of such, in files of this process that were not looked at yet.
    waiting: Vec<Event>,
}

/// What it takes to look at them.
#[derive(Debug)]
pub(super) struct Grounds<'a> {
    /// `None`: what comes later is of no interest.
    pub(super) late: Option<&'a mut Latecomers>,
    pub(super) kernel: &'a mut Kernel,
    pub(super) governor: &'a mut Governor,
    /// Hooks that were placed or refused meanwhile, each with the process that has been told.
    pub(super) placed: Vec<(Pid, fact::Hook)>,
}

impl Latecomers {
    /// Those that come from now on; `next`: the first number that no hook has.
    #[must_use]
    pub const fn new(choice: Choice, (evacuation, next): (Evacuation, u32), host: Host) -> Self {
        Self { files: BTreeMap::new(), choice, host, evacuation, first: next, next, is_over: false }
    }

    /// From now on no hook is placed: what has come is looked at by those that are there.
    pub(super) const fn end(&mut self) {
        self.is_over = true;
    }

    /// Watches a process that has these files.
    #[must_use]
    pub fn watch<'a>(&self, pid: Pid, modules: impl Iterator<Item = &'a Module>) -> Watch {
        let modules: Vec<Module> = modules.cloned().collect();
        let known = modules.iter().map(file).collect();
        let arrivals = Arrivals::after(pid, &modules);
        Watch { arrivals, known, may_have_come: false, from: self.first, waiting: Vec::new() }
    }

    /// What is in a file of that process.
    fn parts_of(&mut self, pid: Pid, module: &mut Module, memory: &LiveMemory) -> Vec<Box<dyn Instance>> {
        match self.files.get(&file(module)) {
            Some(known) if known.parts.is_empty() => return Vec::new(),
            Some(known) if known.module.is_same(module) => {
                module.share(&known.module);
                return known.parts.iter().filter_map(|part| part.afresh()).collect();
            }
            None if self.files.len() >= MOST => return Vec::new(),
            _ => {}
        }
        let modules = std::slice::from_ref(module);
        lend(pid, modules, &self.choice);
        let mut found = Found::default();
        found.look_for_described(&self.choice, modules, memory);
        let parts: Vec<_> = found.parts.into_iter().map(|(_, part)| part).collect();
        self.files.entry(file(module)).or_insert_with(|| Known {
            module: module.clone(),
            parts: parts.iter().filter_map(|part| part.afresh()).collect(),
            hooks: BTreeMap::new(),
        });
        parts
    }
}

fn file(module: &Module) -> File {
    (module.path().to_owned(), module.file().inode)
}

impl Watch {
    /// Something may tell that a file with code was mapped. Whether it is a hit that has to wait until that is known.
    pub(super) fn keeps(&mut self, event: &Event, hooks: &BTreeMap<u32, Hook>) -> bool {
        match event {
            Event::Syscall(record) => {
                self.may_have_come |= record.number == MMAP && record.args[2] & PROT_EXEC != 0;
            }
            Event::Hook(record, _) if record.spec >= self.from && !hooks.contains_key(&record.spec) => {
                self.may_have_come = true;
                let has_room = self.waiting.len() < WAITING;
                self.waiting.extend(has_room.then(|| event.clone()));
                return has_room;
            }
            _ => {}
        }
        false
    }

    /// Whether a file may have come since somebody looked.
    pub(super) const fn may_have_come(&self) -> bool {
        self.may_have_come
    }

    /// The hits that wait.
    pub(super) fn give_back(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.waiting)
    }

    /// The files that have come and were not looked at yet.
    fn come(&mut self) -> Result<Vec<Module>, MapsError> {
        self.may_have_come = false;
        let mut modules = self.arrivals.look()?;
        modules.retain(|module| self.known.len() < MOST && self.known.insert(file(module)));
        Ok(modules)
    }
}

impl<'a> Grounds<'a> {
    /// Nothing has been placed yet.
    pub(super) const fn of(
        late: &'a mut Option<Latecomers>,
        kernel: &'a mut Kernel,
        governor: &'a mut Governor,
    ) -> Self {
        Self { late: late.as_mut(), kernel, governor, placed: Vec::new() }
    }

    /// Looks for files that have come to a process, and takes the hits that waited for that.
    pub(super) fn greet(&mut self, member: &mut Member) {
        let Some(watch) = member.watch.as_mut() else { return };
        if member.process.has_exited() {
            return member.take_what_waits(self.kernel);
        }
        let modules = watch.come().unwrap_or_else(|error| {
            log::debug!("files that came to {} later: {error}", member.process.pid().0);
            Vec::new()
        });
        for mut module in modules {
            let Some(late) = &mut self.late else { return };
            for instance in late.parts_of(member.process.pid(), &mut module, &member.memory) {
                self.take_in(member, instance, &module);
            }
        }
        member.take_what_waits(self.kernel);
    }

    /// One runtime more.
    fn take_in(&mut self, member: &mut Member, instance: Box<dyn Instance>, module: &Module) {
        let runtimes = member.translator.runtimes_mut();
        let part = runtimes.add(instance);
        let checked = runtimes.check_part(part, &member.memory);
        let found = runtimes.found_of(part);
        let name = setup::names(&found);
        if let Err(error) = checked {
            log::warn!("{name} came later and is not looked at: {error}");
            found.into_iter().for_each(|runtime| member.tell(What::Runtime(runtime)));
            return;
        }
        let hooks = runtimes.hooks_of(part);
        found.into_iter().for_each(|runtime| member.tell(What::Runtime(runtime)));
        let numbers = self.numbers(member, (part, &name), &hooks, module);
        let numbered = numbers.into_iter().zip(hooks);
        member.translator.know(numbered.filter_map(|(number, hook)| Some((number?, hook))));
        let census = member.translator.runtimes_mut().census(member.min_bytes, &member.memory);
        let Ok(census) = census else { return };
        let view = View { instance: member.translator.instance(), memory: &member.memory };
        for fact in member.sampler.count(view, census, Occasion::Census, now) {
            member.order.push(fact);
        }
    }

    /// The numbers of its hooks, which are placed if they are not.
    fn numbers(
        &mut self,
        member: &mut Member,
        (part, name): (usize, &str),
        hooks: &[Hook],
        module: &Module,
    ) -> Vec<Option<u32>> {
        let Some(late) = &mut self.late else { return Vec::new() };
        let known = late.files.get(&file(module)).and_then(|known| known.hooks.get(name));
        if let Some(numbers) = known.filter(|numbers| numbers.len() == hooks.len()) {
            return numbers.clone();
        }
        if late.is_over {
            return Vec::new();
        }
        let runtimes = member.translator.runtimes_mut();
        let how = (late.evacuation, late.next, &late.host);
        let plan = plan_of(runtimes.part(part), hooks.to_vec(), module, how);
        late.next += plan.len();
        let number = |hook: &Hook| {
            let placed = plan.placements.iter().find(|placement| placement.hook.name == hook.name);
            placed.map(|placement| placement.id)
        };
        let numbers: Vec<Option<u32>> = hooks.iter().map(number).collect();
        if let Some(known) = late.files.get_mut(&file(module)) {
            known.hooks.insert(name.to_owned(), numbers.clone());
        }
        let evacuation = late.evacuation;
        let mut states: Vec<_> = plan.refusals.iter().map(plan::Refusal::as_hook).collect();
        for placement in &plan.placements {
            let state = setup::place(self.kernel, placement, &member.memory, member.process.pid());
            if state.state == HookState::Attached && plan::is_governed(placement, evacuation) {
                self.governor.govern(placement.id, placement.cost);
            }
            states.push(state);
        }
        for state in states {
            member.tell(What::Hook(state.clone()));
            self.placed.push((member.process.pid(), state));
        }
        numbers
    }
}

impl Live {
    /// Looks for files that have come to the process that was asked for, where something has told of one.
    pub(super) fn greet_latecomers(&mut self) {
        if self.first.watch.as_ref().is_some_and(Watch::may_have_come) {
            self.look_for_latecomers();
        }
    }

    /// The same, where nothing need have told.
    pub(super) fn look_for_latecomers(&mut self) {
        let mut grounds = Grounds::of(&mut self.latecomers, &mut self.kernel, &mut self.governor);
        grounds.greet(&mut self.first);
        let placed = grounds.placed;
        self.tell_placed(placed);
    }

    /// Hooks that were placed later are news of every process that they see.
    pub(super) fn tell_placed(&mut self, placed: Vec<(Pid, fact::Hook)>) {
        for (told, hook) in placed {
            if told != self.first.pid() {
                self.first.tell(What::Hook(hook.clone()));
            }
            if let Some(kindred) = &mut self.kindred {
                kindred.tell_hook(&hook, Some(told));
            }
            self.hooks.insert(hook.id, hook);
        }
    }
}
