//! Values, their types, and the nodes of an expression.

use std::fmt;

use super::scope::Name;

/// Of what type a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A whole number of 128 bits, so that those of 64 bits with and without a sign mix.
    Int,
    /// Whether something is so.
    Bool,
    /// A number with a fraction, of 64 bits.
    Float,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Float => "float",
        })
    }
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i128),
    /// Whether something is so.
    Bool(bool),
    /// A number with a fraction; neither infinite nor no number.
    Float(f64),
}

impl Value {
    /// Of what type it is.
    #[must_use]
    pub const fn kind(self) -> Type {
        match self {
            Self::Int(_) => Type::Int,
            Self::Bool(_) => Type::Bool,
            Self::Float(_) => Type::Float,
        }
    }

    /// A whole number that a word without a sign can hold.
    #[must_use]
    pub fn word(self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(number).ok(),
            Self::Bool(_) | Self::Float(_) => None,
        }
    }

    /// Whether it says that something is so.
    #[must_use]
    pub const fn truth(self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(truth),
            Self::Int(_) | Self::Float(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => number.fmt(f),
            Self::Bool(truth) => truth.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

/// What a load reads: how many bytes, and what they mean. Little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// `u8`.
    U8,
    /// `i8`.
    I8,
    /// `u16`.
    U16,
    /// `i16`.
    I16,
    /// `u32`.
    U32,
    /// `i32`.
    I32,
    /// `u64`.
    U64,
    /// `i64`.
    I64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl Width {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 10] = [
        ("u8", Self::U8),
        ("i8", Self::I8),
        ("u16", Self::U16),
        ("i16", Self::I16),
        ("u32", Self::U32),
        ("i32", Self::I32),
        ("u64", Self::U64),
        ("i64", Self::I64),
        ("f32", Self::F32),
        ("f64", Self::F64),
    ];

    /// How many bytes it reads.
    #[must_use]
    pub const fn bytes(self) -> u8 {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }
}

/// A node of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    Name(Name),
    /// What is in memory at an address.
    Load(Width, Box<Self>),
    Unary(Unary, Box<Self>),
    Binary(Binary, Box<(Self, Self)>),
    /// `condition ? yes : no`.
    Choice(Box<(Self, Self, Self)>),
    Call(Function, Vec<Self>),
    /// `sum(terms, of)`.
    Sum(u8, Box<Self>),
}

impl Node {
    /// The nodes right below it.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Literal(_) | Self::Name(_) => Vec::new(),
            Self::Load(_, of) | Self::Unary(_, of) | Self::Sum(_, of) => vec![of],
            Self::Binary(_, sides) => vec![&sides.0, &sides.1],
            Self::Choice(parts) => vec![&parts.0, &parts.1, &parts.2],
            Self::Call(_, of) => of.iter().collect(),
        }
    }
}

/// A sign before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unary {
    Minus,
    Not,
    Complement,
}

/// A sign between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    ShiftLeft,
    ShiftRight,
    BitAnd,
    BitXor,
    BitOr,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
}

/// How tightly the comparisons bind. Two of them side by side mean nothing.
pub(super) const COMPARISONS: u8 = 3;

impl Binary {
    /// All of them, as they are written, with how tightly they bind: as in Rust and Go, where `a & b == c` is
    /// `(a & b) == c`.
    const ALL: [(&'static str, Self, u8); 18] = [
        ("*", Self::Multiply, 9),
        ("/", Self::Divide, 9),
        ("%", Self::Remainder, 9),
        ("+", Self::Add, 8),
        ("-", Self::Subtract, 8),
        ("<<", Self::ShiftLeft, 7),
        (">>", Self::ShiftRight, 7),
        ("&", Self::BitAnd, 6),
        ("^", Self::BitXor, 5),
        ("|", Self::BitOr, 4),
        ("==", Self::Equal, COMPARISONS),
        ("!=", Self::NotEqual, COMPARISONS),
        ("<", Self::Less, COMPARISONS),
        ("<=", Self::LessOrEqual, COMPARISONS),
        (">", Self::Greater, COMPARISONS),
        (">=", Self::GreaterOrEqual, COMPARISONS),
        ("&&", Self::And, 2),
        ("||", Self::Or, 1),
    ];

    /// What is written so, and how tightly it binds.
    pub(super) fn of(sign: &str) -> Option<(Self, u8)> {
        Self::ALL.iter().find(|(text, ..)| *text == sign).map(|(_, binary, binds)| (*binary, *binds))
    }
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Min,
    Max,
    PopCount,
    Log2,
    PowerOfTwo,
    Floor,
    Ceil,
    /// Bytes of an element of a table that is a block of `malloc`, with something behind the elements; 0 where no such
    /// block is there.
    ElementBefore,
    /// The same with something before them.
    ElementBehind,
    /// Has no name: what mixes with fractions becomes one.
    ToFloat,
}

impl Function {
    /// All that have names, with how many values they take at least and at most.
    pub(super) const ALL: [(&'static str, Self, usize, usize); 9] = [
        ("min", Self::Min, 2, 8),
        ("max", Self::Max, 2, 8),
        ("popcount", Self::PopCount, 1, 1),
        ("log2", Self::Log2, 1, 1),
        ("pow2ceil", Self::PowerOfTwo, 1, 1),
        ("floor", Self::Floor, 1, 1),
        ("ceil", Self::Ceil, 1, 1),
        ("element_before", Self::ElementBefore, 3, 3),
        ("element_behind", Self::ElementBehind, 3, 3),
    ];

    /// Its name.
    pub(super) fn text(self) -> &'static str {
        Self::ALL.iter().find(|(_, function, ..)| *function == self).map_or("a fraction", |(text, ..)| text)
    }
}

/// Whether it asks for the size of an element.
pub(super) fn has_element(node: &Node) -> bool {
    let is_it = matches!(node, Node::Call(Function::ElementBefore | Function::ElementBehind, _));
    is_it || node.parts().into_iter().any(has_element)
}

/// The names that a node uses, each once.
pub(super) fn names(node: &Node) -> Vec<Name> {
    let mut names = Vec::new();
    let mut waiting = vec![node];
    while let Some(node) = waiting.pop() {
        match node {
            Node::Name(name) if !names.contains(name) => names.push(*name),
            _ => waiting.extend(node.parts()),
        }
    }
    names.sort_unstable();
    names
}
