//! Computes an expression: total, bounded, and unknown where anything in it is.

use std::cmp::Ordering;

use super::scope::{Name, Scope};
use super::types::{Binary, Function, Node, Unary, Value, Width};
use super::{MOST_LOADS, Type};
use crate::audit::unit::Address;
use crate::target::block::Table;
use crate::target::memory::{Memory, ReadError};

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// A number beyond 128 bits, or no number.
    #[error("a number is too large")]
    Overflow,
    /// Division by zero, or its remainder.
    #[error("division by zero")]
    DivisionByZero,
    /// A shift by fewer than 0 or more than 127 bits.
    #[error("a shift by {0} bits")]
    Shift(i128),
    /// A number that a function has no value for.
    #[error("{function} of {number}")]
    NoValue {
        /// The function.
        function: &'static str,
        /// The number.
        number: i128,
    },
    /// An address that cannot be one.
    #[error("{0} is no address")]
    NoAddress(i128),
    /// Memory that could not be read.
    #[error("{0}")]
    Unreadable(ReadError),
    /// More loads than one evaluation may do.
    #[error("more than {MOST_LOADS} loads")]
    TooManyLoads,
    /// A name that stands for nothing here, such as an argument that was not captured.
    #[error("a value is not at hand here")]
    NotGiven,
}

type Known = Result<Value, Unknown>;

pub(super) fn eval(node: &Node, scope: &Scope, memory: &dyn Memory) -> Known {
    Evaluation { scope, memory, loads: 0, index: None }.value(node)
}

struct Evaluation<'a> {
    scope: &'a Scope,
    memory: &'a dyn Memory,
    loads: usize,
    /// The number of the term, within a sum.
    index: Option<i128>,
}

impl Evaluation<'_> {
    /// Recursion is as deep as the expression, which has at most [`super::MOST_NODES`] nodes.
    fn value(&mut self, node: &Node) -> Known {
        match node {
            Node::Literal(value) => Ok(*value),
            Node::Name(Name::Index) => self.index.map(Value::Int).ok_or(Unknown::NotGiven),
            Node::Name(name) => self.scope.get(*name),
            Node::Load(width, at) => {
                let at = self.value(at)?;
                self.load(*width, at)
            }
            Node::Unary(sign, of) => unary(*sign, self.value(of)?),
            Node::Binary(sign, sides) => self.binary(*sign, sides),
            Node::Choice(parts) => {
                let (condition, yes, no) = &**parts;
                let is_so = self.value(condition)?.truth().ok_or(Unknown::NotGiven)?;
                self.value(if is_so { yes } else { no })
            }
            Node::Call(function, of) => {
                let values = of.iter().map(|of| self.value(of)).collect::<Result<Vec<_>, _>>()?;
                match function {
                    Function::ElementBefore | Function::ElementBehind => self.element(*function, &values),
                    _ => call(*function, &values),
                }
            }
            Node::Sum(terms, of) => self.sum(*terms, of),
        }
    }

    fn binary(&mut self, sign: Binary, (left, right): &(Node, Node)) -> Known {
        let left = self.value(left)?;
        match (sign, left) {
            (Binary::And, Value::Bool(false)) | (Binary::Or, Value::Bool(true)) => Ok(left),
            _ => binary(sign, left, self.value(right)?),
        }
    }

    fn sum(&mut self, terms: u8, of: &Node) -> Known {
        let outer = self.index;
        let mut sum = None;
        for index in 0..terms {
            self.index = Some(index.into());
            let term = self.value(of)?;
            sum = Some(match sum {
                None => term,
                Some(sum) => binary(Binary::Add, sum, term)?,
            });
        }
        self.index = outer;
        sum.ok_or(Unknown::NotGiven)
    }

    /// Bytes of an element, by the block that its table is; 0: no such block is there, or none yet.
    ///
    /// Where memory is not at hand it is what the scope has. A scope that has one is of a map whose block was
    /// seen: then another answer is no answer.
    fn element(&mut self, function: Function, of: &[Value]) -> Known {
        self.load_one_more()?;
        if self.scope.element == Some(0) {
            return Ok(Value::Int(0));
        }
        let word = |at: usize| of.get(at).and_then(|value| value.word()).ok_or(Unknown::NotGiven);
        let table = Table { at: Address(word(0)?), count: word(1)?, rest: word(2)? };
        let found = match function {
            Function::ElementBehind => table.element_behind(self.memory),
            _ => table.element_before(self.memory, self.scope.element),
        };
        let number = |size: u64| Ok(Value::Int(size.into()));
        match (found, self.scope.element) {
            (Ok(Some(size)), _) | (Err(ReadError::NotCaptured { .. }), Some(size)) => number(size),
            (Ok(None), None) => number(0),
            (Ok(None), Some(size)) => {
                Err(Unknown::NoValue { function: function.text(), number: size.into() })
            }
            (Err(error), _) => Err(Unknown::Unreadable(error)),
        }
    }

    fn load_one_more(&mut self) -> Result<(), Unknown> {
        self.loads += 1;
        if self.loads > MOST_LOADS { Err(Unknown::TooManyLoads) } else { Ok(()) }
    }

    fn load(&mut self, width: Width, at: Value) -> Known {
        self.load_one_more()?;
        let Value::Int(number) = at else { return Err(Unknown::NotGiven) };
        let at = u64::try_from(number).ok().map(Address).ok_or(Unknown::NoAddress(number))?;
        let mut bytes = [0; 8];
        self.memory.read(at, &mut bytes[..usize::from(width.bytes())]).map_err(Unknown::Unreadable)?;
        decode(width, bytes)
    }
}

/// What little-endian bytes mean; those beyond the width are 0.
fn decode(width: Width, bytes: [u8; 8]) -> Known {
    let [b0, b1, b2, b3, ..] = bytes;
    Ok(Value::Int(match width {
        Width::U8 | Width::U16 | Width::U32 | Width::U64 => u64::from_le_bytes(bytes).into(),
        Width::I8 => b0.cast_signed().into(),
        Width::I16 => i16::from_le_bytes([b0, b1]).into(),
        Width::I32 => i32::from_le_bytes([b0, b1, b2, b3]).into(),
        Width::I64 => i64::from_le_bytes(bytes).into(),
        Width::F32 => return finite(f32::from_le_bytes([b0, b1, b2, b3]).into()),
        Width::F64 => return finite(f64::from_le_bytes(bytes)),
    }))
}

fn finite(number: f64) -> Known {
    if number.is_finite() { Ok(Value::Float(number)) } else { Err(Unknown::Overflow) }
}

fn whole(number: Option<i128>) -> Known {
    number.map(Value::Int).ok_or(Unknown::Overflow)
}

pub(super) fn unary(sign: Unary, of: Value) -> Known {
    match (sign, of) {
        (Unary::Minus, Value::Int(number)) => whole(number.checked_neg()),
        (Unary::Minus, Value::Float(number)) => Ok(Value::Float(-number)),
        (Unary::Not, Value::Bool(truth)) => Ok(Value::Bool(!truth)),
        (Unary::Complement, Value::Int(number)) => Ok(Value::Int(!number)),
        // Types were checked when the text was read.
        _ => Err(Unknown::NotGiven),
    }
}

/// A sign between two values of one type.
pub(super) fn binary(sign: Binary, left: Value, right: Value) -> Known {
    if let Some(is_so) = compared(sign, left, right) {
        return Ok(Value::Bool(is_so));
    }
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => whole_numbers(sign, left, right),
        (Value::Float(left), Value::Float(right)) => fractions(sign, left, right),
        (Value::Bool(left), Value::Bool(right)) => match sign {
            Binary::And => Ok(Value::Bool(left && right)),
            Binary::Or => Ok(Value::Bool(left || right)),
            _ => Err(Unknown::NotGiven),
        },
        _ => Err(Unknown::NotGiven),
    }
}

/// What a comparison says; `None`: the sign is none, or the values cannot be compared.
fn compared(sign: Binary, left: Value, right: Value) -> Option<bool> {
    let order = match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(&right),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(&right),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(&right)?,
        _ => return None,
    };
    match sign {
        Binary::Equal => Some(order == Ordering::Equal),
        Binary::NotEqual => Some(order != Ordering::Equal),
        Binary::Less => Some(order == Ordering::Less),
        Binary::LessOrEqual => Some(order != Ordering::Greater),
        Binary::Greater => Some(order == Ordering::Greater),
        Binary::GreaterOrEqual => Some(order != Ordering::Less),
        _ => None,
    }
}

fn whole_numbers(sign: Binary, left: i128, right: i128) -> Known {
    match sign {
        Binary::Multiply => whole(left.checked_mul(right)),
        Binary::Divide | Binary::Remainder if right == 0 => Err(Unknown::DivisionByZero),
        Binary::Divide => whole(left.checked_div(right)),
        Binary::Remainder => whole(left.checked_rem(right)),
        Binary::Add => whole(left.checked_add(right)),
        Binary::Subtract => whole(left.checked_sub(right)),
        Binary::ShiftLeft => {
            let by = bits(right)?;
            // What was shifted out is missed when it is shifted back.
            whole(Some(left << by).filter(|shifted| shifted >> by == left))
        }
        Binary::ShiftRight => Ok(Value::Int(left >> bits(right)?)),
        Binary::BitAnd => Ok(Value::Int(left & right)),
        Binary::BitXor => Ok(Value::Int(left ^ right)),
        Binary::BitOr => Ok(Value::Int(left | right)),
        _ => Err(Unknown::NotGiven),
    }
}

/// By how many bits a number can be shifted.
fn bits(by: i128) -> Result<u32, Unknown> {
    u32::try_from(by).ok().filter(|by| *by < i128::BITS).ok_or(Unknown::Shift(by))
}

fn fractions(sign: Binary, left: f64, right: f64) -> Known {
    match sign {
        Binary::Multiply => finite(left * right),
        Binary::Divide if right == 0.0 => Err(Unknown::DivisionByZero),
        Binary::Divide => finite(left / right),
        Binary::Add => finite(left + right),
        Binary::Subtract => finite(left - right),
        _ => Err(Unknown::NotGiven),
    }
}

pub(super) fn call(function: Function, of: &[Value]) -> Known {
    let first = *of.first().ok_or(Unknown::NotGiven)?;
    let pick = |sign| {
        let better = |best, next| if compared(sign, next, best) == Some(true) { next } else { best };
        Ok(of.iter().copied().fold(first, better))
    };
    match (function, first) {
        (Function::Min, _) => pick(Binary::Less),
        (Function::Max, _) => pick(Binary::Greater),
        (Function::Floor | Function::Ceil, Value::Int(_)) | (Function::ToFloat, Value::Float(_)) => Ok(first),
        (Function::Floor, Value::Float(number)) => rounded(number.floor()),
        (Function::Ceil, Value::Float(number)) => rounded(number.ceil()),
        (Function::ToFloat, Value::Int(number)) => Ok(Value::Float(number as f64)),
        (_, Value::Int(number)) => of_bits(function, number),
        _ => Err(Unknown::NotGiven),
    }
}

/// What the bits of a number say.
fn of_bits(function: Function, number: i128) -> Known {
    let none = || Unknown::NoValue { function: function.text(), number };
    let bits = u128::try_from(number).ok().ok_or_else(none)?;
    match function {
        Function::PopCount => Ok(Value::Int(bits.count_ones().into())),
        Function::Log2 => bits.checked_ilog2().map(|log2| Value::Int(log2.into())).ok_or_else(none),
        Function::PowerOfTwo => {
            whole(bits.checked_next_power_of_two().and_then(|power| power.try_into().ok()))
        }
        _ => Err(Unknown::NotGiven),
    }
}

/// A whole number of a fraction that is one; 2^100 is more than anything counts.
fn rounded(number: f64) -> Known {
    const MOST: f64 = (1_u128 << 100) as f64;
    if number.abs() <= MOST { Ok(Value::Int(number as i128)) } else { Err(Unknown::Overflow) }
}

/// A value as one of another type: a whole number becomes a fraction, all else stays.
pub(super) fn widened(value: Value, kind: Type) -> Value {
    match (value, kind) {
        (Value::Int(number), Type::Float) => Value::Float(number as f64),
        _ => value,
    }
}
