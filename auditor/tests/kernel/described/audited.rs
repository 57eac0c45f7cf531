//! Described maps as the auditor tells of them, against what the programs say of themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::memcached::Memcached;
use super::postgres::Postgres;
use super::program::{self, Kind, Program, address, live};
use super::redis::{Redis, Server};
use super::suite::{Suite, User};
use crate::harness::{Ended, PATIENCE, Process, Scene, json, number, rows, text, wait_until};

/// Maps of every size are listed.
const ALL: &[&str] = &["--min-bytes", "0", "-f", "json"];

/// One look at a process.
fn look(scene: &Scene, pid: u32) -> Value {
    let pid = pid.to_string();
    json(&scene.audit(["census", "-p", &pid].iter().chain(ALL)).well().stdout)
}

/// An audit that goes on until it is told to end.
fn watch(scene: &Scene, pid: u32) -> Process {
    let pid = pid.to_string();
    let mut auditor = scene.auditor(["attach", "-p", &pid, "-i", "200ms"].iter().chain(ALL));
    auditor.wait_to_say("attached to");
    auditor
}

/// What it found, all of it.
fn end(auditor: Process) -> Value {
    let ended: Ended = auditor.end_by(Signal::SIGINT);
    json(&ended.well().stdout)
}

/// The maps of a runtime.
fn of<'a>(report: &'a Value, runtime: &str) -> Vec<&'a Value> {
    rows(report, "/maps").iter().filter(|map| map["runtime"] == runtime).collect()
}

/// The map at an address.
fn at<'a>(report: &'a Value, runtime: &str, at: u64) -> &'a Value {
    let maps = of(report, runtime);
    let found = maps.iter().find(|map| address(map) == at);
    found.unwrap_or_else(|| panic!("no map of {runtime} at {at:#x}: {:?} {}", maps, report["coverage"]))
}

/// The one map of a runtime that holds most.
fn largest<'a>(report: &'a Value, runtime: &str) -> &'a Value {
    let maps = of(report, runtime);
    let largest = maps.into_iter().max_by_key(|map| map["bytes"]["allocated"].as_u64());
    largest.unwrap_or_else(|| panic!("no map of {runtime}: {}", report["coverage"]))
}

/// The row of entries behind tables, in a ladder that adds up.
fn behind_tables(report: &Value) -> u64 {
    let rungs = rows(report, "/memory/ladder");
    let all: u64 = rungs.iter().map(|rung| number(rung, "/bytes")).sum();
    assert_eq!(all, number(report, "/memory/rss/last"), "{}", report["memory"]);
    let row = rungs.iter().find(|rung| rung["name"] == "entries behind tables");
    let row = row.unwrap_or_else(|| panic!("no entries: {rungs:?}"));
    assert_eq!(text(row, "/evidence"), "counted by maps");
    number(row, "/bytes")
}

/// What Redis 8 has of a dict whose entries move.
const LIST_NODE: u64 = 24;

/// A small value, and the header of a dict.
const VALUE: u64 = 16;
const HEADER: u64 = 56;

/// What MEMORY STATS counts beside the dict's own tables and entries, and the dict's header that it does not.
fn dict_bytes(main: u64, keys: u64, more: u64) -> u64 {
    main - VALUE * keys - more + HEADER
}

/// One look at Redis between two readings of its own figures that agree.
fn a_dict_agrees(scene: &Scene, redis: &mut Redis, (runtime, more): (&str, u64), is_moving: bool) {
    wait_until("the tables stand still for a look", PATIENCE, || {
        let before = (redis.tables(), redis.main_bytes());
        let report = look(scene, redis.pid());
        if before != (redis.tables(), redis.main_bytes()) {
            return false;
        }
        let (tables, map) = (before.0, largest(&report, runtime));
        let keys: u64 = tables.iter().map(|table| table.live).sum();
        assert_eq!(live(map), keys, "{map}");
        assert_eq!(number(map, "/capacity"), tables.last().unwrap().size, "{map}");
        let more = more + if is_moving && more > 0 { LIST_NODE } else { 0 };
        assert_eq!(number(map, "/bytes/allocated"), dict_bytes(before.1.unwrap(), keys, more), "{map}");
        // All but headers and buckets are entries, and those of this dict are what MEMORY STATS has beside buckets.
        let entries = |map: &Value| {
            let [all, capacity, old] =
                ["/bytes/allocated", "/capacity", "/bytes/old_table"].map(|figure| number(map, figure));
            all - HEADER - 8 * capacity - old
        };
        let buckets: u64 = tables.iter().map(|table| 8 * table.size).sum();
        assert_eq!(entries(map), before.1.unwrap() - VALUE * keys - more - buckets, "{map}");
        let all: u64 = of(&report, runtime).into_iter().map(entries).sum();
        assert_eq!(behind_tables(&report), all, "{}", report["memory"]);
        // Of a map that has never been seen to move it is null.
        assert_eq!(map["evacuation"]["in_progress"] == true, is_moving, "{map}");
        assert_eq!(number(map, "/bytes/old_table"), if is_moving { 8 * tables[0].size } else { 0 });
        true
    });
}

fn a_dict_is_told_to_the_byte(server: Server, told: (&str, u64)) {
    let scene = Scene::new();
    let mut redis = server.start(&scene);
    redis.set(0..100_000);
    a_dict_agrees(&scene, &mut redis, told, false);
    let keys = redis.set_until_it_rehashes(100_000);
    a_dict_agrees(&scene, &mut redis, told, true);
    redis.delete_until_it_shrinks(5_000..keys, 65_536);
    a_dict_agrees(&scene, &mut redis, told, false);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn redis_7_is_told_to_the_byte_steady_moving_and_shrunk() {
    a_dict_is_told_to_the_byte(Server::Redis7, ("redis-dict-7", 0));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn redis_8_is_told_to_the_byte_steady_moving_and_shrunk() {
    a_dict_is_told_to_the_byte(Server::Redis8, ("redis-dict-8", 2696));
}

/// Growths that passed the filter of the profile: tables that had 1000 entries.
fn growths_of_redis_are_counted(server: Server, runtime: &str) {
    let scene = Scene::new();
    let mut redis = server.start(&scene);
    // So that the map is known, and has no table yet that is worth a word.
    redis.set(0..10);
    let auditor = watch(&scene, redis.pid());
    redis.set(10..200_000);
    wait_until("nothing moves", PATIENCE, || redis.tables().len() == 1);
    redis.delete_until_it_shrinks(100..200_000, 65_536);
    let report = end(auditor);
    let map = largest(&report, runtime);
    // From 1024, 2048, … 131 072 to twice as many each.
    assert_eq!(number(map, "/growths/double"), 8, "{map}");
    assert!(number(map, "/growths/shrink") >= 1, "{map}");
    assert_eq!(live(map), 100, "{map}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn growths_of_redis_7_are_counted() {
    growths_of_redis_are_counted(Server::Redis7, "redis-dict-7");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn growths_of_redis_8_are_counted() {
    growths_of_redis_are_counted(Server::Redis8, "redis-dict-8");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_background_save_under_probes_ends_well() {
    for (server, runtime) in [(Server::Redis7, "redis-dict-7"), (Server::Valkey, "valkey-hashtable")] {
        let scene = Scene::new();
        let mut redis = server.start(&scene);
        redis.set(0..50_000);
        let auditor = watch(&scene, redis.pid());
        for _ in 0..3 {
            redis.ask(&["BGSAVE"]);
            // The child has the probes' pages, and resizes tables of its own.
            redis.set(50_000..60_000);
            wait_until("the child has ended", PATIENCE, || {
                redis.ask(&["INFO", "persistence"]).text().contains("rdb_bgsave_in_progress:0")
            });
            assert!(redis.ask(&["INFO", "persistence"]).text().contains("rdb_last_bgsave_status:ok"));
        }
        let report = end(auditor);
        assert_eq!(live(largest(&report, runtime)), 60_000);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn valkey_is_told_to_the_byte() {
    // The store and the array; 8 of the header are metadata, which the profile does not count.
    const STORE: u64 = 184 - 72;
    let scene = Scene::new();
    let mut valkey = Server::Valkey.start(&scene);
    valkey.set(0..100_000);
    let report = look(&scene, valkey.pid());
    let map = largest(&report, "valkey-hashtable");
    assert_eq!(text(map, "/name"), "kvstoreKeysHashtableType");
    assert_eq!([live(map), number(map, "/capacity")], [100_000, valkey.tables()[0].size]);
    assert_eq!(number(map, "/bytes/allocated"), valkey.main_bytes().unwrap() - 16 * 100_000 - STORE, "{map}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn tables_of_postgres_are_told_to_the_byte() {
    for (suite, runtime) in
        [(Suite::Bookworm, "postgres-dynahash-15"), (Suite::Trixie, "postgres-dynahash-17")]
    {
        let scene = Scene::new();
        let mut postgres = Postgres::start(&scene, suite);
        // Before the table is there.
        let auditor = watch(&scene, postgres.backend());
        postgres.prepare(0..20_000);
        let watched = end(auditor);
        let looked = look(&scene, postgres.backend());
        for (report, name) in [
            (&watched, "Prepared Queries"),
            (&looked, "Prepared Queries"),
            (&looked, "Relcache by OID"),
            (&looked, "Portal hash"),
        ] {
            let map = of(report, runtime).into_iter().find(|map| map["name"] == name);
            let map = map.unwrap_or_else(|| panic!("no {name}: {}", report["coverage"]));
            let told: Vec<u64> = postgres.tables(name).iter().map(|table| table.total).collect();
            assert_eq!(told, [number(map, "/bytes/allocated")], "{name}");
        }
        let prepared =
            of(&watched, runtime).into_iter().find(|map| map["name"] == "Prepared Queries").unwrap();
        assert_eq!([live(prepared), number(prepared, "/capacity")], [20_000, 20_000]);
    }
}

/// A stripped program, whose map is there and cannot be told: what would help is.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_stripped_memcached_is_refused_with_what_would_give_its_names() {
    let scene = Scene::new();
    let memcached = Memcached::start(&scene, Suite::Bookworm);
    let pid = memcached.pid().to_string();
    for verb in ["census", "attach"] {
        let words = ["stats_state", "Debian strips it", "debuginfod-find debuginfo", "--symbols FILE"];
        scene.audit([verb, "-p", &pid]).refused(3, &words);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn memcached_is_told_as_it_counts_itself() {
    let scene = Scene::new();
    let mut memcached = Memcached::start(&scene, Suite::Trixie);
    memcached.set(0..200_000);
    memcached.wait_to_expand(18);
    let report = look(&scene, memcached.pid());
    let (map, stats) = (largest(&report, "memcached-1.6.38"), memcached.stats());
    assert_eq!(
        [live(map), number(map, "/capacity"), number(map, "/bytes/allocated")],
        [stats.items, 1 << stats.hash_power, stats.hash_bytes]
    );
    assert_eq!(behind_tables(&report), stats.bytes);
}

/// The profile of that name, as it comes with the auditor.
fn profile(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles").join(name)).unwrap()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_layout_of_another_version_is_refused_and_never_reported() {
    let scene = Scene::new();
    let mut memcached = Memcached::start(&scene, Suite::Trixie);
    memcached.set(0..50_000);
    let right = profile("memcached-1.6.38.toml");
    // 1.6.18 has the power at 40 and the flag at 48; and a struct that is one word longer.
    let shifted = [
        right.replace("u32[self+44]", "u32[self+40]").replace("u8[self+52]", "u8[self+48]"),
        right.replace("u64[self+24]", "u64[self+32]"),
        right.replace("u64[self]", "u64[self+8]").replace("u64[self+24]", "u64[self+16]"),
    ];
    for wrong in shifted {
        assert_ne!(wrong, right);
        let file = scene.name("wrong.toml");
        fs::write(&file, wrong).unwrap();
        let pid = memcached.pid().to_string();
        let args = ["census", "-p", &pid, "--runtime", &file, "-f", "json", "--min-bytes", "0"];
        let ended = scene.audit(args);
        let told = if ended.stdout.is_empty() { 0 } else { rows(&json(&ended.stdout), "/maps").len() };
        assert_eq!(told, 0, "{}", ended.stdout);
        let said = ended.stderr + &ended.stdout;
        assert!(said.contains("its own figure is ours") || said.contains("believable"), "{said}");
    }
}

/// Dicts that grow while they are watched, each told with the bytes that Python counts.
fn dicts_are_told_to_the_byte(command: &mut Command, runtime: &str) {
    let scene = Scene::new();
    let mut program = Program::start_with(&scene, command);
    let auditor = watch(&scene, program.pid());
    program.ask("grow 200000");
    let grown = program.said.clone();
    program.ask("delete 199000");
    let report = end(auditor);
    for (dict, before) in program.maps().iter().zip(rows(&grown, "/maps")) {
        let map = at(&report, runtime, address(dict));
        assert_eq!([live(map), number(map, "/bytes/allocated")], [live(dict), number(dict, "/bytes")]);
        // Deleting gives nothing back.
        assert_eq!(number(dict, "/bytes"), number(before, "/bytes"));
        assert!(number(map, "/growths/double") + number(map, "/growths/other") >= 4, "{map}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dicts_of_python_of_debian_12_are_told_to_the_byte() {
    let mut command = Command::new("/usr/bin/python3.11");
    dicts_are_told_to_the_byte(command.arg(program::source("dicts.py")), "cpython-dict-3.11");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn dicts_of_python_of_debian_13_are_told_to_the_byte() {
    // Its debug file lies in its own root.
    let room = Suite::Trixie.room();
    fs::copy(program::source("dicts.py"), room.path("dicts.py")).unwrap();
    let mut command = Suite::Trixie.command(User::Root, "/usr/bin/python3.13");
    dicts_are_told_to_the_byte(command.arg(room.inside("dicts.py")), "cpython-dict-3.13");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn containers_of_cpp_are_told_with_every_growth() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Unordered);
    let auditor = watch(&scene, program.pid());
    program.ask("grow 200000");
    let report = end(auditor);
    for container in program.maps().iter().filter(|map| live(map) > 1000) {
        let map = at(&report, "cpp-unordered", address(container));
        assert_eq!([live(map), number(map, "/capacity")], [live(container), number(container, "/buckets")]);
        assert_eq!(number(map, "/bytes/allocated"), 56 + 8 * number(container, "/buckets"), "{map}");
        // 1109 → 2357 → 5087 → 10273 → 20753 → 42043 → 85229 → 172933 → 351061
        let grown = number(map, "/growths/double") + number(map, "/growths/other");
        assert_eq!((grown, number(map, "/growths/shrink")), (8, 0), "{map}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn twenty_types_of_rust_are_told_with_capacity_and_length() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Hashbrown);
    let auditor = watch(&scene, program.pid());
    program.ask("grow 100000");
    program.ask("delete 40000");
    let report = end(auditor);
    // Which is which, nobody says: maps are named by their tables.
    let row = |map: &&Value| {
        let room = number(map, "/capacity") / 8 * 7 - map["tombstones"].as_u64().unwrap();
        let name = text(map, "/name").rsplit_once("::").unwrap().1.to_owned();
        (live(map), room, number(map, "/bytes/allocated"), name)
    };
    let mut told: Vec<(u64, u64, u64, String)> =
        of(&report, "rust-hashbrown").iter().map(row).filter(|(live, ..)| *live >= 1000).collect();
    // A table of 2^17: elements up to where control bytes may begin, and those with a group more.
    let bytes = |map: &Value| (number(map, "/element") << 17).next_multiple_of(16) + (1 << 17) + 16 + 32;
    let name = |map: &Value| format!("reserve_rehash (elements of {} B)", number(map, "/element"));
    let row = |map: &Value| (live(map), number(map, "/capacity"), bytes(map), name(map));
    let mut truth: Vec<(u64, u64, u64, String)> = program.maps().iter().map(row).collect();
    told.sort_unstable();
    truth.sort_unstable();
    assert_eq!(told, truth);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn tables_of_glib_are_told_while_they_grow_and_shrink() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Glib);
    let auditor = watch(&scene, program.pid());
    program.ask("grow 100000");
    program.ask("delete 70000");
    let report = end(auditor);
    for table in program.maps() {
        let map = at(&report, "glib-hashtable", address(table));
        assert_eq!([live(map), number(map, "/capacity")], [30_000, 65_536], "{map}");
        let place = match text(table, "/name") {
            "set" => 8,
            "map" => 16,
            _ => 20,
        };
        assert_eq!(number(map, "/bytes/allocated"), 96 + 65_536 * place, "{map}");
        assert_eq!(number(map, "/growths/shrink"), 1, "{map}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn flat_maps_of_abseil_are_told() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Abseil);
    let auditor = watch(&scene, program.pid());
    program.ask("grow 100000");
    let report = end(auditor);
    for table in program.maps() {
        let map = at(&report, "abseil-flat-20220623", address(table));
        assert_eq!([live(map), number(map, "/capacity")], [live(table), number(table, "/capacity")], "{map}");
        let capacity = number(table, "/capacity");
        let bytes = (capacity + 16).next_multiple_of(8) + capacity * number(table, "/slot") + 40;
        assert_eq!(number(map, "/bytes/allocated"), bytes, "{map}");
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn maps_of_node_are_told_with_what_was_deleted() {
    let scene = Scene::new();
    let mut program = Program::start_with(&scene, Command::new("node").arg(program::source("maps.js")));
    let auditor = watch(&scene, program.pid());
    program.ask("grow 100000");
    program.ask("delete 60000");
    let report = end(auditor);
    // A Map's table that grew is another map then: what is left is the last of each.
    let living = of(&report, "v8-ordered").into_iter().filter(|map| map["died"].is_null());
    let large: Vec<&Value> = living.filter(|map| map["capacity"] == 131_072).collect();
    assert_eq!(large.len(), program.maps().len(), "{large:#?}");
    let mut bytes: Vec<u64> = large.iter().map(|map| number(map, "/bytes/allocated")).collect();
    bytes.sort_unstable();
    assert_eq!(bytes, [16 + 8 * (3 + 65_536 * 5), 16 + 8 * (3 + 65_536 * 7), 16 + 8 * (3 + 65_536 * 7)]);
    for (map, truth) in large.iter().zip(program.maps()) {
        assert_eq!([live(map), number(map, "/tombstones")], [live(truth), 60_000], "{map}");
    }
}
