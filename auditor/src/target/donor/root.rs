//! Files below a root that is not ours: no link of it, absolute or with dots, leads out of it, and nothing is
//! opened that does something when it is opened.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

/// A regular file below a root.
pub(in crate::target) fn open_below(root: &Path, path: &Path) -> io::Result<File> {
    let place = find_below(root, path)?;
    if !place.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(of_descriptor(&place))
}

/// The entries of a directory below a root, by name.
pub(in crate::target) fn open_directory_below(root: &Path, path: &Path) -> io::Result<fs::ReadDir> {
    let place = find_below(root, path)?;
    fs::read_dir(of_descriptor(&place))
}

/// Finds without opening.
fn find_below(root: &Path, path: &Path) -> io::Result<File> {
    let directory = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let root = openat2(AT_FDCWD, root, OpenHow::new().flags(directory))?;
    let inside = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(inside);
    Ok(openat2(root, path, how)?.into())
}

/// A path that opens what was found, whatever has become of its name.
fn of_descriptor(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    fn text(root: &Path, path: &str) -> io::Result<String> {
        let mut text = String::new();
        open_below(root, Path::new(path))?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn links_lead_where_they_lead_inside_and_never_out() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), "inside").unwrap();
        symlink("/etc/passwd", root.path().join("absolute")).unwrap();
        symlink("../../../../etc/passwd", root.path().join("upwards")).unwrap();
        symlink("/etc/hostname", root.path().join("not there")).unwrap();
        for path in ["etc/passwd", "/etc/passwd", "absolute", "upwards", "../../etc/passwd"] {
            assert_eq!(text(root.path(), path).unwrap(), "inside", "{path}");
        }
        assert_eq!(text(root.path(), "not there").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(open_directory_below(root.path(), Path::new("/etc")).unwrap().count(), 1);
    }

    #[test]
    fn a_pipe_is_not_waited_for_and_a_directory_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&root.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(text(root.path(), "pipe").unwrap_err().to_string().contains("not a regular file"));
        assert!(text(root.path(), "/").is_err());
    }
}
