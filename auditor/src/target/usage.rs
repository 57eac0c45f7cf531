//! What a process holds now: the [`Memory`] fact, from `/proc/PID/status` and its cgroups.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::cgroup::Limits;
use super::proc;
use crate::audit::fact::Memory;
use crate::audit::unit::{Bytes, Pid};

/// Most bytes of `status` or `cgroup` that are read.
const WHOLE: usize = 1 << 20;

/// Why it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The process has ended, or holds no memory any more.
    #[error("the process is gone")]
    Gone,
    /// It could not be read.
    #[error("cannot read the status of the process")]
    Io(#[source] io::Error),
}

/// Reads what a process holds, again and again: its files stay open.
#[derive(Debug)]
pub struct Usage {
    status: File,
    cgroup: File,
    /// What `cgroup` said when `limits` were opened.
    group: Vec<u8>,
    limits: Limits,
    root: Box<Path>,
    text: Vec<u8>,
}

impl Usage {
    /// Opens the files of a process.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn open(pid: Pid) -> Result<Self, UsageError> {
        Self::open_in(Path::new(proc::ROOT), pid)
    }

    /// [`Self::open`] in another /proc.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn open_in(root: &Path, pid: Pid) -> Result<Self, UsageError> {
        let open = |name| File::open(proc::path(root, pid, name)).map_err(gone_or_failed);
        let (status, cgroup) = (open("status")?, open("cgroup")?);
        let (group, limits, text) = (Vec::new(), Limits::default(), Vec::new());
        Ok(Self { status, cgroup, group, limits, root: root.into(), text })
    }

    /// What it holds now. About 30 µs.
    ///
    /// # Errors
    /// [`UsageError`].
    pub fn read(&mut self) -> Result<Memory, UsageError> {
        read_whole(&self.status, &mut self.text).map_err(gone_or_failed)?;
        let mut memory = parse_status(&String::from_utf8_lossy(&self.text)).ok_or(UsageError::Gone)?;
        memory.limit = self.limit();
        Ok(memory)
    }

    /// The process may have been moved to another group since the last reading.
    fn limit(&mut self) -> Option<Bytes> {
        read_whole(&self.cgroup, &mut self.text).ok()?;
        if self.text != self.group {
            self.limits = Limits::of(&self.root, &String::from_utf8_lossy(&self.text));
            self.group.clone_from(&self.text);
        }
        self.limits.smallest()
    }
}

fn gone_or_failed(error: io::Error) -> UsageError {
    let gone = error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH);
    if gone { UsageError::Gone } else { UsageError::Io(error) }
}

/// From the first byte, whatever was read before; into room that is kept.
fn read_whole(file: &File, into: &mut Vec<u8>) -> io::Result<()> {
    let mut len = 0;
    into.resize(into.capacity().max(4096), 0);
    while len < WHOLE {
        if len == into.len() {
            into.resize(2 * len, 0);
        }
        let read = file.read_at(&mut into[len..], len as u64)?;
        len += read;
        if read == 0 {
            break;
        }
    }
    into.truncate(len);
    Ok(())
}

/// A zombie has no memory, and its status no such lines.
fn parse_status(text: &str) -> Option<Memory> {
    let mut memory = Memory::default();
    let mut seen = 0;
    for line in text.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let field = match name {
            "RssAnon" => &mut memory.anon,
            "RssFile" => &mut memory.file,
            "RssShmem" => &mut memory.shmem,
            "VmSwap" => &mut memory.swap,
            "VmHWM" => memory.peak.insert(Bytes(0)),
            _ => continue,
        };
        *field = kibibytes(value)?;
        seen += 1;
    }
    (seen == 5).then_some(memory)
}

/// `   1234 kB`, where the kernel means 1024.
fn kibibytes(value: &str) -> Option<Bytes> {
    let number: u64 = value.trim().strip_suffix(" kB")?.trim_end().parse().ok()?;
    number.checked_mul(1024).map(Bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\ta\nVmPeak:\t 900 kB\nVmHWM:\t     300 kB\nVmRSS:\t 250 kB\n\
        RssAnon:\t     200 kB\nRssFile:\t      40 kB\nRssShmem:\t      10 kB\nVmSwap:\t       3 kB\n";

    #[test]
    fn a_status_gives_each_counter_in_bytes() {
        let memory = parse_status(STATUS).unwrap();
        assert_eq!(memory.rss(), Bytes(250 * 1024));
        assert_eq!((memory.swap, memory.peak), (Bytes(3072), Some(Bytes(300 * 1024))));
    }

    #[test]
    fn a_zombies_status_is_no_memory_rather_than_zero() {
        assert_eq!(parse_status("Name:\ta\nState:\tZ (zombie)\n"), None);
        assert_eq!(parse_status(&STATUS.replace("VmSwap", "Other")), None);
        assert_eq!(parse_status(&STATUS.replace("200 kB", "99999999999999999999 kB")), None);
    }

    #[test]
    fn what_we_touch_appears_in_our_own_reading() {
        let mut usage = Usage::open(Pid(std::process::id())).unwrap();
        let before = usage.read().unwrap();
        let touched = vec![1_u8; 64 << 20];
        let after = usage.read().unwrap();
        assert!(std::hint::black_box(&touched)[5] == 1);
        let grown = after.anon.less(before.anon);
        assert!(grown > Bytes(32 << 20), "{before:?} {after:?}");
        assert!(after.peak.unwrap() >= after.anon.less(Bytes(1 << 20)));
    }

    #[test]
    fn a_process_that_has_ended_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("64").spawn().unwrap();
        let mut usage = Usage::open(Pid(child.id())).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(usage.read(), Err(UsageError::Gone)));
        assert!(matches!(Usage::open(Pid(child.id())), Err(UsageError::Gone)));
    }

    #[test]
    fn the_limit_follows_the_process_to_another_group() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let at = root.path().display();
        put("self/mountinfo", &format!("1 2 0:1 / {at}/cg rw - cgroup2 cgroup2 rw\n"));
        put("cg/a/memory.max", "4096\n");
        put("cg/b/memory.max", "8192\n");
        put("7/status", STATUS);
        put("7/cgroup", "0::/a\n");
        let mut usage = Usage::open_in(root.path(), Pid(7)).unwrap();
        assert_eq!(usage.read().unwrap().limit, Some(Bytes(4096)));
        put("7/cgroup", "0::/b\n");
        assert_eq!(usage.read().unwrap().limit, Some(Bytes(8192)));
    }
}
