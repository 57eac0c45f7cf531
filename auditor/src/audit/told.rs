//! What hooks tell of maps: what they do not tell is not known, and what follows from silence depends
//! on whether anybody would have spoken.

use super::fact::Occasion;

/// What hooks tell.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Which tables and growths, by hooks that were in place at any time.
    pub(super) kinds: Kinds,
    /// Whether tables that are let go are told now.
    pub(super) frees: Frees,
}

/// Kinds of tables and growths that are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds {
    /// Tables asked for, and with them first tables.
    pub(super) allocated: bool,
    /// Tables let go.
    pub(super) freed: bool,
    /// Growths that are no splits.
    pub(super) grown: bool,
    /// Splits.
    pub(super) split: bool,
    /// Maps emptied at once.
    pub(super) cleared: bool,
    /// Every map's first table, and with it every birth.
    pub(super) births: bool,
}

/// Whether tables that are let go are seen. Where they are not, as under a garbage collector, a look
/// that shows no old table is the end of a growth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Frees {
    /// A hook tells of each.
    Seen,
    /// No hook does.
    #[default]
    Unseen,
}

/// Whether the ledger of tables is kept, so that a look at a map can be held against it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ledgers {
    /// Tables are told.
    Kept,
    /// No hook tells of any.
    Empty,
}

impl Told {
    /// Whether births are told.
    pub(super) const fn births(self) -> bool {
        self.kinds.births
    }

    /// Whether a look at a map says for sure which map lives there. What was read while hooks also tell
    /// of its death may be from before it, or after.
    pub(super) fn trusts(self, occasion: Occasion) -> bool {
        match occasion {
            Occasion::AtAttach | Occasion::AtExit => true,
            Occasion::Census => self.frees == Frees::Unseen,
            Occasion::Poll => false,
        }
    }

    /// Whether the ledgers are kept.
    pub(super) const fn ledgers(self) -> Ledgers {
        if self.kinds.births { Ledgers::Kept } else { Ledgers::Empty }
    }
}
