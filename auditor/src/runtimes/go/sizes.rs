//! The sizes in which Go hands out memory: what it takes to hold so many bytes.

/// Bytes of a page of Go's heap (`_PageSize`, src/runtime/sizeclasses.go).
pub const PAGE: u64 = 8192;
/// Larger objects have a span of their own (`maxSmallSize`).
const LARGEST: u64 = 32768;
/// Objects with pointers up to this size have no header (`minSizeForMallocHeader`, src/runtime/mbitmap.go,
/// from 1.22 on).
pub const LARGEST_WITHOUT_HEADER: u64 = 512;
/// Bytes of that header (`mallocHeaderSize`).
pub const HEADER: u64 = 8;

/// Size classes (`class_to_size`, src/runtime/sizeclasses.go, from 1.26 on `SizeClassToSize`,
/// src/internal/runtime/gc/sizeclasses.go). The same from 1.19 to 1.27.
const CLASSES: [u64; 67] = [
    8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416,
    448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200,
    3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336,
    16384, 18432, 19072, 20480, 21760, 24576, 27264, 28672, 32768,
];

/// How a release hands out memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Whether objects with pointers carry their type (from 1.22 on).
    pub has_headers: bool,
}

impl Sizes {
    /// Bytes of the object that is handed out for so many, its header included. 0 bytes are no object;
    /// `None`: more than there can be.
    #[must_use]
    pub fn object(self, bytes: u64, is_pointer_free: bool) -> Option<u64> {
        let with_header = self.has_header(bytes, is_pointer_free);
        rounded(bytes.checked_add(if with_header { HEADER } else { 0 })?)
    }

    /// Bytes of that object that its owner may use (`roundupsize`, src/runtime/msize.go). `None`: more than
    /// there can be.
    #[must_use]
    pub fn usable(self, bytes: u64, is_pointer_free: bool) -> Option<u64> {
        let object = self.object(bytes, is_pointer_free)?;
        Some(if self.has_header(bytes, is_pointer_free) { object - HEADER } else { object })
    }

    /// Large objects have their type in the span.
    fn has_header(self, bytes: u64, is_pointer_free: bool) -> bool {
        let sizes = LARGEST_WITHOUT_HEADER + 1..=LARGEST - HEADER;
        self.has_headers && !is_pointer_free && sizes.contains(&bytes)
    }
}

/// For objects of up to 1,024 bytes, by eights, the place of their class: almost all objects are, and every map asks.
const SMALL: [u8; 129] = {
    let mut table = [0; 129];
    let (mut eights, mut class) = (1, 0);
    while eights < table.len() {
        if CLASSES[class] < 8 * eights as u64 {
            class += 1;
        }
        table[eights] = class as u8;
        eights += 1;
    }
    table
};

#[inline]
fn rounded(bytes: u64) -> Option<u64> {
    if bytes == 0 {
        return Some(0);
    }
    let class = match SMALL.get(usize::try_from(bytes.div_ceil(8)).ok()?) {
        Some(class) => CLASSES.get(usize::from(*class)),
        None => CLASSES.get(CLASSES.partition_point(|class| *class < bytes)),
    };
    class.copied().or_else(|| bytes.checked_next_multiple_of(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Sizes = Sizes { has_headers: false };
    const NEW: Sizes = Sizes { has_headers: true };

    #[test]
    fn sizes_are_rounded_up_to_their_class_or_to_pages() {
        for (bytes, expected) in
            [(0, 0), (1, 8), (8, 8), (33, 48), (513, 576), (32_768, 32_768), (32_769, 40_960)]
        {
            assert_eq!(OLD.object(bytes, false), Some(expected), "{bytes}");
            assert_eq!(NEW.object(bytes, true), Some(expected), "{bytes}");
        }
        for bytes in 1..=LARGEST {
            let class = CLASSES.iter().find(|class| **class >= bytes);
            assert_eq!(OLD.object(bytes, false).as_ref(), class, "{bytes}");
        }
        assert_eq!(OLD.object(u64::MAX, true), None);
        assert!(CLASSES.is_sorted() && CLASSES[66] == LARGEST);
    }

    #[test]
    fn a_header_takes_eight_bytes_of_objects_with_pointers_that_are_neither_small_nor_large() {
        assert_eq!((NEW.object(512, false), NEW.usable(512, false)), (Some(512), Some(512)));
        assert_eq!((NEW.object(576, false), NEW.usable(576, false)), (Some(640), Some(632)));
        assert_eq!((NEW.object(32_760, false), NEW.usable(32_760, false)), (Some(32_768), Some(32_760)));
        assert_eq!((NEW.object(32_768, false), NEW.usable(32_768, false)), (Some(32_768), Some(32_768)));
        assert_eq!((NEW.object(u64::MAX, false), NEW.usable(u64::MAX, false)), (None, None));
    }
}
