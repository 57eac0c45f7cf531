//! What a map looks like. No IO: a runtime sees a [`Module`] (a mapped file) and a [`Memory`].
//!
//! Each runtime has three files: `detect.rs` (is it here, which version, by what evidence),
//! `hooks.rs` (where to look, what is captured), `layout.rs` (bytes to [`Shape`]). A runtime adds
//! rows to [`RUNTIMES`]; it never adds kernel code.

pub mod census;
pub mod demo;
pub mod described;
pub mod go;
pub mod hook;
pub mod ranges;
pub mod together;

use std::fmt::Debug;

use crate::audit::fact::{self, Fact, Shape, Sizes, SizesId, What};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::target::memory::{Memory, ReadError};
use crate::target::module::{Module, Symbol};
use census::Census;
use hook::{Hit, Hook};
use ranges::Ranges;

/// A kind of hash map that the auditor knows.
pub trait Runtime: Debug + Send + Sync {
    /// Its name in reports and in `--runtime`.
    fn name(&self) -> &str;

    /// What it covers, in one line for `auditor profiles`.
    fn about(&self) -> &str;

    /// Whether this mapped file holds it. `None`: it does not.
    fn recognise(&self, module: &Module, memory: &dyn Memory) -> Option<Recognised>;
}

/// A runtime that is there, or why one that is there cannot be audited.
pub type Recognised = Result<Box<dyn Instance>, Unusable>;

/// Why a runtime that was recognised cannot be audited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// In words.
    pub why: String,
    /// Its file was stripped of names, which another file may have.
    pub is_stripped: bool,
}

impl Unusable {
    /// For another reason than names.
    #[must_use]
    pub fn because(why: impl ToString) -> Self {
        Self { why: why.to_string(), is_stripped: false }
    }
}

/// A runtime as found in one process.
pub trait Instance: Debug + Send {
    /// What was recognised, for the report: one runtime, or those that are looked at together.
    fn found(&self) -> Vec<fact::Runtime>;

    /// The name of the runtime whose map that is.
    fn runtime_of(&self, map: Address) -> &str;

    /// Where to look. Names are unique within the instance.
    fn hooks(&self) -> Vec<Hook>;

    /// How many bytes at a map's address [`Instance::look`] needs; at most
    /// [`auditor_ebpf::LOOK_BYTES`].
    fn header_len(&self) -> usize;

    /// The same of one map that is known.
    fn header_len_of(&self, _map: Address) -> usize {
        self.header_len()
    }

    /// Whether an evacuation's progress can be read from memory, so that polling will do.
    fn evacuation_is_readable(&self) -> bool;

    /// The same in another process, one that came of this one by fork or the other way round and has the same files
    /// at the same places; what was learnt of this process is not in it. `None`: it is to be recognised there.
    fn afresh(&self) -> Option<Box<dyn Instance>> {
        None
    }

    /// What the process was started with: `NAME=VALUE` of each variable, ended by a zero byte. Told before
    /// [`Instance::check`], where it can be read.
    fn started_with(&mut self, _environment: &str) {}

    /// Checks the layout on this process before any number of it is shown.
    ///
    /// # Errors
    /// [`LayoutError`] names the check that failed.
    fn check(&mut self, memory: &dyn Memory) -> Result<(), LayoutError>;

    /// Every map that exists now; those that hold less than `fold_below` may be told of as crowds. Bounded in time
    /// and memory whatever the target holds.
    ///
    /// # Errors
    /// [`LayoutError`] when the target's own lists cannot be followed.
    fn census(&mut self, fold_below: Bytes, memory: &dyn Memory) -> Result<Census, LayoutError>;

    /// What a map looks like, from the bytes at its address and what they lead to. `memory` is `None`
    /// when there are the bytes alone.
    ///
    /// # Errors
    /// [`LayoutError`] when the bytes cannot be a map, or do not suffice: nothing of it may be reported.
    fn look(&self, map: Address, header: &[u8], memory: Option<&dyn Memory>) -> Result<Shape, LayoutError>;

    /// Where a map's memory is, from the bytes at its address and what they lead to. Bounded as [`ranges::MOST`]
    /// says. `None`: not known, or it is being changed just now.
    fn ranges(&self, _map: Address, _header: &[u8], _memory: &dyn Memory) -> Option<Ranges> {
        None
    }

    /// How maps of a kind that [`Shape::sizes`] names are sized; `None`: there is no such kind.
    fn sizes(&self, _id: SizesId) -> Option<Sizes> {
        None
    }

    /// Where the managed heap is, as far as the last census has seen it; `None`: there is none.
    fn heap(&self) -> Option<Vec<(Address, Bytes)>> {
        None
    }

    /// Whether [`Instance::look`] can do with the bytes alone.
    fn header_suffices(&self) -> bool;

    /// Where a function is that the symbol table does not tell of.
    fn function(&self, module: &Module, name: &str) -> Option<Symbol>;

    /// The name the map bears in the target.
    fn name_of(&self, map: Address, header: &[u8], memory: &dyn Memory) -> Option<String>;

    /// What a hit of the hook of that name means: tells it into `told`, in the order in which it happened.
    /// `None`: the hit cannot be understood. Nothing told: it means nothing.
    fn decode(&mut self, hook: &str, hit: &Hit, memory: &dyn Memory, told: &mut Vec<What>) -> Option<()>;

    /// The target gave an address range back.
    fn unmapped(&mut self, _at: Nanos, _range: (Address, Bytes)) {}

    /// What `count` hits of a counting hook with that key mean.
    fn decode_count(&self, hook: &str, key: u64, count: u64) -> Option<What>;

    /// Whether hooks tell of births and deaths. Where they do not, a census does, again and again.
    fn births_are_told(&self) -> bool {
        true
    }

    /// How long a map that lives may look as none does, while its program rebuilds it in one go.
    fn looks_wrong_for(&self) -> Nanos {
        Nanos(0)
    }

    /// Whether a map may have fewer slots than before. Where none ever does, one that has is another map.
    fn maps_shrink(&self) -> bool {
        true
    }

    /// Hooks of every write to one map, with the writer at [`hook::WRITER`]; none: nobody can tell.
    fn writers(&self, _map: Address) -> Vec<Hook> {
        Vec::new()
    }

    /// What else is to be told at each interval, such as a heap's counters.
    fn pulse(&mut self, _now: Moment, _memory: &dyn Memory) -> Vec<Fact> {
        Vec::new()
    }

    /// The functions at an address of code, innermost first, where the runtime knows them without a
    /// symbol table.
    fn frames(&self, _at: Address) -> Option<Vec<String>> {
        None
    }
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// CLOCK_BOOTTIME, the clock of all facts.
    pub at: Nanos,
    /// Nanoseconds since the Unix epoch.
    pub wall: u64,
}

/// Why bytes are not what a layout says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// A check failed.
    #[error("{what} at {at}: {check}")]
    Check {
        /// What was looked at, such as `the map header`.
        what: &'static str,
        /// Where.
        at: Address,
        /// Which check, with the value that failed it.
        check: String,
    },
    /// It could not be read.
    #[error("{what}: {error}")]
    Unreadable {
        /// What was looked at.
        what: &'static str,
        /// Why.
        error: ReadError,
    },
}

/// Every runtime, in the order in which they are tried.
pub const RUNTIMES: &[&dyn Runtime] = &[&demo::Demo, &go::instance::GoBucket, &go::instance::GoSwiss];
