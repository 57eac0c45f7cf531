//! Loads as chains, which the kernel side can follow: start somewhere, then add an offset and load, again and
//! again.

use super::eval;
use super::scope::Name;
use super::types::{Binary, Node, Value, Width};

/// Loads of a chain that are followed while a profile is read.
const MOST_STEPS: usize = 16;

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

impl Chain {
    /// The start itself.
    #[must_use]
    pub const fn of(start: Start) -> Self {
        Self { start, steps: Vec::new(), add: 0 }
    }

    /// Whether the kernel side can follow it in so many loads: all but the last load whole words.
    #[must_use]
    pub fn fits(&self, most: usize) -> bool {
        let pointers = self.steps.len().saturating_sub(1);
        self.steps.len() <= most && self.steps.iter().take(pointers).all(|step| step.width.bytes() == 8)
    }

    /// This chain from where another one ends, in place of its own start.
    #[must_use]
    pub fn behind(&self, before: &Self) -> Option<Self> {
        let mut whole = before.clone();
        for step in &self.steps {
            whole = whole.plus(step.offset.into())?.load(step.width)?;
        }
        whole.plus(self.add.into())
    }

    fn plus(mut self, add: i128) -> Option<Self> {
        self.add = i64::try_from(i128::from(self.add).checked_add(add)?).ok()?;
        Some(self)
    }

    fn load(mut self, width: Width) -> Option<Self> {
        self.steps.push(Step { offset: self.add, width });
        self.add = 0;
        (self.steps.len() <= MOST_STEPS).then_some(self)
    }
}

/// The loads of an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Those that are chains, each once, inner ones first. Their `add` is 0.
    pub chains: Vec<Chain>,
    /// Whether there are others, with addresses that are computed.
    pub others: bool,
}

pub(super) fn of(node: &Node, fields: &[Option<Chain>]) -> Option<Chain> {
    match (Walk { fields, index: None }).reduced(node)? {
        Reduced::Chain(chain) => Some(chain),
        Reduced::Number(_) => None,
    }
}

pub(super) fn all(node: &Node, fields: &[Option<Chain>]) -> Loads {
    let mut loads = Loads::default();
    Walk { fields, index: None }.collect(node, &mut loads);
    loads
}

/// What a node comes to without memory.
enum Reduced {
    Number(i128),
    Chain(Chain),
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    fields: &'a [Option<Chain>],
    /// The number of the term, within a sum.
    index: Option<i128>,
}

impl Walk<'_> {
    fn reduced(self, node: &Node) -> Option<Reduced> {
        match node {
            Node::Literal(Value::Int(number)) => Some(Reduced::Number(*number)),
            Node::Name(name) => self.named(*name),
            Node::Load(width, at) => match self.reduced(at)? {
                Reduced::Chain(chain) => chain.load(*width).map(Reduced::Chain),
                Reduced::Number(_) => None,
            },
            Node::Binary(sign, sides) => joined(*sign, self.reduced(&sides.0)?, self.reduced(&sides.1)?),
            _ => None,
        }
    }

    fn named(self, name: Name) -> Option<Reduced> {
        let start = match name {
            Name::Own => Start::Own,
            Name::Argument(index) => Start::Argument(index),
            Name::Register(number) => Start::Register(number),
            Name::Returned => Start::Returned,
            Name::Index => return self.index.map(Reduced::Number),
            Name::Field(field) => {
                return self.fields.get(usize::from(field)).cloned().flatten().map(Reduced::Chain);
            }
            Name::Symbol | Name::Item | Name::Slots | Name::Full | Name::Metric(_) => return None,
        };
        Some(Reduced::Chain(Chain::of(start)))
    }

    /// At most 64 times 512 nodes: sums do not nest.
    fn collect(self, node: &Node, into: &mut Loads) {
        if let Node::Sum(terms, of) = node {
            for index in 0..*terms {
                Self { index: Some(index.into()), ..self }.collect(of, into);
            }
            return;
        }
        node.parts().into_iter().for_each(|part| self.collect(part, into));
        if let Node::Load(..) = node {
            match self.reduced(node) {
                Some(Reduced::Chain(chain)) if !into.chains.contains(&chain) => into.chains.push(chain),
                Some(Reduced::Chain(_)) => {}
                _ => into.others = true,
            }
        }
    }
}

fn joined(sign: Binary, left: Reduced, right: Reduced) -> Option<Reduced> {
    match (sign, left, right) {
        (_, Reduced::Number(left), Reduced::Number(right)) => {
            match eval::binary(sign, Value::Int(left), Value::Int(right)) {
                Ok(Value::Int(number)) => Some(Reduced::Number(number)),
                _ => None,
            }
        }
        (Binary::Add, Reduced::Chain(chain), Reduced::Number(number))
        | (Binary::Add, Reduced::Number(number), Reduced::Chain(chain)) => {
            chain.plus(number).map(Reduced::Chain)
        }
        (Binary::Subtract, Reduced::Chain(chain), Reduced::Number(number)) => {
            chain.plus(number.checked_neg()?).map(Reduced::Chain)
        }
        _ => None,
    }
}
