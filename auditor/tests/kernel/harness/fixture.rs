//! The C programs of `fixtures/`: what there is, and how each is built with gcc.
//!
//! A machine without gcc brings them with it: what [`every_fixture_builds`] put into the folder that
//! `AUDITOR_TEST_FIXTURES` names is taken from there.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Scene;

/// Names a folder: programs are taken from there, and are not built.
const BUILT: &str = "AUDITOR_TEST_FIXTURES";
/// Names a folder: [`every_fixture_builds`] leaves the programs there.
const BUILD_INTO: &str = "AUDITOR_TEST_FIXTURES_INTO";

/// A program of `fixtures/`.
#[derive(Debug)]
pub(crate) struct Fixture {
    /// What it is called.
    name: &'static str,
    /// The file that it is built from, without `.c`.
    source: &'static str,
    /// What gcc is told besides the usual.
    flags: &'static [&'static str],
}

pub(crate) const CALLS: Fixture =
    Fixture { name: "calls", source: "calls", flags: &["-static", "-nostdlib", "-fno-stack-protector"] };
pub(crate) const CAPTURES: Fixture = Fixture { name: "captures", source: "captures", flags: &["-no-pie"] };
pub(crate) const HELD: Fixture = Fixture { name: "held", source: "held", flags: &[] };
pub(crate) const HERD: Fixture = Fixture { name: "herd", source: "herd", flags: &["-pthread"] };
/// Its functions begin with a nop of 5 bytes.
pub(crate) const HERD_ON_NOP5: Fixture = Fixture {
    name: "herd-on-nop5",
    source: "herd",
    flags: &["-pthread", "-DFIRST=\".byte 0x0f, 0x1f, 0x44, 0, 0\""],
};
pub(crate) const HOSTILE: Fixture = Fixture { name: "hostile", source: "hostile", flags: &[] };
pub(crate) const HOT: Fixture = Fixture { name: "hot", source: "hot", flags: &[] };
pub(crate) const RSS: Fixture = Fixture { name: "rss", source: "rss", flags: &[] };

const ALL: [&Fixture; 8] = [&CALLS, &CAPTURES, &HELD, &HERD, &HERD_ON_NOP5, &HOSTILE, &HOT, &RSS];

impl Fixture {
    /// Builds it into a folder.
    fn build(&self, folder: &Path) -> PathBuf {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/fixtures").join(self.source);
        let program = folder.join(self.name);
        let built = Command::new("gcc")
            .args(["-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fno-omit-frame-pointer"])
            .arg("-o")
            .args([&program, &source.with_extension("c")])
            .args(self.flags)
            .output()
            .expect("the kernel tier builds small C programs: it needs gcc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        program
    }
}

impl Scene {
    /// The program, ready to run.
    pub(crate) fn fixture(&self, fixture: &Fixture) -> PathBuf {
        let Some(folder) = env::var_os(BUILT) else { return fixture.build(&self.path("")) };
        let program = Path::new(&folder).join(fixture.name);
        assert!(program.is_file(), "{} was not brought along", program.display());
        program
    }
}

#[test]
#[ignore = "needs gcc: cargo xtask test"]
fn every_fixture_builds() {
    let scene = Scene::new();
    let folder = env::var_os(BUILD_INTO).map_or(scene.path(""), PathBuf::from);
    for fixture in ALL {
        assert!(fixture.build(&folder).is_file(), "{fixture:?}");
    }
}
