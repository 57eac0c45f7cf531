//! A profile: what a hash map looks like, where it is found, and when it changes (docs/profiles.md).
//!
//! `raw.rs` reads the TOML, `read.rs`, `metrics.rs` and `places.rs` understand it, `vocabulary.rs` has the words, `fault.rs`
//! says what is wrong and where, `builtin.rs` has the profiles that come with the auditor, `schema.rs` describes
//! the files for editors.

pub mod builtin;
mod fault;
mod metrics;
mod places;
mod raw;
mod read;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
mod vocabulary;

pub use fault::ProfileError;
pub use vocabulary::{Event, LabelKind, Metric, Moves, Returns, When};

use regex::Regex;

use super::expression::{Chain, Expression, Start, Value};
use super::sizes::Rung;
use crate::audit::unit::Bytes;

/// Bytes of a profile.
pub const LONGEST: usize = 256 << 10;
/// Fields of a profile.
pub const MOST_FIELDS: usize = 64;
/// Constants of a profile.
pub const MOST_CONSTANTS: usize = 64;
/// Checks of a profile.
pub const MOST_CHECKS: usize = 64;
/// Probes of a profile.
pub const MOST_PROBES: usize = 64;
/// Roots of a profile.
pub const MOST_ROOTS: usize = 32;
/// Levels of a root.
pub const MOST_LEVELS: usize = 4;
/// Maps at each element of a root.
pub const MOST_MAPS: usize = 8;
/// Slots that are believed of any map.
pub const MOST_SLOTS: u64 = 1 << 48;

/// A description of a hash map, understood and checked.
#[derive(Clone, Debug)]
pub struct Profile {
    /// What reports and `--runtime` call it.
    pub name: String,
    /// What it covers, in one line.
    pub about: String,
    /// Which versions, for people.
    pub versions: Option<String>,
    /// How entries move when it grows.
    pub moves: Moves,
    /// When its memory comes back.
    pub returns: Returns,
    /// How to get its memory back.
    pub remedy: Option<String>,
    /// Where more is written.
    pub guide: Option<String>,
    /// In which files it is found.
    pub target: Target,
    /// Numbers with names, in their order.
    pub constants: Vec<(String, Value)>,
    /// What is read of a map, in order: each may name those before it.
    pub fields: Vec<Field>,
    /// The field that is the size of an element by what `malloc` says of its block.
    pub element: Option<u16>,
    /// What the fields mean, in order: each may name those before it.
    pub metrics: Vec<(Metric, Expression)>,
    /// How it grows.
    pub growth: Option<Growth>,
    /// What it is called.
    pub label: Option<Label>,
    /// What must hold.
    pub checks: Vec<Check>,
    /// What is to be known of maps for which it holds.
    pub notes: Vec<Check>,
    /// What tells one map from another.
    pub identity: Identity,
    /// Where to look when it changes.
    pub probes: Vec<Probe>,
    /// Where the maps are that exist already.
    pub roots: Vec<Root>,
    /// From which size on a table is a mapping of its own, so that its munmap is its end.
    pub free_by_munmap: Option<Bytes>,
}

/// In which files a map is found.
#[derive(Clone, Debug)]
pub struct Target {
    /// The path of a mapped file. Takes time linear in the path.
    pub file: Regex,
    /// All of these are in that file.
    pub symbols: Vec<String>,
    /// None of these is.
    pub absent: Vec<String>,
    /// If any: the file's build id is among these, in lower case hex.
    pub build_ids: Vec<String>,
    /// What would give the symbols where they are stripped.
    pub help: Option<String>,
}

/// Something that is read of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it is.
    pub expression: Expression,
    /// The chain of loads that it is, where it is one: the kernel side can follow it.
    pub chain: Option<Chain>,
}

/// How a map grows: `[sizes]`. The expressions may name fields; then maps of one profile are of several kinds.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// Slots of the first table.
    pub first: u64,
    /// Slots after a growth, from `slots` and from the entries `live` that ask for it.
    pub next: Expression,
    /// Entries that a table of `slots` holds before it asks for the next.
    pub live: Expression,
    /// Bytes of a table of `slots`.
    pub bytes: Expression,
    /// Most slots that are believed.
    pub most: u64,
    /// Bytes of a key with its value in a table, where it lies there.
    pub slot: Option<Expression>,
    /// Bytes that each entry takes by itself.
    pub entry: Option<Expression>,
    /// Fields on which any of these depend.
    pub fields: Vec<u16>,
    /// The tables, where no field is needed to tell them.
    pub rungs: Vec<Rung>,
}

/// What a map is called.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// What the expression leads to.
    pub kind: LabelKind,
    /// An address; `None` where the kind needs none.
    pub expression: Option<Expression>,
    /// The name itself, of [`LabelKind::Text`].
    pub text: Option<String>,
}

/// What must hold for every map, or is to be known of those for which it does.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What it says, in words.
    pub text: String,
    /// As it was written.
    pub source: String,
    /// Whether it is so.
    pub expression: Expression,
}

/// What tells one map from another.
#[derive(Clone, Debug, PartialEq)]
pub enum Identity {
    /// Its header stays where it is.
    Map,
    /// Its header moves, its table does not: the table's address is the map's.
    Table(Expression),
}

/// A place where something happens to a map.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What happens.
    pub event: Event,
    /// Where.
    pub at: Place,
    /// Which map.
    pub own: Own,
    /// At the entry only, or with the return.
    pub when: When,
    /// Hits for smaller maps are dropped in the kernel.
    pub min: Option<Minimum>,
    /// Hits for maps of which this is not so mean nothing.
    pub only: Option<Expression>,
    /// Buckets after a growth, where the event tells. This and those below it either read nothing by themselves
    /// (they name fields for that) or are one chain that the kernel side can follow.
    pub to: Option<Expression>,
    /// Buckets before it.
    pub from: Option<Expression>,
    /// The table in question.
    pub table: Option<Expression>,
    /// Its bytes.
    pub bytes: Option<Expression>,
    /// In which line of the profile it begins.
    pub line: usize,
}

/// A place in the code.
#[derive(Clone, Debug)]
pub enum Place {
    /// A function, also under the suffixes that compilers add.
    Symbol(String),
    /// Every function whose demangled name matches.
    Regex(Regex),
    /// A USDT probe.
    Usdt {
        /// Its provider.
        provider: String,
        /// Its name.
        name: String,
    },
    /// An offset in the file of that build id.
    Offset {
        /// In the file.
        offset: u64,
        /// Of the file; `None`: those of the target.
        build_id: Option<String>,
    },
    /// What a function calls: its nth call of another.
    Callee {
        /// The function.
        of: String,
        /// Which of its calls, from 0.
        nth: u32,
    },
    /// The site of a call in a function.
    Call {
        /// The function.
        symbol: String,
        /// Whom it calls.
        call: String,
        /// Which of these calls, from 0.
        nth: u32,
    },
}

/// Which map an event is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Own {
    /// A chain from an argument, a register or the return value.
    Chain(Chain),
    /// The one map there is, at an object's address.
    Symbol(String),
}

/// A filter by size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Minimum {
    /// The number of the field.
    pub field: u16,
    /// What leads to it, from `self`.
    pub chain: Chain,
    /// The smallest value that passes.
    pub value: u64,
}

/// Where maps are that exist already.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// An object in the file.
    pub symbol: String,
    /// How elements are found from there, one level within the other; none: `it` is `sym`.
    pub levels: Vec<Level>,
    /// Addresses of maps, by `it` and `sym`; 0 is none.
    pub maps: Vec<Expression>,
    /// Whether what it leads to is in memory that is shared with processes which came of this one by fork.
    pub is_shared: bool,
}

/// One level of elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Where it begins, by `sym` and the element of the level before; 0 is nowhere.
    pub base: Expression,
    /// How it goes on from there.
    pub walk: Walk,
}

/// How the elements of a level are found.
#[derive(Clone, Debug, PartialEq)]
pub enum Walk {
    /// An array.
    Array {
        /// How many elements it has.
        count: Expression,
        /// From one to the next.
        stride: u64,
    },
    /// The nodes of a tree or a list.
    Tree {
        /// A node's first child; 0 is none.
        child: Option<Expression>,
        /// A node's next sibling; 0 is none.
        next: Option<Expression>,
    },
}

impl Own {
    pub(super) fn starts_at(&self, start: Start) -> bool {
        matches!(self, Self::Chain(chain) if chain.start == start)
    }
}

/// Reads a profile.
///
/// # Errors
/// [`ProfileError`] with the line, the column and what to write instead.
pub fn parse(text: &str) -> Result<Profile, ProfileError> {
    read::profile(text)
}

impl Profile {
    /// The chains of its fields, for [`Expression::chain`].
    #[must_use]
    pub fn chains(&self) -> Vec<Option<Chain>> {
        self.fields.iter().map(|field| field.chain.clone()).collect()
    }

    /// The expression of a metric, where the profile has it.
    #[must_use]
    pub fn metric(&self, metric: Metric) -> Option<&Expression> {
        self.metrics.iter().find(|(known, _)| *known == metric).map(|(_, expression)| expression)
    }
}
