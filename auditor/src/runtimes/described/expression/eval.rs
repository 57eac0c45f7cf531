//! Computes an expression: total, bounded, and unknown where anything in it is.

use super::scope::Scope;
use super::types::{Node, Value};
use crate::audit::unit::Address;
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
    /// The logarithm, or the power of two, of a number that has none.
    #[error("{0} has no logarithm")]
    Logarithm(i128),
    /// An address that cannot be one.
    #[error("{0} is no address")]
    NoAddress(i128),
    /// Memory that could not be read.
    #[error("{0}")]
    Unreadable(ReadError),
    /// Bytes that were not captured.
    #[error("{len} bytes at {at} were not captured")]
    NotCaptured {
        /// From where.
        at: Address,
        /// How many.
        len: usize,
    },
    /// More loads than one evaluation may do.
    #[error("more than {} loads", super::MOST_LOADS)]
    TooManyLoads,
    /// A name that stands for nothing here, such as an argument that was not captured.
    #[error("a value is not at hand here")]
    NotGiven,
}

pub(super) fn eval(_node: &Node, _scope: &Scope, _memory: &dyn Memory) -> Result<Value, Unknown> {
    todo!()
}
