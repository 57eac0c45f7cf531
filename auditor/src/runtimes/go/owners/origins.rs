//! What to call a root: a variable by its name or its users, a stack by the function whose frame it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::frames::{Frames, Unwind};
use super::goroutines::Goroutine;
use super::roots::{Holder, Root};
use super::uses::{Asked, Uses, uses};
use super::variables::Variables;
use crate::audit::unit::Address;
use crate::target::memory::Memory;

/// Variables of stripped programs whose users are looked for, those with the largest maps first.
const LOOKED_FOR: usize = 256;
/// Variables whose types are looked for, likewise.
const TYPED: usize = 256;
/// Words of one variable that are told apart; those of larger ones go by its name alone.
const WORDS: u64 = 32;

/// What a root is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A word of a variable: its name and where in it, if that is told apart.
    Variable(String, u64),
    /// A word of variables that have no names.
    Data(u64),
    /// A word in the frame of a function.
    Stack(Option<String>),
    /// A finalizer or a cleanup.
    Finalizer,
}

/// What can be asked about roots.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) variables: &'a Variables,
    pub(super) goroutines: &'a [Goroutine],
    pub(super) unwind: &'a dyn Unwind,
    pub(super) memory: &'a dyn Memory,
    /// Where code is.
    pub(super) text: &'a [Range<u64>],
    /// The code.
    pub(super) code: &'a dyn Memory,
    /// Whether there is a map type at an address.
    pub(super) is_map_type: &'a dyn Fn(u64) -> bool,
}

/// Roots that are called alike, numbered.
#[derive(Debug)]
pub(super) struct Origins<'a> {
    all: Vec<Origin>,
    /// For each variable, where the word is.
    places: Vec<Option<u64>>,
    numbers: BTreeMap<Origin, u32>,
    frames: Frames<'a>,
}

impl<'a> Origins<'a> {
    /// None yet.
    pub(super) fn new(frames: Frames<'a>) -> Self {
        Self { all: Vec::new(), places: Vec::new(), numbers: BTreeMap::new(), frames }
    }

    /// The number of what a root is.
    pub(super) fn number(&mut self, root: &Root, sources: &Sources<'_>) -> u32 {
        let origin = match root.of {
            Holder::Stack { goroutine, code } => match sources.goroutines.get(goroutine as usize) {
                Some(goroutine) => self.on_stack(goroutine, root.at, code, sources),
                None => Origin::Stack(None),
            },
            Holder::Variable => of_variable(root.at, sources.variables),
            Holder::Finalizer => Origin::Finalizer,
        };
        let place = (root.of == Holder::Variable).then_some(root.at);
        self.intern(origin, place)
    }

    /// The number of a word on a stack.
    pub(super) fn stack(&mut self, goroutine: &Goroutine, at: u64, sources: &Sources<'_>) -> u32 {
        let origin = self.on_stack(goroutine, at, 0, sources);
        self.intern(origin, None)
    }

    fn on_stack(&mut self, goroutine: &Goroutine, at: u64, code: u64, sources: &Sources<'_>) -> Origin {
        Origin::Stack(self.frames.function(goroutine, at, code, sources.memory))
    }

    fn intern(&mut self, origin: Origin, place: Option<u64>) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        *self.numbers.entry(origin.clone()).or_insert_with(|| {
            self.all.push(origin);
            self.places.push(place);
            next
        })
    }

    /// What each is called, and of what type the map is that it holds itself. `weights` says how much hangs
    /// on each, `untyped` which ones hold a map whose type is asked for.
    pub(super) fn told(
        &self,
        weights: &BTreeMap<u32, u64>,
        untyped: &BTreeSet<u32>,
        sources: &Sources<'_>,
    ) -> Vec<(String, Option<Address>)> {
        let is_unnamed = |number: u32| matches!(self.all.get(number as usize), Some(Origin::Data(_)));
        let users = self.heaviest(weights, LOOKED_FOR, &is_unnamed);
        let types = self.heaviest(weights, TYPED, &|number| untyped.contains(&number));
        let asked = Asked {
            text: sources.text,
            users: &users,
            types: &types,
            is_map_type: sources.is_map_type,
            function: &|at| sources.unwind.function(at),
        };
        let found = uses(&asked, sources.code);
        let uses_of = |place: &Option<u64>| place.and_then(|place| found.get(&place));
        let each = self.all.iter().zip(&self.places).map(|(origin, place)| (origin, uses_of(place)));
        each.map(|(origin, uses)| (written(origin, uses), uses.and_then(only_type))).collect()
    }

    /// Where the variables are on which most hangs.
    fn heaviest(
        &self,
        weights: &BTreeMap<u32, u64>,
        most: usize,
        is_asked: &dyn Fn(u32) -> bool,
    ) -> BTreeSet<u64> {
        let places = (0..).zip(&self.places).filter(|(number, _)| is_asked(*number));
        let weighed = places.filter_map(|(number, place)| {
            let weight = weights.get(&number).copied().unwrap_or(0);
            Some((std::cmp::Reverse(weight), (*place)?))
        });
        let mut weighed: Vec<_> = weighed.collect();
        weighed.sort_unstable();
        weighed.into_iter().take(most).map(|(_, place)| place).collect()
    }
}

/// The type that a variable is used as everywhere.
fn only_type(uses: &Uses) -> Option<Address> {
    uses.types.first().filter(|_| uses.types.len() == 1).copied()
}

fn of_variable(at: u64, variables: &Variables) -> Origin {
    let Some(variable) = variables.at(at) else { return Origin::Data(at) };
    // Of two words, the second one's pointer is that of an interface and stands for the whole.
    let is_told_apart = variable.size <= WORDS * 8 && variable.size != 16;
    let offset = if is_told_apart { at - variable.at } else { 0 };
    Origin::Variable(variable.name.clone(), offset)
}

fn written(origin: &Origin, uses: Option<&Uses>) -> String {
    match origin {
        Origin::Variable(name, 0) => name.clone(),
        Origin::Variable(name, offset) => format!("{name}+{offset}"),
        Origin::Data(at) => match uses.map(|uses| uses.users.join(", ")) {
            Some(names) if !names.is_empty() => format!("global used by {names}"),
            _ => format!("{} (data)", Address(*at)),
        },
        Origin::Stack(Some(function)) => format!("{function} (stack)"),
        Origin::Stack(None) => "(stack)".to_owned(),
        Origin::Finalizer => "(finalizer)".to_owned(),
    }
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("goroutines", &self.goroutines.len()).finish_non_exhaustive()
    }
}
