//! The yardstick: a program of two instructions, `r0 = 0; exit`, linked by `uprobe_multi` as the hook
//! is. What it costs is what the kernel takes for any probe at all. Raw bpf(2), because aya 0.14
//! cannot make such a link and the auditor's own object holds only what the auditor needs.

use std::ffi::CString;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;

use anyhow::{Context as _, Result};
use auditor::probes::plan::Placement;
use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_prog_type};

/// `BPF_TRACE_UPROBE_MULTI` of `enum bpf_attach_type`.
const TRACE_UPROBE_MULTI: u32 = 48;
/// `BPF_F_UPROBE_MULTI_RETURN`.
const RETURN: u32 = 1;
/// `BPF_ALU64 | BPF_MOV | BPF_K` with destination 0 and immediate 0, then `BPF_JMP | BPF_EXIT`
/// (Linux, Documentation/bpf/standardization/instruction-set.rst).
const INSTRUCTIONS: [u64; 2] = [0xb7, 0x95];

/// The loaded program.
#[derive(Debug)]
pub(crate) struct Empty(OwnedFd);

impl Empty {
    /// Loads it.
    pub(crate) fn load() -> Result<Self> {
        let license = c"GPL";
        let mut attr = zeroed();
        attr.__bindgen_anon_3.prog_type = bpf_prog_type::BPF_PROG_TYPE_KPROBE as u32;
        attr.__bindgen_anon_3.expected_attach_type = TRACE_UPROBE_MULTI;
        attr.__bindgen_anon_3.insns = INSTRUCTIONS.as_ptr() as u64;
        attr.__bindgen_anon_3.insn_cnt = INSTRUCTIONS.len() as u32;
        attr.__bindgen_anon_3.license = license.as_ptr() as u64;
        let program = bpf(bpf_cmd::BPF_PROG_LOAD, &mut attr);
        Ok(Self(program.context("loading an empty program for uprobe_multi links (Linux 6.6)")?))
    }

    /// Attaches it where the hook would be, and for a pair at the return as well.
    pub(crate) fn attach(&self, placement: &Placement, pid: u32, pair: bool) -> Result<Vec<OwnedFd>> {
        let path = CString::new(placement.file.as_os_str().as_bytes())?;
        let flags: &[u32] = if pair { &[0, RETURN] } else { &[0] };
        let link = |flags: &u32| self.link(&path, placement.offset, pid, *flags);
        flags.iter().map(link).collect::<io::Result<_>>().context("linking the empty program")
    }

    fn link(&self, path: &CString, offset: u64, pid: u32, flags: u32) -> io::Result<OwnedFd> {
        let mut attr = zeroed();
        // SAFETY: a union of plain integers; all its bits are zero.
        let link = unsafe { &mut attr.link_create };
        link.__bindgen_anon_1.prog_fd = self.0.as_raw_fd() as u32;
        link.attach_type = TRACE_UPROBE_MULTI;
        // SAFETY: a union of plain integers; all its bits are zero.
        let multi = unsafe { &mut link.__bindgen_anon_3.uprobe_multi };
        multi.path = path.as_ptr() as u64;
        multi.offsets = (&raw const offset) as u64;
        multi.cnt = 1;
        multi.flags = flags;
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
