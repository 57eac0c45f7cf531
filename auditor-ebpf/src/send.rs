//! Sends a hit of a hook.

use auditor_ebpf::{HookHeaderRecord, HookRecord, LOOK_BYTES, Pending, Spec, flag, kind};
use aya_ebpf::helpers::generated::bpf_probe_read_user;

use crate::emit;

/// Bit of `failed` that says that the header could not be copied.
const HEADER_FAILED: u32 = 1 << 31;

/// Sends a hit, with the map's header where the spec asks for it.
#[inline(always)]
pub(crate) fn send(spec: &Spec, index: u32, pid: u32, call: &Pending, returned: Option<u64>) {
    if spec.flags & flag::HEADER == 0 {
        // SAFETY: `record` points to a reserved record of that type.
        emit::emit::<HookRecord>(|record| unsafe {
            record.write(hit(kind::HOOK, index, pid, call, returned))
        });
        return;
    }
    let key = key_of(spec, call);
    emit::emit::<HookHeaderRecord>(|record| {
        // SAFETY: `record` points to a reserved record of that type.
        let hook = unsafe { &raw mut (*record).hook };
        // SAFETY: as above.
        let bytes = unsafe { &raw mut (*record).bytes };
        let mut filled = hit(kind::HOOK_HEADER, index, pid, call, returned);
        if !copy(bytes, spec.header_len, key) {
            filled.failed |= HEADER_FAILED;
        }
        // SAFETY: `hook` points into the reserved record.
        unsafe { hook.write(filled) };
    });
}

#[inline(always)]
fn hit(kind: u32, index: u32, pid: u32, call: &Pending, returned: Option<u64>) -> HookRecord {
    let at = if returned.is_some() { emit::now() } else { call.at };
    HookRecord {
        header: emit::header(kind, pid, at),
        spec: index,
        failed: call.failed as u32,
        stack: call.stack,
        caller: call.caller,
        took: at - call.at,
        returned: returned.unwrap_or(0),
        values: call.values,
    }
}

/// Copies `len` bytes of the target's memory; the rest is zero.
#[inline(always)]
pub(crate) fn copy(into: *mut [u8; LOOK_BYTES], len: u32, from: u64) -> bool {
    // SAFETY: `into` points to that many bytes of a reserved record.
    unsafe { into.write([0; LOOK_BYTES]) };
    let len = if len > LOOK_BYTES as u32 { LOOK_BYTES as u32 } else { len };
    // SAFETY: the length is at most the size of `into`; the helper checks the source.
    unsafe { bpf_probe_read_user(into.cast(), len, from as *const _) == 0 }
}

/// The value of the key capture.
#[inline(always)]
pub(crate) fn key_of(spec: &Spec, call: &Pending) -> u64 {
    call.values.get(spec.key as usize).copied().unwrap_or(0)
}
