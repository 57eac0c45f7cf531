//! What is in the virtual machine: this machine's own programs with the libraries that they are linked
//! with, each where it is here. So the auditor that runs there is the very one that is delivered.

use std::env;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::archive::Archive;
use crate::workspace;

/// What the tests and [`INIT`] start, besides the programs under test.
const TOOLS: [&str; 3] = ["mount", "setpriv", "sleep"];
/// Process 1, and the shell that runs it.
const INIT: &str = include_str!("init.sh");
const SHELL: &str = "/bin/sh";

/// What goes in besides the delivered programs.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    /// The test program.
    pub(super) program: &'a Path,
    /// The tests that it is to run.
    pub(super) tests: &'a [String],
    /// A folder of programs that the tests need.
    pub(super) fixtures: &'a Path,
}

/// Writes the first file system of the machine.
pub(super) fn write(contents: &Contents<'_>, to: &Path) -> Result<()> {
    let file = File::create(to).with_context(|| format!("writing {}", to.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    for folder in ["proc", "sys", "dev", "tmp"] {
        archive.folder(Path::new(folder))?;
    }
    archive.file(Path::new("/init"), INIT.as_bytes())?;
    archive.file(Path::new("/tests/names"), (contents.tests.join("\n") + "\n").as_bytes())?;
    program(&mut archive, contents.program, Path::new("/tests/program"))?;
    program(&mut archive, Path::new(SHELL), Path::new(SHELL))?;
    for tool in TOOLS {
        let path = found(tool)?;
        program(&mut archive, &path, &path)?;
    }
    // The tests know where the auditor was built.
    for name in ["auditor", "target-demo"] {
        let path = workspace::released(name);
        program(&mut archive, &path, &path)?;
    }
    for fixture in fs::read_dir(contents.fixtures)? {
        let fixture = fixture?;
        program(&mut archive, &fixture.path(), &Path::new("/tests/fixtures").join(fixture.file_name()))?;
    }
    archive.finish()?;
    Ok(())
}

/// A program, and the libraries that it is linked with.
fn program<W: Write>(archive: &mut Archive<W>, path: &Path, place: &Path) -> Result<()> {
    let mut copy = |from: &Path, to: &Path| -> Result<()> {
        let content = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        archive.file(to, &content).with_context(|| format!("archiving {}", from.display()))
    };
    copy(path, place)?;
    libraries(path)?.iter().try_for_each(|library| copy(library, library))
}

/// A program in PATH.
fn found(name: &str) -> Result<PathBuf> {
    let search = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    let mut places = system.into_iter().chain(env::split_paths(&search)).map(|folder| folder.join(name));
    places.find(|path| path.is_file()).with_context(|| format!("{name} is not in PATH"))
}

/// What the loader would load with it, itself included; none for a static program.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).env("LC_ALL", "C").output().context("starting ldd")?;
    let (said, complaint) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        return linked(&said).with_context(|| format!("the libraries of {}", program.display()));
    }
    if [&said, &complaint].iter().any(|text| text.contains("not a dynamic executable")) {
        return Ok(Vec::new());
    }
    bail!("ldd {}: {}", program.display(), complaint.trim())
}

/// The paths in lines such as `libc.so.6 => /lib/libc.so.6 (0x7f...)` and `/lib64/ld.so (0x7f...)`.
fn linked(said: &str) -> Result<Vec<PathBuf>> {
    if let Some(missing) = said.lines().find(|line| line.contains("not found")) {
        bail!("{}", missing.trim());
    }
    let path = |line: &str| {
        let found = line.rsplit("=> ").next()?.split_whitespace().next()?;
        found.starts_with('/').then(|| PathBuf::from(found))
    };
    Ok(said.lines().filter_map(path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_read_from_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007f8f34c57000)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x00007f8f3441e000)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f8f34c59000)\n";
        let paths = ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(linked(said).unwrap(), paths);
        assert!(linked("\tlibx.so => not found\n").is_err());
        assert_eq!(linked("\tstatically linked\n").unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn the_shell_brings_its_loader() {
        assert!(libraries(Path::new(SHELL)).unwrap().iter().all(|library| library.is_file()));
        assert!(found("no-such-tool").is_err());
    }
}
