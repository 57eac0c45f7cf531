//! A small world of demo maps that tells facts of itself and keeps its own truth. Whatever happens
//! in it, the report must say the same, to the last byte.
//!
//! The world is simpler than `target-demo` (no keys, no hashes) and more varied: growths of every
//! kind at any time, addresses used again at once, an audit that attaches midway, headers that are
//! brought up to date before, between or after the frees, moves told one by one, in bulk, or not.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::made::{HOOKS, SECOND, began, fact, hook, runtime};
use crate::audit::Audit;
use crate::audit::counts::{Growths, Tables};
use crate::audit::fact::{
    Allocate, Counted, Ended, Evacuate, Fact, Free, Grow, GrowthKind, HookState, Look, Occasion, Part,
    Progress, Shape, What,
};
use crate::audit::report::{self, Confidence, Map, Origin, Report};
use crate::audit::told::Kinds;
use crate::audit::unit::{Address, Bytes, Nanos};

const HEADER: u64 = 128;
const BUCKET: u64 = 144;

/// When a header stops counting tables that are being let go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Upkeep {
    BeforeTheFrees,
    WithEachFree,
    AfterTheFrees,
}

/// How moves are told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moves {
    OneByOne,
    InBulk,
    Untold,
}

/// What happens next. The number chooses the map.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create,
    Insert(usize, u8),
    Delete(usize),
    Overflow(usize),
    SameSize(usize),
    Shrink(usize),
    Look(usize),
    Drop(usize),
    Wait,
}

#[derive(Clone, Copy, Debug)]
struct Table {
    at: u64,
    bytes: u64,
}

#[derive(Clone, Debug, Default)]
struct Half {
    log2: u32,
    buckets: Option<Table>,
    overflow: Vec<Table>,
}

impl Half {
    fn tables(&self) -> Vec<Table> {
        self.overflow.iter().copied().chain(self.buckets).collect()
    }

    fn bytes(&self) -> u64 {
        self.tables().iter().map(|table| table.bytes).sum()
    }
}

/// One map, and the truth about it since the audit began.
#[derive(Clone, Debug, Default)]
struct Subject {
    live: u64,
    now: Half,
    old: Option<(Half, u64)>,
    counted: Counted,
    before: bool,
    known: bool,
    tables: Tables,
    growths: Growths,
    peak: u64,
}

impl Subject {
    fn allocated(&self) -> u64 {
        HEADER + self.now.bytes() + self.old_bytes()
    }

    fn old_bytes(&self) -> u64 {
        self.old.as_ref().map_or(0, |(half, _)| half.bytes())
    }

    fn shape(&self) -> Shape {
        let address = |half: &Half| half.buckets.map(|table| Address(table.at));
        let progress = |(half, moved): &(Half, u64)| Progress { moved: *moved, total: 1 << half.log2 };
        Shape {
            live: self.live,
            capacity: self.now.buckets.map_or(0, |_| 8 << self.now.log2),
            tombstones: Some(3),
            overflow: Some(self.now.overflow.len() as u64),
            table: address(&self.now),
            old_table: self.old.as_ref().and_then(|(half, _)| address(half)),
            allocated: Bytes(self.allocated()),
            old_bytes: Bytes(self.old_bytes()),
            entries: Bytes(self.live),
            behind: Bytes(self.live),
            needed: None,
            evacuation: self.old.as_ref().map(progress),
            counted: Some(self.counted),
            dropped: false,
            next: None,
            sizes: None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Totals {
    allocate: u64,
    grow: u64,
    evacuate: u64,
    free: u64,
    insert: u64,
    delete: u64,
    dead: u64,
}

struct World {
    upkeep: Upkeep,
    moves: Moves,
    now: u64,
    attached: bool,
    audit: Audit,
    facts: Vec<Fact>,
    maps: BTreeMap<u64, Subject>,
    free_list: Vec<u64>,
    fresh: u64,
    bulk: BTreeMap<u64, u64>,
    /// Where maps died that the audit knew: polls of these addresses say nothing for a second.
    died: BTreeMap<u64, u64>,
    totals: Totals,
}

impl World {
    fn new(upkeep: Upkeep, moves: Moves) -> Self {
        Self {
            upkeep,
            moves,
            now: SECOND,
            attached: false,
            audit: Audit::new(),
            facts: Vec::new(),
            maps: BTreeMap::new(),
            free_list: Vec::new(),
            fresh: 0x1000,
            bulk: BTreeMap::new(),
            died: BTreeMap::new(),
            totals: Totals::default(),
        }
    }

    fn tell(&mut self, what: What) {
        if self.attached {
            let fact = fact(self.now, what);
            self.audit.apply(&fact);
            self.facts.push(fact);
        }
        self.now += 100;
    }

    fn attach(&mut self, min_bytes: u64) {
        self.attached = true;
        self.tell(began(min_bytes));
        self.tell(What::Runtime(runtime(Some(true))));
        for (name, id) in HOOKS.iter().zip(0..) {
            let untold = self.moves == Moves::Untold && name.ends_with("evacuate");
            let state = if untold { HookState::Refused } else { HookState::Attached };
            self.tell(What::Hook(hook(id, name, state)));
        }
        self.look_at_all(Occasion::AtAttach);
        for subject in self.maps.values_mut() {
            subject.before = true;
        }
    }

    fn finish(&mut self) -> Report {
        self.wait();
        self.look_at_all(Occasion::AtExit);
        self.wait();
        self.wait();
        self.tell(What::Ended(Ended::TargetExited));
        self.audit.report()
    }

    fn wait(&mut self) {
        for (map, moved) in std::mem::take(&mut self.bulk) {
            self.tell(What::Evacuate(Evacuate { map: Address(map), moved }));
        }
        self.now += SECOND / 2;
        self.tell(What::Tick);
    }

    fn subject(&mut self, map: u64) -> &mut Subject {
        self.maps.get_mut(&map).unwrap()
    }

    fn look_at_all(&mut self, occasion: Occasion) {
        let all: Vec<u64> = self.maps.keys().copied().collect();
        all.into_iter().for_each(|map| self.look(map, occasion));
    }

    fn look(&mut self, map: u64, occasion: Occasion) {
        let attached = self.attached;
        let died = self.died.get(&map).is_some_and(|died| self.now - died <= SECOND);
        let subject = self.subject(map);
        subject.known |= attached && (occasion != Occasion::Poll || !died);
        subject.peak = subject.peak.max(if attached { subject.allocated() } else { 0 });
        let shape = subject.shape();
        let runtime = "demo".to_owned();
        self.tell(What::Look(Look { map: Address(map), occasion, runtime, shape: shape.into(), name: None }));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Create => {
                let map = self.claim();
                self.maps.insert(map, Subject::default());
            }
            Step::Wait => self.wait(),
            Step::Insert(which, _)
            | Step::Delete(which)
            | Step::Overflow(which)
            | Step::SameSize(which)
            | Step::Shrink(which)
            | Step::Look(which)
            | Step::Drop(which) => {
                let chosen = self.maps.keys().nth(which % self.maps.len().max(1)).copied();
                chosen.into_iter().for_each(|map| self.step_of(map, step));
            }
        }
    }

    fn step_of(&mut self, map: u64, step: Step) {
        let subject = &self.maps[&map];
        let (log2, has_table) = (subject.now.log2, subject.now.buckets.is_some());
        let settled = has_table && subject.old.is_none();
        match step {
            Step::Insert(_, times) => (0..times).for_each(|_| self.insert(map)),
            Step::Delete(_) => self.delete(map),
            Step::Overflow(_) if has_table => self.allocate(map, Part::Overflow, 8 * BUCKET),
            Step::SameSize(_) if settled => self.grow(map, GrowthKind::SameSize, log2),
            Step::Shrink(_) if settled => self.grow(map, GrowthKind::Shrink, log2.saturating_sub(1)),
            Step::Look(_) => self.look(map, Occasion::Poll),
            Step::Drop(_) => self.drop_map(map),
            _ => {}
        }
    }

    fn insert(&mut self, map: u64) {
        if self.maps[&map].now.buckets.is_none() {
            self.allocate(map, Part::Buckets, BUCKET);
        }
        self.totals.insert += u64::from(self.attached);
        let subject = self.subject(map);
        subject.live += 1;
        subject.counted.insert += 1;
        let (live, log2) = (subject.live, subject.now.log2);
        if subject.old.is_some() {
            self.write_on(map);
        } else if live > 8 && 2 * live > 13 << log2 {
            self.grow(map, GrowthKind::Double, log2 + 1);
        }
    }

    fn delete(&mut self, map: u64) {
        if self.maps[&map].live == 0 {
            return;
        }
        self.totals.delete += u64::from(self.attached);
        let subject = self.subject(map);
        subject.live -= 1;
        subject.counted.delete += 1;
        self.write_on(map);
    }

    fn grow(&mut self, map: u64, kind: GrowthKind, log2: u32) {
        let attached = u64::from(self.attached);
        self.totals.grow += attached;
        let subject = self.subject(map);
        subject.counted.grow += 1;
        if attached > 0 {
            subject.growths.count(kind);
        }
        let (from, to) = (1 << subject.now.log2, 1 << log2);
        self.tell(What::Grow(Grow {
            map: Address(map),
            kind,
            from,
            to,
            live: None,
            bytes: None,
            stack: None,
        }));
        let subject = self.subject(map);
        let old = std::mem::replace(&mut subject.now, Half { log2, ..Half::default() });
        subject.old = Some((old, 0));
        self.allocate(map, Part::Buckets, BUCKET << log2);
    }

    fn allocate(&mut self, map: u64, part: Part, bytes: u64) {
        let table = Table { at: self.claim(), bytes };
        let attached = self.attached;
        self.totals.allocate += u64::from(attached);
        let subject = self.subject(map);
        let first = part == Part::Buckets && subject.old.is_none();
        match part {
            Part::Buckets => subject.now.buckets = Some(table),
            Part::Overflow => subject.now.overflow.push(table),
        }
        if attached {
            subject.known = true;
            subject.tables.allocated += 1;
            subject.tables.allocated_bytes += Bytes(bytes);
            if first && !subject.before {
                subject.growths.count(GrowthKind::First);
            }
            subject.peak = subject.peak.max(subject.allocated());
        }
        self.tell(What::Allocate(Allocate {
            map: Address(map),
            table: Some(Address(table.at)),
            bytes: Bytes(bytes),
            part,
            stack: None,
            took: None,
        }));
    }

    /// Every write to a map that is evacuating moves two old buckets.
    fn write_on(&mut self, map: u64) {
        for _ in 0..2 {
            let Some((half, moved)) = &mut self.subject(map).old else { return };
            *moved += 1;
            let done = *moved == 1 << half.log2;
            self.subject(map).counted.evacuate += 1;
            self.tell_move(map);
            if done {
                let last = self.maps[&map].shape();
                let (half, _) = self.subject(map).old.take().unwrap();
                self.let_go(map, &half.tables(), &last);
            }
        }
    }

    fn tell_move(&mut self, map: u64) {
        self.totals.evacuate += u64::from(self.attached);
        match self.moves {
            Moves::OneByOne => self.tell(What::Evacuate(Evacuate { map: Address(map), moved: 1 })),
            Moves::InBulk if self.attached => *self.bulk.entry(map).or_default() += 1,
            Moves::InBulk | Moves::Untold => {}
        }
    }

    fn drop_map(&mut self, map: u64) {
        let last = Shape { dropped: true, ..self.maps[&map].shape() };
        let old = self.subject(map).old.take().map_or_else(Vec::new, |(half, _)| half.tables());
        let tables: Vec<Table> = old.into_iter().chain(self.maps[&map].now.tables()).collect();
        self.let_go(map, &tables, &last);
        let subject = self.maps.remove(&map).unwrap();
        if subject.known {
            self.totals.dead += 1;
            self.died.insert(map, self.now);
        }
        if subject.known && tables.is_empty() {
            self.tell(What::Gone { map: Address(map) });
        }
        self.free_list.push(map);
    }

    /// Lets tables go one by one, with a header that is as up to date as the upkeep makes it.
    fn let_go(&mut self, map: u64, tables: &[Table], before: &Shape) {
        let total: u64 = tables.iter().map(|table| table.bytes).sum();
        let mut gone = 0;
        for table in tables {
            let missing = match self.upkeep {
                Upkeep::BeforeTheFrees => total,
                Upkeep::WithEachFree => gone,
                Upkeep::AfterTheFrees => 0,
            };
            gone += table.bytes;
            let mut shape = before.clone();
            shape.allocated = before.allocated.less(Bytes(missing));
            shape.old_bytes = before.old_bytes.less(Bytes(missing));
            if self.upkeep == Upkeep::BeforeTheFrees {
                (shape.old_table, shape.evacuation) = (None, None);
            }
            self.free(map, *table, shape);
        }
    }

    fn free(&mut self, map: u64, table: Table, shape: Shape) {
        if self.attached {
            self.totals.free += 1;
            let subject = self.subject(map);
            subject.tables.freed += 1;
            subject.tables.freed_bytes += Bytes(table.bytes);
        }
        self.tell(What::Free(Free {
            map: Address(map),
            table: Address(table.at),
            bytes: Bytes(table.bytes),
            shape: Some(Box::new(shape)),
        }));
        self.free_list.push(table.at);
    }

    fn claim(&mut self) -> u64 {
        self.free_list.pop().unwrap_or_else(|| {
            self.fresh += 0x10;
            self.fresh
        })
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let which = 0_usize..6;
    let step = prop_oneof![
        2 => Just(Step::Create),
        8 => (which.clone(), 1_u8..60).prop_map(|(which, times)| Step::Insert(which, times)),
        4 => which.clone().prop_map(Step::Delete),
        2 => which.clone().prop_map(Step::Overflow),
        2 => which.clone().prop_map(Step::SameSize),
        1 => which.clone().prop_map(Step::Shrink),
        3 => which.clone().prop_map(Step::Look),
        2 => which.prop_map(Step::Drop),
        1 => Just(Step::Wait),
    ];
    prop::collection::vec(step, 0..120)
}

fn ways() -> impl Strategy<Value = (Upkeep, Moves)> {
    let upkeep = vec![Upkeep::BeforeTheFrees, Upkeep::WithEachFree, Upkeep::AfterTheFrees];
    let moves = vec![Moves::OneByOne, Moves::InBulk, Moves::Untold];
    (prop::sample::select(upkeep), prop::sample::select(moves))
}

fn totals_of(report: &Report) -> Totals {
    let events = &report.events;
    let listed_dead = report.maps.iter().filter(|map| map.died.is_some()).count() as u64;
    let folded_dead: u64 = report.populations.iter().map(|row| row.maps - row.alive).sum();
    Totals {
        allocate: events.allocate.unwrap_or_default(),
        grow: events.grow.unwrap_or_default(),
        evacuate: events.evacuate.unwrap_or_default(),
        free: events.free.unwrap_or_default(),
        insert: events.insert.unwrap_or_default(),
        delete: events.delete.unwrap_or_default(),
        dead: listed_dead + folded_dead,
    }
}

fn assert_is_as(map: &Map, subject: &Subject, from_start: bool) {
    let shape = subject.shape();
    assert_eq!(map.origin, if subject.before { Origin::BeforeAttach } else { Origin::Observed });
    assert_eq!((map.live, map.capacity), (Some(shape.live), Some(shape.capacity)));
    assert_eq!((map.tombstones, map.overflow), (shape.tombstones, shape.overflow));
    assert_eq!(map.bytes.allocated, Some(shape.allocated));
    assert_eq!(map.bytes.old_table, Some(shape.old_bytes));
    let all = Kinds { allocated: true, freed: true, grown: true, split: true, cleared: true, births: true };
    assert_eq!((map.tables, map.growths), (subject.tables.report(all), subject.growths.report(all)));
    if from_start {
        assert_eq!(map.bytes.peak, Some(Bytes(subject.peak)));
    }
    let under_way = map.evacuation.filter(|evacuation| evacuation.in_progress);
    let expected = shape.evacuation.map(|progress| (progress.moved, progress.total));
    assert_eq!(under_way.map(|evacuation| (evacuation.moved, evacuation.total)), expected);
}

fn assert_agrees(world: &World, report: &Report, from_start: bool) {
    assert_eq!(totals_of(report), world.totals);
    assert_eq!(report.coverage.notes, Vec::<String>::new());
    assert_eq!(report.coverage.confidence, Confidence::Exact);
    let alive: BTreeMap<u64, &Map> =
        report.maps.iter().filter(|map| map.died.is_none()).map(|map| (map.address.0, map)).collect();
    assert_eq!(alive.keys().collect::<Vec<_>>(), world.maps.keys().collect::<Vec<_>>());
    for (address, subject) in &world.maps {
        assert_is_as(alive[address], subject, from_start);
    }
    let growths: u64 = report.maps.iter().map(|map| all_growths(map.growths)).sum();
    assert_eq!(report.episodes.len() as u64, growths);
    assert!(still_open(report) <= evacuating(world));
}

fn still_open(report: &Report) -> usize {
    report.episodes.iter().filter(|episode| episode.end.is_none()).count()
}

fn evacuating(world: &World) -> usize {
    world.maps.values().filter(|subject| subject.old.is_some()).count()
}

fn all_growths(growths: report::Growths) -> u64 {
    let report::Growths { first, double, same_size, shrink, split, other } = growths;
    [first, double, same_size, shrink, split, other].into_iter().flatten().sum()
}

/// Maps, alive, live, capacity, bytes, tables, growths: over listed and folded.
fn sums(report: &Report) -> [u64; 10] {
    let tables = |tables: report::Tables| {
        let bytes = [tables.allocated_bytes, tables.freed_bytes].map(Option::unwrap_or_default);
        [tables.allocated.unwrap_or(0), bytes[0].0, tables.freed.unwrap_or(0), bytes[1].0]
    };
    let row = |maps, alive, live, capacity, bytes: Bytes, [a, b, c, d]: [u64; 4], growths| {
        [maps, alive, live, capacity, bytes.0, a, b, c, d, all_growths(growths)]
    };
    let listed = report.maps.iter().map(|map| {
        let alive = u64::from(map.died.is_none());
        let (live, capacity) = (map.live.unwrap_or_default(), map.capacity.unwrap_or_default());
        let bytes = map.bytes.allocated.unwrap_or_default();
        row(1, alive, live, capacity, bytes, tables(map.tables), map.growths)
    });
    let folded = report.populations.iter().map(|all| {
        let bytes = all.bytes.allocated;
        row(all.maps, all.alive, all.live, all.capacity, bytes, tables(all.tables), all.growths)
    });
    listed.chain(folded).fold([0; 10], |sum, row| std::array::from_fn(|index| sum[index] + row[index]))
}

proptest! {
    #[test]
    fn a_world_seen_whole_is_told_exactly((upkeep, moves) in ways(), steps in steps()) {
        let mut world = World::new(upkeep, moves);
        world.attach(0);
        steps.into_iter().for_each(|step| world.step(step));
        let report = world.finish();
        assert_agrees(&world, &report, true);
        prop_assert_eq!(still_open(&report), evacuating(&world));
    }

    #[test]
    fn a_world_that_was_there_before_is_told_exactly_from_then_on(
        (upkeep, moves) in ways(),
        before in steps(),
        after in steps(),
    ) {
        let mut world = World::new(upkeep, moves);
        before.into_iter().for_each(|step| world.step(step));
        world.attach(0);
        after.into_iter().for_each(|step| world.step(step));
        let report = world.finish();
        assert_agrees(&world, &report, false);
    }

    #[test]
    fn folding_small_maps_keeps_every_sum((upkeep, moves) in ways(), steps in steps()) {
        let mut all = World::new(upkeep, moves);
        all.attach(0);
        let mut large = World::new(upkeep, moves);
        large.attach(5000);
        for step in steps {
            all.step(step);
            large.step(step);
        }
        let (listed, folded) = (all.finish(), large.finish());
        prop_assert_eq!(sums(&listed), sums(&folded));
        prop_assert!(folded.maps.iter().all(|map| map.bytes.peak >= Some(Bytes(5000))));
    }

    #[test]
    fn drawing_reports_in_between_changes_nothing((upkeep, moves) in ways(), steps in steps()) {
        let mut world = World::new(upkeep, moves);
        world.attach(3000);
        steps.into_iter().for_each(|step| world.step(step));
        let report = world.finish();
        let mut again = Audit::new();
        for fact in &world.facts {
            again.apply(fact);
            prop_assert_eq!(again.report().window.end, Nanos(fact.at.0));
        }
        prop_assert_eq!(again.report(), report);
    }
}
