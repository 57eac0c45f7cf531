//! A reason to doubt a number, in words, and whether it turns totals into lower bounds.

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    /// For the report's notes.
    pub(super) words: String,
    /// Whether totals are lower bounds because of it.
    pub(super) lowers: bool,
}

impl Doubt {
    /// One that turns totals into lower bounds.
    pub(super) const fn lowering(words: String) -> Self {
        Self { words, lowers: true }
    }

    /// One that the reader should know of, and that hurts no total.
    pub(super) const fn remark(words: String) -> Self {
        Self { words, lowers: false }
    }
}
