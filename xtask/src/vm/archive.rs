//! The archive that a kernel unpacks as its first file system: cpio in the "newc" form, as the kernel's
//! Documentation/driver-api/early-userspace/buffer-format.rst has it. Every entry is a header of ASCII
//! digits, a name and the content, each padded to 4 bytes; the last is called `TRAILER!!!`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// File types of `st_mode`, include/uapi/linux/stat.h.
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

/// An archive that is being written.
#[derive(Debug)]
pub(super) struct Archive<W> {
    into: W,
    entries: u32,
    there: BTreeSet<PathBuf>,
}

impl<W: Write> Archive<W> {
    /// An empty one.
    pub(super) fn new(into: W) -> Self {
        Self { into, entries: 0, there: BTreeSet::new() }
    }

    /// A folder, and those that it is in; what is there already stays.
    pub(super) fn folder(&mut self, path: &Path) -> io::Result<()> {
        let mut whole = PathBuf::new();
        for part in path.components().filter(|part| matches!(part, Component::Normal(_))) {
            whole.push(part);
            if self.there.insert(whole.clone()) {
                self.entry(&whole, FOLDER | 0o755, &[])?;
            }
        }
        Ok(())
    }

    /// A file that everybody may read and run, and the folders that it is in. A path that is there
    /// already stays as it is.
    pub(super) fn file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.folder(path.parent().unwrap_or(Path::new("/")))?;
        let path = path.strip_prefix("/").unwrap_or(path);
        if !self.there.insert(path.to_owned()) {
            return Ok(());
        }
        self.entry(path, FILE | 0o755, content)
    }

    /// Ends it and gives back what it was written to.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.entry(Path::new("TRAILER!!!"), 0, &[])?;
        self.into.flush()?;
        Ok(self.into)
    }

    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let name = path.to_str().ok_or(io::ErrorKind::InvalidFilename)?;
        let size = u32::try_from(content.len()).map_err(io::Error::other)?;
        let name_size = u32::try_from(name.len() + 1).map_err(io::Error::other)?;
        self.entries += 1;
        // Inode, mode, user, group, links, time, size, device twice, special device twice, the name's
        // size with its zero, a checksum that this form has no use for.
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        let digits: String = fields.iter().map(|field| format!("{field:08X}")).collect();
        let head = format!("070701{digits}{name}\0");
        self.padded(head.as_bytes())?;
        self.padded(content)
    }

    fn padded(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.into.write_all(bytes)?;
        let rest = bytes.len().next_multiple_of(4) - bytes.len();
        self.into.write_all(&[0; 4][..rest])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, mode and content of each entry, read as the format's description says.
    fn entries(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            assert!(bytes.starts_with(b"070701"), "{bytes:?}");
            let field = |index: usize| {
                let digits = std::str::from_utf8(&bytes[6 + 8 * index..14 + 8 * index]).unwrap();
                u32::from_str_radix(digits, 16).unwrap()
            };
            let (mode, size, name_size) = (field(1), field(6) as usize, field(11) as usize);
            let name = std::str::from_utf8(&bytes[110..110 + name_size - 1]).unwrap().to_owned();
            assert_eq!(bytes[110 + name_size - 1], 0);
            let content = (110 + name_size).next_multiple_of(4);
            found.push((name, mode, bytes[content..content + size].to_vec()));
            bytes = &bytes[(content + size).next_multiple_of(4)..];
        }
        found
    }

    #[test]
    fn folders_come_before_what_is_in_them_and_everything_once() {
        let mut archive = Archive::new(Vec::new());
        archive.file(Path::new("/usr/bin/one"), b"first").unwrap();
        archive.file(Path::new("/usr/bin/one"), b"second").unwrap();
        archive.folder(Path::new("/usr/bin")).unwrap();
        let entry = |name: &str, mode: u32, content: &[u8]| (name.to_owned(), mode, content.to_vec());
        assert_eq!(
            entries(&archive.finish().unwrap()),
            [
                entry("usr", 0o040_755, b""),
                entry("usr/bin", 0o040_755, b""),
                entry("usr/bin/one", 0o100_755, b"first"),
                entry("TRAILER!!!", 0, b""),
            ]
        );
    }

    #[test]
    fn content_of_every_length_is_padded_to_words() {
        for length in 0..9 {
            let mut archive = Archive::new(Vec::new());
            archive.file(Path::new("/x"), &vec![7; length]).unwrap();
            let bytes = archive.finish().unwrap();
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(entries(&bytes)[0].2, vec![7; length]);
        }
    }
}
