//! From steps to classes: each step of the search gets the class of objects it belongs to, and each class,
//! once, its type and its name.

use rustc_hash::FxHashMap;

use super::classes::{Class, What};
use super::identify::{Identify, Lead, Link};
use super::nodes::WORD;
use super::reach::From;
use super::scene::Scene;
use crate::audit::unit::Address;
use crate::runtimes::go::heap::Typing;
use crate::target::go::types::{Kind, Type};

/// Most classes. Maps of others have a root, but no name for the way from it.
const CLASSES: usize = 4096;
/// How many keys are remembered beside the table of all.
const RECENT: usize = 16;
/// Most classes on one way.
const DEPTH: u32 = 32;
/// Most characters of a way.
const TAIL: usize = 400;
/// Most objects that are asked one by one for their type.
const ASKED: u32 = 1 << 14;

/// Where a way begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    /// The number of what the root is.
    pub(super) origin: u32,
    /// Where the pointer is, if it is a variable.
    pub(super) pointer: Option<u64>,
}

/// What makes objects alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    before: Result<u32, u32>,
    slot: u32,
    size: u64,
    says: u64,
    types: (u64, usize),
    has_tables: bool,
}

/// Gives steps their classes.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    scene: Scene<'a>,
    identify: Identify<'a>,
    /// Whether maps are Swiss ones.
    is_swiss: bool,
    classes: Vec<Class>,
    keys: FxHashMap<Key, u32>,
    /// Of each few classes, the key that was asked for behind them last: maps that lie side by side are often alike.
    recent: [Option<(Key, u32)>; RECENT],
    /// For each class, the words of its objects that were asked for, in order, with the type of the pointer there.
    slots: Vec<Vec<(u32, Option<Type>)>>,
    /// For each step, one more than its class, of which there are at most [`CLASSES`]; 0: it has none yet.
    of_step: Vec<u16>,
    asked: u32,
    /// Room for the links of one way.
    links: Vec<Link>,
}

impl<'a> Ways<'a> {
    /// No step has a class yet.
    pub(super) fn new(scene: Scene<'a>, identify: Identify<'a>, is_swiss: bool) -> Self {
        Self {
            scene,
            identify,
            is_swiss,
            classes: Vec::new(),
            keys: FxHashMap::default(),
            recent: [None; RECENT],
            slots: Vec::new(),
            of_step: vec![0; scene.reached.steps()],
            asked: 0,
            links: Vec::new(),
        }
    }

    /// The class of that number.
    pub(super) fn class(&self, number: u32) -> Option<&Class> {
        self.classes.get(number as usize)
    }

    /// The class of the step at that place; `root_of` numbers roots that are alike. `None`: there are too
    /// many classes.
    pub(super) fn class_of(&mut self, place: usize, root_of: &mut dyn FnMut(usize) -> Begin) -> Option<u32> {
        let mut links = std::mem::take(&mut self.links);
        links.clear();
        let before = self.links(place, root_of, &mut links);
        links.reverse();
        let class = before.and_then(|before| self.enter_all(before, &links));
        self.links = links;
        class
    }

    fn enter_all(&mut self, mut before: Result<u32, u32>, links: &[Link]) -> Option<u32> {
        for number in 0..links.len() {
            let class = self.enter(before, links.get(number..)?)?;
            if let Some(of_step) = links.get(number).and_then(|link| self.of_step.get_mut(link.place)) {
                *of_step = u16::try_from(class + 1).unwrap_or(0);
            }
            before = Ok(class);
        }
        before.ok()
    }

    /// Adds the steps that lead to a place, the last one first, up to one that has a class or to the root.
    fn links(
        &self,
        place: usize,
        root_of: &mut dyn FnMut(usize) -> Begin,
        links: &mut Vec<Link>,
    ) -> Option<Result<u32, u32>> {
        let mut place = place;
        let mut step = self.scene.reached.step(place)?;
        let mut object = self.scene.nodes.object(step.node)?;
        loop {
            if let Some(class) = self.of_step.get(place)?.checked_sub(1) {
                return Some(Ok(u32::from(class)));
            }
            let map = self.scene.map(step.node);
            let link = Link { place, object, offset: 0, pointer: None, map };
            match step.from {
                From::Root(root) => {
                    let Begin { origin, pointer } = root_of(root);
                    links.push(Link { pointer, ..link });
                    return Some(Err(origin));
                }
                From::Step(before, offset) => {
                    (place, step) = (before, self.scene.reached.step(before)?);
                    object = self.scene.nodes.object(step.node)?;
                    links.push(Link { offset, pointer: object.base.checked_add(offset), ..link });
                }
            }
        }
    }

    /// The class of the first link, which comes from a class or a root.
    fn enter(&mut self, before: Result<u32, u32>, links: &[Link]) -> Option<u32> {
        let link = links.first()?;
        let (number, of) = self.slot(before, link.offset);
        let lead = Lead { of, dynamic: self.dynamic(before, of, link) };
        let key = self.key(before, number, lead, link);
        let recent = before.map_or(0, |class| class as usize % RECENT);
        if let Some((_, class)) = self.recent.get(recent).copied().flatten().filter(|(last, _)| *last == key)
        {
            return Some(class);
        }
        let class = self.known_or_new(before, key, (lead, links))?;
        self.recent.get_mut(recent).into_iter().for_each(|recent| *recent = Some((key, class)));
        Some(class)
    }

    fn known_or_new(
        &mut self,
        before: Result<u32, u32>,
        key: Key,
        (lead, links): (Lead, &[Link]),
    ) -> Option<u32> {
        if let Some(&class) = self.keys.get(&key) {
            return Some(class);
        }
        let link = links.first()?;
        let class = match self.overflows(before, link) {
            Some(same) => same,
            None => {
                let last = before.ok().and_then(|class| self.classes.get(class as usize));
                let what = self.identify.what(last, lead, links);
                self.again(before, &what).or_else(|| self.add(before, link.offset, what))?
            }
        };
        self.keys.insert(key, class);
        Some(class)
    }

    /// The number of the word that leads to an object, and the type of the pointer there.
    fn slot(&mut self, before: Result<u32, u32>, offset: u64) -> (u32, Option<Type>) {
        let of = before.ok().map(|class| class as usize);
        let of = of.and_then(|class| Some((self.classes.get(class)?, self.slots.get_mut(class)?)));
        let Some((class, slots)) = of else { return (0, None) };
        let word = class.slot(offset);
        let place = match slots.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(place) => place,
            Err(place) => {
                slots.insert(place, (word, class.describe(offset, self.scene.types).pointer));
                place
            }
        };
        (word, slots.get(place).and_then(|(_, pointer)| *pointer))
    }

    fn key(&self, before: Result<u32, u32>, slot: u32, lead: Lead, link: &Link) -> Key {
        let wanted = link.map.and_then(|map| self.scene.wanted(map));
        let types = wanted.map_or((0, 0), |one| (one.types.first().map_or(0, |at| at.0), one.types.len()));
        let says = match link.map {
            Some(map) => self.scene.boxed(map),
            None => self.scene.content(&link.object).map(|content| content.at),
        };
        Key {
            before,
            slot,
            size: link.object.size,
            says: says.or(lead.dynamic).map_or(0, |at| at.0),
            types,
            has_tables: wanted.is_some_and(|one| one.has_tables),
        }
    }

    /// The type of the value of the interface that leads to an object, if one does; the code of a function; of a map
    /// what its buckets show.
    fn dynamic(&mut self, before: Result<u32, u32>, of: Option<Type>, link: &Link) -> Option<Address> {
        if link.map.is_some() {
            return self.shown(before, of, link);
        }
        let is_told = link.object.header != Typing::None;
        let may_be = match (of.map(|of| of.kind), before.ok().and_then(|class| self.class(class))) {
            (Some(Kind::Interface { .. } | Kind::Func), _) | (None, None) => true,
            (None, Some(class)) => class.may_hold_interfaces(),
            _ => false,
        };
        if is_told || !may_be || self.asked >= ASKED {
            return None;
        }
        self.asked += 1;
        match of.map(|of| of.kind) {
            Some(Kind::Interface { has_methods }) => {
                let word = self.scene.word(link.pointer?.checked_sub(WORD)?)?;
                self.scene.dynamic_type(word, has_methods)
            }
            // Functions are told apart by their code.
            Some(_) => self.scene.word(link.object.base).map(Address),
            None => self.identify.boxed(link),
        }
    }

    /// The type of a map that its buckets show, where the class of what holds it says nothing of its type: two
    /// maps that look alike to it may be of two types.
    fn shown(&mut self, before: Result<u32, u32>, of: Option<Type>, link: &Link) -> Option<Address> {
        let class = before.ok().and_then(|class| self.classes.get(class as usize));
        let may_be_many =
            || link.map.and_then(|map| self.scene.wanted(map)).is_some_and(|one| one.types.len() > 1);
        if of.is_some() || self.asked >= ASKED || !may_be_many() || self.identify.is_array(class, link) {
            return None;
        }
        self.asked += 1;
        self.identify.by_bucket(link)
    }

    fn add(&mut self, before: Result<u32, u32>, offset: u64, what: What) -> Option<u32> {
        let last = before.ok().and_then(|class| self.classes.get(class as usize));
        if self.classes.len() >= CLASSES || last.is_some_and(|last| last.depth >= DEPTH) {
            return None;
        }
        let root = last.map_or_else(|| before.err().unwrap_or(0), |last| last.root);
        let types = self.scene.types;
        let tail =
            last.map_or_else(String::new, |last| joined(&last.tail, &last.describe(offset, types).text));
        let from = before.ok().map(|class| (class, last.map_or(0, |last| last.depth)));
        self.classes.push(Class::new(what, (root, from), tail, types));
        self.slots.push(Vec::new());
        u32::try_from(self.classes.len() - 1).ok()
    }

    /// The class of an object that has two of its kind before it: the second of them. So a list of any
    /// length has two classes.
    fn again(&self, before: Result<u32, u32>, what: &What) -> Option<u32> {
        if !matches!(what, What::Map(Some(_), _) | What::Values(..) | What::Unknown(_)) {
            return None;
        }
        let last = |class: &u32| self.classes.get(*class as usize).and_then(|class| class.before);
        let way = std::iter::successors(before.ok(), last);
        let mut alike = way.filter(|class| self.class(*class).is_some_and(|class| class.what == *what));
        alike.next().filter(|_| alike.next().is_some())
    }

    /// The class of buckets, where what a bucket leads to is the bucket that it overflows into: the last
    /// word of it.
    fn overflows(&self, before: Result<u32, u32>, link: &Link) -> Option<u32> {
        let class = before.ok()?;
        let What::Groups(Some(map), begin) = self.class(class)?.what else { return None };
        let within = link.offset.checked_sub(begin)?.checked_rem(map.bucket_size)?;
        (!self.is_swiss && within + WORD == map.bucket_size).then_some(class)
    }
}

fn joined(before: &str, text: &str) -> String {
    const MORE: &str = " ...";
    if before.ends_with(MORE) {
        return before.to_owned();
    }
    let is_short = before.chars().count() + text.chars().count() <= TAIL;
    format!("{before}{}", if is_short { text } else { MORE })
}
