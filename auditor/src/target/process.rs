//! One process: that it is there, that it can be audited, and that it stays the same one.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;

use super::pidfd::Pidfd;
use super::proc;
use crate::audit::unit::Pid;

/// `PF_KTHREAD`: the task has no user memory (`include/linux/sched.h`).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// `ELFCLASS64`.
const CLASS_64: u8 = 2;
/// `EM_X86_64`.
const MACHINE_X86_64: u16 = 62;
/// Inode of the root pid namespace (`PROC_PID_INIT_INO`, `include/linux/proc_ns.h`).
const ROOT_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Why a process cannot be audited, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The number is not in use.
    #[error("no process {pid}: it has ended, or it is in a pid namespace that is not seen from here")]
    NoSuchProcess {
        /// Which number.
        pid: u32,
    },
    /// The number is a thread's.
    #[error("{pid} is a thread of process {process}: audit {process}")]
    Thread {
        /// Which number.
        pid: u32,
        /// Whose thread it is.
        process: u32,
    },
    /// It ended between two steps of looking.
    #[error(
        "process {pid} ended while it was being looked at: start the audit earlier, or use `auditor run`"
    )]
    Gone {
        /// Which one.
        pid: u32,
    },
    /// No right to look.
    #[error(
        "no right to read {path}: it takes CAP_SYS_PTRACE, which root has unless a container or a security \
         module takes it away (see also /proc/sys/kernel/yama/ptrace_scope)"
    )]
    Denied {
        /// What was asked for.
        path: PathBuf,
    },
    /// A part of the kernel.
    #[error("{pid} ({comm}) is a kernel thread: it has no maps of its own, choose a user process")]
    KernelThread {
        /// Which one.
        pid: u32,
        /// Its name.
        comm: String,
    },
    /// Dead, but not yet collected by its parent.
    #[error(
        "{pid} ({comm}) is a zombie: its memory is gone (or its first thread has ended, which leaves \
         no way to look at the others); audit the process that replaced it"
    )]
    Zombie {
        /// Which one.
        pid: u32,
        /// Its name.
        comm: String,
    },
    /// Not an x86-64 program.
    #[error("{pid} runs {exe}, which is not a 64-bit x86-64 program ({found}): only those can be audited")]
    NotX86_64 {
        /// Which one.
        pid: u32,
        /// Its executable.
        exe: String,
        /// What it is instead.
        found: &'static str,
    },
    /// The kernel has no pidfd.
    #[error("this kernel has no pidfd_open(2): Linux 5.10 or later is needed")]
    KernelTooOld,
    /// A file of /proc was not as it should be.
    #[error("{path} is not what the kernel documents: {what}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// Anything else that the kernel said.
    #[error("cannot read {path}")]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// What /proc says of a process at the moment it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number, as our /proc shows it.
    pub pid: Pid,
    /// Its name in `/proc/PID/comm`.
    pub comm: String,
    /// Its executable, without the kernel's ` (deleted)`.
    pub exe: PathBuf,
    /// Whether the executable's file has been deleted or replaced.
    pub exe_deleted: bool,
    /// Threads.
    pub threads: u32,
    /// When it started, in clock ticks since boot: with the pid it names one process for ever.
    pub started: u64,
    /// Its numbers, from the namespace of our /proc down to its own. The first is [`Self::pid`].
    pub namespace_pids: Vec<u32>,
}

/// A process that was there, may be looked at, and can be told from a later one of the same number.
#[derive(Clone, Debug)]
pub struct Process {
    identity: Identity,
    pidfd: Arc<Pidfd>,
}

impl Process {
    /// Opens a process of this /proc.
    ///
    /// # Errors
    /// [`ProcessError`] says why it cannot be audited.
    pub fn open(pid: Pid) -> Result<Self, ProcessError> {
        let root = Path::new(proc::ROOT);
        let pidfd = Pidfd::open(pid).map_err(|errno| refused(root, pid, errno))?;
        // Whatever is read while the pidfd is alive belongs to its process: no number is given
        // away before its process is gone.
        let identity = open_identity(root, pid);
        if pidfd.has_exited() {
            return Err(identity.err().unwrap_or(ProcessError::Gone { pid: pid.0 }));
        }
        Ok(Self { identity: identity?, pidfd: Arc::new(pidfd) })
    }

    /// What /proc said of it when it was opened.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its number, as our /proc shows it.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.identity.pid
    }

    /// Whether all its threads have ended. Never blocks.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        self.pidfd.has_exited()
    }

    /// A descriptor that becomes readable when the process ends; valid as long as `self`.
    #[must_use]
    pub fn raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }

    /// The descriptor, to be shared with what reads its memory.
    #[must_use]
    pub fn pidfd(&self) -> Arc<Pidfd> {
        Arc::clone(&self.pidfd)
    }
}

/// Whether our /proc numbers processes as the kernel's events do (the root pid namespace). In a
/// container it may not, and then [`Identity::pid`] is not what an event carries.
///
/// # Errors
/// As reading a link does.
pub fn sees_root_namespace(root: &Path) -> io::Result<bool> {
    Ok(fs::read_link(root.join("self/ns/pid"))?.as_os_str() == ROOT_PID_NAMESPACE)
}

/// Processes whose `comm` or executable's file name is `name`, by number; never the caller, kernel
/// threads or zombies.
///
/// # Errors
/// When /proc cannot be listed. A process that ends meanwhile, or whose executable may not be seen,
/// is judged by what is left.
pub fn find_by_name(name: &str) -> io::Result<Vec<Pid>> {
    find_by_name_in(Path::new(proc::ROOT), name)
}

/// [`find_by_name`] in another /proc.
///
/// # Errors
/// When it cannot be listed.
pub fn find_by_name_in(root: &Path, name: &str) -> io::Result<Vec<Pid>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root)? {
        let number = entry?.file_name().to_str().and_then(|text| text.parse().ok());
        found.extend(number.map(Pid).filter(|&pid| pid.0 != std::process::id() && is_named(root, pid, name)));
    }
    found.sort_unstable();
    Ok(found)
}

/// The parent of a process that lives.
#[must_use]
pub fn parent_of(root: &Path, pid: Pid) -> Option<Pid> {
    let stat = proc::read(root, pid, "stat").ok()?;
    let stat = parse_stat(&stat)?;
    (!stat.is_dead()).then_some(Pid(stat.parent))
}

fn is_named(root: &Path, pid: Pid, name: &str) -> bool {
    let stat = proc::read(root, pid, "stat").ok();
    let Some(stat) = stat.as_deref().and_then(parse_stat) else { return false };
    if stat.is_kernel_thread() || stat.is_dead() {
        return false;
    }
    let exe = fs::read_link(proc::path(root, pid, "exe")).map(|link| without_deleted(&link).0);
    stat.comm == name || exe.is_ok_and(|exe| exe.file_name().is_some_and(|file| file == name))
}

/// Reads who a process is from the /proc mounted at `root`.
///
/// # Errors
/// [`ProcessError`] says why it cannot be audited.
pub fn open_identity(root: &Path, pid: Pid) -> Result<Identity, ProcessError> {
    let read = |name| proc::read(root, pid, name).map_err(|error| unreadable(root, pid, name, error));
    let malformed = |name, what| ProcessError::Malformed { path: proc::path(root, pid, name), what };
    let stat = read("stat")?;
    let stat = parse_stat(&stat).ok_or_else(|| malformed("stat", "22 fields after the name"))?;
    if stat.is_kernel_thread() {
        return Err(ProcessError::KernelThread { pid: pid.0, comm: stat.comm.to_owned() });
    }
    if stat.is_dead() {
        return Err(ProcessError::Zombie { pid: pid.0, comm: stat.comm.to_owned() });
    }
    let link = fs::read_link(proc::path(root, pid, "exe")).map_err(|e| unreadable(root, pid, "exe", e))?;
    let (exe, exe_deleted) = without_deleted(&link);
    refuse_other_machines(root, pid, &exe)?;
    let namespace_pids =
        parse_namespace_pids(&read("status")?).ok_or_else(|| malformed("status", "no NSpid line"))?;
    Ok(Identity {
        pid,
        comm: stat.comm.to_owned(),
        exe,
        exe_deleted,
        threads: stat.threads,
        started: stat.started,
        namespace_pids,
    })
}

fn refuse_other_machines(root: &Path, pid: Pid, exe: &Path) -> Result<(), ProcessError> {
    let mut start = [0; 20];
    File::open(proc::path(root, pid, "exe"))
        .and_then(|mut file| file.read_exact(&mut start))
        .map_err(|error| unreadable(root, pid, "exe", error))?;
    let found = match (&start[..4], start[4], u16::from_le_bytes([start[18], start[19]])) {
        (b"\x7fELF", CLASS_64, MACHINE_X86_64) => return Ok(()),
        (b"\x7fELF", CLASS_64, _) => "64-bit code for another machine",
        (b"\x7fELF", _, _) => "32-bit code",
        _ => "not an ELF file",
    };
    Err(ProcessError::NotX86_64 { pid: pid.0, exe: exe.display().to_string(), found })
}

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat<'a> {
    comm: &'a str,
    state: char,
    parent: u32,
    flags: u64,
    threads: u32,
    started: u64,
}

impl Stat<'_> {
    fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// The name may hold anything, parentheses too: it ends at the last one. Field numbers as in
/// `proc_pid_stat(5)`; the first after the name is 3.
fn parse_stat(text: &str) -> Option<Stat<'_>> {
    let (head, tail) = text.rsplit_once(')')?;
    let (_pid, comm) = head.split_once('(')?;
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        comm,
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        flags: field(9)?.parse().ok()?,
        threads: field(20)?.parse().ok()?,
        started: field(22)?.parse().ok()?,
    })
}

fn parse_namespace_pids(status: &str) -> Option<Vec<u32>> {
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    pids.split_ascii_whitespace().map(|pid| pid.parse().ok()).collect()
}

fn parse_tgid(status: &str) -> Option<u32> {
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// A link's target without the kernel's mark of a deleted file, and whether it bore one.
pub(super) fn without_deleted(link: &Path) -> (PathBuf, bool) {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    match link.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) => (PathBuf::from(OsStr::from_bytes(path)), true),
        None => (link.to_owned(), false),
    }
}

fn refused(root: &Path, pid: Pid, errno: Errno) -> ProcessError {
    let process = || proc::read(root, pid, "status").ok().as_deref().and_then(parse_tgid);
    match errno {
        Errno::ENOSYS => ProcessError::KernelTooOld,
        Errno::EINVAL | Errno::ENOENT => match process() {
            Some(process) if process != pid.0 => ProcessError::Thread { pid: pid.0, process },
            _ => ProcessError::NoSuchProcess { pid: pid.0 },
        },
        Errno::ESRCH => ProcessError::NoSuchProcess { pid: pid.0 },
        other => ProcessError::Io { path: root.join(pid.0.to_string()), source: other.into() },
    }
}

fn unreadable(root: &Path, pid: Pid, name: &str, source: io::Error) -> ProcessError {
    let path = proc::path(root, pid, name);
    match source.kind() {
        io::ErrorKind::NotFound => ProcessError::Gone { pid: pid.0 },
        io::ErrorKind::PermissionDenied => ProcessError::Denied { path },
        _ if source.raw_os_error() == Some(libc::ESRCH) => ProcessError::Gone { pid: pid.0 },
        _ => ProcessError::Io { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::process::{Child, Command};
    use std::time::{Duration, Instant};

    const STAT: &str = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 12 0 8888 100 200\n";

    /// Ends a child when the test does, however it does.
    struct Guard(Child);
    impl Drop for Guard {
        fn drop(&mut self) {
            let _gone = self.0.kill();
            let _reaped = self.0.wait();
        }
    }

    /// A /proc with one process whose executable begins with `start`.
    fn fake(stat: &str, start: &[u8]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("7");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("stat"), stat).unwrap();
        fs::write(dir.join("status"), "Name:\ta\nTgid:\t7\nNSpid:\t7\t3\n").unwrap();
        fs::write(root.path().join("program (deleted)"), start).unwrap();
        symlink(root.path().join("program (deleted)"), dir.join("exe")).unwrap();
        root
    }

    fn elf(class: u8, machine: u8) -> [u8; 20] {
        let mut start = [0; 20];
        start[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', class]);
        start[18] = machine;
        start
    }

    #[test]
    fn a_name_with_parentheses_and_blanks_is_read_whole() {
        let stat = parse_stat(STAT).unwrap();
        assert_eq!(
            stat,
            Stat { comm: "a) b (c", state: 'S', parent: 1, flags: 4_194_560, threads: 12, started: 8888 }
        );
    }

    #[test]
    fn a_stat_that_breaks_off_is_no_stat() {
        for end in 0..STAT.len() - 10 {
            let cut = parse_stat(&STAT[..end]);
            assert!(cut.is_none_or(|stat| stat.threads == 12), "{end}");
        }
    }

    #[test]
    fn a_fake_proc_gives_the_whole_identity() {
        let root = fake(STAT, &elf(2, 62));
        let identity = open_identity(root.path(), Pid(7)).unwrap();
        assert_eq!(identity.namespace_pids, [7, 3]);
        assert_eq!((identity.threads, identity.started, identity.exe_deleted), (12, 8888, true));
        assert_eq!(identity.exe, root.path().join("program"));
    }

    #[test]
    fn programs_for_other_machines_are_refused_by_name() {
        for (class, machine, word) in [(1, 3, "32-bit"), (1, 62, "32-bit"), (2, 183, "another machine")] {
            let root = fake(STAT, &elf(class, machine));
            let error = open_identity(root.path(), Pid(7)).unwrap_err();
            assert!(
                matches!(error, ProcessError::NotX86_64 { .. }) && error.to_string().contains(word),
                "{error}"
            );
        }
    }

    #[test]
    fn kernel_threads_and_zombies_are_refused_by_name() {
        let zombie = fake(&STAT.replace(") S ", ") Z "), &elf(2, 62));
        assert!(matches!(open_identity(zombie.path(), Pid(7)), Err(ProcessError::Zombie { .. })));
        let thread = fake(&STAT.replace("4194560", "2129984"), &elf(2, 62));
        assert!(matches!(open_identity(thread.path(), Pid(7)), Err(ProcessError::KernelThread { .. })));
    }

    #[test]
    fn a_name_is_found_by_comm_or_by_file_name() {
        let root = fake(STAT, &elf(2, 62));
        assert_eq!(find_by_name_in(root.path(), "a) b (c").unwrap(), [Pid(7)]);
        assert_eq!(find_by_name_in(root.path(), "program").unwrap(), [Pid(7)]);
        assert!(find_by_name_in(root.path(), "prog").unwrap().is_empty());
    }

    #[test]
    fn a_live_child_is_opened_and_seen_to_exit() {
        let mut child = Guard(Command::new("sleep").arg("61").spawn().unwrap());
        let pid = Pid(child.0.id());
        // Until it has replaced its program it bears our name.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !find_by_name("sleep").unwrap().contains(&pid) {
            assert!(Instant::now() < deadline, "the child never became sleep");
        }
        let process = Process::open(pid).unwrap();
        assert_eq!(process.identity().comm, "sleep");
        assert_eq!(process.identity().namespace_pids[0], pid.0);
        assert!(!process.has_exited());
        child.0.kill().unwrap();
        child.0.wait().unwrap();
        assert!(process.has_exited());
        assert!(matches!(Process::open(pid), Err(ProcessError::NoSuchProcess { .. })));
    }

    #[test]
    fn a_child_that_nobody_waited_for_is_a_zombie() {
        let mut child = Guard(Command::new("true").spawn().unwrap());
        let pidfd = Pidfd::open(Pid(child.0.id())).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !pidfd.has_exited() {
            assert!(Instant::now() < deadline);
        }
        assert!(matches!(Process::open(Pid(child.0.id())), Err(ProcessError::Zombie { .. })));
        child.0.wait().unwrap();
    }

    #[test]
    fn a_thread_is_refused_and_its_process_named() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            sender.send(nix::unistd::gettid()).unwrap();
            let _end = wait.recv();
        });
        let tid = u32::try_from(receiver.recv().unwrap().as_raw()).unwrap();
        let error = Process::open(Pid(tid)).unwrap_err();
        drop(end);
        thread.join().unwrap();
        assert!(
            matches!(error, ProcessError::Thread { process, .. } if process == std::process::id()),
            "{error}"
        );
    }

    #[test]
    fn the_caller_never_finds_itself() {
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        assert!(!find_by_name(own.trim_end()).unwrap().contains(&Pid(std::process::id())));
    }
}
