//! The calls of bpf(2) that aya does not offer on their own. Struct layouts are aya-obj's bindings of
//! `include/uapi/linux/bpf.h`; nothing is pinned.

use std::ffi::{CStr, CString};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use aya_obj::Function;
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_prog_type};

/// `BPF_TRACE_UPROBE_MULTI` and `BPF_TRACE_FEXIT` of `enum bpf_attach_type`.
const TRACE_UPROBE_MULTI: u32 = 48;
const TRACE_FEXIT: u32 = 25;
/// `BPF_F_UPROBE_MULTI_RETURN`.
const RETURN: u32 = 1;

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// `uprobe_multi` links (Linux 6.6 and later).
    Multi,
    /// A raw tracepoint.
    Tracepoint,
    /// The return of a function of the kernel, by its number in the kernel's BTF.
    Return(u32),
}

/// A program to be loaded.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub(super) name: &'a str,
    pub(super) usage: Use,
    pub(super) function: &'a Function,
    pub(super) license: &'a CStr,
    /// The types that its functions are described by, if any.
    pub(super) types: Option<BorrowedFd<'a>>,
}

/// One site of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// Offset in the file.
    pub(super) offset: u64,
    /// What the program finds its spec by.
    pub(super) cookie: u64,
    /// Offset in the file of a u16 that the kernel raises while the link lives.
    pub(super) semaphore: Option<u64>,
}

/// At the site itself or at the function's return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    /// At the site.
    Entry,
    /// At the return of the function that starts there.
    Return,
}

/// Loads a program. The verifier writes into `log` unless it is empty, which makes it slower.
///
/// # Errors
/// What the kernel says; `EINVAL` for [`Use::Multi`] where it is older than 6.6.
pub(super) fn load_program(program: &Program<'_>, log: &mut [u8]) -> io::Result<OwnedFd> {
    let functions = program.function.func_info.func_info_bytes();
    let mut attr = zeroed();
    // SAFETY: a union of plain integers; all its bits are zero.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    let (kind, attach) = match program.usage {
        Use::Multi => (bpf_prog_type::BPF_PROG_TYPE_KPROBE, TRACE_UPROBE_MULTI),
        Use::Tracepoint => (bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT, 0),
        Use::Return(function) => {
            load.attach_btf_id = function;
            (bpf_prog_type::BPF_PROG_TYPE_TRACING, TRACE_FEXIT)
        }
    };
    load.prog_type = kind as u32;
    load.expected_attach_type = attach;
    load.insns = program.function.instructions.as_ptr() as u64;
    load.insn_cnt = program.function.instructions.len() as u32;
    load.license = program.license.as_ptr() as u64;
    // The last byte stays zero.
    let room = load.prog_name.len() - 1;
    for (to, from) in load.prog_name[..room].iter_mut().zip(program.name.bytes()) {
        *to = from.cast_signed();
    }
    if let Some(types) = program.types {
        load.prog_btf_fd = types.as_raw_fd() as u32;
        load.func_info = functions.as_ptr() as u64;
        load.func_info_cnt = program.function.func_info.len() as u32;
        load.func_info_rec_size = program.function.func_info_rec_size as u32;
    }
    if !log.is_empty() {
        load.log_level = 1;
        load.log_buf = log.as_mut_ptr() as u64;
        load.log_size = log.len() as u32;
    }
    descriptor(bpf_cmd::BPF_PROG_LOAD, &mut attr)
}

/// Loads the types of an object.
///
/// # Errors
/// What the kernel says.
pub(super) fn load_types(types: &[u8]) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    // SAFETY: a union of plain integers; all its bits are zero.
    let load = unsafe { &mut attr.__bindgen_anon_7 };
    load.btf = types.as_ptr() as u64;
    load.btf_size = types.len() as u32;
    descriptor(bpf_cmd::BPF_BTF_LOAD, &mut attr)
}

/// Writes the one value of a map and lets nobody write it again. The verifier takes it for a constant
/// then.
///
/// # Errors
/// What the kernel says.
pub(super) fn freeze(map: BorrowedFd<'_>, value: &[u8]) -> io::Result<()> {
    let key = 0_u32;
    let mut attr = zeroed();
    // SAFETY: a union of plain integers; all its bits are zero.
    let element = unsafe { &mut attr.__bindgen_anon_2 };
    element.map_fd = map.as_raw_fd() as u32;
    element.key = &raw const key as u64;
    element.__bindgen_anon_1.value = value.as_ptr() as u64;
    call(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr)?;
    let mut attr = zeroed();
    attr.__bindgen_anon_2.map_fd = map.as_raw_fd() as u32;
    call(bpf_cmd::BPF_MAP_FREEZE, &mut attr).map(drop)
}

/// Attaches a program to a raw tracepoint.
///
/// # Errors
/// What the kernel says.
pub(super) fn open_tracepoint(program: BorrowedFd<'_>, name: &str) -> io::Result<OwnedFd> {
    let name = CString::new(name)?;
    let mut attr = zeroed();
    attr.raw_tracepoint.name = name.as_ptr() as u64;
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    descriptor(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)
}

/// Attaches a program to the return that it was loaded for ([`Use::Return`]).
///
/// # Errors
/// What the kernel says.
pub(super) fn open_return(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    descriptor(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)
}

/// Links a program to sites of one file, for one process only.
///
/// # Errors
/// What the kernel says.
pub(super) fn link_multi(
    program: &OwnedFd,
    half: Half,
    path: &CStr,
    sites: &[Site],
    pid: u32,
) -> io::Result<OwnedFd> {
    let offsets: Vec<u64> = sites.iter().map(|site| site.offset).collect();
    let cookies: Vec<u64> = sites.iter().map(|site| site.cookie).collect();
    let semaphores: Vec<u64> = sites.iter().map(|site| site.semaphore.unwrap_or(0)).collect();
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
    multi.ref_ctr_offsets = semaphores.as_ptr() as u64;
    multi.cnt = sites.len() as u32;
    multi.flags = if half == Half::Return { RETURN } else { 0 };
    multi.pid = pid;
    descriptor(bpf_cmd::BPF_LINK_CREATE, &mut attr)
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of structs of plain integers, for which zero is valid.
    unsafe { mem::zeroed() }
}

/// A call that returns a file descriptor.
fn descriptor(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = call(command, attr)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<RawFd> {
    // SAFETY: `attr` is whole, and what it points to outlives the call.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command as libc::c_long, attr, size_of::<bpf_attr>()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer as RawFd) }
}
