//! Zeroed memory for tables: large ones are mappings of their own and go back to the kernel when
//! they are let go, small ones come from malloc and go back to malloc.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::{NonNull, null_mut};

use super::bucket::Bucket;

/// Tables of at least this many bytes are mappings of their own: glibc's own threshold,
/// `M_MMAP_THRESHOLD`, but one that does not move.
pub(crate) const MAPPED_FROM: u64 = 128 << 10;

/// `bytes` bytes of zeros, aligned for a bucket. Ends the process where there are none.
pub(crate) fn obtain(bytes: u64) -> NonNull<Bucket> {
    let memory = if bytes >= MAPPED_FROM { map(bytes as usize) } else { zeroed(bytes as usize) };
    memory.unwrap_or_else(|| {
        handle_alloc_error(Layout::array::<u8>(bytes as usize).unwrap_or(Layout::new::<Bucket>()))
    })
}

/// Gives memory back.
///
/// # Safety
/// It must be from [`obtain`] with the same `bytes`, and nothing may refer to it any more.
pub(crate) unsafe fn give_back(memory: NonNull<Bucket>, bytes: u64) {
    let start = memory.as_ptr().cast();
    if bytes >= MAPPED_FROM {
        // SAFETY: `map` made exactly this mapping, and the caller is its only user.
        let failed = unsafe { libc::munmap(start, bytes as usize) };
        debug_assert_eq!(failed, 0, "a mapping of our own can be unmapped");
    } else {
        // SAFETY: `zeroed` got it from calloc, and the caller is its only user.
        unsafe { libc::free(start) };
    }
}

fn map(bytes: usize) -> Option<NonNull<Bucket>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping touches nothing that exists.
    let start = unsafe { libc::mmap(null_mut(), bytes, access, anonymous, -1, 0) };
    if start == libc::MAP_FAILED { None } else { NonNull::new(start.cast()) }
}

fn zeroed(bytes: usize) -> Option<NonNull<Bucket>> {
    // SAFETY: calloc has no precondition.
    NonNull::new(unsafe { libc::calloc(1, bytes) }.cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings_at(address: usize) -> usize {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let holds = |line: &&str| {
            let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
            let bound = |text| usize::from_str_radix(text, 16).unwrap();
            (bound(start)..bound(end)).contains(&address)
        };
        maps.lines().filter(holds).count()
    }

    #[test]
    fn a_large_table_is_gone_from_the_address_space_once_it_is_given_back() {
        let bytes = 64 << 20;
        let memory = obtain(bytes);
        // The middle page: the kernel may put something else at the start at once.
        let middle = memory.as_ptr() as usize + (bytes as usize / 2);
        assert_eq!(mappings_at(middle), 1);
        // SAFETY: obtained above with the same size.
        unsafe { give_back(memory, bytes) };
        assert_eq!(mappings_at(middle), 0);
    }

    #[test]
    fn small_tables_are_zeroed_too() {
        for _ in 0..100 {
            let memory = obtain(288);
            // SAFETY: a bucket of zeros is valid, and 288 bytes hold it.
            let bucket = unsafe { memory.as_ref() };
            assert_eq!(bucket.empty_rest(), Some(0));
            (0..8).for_each(|slot| bucket.put(slot, 99, 1, 1));
            // SAFETY: obtained above with the same size.
            unsafe { give_back(memory, 288) };
        }
    }
}
