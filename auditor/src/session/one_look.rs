//! One look at a running process: nothing is placed in it, it is not stopped, and when the look is over
//! nothing is left. Its facts go through the same audit as those of a process that is followed. `kin.rs` looks at a
//! family with it.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use super::arenas::Arenas;
use super::inspect::{Opened, Options, SetupError};
use super::kinds::Kinds;
use super::live::{now, whole};
use super::residents::{MOST, Residents, World};
use super::sampler::{Sampler, View};
use super::setup;
use super::stock::is_swapped;
use super::timed::timed;
use crate::audit::fact::{Cost, Ended, Fact, Lost, Occasion, What};
use crate::audit::family::Family;
use crate::audit::report::Report;
use crate::audit::unit::{Address, Bytes};
use crate::recording;
use crate::runtimes::census::{Census, Found};
use crate::runtimes::together::Together;
use crate::runtimes::{Instance as _, LayoutError};
use crate::target::memory::LiveMemory;
use crate::target::own::Own;
use crate::target::pressure::Scarcity;
use crate::target::process::Process;
use crate::target::usage::Usage;

/// A map that is written just when it is read may look wrong for a moment, and one that is listed may
/// have died by then: the census is taken again this many times for those that could not be read.
const TRIES: usize = 8;
/// What only the stack of a running goroutine refers to may be garbage: how far that stack reaches is not known.
/// Where that is much, it is looked again after so long, when the goroutine may stand still.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(20), Duration::from_millis(60), Duration::from_millis(200)];
/// Less of what all maps hold is not worth another look: one part in so many.
const PART: u64 = 20;

/// Where facts go.
pub(super) struct Journal {
    family: Family,
    recording: Option<recording::Writer<File>>,
}

/// A look at one process under way.
struct Look<'a> {
    process: Process,
    runtimes: Together,
    memory: LiveMemory,
    /// Where glibc's `malloc` keeps its data.
    malloc: Vec<Range<Address>>,
    min_bytes: Bytes,
    sampler: Sampler,
    kinds: Kinds,
    journal: &'a mut Journal,
}

/// Takes a census and draws the report of it. Facts are kept in `recording`, if any.
///
/// # Errors
/// [`SetupError`]: it ended, it may not be read, or its maps are not what they should be.
pub fn look(
    opened: Opened,
    options: &Options,
    recording: Option<recording::Writer>,
) -> Result<Report, SetupError> {
    let mut journal = Journal::new(recording);
    one(opened, options, &mut journal, |_| {})?;
    Ok(journal.end())
}

/// Looks at one process. How it began is told first, then what `introduce` has to tell.
pub(super) fn one(
    opened: Opened,
    options: &Options,
    journal: &mut Journal,
    introduce: impl FnOnce(&mut Journal),
) -> Result<(), SetupError> {
    let (build_id, allocator, malloc) = (opened.build_id(), opened.allocator(), opened.malloc());
    let Opened { process, runtimes, .. } = opened;
    let mut look = Look {
        memory: LiveMemory::of(&process),
        min_bytes: options.min_bytes,
        malloc,
        sampler: Sampler::default(),
        kinds: Kinds::default(),
        journal,
        process,
        runtimes,
    };
    let began = setup::began(&look.process, build_id, options);
    look.tell(What::Began(Box::new(began)));
    introduce(look.journal);
    options.rules.iter().for_each(|text| look.tell(What::Rules(text.clone())));
    allocator.into_iter().for_each(|name| look.tell(What::Allocator(name.to_owned())));
    let check = || setup::check_layout(&mut look.runtimes, &look.process, &look.memory);
    let runtimes = timed("checking the layout", check)?;
    let name = setup::names(&runtimes);
    runtimes.into_iter().for_each(|runtime| look.tell(What::Runtime(runtime)));
    let counted = timed("the census", || look.count());
    counted.map_err(|error| setup::failed(&look.process, name, error))?;
    timed("asking for pages", || look.ask_for_pages());
    look.take_stock();
    Ok(())
}

impl Journal {
    /// Nothing has been told yet.
    pub(super) fn new(recording: Option<recording::Writer>) -> Self {
        Self { family: Family::new(), recording }
    }

    /// A fact of this moment.
    pub(super) fn tell(&mut self, what: What) {
        self.keep(&Fact { at: now(), thread: None, what });
    }

    fn keep(&mut self, fact: &Fact) {
        self.family.apply(fact);
        if let Some(recording) = &mut self.recording
            && let Err(error) = recording.append(fact)
        {
            log::error!("{}; the look goes on without the recording", whole(&error));
        }
    }

    /// What was told, as a report.
    pub(super) fn end(mut self) -> Report {
        self.tell(What::Ended(Ended::OneLook));
        if let Some(recording) = self.recording.take()
            && let Err(error) = recording.finish()
        {
            log::error!("{}; the recording is not whole", whole(&error));
        }
        timed("drawing the report", || self.family.report())
    }
}

impl Look<'_> {
    /// Tells of every map there is.
    fn count(&mut self) -> Result<(), LayoutError> {
        let mut told = BTreeSet::new();
        let mut unread = BTreeSet::new();
        let mut pauses = PAUSES.iter();
        for again in 0..TRIES {
            let census = self.runtimes.census(self.min_bytes, &self.memory)?;
            log::debug!("{} maps listed, {} MiB read", census.maps.len(), census.read.0 >> 20);
            let pause = pauses.next().filter(|_| is_unsettled(&census));
            unread = census.maps.iter().map(|found| found.map).collect::<BTreeSet<Address>>();
            let census = if again == 0 { census } else { only_maps(census) };
            let view = View { instance: &self.runtimes, memory: &self.memory };
            let facts = self.sampler.count(view, census, Occasion::AtAttach, now);
            // That a header was not understood twice does not say that the map is gone: it is listed.
            for fact in facts.into_iter().filter(|fact| !matches!(fact.what, What::Gone { .. })) {
                if let What::Look(look) = &fact.what {
                    told.insert(look.map);
                }
                self.take(fact);
            }
            unread.retain(|map| !told.contains(map));
            match pause {
                Some(pause) => thread::sleep(*pause),
                None if unread.is_empty() => return Ok(()),
                None => {}
            }
        }
        self.tell(What::Lost(Lost { source: "maps_unreadable".to_owned(), count: unread.len() as u64 }));
        Ok(())
    }

    /// What of it all is in RAM.
    fn ask_for_pages(&mut self) {
        let facts = Residents::open(self.process.pid()).and_then(|mut residents| {
            let audit = self.journal.family.current();
            let world = World {
                instance: &self.runtimes,
                memory: &self.memory,
                process: &self.process,
                audit,
                maps: &|| audit.live_maps().collect(),
            };
            residents.go_on(world, self.min_bytes, MOST)
        });
        match facts {
            Ok(facts) => facts.into_iter().for_each(|fact| self.take(fact)),
            Err(error) => log::warn!("{}: what is in RAM is not known", whole(&error)),
        }
    }

    /// What the process holds, and what the look has cost.
    fn take_stock(&mut self) {
        let memory = Usage::open(self.process.pid()).and_then(|mut usage| usage.read());
        let memory = memory.map_err(|error| log::warn!("{error}: its RSS is not known")).ok();
        let is_swapped = is_swapped(memory.as_ref());
        memory.into_iter().for_each(|memory| self.tell(What::Memory(memory)));
        let arenas = Arenas::find(&self.memory, &self.malloc);
        let news = arenas.and_then(|mut arenas| arenas.ask_at_last(&self.memory, is_swapped));
        news.into_iter().for_each(|news| self.tell(news));
        self.tell(What::Pressure(Scarcity::of(self.process.pid()).read().into()));
        if let Ok(own) = Own::open().and_then(|own| own.read()) {
            self.tell(What::Cost(Cost { agent_cpu: own.cpu, agent_rss: own.rss, bpf_memory: Bytes(0) }));
        }
    }

    fn tell(&mut self, what: What) {
        self.take(Fact { at: now(), thread: None, what });
    }

    fn take(&mut self, fact: Fact) {
        let kind = self.kinds.before(&fact, &self.runtimes);
        kind.iter().chain([&fact]).for_each(|fact| self.journal.keep(fact));
    }
}

/// Whether it is not known of maps that hold much if anything refers to them, where such things are known.
fn is_unsettled(census: &Census) -> bool {
    let reachable = |found: &Found| found.described.as_ref().and_then(|described| described.reachable);
    let of_crowds = census.crowds.iter().flatten().map(|crowd| crowd.reachable);
    let is_told = of_crowds.chain(census.maps.iter().map(reachable)).any(|reachable| reachable.is_some());
    let sum = |is_of: &dyn Fn(&Found) -> bool| {
        let shapes = census.maps.iter().filter(|found| is_of(found)).filter_map(|found| found.shape.as_ref());
        shapes.fold(Bytes(0), |sum, shape| sum + shape.allocated)
    };
    let open = sum(&|found| reachable(found).is_none());
    is_told && open > Bytes(0) && open >= Bytes(sum(&|_| true).0 / PART)
}

/// Without what was told the first time.
fn only_maps(census: Census) -> Census {
    Census { maps: census.maps, ..Census::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fact::{Crowd, Described, Shape};

    fn found(bytes: u64, reachable: Option<bool>) -> Found {
        let shape = Some(Shape { allocated: Bytes(bytes), ..Shape::default() });
        let map = Address(bytes);
        let described = Described { map, type_name: None, candidates: Vec::new(), owner: None, reachable };
        Found { map, shape, described: Some(described), is_new: false }
    }

    #[test]
    fn it_is_looked_again_where_much_may_or_may_not_be_garbage() {
        let census = |maps: &[(u64, Option<bool>)], crowds| {
            let maps = maps.iter().map(|(bytes, reachable)| found(*bytes, *reachable)).collect();
            is_unsettled(&Census { maps, crowds, ..Census::default() })
        };
        assert!(census(&[(10, None), (90, Some(true))], None));
        assert!(!census(&[(1, None), (99, Some(true))], None));
        assert!(!census(&[(10, Some(false)), (90, Some(true))], None));
        assert!(!census(&[(10, None), (90, None)], None), "nobody asks there");
        let crowds = Some(vec![Crowd { reachable: Some(true), ..Crowd::default() }]);
        assert!(census(&[(10, None)], crowds));
    }
}
