//! The loaded kernel side: maps, the hook program in the form this kernel takes, kernel events, and
//! what the programs have counted. `place.rs` puts hooks into a target with it.

use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{Array, HashMap, MapData, PerCpuArray, StackTraceMap};
use rustc_hash::FxHashMap;

use super::code::Maps;
use super::decode::Plain;
use super::events::{self, KernelEvent, Way};
use super::object::{LoadError, Reach, Settings};
use super::place::Links;
use super::programs::{self, Diagnostics, Hook, Loaded, Programs};
use super::ring::Ring;
use crate::audit::unit::{Address, Bytes, Pid};
use auditor_ebpf::{STACKS, STRANGE_HITS, Spec, Tally, TallyKey, WatchKey, counter, map, target};

/// The loaded kernel side. Dropping it takes everything out of the target and the kernel.
pub struct Kernel {
    /// Links first: nothing may fire into maps that are going.
    pub(super) links: BTreeMap<u32, Links>,
    /// Where they were placed.
    pub(super) sites: BTreeSet<(Address, u32)>,
    pub(super) programs: Programs,
    /// Where records arrive.
    pub ring: Ring,
    pub(super) specs: Array<MapData, Plain<Spec>>,
    targets: HashMap<MapData, u32, u32>,
    tallies: HashMap<MapData, Plain<TallyKey>, Plain<Tally>>,
    counted: FxHashMap<(u32, Pid, u64), u64>,
    hits: PerCpuArray<MapData, u64>,
    counters: PerCpuArray<MapData, u64>,
    stacks: StackTraceMap<MapData>,
    spare_stacks: StackTraceMap<MapData>,
    watches: HashMap<MapData, Plain<WatchKey>, Plain<auditor_ebpf::Watch>>,
    memory: Bytes,
    pub(super) reach: Reach,
    diagnostics: Option<Diagnostics>,
    /// The maps of the programs alone: a program that is loaded later must find them open.
    others: Maps,
}

/// By hand: aya's types have none.
impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("links", &self.links)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}

/// How hooks are linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// One `uprobe_multi` link a hook.
    Multi,
    /// One perf event a site.
    Perf,
}

/// Whether multi links may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multi {
    /// Where the kernel has them.
    Allowed,
    /// Never: `--no-feature uprobe_multi`.
    Forbidden,
}

/// Hits of a counting hook since the last time somebody asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Which hook.
    pub hook: u32,
    /// Which process.
    pub pid: Pid,
    /// The key's value.
    pub key: u64,
    /// How many.
    pub count: u64,
    /// CLOCK_BOOTTIME of the last one, ns.
    pub last: u64,
}

impl Kernel {
    /// Loads maps and the hook program. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`LoadError`] when the kernel refuses.
    pub fn load(settings: &Settings, multi: Multi) -> Result<Self, LoadError> {
        let Loaded { programs, mut maps, memory, diagnostics } = programs::load(settings, multi)?;
        let mut take = |name: &'static str| maps.remove(name).ok_or(LoadError::Missing(name));
        Ok(Self {
            links: BTreeMap::new(),
            sites: BTreeSet::new(),
            programs,
            specs: open(map::SPECS, Array::try_from(take(map::SPECS)?))?,
            targets: open(map::TARGETS, HashMap::try_from(take(map::TARGETS)?))?,
            tallies: open(map::TALLIES, HashMap::try_from(take(map::TALLIES)?))?,
            counted: FxHashMap::default(),
            hits: open(map::HITS, PerCpuArray::try_from(take(map::HITS)?))?,
            counters: open(map::COUNTERS, PerCpuArray::try_from(take(map::COUNTERS)?))?,
            stacks: open(map::STACKS, StackTraceMap::try_from(take(map::STACKS)?))?,
            spare_stacks: open(map::SPARE_STACKS, StackTraceMap::try_from(take(map::SPARE_STACKS)?))?,
            watches: open(map::WATCHES, HashMap::try_from(take(map::WATCHES)?))?,
            ring: Ring::open(take(map::RING)?)?,
            memory,
            reach: settings.reach,
            diagnostics,
            others: maps,
        })
    }

    /// Which kind of link hooks get.
    #[must_use]
    pub const fn link_kind(&self) -> LinkKind {
        match self.programs.hook {
            Hook::Multi { .. } => LinkKind::Multi,
            Hook::Perf => LinkKind::Perf,
        }
    }

    /// Lets the programs see a process, whatever it runs.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn follow(&mut self, pid: Pid) -> Result<(), LoadError> {
        self.follow_as(pid, target::ASKED)
    }

    /// The same of one that a target has forked: until it runs another program.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn follow_kin(&mut self, pid: Pid) -> Result<(), LoadError> {
        self.follow_as(pid, target::KIN)
    }

    fn follow_as(&mut self, pid: Pid, target: u32) -> Result<(), LoadError> {
        self.targets
            .insert(pid.0, target, 0)
            .map_err(|error| LoadError::Map { name: map::TARGETS, error: Box::new(error) })
    }

    /// Forgets processes that have ended, and what was counted of them.
    pub fn forget(&mut self, pids: &BTreeSet<Pid>) {
        for pid in pids {
            if let Err(error) = self.targets.remove(&pid.0) {
                log::trace!("targets: {error}");
            }
        }
        let tallies: Vec<Plain<TallyKey>> = self.tallies.keys().filter_map(Result::ok).collect();
        for key in tallies.iter().filter(|key| pids.contains(&Pid(key.0.pid))) {
            if let Err(error) = self.tallies.remove(key) {
                log::trace!("tallies: {error}");
            }
        }
        let watches: Vec<Plain<WatchKey>> = self.watches.keys().filter_map(Result::ok).collect();
        for key in watches.iter().filter(|key| pids.contains(&Pid(key.0.pid as u32))) {
            if let Err(error) = self.watches.remove(key) {
                log::trace!("watch list: {error}");
            }
        }
        self.counted.retain(|(_, pid, _), _| !pids.contains(pid));
    }

    /// Loads and attaches the program of a kernel event, under the number of its hook: to the returns of
    /// those functions if the kernel takes that, else to its tracepoint.
    ///
    /// # Errors
    /// [`LoadError`] when the kernel refuses it.
    pub fn attach_event(
        &mut self,
        hook: u32,
        event: &KernelEvent,
        functions: &[u32],
    ) -> Result<Way, LoadError> {
        let (way, links) = self.programs.attach(event, functions)?;
        self.links.insert(hook, Links::Event(links));
        Ok(way)
    }

    /// Has a map's header copied when its process exits.
    pub fn watch(&mut self, pid: Pid, address: u64, hook: u32, len: u32) {
        let key = Plain(WatchKey { map: address, pid: u64::from(pid.0) });
        let watch = Plain(auditor_ebpf::Watch { len, tag: hook });
        if let Err(error) = self.watches.insert(key, watch, 0) {
            log::debug!("watch list: {error}");
        }
    }

    /// Stops watching a map that has gone.
    pub fn unwatch(&mut self, pid: Pid, address: u64) {
        let key = Plain(WatchKey { map: address, pid: u64::from(pid.0) });
        if let Err(error) = self.watches.remove(&key) {
            log::trace!("watch list: {error}");
        }
    }

    /// What the counting hooks have counted since the last call.
    pub fn counted(&mut self) -> Vec<Counted> {
        let mut news = Vec::new();
        for (Plain(key), Plain(tally)) in self.tallies.iter().filter_map(Result::ok) {
            let seen = self.counted.entry((key.spec, Pid(key.pid), key.key)).or_default();
            let count = tally.count.saturating_sub(*seen);
            if count > 0 {
                *seen = tally.count;
                news.push(Counted {
                    hook: key.spec,
                    pid: Pid(key.pid),
                    key: key.key,
                    count,
                    last: tally.last,
                });
            }
        }
        news.sort_by_key(|counted| (counted.last, counted.hook, counted.key));
        news
    }

    /// Hits of a hook so far, over all CPUs; 0 of a kernel event that is not counted.
    #[must_use]
    pub fn hits(&self, hook: u32) -> u64 {
        let counted_at = events::of(hook).map_or(Some(hook), |event| event.counted_at);
        counted_at.map_or(0, |index| self.hits_at(index))
    }

    /// Those, and the hits of processes that are no targets.
    #[must_use]
    pub fn traps(&self, hook: u32) -> u64 {
        let strange = events::of(hook).is_none() && self.reach == Reach::Family;
        let strangers = if strange { self.hits_at(STRANGE_HITS + hook) } else { 0 };
        self.hits(hook).saturating_add(strangers)
    }

    fn hits_at(&self, index: u32) -> u64 {
        self.hits.get(&index, 0).map_or(0, |values| values.iter().sum())
    }

    /// What the programs have lost so far, over all CPUs, by [`counter`].
    #[must_use]
    pub fn losses(&self) -> [u64; counter::COUNT as usize] {
        let mut losses = [0; counter::COUNT as usize];
        for (index, loss) in losses.iter_mut().enumerate() {
            *loss = self.counters.get(&(index as u32), 0).map(|values| values.iter().sum()).unwrap_or(0);
        }
        losses
    }

    /// The addresses of a stack, innermost first. `None`: the kernel no longer has it.
    #[must_use]
    pub fn stack(&self, id: u32) -> Option<Vec<u64>> {
        let stack = match id.checked_sub(STACKS) {
            None => self.stacks.get(&id, 0),
            Some(spare) => self.spare_stacks.get(&spare, 0),
        };
        let stack = stack.ok()?;
        Some(stack.frames().iter().map(|frame| frame.ip).collect())
    }

    /// Memory of the BPF maps, as the kernel accounts it.
    #[must_use]
    pub const fn memory(&self) -> Bytes {
        self.memory
    }

    /// Hands the programs' own diagnostics to the log, where they were asked for.
    pub fn log_diagnostics(&mut self) {
        if let Some(diagnostics) = &mut self.diagnostics {
            diagnostics.flush();
        }
    }
}

fn open<T>(name: &'static str, map: Result<T, aya::maps::MapError>) -> Result<T, LoadError> {
    map.map_err(|error| LoadError::Map { name, error: Box::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probes::events::EVENTS;
    use crate::probes::host::Host;
    use crate::probes::object::Log;
    use crate::probes::plan;

    fn settings(log: Log) -> Settings {
        let types = Host::ask().types.ok();
        Settings { rss_step: 1 << 20, types, page_shift: 12, log, reach: Reach::Family }
    }

    #[tokio::test]
    #[ignore = "needs root"]
    async fn every_program_loads_whoever_loads_it() {
        let ways = [
            (Multi::Allowed, Log::Off),
            (Multi::Allowed, Log::Debug),
            (Multi::Forbidden, Log::Off),
            (Multi::Forbidden, Log::Debug),
        ];
        for (multi, log) in ways {
            let mut kernel = Kernel::load(&settings(log), multi).unwrap();
            for (hook, event) in (plan::EVENT_IDS..).zip(EVENTS) {
                let attached = kernel.attach_event(hook, event, &[]);
                attached.unwrap_or_else(|error| panic!("{error}\n{error:?}"));
            }
            kernel.follow(Pid(std::process::id())).unwrap();
            eprintln!("{:?} {:?}", kernel.link_kind(), kernel.memory());
            let big = vec![1_u8; 64 << 20];
            std::hint::black_box(&big);
            let mut events = Vec::new();
            kernel.ring.drain(1 << 20, |event| events.push(event));
            eprintln!("{} events, first {:?}", events.len(), events.first());
            assert!(events.len() > 10);
            assert_eq!(kernel.losses(), [0; counter::COUNT as usize]);
        }
    }
}
