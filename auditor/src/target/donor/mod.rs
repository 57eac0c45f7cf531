//! Symbols for a file that was stripped, from another file that was made with it: one that the user names, one that
//! a distribution keeps beside it (by build id, by `.gnu_debuglink`), or one inside it (`.gnu_debugdata`).
//!
//! A lender's addresses are those of the file only if both come from one link. So one is taken only where that is
//! shown: by equal build ids, by equal code, by the checksum that the file itself has of it, or because it is
//! inside. Where nothing is shown it is declined, with what differs.
//!
//! The target's root is searched before ours, and never left: in a container the same path is another file.

mod embedded;
mod link;
mod prove;
mod root;

use std::path::{Path, PathBuf};

use object::ReadCache;
use std::fs::File;
use std::io::BufReader;

pub use prove::{Difference, Proof};
pub(super) use root::{open_below, open_directory_below};

use super::elf::Elf;
use super::module::{FileBytes, Module, ModuleError, open_regular};
use super::proc;
use crate::audit::unit::Pid;

/// Where distributions keep files with debug information.
const DEBUG: &str = "usr/lib/debug";
/// Most files that are named by the user.
const GIVEN: usize = 64;

/// Where lenders are looked for.
#[derive(Clone, Debug, Default)]
pub struct Donors {
    /// Named by the user.
    given: Vec<PathBuf>,
    /// Roots of file systems, in order.
    roots: Vec<PathBuf>,
}

/// What came of looking for a lender.
#[derive(Debug, Default)]
pub struct Borrowed {
    /// Who was found.
    pub lender: Option<Lender>,
    /// Who was there and declined, in the order of looking.
    pub declined: Vec<Declined>,
}

/// A file that names what another one does not.
#[derive(Debug)]
pub struct Lender {
    path: PathBuf,
    proof: Proof,
    elf: Elf,
}

/// A file that was there and is not of the same link, or has nothing to lend.
#[derive(Debug)]
pub struct Declined {
    /// Which one.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a file lends no symbols.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// It cannot be looked into.
    #[error(transparent)]
    Unreadable(#[from] ModuleError),
    /// It has none.
    #[error("it has no symbols (.symtab): it is stripped itself")]
    Stripped,
    /// It is of another link.
    #[error(transparent)]
    Differs(#[from] Difference),
}

impl Lender {
    /// Where it is; for one that is inside the file, the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What shows that its addresses are those of the file.
    #[must_use]
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// Its symbols, at the addresses of the file. Of its own bytes nothing is to be used: a file with debug
    /// information alone has no code.
    #[must_use]
    pub(super) fn elf(&self) -> &Elf {
        &self.elf
    }
}

impl Donors {
    /// For the files of a process: the ones that the user names, then what its root and ours have.
    #[must_use]
    pub fn of(pid: Pid, given: &[PathBuf]) -> Self {
        let roots = vec![proc::path(Path::new(proc::ROOT), pid, "root"), PathBuf::from("/")];
        Self::in_roots(roots, given)
    }

    /// [`Self::of`] with other roots.
    #[must_use]
    pub fn in_roots(roots: Vec<PathBuf>, given: &[PathBuf]) -> Self {
        Self { given: given.iter().take(GIVEN).cloned().collect(), roots }
    }

    /// A lender for a file that has no `.symtab`. Files of distributions that are not there are not spoken of; those
    /// that the user names are, for one that fits no file at all is the user's mistake ([`misfits`]).
    pub(super) fn find(&self, module: &Module) -> Borrowed {
        let mut borrowed = Borrowed::default();
        let Ok(elf) = module.elf() else { return borrowed };
        if !elf.is_stripped() {
            return borrowed;
        }
        for path in &self.given {
            let asked = open_regular(path).map_err(Why::from).and_then(|file| lend(module, path, file));
            if borrowed.add(path, asked) {
                return borrowed;
            }
        }
        if self.find_installed(module, elf, &mut borrowed).is_none() {
            borrowed.lender = embedded::lender(module, elf);
        }
        borrowed
    }

    fn find_installed(&self, module: &Module, elf: &Elf, borrowed: &mut Borrowed) -> Option<()> {
        let by_id = elf.build_id().and_then(path_by_build_id);
        for root in &self.roots {
            for path in by_id.iter() {
                let Ok(file) = open_below(root, path) else { continue };
                let shown = root.join(path);
                if borrowed.add(&shown, lend(module, &shown, file)) {
                    return Some(());
                }
            }
        }
        let link = link::of(module, elf)?;
        for root in &self.roots {
            for path in link.places(module.path()) {
                let Ok(file) = open_below(root, &path) else { continue };
                let shown = root.join(&path);
                if borrowed.add(&shown, lend_linked(module, &shown, file, link.checksum)) {
                    return Some(());
                }
            }
        }
        None
    }
}

impl Borrowed {
    /// Whether that one lends.
    fn add(&mut self, path: &Path, asked: Result<Lender, Why>) -> bool {
        match asked {
            Ok(lender) => self.lender = Some(lender),
            Err(why) => self.declined.push(Declined { path: path.to_owned(), why }),
        }
        self.lender.is_some()
    }
}

/// What is wrong with each file that the user named and that lends to none of these: in words, for a person. Files
/// that have their own symbols are compared, too: naming one for them is no mistake.
#[must_use]
pub fn misfits(given: &[PathBuf], modules: &[Module]) -> Vec<String> {
    given.iter().take(GIVEN).filter_map(|path| misfit(path, modules)).collect()
}

fn misfit(path: &Path, modules: &[Module]) -> Option<String> {
    let shown = path.display();
    let understood = open_regular(path).map_err(Why::from).and_then(|file| understand(path, file));
    let (elf, bytes) = match understood {
        Ok(understood) => understood,
        Err(why) => return Some(format!("{shown} lends no symbols: {why}")),
    };
    let mut nearest: Option<(&Module, Difference)> = None;
    for module in modules.iter().filter(|module| module.elf().is_ok()) {
        match prove::same_link(module, &elf, &bytes) {
            Ok(_proof) => return None,
            Err(one) if nearest.as_ref().is_none_or(|(_, best)| one.distance() < best.distance()) => {
                nearest = Some((module, one));
            }
            Err(_farther) => {}
        }
    }
    let beside = nearest.map_or_else(
        || "none of them could be looked into".to_owned(),
        |(module, difference)| format!("beside the nearest, {}: {difference}", module.path().display()),
    );
    Some(format!("{shown} lends its symbols to no file of the process; {beside}"))
}

/// Symbols of a file, if it is shown to be of one link with the module.
fn lend(module: &Module, path: &Path, file: File) -> Result<Lender, Why> {
    let (elf, bytes) = understand(path, file)?;
    let proof = prove::same_link(module, &elf, &bytes)?;
    Ok(Lender { path: path.to_owned(), proof, elf })
}

/// [`lend`], where the module has the file's checksum: build ids are looked at first, for they are at hand.
fn lend_linked(module: &Module, path: &Path, file: File, checksum: u32) -> Result<Lender, Why> {
    let (elf, bytes) = understand(path, file)?;
    let proof = prove::same_link(module, &elf, &bytes)
        .or_else(|difference| prove::same_checksum(difference, &bytes, checksum))?;
    Ok(Lender { path: path.to_owned(), proof, elf })
}

fn understand(path: &Path, file: File) -> Result<(Elf, FileBytes), Why> {
    let unreadable = |source| ModuleError::Open { path: path.to_owned(), source };
    let parsed = Elf::parse(&ReadCache::new(BufReader::new(file.try_clone().map_err(unreadable)?)));
    let elf = parsed.map_err(|error| ModuleError::Elf { path: path.to_owned(), error })?;
    if elf.is_stripped() {
        return Err(Why::Stripped);
    }
    Ok((elf, FileBytes::of(file)))
}

/// `usr/lib/debug/.build-id/ab/cdef.debug`. A build id comes from the file, but is hex by its making.
fn path_by_build_id(id: &str) -> Option<PathBuf> {
    let (folder, name) = id.split_at_checked(2).filter(|(_, name)| !name.is_empty())?;
    Some(Path::new(DEBUG).join(format!(".build-id/{folder}/{name}.debug")))
}

#[cfg(test)]
mod tests;
