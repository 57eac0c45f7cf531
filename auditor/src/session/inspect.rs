//! From a pid to a plan: is it a process that may be audited, which runtime is in it, what would go
//! where. Looks and plans, attaches nothing, changes nothing.

use std::ops::Range;
use std::path::Path;

use super::burst::Asked;
use super::governor::Budget;
use super::latecomers::{Latecomers, Watch};
use super::recognise::{Choice, Model, Part, lend, recognise};
use crate::audit::fact;
use crate::audit::unit::{Address, Bytes, Pid};
use crate::probes::host::Host;
use crate::probes::kernel::Multi;
use crate::probes::object::{LoadError, Log, Reach};
use crate::probes::plan::{self, Evacuation, Function, Plan, Wanted};
use crate::runtimes::hook::{Hook, Spot};
use crate::runtimes::together::Together;
use crate::runtimes::{Instance, LayoutError, RUNTIMES};
use crate::target::allocator;
use crate::target::donor;
use crate::target::maps::MapsError;
use crate::target::memory::ReadError;
use crate::target::module::{Module, modules};
use crate::target::process::{Process, ProcessError};

/// How a target is audited.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which runtimes are looked for.
    pub runtimes: Choice,
    /// How moved buckets are counted.
    pub evacuation: Evacuation,
    /// What the hooks may take.
    pub budget: Budget,
    /// Maps that stay below are folded.
    pub min_bytes: Bytes,
    /// Smallest change of RSS.
    pub rss_step: Bytes,
    /// Whether the target was started by us.
    pub from_start: bool,
    /// Whether multi links may be used.
    pub multi: Multi,
    /// Kernel events to do without, by tracepoint.
    pub without: Vec<String>,
    /// Thresholds of the rules beside the defaults, as TOML, each text over the one before.
    pub rules: Vec<String>,
    /// Whether the programs' own diagnostics are wanted.
    pub log: Log,
    /// Whose writers are looked at for a moment.
    pub writers: Option<Asked>,
    /// Whether what came of the target by fork is followed, too.
    pub reach: Reach,
}

impl Default for Options {
    /// What the command line does without flags.
    fn default() -> Self {
        Self {
            runtimes: Choice::default(),
            evacuation: Evacuation::Auto,
            budget: Budget(10_000),
            min_bytes: Bytes(16 << 10),
            rss_step: Bytes(1 << 20),
            from_start: false,
            multi: Multi::Allowed,
            without: Vec::new(),
            rules: Vec::new(),
            log: Log::Off,
            writers: None,
            reach: Reach::One,
        }
    }
}

/// Why a target cannot be audited. The texts name the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The kernel.
    #[error("{0}")]
    TooOld(String),
    /// The process.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its mappings.
    #[error(transparent)]
    Maps(#[from] MapsError),
    /// No runtime.
    #[error("{comm} ({pid}, {exe}) holds no hash map that this auditor knows; it knows: {known}{unreadable}")]
    NoRuntime {
        /// Which process.
        pid: u32,
        /// Its name.
        comm: String,
        /// Its program.
        exe: String,
        /// What was looked for.
        known: String,
        /// Files that could not be looked into, or empty.
        unreadable: String,
    },
    /// A runtime is there and cannot be audited.
    #[error("the maps of {comm} ({pid}) cannot be audited: {why}")]
    Unusable {
        /// Which process.
        pid: u32,
        /// Its name.
        comm: String,
        /// Why, and what would help.
        why: String,
    },
    /// There is no runtime of that name.
    #[error("there is no runtime {name:?}; there are: auto, {known}")]
    UnknownRuntime {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A file with symbols fits nothing.
    #[error("--symbols: {0}")]
    Symbols(String),
    /// The layout does not fit.
    #[error(
        "the {runtime} maps of {pid} are not laid out as expected, so nothing about them can be said: {error}"
    )]
    Layout {
        /// Which process.
        pid: u32,
        /// Which runtime.
        runtime: String,
        /// Which check failed.
        error: LayoutError,
    },
    /// Its memory may not be read.
    #[error("process {pid}: {error}")]
    Denied {
        /// Which process.
        pid: u32,
        /// Which right is missing.
        error: ReadError,
    },
    /// The kernel side.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Nobody tells who writes a map.
    #[error(
        "who writes a map of {comm} ({pid}) cannot be told: --writers knows how Go of 1.19 and later writes to maps, and no other runtime's"
    )]
    NoWriters {
        /// Which process.
        pid: u32,
        /// Its name.
        comm: String,
    },
    /// It ended meanwhile.
    #[error(
        "process {pid} ended while the audit was being set up; `auditor run -- CMD` audits from the first instruction"
    )]
    Ended {
        /// Which process.
        pid: u32,
    },
}

/// A target that has been looked at.
#[derive(Debug)]
pub struct Inspected {
    /// The process.
    pub process: Process,
    /// Its runtimes.
    pub runtimes: Together,
    /// What comes later, if that is of interest.
    pub latecomers: Option<(Latecomers, Watch)>,
    /// What would go where.
    pub plan: Plan,
    /// What would go where for a moment, where writers are asked for.
    pub burst: Plan,
    /// The host.
    pub host: Host,
    /// The program's build id.
    pub build_id: Option<String>,
    /// The allocator of its C library, where that is known.
    pub allocator: Option<&'static str>,
    /// Where glibc's `malloc` keeps its data; none: it has another one.
    pub malloc: Vec<Range<Address>>,
    /// What others of its family have, too, if they are followed.
    pub(super) model: Option<Model>,
}

/// Looks at a process and plans. Attaches nothing, changes nothing.
///
/// # Errors
/// [`SetupError`].
pub fn inspect(pid: Pid, options: &Options, host: &Host) -> Result<Inspected, SetupError> {
    if let Some(reason) = host.too_old() {
        return Err(SetupError::TooOld(reason));
    }
    let mut opened = open(pid, &options.runtimes)?;
    let build_id = opened.build_id();
    let (allocator, malloc) = (opened.allocator(), opened.malloc());
    let plan = opened.plan(options.evacuation, host);
    let burst = opened.burst(options.writers, plan.len(), host)?;
    let next = plan.len() + burst.len();
    // A runtime that is built in knows the whole process.
    let is_wanted = !options.runtimes.only.is_empty() || opened.is_described;
    let latecomers = is_wanted.then(|| {
        let late = Latecomers::new(options.runtimes.clone(), (options.evacuation, next), host.clone());
        let watch = late.watch(pid, opened.modules.iter());
        (late, watch)
    });
    let model = (options.reach == Reach::Family).then(|| opened.model());
    let model = model.map(|model| if is_wanted { model.and_no_more() } else { model });
    let Opened { process, runtimes, .. } = opened;
    let host = host.clone();
    Ok(Inspected { process, runtimes, latecomers, plan, burst, host, build_id, allocator, malloc, model })
}

/// A process that may be looked at, and its runtimes.
#[derive(Debug)]
pub struct Opened {
    /// The process.
    pub process: Process,
    /// Its runtimes.
    pub runtimes: Together,
    /// Which of the files holds each of them.
    homes: Vec<usize>,
    pub(super) modules: Vec<Module>,
    /// Whether any of them is described, not built in.
    is_described: bool,
    /// Whether they are those of another one of its family.
    pub(super) is_of_model: bool,
}

impl Opened {
    fn new(process: Process, modules: Vec<Module>, parts: Vec<Part>) -> Self {
        let (homes, instances) = parts.into_iter().unzip();
        let runtimes = Together::of(instances);
        let is_built_in = |found: &fact::Runtime| RUNTIMES.iter().any(|runtime| runtime.name() == found.name);
        let is_described = !runtimes.found().iter().all(is_built_in);
        Self { process, runtimes, homes, modules, is_described, is_of_model: false }
    }

    /// What others of its family have, too.
    pub(super) fn model(&self) -> Model {
        let parts = self.homes.iter().enumerate();
        Model::of(&self.modules, parts.map(|(part, home)| (*home, self.runtimes.part(part).afresh())))
    }

    /// The program's build id.
    #[must_use]
    pub fn build_id(&self) -> Option<String> {
        let main = self.modules.iter().find(|module| module.is_main())?;
        main.elf().ok()?.build_id().map(str::to_owned)
    }

    /// The allocator of its C library, where that is known.
    #[must_use]
    pub fn allocator(&self) -> Option<&'static str> {
        allocator::recognise(&self.modules)
    }

    /// Where glibc's `malloc` keeps its data.
    pub(super) fn malloc(&self) -> Vec<Range<Address>> {
        allocator::data_of_glibc(&self.modules)
    }

    /// What of the runtimes would go where.
    fn plan(&mut self, evacuation: Evacuation, host: &Host) -> Plan {
        let mut all = Plan::default();
        for (part, home) in self.homes.iter().enumerate() {
            let hooks = self.runtimes.hooks_of(part);
            let first = all.len();
            all.join(plan_of(
                self.runtimes.part(part),
                hooks,
                &self.modules[*home],
                (evacuation, first, host),
            ));
        }
        all
    }

    /// What would go where for a moment, to see who writes a map.
    fn burst(&mut self, asked: Option<Asked>, first: u32, host: &Host) -> Result<Plan, SetupError> {
        let Some(asked) = asked else { return Ok(Plan::default()) };
        let mut all = Plan::default();
        for (part, home) in self.homes.iter().enumerate() {
            let hooks = self.runtimes.writers_of(part, asked.map);
            let how = (Evacuation::Auto, first + all.len(), host);
            all.join(plan_of(self.runtimes.part(part), hooks, &self.modules[*home], how));
        }
        if all.is_empty() {
            let identity = self.process.identity();
            return Err(SetupError::NoWriters { pid: identity.pid.0, comm: identity.comm.clone() });
        }
        Ok(all)
    }
}

/// What of one runtime would go where; its hooks have numbers from the given one on.
pub(super) fn plan_of(
    instance: &dyn Instance,
    hooks: Vec<Hook>,
    module: &Module,
    (evacuation, first, host): (Evacuation, u32, &Host),
) -> Plan {
    let wanted = Wanted {
        hooks,
        header_len: instance.header_len() as u32,
        evacuation_is_readable: instance.evacuation_is_readable(),
        evacuation,
    };
    plan::plan(&wanted, first, |spot| function(instance, module, spot), host)
}

/// Opens a process and recognises its runtimes, or only those that are named.
///
/// # Errors
/// [`SetupError`].
pub fn open(pid: Pid, choice: &Choice) -> Result<Opened, SetupError> {
    open_beside(pid, choice, None)
}

/// The same of a process of whose family another one is known.
///
/// # Errors
/// [`SetupError`].
pub(super) fn open_beside(pid: Pid, choice: &Choice, model: Option<&Model>) -> Result<Opened, SetupError> {
    let process = Process::open(pid)?;
    let mut modules = modules(pid)?;
    let known = model.map_or(0, |model| model.share(&mut modules));
    if let Some(parts) = model.and_then(|model| model.recognise(&process, &modules, known, choice)) {
        return Ok(Opened { is_of_model: true, ..Opened::new(process, modules, parts) });
    }
    if let Some(misfit) = donor::misfits(&choice.symbols, &modules).into_iter().next() {
        return Err(SetupError::Symbols(misfit));
    }
    if !choice.symbols.is_empty() {
        lend(pid, &modules, choice);
    }
    let parts = recognise(&process, &modules, choice)?;
    Ok(Opened::new(process, modules, parts))
}

/// Most bytes of a function that are decoded to find a site.
const DECODED: u64 = 64;

fn function(instance: &dyn Instance, module: &Module, spot: &Spot) -> Option<Function> {
    let symbol = match spot {
        Spot::Function(name) => module.symbol(name).or_else(|| instance.function(module, name))?,
        Spot::Found(_, symbol) | Spot::Amid(_, symbol, _) | Spot::Static(_, symbol, _) => *symbol,
        Spot::Missing(..) => return None,
    };
    let offset = symbol.file_offset?;
    let reach = if let Spot::Amid(.., at) = spot { at.saturating_add(DECODED) } else { DECODED };
    let len = if symbol.size == 0 { reach } else { symbol.size.min(reach) };
    Some(Function {
        file: module.open_path().to_owned(),
        shown: shown(module.path()),
        offset,
        address: symbol.address,
        bytes: module.bytes_at_file_offset(offset, len as usize).ok()?,
        size: symbol.size,
    })
}

fn shown(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
