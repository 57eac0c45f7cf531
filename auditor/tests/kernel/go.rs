//! Go programs of many releases, built in many ways: what a census says of their maps against what they
//! know themselves, what hooks count against what they counted.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Go, Program, VARIANTS, Variant, toolchains};
use crate::harness::{Chance, Scene, json, number, rows, text};

/// HeapAlloc also grows by what the runtime itself takes meanwhile.
const SLACK: u64 = 128;
/// Of so many empty maps one is not found, as seeds are random and one below 65,536 is no evidence; small maps
/// of the truth that may be missing.
const MISSED: u64 = 4;
/// Without symbols something that is not the program's may still be the shorter way to small maps of a crowd: to one
/// of 50,000 in one census of four, and once to 819.
const ASTRAY: u64 = 50;
/// While a map is made the runtime may make something for itself, and on a busy machine it does in one program of
/// ten: some 300 bytes, or some 5,000 where it starts threads, each with an `m` and two `g`. Not each time.
const OF_THE_RUNTIME: u64 = 16 << 10;
const DISTURBED: &str = ", or the runtime made something meanwhile";
const TRIES: usize = 4;
/// Small maps of the runtime and the libraries: up to 25 were seen.
const OTHERS: u64 = 200;

/// One look at a process, as JSON.
fn census(scene: &Scene, pid: u32) -> Value {
    let pid = pid.to_string();
    json(&scene.audit(["census", "-p", &pid, "-f", "json", "--min-bytes", "4KiB"]).well().stdout)
}

fn by_address(report: &Value) -> BTreeMap<String, Value> {
    rows(report, "/maps").iter().map(|map| (text(map, "/address").to_owned(), map.clone())).collect()
}

/// Every program built by these toolchains in every way.
fn each_build(all: &[Go], mut each: impl FnMut(&Go, Variant) -> Vec<String>) {
    let mut found = Vec::new();
    for go in all {
        for variant in VARIANTS.into_iter().filter(|variant| go.offers(*variant)) {
            let differences = each(go, variant);
            found.extend(differences.into_iter().map(|what| format!("{} {variant:?}: {what}", go.release)));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What differs between a map of the truth and the row of the report.
fn differences(truth: &Value, report: &Value) -> Vec<String> {
    let name = text(truth, "/name");
    let mut found = Vec::new();
    if report["live"] != truth["len"] {
        found.push(format!("{name}: live {} and not {}", report["live"], truth["len"]));
    }
    let capacity = number(report, "/capacity");
    if capacity < number(truth, "/len") || !capacity.is_multiple_of(8) {
        found.push(format!("{name}: {capacity} slots for {} entries", truth["len"]));
    }
    let (allocated, heap) = (number(report, "/bytes/allocated"), number(truth, "/heap_bytes"));
    if heap > 0 && allocated.abs_diff(heap) > SLACK {
        let few = if heap.wrapping_sub(allocated) <= OF_THE_RUNTIME { DISTURBED } else { "" };
        found.push(format!("{name}: {allocated} bytes and HeapAlloc grew by {heap}{few}"));
    }
    // Nothing tells the type of a map that nothing holds, if its table does not.
    let is_candidate = || report["type"].is_null() && rows(report, "/candidates").contains(&truth["type"]);
    if report["type"] != truth["type"] && (truth["reachable"] == true || !is_candidate()) {
        found.push(format!(
            "{name}: type {} {} and not {}",
            report["type"], report["candidates"], truth["type"]
        ));
    }
    if report["reachable"] != truth["reachable"] {
        found.push(format!("{name}: reachable {} and not {}", report["reachable"], truth["reachable"]));
    }
    found
}

/// Whether variables have names.
fn has_names(variant: Variant) -> bool {
    matches!(variant, Variant::Plain | Variant::Pgo)
}

/// Whether somebody else is said to hold a map. Where variables have no names, their users stand for them.
fn misnamed(truth: &str, owner: &Value, variant: Variant) -> bool {
    let owner = owner.as_str().unwrap_or_default();
    let (variable, way) = truth.split_at(truth.find([' ', '[']).unwrap_or(truth.len()));
    if has_names(variant) || variable.is_empty() {
        return owner != truth;
    }
    !owner.starts_with("global used by main.")
        || !owner.ends_with(way)
        || owner.contains("->") != way.contains("->")
}

/// What differs between the small maps of one type that the program made, and the crowd that they are in.
fn miscounted(truth: &Value, report: &Value, variant: Variant) -> Option<String> {
    let has_empty_ones = truth["type"] == "map[int]string";
    let owner = if has_empty_ones { "main.smallMaps[...]" } else { "main.globalNested[...]" };
    let of = |row: &&Value| {
        // Up to 1.21 nothing tells the type of a map without a table.
        let is_untold = has_empty_ones && row["type"].is_null() && row["capacity"] == 0;
        (row["type"] == truth["type"] || is_untold) && !misnamed(owner, &row["owner"], variant)
    };
    let crowds: Vec<&Value> = rows(report, "/populations").iter().filter(of).collect();
    let sum = |pointer: &str| crowds.iter().map(|row| number(row, pointer)).sum::<u64>();
    let (maps, live) = (number(truth, "/maps"), number(truth, "/live"));
    let astray = |all: u64| if has_names(variant) { 0 } else { all / ASTRAY };
    let are_maps_right = (maps - MISSED - astray(maps)..=maps).contains(&sum("/maps"));
    let are_entries_right = (live - astray(live)..=live).contains(&sum("/live"));
    (!are_maps_right || !are_entries_right)
        .then(|| format!("{}: {} small maps with {} entries", truth["type"], sum("/maps"), sum("/live")))
}

/// What is wrong about all small maps together, whoever holds them: the runtime has some, too.
fn lost(truth: &Value, report: &Value) -> Option<String> {
    let sum = |of: &Value| rows(of, "/populations").iter().map(|row| number(row, "/maps")).sum::<u64>();
    let (made, seen) = (sum(truth), sum(report));
    (seen + MISSED < made || seen > made + OTHERS).then(|| format!("{seen} small maps and not {made}"))
}

/// What is wrong about the map whose header is on the stack of a goroutine.
fn missing_on_a_stack(truth: &Value, report: &Value) -> Option<String> {
    let is_it = |map: &&Value| map["live"] == truth["numbers"]["on_a_stack_len"];
    let Some(map) = rows(report, "/maps").iter().find(is_it) else {
        return Some("the map on a stack was not found".to_owned());
    };
    let owner = map["owner"].as_str().unwrap_or_default();
    let is_right = owner.ends_with(" main.onAStack (stack)") && map["reachable"] == true;
    (!is_right).then(|| format!("the map on a stack: {owner}, reachable {}", map["reachable"]))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_census_finds_every_map_and_says_what_the_program_says() {
    each_build(&toolchains(), |go, variant| {
        let look = || {
            let scene = Scene::new();
            let program = Program::start(&scene, &go.build(variant), &["shapes"]);
            differences_in_all(&program.truth, &census(&scene, program.pid()), variant)
        };
        let map = |what: &String| what.split(':').next().map(str::to_owned);
        let mut found = look();
        for _ in 1..TRIES {
            if found.is_empty() || found.iter().any(|what| !what.ends_with(DISTURBED)) {
                break;
            }
            // What is wrong with a map is so each time.
            let again = look();
            let maps: Vec<_> = again.iter().map(map).collect();
            found.retain(|what| maps.contains(&map(what)));
            found.extend(again.into_iter().filter(|what| !what.ends_with(DISTURBED)));
        }
        found
    });
}

/// What differs between what a program says of itself and the report.
fn differences_in_all(truth: &Value, report: &Value, variant: Variant) -> Vec<String> {
    let maps = by_address(report);
    let mut found = Vec::new();
    for truth in rows(truth, "/maps") {
        let (name, owner) = (text(truth, "/name"), text(truth, "/owner"));
        let Some(map) = maps.get(text(truth, "/address")) else {
            found.push(format!("{name} was not found"));
            continue;
        };
        found.extend(differences(truth, map));
        if misnamed(owner, &map["owner"], variant) {
            found.push(format!("{name}: held by {} and not {owner}", map["owner"]));
        }
    }
    let small = rows(truth, "/populations").iter();
    found.extend(small.flat_map(|truth| miscounted(truth, report, variant)));
    found.extend(lost(truth, report));
    found.extend(missing_on_a_stack(truth, report));
    found
}

/// Follows a program while it does something, and gives its answers and the last report.
fn followed(scene: &Scene, program: &mut Program, args: &[&str], asks: &[&str]) -> (Vec<Value>, Value) {
    let pid = program.pid().to_string();
    let mut auditor = scene.auditor(["attach", "-p", &pid, "-f", "json"].iter().chain(args));
    auditor.wait_to_say("attached to");
    let answers = asks.iter().map(|ask| program.ask(ask)).collect();
    (answers, json(&auditor.end_by(Signal::SIGINT).well().stdout))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn growths_are_counted_as_the_program_counts_them_and_by_call_site() {
    each_build(&toolchains(), |go, variant| {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build(variant), &["grow"]);
        let asks = ["ints 1000000", "strings 200000"];
        let (answers, report) = followed(&scene, &mut program, &["--budget", "50%"], &asks);
        let counts: Vec<u64> = answers.iter().map(|answer| number(answer, "/growths")).collect();
        let mut found = Vec::new();
        if report["events"]["grow"] != counts.iter().sum::<u64>() {
            found.push(format!("{} growths and not {counts:?}", report["events"]["grow"]));
        }
        let maps = by_address(&report);
        let kind = if go.is_swiss() { "/growths/split" } else { "/growths/double" };
        for (name, count, site) in
            [("ints", counts[0], "main.fillInts"), ("strings", counts[1], "main.fillStrings")]
        {
            let Some(map) = maps.get(text(&answers[1], &format!("/{name}"))) else {
                found.push(format!("{name} is not listed"));
                continue;
            };
            if number(map, kind) != count {
                found.push(format!("{name}: {} growths and not {count}", number(map, kind)));
            }
            if !rows(map, "/site").iter().any(|frame| frame.as_str().unwrap().starts_with(site)) {
                found.push(format!("{name}: grown by {}", map["site"]));
            }
        }
        if number(&report, "/coverage/lost") > 0 {
            found.push(format!("{} events lost", report["coverage"]["lost"]));
        }
        found
    });
}

/// Nothing is hooked at births: the census after the next five seconds tells of them.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_map_that_is_made_while_it_is_followed_was_not_there_before() {
    for go in toolchains() {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build(Variant::Stripped), &["grow"]);
        let before = program.ask("strings 20000");
        let pid = program.pid().to_string();
        let mut auditor = scene.auditor(["attach", "-p", &pid, "-f", "json"]);
        auditor.wait_to_say("attached to");
        let after = program.ask("ints 100000");
        std::thread::sleep(Duration::from_secs(8));
        let report = json(&auditor.end_by(Signal::SIGINT).well().stdout);
        let maps = by_address(&report);
        let expected = [("strings", &before, "before-attach"), ("ints", &after, "observed")];
        let found = expected.map(|(name, answer, origin)| {
            let map = maps.get(text(answer, &format!("/{name}")));
            let seen = map.map_or(Value::Null, |map| map["origin"].clone());
            (seen != origin).then(|| format!("{name} is {seen} and not {origin}"))
        });
        let notes = rows(&report, "/coverage/notes").iter().filter_map(Value::as_str);
        let says = notes.filter(|note| note.contains("maps were born since the first census")).count();
        let silent = (says != 1).then(|| format!("{says} notes on births"));
        let found: Vec<String> = found.into_iter().flatten().chain(silent).collect();
        assert!(found.is_empty(), "{}: {}", go.release, found.join("; "));
    }
}

/// When a stack has to grow, a function starts again from its first instruction.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_growth_is_counted_once_where_the_stack_has_to_grow_too() {
    each_build(&toolchains(), |go, variant| {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build(variant), &["grow"]);
        let (answers, report) = followed(&scene, &mut program, &["--budget", "100%"], &["goroutines 50000"]);
        let count = number(&answers[0], "/growths");
        assert!(count >= 50_000, "{count} goroutines grew their map");
        let seen = number(&report, "/events/grow");
        let lost = number(&report, "/coverage/lost");
        if seen == count && lost == 0 {
            Vec::new()
        } else {
            vec![format!("{seen} growths and not {count}, {lost} lost")]
        }
    });
}

/// Maps that are changed as fast as can be, while censuses are taken one after the other: what stands still is
/// counted exactly, and what moves is within what the program keeps it to.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn censuses_of_a_program_at_full_speed_never_fail_and_never_say_what_cannot_be() {
    let all = toolchains();
    let last_classic = all.iter().rfind(|go| !go.is_swiss());
    for go in last_classic.into_iter().chain(all.last()) {
        let scene = Scene::new();
        let program = Program::start(&scene, &go.build(Variant::Stripped), &["mutate"]);
        let mut missed = BTreeMap::<String, u32>::new();
        let mut risen = 0;
        for number_of in 0..200 {
            let report = census(&scene, program.pid());
            let maps = by_address(&report);
            let place = format!("{}, census {number_of}", go.release);
            for truth in rows(&program.truth, "/maps") {
                let name = text(truth, "/name");
                let seen = maps.get(text(truth, "/address")).map(|map| number(map, "/live"));
                let (least, most) = match name.split(' ').next() {
                    Some("static") => (number(truth, "/len"), number(truth, "/len")),
                    // An entry may be counted before the one that it pushes out is gone.
                    Some("busy") => (0, 50_000 + 1),
                    _ => (risen, 20_000_000),
                };
                let times = missed.entry(name.to_owned()).or_default();
                *times = if seen.is_some() { 0 } else { *times + 1 };
                assert!(*times < 2, "{place}: {name} is not found for the second time");
                let Some(live) = seen else { continue };
                assert!((least..=most).contains(&live), "{place}: {name} has {live} entries");
                if name == "rising" {
                    risen = live;
                }
            }
            assert!(maps.values().all(|map| number(map, "/live") <= number(map, "/capacity") * 17 / 16 + 8));
            let listed: u64 = maps.values().map(|map| number(map, "/bytes/allocated")).sum();
            let in_use = number(&report, "/gc/in_use");
            // Heap and maps are not read at the same moment, and the heap grows as fast as it can.
            assert!(listed <= in_use * 2, "{place}: maps of {listed} bytes in a heap of {in_use}");
            assert!(risen > 0 || number_of < 2, "{place}");
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_agent_that_is_killed_leaves_a_go_program_as_it_was() {
    let mut chance = Chance::new(27);
    for go in toolchains() {
        let scene = Scene::new();
        let mut program = Program::start(&scene, &go.build(Variant::Stripped), &["grow"]);
        for _ in 0..10 {
            let pid = program.pid().to_string();
            let auditor = scene.auditor(["attach", "-p", &pid, "-f", "json"]);
            program.tell("ints 100000");
            std::thread::sleep(Duration::from_millis(chance.below(400)));
            auditor.end_by(Signal::SIGKILL);
            assert!(number(&program.answer(), "/growths") > 0, "{}", go.release);
        }
        // Which table of a Swiss map is full first depends on its seed.
        let [one, other] = [0, 1].map(|_| number(&program.ask("ints 1000000"), "/growths"));
        assert!(one > 0 && one.abs_diff(other) <= one / 20, "{}: {one} and {other}", go.release);
    }
}

/// What the collector and the heap say of themselves, read from memory, against `runtime.MemStats`.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_heap_is_as_the_runtime_says() {
    each_build(&toolchains(), |go, variant| {
        let scene = Scene::new();
        let program = go.build(variant);
        let mut command = std::process::Command::new(program);
        command.arg("shapes").env("GOGC", "150").env("GOMEMLIMIT", "3GiB");
        command.env("GODEBUG", "madvdontneed=0");
        let mut program = Program::start_with(&scene, &mut command);
        program.ask("gc");
        let told = program.ask("stats");
        let report = census(&scene, program.pid());
        let near = |pointer: &str, expected: u64| {
            let seen = number(&report, pointer);
            // The sweeper goes on between the two readings.
            let near = seen.abs_diff(expected) <= (expected / 64).max(256 << 10);
            (!near).then(|| format!("{pointer} is {seen} and not {expected}"))
        };
        let idle = number(&told, "/HeapIdle") - number(&told, "/HeapReleased");
        let mut found: Vec<String> = [
            near("/gc/in_use", number(&told, "/HeapInuse")),
            near("/gc/allocated", number(&told, "/HeapAlloc")),
            near("/gc/free", idle),
            near("/gc/released", number(&told, "/HeapReleased")),
        ]
        .into_iter()
        .flatten()
        .collect();
        if report["gc"]["limit"] != 3_u64 << 30 {
            found.push(format!("limit {}", report["gc"]["limit"]));
        }
        if report["gc"]["gives_back_lazily"] != true {
            found.push(format!("gives back lazily: {}", report["gc"]["gives_back_lazily"]));
        }
        found
    });
}
