//! Memory syscalls: as a program makes them in known numbers, and as strace sees them.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::governor::hot_with;
use crate::harness::{Scene, demo, fixture, json as parsed, number, probe};

const PAGE: u64 = 4096;
const MEBI: u64 = 1 << 20;
const CALLS: [&str; 5] = ["mmap", "munmap", "mremap", "brk", "madvise"];
const TRACED: &str = "trace=mmap,munmap,mremap,brk,madvise";

#[test]
#[ignore = "needs root: cargo xtask test"]
fn calls_in_known_numbers_are_counted_and_failed_ones_add_no_bytes() {
    for flags in [&[][..], &["--no-feature", "fexit"]] {
        calls_are_counted(flags);
    }
}

/// Heard at the functions of the kernel where it allows that, or on the tracepoint.
fn calls_are_counted(flags: &[&str]) {
    let scene = Scene::new();
    let program = scene.fixture(&fixture::CALLS);
    let command = ["-f", "json", "--", program.to_str().unwrap()];
    let ran = scene.audit([&["run"], flags, &command].concat()).well();
    let calls = |calls: u64, bytes: u64| json!({"calls": calls, "bytes": bytes});
    // As fixtures/calls.c has it.
    let expected = json!({
        "mmap": calls(6, 3 * MEBI + 5000),
        "mremap": calls(3, 2 * MEBI + (64 << 10)),
        "madvise": {
            "calls": 5, "bytes": 2 * MEBI + 8192 + PAGE,
            "by_advice": {
                "DONTNEED": calls(2, 2 * MEBI), "FREE": calls(1, 8192), "DONTDUMP": calls(1, PAGE), "99": calls(1, 0),
            },
        },
        "brk": calls(5, 16 * PAGE),
        "munmap": calls(3, 2 * MEBI + (64 << 10)),
    });
    let report = parsed(&ran.stdout);
    assert_eq!(report["syscalls"], expected);
    assert!(!ran.stderr.contains("ended with"), "the program computed something wrong: {}", ran.stderr);
}

/// The kernels of Debian let their functions be heard; the one that this runs on need not.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn where_functions_of_the_kernel_can_be_heard_other_syscalls_are_not_even_counted() {
    let scene = Scene::new();
    let mut target = hot_with(&scene, &["syscalls"]);
    let auditor = scene.attach(&target, &["-f", "json", "--duration", "1s"]);
    let report = parsed(&auditor.end_by_itself().well().stdout);
    target.tell("end");
    target.end_by_itself().well();
    let syscalls = probe(&report, "sys_exit");
    assert!(syscalls["where"].as_str().unwrap().starts_with("returns of mmap"), "{syscalls}");
    assert_eq!(syscalls["state"], "attached", "{syscalls}");
    assert!(syscalls["hits"].as_u64().unwrap() < 1000, "{syscalls}");
}

/// Calls and bytes, as the report defines them, from what strace wrote.
fn straced(log: &str) -> BTreeMap<String, (u64, u64)> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut the_break = None;
    for line in log.lines() {
        // `-f` puts the pid first.
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((name, rest)) = call.split_once('(') else { continue };
        // Return probes are a system call of their own (335), which strace does not know and always shows.
        if !CALLS.contains(&name) {
            continue;
        }
        let Some((arguments, result)) = rest.rsplit_once(") ") else { continue };
        let result = result.trim_start_matches(['=', ' ']);
        let arguments: Vec<&str> = arguments.split(", ").collect();
        let bytes = |index: usize| -> u64 {
            arguments[index].parse().unwrap_or_else(|error| panic!("{error}: {line:?}"))
        };
        let sum = sums.entry(name.to_owned()).or_default();
        sum.0 += 1;
        if result.starts_with('-') {
            continue;
        }
        sum.1 += match name {
            "brk" => {
                let now = u64::from_str_radix(result.trim_start_matches("0x"), 16).unwrap();
                let before = the_break.replace(now).unwrap_or(now);
                now.saturating_sub(before)
            }
            "mremap" => bytes(2),
            _ => bytes(1),
        };
    }
    sums
}

fn reported(report: &Value) -> BTreeMap<String, (u64, u64)> {
    let of = |name: &str| {
        let field = |what: &str| number(report, &format!("/syscalls/{name}/{what}"));
        (name.to_owned(), (field("calls"), field("bytes")))
    };
    CALLS.map(of).into_iter().filter(|(_, sum)| sum.0 > 0).collect()
}

/// Two runs of the same seed make the same calls; one is seen by strace, the other by the auditor.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn strace_sees_the_same_calls_and_bytes_in_a_run_of_the_same_seed() {
    for scenario in ["grow", "churn", "sliding_window", "burst"] {
        let scene = Scene::new();
        let (truth, log) = (scene.name("truth"), scene.name("strace"));
        let command =
            [demo().to_str().unwrap(), scenario, "--entries", "300000", "--truth", &truth].map(str::to_owned);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "signal=none", "-e", TRACED, "-o", &log]).args(&command);
        scene.start("straced", &mut strace).end_by_itself().well();
        let audit = ["run", "-f", "json", "--"].map(str::to_owned);
        let ran = scene.audit(audit.into_iter().chain(command)).well();
        let expected = straced(&fs::read_to_string(&log).unwrap());
        assert!(expected["mmap"].0 > 10, "{expected:?}");
        assert_eq!(reported(&parsed(&ran.stdout)), expected, "{scenario}");
    }
}

/// Threads make their calls in an order of their own each time, so both look at one run.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn strace_sees_the_same_calls_and_bytes_in_the_same_run_of_many_threads() {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&["many_threads", "--entries", "300000"]);
    let auditor = scene.attach(&target, &["-f", "json"]);
    let log = scene.name("strace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", "signal=none", "-e", TRACED, "-o", &log, "-p", &target.pid().to_string()]);
    let mut strace = scene.start("strace", &mut strace);
    strace.wait_to_say("attached");
    target.tell("go");
    target.end_by_itself().well();
    strace.end_by_itself();
    let seen = reported(&parsed(&auditor.end_by_itself().well().stdout));
    let expected = straced(&joined(&fs::read_to_string(&log).unwrap()));
    assert!(expected["mmap"].0 > 10, "{expected:?}");
    assert_eq!(seen, expected);
}

/// strace cuts a call in two when another thread comes in between.
fn joined(log: &str) -> String {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut whole = String::new();
    for line in log.lines() {
        let (pid, call) = line.split_once(' ').unwrap();
        if let Some(first) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, first.trim_start());
        } else if let Some((_, rest)) = call.split_once(" resumed>") {
            whole.push_str(&format!("{pid} {}{rest}\n", begun.remove(pid).unwrap()));
        } else {
            whole.push_str(&format!("{pid} {}\n", call.trim_start()));
        }
    }
    whole
}

#[test]
fn what_strace_writes_is_read_as_the_report_counts() {
    let log = "7 brk(NULL) = 0x1000\n7 brk(0x3000)   = 0x3000\n7 brk(0x2000) = 0x2000\n\
               7 mmap(NULL, 4096, PROT_READ, MAP_PRIVATE <unfinished ...>\n8 munmap(0x1, 10) = -1 EINVAL (Invalid argument)\n\
               7 <... mmap resumed>, -1, 0) = 0x7f00\n7 mremap(0x7f00, 4096, 8192, MREMAP_MAYMOVE) = 0x7e00\n+++ exited with 0 +++\n";
    let sums = straced(&joined(log));
    let expected = [("brk", (3, 8192)), ("mmap", (1, 4096)), ("mremap", (1, 8192)), ("munmap", (1, 0))];
    assert_eq!(sums, expected.map(|(name, sum)| (name.to_owned(), sum)).into());
}
