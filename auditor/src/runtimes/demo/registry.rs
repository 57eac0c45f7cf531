//! The demo map's registry: the list of all maps, followed in bounded steps, and the check of the
//! layout on the first of them.

use std::collections::BTreeSet;

use super::layout::{ADDRESSES, Fields, HEADER, VERSION, first_fault, look};
use crate::audit::unit::Address;
use crate::runtimes::LayoutError;
use crate::target::memory::Memory;

/// Bytes of the registry.
pub(super) const BYTES: usize = 32;
/// `REGISTRY`.
const MAGIC: u64 = 0x5952_5453_4947_4552;
/// Slots of a chunk of the registry.
const CHUNK_SLOTS: usize = 510;
const CHUNK: usize = 16 + 8 * CHUNK_SLOTS;
/// Most chunks that are followed: two million maps.
const CHUNKS: usize = 1 << 12;
/// Headers that the self-check looks at.
const CHECKED: usize = 64;
/// The map may be written while it is read, so what looks wrong is read again this many times.
const TRIES: usize = 16;

/// The version that a registry's bytes say, if they are a registry's.
pub(super) fn version(bytes: &[u8]) -> Option<u32> {
    let fields = Fields(bytes);
    (fields.u64(0) == MAGIC).then(|| fields.u32(8))
}

/// A place in the registry and the map it lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    at: Address,
    map: Address,
}

/// Checks the registry, then the first maps that it lists.
pub(super) fn check(registry: Address, memory: &dyn Memory) -> Result<(), LayoutError> {
    slots(registry, memory, CHECKED)?.iter().try_for_each(|slot| check_slot(slot, memory))
}

/// A map that is written right now may look wrong for a moment, one that died is no longer listed.
fn check_slot(slot: &Slot, memory: &dyn Memory) -> Result<(), LayoutError> {
    let mut last = Ok(());
    for _ in 0..TRIES {
        let listed = read::<8>("the registry's slot", slot.at, memory)?;
        if u64::from_le_bytes(listed) != slot.map.0 {
            return Ok(());
        }
        last = read::<HEADER>("the map header", slot.map, memory)
            .and_then(|header| look(slot.map, &header))
            .map(drop);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// Every map that is listed, by address.
pub(super) fn census(registry: Address, memory: &dyn Memory) -> Result<Vec<Address>, LayoutError> {
    let maps: BTreeSet<Address> = slots(registry, memory, usize::MAX)?.iter().map(|slot| slot.map).collect();
    Ok(maps.into_iter().collect())
}

/// The first `most` maps, as the registry lists them. Follows at most [`CHUNKS`] chunks.
fn slots(registry: Address, memory: &dyn Memory, most: usize) -> Result<Vec<Slot>, LayoutError> {
    let mut next = first_chunk(registry, memory)?;
    let mut seen = BTreeSet::new();
    let mut slots = Vec::new();
    while next != Address(0) && slots.len() < most {
        let fails = |check| LayoutError::Check { what: "the registry's chunk", at: next, check };
        if !seen.insert(next) {
            return Err(fails("the list of chunks is a ring".to_owned()));
        }
        if seen.len() > CHUNKS {
            return Err(fails(format!("more than {CHUNKS} chunks")));
        }
        let chunk = read::<CHUNK>("the registry's chunk", next, memory)?;
        slots.extend(slots_of(next, &chunk).map_err(fails)?);
        next = Address(Fields(&chunk).u64(0));
    }
    slots.truncate(most);
    Ok(slots)
}

fn first_chunk(registry: Address, memory: &dyn Memory) -> Result<Address, LayoutError> {
    let bytes = read::<BYTES>("the registry", registry, memory)?;
    let fields = Fields(&bytes);
    let fault = first_fault([
        (fields.u64(0) == MAGIC, "magic", fields.u64(0)),
        (fields.u32(8) == VERSION, "version", fields.u32(8).into()),
        (fields.u32(12) as usize == HEADER, "bytes of a header", fields.u32(12).into()),
    ]);
    match fault {
        Some(check) => Err(LayoutError::Check { what: "the registry", at: registry, check }),
        None => Ok(Address(fields.u64(16))),
    }
}

fn slots_of(chunk: Address, bytes: &[u8]) -> Result<Vec<Slot>, String> {
    let fields = Fields(bytes);
    let used = usize::try_from(fields.u64(8)).unwrap_or(usize::MAX);
    if used > CHUNK_SLOTS {
        return Err(format!("{used} slots used of {CHUNK_SLOTS}"));
    }
    let mut slots = Vec::new();
    for offset in (0..used).map(|slot| 16 + 8 * slot) {
        let (map, at) = (fields.u64(offset), chunk.plus(offset as u64));
        if !map.is_multiple_of(64) || map >= ADDRESSES {
            return Err(format!("{map:#x} cannot be a map's address"));
        }
        slots.extend(at.filter(|_| map != 0).map(|at| Slot { at, map: Address(map) }));
    }
    Ok(slots)
}

fn read<const N: usize>(
    what: &'static str,
    at: Address,
    memory: &dyn Memory,
) -> Result<[u8; N], LayoutError> {
    let mut bytes = [0; N];
    memory.read(at, &mut bytes).map_err(|error| LayoutError::Unreadable { what, error })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::demo::layout::{
        name_of,
        tests::{MAP, header, put},
    };
    use crate::target::memory::{CapturedMemory, ReadError, Request};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    const REGISTRY: Address = Address(0x20_0000);

    fn registry(chunk: u64) -> Vec<u8> {
        let words = [MAGIC, 128 << 32 | 1, chunk, 0];
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn chunk(next: u64, maps: &[u64]) -> Vec<u8> {
        let mut words = vec![next, maps.len() as u64];
        words.extend(maps);
        words.resize(CHUNK / 8, 0);
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    fn one_map() -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        memory.insert(REGISTRY, registry(0x40_0000)).insert(MAP, header());
        memory
            .insert(Address(0x40_0000), chunk(0x50_0000, &[0, MAP.0]))
            .insert(Address(0x50_0000), chunk(0, &[]));
        memory.insert(Address(0x30_0000), *b"us\x1brs");
        memory
    }

    #[test]
    fn the_registry_lists_the_maps_and_their_names_are_harmless() {
        let memory = one_map();
        assert_eq!(check(REGISTRY, &memory), Ok(()));
        assert_eq!(census(REGISTRY, &memory), Ok(vec![MAP]));
        assert_eq!(name_of(&header(), &memory).as_deref(), Some("us\u{fffd}r"));
        assert_eq!(name_of(&header(), &CapturedMemory::new()), None);
    }

    #[test]
    fn a_registry_that_leads_nowhere_or_round_is_refused() {
        let mut ring = one_map();
        ring.insert(Address(0x50_0000), chunk(0x40_0000, &[]));
        assert!(census(REGISTRY, &ring).unwrap_err().to_string().contains("ring"));
        let mut far = one_map();
        far.insert(Address(0x50_0000), chunk(0x66_0000, &[]));
        assert!(matches!(census(REGISTRY, &far), Err(LayoutError::Unreadable { .. })));
        let mut odd = one_map();
        odd.insert(Address(0x50_0000), chunk(0, &[MAP.0 + 8]));
        assert!(census(REGISTRY, &odd).unwrap_err().to_string().contains("cannot be"));
        let mut full = one_map();
        let mut bytes = chunk(0, &[]);
        put(&mut bytes, 8, 511_u64.to_le_bytes());
        full.insert(Address(0x50_0000), bytes);
        assert!(census(REGISTRY, &full).unwrap_err().to_string().contains("511"));
        let mut other = one_map();
        other.insert(REGISTRY, [0; 32]);
        assert!(check(REGISTRY, &other).unwrap_err().to_string().contains("magic"));
    }

    #[test]
    fn an_endless_registry_ends() {
        struct Endless;
        impl Memory for Endless {
            fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
                let bytes = if at == REGISTRY { registry(0x40_0000) } else { chunk(at.0 + 4096, &[]) };
                into.copy_from_slice(&bytes[..into.len()]);
                Ok(())
            }
        }
        assert!(census(REGISTRY, &Endless).unwrap_err().to_string().contains("4096 chunks"));
    }

    /// Headers look wrong for the first readings, as when they are written meanwhile.
    struct Torn(AtomicUsize);
    impl Memory for Torn {
        fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
            one_map().read(at, into)?;
            if at == MAP && self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                into[64..72].fill(0);
            }
            Ok(())
        }
        fn read_many(&self, _: &mut [Request<'_>]) -> Vec<Result<(), ReadError>> {
            Vec::new()
        }
    }

    #[test]
    fn a_header_that_is_being_written_is_read_again_but_not_for_ever() {
        assert_eq!(check(REGISTRY, &Torn(AtomicUsize::new(3))), Ok(()));
        assert!(
            check(REGISTRY, &Torn(AtomicUsize::new(usize::MAX)))
                .unwrap_err()
                .to_string()
                .contains("do not fit")
        );
    }

    #[test]
    fn a_map_that_is_no_longer_listed_is_not_held_against_the_layout() {
        let mut memory = one_map();
        memory.insert(MAP, [0xaa; HEADER]);
        let slot = Slot { at: Address(0x40_0000 + 24), map: MAP };
        assert!(check_slot(&slot, &memory).is_err());
        memory.insert(Address(0x40_0000), chunk(0, &[0, 0]));
        assert_eq!(check_slot(&slot, &memory), Ok(()));
    }
}
