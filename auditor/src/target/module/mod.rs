//! A file as it is mapped into a process: the facts of the mapping, and what is in the file once
//! somebody asks.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use object::ReadCache;

mod calls;
mod find;

pub use calls::{Call, CallKind, CallSite, Callee, Calls, CallsError};
pub use find::{Matches, Named, Semaphore, StaticProbe};

use super::donor::{Borrowed, Donors, Lender};
use super::elf::{Elf, ElfError, Linkage, Symbol as ElfSymbol};
use super::maps::{MappedFile, MapsError, open_files};
use super::proc;
use crate::audit::unit::{Address, Pid};

/// Most bytes that are read of a file at once: no function is longer.
const BYTES: usize = 1 << 20;
/// Size of a page of memory, to which mappings are rounded down.
const PAGE: u64 = 4096;

/// Why a mapped file could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// It could not be opened or read.
    #[error("cannot open {path}: map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE")]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// What the kernel said of that, then of the path below the process's root.
        #[source]
        source: io::Error,
    },
    /// A device, a pipe: opening it may do something.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// Which one.
        path: PathBuf,
    },
    /// It is not an x86-64 ELF file.
    #[error("{path}: {error}")]
    Elf {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        error: ElfError,
    },
    /// It ends before the bytes that were asked for.
    #[error("{path} has no {len} bytes at {offset:#x}")]
    Short {
        /// Which one.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// How many.
        len: usize,
    },
}

/// A function or variable, in the process and in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Where it is in the process.
    pub address: Address,
    /// Where it is in the file; `None` for memory that begins as zeros.
    pub file_offset: Option<u64>,
    /// Bytes; 0: not said.
    pub size: u64,
}

/// A mapped file.
#[derive(Clone, Debug)]
pub struct Module {
    file: MappedFile,
    content: Content,
    /// What is in the file is the same in every process that maps it.
    known: Arc<Known>,
}

/// What is known of a file once somebody asked.
#[derive(Debug, Default)]
struct Known {
    elf: OnceLock<Result<Elf, ModuleError>>,
    linkage: OnceLock<Linkage>,
    borrowed: OnceLock<Borrowed>,
}

/// The bytes of a mapped file, for as long as somebody keeps this.
#[derive(Clone, Debug)]
pub struct FileBytes(Arc<Source>);

#[derive(Debug)]
enum Source {
    File(File),
    Captured(Vec<u8>),
}

impl FileBytes {
    /// Bytes that are at hand.
    #[must_use]
    pub fn captured(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Source::Captured(bytes)))
    }

    /// Those of an open file.
    #[must_use]
    pub(super) fn of(file: File) -> Self {
        Self(Arc::new(Source::File(file)))
    }

    /// Fills as much of `into` from `offset` on as there is: 0 at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn read_some(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        match &*self.0 {
            Source::File(file) => file.read_at(into, offset),
            Source::Captured(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read(into)
            }
        }
    }

    /// Fills `into` from `offset` on.
    ///
    /// # Errors
    /// When the file has not that many bytes, or cannot be read.
    pub fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        match &*self.0 {
            Source::File(file) => file.read_exact_at(into, offset),
            Source::Captured(bytes) => {
                let found =
                    usize::try_from(offset).ok().and_then(|start| bytes.get(start..)?.get(..into.len()));
                into.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Content {
    /// Read when it is needed and only what is needed.
    OnDisk,
    /// Captured.
    Bytes(Vec<u8>),
}

/// The files a process executes, the program first. Nothing is opened yet.
///
/// # Errors
/// [`MapsError`].
pub fn modules(pid: Pid) -> Result<Vec<Module>, MapsError> {
    modules_in(Path::new(proc::ROOT), pid)
}

/// [`modules`] by another /proc.
///
/// # Errors
/// [`MapsError`].
pub fn modules_in(root: &Path, pid: Pid) -> Result<Vec<Module>, MapsError> {
    Ok(open_files(root, pid)?.into_iter().map(Module::new).collect())
}

impl Module {
    /// A file that is opened when somebody asks what is in it.
    #[must_use]
    pub fn new(file: MappedFile) -> Self {
        Self::with(file, Content::OnDisk)
    }

    /// A file whose bytes are at hand.
    #[must_use]
    pub fn captured(file: MappedFile, bytes: Vec<u8>) -> Self {
        Self::with(file, Content::Bytes(bytes))
    }

    fn with(file: MappedFile, content: Content) -> Self {
        Self { file, content, known: Arc::default() }
    }

    /// Whether it is the same file at the same place, in another process that came of this one by fork or the other
    /// way round.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let (one, other) = (&self.file, &other.file);
        (one.inode, &one.path, &one.ranges) == (other.inode, &other.path, &other.ranges)
    }

    /// Takes over what is known of the same file at the same place: it is looked into once.
    pub fn share(&mut self, other: &Self) {
        self.known = Arc::clone(&other.known);
    }

    /// The facts of the mapping.
    #[must_use]
    pub fn file(&self) -> &MappedFile {
        &self.file
    }

    /// The path to show to people.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.file.path
    }

    /// The path to attach probes through: always this very file.
    #[must_use]
    pub fn open_path(&self) -> &Path {
        &self.file.open_path
    }

    /// Whether it is the program, not a library.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.file.is_main
    }

    /// What is in it. Reads headers and symbol tables, once.
    ///
    /// # Errors
    /// [`ModuleError`], the same each time.
    pub fn elf(&self) -> Result<&Elf, &ModuleError> {
        self.known.elf.get_or_init(|| self.parse()).as_ref()
    }

    /// Lets another file name what this one does not, from now on and in all searches: looks for one where this
    /// one has no `.symtab`, once. Costs what reading the symbols of a file with debug information does,
    /// so it is for files in which something is to be found.
    pub fn borrow_symbols(&self, donors: &Donors) -> &Borrowed {
        self.known.borrowed.get_or_init(|| donors.find(self))
    }

    /// Who names what this file does not, if [`Self::borrow_symbols`] found one.
    #[must_use]
    pub fn lender(&self) -> Option<&Lender> {
        self.known.borrowed.get()?.lender.as_ref()
    }

    /// How its functions are reached. Reads relocations, once.
    fn linkage(&self) -> &Linkage {
        self.known.linkage.get_or_init(|| match &self.content {
            Content::Bytes(bytes) => Linkage::parse(bytes.as_slice()),
            Content::OnDisk => self.open().map_or_else(
                |_unreadable| Linkage::default(),
                |file| Linkage::parse(&ReadCache::new(BufReader::new(file))),
            ),
        })
    }

    /// What is added to an address of the file to make it one of the process; `None` when no
    /// mapping fits what the file says of itself.
    #[must_use]
    pub fn load_bias(&self) -> Option<u64> {
        let segments = self.elf().ok()?.segments();
        let mut code = self.file.ranges.iter().filter(|range| range.executable);
        code.find_map(|range| {
            let segment = segments.iter().filter(|segment| segment.executable).find(|segment| {
                let first = segment.offset & !(PAGE - 1);
                let end = segment.offset.saturating_add(segment.file_size);
                first <= range.offset && range.offset < end
            })?;
            let shift = segment.offset.wrapping_sub(segment.address);
            Some(range.start.0.wrapping_sub(range.offset).wrapping_add(shift))
        })
    }

    /// The function or variable of that name, the most visible one where there are several.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<Symbol> {
        let symbol = self.tables().find_map(|table| table.symbol(name))?;
        self.place(self.elf().ok()?, &symbol)
    }

    /// The name of the function that holds an address of the process.
    #[must_use]
    pub fn function_at(&self, address: Address) -> Option<String> {
        let at = address.0.wrapping_sub(self.load_bias()?);
        let symbol = self.tables().find_map(|table| table.function_at(at))?;
        Some(symbol.name.into_owned())
    }

    /// Bytes of the file, which need not be those in memory.
    ///
    /// # Errors
    /// [`ModuleError`]; [`ModuleError::Short`] also for more than 1 MiB.
    pub fn bytes_at_file_offset(&self, offset: u64, len: usize) -> Result<Vec<u8>, ModuleError> {
        let short = || ModuleError::Short { path: self.file.path.clone(), offset, len };
        if len > BYTES {
            return Err(short());
        }
        if let Content::Bytes(bytes) = &self.content {
            let start = usize::try_from(offset).map_err(|_overflow| short())?;
            let found = start.checked_add(len).and_then(|end| bytes.get(start..end));
            return found.map(<[u8]>::to_vec).ok_or_else(short);
        }
        let mut bytes = vec![0; len];
        self.open()?.read_exact_at(&mut bytes, offset).map_err(|_short| short())?;
        Ok(bytes)
    }

    /// Its bytes, to be read later, too.
    ///
    /// # Errors
    /// [`ModuleError`] when it cannot be opened.
    pub fn bytes(&self) -> Result<FileBytes, ModuleError> {
        let source = match &self.content {
            Content::OnDisk => Source::File(self.open()?),
            Content::Bytes(bytes) => Source::Captured(bytes.clone()),
        };
        Ok(FileBytes(Arc::new(source)))
    }

    fn place(&self, elf: &Elf, symbol: &ElfSymbol<'_>) -> Option<Symbol> {
        let address = Address(symbol.address.wrapping_add(self.load_bias()?));
        Some(Symbol { address, file_offset: elf.offset_of(symbol.address), size: symbol.size })
    }

    fn parse(&self) -> Result<Elf, ModuleError> {
        let parsed = match &self.content {
            Content::Bytes(bytes) => Elf::parse(bytes.as_slice()),
            // Reads the tables alone: a program with its debug information may be gigabytes long.
            Content::OnDisk => Elf::parse(&ReadCache::new(BufReader::new(self.open()?))),
        };
        parsed.map_err(|error| ModuleError::Elf { path: self.file.path.clone(), error })
    }

    /// Opens the file. `map_files` may be refused, or be stale once a mapping has been split: then
    /// the path below the process's root will do, if the same inode is there.
    fn open(&self) -> Result<File, ModuleError> {
        let first = match open_regular(&self.file.open_path) {
            Err(ModuleError::Open { source, path }) => (source, path),
            opened_or_no_file => return opened_or_no_file,
        };
        let below_root = &self.file.root_path;
        let is_same = fs::metadata(below_root).is_ok_and(|found| found.ino() == self.file.inode);
        if !self.file.deleted && is_same {
            return open_regular(below_root);
        }
        Err(ModuleError::Open { source: first.0, path: first.1 })
    }
}

pub(super) fn open_regular(path: &Path) -> Result<File, ModuleError> {
    let failed = |source| ModuleError::Open { path: path.to_owned(), source };
    // Looked at before it is opened: opening a device may do something.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ModuleError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::maps::MappedRange;

    /// A function of a known name at a known place.
    #[unsafe(no_mangle)]
    #[inline(never)]
    extern "C" fn auditor_module_test_landmark(value: u64) -> u64 {
        value.rotate_left(7) ^ 0x5a
    }

    fn own() -> Vec<Module> {
        modules(Pid(std::process::id())).unwrap()
    }

    #[test]
    fn a_symbol_of_a_running_position_independent_program_is_where_it_runs() {
        let module = &own()[0];
        let here = auditor_module_test_landmark as *const () as u64;
        let symbol = module.symbol("auditor_module_test_landmark").unwrap();
        assert_eq!(symbol.address, Address(here));
        assert!(module.is_main() && module.file().contains(symbol.address));
        assert_eq!(module.function_at(Address(here + 1)).unwrap(), "auditor_module_test_landmark");
    }

    #[test]
    fn the_bytes_of_a_function_in_the_file_are_those_in_memory() {
        let module = &own()[0];
        let symbol = module.symbol("auditor_module_test_landmark").unwrap();
        let len = usize::try_from(symbol.size).unwrap();
        let in_file = module.bytes_at_file_offset(symbol.file_offset.unwrap(), len).unwrap();
        let process = crate::target::process::Process::open(Pid(std::process::id())).unwrap();
        let mut in_memory = vec![0; len];
        let memory = crate::target::memory::LiveMemory::of(&process);
        crate::target::memory::Memory::read(&memory, symbol.address, &mut in_memory).unwrap();
        assert_eq!(in_file, in_memory);
        assert!(len > 4);
    }

    #[test]
    fn a_library_is_found_by_its_symbol() {
        let own = own();
        let libc = own.iter().find(|module| module.symbol("malloc_usable_size").is_some()).unwrap();
        assert!(!libc.is_main());
        let symbol = libc.symbol("malloc_usable_size").unwrap();
        assert_eq!(symbol.address, Address(libc::malloc_usable_size as *const () as u64));
    }

    #[test]
    fn bytes_beyond_the_end_or_too_many_are_refused() {
        let module = &own()[0];
        for (offset, len) in [(u64::MAX - 4, 8), (1 << 50, 8), (0, BYTES + 1)] {
            assert!(matches!(module.bytes_at_file_offset(offset, len), Err(ModuleError::Short { .. })));
        }
    }

    #[test]
    fn a_stale_map_files_entry_falls_back_to_the_same_inode_below_the_root() {
        let mut file = own()[0].file().clone();
        file.open_path = "/proc/self/map_files/1-2".into();
        assert!(Module::new(file.clone()).elf().is_ok());
        file.inode ^= 1;
        assert!(matches!(Module::new(file).elf(), Err(ModuleError::Open { .. })));
    }

    #[test]
    fn a_device_is_never_opened() {
        let file = MappedFile { open_path: "/dev/zero".into(), ..MappedFile::default() };
        assert!(matches!(Module::new(file).elf(), Err(ModuleError::NotAFile { .. })));
    }

    #[test]
    fn a_mapping_that_fits_no_segment_gives_no_address() {
        let bytes = fs::read("/bin/true").unwrap();
        let range = MappedRange { offset: 1 << 40, executable: true, ..MappedRange::default() };
        let file = MappedFile { ranges: vec![range], ..MappedFile::default() };
        let module = Module::captured(file, bytes);
        assert!(module.elf().is_ok());
        assert_eq!(module.load_bias(), None);
    }
}
