//! Whether memory comes back as the report promises: a program in a known state, its report, a wait, and what RSS
//! has become, by /proc alone. All programs wait at the same time, and compute one after the other.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::fixture;
use crate::harness::go::{Go, Program, Variant, toolchains};
use crate::harness::process::bytes_in;
use crate::harness::{Process, Scene, json, rows, text};

const SOURCE: &str = "go-waits";
const WAIT: Duration = Duration::from_secs(10);
/// A machine is called busy where something waits for a CPU for so much of the time, in percent, and then it is
/// waited so many times as long at most.
const BUSY: f64 = 20.0;
const PATIENCE: usize = 24;
/// What is promised within that is waited for.
const SOON: u64 = 10_000_000_000;
const MIB: u64 = 1 << 20;
/// Entries of a map of some 40 MB.
const ENTRIES: u64 = 1_250_000;
/// The first entry that makes a classic map of 2^18 buckets grow: 6.5 a bucket and one more.
const GROWS: u64 = 1_703_937;
const KEPT: u64 = 1000;
/// Of a scene in which the look may come too late.
const TRIES: usize = 5;

/// What the report said of RSS, and RSS just before and just after it, as a heap may give back meanwhile.
#[derive(Debug)]
struct Promise {
    report: Value,
    before: u64,
    after: u64,
}

/// What the kernel has reclaimed of pages freed lazily since it started, of all processes: it does when it is
/// short of memory.
fn reclaimed() -> u64 {
    let all = fs::read_to_string("/proc/vmstat").unwrap();
    let pages = all.lines().find_map(|line| line.strip_prefix("pglazyfreed ")).unwrap();
    4096 * pages.parse::<u64>().unwrap()
}

/// Computes while none of the others does: what scavengers do depends on how long they wait for a CPU.
fn in_turn<T>(compute: impl FnOnce() -> T) -> T {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    compute()
}

/// What is promised within 10 s takes longer where others want the CPUs: Go's scavenger takes 1 % of the time by the
/// clock, and sleeps 99 times as long as it was kept from running, which may be long after they are free again.
fn wait() {
    wait_until(|| true);
}

/// Waits until it is so and nobody wants the CPUs, within reason.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        thread::sleep(WAIT);
        if cpu_pressure() < BUSY && is_so() {
            break;
        }
    }
}

/// For how much of the last 10 s something waited for a CPU, in percent.
fn cpu_pressure() -> f64 {
    let all = fs::read_to_string("/proc/pressure/cpu").unwrap();
    let average = all.split_whitespace().find_map(|word| word.strip_prefix("avg10=")).unwrap();
    average.parse().unwrap()
}

/// VmRSS, in bytes.
fn rss(pid: u32) -> u64 {
    bytes_in("status", pid, "VmRSS")
}

impl Promise {
    /// By one look.
    fn of(pid: u32) -> Self {
        Self::by(pid, &["census", "-f", "json", "-p"])
    }

    /// By an audit that follows for longer than it takes until what stands still is called so.
    fn of_followed(pid: u32) -> Self {
        Self::by(pid, &["attach", "-f", "json", "--duration", "7s", "-p"])
    }

    fn by(pid: u32, args: &[&str]) -> Self {
        let scene = Scene::new();
        let before = rss(pid);
        let report = json(&scene.audit(args.iter().copied().chain([pid.to_string().as_str()])).well().stdout);
        Self { report, before, after: rss(pid) }
    }

    fn verdict(&self) -> &str {
        text(&self.report, "/memory/verdict")
    }

    fn within(&self) -> Option<u64> {
        self.report.pointer("/memory/outlook/expected_within").unwrap().as_u64()
    }

    /// `None`: nothing, or not known.
    fn frees(&self) -> Option<u64> {
        self.report.pointer("/memory/outlook/frees").unwrap().as_u64()
    }

    /// A tenth, as the promise is made of counters that move while they are read, and 2 MiB of the runtime's own
    /// memory that comes and goes.
    fn tolerance(&self) -> u64 {
        self.frees().unwrap_or(0) / 10 + 2 * MIB
    }

    /// It says this, and when.
    fn says(&self, verdict: &str, within: Option<u64>) -> Option<String> {
        let is_so = self.verdict() == verdict && self.within() == within;
        (!is_so).then(|| {
            let what =
                format!("{} within {:?}, and not {verdict} within {within:?}", self.verdict(), self.within());
            let [gc, maps, ladder, notes] = ["/gc", "/maps/0", "/memory/ladder", "/coverage/notes"]
                .map(|part| self.report.pointer(part).unwrap_or(&Value::Null));
            format!("{what}\n  gc {gc}\n  its largest map {maps}\n  RSS {ladder}\n  notes {notes}\n")
        })
    }

    /// RSS fell by what was promised, no more and no less.
    fn came(&self, now: u64) -> Option<String> {
        let (least, most) = (self.after.saturating_sub(now), self.before.saturating_sub(now));
        let is_kept = self
            .frees()
            .is_some_and(|frees| frees <= most + self.tolerance() && frees + self.tolerance() >= least);
        (!is_kept).then(|| self.words("promised to come", now))
    }

    /// RSS fell by what was promised, and more, as other things went with it.
    fn came_with_others(&self, now: u64) -> Option<String> {
        let most = self.before.saturating_sub(now);
        let is_kept = self.frees().is_some_and(|frees| frees <= most + self.tolerance());
        (!is_kept).then(|| self.words("promised to come, at least", now))
    }

    /// What was promised to stay is there. A twentieth of RSS is less than any promise is made of; where the promise
    /// is of more, other things may go meanwhile: free spans, for one, at the pace of a loaded machine.
    fn stayed(&self, now: u64) -> Option<String> {
        self.stayed_but_for(0, now)
    }

    /// The same where so many bytes were taken by something else.
    fn stayed_but_for(&self, taken: u64, now: u64) -> Option<String> {
        let allowed = self.frees().map_or(0, |frees| frees / 2).max(self.after / 20) + taken;
        (self.after.abs_diff(now) > allowed).then(|| self.words("promised to stay", now))
    }

    fn words(&self, what: &str, now: u64) -> String {
        let outlook = &self.report["memory"]["outlook"];
        format!("{what}: RSS {} to {}, now {now}; {} {outlook}", self.before, self.after, self.verdict())
    }
}

/// What fills the map.
fn fill(entries: u64) -> String {
    format!("fill {entries}")
}

/// A program in one of the scenes.
struct Waiting {
    program: Program,
    scene: Scene,
}

impl Waiting {
    fn new(path: &Path, environment: Option<(&str, &str)>) -> Self {
        let scene = Scene::new();
        let program = Program::start_with(&scene, Command::new(path).envs(environment));
        Self { program, scene }
    }

    fn tell(&mut self, commands: &[&str]) -> &mut Self {
        for command in commands {
            let answer = self.program.ask(command);
            assert_eq!(answer["done"], command.split(' ').next().unwrap(), "{:?}", self.scene);
        }
        self
    }

    /// So that all that is garbage is given back: two cycles, as the first leaves what it found full.
    fn tell_and_settle(&mut self, commands: &[&str]) {
        in_turn(|| self.tell(commands).tell(&["gc", "gc"]));
        wait_until(|| self.look_in_turn().verdict() != "coming_back_now");
    }

    fn look(&self) -> Promise {
        Promise::of(self.program.pid())
    }

    /// Nothing goes on meanwhile.
    fn look_in_turn(&self) -> Promise {
        in_turn(|| self.look())
    }

    fn look_while_stopped(&self) -> Promise {
        self.program.signal(Signal::SIGSTOP);
        let promise = self.look();
        self.program.signal(Signal::SIGCONT);
        promise
    }

    fn rss(&self) -> u64 {
        rss(self.program.pid())
    }

    fn rss_later(&self) -> u64 {
        wait();
        self.rss()
    }

    /// RSS when what was promised has come and no more is said to come, or was waited for in vain.
    fn rss_after(&self, promise: &Promise) -> u64 {
        wait_until(|| {
            promise.came_with_others(self.rss()).is_none()
                && self.look_in_turn().verdict() != "coming_back_now"
        });
        self.rss()
    }
}

const fn seconds(seconds: u64) -> Option<u64> {
    Some(seconds * 1_000_000_000)
}

type Problems = Vec<Option<String>>;

/// A map that nothing refers to, then one cycle, and where the promise asks for it another one. Up to Go 1.20 the
/// heap gives back at once, at times faster than one looks: it is played again then. Where that is always so, there
/// is no second promise to hold, and the first one and what is said in the end are.
fn dropped(go: &Go, path: &Path) -> Problems {
    let played: Vec<_> = (0..TRIES)
        .map(|_| dropped_once(go, path))
        .scan(false, |is_over, played| {
            (!std::mem::replace(is_over, played.is_in_time)).then_some(played.problems)
        })
        .collect();
    played.into_iter().last().unwrap()
}

struct Dropped {
    problems: Problems,
    /// Whether there was something left to promise at the second look.
    is_in_time: bool,
}

fn dropped_once(go: &Go, path: &Path) -> Dropped {
    let mut waiting = Waiting::new(path, None);
    let waits = go.minor() >= 21;
    let (first, then, again) = in_turn(|| {
        waiting.tell(&[&fill(ENTRIES), "drop"]);
        let first = waiting.look();
        waiting.tell(&["gc"]);
        let then = waiting.look_while_stopped();
        let again = then.within().is_some_and(|within| within > SOON).then(|| {
            waiting.tell(&["gc"]);
            waiting.look_while_stopped()
        });
        // Where nothing at all goes on, up to a minute passes until Go 1.19 sees that there is something to give back.
        waiting.tell(&["fill 1"]);
        (first, then, again)
    });
    let now = waiting.rss_after(&first);
    let rest = waiting.look_in_turn();
    let is_in_time = waits || then.after.saturating_sub(now) >= first.before / 10;
    let mut problems = vec![
        first.says("after_next_gc", if waits { seconds(250) } else { seconds(130) }),
        first.came_with_others(now),
        rest.says("in_use", None),
    ];
    if is_in_time {
        problems.push(then.says("coming_back_now", if waits { seconds(130) } else { seconds(10) }));
        problems.push(then.came(now));
        // Nothing waits for another cycle any more, and the report knows.
        let soon = again.filter(|again| again.frees().is_some_and(|frees| frees > first.before / 10));
        problems.extend(soon.map(|again| again.says("coming_back_now", seconds(10))));
    }
    Dropped { problems, is_in_time }
}

/// The same where no cycle comes by itself.
fn dropped_and_off(_: &Go, path: &Path) -> Problems {
    let mut waiting = Waiting::new(path, Some(("GOGC", "off")));
    let (first, then) = in_turn(|| {
        waiting.tell(&[&fill(ENTRIES), "drop"]);
        let first = waiting.look();
        waiting.tell(&["gc"]);
        (first, waiting.look())
    });
    let unmoved = waiting.rss_later();
    in_turn(|| waiting.tell(&["gc"]));
    let now = waiting.rss_after(&first);
    vec![
        first.says("after_next_gc", None),
        first.came_with_others(now),
        then.says("after_next_gc", None),
        then.stayed(unmoved),
        then.came(now),
    ]
}

/// The same where pages go back so that RSS does not show it.
fn dropped_lazily(_: &Go, path: &Path) -> Problems {
    let mut waiting = Waiting::new(path, Some(("GODEBUG", "madvdontneed=0")));
    let before = reclaimed();
    let going = in_turn(|| waiting.tell(&[&fill(ENTRIES), "drop", "gc"]).look());
    waiting.tell_and_settle(&[]);
    let (unmoved, gone) = (waiting.rss(), waiting.look_in_turn());
    let lazily = bytes_in("smaps_rollup", waiting.program.pid(), "LazyFree");
    let taken = reclaimed() - before;
    let differs = gone.frees().map(|frees| frees.abs_diff(lazily));
    let is_right =
        differs.is_some_and(|bytes| bytes <= gone.tolerance() + taken) && lazily + taken > 20 * MIB;
    vec![
        going.says("lazily_freed", None),
        going.stayed_but_for(taken, unmoved),
        gone.says("lazily_freed", None),
        (!is_right).then(|| format!("{} and LazyFree is {lazily}", gone.words("promised", unmoved))),
    ]
}

/// A map that was emptied stays until it is rebuilt; then what was promised comes, and with it what the heap had
/// free and kept because its goal was as large as this map made it.
fn emptied_by(path: &Path, how: &str) -> Problems {
    let mut waiting = Waiting::new(path, None);
    waiting.tell_and_settle(&[&fill(ENTRIES), how]);
    let stranded = waiting.look_in_turn();
    let unmoved = waiting.rss_later();
    waiting.tell_and_settle(&["rebuild"]);
    let now = waiting.rss_after(&stranded);
    vec![
        stranded.says("stranded_until_rebuilt", None),
        stranded.stayed(unmoved),
        stranded.came_with_others(now),
        waiting.look_in_turn().says("in_use", None),
    ]
}

fn emptied(_: &Go, path: &Path) -> Problems {
    emptied_by(path, &format!("empty {KEPT}"))
}

fn cleared(_: &Go, path: &Path) -> Problems {
    emptied_by(path, &format!("clear {KEPT}"))
}

/// A map that is needed stays.
fn in_use(_: &Go, path: &Path) -> Problems {
    let mut waiting = Waiting::new(path, None);
    waiting.tell_and_settle(&[&fill(ENTRIES)]);
    let used = waiting.look_in_turn();
    let now = waiting.rss_later();
    vec![used.says("in_use", None), used.stayed(now)]
}

/// Of a map that only a running goroutine refers to it is not known whether it does, until that one waits.
fn spinning(_: &Go, path: &Path) -> Problems {
    let mut waiting = Waiting::new(path, None);
    let used = in_turn(|| waiting.tell(&[&format!("spin {ENTRIES} 100")]).look());
    let reachable = &used.report["maps"][0]["reachable"];
    let is_unknown = *reachable != Value::Bool(true);
    vec![used.says("in_use", None), is_unknown.then(|| format!("its map is reachable: {reachable}"))]
}

/// Two tables stay while nothing is written; writes let the old one go, and with it what the heap had kept for it.
fn stalled(go: &Go, path: &Path) -> Problems {
    if go.is_swiss() {
        return Vec::new();
    }
    let mut waiting = Waiting::new(path, None);
    waiting.tell_and_settle(&[&fill(GROWS), "touch 20000"]);
    let stalled = Promise::of_followed(waiting.program.pid());
    let unmoved = waiting.rss_later();
    waiting.tell_and_settle(&["touch 400000"]);
    vec![
        stalled.says("stalled", None),
        stalled.stayed(unmoved),
        stalled.came_with_others(waiting.rss_after(&stalled)),
    ]
}

type Play = fn(&Go, &Path) -> Problems;

const SCENES: [(&str, Play); 8] = [
    ("dropped", dropped),
    ("dropped, GOGC=off", dropped_and_off),
    ("dropped, madvdontneed=0", dropped_lazily),
    ("emptied", emptied),
    ("cleared", cleared),
    ("in use", in_use),
    ("spinning", spinning),
    ("stalled", stalled),
];

fn named(name: impl Display, problems: Problems) -> Vec<String> {
    problems.into_iter().flatten().map(|problem| format!("{name}: {problem}")).collect()
}

/// Everything at the same time; what is wrong, in words.
fn at_once<P: Send>(all: Vec<P>, play: impl Fn(P) -> Vec<String> + Sync) -> Vec<String> {
    let play = &play;
    thread::scope(|scope| {
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || play(one))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_promised_of_a_go_program_is_what_rss_does() {
    let built: Vec<(Go, PathBuf)> =
        toolchains().into_iter().map(|go| (go.clone(), go.build_of(SOURCE, Variant::Plain, &[]))).collect();
    let all = built.iter().flat_map(|build| SCENES.map(|scene| (build, scene))).collect();
    let wrong =
        at_once(all, |((go, path), (name, play))| named(format!("{} {name}", go.release), play(go, path)));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// A scenario of the demo that holds its maps, its verdict, and whether part of its only map is promised.
fn held_by_demo((scenario, verdict): (&str, &str)) -> Vec<String> {
    let scene = Scene::new();
    let mut target = scene.demo(&[scenario, "--entries", "1000000", "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let promise = Promise::of_followed(target.pid());
    thread::sleep(WAIT);
    let living = |map: &&Value| map["died"].is_null();
    let of_map = rows(&promise.report, "/maps").iter().find(living).unwrap();
    let agrees = of_map["verdict"] == verdict
        && of_map["outlook"]["frees"] == promise.report["memory"]["outlook"]["frees"];
    let differs = (!agrees).then(|| format!("of the map: {} {}", of_map["verdict"], of_map["outlook"]));
    named(scenario, vec![promise.says(verdict, None), promise.stayed(rss(target.pid())), differs])
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_is_promised_of_the_demo_to_stay_stays() {
    let all = vec![
        ("grow_then_delete", "stranded_until_rebuilt"),
        ("rebuild", "in_use"),
        ("stalled_evacuation", "stalled"),
    ];
    let wrong = at_once(all, held_by_demo);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// A program with one map whose table comes from malloc, followed until the map is dropped, and what was promised.
fn dropped_into_malloc(scene: &Scene) -> (Process, Promise) {
    let mut command = Command::new(scene.fixture(&fixture::HELD));
    let mut target = scene.start("held", command.stdin(Stdio::piped()));
    target.wait_to_sleep();
    let auditor = scene.attach(&target, &["-f", "json", "-i", "200ms"]);
    target.ask("make", "done 1");
    thread::sleep(Duration::from_secs(2));
    target.ask("drop", "done 2");
    thread::sleep(Duration::from_secs(5));
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    let held = rss(target.pid());
    (target, Promise { report, before: held, after: held })
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_the_allocator_keeps_stays_until_its_own_remedy() {
    let scene = Scene::new();
    let (mut target, promise) = dropped_into_malloc(&scene);
    thread::sleep(WAIT);
    let unmoved = rss(target.pid());
    target.ask("trim", "done 3");
    let findings = &promise.report["findings"];
    let is_it = |one: &&Value| one["rule"] == "allocator_retention";
    let remedy = findings.as_array().unwrap().iter().find(is_it).map(|one| text(one, "/remedy"));
    let is_named = remedy.is_some_and(|remedy| remedy.contains("glibc: malloc_trim"));
    let unnamed = (!is_named).then(|| format!("the remedy is missing: {findings}"));
    let problems = vec![
        promise.says("held_by_allocator", None),
        promise.stayed(unmoved),
        promise.came(rss(target.pid())),
        unnamed,
    ];
    let wrong = named("malloc", problems);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
