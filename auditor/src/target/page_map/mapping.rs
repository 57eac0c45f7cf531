//! PROCMAP_QUERY (Linux 6.11, `fs/proc/task_mmu.c`): what is mapped at an address, without reading of all the rest.
//!
//! Whether a page is a file's costs PAGEMAP_SCAN a look at what the kernel keeps of that page, 60 of the 75 ns that a
//! page takes. In memory that is private and of no file, no page is, and it need not be asked.

use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::errno::Errno;

use super::super::proc;
use crate::audit::unit::Pid;

/// `_IOWR('f', 17, struct procmap_query)`.
const PROCMAP_QUERY: libc::c_ulong = 0xc068_6611;
/// `PROCMAP_QUERY_VMA_SHARED` of `include/uapi/linux/fs.h`.
const SHARED: u64 = 1 << 3;
/// `PROCMAP_QUERY_COVERING_OR_NEXT_VMA`.
const OR_NEXT: u64 = 1 << 4;

/// `struct procmap_query`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Query {
    size: u64,
    flags: u64,
    address: u64,
    start: u64,
    end: u64,
    vma_flags: u64,
    page_size: u64,
    offset: u64,
    inode: u64,
    device: [u32; 2],
    name_size: u32,
    build_id_size: u32,
    name: u64,
    build_id: u64,
}

/// The mappings of a process.
#[derive(Debug)]
pub(super) struct Mappings(File);

/// A part of its addresses that is mapped in one way, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// Where.
    pub(super) range: Range<u64>,
    /// Whether pages of files, or of shared memory, can be in it.
    pub(super) has_files: bool,
}

impl Mappings {
    /// Opens them; `None`: the kernel does not know the question.
    pub(super) fn open(pid: Pid) -> Option<Self> {
        let mappings = Self(File::open(proc::path(Path::new(proc::ROOT), pid, "maps")).ok()?);
        mappings.at(0).map(|_| mappings)
    }

    /// What is at an address; `None`: the kernel does not tell.
    pub(super) fn at(&self, address: u64) -> Option<Mapping> {
        let mut query =
            Query { size: size_of::<Query>() as u64, flags: OR_NEXT, address, ..Query::default() };
        // SAFETY: the kernel writes nothing but the fields of `query`: neither a name nor a build id is asked for.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), PROCMAP_QUERY, &raw mut query) };
        match Errno::result(result) {
            Ok(_) if query.start <= address && address < query.end => {
                let has_files = query.inode != 0 || query.vma_flags & SHARED != 0;
                Some(Mapping { range: query.start..query.end, has_files })
            }
            Ok(_) => {
                (address < query.start).then_some(Mapping { range: address..query.start, has_files: false })
            }
            Err(Errno::ENOENT) => Some(Mapping { range: address..u64::MAX, has_files: false }),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Mappings {
        Mappings::open(Pid(std::process::id())).expect("Linux from 6.11 on answers")
    }

    #[test]
    fn each_mapping_of_ours_is_told_as_maps_tells_it() {
        let mappings = own();
        let text = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut told = 0;
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (start, end) = words[0].split_once('-').unwrap();
            let number = |hex| u64::from_str_radix(hex, 16).unwrap();
            let has_files = words[4] != "0" || words[1].ends_with('s');
            let expected = Mapping { range: number(start)..number(end), has_files };
            // Other tests map and unmap meanwhile.
            told += usize::from(mappings.at(number(start)).as_ref() == Some(&expected));
        }
        assert!(told * 10 > text.lines().count() * 9, "{told} of {}", text.lines().count());
    }

    #[test]
    fn where_nothing_is_mapped_there_are_no_files() {
        let first = own().at(0).unwrap();
        assert!(first.range.start == 0 && first.range.end > 4096 && !first.has_files);
        assert!(!own().at(u64::MAX - 4096).unwrap().has_files);
    }
}
