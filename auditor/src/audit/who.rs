//! Who a map is: how it came into sight, whether a look speaks of it, and what a census told of it (its
//! type, who holds it, whether anything does).

use super::fact::Described;
use super::life::Life;
use super::report::Origin;
use super::unit::Nanos;

/// Longest type or owner that is kept, in bytes. A type that is written out (a struct without a name)
/// or a long path takes some hundred.
const MOST_TEXT: usize = 4096;
/// Types that are kept of those that a map may be of.
const MOST_CANDIDATES: usize = 32;

/// How a map came into sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Birth {
    /// Its first table was seen asked for, or will be: everything of it was seen.
    Seen,
    /// A census found it, by this time, where the one before had found none.
    By(Nanos),
    /// It was there before, or nothing shows that it was not.
    Before,
}

impl Birth {
    /// As the report has it.
    pub(super) const fn origin(self) -> Origin {
        match self {
            Self::Seen | Self::By(_) => Origin::Observed,
            Self::Before => Origin::BeforeAttach,
        }
    }
}

impl Life {
    /// Whether everything of it was seen.
    pub(super) fn is_whole(&self) -> bool {
        self.birth == Birth::Seen
    }

    /// When its first table was seen, asked for or there.
    pub(super) fn born(&self) -> Option<Nanos> {
        match self.birth {
            Birth::By(at) => Some(at),
            Birth::Seen | Birth::Before => self.born,
        }
    }

    /// Something happened to it.
    pub(super) fn hears(&mut self, at: Nanos) {
        self.heard = self.heard.max(at);
        self.met = Some(self.met.map_or(at, |met| met.min(at)));
    }

    /// A census found it for the first time: by then it was there, and when something happened to it.
    pub(super) fn was_born_by(&mut self, at: Nanos) {
        self.birth = Birth::By(self.met.map_or(at, |met| met.min(at)));
    }

    /// A census told of it.
    pub(super) fn describe(&mut self, description: Description) {
        self.waits = description.reachable == Some(false);
        self.described = Some(Box::new(description));
        self.listed = true;
    }

    /// Whether an event of it younger than `at` has been applied.
    pub(super) fn heard_after(&self, at: Nanos) -> bool {
        self.heard > at
    }

    /// Whether its birth was seen, before `at`.
    pub(super) fn was_born_before(&self, at: Nanos) -> bool {
        self.born.is_some_and(|born| born < at)
    }
}

/// What a census told of a map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Description {
    /// Its type.
    pub(super) type_name: Option<Box<str>>,
    /// The types that it may be of.
    pub(super) candidates: Box<[Box<str>]>,
    /// The path from a root to it.
    pub(super) owner: Option<Box<str>>,
    /// Whether any root leads to it.
    pub(super) reachable: Option<bool>,
}

impl Description {
    /// As it was told; endless texts lose their ends.
    pub(super) fn of(fact: &Described) -> Self {
        Self {
            type_name: fact.type_name.as_deref().map(kept),
            candidates: fact.candidates.iter().take(MOST_CANDIDATES).map(|name| kept(name)).collect(),
            owner: fact.owner.as_deref().map(kept),
            reachable: fact.reachable,
        }
    }

    /// How much memory it takes.
    pub(super) fn size(&self) -> usize {
        let texts = self.candidates.iter().chain(&self.type_name).chain(&self.owner);
        size_of::<Self>() + texts.map(|text| size_of::<Box<str>>() + text.len()).sum::<usize>()
    }
}

/// A type or an owner as it is kept.
pub(super) fn kept(text: &str) -> Box<str> {
    cut(text, MOST_TEXT)
}

/// The first bytes of a text, not cut within a character.
pub(super) fn cut(text: &str, most: usize) -> Box<str> {
    text[..text.floor_char_boundary(most)].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Address;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut(&"é".repeat(256), 256).len(), 256);
        let odd = cut(&format!("a{}", "é".repeat(256)), 256);
        assert_eq!((odd.len(), odd.chars().last()), (255, Some('é')));
    }

    #[test]
    fn a_description_is_bounded_whatever_it_is_made_of() {
        let fact = Described {
            map: Address(1),
            type_name: Some("t".repeat(1 << 20)),
            candidates: vec!["c".repeat(1 << 20); 100],
            owner: Some("o".repeat(1 << 20)),
            reachable: None,
        };
        let kept = Description::of(&fact);
        assert_eq!(kept.candidates.len(), MOST_CANDIDATES);
        assert!(kept.size() < (MOST_CANDIDATES + 3) * MOST_TEXT, "{}", kept.size());
    }
}
