//! Builds the Go programs of `fixtures/go/` and talks to them. Which releases are there is told by
//! `cargo xtask test`, which also gets them.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::{Process, Scene, json};

/// What the fixture waits for at most.
const PATIENCE: Duration = Duration::from_secs(120);

/// A Go toolchain.
#[derive(Clone, Debug)]
pub(crate) struct Go {
    /// Such as `1.27`.
    pub(crate) release: String,
    root: PathBuf,
}

/// How the program is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variant {
    /// As it comes.
    Plain,
    /// Without symbols and debug information.
    Stripped,
    /// Position independent, and without symbols.
    Pie,
    /// Linked with C, and without symbols.
    Cgo,
    /// Optimised by a profile of itself.
    Pgo,
    /// To be loaded by another program.
    Plugin,
}

/// All that are programs.
pub(crate) const VARIANTS: [Variant; 5] =
    [Variant::Plain, Variant::Stripped, Variant::Pie, Variant::Cgo, Variant::Pgo];

/// Every toolchain that was asked for.
pub(crate) fn toolchains() -> Vec<Go> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/go");
    let folder = std::env::var_os("AUDITOR_GO_FOLDER").map_or(folder, PathBuf::from);
    let releases = std::env::var("AUDITOR_GO_RELEASES").unwrap_or_else(|_| "1.19,1.23,1.24,1.27".to_owned());
    let found = releases.split(',').map(|release| {
        let root = folder.join(release);
        assert!(root.join("bin/go").is_file(), "Go {release} is missing: cargo xtask setup gets it");
        Go { release: release.to_owned(), root }
    });
    found.collect()
}

impl Go {
    /// The number behind `1.`.
    pub(crate) fn minor(&self) -> u32 {
        self.release.strip_prefix("1.").unwrap().parse().unwrap()
    }

    /// Whether its maps are Swiss tables.
    pub(crate) fn is_swiss(&self) -> bool {
        self.minor() >= 24
    }

    /// Whether it can build that.
    pub(crate) fn offers(&self, variant: Variant) -> bool {
        variant != Variant::Pgo || self.minor() >= 21
    }

    /// One of its tools; nothing is asked of the network.
    pub(crate) fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.root.join("bin/go"));
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        command.args(["tool", name]).current_dir(tmp).stdin(Stdio::null());
        command.env("GOCACHE", tmp.join("go-cache")).env("GOPATH", tmp.join("go-path"));
        command.env("PPROF_TMPDIR", tmp).env("GOTOOLCHAIN", "local").env("GOPROXY", "off");
        command
    }

    /// The program, built once for all tests.
    pub(crate) fn build(&self, variant: Variant) -> PathBuf {
        self.build_of("go", variant, &[])
    }

    /// The program in that folder of the fixtures, likewise, with more environment (`NAME=VALUE`).
    pub(crate) fn build_of(&self, folder: &str, variant: Variant, environment: &[(&str, &str)]) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/fixtures").join(folder);
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go");
        fs::create_dir_all(&built).unwrap();
        let apart: String = environment.iter().map(|(_, value)| format!("-{value}")).collect();
        let name = format!("{folder}-{}-{variant:?}{apart}-{:016x}", self.release, hash(&source));
        let program = built.join(name);
        if !program.is_file() {
            self.compile(&source, variant, environment, &program);
        }
        program
    }

    fn compile(&self, source: &Path, variant: Variant, environment: &[(&str, &str)], program: &Path) {
        let half = program.with_extension(std::process::id().to_string());
        let mut command = Command::new(self.root.join("bin/go"));
        command.current_dir(source).args(["build", "-o"]).arg(&half);
        match variant {
            Variant::Plain => {}
            Variant::Stripped => _ = command.arg("-ldflags=-s -w"),
            Variant::Pie => _ = command.args(["-buildmode=pie", "-ldflags=-s -w"]),
            Variant::Cgo => _ = command.args(["-tags=withc", "-ldflags=-s -w"]),
            Variant::Plugin => _ = command.arg("-buildmode=plugin"),
            Variant::Pgo => _ = command.arg("-pgo").arg(self.profile(&self.build(Variant::Plain))),
        }
        let cgo = if matches!(variant, Variant::Cgo | Variant::Plugin) { "1" } else { "0" };
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        command
            .env("CGO_ENABLED", cgo)
            .env("GOCACHE", tmp.join("go-cache"))
            .env("GOPATH", tmp.join("go-path"));
        command
            .envs(environment.iter().copied())
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
        fs::rename(half, program).unwrap();
    }

    /// A profile of map-heavy work.
    fn profile(&self, plain: &Path) -> PathBuf {
        let mut profile = plain.as_os_str().to_owned();
        profile.push(".pprof");
        let profile = PathBuf::from(profile);
        if !profile.is_file() {
            let scene = Scene::new();
            let mut program = Program::start(&scene, plain, &["grow"]);
            program.ask(&format!("profile {}", profile.display()));
        }
        profile
    }
}

/// Changes when any file of the program changes.
fn hash(source: &Path) -> u64 {
    let mut files: Vec<PathBuf> = fs::read_dir(source).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    files.iter().for_each(|file| fs::read(file).unwrap().hash(&mut hasher));
    hasher.finish()
}

/// The program, running.
#[derive(Debug)]
pub(crate) struct Program {
    process: Process,
    output: PathBuf,
    answers: usize,
    /// What it said about itself once it was ready.
    pub(crate) truth: Value,
}

impl Program {
    /// Starts it and waits until it is ready.
    pub(crate) fn start(scene: &Scene, program: &Path, args: &[&str]) -> Self {
        Self::start_with(scene, Command::new(program).args(args))
    }

    /// The same with an environment.
    pub(crate) fn start_with(scene: &Scene, command: &mut Command) -> Self {
        let process = scene.start("go", command.stdin(Stdio::piped()));
        let mut started = Self { output: scene.path("go.out"), process, answers: 0, truth: Value::Null };
        started.answer();
        started.truth = started.answer();
        started
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Says something and waits for the answer.
    pub(crate) fn ask(&mut self, command: &str) -> Value {
        self.tell(command);
        self.answer()
    }

    /// Says something.
    pub(crate) fn tell(&mut self, command: &str) {
        self.process.tell(command);
    }

    /// Waits for the next line.
    pub(crate) fn answer(&mut self) -> Value {
        let mut line = None;
        super::wait_until("the Go program answers", PATIENCE, || {
            let said = fs::read_to_string(&self.output).unwrap_or_default();
            let whole = said.rfind('\n').map_or("", |end| &said[..end]);
            line = whole.lines().nth(self.answers).map(str::to_owned);
            line.is_some()
        });
        self.answers += 1;
        json(&line.unwrap())
    }
}
