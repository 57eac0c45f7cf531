//! Gets a kernel, as a package of Debian's. What was got once is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::kernels::Kernel;
use crate::toolchain::archive::Archive;
use crate::{process, say};

/// The package that depends on the newest kernel of a suite.
const NEWEST: &str = "linux-image-cloud-amd64";

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
    let archive = Archive::open(&work, kernel.suite)?;
    fs::create_dir_all(work.join("unpacked"))?;
    let (package, release) = package(&archive, kernel.suite)?;
    process::output(archive.apt("apt-get").args(["download", &package]))?;
    fs::rename(unpacked(&work, &package)?, folder.join("vmlinuz"))?;
    fs::write(folder.join("release"), &release)?;
    fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
    Ok(release)
}

/// The package that holds the newest kernel, and its release.
fn package(archive: &Archive, suite: &str) -> Result<(String, String)> {
    let release = newest(&process::output(archive.apt("apt-cache").args(["depends", NEWEST]))?)
        .with_context(|| format!("{NEWEST} of {suite} depends on no kernel"))?;
    // From Linux 7 on Debian has the kernel itself in a package of its own.
    let packages = ["linux-binary", "linux-image"].map(|kind| format!("{kind}-{release}"));
    let is_there = |package: &String| {
        process::output(archive.apt("apt-cache").args(["show", package]))
            .is_ok_and(|said| !said.trim().is_empty())
    };
    let package = packages.into_iter().find(is_there).context("apt knows no package of it")?;
    Ok((package, release))
}

/// The release in `Depends: linux-image-RELEASE`.
fn newest(depends: &str) -> Option<String> {
    let packages = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: linux-image-"));
    packages.into_iter().find(|release| release.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
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
