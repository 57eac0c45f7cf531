//! Where things are in this repository, and who runs us.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// The repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("a member of the workspace lies below its root").to_owned()
}

/// Everything that can be made again.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Where tools of our own are installed, so that the user's stay as they are.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// The BPF object, where the auditor's build script looks for it.
pub(crate) fn object() -> PathBuf {
    target().join("ebpf").join("auditor.bpf.o")
}

/// A program of the release build.
pub(crate) fn released(program: &str) -> PathBuf {
    target().join("release").join(program)
}

/// The cargo that runs us, for the host's crates.
///
/// The target directory is fixed because we promise where the programs will be. The build script
/// finds the object at its usual place; an environment that says otherwise would make every change
/// between `cargo build` and `cargo xtask build` a rebuild.
pub(crate) fn cargo(verb: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).arg(verb).arg("--target-dir").arg(target());
    for name in ["CARGO_BUILD_TARGET", "AUDITOR_EBPF_OBJECT", "AUDITOR_SKIP_EBPF"] {
        command.env_remove(name);
    }
    command
}

/// The check of the format, which knows no target directory.
pub(crate) fn cargo_fmt_check() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).args(["fmt", "--all", "--check"]);
    command
}

/// Whether we are root, by the effective user id in `/proc/self/status`.
pub(crate) fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| effective_user(&status) == Some(0))
}

/// Stops with the one command to run unless we are root.
pub(crate) fn require_root(verb: &str, why: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    bail!("{why}, which needs root. Run:\n\n    sudo -E env PATH=$PATH cargo xtask {verb}\n")
}

/// The second number of the line `Uid: real effective saved filesystem`.
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_user_counts_and_not_the_real_one() {
        assert_eq!(effective_user("Name:\tx\nUid:\t1000\t0\t0\t0\n"), Some(0));
        assert_eq!(effective_user("Name:\tx\n"), None);
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
    }
}
