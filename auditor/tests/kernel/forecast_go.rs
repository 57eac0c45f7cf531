//! Growths of Go maps, foretold and come: a program puts entries in at a constant rate and says itself when its
//! map grew, with how many entries and by how many bytes.

use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Go, Program, Variant, toolchains};
use crate::harness::{Scene, json, number, rows, text};

const SOURCE: &str = "go-waits";
/// Entries before the audit and after it, and how many of them come in a second: five growths or six, the last
/// of which is some seconds after the one before.
const BEFORE: &str = "fill 8000";
const RATE: &str = "rate 460000 30000";
/// Pages of Go's heap: a large table has whole ones.
const GO_PAGE: u64 = 8192;
/// Of a growth that came sooner after the one before there is no report from the quiet time in between: tables of a
/// Swiss map split for a while.
const LOOKS: usize = 4;
/// Growths that must be left then.
const LEAST: usize = 3;

/// A growth as it was foretold half-way from the one before, and as it came.
#[derive(Debug)]
struct Foretold {
    at_live: u64,
    new_table: u64,
    /// From then on.
    eta: Option<u64>,
    came: Came,
}

#[derive(Debug)]
struct Came {
    len: u64,
    bytes: u64,
    /// From the report on.
    after: u64,
}

/// By how many thousandths one number is off the other.
fn permille(told: u64, came: u64) -> u64 {
    told.abs_diff(came) * 1000 / came
}

/// Fills a map while it is audited: the program's growths, the map's address, a report for each interval.
fn filled(path: &Path) -> (Vec<Value>, String, Vec<Value>) {
    let scene = Scene::new();
    let mut program = Program::start(&scene, path, &[]);
    program.ask(BEFORE);
    let pid = program.pid().to_string();
    let mut auditor = scene.auditor(["attach", "-p", &pid, "-f", "ndjson", "-i", "200ms"]);
    auditor.wait_to_say("attached to");
    let growths = rows(&program.ask(RATE), "/growths").to_vec();
    let map = text(&program.answer(), "/map").to_owned();
    thread::sleep(std::time::Duration::from_millis(500));
    let reports = auditor.end_by(Signal::SIGINT).well().stdout.lines().map(json).collect();
    (growths, map, reports)
}

/// Each growth with what the report in the middle of the time since the one before said of it.
fn foretold((growths, map, reports): &(Vec<Value>, String, Vec<Value>)) -> Vec<Foretold> {
    let mut before = 0;
    let mut all = Vec::new();
    for growth in growths {
        let at = number(growth, "/at");
        let of_it = |report: &&Value| (before..at).contains(&number(report, "/window/end"));
        let between: Vec<&Value> = reports.iter().filter(of_it).collect();
        let quiet = between.get(between.len() / 2).filter(|_| between.len() >= LOOKS);
        let next = quiet.and_then(|report| {
            let row = rows(report, "/maps").iter().find(|row| row["address"] == map.as_str())?;
            Some((number(report, "/window/end"), row.get("next_growth").filter(|next| !next.is_null())?))
        });
        before = at;
        let Some((made, next)) = next else { continue };
        all.push(Foretold {
            at_live: number(next, "/at_live"),
            new_table: number(next, "/new_table"),
            eta: next["eta"].as_u64(),
            came: Came { len: number(growth, "/len"), bytes: number(growth, "/bytes"), after: at - made },
        });
    }
    all
}

/// What is wrong about one growth.
fn missed(go: &Go, one: &Foretold) -> Option<String> {
    let table = if go.is_swiss() {
        permille(one.new_table, one.came.bytes) <= 100
    } else {
        // Small things that the program made besides, far less than a page, are in its count.
        one.new_table == one.came.bytes / GO_PAGE * GO_PAGE
    };
    (!table || permille(one.at_live, one.came.len) > 20).then(|| format!("{}: {one:?}", go.release))
}

/// By how many thousandths of what was left half of the times were off at most.
fn median_of_times(all: &[Foretold]) -> Option<u64> {
    let mut off: Vec<u64> = all.iter().filter_map(|one| Some(permille(one.eta?, one.came.after))).collect();
    off.sort_unstable();
    off.get(off.len() / 2).copied().filter(|_| off.len() >= LEAST)
}

/// The report counts its own misses: as many growths as the program says, and no worse.
fn scored(growths: usize, forecast: &Value) -> Option<String> {
    let median = |what: &str| number(forecast, &format!("/{what}/median_permille"));
    let came = growths as u64;
    let is_right = number(forecast, "/at_live/growths").abs_diff(came) <= 1
        && median("at_live") <= 20
        && median("new_table") <= 100
        && median("eta") <= 200;
    (!is_right).then(|| format!("{growths} growths, and the report says of itself {forecast}"))
}

fn wrong_about(go: &Go, path: &Path) -> Vec<String> {
    let run = filled(path);
    let all = foretold(&run);
    let mut wrong: Vec<String> = all.iter().filter_map(|one| missed(go, one)).collect();
    let (growths, _, reports) = &run;
    wrong.extend(scored(growths.len(), &reports.last().unwrap()["forecast"]));
    if median_of_times(&all).is_none_or(|median| median > 200) {
        wrong.push(format!("{}: times {:?} {all:?}", go.release, median_of_times(&all)));
    }
    wrong
}

/// Two at a time: more would wait for each other, and a rate would not be kept.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn growths_of_go_maps_come_when_and_as_large_as_foretold() {
    let built: Vec<(Go, PathBuf)> =
        toolchains().into_iter().map(|go| (go.clone(), go.build_of(SOURCE, Variant::Plain, &[]))).collect();
    let mut wrong = Vec::new();
    for pair in built.chunks(2) {
        wrong.extend(thread::scope(|scope| {
            let runs: Vec<_> =
                pair.iter().map(|(go, path)| scope.spawn(move || wrong_about(go, path))).collect();
            runs.into_iter().flat_map(|run| run.join().unwrap()).collect::<Vec<String>>()
        }));
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
