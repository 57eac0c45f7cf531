//! Programs that read what the auditor writes for others, for the tests: promtool from Debian, and from PyPI
//! the parsers of OpenMetrics and of Perfetto's traces. They go into `target/tools/readers`; nothing of the
//! user's is replaced, and no Prometheus is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::packages::{self, Access};
use crate::{process, say, workspace};

/// The Debian package that has promtool.
const PROMETHEUS: &str = "prometheus";

/// Packages of PyPI, each with the version that was tried. The last is what Perfetto's needs.
const PYTHON: [&str; 3] = ["prometheus_client==0.26.0", "perfetto==0.59.1", "protobuf==7.36.2"];

/// Gets those that are missing.
pub(crate) fn ensure() -> Result<()> {
    fs::create_dir_all(folder()).with_context(|| format!("making {}", folder().display()))?;
    if !folder().join("promtool").is_file() {
        promtool().with_context(|| {
            format!(
                "getting promtool, which is in Debian's package {PROMETHEUS}, into {}",
                folder().display()
            )
        })?;
    }
    if fs::read_to_string(versions()).ok().as_deref() != Some(&PYTHON.join("\n")) {
        python().with_context(|| format!("getting {} from PyPI", PYTHON.join(" and ")))?;
    }
    Ok(())
}

/// Where they are.
pub(crate) fn folder() -> PathBuf {
    workspace::tools().join("readers")
}

/// Says which versions were put there; written last.
fn versions() -> PathBuf {
    folder().join("python/versions")
}

/// Takes it out of the package: installing that would start a server.
fn promtool() -> Result<()> {
    let step = say::step("promtool for the tests, out of Debian's package of Prometheus");
    let work = folder().join("fetch");
    fs::create_dir_all(&work)?;
    let mut download = Command::new("apt-get");
    // Otherwise apt, run by root, downloads as a user who may not write here.
    download.args(["-oAPT::Sandbox::User=root", "download", PROMETHEUS]).current_dir(&work);
    if process::output(&mut download).is_err() {
        if packages::access() == Access::Usable {
            packages::update()?;
        }
        process::output(&mut download)?;
    }
    let package = package_in(&work)?;
    process::output(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&work))?;
    fs::rename(work.join("usr/bin/promtool"), folder().join("promtool"))?;
    fs::remove_dir_all(&work)?;
    step.done("put into target/tools/readers");
    Ok(())
}

fn package_in(work: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(work)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            return Ok(path);
        }
    }
    bail!("apt-get download left no package")
}

fn python() -> Result<()> {
    packages::ensure_pip()?;
    let mut step = say::step("Python's parsers of OpenMetrics and of traces for the tests, from PyPI");
    let target = folder().join("python").display().to_string();
    let words = ["install", "--quiet", "--no-deps", "--upgrade", "--target", &target];
    process::quiet(packages::pip(&words).args(PYTHON), &mut step)?;
    fs::write(versions(), PYTHON.join("\n"))?;
    step.done("installed into target/tools/readers");
    Ok(())
}
