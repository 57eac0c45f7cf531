//! A profile as it is written: the keys of each table, with their places. What they mean, `read.rs` says.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::vocabulary::{Event, LabelKind, Moves, Returns, When};

#[cfg(test)]
use schemars::JsonSchema;

/// A string with its place.
pub(super) type Text = Spanned<String>;
/// Names with what stands beside them, each with its place.
pub(super) type Rows<T> = BTreeMap<Text, Spanned<T>>;

macro_rules! table {
    ($(#[$doc:meta])* $Name:ident { $($(#[$field:meta])* $key:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Deserialize, Debug)]
        #[cfg_attr(test, derive(JsonSchema))]
        #[serde(deny_unknown_fields)]
        pub(super) struct $Name { $($(#[$field])* pub(super) $key: $kind,)* }
    };
}

table! {
    /// A hash map, described for the auditor: docs/profiles.md.
    File {
        /// What it is.
        profile: Head,
        /// In which files it is found.
        target: Target,
        /// Numbers with names: integers, or expressions over constants before them.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "BTreeMap<String, Number>"))]
        constants: Rows<Number>,
        /// What is read of a map: expressions over `self`, constants and fields before them.
        #[cfg_attr(test, schemars(with = "BTreeMap<String, Number>"))]
        fields: Rows<Number>,
        /// What the fields mean: expressions over fields and metrics before them.
        #[cfg_attr(test, schemars(with = "super::schema::Metrics"))]
        metrics: Rows<Number>,
        /// How it grows.
        sizes: Option<Sizes>,
        /// What a map is called.
        label: Option<Label>,
        /// What must hold, in words, with the condition.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
        check: Rows<String>,
        /// What is to be known of maps for which the condition holds, in words.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "BTreeMap<String, String>"))]
        note: Rows<String>,
        /// What tells one map from another.
        identity: Option<Identity>,
        /// Where something happens to a map.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Vec<Probe>"))]
        probe: Vec<Spanned<Probe>>,
        /// Where maps are that exist already.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Vec<Root>"))]
        root: Vec<Spanned<Root>>,
        /// Large tables are mappings of their own.
        free_by_munmap: Option<FreeByMunmap>,
    }
}

table! {
    /// What a profile is.
    Head {
        /// What reports and --runtime call it: a to z, 0 to 9, hyphen, underscore, dot.
        #[cfg_attr(test, schemars(with = "String", regex(pattern = r"^[a-z0-9_.-]{1,40}$")))]
        name: Text,
        /// What it covers, in one line.
        #[cfg_attr(test, schemars(with = "String"))]
        about: Text,
        /// Which versions, for people.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        versions: Option<Text>,
        /// How entries move when it grows.
        moves: Moves,
        /// When its memory comes back.
        returns: Returns,
        /// How to get its memory back.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        remedy: Option<Text>,
        /// Where more is written.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        guide: Option<Text>,
    }
}

table! {
    /// In which files a map is found.
    Target {
        /// A regular expression for the path of a mapped file.
        #[cfg_attr(test, schemars(with = "String"))]
        file: Text,
        /// All of these symbols are in it.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Vec<String>"))]
        symbols: Vec<Text>,
        /// None of these is.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Vec<String>"))]
        absent: Vec<Text>,
        /// Its build id is one of these.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Vec<String>"))]
        build_id: Vec<Text>,
        /// What gives the symbols where they are stripped.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        help: Option<Text>,
    }
}

table! {
    /// How a map grows: forecasts, `needed` and what-if come from it.
    Sizes {
        /// Slots of the first table.
        #[cfg_attr(test, schemars(with = "Number"))]
        first: Spanned<Number>,
        /// Slots after a growth, from `slots`, and from `live`, the entries that ask for it.
        #[cfg_attr(test, schemars(with = "String"))]
        next: Text,
        /// Entries that a table of `slots` holds before it asks for the next.
        #[cfg_attr(test, schemars(with = "String"))]
        live: Text,
        /// Bytes of a table of `slots`.
        #[cfg_attr(test, schemars(with = "String"))]
        bytes: Text,
        /// Most slots that are believed.
        #[cfg_attr(test, schemars(with = "Option<Number>"))]
        most: Option<Spanned<Number>>,
        /// Bytes of a key with its value in a table, where they lie there.
        #[cfg_attr(test, schemars(with = "Option<Number>"))]
        slot: Option<Spanned<Number>>,
        /// Bytes that each entry takes by itself, such as a node of a chain.
        #[cfg_attr(test, schemars(with = "Option<Number>"))]
        entry: Option<Spanned<Number>>,
    }
}

table! {
    /// What a map is called.
    Label {
        /// What `expr` leads to.
        kind: LabelKind,
        /// An address; of the kind `text` the name itself; of the kind `type` none.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        expr: Option<Text>,
    }
}

table! {
    /// What tells one map from another.
    Identity {
        /// `map`: its header stays where it is. `table`: the header moves, the table does not.
        by: By,
        /// The table's address, for `table`.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        key: Option<Text>,
    }
}

table! {
    /// A place where something happens to a map.
    Probe {
        /// What happens.
        event: Event,
        /// Where.
        #[cfg_attr(test, schemars(with = "At"))]
        at: Spanned<At>,
        /// Which map: a chain of loads from an argument, a register or `ret`; or { symbol = "..." } for the only
        /// one there is.
        #[serde(rename = "self")]
        #[cfg_attr(test, schemars(with = "Own"))]
        own: Spanned<Own>,
        /// At the entry only, or with the return.
        #[cfg_attr(test, schemars(with = "Option<When>"))]
        when: Option<Spanned<When>>,
        /// Hits for smaller maps are dropped in the kernel.
        min: Option<Minimum>,
        /// Hits for maps of which this is not so mean nothing.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        only: Option<Text>,
        /// Buckets after a growth.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        to: Option<Text>,
        /// Buckets before it.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        from: Option<Text>,
        /// The table in question.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        table: Option<Text>,
        /// Its bytes.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        bytes: Option<Text>,
    }
}

table! {
    /// A place in the code: `symbol`, `regex`, `usdt`, `offset`, `callee_of` with `nth`, or `symbol` with `call`.
    At {
        /// A function, also under the suffixes that compilers add.
        symbol: Option<String>,
        /// Every function whose demangled name matches.
        regex: Option<String>,
        /// A USDT probe: provider:name.
        usdt: Option<String>,
        /// An offset in the file.
        offset: Option<u64>,
        /// The build id of the file that `offset` is for.
        build_id: Option<String>,
        /// What this function calls.
        callee_of: Option<String>,
        /// The site in `symbol` where this is called.
        call: Option<String>,
        /// Which of several calls, from 0.
        nth: Option<u32>,
    }
}

table! {
    /// A filter by size.
    Minimum {
        /// A field that is a chain of loads.
        #[cfg_attr(test, schemars(with = "String"))]
        field: Text,
        /// The smallest value that passes.
        value: u64,
    }
}

table! {
    /// Where maps are that exist already.
    Root {
        /// An object in the file; `sym` is its address.
        #[cfg_attr(test, schemars(with = "String"))]
        symbol: Text,
        /// Arrays, trees and lists, one within the other; `it` is the element.
        #[serde(default)]
        #[cfg_attr(test, schemars(with = "Vec<Level>"))]
        each: Vec<Spanned<Level>>,
        /// The nodes of a tree or a list alone; `it` is the node.
        #[cfg_attr(test, schemars(with = "Option<Tree>"))]
        tree: Option<Spanned<Tree>>,
        /// Addresses of maps; 0 is none.
        #[cfg_attr(test, schemars(with = "Vec<String>"))]
        map: Spanned<Vec<Text>>,
        /// What it leads to is in memory that processes which came of one by fork share: told of once.
        #[serde(default)]
        shared: bool,
    }
}

table! {
    /// One level: an array, with `count` and `stride`, or a tree or list, with `child`, `next` or both.
    Level {
        /// Where it begins; 0 is nowhere.
        #[cfg_attr(test, schemars(with = "String"))]
        base: Text,
        /// How many elements an array has.
        #[cfg_attr(test, schemars(with = "Option<Number>"))]
        count: Option<Spanned<Number>>,
        /// Bytes from one to the next.
        #[cfg_attr(test, schemars(with = "Option<u64>"))]
        stride: Option<Spanned<u64>>,
        /// The first child of a node; 0 is none.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        child: Option<Text>,
        /// The next sibling of a node; 0 is none.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        next: Option<Text>,
    }
}

table! {
    /// A tree or a list.
    Tree {
        /// The first node; 0 is none.
        #[cfg_attr(test, schemars(with = "String"))]
        base: Text,
        /// A node's first child; 0 is none.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        child: Option<Text>,
        /// A node's next sibling; 0 is none.
        #[cfg_attr(test, schemars(with = "Option<String>"))]
        next: Option<Text>,
    }
}

table! {
    /// Large tables are mappings of their own: a munmap is the end of one.
    FreeByMunmap {
        /// From how many bytes on.
        at_least: u64,
    }
}

/// A number, or an expression for one.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged, expecting = "this must be an integer or an expression in quotes")]
pub(super) enum Number {
    Whole(i64),
    Text(String),
}

/// Which map.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged, expecting = "this must be an expression in quotes, or { symbol = \"...\" }")]
pub(super) enum Own {
    Text(String),
    Object(Object),
}

/// An object of the file.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Object {
    pub(super) symbol: String,
}

/// What tells one map from another.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    Map,
    Table,
}
