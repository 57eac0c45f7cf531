//! The last look: the headers of all watched maps of a process, copied while its memory still
//! stands. What polling saw last would be up to an interval old.

use core::ffi::c_void;

use auditor_ebpf::{LookRecord, Watch, WatchKey, counter, kind};
use aya_ebpf::helpers::generated::bpf_for_each_map_elem;

use crate::emit;
use crate::maps::WATCHES;
use crate::send::copy;

/// Copies the header of every watched map of `pid`.
#[inline(always)]
pub(crate) fn at_exit(pid: u32) {
    let mut pid = pid;
    // SAFETY: a hash map, a callback of the signature that the helper documents, and its context,
    // which outlives the call.
    unsafe {
        bpf_for_each_map_elem(
            (&raw const WATCHES).cast_mut().cast(),
            look as *mut c_void,
            (&raw mut pid).cast(),
            0,
        )
    };
}

/// One watched map; 0 goes on to the next.
extern "C" fn look(_map: *mut c_void, key: *const WatchKey, watch: *const Watch, pid: *const u32) -> i64 {
    // SAFETY: the helper gives a key that stays valid during the call.
    let key = unsafe { &*key };
    // SAFETY: the helper gives a value that stays valid during the call.
    let watch = unsafe { &*watch };
    // SAFETY: the context is the caller's local.
    let pid = unsafe { *pid };
    if key.pid == u64::from(pid) {
        emit::emit::<LookRecord>(|record| fill(record, key, watch, pid));
    }
    0
}

#[inline(always)]
fn fill(record: *mut LookRecord, key: &WatchKey, watch: &Watch, pid: u32) {
    // SAFETY: `record` points to a reserved record of that type.
    let read = copy(unsafe { &raw mut (*record).bytes }, watch.len, key.map);
    // SAFETY: as above.
    let header = unsafe { &raw mut (*record).header };
    // SAFETY: `header` points into the reserved record.
    unsafe { header.write(emit::header(kind::LOOK, pid, emit::now())) };
    // SAFETY: `record` is as above; every field is written before it is read.
    unsafe { (*record).map = key.map };
    // SAFETY: as above.
    unsafe { (*record).tag = watch.tag };
    // SAFETY: as above.
    unsafe { (*record).len = if read { watch.len } else { 0 } };
    if !read {
        emit::count(counter::LOOK_FAILED);
    }
}
