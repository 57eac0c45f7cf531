//! The ring buffer's reading end. The kernel side wakes us when an eighth of the ring waits;
//! stragglers wait for the caller's timer.

use aya::maps::{Map, MapData, RingBuf};

use super::decode::{Event, decode};
use super::object::LoadError;
use super::readiness::Readiness;
use auditor_ebpf::map;

/// The ring buffer, read by one reader.
pub struct Ring {
    wait: Readiness,
    ring: RingBuf<MapData>,
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl Ring {
    /// Opens the ring's map. Must be called inside a tokio runtime.
    pub(super) fn open(ring: Map) -> Result<Self, LoadError> {
        let ring = RingBuf::try_from(ring)
            .map_err(|error| LoadError::Map { name: map::RING, error: Box::new(error) })?;
        let wait = Readiness::of(&ring).map_err(LoadError::Ring)?;
        Ok(Self { wait, ring })
    }

    /// Waits until the kernel side says that much waits in the ring.
    pub async fn much_waits(&self) {
        self.wait.once().await;
    }

    /// Reads what is there now, at most `limit` records. Returns how many.
    pub fn drain(&mut self, limit: usize, mut each: impl FnMut(Event)) -> usize {
        let mut read = 0;
        while read < limit {
            let Some(item) = self.ring.next() else { break };
            each(decode(&item));
            read += 1;
        }
        read
    }
}
