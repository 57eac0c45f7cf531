//! Programs of `fixtures/described/`: built once, then told one step a line, each of which is answered by a line of
//! JSON that tells what the maps say of themselves.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{PATIENCE, Process, Scene, json, number, rows, text, wait_until};

/// Kinds of programs, by the library whose maps they use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// C++ with libstdc++.
    Unordered,
    /// Rust, as it is delivered: optimised as one, nothing unwound.
    Hashbrown,
    /// C with GLib.
    Glib,
    /// C++ with Abseil.
    Abseil,
}

/// A program that answers.
#[derive(Debug)]
pub(crate) struct Program {
    process: Process,
    output: PathBuf,
    answers: usize,
    /// What it said last.
    pub(crate) said: Value,
}

/// The file of that name among the fixtures.
pub(crate) fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/fixtures/described").join(name)
}

impl Kind {
    fn source(self) -> PathBuf {
        source(match self {
            Self::Unordered => "unordered.cpp",
            Self::Hashbrown => "hashbrown.rs",
            Self::Glib => "glib.c",
            Self::Abseil => "abseil.cpp",
        })
    }

    fn compiler(self, program: &Path) -> Command {
        let mut command = Command::new(match self {
            Self::Unordered | Self::Abseil => "g++",
            Self::Hashbrown => "rustc",
            Self::Glib => "gcc",
        });
        command.args(match self {
            Self::Unordered | Self::Abseil => &["-std=c++17", "-O2", "-Wall"][..],
            Self::Hashbrown => {
                &["--edition=2024", "-Copt-level=3", "-Clto=fat", "-Ccodegen-units=1", "-Cpanic=abort"]
            }
            Self::Glib => &["-std=gnu11", "-O2", "-Wall", "-Werror"],
        });
        command.arg(self.source()).arg("-o").arg(program);
        match self {
            Self::Unordered | Self::Hashbrown => {}
            Self::Glib => _ = command.args(flags(&["glib-2.0"])),
            Self::Abseil => {
                _ = command.args(flags(&["absl_flat_hash_map", "absl_hash", "absl_raw_hash_set"]))
            }
        }
        command
    }

    /// The program, built once for all tests.
    pub(crate) fn build(self) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        fs::read(self.source()).unwrap().hash(&mut hasher);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("described");
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join(format!("{self:?}-{:016x}", hasher.finish()).to_lowercase());
        if !program.is_file() {
            let half = program.with_extension(std::process::id().to_string());
            let mut compiler = self.compiler(&half);
            let built = compiler
                .current_dir(&folder)
                .output()
                .unwrap_or_else(|error| panic!("{compiler:?}: {error}"));
            assert!(built.status.success(), "{compiler:?}\n{}", String::from_utf8_lossy(&built.stderr));
            fs::rename(half, &program).unwrap();
        }
        program
    }
}

/// What pkg-config says is needed for these libraries.
fn flags(libraries: &[&str]) -> Vec<String> {
    let said = Command::new("pkg-config").args(["--cflags", "--libs"]).args(libraries).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    String::from_utf8(said.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

impl Program {
    /// Starts one that is built here.
    pub(crate) fn start(scene: &Scene, kind: Kind) -> Self {
        Self::start_with(scene, &mut Command::new(kind.build()))
    }

    /// Starts one.
    pub(crate) fn start_with(scene: &Scene, command: &mut Command) -> Self {
        let process = scene.start("program", command.stdin(Stdio::piped()));
        let mut started = Self { output: scene.path("program.out"), process, answers: 0, said: Value::Null };
        started.answer();
        started
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Tells it one step, and waits until it is done.
    pub(crate) fn ask(&mut self, step: &str) -> &Value {
        self.process.tell(step);
        self.answer()
    }

    fn answer(&mut self) -> &Value {
        let mut line = None;
        wait_until("the program answers", PATIENCE, || {
            let ended = self.process.has_ended();
            let said = fs::read_to_string(&self.output).unwrap_or_default();
            let whole = said.rfind('\n').map_or("", |end| &said[..end]);
            line = whole.lines().nth(self.answers).map(str::to_owned);
            assert!(line.is_some() || !ended, "it ended: {}", self.process.stderr());
            line.is_some()
        });
        self.answers += 1;
        self.said = json(&line.unwrap());
        &self.said
    }

    /// The maps as it told of them last.
    pub(crate) fn maps(&self) -> &[Value] {
        rows(&self.said, "/maps")
    }
}

/// Where a map of a truth is.
pub(crate) fn address(map: &Value) -> u64 {
    u64::from_str_radix(text(map, "/address").trim_start_matches("0x"), 16).unwrap()
}

/// How many entries it has.
pub(crate) fn live(map: &Value) -> u64 {
    number(map, "/live")
}
