//! The built binary from outside: help, exit statuses, what errors say, and files that are left
//! alone. Needs no root. What the report says is not tested here.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use auditor::audit::fact::{Began, Ended, Fact, Look, Lost, Occasion, Shape, Sizes, SizesId, Step, What};
use auditor::audit::unit::{Address, Bytes, Nanos, Pid};
use auditor::recording::Writer;
use tempfile::TempDir;

/// The auditor, in surroundings that do not depend on who runs the test; backtraces are asked for,
/// so that one in a message shows.
fn auditor(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_auditor"));
    command.args(args).env_remove("NO_COLOR").env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command
}

/// Runs it: status, stdout, stderr.
fn run(args: &[&str]) -> (i32, String, String) {
    told(auditor(args).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let Output { status, stdout, stderr } = output;
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Runs it, expects that status with nothing on stdout, and returns the one message.
fn failure(status: i32, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(args);
    assert_eq!((code, stdout.as_str()), (status, ""), "{stderr}");
    assert!(!stderr.contains("Backtrace") && !stderr.contains("panicked"), "{stderr}");
    stderr
}

fn fact(at: u64, what: What) -> Fact {
    Fact { at: Nanos(at), thread: None, what }
}

fn began() -> Fact {
    let text = |text: &str| text.to_owned();
    let began = Began {
        auditor: text("0.1.0"),
        kernel: text("6.18.0"),
        arch: text("x86_64"),
        page_size: Bytes(4096),
        cpus: 2,
        pid: Pid(4711),
        comm: text("victim"),
        exe: text("/usr/bin/victim"),
        build_id: None,
        wall: 1_763_694_000_000_000_000,
        from_start: true,
        min_bytes: Bytes(16_384),
        rss_step: Bytes(1 << 20),
    };
    fact(1_000, What::Began(Box::new(began)))
}

/// A whole recording: three intervals in three frames.
fn whole() -> Vec<Vec<Fact>> {
    let tick = |at| vec![fact(at, What::Tick)];
    vec![vec![began()], tick(2_000), tick(3_000), tick(4_000), vec![fact(5_000, What::Ended(Ended::Stopped))]]
}

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A recording with one frame for each group of facts; where the frames end.
    fn record(&self, name: &str, groups: &[Vec<Fact>]) -> (String, Vec<u64>) {
        let path = self.path(name);
        let mut writer = Writer::create(&path).unwrap();
        let mut ends = vec![path.metadata().unwrap().len()];
        for group in groups {
            group.iter().for_each(|fact| writer.append(fact).unwrap());
            writer.flush().unwrap();
            ends.push(path.metadata().unwrap().len());
        }
        (self.name(name), ends)
    }
}

fn flip(path: &str, at: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at as usize] ^= 0xFF;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &str, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn help_says_what_it_is_for_and_shows_four_examples() {
    let (status, help, stderr) = run(&["--help"]);
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(help.contains("which hash map holds the memory"), "{help}");
    assert_eq!(help.lines().filter(|line| line.starts_with("  auditor ")).count(), 4, "{help}");
    for verb in [
        "attach",
        "run",
        "census",
        "replay",
        "whatif",
        "diff",
        "check",
        "doctor",
        "explain",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {verb}")), "{verb}: {help}");
        let (status, help, _) = run(&[verb, "--help"]);
        assert_eq!(status, 0);
        assert!(!help.contains("--no-feature"), "{help}");
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let (status, stdout, _) = run(&["--version"]);
    assert_eq!((status, stdout), (0, format!("auditor {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn every_bad_input_has_status_2_and_says_what_to_do() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: auditor"),
        (&["atach", "-p", "1"], "'attach'"),
        (&["attach"], "<--pid <PID[,PID]>|--name <NAME>>"),
        (&["attach", "-p", "redis"], "take -n for a name"),
        (&["attach", "-p", "0"], "pids go from 1 to"),
        (&["attach", "-p", "1", "-n", "x"], "cannot be used with"),
        (&["attach", "-p", "1", "--duration", "30"], "write 30s, 30m or 30h"),
        (&["attach", "-p", "1", "--duration", "soon"], "write 500ms, 30s, 5m or 1h30m"),
        (&["attach", "-p", "1", "-i", "1ms"], "from 50ms to 1h"),
        (&["attach", "-p", "1", "-f", "yaml"], "live, text, json, ndjson"),
        (&["attach", "-p", "1", "-f", "live"], "needs a terminal"),
        (&["attach", "-p", "1", "-f", "live", "-o", "x"], "cannot go into a file"),
        (&["attach", "-p", "1", "--budget", "1"], "with a percent sign"),
        (&["attach", "-p", "1", "--budget", "200%"], "from 0.01% to 100%"),
        (&["attach", "-p", "1", "--min-bytes", "much"], "write 16KiB"),
        (&["attach", "-p", "1", "--rss-step", "1"], "from 4KiB to 1GiB"),
        (&["attach", "-p", "1", "-o", "%x"], "after % comes p (pid)"),
        (&["attach", "-p", "1", "--record", "-"], "a recording is not for stdout"),
        (&["attach", "-p", "1", "-o", "x", "--record", "x"], "give each its own file"),
        (&["attach", "-p", "1,2", "--record", "x"], "put %p, the pid, into its name"),
        (&["attach", "-p", "1", "--evacuation", "maybe"], "auto, probe, poll"),
        (&["census"], "<--pid <PID[,PID]>|--name <NAME>>"),
        (&["census", "-p", "1", "-f", "live"], "census cannot draw the live screen"),
        (&["census", "-p", "1", "-f", "yaml"], "live, text, json, ndjson"),
        (&["census", "-p", "1", "--top", "0"], "--top"),
        (&["census", "-p", "1,2", "-o", "x"], "put %p, the pid, into its name"),
        (&["census", "-p", "1", "--duration", "1s"], "unexpected argument"),
        (&["whatif"], "<--pid <PID>|FILE>"),
        (&["whatif", "-p", "1", "x"], "cannot be used with"),
        (&["whatif", "x", "--map", "40"], "such as 0xc000012345"),
        (&["whatif", "x", "--keys", "0"], "it begins with 1"),
        (&["whatif", "x", "--keys", "-1"], "unexpected argument"),
        (&["whatif", "x", "--keys", "1e6"], "write it without signs and units"),
        (&["whatif", "x", "--slots", "18446744073709551616"], "not a number"),
        (&["whatif", "x", "--shards", "0"], "it begins with 1"),
        (&["whatif", "x", "--shards", "1048577"], "from 1 to 1048576"),
        (&["whatif", "x", "--qps", "5"], "--skew <S>"),
        (&["whatif", "x", "--skew", "1"], "--qps <N>"),
        (&["whatif", "x", "--window", "5s"], "--qps <N>"),
        (&["whatif", "x", "--qps", "0", "--skew", "1"], "from 0.000001"),
        (&["whatif", "x", "--qps", "inf", "--skew", "1"], "from 0.000001"),
        (&["whatif", "x", "--qps", "many", "--skew", "1"], "write it as 1.1"),
        (&["whatif", "x", "--qps", "1", "--skew", "0"], "from 0.01 to 10"),
        (&["whatif", "x", "--qps", "1", "--skew=-1"], "from 0.01 to 10"),
        (&["whatif", "x", "--qps", "1", "--skew", "NaN"], "from 0.01 to 10"),
        (&["whatif", "x", "--qps", "1", "--skew", "1", "--window", "60"], "write 60s"),
        (&["whatif", "x", "-f", "live"], "whatif cannot draw the live screen"),
        (&["diff", "x"], "<AFTER>"),
        (&["diff", "x", "y", "-f", "ndjson"], "text, json"),
        (&["check"], "<FILE|CMD>"),
        (&["check", "x", "--", "y"], "cannot be used with"),
        (&["check", "x", "-f", "html"], "text, json, junit, github"),
        (&["check", "x", "--duration", "5s"], "'[FILE]' cannot be used with"),
        (&["check", "x", "--expect", "a=1"], "are for a command"),
        (&["check", "x", "--gate", "strandd<1MiB"], "did you mean stranded"),
        (&["check", "x", "--gate", "stranded<1MB"], "column 10: MB is no unit here"),
        (&["check", "x", "--gate", "rss<baseline"], "rss<baseline needs a baseline"),
        (&["check", "x", "--baseline", "y"], "no gate looks at the baseline"),
        (&["check", "x", "--baseline", "y", "--gate", "rss<=baseline"], "the baseline: cannot open y"),
        (&["check", "/there/is/none"], "cannot open /there/is/none"),
        (&["run", "sleep", "1"], "-- <CMD>..."),
        (&["replay"], "<FILE>"),
        (&["replay", "x", "-f", "live"], "take -f text, json or ndjson"),
        (&["replay", "x", "-t", "3m"], "leave -f and -o out"),
        (&["replay", "x", "-t", "3"], "write 3s, 3m or 3h"),
        (&["replay", "x", "--from", "2m", "--to", "1m"], "--to is not after --from"),
        (&["replay", "x", "--filter", "tpe=~x"], "did you mean type"),
        (&["replay", "x", "--filter", "type=a type=b"], "--filter: column 8"),
        (&["attach", "-p", "1", "--ring", "5s", "--record", "x"], "from 10s to 24h"),
        (&["attach", "-p", "1", "--ring", "5m"], "--record"),
        (&["attach", "-p", "1", "--record", "x", "--trigger", "rss+25%"], "--ring"),
        (&["explain", "-q", "-v"], "cannot be used with"),
        (&["completions", "dos"], "bash"),
    ];
    for (args, remedy) in cases {
        let message = failure(2, args);
        assert!(message.contains(remedy), "{args:?}: {message}");
    }
}

/// Maps of one kind as doubling tables have them: most live entries, slots, bytes.
fn with_maps() -> Vec<Vec<Fact>> {
    let step = |log2: u32| Step {
        live: 8 << log2,
        slots: 8 << log2,
        tables: 1,
        bytes: Bytes(100 << log2),
        spare: 0,
        together: 1,
        beside: Some(Bytes(100 << log2 >> 1)),
    };
    let steps = (0..=40).map(step).collect();
    let sizes = Sizes {
        id: SizesId(0),
        header: Bytes(0),
        slot: Some(Bytes(16)),
        behind: Bytes(0),
        overflow: None,
        listed: Bytes(0),
        steps,
    };
    let look = |map, live, allocated, name: &str| {
        let shape = Shape {
            live,
            capacity: 1024,
            table: Some(Address(9)),
            allocated: Bytes(allocated),
            needed: Some(Bytes(100)),
            sizes: Some(SizesId(0)),
            ..Shape::default()
        };
        let (runtime, name) = ("demo".to_owned(), Some(name.to_owned()));
        What::Look(Look {
            map: Address(map),
            occasion: Occasion::AtAttach,
            runtime,
            shape: shape.into(),
            name,
        })
    };
    let mut facts = vec![began(), fact(1_500, What::Sizes(Box::new(sizes)))];
    facts.push(fact(1_600, look(0x40, 5, 60_000, "small")));
    facts.push(fact(1_600, look(0x80, 9, 90_000, "large\u{1b}[2J")));
    vec![facts, vec![fact(5_000, What::Ended(Ended::OneLook))]]
}

#[test]
fn what_if_answers_from_a_recording_and_from_its_report_alike() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    let (report, lines, answers) = (files.name("a.json"), files.name("a.ndjson"), files.name("answers"));
    for (format, file) in [("json", &report), ("ndjson", &lines)] {
        assert_eq!(run(&["replay", &recording, "-f", format, "-o", file]).0, 0);
    }
    for format in ["text", "json", "ndjson"] {
        let ask = ["--map", "0x40", "--keys", "20", "--qps", "100", "--skew", "1", "-f", format];
        let of = |file: &str| run(&[&["whatif", file], &ask[..]].concat());
        let (status, stdout, stderr) = of(&recording);
        assert_eq!((status, stderr.as_str()), (0, ""));
        assert!(stdout.contains("small"), "{stdout}");
        assert_eq!(of(&report), (0, stdout.clone(), String::new()));
        assert_eq!(of(&lines), (0, stdout.clone(), String::new()));
        let to_file = [&["whatif", &report, "--force", "-o", &answers], &ask[..]].concat();
        assert_eq!((run(&to_file).0, fs::read_to_string(&answers).unwrap()), (0, stdout));
    }
    let (_, stdout, _) = run(&["whatif", &report, "--map", "0x40", "-f", "json"]);
    let answers: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answers["remedies"][0]["frees"], 59_900);
    assert!(failure(2, &["whatif", &report, "--map", "0x40", "-o", &report]).contains("--force"));
}

#[test]
fn a_gate_is_judged_by_status_from_a_recording_and_from_its_report_alike() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    let report = files.name("a.json");
    assert_eq!(run(&["replay", &recording, "-f", "json", "-o", &report]).0, 0);
    for (gates, status) in [
        (&["allocated<1MiB"] as &[&str], 0),
        (&["allocated<1MiB", "maps(name=small)=1"], 0),
        (&["allocated<100KiB"], 1),
        (&["allocated<1MiB", "maps=3", "live=14"], 1),
        (&["rss<1TiB"], 1),
        (&[], 0),
    ] {
        let flags: Vec<&str> = gates.iter().flat_map(|gate| ["--gate", gate]).collect();
        let of = |file: &str| run(&[&["check", file], &flags[..]].concat());
        let (code, stdout, stderr) = of(&recording);
        assert_eq!((code, stderr.as_str()), (status, ""), "{gates:?}: {stdout}");
        assert_eq!(of(&report), (status, stdout.clone(), stderr));
        assert!(gates.iter().all(|gate| stdout.contains(&gate[..4])), "all are shown: {stdout}");
    }
    let beside = ["check", &recording, "--baseline", &report, "--gate", "allocated<=baseline"];
    assert_eq!(run(&beside).0, 0);
    assert!(
        failure(2, &["check", &recording, "--baseline", &report]).contains("no gate looks at the baseline")
    );
    let file = files.name("gate.xml");
    assert_eq!(run(&["check", &recording, "--gate", "maps=9", "-f", "junit", "-o", &file]).0, 1);
    assert!(fs::read_to_string(&file).unwrap().contains("<failure"));
}

#[test]
fn a_gate_that_holds_on_incomplete_data_has_status_4_and_one_that_fails_has_1() {
    let files = Files::new();
    let lost = vec![vec![began(), fact(2_000, What::Tick)]];
    let (recording, _) = files.record("a.rec", &lost);
    let (status, stdout, _) = run(&["check", &recording, "--gate", "maps=0"]);
    assert_eq!(status, 4, "{stdout}");
    assert!(stdout.contains("Incomplete: there is no end"), "{stdout}");
    assert_eq!(run(&["check", &recording, "--gate", "maps=1"]).0, 1);
}

#[test]
fn a_difference_has_status_0_and_is_the_same_from_a_recording_and_from_its_report() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    let (nothing, _) = files.record("b.rec", &whole());
    let report = files.name("a.json");
    assert_eq!(run(&["replay", &recording, "-f", "json", "-o", &report]).0, 0);
    for format in ["text", "json"] {
        let (status, stdout, stderr) = run(&["diff", &nothing, &recording, "-f", format]);
        assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
        assert!(stdout.contains("small") && !stdout.contains('\x1b'), "{stdout}");
        assert_eq!(run(&["diff", &nothing, &report, "-f", format]).1, stdout);
    }
    assert!(failure(2, &["diff", &recording, "/there/is/none"]).contains("AFTER: cannot open"));
}

#[test]
fn what_if_without_a_map_that_is_there_names_the_largest_in_one_harmless_line() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    for args in [&["whatif", &recording] as &[&str], &["whatif", &recording, "--map", "0x41"]] {
        let message = failure(2, args);
        let large = message.find(r"0x80 (large\u{1b}[2J, 87.9 KiB)").expect(&message);
        assert!(message.find("0x40 (small, 58.6 KiB)").expect(&message) > large, "{message}");
        assert!(message.lines().count() == 1 && !message.contains('\x1b'), "{message}");
    }
    let (nothing, _) = files.record("b.rec", &whole());
    assert!(failure(2, &["whatif", &nothing]).contains("no map is listed"));
}

#[test]
fn what_if_of_no_report_says_what_the_file_is() {
    let files = Files::new();
    let file = files.name("odd");
    for (content, told) in [
        ("", "is empty"),
        ("hello", "is not a recording"),
        ("{", "begins as JSON and is damaged"),
        ("{}", "no report: it has no schema"),
        (r#"{"schema": 1}"#, "no report: it has no schema"),
        ("{\"schema\": \"auditor.report/9\\u001b\"}", r"has the schema auditor.report/9\u{1b}"),
        (r#"{"schema": "auditor.report/1", "maps": []}"#, "missing field"),
        (&"[".repeat(100_000), "is not a recording"),
        (&format!(r#"{{"a":{}"#, "[".repeat(100_000)), "damaged"),
    ] {
        fs::write(&file, content).unwrap();
        let message = failure(2, &["whatif", &file, "--map", "0x40"]);
        assert!(message.contains(told) && message.lines().count() == 1, "{content:.40}: {message}");
    }
    assert!(failure(2, &["whatif", "/there/is/none"]).contains("cannot open /there/is/none"));
    assert!(failure(3, &["whatif", "-p", "4194304"]).contains("no process 4194304"));
}

#[test]
fn what_if_with_the_largest_numbers_answers_within_a_second() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    let most = "18446744073709551615";
    let ask = ["--map", "0x40", "--keys", most, "--slots", most, "--shards", "1048576"];
    let traffic = ["--qps", "1000000000000", "--skew", "0.01", "--window", "365d"];
    let began = std::time::Instant::now();
    let (status, stdout, stderr) = run(&[&["whatif", &recording], &ask[..], &traffic[..]].concat());
    assert_eq!((status, stderr.as_str()), (0, ""));
    assert!(began.elapsed().as_secs_f64() < 1.0, "{:?}", began.elapsed());
    assert_eq!(stdout.matches("  not answered\n").count(), 4, "{stdout}");
}

#[test]
fn flags_that_do_not_fit_are_answered_with_the_usage_of_their_verb() {
    let message = failure(2, &["replay", "x.rec", "-f", "live"]);
    assert!(message.contains("Usage: auditor replay"), "{message}");
}

#[test]
fn a_cause_is_told_once() {
    let message = failure(3, &["run", "--", "/there/is/no/such/program"]);
    assert_eq!(message.matches("os error 2").count(), 1, "{message}");
}

#[test]
fn an_unknown_topic_names_the_nearest_ones() {
    let message = failure(2, &["explain", "tombstone"]);
    assert_eq!(
        message,
        "auditor: there is no topic \"tombstone\"; did you mean tombstones?; `auditor explain` lists them all\n"
    );
}

#[test]
fn explain_lists_all_topics_and_explains_each_of_them() {
    let (status, list, _) = run(&["explain"]);
    assert_eq!(status, 0);
    let topics: Vec<_> = list.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert!(topics.len() > 20);
    for topic in topics {
        let (status, page, _) = run(&["explain", topic]);
        assert_eq!(status, 0);
        assert!(page.starts_with(&format!("{topic}: ")), "{page}");
    }
}

#[test]
fn there_are_completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let (status, script, _) = run(&["completions", shell]);
        assert_eq!(status, 0, "{shell}");
        assert!(script.contains("replay") && script.contains("evacuation"), "{shell}");
    }
    let (_, script, _) = run(&["completions", "bash"]);
    let files = Files::new();
    fs::write(files.path("auditor.bash"), script).unwrap();
    let checked = Command::new("bash").arg("-n").arg(files.path("auditor.bash")).status().unwrap();
    assert!(checked.success());
}

#[test]
fn there_is_a_manual_page_of_all_and_of_each_verb() {
    let (status, page, _) = run(&["man"]);
    assert_eq!(status, 0);
    assert!(page.contains(".TH auditor 1") && page.contains("auditor\\-attach(1)"), "{page}");
    let (status, page, _) = run(&["man", "attach"]);
    assert_eq!(status, 0);
    assert!(page.contains(".TH auditor-attach 1"), "{page}");
    for flag in ["interval", "record", "ring", "trigger", "budget"] {
        assert!(page.contains(&format!("\\-\\-{flag}")), "{flag}: {page}");
    }
    assert!(!page.contains("feature"), "a flag for tests is in it");
    assert!(failure(2, &["man", "atach"]).contains("attach, run, census"));
}

#[test]
fn a_part_of_a_recording_and_some_of_its_maps_are_shown() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    let report = |flags: &[&str]| -> serde_json::Value {
        let (status, report, stderr) = run(&[&["replay", &recording, "-f", "json"], flags].concat());
        assert_eq!(status, 0, "{stderr}");
        serde_json::from_str(&report).unwrap()
    };
    let all = report(&[]);
    let maps = all["maps"].as_array().unwrap().len();
    assert!(maps > 0);
    let none = report(&["--filter", "runtime=nobody's"]);
    assert!(none["maps"].as_array().unwrap().is_empty());
    assert_eq!(none["memory"], all["memory"]);
    assert!(none["coverage"]["notes"].to_string().contains(&format!("shows 0 of {maps} maps")), "{none}");
    assert_eq!(report(&["--filter", "runtime!=nobody's"])["maps"], all["maps"]);
    let length = |report: &serde_json::Value| {
        report["window"]["end"].as_u64().unwrap() - report["window"]["start"].as_u64().unwrap()
    };
    let half = format!("{}ns", length(&all) / 2);
    let (first, second) = (report(&["--to", &half]), report(&["--from", &half]));
    assert_eq!(
        (length(&first), first["window"]["end"].as_u64()),
        (length(&all) / 2, second["window"]["start"].as_u64())
    );
    assert_eq!(second["window"]["end"], all["window"]["end"]);
    let live = |report: &serde_json::Value| -> Vec<serde_json::Value> {
        report["maps"].as_array().unwrap().iter().map(|map| map["live"].clone()).collect()
    };
    assert_eq!(live(&second), live(&all));
    assert!(
        failure(2, &["replay", &recording, "-f", "json", "--from", "30h"]).contains("ends before --from")
    );
}

#[test]
fn a_recording_is_replayed_the_same_each_time_in_each_format() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    for format in ["text", "json", "ndjson"] {
        let (status, first, stderr) = run(&["replay", &recording, "-f", format]);
        assert_eq!((status, stderr.as_str()), (0, ""), "{format}");
        assert!(!first.is_empty());
        assert_eq!(run(&["replay", &recording, "-f", format]).1, first);
    }
    let (_, json, _) = run(&["replay", &recording, "-f", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["target"]["pid"], 4711);
    assert_eq!(report["window"]["ended"], "stopped");
}

#[test]
fn every_format_of_a_report_goes_into_a_file_and_is_the_same_twice() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &with_maps());
    for row in auditor::render::FORMATS {
        let written = ["1", "2"].map(|name| {
            let file = files.name(&format!("{}.{name}", row.name));
            let (status, stdout, stderr) = run(&["replay", &recording, "-f", row.name, "-o", &file]);
            assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""), "{}", row.name);
            fs::read(file).unwrap()
        });
        assert!(written[0] == written[1], "{}", row.name);
        // Nothing grew in it.
        assert_eq!(written[0].is_empty(), row.name == "folded");
        let (_, page, _) = run(&["explain", "format"]);
        assert!(page.lines().any(|line| line.starts_with(&format!("{} ", row.name))), "{}", row.name);
    }
}

#[test]
fn ndjson_has_one_object_for_each_interval_and_one_at_the_end() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    let (_, lines, _) = run(&["replay", &recording, "-f", "ndjson"]);
    let ends: Vec<_> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["window"]["end"].clone())
        .collect();
    assert_eq!(ends, [2_000, 3_000, 4_000, 5_000]);
}

#[test]
fn a_recording_that_breaks_off_is_replayed_up_to_there_and_says_so() {
    let files = Files::new();
    let (recording, ends) = files.record("a.rec", &whole());
    cut(&recording, ends[4] + 7);
    let (status, json, stderr) = run(&["replay", &recording, "-f", "json"]);
    assert_eq!(status, 0);
    let note = format!("the recording breaks off at byte {}: 7 bytes", ends[4]);
    assert!(stderr.starts_with(&format!("auditor: warning: {note}")), "{stderr}");
    assert!(json.contains(&note), "{json}");
    assert_eq!(run(&["replay", &recording, "-q"]).2, "");
    assert_eq!(run(&["replay", &recording, "--strict"]).0, 4);
}

#[test]
fn a_recording_without_an_end_breaks_off_too() {
    let files = Files::new();
    let (recording, ends) = files.record("a.rec", &whole());
    cut(&recording, ends[4]);
    let (status, _, stderr) = run(&["replay", &recording]);
    assert_eq!(status, 0);
    assert!(stderr.contains("its auditor was killed or still writes it"), "{stderr}");
    assert_eq!(run(&["replay", &recording, "--strict"]).0, 4);
}

#[test]
fn a_damaged_recording_gives_a_report_of_what_comes_before_and_status_2() {
    let files = Files::new();
    let (recording, ends) = files.record("a.rec", &whole());
    flip(&recording, ends[2] + 24);
    let (status, json, stderr) = run(&["replay", &recording, "-f", "json"]);
    assert_eq!(status, 2);
    assert!(
        stderr.contains(&format!("is damaged (frame at byte {}: its checksum is wrong)", ends[2])),
        "{stderr}"
    );
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["window"]["end"], 2_000);
}

#[test]
fn what_is_no_recording_is_named_for_what_it_is() {
    let files = Files::new();
    fs::write(files.path("empty"), "").unwrap();
    fs::write(files.path("text"), "not a recording\n").unwrap();
    let (cut_short, ends) = files.record("short", &whole());
    cut(&cut_short, 11);
    let (unbegun, _) = files.record("unbegun", &[]);
    let (headless, _) = files.record("headless", &whole()[1..]);
    let missing = files.name("missing");
    let cases = [
        (files.name("empty"), "is empty: nothing was recorded"),
        (files.name("text"), "is not a recording: make one with `auditor attach --record FILE`"),
        (cut_short, "breaks off after 11 bytes"),
        (unbegun, "breaks off before its first fact"),
        (headless, "does not say how the audit began"),
        (missing, "No such file or directory"),
        (files.0.path().to_str().unwrap().to_owned(), "Is a directory"),
    ];
    assert_eq!(ends.len(), 6);
    for (path, story) in cases {
        let message = failure(2, &["replay", &path]);
        assert!(message.starts_with("auditor: ") && message.contains(story), "{message}");
        assert!(message.contains(&path), "{message}");
    }
}

#[test]
fn a_newer_recording_names_both_versions() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    let mut bytes = fs::read(&recording).unwrap();
    // The header frame's payload begins with the version, as a varint; both checksums follow it.
    bytes[24] = 9;
    let stored = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let crc = crc32(&bytes[24..24 + stored]);
    bytes[16..20].copy_from_slice(&crc.to_le_bytes());
    let own = crc32(&bytes[..20]);
    bytes[20..24].copy_from_slice(&own.to_le_bytes());
    fs::write(&recording, bytes).unwrap();
    let message = failure(2, &["replay", &recording]);
    assert!(message.contains("has format version 9 and this auditor reads up to 1"), "{message}");
}

/// CRC-32 (IEEE), bit by bit: from the table in docs/recording.md, not from the program's own code.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn strict_minds_what_was_lost() {
    let files = Files::new();
    let mut groups = whole();
    groups[1].push(fact(2_500, What::Lost(Lost { source: "ring_full".to_owned(), count: 3 })));
    let (recording, _) = files.record("a.rec", &groups);
    assert_eq!(run(&["replay", &recording]).0, 0);
    assert_eq!(run(&["replay", &recording, "--strict"]).0, 4);
}

#[test]
fn the_output_file_has_its_places_filled_in() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    let (status, stdout, stderr) =
        run(&["replay", &recording, "-f", "json", "-o", &files.name("%p-%t.json")]);
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, "", ""));
    assert_eq!(files.names(), ["4711-20251121T030000Z.json", "a.rec"]);
}

#[test]
fn an_output_file_that_exists_is_kept_unless_forced() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    let report = files.name("report.json");
    fs::write(&report, "precious").unwrap();
    for format in ["text", "json", "ndjson"] {
        let message = failure(2, &["replay", &recording, "-f", format, "-o", &report]);
        assert!(message.contains("exists: name another file"), "{message}");
        assert_eq!(fs::read_to_string(&report).unwrap(), "precious");
    }
    let (status, _, _) = run(&["replay", &recording, "-f", "json", "-o", &report, "--force"]);
    assert_eq!(status, 0);
    assert!(fs::read_to_string(&report).unwrap().contains("auditor.report/1"));
    assert_eq!(files.names(), ["a.rec", "report.json"]);
}

#[test]
fn a_replay_that_fails_leaves_the_old_report() {
    let files = Files::new();
    let report = files.name("report.json");
    fs::write(&report, "precious").unwrap();
    failure(2, &["replay", &files.name("missing"), "-o", &report, "--force"]);
    assert_eq!(fs::read_to_string(&report).unwrap(), "precious");
    assert_eq!(files.names(), ["report.json"]);
}

#[test]
fn an_output_that_cannot_be_written_says_why_and_what_to_do() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    let cases = [
        (files.name("no/such/report"), "make its folder first"),
        (files.0.path().to_str().unwrap().to_owned(), "is a directory: name a file in it"),
        (format!("{recording}/report"), "Not a directory"),
        ("/proc/report".to_owned(), "cannot create /proc/report"),
        ("/dev/full".to_owned(), "cannot write to /dev/full: No space left on device"),
    ];
    for (path, story) in cases {
        let message = failure(2, &["replay", &recording, "-o", &path]);
        assert!(message.contains(story), "{message}");
    }
}

#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    for args in [&["replay", &recording] as &[&str], &["explain"], &["completions", "bash"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (status, _, stderr) = told(auditor(args).stdout(full).output().unwrap());
        assert_eq!(status, 2, "{args:?}");
        assert_eq!(
            stderr,
            "auditor: cannot write to standard output: No space left on device (os error 28)\n"
        );
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    for args in [&["replay", &recording] as &[&str], &["explain"], &["completions", "bash"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let (status, _, stderr) = told(auditor(args).stdout(writer).output().unwrap());
        assert_eq!((status, stderr.as_str()), (0, ""), "{args:?}");
    }
}

#[test]
fn nobody_listening_on_stderr_changes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (status, _, _) = told(auditor(&["replay", "/no/such/file"]).stderr(writer).output().unwrap());
    assert_eq!(status, 2);
}

/// What it writes when stdout is a terminal.
fn on_a_terminal(args: &[&str], environment: &[(&str, &str)]) -> String {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut command = auditor(args);
    command.env("TERM", "xterm").envs(environment.iter().copied()).stdout(pty.slave);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut seen = Vec::new();
    // A terminal that was hung up is an error (EIO) behind what was written.
    assert!(File::from(pty.master).read_to_end(&mut seen).is_err());
    assert!(child.wait().unwrap().success());
    String::from_utf8(seen).unwrap()
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let files = Files::new();
    let (recording, _) = files.record("a.rec", &whole());
    assert!(on_a_terminal(&["replay", &recording, "-f", "text"], &[]).contains('\x1b'));
    assert!(on_a_terminal(&["replay", &recording, "-f", "text"], &[("NO_COLOR", "")]).contains('\x1b'));
    for (args, environment) in [
        (&["replay", &recording, "-f", "text", "--no-color"] as &[&str], ("LANG", "C")),
        (&["replay", &recording, "-f", "text"], ("NO_COLOR", "1")),
        (&["replay", &recording, "-f", "text"], ("TERM", "dumb")),
        (&["replay", &recording, "-f", "json"], ("LANG", "C")),
        (&["--help", "--no-color"], ("LANG", "C")),
    ] {
        let seen = on_a_terminal(args, &[environment]);
        assert!(!seen.is_empty() && !seen.contains('\x1b'), "{args:?} {environment:?}: {seen}");
    }
}

#[test]
fn no_colour_reaches_a_pipe() {
    for args in [&["--help"] as &[&str], &["attach"], &["explain"], &["--no-color", "attach"]] {
        let (_, stdout, stderr) = run(args);
        assert!(!stdout.contains('\x1b') && !stderr.contains('\x1b'), "{args:?}");
    }
}

#[test]
fn a_recording_that_cannot_be_read_is_an_error() {
    // /proc/self/mem opens and then refuses to be read at 0: an error in the middle of reading.
    let message = failure(2, &["replay", "/proc/self/mem"]);
    assert!(message.contains("cannot read the recording /proc/self/mem from byte 0 on"), "{message}");
    assert!(Path::new("/proc/self/mem").exists());
}
