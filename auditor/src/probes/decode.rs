//! Bytes of the ring to events. The only place that casts wire bytes.

use crate::audit::unit::Pid;
use auditor_ebpf::{
    Header, HookHeaderRecord, HookRecord, LOOK_BYTES, LookRecord, RssRecord, SyscallRecord, TaskRecord, Wire,
    kind,
};

/// One record of the ring.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A hook was hit.
    Hook(HookRecord, Option<Box<[u8; LOOK_BYTES]>>),
    /// A memory syscall ended.
    Syscall(SyscallRecord),
    /// RSS moved.
    Rss(RssRecord),
    /// A process event.
    Task(TaskRecord),
    /// A map's header at the exit of its process.
    Look(Box<LookRecord>),
    /// A record of a kind that this reader does not know, or too short for its kind.
    Unknown(u32),
}

impl Event {
    /// The process that it is of; `None`: nobody can tell.
    #[must_use]
    pub const fn pid(&self) -> Option<Pid> {
        let header = match self {
            Self::Hook(record, _) => &record.header,
            Self::Syscall(record) => &record.header,
            Self::Rss(record) => &record.header,
            Self::Task(record) => &record.header,
            Self::Look(record) => &record.header,
            Self::Unknown(_) => return None,
        };
        Some(Pid(header.pid))
    }
}

/// Bit of [`HookRecord::failed`]: the header could not be copied.
const HEADER_FAILED: u32 = 1 << 31;

/// Reads one record.
#[must_use]
pub fn decode(bytes: &[u8]) -> Event {
    let Some(header) = read::<Header>(bytes) else { return Event::Unknown(0) };
    let event = match header.kind {
        kind::HOOK => read(bytes).map(|record| Event::Hook(record, None)),
        kind::HOOK_HEADER => read(bytes).map(|record: HookHeaderRecord| {
            let copied = record.hook.failed & HEADER_FAILED == 0;
            Event::Hook(record.hook, copied.then(|| Box::new(record.bytes)))
        }),
        kind::SYSCALL => read(bytes).map(Event::Syscall),
        kind::RSS => read(bytes).map(Event::Rss),
        kind::TASK => read(bytes).map(Event::Task),
        kind::LOOK => read(bytes).map(|record| Event::Look(Box::new(record))),
        _ => None,
    };
    event.unwrap_or(Event::Unknown(header.kind))
}

fn read<T: Wire>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: there are enough bytes, any bits are a valid wire type, and the read is unaligned.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// A wire type as aya wants it for the keys and values of maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Plain<T>(pub(super) T);

// SAFETY: a wire type is Copy, 'static and without padding or invalid bits.
unsafe impl<T: Wire> aya::Pod for Plain<T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_comes_back_as_it_was_sent() {
        let record = TaskRecord {
            header: Header { kind: kind::TASK, pid: 7, tid: 8, cpu: 1, at: 99 },
            event: 3,
            other: 0,
        };
        // SAFETY: a wire type has no padding, so all its bytes are initialised.
        let bytes: [u8; size_of::<TaskRecord>()] = unsafe { std::mem::transmute(record) };
        assert_eq!(decode(&bytes), Event::Task(record));
        assert_eq!(decode(&bytes[..20]), Event::Unknown(0), "shorter than a header");
        assert_eq!(decode(&bytes[..26]), Event::Unknown(kind::TASK), "shorter than its kind");
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _event = decode(&bytes);
        }
    }
}
