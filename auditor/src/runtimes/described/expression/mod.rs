//! The language of numbers in profiles: typed, total, bounded. Grammar and meaning are in docs/profiles.md.
//!
//! `lex.rs` and `parse.rs` read a text into nodes, `types.rs` and `typed.rs` say of what type each is, `eval.rs` computes,
//! `chain.rs` finds the loads that the kernel side can follow.

mod chain;
mod eval;
mod lex;
mod parse;
mod scope;
mod typed;
mod types;
mod words;

#[cfg(test)]
mod tests;

pub use chain::{Chain, Loads, Start, Step};
pub use eval::Unknown;
pub use parse::Fault;
pub use scope::{Name, Names, Scope};
pub use types::{Type, Value, Width};
pub use words::reserved;

use crate::target::memory::Memory;
use types::Node;

/// Characters of an expression.
pub const LONGEST: usize = 4096;
/// Nodes of an expression.
pub const MOST_NODES: usize = 512;
/// How deep an expression may nest.
pub const DEEPEST: usize = 64;
/// Loads of one evaluation.
pub const MOST_LOADS: usize = 64;
/// Terms of a `sum`.
pub const MOST_TERMS: i128 = 64;

/// The registers, as they are written, by their number in DWARF ([`auditor_ebpf::source`]).
pub const REGISTERS: [&str; 16] = [
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// An expression that was understood: names are resolved, constants are numbers, types fit. It never changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    node: Node,
    kind: Type,
}

impl Expression {
    /// Reads a text in which `names` may be used.
    ///
    /// # Errors
    /// [`Fault`] says where in the text, what, and what to write instead.
    pub fn parse(text: &str, names: &Names) -> Result<Self, Fault> {
        let (node, kind) = parse::parse(text, names)?;
        Ok(Self { node, kind })
    }

    /// One that is a value already.
    #[must_use]
    pub const fn of(value: Value) -> Self {
        Self { node: Node::Literal(value), kind: value.kind() }
    }

    /// Of what type its value is, where there is one.
    #[must_use]
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// Its value, or why there is none. Takes bounded time and at most [`MOST_LOADS`] reads.
    ///
    /// # Errors
    /// [`Unknown`] says what could not be computed or read.
    pub fn eval(&self, scope: &Scope, memory: &dyn Memory) -> Result<Value, Unknown> {
        eval::eval(&self.node, scope, memory)
    }

    /// The expression as one chain: a start, loads, a number added. `fields` are the chains that names of fields
    /// stand for. `None`: it is not one.
    #[must_use]
    pub fn chain(&self, fields: &[Option<Chain>]) -> Option<Chain> {
        chain::of(&self.node, fields)
    }

    /// All loads in it, as chains.
    #[must_use]
    pub fn chains(&self, fields: &[Option<Chain>]) -> Loads {
        chain::all(&self.node, fields)
    }

    /// Whether it asks a block of `malloc` for the size of elements.
    #[must_use]
    pub fn is_element(&self) -> bool {
        types::has_element(&self.node)
    }

    /// The names that it uses, each once.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        types::names(&self.node)
    }
}
