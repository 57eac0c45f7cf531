//! An atomic addition. The BPF target has the instruction (`lock *(u64 *)(r1 + 0) += r2`) but, having
//! no compare-and-swap in its baseline, core hides `AtomicU64::fetch_add` on it.

/// Adds to a value that other CPUs add to as well.
///
/// # Safety
/// `value` points to a live, aligned u64.
#[cfg(target_arch = "bpf")]
#[inline(always)]
pub(crate) unsafe fn add(value: *mut u64, what: u64) {
    use core::intrinsics::{AtomicOrdering, atomic_xadd};
    // SAFETY: as the caller promises.
    unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(value, what) };
}

/// The same on the host, where the programs are only linted.
///
/// # Safety
/// `value` points to a live, aligned u64.
#[cfg(not(target_arch = "bpf"))]
pub(crate) unsafe fn add(value: *mut u64, what: u64) {
    use core::sync::atomic::{AtomicU64, Ordering};
    // SAFETY: as the caller promises.
    unsafe { AtomicU64::from_ptr(value) }.fetch_add(what, Ordering::Relaxed);
}
