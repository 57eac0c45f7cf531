//! What is told of each map: whether it is reached, by which way, and of what type it is.

use std::collections::{BTreeMap, BTreeSet};

use super::Owner;
use super::classes::What;
use super::frames::Frames;
use super::goroutines::Goroutine;
use super::origins::{Origins, Sources};
use super::reach::Reached;
use super::roots::{Holder, Root};
use super::scene::{Scene, Wanted};
use super::ways::{Begin, Ways};
use crate::audit::unit::Address;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    reachable: Option<bool>,
    /// Where the way begins, as a number of [`Origins`].
    origin: Option<u32>,
    /// The class of the map; `None`: it is on a stack, or there are too many classes.
    class: Option<u32>,
    /// The step at which it was reached.
    place: Option<usize>,
    /// On a stack: which goroutine's.
    goroutine: Option<u64>,
    type_at: Option<Address>,
    /// Whether nothing is between the root and the map.
    is_direct: bool,
}

/// Finds what is told.
#[derive(Debug)]
pub(super) struct Naming<'a> {
    scene: Scene<'a>,
    sources: Sources<'a>,
    outcome: &'a Outcome,
    is_cut_short: bool,
    ways: Ways<'a>,
    origins: Origins<'a>,
    /// The goroutines, by where their stacks begin.
    stacks: Vec<Goroutine>,
}

impl<'a> Naming<'a> {
    /// `is_cut_short`: what was not reached may be reachable.
    pub(super) fn new(
        scene: Scene<'a>,
        (sources, frames): (Sources<'a>, Frames<'a>),
        outcome: &'a Outcome,
        ways: Ways<'a>,
        is_cut_short: bool,
    ) -> Self {
        let mut stacks = sources.goroutines.to_vec();
        stacks.sort_unstable_by_key(|goroutine| goroutine.low);
        Self { scene, sources, outcome, is_cut_short, ways, origins: Origins::new(frames), stacks }
    }

    /// What is known of a map.
    pub(super) fn find(&mut self, wanted: &Wanted<'_>) -> Found {
        let node = self.scene.nodes.at(wanted.at.0);
        let Some(rank) = node.and_then(|node| self.scene.map(node)) else {
            return self.on_stack(wanted.at.0).unwrap_or_default();
        };
        let Some(place) = self.outcome.reached.map(rank) else {
            let reachable = (!self.is_cut_short).then_some(false);
            return Found { reachable, ..Found::default() };
        };
        let class = self.class_of(place);
        let known = class.and_then(|class| self.ways.class(class));
        let type_at = match known.map(|class| &class.what) {
            Some(What::Map(of, _)) => *of,
            _ => None,
        };
        let origin = known.map(|class| class.root);
        let reachable = (place < self.outcome.doubtful).then_some(true);
        let is_direct = known.is_some_and(|class| class.before.is_none());
        Found { reachable, origin, class, place: Some(place), goroutine: None, type_at, is_direct }
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
    fn on_stack(&mut self, at: u64) -> Option<Found> {
        let behind = self.stacks.partition_point(|goroutine| goroutine.low <= at);
        let goroutine = *self.stacks.get(behind.checked_sub(1)?)?;
        let (certain, perhaps) = goroutine.stack();
        if !certain.contains(&at) && !perhaps.contains(&at) {
            return None;
        }
        let origin = self.origins.stack(&goroutine, at, &self.sources);
        let reachable = certain.contains(&at).then_some(true);
        Some(Found { reachable, origin: Some(origin), goroutine: Some(goroutine.id), ..Found::default() })
    }

    /// What is told, with the names. Maps that hold at least `listed_from` bytes are told of one by one, so
    /// that the number of the goroutine that holds them is worth telling.
    pub(super) fn written(
        &self,
        wanted: &[Wanted<'_>],
        found: &[Found],
        listed_from: u64,
    ) -> (Vec<Owner>, Vec<String>) {
        let (mut weights, mut untyped) = (BTreeMap::new(), BTreeSet::new());
        for (wanted, found) in wanted.iter().zip(found) {
            let Some(origin) = found.origin else { continue };
            let weight: &mut u64 = weights.entry(origin).or_default();
            *weight = weight.saturating_add(wanted.bytes);
            if found.is_direct && found.type_at.is_none() {
                untyped.insert(origin);
            }
        }
        let origins = self.origins.told(&weights, &untyped, &self.sources);
        let mut names = Names::default();
        let each = wanted.iter().zip(found).map(|(wanted, found)| {
            let goroutine = (wanted.bytes >= listed_from).then(|| self.goroutine(found)).flatten();
            let key = (found.origin, found.class, goroutine);
            let name = names.place(key, || self.name(found, goroutine, &origins));
            let used_as = found.origin.filter(|_| found.is_direct);
            let used_as = used_as.and_then(|origin| origins.get(origin as usize)?.1);
            let used_as = used_as.filter(|at| wanted.types.is_empty() || wanted.types.contains(at));
            Owner { reachable: found.reachable, name, type_at: found.type_at.or(used_as) }
        });
        (each.collect(), names.all)
    }

    fn name(
        &self,
        found: &Found,
        goroutine: Option<u64>,
        origins: &[(String, Option<Address>)],
    ) -> Option<String> {
        let (origin, _) = origins.get(found.origin? as usize)?;
        let tail = found.class.and_then(|class| self.ways.class(class)).map_or("", |class| &class.tail);
        let before = goroutine.map_or_else(String::new, |id| format!("goroutine {id} "));
        Some(format!("{before}{origin}{tail}"))
    }

    /// The goroutine on whose stack the way begins.
    fn goroutine(&self, found: &Found) -> Option<u64> {
        let root = found.place.and_then(|place| self.outcome.reached.root(place));
        let number = root.and_then(|root| match self.outcome.roots.get(root)?.of {
            Holder::Stack { goroutine, .. } => Some(goroutine),
            Holder::Variable | Holder::Finalizer => None,
        });
        let of_root = number.and_then(|number| self.sources.goroutines.get(number as usize));
        found.goroutine.or(of_root.map(|goroutine| goroutine.id))
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
