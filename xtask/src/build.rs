//! `cargo xtask build`: the BPF object, then the programs with it inside.
//!
//! The object has a target directory of its own, so the two builds never wait for each other's lock,
//! and an environment of its own, so that flags meant for the host do not reach it. The reasons for
//! building it here and not in the auditor's build script are in docs/decisions/0001.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::toolchain::{Toolchain, llvm};
use crate::{process, say, setup, workspace};

/// The BPF target of little-endian machines.
const TARGET: &str = "bpfel-unknown-none";

/// What must not reach the build of the object.
const HOST_ONLY: [&str; 13] = [
    "CARGO",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
];

/// Build the BPF object and the programs.
#[derive(Args, Debug)]
pub(crate) struct Build {
    /// Build the programs without optimisation, into target/debug. The BPF object stays the same
    #[arg(long)]
    debug: bool,
}

impl Build {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        object(&setup::ensure()?)?;
        host(self.debug)?;
        let folder = workspace::target().join(if self.debug { "debug" } else { "release" });
        for program in ["auditor", "target-demo"] {
            say::result(folder.join(program).display());
        }
        Ok(())
    }
}

/// Else the linker tells LLVM to leave what fills memory to functions that go byte by byte: 80 turns of
/// a loop for each hit that is sent, 208 with a header, and for the verifier 1,549 instructions more.
const INLINE_MEMSET: &str = "link-arg=--disable-expand-memcpy-in-order";

/// Builds everything for release.
pub(crate) fn release() -> Result<()> {
    object(&setup::ensure()?)?;
    host(false)
}

/// Builds the object and puts it where the auditor's build script looks for it.
pub(crate) fn object(toolchain: &Toolchain) -> Result<()> {
    let folder = workspace::target().join("ebpf");
    process::loud(&mut command(toolchain, &folder)).context("building the BPF programs")?;
    let built = folder.join(TARGET).join("release").join("auditor-ebpf");
    let object = workspace::object();
    let built = without_dwarf(built, toolchain.compiler.llvm)?;
    if place(&built, &object)? {
        say::note(format_args!("the BPF object: {}", object.display()));
    }
    Ok(())
}

/// The linker makes BTF out of DWARF and leaves both in: nine tenths of the object, which each start
/// of the auditor would read past. Where LLVM's strip is not at hand they stay.
fn without_dwarf(built: PathBuf, llvm: u32) -> Result<PathBuf> {
    let strip = llvm::prefix(llvm).map(|prefix| prefix.join("bin").join("llvm-strip"));
    let Some(strip) = strip.filter(|strip| strip.exists()) else { return Ok(built) };
    let stripped = built.with_extension("stripped");
    if modified(&stripped) < modified(&built) {
        let mut command = Command::new(strip);
        process::loud(command.args(["--strip-debug", "-o"]).args([&stripped, &built]))?;
    }
    Ok(stripped)
}

/// The programs, with the object inside.
fn host(debug: bool) -> Result<()> {
    let mut command = workspace::cargo("build");
    command.arg("--workspace");
    if !debug {
        command.arg("--release");
    }
    process::loud(&mut command)
}

/// The compiler's own cargo and rustc are named, not rustup's proxies: what is used is what was
/// looked at. `RUSTC_BOOTSTRAP` lets any release build core; a nightly takes no notice of it.
fn command(toolchain: &Toolchain, folder: &Path) -> Command {
    let Toolchain { compiler, linker } = toolchain;
    let mut command = Command::new(&compiler.cargo);
    command.current_dir(workspace::root());
    for name in HOST_ONLY {
        command.env_remove(name);
    }
    let linker = format!("linker={}", linker.path.display());
    let flags =
        ["-C", "debuginfo=2", "-C", "link-arg=--btf", "-C", INLINE_MEMSET, "-C", &linker].join("\u{1f}");
    command
        .args(["build", "--release", "--locked", "-Z", "build-std=core", "--target", TARGET])
        .args(["-p", "auditor-ebpf", "--bins", "--features", "programs"])
        .arg("--target-dir")
        .arg(folder)
        .env("RUSTC", &compiler.rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", flags);
    if let Some(color) = env::var_os("CARGO_TERM_COLOR") {
        command.env("CARGO_TERM_COLOR", color);
    }
    command
}

/// Puts the object in its place in one go, so that a reader sees the old one or the new one. An object
/// that has not been made anew stays as it is, and with it everything that was built from it. Says
/// whether it was put there.
fn place(built: &Path, object: &Path) -> Result<bool> {
    let made = modified(built).with_context(|| format!("{} was not made", built.display()))?;
    let placed = modified(object);
    if placed.is_some_and(|placed| placed >= made) && fs::read(built)? == fs::read(object)? {
        return Ok(false);
    }
    let half = object.with_extension("half");
    fs::copy(built, &half).with_context(|| format!("writing {}", half.display()))?;
    fs::rename(&half, object).with_context(|| format!("writing {}", object.display()))?;
    Ok(true)
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|about| about.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_was_not_made_anew_is_not_touched() {
        let folder = env::temp_dir().join(format!("xtask-place-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (built, object) = (folder.join("built"), folder.join("object"));
        fs::write(&built, "one").unwrap();
        assert!(place(&built, &object).unwrap());
        assert!(!place(&built, &object).unwrap());
        fs::write(&built, "two").unwrap();
        assert!(place(&built, &object).unwrap());
        assert_eq!(fs::read(&object).unwrap(), b"two");
        fs::remove_dir_all(&folder).unwrap();
    }
}
