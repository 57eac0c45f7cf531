//! Where the parts of a Go program are in its file: by section or symbol, and where it has neither, by what
//! they begin with.

use super::GoError;
use super::build_info::{self, BuildInfo};
use super::pclntab::{HEADER, Table};
use super::words::Words;
use crate::target::elf::{Elf, Segment};
use crate::target::module::FileBytes;

/// Most bytes of build information that are read.
const BUILD_INFO: u64 = 1 << 20;
/// Most bytes of a program's beginning that are searched for build information, and on what boundary it is.
const SEARCHED: usize = 1 << 20;
const ALIGNED: usize = 16;
/// Most parts of a program that are searched for it.
const SEGMENTS: usize = 16;
/// Bytes that are searched at once for the function table, how many times, and on what boundary it is.
const BLOCK: u64 = 1 << 20;
const BLOCKS: usize = 1 << 12;
const TABLE_ALIGNED: usize = 8;
/// After how many places that look like one the search ends.
const PLACES: usize = 8;

/// A place for the function table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TablePlace {
    /// In the file.
    pub(super) offset: u64,
    /// As linked.
    pub(super) address: u64,
    /// Bytes of it, or up to the end of what it is in.
    pub(super) size: u64,
}

/// What only TinyGo's runtime defines. A stripped program of it has none of them, and is not recognised.
const TINYGO: [&str; 5] = [
    "tinygo_getCurrentStackPointer",
    "tinygo_scanCurrentStack",
    "tinygo_scanstack",
    "tinygo_startTask",
    "runtime.hashmapMake",
];

/// Compilers whose programs look like Go's own, by what only they put there. What gccgo exports stays in
/// stripped programs, too.
pub(super) fn other_compiler(elf: &Elf) -> Option<&'static str> {
    if elf.section(".go_export").is_some() || elf.symbol("__go_init_main").is_some() {
        return Some("gccgo");
    }
    TINYGO.iter().any(|name| elf.symbol(name).is_some()).then_some("TinyGo")
}

/// How a program was built. `None`: it is no Go program.
pub(super) fn build_info(elf: &Elf, file: &FileBytes) -> Option<Result<BuildInfo, GoError>> {
    match build_blob(elf, file) {
        Some(blob) => Some(BuildInfo::parse(&blob).and_then(by_gc)),
        // Before 1.13 programs did not say how they were built.
        None => elf.section(".gopclntab").map(|_| Err(GoError::TooOld)),
    }
}

/// Lets pass what Go's own compiler, called gc, has built.
fn by_gc(build: BuildInfo) -> Result<BuildInfo, GoError> {
    let compiler = match build.setting("-compiler") {
        None | Some("gc") if !build.version.contains("tinygo") => return Ok(build),
        Some("gccgo") => "gccgo",
        Some("gc" | "tinygo") | None => "TinyGo",
        Some(_) => "a compiler that is not known",
    };
    Err(GoError::OtherCompiler { compiler })
}

/// The build information by its section, or by its magic where there are no sections.
fn build_blob(elf: &Elf, file: &FileBytes) -> Option<Vec<u8>> {
    if let Some(section) = elf.section(".go.buildinfo") {
        let mut bytes = vec![0; section.size.min(BUILD_INFO) as usize];
        file.read(section.offset?, &mut bytes).ok()?;
        return Some(bytes);
    }
    let mut data = elf.segments().iter().filter(|segment| segment.writable && !segment.executable);
    data.by_ref().take(SEGMENTS).find_map(|segment| {
        let mut bytes = vec![0; segment.file_size.min(SEARCHED as u64) as usize];
        file.read(segment.offset, &mut bytes).ok()?;
        let magic = build_info::MAGIC;
        let is_magic = |at: &usize| Words(&bytes).slice(*at, magic.len()) == Some(&magic[..]);
        let start = (0..bytes.len()).step_by(ALIGNED).find(is_magic)?;
        Some(bytes.split_off(start))
    })
}

/// Where the function table may be. It has a section of its own, except where another linker has put it
/// together with others (position-independent programs with C in them, before 1.26), and where somebody has
/// removed the section headers.
pub(super) fn tables(elf: &Elf, file: &FileBytes) -> Vec<TablePlace> {
    if let Some(section) = elf.section("gopclntab")
        && let Some(offset) = section.offset
    {
        return vec![TablePlace { offset, address: section.address, size: section.size }];
    }
    let data = elf.segments().iter().filter(|segment| !segment.executable);
    let blocks = data.flat_map(|segment| {
        let starts = (0..segment.file_size).step_by(BLOCK as usize);
        starts.map(move |start| (segment, start))
    });
    let found = blocks.take(BLOCKS).flat_map(|(segment, start)| tables_in(segment, start, file));
    found.take(PLACES).collect()
}

/// Places in one block of a segment that begin as a function table does.
fn tables_in(segment: &Segment, start: u64, file: &FileBytes) -> Vec<TablePlace> {
    let mut bytes = vec![0; (segment.file_size - start).min(BLOCK + HEADER as u64) as usize];
    if file.read(segment.offset.saturating_add(start), &mut bytes).is_err() {
        return Vec::new();
    }
    let aligned = segment.address.wrapping_add(start).wrapping_neg() as usize % TABLE_ALIGNED;
    let places = (aligned..bytes.len().min(BLOCK as usize)).step_by(TABLE_ALIGNED);
    let found = places.filter(|at| Words(&bytes).slice(*at, HEADER).is_some_and(Table::begins));
    let place = |at: usize| TablePlace {
        offset: segment.offset.saturating_add(start + at as u64),
        address: segment.address.wrapping_add(start + at as u64),
        size: segment.file_size - start - at as u64,
    };
    found.map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_table_is_found_by_what_it_begins_with_wherever_a_block_ends() {
        let begins = [0xf1, 0xff, 0xff, 0xff, 0, 0, 1, 8];
        let header: Vec<u8> =
            [1, 0, 0, 72, 72, 72, 72, 72].iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        let header = [&begins[..], &header].concat();
        for at in [8, BLOCK as usize - 8, BLOCK as usize, 2 * BLOCK as usize + 64] {
            let mut bytes = vec![0; 3 * BLOCK as usize];
            bytes[0x100 + at..0x100 + at + HEADER].copy_from_slice(&header);
            let segment = Segment {
                offset: 0x100,
                file_size: bytes.len() as u64 - 0x100,
                address: 0x40_0100,
                memory_size: 0,
                executable: false,
                writable: true,
            };
            let file = FileBytes::captured(bytes);
            let starts = (0..segment.file_size).step_by(BLOCK as usize);
            let found: Vec<TablePlace> = starts.flat_map(|start| tables_in(&segment, start, &file)).collect();
            let size = segment.file_size - at as u64;
            let place = TablePlace { offset: 0x100 + at as u64, address: 0x40_0100 + at as u64, size };
            assert_eq!(found, [place]);
        }
    }

    #[test]
    fn other_compilers_are_called_by_their_names() {
        let by = |version: &str, compiler: Option<&str>| {
            let settings = compiler.map(|name| ("-compiler".to_owned(), name.to_owned()));
            let build = BuildInfo {
                version: version.to_owned(),
                settings: settings.into_iter().collect(),
                ..BuildInfo::default()
            };
            by_gc(build).err()
        };
        let other = |compiler| Some(GoError::OtherCompiler { compiler });
        assert_eq!((by("go1.27.3", Some("gc")), by("go1.27.3", None)), (None, None));
        assert_eq!(by("go1.18 gccgo (GCC) 12", Some("gccgo")), other("gccgo"));
        assert_eq!(by("go1.25 tinygo", None), other("TinyGo"));
        assert_eq!(by("go1.25", Some("sdcc")), other("a compiler that is not known"));
    }
}
