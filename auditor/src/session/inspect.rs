//! From a pid to a plan: is it a process that may be audited, which runtime is in it, what would go
//! where. Looks and plans, attaches nothing, changes nothing.

use std::path::{Path, PathBuf};

use super::burst::Asked;
use super::governor::Budget;
use crate::audit::unit::{Bytes, Pid};
use crate::probes::host::Host;
use crate::probes::kernel::Multi;
use crate::probes::object::{LoadError, Log};
use crate::probes::plan::{self, Evacuation, Function, Plan, Wanted};
use crate::runtimes::{Instance, LayoutError, RUNTIMES, Unusable};
use crate::target::allocator;
use crate::target::donor::{self, Donors};
use crate::target::maps::MapsError;
use crate::target::memory::{LiveMemory, ReadError};
use crate::target::module::{Module, modules};
use crate::target::process::{Process, ProcessError};

/// How a target is audited.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only this runtime; `None`: all that are known.
    pub runtime: Option<String>,
    /// Files with names that files of the target were stripped of.
    pub symbols: Vec<PathBuf>,
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
}

impl Default for Options {
    /// What the command line does without flags.
    fn default() -> Self {
        Self {
            runtime: None,
            symbols: Vec::new(),
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
    #[error("the maps of {comm} ({pid}) cannot be audited: {reason}")]
    Unusable {
        /// Which process.
        pid: u32,
        /// Its name.
        comm: String,
        /// Why.
        reason: Unusable,
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
    /// Its runtime.
    pub instance: Box<dyn Instance>,
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
}

/// Looks at a process and plans. Attaches nothing, changes nothing.
///
/// # Errors
/// [`SetupError`].
pub fn inspect(pid: Pid, options: &Options, host: &Host) -> Result<Inspected, SetupError> {
    if let Some(reason) = host.too_old() {
        return Err(SetupError::TooOld(reason));
    }
    let opened = open(pid, options.runtime.as_deref(), &options.symbols)?;
    let build_id = opened.build_id();
    let allocator = opened.allocator();
    let Opened { process, instance, modules, home } = opened;
    let module = &modules[home];
    let hooks = instance.hooks();
    let writers = options.writers.map_or_else(Vec::new, |asked| instance.writers(asked.map));
    if options.writers.is_some() && writers.is_empty() {
        return Err(SetupError::NoWriters { pid: pid.0, comm: process.identity().comm.clone() });
    }
    let first = hooks.len() as u32;
    let wanted = Wanted {
        hooks: [hooks, writers].concat(),
        header_len: instance.header_len() as u32,
        evacuation_is_readable: instance.evacuation_is_readable(),
        evacuation: options.evacuation,
    };
    let mut plan = plan::plan(&wanted, |symbol| function(&*instance, module, symbol), host);
    let burst = plan.split_off(first);
    Ok(Inspected { process, instance, plan, burst, host: host.clone(), build_id, allocator })
}

/// A process that may be looked at, and its runtime.
#[derive(Debug)]
pub struct Opened {
    /// The process.
    pub process: Process,
    /// Its runtime.
    pub instance: Box<dyn Instance>,
    modules: Vec<Module>,
    /// Which of them holds the runtime.
    home: usize,
}

impl Opened {
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
}

/// Opens a process and recognises its runtime, or only the one that is named. `symbols` are files with names that
/// files of the process were stripped of.
///
/// # Errors
/// [`SetupError`].
pub fn open(pid: Pid, only: Option<&str>, symbols: &[PathBuf]) -> Result<Opened, SetupError> {
    let process = Process::open(pid)?;
    let modules = modules(pid)?;
    lend(pid, &modules, symbols)?;
    let (instance, home) = recognise(&process, &modules, only)?;
    Ok(Opened { process, instance, modules, home })
}

/// Has the files that somebody named lend their symbols. One that fits nothing is an error: without its names
/// less is seen than was asked for.
fn lend(pid: Pid, modules: &[Module], symbols: &[PathBuf]) -> Result<(), SetupError> {
    if symbols.is_empty() {
        return Ok(());
    }
    if let Some(misfit) = donor::misfits(symbols, modules).into_iter().next() {
        return Err(SetupError::Symbols(misfit));
    }
    let donors = Donors::of(pid, symbols);
    for module in modules {
        module.borrow_symbols(&donors);
        if let Some(lender) = module.lender() {
            let (path, from) = (module.path().display(), lender.path().display());
            log::info!(
                "names of {path} come from {from}, shown to be of one link by {}",
                lender.proof().words()
            );
        }
    }
    Ok(())
}

/// The first runtime that is in one of the files, and in which. What is wrong with one that cannot be read counts
/// only where none can.
fn recognise(
    process: &Process,
    modules: &[Module],
    only: Option<&str>,
) -> Result<(Box<dyn Instance>, usize), SetupError> {
    let known = || RUNTIMES.iter().map(|runtime| runtime.name()).collect::<Vec<_>>().join(", ");
    if let Some(name) = only
        && !RUNTIMES.iter().any(|runtime| runtime.name() == name)
    {
        return Err(SetupError::UnknownRuntime { name: name.to_owned(), known: known() });
    }
    let wanted = RUNTIMES.iter().filter(|runtime| only.is_none_or(|name| runtime.name() == name));
    let memory = LiveMemory::of(process);
    let identity = process.identity();
    let mut unusable = None;
    for runtime in wanted {
        for (home, module) in modules.iter().enumerate() {
            match runtime.recognise(module, &memory) {
                Some(Ok(instance)) => return Ok((instance, home)),
                // A plugin of a Go program is no program by itself.
                Some(Err(reason)) => unusable = unusable.or(Some(reason)),
                None => {}
            }
        }
    }
    if let Some(reason) = unusable {
        return Err(SetupError::Unusable { pid: identity.pid.0, comm: identity.comm.clone(), reason });
    }
    let unreadable: Vec<String> =
        modules.iter().filter_map(|module| module.elf().err().map(ToString::to_string)).take(3).collect();
    Err(SetupError::NoRuntime {
        pid: identity.pid.0,
        comm: identity.comm.clone(),
        exe: identity.exe.display().to_string(),
        known: known(),
        unreadable: if unreadable.is_empty() {
            String::new()
        } else {
            format!(". {}", unreadable.join("; "))
        },
    })
}

/// Most bytes of a function that are decoded to find a site.
const DECODED: u64 = 64;

fn function(instance: &dyn Instance, module: &Module, name: &str) -> Option<Function> {
    let symbol = module.symbol(name).or_else(|| instance.function(module, name))?;
    let offset = symbol.file_offset?;
    let len = if symbol.size == 0 { DECODED } else { symbol.size.min(DECODED) };
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
