//! Debian packages: what is installed, what can be, and installing it all at once.

use std::env;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::say::{self, Step};
use crate::{process, workspace};

/// Debian's compiler for its web browsers: newer than the release's own, with its source.
pub(crate) const COMPILER: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// What only the tests and the benchmark need: programs to compare with, an emulator for other kernels, and
/// what programs with hash maps are built of.
pub(crate) const FOR_TESTS: [&str; 10] = [
    "bpftrace",
    "strace",
    "qemu-system-x86",
    "g++",
    "pkg-config",
    "libglib2.0-dev",
    "libabsl-dev",
    "python3-dbg",
    "nodejs",
    "systemtap-sdt-dev",
];

/// What installs packages of PyPI.
pub(crate) const PIP: &str = "python3-pip";

/// What bpf-linker is built with.
pub(crate) fn for_linker(llvm: u32) -> Vec<String> {
    vec![
        format!("llvm-{llvm}-dev"),
        format!("libpolly-{llvm}-dev"),
        "libzstd-dev".to_owned(),
        "zlib1g-dev".to_owned(),
    ]
}

/// Whether packages can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// There is apt, and we are root.
    Usable,
    /// There is apt, but we are not root.
    NotRoot,
    /// This is no Debian.
    NoApt,
}

/// Whether packages can be installed.
pub(crate) fn access() -> Access {
    match (runs(Command::new("apt-get").arg("--version")), workspace::is_root()) {
        (false, _) => Access::NoApt,
        (true, false) => Access::NotRoot,
        (true, true) => Access::Usable,
    }
}

/// Those that are not installed.
pub(crate) fn missing<'a>(packages: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    packages.into_iter().filter(|package| !installed(package)).map(str::to_owned).collect()
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    process::output(query.args(["-W", "-f=${Status}\n", package]))
        .is_ok_and(|said| said.lines().any(|line| line == "install ok installed"))
}

/// Whether apt's lists know the package.
pub(crate) fn known(package: &str) -> bool {
    runs(Command::new("apt-cache").args(["show", "--no-all-versions", package]))
}

/// The LLVM that Debian's compiler comes with, as apt would install it now.
pub(crate) fn compilers_llvm() -> Option<u32> {
    let mut simulation = Command::new("apt-get");
    simulation.args(["install", "--simulate", "--no-install-recommends"]).args(COMPILER);
    llvm_in(&process::output(&mut simulation).ok()?)
}

/// N of the line `Inst libllvmN (...)`.
fn llvm_in(simulation: &str) -> Option<u32> {
    let package = simulation.lines().find_map(|line| line.strip_prefix("Inst libllvm"))?;
    let digits: String = package.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Reads the lists anew.
pub(crate) fn update() -> Result<()> {
    let mut step = say::step("apt-get update: the lists do not know all that is needed");
    process::quiet(Command::new("apt-get").arg("update"), &mut step)?;
    step.done("done");
    Ok(())
}

/// Installs all of them in one go. Lists that are too old for the archive are renewed once.
pub(crate) fn install(packages: &[String]) -> Result<()> {
    let mut step = say::step(format!("apt-get install {}", packages.join(" ")));
    if try_install(packages, &mut step).is_err() {
        update()?;
        try_install(packages, &mut step).context("installing Debian packages")?;
    }
    step.done("installed");
    Ok(())
}

fn try_install(packages: &[String], step: &mut Step) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["install", "-y", "--no-install-recommends"]).args(packages);
    process::quiet(command.env("DEBIAN_FRONTEND", "noninteractive"), step)
}

/// Whether packages of PyPI can be installed.
pub(crate) fn has_pip() -> bool {
    runs(&mut pip(&["--version"]))
}

/// Gets what installs packages of PyPI.
pub(crate) fn ensure_pip() -> Result<()> {
    if has_pip() {
        return Ok(());
    }
    if access() != Access::Usable {
        bail!("as root: apt-get install {PIP}");
    }
    install(&[PIP.to_owned()])
}

/// Installs packages of PyPI, or whatever these words say.
pub(crate) fn pip(words: &[&str]) -> Command {
    let mut command = Command::new("python3");
    command.args(["-m", "pip"]).args(words).env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
    // Says nothing about being root: it writes into a folder of ours.
    command.env("PIP_ROOT_USER_ACTION", env::var_os("PIP_ROOT_USER_ACTION").unwrap_or("ignore".into()));
    command
}

fn runs(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_llvm_is_read_from_a_simulation() {
        let said = "NOTE: This is only a simulation!\nInst libllvm22 (1:22.1.8-1~deb12u1 Debian)\nInst rustc-web (1.96)\n";
        assert_eq!(llvm_in(said), Some(22));
        assert_eq!(llvm_in("Inst rustc-web (1.96)\n"), None);
    }
}
