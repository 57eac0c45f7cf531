//! Servers and interpreters for the tests, in the versions of more than one release of Debian: each release is a
//! folder that a test makes the root of the programs that it starts there. Unpacked and not installed: installing
//! would start servers. They go into `target/tools/suites/SUITE`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::archive::Archive;
use crate::say::{self, Step};
use crate::{process, workspace};

/// A release of Debian, and what is wanted of it.
struct Suite {
    name: &'static str,
    packages: &'static [&'static str],
}

const SUITES: [Suite; 2] = [
    Suite { name: "bookworm", packages: &["redis-server", "memcached", "postgresql-15", "dash"] },
    Suite {
        name: "trixie",
        packages: &[
            "redis-server",
            "valkey-server",
            "memcached",
            "postgresql-17",
            "python3.13",
            "python3.13-dbg",
            "libglib2.0-0t64",
            "dash",
        ],
    },
];

/// What Debian's package of the base system would make: these are where programs look for each other.
const MERGED: [&str; 4] = ["bin", "lib", "lib64", "sbin"];
/// Device files that programs open, with major and minor number.
const DEVICES: [(&str, &str, &str); 4] =
    [("null", "1", "3"), ("zero", "1", "5"), ("random", "1", "8"), ("urandom", "1", "9")];
/// Whom programs may ask about. Servers that refuse to be run by root are run by the second.
const USERS: &str = "root:x:0:0:root:/:/bin/sh\npostgres:x:970:970:postgres:/tmp:/bin/sh\n";

/// Gets those that are missing.
pub(crate) fn ensure() -> Result<()> {
    SUITES.iter().filter(|suite| !suite.is_there()).try_for_each(|suite| {
        suite.get().with_context(|| {
            let packages = suite.packages.join(", ");
            format!("getting {packages} of {} into {}", suite.name, suite.root().display())
        })
    })
}

/// Where they are.
pub(crate) fn folder() -> PathBuf {
    workspace::tools().join("suites")
}

impl Suite {
    fn root(&self) -> PathBuf {
        folder().join(self.name)
    }

    /// Written last: says which packages were put there.
    fn list(&self) -> PathBuf {
        folder().join(format!("{}.packages", self.name))
    }

    fn is_there(&self) -> bool {
        fs::read_to_string(self.list()).is_ok_and(|list| list == self.packages.join("\n"))
    }

    fn get(&self) -> Result<()> {
        let mut step = say::step(format!("programs of Debian's {} for the tests", self.name));
        let work = folder().join(format!("{}.fetch", self.name));
        for old in [&work, &self.root()] {
            if old.exists() {
                fs::remove_dir_all(old).with_context(|| format!("removing {}", old.display()))?;
            }
        }
        step.progress("the list of packages");
        fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;
        let files = Archive::open(&work, self.name)?.download(self.packages)?;
        self.unpack(&files, &mut step)?;
        self.furnish()?;
        fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
        fs::write(self.list(), self.packages.join("\n"))?;
        step.done("unpacked into target/tools/suites");
        Ok(())
    }

    fn unpack(&self, files: &[PathBuf], step: &mut Step) -> Result<()> {
        let root = self.root();
        MERGED.iter().try_for_each(|name| fs::create_dir_all(root.join("usr").join(name)))?;
        for name in MERGED {
            symlink(Path::new("usr").join(name), root.join(name))?;
        }
        for file in files {
            step.progress(&file.file_name().unwrap_or_default().to_string_lossy());
            // Not `dpkg-deb -x`, which would put folders in the place of the links.
            let script = "dpkg-deb --fsys-tarfile \"$1\" | tar -x --keep-directory-symlink -C \"$2\"";
            process::output(
                Command::new("bash").args(["-o", "pipefail", "-c", script, "unpack"]).arg(file).arg(&root),
            )?;
        }
        Ok(())
    }

    /// What the scripts of packages would have done.
    fn furnish(&self) -> Result<()> {
        let root = self.root();
        for (name, major, minor) in DEVICES {
            fs::create_dir_all(root.join("dev"))?;
            let device = root.join("dev").join(name);
            process::output(Command::new("mknod").args(["-m", "666"]).arg(device).args(["c", major, minor]))?;
        }
        fs::create_dir_all(root.join("etc"))?;
        fs::write(root.join("etc/passwd"), USERS)?;
        fs::create_dir_all(root.join("tmp"))?;
        process::output(Command::new("chmod").arg("1777").arg(root.join("tmp")))?;
        process::output(Command::new("ldconfig").arg("-r").arg(&root)).map(drop)
    }
}
