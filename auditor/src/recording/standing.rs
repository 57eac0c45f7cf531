//! What facts have led to, as facts that say the same at once: of what is told again and again the last, of maps
//! those that live.

use std::collections::BTreeMap;
use std::mem::Discriminant;

use crate::audit::fact::{Fact, Occasion, RssMember, SizesId, StackId, What};
use crate::audit::unit::{Address, Nanos};

/// Most notes and thresholds that are kept.
const MOST_WORDS: usize = 64;

/// What stands: what is known of a target before the first fact that is looked at.
#[derive(Debug, Default)]
pub struct Standing {
    began: Option<Fact>,
    /// Notes and thresholds.
    words: Vec<What>,
    runtimes: BTreeMap<String, What>,
    hooks: BTreeMap<u32, What>,
    stacks: BTreeMap<StackId, What>,
    sizes: BTreeMap<SizesId, What>,
    maps: BTreeMap<Address, OfMap>,
    rss: BTreeMap<RssMember, What>,
    lost: BTreeMap<String, What>,
    hits: BTreeMap<u32, What>,
    /// Of what there is one, in the order in which it was told first.
    single: Vec<(Discriminant<What>, What)>,
}

/// What is known of a map.
#[derive(Debug, Default)]
struct OfMap {
    look: Option<What>,
    described: Option<What>,
    resident: Option<What>,
}

impl Standing {
    /// Takes in a fact that is older than all that is looked at.
    pub fn take(&mut self, fact: Fact) {
        match fact.what {
            What::Began(_) => self.began = Some(fact),
            What::Runtime(ref runtime) => _ = self.runtimes.insert(runtime.name.clone(), fact.what),
            What::Hook(ref hook) => _ = self.hooks.insert(hook.id, fact.what),
            What::Stack(ref stack) => _ = self.stacks.insert(stack.id, fact.what),
            What::Sizes(ref sizes) => _ = self.sizes.insert(sizes.id, fact.what),
            What::Rss(ref rss) => _ = self.rss.insert(rss.member, fact.what),
            What::Lost(ref lost) => _ = self.lost.insert(lost.source.clone(), fact.what),
            What::Hits { hook, .. } => _ = self.hits.insert(hook, fact.what),
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
                if let (None, Some(What::Look(before))) = (&look.name, &mut of_map.look) {
                    look.name = before.name.take();
                }
                look.occasion = Occasion::AtAttach;
                of_map.look = Some(What::Look(look));
            }
            What::Described(described) => {
                let map = described.map;
                self.maps.entry(map).or_default().described = Some(What::Described(described));
            }
            What::Resident(resident) => {
                self.maps.entry(resident.map).or_default().resident = Some(What::Resident(resident));
            }
            _ => {}
        }
    }

    fn say(&mut self, what: What) {
        if !self.words.contains(&what) && self.words.len() < MOST_WORDS {
            self.words.push(what);
        }
    }

    fn replace(&mut self, what: What) {
        let kind = std::mem::discriminant(&what);
        match self.single.iter_mut().find(|(of, _)| *of == kind) {
            Some((_, before)) => *before = what,
            None => self.single.push((kind, what)),
        }
    }

    /// All of it, as told at that time. Empty: nothing has been taken in.
    pub fn at(&self, at: Nanos) -> impl Iterator<Item = Fact> {
        let began = self.began.as_ref().map(|fact| {
            let What::Began(began) = &fact.what else { return fact.what.clone() };
            let mut began = began.clone();
            began.wall = began.wall.saturating_add(at.since(fact.at).0);
            began.from_start = false;
            What::Began(began)
        });
        let of_maps = self.maps.values().filter_map(|map| map.look.as_ref().map(|look| (look, map)));
        let of_maps =
            of_maps.flat_map(|(look, map)| [Some(look), map.described.as_ref(), map.resident.as_ref()]);
        let before = self.words.iter().chain(self.runtimes.values()).chain(self.hooks.values());
        let before = before.chain(self.stacks.values()).chain(self.sizes.values());
        let after = self.single.iter().map(|(_, what)| what);
        let after = after.chain(self.rss.values()).chain(self.lost.values()).chain(self.hits.values());
        let told = before.chain(of_maps.flatten()).chain(after).cloned();
        began.into_iter().chain(told).map(move |what| Fact { at, thread: None, what })
    }
}
