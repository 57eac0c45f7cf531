//! A described map in one process.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::hooks::{self, Placed};
use super::known::{Known, Map};
use super::label::{self, Called};
use super::layout::{self, Seen};
use super::profile::{Identity, LabelKind, Profile};
use super::remarks::Remarks;
use super::roots::{self, Reached};
use super::sizes::{self, SizesKey};
use super::tell::Telling;
use super::windows::{Overlay, Room, Windows};
use super::{places, tell};
use crate::audit::fact::{self, Fact, Free, Shape, Sizes, SizesId, What};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::runtimes::census::Census;
use crate::runtimes::hook::{Hit, Hook, Spot};
use crate::runtimes::ranges::Ranges;
use crate::runtimes::{Instance, LayoutError, Moment};
use crate::target::memory::Memory;
use crate::target::module::{Module, Symbol};

/// Most kinds of sizes that are told apart.
const MOST_KINDS: usize = 4096;
/// How long a map of many entries may take to be rebuilt: 5 s are some 50 million entries.
const REBUILDING: Nanos = Nanos(5_000_000_000);
/// Bytes of a type's name.
const LONGEST_TYPE: usize = 256;

/// A described map as found in one process.
#[derive(Debug)]
pub(super) struct DescribedInstance {
    profile: Arc<Profile>,
    evidence: String,
    placed: BTreeMap<String, Placed>,
    roots: Vec<roots::Placed>,
    /// Names of variables by address, where labels need them.
    objects: Vec<(Address, u64, String)>,
    known: Known,
    kinds: RefCell<Vec<SizesKey>>,
    header_len: usize,
    header_suffices: bool,
}

impl DescribedInstance {
    pub(super) fn new(profile: Arc<Profile>, evidence: String, module: &Module) -> Self {
        let object = |name: &str| module.object(name).map(|object| object.symbol.address);
        let probes = profile.probes.iter().enumerate();
        let found = probes.flat_map(|(index, probe)| {
            places::find(probe, module).into_iter().map(move |found| (index, found))
        });
        let mut placed = BTreeMap::new();
        for (index, found) in found {
            let mut one = hooks::hook(&profile, index, found, object);
            one.hook.name = unique(&placed, &format!("{}:{}", profile.name, one.hook.name)).into();
            placed.insert(one.hook.name.to_string(), one);
        }
        let is_by_object = profile.label.as_ref().is_some_and(|label| label.kind == LabelKind::Symbol);
        let windows = Windows::of(&profile, Room { block: true, windows: usize::MAX, loads: usize::MAX });
        let is_by_map = matches!(profile.identity, Identity::Map);
        Self {
            roots: roots::place(&profile.roots, module),
            objects: if is_by_object { module.objects() } else { Vec::new() },
            header_suffices: is_by_map && hooks::header_suffices(&profile),
            header_len: windows.header,
            known: Known::default(),
            kinds: RefCell::default(),
            placed,
            evidence,
            profile,
        }
    }

    /// Whether any of the probes and roots is in the file.
    pub(super) fn finds_anything(&self) -> bool {
        let is_there = |placed: &Placed| !matches!(placed.hook.spot, Spot::Missing(..));
        !self.roots.is_empty() || self.placed.values().any(is_there)
    }

    /// Where the header of a map is, as far as is known.
    fn own(&self, map: Address) -> Address {
        self.known.get(map).map_or(map, |known| known.own)
    }

    /// The same with what else is known of it.
    fn seen(&self, map: Address) -> Seen {
        let element = self.known.get(map).and_then(Map::element);
        Seen { own: self.own(map), element }
    }

    /// Looks at the map of that name; an error where it is not what it should be, or is not there any more.
    fn look_at(&self, map: Address, memory: &dyn Memory) -> Result<layout::Look, LayoutError> {
        let seen = self.seen(map);
        let look = layout::look(&self.profile, seen, memory)?;
        let identity = layout::identity(&self.profile, &look.scope, memory);
        if identity.is_none_or(|identity| self.known.name(identity) != map) {
            let check = format!("{}: the map has moved, or is another one", self.profile.name);
            return Err(LayoutError::Check { what: "the map", at: seen.own, check });
        }
        if let Some(known) = self.known.get(map).filter(|_| seen.element.is_none()) {
            known.asked(layout::element_of(&self.profile, &look.scope));
        }
        Ok(look)
    }

    /// What a map was when a probe told of it last, where its header may have moved since.
    fn remembered(&self, map: Address) -> Option<Shape> {
        match self.profile.identity {
            Identity::Map => None,
            Identity::Table(_) => self.known.get(map)?.shape.clone(),
        }
    }

    fn kind(&self, key: Option<&SizesKey>) -> Option<SizesId> {
        let key = key?;
        let mut kinds = self.kinds.borrow_mut();
        let index = match kinds.iter().position(|known| known == key) {
            Some(index) => index,
            None if kinds.len() >= MOST_KINDS => return None,
            None => {
                kinds.push(key.clone());
                kinds.len() - 1
            }
        };
        Some(SizesId(index as u32))
    }

    /// Maps that roots lead to, beside those that are known.
    fn reach(&self, memory: &dyn Memory) -> Reached {
        let mut reached = Reached::default();
        for placed in &self.roots {
            roots::follow(&self.profile.roots[placed.index], placed.symbol, memory, &mut reached);
        }
        reached
    }

    fn object_at(&self, at: Address) -> Option<&str> {
        let after = self.objects.partition_point(|(start, ..)| *start <= at);
        let (start, size, name) = self.objects.get(after.checked_sub(1)?)?;
        (at.0 - start.0 < (*size).max(1)).then_some(name.as_str())
    }
}

/// A name that no other hook has.
fn unique(placed: &BTreeMap<String, Placed>, name: &str) -> String {
    if !placed.contains_key(name) {
        return name.to_owned();
    }
    // The ending says what it feeds: it stays at the end.
    let (start, ending) = name.rsplit_once('_').unwrap_or((name, ""));
    let mut numbered = (2_usize..).map(|number| format!("{start}_{number}_{ending}"));
    numbered.find(|name| !placed.contains_key(name)).unwrap_or_else(|| name.to_owned())
}

impl Instance for DescribedInstance {
    fn afresh(&self) -> Option<Box<dyn Instance>> {
        Some(Box::new(Self {
            profile: Arc::clone(&self.profile),
            evidence: self.evidence.clone(),
            placed: self.placed.clone(),
            // What is in memory that both have is told of by the one that was there first.
            roots: self
                .roots
                .iter()
                .filter(|root| !self.profile.roots[root.index].is_shared)
                .copied()
                .collect(),
            objects: self.objects.clone(),
            known: Known::default(),
            kinds: RefCell::default(),
            header_len: self.header_len,
            header_suffices: self.header_suffices,
        }))
    }

    fn found(&self) -> Vec<fact::Runtime> {
        let version = self.profile.versions.clone();
        let (name, evidence) = (self.profile.name.clone(), self.evidence.clone());
        vec![fact::Runtime { name, version, evidence, verified: None }]
    }

    fn runtime_of(&self, _: Address) -> &str {
        &self.profile.name
    }

    fn hooks(&self) -> Vec<Hook> {
        self.placed.values().map(|placed| placed.hook.clone()).collect()
    }

    fn header_len(&self) -> usize {
        self.header_len
    }

    /// At a table there is no header.
    fn header_len_of(&self, _: Address) -> usize {
        if matches!(self.profile.identity, Identity::Map) { self.header_len } else { 0 }
    }

    fn evacuation_is_readable(&self) -> bool {
        true
    }

    /// What can be checked before anything is known of a map: those that roots lead to.
    fn check(&mut self, memory: &dyn Memory) -> Result<(), LayoutError> {
        let reached = self.reach(memory);
        let mut first = None;
        for own in &reached.maps {
            match layout::look(&self.profile, *own, memory) {
                Ok(_) => return Ok(()),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn census(&mut self, _: Bytes, memory: &dyn Memory) -> Result<Census, LayoutError> {
        let reached = self.reach(memory);
        let profile = Arc::clone(&self.profile);
        let mut remarks = Remarks::of(&profile);
        for own in &reached.maps {
            let Ok(look) = layout::look(&self.profile, *own, memory) else { continue };
            remarks.take(&look.scope, *own, memory);
            let identity = layout::identity(&self.profile, &look.scope, memory);
            if let Some(name) = identity.map(|identity| self.known.name(identity)) {
                self.known.meet(name, *own);
            }
        }
        let stays = matches!(profile.identity, Identity::Map);
        let lives = |_, map: &Map| !stays || layout::look(&profile, map.own, memory).is_ok();
        let mut census = Census::of(self.known.living(lives));
        census.notes = reached.notes;
        census.notes.extend(remarks.told());
        if self.known.not_followed() > 0 {
            let (name, count) = (&self.profile.name, self.known.not_followed());
            census.notes.push(format!("{name}: {count} times there was no room to follow another map"));
        }
        Ok(census)
    }

    /// Of a map whose header has moved, what it was when a probe told of it last.
    fn look(&self, map: Address, header: &[u8], memory: Option<&dyn Memory>) -> Result<Shape, LayoutError> {
        let overlay = Overlay { at: map, bytes: header, beneath: memory };
        let look = match self.look_at(map, &overlay) {
            Ok(look) => look,
            Err(error) => return self.remembered(map).ok_or(error),
        };
        Ok(Shape { sizes: self.kind(look.figures.kind.as_ref()), ..look.shape })
    }

    fn ranges(&self, map: Address, header: &[u8], memory: &dyn Memory) -> Option<Ranges> {
        if !tell::knows_tables(&self.profile) {
            return None;
        }
        let look = self.look_at(map, &Overlay { at: map, bytes: header, beneath: Some(memory) }).ok()?;
        let range = |at: Option<Address>, bytes: Option<Bytes>| {
            at.zip(bytes).filter(|(at, bytes)| at.0 != 0 && bytes.0 != 0)
        };
        let figures = &look.figures;
        Some(Ranges {
            current: range(figures.table, figures.table_bytes).into_iter().collect(),
            old: range(figures.old_table, figures.old_bytes).into_iter().collect(),
            rest: range(Some(self.own(map)), figures.header).into_iter().collect(),
        })
    }

    fn sizes(&self, id: SizesId) -> Option<Sizes> {
        let key = self.kinds.borrow().get(id.0 as usize)?.clone();
        sizes::sizes(&self.profile, id, &key)
    }

    fn header_suffices(&self) -> bool {
        self.header_suffices
    }

    fn function(&self, _: &Module, _: &str) -> Option<Symbol> {
        None
    }

    fn name_of(&self, map: Address, header: &[u8], memory: &dyn Memory) -> Option<String> {
        let overlay = Overlay { at: map, bytes: header, beneath: Some(memory) };
        let seen = self.seen(map);
        let scope = layout::scope(&self.profile, seen, &overlay);
        match label::called(&self.profile, &scope, &overlay)? {
            Called::Text(text) => Some(text),
            Called::Object(at) => self.object_at(at).map(str::to_owned),
            Called::Type => {
                let known = self.known.get(map)?;
                let name: String = known.shown.as_ref()?.chars().take(LONGEST_TYPE).collect();
                if self.profile.element.is_some() && !known.was_asked() {
                    // It could not be looked at yet.
                    return None;
                }
                // Functions of several types may be called alike.
                match seen.element {
                    Some(size) if size > 0 => Some(format!("{name} (elements of {size} B)")),
                    _ => Some(name),
                }
            }
        }
    }

    fn decode(&mut self, hook: &str, hit: &Hit, memory: &dyn Memory, told: &mut Vec<What>) -> Option<()> {
        let placed = self.placed.get(hook)?;
        let before = told.len();
        let telling = Telling { profile: &self.profile, placed, hit, memory, known: &mut self.known, told };
        telling.tell()?;
        for what in told.get_mut(before..).unwrap_or_default() {
            if let What::Look(look) = what {
                // Which kind it is of, a look at its memory tells.
                look.shape.sizes = None;
            }
        }
        Some(())
    }

    fn unmapped(&mut self, at: Nanos, range: (Address, Bytes)) {
        if self.profile.free_by_munmap.is_some_and(|least| range.1 >= least) {
            self.known.unmapped(at, range);
        }
    }

    fn pulse(&mut self, now: Moment, _: &dyn Memory) -> Vec<Fact> {
        let dead = self.known.dead(now.at).into_iter();
        let told = dead.flat_map(|(map, known)| {
            let shape = Shape { dropped: true, ..known.shape.unwrap_or_default() };
            let free = move |(table, bytes)| {
                What::Free(Free { map, table, bytes, shape: Some(Box::new(shape.clone())) })
            };
            known.tables.into_iter().map(free)
        });
        told.map(|what| Fact { at: now.at, thread: None, what }).collect()
    }

    fn decode_count(&self, _: &str, _: u64, _: u64) -> Option<What> {
        None
    }

    fn looks_wrong_for(&self) -> Nanos {
        REBUILDING
    }

    /// Filters by size leave small ones out, and not every library tells of every death.
    fn births_are_told(&self) -> bool {
        false
    }
}
