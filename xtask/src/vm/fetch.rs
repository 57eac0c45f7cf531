//! Gets a kernel: from the mirror that this machine's own apt uses, checked by apt as any other package,
//! but with lists and a cache apart, so that nothing of the machine's changes. What was got once is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::kernels::Kernel;
use crate::toolchain::packages::{self, Access};
use crate::{process, say};

/// The package that depends on the newest kernel of a suite.
const NEWEST: &str = "linux-image-cloud-amd64";
/// Debian's keys, where its package of them puts them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A kernel that can be started.
#[derive(Debug)]
pub(super) struct Image {
    /// The compressed kernel.
    pub(super) vmlinuz: PathBuf,
    /// What `uname -r` will say.
    pub(super) release: String,
}

/// Gives the image; gets it first where it is missing.
pub(super) fn image(kernel: &Kernel) -> Result<Image> {
    let folder = kernel.folder();
    if let Some(image) = kept(&folder) {
        return Ok(image);
    }
    let mut step = say::step(format!("kernel {}: {NEWEST} of {}", kernel.name, kernel.suite));
    step.progress("the list of packages");
    let release = download(kernel, &folder).with_context(|| by_hand(kernel))?;
    step.done(&release);
    kept(&folder).context("what was got is not there")
}

/// The image that was got before.
pub(super) fn kept(folder: &Path) -> Option<Image> {
    let release = fs::read_to_string(folder.join("release")).ok()?.trim().to_owned();
    let vmlinuz = folder.join("vmlinuz");
    vmlinuz.is_file().then_some(Image { vmlinuz, release })
}

fn by_hand(kernel: &Kernel) -> String {
    format!(
        "kernel {} cannot be had from here. Put one (x86-64, with BTF) into {}/vmlinuz and what `uname -r` says of \
         it into release beside it, then again: cargo xtask vm --kernel {}",
        kernel.name,
        kernel.folder().display(),
        kernel.name
    )
}

/// Downloads and unpacks it; returns its release, which is written last: it says that all is there.
fn download(kernel: &Kernel, folder: &Path) -> Result<String> {
    let work = folder.join("fetch");
    if work.exists() {
        fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    }
    for part in ["lists/partial", "cache/archives/partial", "unpacked"] {
        fs::create_dir_all(work.join(part)).with_context(|| format!("making {}", work.display()))?;
    }
    let keys = if Path::new(KEYS).is_file() { format!(" signed-by={KEYS}") } else { String::new() };
    let source = format!("deb [arch=amd64{keys}] {} {} main\n", mirror()?, kernel.suite);
    fs::write(work.join("sources.list"), source)?;
    let (package, release) = package(&work, kernel.suite)?;
    process::output(apt(&work, "apt-get").args(["download", &package]))?;
    fs::rename(unpacked(&work, &package)?, folder.join("vmlinuz"))?;
    fs::write(folder.join("release"), &release)?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    Ok(release)
}

/// The package that holds the newest kernel, and its release.
fn package(work: &Path, suite: &str) -> Result<(String, String)> {
    process::output(apt(work, "apt-get").arg("update")).context("reading the list of packages")?;
    let release = newest(&process::output(apt(work, "apt-cache").args(["depends", NEWEST]))?)
        .with_context(|| format!("{NEWEST} of {suite} depends on no kernel"))?;
    // From Linux 7 on Debian has the kernel itself in a package of its own.
    let packages = ["linux-binary", "linux-image"].map(|kind| format!("{kind}-{release}"));
    let is_there = |package: &String| {
        process::output(apt(work, "apt-cache").args(["show", package]))
            .is_ok_and(|said| !said.trim().is_empty())
    };
    let package = packages.into_iter().find(is_there).context("apt knows no package of it")?;
    Ok((package, release))
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

/// The release in `Depends: linux-image-RELEASE`.
fn newest(depends: &str) -> Option<String> {
    let packages = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    packages.into_iter().find(|release| release.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}

/// A command of apt's, with lists and a cache of its own in `work`.
fn apt(work: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    let option = |name: &str, part: &str| format!("-o{name}={}", work.join(part).display());
    command.current_dir(work).args([
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

/// Takes the kernel out of the package that was downloaded.
fn unpacked(work: &Path, package: &str) -> Result<PathBuf> {
    let deb = the_only(work, |name| name.starts_with(package) && name.ends_with(".deb"))?;
    let mut unpacking = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(&deb)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting dpkg-deb")?;
    let stream = unpacking.stdout.take().context("its output is a pipe")?;
    let folder = work.join("unpacked");
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(&folder).args(["-x", "--wildcards", "--transform=s,.*/,,", "*/vmlinuz*"]).stdin(stream);
    let status = tar.status().context("starting tar")?;
    ensure!(unpacking.wait()?.success() && status.success(), "{} cannot be unpacked", deb.display());
    the_only(&folder, |name| name.starts_with("vmlinuz"))
}

/// The one file in a folder with such a name.
fn the_only(folder: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    let mut found = entries.iter().filter(|entry| entry.file_name().to_str().is_some_and(&fits));
    let one = found.next().with_context(|| format!("{} does not hold what it should", folder.display()))?;
    ensure!(found.next().is_none(), "{} holds more than it should", folder.display());
    Ok(one.path())
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

    #[test]
    fn the_kernel_is_the_one_that_the_package_depends_on() {
        let said = "linux-image-cloud-amd64\n  Depends: linux-base-cloud-amd64\n  Depends: linux-image-7.3.4+deb13-cloud-amd64\n";
        assert_eq!(newest(said).as_deref(), Some("7.3.4+deb13-cloud-amd64"));
        assert_eq!(newest("linux-image-cloud-amd64\n  Depends: linux-image-generic\n"), None);
    }

    #[test]
    fn an_image_is_there_only_with_its_release() {
        let folder = std::env::temp_dir().join(format!("xtask-image-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("vmlinuz"), "").unwrap();
        assert!(kept(&folder).is_none());
        fs::write(folder.join("release"), "6.1.0-50-cloud-amd64\n").unwrap();
        assert_eq!(kept(&folder).unwrap().release, "6.1.0-50-cloud-amd64");
        fs::remove_dir_all(&folder).unwrap();
    }
}
