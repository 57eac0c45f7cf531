//! Pages that were left to the kernel to take (`MADV_FREE`) and are still there: they count in RSS until it
//! wants them. Only the whole process can be asked, and that walks all its pages.

use std::path::Path;

use super::super::proc;
use crate::audit::unit::{Bytes, Pid};

/// What the process has left to the kernel, by `smaps_rollup` (Linux 4.14); `None`: it is not told. About 8 ms
/// for each GiB of small pages in RAM.
#[must_use]
pub fn lazily_freed(pid: Pid) -> Option<Bytes> {
    parse(&proc::read(Path::new(proc::ROOT), pid, "smaps_rollup").ok()?)
}

/// The line `LazyFree:             1234 kB`, where the kernel means 1024.
fn parse(text: &str) -> Option<Bytes> {
    let line = text.lines().find_map(|line| line.strip_prefix("LazyFree:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_among_the_others_and_anything_else_is_not_known() {
        let text = "7f00-7fff ---p 00000000 00:00 0 [rollup]\nRss: 8 kB\nLazyFree:       132 kB\n";
        assert_eq!(parse(text), Some(Bytes(132 << 10)));
        for text in ["", "LazyFree: kB\n", "LazyFree: 12\n", "LazyFree: 99999999999999999999 kB\n"] {
            assert_eq!(parse(text), None);
        }
    }
}
