//! From a pid to a target being audited. [`inspect`] looks and plans and touches nothing;
//! [`start`] loads, places and takes the first census.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::sys::utsname::uname;
use nix::time::{ClockId, clock_gettime};

use super::governor::{Budget, Governor};
use super::live::{Live, Parts};
use super::timed::timed;
use super::translate::Translator;
use crate::audit::fact;
use crate::audit::fact::{Began, HookState, What};
use crate::audit::unit::{Address, Bytes, Nanos, Pid};
use crate::cli::Overwrite;
use crate::output::{self, OutputError};
use crate::probes::events::EVENTS;
use crate::probes::host::Host;
use crate::probes::kernel::{Kernel, Multi};
use crate::probes::object::{LoadError, Log, Settings};
use crate::probes::plan::{self, Evacuation, Function, Plan, Wanted};
use crate::recording;
use crate::runtimes::{Instance, LayoutError, RUNTIMES};
use crate::target::maps::MapsError;
use crate::target::memory::{LiveMemory, Memory as _};
use crate::target::module::{Module, modules};
use crate::target::process::{Process, ProcessError};

/// How a target is audited.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only this runtime; `None`: all that are known.
    pub runtime: Option<String>,
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
    /// Whether the programs' own diagnostics are wanted.
    pub log: Log,
    /// Where facts are kept.
    pub record: Option<PathBuf>,
    /// What becomes of a file that is there already.
    pub existing: Overwrite,
}

impl Default for Options {
    /// What the command line does without flags.
    fn default() -> Self {
        Self {
            runtime: None,
            evacuation: Evacuation::Auto,
            budget: Budget(10_000),
            min_bytes: Bytes(16 << 10),
            rss_step: Bytes(1 << 20),
            from_start: false,
            multi: Multi::Allowed,
            log: Log::Off,
            record: None,
            existing: Overwrite::Refuse,
        }
    }
}

/// Why a target cannot be audited. The texts name the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
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
    /// There is no runtime of that name.
    #[error("there is no runtime {name:?}; there are: auto, {known}")]
    UnknownRuntime {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
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
        #[source]
        error: LayoutError,
    },
    /// The kernel side.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It ended meanwhile.
    #[error(
        "process {pid} ended while the audit was being set up; `auditor run -- CMD` audits from the first instruction"
    )]
    Ended {
        /// Which process.
        pid: u32,
    },
    /// The recording's file.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The recording.
    #[error(transparent)]
    Recording(#[from] recording::WriteError),
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
    /// The host.
    pub host: Host,
    build_id: Option<String>,
}

/// Looks at a process and plans. Attaches nothing, changes nothing.
///
/// # Errors
/// [`SetupError`].
pub fn inspect(pid: Pid, options: &Options, host: &Host) -> Result<Inspected, SetupError> {
    let process = Process::open(pid)?;
    let found = modules(pid)?;
    let (instance, module) = recognise(&process, &found, options.runtime.as_deref())?;
    let wanted = Wanted {
        hooks: instance.hooks(),
        header_len: instance.header_len() as u32,
        evacuation_is_readable: instance.evacuation_is_readable(),
        evacuation: options.evacuation,
    };
    let plan = plan::plan(&wanted, |symbol| function(module, symbol), host);
    let main = found.iter().find(|module| module.is_main());
    let build_id = main.and_then(|module| module.elf().ok()?.build_id().map(str::to_owned));
    Ok(Inspected { process, instance, plan, host: host.clone(), build_id })
}

/// Loads the kernel side, places the plan, and takes the first census.
///
/// # Errors
/// [`SetupError`]; nothing is left behind then.
pub fn start(inspected: Inspected, options: &Options) -> Result<Live, SetupError> {
    let pid = inspected.process.pid();
    let memory = LiveMemory::of(&inspected.process);
    let runtime = check_layout(&inspected, &memory)?;
    let settings = Settings {
        rss_step: u32::try_from(options.rss_step.0).unwrap_or(u32::MAX),
        types: inspected.host.types.clone().ok(),
        page_shift: page_size().0.trailing_zeros(),
        log: options.log,
    };
    let mut kernel = timed("loading the kernel side", || Kernel::load(&settings, options.multi))?;
    let mut hooks = timed("attaching to kernel events", || attach_events(&mut kernel, &inspected.host));
    let mut governor = Governor::new(options.budget, super::live::now());
    let mut translator = Translator::new(inspected.instance);
    for placement in &inspected.plan.placements {
        let state = timed(placement.hook.name, || place(&mut kernel, placement, &memory, pid));
        if state.state == HookState::Attached && plan::is_governed(placement, options.evacuation) {
            governor.govern(placement.id, placement.cost);
        }
        hooks.insert(placement.id, state);
        translator.learn(placement.id, placement.hook.clone());
    }
    hooks.extend(inspected.plan.refusals.iter().map(|refusal| (refusal.id, refusal.as_hook())));
    let recording =
        options.record.as_deref().map(|path| create_recording(path, options.existing)).transpose()?;
    let began = began(&inspected.process, inspected.build_id, options);
    let parts = Parts { process: inspected.process, memory, translator, kernel, governor, hooks, recording };
    let mut live = Live::new(parts);
    live.tell(What::Began(Box::new(began)));
    live.tell(What::Runtime(runtime));
    for hook in live.hooks.values().cloned().collect::<Vec<_>>() {
        live.tell(What::Hook(hook));
    }
    timed("the first census", || first_census(&mut live, pid))?;
    Ok(live)
}

/// What was there, then the hooks' eyes open, then what came in between.
fn first_census(live: &mut Live, pid: Pid) -> Result<(), SetupError> {
    let layout = |error| match error {
        _ if Process::open(pid).is_err() => SetupError::Ended { pid: pid.0 },
        error => SetupError::Layout { pid: pid.0, runtime: "map".to_owned(), error },
    };
    live.census().map_err(layout)?;
    live.kernel.follow(pid)?;
    live.census().map_err(layout)
}

fn check_layout(inspected: &Inspected, memory: &LiveMemory) -> Result<fact::Runtime, SetupError> {
    let pid = inspected.process.pid().0;
    let mut found = inspected.instance.found();
    match inspected.instance.check(memory) {
        Ok(()) => {
            found.verified = Some(true);
            Ok(found)
        }
        Err(_) if inspected.process.has_exited() => Err(SetupError::Ended { pid }),
        Err(error) => Err(SetupError::Layout { pid, runtime: found.name, error }),
    }
}

/// The first runtime that is in one of the files.
fn recognise<'a>(
    process: &Process,
    modules: &'a [Module],
    only: Option<&str>,
) -> Result<(Box<dyn Instance>, &'a Module), SetupError> {
    let known = || RUNTIMES.iter().map(|runtime| runtime.name()).collect::<Vec<_>>().join(", ");
    if let Some(name) = only
        && !RUNTIMES.iter().any(|runtime| runtime.name() == name)
    {
        return Err(SetupError::UnknownRuntime { name: name.to_owned(), known: known() });
    }
    let wanted = RUNTIMES.iter().filter(|runtime| only.is_none_or(|name| runtime.name() == name));
    for runtime in wanted {
        if let Some(found) = modules.iter().find_map(|module| Some((runtime.recognise(module)?, module))) {
            return Ok(found);
        }
    }
    let identity = process.identity();
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

fn function(module: &Module, name: &str) -> Option<Function> {
    let symbol = module.symbol(name)?;
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

/// Places one hook if the bytes in memory are those of the file.
fn place(kernel: &mut Kernel, placement: &plan::Placement, memory: &LiveMemory, pid: Pid) -> fact::Hook {
    let state = same_bytes(memory, placement.address, &placement.bytes)
        .and_then(|()| kernel.place(placement, pid).map_err(|error| error.to_string()));
    if let Err(reason) = &state {
        log::warn!("{} not placed: {reason}", placement.hook.name);
    }
    fact::Hook {
        id: placement.id,
        name: placement.hook.name.to_owned(),
        place: placement.place.clone(),
        state: if state.is_ok() { HookState::Attached } else { HookState::Refused },
        reason: state.err(),
        cost_per_hit: placement.cost,
    }
}

/// The kernel does not check where an instruction begins: a probe on changed code would make the
/// target compute wrong values.
fn same_bytes(memory: &LiveMemory, at: Address, expected: &[u8]) -> Result<(), String> {
    let mut found = vec![0; expected.len()];
    memory.read(at, &mut found).map_err(|error| error.to_string())?;
    if found == expected {
        return Ok(());
    }
    Err(format!(
        "the code in memory at {at} is {found:02x?}, the file has {expected:02x?}: it was patched, or another tracer's probe sits there; end that tracer and attach again"
    ))
}

fn attach_events(kernel: &mut Kernel, host: &Host) -> BTreeMap<u32, fact::Hook> {
    let mut hooks = BTreeMap::new();
    for (index, event) in EVENTS.iter().enumerate() {
        let state =
            event.offered(host).and_then(|()| kernel.attach_event(event).map_err(|error| error.to_string()));
        let id = plan::EVENT_IDS + index as u32;
        let hook = fact::Hook {
            id,
            name: event.tracepoint.to_owned(),
            place: format!("raw tracepoint {}", event.tracepoint),
            state: if state.is_ok() { HookState::Attached } else { HookState::Refused },
            reason: state.err().map(|reason| format!("{reason}; not known without it: {}", event.tells)),
            cost_per_hit: Nanos(0),
        };
        hooks.insert(id, hook);
    }
    hooks
}

fn began(process: &Process, build_id: Option<String>, options: &Options) -> Began {
    let identity = process.identity();
    let name = uname().ok();
    let of = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    Began {
        auditor: env!("CARGO_PKG_VERSION").to_owned(),
        kernel: of(name.as_ref().map(|name| name.release())),
        arch: of(name.as_ref().map(|name| name.machine())),
        page_size: page_size(),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u32),
        pid: identity.pid,
        comm: identity.comm.clone(),
        exe: identity.exe.to_string_lossy().into_owned(),
        build_id,
        wall: wall_clock(),
        from_start: options.from_start,
        min_bytes: options.min_bytes,
        rss_step: options.rss_step,
    }
}

/// The file comes before the hooks: what cannot be written is known before anything is attached.
fn create_recording(path: &Path, existing: Overwrite) -> Result<recording::Writer, SetupError> {
    Ok(recording::Writer::new(output::recording(path, existing)?, path)?)
}

/// Nanoseconds since the Unix epoch.
#[must_use]
pub fn wall_clock() -> u64 {
    clock_gettime(ClockId::CLOCK_REALTIME)
        .map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64)
}

fn page_size() -> Bytes {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    Bytes(size.map_or(4096, |size| size as u64))
}
