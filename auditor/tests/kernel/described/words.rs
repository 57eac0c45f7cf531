//! Memory of a program, read by hand: what the auditor would read, without the auditor's engine.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use auditor::audit::unit::Pid;
use auditor::target::module::{Module, modules};

/// The memory of a process, and the files that are mapped into it.
#[derive(Debug)]
pub(crate) struct Words {
    memory: File,
    modules: Vec<Module>,
}

impl Words {
    /// Of a process.
    pub(crate) fn of(pid: u32) -> Self {
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        Self { memory, modules: modules(Pid(pid)).unwrap() }
    }

    fn bytes<const LEN: usize>(&self, at: u64) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        self.memory.read_exact_at(&mut bytes, at).unwrap_or_else(|error| panic!("{at:#x}: {error}"));
        bytes
    }

    pub(crate) fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn i64(&self, at: u64) -> i64 {
        i64::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn i8(&self, at: u64) -> i8 {
        i8::from_le_bytes(self.bytes(at))
    }

    pub(crate) fn u8(&self, at: u64) -> u8 {
        u8::from_le_bytes(self.bytes(at))
    }

    /// The text that begins there and ends with a zero, or after 64 bytes.
    pub(crate) fn text(&self, at: u64) -> String {
        let letters = (at..at + 64).map(|at| self.u8(at)).take_while(|letter| *letter != 0);
        String::from_utf8(letters.collect()).unwrap()
    }

    fn file(&self, name: &str) -> &Module {
        let mut files = self.modules.iter();
        let found = files.find(|module| module.path().to_str().is_some_and(|path| path.contains(name)));
        found.unwrap_or_else(|| panic!("{name} is not mapped"))
    }

    /// Where a symbol of a mapped file is.
    pub(crate) fn symbol(&self, file: &str, name: &str) -> u64 {
        let file = self.file(file);
        file.symbol(name).unwrap_or_else(|| panic!("{} has no {name}", file.path().display())).address.0
    }

    /// Where an address that a mapped file was linked at is.
    pub(crate) fn linked_at(&self, file: &str, address: u64) -> u64 {
        self.file(file).load_bias().unwrap().wrapping_add(address)
    }

    /// Whether a mapped file has such a symbol.
    pub(crate) fn has(&self, file: &str, name: &str) -> bool {
        self.file(file).symbol(name).is_some()
    }
}
