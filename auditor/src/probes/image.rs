//! The bytes of a file of the kernel that never change: mapped where the kernel offers it, else read.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::ptr::{self, NonNull};

/// Bytes of a file.
#[derive(Debug)]
pub(super) enum Image {
    /// The kernel's own copy. Linux offers it for its BTF from 6.16 on (`btf_sysfs_vmlinux_mmap`,
    /// kernel/bpf/sysfs_btf.c).
    Mapped(Mapping),
    /// Ours: 5.5 MB of BTF come in 1,350 reads of a page each, 3 ms with the pages to put them in.
    Read(Vec<u8>),
}

impl Image {
    /// Opens a file below /sys/kernel that never changes.
    ///
    /// # Errors
    /// As opening and reading do.
    pub(super) fn open(path: &str) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        if let Some(mapping) = Mapping::of(&file, len) {
            return Ok(Self::Mapped(mapping));
        }
        let mut bytes = Vec::with_capacity(len);
        file.read_to_end(&mut bytes)?;
        Ok(Self::Read(bytes))
    }
}

impl AsRef<[u8]> for Image {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Mapped(mapping) => mapping.as_ref(),
            Self::Read(bytes) => bytes,
        }
    }
}

/// Pages of a file, until it is dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

impl Mapping {
    /// Maps the whole file; `None` where its kind cannot be mapped.
    fn of(file: &File, len: usize) -> Option<Self> {
        // SAFETY: a new mapping where the kernel chooses touches no memory that there is.
        let at = unsafe {
            libc::mmap(ptr::null_mut(), len, libc::PROT_READ, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        if at == libc::MAP_FAILED {
            return None;
        }
        NonNull::new(at.cast()).map(|start| Self { start, len })
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `len` bytes are mapped for as long as we are, and the file is of those that the
        // kernel never changes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: our own mapping, of which no borrow is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BTF: &str = "/sys/kernel/btf/vmlinux";

    #[test]
    fn a_mapped_file_has_the_bytes_that_are_read() {
        let image = Image::open(BTF).unwrap();
        assert!(std::fs::read(BTF).unwrap() == image.as_ref());
    }

    #[test]
    fn what_cannot_be_mapped_is_read() {
        let image = Image::open("/sys/kernel/uevent_seqnum").unwrap();
        assert!(matches!(&image, Image::Read(bytes) if bytes.ends_with(b"\n")), "{image:?}");
    }
}
