//! PURE: what the kernel side sends, to facts.

use std::collections::BTreeMap;

use crate::audit::fact::{Call, Fact, Look, Occasion, Rss, RssMember, StackId, Syscall, What};
use crate::audit::unit::{Address, Bytes, Nanos, Pid, Tid};
use crate::probes::decode::Event;
use crate::probes::plan::Placement;
use crate::runtimes::Instance;
use crate::runtimes::hook::{Hit, Hook, When};
use crate::runtimes::together::Together;
use crate::target::memory::Memory;
use auditor_ebpf::{Header, HookRecord, LOOK_BYTES, LookRecord, RssRecord, SyscallRecord, TaskRecord, task};

/// x86-64 syscall numbers (arch/x86/entry/syscalls/syscall_64.tbl).
mod number {
    pub(super) const MMAP: u64 = 9;
    pub(super) const MUNMAP: u64 = 11;
    pub(super) const BRK: u64 = 12;
    pub(super) const MREMAP: u64 = 25;
    pub(super) const MADVISE: u64 = 28;
}

/// The largest errno: results from -4095 to -1 are errors (include/linux/err.h, `MAX_ERRNO`).
const MAX_ERRNO: i64 = 4095;

/// Knows which spec is which hook of the runtime in the target.
#[derive(Debug)]
pub struct Translator {
    runtimes: Together,
    hooks: BTreeMap<u32, Hook>,
    /// What one hit means, while it is told: kept for its room.
    told: Vec<What>,
}

/// An event that could not be understood, by a name for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost(pub &'static str);

/// A fact, or `None` for what says nothing about the target.
pub type Translated = Result<Option<Fact>, Lost>;

impl Translator {
    /// For the runtime that was found and what was placed of it.
    #[must_use]
    pub fn new(runtimes: Together, placements: Vec<Placement>) -> Self {
        let hooks = placements.into_iter().map(|placement| (placement.id, placement.hook)).collect();
        Self::with(runtimes, hooks)
    }

    /// The same with hooks that another process's runtimes have, too.
    #[must_use]
    pub const fn with(runtimes: Together, hooks: BTreeMap<u32, Hook>) -> Self {
        Self { runtimes, hooks, told: Vec::new() }
    }

    /// The hooks, by their numbers.
    #[must_use]
    pub const fn hooks(&self) -> &BTreeMap<u32, Hook> {
        &self.hooks
    }

    /// The runtime.
    #[must_use]
    pub fn instance(&self) -> &dyn Instance {
        &self.runtimes
    }

    /// The runtimes, to take a census, or one more.
    pub const fn runtimes_mut(&mut self) -> &mut Together {
        &mut self.runtimes
    }

    /// More hooks, each with its number.
    pub fn know(&mut self, hooks: impl Iterator<Item = (u32, Hook)>) {
        self.hooks.extend(hooks);
    }

    /// One event, as facts for `take`. `stack` is the number of its stack, where it has one.
    ///
    /// # Errors
    /// [`Lost`] when it cannot be understood.
    pub fn event(
        &mut self,
        event: &Event,
        stack: Option<StackId>,
        memory: &dyn Memory,
        mut take: impl FnMut(Fact),
    ) -> Result<(), Lost> {
        if let Event::Hook(record, header) = event {
            return self.hook(record, header.as_deref(), stack, memory, take);
        }
        let fact = self.one(event)?;
        if let Some(Fact { at, what: What::Syscall(call), .. }) = &fact
            && (call.call, call.failed) == (Call::Munmap, None)
        {
            self.runtimes.unmapped(*at, (call.address, call.bytes));
        }
        fact.into_iter().for_each(&mut take);
        Ok(())
    }

    /// An event that is one fact at most.
    fn one(&self, event: &Event) -> Translated {
        match event {
            Event::Syscall(record) => syscall(record),
            Event::Rss(record) => rss(record),
            Event::Task(record) => task(record),
            Event::Look(record) => self.look(record),
            Event::Hook(..) | Event::Unknown(_) => Err(Lost("unknown_record")),
        }
    }

    /// Hits that were counted in the kernel.
    ///
    /// # Errors
    /// [`Lost`] when it cannot be understood.
    pub fn counted(&self, hook: u32, key: u64, count: u64, at: Nanos) -> Translated {
        let Some(hook) = self.hooks.get(&hook) else { return Err(Lost("unknown_hook")) };
        match self.runtimes.decode_count(&hook.name, key, count) {
            Some(what) => Ok(Some(Fact { at, thread: None, what })),
            None => Err(Lost("undecoded_count")),
        }
    }

    fn hook(
        &mut self,
        record: &HookRecord,
        header: Option<&[u8; LOOK_BYTES]>,
        stack: Option<StackId>,
        memory: &dyn Memory,
        take: impl FnMut(Fact),
    ) -> Result<(), Lost> {
        let Some(hook) = self.hooks.get(&record.spec) else { return Err(Lost("unknown_hook")) };
        let pair = hook.when == When::EntryAndReturn;
        let hit = Hit {
            at: Nanos(record.header.at),
            values: record.values,
            failed: record.failed,
            returned: pair.then_some(record.returned),
            took: pair.then_some(Nanos(record.took)),
            stack,
            header: header.copied(),
        };
        self.told.clear();
        self.runtimes.decode(&hook.name, &hit, memory, &mut self.told).ok_or(Lost("undecoded_hit"))?;
        let (at, thread) = (Nanos(record.header.at), Some(Tid(record.header.tid)));
        self.told.drain(..).map(|what| Fact { at, thread, what }).for_each(take);
        Ok(())
    }

    fn look(&self, record: &LookRecord) -> Translated {
        let bytes = record.bytes.get(..record.len as usize).unwrap_or_default();
        let map = Address(record.map);
        match self.runtimes.look(map, bytes, None) {
            Ok(shape) => {
                let runtime = self.runtimes.runtime_of(map).to_owned();
                fact(
                    &record.header,
                    What::Look(Look {
                        map,
                        occasion: Occasion::AtExit,
                        runtime,
                        shape: shape.into(),
                        name: None,
                    }),
                )
            }
            // What was watched had been dropped and its memory used for something else.
            Err(_) => Ok(None),
        }
    }
}

fn fact(header: &Header, what: What) -> Translated {
    Ok(Some(Fact { at: Nanos(header.at), thread: Some(Tid(header.tid)), what }))
}

fn syscall(record: &SyscallRecord) -> Translated {
    let [first, second, third, ..] = record.args;
    let result = record.result;
    let given = Address(result as u64);
    let (call, address, bytes) = match record.number {
        number::MMAP => (Call::Mmap, given, second),
        number::MUNMAP => (Call::Munmap, Address(first), second),
        number::MREMAP => (Call::Mremap, given, third),
        number::BRK => (Call::Brk, given, 0),
        number::MADVISE => (Call::Madvise, Address(first), second),
        _ => return Err(Lost("unknown_syscall")),
    };
    let failed = (-MAX_ERRNO..0).contains(&result).then(|| result.unsigned_abs() as u32);
    let old = (call == Call::Mremap).then_some((Address(first), Bytes(second)));
    let advice = (call == Call::Madvise).then_some(third as u32);
    fact(&record.header, What::Syscall(Syscall { call, address, bytes: Bytes(bytes), old, advice, failed }))
}

fn rss(record: &RssRecord) -> Translated {
    let member = match record.member {
        0 => RssMember::File,
        1 => RssMember::Anon,
        2 => RssMember::Swap,
        3 => RssMember::Shmem,
        _ => return Err(Lost("unknown_rss_member")),
    };
    let external = record.external != 0;
    fact(&record.header, What::Rss(Rss { member, bytes: Bytes(record.bytes), external }))
}

fn task(record: &TaskRecord) -> Translated {
    let what = match record.event {
        task::FORK => What::Fork { child: Pid(record.other) },
        task::EXEC => What::Exec,
        task::EXIT => What::Exit,
        task::OOM_MARK => What::OomMark,
        _ => return Err(Lost("unknown_task_event")),
    };
    fact(&record.header, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { kind: 2, pid: 7, tid: 8, cpu: 0, at: 99 };

    fn called(number: u64, args: [u64; 5], result: i64) -> Syscall {
        match syscall(&SyscallRecord { header: HEADER, number, args, result }) {
            Ok(Some(Fact { what: What::Syscall(call), .. })) => call,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn mmap_is_where_it_was_given_and_munmap_where_it_was_asked() {
        let mmap = called(9, [0, 4096, 3, 34, 0], 0x7f00_0000);
        assert_eq!(
            (mmap.call, mmap.address, mmap.bytes, mmap.failed),
            (Call::Mmap, Address(0x7f00_0000), Bytes(4096), None)
        );
        let munmap = called(11, [0x7f00_0000, 8192, 0, 0, 0], 0);
        assert_eq!(
            (munmap.call, munmap.address, munmap.bytes),
            (Call::Munmap, Address(0x7f00_0000), Bytes(8192))
        );
    }

    #[test]
    fn a_failed_call_keeps_its_errno() {
        assert_eq!(called(9, [0; 5], -12).failed, Some(12));
        assert_eq!(called(28, [0x1000, 4096, 4, 0, 0], -22).advice, Some(4));
    }

    #[test]
    fn mremap_says_where_it_was() {
        let mremap = called(25, [0x1000, 4096, 8192, 1, 0], 0x9000);
        assert_eq!(mremap.old, Some((Address(0x1000), Bytes(4096))));
        assert_eq!((mremap.address, mremap.bytes), (Address(0x9000), Bytes(8192)));
    }

    #[test]
    fn what_is_not_known_is_a_loss_and_not_a_guess() {
        let record = RssRecord { header: HEADER, member: 9, external: 0, bytes: 0 };
        assert_eq!(rss(&record), Err(Lost("unknown_rss_member")));
        assert_eq!(task(&TaskRecord { header: HEADER, event: 9, other: 0 }), Err(Lost("unknown_task_event")));
    }
}
