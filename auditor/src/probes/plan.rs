//! PURE: hooks and host facts to placements and refusals. `place.rs` does what this says;
//! `--dry-run` and `auditor doctor` print it. Every refusal has a reason and a remedy.

use std::path::PathBuf;

use super::host::{Host, Nop5, capability};
use super::site::{self, Site};
use crate::audit::fact::{self, HookState};
use crate::audit::unit::{Address, Nanos};
use crate::runtimes::hook::{Does, Heat, Hook, Name, Spot, Stack};

/// Numbers from here on are kernel events, not specs.
pub const EVENT_IDS: u32 = 1 << 16;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The hooks of a runtime.
    pub hooks: Vec<Hook>,
    /// Bytes of a map's header.
    pub header_len: u32,
    /// Whether polling can tell how far an evacuation is.
    pub evacuation_is_readable: bool,
    /// How moved buckets are to be counted.
    pub evacuation: Evacuation,
}

/// How moved buckets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evacuation {
    /// By polling where a map says how far it is, else by a probe within the budget.
    Auto,
    /// By a probe, outside the budget: somebody asked for it.
    Probe,
    /// By polling only.
    Poll,
}

/// A function in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its file, by a path that works from any mount namespace.
    pub file: PathBuf,
    /// The file's name for people.
    pub shown: String,
    /// Offset in the file.
    pub offset: u64,
    /// Address in the target.
    pub address: Address,
    /// Its first bytes, from the file.
    pub bytes: Vec<u8>,
    /// Its size, 0: not known.
    pub size: u64,
}

/// What goes where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Hooks that can be placed.
    pub placements: Vec<Placement>,
    /// Hooks that cannot or should not.
    pub refusals: Vec<Refusal>,
}

/// Why a static probe with a semaphore is refused where hooks are perf links.
pub const NO_SEMAPHORE: &str = "the program leaves this static probe out until its semaphore is raised, which only \
    multi links do (Linux 6.10)";

/// One hook that can be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Number within the audit; the index of its spec.
    pub id: u32,
    /// What to do there.
    pub hook: Hook,
    /// The file to put it in.
    pub file: PathBuf,
    /// Offset of the site in the file.
    pub offset: u64,
    /// Where the site is in the target.
    pub address: Address,
    /// The bytes that must be there.
    pub bytes: Vec<u8>,
    /// Whether the site is a stack check's branch, whose other way comes here again.
    pub skip_if_below: bool,
    /// For people: file, symbol, offset, instruction.
    pub place: String,
    /// Estimated cost of a hit.
    pub cost: Nanos,
    /// Bytes of a map's header.
    pub header_len: u32,
}

/// One hook that is not placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Number within the audit.
    pub id: u32,
    /// What it is called.
    pub name: Name,
    /// Where it would have gone.
    pub place: String,
    /// Why not, and what would help.
    pub reason: String,
}

impl Refusal {
    /// As the report lists it.
    #[must_use]
    pub fn as_hook(&self) -> fact::Hook {
        fact::Hook {
            id: self.id,
            name: self.name.clone().into_owned(),
            place: self.place.clone(),
            state: HookState::Refused,
            reason: Some(self.reason.clone()),
            cost_per_hit: Nanos(0),
        }
    }
}

impl Plan {
    /// Takes in what another one says.
    pub fn join(&mut self, other: Self) {
        self.placements.extend(other.placements);
        self.refusals.extend(other.refusals);
    }

    /// How many hooks it speaks of.
    #[must_use]
    pub fn len(&self) -> u32 {
        (self.placements.len() + self.refusals.len()) as u32
    }

    /// Whether it speaks of none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Decides; the first hook gets the number `first`. `find` knows the functions of the target.
pub fn plan(wanted: &Wanted, first: u32, find: impl Fn(&Spot) -> Option<Function>, host: &Host) -> Plan {
    let mut plan = Plan::default();
    for (hook, id) in wanted.hooks.iter().zip(first..) {
        match decide(wanted, hook, id, &find, host) {
            Ok(placement) => plan.placements.push(placement),
            Err(refusal) => plan.refusals.push(refusal),
        }
    }
    plan
}

/// Whether the governor may take it out: a probe that was asked for by name stays.
#[must_use]
pub fn is_governed(placement: &Placement, evacuation: Evacuation) -> bool {
    !(placement.hook.heat == Heat::Hot && evacuation == Evacuation::Probe)
}

fn decide(
    wanted: &Wanted,
    hook: &Hook,
    id: u32,
    find: impl Fn(&Spot) -> Option<Function>,
    host: &Host,
) -> Result<Placement, Refusal> {
    let name = || hook.name.clone();
    let refuse = |place: &str, reason: String| Refusal { id, name: name(), place: place.to_owned(), reason };
    let shown = hook.spot.shown();
    if let Some(reason) = not_wanted(wanted, hook) {
        return Err(refuse(shown, reason.to_owned()));
    }
    if let Spot::Missing(_, reason) = &hook.spot {
        return Err(refuse(shown, reason.clone()));
    }
    let function = find(&hook.spot).ok_or_else(|| {
        let reason = "the program has no such symbol: it is of another version, or stripped";
        refuse(shown, reason.to_owned())
    })?;
    let place = format!("{}:{}", function.shown, shown);
    if let Some(reason) = missing_rights(host) {
        return Err(refuse(&place, reason));
    }
    if hook.spot.semaphore().is_some() && !host.has_sound_multi_links() {
        return Err(refuse(&place, NO_SEMAPHORE.to_owned()));
    }
    let code = site::Function { bytes: &function.bytes, size: function.size };
    let site = match &hook.spot {
        Spot::Amid(.., offset) => site::choose_at(&code, *offset, hook.when, &facts(host)),
        Spot::Static(..) => site::choose_at(&code, 0, hook.when, &facts(host)),
        _ => site::choose(&code, hook.when, &facts(host)),
    };
    let site = site.map_err(|refusal| refuse(&place, format!("{}; {}", refusal.reason, refusal.remedy)))?;
    Ok(placement(wanted, hook, id, function, &site))
}

fn placement(wanted: &Wanted, hook: &Hook, id: u32, function: Function, site: &Site) -> Placement {
    Placement {
        id,
        hook: hook.clone(),
        file: function.file,
        offset: function.offset + site.offset,
        address: Address(function.address.0.wrapping_add(site.offset)),
        bytes: site.bytes.clone(),
        skip_if_below: site.skip_if_below,
        place: format!("{}:{}+{:#x} ({})", function.shown, hook.spot.shown(), site.offset, site.instruction),
        cost: site.cost.plus(work(hook)),
        header_len: wanted.header_len,
    }
}

/// What the program does at a hit, on top of the trap; measured on 6.18 over an empty program: a count in
/// a hash map 30 ns, a record in the ring 100 ns, a stack of 7 frames 1190 ns.
fn work(hook: &Hook) -> Nanos {
    let tells = if hook.does == Does::Count { 30 } else { 100 };
    let walks = if hook.stack == Stack::Take { 1_190 } else { 0 };
    Nanos(tells + walks)
}

fn not_wanted(wanted: &Wanted, hook: &Hook) -> Option<&'static str> {
    match (hook.heat, wanted.evacuation) {
        (Heat::Rare | Heat::Asked, _) | (Heat::Hot, Evacuation::Probe) => None,
        (Heat::Hot, Evacuation::Poll) => Some("polled instead, as asked for (--evacuation poll)"),
        (Heat::Hot, Evacuation::Auto) if wanted.evacuation_is_readable => {
            Some("polled instead: it fires for every few inserts (--evacuation probe counts each one)")
        }
        (Heat::Hot, Evacuation::Auto) => None,
    }
}

/// The capabilities that probes ask for on this kernel, and how to get them: a perf link needs
/// CAP_SYS_ADMIN since "perf: Revert to requiring CAP_SYS_ADMIN for uprobes" (2025, in all stable
/// kernels). CAP_SYS_ADMIN stands for the others.
#[must_use]
pub const fn rights_to_place(host: &Host) -> (&'static [u32], &'static str) {
    if host.has_sound_multi_links() {
        (&[capability::BPF, capability::PERFMON], "run as root, or give the auditor CAP_BPF and CAP_PERFMON")
    } else {
        (&[capability::SYS_ADMIN], "run as root, or give the auditor CAP_SYS_ADMIN (before Linux 6.10)")
    }
}

fn missing_rights(host: &Host) -> Option<String> {
    let (needed, remedy) = rights_to_place(host);
    let has = host.can(capability::SYS_ADMIN) || needed.iter().all(|one| host.can(*one));
    (!has).then(|| format!("no right to place probes; {remedy}"))
}

fn facts(host: &Host) -> site::Host {
    site::Host {
        nop5_is_dangerous: host.nop5 == Nop5::Deadly,
        long_nops_are_emulated: host.release >= (6, 18),
    }
}
