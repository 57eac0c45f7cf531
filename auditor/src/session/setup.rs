//! From a plan to a target being audited: load, place, take the first census.

use std::collections::BTreeMap;
use std::path::Path;

use nix::sys::utsname::uname;
use nix::time::{ClockId, clock_gettime};

use super::arenas::Arenas;
use super::governor::Governor;
use super::inspect::{Inspected, Options, SetupError};
use super::keep::Keep;
use super::kindred::Kindred;
use super::live::{Live, Parts, now};
use super::member::Member;
use super::timed::timed;
use super::translate::Translator;
use crate::audit::fact::{self, Began, HookState, What};
use crate::audit::unit::{Address, Bytes, Pid};
use crate::probes::events::{EVENTS, Way};
use crate::probes::host::Host;
use crate::probes::kernel::{Kernel, Multi};
use crate::probes::object::Settings;
use crate::probes::plan;
use crate::runtimes::hook::Name;
use crate::runtimes::{Instance, LayoutError};
use crate::target::memory::{LiveMemory, Memory as _, ReadError};
use crate::target::proc;
use crate::target::process::Process;

/// Loads the kernel side, places the plan, and takes the first census. Facts are kept in `recording`,
/// if any.
///
/// # Errors
/// [`SetupError`]; nothing is left behind then.
pub fn start(
    mut inspected: Inspected,
    options: &Options,
    recording: Option<Keep>,
) -> Result<Live, SetupError> {
    let pid = inspected.process.pid();
    let memory = LiveMemory::of(&inspected.process);
    let runtimes = check_layout(&mut inspected.runtimes, &inspected.process, &memory)?;
    let multi = if inspected.host.has_sound_multi_links() { options.multi } else { Multi::Forbidden };
    let settings = settings(&inspected.host, options);
    let mut kernel = timed("loading the kernel side", || Kernel::load(&settings, multi))?;
    let mut governor = Governor::new(options.budget, now());
    let asked = Asked { host: &inspected.host, without: &options.without, filtered: is_filtered(pid) };
    let events = || attach_events(&mut kernel, &mut governor, &asked);
    let mut hooks = timed("attaching to kernel events", events);
    for placement in &inspected.plan.placements {
        let state = timed(&placement.hook.name, || place(&mut kernel, placement, &memory, pid));
        if state.state == HookState::Attached && plan::is_governed(placement, options.evacuation) {
            governor.govern(placement.id, placement.cost);
        }
        hooks.insert(placement.id, state);
    }
    hooks.extend(inspected.plan.refusals.iter().map(|refusal| (refusal.id, refusal.as_hook())));
    let began = began(&inspected.process, inspected.build_id, options);
    let translator = Translator::new(inspected.runtimes, inspected.plan.placements);
    let kindred = inspected
        .model
        .map(|model| Kindred::new(options.clone(), model, &runtimes, translator.hooks().clone()));
    let arenas = Arenas::find(&memory, &inspected.malloc);
    let mut first = Member::new(inspected.process, memory, translator, arenas, options.min_bytes);
    let (latecomers, watch) = inspected.latecomers.unzip();
    first.watch = watch;
    let mut live = Live::new(Parts { first, kernel, governor, hooks, recording, latecomers, kindred });
    introduce(&mut live, began, runtimes);
    inspected.allocator.into_iter().for_each(|name| live.tell(What::Allocator(name.to_owned())));
    options.rules.iter().for_each(|text| live.tell(What::Rules(text.clone())));
    timed("the first census", || first_census(&mut live, pid))?;
    if let Some(asked) = options.writers {
        live.begin_burst(asked, &inspected.burst);
    }
    Ok(live)
}

/// The first facts: how it began, what was recognised, what was placed.
fn introduce(live: &mut Live, began: Began, runtimes: Vec<fact::Runtime>) {
    let (pid, comm) = (began.pid, began.comm.clone());
    live.tell(What::Began(Box::new(began)));
    if live.kindred.is_some() {
        let member = fact::Member { pid, parent: None, comm, sight: fact::Sight::Asked };
        live.tell(What::Member(Box::new(member)));
    }
    runtimes.into_iter().for_each(|runtime| live.tell(What::Runtime(runtime)));
    let hooks: Vec<fact::Hook> = live.hooks().cloned().collect();
    hooks.into_iter().for_each(|hook| live.tell(What::Hook(hook)));
}

fn settings(host: &Host, options: &Options) -> Settings {
    Settings {
        rss_step: u32::try_from(options.rss_step.0).unwrap_or(u32::MAX),
        types: host.types.clone().ok(),
        page_shift: page_size().0.trailing_zeros(),
        log: options.log,
        reach: options.reach,
    }
}

/// What was there, a first tick of it, then the hooks' eyes open, then what came in between.
fn first_census(live: &mut Live, pid: Pid) -> Result<(), SetupError> {
    let layout = |error| match error {
        _ if Process::open(pid).is_err() => SetupError::Ended { pid: pid.0 },
        error => SetupError::Layout { pid: pid.0, runtime: "map".to_owned(), error },
    };
    live.first.census(&mut live.kernel).map_err(layout)?;
    live.adopt_kindred()?;
    live.tick();
    live.begins();
    live.kernel.follow(pid)?;
    // What was forked in between.
    live.adopt_kindred()?;
    live.first.census(&mut live.kernel).map_err(layout)
}

/// Checks the layout on this process before any number of it is shown.
pub(super) fn check_layout(
    instance: &mut dyn Instance,
    process: &Process,
    memory: &LiveMemory,
) -> Result<Vec<fact::Runtime>, SetupError> {
    match proc::read(Path::new(proc::ROOT), process.pid(), "environ") {
        Ok(environment) => instance.started_with(&environment),
        Err(error) => log::debug!("the environment of {:?}: {error}", process.pid()),
    }
    if let Err(error) = instance.check(memory) {
        return Err(failed(process, names(&instance.found()), error));
    }
    let verified = |found: fact::Runtime| fact::Runtime { verified: found.verified.or(Some(true)), ..found };
    Ok(instance.found().into_iter().map(verified).collect())
}

/// The names of runtimes, for a sentence.
pub(super) fn names(found: &[fact::Runtime]) -> String {
    found.iter().map(|runtime| runtime.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Why a process could not be read: it has ended, nobody may, or it is not what it should be.
pub(super) fn failed(process: &Process, runtime: String, error: LayoutError) -> SetupError {
    let pid = process.pid().0;
    match error {
        _ if process.has_exited() => SetupError::Ended { pid },
        LayoutError::Unreadable { error: error @ ReadError::Denied, .. } => SetupError::Denied { pid, error },
        error => SetupError::Layout { pid, runtime, error },
    }
}

/// Places one hook if the bytes in memory are those of the file.
pub(super) fn place(
    kernel: &mut Kernel,
    placement: &plan::Placement,
    memory: &LiveMemory,
    pid: Pid,
) -> fact::Hook {
    let same = match kernel.sits_at(placement.address) {
        true => Ok(()),
        false => same_bytes(memory, placement.address, &placement.bytes),
    };
    let state = same.and_then(|()| kernel.place(placement, pid).map_err(|error| error.to_string()));
    if let Err(reason) = &state {
        log::warn!("{} not placed: {reason}", placement.hook.name);
    }
    let filter = placement.hook.filter.as_ref();
    let left_out = filter.and_then(|filter| filter.leaves_out.clone()).map(Name::into_owned);
    fact::Hook {
        id: placement.id,
        name: placement.hook.name.clone().into_owned(),
        place: placement.place.clone(),
        state: if state.is_ok() { HookState::Attached } else { HookState::Refused },
        reason: state.err().or(left_out),
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

/// What decides how kernel events are heard.
struct Asked<'a> {
    host: &'a Host,
    without: &'a [String],
    /// Whether the target's syscalls are filtered.
    filtered: bool,
}

/// Whether a filter of seccomp may answer its syscalls. Unknown is taken for yes.
fn is_filtered(pid: Pid) -> bool {
    let status = proc::read(Path::new(proc::ROOT), pid, "status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_none_or(|mode| mode.trim() != "0")
}

fn attach_events(
    kernel: &mut Kernel,
    governor: &mut Governor,
    asked: &Asked<'_>,
) -> BTreeMap<u32, fact::Hook> {
    let Asked { host, without, filtered } = *asked;
    let mut hooks = BTreeMap::new();
    for (id, event) in (plan::EVENT_IDS..).zip(EVENTS) {
        let functions = event.functions(host, without, filtered);
        let attach = |()| kernel.attach_event(id, event, functions).map_err(|error| error.to_string());
        let way = event.offered(host, without).and_then(attach);
        let cost = event.cost(way.as_ref().copied().unwrap_or(Way::Tracepoint));
        if way.is_ok() && event.is_governed() {
            governor.govern_rate(id, cost);
        }
        let hook = fact::Hook {
            id,
            name: event.tracepoint.to_owned(),
            place: event.place(way.as_ref().copied().unwrap_or(Way::Tracepoint)),
            state: if way.is_ok() { HookState::Attached } else { HookState::Refused },
            reason: way.err().map(|reason| format!("{reason}; not known without it: {}", event.tells)),
            cost_per_hit: cost,
        };
        hooks.insert(id, hook);
    }
    hooks
}

pub(super) fn began(process: &Process, build_id: Option<String>, options: &Options) -> Began {
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
