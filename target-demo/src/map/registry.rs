//! The list of all maps, for outsiders: the exported `demo_map_registry` of docs/demo-map.md.
//!
//! Chunks are never freed and slots are used again, so a reader that follows the chain while maps
//! come and go reads valid memory and finds every map that lives throughout.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::header::{Field32, Field64, HEADER_BYTES, Header};

/// Slots of one chunk.
pub(crate) const CHUNK_SLOTS: usize = 510;

/// Where an outsider begins.
#[repr(C)]
pub(crate) struct Registry {
    magic: Field64,
    version: Field32,
    header_bytes: Field32,
    first_chunk: Field64,
    zero: Field64,
}

const _: () = assert!(size_of::<Registry>() == 32);

#[repr(C)]
struct Chunk {
    next: Field64,
    used: Field64,
    slots: [Field64; CHUNK_SLOTS],
}

const _: () = assert!(size_of::<Chunk>() == 4096);

/// `REGISTRY`.
#[unsafe(export_name = "demo_map_registry")]
static REGISTRY: Registry = Registry {
    magic: Field64::new(0x5952_5453_4947_4552),
    version: Field32::new(1),
    header_bytes: Field32::new(HEADER_BYTES as u32),
    first_chunk: Field64::new(0),
    zero: Field64::new(0),
};

/// A map's place in the list.
#[derive(Clone, Copy)]
pub(crate) struct Slot(&'static Field64);

#[derive(Default)]
struct Slots {
    vacated: Vec<Slot>,
    last_chunk: Option<&'static Chunk>,
}

static SLOTS: Mutex<Slots> = Mutex::new(Slots { vacated: Vec::new(), last_chunk: None });

/// Lists a map.
pub(crate) fn enter(header: &Header) -> Slot {
    let mut slots = lock();
    let slot = slots.vacated.pop().unwrap_or_else(|| slots.unused());
    slot.0.set(header.address());
    slot
}

/// Takes a map off the list.
pub(crate) fn leave(slot: Slot) {
    slot.0.set(0);
    lock().vacated.push(slot);
}

fn lock() -> MutexGuard<'static, Slots> {
    // No holder leaves it half changed, so a panicking one has harmed nothing.
    SLOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slots {
    fn unused(&mut self) -> Slot {
        let chunk = match self.last_chunk {
            Some(chunk) if chunk.used.get() < CHUNK_SLOTS as u64 => chunk,
            _ => self.append_chunk(),
        };
        let used = chunk.used.get();
        chunk.used.set(used + 1);
        Slot(&chunk.slots[used as usize])
    }

    fn append_chunk(&mut self) -> &'static Chunk {
        let chunk: &Chunk = Box::leak(Box::new(Chunk {
            next: Field64::new(0),
            used: Field64::new(0),
            slots: [const { Field64::new(0) }; CHUNK_SLOTS],
        }));
        let link = self.last_chunk.map_or(&REGISTRY.first_chunk, |last| &last.next);
        link.set(std::ptr::from_ref(chunk).expose_provenance() as u64);
        self.last_chunk = Some(chunk);
        chunk
    }
}

/// The addresses listed now, found as an outsider finds them: by following the addresses.
#[cfg(test)]
pub(crate) fn listed() -> Vec<u64> {
    let mut found = Vec::new();
    let mut next = REGISTRY.first_chunk.get();
    while next != 0 {
        let chunk = std::ptr::with_exposed_provenance::<Chunk>(next as usize);
        // SAFETY: chunks are leaked, so an address in the chain stays valid.
        let chunk = unsafe { &*chunk };
        found.extend(chunk.slots.iter().take(chunk.used.get() as usize).map(Field64::get));
        next = chunk.next.get();
    }
    found.retain(|&address| address != 0);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_listed_from_its_birth_to_its_end_across_chunks() {
        let headers: Vec<_> = (0..2 * CHUNK_SLOTS).map(|_| Box::new(Header::new("listed"))).collect();
        let slots: Vec<_> = headers.iter().map(|header| enter(header)).collect();
        let during = listed();
        assert!(headers.iter().all(|header| during.contains(&header.address())));
        slots.into_iter().for_each(leave);
        let after = listed();
        assert!(headers.iter().all(|header| !after.contains(&header.address())));
    }

    #[test]
    fn the_magic_reads_registry() {
        assert_eq!(&REGISTRY.magic.get().to_le_bytes(), b"REGISTRY");
        assert_eq!((REGISTRY.version.get(), REGISTRY.header_bytes.get()), (1, 128));
        assert_eq!(REGISTRY.zero.get(), 0);
    }
}
