//! Which allocator a process has, by the files that it executes.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::described::program::source;
use crate::harness::go::{Program, Variant, toolchains};
use crate::harness::{PATIENCE, Process, Scene, demo, json, number, wait_until};

fn allocator(scene: &Scene, pid: u32) -> Value {
    let report = json(&scene.audit(["census", "-p", &pid.to_string(), "-f", "json"]).well().stdout);
    report.pointer("/target/allocator").unwrap().clone()
}

/// A library that exports one function of that name, as the allocator's does.
fn library(scene: &Scene, function: &str) -> String {
    let (source, library) = (scene.path("library.c"), scene.name("library.so"));
    std::fs::write(&source, format!("void {function}(void) {{}}\n")).unwrap();
    let status =
        Command::new("gcc").args(["-shared", "-fPIC", "-o", &library]).arg(&source).status().unwrap();
    assert!(status.success(), "gcc: {status}");
    library
}

/// Of a demo that has this library before all others.
fn of_demo_with(scene: &Scene, preloaded: Option<&str>) -> Value {
    let mut command = Command::new(demo());
    command.args(["steady", "--entries", "1000", "--hold", "60", "--truth"]).arg(scene.path("truth"));
    command.envs(preloaded.map(|library| ("LD_PRELOAD", library))).stdin(Stdio::piped());
    let mut target = scene.start("demo", &mut command);
    target.wait_to_say("holds its maps");
    let found = allocator(scene, target.pid());
    target.end_by(Signal::SIGTERM).well();
    found
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn an_allocator_is_told_by_its_library_and_goes_before_that_of_the_c_library() {
    let scene = Scene::new();
    assert_eq!(of_demo_with(&scene, None), "glibc");
    for (function, name) in [
        ("mallctl", "jemalloc"),
        ("MallocExtension_ReleaseFreeMemory", "tcmalloc"),
        ("mi_collect", "mimalloc"),
    ] {
        let library = library(&scene, function);
        assert!(Path::new(&library).is_file());
        assert_eq!(of_demo_with(&scene, Some(&library)), name);
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_go_program_has_one_only_with_a_c_library() {
    let go = toolchains().pop().unwrap();
    for (variant, expected) in [(Variant::Plain, Value::Null), (Variant::Cgo, "glibc".into())] {
        let scene = Scene::new();
        let program = Program::start(&scene, &go.build(variant), &["grow"]);
        assert_eq!(allocator(&scene, program.pid()), expected, "{variant:?}");
    }
}

/// The program, and what `mallinfo2` says of it.
fn with_arenas(scene: &Scene, what: &str) -> (Process, Value) {
    let (program, source) = (scene.path("arenas"), source("arenas.c"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-O2", "-Wall", "-Werror", "-pthread", "-o"]).arg(&program).arg(source);
    assert!(gcc.status().unwrap().success());
    let target = scene.start(what, Command::new(program).arg(what).stdin(Stdio::piped()));
    wait_until("it has said what it has", PATIENCE, || target.stdout().ends_with('\n'));
    let said = json(&target.stdout());
    (target, said)
}

fn arenas(report: &Value) -> &Value {
    report.pointer("/memory/arenas").unwrap()
}

/// Without a symbol of the C library, and to the byte.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn what_glibc_has_and_has_free_is_what_it_says_itself() {
    let profile = source("arenas.toml");
    let profile = profile.to_str().unwrap();
    for (what, several) in [("small", false), ("sizes", false), ("threads", true)] {
        let scene = Scene::new();
        let (mut target, said) = with_arenas(&scene, what);
        let pid = target.pid().to_string();
        let asked = ["-p", &pid, "--runtime", profile, "-f", "json"];
        let looked = json(&scene.audit(["census"].iter().chain(&asked)).well().stdout);
        let file = scene.name("arenas.rec");
        let followed =
            scene.audit(["attach", "--duration", "2s", "--record", &file].iter().chain(&asked)).well();
        for report in [&looked, &json(&followed.stdout)] {
            let arenas = arenas(report);
            let [top, fast, binned] = ["/top", "/fast", "/binned"].map(|field| number(arenas, field));
            assert_eq!(arenas["whole"], true, "{arenas} {said}");
            assert_eq!(number(arenas, "/system"), number(&said, "/system"), "{what}: {arenas} {said}");
            assert_eq!(top + fast + binned, number(&said, "/free"), "{what}: {arenas} {said}");
            assert_eq!(fast, number(&said, "/fast"), "{what}: {arenas} {said}");
            assert_eq!(number(arenas, "/count") > 1, several, "{what}: {arenas}");
            assert!(
                several && top > number(&said, "/top") || top == number(&said, "/top"),
                "{arenas} {said}"
            );
        }
        assert_eq!(scene.audit(["replay", &file, "-f", "json"]).well().stdout, followed.stdout);
        target.hang_up();
        target.end_by_itself().well();
    }
}
