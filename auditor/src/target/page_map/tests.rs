//! Our own page map: what is known of memory that the test has mapped and touched itself.

use std::fs;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use super::*;

const PAGE: usize = 4096;
const HUGE: usize = 2 << 20;
const WAYS: [Way; 2] = [Way::Scan, Way::Table];

/// Memory of its own, between two pages that cannot be touched, so that no other mapping joins it.
struct Mapped {
    all: *mut u8,
    len: usize,
}

impl Mapped {
    fn new(len: usize) -> Self {
        Self::of(len, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1)
    }

    fn of(len: usize, flags: i32, fd: i32) -> Self {
        let (none, whole) = (libc::PROT_NONE, len + 2 * PAGE);
        let (kept, rights) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a new mapping at a place that the kernel chooses.
        let all = unsafe { libc::mmap(std::ptr::null_mut(), whole, none, kept, -1, 0) }.cast::<u8>();
        let within = all.wrapping_add(PAGE).cast();
        // SAFETY: within what has just been mapped and nobody else knows.
        let at = unsafe { libc::mmap(within, len, rights, flags | libc::MAP_FIXED, fd, 0) };
        assert_eq!(at, within);
        Self { all, len }
    }

    fn at(&self) -> u64 {
        self.all as u64 + PAGE as u64
    }

    fn write(&self, pages: impl IntoIterator<Item = usize>) {
        for page in pages {
            let place = self.all.wrapping_add(PAGE + page * PAGE);
            // SAFETY: within the mapping, which lives as long as `self`.
            unsafe { place.write_volatile(1) };
        }
    }

    fn read(&self) {
        for page in 0..self.len / PAGE {
            let place = self.all.wrapping_add(PAGE + page * PAGE);
            // SAFETY: as for writing.
            let byte = unsafe { place.read_volatile() };
            assert_eq!(byte, 0);
        }
    }

    fn advise(&self, first: usize, pages: usize, advice: i32) -> bool {
        let at = self.all.wrapping_add(PAGE + first * PAGE).cast();
        // SAFETY: within the mapping.
        unsafe { libc::madvise(at, pages * PAGE, advice) == 0 }
    }

    fn pages(&self, way: Way) -> Pages {
        own(way).pages(&[(Address(self.at()), Bytes(self.len as u64))]).unwrap()[0]
    }

    /// A line of its smaps, in bytes.
    fn smaps(&self, name: &str) -> u64 {
        let text = fs::read_to_string("/proc/self/smaps").unwrap();
        let start = format!("{:x}-", self.at());
        let lines = text.lines().skip_while(|line| !line.starts_with(&start)).skip(1);
        let line = lines.take(30).find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: nobody knows of the mapping any more.
        unsafe { libc::munmap(self.all.cast(), self.len + 2 * PAGE) };
    }
}

/// Our own page map, by one of the ways, if the kernel has it.
fn own(way: Way) -> PageMap {
    let pid = Pid(std::process::id());
    let way = if PageMap::open(pid).unwrap().way() == Way::Scan { way } else { Way::Table };
    PageMap::open_by(pid, way).unwrap()
}

fn small(pages: usize) -> Mapped {
    let mapped = Mapped::new(pages * PAGE);
    // Where there are none, this fails.
    let _none = mapped.advise(0, pages, libc::MADV_NOHUGEPAGE);
    mapped
}

#[test]
fn what_was_touched_is_present_and_what_was_given_back_is_not() {
    let mapped = small(1000);
    mapped.write((0..1000).filter(|page| page % 3 == 0));
    for way in WAYS {
        let pages = mapped.pages(way);
        assert_eq!((pages.asked, pages.present), (Bytes(1000 << 12), Bytes(334 << 12)), "{way:?}");
        assert_eq!((pages.shared, pages.swapped), (Bytes(0), Bytes(0)));
        assert_eq!(pages.present.0, mapped.smaps("Rss:"));
    }
    assert!(mapped.advise(0, 500, libc::MADV_DONTNEED));
    for way in WAYS {
        assert_eq!(mapped.pages(way).present, Bytes(167 << 12), "{way:?}");
        assert_eq!(mapped.pages(way).present.0, mapped.smaps("Rss:"));
    }
}

#[test]
fn the_zero_page_takes_no_memory() {
    let mapped = small(300);
    mapped.read();
    mapped.write([7]);
    for way in WAYS {
        assert_eq!(mapped.pages(way).present, Bytes(1 << 12), "{way:?}");
    }
    assert_eq!(mapped.smaps("Rss:"), 1 << 12);
}

#[test]
fn more_runs_than_one_call_tells_of_are_each_counted_once() {
    let pages = 3 * 2 * 512 + 7;
    let mapped = small(pages);
    mapped.write((0..pages).step_by(2));
    let present = Bytes((pages.div_ceil(2) << 12) as u64);
    for way in WAYS {
        assert_eq!(mapped.pages(way).present, present, "{way:?}");
    }
    // More pages in one run than one call tells of.
    let mapped = small(40_000);
    mapped.write(0..40_000);
    for way in WAYS {
        assert_eq!(mapped.pages(way).present, Bytes(40_000 << 12), "{way:?}");
    }
}

#[test]
fn shared_memory_is_present_and_shared() {
    // SAFETY: the name is a string that ends with a zero.
    let fd = unsafe { libc::memfd_create(c"pages".as_ptr(), 0) };
    // SAFETY: the descriptor has just been made and nobody else knows it.
    let file = File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    file.set_len(100 << 12).unwrap();
    let mapped = Mapped::of(100 * PAGE, libc::MAP_SHARED, file.as_raw_fd());
    mapped.write(0..40);
    for way in WAYS {
        let pages = mapped.pages(way);
        assert_eq!((pages.present, pages.shared), (Bytes(40 << 12), Bytes(40 << 12)), "{way:?}");
    }
}

#[test]
fn huge_pages_are_told_where_the_kernel_does() {
    let mapped = Mapped::new(4 * HUGE);
    let first = (mapped.at() as usize).next_multiple_of(HUGE) - mapped.at() as usize;
    assert!(mapped.advise(0, 4 * HUGE / PAGE, libc::MADV_HUGEPAGE), "a kernel without huge pages");
    mapped.write([first / PAGE]);
    let huge = mapped.smaps("AnonHugePages:");
    for way in WAYS {
        let pages = mapped.pages(way);
        assert_eq!(pages.present.0, mapped.smaps("Rss:"), "{way:?}");
        let told = (own(way).way() == Way::Scan).then_some(Bytes(huge));
        assert_eq!(pages.huge, told);
    }
    // Of a huge page, too, only the part within counts.
    let part = (Address(mapped.at() + first as u64 + 100), Bytes(50_000));
    if huge > 0 {
        let pages = own(Way::Scan).pages(&[part]).unwrap()[0];
        assert_eq!((pages.present, pages.asked), (Bytes(50_000), Bytes(50_000)));
    }
}

#[test]
fn the_huge_zero_page_takes_no_memory() {
    let mapped = Mapped::new(4 * HUGE);
    assert!(mapped.advise(0, 4 * HUGE / PAGE, libc::MADV_HUGEPAGE));
    mapped.read();
    assert_eq!(mapped.pages(Way::Scan).present.0, mapped.smaps("Rss:"));
}

#[test]
fn ranges_may_be_of_any_length_overlap_and_come_in_any_order() {
    let mapped = small(100);
    mapped.write([0, 1, 50, 99]);
    let at = mapped.at();
    let ranges = [(at + 99 * 4096 + 4000, 90), (at + 100, 8000), (at + 4000, 200), (at, 0), (at + 4000, 200)];
    let ranges = ranges.map(|(at, len)| (Address(at), Bytes(len)));
    for way in WAYS {
        let pages = own(way).pages(&ranges).unwrap();
        let present: Vec<u64> = pages.iter().map(|pages| pages.present.0).collect();
        assert_eq!(present, [90, 8000, 200, 0, 200], "{way:?}");
    }
}

#[test]
fn where_nothing_can_be_is_nothing_and_more_than_there_can_be_is_refused() {
    for way in WAYS {
        let map = own(way);
        let ranges = [
            (Address(4096), Bytes(5000)),
            (Address(u64::MAX - 20), Bytes(100)),
            (Address(1 << 60), Bytes(9)),
        ];
        let found = map.pages(&ranges).unwrap();
        assert!(found.iter().all(|pages| pages.present == Bytes(0)), "{way:?} {found:?}");
        assert!(matches!(map.pages(&[(Address(0), Bytes(u64::MAX))]), Err(PageMapError::TooMuch { .. })));
    }
}

#[test]
fn a_survey_is_a_walk_in_steps() {
    let mapped = small(40_000);
    mapped.write(0..40_000);
    let map = own(Way::Scan);
    let mut survey = map.survey(&[(Address(mapped.at()), Bytes(40_000 << 12))]).unwrap();
    let mut steps = 1;
    while !survey.step(&map).unwrap() {
        steps += 1;
    }
    assert!(steps >= 3, "{steps}");
    assert_eq!(survey.finish()[0].present, Bytes(40_000 << 12));
}

#[test]
fn what_is_freed_lazily_is_there_until_it_is_wanted() {
    let mapped = small(5000);
    mapped.write(0..5000);
    assert!(mapped.advise(0, 4000, libc::MADV_FREE));
    let freed = lazily_freed(Pid(std::process::id())).unwrap();
    assert!(freed >= Bytes(3900 << 12), "{freed:?}");
    assert!(mapped.pages(Way::Scan).present >= Bytes(4900 << 12));
}
