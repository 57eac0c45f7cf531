//! Asks the page map what of the maps' memory is in RAM, between the events and in a share of the time: the
//! largest maps first, a step at a time, and where the time is over it goes on at the next poll. What has not
//! changed makes no fact.
//!
//! At the end of a round over all maps it asks what of the memory beside them is in RAM (`beside.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::beside::{self, Place};
use super::census::Schedule;
use super::live::{now, whole};
use super::member::Member;
use crate::audit::Audit;
use crate::audit::fact::{Beside, Fact, Pages, Resident, What};
use crate::audit::unit::{Address, Bytes, Nanos, Pid};
use crate::runtimes::Instance;
use crate::runtimes::ranges::Ranges;
use crate::target::maps::open_maps;
use crate::target::memory::{Memory, Request};
use crate::target::page_map::{self, PageMap, PageMapError, Survey, lazily_freed};
use crate::target::proc;
use crate::target::process::Process;

/// Of the time so much is spent on it: one part in so many. What a poll leaves of it, later ones have.
const SHARE: u64 = 100;
/// Most time at once, and most that is left for later: so long the target's events wait.
pub const MOST: Nanos = Nanos(100_000_000);
/// Maps that are asked for together, and how much memory they have before another one is left for later: their
/// headers lie close together, and small tables do.
const TOGETHER: usize = 64;
const ENOUGH: Bytes = Bytes(4 << 20);
/// Tables of one map that are asked for because a call told of them.
const MOST_TABLES: usize = 1 << 16;
/// Ranges of maps that are remembered within a round, so that they do not count as beside the maps.
const MOST_CLAIMED: usize = 1 << 20;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Where the maps are.
    pub instance: &'a dyn Instance,
    /// The target's memory.
    pub memory: &'a dyn Memory,
    /// The target.
    pub process: &'a Process,
    /// What is known of it.
    pub audit: &'a Audit,
    /// Its maps, each with the bytes it holds.
    pub maps: &'a dyn Fn() -> Vec<(Address, Bytes)>,
}

impl std::fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.instance.fmt(f)
    }
}

/// The asking, and how far it is.
#[derive(Debug)]
pub struct Residents {
    pages: PageMap,
    /// Maps of this round that have not been asked for, each with the bytes it holds, the next one last.
    left: Vec<(Bytes, Address)>,
    under_way: Option<Job>,
    /// Ranges of the maps of this round.
    claimed: Vec<(Address, Bytes)>,
    /// Whether these are all.
    claims_are_whole: bool,
    told: Option<Beside>,
    /// When what lies beside the maps is asked for next.
    due: Nanos,
    lazily: Schedule,
    lazily_told: Option<Bytes>,
    /// When the last poll began.
    before: Option<Nanos>,
    /// What is left of the time that it may take.
    left_over: Nanos,
}

/// What is being asked for.
#[derive(Debug)]
enum Job {
    /// Maps, and where each was when the asking began.
    Maps(Vec<(Address, Ranges)>, Survey),
    /// What lies beside them.
    Beside(Vec<Place>, Survey),
}

impl Residents {
    /// Of that process.
    ///
    /// # Errors
    /// [`PageMapError`].
    pub fn open(pid: Pid) -> Result<Self, PageMapError> {
        Ok(Self {
            pages: PageMap::open(pid)?,
            left: Vec::new(),
            under_way: None,
            claimed: Vec::new(),
            claims_are_whole: true,
            told: None,
            due: Nanos(0),
            lazily: Schedule::default(),
            lazily_told: None,
            before: None,
            left_over: MOST,
        })
    }

    /// Goes on for a share of the time that has passed. An answer is dated when it is complete.
    ///
    /// # Errors
    /// [`PageMapError`]: then the round is given up.
    pub fn poll(&mut self, world: World<'_>, from: Bytes) -> Result<Vec<Fact>, PageMapError> {
        let began = now();
        let passed = self.before.replace(began).map_or(Nanos(0), |before| began.since(before));
        let time = self.left_over.plus(Nanos(passed.0 / SHARE)).min(MOST);
        let facts = self.go_on(world, from, time);
        self.left_over = time.since(now().since(began));
        facts
    }

    /// Goes on for about so long, and no further than to the end of a round, over maps of at least `from` bytes.
    ///
    /// # Errors
    /// [`PageMapError`]: then the round is given up.
    pub fn go_on(&mut self, world: World<'_>, from: Bytes, time: Nanos) -> Result<Vec<Fact>, PageMapError> {
        let end = now().plus(time);
        if self.left.is_empty() && self.under_way.is_none() {
            self.begin(world, from);
        }
        let mut facts = Vec::new();
        // What was begun at an earlier poll may have moved since.
        let mut is_old = self.under_way.is_some();
        while now() < end {
            let Some(mut job) = self.under_way.take().or_else(|| self.next(world)) else { break };
            match self.step(&mut job) {
                Ok(false) => self.under_way = Some(job),
                Ok(true) => {
                    facts.extend(self.answer(job, is_old, world).into_iter().map(fact));
                    is_old = false;
                }
                Err(error) => {
                    self.left.clear();
                    return Err(error);
                }
            }
        }
        facts.extend(self.lazily_freed(world).map(fact));
        // The memory of a process that ends goes page by page: what was seen of it then is none of its life.
        if world.process.has_exited() { Err(PageMapError::Gone) } else { Ok(facts) }
    }

    /// What is left to the kernel to take, if that may be anything.
    fn lazily_freed(&mut self, world: World<'_>) -> Option<What> {
        let began = now();
        if !world.audit.frees_lazily() || !self.lazily.is_due(began) {
            return None;
        }
        let freed = lazily_freed(world.process.pid());
        self.lazily.took(began, now());
        let is_news = std::mem::replace(&mut self.lazily_told, freed) != freed;
        freed.filter(|_| is_news).map(What::LazilyFreed)
    }

    /// A new round: the largest come first.
    fn begin(&mut self, world: World<'_>, from: Bytes) {
        let maps = (world.maps)().into_iter().filter(|(_, bytes)| *bytes >= from);
        self.left = maps.map(|(address, bytes)| (bytes, address)).collect();
        self.left.sort_unstable();
        self.claimed.clear();
        self.claims_are_whole = true;
    }

    /// What is to be asked for next; `None`: the round is over.
    fn next(&mut self, world: World<'_>) -> Option<Job> {
        while !self.left.is_empty() {
            let mut maps = ranges(&self.some_left(), world);
            // A target may claim any size for its tables.
            maps.retain(|(_, ranges)| ranges.bytes() <= page_map::MOST.less(ENOUGH));
            let all: Vec<_> = maps.iter().flat_map(|(_, ranges)| ranges.all()).collect();
            self.claim(&all);
            match self.pages.survey(&all) {
                Ok(survey) if !maps.is_empty() => return Some(Job::Maps(maps, survey)),
                _ => {}
            }
        }
        let began = now();
        if began < self.due {
            return None;
        }
        let job = self.beside(world);
        let ended = now();
        self.due = ended.plus(Nanos(ended.since(began).0.saturating_mul(SHARE)));
        job
    }

    /// What lies beside the maps of this round. Reading where everything is mapped is not done step by step, so it
    /// is done the more rarely the longer it takes.
    fn beside(&self, world: World<'_>) -> Option<Job> {
        let process = world.process;
        let maps = open_maps(Path::new(proc::ROOT), process.pid()).ok().filter(|maps| !maps.truncated)?;
        let claimed = self.claims_are_whole.then_some(&*self.claimed);
        let places =
            beside::places(&maps, &process.identity().exe, world.instance.heap().as_deref(), claimed);
        let ranges: Vec<_> = places.iter().map(|place| place.range).collect();
        Some(Job::Beside(places, self.pages.survey(&ranges).ok()?))
    }

    /// The next ones, as many as are asked for together.
    fn some_left(&mut self) -> Vec<Address> {
        let (mut maps, mut asked) = (Vec::new(), Bytes(0));
        while maps.len() < TOGETHER && asked < ENOUGH {
            let Some((bytes, map)) = self.left.pop() else { break };
            asked += bytes;
            maps.push(map);
        }
        maps
    }

    fn claim(&mut self, ranges: &[(Address, Bytes)]) {
        let has_room = self.claimed.len() + ranges.len() <= MOST_CLAIMED;
        self.claims_are_whole &= has_room;
        if has_room {
            self.claimed.extend_from_slice(ranges);
        }
    }

    fn step(&self, job: &mut Job) -> Result<bool, PageMapError> {
        match job {
            Job::Maps(_, survey) | Job::Beside(_, survey) => survey.step(&self.pages),
        }
    }

    /// The news of what was asked for.
    fn answer(&mut self, job: Job, is_old: bool, world: World<'_>) -> Vec<What> {
        match job {
            Job::Maps(maps, survey) => {
                let pages = survey.finish();
                let mut pages = pages.iter();
                let moved = if is_old { moved(&maps, world) } else { BTreeSet::new() };
                let found = maps.iter().map(|(map, asked)| resident(*map, asked, &mut pages));
                let is_news = |found: &Resident| world.audit.resident(found.map).as_ref() != Some(found);
                let news = found.filter(|found| !moved.contains(&found.map) && is_news(found));
                news.map(|news| What::Resident(news.into())).collect()
            }
            Job::Beside(places, survey) => {
                let found = beside::found(&places, &survey.finish());
                let is_news = self.told.replace(found) != Some(found);
                is_news.then_some(What::Beside(found)).into_iter().collect()
            }
        }
    }
}

/// The maps that are known, and those that were seen in what still waits to be applied.
fn listed<'a>(audit: &Audit, waiting: impl Iterator<Item = &'a Fact>) -> Vec<(Address, Bytes)> {
    let mut maps: BTreeMap<Address, Bytes> = audit.live_maps().collect();
    maps.extend(waiting.filter_map(|fact| match &fact.what {
        What::Look(look) if !look.shape.dropped => Some((look.map, look.shape.allocated)),
        _ => None,
    }));
    maps.into_iter().collect()
}

/// A fact of this moment.
fn fact(what: What) -> Fact {
    Fact { at: now(), thread: None, what }
}

/// Where maps are now; those that cannot be read are left out.
fn ranges(maps: &[Address], world: World<'_>) -> Vec<(Address, Ranges)> {
    let length = world.instance.header_len().max(1);
    let mut headers = vec![0; length * maps.len()];
    let into = headers.chunks_exact_mut(length);
    let mut requests: Vec<Request<'_>> =
        maps.iter().zip(into).map(|(map, into)| Request { at: *map, into }).collect();
    let answers = world.memory.read_many(&mut requests);
    let read = maps.iter().zip(headers.chunks_exact(length)).zip(answers);
    let read = read.filter(|(_, answer)| answer.is_ok());
    read.filter_map(|((map, header), _)| Some((*map, ranges_of(*map, header, world)?))).collect()
}

/// Those that are no longer where they were.
fn moved(maps: &[(Address, Ranges)], world: World<'_>) -> BTreeSet<Address> {
    let asked: Vec<Address> = maps.iter().map(|(map, _)| *map).collect();
    let now: BTreeMap<Address, Ranges> = ranges(&asked, world).into_iter().collect();
    maps.iter().filter(|(map, asked)| now.get(map) != Some(asked)).map(|(map, _)| *map).collect()
}

fn ranges_of(map: Address, header: &[u8], world: World<'_>) -> Option<Ranges> {
    let mut ranges = world.instance.ranges(map, header, world.memory)?;
    // Overflow areas are known by the calls that asked for them. While the map changes, its tables may have been
    // told of and not read, or the other way round: those of the arrays are in both.
    let mut told = world.audit.tables(map).peekable();
    if told.peek().is_some() {
        let arrays: BTreeSet<Address> = ranges.current.iter().chain(&ranges.old).map(|(at, _)| *at).collect();
        ranges.rest.extend(told.filter(|(at, _)| !arrays.contains(at)).take(MOST_TABLES));
    }
    Some(ranges)
}

/// What was found of a map, range by range in the order of [`Ranges::all`].
fn resident<'a>(map: Address, asked: &Ranges, found: &mut impl Iterator<Item = &'a Pages>) -> Resident {
    let mut sum = |ranges: &[(Address, Bytes)]| found.by_ref().take(ranges.len()).fold(None, add);
    let [current, old, rest] =
        [&asked.current, &asked.old, &asked.rest].map(|ranges| sum(ranges).unwrap_or_default());
    Resident { map, current, old, rest }
}

fn add(sum: Option<Pages>, pages: &Pages) -> Option<Pages> {
    let Some(sum) = sum else { return Some(*pages) };
    Some(Pages {
        asked: sum.asked + pages.asked,
        present: sum.present + pages.present,
        huge: sum.huge.zip(pages.huge).map(|(sum, more)| sum + more),
        shared: sum.shared + pages.shared,
        swapped: sum.swapped + pages.swapped,
    })
}

impl Member {
    /// Asks what of the maps is in RAM, as far as there is time.
    pub(super) fn ask_for_pages(&mut self, audit: &Audit) {
        let Some(residents) = &mut self.residents else { return };
        let order = &self.order;
        let maps = || listed(audit, order.waiting());
        let world = World {
            instance: self.translator.instance(),
            memory: &self.memory,
            process: &self.process,
            audit,
            maps: &maps,
        };
        match residents.poll(world, self.min_bytes) {
            Ok(facts) => facts.into_iter().for_each(|fact| self.order.push(fact)),
            Err(error) => log::debug!("{}", whole(&error)),
        }
    }
}
