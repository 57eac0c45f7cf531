//! What is in RAM: of tables against what the kernel says of the mappings that they are, of whole processes
//! against their RSS.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Program, Variant, toolchains};
use crate::harness::{Process, Scene, entries, json, number, rows, text};

/// Bytes of a page, and of the demo map's header and bucket.
const PAGE: u64 = 4096;
const HEADER: u64 = 128;
const BUCKET: u64 = 144;
/// Most of RSS that no row explains, in percent: of the demo, and of a Go program.
const DEMO: u64 = 3;
const GO: u64 = 5;

fn look(scene: &Scene, pid: u32) -> Value {
    let pid = pid.to_string();
    json(&scene.audit(["census", "-p", &pid, "-f", "json"]).well().stdout)
}

/// The bucket arrays of a map of the demo, first address and bytes: docs/demo-map.md draws the header.
fn arrays(target: &Process, map: u64) -> Vec<(u64, u64)> {
    let header = target.bytes::<128>(map);
    let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().unwrap());
    let array = |at: usize, log2: u8| {
        let spare = if log2 >= 4 { 1 << (log2 - 4) } else { 0 };
        (word(at), ((1 << log2) + spare) * BUCKET)
    };
    let both = [array(24, header[16]), array(32, header[17])];
    both.into_iter().filter(|(at, _)| *at != 0).collect()
}

/// What smaps says is in RAM of the mapping that begins with this array, and how much more than the array is in it:
/// the kernel joins what lies side by side.
fn rss_of(target: &Process, (at, bytes): (u64, u64)) -> (u64, u64) {
    let smaps = fs::read_to_string(format!("/proc/{}/smaps", target.pid())).unwrap();
    let mut lines = smaps.lines().skip_while(|line| !line.starts_with(&format!("{at:x}-")));
    let end = lines.next().unwrap().split(['-', ' ']).nth(1).unwrap();
    let more = u64::from_str_radix(end, 16).unwrap() - at - bytes;
    let line = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    (line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024, more)
}

/// What the words of the page map say is in RAM of an array, a page at a time: present, and nobody else's, as the
/// zero page would be.
fn in_ram(target: &Process, (at, bytes): (u64, u64)) -> u64 {
    let words = fs::File::open(format!("/proc/{}/pagemap", target.pid())).unwrap();
    let present = |page: &u64| {
        let mut word = [0; 8];
        words.read_exact_at(&mut word, page / PAGE * 8).unwrap();
        u64::from_le_bytes(word) & (1 << 63 | 1 << 56) == (1 << 63 | 1 << 56)
    };
    let first = at / PAGE * PAGE;
    let pages = (first..at + bytes).step_by(PAGE as usize).filter(present);
    pages.map(|page| (page + PAGE).min(at + bytes) - page.max(at)).sum()
}

/// The only map of a demo that stands still: its report, and its arrays.
fn standing(scene: &Scene, target: &Process) -> (Value, Vec<(u64, u64)>) {
    let report = look(scene, target.pid());
    let map = rows(&report, "/maps").first().unwrap();
    let address = u64::from_str_radix(text(map, "/address").trim_start_matches("0x"), 16).unwrap();
    (report, arrays(target, address))
}

/// The ladder adds up, says of each row how it is known, and leaves little unexplained.
fn explained(report: &Value, most: u64) {
    let rungs = rows(report, "/memory/ladder");
    let (sum, rss) =
        (rungs.iter().map(|rung| number(rung, "/bytes")).sum::<u64>(), number(report, "/memory/rss/last"));
    assert_eq!(sum, rss);
    assert!(rungs.iter().all(|rung| !text(rung, "/evidence").is_empty()), "{rungs:#?}");
    let last = rungs.last().unwrap();
    assert_eq!(last["name"], "unexplained");
    assert!(number(last, "/bytes") * 100 <= most * rss, "{rungs:#?}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_table_that_is_its_own_mapping_has_in_ram_what_smaps_says() {
    let scene = Scene::new();
    let mut target = scene.demo(&["steady", "--entries", &entries(500_000), "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let (report, arrays) = standing(&scene, &target);
    explained(&report, DEMO);
    let (rss, slack) = rss_of(&target, arrays[0]);
    let bytes = &rows(&report, "/maps")[0]["bytes"];
    let [resident, allocated, needed] =
        ["/resident", "/allocated", "/needed"].map(|field| number(bytes, field));
    assert!(
        resident.abs_diff(rss + HEADER) <= slack && slack < 32 * PAGE,
        "{resident} of {rss}, less {slack}"
    );
    assert_eq!(resident, in_ram(&target, arrays[0]) + HEADER, "{bytes}");
    assert!(resident <= allocated, "{bytes}");
    assert_eq!(number(bytes, "/stranded"), resident.saturating_sub(needed));
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn of_a_table_that_was_filled_in_part_only_that_part_is_in_ram() {
    let scene = Scene::new();
    let mut target = scene.demo(&["stalled_evacuation", "--entries", &entries(500_000), "--hold", "60"]);
    target.wait_to_say("holds its maps");
    let (report, arrays) = standing(&scene, &target);
    let [current, old] = [0, 1].map(|which| in_ram(&target, arrays[which]));
    let bytes = &rows(&report, "/maps")[0]["bytes"];
    assert_eq!(number(bytes, "/resident"), current + old + HEADER, "{bytes}");
    // Half of the old buckets have moved, and writes went to the buckets of both halves.
    assert!(current + 2 * PAGE < arrays[0].1, "{current} of {}: nothing of it is untouched", arrays[0].1);
    let row = |name: &str| rows(&report, "/memory/ladder").iter().find(|rung| rung["name"] == name).unwrap();
    let tables = ["current tables", "old tables"].map(|name| number(row(name), "/bytes"));
    assert_eq!(tables, [current, old]);
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_map_that_is_followed_is_asked_for_at_each_interval() {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&["grow", "--entries", &entries(500_000), "--hold", "60"]);
    let auditor = scene.attach(&target, &["-i", "100ms", "-f", "json"]);
    target.tell("go");
    target.wait_to_say("holds its maps");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
    explained(&report, DEMO);
    let bytes = &rows(&report, "/maps")[0]["bytes"];
    let (resident, allocated) = (number(bytes, "/resident"), number(bytes, "/allocated"));
    assert!(resident <= allocated && resident > allocated / 2, "{bytes}");
    target.end_by(Signal::SIGTERM).well();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn of_go_programs_little_is_unexplained_and_no_map_has_more_in_ram_than_it_holds() {
    for go in toolchains() {
        for variant in [Variant::Plain, Variant::Cgo] {
            let scene = Scene::new();
            let program = Program::start(&scene, &go.build(variant), &["shapes"]);
            let report = look(&scene, program.pid());
            explained(&report, GO);
            let maps = rows(&report, "/maps");
            assert!(maps.len() >= 10, "{} {variant:?}: {} maps", go.release, maps.len());
            for map in maps {
                let (resident, allocated) =
                    (map["bytes"]["resident"].as_u64(), map["bytes"]["allocated"].as_u64());
                let is_sound = resident.is_some_and(|resident| resident > 0) && resident <= allocated;
                assert!(is_sound, "{} {variant:?}: {map:#}", go.release);
            }
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_heap_that_gives_back_lazily_is_asked_what_is_left_to_the_kernel() {
    for go in toolchains() {
        let scene = Scene::new();
        let mut command = Command::new(go.build(Variant::Plain));
        command.arg("grow").env("GODEBUG", "madvdontneed=0");
        let mut program = Program::start_with(&scene, &mut command);
        program.ask("ints 300000");
        let report = look(&scene, program.pid());
        let rungs = rows(&report, "/memory/ladder");
        let row = rungs.iter().find(|rung| rung["name"] == "lazily freed").unwrap();
        assert_eq!(row["evidence"], "smaps_rollup", "{}", go.release);
        explained(&report, 100);
    }
}
