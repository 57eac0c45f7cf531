//! From steps to classes: each step of the search gets the class of objects it belongs to, and each class,
//! once, its type and its name.

use std::sync::atomic::{AtomicU16, Ordering};

use rustc_hash::FxHashMap;

use super::classes::{Class, What};
use super::identify::{Identify, Lead, Link};
use super::keys::{Key, Leads, Recent, Slots, Stage};
use super::nodes::WORD;
use super::reach::From;
use super::scene::Scene;
use crate::audit::unit::Address;
use crate::runtimes::go::heap::Typing;
use crate::target::go::types::Kind;

/// Most classes. Maps of others have a root, but no name for the way from it.
const CLASSES: usize = 4096;
/// Most classes on one way.
const DEPTH: u32 = 32;
/// Most characters of a way.
const TAIL: usize = 400;
/// Most objects that are asked one by one for their type.
const ASKED: u32 = 1 << 14;
/// Most steps that are gone back to one with a class where nothing is learnt on the way.
const BACK: usize = 64;

/// Where a way begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    /// The number of what the root is.
    pub(super) origin: u32,
    /// Where the pointer is, if it is a variable.
    pub(super) pointer: Option<u64>,
}

/// The steps from what is known to a map, the last one first.
#[derive(Clone, Copy, Debug)]
struct Way<'w> {
    steps: &'w [usize],
    /// How many of them have no class yet.
    left: usize,
    /// Where the pointer to the first of them is, if that is a root.
    pointer: Option<u64>,
}

/// What comes before a step: the number of a class, or that of a root as the error.
type Before = Result<u32, u32>;

/// Gives steps their classes.
#[derive(Debug)]
pub(super) struct Ways<'a> {
    scene: Scene<'a>,
    identify: Identify<'a>,
    /// Whether maps are Swiss ones.
    is_swiss: bool,
    classes: Vec<Class>,
    keys: FxHashMap<Key, u32>,
    recent: Recent,
    /// For each class, the words of its objects.
    slots: Vec<Slots>,
    /// For each step, one more than its class, of which there are at most [`CLASSES`]; 0: it has none yet. It has no
    /// other one later: who sees it late finds the same.
    of_step: Vec<AtomicU16>,
    asked: u32,
    /// Room for the steps of one way, and for the same with more known of them, the first one first.
    steps: Vec<usize>,
    links: Vec<Link>,
}

impl Way<'_> {
    /// The first step that has no class.
    fn place(&self) -> Option<usize> {
        self.steps.get(self.left.checked_sub(1)?).copied()
    }
}

/// What a thread remembers where nothing is learnt.
#[derive(Debug, Default)]
pub(super) struct Recall {
    recent: Recent,
    steps: Vec<usize>,
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
            recent: Recent::default(),
            slots: Vec::new(),
            of_step: (0..scene.reached.steps()).map(|_| AtomicU16::new(0)).collect(),
            asked: 0,
            steps: Vec::new(),
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
        let mut steps = std::mem::take(&mut self.steps);
        self.links.clear();
        let class = self.go_back(place, usize::MAX, &mut steps).and_then(|before| {
            let (before, pointer) = match before {
                Ok(class) => (Ok(class), None),
                Err(root) => {
                    let Begin { origin, pointer } = root_of(root);
                    (Err(origin), pointer)
                }
            };
            self.enter_all(before, Way { steps: &steps, left: steps.len(), pointer })
        });
        self.steps = steps;
        class
    }

    /// The same where everything on the way is like what was seen before, and the target need not be asked; else
    /// `None`. Nothing is learnt, so several threads may do so at once.
    pub(super) fn class_seen(&self, place: usize, recall: &mut Recall) -> Option<u32> {
        let Recall { recent, steps } = recall;
        let mut class = self.go_back(place, BACK, steps)?.ok()?;
        for place in steps.iter().rev() {
            let (before, stage) = (Ok(class), self.stage(*place)?);
            let slot = self.classes.get(class as usize)?.slot(stage.offset);
            let leads = self.slots.get(class as usize)?.leads(slot)?;
            if self.asks(before, leads, &stage) {
                return None;
            }
            let key = self.key((before, slot), &stage, None);
            class = recent.class(&key).or_else(|| self.keys.get(&key).copied())?;
            recent.note(key, class);
            self.keep(*place, class);
        }
        Some(class)
    }

    fn keep(&self, place: usize, class: u32) {
        let number = u16::try_from(class + 1).unwrap_or(0);
        self.of_step.get(place).into_iter().for_each(|of_step| of_step.store(number, Ordering::Relaxed));
    }

    /// Finds the steps that lead to a place, the last one first, from one that has a class, which it says, or from the
    /// root, whose number is the error. `None`: there are more than `most`.
    fn go_back(&self, place: usize, most: usize, steps: &mut Vec<usize>) -> Option<Result<u32, usize>> {
        steps.clear();
        let mut place = place;
        while steps.len() < most {
            if let Some(class) = self.of_step.get(place)?.load(Ordering::Relaxed).checked_sub(1) {
                return Some(Ok(u32::from(class)));
            }
            steps.push(place);
            match self.scene.reached.step(place)?.from {
                From::Root(root) => return Some(Err(root)),
                From::Step(before, _) => place = before,
            }
        }
        None
    }

    fn enter_all(&mut self, mut before: Before, way: Way<'_>) -> Option<u32> {
        for left in (1..=way.steps.len()).rev() {
            let way = Way { left, ..way };
            let class = self.enter(before, way)?;
            self.keep(way.place()?, class);
            before = Ok(class);
        }
        before.ok()
    }

    /// The step at a place.
    #[inline]
    fn stage(&self, place: usize) -> Option<Stage<'a>> {
        let step = self.scene.reached.step(place)?;
        let offset = match step.from {
            From::Root(_) => 0,
            From::Step(_, offset) => offset,
        };
        let map = self.scene.map(step.node);
        let wanted = map.and_then(|map| self.scene.wanted(map));
        Some(Stage { object: self.scene.nodes.object(step.node)?, offset, map, wanted })
    }

    /// The same with where the pointer to it is; `root`: where that is if it is a root.
    fn link(&self, place: usize, root: Option<u64>) -> Option<Link> {
        let Stage { object, offset, map, .. } = self.stage(place)?;
        let pointer = match self.scene.reached.step(place)?.from {
            From::Root(_) => root,
            From::Step(before, offset) => self.pointer(before, offset),
        };
        Some(Link { object, offset, pointer, map })
    }

    /// Where the pointer at an offset of the object of a step is.
    fn pointer(&self, before: usize, offset: u64) -> Option<u64> {
        let before = self.scene.reached.step(before)?;
        self.scene.nodes.object(before.node)?.base.checked_add(offset)
    }

    /// The class of the first step of a way, which comes from a class or a root.
    fn enter(&mut self, before: Before, way: Way<'_>) -> Option<u32> {
        let stage = self.stage(way.place()?)?;
        let (slot, leads) = self.slot(before, stage.offset);
        let dynamic = self.asks(before, leads, &stage).then(|| self.ask(before, slot, way)).flatten();
        let key = self.key((before, slot), &stage, dynamic);
        let known = self.recent.class(&key).or_else(|| self.keys.get(&key).copied());
        let class = known.or_else(|| self.new_class(key, (slot, dynamic), way))?;
        self.recent.note(key, class);
        Some(class)
    }

    fn new_class(&mut self, key: Key, (slot, dynamic): (u32, Option<Address>), way: Way<'_>) -> Option<u32> {
        let mut links = std::mem::take(&mut self.links);
        if links.is_empty() {
            links.extend(way.steps.iter().rev().map_while(|place| self.link(*place, way.pointer)));
        }
        let ahead = links.get(way.steps.len() - way.left..).unwrap_or_default();
        let of = key.before.ok().and_then(|class| self.slots.get(class as usize)?.pointer(slot));
        let class = self.class_by(key.before, Lead { of, dynamic }, ahead);
        self.links = links;
        self.keys.insert(key, class?);
        class
    }

    /// The class of an object by what leads there and what comes of it.
    fn class_by(&mut self, before: Before, lead: Lead, links: &[Link]) -> Option<u32> {
        let link = links.first()?;
        if let Some(same) = self.overflows(before, link) {
            return Some(same);
        }
        let last = before.ok().and_then(|class| self.classes.get(class as usize));
        let what = self.identify.what(last, lead, links);
        self.again(before, &what).or_else(|| self.add(before, link.offset, what))
    }

    /// The number of the word that leads to an object, and what the pointer there leads to.
    fn slot(&mut self, before: Before, offset: u64) -> (u32, Leads) {
        let of = before.ok().map(|class| class as usize);
        let of = of.and_then(|class| Some((self.classes.get(class)?, self.slots.get_mut(class)?)));
        let Some((class, slots)) = of else { return (0, Leads::Anywhere) };
        let word = class.slot(offset);
        let leads = slots.leads(word);
        (word, leads.unwrap_or_else(|| slots.note(word, class.describe(offset, self.scene.types).pointer)))
    }

    /// `dynamic`: what was asked for.
    fn key(&self, by: (Before, u32), stage: &Stage<'_>, dynamic: Option<Address>) -> Key {
        let says = match stage.map {
            Some(map) => self.scene.boxed(map),
            None => self.scene.content(&stage.object).map(|content| content.at),
        };
        Key::of(by, stage, says.or(dynamic))
    }

    /// Whether the target is asked of what type an object is: of one behind an interface or a function that does not
    /// say it; of a map, where the class of what holds it says nothing of its type and two maps that look alike to it
    /// may be of two types. Not of all elements of an array: what one is, all are.
    fn asks(&self, before: Before, leads: Leads, stage: &Stage<'_>) -> bool {
        let class = before.ok().and_then(|class| self.class(class));
        let may = match (stage.map, leads) {
            (Some(_), Leads::Anywhere) => stage.wanted.is_some_and(|one| one.types.len() > 1),
            (Some(_), Leads::Told | Leads::Typed) => false,
            (None, _) if stage.object.header != Typing::None => false,
            (None, Leads::Anywhere) => class.is_none_or(Class::may_hold_interfaces),
            (None, Leads::Told) => true,
            (None, Leads::Typed) => false,
        };
        may && self.asked < ASKED
    }

    /// The type of the value of the interface that leads to an object, if one does; the code of a function; of a map
    /// what its buckets show.
    fn ask(&mut self, before: Before, slot: u32, way: Way<'_>) -> Option<Address> {
        let link = self.link(way.place()?, way.pointer)?;
        let class = before.ok().and_then(|class| self.classes.get(class as usize));
        if link.map.is_some() && self.identify.is_array(class, &link) {
            return None;
        }
        self.asked += 1;
        if link.map.is_some() {
            return self.identify.by_bucket(&link);
        }
        let of = before.ok().and_then(|class| self.slots.get(class as usize)?.pointer(slot));
        match of.map(|of| of.kind) {
            Some(Kind::Interface { has_methods }) => {
                let word = self.scene.word(link.pointer?.checked_sub(WORD)?)?;
                self.scene.dynamic_type(word, has_methods)
            }
            // Functions are told apart by their code.
            Some(_) => self.scene.word(link.object.base).map(Address),
            None => self.identify.boxed(&link),
        }
    }

    fn add(&mut self, before: Before, offset: u64, what: What) -> Option<u32> {
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
        self.slots.push(Slots::default());
        u32::try_from(self.classes.len() - 1).ok()
    }

    /// The class of an object that has two of its kind before it: the second of them. So a list of any
    /// length has two classes.
    fn again(&self, before: Before, what: &What) -> Option<u32> {
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
    fn overflows(&self, before: Before, link: &Link) -> Option<u32> {
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
