//! docs/describe-your-map.md, done as it says: its program is built, its profile is tried, and what the auditor tells
//! is what the program says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{PATIENCE, Process, Scene, json, number, rows, text, wait_until};

/// What stands on the page between the lines that begin and end a block of that language.
fn block(language: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/describe-your-map.md");
    let page = fs::read_to_string(path).unwrap();
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0.to_owned()
}

/// The program and the profile of the page, in a folder of their own.
fn made(scene: &Scene, source: &str) -> (PathBuf, String) {
    let (source_file, profile, program) =
        (scene.path("words.c"), scene.path("words.toml"), scene.path("words"));
    fs::write(&source_file, source).unwrap();
    fs::write(&profile, block("toml")).unwrap();
    let built = Command::new("gcc").args(["-O2", "-g", "-o"]).arg(&program).arg(&source_file).status();
    assert!(built.unwrap().success());
    (program, profile.to_str().unwrap().to_owned())
}

/// Address, live entries, slots and bytes, as the program says them.
fn said(program: &Process) -> (String, [u64; 3]) {
    wait_until("it says what it has", PATIENCE, || program.stdout().contains("bytes"));
    let line = program.stdout().lines().find(|line| line.contains("live")).unwrap().to_owned();
    let words: Vec<&str> = line.split_whitespace().collect();
    (words[0].to_owned(), [2, 4, 6].map(|word| words[word].parse().unwrap()))
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_page_on_describing_a_map_does_what_it_says() {
    let scene = Scene::new();
    let (program, profile) = made(&scene, &block("c"));
    let words = scene.audit(["profile", "check", &profile]).well().stdout;
    assert!(words.contains("words-table: words.c") && words.contains("It reads well"), "{words}");

    let mut command = Command::new(&program);
    let mut running = scene.start("words", command.stdin(Stdio::piped()));
    let (address, [live, slots, bytes]) = said(&running);
    let pid = running.pid().to_string();
    let words = scene.audit(["profile", "check", &profile, "-p", &pid]).well().stdout;
    assert!(words.contains("table_grow+0x0") && words.contains(&address), "{words}");
    let report = json(
        &scene
            .audit(["census", "-p", &pid, "--runtime", &profile, "--min-bytes", "0", "-f", "json"])
            .well()
            .stdout,
    );
    let [map] = rows(&report, "/maps") else { panic!("{report}") };
    assert_eq!((text(map, "/address"), text(map, "/runtime")), (address.as_str(), "words-table"));
    assert_eq!([number(map, "/live"), number(map, "/capacity")], [live, slots]);
    assert_eq!(number(map, "/bytes/allocated"), bytes + 32);
    assert_eq!(number(map, "/next_growth/at_live"), slots / 4 * 3);
    running.tell("end");
    running.end_by_itself().well();
}

/// From the first instruction on: every growth, and the tables before and after.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_growth_of_the_pages_program_is_told() {
    let scene = Scene::new();
    let (program, profile) = made(&scene, &block("c").replace("getchar();", ""));
    let program = program.to_str().unwrap();
    let asked = ["run", "--runtime", &profile, "--min-bytes", "0", "-f", "json", "--", program];
    let report = json(&scene.audit(asked).well().stdout);
    let [map] = rows(&report, "/maps") else { panic!("{report}") };
    // 1,024 slots and eleven doublings.
    assert_eq!([number(map, "/growths/double"), number(map, "/tables/allocated")], [11, 12]);
    assert_eq!([number(map, "/live"), number(map, "/capacity")], [1_000_000, 1 << 21]);
    let all: u64 = (10..22).map(|shift| 8 << shift).sum();
    assert_eq!(number(map, "/tables/allocated_bytes"), all);
    assert_eq!(number(map, "/tables/freed_bytes"), all - (8 << 21));
    // The variable was there before its program ran; its tables were not.
    assert_eq!((number(&report, "/coverage/lost"), text(map, "/origin")), (0, "before-attach"));
}

/// A build with another struct is refused by the checks of the profile, and no number of it is told.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_pages_profile_refuses_a_struct_that_was_changed() {
    let scene = Scene::new();
    let moved = block("c").replacen("    uint64_t mask;", "    uint64_t version;\n    uint64_t mask;", 1);
    let (program, profile) = made(&scene, &moved.replace("struct table words;", "struct table words = {7};"));
    let mut command = Command::new(&program);
    let mut running = scene.start("words", command.stdin(Stdio::piped()));
    let _ = said(&running);
    let pid = running.pid().to_string();
    let refused = scene.audit(["census", "-p", &pid, "--runtime", &profile, "-f", "json"]);
    assert!(refused.refused(3, &["not so:"]).stdout.is_empty());
    running.tell("end");
    running.end_by_itself().well();
}
