//! Which runtimes are in the files of a process: those that are built in, then those that are described.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::inspect::SetupError;
use crate::audit::unit::Pid;
use crate::runtimes::{Instance, RUNTIMES, Runtime, Unusable, described};
use crate::target::donor::Donors;
use crate::target::memory::LiveMemory;
use crate::target::module::Module;
use crate::target::packages;
use crate::target::process::Process;

/// Files in which one described runtime is looked at.
const FILES: usize = 16;

/// Which runtimes are looked for.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Only these, all that are there of them; empty: the first of [`RUNTIMES`], else all that are described.
    pub only: Vec<String>,
    /// Those that are described.
    pub described: Vec<Arc<dyn Runtime>>,
    /// Files with names that files of the target were stripped of.
    pub symbols: Vec<PathBuf>,
}

impl Default for Choice {
    /// All that come with the auditor.
    fn default() -> Self {
        let described = described::builtin().iter().map(|runtime| Arc::clone(runtime) as Arc<dyn Runtime>);
        Self { only: Vec::new(), described: described.collect(), symbols: Vec::new() }
    }
}

impl Choice {
    /// All that there are.
    fn all(&self) -> impl Iterator<Item = &dyn Runtime> {
        RUNTIMES.iter().copied().chain(self.described.iter().map(|runtime| &**runtime))
    }

    /// Whether it is looked for.
    fn wants(&self, runtime: &dyn Runtime) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == runtime.name())
    }
}

/// A runtime, after the file that holds it.
pub(super) type Part = (usize, Box<dyn Instance>);

/// The runtimes that are in the files, and in which. What is wrong with one that cannot be read counts only
/// where none can.
pub(super) fn recognise(
    process: &Process,
    modules: &[Module],
    choice: &Choice,
) -> Result<Vec<Part>, SetupError> {
    let known = || choice.all().map(Runtime::name).collect::<Vec<_>>().join(", ");
    let is_known = |name: &String| choice.all().any(|runtime| runtime.name() == name);
    if let Some(name) = choice.only.iter().find(|name| !is_known(name)) {
        return Err(SetupError::UnknownRuntime { name: name.clone(), known: known() });
    }
    let memory = LiveMemory::of(process);
    let mut found = Found::default();
    for runtime in RUNTIMES.iter().filter(|runtime| choice.wants(**runtime)) {
        found.look_for(*runtime, modules, &memory, 1);
        // One that is built in knows the whole process.
        if choice.only.is_empty() && !found.parts.is_empty() {
            return Ok(found.parts);
        }
    }
    lend(process.pid(), modules, choice);
    found.look_for_described(choice, modules, &memory);
    let identity = process.identity();
    match found {
        Found { parts, .. } if !parts.is_empty() => Ok(parts),
        Found { unusable: Some((home, Unusable { mut why, is_stripped })), .. } => {
            if is_stripped {
                why = format!("{why}; {}", packages::help(&modules[home], identity.pid).words());
            }
            Err(SetupError::Unusable { pid: identity.pid.0, comm: identity.comm.clone(), why })
        }
        Found { .. } => Err(SetupError::NoRuntime {
            pid: identity.pid.0,
            comm: identity.comm.clone(),
            exe: identity.exe.display().to_string(),
            known: known(),
            unreadable: unreadable(modules),
        }),
    }
}

/// What others of a family have, too: files, and runtimes in which nothing of a process is yet.
#[derive(Debug)]
pub(super) struct Model {
    modules: Vec<Module>,
    parts: Vec<Part>,
    /// Whether others have nothing else that is looked for at once.
    is_all: bool,
}

impl Model {
    /// As one of them has it.
    pub(super) fn of(
        modules: &[Module],
        parts: impl Iterator<Item = (usize, Option<Box<dyn Instance>>)>,
    ) -> Self {
        let parts: Option<Vec<Part>> = parts.map(|(home, part)| Some((home, part?))).collect();
        Self { modules: modules.to_vec(), parts: parts.unwrap_or_default(), is_all: false }
    }

    /// What others have besides is looked for by somebody else.
    pub(super) fn and_no_more(self) -> Self {
        Self { is_all: true, ..self }
    }

    /// Whether that file is the same one in all.
    pub(super) fn has(&self, module: &Module) -> bool {
        self.modules.iter().any(|known| known.is_same(module))
    }

    /// Has the files of another one know what is known of the same ones; what is new comes last. Gives how many are
    /// the same.
    pub(super) fn share(&self, modules: &mut Vec<Module>) -> usize {
        let same = |module: &Module| self.modules.iter().find(|known| known.is_same(module));
        for module in modules.iter_mut() {
            if let Some(known) = same(module) {
                module.share(known);
            }
        }
        let (mut known, new): (Vec<_>, Vec<_>) = modules.drain(..).partition(|module| same(module).is_some());
        let count = known.len();
        known.extend(new);
        *modules = known;
        count
    }

    /// The runtimes of another one, of whose files so many are the same. `None`: they are to be looked for.
    pub(super) fn recognise(
        &self,
        process: &Process,
        modules: &[Module],
        known: usize,
        choice: &Choice,
    ) -> Option<Vec<Part>> {
        let again = |(home, instance): &Part| {
            let home = modules[..known].iter().position(|module| module.is_same(&self.modules[*home]))?;
            Some((home, instance.afresh()?))
        };
        let mut parts = self.parts.iter().map(again).collect::<Option<Vec<Part>>>()?;
        if parts.is_empty() {
            return None;
        }
        if self.is_all {
            return Some(parts);
        }
        let new = &modules[known..];
        lend(process.pid(), new, choice);
        let mut found = Found::default();
        found.look_for_described(choice, new, &LiveMemory::of(process));
        parts.extend(found.parts.into_iter().map(|(home, part)| (known + home, part)));
        Some(parts)
    }
}

/// Has stripped files borrow their names: from the files that the user gave, else from where the system keeps them.
pub(super) fn lend(pid: Pid, modules: &[Module], choice: &Choice) {
    let donors = Donors::of(pid, &choice.symbols);
    for module in modules.iter().filter(|module| module.lender().is_none()) {
        module.borrow_symbols(&donors);
        if let Some(lender) = module.lender() {
            let (path, from, proof) =
                (module.path().display(), lender.path().display(), lender.proof().words());
            log::debug!("names of {path} come from {from}, shown to be of one link by {proof}");
        }
    }
}

/// Why files could not be looked into, for the end of a sentence.
fn unreadable(modules: &[Module]) -> String {
    let errors = modules.iter().filter_map(|module| module.elf().err().map(ToString::to_string));
    let first: Vec<String> = errors.take(3).collect();
    if first.is_empty() { String::new() } else { format!(". {}", first.join("; ")) }
}

/// Runtimes that were found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Those that can be audited.
    pub(super) parts: Vec<Part>,
    /// Why the first one that cannot be is not, and its file.
    unusable: Option<(usize, Unusable)>,
}

impl Found {
    /// Those that are described, in every file that holds one.
    pub(super) fn look_for_described(&mut self, choice: &Choice, modules: &[Module], memory: &LiveMemory) {
        let mut names = BTreeSet::new();
        for runtime in choice.described.iter().filter(|runtime| choice.wants(&***runtime)) {
            // A file may describe what is built in, in other words: the file counts.
            if names.insert(runtime.name()) {
                self.look_for(&**runtime, modules, memory, FILES);
            }
        }
    }

    /// One runtime in at most so many files. A plugin of a Go program is no program by itself: one that cannot be
    /// read is no reason not to look into the next file.
    fn look_for(&mut self, runtime: &dyn Runtime, modules: &[Module], memory: &LiveMemory, most: usize) {
        let before = self.parts.len();
        for (home, module) in modules.iter().enumerate() {
            match runtime.recognise(module, memory) {
                Some(Ok(instance)) => self.parts.push((home, instance)),
                Some(Err(reason)) => _ = self.unusable.get_or_insert((home, reason)),
                None => {}
            }
            if self.parts.len() - before >= most {
                return;
            }
        }
    }
}
