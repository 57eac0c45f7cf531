//! Files that a process has come to execute since somebody looked last: plugins, `dlopen`. Asking is cheap
//! where nothing has changed.

use std::fs::File;
use std::hash::Hasher as _;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use rustc_hash::{FxHashSet, FxHasher};

use super::maps::{LINE, MapsError};
use super::module::{Module, modules_in};
use super::proc;
use crate::audit::unit::{Address, Pid};

/// Most lines that are looked at, as of [`super::maps::MAPPINGS`].
const LINES: usize = super::maps::MAPPINGS;

/// What a process executed when somebody looked last.
#[derive(Debug)]
pub struct Arrivals {
    root: PathBuf,
    pid: Pid,
    /// Of the mappings with code; `None`: not looked at yet.
    seen: Option<u64>,
    known: FxHashSet<Key>,
}

/// A file at its place: one that was unloaded and loaded again elsewhere is new.
type Key = (PathBuf, u64, Option<Address>);

impl Arrivals {
    /// From here on; `known` is not new.
    #[must_use]
    pub fn after(pid: Pid, known: &[Module]) -> Self {
        Self::after_in(Path::new(proc::ROOT), pid, known)
    }

    /// [`Self::after`] by another /proc.
    #[must_use]
    pub fn after_in(root: &Path, pid: Pid, known: &[Module]) -> Self {
        Self { root: root.to_owned(), pid, seen: None, known: known.iter().map(key).collect() }
    }

    /// The files that have come since the last look; of those that have gone nothing is said. Reads the memory map
    /// once and understands it only where the mappings with code have changed.
    ///
    /// # Errors
    /// [`MapsError`] when the memory map cannot be read.
    pub fn look(&mut self) -> Result<Vec<Module>, MapsError> {
        let now = hash_of_code(BufReader::new(File::open(proc::path(&self.root, self.pid, "maps"))?))?;
        if self.seen == Some(now) {
            return Ok(Vec::new());
        }
        let all = modules_in(&self.root, self.pid)?;
        // Taken before the files were listed: what comes in between is seen next time.
        self.seen = Some(now);
        let there: FxHashSet<Key> = all.iter().map(key).collect();
        let known = std::mem::replace(&mut self.known, there);
        Ok(all.into_iter().filter(|module| !known.contains(&key(module))).collect())
    }
}

fn key(module: &Module) -> Key {
    let file = module.file();
    (file.path.clone(), file.inode, file.ranges.first().map(|range| range.start))
}

/// Of the lines whose rights say that they are code. Lines that are no mappings are left to the parser.
fn hash_of_code(mut reader: impl BufRead) -> io::Result<u64> {
    let (mut hasher, mut line) = (FxHasher::default(), Vec::new());
    for _ in 0..LINES {
        line.clear();
        if reader.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let rights = line.iter().position(|&byte| byte == b' ').and_then(|space| line.get(space + 3));
        if rights == Some(&b'x') {
            hasher.write(&line);
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const PROGRAM: &str =
        "1000-2000 r-xp 00000000 fe:01 1 /srv/app\n2000-3000 rw-p 00000000 00:00 0 [heap]\n";
    const PLUGIN: &str = "7000-8000 r-xp 00000000 fe:01 2 /srv/plugin.so\n";

    fn maps(root: &Path, text: &str) {
        fs::create_dir_all(root.join("7")).unwrap();
        fs::write(root.join("7/maps"), text).unwrap();
        fs::write(root.join("7/cmdline"), "app").unwrap();
        let _there_already = symlink("/srv/app", root.join("7/exe"));
    }

    fn paths(modules: Vec<Module>) -> Vec<PathBuf> {
        modules.iter().map(|module| module.path().to_owned()).collect()
    }

    #[test]
    fn a_file_is_new_once_and_again_when_it_comes_to_another_place() {
        let root = tempfile::tempdir().unwrap();
        maps(root.path(), PROGRAM);
        let known = modules_in(root.path(), Pid(7)).unwrap();
        let mut arrivals = Arrivals::after_in(root.path(), Pid(7), &known);
        assert!(arrivals.look().unwrap().is_empty());
        maps(root.path(), &format!("{PROGRAM}{PLUGIN}"));
        assert_eq!(paths(arrivals.look().unwrap()), [PathBuf::from("/srv/plugin.so")]);
        assert!(arrivals.look().unwrap().is_empty());
        maps(root.path(), PROGRAM);
        assert!(arrivals.look().unwrap().is_empty());
        maps(root.path(), &format!("{PROGRAM}{}", PLUGIN.replace("7000-8000", "a000-b000")));
        assert_eq!(paths(arrivals.look().unwrap()), [PathBuf::from("/srv/plugin.so")]);
    }

    #[test]
    fn what_is_no_code_changes_nothing_and_code_does() {
        let of = |text: &str| hash_of_code(text.as_bytes()).unwrap();
        let grown = PROGRAM.replace("2000-3000", "2000-9000");
        assert_eq!(of(PROGRAM), of(&grown));
        assert_ne!(of(PROGRAM), of(&format!("{PROGRAM}{PLUGIN}")));
        assert_eq!(of(""), of("junk\n\n x\n"));
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        assert!(Arrivals::after_in(root.path(), Pid(7), &[]).look().is_err());
    }
}
