//! How much memory a process's cgroups let it have: v1, v2, or both at once.
//!
//! Where the hierarchies are mounted is read from our own `mountinfo`, where the process is in them
//! from its `cgroup`. The limit that binds is the smallest one from there up to the root.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};

use super::proc;
use crate::audit::unit::{Bytes, Pid};

/// A v1 limit from here on is none: the kernel says `LONG_MAX` rounded to pages where nobody set one
/// (`PAGE_COUNTER_MAX`, `include/linux/page_counter.h`).
const NO_LIMIT: u64 = 1 << 62;
/// Most levels of a hierarchy that are looked at.
const LEVELS: usize = 64;

/// A mounted hierarchy that can limit memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// Which part of the hierarchy is mounted.
    root: PathBuf,
    /// Where.
    at: PathBuf,
    version: Version,
}

/// Which kind of hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    One,
    /// One for all.
    Two,
}

impl Version {
    const fn limit_file(self) -> &'static str {
        match self {
            Self::One => "memory.limit_in_bytes",
            Self::Two => "memory.max",
        }
    }
}

/// The memory limits of one process, kept open.
#[derive(Debug, Default)]
pub struct Limits {
    groups: Vec<Group>,
}

/// A group that may limit the memory of its tasks.
#[derive(Debug)]
pub struct Group {
    /// Where it is.
    pub place: PathBuf,
    /// In which hierarchy.
    pub version: Version,
    limit: File,
}

impl Group {
    fn open((place, version): (PathBuf, Version)) -> Option<Self> {
        let limit = File::open(place.join(version.limit_file())).ok()?;
        Some(Self { place, version, limit })
    }
}

impl Limits {
    /// Opens every limit that can be seen from here. What cannot be seen does not limit: a process
    /// in another cgroup namespace, a hierarchy that is not mounted here.
    #[must_use]
    pub fn open(root: &Path, pid: Pid) -> Self {
        let cgroup = proc::read(root, pid, "cgroup").unwrap_or_default();
        Self::of(root, &cgroup)
    }

    /// [`Self::open`] with the text of `/proc/PID/cgroup` at hand.
    #[must_use]
    pub fn of(root: &Path, cgroup: &str) -> Self {
        let mountinfo = std::fs::read_to_string(root.join("self/mountinfo")).unwrap_or_default();
        let groups = groups(&parse_mounts(&mountinfo), cgroup);
        Self { groups: groups.into_iter().filter_map(Group::open).collect() }
    }

    /// The smallest limit now; `None`: there is none.
    #[must_use]
    pub fn smallest(&self) -> Option<Bytes> {
        self.groups.iter().filter_map(|group| read_limit(&group.limit)).min()
    }

    /// The group with the smallest limit; without a limit, the process's own.
    #[must_use]
    pub fn binding(&self) -> Option<&Group> {
        let limited = self.groups.iter().filter_map(|group| Some((read_limit(&group.limit)?, group)));
        limited.min_by_key(|(limit, _)| *limit).map(|(_, group)| group).or(self.groups.first())
    }
}

fn read_limit(file: &File) -> Option<Bytes> {
    let mut text = [0; 32];
    let len = file.read_at(&mut text, 0).ok()?;
    parse_limit(std::str::from_utf8(text.get(..len)?).ok()?)
}

/// `max`, or bytes.
fn parse_limit(text: &str) -> Option<Bytes> {
    let bytes = text.trim().parse().ok()?;
    (bytes < NO_LIMIT).then_some(Bytes(bytes))
}

/// Lines of `proc_pid_mountinfo(5)`: `id parent dev root mount-point options ... - type source super`.
fn parse_mounts(mountinfo: &str) -> Vec<Mount> {
    mountinfo.lines().filter_map(parse_mount).collect()
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut kind = kind.split(' ');
    let (name, _source, options) = (kind.next()?, kind.next()?, kind.next().unwrap_or_default());
    let version = match name {
        "cgroup2" => Version::Two,
        "cgroup" if options.split(',').any(|option| option == "memory") => Version::One,
        _ => return None,
    };
    let mut mount = mount.split(' ').skip(3).map(|path| PathBuf::from(path.replace("\\040", " ")));
    Some(Mount { root: mount.next()?, at: mount.next()?, version })
}

/// Every group that may limit a process with this `/proc/PID/cgroup`.
fn groups(mounts: &[Mount], cgroup: &str) -> Vec<(PathBuf, Version)> {
    mounts
        .iter()
        .filter_map(|mount| Some(groups_above(mount, &path_in(cgroup, mount.version)?)))
        .flatten()
        .collect()
}

/// The process's path in a hierarchy. Lines are `id:controllers:path`; v2's is `0::path`.
fn path_in(cgroup: &str, version: Version) -> Option<PathBuf> {
    cgroup.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (_id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let fits = match version {
            Version::One => controllers.split(',').any(|controller| controller == "memory"),
            Version::Two => controllers.is_empty(),
        };
        fits.then(|| PathBuf::from(path))
    })
}

/// From the process's group up to where the hierarchy is mounted.
fn groups_above(mount: &Mount, path: &Path) -> Vec<(PathBuf, Version)> {
    // `/../x` is a group outside of our cgroup namespace: not seen from here.
    let outside = path.components().any(|component| component == Component::ParentDir);
    let Some(below) = path.strip_prefix(&mount.root).ok().filter(|_| !outside) else { return Vec::new() };
    let levels = below.ancestors().take(LEVELS);
    levels.map(|level| (mount.at.join(level), mount.version)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A host with v1 memory and v2 without, as systemd's hybrid mode mounts them.
    fn host(dir: &Path, v1_root: &str) -> String {
        let at = dir.display();
        format!(
            "30 25 0:26 / {at}/unified rw - cgroup2 cgroup2 rw\n\
             31 25 0:27 {v1_root} {at}/memory rw,nosuid - cgroup cgroup rw,memory\n\
             32 25 0:28 / {at}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n\
             33 25 8:1 / / rw - ext4 /dev/sda1 rw\n"
        )
    }

    fn put(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn smallest(dir: &Path, v1_root: &str, cgroup: &str) -> Option<Bytes> {
        put(dir, "self/mountinfo", &host(dir, v1_root));
        Limits::of(dir, cgroup).smallest()
    }

    #[test]
    fn the_smallest_limit_up_to_the_root_binds() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "memory/memory.limit_in_bytes", "9223372036854771712\n");
        put(dir.path(), "memory/a/memory.limit_in_bytes", "1000\n");
        put(dir.path(), "memory/a/b/memory.limit_in_bytes", "5000\n");
        assert_eq!(smallest(dir.path(), "/", "4:memory:/a/b\n0::/\n"), Some(Bytes(1000)));
        put(dir.path(), "unified/x/memory.max", "800\n");
        assert_eq!(smallest(dir.path(), "/", "4:memory:/a/b\n0::/x\n"), Some(Bytes(800)));
    }

    #[test]
    fn no_limit_is_none_in_both_versions() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "memory/memory.limit_in_bytes", "9223372036854771712\n");
        put(dir.path(), "unified/x/memory.max", "max\n");
        assert_eq!(smallest(dir.path(), "/", "4:memory:/\n0::/x\n"), None);
    }

    #[test]
    fn a_group_that_cannot_be_seen_from_here_does_not_limit() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "memory/memory.limit_in_bytes", "77\n");
        assert_eq!(smallest(dir.path(), "/", "4:memory:/../other\n"), None);
        assert_eq!(smallest(dir.path(), "/docker/1", "4:memory:/elsewhere\n"), None);
        assert_eq!(smallest(dir.path(), "/docker/1", "4:memory:/docker/1\n"), Some(Bytes(77)));
        assert_eq!(smallest(dir.path(), "/", ""), None);
    }

    #[test]
    fn a_limit_that_changes_is_seen_without_opening_it_again() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "self/mountinfo", &host(dir.path(), "/"));
        put(dir.path(), "unified/memory.max", "500\n");
        let limits = Limits::of(dir.path(), "0::/\n");
        put(dir.path(), "unified/memory.max", "max\n");
        assert_eq!(limits.smallest(), None);
    }

    #[test]
    fn this_host_is_understood() {
        let limits = Limits::open(Path::new(proc::ROOT), Pid(std::process::id()));
        assert!(limits.smallest().is_none_or(|limit| limit.0 > 1 << 20));
    }
}
