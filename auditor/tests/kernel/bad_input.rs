//! What goes wrong before or outside the audit: each has its status and a message that names the
//! remedy. What needs no root is in tests/cli.rs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::harness::{Chance, Ended, Process, Scene, auditor, demo, entries, fixture, json};

fn sleeper(scene: &Scene) -> Process {
    scene.start("sleeper", Command::new("sleep").arg("100"))
}

fn attach_to(scene: &Scene, pids: &str, flags: &[&str]) -> Ended {
    scene.audit(["attach", "-p", pids].iter().chain(flags))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_process_that_cannot_be_audited_is_refused_with_the_remedy() {
    let scene = Scene::new();
    attach_to(&scene, "4194304", &[]).refused(3, &["no process 4194304", "it has ended"]);
    scene.audit(["attach", "-n", "no-such-name"]).refused(3, &["no-such-name", "ps -e"]);
    let sleeper = sleeper(&scene);
    let pid = sleeper.pid().to_string();
    attach_to(&scene, &pid, &[]).refused(3, &["sleep", &pid, "no hash map", "demo"]);
    attach_to(&scene, &pid, &["--runtime", "cobol"]).refused(3, &["cobol", "there are: auto, demo"]);
    scene.audit(["run", "--", "/no/such/program"]).refused(3, &["/no/such/program"]);
    scene.audit(["run", "--", "sleep", "100"]).refused(3, &["the command was not run", "no hash map"]);
    // A kernel thread has no program.
    attach_to(&scene, "2", &[]).refused(3, &["kthreadd"]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_32_bit_target_is_refused_as_such() {
    let scene = Scene::new();
    let source = scene.path("small.c");
    fs::write(&source, "void _start(void) { for (;;) __asm__(\"int $0x80\" :: \"a\"(29)); }").unwrap();
    let program = scene.path("small");
    let gcc = Command::new("gcc")
        .args(["-m32", "-static", "-nostdlib", "-fno-pie", "-no-pie", "-o"])
        .args([&program, &source])
        .output();
    assert!(gcc.unwrap().status.success(), "gcc -m32 is needed");
    let target = scene.start("small", &mut Command::new(&program));
    std::thread::sleep(Duration::from_millis(50));
    attach_to(&scene, &target.pid().to_string(), &[]).refused(3, &["32-bit"]);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_target_that_dies_while_it_is_attached_ends_in_a_message_or_a_report() {
    let mut chance = Chance::new(7);
    for _ in 0..12 {
        let scene = Scene::new();
        let mut target = scene.demo(&["grow", "--entries", "1000", "--hold", "60"]);
        target.wait_to_say("holds");
        let agent = scene.auditor(["attach", "-p", &target.pid().to_string(), "-f", "json"]);
        std::thread::sleep(Duration::from_micros(chance.below(120_000)));
        target.end_by(Signal::SIGKILL);
        let ended = agent.end_by_itself();
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        match ended.status {
            0 => assert_eq!(json(&ended.stdout)["window"]["ended"], "target_exited"),
            3 => assert!(ended.stderr.contains("cannot attach"), "{}", ended.stderr),
            other => panic!("status {other}: {}", ended.stderr),
        }
    }
}

/// The number is given to another process while the agent looks away: it must not take it for the target.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_pid_that_is_reused_is_not_the_target() {
    let scene = Scene::new();
    let mut target = scene.demo(&["grow", "--entries", "2000", "--hold", "60"]);
    target.wait_to_say("holds");
    let pid = target.pid();
    let agent = scene.attach(&target, &["-f", "json", "-i", "50ms"]);
    agent.signal(Signal::SIGSTOP);
    target.end_by(Signal::SIGKILL);
    let other = Scene::new();
    let reborn = (0..200).find_map(|_| {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let other = other.demo(&["grow", "--entries", "90000", "--hold", "60"]);
        (other.pid() == pid).then_some(other)
    });
    let mut reborn = reborn.expect("the number was never given out again");
    reborn.wait_to_say("holds");
    agent.signal(Signal::SIGCONT);
    let report = json(&agent.end_by_itself().well().stdout);
    assert_eq!(report["window"]["ended"], "target_exited");
    let maps = report["maps"].as_array().unwrap();
    assert!(maps.iter().all(|map| map["live"].as_u64() == Some(2000)), "{maps:?}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn of_two_pids_the_one_that_can_be_audited_is() {
    let scene = Scene::new();
    let mut target = scene.demo(&["grow", "--entries", "5000", "--hold", "60"]);
    target.wait_to_say("holds");
    let sleeper = sleeper(&scene);
    let report = scene.name("%p.json");
    let pids = format!("{},{}", sleeper.pid(), target.pid());
    attach_to(&scene, &pids, &["--duration", "100ms", "-f", "json", "-o", &report])
        .refused(3, &["sleep", "the others are audited", "attached to target-demo"]);
    let report = scene.json(&format!("{}.json", target.pid()));
    assert_eq!(report["maps"][0]["live"], 5000);
    assert!(!scene.path(&format!("{}.json", sleeper.pid())).exists());
}

/// A copy of the auditor that everybody may run: the folder of the build may be closed to others.
pub(crate) fn copy_for_all(scene: &Scene) -> PathBuf {
    let folder = scene.path("");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.join("auditor");
    fs::copy(auditor().get_program(), &copy).unwrap();
    copy
}

/// Runs a program with fewer rights.
pub(crate) fn with_setpriv(scene: &Scene, program: &Path, setpriv: &[&str], args: &[&str]) -> Ended {
    let mut command = Command::new("setpriv");
    command.args(setpriv).arg("--").arg(program).args(args).stdin(Stdio::null());
    scene.start("unprivileged", &mut command).end_by_itself()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_the_rights_the_missing_ones_are_named() {
    let scene = Scene::new();
    let program = copy_for_all(&scene);
    let mut target = scene.demo(&["grow", "--entries", "1000", "--hold", "60"]);
    target.wait_to_say("holds");
    let pid = target.pid().to_string();
    let nobody = [
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "--inh-caps",
        "-all",
        "--bounding-set",
        "-all",
    ];
    with_setpriv(&scene, &program, &nobody, &["attach", "-p", &pid]).refused(3, &["CAP_SYS_PTRACE"]);
    // Root in name only: may look, may not probe.
    let toothless = [
        "--inh-caps",
        "-all",
        "--bounding-set",
        "-all,+sys_ptrace,+dac_read_search,+dac_override,+checkpoint_restore",
    ];
    with_setpriv(&scene, &program, &toothless, &["attach", "-p", &pid])
        .refused(3, &["CAP_BPF", "CAP_PERFMON"]);
    let doctor = with_setpriv(&scene, &program, &toothless, &["doctor"]);
    assert_eq!(doctor.status, 3);
    assert!(doctor.stdout.contains("MISSING") && doctor.stdout.contains("CAP_BPF"), "{}", doctor.stdout);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn three_capabilities_and_multi_links_are_enough() {
    let scene = Scene::new();
    let program = copy_for_all(&scene);
    let mut target = scene.demo(&["grow", "--entries", "1000", "--hold", "60"]);
    target.wait_to_say("holds");
    let enough = [
        "--inh-caps",
        "-all",
        "--bounding-set",
        "-all,+sys_ptrace,+dac_read_search,+bpf,+perfmon,+checkpoint_restore",
    ];
    let pid = target.pid().to_string();
    let ended =
        with_setpriv(&scene, &program, &enough, &["attach", "-p", &pid, "--duration", "100ms", "-f", "json"]);
    assert_eq!(json(&ended.well().stdout)["maps"][0]["live"], 1000);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn without_tracefs_and_debugfs_nothing_is_missing() {
    let scene = Scene::new();
    let truth = scene.name("truth");
    let script = "mount --make-rprivate / && umount -l /sys/kernel/debug 2>/dev/null; umount -l /sys/kernel/tracing 2>/dev/null; \
                  ! test -e /sys/kernel/tracing/events && exec \"$0\" \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(auditor().get_program()).args([
        "run",
        "-f",
        "json",
        "--evacuation",
        "probe",
        "--",
    ]);
    command.arg(demo()).args(["grow", "--entries", "10000", "--truth", &truth]).stdin(Stdio::null());
    let report = json(&scene.start("unshared", &mut command).end_by_itself().well().stdout);
    assert_eq!(report["coverage"]["confidence"], "exact");
    assert!(
        report["coverage"]["probes"].as_array().unwrap().iter().all(|probe| probe["state"] == "attached")
    );
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_file_that_exists_or_cannot_be_made_is_refused_before_the_command_runs() {
    let scene = Scene::new();
    let there = scene.name("there");
    fs::write(&there, "precious").unwrap();
    let ran = scene.name("ran");
    for flag in ["-o", "--record"] {
        for (file, words) in [(there.as_str(), "--force"), ("/no/such/folder/x", "/no/such/folder")] {
            let demo = demo();
            let args =
                ["run", flag, file, "--", demo.to_str().unwrap(), "grow", "--entries", "10", "--truth", &ran];
            let ended = scene.audit(args);
            assert!(ended.status == 2, "{flag} {file}: status {}: {}", ended.status, ended.stderr);
            assert!(ended.stderr.contains(words), "{flag}: {}", ended.stderr);
        }
    }
    assert_eq!(fs::read_to_string(&there).unwrap(), "precious");
    assert!(!Path::new(&ran).exists(), "the command was run");
}

/// A file system of 64 KiB, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(scene: &Scene) -> Self {
        let folder = scene.path("disk");
        fs::create_dir(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(&folder).status();
        assert!(mounted.unwrap().success());
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().unwrap();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_recording_that_fills_the_disk_is_given_up_and_the_audit_goes_on() {
    let scene = Scene::new();
    let disk = SmallDisk::new(&scene);
    let recording = disk.0.join("recording").to_str().unwrap().to_owned();
    let truth = scene.name("truth");
    let demo = demo();
    let args = ["run", "-f", "json", "--evacuation", "probe", "--record", &recording, "--"];
    let command = [demo.to_str().unwrap(), "burst", "--entries", &entries(1_000_000), "--truth", &truth];
    let ended = scene.audit(args.iter().chain(&command)).well();
    assert!(
        ended.stderr.contains("No space left") && ended.stderr.contains("goes on without"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stderr.matches("No space left").count(), 1, "said once: {}", ended.stderr);
    assert_eq!(json(&ended.stdout)["window"]["ended"], "target_exited");
    // What was written before is whole.
    let replayed = scene.audit(["replay", &recording, "-f", "json"]);
    assert!([0, 2].contains(&replayed.status) && !replayed.stdout.is_empty(), "{}", replayed.stderr);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_reader_that_leaves_and_a_stdout_that_is_closed_do_no_harm() {
    for closing in ["| head -n 1", ">&-"] {
        let scene = Scene::new();
        let mut target = scene.demo(&["churn", "--entries", "100000", "--rounds", "100000"]);
        let script = format!("\"$0\" attach -p {} -i 50ms -f text --duration 500ms {closing}", target.pid());
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(auditor().get_program()).stdin(Stdio::null());
        let ended = scene.start("shell", &mut command).end_by_itself();
        assert!(!ended.stderr.contains("panicked"), "{closing}: {}", ended.stderr);
        assert!(closing == ">&-" || !ended.stderr.to_lowercase().contains("broken pipe"), "{}", ended.stderr);
        assert!(!target.has_ended());
        target.end_by(Signal::SIGTERM).well();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_first_ctrl_c_ends_with_the_report_and_the_second_at_once() {
    for twice in [false, true] {
        let scene = Scene::new();
        let target = scene.demo(&["churn", "--entries", "100000", "--rounds", "100000"]);
        // Perf links take 100 ms to go, long enough for a second thought.
        let agent = scene.attach(&target, &["-f", "json", "--no-feature", "uprobe_multi"]);
        std::thread::sleep(Duration::from_millis(100));
        agent.signal(Signal::SIGINT);
        if twice {
            std::thread::sleep(Duration::from_millis(20));
            agent.signal(Signal::SIGINT);
            assert_eq!(agent.end_by_itself().status, 130);
        } else {
            let ended = agent.end_by_itself().well();
            assert!(ended.stderr.contains("Ctrl-C again"), "{}", ended.stderr);
            assert_eq!(json(&ended.stdout)["window"]["ended"], "stopped");
        }
        target.end_by(Signal::SIGTERM).well();
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn names_that_the_target_chose_reach_no_terminal_unescaped() {
    let scene = Scene::new();
    let mut target =
        scene.start("hostile", Command::new(scene.fixture(&fixture::HOSTILE)).stdin(Stdio::piped()));
    target.wait_to_say("ready");
    let pid = target.pid().to_string();
    let flags = ["--duration", "200ms", "-i", "100ms", "--min-bytes", "0"];
    let text = attach_to(&scene, &pid, &[&flags[..], &["-f", "text"]].concat()).well();
    let refused = attach_to(&scene, &pid, &["--dry-run"]).well();
    for said in [&text.stdout, &text.stderr, &refused.stdout] {
        let evil = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!said.contains(evil), "{said:?}");
    }
    assert!(text.stdout.contains("red"), "the map is not listed: {}", text.stdout);
    assert!(!text.stdout.lines().any(|line| line.starts_with("red")), "a name broke a line: {}", text.stdout);
    // JSON has escapes of its own, and brings the name back as it was.
    let report = attach_to(&scene, &pid, &[&flags[..], &["-f", "json"]].concat()).well().stdout;
    assert!(!report.contains(|c: char| c.is_control() && c != '\n'), "{report:?}");
    assert_eq!(json(&report)["maps"][0]["live"], 40);
    target.tell("end");
    target.end_by_itself().well();
}
