//! `.gnu_debuglink`: what a stripped file says of the one that has its symbols.
//!
//! ```text
//!   0  name \0, padded to 4 bytes
//!      u32  CRC-32 of the whole file
//! ```
//! <https://sourceware.org/gdb/current/onlinedocs/gdb.html/Separate-Debug-Files.html>

use std::path::{Path, PathBuf};

use super::DEBUG;
use crate::target::elf::Elf;
use crate::target::module::Module;

/// Most bytes of a section: a file's name and a number.
const SECTION: u64 = 4096;

/// The link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    name: String,
    pub(super) checksum: u32,
}

/// The link of a file, if it has one.
pub(super) fn of(module: &Module, elf: &Elf) -> Option<Link> {
    let section = elf.section_named(".gnu_debuglink").filter(|section| section.size <= SECTION)?;
    parse(&module.bytes_at_file_offset(section.offset?, section.size as usize).ok()?)
}

fn parse(section: &[u8]) -> Option<Link> {
    let end = section.iter().position(|&byte| byte == 0)?;
    let name = std::str::from_utf8(&section[..end]).ok()?;
    // The name comes from the file: it is one of a file beside it, and no path.
    let is_name = !name.is_empty() && !name.contains('/') && name != "..";
    let checksum = section.get((end + 1).next_multiple_of(4)..)?.first_chunk()?;
    is_name.then(|| Link { name: name.to_owned(), checksum: u32::from_le_bytes(*checksum) })
}

impl Link {
    /// Where the file may be, below a root; `of` is the path of the file that was stripped.
    pub(super) fn places(&self, of: &Path) -> Vec<PathBuf> {
        let folder = of.parent().unwrap_or(Path::new("/"));
        let folder = folder.strip_prefix("/").unwrap_or(folder);
        [
            folder.join(&self.name),
            folder.join(".debug").join(&self.name),
            Path::new(DEBUG).join(folder).join(&self.name),
        ]
        .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_name_and_a_checksum_behind_its_padding() {
        let link = parse(b"abcdef.debug\0\0\0\0\x01\x02\x03\x04").unwrap();
        assert_eq!(link, Link { name: "abcdef.debug".to_owned(), checksum: 0x0403_0201 });
        assert_eq!(
            link.places(Path::new("/usr/bin/x")),
            ["usr/bin/abcdef.debug", "usr/bin/.debug/abcdef.debug", "usr/lib/debug/usr/bin/abcdef.debug"]
                .map(PathBuf::from)
        );
        assert_eq!(parse(b"abc\0\x05\0\0\0").unwrap().checksum, 5);
    }

    #[test]
    fn a_link_that_leads_elsewhere_or_breaks_off_is_none() {
        for bad in [
            &b"../../etc/passwd\0\0\0\0\0\0\0\0"[..],
            b"..\0\0\0\0\0\0",
            b"\0\0\0\0\0\0\0\0",
            b"abc",
            b"abc\0\0",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
