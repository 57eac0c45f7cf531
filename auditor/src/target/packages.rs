//! What would give a stripped file its names: the package with its debug information, by the database that
//! Debian's dpkg keeps in the target's root, or its build id for a debuginfod server. Looks, installs nothing.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::donor::{open_below, open_directory_below};
use super::module::Module;
use super::proc;
use crate::audit::unit::Pid;

/// Where dpkg keeps a list of files for each package.
const LISTS: &str = "var/lib/dpkg/info";
/// Most packages that are looked through: ten times a large installation.
const PACKAGES: usize = 50_000;
/// Most bytes of one list, and of all that are read.
const LIST: u64 = 64 << 20;
const ALL_LISTS: u64 = 1 << 30;

/// How a package's name begins, and how to name the other one.
type OfOld = (&'static str, fn(&str) -> String);

/// Packages whose debug information is in another package than theirs with `-dbgsym`: by how their names
/// begin. Debian 12 and 13.
const OF_OLD: [OfOld; 3] = [
    ("libc6", |_| "libc6-dbg".to_owned()),
    ("libpython3.", |package| python(package.trim_start_matches("lib"))),
    ("python3.", python),
];

/// `python3.11-minimal` and `python3.11-stdlib` have theirs in `python3.11-dbg`.
fn python(package: &str) -> String {
    format!("{}-dbg", package.split('-').next().unwrap_or(package))
}

/// What would help a file without names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help {
    /// The package that it is of, where dpkg knows.
    pub package: Option<String>,
    /// The package with its debug information, to be installed where the target's files are.
    pub debug_package: Option<String>,
    /// Its build id.
    pub build_id: Option<String>,
}

/// What would help a mapped file of a process.
#[must_use]
pub fn help(module: &Module, pid: Pid) -> Help {
    let root = proc::path(Path::new(proc::ROOT), pid, "root");
    let package = package_of(&root, module.path()).ok().flatten();
    let debug_package = package.as_deref().map(debug_package);
    let build_id = module.elf().ok().and_then(|elf| elf.build_id()).map(str::to_owned);
    Help { package, debug_package, build_id }
}

impl Help {
    /// In words: a remedy.
    #[must_use]
    pub fn words(&self) -> String {
        let package = self.debug_package.as_ref().map(|package| {
            let archive =
                if package.ends_with("-dbgsym") { " (of the archive with debug symbols)" } else { "" };
            format!("apt install {package}{archive}, where the target's files are")
        });
        let by_id =
            self.build_id.as_ref().map(|id| format!("debuginfod-find debuginfo {id}, and --symbols FILE"));
        let rebuilt = "an unstripped build of the same code by --symbols FILE".to_owned();
        let ways: Vec<String> = package.into_iter().chain(by_id).chain([rebuilt]).collect();
        format!("names would come from: {}", ways.join("; or "))
    }
}

/// The package that a file is of, in the root of a system with dpkg; `None`: of none, or it has no dpkg.
///
/// # Errors
/// When the database cannot be read.
pub fn package_of(root: &Path, file: &Path) -> io::Result<Option<String>> {
    let lists = match open_directory_below(root, Path::new(LISTS)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        lists => lists?,
    };
    let wanted = names_of(file);
    let mut left = ALL_LISTS;
    for entry in lists.take(PACKAGES * 8) {
        let name = entry?.file_name();
        let Some(package) = name.to_str().and_then(|name| name.strip_suffix(".list")) else { continue };
        let mut text = Vec::new();
        let list = open_below(root, &Path::new(LISTS).join(&name));
        let Ok(read) = list.and_then(|list: File| list.take(LIST.min(left)).read_to_end(&mut text)) else {
            continue;
        };
        left -= read as u64;
        if text.split(|&byte| byte == b'\n').any(|line| wanted.iter().any(|name| name == line)) {
            // `libc6:amd64.list`, where several architectures are installed side by side.
            return Ok(Some(package.split(':').next().unwrap_or(package).to_owned()));
        }
    }
    Ok(None)
}

/// A file as lists may have it: `/lib` has become a link to `/usr/lib`, and packages wrote either.
fn names_of(file: &Path) -> Vec<Vec<u8>> {
    let without = file.strip_prefix("/usr").map(|rest| Path::new("/").join(rest));
    let with = file.strip_prefix("/").map(|rest| Path::new("/usr").join(rest));
    let all: [Option<PathBuf>; 3] = [Some(file.to_owned()), without.ok(), with.ok()];
    all.into_iter().flatten().map(|path| path.as_os_str().as_bytes().to_vec()).collect()
}

/// The package with the debug information of another.
#[must_use]
pub fn debug_package(package: &str) -> String {
    let of_old = OF_OLD.iter().find(|(start, _)| package.starts_with(start));
    of_old.map_or_else(|| format!("{package}-dbgsym"), |(_, name)| name(package))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn root(lists: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join(LISTS);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in lists {
            fs::write(folder.join(name), text).unwrap();
        }
        root
    }

    #[test]
    fn a_file_is_of_the_package_that_lists_it_by_either_of_its_paths() {
        let root = root(&[
            ("redis-server.list", "/.\n/usr/bin\n/usr/bin/redis-server\n"),
            ("libc6:amd64.list", "/.\n/lib/x86_64-linux-gnu/libc.so.6\n"),
            ("libc6:amd64.md5sums", "usr/bin/decoy"),
        ]);
        let of = |path: &str| package_of(root.path(), Path::new(path)).unwrap();
        assert_eq!(of("/usr/bin/redis-server").as_deref(), Some("redis-server"));
        assert_eq!(of("/usr/lib/x86_64-linux-gnu/libc.so.6").as_deref(), Some("libc6"));
        assert_eq!(of("/usr/bin/redis"), None);
        assert_eq!(package_of(Path::new("/nowhere at all"), Path::new("/x")).unwrap(), None);
    }

    #[test]
    fn debug_information_of_old_packages_is_in_one_of_another_name() {
        assert_eq!(debug_package("redis-server"), "redis-server-dbgsym");
        assert_eq!(debug_package("libc6"), "libc6-dbg");
        assert_eq!(debug_package("python3.11-minimal"), "python3.11-dbg");
        assert_eq!(debug_package("libpython3.11-minimal"), "python3.11-dbg");
        assert_eq!(debug_package("libpython3.13"), "python3.13-dbg");
    }

    #[test]
    fn the_remedy_names_the_package_and_the_build_id_and_what_always_works() {
        let help = Help {
            package: Some("redis-server".to_owned()),
            debug_package: Some("redis-server-dbgsym".to_owned()),
            build_id: Some("abcd".to_owned()),
        };
        let words = help.words();
        for part in ["redis-server-dbgsym", "debuginfod-find debuginfo abcd", "--symbols"] {
            assert!(words.contains(part), "{words}");
        }
        let nothing = Help { package: None, debug_package: None, build_id: None };
        assert!(nothing.words().starts_with("names would come from: an unstripped build"));
    }
}
