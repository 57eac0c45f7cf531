//! What the auditor itself costs: its CPU time and its RSS.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

use crate::audit::unit::{Bytes, Nanos};

/// Reads our own cost, again and again.
#[derive(Debug)]
pub struct Own {
    statm: File,
    page: u64,
}

/// Our cost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnCost {
    /// CPU time of all our threads, user and kernel.
    pub cpu: Nanos,
    /// Our RSS now; on kernels from 6.2 on up to 64 pages times CPUs stale.
    pub rss: Bytes,
}

impl Own {
    /// Opens `/proc/self/statm`.
    ///
    /// # Errors
    /// As opening does.
    pub fn open() -> io::Result<Self> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.unwrap_or(4096);
        Ok(Self { statm: File::open("/proc/self/statm")?, page: page.cast_unsigned() })
    }

    /// Our cost so far. About 5 µs.
    ///
    /// # Errors
    /// As reading does.
    pub fn read(&self) -> io::Result<OwnCost> {
        let mut text = [0; 128];
        let len = self.statm.read_at(&mut text, 0)?;
        let resident = parse_resident(&text[..len]).ok_or(io::ErrorKind::InvalidData)?;
        let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?;
        let cpu = time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned();
        Ok(OwnCost { cpu: Nanos(cpu), rss: Bytes(resident.saturating_mul(self.page)) })
    }
}

/// Gives free memory back to the kernel, which the allocator would keep: after work that took much
/// of it for a moment. About 1 ms.
pub fn give_back() {
    // SAFETY: only moves free memory; glibc's own locks guard it.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}

/// The second number of `proc_pid_statm(5)`: pages in RAM.
fn parse_resident(statm: &[u8]) -> Option<u64> {
    std::str::from_utf8(statm).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What filling 32 MiB and adding it up costs.
    fn cost_of_work(own: &Own) -> (Nanos, Bytes) {
        let before = own.read().unwrap();
        let filled = vec![7_u8; 32 << 20];
        let sum: u64 = std::hint::black_box(&filled).iter().map(|&byte| u64::from(byte)).sum();
        let after = own.read().unwrap();
        assert_eq!(sum, 7 * (32 << 20));
        (after.cpu.since(before.cpu), after.rss.less(before.rss))
    }

    #[test]
    fn work_costs_time_and_memory_costs_rss() {
        let own = Own::open().unwrap();
        // Other tests share the process, and may give memory back meanwhile.
        let costs: Vec<_> = (0..10).map(|_| cost_of_work(&own)).collect();
        assert!(costs.iter().all(|(cpu, _)| *cpu > Nanos(100_000)), "{costs:?}");
        assert!(costs.iter().any(|(_, rss)| *rss > Bytes(16 << 20)), "{costs:?}");
    }

    #[test]
    fn a_statm_without_numbers_is_refused() {
        assert_eq!(parse_resident(b"10 20 30 1 0 5 0\n"), Some(20));
        assert_eq!(parse_resident(b""), None);
        assert_eq!(parse_resident(b"1 x"), None);
    }
}
