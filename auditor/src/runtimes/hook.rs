//! What a runtime asks of the kernel side: where to look and what to capture. `probes::plan` turns
//! hooks into placements or refusals; the wire's `Spec` is what becomes of a placed one.

use crate::audit::fact::StackId;
use crate::audit::unit::Nanos;

/// Which capture of a hook of writes is the number of the goroutine, or of what else a runtime has in place
/// of threads.
pub const WRITER: usize = 1;

/// One place to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What it is called in reports; unique within its instance.
    pub name: &'static str,
    /// The function.
    pub symbol: String,
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
    /// What to capture, at most [`auditor_ebpf::CAPTURES`].
    pub captures: Vec<Capture>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which capture.
    pub capture: usize,
    /// The smallest value that passes.
    pub at_least: u64,
    /// The largest value that passes.
    pub at_most: u64,
    /// What is not told because of it, in words for the report; `None`: nothing that anybody would miss.
    pub leaves_out: Option<&'static str>,
}

impl Filter {
    /// Lets values from `at_least` on pass.
    #[must_use]
    pub const fn from(capture: usize, at_least: u64, leaves_out: Option<&'static str>) -> Self {
        Self { capture, at_least, at_most: u64::MAX, leaves_out }
    }

    /// Lets one value pass.
    #[must_use]
    pub const fn only(capture: usize, value: u64) -> Self {
        Self { capture, at_least: value, at_most: value, leaves_out: None }
    }
}

/// Where a captured value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// One of [`auditor_ebpf::source`].
    pub source: u32,
    /// Offsets added before each load; at most [`auditor_ebpf::STEPS`].
    pub steps: &'static [i64],
    /// Bytes of the last load: 1, 2, 4 or 8.
    pub width: u32,
}

impl Capture {
    /// The value of a register.
    #[must_use]
    pub const fn register(source: u32) -> Self {
        Self { source, steps: &[], width: 8 }
    }

    /// What is in memory behind a register.
    #[must_use]
    pub const fn load(source: u32, steps: &'static [i64], width: u32) -> Self {
        Self { source, steps, width }
    }
}

/// One hit, as it comes from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
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
