//! The header of a map, field by field as docs/demo-map.md promises it to outsiders.
//!
//! Every field is written by one relaxed atomic store, which is a plain aligned `mov`: a reader
//! from outside never sees half a field, and the compiler cannot hold a store back. One thread at
//! a time writes, so adding is a load and a store and never a locked instruction.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::bucket::BUCKET_BYTES;

/// `DMAP`.
pub(crate) const MAGIC: u32 = 0x5041_4d44;
/// Version of the layout.
pub(crate) const VERSION: u16 = 1;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: u64 = size_of::<Header>() as u64;
/// The longest name, in bytes.
pub(crate) const NAME_BYTES: usize = 64;

/// Bits of [`Header::flags`].
pub(crate) mod flag {
    /// Entries are being moved from an old table.
    pub(crate) const EVACUATING: u16 = 1;
    /// That growth is to the same size.
    pub(crate) const SAME_SIZE: u16 = 2;
    /// The tables are being let go for good.
    pub(crate) const DROPPED: u16 = 4;
    /// That growth is a shrink.
    pub(crate) const SHRINK: u16 = 8;
}

macro_rules! field {
    ($name:ident, $atomic:ty, $plain:ty) => {
        #[doc = concat!("A `", stringify!($plain), "` that outsiders read.")]
        #[derive(Debug, Default)]
        #[repr(transparent)]
        pub(crate) struct $name($atomic);

        impl $name {
            /// Its value.
            #[inline]
            pub(crate) fn get(&self) -> $plain {
                self.0.load(Ordering::Relaxed)
            }
            /// Replaces the value.
            #[inline]
            pub(crate) fn set(&self, value: $plain) {
                self.0.store(value, Ordering::Relaxed);
            }
        }
    };
}

field!(Field8, AtomicU8, u8);
field!(Field16, AtomicU16, u16);
field!(Field32, AtomicU32, u32);
field!(Field64, AtomicU64, u64);

impl Field32 {
    /// A field with this value.
    pub(crate) const fn new(value: u32) -> Self {
        Self(AtomicU32::new(value))
    }

    /// Adds one.
    #[inline]
    pub(crate) fn increment(&self) {
        self.set(self.get().wrapping_add(1));
    }
}

impl Field64 {
    /// A field with this value.
    pub(crate) const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Adds `change`.
    #[inline]
    pub(crate) fn change(&self, change: i64) {
        self.set(self.get().wrapping_add_signed(change));
    }
}

/// The header. The offsets are those of docs/demo-map.md; a test below holds them.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Header {
    pub(crate) magic: Field32,
    pub(crate) version: Field16,
    pub(crate) flags: Field16,
    pub(crate) live: Field64,
    pub(crate) log2: Field8,
    pub(crate) old_log2: Field8,
    zero: Field16,
    pub(crate) bucket_bytes: Field32,
    pub(crate) table: Field64,
    pub(crate) old_table: Field64,
    pub(crate) moved: Field64,
    pub(crate) overflow: Field32,
    pub(crate) old_overflow: Field32,
    pub(crate) tombstones: Field64,
    pub(crate) table_bytes: Field64,
    pub(crate) old_table_bytes: Field64,
    pub(crate) inserted: Field64,
    pub(crate) removed: Field64,
    pub(crate) moved_ever: Field64,
    pub(crate) doublings: Field32,
    pub(crate) same_size_growths: Field32,
    pub(crate) shrinks: Field32,
    pub(crate) name_bytes: Field32,
    pub(crate) name: Field64,
}

const _: () = assert!(HEADER_BYTES == 128 && align_of::<Header>() == 64);

impl Header {
    /// The header of an empty map. `name` must outlive it.
    pub(crate) fn new(name: &str) -> Self {
        let header = Self::default();
        header.magic.set(MAGIC);
        header.version.set(VERSION);
        header.bucket_bytes.set(BUCKET_BYTES as u32);
        header.name.set(name.as_ptr().expose_provenance() as u64);
        header.name_bytes.set(name.len() as u32);
        header
    }

    /// Its address, as outsiders name the map.
    pub(crate) fn address(&self) -> u64 {
        std::ptr::from_ref(self).expose_provenance() as u64
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn every_field_is_where_the_document_says() {
        let documented = [
            (offset_of!(Header, magic), 0),
            (offset_of!(Header, version), 4),
            (offset_of!(Header, flags), 6),
            (offset_of!(Header, live), 8),
            (offset_of!(Header, log2), 16),
            (offset_of!(Header, old_log2), 17),
            (offset_of!(Header, zero), 18),
            (offset_of!(Header, bucket_bytes), 20),
            (offset_of!(Header, table), 24),
            (offset_of!(Header, old_table), 32),
            (offset_of!(Header, moved), 40),
            (offset_of!(Header, overflow), 48),
            (offset_of!(Header, old_overflow), 52),
            (offset_of!(Header, tombstones), 56),
            (offset_of!(Header, table_bytes), 64),
            (offset_of!(Header, old_table_bytes), 72),
            (offset_of!(Header, inserted), 80),
            (offset_of!(Header, removed), 88),
            (offset_of!(Header, moved_ever), 96),
            (offset_of!(Header, doublings), 104),
            (offset_of!(Header, same_size_growths), 108),
            (offset_of!(Header, shrinks), 112),
            (offset_of!(Header, name_bytes), 116),
            (offset_of!(Header, name), 120),
        ];
        for (offset, promised) in documented {
            assert_eq!(offset, promised);
        }
    }

    #[test]
    fn the_first_bytes_spell_the_magic() {
        assert_eq!(&MAGIC.to_le_bytes(), b"DMAP");
    }
}
