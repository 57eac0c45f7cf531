//! How long a run took, on the wall and on the CPUs.

use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// A time on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Instant,
    cpu: Duration,
}

impl Clock {
    /// Now.
    pub(crate) fn now() -> Self {
        Self { wall: Instant::now(), cpu: cpu_time() }
    }

    /// Nanoseconds of wall and of CPU time, of all threads, since then.
    pub(crate) fn elapsed(self) -> (u64, u64) {
        let cpu = cpu_time().saturating_sub(self.cpu);
        (self.wall.elapsed().as_nanos() as u64, cpu.as_nanos() as u64)
    }
}

/// CPU time of this process since its birth; 0 where the kernel does not say.
fn cpu_time() -> Duration {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` is room for the one value that is written.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, time.as_mut_ptr()) };
    // SAFETY: all zeros is a valid `timespec`, and the call writes nothing or all of it.
    let time = unsafe { time.assume_init() };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
