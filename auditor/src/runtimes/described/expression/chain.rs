//! Loads as chains, which the kernel side can follow: start somewhere, then add an offset and load, again and
//! again.

use super::types::{Node, Width};

/// Where a chain starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Start {
    /// The map's address.
    Own,
    /// An argument.
    Argument(u8),
    /// A register, by its number in DWARF.
    Register(u8),
    /// The return value.
    Returned,
}

/// One load of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Added before the load.
    pub offset: i64,
    /// What is loaded.
    pub width: Width,
}

/// A value that loads lead to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chain {
    /// Where it starts.
    pub start: Start,
    /// The loads, one after the other; none: the start itself.
    pub steps: Vec<Step>,
    /// Added at the end.
    pub add: i64,
}

/// The loads of an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Those that are chains, each once, in order. Their `add` is 0.
    pub chains: Vec<Chain>,
    /// Whether there are others, with addresses that are computed.
    pub others: bool,
}

pub(super) fn of(_node: &Node, _fields: &[Option<Chain>]) -> Option<Chain> {
    todo!()
}

pub(super) fn all(_node: &Node, _fields: &[Option<Chain>]) -> Loads {
    todo!()
}
