//! What facts have led to, as facts that say the same at once: of what is told again and again the last, of maps
//! those that live.

use std::collections::BTreeMap;
use std::mem::Discriminant;
use std::sync::Arc;

use crate::audit::fact::{Fact, Occasion, RssMember, SizesId, StackId, What};
use crate::audit::unit::{Address, Nanos};

/// Most notes and thresholds that are kept.
const MOST_WORDS: usize = 64;

/// What stands: what is known of a target before the first fact that is looked at. Each is shared with those who
/// write it down, so that they hold nothing up.
#[derive(Debug, Default)]
pub struct Standing {
    began: Option<Fact>,
    /// Notes and thresholds.
    words: Vec<Arc<What>>,
    runtimes: BTreeMap<String, Arc<What>>,
    hooks: BTreeMap<u32, Arc<What>>,
    stacks: BTreeMap<StackId, Arc<What>>,
    sizes: BTreeMap<SizesId, Arc<What>>,
    maps: BTreeMap<Address, OfMap>,
    rss: BTreeMap<RssMember, Arc<What>>,
    lost: BTreeMap<String, Arc<What>>,
    hits: BTreeMap<u32, Arc<What>>,
    /// Of what there is one, in the order in which it was told first.
    single: Vec<(Discriminant<What>, Arc<What>)>,
}

/// What is known of a map.
#[derive(Debug, Default)]
struct OfMap {
    look: Option<Arc<What>>,
    described: Option<Arc<What>>,
    resident: Option<Arc<What>>,
}

impl Standing {
    /// Takes in a fact that is older than all that is looked at.
    pub fn take(&mut self, fact: Fact) {
        match fact.what {
            What::Began(_) => self.began = Some(fact),
            What::Runtime(ref runtime) => _ = self.runtimes.insert(runtime.name.clone(), fact.what.into()),
            What::Hook(ref hook) => _ = self.hooks.insert(hook.id, fact.what.into()),
            What::Stack(ref stack) => _ = self.stacks.insert(stack.id, fact.what.into()),
            What::Sizes(ref sizes) => _ = self.sizes.insert(sizes.id, fact.what.into()),
            What::Rss(ref rss) => _ = self.rss.insert(rss.member, fact.what.into()),
            What::Lost(ref lost) => _ = self.lost.insert(lost.source.clone(), fact.what.into()),
            What::Hits { hook, .. } => _ = self.hits.insert(hook, fact.what.into()),
            What::Note(_) | What::Rules(_) => self.say(fact.what),
            What::Memory(_) => {
                // It has all members, and is younger than what was told of each.
                self.rss.clear();
                self.replace(fact.what);
            }
            What::Cost(_)
            | What::Crowds(_)
            | What::Heap(_)
            | What::LazilyFreed(_)
            | What::Pressure(_)
            | What::Beside(_)
            | What::Faults(_)
            | What::Arenas(_)
            | What::Allocator(_) => self.replace(fact.what),
            what => self.take_of_map(what),
        }
    }

    /// What is of one map, or leaves nothing that stands.
    fn take_of_map(&mut self, what: What) {
        match what {
            What::Look(ref look) if look.shape.dropped => _ = self.maps.remove(&look.map),
            What::Free(free) if free.shape.as_ref().is_some_and(|shape| shape.dropped) => {
                _ = self.maps.remove(&free.map);
            }
            What::Gone { map } => _ = self.maps.remove(&map),
            What::Look(mut look) => {
                let of_map = self.maps.entry(look.map).or_default();
                // It is told once.
                if look.name.is_none() {
                    look.name = of_map.look.take().and_then(named);
                }
                look.occasion = Occasion::AtAttach;
                of_map.look = Some(What::Look(look).into());
            }
            What::Described(described) => {
                let map = described.map;
                self.maps.entry(map).or_default().described = Some(What::Described(described).into());
            }
            What::Resident(resident) => {
                let map = resident.map;
                self.maps.entry(map).or_default().resident = Some(What::Resident(resident).into());
            }
            _ => {}
        }
    }

    fn say(&mut self, what: What) {
        if self.words.len() < MOST_WORDS && !self.words.iter().any(|word| **word == what) {
            self.words.push(what.into());
        }
    }

    fn replace(&mut self, what: What) {
        let kind = std::mem::discriminant(&what);
        match self.single.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, before)) => *before = what.into(),
            None => self.single.push((kind, what.into())),
        }
    }

    /// All of it, as told at that time. Empty: nothing has been taken in.
    pub fn at(&self, at: Nanos) -> Stood {
        let began = self.began.as_ref().map(|fact| {
            let What::Began(began) = &fact.what else { return fact.what.clone() };
            let mut began = began.clone();
            began.wall = began.wall.saturating_add(at.since(fact.at).0);
            began.from_start = false;
            What::Began(began)
        });
        let began = began.map(Arc::new);
        let of_maps = self.maps.values().filter_map(|map| map.look.as_ref().map(|look| (look, map)));
        let of_maps =
            of_maps.flat_map(|(look, map)| [Some(look), map.described.as_ref(), map.resident.as_ref()]);
        let before = self.words.iter().chain(self.runtimes.values()).chain(self.hooks.values());
        let before = before.chain(self.stacks.values()).chain(self.sizes.values());
        let after = self.single.iter().map(|(_, what)| what);
        let after = after.chain(self.rss.values()).chain(self.lost.values()).chain(self.hits.values());
        let told = before.chain(of_maps.flatten()).chain(after).cloned();
        Stood { at, told: began.into_iter().chain(told).collect::<Vec<_>>().into_iter() }
    }
}

/// The name in a look that is over.
fn named(look: Arc<What>) -> Option<String> {
    match Arc::try_unwrap(look) {
        Ok(What::Look(look)) => look.name,
        Err(shared) => match &*shared {
            What::Look(look) => look.name.clone(),
            _ => None,
        },
        Ok(_) => None,
    }
}

/// What stood at a time, fact by fact, whatever happens afterwards.
#[derive(Debug)]
pub struct Stood {
    at: Nanos,
    told: std::vec::IntoIter<Arc<What>>,
}

impl Stood {
    /// Nothing.
    pub(super) fn nothing() -> Self {
        Self { at: Nanos(0), told: Vec::new().into_iter() }
    }
}

impl Iterator for Stood {
    type Item = Fact;

    fn next(&mut self) -> Option<Fact> {
        let what = Arc::unwrap_or_clone(self.told.next()?);
        Some(Fact { at: self.at, thread: None, what })
    }
}
