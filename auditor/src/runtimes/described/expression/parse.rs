//! A text into nodes: precedence climbing, with types checked on the way.

use std::ops::Range;

use super::scope::Names;
use super::types::{Node, Type};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct Fault {
    /// Which bytes of the text.
    pub at: Range<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to write instead; may be empty.
    pub hint: String,
}

pub(super) fn parse(_text: &str, _names: &Names) -> Result<(Node, Type), Fault> {
    todo!()
}
