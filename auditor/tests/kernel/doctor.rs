//! What `auditor doctor` says of this kernel is what kernels of its release have and lack. The releases
//! here are written apart from those in the auditor: where they differ, one is wrong.

use crate::harness::{Ended, Scene, entries};

/// The line about something.
fn line<'a>(doctor: &'a Ended, about: &str) -> &'a str {
    let found = doctor.stdout.lines().find(|line| line[9..].starts_with(about));
    found.unwrap_or_else(|| panic!("nothing about {about}: {}", doctor.stdout))
}

/// This kernel's release.
fn release() -> (u32, u32) {
    let text = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split(['.', '-']).map(|part| part.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

fn says(doctor: &Ended, about: &str, state: &str, words: &str) {
    let line = line(doctor, about);
    assert!(line.starts_with(state) && line.contains(words), "not {state:?} and {words:?}: {line}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn doctor_says_what_this_kernel_has_and_lacks() {
    let doctor = Scene::new().audit(["doctor"]).well();
    for about in ["right to place", "right to read", "kernel", "kernel types", "probes on 5-byte nops"] {
        says(&doctor, about, "ok", "");
    }
    for event in ["sys_exit", "rss_stat", "sched_process_fork", "sched_process_exec", "mark_victim"] {
        says(&doctor, event, "ok", "tells ");
    }
    if release() < (6, 16) {
        says(&doctor, "sched_process_exit", "lacking", "before Linux 6.16");
    } else {
        says(&doctor, "sched_process_exit", "ok", "tells the maps as they were at the exit");
    }
    if release() < (6, 10) {
        says(&doctor, "loading the programs", "ok", "perf links (uprobe_multi needs Linux 6.10)");
    } else {
        says(&doctor, "loading the programs", "ok", "uprobe_multi links");
    }
    if release() < (6, 18) {
        says(&doctor, "probes on 5-byte nops", "ok", "as any other instruction");
    }
}

/// Before Linux 5.15.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_kernel_without_attach_cookies_is_refused_in_one_line_that_says_which_has_them() {
    let scene = Scene::new();
    let words = ["attach cookies", "5.15"];
    let mut target = scene.demo(&["grow", "--entries", &entries(100_000), "--hold", "600"]);
    target.wait_to_say("holds its maps");
    let pid = target.pid().to_string();
    for args in [&["attach", "-p", &pid][..], &["attach", "-p", &pid, "--dry-run"]] {
        let refused = scene.audit(args).refused(3, &words);
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
    }
    let ran = scene.path("ran");
    let demo = crate::harness::demo();
    let run = ["run", "--", demo.to_str().unwrap(), "grow", "--truth", ran.to_str().unwrap()];
    scene.audit(run).refused(3, &[&words[..], &["the command was not run"]].concat());
    assert!(!ran.exists(), "the command was run");
    let doctor = scene.audit(["doctor"]);
    assert_eq!(doctor.status, 3, "{}", doctor.stdout);
    says(&doctor, "kernel", "MISSING", "attach cookies");
    assert!(doctor.stdout.lines().count() < 20, "a verifier's log: {}", doctor.stdout);
}
