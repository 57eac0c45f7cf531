//! How scarce memory is for a process: what its cgroup was charged and may be, how long tasks have waited for
//! memory, what the host has left. The [`Pressure`] fact.
//!
//! Each reading opens the files it needs: seven small ones. `memory.stat` has the kernel add up its counters
//! over all CPUs, and is read less often.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::cgroup::{Limits, Version};
use super::proc;
use crate::audit::fact::{Charge, Pressure, Stalls};
use crate::audit::unit::{Bytes, Nanos, Pid};

/// Most bytes of a file that are read. `memory.stat` has about 4 KiB.
const MOST: u64 = 1 << 16;
/// The limit that stands for none in v1 (`PAGE_COUNTER_MAX`, include/linux/page_counter.h), rounded down.
const NO_LIMIT: u64 = 1 << 62;
/// One reading in so many adds up `memory.stat`.
const SELDOM: u64 = 5;

/// Reads how scarce memory is for a process, again and again.
#[derive(Debug)]
pub struct Scarcity {
    pid: Pid,
    root: Box<Path>,
    /// What `/proc/PID/cgroup` said when `limits` were opened.
    cgroup: String,
    limits: Limits,
    readings: u64,
    reclaimable: Option<Bytes>,
}

/// What a hierarchy calls its files.
struct Names {
    current: &'static str,
    high: Option<&'static str>,
    max: &'static str,
    peak: &'static str,
    inactive: &'static str,
}

const ONE: Names = Names {
    current: "memory.usage_in_bytes",
    high: None,
    max: "memory.limit_in_bytes",
    peak: "memory.max_usage_in_bytes",
    inactive: "total_inactive_file",
};

const TWO: Names = Names {
    current: "memory.current",
    high: Some("memory.high"),
    max: "memory.max",
    peak: "memory.peak",
    inactive: "inactive_file",
};

impl Scarcity {
    /// Of a process.
    #[must_use]
    pub fn of(pid: Pid) -> Self {
        Self::of_in(Path::new(proc::ROOT), pid)
    }

    /// [`Self::of`] in another /proc.
    #[must_use]
    pub fn of_in(root: &Path, pid: Pid) -> Self {
        let (root, cgroup, limits) = (root.into(), String::new(), Limits::default());
        Self { pid, root, cgroup, limits, readings: 0, reclaimable: None }
    }

    /// As it is now. What the host does not tell is `None`.
    pub fn read(&mut self) -> Pressure {
        self.follow();
        let group = self.limits.binding().map(|group| (group.place.clone(), group.version));
        let charge = group.as_ref().map(|(place, version)| self.charge(place, *version));
        let of_group = group.and_then(|(place, _)| stalls(place.join("memory.pressure"), true));
        let stalls = of_group.or_else(|| stalls(self.root.join("pressure/memory"), false));
        Pressure { group: charge, stalls, available: self.available() }
    }

    /// The process may have been moved to another group since the last reading.
    fn follow(&mut self) {
        let Ok(cgroup) = proc::read(&self.root, self.pid, "cgroup") else { return };
        if cgroup != self.cgroup {
            self.limits = Limits::of(&self.root, &cgroup);
            (self.cgroup, self.readings) = (cgroup, 0);
        }
    }

    fn charge(&mut self, place: &Path, version: Version) -> Charge {
        let names = match version {
            Version::One => ONE,
            Version::Two => TWO,
        };
        if self.readings.is_multiple_of(SELDOM) {
            let stat = text(place.join("memory.stat"));
            self.reclaimable = stat.and_then(|stat| value(&stat, names.inactive)).map(Bytes);
        }
        self.readings += 1;
        let bytes = |name| text(place.join(name)).and_then(|text| limit(&text));
        let events = text(place.join("memory.events")).unwrap_or_default();
        let oom_kills = value(&events, "oom_kill")
            .or_else(|| value(&text(place.join("memory.oom_control"))?, "oom_kill"));
        let failed = || text(place.join("memory.failcnt"))?.trim().parse().ok();
        Charge {
            current: bytes(names.current),
            reclaimable: self.reclaimable,
            high: names.high.and_then(bytes),
            max: bytes(names.max),
            peak: bytes(names.peak),
            high_events: value(&events, "high"),
            max_events: value(&events, "max").or_else(failed),
            oom_kills,
        }
    }

    fn available(&self) -> Option<Bytes> {
        let meminfo = text(self.root.join("meminfo"))?;
        let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
        kibibytes.checked_mul(1024).map(Bytes)
    }
}

fn text(path: PathBuf) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `max`, or bytes; what stands for no limit is none.
fn limit(text: &str) -> Option<Bytes> {
    text.trim().parse().ok().filter(|bytes| *bytes < NO_LIMIT).map(Bytes)
}

/// The value of a line `name value`.
fn value(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == name)?.1.trim().parse().ok()
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, in µs, and the same of `full`.
fn stalls(path: PathBuf, of_group: bool) -> Option<Stalls> {
    let text = text(path)?;
    let total = |kind| {
        let line = text.lines().find_map(|line| line.strip_prefix(kind))?;
        let micros: u64 = line.rsplit_once("total=")?.1.trim().parse().ok()?;
        micros.checked_mul(1000).map(Nanos)
    };
    Some(Stalls { some: total("some ")?, full: total("full ")?, of_group })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host made of files.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new(kind: &str) -> Self {
            let host = Self(tempfile::tempdir().unwrap());
            let at = host.0.path().display();
            let options = if kind == "cgroup" { "rw,memory" } else { "rw" };
            host.put("self/mountinfo", &format!("1 2 0:1 / {at}/cg rw - {kind} {kind} {options}\n"));
            host.put("meminfo", "MemTotal: 9 kB\nMemAvailable:    2048 kB\n");
            let line = |kind, total| format!("{kind} avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n");
            host.put("pressure/memory", &(line("some", 7) + &line("full", 3)));
            host
        }

        fn put(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        fn scarcity(&self) -> Scarcity {
            Scarcity::of_in(self.0.path(), Pid(7))
        }
    }

    #[test]
    fn the_group_whose_limit_binds_is_read_in_the_unified_hierarchy() {
        let host = Host::new("cgroup2");
        host.put("7/cgroup", "0::/pod/app\n");
        host.put("cg/pod/memory.max", "9000\n");
        host.put("cg/pod/memory.current", "5000\n");
        host.put("cg/pod/memory.high", "max\n");
        host.put("cg/pod/memory.peak", "6000\n");
        host.put("cg/pod/memory.stat", "file 70\ninactive_file 60\n");
        host.put("cg/pod/memory.events", "low 0\nhigh 3\nmax 4\noom 1\noom_kill 1\n");
        host.put("cg/pod/memory.pressure", "some avg10=0.00 total=50\nfull avg10=0.00 total=20\n");
        host.put("cg/pod/app/memory.max", "max\n");
        let mut scarcity = host.scarcity();
        let expected = Charge {
            current: Some(Bytes(5000)),
            reclaimable: Some(Bytes(60)),
            high: None,
            max: Some(Bytes(9000)),
            peak: Some(Bytes(6000)),
            high_events: Some(3),
            max_events: Some(4),
            oom_kills: Some(1),
        };
        let read = scarcity.read();
        assert_eq!(read.group, Some(expected));
        assert_eq!(read.stalls, Some(Stalls { some: Nanos(50_000), full: Nanos(20_000), of_group: true }));
        assert_eq!(read.available, Some(Bytes(2 << 20)));
    }

    #[test]
    fn the_older_hierarchy_has_other_names_and_no_waiting_of_its_own() {
        let host = Host::new("cgroup");
        host.put("7/cgroup", "4:memory:/app\n");
        host.put("cg/app/memory.limit_in_bytes", "9223372036854771712\n");
        host.put("cg/app/memory.usage_in_bytes", "5000\n");
        host.put("cg/app/memory.max_usage_in_bytes", "6000\n");
        host.put("cg/app/memory.failcnt", "2\n");
        host.put("cg/app/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        host.put("cg/app/memory.stat", "inactive_file 1\ntotal_inactive_file 60\n");
        let read = host.scarcity().read();
        let group = read.group.unwrap();
        assert_eq!((group.max, group.current, group.peak), (None, Some(Bytes(5000)), Some(Bytes(6000))));
        assert_eq!((group.max_events, group.oom_kills, group.high_events), (Some(2), Some(1), None));
        assert_eq!(group.reclaimable, Some(Bytes(60)));
        assert_eq!(read.stalls, Some(Stalls { some: Nanos(7000), full: Nanos(3000), of_group: false }));
    }

    #[test]
    fn a_process_that_moves_is_followed_and_a_host_that_tells_nothing_is_unknown() {
        let host = Host::new("cgroup2");
        host.put("7/cgroup", "0::/a\n");
        host.put("cg/a/memory.max", "1\n");
        host.put("cg/b/memory.max", "2\n");
        let mut scarcity = host.scarcity();
        assert_eq!(scarcity.read().group.unwrap().max, Some(Bytes(1)));
        host.put("7/cgroup", "0::/b\n");
        assert_eq!(scarcity.read().group.unwrap().max, Some(Bytes(2)));
        let nothing = tempfile::tempdir().unwrap();
        assert_eq!(Scarcity::of_in(nothing.path(), Pid(7)).read(), Pressure::default());
    }

    #[test]
    fn this_host_tells_what_is_available() {
        let read = Scarcity::of(Pid(std::process::id())).read();
        assert!(read.available.unwrap() > Bytes(1 << 20), "{read:?}");
    }
}
