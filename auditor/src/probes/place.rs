//! Puts one hook into a target and takes it out again. What goes where was decided in `plan.rs`.

use std::ffi::CString;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeLink, UProbeScope};

use super::bpf::{self, Half, Site};
use super::decode::Plain;
use super::kernel::Kernel;
use super::object::{LoadError, Reach};
use super::plan::{NO_SEMAPHORE, Placement};
use super::programs::Hook;
use crate::audit::unit::{Address, Pid};
use crate::runtimes::hook::{Capture, Does, Header, Nulls, Stack, Taken, Watch, When};
use auditor_ebpf::{CAPTURES, STEPS, Spec, flag, map, mode, program, source};

/// Why a hook could not be placed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The spec could not be written.
    #[error(transparent)]
    Spec(#[from] LoadError),
    /// The kernel refuses the link.
    #[error("the kernel refuses a probe at {path}+{offset:#x}: {error}")]
    Link {
        /// File.
        path: String,
        /// Offset in it.
        offset: u64,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// Nothing would switch it on.
    #[error("{NO_SEMAPHORE}")]
    Semaphore,
    /// The same, through aya.
    #[error("the kernel refuses a probe at {path}+{offset:#x}: {error}")]
    Perf {
        /// File.
        path: String,
        /// Offset in it.
        offset: u64,
        /// Why.
        #[source]
        error: Box<aya::programs::ProgramError>,
    },
}

/// What holds a hook in place. Dropping it takes the hook out and waits until no CPU runs it: 30 ms
/// for a multi link, 110 ms for a perf link.
#[derive(Debug)]
pub enum Links {
    /// One link for each half.
    Multi(Vec<OwnedFd>),
    /// One link for each half.
    Perf(Vec<UProbeLink>),
    /// A kernel event: one link, or one for each function that tells of it.
    Event(Vec<OwnedFd>),
}

impl Kernel {
    /// Puts a hook into a process, or for a family into the file. It sees nothing before [`Kernel::follow`].
    ///
    /// # Errors
    /// [`PlaceError`] when the kernel refuses; nothing is left behind then.
    pub fn place(&mut self, placement: &Placement, pid: Pid) -> Result<(), PlaceError> {
        let only = (self.reach == Reach::One).then_some(pid);
        self.specs
            .set(placement.id, Plain(spec(placement)), 0)
            .map_err(|error| LoadError::Map { name: map::SPECS, error: Box::new(error) })?;
        let links = match &self.programs.hook {
            Hook::Multi { entry, returns } => {
                let program = |half| if half == Half::Entry { entry } else { returns };
                link_multi(program, placement, only)?
            }
            // It would be taken for a probe that never fires.
            Hook::Perf if placement.hook.spot.semaphore().is_some() => return Err(PlaceError::Semaphore),
            Hook::Perf => self.link_perf(placement, only)?,
        };
        self.links.insert(placement.id, links);
        self.sites.insert((placement.address, placement.id));
        Ok(())
    }

    /// Whether a hook sits at that address already, so that memory does not have the bytes of the file there.
    #[must_use]
    pub fn sits_at(&self, at: Address) -> bool {
        self.sites.range((at, 0)..=(at, u32::MAX)).next().is_some()
    }

    /// Takes a hook out. Dropping what is returned blocks: do it off the event loop.
    pub fn remove(&mut self, id: u32) -> Option<Links> {
        self.sites.retain(|(_, placed)| *placed != id);
        self.links.remove(&id)
    }

    /// Takes all hooks out, side by side: each waits for its own grace period.
    pub fn remove_all(&mut self) {
        let links = std::mem::take(&mut self.links);
        std::thread::scope(|scope| {
            for (_, link) in links {
                scope.spawn(move || drop(link));
            }
        });
    }

    fn link_perf(&mut self, placement: &Placement, only: Option<Pid>) -> Result<Links, PlaceError> {
        let mut links = Vec::new();
        for name in halves(placement.hook.when).iter().map(|half| program_of(*half)) {
            let refused = |error| PlaceError::Perf {
                path: placement.file.display().to_string(),
                offset: placement.offset,
                error: Box::new(error),
            };
            let hook = self.programs.uprobe(name)?;
            let point = UProbeAttachPoint {
                location: UProbeAttachLocation::AbsoluteOffset(placement.offset),
                cookie: Some(u64::from(placement.id)),
            };
            let only = only.map(|pid| NonZeroU32::new(pid.0));
            let scope = match only {
                None => UProbeScope::AllProcesses,
                Some(pid) => pid.map_or(UProbeScope::CallingProcess, UProbeScope::OneProcess),
            };
            let id = hook.attach(point, &placement.file, scope).map_err(refused)?;
            links.push(hook.take_link(id).map_err(refused)?);
        }
        Ok(Links::Perf(links))
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.remove_all();
    }
}

fn link_multi<'a>(
    program: impl Fn(Half) -> &'a OwnedFd,
    placement: &Placement,
    only: Option<Pid>,
) -> Result<Links, PlaceError> {
    let semaphore = placement.hook.spot.semaphore();
    let site = Site { offset: placement.offset, cookie: u64::from(placement.id), semaphore };
    let refused = |error| PlaceError::Link {
        path: placement.file.display().to_string(),
        offset: placement.offset,
        error,
    };
    let path = c_path(&placement.file).map_err(refused)?;
    let attach =
        |half: &Half| bpf::link_multi(program(*half), *half, &path, &[site], only.map_or(0, |pid| pid.0));
    let links: Result<_, _> = halves(placement.hook.when).iter().map(attach).collect();
    Ok(Links::Multi(links.map_err(refused)?))
}

const fn halves(when: When) -> &'static [Half] {
    match when {
        When::Entry => &[Half::Entry],
        When::EntryAndReturn => &[Half::Entry, Half::Return],
    }
}

const fn program_of(half: Half) -> &'static str {
    match half {
        Half::Entry => program::HOOK,
        Half::Return => program::HOOK_RETURN,
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|nul| io::Error::new(io::ErrorKind::InvalidInput, nul))
}

/// What the kernel side is told about a hook.
fn spec(placement: &Placement) -> Spec {
    let hook = &placement.hook;
    let on = |condition: bool, flag: u32| if condition { flag } else { 0 };
    let filter = hook.filter.as_ref();
    let late = |bits, (index, capture): (usize, &Capture)| match capture.taken {
        Taken::AtReturn => bits | 1 << index,
        Taken::AtEntry => bits,
    };
    let mut capture = [NOTHING; CAPTURES];
    for (slot, wanted) in capture.iter_mut().zip(&hook.captures) {
        *slot = wire_capture(wanted);
    }
    Spec {
        mode: if hook.does == Does::Count { mode::COUNT } else { mode::SEND },
        flags: on(hook.stack == Stack::Take, flag::STACK)
            | on(hook.when == When::EntryAndReturn, flag::PAIR)
            | on(hook.watch == Watch::AtExit, flag::WATCH)
            | on(hook.header == Header::Copy, flag::HEADER)
            | on(hook.nulls == Nulls::Expect, flag::LENIENT)
            | on(placement.skip_if_below, flag::SKIP_IF_BELOW),
        captures: hook.captures.len().min(CAPTURES) as u32,
        key: hook.key as u32,
        filter: filter.map_or(u32::MAX, |filter| filter.capture as u32),
        header_len: placement.header_len,
        at_least: filter.map_or(0, |filter| filter.at_least),
        at_most: filter.map_or(u64::MAX, |filter| filter.at_most),
        late: hook.captures.iter().enumerate().fold(0, late),
        capture,
    }
}

const NOTHING: auditor_ebpf::Capture = auditor_ebpf::Capture {
    source: source::NONE,
    steps: 0,
    widths: [8; STEPS],
    added: 0,
    offsets: [0; STEPS],
};

fn wire_capture(capture: &Capture) -> auditor_ebpf::Capture {
    let steps = capture.loads.min(STEPS);
    let mut widths = [8; STEPS];
    if let Some(last) = steps.checked_sub(1) {
        widths[last] = capture.width as u8;
    }
    let Capture { source, offsets, added, .. } = *capture;
    auditor_ebpf::Capture { source, steps: steps as u32, widths, added, offsets }
}
