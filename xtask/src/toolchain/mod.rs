//! What makes the BPF object: a Rust compiler with the source of core, and a bpf-linker built
//! against the same major version of LLVM. Here they are looked for; [`crate::setup`] gets what is
//! missing.
//!
//! The BPF target has no ready-made core, so it is built each time (`-Z build-std=core`), which needs
//! its source and a compiler that accepts `-Z`: a nightly, or any other under `RUSTC_BOOTSTRAP=1`.

pub(crate) mod archive;
pub(crate) mod compiler;
pub(crate) mod go;
pub(crate) mod linker;
pub(crate) mod llvm;
pub(crate) mod packages;
pub(crate) mod readers;
pub(crate) mod suites;

use compiler::Compiler;
use linker::Linker;

/// All that is needed.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    /// Makes the bitcode.
    pub(crate) compiler: Compiler,
    /// Makes the object of it.
    pub(crate) linker: Linker,
}

/// What was looked at.
#[derive(Debug)]
pub(crate) struct Survey {
    /// Compilers that will do, best first.
    pub(crate) compilers: Vec<Compiler>,
    /// Linkers that run, in the order in which they are preferred.
    pub(crate) linkers: Vec<Linker>,
    /// What will not do, and why.
    pub(crate) refused: Vec<String>,
}

/// Looks for compilers and linkers.
pub(crate) fn survey() -> Survey {
    let mut refused = Vec::new();
    let compilers = compiler::find(&mut refused);
    let linkers = linker::find(&mut refused);
    Survey { compilers, linkers, refused }
}

impl Survey {
    /// The first compiler that has a linker, with that linker.
    pub(crate) fn toolchain(&self) -> Option<Toolchain> {
        self.compilers.iter().find_map(|compiler| {
            let linker = self.linkers.iter().find(|linker| linker.fits(compiler.llvm).is_ok())?;
            Some(Toolchain { compiler: compiler.clone(), linker: linker.clone() })
        })
    }

    /// Every linker that does not go with the compiler, and why.
    pub(crate) fn misfits(&self, compiler: &Compiler) -> Vec<String> {
        let reasons = self.linkers.iter().filter_map(|linker| linker.fits(compiler.llvm).err());
        reasons.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_without_a_linker_gives_way_to_one_that_has_it() {
        let survey = Survey {
            compilers: vec![compiler::example("nightly", 23), compiler::example("/usr/bin/rustc", 22)],
            linkers: vec![linker::example(22)],
            refused: Vec::new(),
        };
        assert_eq!(survey.toolchain().unwrap().compiler.name, "/usr/bin/rustc");
        assert_eq!(survey.misfits(&survey.compilers[0]).len(), 1);
    }

    #[test]
    fn nothing_is_made_of_a_compiler_and_a_linker_that_do_not_fit() {
        let survey = Survey {
            compilers: vec![compiler::example("nightly", 23)],
            linkers: vec![linker::example(22)],
            refused: Vec::new(),
        };
        assert!(survey.toolchain().is_none());
    }
}
