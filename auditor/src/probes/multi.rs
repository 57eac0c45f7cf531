//! `uprobe_multi` links (Linux 6.6 and later), which aya 0.14 cannot make: its loader cannot set the
//! `expected_attach_type` that they ask for at load time. Worth a module of raw bpf(2) because a
//! multi link detaches in 30 ms where a perf link takes 110 ms, serially; because after a kill -9 of
//! the agent the target is clean in 6 ms instead of 300; and because it needs CAP_BPF and
//! CAP_PERFMON instead of CAP_SYS_ADMIN.
//!
//! Struct layouts come from aya-obj's bindings of `include/uapi/linux/bpf.h`; nothing is pinned.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use aya_obj::Object;
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_insn, bpf_prog_type};

use super::object::{LoadError, OBJECT};

/// `BPF_TRACE_UPROBE_MULTI` of `enum bpf_attach_type`.
const TRACE_UPROBE_MULTI: u32 = 48;
/// `BPF_F_UPROBE_MULTI_RETURN`.
const RETURN: u32 = 1;

/// The two halves of the hook, loaded for multi links.
#[derive(Debug)]
pub(super) struct Programs {
    entry: OwnedFd,
    returns: OwnedFd,
}

/// Room for the verifier's log.
const LOG_BYTES: usize = 4 << 20;
/// How much of its end goes into an error.
const LOG_LINES: usize = 12;

/// One site of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// Offset in the file.
    pub(super) offset: u64,
    /// What the program finds its spec by.
    pub(super) cookie: u64,
}

/// At the site itself or at the function's return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// At the site.
    Entry,
    /// At the return of the function that starts there.
    Return,
}

/// Loads both halves against maps that exist already.
///
/// # Errors
/// [`LoadError::Bpf`] with `EINVAL` where the kernel is older than 6.6.
pub(super) fn load(maps: &[(String, RawFd)]) -> Result<Programs, LoadError> {
    let damaged = |error: &dyn std::fmt::Display| LoadError::Damaged(error.to_string());
    let mut object = Object::parse(OBJECT).map_err(|error| damaged(&error))?;
    let definitions = mem::take(&mut object.maps);
    let found = maps.iter().filter_map(|(name, fd)| Some((name.as_str(), *fd, definitions.get(name)?)));
    let text = object.functions.keys().map(|(section, _)| *section).collect();
    object.relocate_maps(found, &text).map_err(|error| damaged(&error))?;
    object.relocate_calls(&text).map_err(|error| damaged(&error))?;
    let (entry, returns) = side_by_side(
        || load_program(&object, auditor_ebpf::program::HOOK),
        || load_program(&object, auditor_ebpf::program::HOOK_RETURN),
    );
    Ok(Programs { entry: entry?, returns: returns? })
}

/// The verifier takes 10 to 20 ms for each half; it can look at both at once.
fn side_by_side<T: Send>(one: impl FnOnce() -> T + Send, other: impl FnOnce() -> T) -> (T, T) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), other)
    })
}

fn load_program(object: &Object, name: &'static str) -> Result<OwnedFd, LoadError> {
    let program = object.programs.get(name).ok_or(LoadError::Missing(name))?;
    let function = object.functions.get(&program.function_key()).ok_or(LoadError::Missing(name))?;
    let instructions: &[bpf_insn] = &function.instructions;
    let mut attr = zeroed();
    attr.__bindgen_anon_3.prog_type = bpf_prog_type::BPF_PROG_TYPE_KPROBE as u32;
    attr.__bindgen_anon_3.expected_attach_type = TRACE_UPROBE_MULTI;
    attr.__bindgen_anon_3.insns = instructions.as_ptr() as u64;
    attr.__bindgen_anon_3.insn_cnt = instructions.len() as u32;
    attr.__bindgen_anon_3.license = program.license.as_ptr() as u64;
    bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr).or_else(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Err(LoadError::Bpf { what: "program load", error }),
        _ => load_with_log(&mut attr, name),
    })
}

/// Loads once more with a log, since a log makes loading slower.
fn load_with_log(attr: &mut bpf_attr, name: &'static str) -> Result<OwnedFd, LoadError> {
    let mut log = vec![0; LOG_BYTES];
    attr.__bindgen_anon_3.log_level = 1;
    attr.__bindgen_anon_3.log_buf = log.as_mut_ptr() as u64;
    attr.__bindgen_anon_3.log_size = log.len() as u32;
    bpf(bpf_cmd::BPF_PROG_LOAD, attr).map_err(|error| LoadError::Verifier {
        name,
        error,
        log: last_lines(&log),
    })
}

fn last_lines(log: &[u8]) -> String {
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.trim_end_matches('\0').trim_end().lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ")
}

impl Programs {
    /// Attaches one half to sites of one file, for one process only.
    ///
    /// # Errors
    /// What bpf(2) says.
    pub(super) fn attach(&self, half: Half, path: &CString, sites: &[Site], pid: u32) -> io::Result<OwnedFd> {
        let offsets: Vec<u64> = sites.iter().map(|site| site.offset).collect();
        let cookies: Vec<u64> = sites.iter().map(|site| site.cookie).collect();
        let program = if half == Half::Entry { &self.entry } else { &self.returns };
        let mut attr = zeroed();
        // SAFETY: a union of plain integers; all its bits are zero.
        let link = unsafe { &mut attr.link_create };
        link.__bindgen_anon_1.prog_fd = program.as_raw_fd() as u32;
        link.attach_type = TRACE_UPROBE_MULTI;
        // SAFETY: a union of plain integers; all its bits are zero.
        let multi = unsafe { &mut link.__bindgen_anon_3.uprobe_multi };
        multi.path = path.as_ptr() as u64;
        multi.offsets = offsets.as_ptr() as u64;
        multi.cookies = cookies.as_ptr() as u64;
        multi.cnt = sites.len() as u32;
        multi.flags = if half == Half::Return { RETURN } else { 0 };
        multi.pid = pid;
        bpf(bpf_cmd::BPF_LINK_CREATE, &mut attr)
    }
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of structs of plain integers, for which zero is valid.
    unsafe { mem::zeroed() }
}

/// One call of bpf(2) that returns a file descriptor.
fn bpf(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    // SAFETY: `attr` is whole, and what it points to outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_long, attr, size_of::<bpf_attr>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}
