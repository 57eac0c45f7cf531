//! One suite of Debian's archive: from the mirror that this machine's own apt uses, checked by apt as any other
//! package, but with lists and a cache apart, so that nothing of the machine's changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::packages::{self, Access};
use crate::process;

/// Debian's keys, where its package of them puts them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A suite whose lists have been read.
#[derive(Debug)]
pub(crate) struct Archive {
    /// Where its lists and its cache are.
    work: PathBuf,
}

impl Archive {
    /// Reads the lists of a suite; they and what is downloaded go into that folder.
    pub(crate) fn open(work: &Path, suite: &str) -> Result<Self> {
        for part in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(work.join(part)).with_context(|| format!("making {}", work.display()))?;
        }
        let keys = if Path::new(KEYS).is_file() { format!(" signed-by={KEYS}") } else { String::new() };
        let source = format!("deb [arch=amd64{keys}] {} {suite} main\n", mirror()?);
        fs::write(work.join("sources.list"), source)?;
        let archive = Self { work: work.to_owned() };
        process::output(archive.apt("apt-get").arg("update")).context("reading the list of packages")?;
        Ok(archive)
    }

    /// A command of apt's that knows this suite alone, and no package that is installed.
    pub(crate) fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let option = |name: &str, part: &str| format!("-o{name}={}", self.work.join(part).display());
        command.current_dir(&self.work).args([
            option("Dir::Etc::SourceList", "sources.list"),
            option("Dir::State::Lists", "lists"),
            option("Dir::Cache", "cache"),
            "-oDir::Etc::SourceParts=-".to_owned(),
            "-oDir::State::Status=/dev/null".to_owned(),
            "-oAPT::Architecture=amd64".to_owned(),
            // Otherwise apt, run by root, downloads as a user who may not write here.
            "-oAPT::Sandbox::User=root".to_owned(),
        ]);
        command
    }

    /// Downloads packages with all that they depend on, and says where they are.
    pub(crate) fn download(&self, packages: &[&str]) -> Result<Vec<PathBuf>> {
        let mut command = self.apt("apt-get");
        command.args(["install", "-y", "--download-only", "--no-install-recommends"]).args(packages);
        process::output(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
        let folder = fs::read_dir(self.work.join("cache/archives"))?;
        let files = folder.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
        Ok(files.into_iter().filter(|file| file.extension().is_some_and(|end| end == "deb")).collect())
    }
}

/// Where the machine's apt gets Debian from.
fn mirror() -> Result<String> {
    if let Some(mirror) = named_mirror()? {
        return Ok(mirror);
    }
    if packages::access() == Access::Usable {
        packages::update()?;
    }
    named_mirror()?.context("apt's sources name no mirror of Debian (as root: apt-get update)")
}

fn named_mirror() -> Result<Option<String>> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(ORIGIN) $(LABEL) $(REPO_URI)", "Created-By: Packages"]);
    Ok(debian_in(&process::output(&mut command).context("asking apt for its sources")?))
}

/// The mirror in a list of `origin label address`.
fn debian_in(targets: &str) -> Option<String> {
    let mut mirrors = targets.lines().filter_map(|line| line.strip_prefix("Debian Debian "));
    mirrors.next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_debians_and_not_one_of_security_fixes_or_of_others() {
        let targets = "Debian Debian-Security mirror:/security\nnodesource nodesource mirror:/node\n\
                       Debian Debian mirror:/debian/\nDebian Debian other:/debian/\n";
        assert_eq!(debian_in(targets).as_deref(), Some("mirror:/debian/"));
        assert_eq!(debian_in("$(ORIGIN) $(LABEL) mirror:/debian/\n"), None);
    }
}
