//! What names stand for: [`Names`] while a profile is read, [`Scope`] when an expression is evaluated.

use std::collections::BTreeMap;

use super::eval::Unknown;
use super::types::{Type, Value};
use crate::runtimes::described::profile::Metric;

/// Something that an expression can name. Constants are not among them: they are numbers once a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// `self`: the map's address.
    Own,
    /// `arg0` to `arg5`: an argument of the function, of the called function at the site of a call, of a USDT
    /// probe.
    Argument(u8),
    /// A register, by its number in DWARF ([`auditor_ebpf::source`]).
    Register(u8),
    /// `ret`: what the function returned.
    Returned,
    /// `sym`: the address of a root's object.
    Symbol,
    /// `it`: the element of the level before, or the node of a tree.
    Item,
    /// `i`: the number of the term of the innermost `sum`.
    Index,
    /// `slots`: of the table in question, in `[sizes]`.
    Slots,
    /// `live` in the `next` of `[sizes]`: the entries with which the map asks for its next table.
    Full,
    /// A field, by its number in the profile.
    Field(u16),
    /// A metric.
    Metric(Metric),
}

/// Which names a text may use, and what they stand for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    known: BTreeMap<String, Meaning>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// A number.
    Constant(Value),
    /// Something that is known when it is evaluated.
    Name(Name, Type),
}

impl Names {
    /// None at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With a constant.
    pub fn constant(&mut self, name: &str, value: Value) -> &mut Self {
        self.known.insert(name.to_owned(), Meaning::Constant(value));
        self
    }

    /// With a name.
    pub fn name(&mut self, text: &str, name: Name, kind: Type) -> &mut Self {
        self.known.insert(text.to_owned(), Meaning::Name(name, kind));
        self
    }

    /// All texts that can be used, sorted.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(String::as_str)
    }

    pub(super) fn get(&self, text: &str) -> Option<Meaning> {
        self.known.get(text).copied()
    }
}

/// What names stand for when an expression is evaluated. What is `None` is unknown.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// `self`.
    pub own: Option<u64>,
    /// `arg0` to `arg5`.
    pub arguments: [Option<u64>; 6],
    /// Registers, by their number in DWARF.
    pub registers: [Option<u64>; 16],
    /// `ret`.
    pub returned: Option<u64>,
    /// `sym`.
    pub symbol: Option<u64>,
    /// `it`.
    pub item: Option<u64>,
    /// `slots`.
    pub slots: Option<i128>,
    /// `live` in `[sizes]`.
    pub full: Option<i128>,
    /// Bytes of an element, as they were found when the map was looked at before; 0: they were not, and are not to be
    /// looked for.
    pub element: Option<u64>,
    /// The fields, in their order.
    pub fields: Vec<Result<Value, Unknown>>,
    /// The metrics that were evaluated.
    pub metrics: BTreeMap<Metric, Result<Value, Unknown>>,
}

impl Scope {
    /// Of the map at an address; its fields are not read yet.
    #[must_use]
    pub fn of_map(own: u64) -> Self {
        Self { own: Some(own), ..Self::default() }
    }

    /// What a name stands for.
    pub(super) fn get(&self, name: Name) -> Result<Value, Unknown> {
        let word = |word: Option<u64>| word.map(|word| Value::Int(word.into()));
        let number = |number: Option<i128>| number.map(Value::Int);
        let found = match name {
            Name::Own => word(self.own),
            Name::Argument(index) => word(self.arguments.get(usize::from(index)).copied().flatten()),
            Name::Register(index) => word(self.registers.get(usize::from(index)).copied().flatten()),
            Name::Returned => word(self.returned),
            Name::Symbol => word(self.symbol),
            Name::Item => word(self.item),
            Name::Index => None,
            Name::Slots => number(self.slots),
            Name::Full => number(self.full),
            Name::Field(index) => {
                return self.fields.get(usize::from(index)).cloned().unwrap_or(Err(Unknown::NotGiven));
            }
            Name::Metric(metric) => {
                return self.metrics.get(&metric).cloned().unwrap_or(Err(Unknown::NotGiven));
            }
        };
        found.ok_or(Unknown::NotGiven)
    }
}
