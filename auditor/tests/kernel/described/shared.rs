//! PostgreSQL's tables in shared memory, against the views in which it tells of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::postgres::{Postgres, Session};
use super::suite::Suite;
use crate::harness::{PATIENCE, Scene, json, number, rows, text, wait_until};

/// Advisory locks that one session holds: more than are set aside where nobody asks for more, and so many in each of
/// the 32 lists that a probe would tell of them.
const HELD: u64 = 7_500;
const EXTENSIONS: &str = "CREATE EXTENSION pg_buffercache; CREATE EXTENSION pg_stat_statements;";
/// Entries of tables: of two as pg_locks has them, which shows locks that need no table, too.
const ENTRIES: &str = "
SELECT 'LOCK hash', count(DISTINCT (locktype, database, relation, page, tuple, virtualxid, transactionid::text, classid,
    objid, objsubid)) FROM pg_locks WHERE NOT fastpath
UNION ALL SELECT 'PROCLOCK hash', count(DISTINCT (pid, locktype, database, relation, page, tuple, virtualxid,
    transactionid::text, classid, objid, objsubid)) FROM pg_locks WHERE NOT fastpath
UNION ALL SELECT 'Shared Buffer Lookup Table', count(*) FROM pg_buffercache WHERE relfilenode IS NOT NULL
UNION ALL SELECT 'pg_stat_statements hash', count(*) FROM pg_stat_statements;";
/// Of all that is as long as a HASHHDR with a directory of 256 segments: how far it is to what was made next.
const TABLES: &str =
    "SELECT name, next - off FROM (SELECT name, off, size, lead(off) OVER (ORDER BY off) AS next
    FROM pg_shmem_allocations WHERE off IS NOT NULL) AS all_of_it WHERE size = 848 + 8 * 256;";

/// Both releases, each with the runtime of its tables in shared memory and of those of a session.
const BOTH: [(Suite, &str, &str); 2] = [
    (Suite::Bookworm, "postgres-shared-15", "postgres-dynahash-15"),
    (Suite::Trixie, "postgres-shared-17", "postgres-dynahash-17"),
];

/// Rows of a name and a number.
fn numbers(session: &mut Session, query: &str) -> BTreeMap<String, u64> {
    let rows = session.ask(query);
    let row = |row: &String| {
        let (name, number) = row.split_once('|').unwrap();
        (name.to_owned(), number.parse().unwrap())
    };
    rows.iter().map(row).collect()
}

fn hold(session: &mut Session) {
    session.ask(&format!("SELECT count(pg_advisory_lock(i)) FROM generate_series(1, {HELD}) i;"));
}

fn maps<'a>(report: &'a Value, runtime: &str) -> Vec<&'a Value> {
    rows(report, "/maps").iter().filter(|map| map["runtime"] == runtime).collect()
}

fn live(report: &Value, runtime: &str) -> BTreeMap<String, u64> {
    let told = |map: &&Value| (text(map, "/name").to_owned(), number(map, "/live"));
    maps(report, runtime).iter().map(told).collect()
}

fn look(scene: &Scene, pid: u32, flags: &[&str]) -> Value {
    let pid = pid.to_string();
    let flags =
        ["census", "-p", &pid, "--min-bytes", "0", "-f", "json"].into_iter().chain(flags.iter().copied());
    json(&scene.audit(flags).well().stdout)
}

/// A look whose figures are those that the views had before it and after it.
fn agreed(scene: &Scene, (pid, flags): (u32, &[&str]), runtime: &str, witness: &mut Session) -> Value {
    let mut report = Value::Null;
    wait_until("the views say the same before and after the look", PATIENCE, || {
        let before = numbers(witness, ENTRIES);
        report = look(scene, pid, flags);
        let is_same = before == numbers(witness, ENTRIES);
        if is_same {
            let told = live(&report, runtime);
            for (name, entries) in &before {
                assert_eq!(told.get(name), Some(entries), "{name} of {told:?}");
            }
            assert_eq!([before["LOCK hash"], before["PROCLOCK hash"]], [HELD, HELD]);
            assert!(before["Shared Buffer Lookup Table"] > 100 && before["pg_stat_statements hash"] > 1);
        }
        is_same
    });
    report
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn tables_in_shared_memory_are_told_once_as_the_server_tells_of_them() {
    for (suite, runtime, of_session) in BOTH {
        let scene = Scene::new();
        // Enough for all of the locks: none is made later.
        let settings = ["shared_preload_libraries=pg_stat_statements", "max_locks_per_transaction=256"];
        let mut holder = Postgres::start_with(&scene, suite, &settings);
        holder.ask(EXTENSIONS);
        let mut witness = holder.another(&scene, "witness");
        hold(&mut holder);
        let asked = (holder.postmaster(), &["--follow", "--strict"][..]);
        let report = agreed(&scene, asked, runtime, &mut witness);
        let tables = numbers(&mut witness, TABLES);
        let told = maps(&report, runtime);
        let names: Vec<&str> = told.iter().map(|map| text(map, "/name")).collect();
        assert_eq!(names.len(), tables.len(), "{names:?} for {tables:?}");
        let notes = report["coverage"]["notes"].to_string();
        for map in &told {
            let (name, holds) = (text(map, "/name"), number(map, "/bytes/allocated"));
            assert_eq!(number(map, "/pid"), u64::from(holder.postmaster()), "{name}");
            assert_eq!(text(map, "/verdict"), "in_use", "{name}");
            assert_eq!(number(map, "/bytes/stranded"), 0, "{name}");
            // What was made last has nothing behind it that tells where it ends: that is said.
            if notes.contains(&format!("{runtime}: {name}: elements that are set aside")) {
                assert!(holds < tables[name] && name == "pg_stat_statements hash", "{name}");
                continue;
            }
            // The postmaster made all of it, and touched it.
            assert_eq!([holds, number(map, "/bytes/resident")], [tables[name]; 2], "{name}");
        }
        let others = maps(&report, of_session);
        assert!(others.iter().all(|map| !names.contains(&text(map, "/name"))), "told as a session's, too");
        let addresses: Vec<&Value> = told.iter().map(|map| &map["address"]).collect();
        let findings = rows(&report, "/findings");
        assert!(findings.iter().all(|it| !addresses.contains(&&it["map"])), "{}", report["findings"]);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn one_session_alone_shows_the_tables_that_it_shares() {
    for (suite, runtime, _) in BOTH {
        let scene = Scene::new();
        // Where memory is that all share depends on how it was asked for.
        let settings = ["shared_preload_libraries=pg_stat_statements", "shared_memory_type=sysv"];
        let mut holder = Postgres::start_with(&scene, suite, &settings);
        holder.ask(EXTENSIONS);
        let mut witness = holder.another(&scene, "witness");
        hold(&mut holder);
        agreed(&scene, (holder.backend(), &[]), runtime, &mut witness);
    }
}

/// The table of locks grows beyond what was set aside for it while a session takes them: it is told by polls alone.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_table_in_shared_memory_that_fills_while_it_is_followed_is_told_once() {
    for (suite, runtime, of_session) in BOTH {
        let scene = Scene::new();
        let mut holder = Postgres::start(&scene, suite);
        let (pid, file) = (holder.postmaster().to_string(), scene.name("followed.rec"));
        let follow = ["attach", "-p", &pid, "--follow", "--min-bytes", "0", "-f", "json", "--record", &file];
        let mut auditor = scene.auditor(follow);
        auditor.wait_to_say("attached to");
        hold(&mut holder);
        let output = auditor.end_by(Signal::SIGINT).well().stdout;
        let report = json(&output);
        let told = live(&report, runtime);
        assert_eq!((told["LOCK hash"], told["PROCLOCK hash"]), (HELD, HELD), "{told:?}");
        let named = |map: &&Value| map["name"] == "LOCK hash";
        let count = |runtime: &str| maps(&report, runtime).into_iter().filter(named).count();
        assert_eq!((count(runtime), count(of_session)), (1, 0));
        let locks = maps(&report, runtime).into_iter().find(named).unwrap();
        let set_aside = numbers(&mut holder, TABLES)["LOCK hash"];
        assert!(number(locks, "/bytes/allocated") > set_aside, "{locks} of {set_aside}");
        assert_eq!(number(&report, "/coverage/lost"), 0, "{}", report["coverage"]);
        assert_eq!(output, scene.audit(["replay", &file, "-f", "json"]).well().stdout);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_header_of_another_version_is_refused_and_never_reported() {
    let scene = Scene::new();
    let postgres = Postgres::start(&scene, Suite::Bookworm);
    let (pid, file) = (postgres.postmaster().to_string(), scene.name("wrong.toml"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let right = fs::read_to_string(folder.join("postgres-shared-15.toml")).unwrap();
    // A word more before the directory's size, before the masks, at the end.
    let moved = |from: u64| {
        let offsets = [768, 776, 784, 788, 792, 800, 808, 816, 824, 832, 840].into_iter().rev();
        offsets.filter(|offset| *offset >= from).fold(right.clone(), |text, offset| {
            text.replace(&format!("[head+{offset}]"), &format!("[head+{}]", offset + 8))
        })
    };
    let longer = right.replace("sizeof_hashhdr = 848", "sizeof_hashhdr = 856");
    for (wrong, is_refused) in [(moved(768), true), (moved(784), true), (moved(832), true), (longer, false)] {
        assert_ne!(wrong, right);
        fs::write(&file, wrong).unwrap();
        let ended = scene.audit(["census", "-p", &pid, "--runtime", &file, "-f", "json", "--min-bytes", "0"]);
        let told = if ended.stdout.is_empty() { 0 } else { rows(&json(&ended.stdout), "/maps").len() };
        assert_eq!(told, 0, "{}", ended.stdout);
        assert_eq!(ended.stderr.contains("not so: "), is_refused, "{}", ended.stderr);
    }
}
