//! A memory limit: the demo in a cgroup of its own, and what the report says of it against the cgroup's files and
//! what the kernel does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::{PATIENCE, Process, Scene, demo, json, number, rows, wait_until};

const MIB: u64 = 1 << 20;
/// Charges that the kernel has not counted yet, 64 pages a CPU, and pages that the reader itself brings in.
const SLACK: u64 = 2 * MIB;
/// Entries with which the demo's map of 2^17 buckets doubles: 6.5 a bucket.
const DOUBLES: u64 = 851_968;
/// Holds the table of 2^17 buckets (20 MB) and not one of 2^18 beside it (40 MB).
const TIGHT: u64 = 50_000_000;
const RULE: &str = "next_growth_exceeds_headroom";

/// What a hierarchy calls its files.
#[derive(Clone, Copy, Debug)]
struct Names {
    limit: &'static str,
    usage: &'static str,
    peak: &'static str,
    /// The row of `memory.stat`.
    inactive: &'static str,
}

const ONE: Names = Names {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    peak: "memory.max_usage_in_bytes",
    inactive: "total_inactive_file ",
};

const TWO: Names =
    Names { limit: "memory.max", usage: "memory.current", peak: "memory.peak", inactive: "inactive_file " };

/// A cgroup with a memory limit. Dropping it removes it: whatever runs in it must have been started later.
#[derive(Debug)]
struct Group {
    path: PathBuf,
    names: Names,
}

impl Group {
    fn new(limit: u64) -> Self {
        let (root, names) = hierarchy();
        let name = format!("auditor-test-{}-{limit}", std::process::id());
        let group = Self { path: root.join(name), names };
        fs::create_dir(&group.path).unwrap_or_else(|error| panic!("{}: {error}", group.path.display()));
        let file = group.path.join(names.limit);
        fs::write(&file, limit.to_string()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        group
    }

    fn text(&self, file: &str) -> String {
        let path = self.path.join(file);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn bytes(&self, file: &str) -> u64 {
        self.text(file).trim().parse().unwrap()
    }

    fn row(&self, file: &str, row: &str) -> u64 {
        let text = self.text(file);
        let value = text.lines().find_map(|line| line.strip_prefix(row));
        value.unwrap_or_else(|| panic!("no {row} in {text}")).trim().parse().unwrap()
    }

    fn oom_kills(&self) -> u64 {
        let file =
            if self.path.join("memory.events").exists() { "memory.events" } else { "memory.oom_control" };
        self.row(file, "oom_kill ")
    }

    /// How often it ran into its limit.
    fn times_at_limit(&self) -> u64 {
        if self.path.join("memory.events").exists() {
            self.row("memory.events", "max ")
        } else {
            self.bytes("memory.failcnt")
        }
    }

    /// Charged beyond file pages that are given up easily.
    fn pinned(&self) -> u64 {
        self.bytes(self.names.usage) - self.row("memory.stat", self.names.inactive)
    }

    /// Starts target-demo in it, after a shell command that is charged to it, too.
    fn demo(&self, scene: &Scene, before: &str, args: &[&str]) -> Process {
        let script = format!("echo $$ > \"$0/cgroup.procs\" && {before} exec \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(&self.path).arg(demo()).args(args);
        command.arg("--truth").arg(scene.path("truth")).stdin(Stdio::piped());
        scene.start("demo", &mut command)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What ran in it is dead, and may not have left it yet.
        let deadline = Instant::now() + Duration::from_secs(5);
        while let Err(error) = fs::remove_dir(&self.path) {
            if Instant::now() > deadline {
                assert!(thread::panicking(), "{}: {error}", self.path.display());
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Where groups with a memory limit can be made.
fn hierarchy() -> (PathBuf, Names) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mounted = |kind: &str, option: &str| {
        let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mut found = fields.filter(|line| line[2] == kind && line[3].split(',').any(|one| one == option));
        found.next().map(|line| PathBuf::from(line[1]))
    };
    if let Some(root) = mounted("cgroup", "memory") {
        return (root, ONE);
    }
    let root = mounted("cgroup2", "rw").filter(|root| has_memory(root));
    let root = root.unwrap_or_else(|| panic!("no cgroup hierarchy here limits memory: mount one\n{mounts}"));
    fs::write(root.join("cgroup.subtree_control"), "+memory").unwrap();
    (root, TWO)
}

fn has_memory(root: &Path) -> bool {
    let controllers = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
    controllers.split_whitespace().any(|name| name == "memory")
}

fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// It is what was read before, or after, or between the two.
fn is_between(told: u64, before: u64, after: u64) -> bool {
    (before.min(after).saturating_sub(SLACK)..=before.max(after) + SLACK).contains(&told)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn limit_headroom_and_pressure_are_what_the_files_of_the_group_say() {
    let group = Group::new(256 * MIB);
    let scene = Scene::new();
    // File pages that the group is charged for, and could give up.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("limits-{}", std::process::id()));
    let before = format!("head -c 40000000 /dev/zero > '{}' &&", file.display());
    let mut target = group.demo(&scene, &before, &["steady", "--entries", "500000", "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let read = || {
        let inactive = group.row("memory.stat", group.names.inactive);
        (group.bytes(group.names.usage), inactive, group.pinned(), available())
    };
    let then = read();
    let pid = target.pid().to_string();
    let report = json(&scene.audit(["census", "-p", &pid, "-f", "json"]).well().stdout);
    let now = read();
    fs::remove_file(&file).unwrap();
    let memory = &report["memory"];
    let limit = group.bytes(group.names.limit);
    assert_eq!((number(memory, "/limit"), number(memory, "/pressure/max")), (limit, limit));
    assert_eq!(number(memory, "/pressure/peak"), group.bytes(group.names.peak));
    assert!(is_between(number(memory, "/pressure/charged"), then.0, now.0), "{then:?} {now:?} {memory:#}");
    assert!(
        is_between(number(memory, "/pressure/reclaimable"), then.1, now.1),
        "{then:?} {now:?} {memory:#}"
    );
    // It must not be all the same whether such pages count.
    assert!(then.1 > 8 * SLACK, "only {} of file pages", then.1);
    let left = |read: (u64, u64, u64, u64)| (limit - read.2).min(read.3);
    assert!(is_between(number(memory, "/headroom"), left(then), left(now)), "{then:?} {now:?} {memory:#}");
    assert_eq!((number(memory, "/pressure/oom_kills"), number(memory, "/pressure/max_events")), (0, 0));
    target.end_by(Signal::SIGTERM).well();
}

fn says_so(report: &Value) -> bool {
    rows(report, "/findings").iter().any(|finding| finding["rule"] == RULE)
}

/// The whole reports that an auditor has written so far.
fn reports(written: &str) -> Vec<Value> {
    let whole = written.rfind('\n').map_or("", |end| &written[..end]);
    whole.lines().map(json).collect()
}

/// A map that grows past [`DOUBLES`], in a group, followed from before its first entry.
fn growing(group: &Group, scene: &Scene, flags: &[&str]) -> (Process, Process) {
    let args = ["grow", "--entries", "1000000", "--rate", "6000000", "--hold", "60", "--wait"];
    let mut target = group.demo(scene, "", &args);
    target.wait_to_say("waits for a line");
    let auditor = scene.attach(&target, &[&["-i", "200ms", "-f", "ndjson"], flags].concat());
    target.tell("go");
    (target, auditor)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_growth_that_does_not_fit_is_told_before_the_kernel_kills_the_program_for_it() {
    let group = Group::new(TIGHT);
    let scene = Scene::new();
    let (target, auditor) = growing(&group, &scene, &[]);
    wait_until("the growth is told", PATIENCE, || reports(&auditor.stdout()).iter().any(says_so));
    // Nothing has happened yet, by the kernel's own count.
    assert_eq!(group.oom_kills(), 0);
    let first = reports(&auditor.stdout()).into_iter().find(says_so).unwrap();
    let map = &rows(&first, "/maps")[0];
    assert!(number(map, "/live") < DOUBLES && number(map, "/next_growth/at_live") == DOUBLES, "{map:#}");
    assert!(rows(&first, "/forecast/growths")[0]["fits"] == false, "{}", first["forecast"]);
    assert_eq!(target.end_by_itself().status, -(Signal::SIGKILL as i32));
    let last = reports(&auditor.end_by_itself().well().stdout).pop().unwrap();
    assert_eq!((last["window"]["ended"].clone(), group.oom_kills()), ("target_exited".into(), 1));
    assert_eq!(number(&last, "/memory/pressure/oom_kills"), 1);
    assert_eq!(number(&last, "/memory/pressure/max_events"), group.times_at_limit());
    assert!(group.times_at_limit() > 0);
    killed_for_want_of_room(&group, &last);
}

/// What is left once it is dead is the whole limit; what it had was less than the growth asked for.
fn killed_for_want_of_room(group: &Group, last: &Value) {
    let memory = |at: &str| number(last, &format!("/memory/{at}"));
    let (left, charged) = (memory("headroom"), memory("pressure/charged"));
    let given_up = memory("pressure/reclaimable");
    let needs = number(last, "/maps/0/next_growth/peak_extra");
    assert!(
        left < needs && left + charged <= TIGHT + given_up + SLACK,
        "{left} left, {needs} needed, {}",
        last["memory"]
    );
    assert!(group.pinned() < TIGHT / 4, "nobody is in it any more: {}", group.pinned());
    assert!(rows(last, "/forecast/growths")[0]["fits"] == false, "{}", last["forecast"]);
    assert!(says_so(last), "{:#}", last["findings"]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_growth_that_fits_is_not_told_as_one_that_does_not() {
    let group = Group::new(10 * TIGHT);
    let scene = Scene::new();
    let (mut target, auditor) = growing(&group, &scene, &[]);
    target.wait_to_say("holds its maps");
    let all = reports(&auditor.end_by(Signal::SIGINT).well().stdout);
    let told = all.iter().find(|report| says_so(report));
    assert!(told.is_none(), "{:#}", told.unwrap()["findings"]);
    let map = &rows(all.last().unwrap(), "/maps")[0];
    assert!(number(map, "/live") > DOUBLES && all.len() > 10, "{} reports: {map:#}", all.len());
    assert_eq!((group.oom_kills(), group.times_at_limit()), (0, 0));
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_led_to_the_kill_is_kept_when_the_kernel_chooses_and_once() {
    let group = Group::new(TIGHT);
    let scene = Scene::new();
    let recording = scene.name("a.rec");
    let ring = ["--ring", "1m", "--record", &recording, "--trigger", "rss>1TiB"];
    let (target, auditor) = growing(&group, &scene, &ring);
    assert_eq!(target.end_by_itself().status, -(Signal::SIGKILL as i32));
    auditor.end_by_itself().well();
    let kept = json(&scene.audit(["replay", &recording, "-f", "json"]).well().stdout);
    let notes = kept["coverage"]["notes"].to_string();
    assert!(notes.contains("the kernel chose it to be killed"), "{notes}");
    assert!(number(&kept, "/maps/0/live") > DOUBLES / 2, "{:#}", kept["maps"]);
    assert!(says_so(&kept), "{:#}", kept["findings"]);
    assert!(!scene.path("a-2.rec").exists());
}
