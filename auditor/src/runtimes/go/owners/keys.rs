//! What makes steps alike: where they come from, by which word, and what the object there is.

use super::nodes::Object;
use super::scene::Wanted;
use crate::audit::unit::Address;
use crate::target::go::types::{Kind, Type};

/// How many keys are remembered beside the table of all.
const RECENT: usize = 16;

/// What makes objects alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) before: Result<u32, u32>,
    slot: u32,
    size: u64,
    says: u64,
    types: (u64, usize),
    has_tables: bool,
}

/// A step of a way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'a> {
    pub(super) object: Object,
    /// Where the pointer to it is, in bytes from the beginning of the object before.
    pub(super) offset: u64,
    /// Which map it is the header of, if it is.
    pub(super) map: Option<usize>,
    /// What is asked of that.
    pub(super) wanted: Option<Wanted<'a>>,
}

impl Key {
    /// Of a step that comes by a word of what is before it. `says`: what is known of the object's type.
    pub(super) fn of(
        (before, slot): (Result<u32, u32>, u32),
        stage: &Stage<'_>,
        says: Option<Address>,
    ) -> Self {
        let types = stage.wanted.map_or(&[][..], |one| one.types);
        Self {
            before,
            slot,
            size: stage.object.size,
            says: says.map_or(0, |at| at.0),
            types: (types.first().map_or(0, |at| at.0), types.len()),
            has_tables: stage.wanted.is_some_and(|one| one.has_tables),
        }
    }
}

/// Of each few classes, the key that was asked for behind them last, and its class: maps that lie side by side are
/// often alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent([Option<(Key, u32)>; RECENT]);

impl Recent {
    /// The class of that key, if it is remembered.
    #[inline]
    pub(super) fn class(&self, key: &Key) -> Option<u32> {
        let (last, class) = self.0.get(place(key))?.as_ref()?;
        (last == key).then_some(*class)
    }

    /// Remembers the class of a key.
    #[inline]
    pub(super) fn note(&mut self, key: Key, class: u32) {
        let place = self.0.get_mut(place(&key));
        place.into_iter().for_each(|place| *place = Some((key, class)));
    }
}

fn place(key: &Key) -> usize {
    key.before.map_or(0, |class| class as usize % RECENT)
}

/// A word of the objects of a class.
#[derive(Clone, Copy, Debug)]
struct Slot {
    word: u32,
    leads: Leads,
    pointer: Option<Type>,
}

/// The words of the objects of a class that were asked for, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots(Vec<Slot>);

/// What a pointer leads to, as far as its type tells: most steps ask for no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// Its type is not known.
    Anywhere,
    /// What it leads to says itself what it is: the value of an interface, or a function.
    Told,
    /// To what its type says.
    Typed,
}

impl Leads {
    fn of(pointer: Option<&Type>) -> Self {
        match pointer.map(|of| of.kind) {
            None => Self::Anywhere,
            Some(Kind::Interface { .. } | Kind::Func) => Self::Told,
            Some(_) => Self::Typed,
        }
    }
}

impl Slots {
    /// What the pointer at a word leads to; `None`: that was not asked for yet.
    #[inline]
    pub(super) fn leads(&self, word: u32) -> Option<Leads> {
        let place = self.0.binary_search_by_key(&word, |slot| slot.word).ok()?;
        self.0.get(place).map(|slot| slot.leads)
    }

    /// The type of that pointer, as far as it is known.
    pub(super) fn pointer(&self, word: u32) -> Option<Type> {
        let place = self.0.binary_search_by_key(&word, |slot| slot.word).ok()?;
        self.0.get(place)?.pointer
    }

    /// Notes the type of the pointer at a word that was not asked for yet.
    pub(super) fn note(&mut self, word: u32, pointer: Option<Type>) -> Leads {
        let leads = Leads::of(pointer.as_ref());
        let place = self.0.partition_point(|slot| slot.word < word);
        self.0.insert(place, Slot { word, leads, pointer });
        leads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::go::heap::Typing;

    #[test]
    fn a_key_is_remembered_until_another_one_behind_the_same_class_comes() {
        let object = Object { base: 0, size: 48, header: Typing::None, first_word: 0 };
        let stage = Stage { object, offset: 0, map: None, wanted: None };
        let key = |before, slot| Key::of((before, slot), &stage, None);
        let mut recent = Recent::default();
        assert_eq!(recent.class(&key(Ok(3), 1)), None);
        recent.note(key(Ok(3), 1), 7);
        recent.note(key(Ok(4), 1), 8);
        assert_eq!(recent.class(&key(Ok(3), 1)), Some(7));
        assert_eq!(recent.class(&key(Ok(3), 2)), None);
        assert_eq!(recent.class(&key(Ok(3 + RECENT as u32), 1)), None, "another class in its place");
        recent.note(key(Ok(3), 2), 9);
        assert_eq!((recent.class(&key(Ok(3), 1)), recent.class(&key(Ok(3), 2))), (None, Some(9)));
    }

    #[test]
    fn words_that_were_asked_for_keep_the_types_of_their_pointers() {
        let pointer = |kind| Some(Type { at: Address(1), size: 8, pointer_bytes: 8, kind });
        let mut slots = Slots::default();
        assert_eq!(slots.leads(5), None);
        assert_eq!(slots.note(5, pointer(Kind::Map)), Leads::Typed);
        assert_eq!(slots.note(2, None), Leads::Anywhere);
        assert_eq!(slots.note(9, pointer(Kind::Func)), Leads::Told);
        let leads = [2, 5, 9, 7].map(|word| slots.leads(word));
        assert_eq!(leads, [Some(Leads::Anywhere), Some(Leads::Typed), Some(Leads::Told), None]);
        assert_eq!((slots.pointer(2), slots.pointer(5)), (None, pointer(Kind::Map)));
    }
}
