//! Which allocator a process has, by the files that it executes.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::go::{Program, Variant, toolchains};
use crate::harness::{Scene, demo, json};

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
