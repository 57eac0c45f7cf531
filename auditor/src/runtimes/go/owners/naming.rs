//! What is told of each map: whether it is reached, by which way, and of what type it is.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::repeat;
use std::num::NonZeroU32;

use super::classes::What;
use super::frames::Frames;
use super::goroutines::Goroutine;
use super::interned::Interning;
use super::origins::{Origins, Sources};
use super::reach::Reached;
use super::roots::{Holder, Root};
use super::scene::{Scene, Wanted};
use super::ways::{Begin, Recall, Ways};
use super::{Interned, Owner};
use crate::audit::unit::Address;
use crate::runtimes::go::hands::Hands;

/// Of so many maps the classes are found before those of the others are looked for side by side. The tests have few.
const FIRST: usize = if cfg!(test) { 4 } else { 1 << 13 };

/// What was reached, and how far the certain roots lead.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The search.
    pub(super) reached: Reached,
    /// The first step that is there because of a left-over, perhaps.
    pub(super) doubtful: usize,
    /// The roots in the order of their numbers.
    pub(super) roots: Vec<Root>,
}

/// What was found of one map, before names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Found {
    reachable: Option<bool>,
    /// Where the way begins, as a number of [`Origins`].
    origin: Option<u32>,
    /// The class of the map; `None`: it is on a stack, or there are too many classes.
    class: Option<u32>,
    /// The goroutine on whose stack the way begins, or the map is, if it is told.
    goroutine: Option<u64>,
    type_at: Option<Address>,
    /// Whether nothing is between the root and the map.
    is_direct: bool,
}

impl Found {
    /// Whether only how the root is used may tell its type.
    fn is_untyped(&self) -> bool {
        self.is_direct && self.type_at.is_none()
    }
}

/// Finds what is told.
#[derive(Debug)]
pub(super) struct Naming<'a> {
    scene: Scene<'a>,
    sources: Sources<'a>,
    outcome: &'a Outcome,
    /// Whether what was not reached may be reachable.
    is_cut_short: bool,
    /// Maps that hold at least so many bytes are told of one by one, so that the number of the goroutine that
    /// holds them is worth telling.
    listed_from: u64,
    ways: Ways<'a>,
    origins: Origins<'a>,
    /// The goroutines, by where their stacks begin.
    stacks: Vec<Goroutine>,
}

impl<'a> Naming<'a> {
    /// Nothing was found yet.
    pub(super) fn new(
        scene: Scene<'a>,
        (sources, frames): (Sources<'a>, Frames<'a>),
        outcome: &'a Outcome,
        ways: Ways<'a>,
        (is_cut_short, listed_from): (bool, u64),
    ) -> Self {
        let mut stacks = sources.goroutines.to_vec();
        stacks.sort_unstable_by_key(|goroutine| goroutine.low);
        let origins = Origins::new(frames);
        Self { scene, sources, outcome, is_cut_short, listed_from, ways, origins, stacks }
    }

    /// What is told of all maps, with the names. `ranks`: for each map, its rank among those that are nodes.
    pub(super) fn all(&mut self, ranks: &[u32], hands: Hands) -> (Interned<Owner>, Vec<String>) {
        let mut found = Interning::with_room(ranks.len());
        // What the first maps teach tells most of the others.
        let first = ranks.len().min(FIRST);
        self.find_all(0, ranks.get(..first).unwrap_or_default(), &[], &mut found);
        let behind = ranks.get(first..).unwrap_or_default();
        let seen = self.seen(behind, hands);
        self.find_all(first, behind, &seen, &mut found);
        let found = found.finish();
        self.written(&found)
    }

    /// The classes of maps that are like others, as far as that is seen without learning more: with two hands, one
    /// half each; with one, none.
    fn seen(&self, ranks: &[u32], hands: Hands) -> [Vec<Option<NonZeroU32>>; 2] {
        if hands == Hands::One {
            return Default::default();
        }
        let (ways, reached) = (&self.ways, &self.outcome.reached);
        let part = |ranks: &[u32]| {
            let mut recall = Recall::default();
            let class = |rank: &u32| ways.class_seen(reached.map(*rank as usize)?, &mut recall);
            ranks.iter().map(class).map(|class| NonZeroU32::new(class? + 1)).collect()
        };
        let (one, other) = ranks.split_at(ranks.len() / 2);
        hands.both(|| part(one), || part(other)).into()
    }

    /// Adds what is known of maps from a number on. `seen`: the classes that were seen, in two lists.
    fn find_all(
        &mut self,
        first: usize,
        ranks: &[u32],
        seen: &[Vec<Option<NonZeroU32>>],
        found: &mut Interning<Found>,
    ) {
        let asked = self.scene.wanted;
        let seen = seen.iter().flatten().copied().chain(repeat(None));
        for ((number, rank), seen) in (first..).zip(ranks).zip(seen) {
            if let Some(one) = asked.get(number) {
                found.add(self.find(&one, *rank, seen.map(|class| class.get() - 1)));
            }
        }
    }

    /// What is known of a map; `seen`: its class, if it was seen.
    fn find(&mut self, wanted: &Wanted<'_>, rank: u32, seen: Option<u32>) -> Found {
        if rank as usize >= self.scene.maps.len() {
            return self.on_stack(wanted).unwrap_or_default();
        }
        let Some(place) = self.outcome.reached.map(rank as usize) else {
            let reachable = (!self.is_cut_short).then_some(false);
            return Found { reachable, ..Found::default() };
        };
        let class = seen.or_else(|| self.class_of(place));
        let known = class.and_then(|class| self.ways.class(class));
        let type_at = match known.map(|class| &class.what) {
            Some(What::Map(of, _)) => *of,
            _ => None,
        };
        let origin = known.map(|class| class.root);
        let reachable = (place < self.outcome.doubtful).then_some(true);
        let is_direct = known.is_some_and(|class| class.before.is_none());
        let goroutine = self.is_listed(wanted).then(|| self.goroutine(place)).flatten();
        Found { reachable, origin, class, goroutine, type_at, is_direct }
    }

    fn is_listed(&self, wanted: &Wanted<'_>) -> bool {
        wanted.bytes >= self.listed_from
    }

    fn class_of(&mut self, place: usize) -> Option<u32> {
        let (origins, roots, sources) = (&mut self.origins, &self.outcome.roots, &self.sources);
        let mut root_of = |number: usize| {
            let root = roots.get(number);
            let pointer = root.filter(|root| root.of == Holder::Variable).map(|root| root.at);
            Begin { origin: root.map_or(u32::MAX, |root| origins.number(root, sources)), pointer }
        };
        self.ways.class_of(place, &mut root_of)
    }

    /// A map whose header is on a stack; `None`: it is on none that is known.
    fn on_stack(&mut self, wanted: &Wanted<'_>) -> Option<Found> {
        let at = wanted.at.0;
        let behind = self.stacks.partition_point(|goroutine| goroutine.low <= at);
        let goroutine = *self.stacks.get(behind.checked_sub(1)?)?;
        let (certain, perhaps) = goroutine.stack();
        if !certain.contains(&at) && !perhaps.contains(&at) {
            return None;
        }
        let origin = self.origins.stack(&goroutine, at, &self.sources);
        let reachable = certain.contains(&at).then_some(true);
        let goroutine = self.is_listed(wanted).then_some(goroutine.id);
        Some(Found { reachable, origin: Some(origin), goroutine, ..Found::default() })
    }

    /// Writes the names, one by one for what was found and not for every map.
    fn written(&self, found: &Interned<Found>) -> (Interned<Owner>, Vec<String>) {
        let (wanted, kinds) = (self.scene.wanted, found.kinds());
        let origins = self.told(found);
        let mut names = Names::default();
        let mut owners = Vec::with_capacity(2 * kinds.len());
        let mut used_as = Vec::with_capacity(kinds.len());
        for kind in kinds {
            let name = names.place((kind.origin, kind.class, kind.goroutine), || self.name(kind, &origins));
            let owner = Owner { reachable: kind.reachable, name, type_at: kind.type_at };
            let used = kind.origin.filter(|_| kind.is_untyped());
            let used = used.and_then(|origin| origins.get(origin as usize)?.1);
            // With what a map may be of no type that it is used as, and with what it may be.
            owners.extend([owner, Owner { type_at: owner.type_at.or(used), ..owner }]);
            used_as.push(used);
        }
        let of = |(wanted, kind): (Wanted<'_>, &u32)| {
            let used = used_as.get(*kind as usize).copied().flatten();
            let is_used = used.is_some_and(|at| wanted.types.is_empty() || wanted.types.contains(&at));
            2 * kind + u32::from(is_used)
        };
        (Interned::new(owners, wanted.iter().zip(found.numbers()).map(of).collect()), names.all)
    }

    /// What each origin is called, and as what type it is used.
    fn told(&self, found: &Interned<Found>) -> Vec<(String, Option<Address>)> {
        let kinds = found.kinds();
        let mut bytes = vec![0_u64; kinds.len()];
        for (wanted, kind) in self.scene.wanted.iter().zip(found.numbers()) {
            let sum = bytes.get_mut(*kind as usize);
            sum.into_iter().for_each(|sum| *sum = sum.saturating_add(wanted.bytes));
        }
        let (mut weights, mut untyped) = (BTreeMap::new(), BTreeSet::new());
        for (kind, bytes) in kinds.iter().zip(bytes) {
            let Some(origin) = kind.origin else { continue };
            let weight: &mut u64 = weights.entry(origin).or_default();
            *weight = weight.saturating_add(bytes);
            if kind.is_untyped() {
                untyped.insert(origin);
            }
        }
        self.origins.told(&weights, &untyped, &self.sources)
    }

    fn name(&self, found: &Found, origins: &[(String, Option<Address>)]) -> Option<String> {
        let (origin, _) = origins.get(found.origin? as usize)?;
        let tail = found.class.and_then(|class| self.ways.class(class)).map_or("", |class| &class.tail);
        let before = found.goroutine.map_or_else(String::new, |id| format!("goroutine {id} "));
        Some(format!("{before}{origin}{tail}"))
    }

    /// The goroutine on whose stack the way to a step begins.
    fn goroutine(&self, place: usize) -> Option<u64> {
        let root = self.outcome.reached.root(place)?;
        match self.outcome.roots.get(root)?.of {
            Holder::Stack { goroutine, .. } => Some(self.sources.goroutines.get(goroutine as usize)?.id),
            Holder::Variable | Holder::Finalizer => None,
        }
    }
}

/// What makes a name: where a way begins, the class it leads to, and whose stack it begins on.
type Key = (Option<u32>, Option<u32>, Option<u64>);

/// Names, each once.
#[derive(Debug, Default)]
struct Names {
    all: Vec<String>,
    places: BTreeMap<Key, Option<usize>>,
}

impl Names {
    fn place(&mut self, key: Key, name: impl FnOnce() -> Option<String>) -> Option<usize> {
        let all = &mut self.all;
        *self.places.entry(key).or_insert_with(|| {
            let name = name()?;
            all.push(name);
            Some(all.len() - 1)
        })
    }
}
