//! Libraries that a target loads while it is audited: what is described of them is looked for, and its hooks are
//! placed, as at the beginning.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::inspect::plan_of;
use super::live::{Live, now};
use super::recognise::{Choice, Found, lend};
use super::sampler::View;
use super::setup;
use crate::audit::fact::{HookState, Occasion, What};
use crate::audit::unit::Pid;
use crate::probes::decode::Event;
use crate::probes::host::Host;
use crate::probes::plan::{self, Evacuation};
use crate::runtimes::Instance;
use crate::target::arrivals::Arrivals;
use crate::target::maps::MapsError;
use crate::target::module::Module;

/// mmap of x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) and its third argument's bit for code
/// (include/uapi/asm-generic/mman-common.h, `PROT_EXEC`).
const MMAP: u64 = 9;
const PROT_EXEC: u64 = 4;

/// Most files that are looked at. A target that maps one after the other is not followed for ever.
const MOST: usize = 1024;

/// How libraries that come later are looked at.
#[derive(Debug)]
pub struct Latecomers {
    arrivals: Arrivals,
    /// Files that were looked at, by path and inode. A probe sits in a file wherever that is mapped: one that is
    /// unloaded and loaded again has them already.
    known: BTreeSet<(PathBuf, u64)>,
    choice: Choice,
    host: Host,
    evacuation: Evacuation,
    /// The number of the next hook.
    next: u32,
    /// Whether a file may have come since somebody looked.
    may_have_come: bool,
}

impl Latecomers {
    /// Those that come from now on; `next`: the first number that no hook has.
    #[must_use]
    pub fn new(
        (pid, modules): (Pid, &[Module]),
        choice: Choice,
        (evacuation, next): (Evacuation, u32),
        host: Host,
    ) -> Self {
        let arrivals = Arrivals::after(pid, modules);
        let known = modules.iter().map(file).collect();
        Self { arrivals, known, choice, host, evacuation, next, may_have_come: false }
    }

    /// The files that have come and were not looked at yet.
    fn come(&mut self) -> Result<Vec<Module>, MapsError> {
        let mut modules = self.arrivals.look()?;
        modules.retain(|module| self.known.len() < MOST && self.known.insert(file(module)));
        Ok(modules)
    }

    /// An event may tell that a file with code was mapped.
    pub(super) fn hears(&mut self, event: &Event) {
        if let Event::Syscall(record) = event {
            self.may_have_come |= record.number == MMAP && record.args[2] & PROT_EXEC != 0;
        }
    }
}

fn file(module: &Module) -> (PathBuf, u64) {
    (module.path().to_owned(), module.file().inode)
}

impl Live {
    /// Looks for files that have come, where something has told of one.
    pub(super) fn greet_latecomers(&mut self) {
        let came = |late: &mut Latecomers| std::mem::take(&mut late.may_have_come);
        if self.latecomers.as_mut().is_some_and(came) {
            self.look_for_latecomers();
        }
    }

    /// The same, where nothing need have told.
    pub(super) fn look_for_latecomers(&mut self) {
        let Some(late) = self.latecomers.as_mut().filter(|_| !self.first.process.has_exited()) else {
            return;
        };
        let modules = match late.come() {
            Ok(modules) if modules.is_empty() => return,
            Ok(modules) => modules,
            Err(error) => {
                log::debug!("files that came later: {error}");
                return;
            }
        };
        lend(self.first.process.pid(), &modules, &late.choice);
        let mut found = Found::default();
        found.look_for_described(&late.choice, &modules, &self.first.memory);
        for (home, instance) in found.parts {
            self.take_in(instance, &modules[home]);
        }
    }

    /// One runtime more.
    fn take_in(&mut self, instance: Box<dyn Instance>, module: &Module) {
        let Some(late) = &mut self.latecomers else { return };
        let runtimes = self.first.translator.runtimes_mut();
        let part = runtimes.add(instance);
        let checked = runtimes.check_part(part, &self.first.memory);
        let found = runtimes.found_of(part);
        if let Err(error) = checked {
            log::warn!("{} came later and is not looked at: {error}", setup::names(&found));
            found.into_iter().for_each(|runtime| self.tell(What::Runtime(runtime)));
            return;
        }
        let hooks = runtimes.hooks_of(part);
        let how = (late.evacuation, late.next, &late.host);
        let plan = plan_of(runtimes.part(part), hooks, module, how);
        late.next += plan.len();
        let evacuation = late.evacuation;
        found.into_iter().for_each(|runtime| self.tell(What::Runtime(runtime)));
        let mut states: Vec<_> = plan.refusals.iter().map(plan::Refusal::as_hook).collect();
        for placement in &plan.placements {
            let state =
                setup::place(&mut self.kernel, placement, &self.first.memory, self.first.process.pid());
            if state.state == HookState::Attached && plan::is_governed(placement, evacuation) {
                self.governor.govern(placement.id, placement.cost);
            }
            states.push(state);
        }
        self.first.translator.know(plan.placements);
        for state in states {
            self.hooks.insert(state.id, state.clone());
            self.tell(What::Hook(state));
        }
        let census = self.first.translator.runtimes_mut().census(self.first.min_bytes, &self.first.memory);
        let Ok(census) = census else { return };
        let view = View { instance: self.first.translator.instance(), memory: &self.first.memory };
        for fact in self.first.sampler.count(view, census, Occasion::Census, now) {
            self.first.order.push(fact);
        }
    }
}
