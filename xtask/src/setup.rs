//! `cargo xtask setup`: gets what is missing to build the BPF programs and to run the kernel tests.
//!
//! [`look`] collects facts, [`next`] decides (pure), [`Setup::run`] acts and looks again, until
//! nothing is missing or nothing more can be done; then it names the commands for a person to run.

use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::toolchain::go::{self, Which};
use crate::toolchain::packages::{self, Access};
use crate::toolchain::{Survey, Toolchain, linker, llvm, readers, suites, survey};
use crate::{process, say};

/// Get what is needed to build the BPF programs and to run the kernel tests.
#[derive(Args, Debug)]
pub(crate) struct Setup {}

/// What decides about the next action.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    /// Whether compiler and linker are there and fit.
    complete: bool,
    /// LLVM of the best compiler.
    compiler: Option<u32>,
    /// Whether there is rustup.
    rustup: bool,
    /// Whether packages can be installed.
    apt: Access,
    /// LLVM of Debian's compiler; asked only where no compiler will do.
    debian_llvm: Option<u32>,
    /// Where LLVM for the linker has its headers; asked only where a linker is needed.
    has_llvm: bool,
    /// Packages missing to build the linker; asked only where a linker is needed.
    for_linker: Vec<String>,
    /// Packages missing for tests and the benchmark.
    for_tests: Vec<String>,
}

/// What is done next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// Nothing is missing.
    Nothing,
    /// Add core's source to a toolchain of rustup.
    AddSource,
    /// Install packages without which nothing works, with those that are good to have.
    Install(Vec<String>),
    /// Install packages that are good to have.
    InstallExtras(Vec<String>),
    /// Build the linker for this LLVM.
    BuildLinker(u32),
}

impl Setup {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        let toolchain = complete()?;
        if let Err(error) = go::ensure(Which::Usual) {
            say::warn(format_args!("the kernel tests build Go programs: {error:#}"));
        }
        if let Err(error) = readers::ensure() {
            say::warn(format_args!("the kernel tests have other programs read the exports: {error:#}"));
        }
        if let Err(error) = suites::ensure() {
            say::warn(format_args!("the kernel tests audit servers of Debian's: {error:#}"));
        }
        let extras = packages::missing(packages::FOR_TESTS);
        if !extras.is_empty() {
            say::warn(format_args!(
                "{} not installed: the kernel tests and the benchmark need them. As root: apt-get install {}",
                extras.join(" and "),
                extras.join(" ")
            ));
        }
        describe(&toolchain);
        Ok(())
    }
}

/// The toolchain, got first where it is missing.
pub(crate) fn ensure() -> Result<Toolchain> {
    match survey().toolchain() {
        Some(toolchain) => Ok(toolchain),
        None => complete(),
    }
}

/// Acts and looks again until nothing is missing. No action is tried twice.
fn complete() -> Result<Toolchain> {
    let mut tried = Vec::new();
    loop {
        let survey = survey();
        if tried.is_empty() {
            explain(&survey);
        }
        let facts = look(&survey);
        match next(&facts, &tried) {
            Some(Next::Nothing) => return survey.toolchain().context("a compiler and a linker that fit"),
            Some(action) => {
                attempt(&action)?;
                tried.push(action);
            }
            None => bail!("{}", remedy(&facts)),
        }
    }
}

/// Says what was found and will not do: the reason for all that follows.
fn explain(survey: &Survey) {
    for reason in &survey.refused {
        say::note(format_args!("not used: {reason}"));
    }
    if let (None, Some(compiler)) = (survey.toolchain(), best(survey)) {
        for reason in survey.misfits(compiler) {
            say::note(format_args!("not used: {reason}"));
        }
    }
}

fn describe(toolchain: &Toolchain) {
    let Toolchain { compiler, linker } = toolchain;
    say::note(format_args!("compiler: {} {}, LLVM {}", compiler.name, compiler.release, compiler.llvm));
    say::note(format_args!("linker: {} {}", linker.path.display(), linker.version));
    say::note("ready: cargo xtask build");
}

/// The compiler to find a linker for: the first whose LLVM can be had here, or just the first.
fn best(survey: &Survey) -> Option<&crate::toolchain::compiler::Compiler> {
    let can_be_had = |llvm: u32| {
        llvm::SUPPORTED.contains(&llvm)
            && (llvm::prefix(llvm).is_some() || packages::known(&format!("llvm-{llvm}-dev")))
    };
    let compilers = &survey.compilers;
    compilers.iter().find(|compiler| can_be_had(compiler.llvm)).or(compilers.first())
}

/// Collects the facts, and those only that are of use.
fn look(survey: &Survey) -> Facts {
    let complete = survey.toolchain().is_some();
    let compiler = if complete { None } else { best(survey).map(|compiler| compiler.llvm) };
    let apt = packages::access();
    let debian_llvm =
        (!complete && compiler.is_none() && apt != Access::NoApt).then(packages::compilers_llvm).flatten();
    let linkers = compiler.or(debian_llvm).filter(|_| !complete);
    let for_linker = linkers.map(packages::for_linker).unwrap_or_default();
    Facts {
        complete,
        compiler,
        rustup: process::output(Command::new("rustup").arg("--version")).is_ok(),
        apt,
        debian_llvm,
        has_llvm: linkers.is_some_and(|llvm| llvm::prefix(llvm).is_some()),
        for_linker: packages::missing(for_linker.iter().map(String::as_str)),
        for_tests: packages::missing(packages::FOR_TESTS),
    }
}

/// What is done next, given what is so and what has been tried; `None`: nothing more can be done.
fn next(facts: &Facts, tried: &[Next]) -> Option<Next> {
    let untried = |action: Next| (!tried.contains(&action)).then_some(action);
    let usable = facts.apt == Access::Usable;
    if facts.complete {
        let extras = Next::InstallExtras(facts.for_tests.clone());
        let wanted = usable && !facts.for_tests.is_empty();
        return Some(untried(extras).filter(|_| wanted).unwrap_or(Next::Nothing));
    }
    if facts.compiler.is_none() && facts.rustup && !tried.contains(&Next::AddSource) {
        return Some(Next::AddSource);
    }
    let mut packages = facts.for_linker.clone();
    if facts.compiler.is_none() {
        packages.extend(packages::COMPILER.map(str::to_owned));
    }
    match facts.compiler {
        _ if usable && !packages.is_empty() => {
            packages.extend(facts.for_tests.clone());
            untried(Next::Install(packages))
        }
        Some(llvm) if facts.has_llvm => untried(Next::BuildLinker(llvm)),
        _ => None,
    }
}

/// Does one thing. What is only good to have may fail, and so may rustup while there is another way.
fn attempt(action: &Next) -> Result<()> {
    match action {
        Next::Nothing => Ok(()),
        Next::AddSource => {
            add_source().unwrap_or_else(|error| say::warn(format_args!("rustup could not help: {error:#}")));
            Ok(())
        }
        Next::Install(packages) => install(packages),
        Next::InstallExtras(packages) => {
            install(packages).unwrap_or_else(|error| say::warn(format_args!("{error:#}")));
            Ok(())
        }
        Next::BuildLinker(llvm) => build_linker(*llvm),
    }
}

fn add_source() -> Result<()> {
    let listing = process::output(Command::new("rustup").args(["toolchain", "list"]))?;
    let words: &[&str] = if listing.lines().any(|line| line.starts_with("nightly")) {
        &["component", "add", "rust-src", "--toolchain", "nightly"]
    } else {
        &["toolchain", "install", "nightly", "--profile", "minimal", "--component", "rust-src"]
    };
    let mut step = say::step(format!("rustup {}: core is built for BPF from its source", words.join(" ")));
    process::quiet(Command::new("rustup").args(words), &mut step)?;
    step.done("added");
    Ok(())
}

/// Installs those that the archive has; the lists are renewed when they do not know one.
fn install(packages: &[String]) -> Result<()> {
    if !packages.iter().all(|package| packages::known(package)) {
        packages::update()?;
    }
    let (known, unknown): (Vec<String>, Vec<String>) =
        packages.iter().cloned().partition(|package| packages::known(package));
    if !unknown.is_empty() {
        say::warn(format_args!("this distribution has no {}", unknown.join(", ")));
    }
    if known.is_empty() { Ok(()) } else { packages::install(&known) }
}

fn build_linker(llvm: u32) -> Result<()> {
    let prefix = llvm::prefix(llvm).with_context(|| format!("LLVM {llvm} is not here"))?;
    let mut step = say::step(format!(
        "bpf-linker {} for LLVM {llvm}, the LLVM of the compiler (one or two minutes)",
        linker::VERSION
    ));
    linker::install(llvm, &prefix, &mut step).with_context(|| {
        format!("building bpf-linker. Packages it needs: {}", packages::for_linker(llvm).join(" "))
    })?;
    step.done("built into target/tools/bin");
    Ok(())
}

/// The commands that a person has to run, because we cannot.
fn remedy(facts: &Facts) -> String {
    let why = match facts.apt {
        Access::Usable => "what apt and rustup gave is not enough",
        Access::NotRoot => "installing packages needs root",
        Access::NoApt => "there is no apt to install packages with",
    };
    let mut text = format!("the BPF programs cannot be built here yet, and {why}. ");
    if facts.apt == Access::NotRoot {
        text.push_str("Either run\n\n    sudo -E env PATH=$PATH cargo xtask setup\n\nor ");
    }
    text.push_str("run\n\n");
    if facts.compiler.is_none() {
        text.push_str("    rustup toolchain install nightly --profile minimal --component rust-src\n");
    }
    let llvm = facts.compiler.or(facts.debian_llvm).unwrap_or(22);
    let install = linker::install_words(llvm).join(" ");
    match facts.apt {
        Access::NoApt => text.push_str(&format!(
            "\ninstall LLVM {llvm} with its headers, then\n\n    LLVM_PREFIX=$(llvm-config-{llvm} --prefix) cargo {install}\n"
        )),
        _ => text.push_str(&format!(
            "    sudo apt-get install -y --no-install-recommends {}\n    LLVM_PREFIX=/usr/lib/llvm-{llvm} cargo {install}\n",
            packages::for_linker(llvm).join(" ")
        )),
    }
    text.push_str("\nand then again: cargo xtask setup");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare() -> Facts {
        Facts {
            complete: false,
            compiler: None,
            rustup: false,
            apt: Access::Usable,
            debian_llvm: Some(22),
            has_llvm: false,
            for_linker: packages::for_linker(22),
            for_tests: vec!["bpftrace".to_owned()],
        }
    }

    #[test]
    fn a_bare_debian_gets_everything_in_one_call_and_then_the_linker() {
        let Some(Next::Install(all)) = next(&bare(), &[]) else { panic!("packages come first") };
        for package in ["rustc-web", "rust-web-src", "llvm-22-dev", "zlib1g-dev", "bpftrace"] {
            assert!(all.iter().any(|one| one == package), "{package} is missing in {all:?}");
        }
        let after = Facts {
            compiler: Some(22),
            has_llvm: true,
            for_linker: Vec::new(),
            for_tests: Vec::new(),
            ..bare()
        };
        assert_eq!(next(&after, &[Next::Install(all)]), Some(Next::BuildLinker(22)));
    }

    #[test]
    fn rustup_is_asked_once_and_before_debian() {
        let facts = Facts { rustup: true, ..bare() };
        assert_eq!(next(&facts, &[]), Some(Next::AddSource));
        assert!(matches!(next(&facts, &[Next::AddSource]), Some(Next::Install(_))));
    }

    #[test]
    fn nothing_is_done_twice() {
        let complete = Facts { complete: true, for_tests: Vec::new(), ..bare() };
        assert_eq!(next(&complete, &[]), Some(Next::Nothing));
        let Some(install) = next(&bare(), &[]) else { panic!("packages come first") };
        assert_eq!(next(&bare(), &[install]), None);
        let unlinked = Facts { compiler: Some(22), has_llvm: true, for_linker: Vec::new(), ..bare() };
        let unlinked = Facts { apt: Access::NoApt, ..unlinked };
        assert_eq!(next(&unlinked, &[Next::BuildLinker(22)]), None);
    }

    #[test]
    fn extras_that_cannot_be_installed_do_not_stand_in_the_way() {
        let facts = Facts { complete: true, apt: Access::NotRoot, ..bare() };
        assert_eq!(next(&facts, &[]), Some(Next::Nothing));
        let failed = [Next::InstallExtras(vec!["bpftrace".to_owned()])];
        assert_eq!(next(&Facts { complete: true, ..bare() }, &failed), Some(Next::Nothing));
    }

    #[test]
    fn without_root_the_linker_is_built_where_llvm_is_there() {
        let facts = Facts { compiler: Some(22), has_llvm: true, apt: Access::NotRoot, ..bare() };
        assert_eq!(next(&facts, &[]), Some(Next::BuildLinker(22)));
    }

    #[test]
    fn with_no_way_the_exact_commands_are_named() {
        let not_root = Facts { apt: Access::NotRoot, ..bare() };
        assert_eq!(next(&not_root, &[]), None);
        let text = remedy(&not_root);
        for words in
            ["sudo -E env PATH=$PATH cargo xtask setup", "rust-src", "llvm-22-dev", "--features llvm-22"]
        {
            assert!(text.contains(words), "{words} is missing in {text}");
        }
        let elsewhere = Facts { apt: Access::NoApt, compiler: Some(21), ..bare() };
        assert!(remedy(&elsewhere).contains("llvm-config-21") && !remedy(&elsewhere).contains("apt-get"));
    }
}
