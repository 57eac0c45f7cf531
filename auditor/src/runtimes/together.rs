//! The runtimes of one process, looked at as one. Which part a map belongs to is known from who told of it first;
//! which part a hook belongs to, from its name. Parts may come later, with the library that holds them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::census::Census;
use super::hook::{Hit, Hook};
use super::ranges::Ranges;
use super::{Instance, LayoutError, Moment};
use crate::audit::fact::{self, Fact, Shape, Sizes, SizesId, What};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::target::memory::Memory;
use crate::target::module::{Module, Symbol};

/// Most maps whose part is remembered; of the others it is found out again each time.
const MOST: usize = 1 << 20;
/// Numbers of kinds of maps of one part: the next part's begin here.
const KINDS: u32 = 1 << 24;

/// Runtimes found in one process, in the order in which they are asked.
#[derive(Debug)]
pub struct Together {
    parts: Vec<Part>,
    /// Which part told of a map.
    maps: FxHashMap<Address, usize>,
    /// Names of hooks, each with its part and its name there.
    hooks: BTreeMap<String, (usize, String)>,
}

#[derive(Debug)]
struct Part {
    instance: Box<dyn Instance>,
    /// What the check of its layout came to; `None`: it has not been checked.
    checked: Option<Result<(), LayoutError>>,
}

impl Together {
    /// These, as one.
    #[must_use]
    pub fn of(instances: Vec<Box<dyn Instance>>) -> Self {
        let mut all = Self { parts: Vec::new(), maps: FxHashMap::default(), hooks: BTreeMap::new() };
        instances.into_iter().for_each(|instance| _ = all.add(instance));
        all
    }

    /// One more; gives its place among the parts.
    pub fn add(&mut self, instance: Box<dyn Instance>) -> usize {
        self.parts.push(Part { instance, checked: None });
        self.parts.len() - 1
    }

    /// How many parts there are.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.parts.len()
    }

    /// One of them.
    #[must_use]
    pub fn part(&self, part: usize) -> &dyn Instance {
        &*self.parts[part].instance
    }

    /// The hooks of one part, under names that no other part's have.
    pub fn hooks_of(&mut self, part: usize) -> Vec<Hook> {
        let mut hooks = self.parts[part].instance.hooks();
        self.name(part, &mut hooks);
        hooks
    }

    /// Hooks of every write to one map, of one part.
    pub fn writers_of(&mut self, part: usize, map: Address) -> Vec<Hook> {
        let mut hooks = self.parts[part].instance.writers(map);
        self.name(part, &mut hooks);
        hooks
    }

    /// The end of a name says what the hook feeds, so a number goes to the front.
    fn name(&mut self, part: usize, hooks: &mut [Hook]) {
        for hook in hooks {
            let own = hook.name.clone().into_owned();
            if self.hooks.get(&own).is_some_and(|(other, _)| *other != part) {
                hook.name = format!("{}:{own}", part + 1).into();
            }
            self.hooks.insert(hook.name.clone().into_owned(), (part, own));
        }
    }

    /// Checks one part that came later.
    ///
    /// # Errors
    /// As [`Instance::check`].
    pub fn check_part(&mut self, part: usize, memory: &dyn Memory) -> Result<(), LayoutError> {
        let checked = self.parts[part].instance.check(memory);
        self.parts[part].checked = Some(checked.clone());
        checked
    }

    /// What was recognised of one part, with what came of the check.
    #[must_use]
    pub fn found_of(&self, part: usize) -> Vec<fact::Runtime> {
        self.parts[part].found()
    }

    /// Those that are looked at, with their place among all.
    fn sound(&self) -> impl Iterator<Item = (usize, &dyn Instance)> {
        let parts = self.parts.iter().enumerate();
        parts.filter(|(_, part)| part.is_sound()).map(|(place, part)| (place, &*part.instance))
    }

    fn remember(&mut self, map: Address, part: usize) {
        if self.parts.len() > 1 && (self.maps.len() < MOST || self.maps.contains_key(&map)) {
            self.maps.insert(map, part);
        }
    }

    /// The part whose map that is, as far as anybody has told; the only one, where there is one.
    fn of_map(&self, map: Address) -> Option<usize> {
        match self.parts.len() {
            1 => Some(0),
            _ => self.maps.get(&map).copied(),
        }
    }

    fn instance_of(&self, map: Address) -> Option<&dyn Instance> {
        self.of_map(map).map(|part| self.part(part))
    }

    fn of_kind(&self, id: SizesId) -> Option<(&dyn Instance, SizesId)> {
        let part = self.parts.get((id.0 / KINDS) as usize)?;
        Some((&*part.instance, SizesId(id.0 % KINDS)))
    }
}

impl Part {
    /// What was recognised, with what came of the check.
    fn found(&self) -> Vec<fact::Runtime> {
        let mut found = self.instance.found();
        for runtime in &mut found {
            runtime.verified = runtime.verified.or(self.checked.as_ref().map(Result::is_ok));
            if let Some(Err(error)) = &self.checked {
                runtime.evidence = format!("{}; not looked at: {error}", runtime.evidence);
            }
        }
        found
    }

    const fn is_sound(&self) -> bool {
        !matches!(self.checked, Some(Err(_)))
    }
}

/// A kind's number of one part, as one among all parts.
fn among_all(part: usize, mut shape: Shape) -> Shape {
    shape.sizes = shape.sizes.map(|id| SizesId(part as u32 * KINDS + id.0 % KINDS));
    shape
}

impl Instance for Together {
    fn found(&self) -> Vec<fact::Runtime> {
        self.parts.iter().flat_map(Part::found).collect()
    }

    fn runtime_of(&self, map: Address) -> &str {
        self.instance_of(map).map_or("unknown", |instance| instance.runtime_of(map))
    }

    fn hooks(&self) -> Vec<Hook> {
        self.parts.iter().flat_map(|part| part.instance.hooks()).collect()
    }

    fn header_len(&self) -> usize {
        self.parts.iter().map(|part| part.instance.header_len()).max().unwrap_or(0)
    }

    fn header_len_of(&self, map: Address) -> usize {
        self.instance_of(map).map_or_else(|| self.header_len(), |instance| instance.header_len_of(map))
    }

    fn evacuation_is_readable(&self) -> bool {
        self.parts.iter().all(|part| part.instance.evacuation_is_readable())
    }

    fn started_with(&mut self, environment: &str) {
        self.parts.iter_mut().for_each(|part| part.instance.started_with(environment));
    }

    /// One part that fails is left out; all that fail are a failure.
    fn check(&mut self, memory: &dyn Memory) -> Result<(), LayoutError> {
        self.parts.iter_mut().for_each(|part| part.checked = Some(part.instance.check(memory)));
        if self.parts.iter().any(Part::is_sound) {
            return Ok(());
        }
        let first = self.parts.first_mut().and_then(|part| part.checked.take());
        first.unwrap_or(Ok(()))
    }

    fn census(&mut self, fold_below: Bytes, memory: &dyn Memory) -> Result<Census, LayoutError> {
        let mut all = Census::default();
        for part in 0..self.parts.len() {
            if !self.parts[part].is_sound() {
                continue;
            }
            let one = self.parts[part].instance.census(fold_below, memory)?;
            one.maps.iter().for_each(|found| self.remember(found.map, part));
            let own = one.maps.into_iter().map(|mut found| {
                found.shape = found.shape.map(|shape| among_all(part, shape));
                found
            });
            all.maps.extend(own);
            all.crowds = join(all.crowds, one.crowds);
            all.heap = all.heap.or(one.heap);
            all.notes.extend(one.notes);
            all.born = all.born.or(one.born);
            all.read += one.read;
        }
        all.maps.sort_by_key(|found| found.map);
        Ok(all)
    }

    fn look(&self, map: Address, header: &[u8], memory: Option<&dyn Memory>) -> Result<Shape, LayoutError> {
        let unknown = || LayoutError::Check {
            what: "the map",
            at: map,
            check: "none of the runtimes has told of it".to_owned(),
        };
        let part = self.of_map(map).ok_or_else(unknown)?;
        let instance = &self.parts[part].instance;
        let header = header.get(..instance.header_len()).unwrap_or(header);
        instance.look(map, header, memory).map(|shape| among_all(part, shape))
    }

    fn ranges(&self, map: Address, header: &[u8], memory: &dyn Memory) -> Option<Ranges> {
        let instance = self.instance_of(map)?;
        instance.ranges(map, header.get(..instance.header_len()).unwrap_or(header), memory)
    }

    fn sizes(&self, id: SizesId) -> Option<Sizes> {
        let (instance, own) = self.of_kind(id)?;
        instance.sizes(own).map(|sizes| Sizes { id, ..sizes })
    }

    fn heap(&self) -> Option<Vec<(Address, Bytes)>> {
        self.sound().find_map(|(_, instance)| instance.heap())
    }

    fn header_suffices(&self) -> bool {
        self.parts.iter().all(|part| part.instance.header_suffices())
    }

    fn function(&self, module: &Module, name: &str) -> Option<Symbol> {
        self.sound().find_map(|(_, instance)| instance.function(module, name))
    }

    fn name_of(&self, map: Address, header: &[u8], memory: &dyn Memory) -> Option<String> {
        self.instance_of(map)?.name_of(map, header, memory)
    }

    fn decode(&mut self, hook: &str, hit: &Hit, memory: &dyn Memory, told: &mut Vec<What>) -> Option<()> {
        let (part, own) = self.hooks.get(hook)?;
        let part = *part;
        if !self.parts[part].is_sound() {
            return Some(());
        }
        let before = told.len();
        self.parts[part].instance.decode(own, hit, memory, told)?;
        for what in told.get_mut(before..).unwrap_or_default() {
            if let Some(map) = what.map() {
                self.remember(map, part);
            }
            if let What::Look(look) = what {
                *look.shape = among_all(part, std::mem::take(&mut look.shape));
            }
        }
        Some(())
    }

    fn unmapped(&mut self, at: Nanos, range: (Address, Bytes)) {
        let sound = self.parts.iter_mut().filter(|part| part.is_sound());
        sound.for_each(|part| part.instance.unmapped(at, range));
    }

    fn decode_count(&self, hook: &str, key: u64, count: u64) -> Option<What> {
        let (part, own) = self.hooks.get(hook)?;
        self.parts[*part].instance.decode_count(own, key, count)
    }

    fn births_are_told(&self) -> bool {
        self.sound().all(|(_, instance)| instance.births_are_told())
    }

    fn looks_wrong_for(&self) -> Nanos {
        self.sound().map(|(_, instance)| instance.looks_wrong_for()).max().unwrap_or_default()
    }

    fn maps_shrink(&self) -> bool {
        self.sound().any(|(_, instance)| instance.maps_shrink())
    }

    fn writers(&self, map: Address) -> Vec<Hook> {
        self.sound().flat_map(|(_, instance)| instance.writers(map)).collect()
    }

    fn pulse(&mut self, now: Moment, memory: &dyn Memory) -> Vec<Fact> {
        let sound = self.parts.iter_mut().filter(|part| part.is_sound());
        sound.flat_map(|part| part.instance.pulse(now, memory)).collect()
    }

    fn frames(&self, at: Address) -> Option<Vec<String>> {
        self.sound().find_map(|(_, instance)| instance.frames(at))
    }
}

fn join<T>(one: Option<Vec<T>>, other: Option<Vec<T>>) -> Option<Vec<T>> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.extend(other);
            Some(one)
        }
        (one, other) => one.or(other),
    }
}
