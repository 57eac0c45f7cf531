//! What the kernel side keeps instead of sending it: counts, calls that have not returned, maps to
//! look at when the process exits.

use auditor_ebpf::{Pending, PendingKey, STRANGE_HITS, Tally, TallyKey, Watch, WatchKey, counter};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;

use crate::config::FOLLOW;
use crate::maps::{HITS, PENDING, TALLIES, WATCHES};
use crate::{atomic, emit};

/// Counts a hit of a (hook, map) pair.
#[inline(always)]
pub(crate) fn tally(key: TallyKey) -> Option<()> {
    let now = emit::now();
    if let Some(tally) = TALLIES.get_ptr_mut(key) {
        // SAFETY: the pointer came from a lookup just now; entries are removed by the agent only
        // after the process has gone.
        let count = unsafe { &raw mut (*tally).count };
        // SAFETY: as above.
        unsafe { atomic::add(count, 1) };
        // SAFETY: as above; whichever store comes last is a time at which it moved.
        unsafe { (*tally).last = now };
        return Some(());
    }
    if TALLIES.insert(key, Tally { count: 1, last: now }, 0).is_err() {
        emit::count(counter::TALLY_FULL);
    }
    Some(())
}

/// Counts the hit of a process that is no target: it is let pass, but took its time all the same.
#[inline(always)]
pub(crate) fn strange(index: u32) -> Option<()> {
    if FOLLOW.load() == 1 {
        emit::add(HITS.get_ptr_mut(STRANGE_HITS + index));
    }
    None
}

/// Keeps a call until it returns.
#[inline(always)]
pub(crate) fn call(index: u32, call: &Pending) -> Option<()> {
    let key = PendingKey { pid_tgid: bpf_get_current_pid_tgid(), spec: u64::from(index) };
    if PENDING.insert(key, call, 0).is_err() {
        emit::count(counter::PENDING_FULL);
    }
    Some(())
}

/// Has a map's header copied when the process exits.
#[inline(always)]
pub(crate) fn watch(key: WatchKey, watch: Watch) {
    if WATCHES.get_ptr(key).is_none() && WATCHES.insert(key, watch, 0).is_err() {
        emit::count(counter::WATCH_FULL);
    }
}
