//! How long it takes from a growth in the target to its mark on the screen.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::harness::terminal::Terminal;
use crate::harness::{Scene, auditor, json, number, rows};

/// The promise, for the median.
const PROMPT: u64 = 150_000_000;
/// Of growths that are measured: the first ones follow each other faster than anybody could see.
const LEAST: usize = 8;

/// CLOCK_BOOTTIME, the clock of all facts.
fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap();
    time.tv_sec().cast_unsigned() * 1_000_000_000 + time.tv_nsec().cast_unsigned()
}

/// How many growths the chart has marks of.
fn marked(screen: &str) -> usize {
    let row = screen.lines().find_map(|line| line.trim_start().strip_prefix("growths "));
    let marks = row.unwrap_or_default().chars().filter(|mark| !mark.is_whitespace());
    let each = marks.map(|mark| match mark {
        '▲' => 1,
        more => more.to_digit(10).unwrap_or_else(|| panic!("too many in one place: {screen}")) as usize,
    });
    each.sum()
}

#[test]
fn a_mark_is_one_growth_and_a_digit_several() {
    assert_eq!(marked("    growths  ▲ 3  ▲\n  gives back  ▼"), 5);
    assert_eq!(marked("nothing yet"), 0);
}

/// The recording says when each growth began, by the clock of the kernel side; the screen is looked at again and
/// again, and what a look takes is counted against it.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_growth_is_on_the_screen_before_anybody_could_wonder() {
    let scene = Scene::new();
    let mut target = scene.waiting_demo(&["grow", "--entries", "60000", "--rate", "120000", "--hold", "60"]);
    let terminal = Terminal::new(&scene, 120, 40);
    let program = auditor().get_program().to_str().unwrap().to_owned();
    let (pid, recording) = (target.pid(), scene.name("a.rec"));
    terminal.run(&format!("clear; {program} attach -p {pid} --record {recording}; echo status $?"));
    terminal.wait_to_show("LIVE");
    target.tell("go");
    let mut seen: Vec<u64> = Vec::new();
    let mut looks = 0_u32;
    while !target.stderr().contains("holds") {
        let marks = marked(&terminal.shown());
        seen.resize(marks.max(seen.len()), now());
        looks += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
    terminal.press(&["q"]);
    terminal.wait_to_show("status 0");
    let replay = scene.start("replay", auditor().args(["replay", &recording, "-f", "json"]));
    let report = json(&replay.end_by_itself().well().stdout);
    let mut began: Vec<u64> =
        rows(&report, "/episodes").iter().map(|growth| number(growth, "/start")).collect();
    began.sort_unstable();
    let mut took: Vec<u64> = seen.iter().zip(&began).map(|(seen, began)| seen - began).collect();
    println!(
        "{looks} looks; ms from growth to mark: {:?}",
        took.iter().map(|ns| ns / 1_000_000).collect::<Vec<_>>()
    );
    assert!(took.len() >= LEAST && took.len() + 1 >= began.len(), "{} of {}", took.len(), began.len());
    took.sort_unstable();
    let median = took[took.len() / 2];
    assert!(median < PROMPT, "{} ms", median / 1_000_000);
}
