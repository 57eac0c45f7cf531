//! The drawings of docs/runtimes/ against what the programs say of themselves, read from their memory by hand.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::memcached::Memcached;
use super::postgres::Postgres;
use super::program::{self, Kind, Program, address, live};
use super::redis::{Redis, Server, Table};
use super::suite::{Suite, User};
use super::words::Words;
use crate::harness::{PATIENCE, Scene, number, text, wait_until};

/// 2 to that power; none if it is negative.
fn buckets(exponent: i8) -> u64 {
    u32::try_from(exponent).map_or(0, |exponent| 1 << exponent)
}

/// The dict of the first database's keys.
fn first_dict(words: &Words, server: Server) -> u64 {
    let database = words.u64(words.symbol(server.file(), "server") + 64);
    let keys = words.u64(database);
    if server == Server::Redis7 { keys } else { words.u64(words.u64(keys + 144)) }
}

/// Both tables of a dict, of those that are there.
fn dict_tables(words: &Words, dict: u64) -> Vec<Table> {
    let table = |which: u64| {
        let size = buckets(words.i8(dict + 50 + which));
        (size > 0).then(|| Table { size, live: words.u64(dict + 24 + 8 * which) })
    };
    [0, 1].into_iter().filter_map(table).collect()
}

/// What MEMORY STATS counts for that many keys: 24 bytes of entry and 16 of value each, and the buckets.
fn counted(tables: &[Table]) -> u64 {
    tables.iter().map(|table| 8 * table.size + 40 * table.live).sum()
}

/// Redis as it grows, moves and shrinks, at each step held against its own figures.
fn a_dict_is_as_drawn(server: Server, more: u64, while_moving: u64) {
    let scene = Scene::new();
    let mut redis = server.start(&scene);
    let words = Words::of(redis.pid());
    let agrees = |redis: &mut Redis, what: &str| {
        // What moves by itself is compared between two readings.
        wait_until(what, PATIENCE, || {
            let before = redis.tables();
            let dict = first_dict(&words, server);
            let (read, moving) = (dict_tables(&words, dict), words.i64(dict + 40));
            let (bytes, after) = (redis.main_bytes(), redis.tables());
            if before != after {
                return false;
            }
            assert_eq!(read, before, "{what}");
            assert_eq!(moving >= 0, read.len() == 2, "{what}: {moving}");
            let more = more + if read.len() == 2 { while_moving } else { 0 };
            assert_eq!(bytes, Some(counted(&read) + more), "{what}: {read:?}");
            true
        });
    };
    redis.set(0..100_000);
    agrees(&mut redis, "filled");
    let keys = redis.set_until_it_rehashes(100_000);
    assert_eq!(redis.tables().len(), 2);
    agrees(&mut redis, "moving");
    redis.delete_until_it_shrinks(5_000..keys, 65_536);
    agrees(&mut redis, "shrunk");
    redis.ask(&["FLUSHALL"]);
    assert_eq!(redis.main_bytes(), None);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn redis_7_is_as_drawn() {
    a_dict_is_as_drawn(Server::Redis7, 0, 0);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn redis_8_is_as_drawn() {
    // Beside the dict it counts the store that holds it (232) and what is known of its keys (56 + 2408); while entries
    // move, a node of a list.
    a_dict_is_as_drawn(Server::Redis8, 2696, 24);
}

/// Bytes of the bucket arrays of a hashtable of Valkey, its live entries, and whether entries move.
fn hashtable(words: &Words, table: u64) -> (u64, Vec<Table>, bool) {
    let both = [0, 1].map(|which| {
        let top = buckets(words.i8(table + 48 + which));
        let chained = words.u64(table + 56 + 8 * which);
        (top, top + chained, words.u64(table + 32 + 8 * which))
    });
    let tables = both.iter().filter(|(top, ..)| *top > 0);
    let told = tables.map(|(top, _, live)| Table { size: 7 * top, live: *live }).collect();
    (both.iter().map(|(_, all, _)| 64 * all).sum(), told, words.i64(table + 8) >= 0)
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn valkey_is_as_drawn() {
    // The store, the header with its own word, and the array of tables; while entries move, a node of a list.
    const STORE: u64 = 184;
    const NODE: u64 = 24;
    let scene = Scene::new();
    let mut valkey = Server::Valkey.start(&scene);
    let words = Words::of(valkey.pid());
    let first = |words: &Words| {
        let database = words.u64(words.u64(words.symbol(Server::Valkey.file(), "server") + 56));
        words.u64(words.u64(database + 16))
    };
    let agrees = |valkey: &mut Redis, what: &str| {
        wait_until(what, PATIENCE, || {
            let before = valkey.tables();
            let (bytes, read, moving) = hashtable(&words, first(&words));
            let (counted, after) = (valkey.main_bytes(), valkey.tables());
            if before != after {
                return false;
            }
            assert_eq!(read, before, "{what}");
            assert_eq!(moving, read.len() == 2, "{what}");
            let keys: u64 = read.iter().map(|table| table.live).sum();
            assert_eq!(counted, Some(bytes + 16 * keys + STORE + if moving { NODE } else { 0 }), "{what}");
            true
        });
    };
    valkey.set(0..100_000);
    assert_eq!(words.u64(first(&words)), words.symbol(Server::Valkey.file(), "kvstoreKeysHashtableType"));
    agrees(&mut valkey, "filled");
    let keys = valkey.set_until_it_rehashes(100_000);
    agrees(&mut valkey, "moving");
    valkey.delete_until_it_shrinks(5_000..keys, 20_000);
    agrees(&mut valkey, "shrunk");
}

/// memcached, its own counts being where `stats_state` says, at these offsets: the power, and whether it expands.
fn a_hash_table_is_counted(
    suite: Suite,
    stats_state: impl Fn(&Words) -> u64,
    (power, expanding): (u64, u64),
) {
    let scene = Scene::new();
    let mut memcached = Memcached::start(&scene, suite);
    let words = Words::of(memcached.pid());
    let at = stats_state(&words);
    let agrees = |memcached: &mut Memcached| {
        let stats = memcached.stats();
        assert!(!stats.is_expanding);
        assert_eq!(stats.hash_bytes, 8 << stats.hash_power, "{stats:?}");
        assert_eq!([words.u64(at), words.u64(at + 24)], [stats.items, stats.hash_bytes]);
        assert_eq!((u64::from(words.u32(at + power)), words.u8(at + expanding)), (stats.hash_power, 0));
    };
    agrees(&mut memcached);
    // More than 1.5 entries a bucket, twice.
    memcached.set(0..100_000);
    memcached.wait_to_expand(17);
    agrees(&mut memcached);
    memcached.set(100_000..200_000);
    memcached.wait_to_expand(18);
    agrees(&mut memcached);
    memcached.delete(0..199_000);
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(memcached.stats().hash_power, 18, "it shrinks");
    agrees(&mut memcached);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn memcached_1_6_38_is_as_drawn() {
    a_hash_table_is_counted(Suite::Trixie, |words| words.symbol("/memcached", "stats_state"), (44, 52));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn memcached_1_6_18_is_as_drawn_and_has_no_symbols() {
    let stats_state = |words: &Words| {
        assert!(!words.has("/memcached", "stats_state"));
        words.linked_at("/memcached", 0x3fa40)
    };
    a_hash_table_is_counted(Suite::Bookworm, stats_state, (40, 48));
}

/// The hash tables below a memory context, by their names: the table's address and its context's.
fn tables_below(words: &Words, first: u64, table: u64, found: &mut Vec<(String, u64, u64)>) {
    let mut context = first;
    while context != 0 {
        if words.text(words.u64(context + 56)) == "dynahash" {
            found.push((words.text(words.u64(context + 64)), context + table, context));
        }
        tables_below(words, words.u64(context + 32), table, found);
        context = words.u64(context + 48);
    }
}

/// `table`: where in its context the header of a table is.
fn a_dynahash_is_as_drawn(suite: Suite, table: u64) {
    let scene = Scene::new();
    let mut postgres = Postgres::start(&scene, suite);
    postgres.prepare(0..20_000);
    let words = Words::of(postgres.backend());
    let mut found = Vec::new();
    let top = words.u64(words.symbol("/bin/postgres", "TopMemoryContext"));
    tables_below(&words, top, table, &mut found);
    let names: BTreeSet<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
    for name in ["Prepared Queries", "Relcache by OID", "Portal hash", "LOCALLOCK hash"] {
        assert!(names.contains(name), "{names:?}");
        let told = postgres.tables(name);
        let (_, table, context) = found.iter().find(|(found, ..)| found == name).unwrap();
        assert_eq!(words.u64(table + 48), *context, "{name}");
        assert_eq!(words.text(words.u64(table + 56)), name);
        assert_eq!(told.iter().map(|context| context.total).collect::<Vec<_>>(), [words.u64(context + 8)]);
        let control = words.u64(*table);
        let [most, high, low] = [784, 788, 792].map(|at| words.u32(control + at));
        assert!(most <= high && high == low << 1 | 1, "{name}: {most} {high} {low}");
        assert_eq!(words.u64(control + 776), (u64::from(most) + 256) / 256, "{name}: segments");
    }
    let (_, table, context) = found.iter().find(|(name, ..)| name == "Prepared Queries").unwrap();
    let control = words.u64(*table);
    assert_eq!((words.u64(control + 8), words.u32(control + 784)), (20_000, 19_999));
    let bytes = words.u64(context + 8);
    postgres.ask("DEALLOCATE ALL;");
    assert_eq!((words.u64(control + 8), words.u64(context + 8)), (0, bytes), "it gives memory back");
    assert_eq!(postgres.tables("Prepared Queries")[0].total, bytes);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn postgres_15_is_as_drawn() {
    a_dynahash_is_as_drawn(Suite::Bookworm, 280);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn postgres_17_is_as_drawn() {
    a_dynahash_is_as_drawn(Suite::Trixie, 248);
}

/// Every dict that the script tells of, as it is in memory.
fn dicts_are_as_drawn(program: &Program) {
    let words = Words::of(program.pid());
    for dict in program.maps() {
        let [used, keys] = [16, 32].map(|at| words.u64(address(dict) + at));
        let [size, index, kind] = [8, 9, 10].map(|at| words.u8(keys + at));
        let [usable, entries] = [16, 24].map(|at| words.u64(keys + at));
        let room = (2 << size) / 3;
        assert_eq!(used, live(dict), "{dict}");
        assert!(used <= entries && entries + usable <= room, "{dict}: {usable} {entries}");
        let widths = [(7, 0), (15, 1), (31, 2)];
        let wider = widths.iter().find(|(most, _)| size <= *most).map_or(3, |(_, wider)| *wider);
        let bytes = 32 + (1 << index) + room * if kind == 0 { 24 } else { 16 } + 64;
        // The one that all empty dicts share is not counted.
        let shared = size == 0;
        assert!(shared || index == size + wider, "{dict}: {size} {index}");
        assert_eq!(if shared { 64 } else { bytes }, number(dict, "/bytes"), "{dict}");
    }
}

fn python_is_as_drawn(scene: &Scene, command: &mut Command, version: &str) {
    let mut program = Program::start_with(scene, command);
    assert!(text(&program.said, "/version").starts_with(version), "{}", program.said);
    for step in
        ["grow 1", "grow 9", "grow 1000", "grow 200000", "delete 200000", "grow 2000", "rebuild", "clear"]
    {
        program.ask(step);
        dicts_are_as_drawn(&program);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn python_of_debian_13_is_as_drawn() {
    let (scene, room) = (Scene::new(), Suite::Trixie.room());
    fs::copy(program::source("dicts.py"), room.path("dicts.py")).unwrap();
    let mut command = Suite::Trixie.command(User::Root, "/usr/bin/python3.13");
    python_is_as_drawn(&scene, command.arg(room.inside("dicts.py")), "3.13.");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn python_of_this_machine_is_as_drawn() {
    let scene = Scene::new();
    let mut command = Command::new("/usr/bin/python3");
    python_is_as_drawn(&scene, command.arg(program::source("dicts.py")), "3.");
}

fn maps_of(program: &Program, mut agrees: impl FnMut(&Words, &Value)) {
    let words = Words::of(program.pid());
    program.maps().iter().for_each(|map| agrees(&words, map));
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn containers_of_libstdcxx_are_as_drawn() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Unordered);
    let mut sizes = BTreeSet::new();
    for step in
        ["grow 1", "grow 13", "grow 16", "grow 200000", "delete", "shrink", "reserve 100000", "grow 10"]
    {
        program.ask(step);
        maps_of(&program, |words, map| {
            let at = address(map);
            let said = [number(map, "/buckets"), live(map)];
            assert_eq!([words.u64(at + 8), words.u64(at + 24)], said, "{step}: {map}");
            // A single bucket is in the map itself.
            assert_eq!(words.u64(at) == at + 48, said[0] == 1, "{step}: {map}");
            sizes.insert(said[0]);
        });
    }
    assert!(sizes.is_superset(&BTreeSet::from([13, 29, 59])), "{sizes:?}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn maps_of_rusts_standard_library_are_as_drawn() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Hashbrown);
    assert_eq!(program.maps().len(), 20);
    for step in ["grow 3", "grow 4", "grow 100000", "delete 90000", "grow 100000", "shrink"] {
        program.ask(step);
        maps_of(&program, |words, map| {
            let at = address(map);
            let [mask, left, items] = [8, 16, 24].map(|offset| words.u64(at + offset));
            let room = if mask < 8 { mask } else { (mask + 1) / 8 * 7 };
            let capacity = number(map, "/capacity");
            assert_eq!((items, items + left), (live(map), capacity), "{step}: {map}");
            assert!((mask + 1).is_power_of_two() && capacity <= room, "{step}: {map}");
        });
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn tables_of_glib_are_as_drawn() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Glib);
    let mut size = 8;
    for (step, grown) in
        [("grow 7", 8), ("grow 1", 16), ("grow 100000", 131_072), ("delete 70000", 65_536), ("clear 0", 8)]
    {
        program.ask(step.trim_end_matches(" 0"));
        maps_of(&program, |words, map| {
            let at = address(map);
            let [nodes, occupied, bits] = [16, 20, 24].map(|offset| words.u32(at + offset));
            size = words.u64(at);
            assert_eq!((u64::from(nodes), size), (live(map), grown), "{step}: {map}");
            assert!(nodes <= occupied && u64::from(occupied + occupied / 16) <= size && bits < 4, "{map}");
            let is_set = words.u64(at + 32) == words.u64(at + 48);
            assert!(live(map) == 0 || is_set == (text(map, "/name") == "set"), "{step}: {map}");
        });
    }
    assert_eq!(size, 8);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn flat_tables_of_abseil_are_as_drawn() {
    let scene = Scene::new();
    let mut program = Program::start(&scene, Kind::Abseil);
    for step in ["grow 1", "grow 1000", "grow 100000", "delete 90000", "grow 90000", "clear"] {
        program.ask(step);
        maps_of(&program, |words, map| {
            let at = address(map);
            let [size, capacity, left] = [16, 24, 32].map(|offset| words.u64(at + offset));
            assert_eq!((size, capacity), (live(map), number(map, "/capacity")), "{step}: {map}");
            let room = if capacity == 7 { 6 } else { capacity - capacity / 8 };
            assert!(capacity & (capacity + 1) == 0 && size + left <= room, "{step}: {map}: {left}");
            let [bytes, slots] = [0, 8].map(|offset| words.u64(at + offset));
            let behind = (bytes + capacity + 16).next_multiple_of(8);
            assert!(capacity == 0 || slots == behind, "{step}: {map}");
        });
    }
}
