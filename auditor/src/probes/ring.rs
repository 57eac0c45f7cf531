//! The ring buffer's reading end. The kernel side wakes us when an eighth of the ring waits;
//! stragglers wait for the caller's timer.

use std::os::fd::AsRawFd;

use aya::Ebpf;
use aya::maps::{MapData, RingBuf};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::decode::{Event, decode};
use super::object::LoadError;
use auditor_ebpf::map;

/// The ring buffer, read by one reader.
#[derive(Debug)]
pub struct Ring {
    /// Dropped before the ring closes the descriptor.
    wait: AsyncFd<Descriptor>,
    ring: Shared,
}

struct Shared(RingBuf<MapData>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RingBuf")
    }
}

/// Only watched, never read through; the ring that owns it lives beside it.
#[derive(Debug)]
struct Descriptor(std::os::fd::RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.0
    }
}

impl Ring {
    /// Takes the ring out of the object. Must be called inside a tokio runtime.
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let taken = ebpf.take_map(map::RING).ok_or(LoadError::Missing(map::RING))?;
        let ring = RingBuf::try_from(taken)
            .map_err(|error| LoadError::Map { name: map::RING, error: Box::new(error) })?;
        let descriptor = Descriptor(ring.as_raw_fd());
        // SAFETY: the descriptor stays open as long as `ring`, and the fields of `Self` are dropped
        // together; `wait` never closes it.
        let wait = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Self { ring: Shared(ring), wait: wait.map_err(|error| LoadError::Ring(error.into()))? })
    }

    /// Waits until the kernel side says that much waits in the ring.
    pub async fn much_waits(&self) {
        if let Ok(mut guard) = self.wait.readable().await {
            guard.clear_ready();
        }
    }

    /// Reads what is there now, at most `limit` records. Returns how many.
    pub fn drain(&mut self, limit: usize, mut each: impl FnMut(Event)) -> usize {
        let mut read = 0;
        while read < limit {
            let Some(item) = self.ring.0.next() else { break };
            each(decode(&item));
            read += 1;
        }
        read
    }
}
