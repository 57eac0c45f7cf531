//! bpf-linker: the one that `BPF_LINKER` names, our own in `target/tools`, or one in PATH, as long as
//! it is new enough and holds the LLVM of the compiler.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::llvm;
use crate::say::Step;
use crate::{process, workspace};

/// What we install, and the oldest that we accept.
pub(crate) const VERSION: &str = "0.13.0";

/// A linker that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Linker {
    /// Itself.
    pub(crate) path: PathBuf,
    /// What it says it is.
    pub(crate) version: String,
    /// The major version of its LLVM, where that can be told.
    pub(crate) llvm: Option<u32>,
}

/// Every linker that runs, in the order in which they are preferred; to `refused` goes what does not.
pub(crate) fn find(refused: &mut Vec<String>) -> Vec<Linker> {
    let mut usable: Vec<Linker> = Vec::new();
    for path in places() {
        if usable.iter().any(|known| known.path == path) {
            continue;
        }
        match inspect(&path) {
            Ok(linker) => usable.push(linker),
            Err(reason) => refused.push(format!("{}: {reason:#}", path.display())),
        }
    }
    usable
}

/// `BPF_LINKER` is taken at its word, the others where there is such a file.
fn places() -> Vec<PathBuf> {
    let search = env::var_os("PATH").unwrap_or_default();
    let home = env::home_dir().map(|home| home.join(".cargo/bin"));
    let folders = [workspace::tools().join("bin")].into_iter().chain(env::split_paths(&search)).chain(home);
    let files = folders.map(|folder| folder.join("bpf-linker")).filter(|file| file.is_file());
    env::var_os("BPF_LINKER").map(PathBuf::from).into_iter().chain(files).collect()
}

fn inspect(path: &Path) -> Result<Linker> {
    let said = process::output(Command::new(path).arg("--version"))?;
    let version = said.trim().strip_prefix("bpf-linker ").context("is not bpf-linker")?.to_owned();
    let llvm = llvm::linked_with(&fs::read(path)?);
    Ok(Linker { path: path.to_owned(), version, llvm })
}

impl Linker {
    /// Whether it can link what a compiler with this LLVM makes, or why not.
    pub(crate) fn fits(&self, compiler_llvm: u32) -> Result<(), String> {
        let who = format!("{} {}", self.path.display(), self.version);
        if parts(&self.version) < parts(VERSION) {
            return Err(format!("{who} is older than {VERSION}"));
        }
        match self.llvm {
            Some(llvm) if llvm == compiler_llvm => Ok(()),
            Some(llvm) => Err(format!("{who} holds LLVM {llvm}, the compiler LLVM {compiler_llvm}")),
            None => Err(format!("{who} does not show which LLVM it holds")),
        }
    }
}

/// `0.13.0` as numbers; what is no number counts as 0.
fn parts(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// The arguments for cargo that build it into `target/tools`.
pub(crate) fn install_words(llvm: u32) -> Vec<String> {
    let line = format!(
        "install bpf-linker --version {VERSION} --no-default-features --features llvm-{llvm} --force --root target/tools"
    );
    line.split(' ').map(str::to_owned).collect()
}

/// Builds it into `target/tools` against the LLVM below `prefix`.
pub(crate) fn install(llvm: u32, prefix: &Path, step: &mut Step) -> Result<()> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root()).args(install_words(llvm)).env("LLVM_PREFIX", prefix);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
    process::quiet(&mut command, step)?;
    let ours = workspace::tools().join("bin/bpf-linker");
    let misfit = inspect(&ours)?.fits(llvm).err();
    ensure!(misfit.is_none(), "it was built, but {}", misfit.unwrap_or_default());
    Ok(())
}

/// A linker for tests.
#[cfg(test)]
pub(crate) fn example(llvm: u32) -> Linker {
    Linker { path: "bpf-linker".into(), version: VERSION.to_owned(), llvm: Some(llvm) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linker_must_be_new_enough_and_hold_the_compilers_llvm() {
        assert_eq!(example(22).fits(22), Ok(()));
        let newer = Linker { version: "0.14.1".to_owned(), ..example(22) };
        assert_eq!(newer.fits(22), Ok(()));
        let old = Linker { version: "0.9.15".to_owned(), ..example(22) };
        assert!(old.fits(22).unwrap_err().contains("older than 0.13.0"));
        assert!(example(21).fits(22).unwrap_err().contains("LLVM 21"));
        let unknown = Linker { llvm: None, ..example(22) };
        assert!(unknown.fits(22).is_err());
    }
}
