//! The object in the kernel. `code.rs` brings it there where hooks are linked by multi links; aya does
//! where they are linked by perf links, which are its own, and where the programs' diagnostics are
//! wanted, which only its loader gives.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};

use aya::Ebpf;
use aya::maps::Map;
use aya::programs::{RawTracePoint, UProbe};
use aya_log::EbpfLogger;

use super::bpf::{self, Use};
use super::code::{self, Code, Maps};
use super::events::{KernelEvent, Way};
use super::kernel::Multi;
use super::object::{self, LoadError, Log, Settings, fd_of};
use crate::audit::unit::Bytes;
use auditor_ebpf::program;

/// The programs' own diagnostics, on their way to the log.
pub(super) type Diagnostics = EbpfLogger<&'static dyn log::Log>;

/// The object in the kernel.
pub(super) struct Loaded {
    pub(super) programs: Programs,
    pub(super) maps: Maps,
    /// What the maps take.
    pub(super) memory: Bytes,
    pub(super) diagnostics: Option<Diagnostics>,
}

/// The programs. Those of kernel events are loaded one by one when they are attached, so that one
/// that the kernel refuses does not take the others with it.
pub(super) struct Programs {
    loader: Loader,
    pub(super) hook: Hook,
}

enum Loader {
    /// We.
    Own(Box<Code>),
    /// aya, and we for what it cannot load without decoding all of the kernel's types once more.
    Aya(Ebpf, Box<Code>),
}

/// The hook program, in the form that this kernel takes.
pub(super) enum Hook {
    /// For multi links: both halves.
    Multi { entry: OwnedFd, returns: OwnedFd },
    /// For perf links.
    Perf,
}

/// Brings the object into the kernel.
///
/// # Errors
/// [`LoadError`] when the kernel refuses.
pub(super) fn load(settings: &Settings, multi: Multi) -> Result<Loaded, LoadError> {
    if multi == Multi::Allowed && settings.log == Log::Off {
        match by_ourselves(settings) {
            Err(error) if is_too_old(&error) => {}
            loaded => return loaded,
        }
    }
    by_aya(settings, multi)
}

fn by_ourselves(settings: &Settings) -> Result<Loaded, LoadError> {
    let (code, maps) = code::load(settings)?;
    let hook = Hook::multi(&code)?;
    let memory = memory_of(maps.values());
    let programs = Programs { loader: Loader::Own(Box::new(code)), hook };
    Ok(Loaded { programs, maps, memory, diagnostics: None })
}

fn by_aya(settings: &Settings, multi: Multi) -> Result<Loaded, LoadError> {
    let mut ebpf = object::load(settings)?;
    let code = Box::new(Code::against(ebpf.maps())?);
    let hook = match multi {
        Multi::Allowed => Hook::multi(&code),
        Multi::Forbidden => Hook::perf(&mut ebpf),
    };
    let hook = hook.or_else(|error| {
        if !is_too_old(&error) {
            return Err(error);
        }
        log::info!("no uprobe_multi links on this kernel, perf links instead");
        Hook::perf(&mut ebpf)
    })?;
    let memory = memory_of(ebpf.maps().map(|(_, map)| map));
    // Before the maps are taken: it takes its own itself.
    let diagnostics = (settings.log == Log::Debug).then(|| diagnostics(&mut ebpf)).flatten();
    let names: Vec<String> = ebpf.maps().map(|(name, _)| name.to_owned()).collect();
    let maps = names.into_iter().filter_map(|name| Some((name.clone(), ebpf.take_map(&name)?))).collect();
    let programs = Programs { loader: Loader::Aya(ebpf, code), hook };
    Ok(Loaded { programs, maps, memory, diagnostics })
}

fn diagnostics(ebpf: &mut Ebpf) -> Option<Diagnostics> {
    EbpfLogger::init(ebpf).map_err(|error| log::warn!("no diagnostics of the BPF programs: {error}")).ok()
}

/// A kernel before 6.6 does not know what multi links are for.
fn is_too_old(error: &LoadError) -> bool {
    matches!(error, LoadError::Bpf { error, .. } if error.kind() == io::ErrorKind::InvalidInput)
}

/// The sum of `memlock` over the maps' fdinfo.
fn memory_of<'a>(maps: impl Iterator<Item = &'a Map>) -> Bytes {
    Bytes(maps.filter_map(|map| memlock(fd_of(map)?)).sum())
}

fn memlock(map: BorrowedFd<'_>) -> Option<u64> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("memlock:"))?.trim().parse().ok()
}

impl Hook {
    fn multi(code: &Code) -> Result<Self, LoadError> {
        let entry = code.load(program::HOOK, Use::Multi)?;
        let returns = code.load(program::HOOK_RETURN, Use::Multi)?;
        Ok(Self::Multi { entry, returns })
    }

    fn perf(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        for name in [program::HOOK, program::HOOK_RETURN] {
            let loaded = uprobe(ebpf, name)?.load();
            loaded.map_err(|error| LoadError::Program { name, error: Box::new(error) })?;
        }
        Ok(Self::Perf)
    }
}

fn uprobe<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut UProbe, LoadError> {
    let found = ebpf.program_mut(name).ok_or(LoadError::Missing(name))?;
    found.try_into().map_err(|error| LoadError::Program { name, error: Box::new(error) })
}

impl Programs {
    /// One half of the hook, for perf links.
    ///
    /// # Errors
    /// [`LoadError::Missing`] where hooks are linked by multi links.
    pub(super) fn uprobe(&mut self, name: &'static str) -> Result<&mut UProbe, LoadError> {
        match &mut self.loader {
            Loader::Own(_) => Err(LoadError::Missing(name)),
            Loader::Aya(ebpf, _) => uprobe(ebpf, name),
        }
    }

    /// Loads and attaches the program of a kernel event: to the returns of those functions where the
    /// kernel takes that for all of them, else to the tracepoint.
    ///
    /// # Errors
    /// [`LoadError`] when the kernel refuses it.
    pub(super) fn attach(
        &mut self,
        event: &KernelEvent,
        functions: &[u32],
    ) -> Result<(Way, Vec<OwnedFd>), LoadError> {
        if !functions.is_empty() {
            match self.attach_to_returns(event, functions) {
                Ok(links) => return Ok((Way::Returns, links)),
                Err(error) => log::debug!("{}: a raw tracepoint instead, since {error}", event.program),
            }
        }
        Ok((Way::Tracepoint, vec![self.attach_to_tracepoint(event)?]))
    }

    fn attach_to_returns(&self, event: &KernelEvent, functions: &[u32]) -> Result<Vec<OwnedFd>, LoadError> {
        let (Loader::Own(code) | Loader::Aya(_, code)) = &self.loader;
        let attach = |&function| {
            let program = code.load(event.program, Use::Return(function))?;
            let link = bpf::open_return(program.as_fd());
            link.map_err(|error| LoadError::Bpf { what: "attaching to a return", error })
        };
        functions.iter().map(attach).collect()
    }

    fn attach_to_tracepoint(&mut self, event: &KernelEvent) -> Result<OwnedFd, LoadError> {
        let link = match &mut self.loader {
            Loader::Own(code) => {
                let program = code.load(event.program, Use::Tracepoint)?;
                bpf::open_tracepoint(program.as_fd(), event.tracepoint)
            }
            Loader::Aya(ebpf, _) => bpf::open_tracepoint(loaded_by_aya(ebpf, event)?, event.tracepoint),
        };
        link.map_err(|error| LoadError::Bpf { what: "raw tracepoint", error })
    }
}

fn loaded_by_aya<'a>(ebpf: &'a mut Ebpf, event: &KernelEvent) -> Result<BorrowedFd<'a>, LoadError> {
    let refused = |error| LoadError::Program { name: event.program, error: Box::new(error) };
    let found = ebpf.program_mut(event.program).ok_or(LoadError::Missing(event.program))?;
    let program: &mut RawTracePoint = found.try_into().map_err(refused)?;
    program.load().map_err(refused)?;
    program.fd().map(|fd| fd.as_fd()).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_old_kernel_says_is_taken_for_its_age() {
        let of = |kind: io::ErrorKind| LoadError::Bpf { what: "program load", error: kind.into() };
        assert!(is_too_old(&of(io::ErrorKind::InvalidInput)));
        assert!(!is_too_old(&of(io::ErrorKind::PermissionDenied)));
        assert!(!is_too_old(&LoadError::NoObject));
    }
}
