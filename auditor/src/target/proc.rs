//! Files below /proc: where they are, and reading them whole but bounded.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::audit::unit::Pid;

/// Where proc is mounted.
pub const ROOT: &str = "/proc";

/// Most bytes read of a file that is read whole. `status` is the longest: its `Groups:` line holds
/// up to 65 536 numbers (`NGROUPS_MAX`).
const WHOLE: u64 = 1 << 20;

/// `ROOT/PID/name`.
#[must_use]
pub fn path(root: &Path, pid: Pid, name: &str) -> PathBuf {
    root.join(pid.0.to_string()).join(name)
}

/// A file of a process, as text; bytes that are not UTF-8 are replaced.
///
/// # Errors
/// As [`File::open`] and reading do; a file of more than 1 MiB is cut there.
pub fn read(root: &Path, pid: Pid, name: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path(root, pid, name))?.take(WHOLE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
