//! Call stacks of the target.

use auditor_ebpf::counter;
use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::BPF_F_USER_STACK;
use aya_ebpf::helpers::generated::bpf_get_stackid;
use aya_ebpf::maps::StackTrace;
use aya_ebpf::programs::ProbeContext;

use crate::emit;
use crate::maps::{SPARE_STACKS, STACKS};

/// What `bpf_get_stackid` says where the place that a stack's hash gives it is taken by another stack.
const EEXIST: i64 = 17;

/// The user stack's id, from [`auditor_ebpf::STACKS`] on one of the spare map, or the negative errno.
#[inline(always)]
pub(crate) fn of(context: &ProbeContext) -> i64 {
    let mut id = walk(context, &STACKS);
    if id == -EEXIST {
        let spare = walk(context, &SPARE_STACKS);
        id = if spare < 0 { spare } else { spare + i64::from(auditor_ebpf::STACKS) };
    }
    if id < 0 {
        emit::count(counter::STACK_FAILED);
    }
    id
}

#[inline(always)]
fn walk(context: &ProbeContext, stacks: &'static StackTrace) -> i64 {
    // SAFETY: the context as it came, and a map of the type that the helper takes.
    unsafe {
        bpf_get_stackid(
            context.as_ptr(),
            core::ptr::from_ref(stacks).cast_mut().cast(),
            u64::from(BPF_F_USER_STACK),
        )
    }
}
