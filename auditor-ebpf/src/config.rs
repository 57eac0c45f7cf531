//! Read-only globals that the loader sets before loading; names as in `auditor_ebpf::global`. The
//! verifier sees them as constants, so a branch that they switch off costs nothing.

use aya_ebpf::Global;

macro_rules! globals {
    ($($name:ident),* $(,)?) => { $(
        #[unsafe(no_mangle)]
        pub(crate) static $name: Global<u32> = Global::new(0);
    )* };
}

globals!(
    RSS_STEP,
    MM_RSS_STAT,
    RSS_STRIDE,
    RSS_VALUE,
    TASK_MM,
    TASK_TGID,
    TASK_FLAGS,
    PAGE_SHIFT,
    EXIT_BEFORE_MM,
    OOM_GIVES_TASK,
    FOLLOW,
);

/// Stays 0. The verifier knows that, the compiler does not.
#[unsafe(no_mangle)]
pub(crate) static NEVER: Global<u32> = Global::new(0);
