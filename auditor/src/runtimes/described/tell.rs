//! What a hit means: the map before and after the call, as facts. Tables that are new were asked for, tables that
//! are there no more were let go; whatever else happened shows at the next look.

use super::expression::{Expression, Name, Scope, Start, Value};
use super::hooks::{MAP, Placed, values};
use super::known::{Known, Table};
use super::layout::{self, Figures, Seen};
use super::profile::{Event, Identity, Metric, Own, Probe, Profile};
use super::windows::{Snapshot, Windows};
use crate::audit::fact::{Allocate, Clear, Free, Grow, GrowthKind, Look, Occasion, Part, Shape, What};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::runtimes::hook::Hit;
use crate::target::memory::Memory;

/// A hit of one hook.
pub(super) struct Telling<'a> {
    pub(super) profile: &'a Profile,
    pub(super) placed: &'a Placed,
    pub(super) hit: &'a Hit,
    /// The target's, as it is by now.
    pub(super) memory: &'a dyn Memory,
    pub(super) known: &'a mut Known,
    pub(super) told: &'a mut Vec<What>,
}

/// A map at one moment of the call.
#[derive(Debug)]
struct Moment {
    figures: Figures,
    scope: Scope,
    shape: Option<Shape>,
    identity: Option<Address>,
}

impl Moment {
    /// The tables it has: the current one first.
    fn tables(&self) -> Vec<Table> {
        let of = |at: Option<Address>, bytes: Option<Bytes>| Some((at.filter(|at| at.0 != 0)?, bytes?));
        let Figures { table, table_bytes, old_table, old_bytes, .. } = self.figures;
        [of(table, table_bytes), of(old_table, old_bytes)].into_iter().flatten().collect()
    }
}

impl Telling<'_> {
    /// Tells what it means. `None`: it cannot be understood.
    pub(super) fn tell(mut self) -> Option<()> {
        let own = match self.placed.own {
            Some(own) => own,
            None => Address(self.hit.value(MAP)?),
        };
        if own.0 == 0 {
            return Some(());
        }
        let (before, after) = self.moments(own);
        if !self.is_meant(before.as_ref()) || !self.is_meant(after.as_ref()) {
            return Some(());
        }
        match self.probe().event {
            Event::Resize => self.resized(own, before, &after?),
            Event::Create => self.created(own, after?),
            Event::Elements => self.seen(own, &after?),
            Event::Grow => self.grew(own, before.or(after)),
            Event::TableFreed => self.table_freed(own, after),
            Event::Clear => self.cleared(own, before, after),
            Event::Dropped => self.dropped(own, before.or(after)),
        }
    }

    fn probe(&self) -> &Probe {
        &self.profile.probes[self.placed.probe]
    }

    /// Whether the probe tells of such a map. Where that is not known, it does.
    fn is_meant(&self, moment: Option<&Moment>) -> bool {
        let asked = self.probe().only.as_ref().zip(moment);
        let answer = asked.map(|(only, moment)| only.eval(&moment.scope, &Snapshot::default()));
        answer.and_then(Result::ok).and_then(Value::truth) != Some(false)
    }

    /// The map before and after the call.
    fn moments(&mut self, own: Address) -> (Option<Moment>, Option<Moment>) {
        let layout = &self.placed.layout;
        let snapshot = |part: &Option<(Windows, usize)>, header: Option<&[u8; auditor_ebpf::LOOK_BYTES]>| {
            let (windows, first) = part.as_ref()?;
            let header = header.map(|bytes| bytes.as_slice());
            Some(Snapshot::new(windows, own, header, &values(self.hit, windows, *first)))
        };
        let before = snapshot(&layout.before, None);
        let after = snapshot(&layout.after, self.hit.header.as_ref());
        let element = self.element(own, [after.as_ref(), before.as_ref()]);
        let seen = Seen { own, element };
        let moment = |snapshot: Option<Snapshot>| self.moment(seen, &snapshot?);
        (moment(before), moment(after))
    }

    /// Bytes of an element, the same before and after: as a block says that is still there, as it was of that map, as it
    /// is of others that the function tells of. 0: not known; the map is told without its elements then.
    fn element(&mut self, own: Address, snapshots: [Option<&Snapshot>; 2]) -> Option<u64> {
        let profile = self.profile;
        profile.element?;
        let hook = &self.placed.hook.name;
        let snapshots = snapshots.into_iter().flatten();
        let scopes: Vec<(Scope, &Snapshot)> =
            snapshots.map(|snapshot| (layout::scope(profile, own, snapshot), snapshot)).collect();
        let found = scopes.iter().find_map(|(scope, _)| layout::element(profile, scope, self.memory));
        if let Some(size) = found {
            self.known.has_element(hook, size);
            return found;
        }
        let identity = |(scope, snapshot): &(Scope, &Snapshot)| layout::identity(profile, scope, *snapshot);
        let known = |map: Address| self.known.get(self.known.name(map))?.element().filter(|size| *size > 0);
        let of_map = scopes.iter().filter_map(identity).find_map(known);
        of_map.or_else(|| self.known.element_at(hook)).or(Some(0))
    }

    fn moment(&self, seen: Seen, snapshot: &Snapshot) -> Option<Moment> {
        // What fails a check is no map: one that is being made, or one that is gone.
        let figures = layout::figures(self.profile, seen, snapshot);
        let (figures, mut scope) = figures.map_err(|error| log::trace!("{error}")).ok()?;
        let identity = layout::identity(self.profile, &scope, snapshot);
        let shape = layout::look(self.profile, seen, snapshot).ok().map(|look| look.shape);
        self.give(&mut scope);
        Some(Moment { figures, scope, shape, identity })
    }

    /// What the call was given, and what it answered.
    fn give(&self, scope: &mut Scope) {
        for (name, given) in &self.placed.layout.named {
            let value = given.value(self.hit);
            match name {
                Name::Argument(index) => scope.arguments[usize::from(*index)] = value,
                Name::Register(number) => scope.registers[usize::from(*number)] = value,
                _ => {}
            }
        }
        scope.returned = self.hit.returned;
    }

    /// A number that the event itself tells.
    fn given(&self, expression: Option<&Expression>, moment: Option<&Moment>) -> Option<u64> {
        let mut call = Scope::default();
        let scope = moment.map_or_else(
            || {
                self.give(&mut call);
                &call
            },
            |moment| &moment.scope,
        );
        expression?.eval(scope, &Snapshot::default()).ok()?.word()
    }

    /// The name of a map whose tables change, which is known from now on. One that is met with tables was there
    /// before: that is told first, as it was.
    fn meet(&mut self, own: Address, before: Option<&Moment>, after: Option<&Moment>) -> Option<Address> {
        let identity = |moment: Option<&Moment>| moment.and_then(|moment| moment.identity);
        let name = match (&self.profile.identity, identity(before), identity(after)) {
            (Identity::Map, ..) => own,
            (Identity::Table(_), Some(before), Some(after)) => {
                self.known.moves(before, after);
                self.known.name(after)
            }
            (Identity::Table(_), before, after) => self.known.name(before.or(after)?),
        };
        let is_new = matches!(self.profile.identity, Identity::Table(_))
            && before.is_some_and(|before| before.tables().is_empty());
        if is_new && self.known.forget(name).is_some() {
            // What was known there has died unseen: this one has no table yet.
            self.told.push(What::Gone { map: name });
        }
        if self.known.get(name).is_none()
            && let Some(shape) =
                before.filter(|before| !before.tables().is_empty()).and_then(|it| it.shape.clone())
        {
            self.look(name, Occasion::Poll, shape);
        }
        let tables = after.map(Moment::tables);
        let map = self.known.meet(name, own)?;
        if let Some(size) = after.and_then(|after| layout::element_of(self.profile, &after.scope)) {
            map.asked(Some(size));
        }
        map.shown = map.shown.take().or_else(|| self.placed.shown.clone());
        map.tables = tables.unwrap_or(std::mem::take(&mut map.tables));
        map.shape = after.and_then(|after| after.shape.clone()).or(map.shape.take());
        Some(name)
    }

    fn look(&mut self, map: Address, occasion: Occasion, shape: Shape) {
        let runtime = self.profile.name.clone();
        self.told.push(What::Look(Look { map, occasion, runtime, shape: shape.into(), name: None }));
    }

    fn created(&mut self, own: Address, after: Moment) -> Option<()> {
        if let Some(name) = self.meet(own, None, Some(&after))
            && let Some(shape) = after.shape
        {
            self.look(name, Occasion::Census, shape);
        }
        Some(())
    }

    fn seen(&mut self, own: Address, now: &Moment) -> Option<()> {
        if let Some(name) = self.meet(own, None, Some(now))
            && let Some(shape) = now.shape.clone()
        {
            self.look(name, Occasion::Poll, shape);
        }
        Some(())
    }

    /// The tables that it had, as they were told: before its elements' size was known they were told without.
    fn had(&self, before: &Moment) -> Vec<Table> {
        let told = self.profile.element.and(before.identity).and_then(|identity| {
            self.known.get(self.known.name(identity)).filter(|known| !known.tables.is_empty())
        });
        told.map_or_else(|| before.tables(), |known| known.tables.clone())
    }

    fn resized(&mut self, own: Address, before: Option<Moment>, after: &Moment) -> Option<()> {
        if before.is_none() && self.placed.layout.before.is_some() {
            // What it was is not known: then what it is can be told, and no more.
            return self.seen(own, after);
        }
        let has = after.tables();
        if before.as_ref().map_or_else(Vec::new, Moment::tables) == has {
            return Some(());
        }
        let had = before.as_ref().map_or_else(Vec::new, |before| self.had(before));
        let Some(map) = self.meet(own, before.as_ref(), Some(after)) else { return Some(()) };
        let is_new = has.first().is_some_and(|current| !had.contains(current));
        if is_new && !had.is_empty() {
            let buckets = |moment: &Moment| moment.figures.buckets;
            let from =
                self.given(self.probe().from.as_ref(), before.as_ref()).or(before.as_ref().and_then(buckets));
            let to = self.given(self.probe().to.as_ref(), Some(after)).or(buckets(after));
            let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
            let live = before.and_then(|before| before.figures.live);
            let stack = self.hit.stack;
            self.told.push(What::Grow(Grow {
                map,
                kind: kind(from, to),
                from,
                to,
                live,
                bytes: None,
                stack,
            }));
        }
        let gone = had.iter().filter(|table| !has.contains(table));
        // One that was let go first may have given its place to the next.
        let (moved, in_place): (Vec<Table>, Vec<Table>) =
            gone.partition(|(at, _)| !has.iter().any(|(place, _)| place == at));
        in_place.into_iter().for_each(|table| self.gone(map, table, None));
        for (at, bytes) in has.iter().filter(|table| !had.contains(table)) {
            self.told.push(What::Allocate(Allocate {
                map,
                table: Some(*at),
                bytes: *bytes,
                part: Part::Buckets,
                stack: self.hit.stack,
                took: self.hit.took,
            }));
        }
        moved.into_iter().for_each(|table| self.gone(map, table, after.shape.clone().map(Box::new)));
        Some(())
    }

    /// A table that was there before a call and is not after it. Where a probe amid the call has told of its end, that
    /// is no news.
    fn gone(&mut self, map: Address, table: Table, shape: Option<Box<Shape>>) {
        let Hit { at, took, .. } = *self.hit;
        let call = (Nanos(at.0.saturating_sub(took.unwrap_or_default().0)), at);
        if !self.known.has_let_go(map, table.0, call) {
            self.free(map, table, shape);
        }
    }

    fn free(&mut self, map: Address, (table, bytes): Table, shape: Option<Box<Shape>>) {
        self.told.push(What::Free(Free { map, table, bytes, shape }));
    }

    fn grew(&mut self, own: Address, before: Option<Moment>) -> Option<()> {
        let probe = self.probe();
        let buckets = before.as_ref().and_then(|before| before.figures.buckets);
        let from = self.given(probe.from.as_ref(), before.as_ref()).or(buckets)?;
        let to = self.given(probe.to.as_ref(), before.as_ref())?;
        let bytes = self.given(probe.bytes.as_ref(), before.as_ref()).map(Bytes);
        if from == to {
            return Some(());
        }
        let Some(map) = self.meet(own, before.as_ref(), before.as_ref()) else { return Some(()) };
        let kind = if from == 0 { GrowthKind::First } else { kind(from, to) };
        let live = before.and_then(|before| before.figures.live);
        self.told.push(What::Grow(Grow { map, kind, from, to, live, bytes, stack: self.hit.stack }));
        Some(())
    }

    fn table_freed(&mut self, own: Address, now: Option<Moment>) -> Option<()> {
        let identity = now.as_ref().and_then(|now| now.identity).unwrap_or(own);
        let name = self.known.name(identity);
        let probe = self.probe();
        let figures = now.as_ref().map(|now| &now.figures);
        let old = figures.and_then(|figures| figures.old_table.filter(|at| at.0 != 0));
        let table = self.given(probe.table.as_ref(), now.as_ref()).map(Address).or(old)?;
        let is_by_register = matches!(&probe.own, Own::Chain(own) if matches!(own.start, Start::Register(_)));
        if is_by_register && old.is_some_and(|old| old != table) {
            // The compiler has put something else into that register.
            return None;
        }
        let known = self.known.get(name).map_or_else(Vec::new, |map| map.tables.clone());
        let known = known.into_iter().find(|(at, _)| *at == table).map(|(_, bytes)| bytes);
        let said = self.given(probe.bytes.as_ref(), now.as_ref()).map(Bytes);
        let old_bytes =
            figures.filter(|figures| figures.old_table == Some(table)).and_then(|it| it.old_bytes);
        let bytes = said.or(old_bytes).or(known)?;
        if self.known.get(name).is_none() {
            let _ = self.meet(own, now.as_ref(), now.as_ref());
        }
        if let Some(map) = self.known.meet(name, own) {
            map.tables.retain(|(at, _)| *at != table);
        }
        self.known.lets_go(self.hit.at, name, table);
        self.free(name, (table, bytes), None);
        Some(())
    }

    fn cleared(&mut self, own: Address, before: Option<Moment>, after: Option<Moment>) -> Option<()> {
        let live = before.as_ref().or(after.as_ref()).and_then(|moment| moment.figures.live);
        let first = before.as_ref().or(after.as_ref());
        let Some(map) = self.meet(own, first, after.as_ref().or(first)) else { return Some(()) };
        self.told.push(What::Clear(Clear { map, live, stack: self.hit.stack }));
        if let (Some(before), Some(after)) = (before, after) {
            let has = after.tables();
            let gone = before.tables().into_iter().filter(|table| !has.contains(table));
            for table in gone.collect::<Vec<_>>() {
                self.gone(map, table, after.shape.clone().map(Box::new));
            }
        }
        Some(())
    }

    /// Of a map that nobody has heard of, its death is no news.
    fn dropped(&mut self, own: Address, before: Option<Moment>) -> Option<()> {
        let identity = before.as_ref().and_then(|before| before.identity).unwrap_or(own);
        let map = self.known.name(identity);
        let Some(known) = self.known.forget(map) else { return Some(()) };
        let tables = match &before {
            Some(before) if self.profile.element.is_none() => before.tables(),
            _ => known.tables,
        };
        let shape = Shape { dropped: true, ..before.and_then(|before| before.shape).unwrap_or_default() };
        if tables.is_empty() {
            self.told.push(What::Gone { map });
        }
        for table in tables {
            self.free(map, table, Some(Box::new(shape.clone())));
        }
        Some(())
    }
}

/// What a change of the number of buckets is called.
const fn kind(from: u64, to: u64) -> GrowthKind {
    match (from, to) {
        (from, to) if from == to => GrowthKind::SameSize,
        (from, to) if to < from => GrowthKind::Shrink,
        (from, to) if to / 2 == from && to.is_multiple_of(2) => GrowthKind::Double,
        _ => GrowthKind::Other,
    }
}

/// Whether a profile can say where a map's tables are.
pub(super) fn knows_tables(profile: &Profile) -> bool {
    profile.metric(Metric::Table).is_some() && profile.metric(Metric::TableBytes).is_some()
}
