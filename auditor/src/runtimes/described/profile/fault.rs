//! What is wrong with a profile: line, column, a mark below it, and what to write instead.

use std::fmt;

/// What is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// In which line, from 1.
    pub line: usize,
    /// In which column it begins, from 1.
    pub column: usize,
    /// How many columns it takes, at least 1.
    pub width: usize,
    /// What is wrong.
    pub problem: String,
    /// What to write instead; may be empty.
    pub hint: String,
    /// The line, without what steers a terminal.
    pub source: String,
}

impl std::error::Error for ProfileError {}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}
