//! The words of a profile: events, metrics, policies. Each is listed once, with what it means.

use serde::Deserialize;

use crate::runtimes::described::expression::Type;

macro_rules! words {
    ($(#[$doc:meta])* $Name:ident { $($(#[doc = $about:literal])* $Word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum $Name { $($(#[doc = $about])* $Word,)* }

        impl $Name {
            /// All of them, as they are written, with what they mean.
            pub const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$Word, $text, concat!($($about),*)),)*];

            /// As it is written.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$Word => $text,)* }
            }

            /// What is written so.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().find(|(_, known, _)| *known == text).map(|(word, _, _)| *word)
            }
        }
    };
}

words! {
    /// How entries move when a map grows.
    Moves {
        /// a few at each operation: both tables are held meanwhile
        Incremental = "incremental",
        /// one bucket splits at a time: there is no old table
        Linear = "linear",
        /// all within the call that grows
        AtOnce = "at_once",
    }
}

words! {
    /// When a map gives memory back.
    Returns {
        /// when entries are deleted
        OnDelete = "on_delete",
        /// when the program looks after its maps from time to time
        ByCron = "by_cron",
        /// when the next insert rebuilds it
        AtInsert = "at_insert",
        /// when it is cleared
        OnClear = "on_clear",
        /// not before it is dropped
        Never = "never",
    }
}

words! {
    /// What happens at a probe.
    Event {
        /// a map is born
        Create = "create",
        /// tables before and after tell what happened: first, double, same_size, shrink, other, or nothing
        Resize = "resize",
        /// a growth starts; `to` says how many buckets
        Grow = "grow",
        /// an old table is let go
        TableFreed = "table_freed",
        /// all entries are taken out
        Clear = "clear",
        /// the map dies
        Dropped = "dropped",
        /// memory for more elements is asked for
        Elements = "elements",
    }
}

words! {
    /// When a probe looks.
    When {
        /// at the entry
        Entry = "entry",
        /// at the entry and at the return, told as one event with both
        Both = "both",
    }
}

words! {
    /// What a label's expression leads to.
    LabelKind {
        /// an object of the file: its name
        Symbol = "symbol",
        /// a C string: its text
        Cstr = "cstr",
        /// nothing: the type in the demangled name of the probed function
        Type = "type",
        /// nothing: `expr` is the name itself
        Text = "text",
    }
}

words! {
    /// What can be said of a map, what matters most first.
    Metric {
        /// entries that a lookup could find
        Live = "live",
        /// buckets of the current table
        Buckets = "buckets",
        /// slots of the current table; without it: `buckets`
        Capacity = "capacity",
        /// address of the current table, 0: none
        Table = "table",
        /// bytes of the current table; without it: by `[sizes]`
        TableBytes = "table_bytes",
        /// address of the old table while it evacuates, 0: none
        OldTable = "old_table",
        /// bytes of the old table
        OldBytes = "old_bytes",
        /// bytes of the map's own header, as allocated; without it: 0
        Header = "header",
        /// bytes of entries that are allocated one by one; without it: 0
        Entries = "entries",
        /// bytes of entries, with keys and values, that the map counts and something else holds; without it: 0
        Behind = "behind",
        /// all bytes the map holds; without it: header, tables and entries
        Allocated = "allocated",
        /// old buckets moved
        Moved = "moved",
        /// old buckets in all, 0: nothing moves
        Total = "total",
        /// slots that are empty but may not be reused freely
        Tombstones = "tombstones",
        /// overflow buckets in use
        Overflow = "overflow",
        /// bytes for the live entries in a map just rebuilt; without it: by `[sizes]`
        Needed = "needed",
        /// whether the map says of itself that it is dropped
        Dropped = "dropped",
    }
}

impl Metric {
    /// Without which nothing can be said.
    pub(super) const REQUIRED: &'static [(Self, &'static str)] = &[
        (Self::Live, "live = the entries that a lookup could find"),
        (Self::Buckets, "buckets = those of the current table"),
    ];

    /// What says nothing without another.
    pub(super) const TOGETHER: &'static [(Self, Self)] =
        &[(Self::Moved, Self::Total), (Self::Total, Self::Moved), (Self::OldTable, Self::OldBytes)];

    /// Of what type it is.
    #[must_use]
    pub const fn kind(self) -> Type {
        match self {
            Self::Dropped => Type::Bool,
            _ => Type::Int,
        }
    }
}
