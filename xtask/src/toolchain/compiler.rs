//! Rust compilers that can build core for BPF: toolchains of rustup that have `rust-src`, then the
//! distribution's own compiler where its source lies beside it (Debian's `rust-web-src`).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// Where core's source lies below a compiler's sysroot.
const CORE: &str = "lib/rustlib/src/rust/library/core/src/lib.rs";
/// The distribution's compiler, which is never one of rustup's.
const SYSTEM: &str = "/usr/bin/rustc";

/// A compiler that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    /// What people call it.
    pub(crate) name: String,
    /// Its cargo.
    pub(crate) cargo: PathBuf,
    /// Itself.
    pub(crate) rustc: PathBuf,
    /// Its release, such as `1.96.0`.
    pub(crate) release: String,
    /// The major version of its LLVM.
    pub(crate) llvm: u32,
}

/// Every compiler that will do, best first; to `refused` goes what will not, and why.
pub(crate) fn find(refused: &mut Vec<String>) -> Vec<Compiler> {
    let rustup = rustup_compilers().into_iter();
    let system = Path::new(SYSTEM).is_file().then(|| (SYSTEM.to_owned(), PathBuf::from(SYSTEM)));
    let looked_at = rustup
        .chain(system)
        .map(|(name, rustc)| inspect(&name, &rustc).map_err(|reason| format!("{name}: {reason:#}")));
    let mut usable = Vec::new();
    for compiler in looked_at {
        match compiler {
            Ok(compiler) => usable.push(compiler),
            Err(reason) => refused.push(reason),
        }
    }
    usable
}

/// Name and rustc of each toolchain of rustup; none where there is no rustup.
fn rustup_compilers() -> Vec<(String, PathBuf)> {
    let listing = process::output(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    let rustc = |name: &String| {
        let mut which = Command::new("rustup");
        let path = process::output(which.args(["which", "--toolchain", name, "rustc"])).ok()?;
        Some((format!("rustup's {name}"), PathBuf::from(path.trim())))
    };
    nightly_first(&listing).iter().filter_map(rustc).collect()
}

/// The names in the output of `rustup toolchain list`: nightlies first, because upstream tests those.
fn nightly_first(listing: &str) -> Vec<String> {
    let mut names: Vec<String> =
        listing.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.retain(|name| name != "no");
    names.sort_by_key(|name| !name.starts_with("nightly"));
    names
}

/// Whether this compiler will do.
fn inspect(name: &str, rustc: &Path) -> Result<Compiler> {
    let cargo = rustc.with_file_name("cargo");
    ensure!(cargo.is_file(), "has no cargo beside it");
    let sysroot = rustc.parent().and_then(Path::parent).context("has no sysroot")?;
    ensure!(sysroot.join(CORE).is_file(), "has no source of core (component rust-src)");
    let said = process::output(Command::new(rustc).arg("-vV").env_remove("RUSTUP_TOOLCHAIN"))?;
    let (release, llvm) = version(&said).context("says no LLVM version in `rustc -vV`")?;
    Ok(Compiler { name: name.to_owned(), cargo, rustc: rustc.to_owned(), release, llvm })
}

/// Release and major version of LLVM from `rustc -vV`.
fn version(said: &str) -> Option<(String, u32)> {
    let field = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let llvm = field("LLVM version:")?.split('.').next()?.parse().ok()?;
    Some((field("release:")?.to_owned(), llvm))
}

/// A compiler for tests.
#[cfg(test)]
pub(crate) fn example(name: &str, llvm: u32) -> Compiler {
    let path = PathBuf::from(name);
    Compiler { name: name.to_owned(), cargo: path.clone(), rustc: path, release: "1.96.0".to_owned(), llvm }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn release_and_llvm_are_read_from_what_rustc_says() {
        let said = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nhost: x86_64-unknown-linux-gnu\n\
                    release: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        assert_eq!(version(said), Some(("1.97.0-nightly".to_owned(), 22)));
        assert_eq!(version("release: 1.97.0\n"), None);
    }

    #[test]
    fn nightly_comes_first_and_marks_are_no_part_of_a_name() {
        let listing = "stable-x86_64-unknown-linux-gnu (active, default)\nnightly-x86_64-unknown-linux-gnu\n";
        assert_eq!(
            nightly_first(listing),
            ["nightly-x86_64-unknown-linux-gnu", "stable-x86_64-unknown-linux-gnu"]
        );
        assert!(nightly_first("no installed toolchains\n").is_empty());
    }
}
