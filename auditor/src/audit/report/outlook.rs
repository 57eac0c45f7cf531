//! Whether memory comes back, as the report has it. How that is decided is `audit/verdict.rs`.

use serde::{Deserialize, Serialize};

use super::super::unit::{Bytes, Nanos};

/// What will become of memory, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is needed as it is.
    InUse,
    /// It is being given back.
    ComingBackNow,
    /// The next cycle of the collector frees it.
    AfterNextGc,
    /// The allocator keeps it.
    HeldByAllocator,
    /// It was left to the kernel, which has not taken it yet.
    LazilyFreed,
    /// Only a new map in place of this one frees it.
    StrandedUntilRebuilt,
    /// It would come back, but what brings it back has stopped.
    Stalled,
    /// Too little was seen to say.
    TooEarly,
}

impl Verdict {
    /// All there are, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::InUse,
        Self::ComingBackNow,
        Self::AfterNextGc,
        Self::HeldByAllocator,
        Self::LazilyFreed,
        Self::StrandedUntilRebuilt,
        Self::Stalled,
        Self::TooEarly,
    ];

    /// The word of the report.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InUse => "in_use",
            Self::ComingBackNow => "coming_back_now",
            Self::AfterNextGc => "after_next_gc",
            Self::HeldByAllocator => "held_by_allocator",
            Self::LazilyFreed => "lazily_freed",
            Self::StrandedUntilRebuilt => "stranded_until_rebuilt",
            Self::Stalled => "stalled",
            Self::TooEarly => "too_early",
        }
    }
}

/// What a verdict rests on, and what would overturn it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// What gives it back, or what keeps it.
    pub mechanism: String,
    /// How soon; `null`: not by itself, or nobody can say.
    pub expected_within: Option<Nanos>,
    /// How much that frees; `null`: nothing, or not known.
    pub frees: Option<Bytes>,
    /// What to look at, and what it would have to show for this to be wrong.
    pub disproof: String,
}
