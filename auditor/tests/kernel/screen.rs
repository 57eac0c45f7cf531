//! The live screen in a real terminal, by tmux: what it shows, and that it leaves the terminal as it was.

use std::fs;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd;

use auditor::render::style::Style;
use auditor::tui::Screen;

use crate::harness::terminal::Terminal;
use crate::harness::{PATIENCE, Process, Scene, auditor, json, number, rows, wait_until};

fn command(target: &Process) -> String {
    let program = auditor().get_program().to_str().unwrap().to_owned();
    format!("clear; {program} attach -p {} --min-bytes 0; echo status $?", target.pid())
}

/// A target with a map of a known name, long enough.
fn target(scene: &Scene) -> Process {
    let mut target = scene.demo(&["grow", "--entries", "50000", "--hold", "60"]);
    target.wait_to_say("holds");
    target
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_screen_shows_the_map_and_q_gives_the_terminal_back() {
    let scene = Scene::new();
    let target = target(&scene);
    let terminal = Terminal::new(&scene, 80, 24);
    terminal.run(&command(&target));
    terminal.wait_to_show("orders");
    assert!(terminal.is_taken());
    assert!(terminal.shown().contains("target-demo"), "{}", terminal.shown());
    terminal.press(&["q"]);
    terminal.wait_to_show("status 0");
    terminal.assert_restored();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_terminal_of_20_by_5_is_no_reason_to_fall_over() {
    let scene = Scene::new();
    let target = target(&scene);
    let terminal = Terminal::new(&scene, 20, 5);
    terminal.run(&command(&target));
    wait_until("the screen is up", PATIENCE, || terminal.is_taken());
    std::thread::sleep(Duration::from_millis(300));
    let shown = terminal.shown();
    assert!(shown.contains("RSS") && shown.contains("too small"), "{shown}");
    terminal.press(&["q"]);
    terminal.wait_to_show("status 0");
    terminal.assert_restored();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn sigterm_and_the_end_of_the_target_give_the_terminal_back_too() {
    for kill_the_agent in [true, false] {
        let scene = Scene::new();
        let target = target(&scene);
        let terminal = Terminal::new(&scene, 80, 24);
        let program = auditor().get_program().to_str().unwrap().to_owned();
        terminal.run(&format!(
            "clear; {program} attach -p {} & echo $! > {}; fg; echo status $?",
            target.pid(),
            scene.name("pid")
        ));
        terminal.wait_to_show("orders");
        if kill_the_agent {
            let pid = fs::read_to_string(scene.path("pid")).unwrap();
            kill(unistd::Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGTERM).unwrap();
        } else {
            drop(target);
        }
        terminal.wait_to_show("status 0");
        terminal.assert_restored();
    }
}

/// A connection breaks, a window is closed: nobody will press `q`. The agent must not stay behind, with its
/// probes in the target and a thread that reads a dead terminal.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_terminal_that_is_closed_ends_the_agent_and_takes_the_probes_out() {
    let scene = Scene::new();
    let target = target(&scene);
    let site = target.address_of("demo_map_grow");
    let before: [u8; 1] = target.bytes(site);
    let terminal = Terminal::new(&scene, 80, 24);
    terminal.run(&command(&target));
    terminal.wait_to_show("orders");
    assert_ne!(target.bytes::<1>(site), before);
    let agents = terminal.started();
    assert_eq!(agents.len(), 1);
    terminal.hang_up();
    let gone = || !fs::exists(format!("/proc/{}", agents[0])).unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(5);
    while !gone() && std::time::Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    let ended = gone();
    if !ended {
        kill(agents[0], Signal::SIGKILL).unwrap();
    }
    assert!(ended, "the agent outlives its terminal");
    assert_eq!(target.bytes::<1>(site), before);
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn no_size_of_the_terminal_is_too_much_for_it() {
    let scene = Scene::new();
    let target = target(&scene);
    let terminal = Terminal::new(&scene, 120, 40);
    terminal.run(&command(&target));
    terminal.wait_to_show("orders");
    terminal.press(&["Enter"]);
    for size in [(80, 24), (20, 5), (200, 60), (1, 1), (300, 3), (2, 90), (120, 40)] {
        let (columns, lines) = (size.0.to_string(), size.1.to_string());
        terminal.tmux(&["resize-window", "-x", &columns, "-y", &lines]);
        std::thread::sleep(Duration::from_millis(150));
        assert!(terminal.is_taken(), "{size:?} ended it");
    }
    terminal.wait_to_show("life of orders");
    terminal.press(&["Escape"]);
    terminal.wait_to_show("q quit");
    terminal.press(&["q"]);
    terminal.wait_to_show("status 0");
    terminal.assert_restored();
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn every_pane_opens_the_past_is_shown_and_what_is_seen_is_written_to_a_file() {
    let scene = Scene::new();
    let target = target(&scene);
    let terminal = Terminal::new(&scene, 120, 40);
    terminal.run(&format!("cd {}", scene.name("")));
    terminal.run(&command(&target));
    terminal.wait_to_show("orders");
    for (key, words) in [
        ("Enter", "life of orders"),
        ("f", "findings, the worst first"),
        ("?", "auditor explain"),
        ("c", "columns"),
    ] {
        terminal.press(&[key]);
        terminal.wait_to_show(words);
        terminal.press(&["Escape"]);
        terminal.wait_to_show("q quit");
    }
    terminal.wait_to_show("LIVE");
    std::thread::sleep(Duration::from_secs(2));
    terminal.press(&["Left"]);
    terminal.wait_to_show("PAST");
    terminal.press(&["w"]);
    terminal.wait_to_show("written: auditor-");
    let files = fs::read_dir(scene.path("")).unwrap().map(|file| file.unwrap().path());
    let mut written = files.filter(|file| file.extension().is_some_and(|it| it == "json"));
    let report = json(&fs::read_to_string(written.next().unwrap()).unwrap());
    assert_eq!(number(&report, "/target/pid"), u64::from(target.pid()));
    assert_eq!(rows(&report, "/maps")[0]["name"], "orders");
    terminal.press(&["p"]);
    terminal.wait_to_show("LIVE");
    terminal.press(&["/", "n", "o", "n", "e", "Enter"]);
    wait_until("the map is filtered out", PATIENCE, || !terminal.shown().contains("orders  "));
    terminal.press(&["Escape"]);
    terminal.wait_to_show("orders");
    terminal.press(&["q"]);
    terminal.wait_to_show("status 0");
    terminal.assert_restored();
}

/// Whether it is run by itself, in a terminal.
const PANICS: &str = "AUDITOR_TEST_PANICS";

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_panic_gives_the_terminal_back() {
    if std::env::var_os(PANICS).is_some() {
        let _screen = Screen::open(Style::Plain).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        panic!("on purpose");
    }
    let scene = Scene::new();
    let terminal = Terminal::new(&scene, 80, 24);
    let own = std::env::current_exe().unwrap();
    let name = "screen::a_panic_gives_the_terminal_back";
    terminal.run(&format!(
        "clear; RUST_BACKTRACE=0 {PANICS}=1 {} --ignored --exact --nocapture {name}; echo status $?",
        own.display()
    ));
    wait_until("the screen is up", PATIENCE, || terminal.is_taken());
    terminal.wait_to_show("status 101");
    assert!(terminal.shown().contains("on purpose"), "{}", terminal.shown());
    terminal.assert_restored();
}
