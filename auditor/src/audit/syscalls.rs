//! Counts memory syscalls. Each ended call counts; its bytes count where it succeeded.

use std::collections::BTreeMap;

use super::fact::{Call, Syscall};
use super::report::{self, Calls, Madvise};
use super::unit::{Address, Bytes, Nanos};

/// Advices that are kept apart; the kernel has about thirty.
const MOST_ADVICES: usize = 64;
/// Where the advices beyond [`MOST_ADVICES`] are counted.
const OTHERS: &str = "others";

/// `MADV_FREE`.
const FREE: u32 = 8;

/// Linux v6.17, `include/uapi/asm-generic/mman-common.h`.
const ADVICES: &[(u32, &str)] = &[
    (0, "NORMAL"),
    (1, "RANDOM"),
    (2, "SEQUENTIAL"),
    (3, "WILLNEED"),
    (4, "DONTNEED"),
    (FREE, "FREE"),
    (9, "REMOVE"),
    (10, "DONTFORK"),
    (11, "DOFORK"),
    (12, "MERGEABLE"),
    (13, "UNMERGEABLE"),
    (14, "HUGEPAGE"),
    (15, "NOHUGEPAGE"),
    (16, "DONTDUMP"),
    (17, "DODUMP"),
    (18, "WIPEONFORK"),
    (19, "KEEPONFORK"),
    (20, "COLD"),
    (21, "PAGEOUT"),
    (22, "POPULATE_READ"),
    (23, "POPULATE_WRITE"),
    (24, "DONTNEED_LOCKED"),
    (25, "COLLAPSE"),
    (100, "HWPOISON"),
    (101, "SOFT_OFFLINE"),
    (102, "GUARD_INSTALL"),
    (103, "GUARD_REMOVE"),
];

/// Memory syscalls so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Syscalls {
    mmap: Calls,
    munmap: Calls,
    mremap: Calls,
    brk: Calls,
    madvise: Calls,
    by_advice: BTreeMap<u32, Calls>,
    other_advices: Calls,
    /// The break as the last call left it.
    the_break: Option<(Nanos, Address)>,
}

impl Syscalls {
    /// A call ended.
    pub(super) fn ended(&mut self, at: Nanos, syscall: &Syscall) {
        let bytes = if syscall.failed.is_some() { Bytes(0) } else { syscall.bytes };
        match syscall.call {
            Call::Mmap => count(&mut self.mmap, bytes),
            Call::Munmap => count(&mut self.munmap, bytes),
            Call::Mremap => count(&mut self.mremap, bytes),
            Call::Brk => {
                let up = self.move_break(at, syscall);
                count(&mut self.brk, up);
            }
            Call::Madvise => self.advise(syscall.advice, bytes),
        }
    }

    /// Whether pages were left to the kernel to take.
    pub(super) fn freed_lazily(&self) -> bool {
        self.by_advice.get(&FREE).is_some_and(|calls| calls.bytes > Bytes(0))
    }

    /// Whether a call dated `at` comes too late for what it moves: the break is already where a
    /// younger call left it, so its own step cannot be told.
    pub(super) fn is_out_of_step(&self, at: Nanos, syscall: &Syscall) -> bool {
        syscall.call == Call::Brk && self.the_break.is_some_and(|(then, _)| at < then)
    }

    /// The target replaced its program: its break begins elsewhere.
    pub(super) fn replaced(&mut self) {
        self.the_break = None;
    }

    /// As the report has it.
    pub(super) fn report(&self) -> report::Syscalls {
        let mut by_advice: BTreeMap<String, Calls> =
            self.by_advice.iter().map(|(&advice, &calls)| (advice_name(advice), calls)).collect();
        if self.other_advices.calls > 0 {
            by_advice.insert(OTHERS.to_owned(), self.other_advices);
        }
        let Calls { calls, bytes } = self.madvise;
        report::Syscalls {
            mmap: self.mmap,
            munmap: self.munmap,
            mremap: self.mremap,
            brk: self.brk,
            madvise: Madvise { calls, bytes, by_advice },
        }
    }

    /// How far a call moved the break up. The first call only tells where it is.
    fn move_break(&mut self, at: Nanos, syscall: &Syscall) -> Bytes {
        if syscall.failed.is_some() || self.is_out_of_step(at, syscall) {
            return Bytes(0);
        }
        let before = self.the_break.replace((at, syscall.address));
        before.map_or(Bytes(0), |(_, before)| Bytes(syscall.address.0.saturating_sub(before.0)))
    }

    fn advise(&mut self, advice: Option<u32>, bytes: Bytes) {
        count(&mut self.madvise, bytes);
        let Some(advice) = advice else { return };
        let known = self.by_advice.len() < MOST_ADVICES || self.by_advice.contains_key(&advice);
        let calls = if known { self.by_advice.entry(advice).or_default() } else { &mut self.other_advices };
        count(calls, bytes);
    }
}

fn count(calls: &mut Calls, bytes: Bytes) {
    calls.calls = calls.calls.saturating_add(1);
    calls.bytes += bytes;
}

/// The kernel's name without `MADV_`, or the number.
fn advice_name(advice: u32) -> String {
    let known = ADVICES.iter().find(|(number, _)| *number == advice);
    known.map_or_else(|| advice.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syscall(call: Call, address: u64, bytes: u64) -> Syscall {
        Syscall {
            call,
            address: Address(address),
            bytes: Bytes(bytes),
            old: None,
            advice: None,
            failed: None,
        }
    }

    #[test]
    fn failed_calls_count_but_their_bytes_do_not() {
        let mut syscalls = Syscalls::default();
        syscalls.ended(Nanos(1), &syscall(Call::Mmap, 0x1000, 4096));
        syscalls.ended(Nanos(2), &Syscall { failed: Some(12), ..syscall(Call::Mmap, 0, 1 << 40) });
        assert_eq!(syscalls.report().mmap, Calls { calls: 2, bytes: Bytes(4096) });
    }

    #[test]
    fn the_break_counts_only_what_it_moves_up() {
        let mut syscalls = Syscalls::default();
        for (at, to) in [(1, 1000), (2, 1500), (3, 1200), (4, 1300)] {
            syscalls.ended(Nanos(at), &syscall(Call::Brk, to, 0));
        }
        assert_eq!(syscalls.report().brk, Calls { calls: 4, bytes: Bytes(600) });
    }

    #[test]
    fn a_late_break_counts_as_a_call_and_moves_nothing() {
        let mut syscalls = Syscalls::default();
        for (at, to) in [(1, 1000), (5, 1500), (3, 1200), (6, 1600)] {
            syscalls.ended(Nanos(at), &syscall(Call::Brk, to, 0));
        }
        assert_eq!(syscalls.report().brk, Calls { calls: 4, bytes: Bytes(600) });
        assert!(syscalls.is_out_of_step(Nanos(3), &syscall(Call::Brk, 0, 0)));
    }

    #[test]
    fn advices_have_their_kernel_names_and_strangers_their_number() {
        let mut syscalls = Syscalls::default();
        for advice in [4, 4, 25, 77] {
            syscalls.ended(Nanos(1), &Syscall { advice: Some(advice), ..syscall(Call::Madvise, 0, 10) });
        }
        let madvise = syscalls.report().madvise;
        assert_eq!(madvise.calls, 4);
        let names: Vec<_> = madvise.by_advice.iter().map(|(name, c)| (name.as_str(), c.calls)).collect();
        assert_eq!(names, [("77", 1), ("COLLAPSE", 1), ("DONTNEED", 2)]);
    }

    #[test]
    fn strange_advices_do_not_grow_without_bound() {
        let mut syscalls = Syscalls::default();
        for advice in 0..1000 {
            syscalls.ended(Nanos(1), &Syscall { advice: Some(advice), ..syscall(Call::Madvise, 0, 1) });
        }
        let by_advice = syscalls.report().madvise.by_advice;
        assert_eq!(by_advice.len(), MOST_ADVICES + 1);
        assert_eq!(by_advice.values().map(|calls| calls.calls).sum::<u64>(), 1000);
    }
}
