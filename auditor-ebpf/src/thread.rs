//! A program in a probe of user code is run by a thread that can be preempted in its midst, since Linux
//! 6.0; another thread of the same CPU may then run it, too.

use aya_ebpf::EbpfContext;

use crate::config::NEVER;
use crate::maps::NOWHERE;

/// Has the kernel run the program on the stack of its thread, and not on one of the CPU ("private
/// stack", 6.13 and later). It gives such a stack to programs for probes because it takes them to be
/// safe from running twice at a time on a CPU. In user code they are not: the second writes over what the
/// first has there, and the kernel follows a wrong pointer and crashes.
///
/// A program with a tail call keeps to the thread's stack (check_max_stack_depth() of
/// kernel/bpf/verifier.c, 6.13 to 7.3). This one is never made: the verifier looks for it first, then
/// sees that nothing leads to it, and removes it.
#[inline(always)]
pub(crate) fn stay_on_its_stack(context: &impl EbpfContext) {
    if NEVER.load() != 0 {
        // SAFETY: there is no program to go to.
        unsafe { NOWHERE.tail_call(context, 0) };
    }
}
