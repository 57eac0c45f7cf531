//! A server that is a process a session, looked at as one target with members, against what each session says of
//! itself and what the kernel says of each process.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::postgres::{Postgres, Session};
use super::suite::Suite;
use crate::harness::process::bytes_in;
use crate::harness::{Ended, PATIENCE, Scene, json, number, rows, text, wait_until};

/// The table whose entries the statements are.
const PREPARED: &str = "Prepared Queries";

fn look(scene: &Scene, pid: u32, flags: &[&str]) -> Ended {
    let pid = pid.to_string();
    let family = ["census", "-p", &pid, "--follow", "--min-bytes", "0", "-f", "json"];
    scene.audit(family.iter().chain(flags))
}

/// The member of that number.
fn member(report: &Value, pid: u32) -> &Value {
    let found = rows(report, "/members").iter().find(|member| member["pid"] == pid);
    found.unwrap_or_else(|| panic!("{pid} is no member: {}", report["members"]))
}

/// The table of a session, as the report has it and as the session says.
fn told(report: &Value, session: &mut Session, name: &str) -> [Vec<u64>; 2] {
    let backend = session.backend();
    let its = |map: &&Value| map["pid"] == backend && map["name"] == name;
    let reported = rows(report, "/maps").iter().filter(its).map(|map| number(map, "/bytes/allocated"));
    [reported.collect(), session.tables(name).iter().map(|table| table.total).collect()]
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_process_of_postgres_is_a_member_and_has_the_tables_that_it_says() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let scene = Scene::new();
        let mut first = Postgres::start(&scene, suite);
        let mut others = [first.another(&scene, "second"), first.another(&scene, "third")];
        first.prepare(0..3_000);
        others[0].prepare(0..7_000);
        let report = json(&look(&scene, first.postmaster(), &["--strict"]).well().stdout);
        for name in [PREPARED, "Relcache by OID", "Portal hash"] {
            for session in [&mut *first].into_iter().chain(&mut others) {
                let [reported, said] = told(&report, session, name);
                assert_eq!(reported, said, "{name} of {}", session.backend());
            }
        }
        let live = |pid| {
            let maps = rows(&report, "/maps").iter();
            maps.filter(|map| map["pid"] == pid && map["name"] == PREPARED)
                .map(|map| number(map, "/live"))
                .sum()
        };
        let live: [u64; 3] = [first.backend(), others[0].backend(), others[1].backend()].map(live);
        assert_eq!(live, [3_000, 7_000, 0]);
        assert_eq!(report["coverage"]["confidence"], "exact", "{}", report["coverage"]);
        assert_eq!(member(&report, first.postmaster())["sight"], "asked");
        for session in [&*first].into_iter().chain(&others) {
            let member = member(&report, session.backend());
            assert_eq!(
                (&member["sight"], number(member, "/parent")),
                (&"found".into(), first.postmaster().into())
            );
        }
        let pids: BTreeSet<u64> = rows(&report, "/members").iter().map(|it| number(it, "/pid")).collect();
        assert_eq!(pids, processes_of(first.postmaster()), "checkpointer and writers are members, too");
    }
}

/// Sessions are forked while all are followed: what each says of its tables is what is told of them.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn sessions_of_postgres_that_are_opened_while_it_is_followed_are_told_with_those_before() {
    for suite in [Suite::Bookworm, Suite::Trixie] {
        let scene = Scene::new();
        let mut before = Postgres::start(&scene, suite);
        let (pid, file) = (before.postmaster().to_string(), scene.name("followed.rec"));
        let follow = ["attach", "-p", &pid, "--follow", "--min-bytes", "0", "-f", "json", "--record", &file];
        let mut auditor = scene.auditor(follow);
        auditor.wait_to_say("attached to");
        let mut after = [before.another(&scene, "second"), before.another(&scene, "third")];
        let gone = before.another(&scene, "fourth");
        let left = gone.backend();
        drop(gone);
        before.prepare(0..3_000);
        after[0].prepare(0..7_000);
        after[1].prepare(0..500);
        // What was prepared after that is read at the last poll.
        let truth = [&mut *before].into_iter().chain(&mut after).map(|session| {
            let said = session.tables(PREPARED).iter().map(|table| table.total).collect::<Vec<_>>();
            (session.backend(), said)
        });
        let truth: Vec<(u32, Vec<u64>)> = truth.collect();
        let output = auditor.end_by(Signal::SIGINT).well().stdout;
        let report = json(&output);
        for (backend, said) in truth {
            let its = |map: &&Value| map["pid"] == backend && map["name"] == PREPARED;
            let reported =
                rows(&report, "/maps").iter().filter(its).map(|map| number(map, "/bytes/allocated"));
            assert_eq!(reported.collect::<Vec<_>>(), said, "{backend}: {}", report["coverage"]);
        }
        let sights =
            [&*before].into_iter().chain(&after).map(|it| member(&report, it.backend())["sight"].clone());
        assert_eq!(sights.collect::<Vec<_>>(), ["found", "forked", "forked"]);
        assert!(!member(&report, left)["ended"].is_null(), "{}", member(&report, left));
        assert_eq!(number(&report, "/coverage/lost"), 0, "{}", report["coverage"]);
        let replayed = scene.audit(["replay", &file, "-f", "json"]).well().stdout;
        assert_eq!(output, replayed);
    }
}

/// A process and its children, by the kernel's own list.
fn processes_of(pid: u32) -> BTreeSet<u64> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_ascii_whitespace().map(|child| child.parse().unwrap()).chain([u64::from(pid)]).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_members_share_is_counted_once() {
    let scene = Scene::new();
    let mut postgres = Postgres::start(&scene, Suite::Bookworm);
    // Every session reads all of it through the buffers that all share: of a larger table it would have a few of its
    // own, and others would help to read it.
    postgres.ask("CREATE TABLE t AS SELECT i, repeat('x', 500) FROM generate_series(1, 40000) i;");
    let mut others: Vec<Session> =
        (0..4).map(|number| postgres.another(&scene, &format!("reader{number}"))).collect();
    for session in [&mut *postgres].into_iter().chain(&mut others) {
        session.ask("SET max_parallel_workers_per_gather = 0;");
        session.ask("SELECT count(*) FROM t;");
    }
    let report = json(&look(&scene, postgres.postmaster(), &[]).well().stdout);
    let rss = number(&report, "/memory/rss/last");
    let sum = |field: &str| -> u64 { rows(&report, "/members").iter().map(|it| number(it, field)).sum() };
    assert_eq!(sum("/part"), rss);
    let ladder: u64 = rows(&report, "/memory/ladder").iter().map(|rung| number(rung, "/bytes")).sum();
    assert_eq!(ladder, rss);
    let shared = rows(&report, "/memory/ladder").iter().find(|rung| rung["name"] == "shared memory").unwrap();
    let mapped =
        rows(&report, "/members").iter().map(|it| bytes_in("status", number(it, "/pid") as u32, "RssShmem:"));
    let mapped: Vec<u64> = mapped.collect();
    let (largest, all) = (*mapped.iter().max().unwrap(), mapped.iter().sum::<u64>());
    let shared = number(shared, "/bytes");
    assert!(all > 3 * largest, "they do share: {mapped:?}");
    assert!(shared >= largest && shared < largest + largest / 2, "{shared} of {mapped:?}");
    assert!(sum("/private") < rss && rss < sum("/rss"), "{report}");
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_member_that_ends_is_none_any_more_and_a_recording_of_all_says_the_same() {
    let scene = Scene::new();
    let mut postgres = Postgres::start(&scene, Suite::Bookworm);
    let gone = postgres.another(&scene, "gone");
    let (backend, file) = (gone.backend(), scene.name("family.rec"));
    postgres.prepare(0..1_000);
    drop(gone);
    wait_until("the server lets go of the session", PATIENCE, || {
        !fs::exists(format!("/proc/{backend}")).unwrap()
    });
    let looked = look(&scene, postgres.postmaster(), &["--record", &file]).well().stdout;
    let report = json(&looked);
    assert!(rows(&report, "/members").iter().all(|member| member["pid"] != backend));
    let replayed = scene.audit(["replay", &file, "-f", "json"]).well().stdout;
    assert_eq!(looked, replayed);
    let part = scene.audit(["replay", &file, "-f", "json", "--from", "1ms"]).well().stdout;
    let part = json(&part);
    assert_eq!(part["maps"], report["maps"], "nothing of a family is left out");
    let page = scene.audit(["replay", &file]).well().stdout;
    assert!(page.contains("Members (") && page.contains(&postgres.backend().to_string()), "{page}");
    assert_eq!(text(&report, "/window/ended"), "one_look");
}
