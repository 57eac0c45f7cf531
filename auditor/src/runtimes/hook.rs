//! What a runtime asks of the kernel side: where to look and what to capture. `probes::plan` turns
//! hooks into placements or refusals; the wire's `Spec` is what becomes of a placed one.

use std::borrow::Cow;

use crate::audit::fact::StackId;
use crate::audit::unit::Nanos;
use crate::target::module::Symbol;
use auditor_ebpf::STEPS;

/// Which capture of a hook of writes is the number of the goroutine, or of what else a runtime has in place
/// of threads.
pub const WRITER: usize = 1;

/// One place to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What it is called in reports; unique within its instance.
    pub name: Name,
    /// Where to look.
    pub spot: Spot,
    /// At the entry only, or with the return.
    pub when: When,
    /// How often it can be expected to fire.
    pub heat: Heat,
    /// Whether each hit is sent, or hits are counted per key in the kernel.
    pub does: Does,
    /// Whether the call stack is wanted.
    pub stack: Stack,
    /// Which capture is the map's address.
    pub key: usize,
    /// Whether the map is to be looked at when the process exits.
    pub watch: Watch,
    /// Whether the map's header comes with each hit.
    pub header: Header,
    /// Drop hits in the kernel by a capture's value.
    pub filter: Option<Filter>,
    /// What a capture that cannot be read means.
    pub nulls: Nulls,
    /// What to capture, at most [`auditor_ebpf::CAPTURES`].
    pub captures: Vec<Capture>,
}

/// A hook's name.
pub type Name = Cow<'static, str>;

/// Where a hook is to sit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// At the function of that name.
    Function(String),
    /// At a function that the runtime has found itself, by what people are to call it.
    Found(String, Symbol),
    /// At one instruction of such a function, so many bytes from its beginning.
    Amid(String, Symbol, u64),
    /// At the instruction of a static probe, whatever function that is in; the program reaches it while the u16 at
    /// that offset of the file is not 0, which the kernel sees to where there is one.
    Static(String, Symbol, Option<u64>),
    /// Nowhere: what was looked for, and why it is not there, with what would help.
    Missing(String, String),
}

impl Spot {
    /// Where in the file what switches a static probe on is.
    #[must_use]
    pub const fn semaphore(&self) -> Option<u64> {
        if let Self::Static(.., semaphore) = self { *semaphore } else { None }
    }

    /// What was looked for, for people.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self {
            Self::Function(name)
            | Self::Found(name, _)
            | Self::Amid(name, ..)
            | Self::Static(name, ..)
            | Self::Missing(name, _) => name,
        }
    }
}

/// At the entry only, or with the return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// At the entry.
    Entry,
    /// The captures are taken at the entry, the hit is sent at the return. Only for runtimes whose
    /// stacks never move (never Go).
    EntryAndReturn,
}

/// How often a hook can be expected to fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heat {
    /// O(log n) times for n entries.
    Rare,
    /// O(n) times for n entries: evacuation steps. Polled instead, where polling will do.
    Hot,
    /// At every write. For a moment, and only where somebody asked for it.
    Asked,
}

/// What a hit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// It is sent.
    Send,
    /// It is counted per key in the kernel and read at each tick.
    Count,
}

/// Whether the call stack is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// Yes.
    Take,
    /// No.
    Leave,
}

/// Whether the map is to be looked at when the process exits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Yes.
    AtExit,
    /// No, or another hook sees to it.
    No,
}

/// Whether the map's header comes with each hit: [`super::Instance::header_len`] bytes at the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Yes, as it is when the hit is sent.
    Copy,
    /// No.
    No,
}

/// Drops hits in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which capture.
    pub capture: usize,
    /// The smallest value that passes.
    pub at_least: u64,
    /// The largest value that passes.
    pub at_most: u64,
    /// What is not told because of it, in words for the report; `None`: nothing that anybody would miss.
    pub leaves_out: Option<Name>,
}

impl Filter {
    /// Lets values from `at_least` on pass.
    #[must_use]
    pub fn from(capture: usize, at_least: u64, leaves_out: Option<&'static str>) -> Self {
        Self { capture, at_least, at_most: u64::MAX, leaves_out: leaves_out.map(Cow::Borrowed) }
    }

    /// Lets one value pass.
    #[must_use]
    pub const fn only(capture: usize, value: u64) -> Self {
        Self { capture, at_least: value, at_most: value, leaves_out: None }
    }
}

/// Where a captured value is: a register, then loads from memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// One of [`auditor_ebpf::source`].
    pub source: u32,
    /// How many loads there are.
    pub loads: usize,
    /// What is added before each of them.
    pub offsets: [i64; STEPS],
    /// Bytes of the last load: 1, 2, 4 or 8.
    pub width: u32,
    /// What is added at the end.
    pub added: i32,
    /// When it is taken.
    pub taken: Taken,
}

/// When a capture is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// At the entry.
    AtEntry,
    /// At the return, of [`When::EntryAndReturn`]; then it starts from the first capture or from `%rax`.
    AtReturn,
}

/// Whether pointers that lead nowhere are something to wonder at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// A capture that cannot be read is a loss.
    Lose,
    /// It is what it is: the hit says which could not be read.
    Expect,
}

impl Capture {
    /// The value of a register.
    #[must_use]
    pub const fn register(source: u32) -> Self {
        Self { source, loads: 0, offsets: [0; STEPS], width: 8, added: 0, taken: Taken::AtEntry }
    }

    /// What is in memory behind a register.
    #[must_use]
    pub const fn load(source: u32, steps: &[i64], width: u32) -> Self {
        let mut capture = Self { width, ..Self::register(source) };
        while capture.loads < steps.len() && capture.loads < STEPS {
            capture.offsets[capture.loads] = steps[capture.loads];
            capture.loads += 1;
        }
        capture
    }

    /// The same with something added at the end.
    #[must_use]
    pub const fn plus(self, added: i32) -> Self {
        Self { added, ..self }
    }

    /// The same, taken at the return.
    #[must_use]
    pub const fn at_return(self) -> Self {
        Self { taken: Taken::AtReturn, ..self }
    }
}

/// One hit, as it comes from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// When; with [`When::EntryAndReturn`] at the return.
    pub at: Nanos,
    /// The captures, in the hook's order.
    pub values: [u64; auditor_ebpf::CAPTURES],
    /// Bit n: capture n could not be read.
    pub failed: u32,
    /// The return value, with [`When::EntryAndReturn`].
    pub returned: Option<u64>,
    /// From entry to return.
    pub took: Option<Nanos>,
    /// The call stack.
    pub stack: Option<StackId>,
    /// The map's header, with [`Header::Copy`] and where it could be read.
    pub header: Option<[u8; auditor_ebpf::LOOK_BYTES]>,
}

impl Hit {
    /// Capture `index`, or `None` when it could not be read.
    #[must_use]
    pub fn value(&self, index: usize) -> Option<u64> {
        if self.failed & (1 << index) != 0 {
            return None;
        }
        self.values.get(index).copied()
    }
}
