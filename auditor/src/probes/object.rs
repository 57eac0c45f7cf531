//! The BPF object, embedded at build time, what its programs are told, and why it may be refused.
//! `code.rs` loads it where the kernel has multi links, aya elsewhere.

use std::os::fd::{AsFd as _, BorrowedFd};

use aya::maps::Map;
use aya::{Ebpf, EbpfLoader};

use super::host::KernelTypes;
use crate::target::own;
use auditor_ebpf::global;

/// The object that `build.rs` put there.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/auditor.bpf.o"));

const REMEDY: &str = "It needs CAP_BPF and CAP_PERFMON (or root), and a kernel of 5.15 or later with \
    CONFIG_BPF_SYSCALL; `auditor doctor` tells which is missing";

/// Why the kernel side could not be loaded. The texts name the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object or one of its maps.
    #[error("the kernel refuses the BPF object: {0}. {REMEDY}")]
    Object(#[source] Box<aya::EbpfError>),
    /// A program.
    #[error("the kernel refuses the BPF program `{name}`: {error}")]
    Program {
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        error: Box<aya::programs::ProgramError>,
    },
    /// One of its maps.
    #[error("the kernel refuses a BPF map: {0}. {REMEDY}")]
    Create(#[source] Box<aya::maps::MapError>),
    /// A map or program that the object should hold.
    #[error("the BPF object does not hold `{0}`: it was built from other sources, run `cargo xtask build`")]
    Missing(&'static str),
    /// A map could not be opened.
    #[error("BPF map `{name}`: {error}")]
    Map {
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        error: Box<aya::maps::MapError>,
    },
    /// The ring could not be waited for.
    #[error("cannot wait for the ring buffer: {0}")]
    Ring(#[source] std::io::Error),
    /// A raw bpf(2) call.
    #[error("bpf(2) {what}: {error}")]
    Bpf {
        /// Which.
        what: &'static str,
        /// Why.
        #[source]
        error: std::io::Error,
    },
    /// The verifier refused a program that this module loads itself.
    #[error("the kernel refuses the BPF program `{name}`: {error}; the verifier says: {log}")]
    Verifier {
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        error: std::io::Error,
        /// The end of the verifier's log.
        log: String,
    },
    /// The object does not parse or relocate.
    #[error("the BPF object is damaged: {0}; run `cargo xtask build`")]
    Damaged(String),
    /// This build has no object.
    #[error("this auditor was built without its BPF object; run `cargo xtask build`")]
    NoObject,
}

/// What the programs are told before they are loaded.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// RSS changes smaller than this are not sent, in bytes.
    pub rss_step: u32,
    /// Offsets in kernel structures; `None`: the programs that need them are not attached.
    pub types: Option<KernelTypes>,
    /// log2 of the page size.
    pub page_shift: u32,
    /// Whether the programs' own diagnostics are wanted.
    pub log: Log,
    /// Which processes are seen.
    pub reach: Reach,
}

/// Which processes are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those that were named. A hook is placed into one process.
    One,
    /// Their children, too, from their first instruction on. A hook is placed into a file, so that others that
    /// run it pay for its traps as well.
    Family,
}

/// Whether the programs' own diagnostics are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// No: the statements are dead code to the verifier.
    Off,
    /// Yes, all.
    Debug,
}

impl Settings {
    /// The programs' read-only globals and their bytes.
    pub(super) fn globals(&self) -> Vec<(&'static str, Vec<u8>)> {
        let number = |pick: fn(&KernelTypes) -> u32| self.types.as_ref().map_or(0, pick);
        let numbers = [
            (global::RSS_STEP, self.rss_step),
            (global::MM_RSS_STAT, number(|types| types.mm_rss_stat)),
            (global::RSS_STRIDE, number(|types| types.rss_stride)),
            (global::RSS_VALUE, number(|types| types.rss_value)),
            (global::TASK_MM, number(|types| types.task_mm)),
            (global::TASK_TGID, number(|types| types.task_tgid)),
            (global::TASK_FLAGS, number(|types| types.task_flags)),
            (global::PAGE_SHIFT, self.page_shift),
            (global::EXIT_BEFORE_MM, number(|types| u32::from(types.exit_before_mm))),
            (global::OOM_GIVES_TASK, number(|types| u32::from(types.oom_gives_task == Some(true)))),
            (global::FOLLOW, u32::from(self.reach == Reach::Family)),
        ];
        let level: u8 = if self.log == Log::Off { 0 } else { 4 };
        let numbers = numbers.map(|(name, value)| (name, value.to_ne_bytes().to_vec()));
        numbers.into_iter().chain([(aya_log::LEVEL, vec![level])]).collect()
    }
}

/// Creates the maps with aya's loader. Programs are loaded one by one later, so that one that the
/// kernel refuses does not take the others with it.
pub(super) fn load(settings: &Settings) -> Result<Ebpf, LoadError> {
    if OBJECT.is_empty() {
        return Err(LoadError::NoObject);
    }
    let globals = settings.globals();
    let mut loader = EbpfLoader::new();
    for (name, value) in &globals {
        loader.override_global(name, value.as_slice(), true);
    }
    let loaded = loader.btf(None).load(OBJECT).map_err(|error| LoadError::Object(Box::new(error)));
    drop(loader);
    // aya's loader decodes the kernel's BTF whether it is asked to or not: 15 MB of small pieces.
    own::give_back();
    loaded
}

/// The descriptor of a map of one of the kinds that the object has.
pub(super) fn fd_of(map: &Map) -> Option<BorrowedFd<'_>> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::ProgramArray(data)
        | Map::RingBuf(data)
        | Map::StackTraceMap(data) => Some(data.fd().as_fd()),
        _ => None,
    }
}
