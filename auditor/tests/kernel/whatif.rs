//! What would become of a map, against what became of one: the demo's remedies, run to their end, held against
//! what was said of them before.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Go, Program, Variant, toolchains};
use crate::harness::{Process, Scene, entries, json, number, rows, text};

/// Bytes of a demo map's header (docs/demo-map.md).
const HEADER: u64 = 128;

/// The only map of a process, by a census.
fn map_of(scene: &Scene, target: &Process) -> String {
    let pid = target.pid().to_string();
    let report = json(&scene.audit(["census", "-p", &pid, "-f", "json", "--min-bytes", "0"]).well().stdout);
    text(&report, "/maps/0/address").to_owned()
}

/// What is said of it.
fn what_if(scene: &Scene, target: &Process, flags: &[&str]) -> Value {
    let (pid, map) = (target.pid().to_string(), map_of(scene, target));
    let ask = ["whatif", "-p", &pid, "--map", &map, "-f", "json", "--min-bytes", "0"];
    json(&scene.audit(ask.iter().chain(flags)).well().stdout)
}

/// The first row of a remedy.
fn remedy<'a>(answers: &'a Value, name: &str) -> &'a Value {
    let mut all = rows(answers, "/remedies").iter();
    all.find(|row| row["remedy"] == name).unwrap_or_else(|| panic!("no {name}: {answers}"))
}

/// Runs a scenario to its end: the truth of the map of that name.
fn really(args: &[&str], name: &str) -> Value {
    let scene = Scene::new();
    scene.demo(args).end_by_itself().well();
    let truth = scene.truth();
    let mut maps = rows(&truth, "/maps").iter();
    maps.find(|map| map["name"] == name).unwrap_or_else(|| panic!("no {name}: {truth}")).clone()
}

fn held(map: &Value) -> u64 {
    HEADER + number(map, "/table_bytes") + number(map, "/old_table_bytes")
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_map_that_is_rebuilt_holds_what_was_said_to_the_byte() {
    let all: u64 = entries(200_000).parse().unwrap();
    let all = all.to_string();
    let scene = Scene::new();
    let mut target = scene.demo(&["grow_then_delete", "--entries", &all, "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let answers = what_if(&scene, &target, &[]);
    target.end_by(Signal::SIGTERM).well();
    let truth = scene.truth();
    let before = &rows(&truth, "/maps")[0];
    // The remedy keeps one in 20, the incident one in 100: for as many entries, a fifth of them all.
    let live = number(before, "/live");
    let after = really(&["rebuild", "--entries", &(20 * live).to_string()], "catalogue, rebuilt");
    assert_eq!(number(&after, "/live"), live);
    let said = remedy(&answers, "rebuild");
    assert_eq!((number(said, "/holds"), number(said, "/needs_meanwhile")), (held(&after), held(&after)));
    assert_eq!(said["estimate"], false);
    assert_eq!(number(&answers, "/map/bytes/allocated"), held(before));
    let resident = number(&answers, "/map/bytes/resident");
    assert!(resident <= held(before) && resident > held(before) / 2, "{resident} of {}", held(before));
    assert_eq!(number(said, "/frees"), resident - held(&after), "what is in RAM goes but for the new one");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_map_that_grows_takes_the_growths_and_the_peak_that_presizing_would_have_avoided() {
    let (few, many) = (entries(2_000), entries(200_000));
    let scene = Scene::new();
    let mut target = scene.demo(&["grow", "--entries", &few, "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let answers = what_if(&scene, &target, &["--keys", &many]);
    target.end_by(Signal::SIGTERM).well();
    let before = number(&scene.truth(), "/maps/0/growths/double");
    let run = scene.name("run.json");
    let args = ["run", "-f", "json", "-o", &run, "--min-bytes", "0", "--"];
    let demo = crate::harness::demo();
    let demo = [demo.to_str().unwrap(), "grow", "--entries", &many];
    scene.audit(args.iter().chain(&demo)).well();
    let report = scene.json("run.json");
    let said = remedy(&answers, "presize");
    assert_eq!(number(said, "/growths_avoided"), number(&report, "/maps/0/growths/double") - before);
    // Areas of overflow buckets are whole, and chance is not exact.
    let (peak, foretold) = (number(&report, "/maps/0/bytes/peak"), number(said, "/peak_growing"));
    assert!(peak.abs_diff(foretold) < foretold / 25, "{peak} {foretold}");
    assert_eq!(number(said, "/peak_saved"), foretold - number(said, "/holds"));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_map_that_is_made_with_room_takes_its_table_and_near_its_limit_the_overflow_buckets_of_chance() {
    let scene = Scene::new();
    let mut target = scene.demo(&["grow", "--entries", "2000", "--hold", "60"]);
    target.wait_to_say("holds its maps");
    // Of 8192 buckets: half full; and with 6.4 entries each, when areas of 512 buckets come on top.
    for (keys, areas) in [(30_000, 0), (52_400, 1)] {
        let roomy = really(&["rebuild", "--entries", &(20 * keys).to_string()], "catalogue, rebuilt");
        let answers = what_if(&scene, &target, &["--keys", &keys.to_string()]);
        let said = remedy(&answers, "presize");
        let (holds, most) = (number(said, "/holds"), areas * 512 * 144);
        let is_right = (holds..=holds + most).contains(&held(&roomy));
        assert!(is_right, "{keys}: {} and not {holds}", held(&roomy));
        assert_eq!(said["estimate"], areas > 0);
    }
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_a_map_needs_is_what_one_holds_that_was_just_rebuilt() {
    // Up to 6.5 entries in each of 8192 buckets; from some 4.7 on there are more overflow buckets than spare ones.
    for keys in [2_000, 30_000, 45_000, 52_400] {
        let scene = Scene::new();
        let mut target = scene.demo(&["rebuild", "--entries", &(20 * keys).to_string(), "--hold", "60"]);
        target.wait_to_say("holds its maps");
        let pid = target.pid().to_string();
        let report = json(&scene.audit(["census", "-p", &pid, "-f", "json"]).well().stdout);
        let map = &rows(&report, "/maps")[0];
        assert_eq!((text(map, "/name"), number(map, "/live")), ("catalogue, rebuilt", keys));
        let [needed, holds] = ["needed", "allocated"].map(|name| number(map, &format!("/bytes/{name}")));
        // Chance gives an area of 512 overflow buckets more or less.
        let slack = if keys > 40_000 { 512 * 144 } else { 0 };
        assert!(needed.abs_diff(holds) <= slack, "{keys}: {needed} and not {holds}");
        target.end_by(Signal::SIGTERM).well();
    }
}

/// By how many thousandths what a map needs may be off what the heap became larger by: chance has a say, in the
/// tables of a Swiss map a large one, as one that is full becomes two.
const CHANCE: [u64; 2] = [5, 20];

/// Maps that were made for their entries need what the program's own heap says that they took.
fn need_what_they_took(go: &Go, report: &Value, full: &[Value]) {
    assert_eq!(full.len(), 2);
    for took in full {
        let map = rows(report, "/maps").iter().find(|map| map["address"] == took[0]).unwrap();
        let (needed, took) = (number(map, "/bytes/needed"), took[1].as_u64().unwrap());
        let allowed = took * CHANCE[usize::from(go.is_swiss())] / 1000;
        assert!(needed.abs_diff(took) <= allowed, "{}: {needed} and not {took}: {map}", go.release);
    }
}

/// By how much what lists of overflow buckets take may be off, in thousandths of the map.
const LISTS: u64 = 2;

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_go_map_that_was_made_for_its_entries_holds_what_is_said_of_a_small_one_of_its_type() {
    for go in toolchains() {
        let scene = Scene::new();
        let program = Program::start(&scene, &go.build_of("go-made", Variant::Plain, &[]), &[]);
        let pid = program.pid().to_string();
        let report = json(&scene.audit(["census", "-p", &pid, "-f", "json"]).well().stdout);
        need_what_they_took(&go, &report, rows(&program.truth, "/full"));
        let pairs = rows(&program.truth, "/pairs");
        assert_eq!(pairs.len(), 3);
        for pair in pairs {
            let large = rows(&report, "/maps").iter().find(|map| map["address"] == pair[1]).unwrap();
            let (live, allocated) = (number(large, "/live").to_string(), number(large, "/bytes/allocated"));
            let ask = ["whatif", "-p", &pid, "--map", text(pair, "/0"), "--keys", &live, "-f", "json"];
            let answers = json(&scene.audit(ask).well().stdout);
            let said = remedy(&answers, "presize");
            let holds = number(said, "/holds");
            let slack = if go.is_swiss() { 0 } else { holds * LISTS / 1000 };
            let is_right = allocated.abs_diff(holds) <= slack;
            assert!(is_right, "{}: {allocated} and not {holds}: {large} {said}", go.release);
            // Tables fill unevenly; and chance says how long the list of overflow buckets without pointers is.
            let rests_on_chance = go.is_swiss() || large["type"] == "map[int]int";
            assert_eq!(said["estimate"], rests_on_chance, "{}: {large} {said}", go.release);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_recording_answers_as_the_process_did() {
    let scene = Scene::new();
    let mut target = scene.demo(&["grow_then_delete", "--entries", "100000", "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let (pid, map, recording) = (target.pid().to_string(), map_of(&scene, &target), scene.name("a.rec"));
    scene.audit(["census", "-p", &pid, "--record", &recording, "-o", &scene.name("text")]).well();
    let ask = ["--map", &map, "--keys", "300000", "--qps", "5000", "--skew", "1.1"];
    let of = |source: &[&str]| scene.audit(["whatif"].iter().chain(source).chain(&ask)).well().stdout;
    assert_eq!(of(&["-p", &pid]), of(&[&recording]));
    target.end_by(Signal::SIGTERM).well();
    scene.audit(["whatif", "-p", &pid, "--map", &map]).refused(3, &["cannot take a census"]);
}
