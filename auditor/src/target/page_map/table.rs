//! `/proc/PID/pagemap` as a file (`Documentation/admin-guide/mm/pagemap.rst`): a word for every page there
//! could be. For kernels before 6.7. Holes cost 1 ms a GiB, and huge pages are not told.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::tally::{Kind, Run};

/// Bytes that are read at once: words of 8192 pages.
const BLOCK: usize = 64 << 10;
/// Bits of a word.
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
const SHARED: u64 = 1 << 61;
/// User addresses end here, with five-level page tables.
pub(super) const ADDRESSES: u64 = 1 << 56;
/// Where it is in RAM; 0 for those who have no right to know.
const FRAME: u64 = (1 << 55) - 1;

/// The frame of the zero page; `None`: frames are not told (it takes CAP_SYS_ADMIN), and the zero page counts
/// as RAM.
pub(super) fn zero_frame(page: u64) -> Option<u64> {
    let (len, flags) = (page as usize, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new mapping at a place that the kernel chooses.
    let blank = unsafe { libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, flags, -1, 0) };
    if blank == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: a page that is mapped and may be read. The first look at it brings the zero page.
    let byte = unsafe { blank.cast::<u8>().read_volatile() };
    let frame = frame(blank as u64 / page).filter(|_| byte == 0);
    // SAFETY: of the mapping nothing is used any more.
    unsafe { libc::munmap(blank, len) };
    frame
}

/// The frame of one of our own pages.
fn frame(number: u64) -> Option<u64> {
    let mut word = [0; 8];
    File::open("/proc/self/pagemap").ok()?.read_exact_at(&mut word, number * 8).ok()?;
    let word = u64::from_le_bytes(word);
    (word & PRESENT != 0).then_some(word & FRAME).filter(|frame| *frame != 0)
}

/// Reads the words of the first pages from `start` on, and says where to go on; `None`: that is all before
/// `end`. `zero`: the frame of the zero page.
///
/// # Errors
/// As reading does. `UnexpectedEof`: the process has no memory any more.
pub(super) fn read(
    file: &File,
    (start, end): (u64, u64),
    page: u64,
    zero: Option<u64>,
    found: &mut dyn FnMut(Run),
) -> io::Result<Option<u64>> {
    let mut words = [0; BLOCK];
    let pages = (end - start).div_ceil(page).min(BLOCK as u64 / 8);
    let block = words.get_mut(..8 * pages as usize).unwrap_or_default();
    let len = file.read_at(block, start / page * 8)?;
    let read = block.get(..len / 8 * 8).unwrap_or_default().as_chunks().0;
    if read.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut run = Run { start, end: start, kind: Kind::default() };
    for word in read {
        let kind = kind(u64::from_le_bytes(*word), zero);
        if kind != run.kind {
            found(run);
            run = Run { start: run.end, end: run.end, kind };
        }
        run.end = run.end.saturating_add(page);
    }
    found(run);
    Ok(Some(run.end).filter(|next| *next < end))
}

fn kind(word: u64, zero: Option<u64>) -> Kind {
    let is = |bit: u64| word & bit != 0;
    let present = is(PRESENT) && zero != Some(word & FRAME);
    Kind { present, huge: None, shared: is(SHARED), swapped: is(SWAPPED) && !is(PRESENT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_says_whether_its_page_is_in_ram_swapped_out_or_shared() {
        let told = |word| {
            let Kind { present, shared, swapped, huge } = kind(word, Some(7));
            assert_eq!(huge, None);
            (present, shared, swapped)
        };
        assert_eq!(told(0), (false, false, false));
        assert_eq!(told(PRESENT | 8), (true, false, false));
        assert_eq!(told(PRESENT | 7), (false, false, false), "the zero page");
        assert_eq!(told(PRESENT | SHARED | 8), (true, true, false));
        assert_eq!(told(SWAPPED | 7), (false, false, true), "the low bits are a place in swap then");
    }
}
