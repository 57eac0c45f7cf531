//! The BPF object, embedded at build time, and the loading of its maps and programs.

use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};

use aya::maps::Map;
use aya::{Ebpf, EbpfLoader};

use super::host::KernelTypes;
use auditor_ebpf::global;

/// The object that `build.rs` put there.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/auditor.bpf.o"));

/// Why the kernel side could not be loaded. The texts name the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object or one of its maps.
    #[error("the kernel refuses the BPF object: {0}. {1}")]
    Object(#[source] Box<aya::EbpfError>, &'static str),
    /// A program.
    #[error("the kernel refuses the BPF program `{name}`: {error}")]
    Program {
        /// Its name.
        name: &'static str,
        /// Why.
        #[source]
        error: Box<aya::programs::ProgramError>,
    },
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
}

/// Whether the programs' own diagnostics are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// No: the statements are dead code to the verifier.
    Off,
    /// Yes, all.
    Debug,
}

/// Creates the maps. Programs are loaded one by one later, so that one that the kernel refuses does
/// not take the others with it.
pub(super) fn load(settings: &Settings) -> Result<Ebpf, LoadError> {
    if OBJECT.is_empty() {
        return Err(LoadError::NoObject);
    }
    let types = settings.types;
    let number = |pick: fn(&KernelTypes) -> u32| types.as_ref().map_or(0, pick);
    let rss_stat = number(|types| types.mm_rss_stat);
    let stride = number(|types| types.rss_stride);
    let value = number(|types| types.rss_value);
    let task_mm = number(|types| types.task_mm);
    let task_tgid = number(|types| types.task_tgid);
    let exit_before_mm = number(|types| u32::from(types.exit_before_mm));
    let oom_gives_task = number(|types| u32::from(types.oom_gives_task == Some(true)));
    let log: u8 = if settings.log == Log::Off { 0 } else { 4 };
    let loaded = EbpfLoader::new()
        .override_global(global::RSS_STEP, &settings.rss_step, true)
        .override_global(global::MM_RSS_STAT, &rss_stat, true)
        .override_global(global::RSS_STRIDE, &stride, true)
        .override_global(global::RSS_VALUE, &value, true)
        .override_global(global::TASK_MM, &task_mm, true)
        .override_global(global::TASK_TGID, &task_tgid, true)
        .override_global(global::PAGE_SHIFT, &settings.page_shift, true)
        .override_global(global::EXIT_BEFORE_MM, &exit_before_mm, true)
        .override_global(global::OOM_GIVES_TASK, &oom_gives_task, true)
        .override_global(aya_log::LEVEL, &log, false)
        .load(OBJECT)
        .map_err(|error| LoadError::Object(Box::new(error), remedy()));
    give_back_free_memory();
    loaded
}

/// aya's loader reads all of the kernel's types, whether they are wanted or not. That memory is free
/// again, but below what has been allocated since, so that malloc would keep it: half of what we hold.
fn give_back_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only tells the kernel of pages that hold nothing.
    unsafe {
        libc::malloc_trim(0)
    };
}

fn remedy() -> &'static str {
    "It needs CAP_BPF and CAP_PERFMON (or root), and a kernel of 5.8 or later with CONFIG_BPF_SYSCALL; \
     `auditor doctor` tells which is missing"
}

/// File descriptors of all maps, by name.
pub(super) fn map_fds(ebpf: &Ebpf) -> Vec<(String, RawFd)> {
    ebpf.maps().filter_map(|(name, map)| Some((name.to_owned(), fd_of(map)?))).collect()
}

/// The kinds of map that the object has.
fn fd_of(map: &Map) -> Option<RawFd> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::PerCpuArray(data)
        | Map::RingBuf(data)
        | Map::StackTraceMap(data) => Some(data.fd().as_fd().as_raw_fd()),
        _ => None,
    }
}
