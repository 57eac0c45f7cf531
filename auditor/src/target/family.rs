//! Which processes are of a family: the one that was asked for and those that came of it by fork and still run its
//! program. A child that runs another program has memory that is none of the family's.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::proc;
use super::process::parent_of;
use crate::audit::fact::Shares;
use crate::audit::unit::{Bytes, Pid};

/// A process of a family, and who forked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kin {
    /// Its number.
    pub pid: Pid,
    /// Its parent's.
    pub parent: Pid,
}

/// The descendants of a process that run its program, children before grandchildren and by number. A process whose
/// parent has ended is its no more: the kernel gave it to another.
///
/// # Errors
/// When /proc cannot be listed, or the program of the process is not known.
pub fn descendants(root: &Path, first: Pid) -> io::Result<Vec<Kin>> {
    let program = program_of(root, first)?;
    let mut children: BTreeMap<Pid, Vec<Pid>> = BTreeMap::new();
    for entry in fs::read_dir(root)? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()).map(Pid) else {
            continue;
        };
        // One that ends meanwhile is nobody's child.
        if let Some(parent) = parent_of(root, pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut generation = vec![first];
    while !generation.is_empty() {
        let mut next = Vec::new();
        for parent in generation {
            let mut pids = children.remove(&parent).unwrap_or_default();
            pids.sort_unstable();
            pids.retain(|pid| program_of(root, *pid).is_ok_and(|its| its == program));
            found.extend(pids.iter().map(|pid| Kin { pid: *pid, parent }));
            next.extend(pids);
        }
        generation = next;
    }
    Ok(found)
}

/// Device and inode of the program that a process runs.
fn program_of(root: &Path, pid: Pid) -> io::Result<(u64, u64)> {
    let file = fs::metadata(proc::path(root, pid, "exe"))?;
    Ok((file.dev(), file.ino()))
}

/// What of a process's memory is its own and what is shared, by `smaps_rollup` (Linux 5.3 for all of it); `None`: it
/// is not told. About 8 ms for each GiB of small pages in RAM.
#[must_use]
pub fn shares(pid: Pid) -> Option<Shares> {
    parse(&proc::read(Path::new(proc::ROOT), pid, "smaps_rollup").ok()?)
}

/// Lines of `Name:   1234 kB`, where the kernel means 1024.
fn parse(text: &str) -> Option<Shares> {
    let bytes = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
        kibibytes.checked_mul(1024).map(Bytes)
    };
    Some(Shares {
        rss: bytes("Rss")?,
        private: bytes("Private_Clean")? + bytes("Private_Dirty")?,
        anon: bytes("Pss_Anon")?,
        file: bytes("Pss_File")?,
        shmem: bytes("Pss_Shmem")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLUP: &str = "55-7f ---p 00000000 00:00 0    [rollup]\nRss:     4648 kB\nPss:     1003 kB\n\
        Pss_Dirty:  312 kB\nPss_Anon:    300 kB\nPss_File:    691 kB\nPss_Shmem:   12 kB\nShared_Clean:  4300 kB\n\
        Shared_Dirty:   0 kB\nPrivate_Clean:  36 kB\nPrivate_Dirty: 312 kB\n";

    #[test]
    fn what_is_shared_is_told_apart_and_what_is_not_all_told_is_not_known() {
        let kib = |kibibytes: u64| Bytes(kibibytes << 10);
        let shares = parse(ROLLUP).unwrap();
        assert_eq!((shares.rss, shares.private), (kib(4648), kib(348)));
        assert_eq!((shares.anon, shares.file, shares.shmem), (kib(300), kib(691), kib(12)));
        assert_eq!(shares.part(), kib(1003));
        assert_eq!(parse(&ROLLUP.replace("Pss_Shmem", "Other")), None);
        assert_eq!(parse(&ROLLUP.replace("4648", "99999999999999999999")), None);
    }

    #[test]
    fn our_own_part_is_what_the_kernel_adds_up_itself() {
        let shares = shares(Pid(std::process::id())).unwrap();
        assert!(
            shares.private <= shares.rss && shares.part() <= shares.rss && shares.part() > Bytes(1 << 16)
        );
    }

    /// A /proc of processes with their parents and programs.
    fn made(processes: &[(u32, u32, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (pid, parent, program) in processes {
            let (folder, file) = (root.path().join(pid.to_string()), root.path().join(program));
            fs::create_dir(&folder).unwrap();
            fs::write(&file, program).unwrap();
            std::os::unix::fs::symlink(&file, folder.join("exe")).unwrap();
            let state = if *program == "dead" { 'Z' } else { 'S' };
            let stat = format!("{pid} (x) {state} {parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 88 0\n");
            fs::write(folder.join("stat"), stat).unwrap();
        }
        root
    }

    #[test]
    fn a_child_that_runs_another_program_is_none_of_the_family_nor_are_its_children() {
        let processes = [
            (7, 1, "server"),
            (12, 7, "server"),
            (9, 7, "server"),
            (20, 9, "server"),
            (30, 7, "sh"),
            (31, 30, "server"),
            (40, 1, "server"),
            (50, 7, "dead"),
        ];
        let root = made(&processes);
        let found = descendants(root.path(), Pid(7)).unwrap();
        let kin = |pid, parent| Kin { pid: Pid(pid), parent: Pid(parent) };
        assert_eq!(found, [kin(9, 7), kin(12, 7), kin(20, 9)]);
        assert!(descendants(root.path(), Pid(99)).is_err());
    }

    #[test]
    fn processes_that_claim_to_be_each_others_parents_end_somewhere() {
        let root = made(&[(7, 8, "server"), (8, 7, "server")]);
        assert!(descendants(root.path(), Pid(7)).unwrap().len() <= 2);
    }
}
