//! `/proc/PID/maps`: what is mapped where, and which files the process executes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use super::{proc, process};
use crate::audit::unit::{Address, Pid};

/// Most mappings that are looked at. Three times the kernel's default `vm.max_map_count`; a process
/// with more is audited by what its first ones say.
pub const MAPPINGS: usize = 200_000;
/// Longest line: a path (`PATH_MAX`, each newline written as 4 bytes) and the numbers before it.
pub(super) const LINE: u64 = 4 * 4096 + 128;

/// Why `/proc/PID/maps` could not be used.
#[derive(Debug, thiserror::Error)]
pub enum MapsError {
    /// It could not be read.
    #[error("cannot read the memory map of the process (is it gone? CAP_SYS_PTRACE?)")]
    Io(#[from] io::Error),
    /// A line was not as the kernel documents it.
    #[error("line {number} of the memory map is not understood: {line}")]
    Malformed {
        /// Which one, from 1.
        number: usize,
        /// What it says.
        line: String,
    },
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: Address,
    /// First address behind it.
    pub end: Address,
    /// Whether its bytes may be executed.
    pub executable: bool,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// Device and inode of the file, as `major:minor` and number; the inode is 0 without a file.
    pub file: (u64, u64),
    /// The path as the kernel shows it, ` (deleted)` and all; `None` for anonymous memory.
    pub path: Option<PathBuf>,
}

/// What a process has mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maps {
    /// By address.
    pub mappings: Vec<Mapping>,
    /// Whether there were more than [`MAPPINGS`], which were not read.
    pub truncated: bool,
}

/// A file that the process executes code of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappedFile {
    /// The path to show to people, without ` (deleted)`. It may not exist here: the process may see
    /// other mounts.
    pub path: PathBuf,
    /// The path that opens this very file whatever has happened to its name and whatever mounts the
    /// process sees: `/proc/PID/exe` or `/proc/PID/map_files/A-B`.
    pub open_path: PathBuf,
    /// [`Self::path`] seen through the process's own root, for when `map_files` is refused.
    pub root_path: PathBuf,
    /// Inode.
    pub inode: u64,
    /// Whether the file has been deleted or replaced.
    pub deleted: bool,
    /// Whether it is the program, not a library.
    pub is_main: bool,
    /// Where it is mapped, by address. A file that was loaded twice (`dlmopen`) is listed once.
    pub ranges: Vec<MappedRange>,
}

/// A part of a file in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MappedRange {
    /// First address.
    pub start: Address,
    /// First address behind it.
    pub end: Address,
    /// Where in the file it begins.
    pub offset: u64,
    /// Whether its bytes may be executed.
    pub executable: bool,
}

/// What tells the program from its libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// Target of `/proc/PID/exe`.
    pub exe: PathBuf,
    /// `/proc/PID/cmdline`.
    pub arguments: Vec<String>,
}

/// Understands the text of a maps file.
///
/// # Errors
/// [`MapsError`].
pub fn parse_maps(mut reader: impl BufRead) -> Result<Maps, MapsError> {
    let mut maps = Maps::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(maps);
        }
        if maps.mappings.len() == MAPPINGS {
            maps.truncated = true;
            return Ok(maps);
        }
        let mapping = parse_line(line.trim_ascii_end()).ok_or_else(|| MapsError::Malformed {
            number: maps.mappings.len() + 1,
            line: String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned(),
        })?;
        maps.mappings.push(mapping);
    }
}

/// Reads the maps of a process.
///
/// # Errors
/// [`MapsError`].
pub fn open_maps(root: &Path, pid: Pid) -> Result<Maps, MapsError> {
    parse_maps(BufReader::new(File::open(proc::path(root, pid, "maps"))?))
}

/// Reads which files a process executes, the program first.
///
/// # Errors
/// [`MapsError`].
pub fn open_files(root: &Path, pid: Pid) -> Result<Vec<MappedFile>, MapsError> {
    let maps = open_maps(root, pid)?;
    let exe = fs::read_link(proc::path(root, pid, "exe"))?;
    let arguments = proc::read(root, pid, "cmdline")?.split('\0').map(str::to_owned).collect();
    Ok(executed_files(&maps, &Program { exe, arguments }, &root.join(pid.0.to_string())))
}

/// `start-end rwxp offset major:minor inode   path`, numbers in hex but for the inode
/// (`fs/proc/task_mmu.c`, `show_map_vma`).
fn parse_line(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut field = || fields.next();
    let (range, rights, offset, device, inode) = (field()?, field()?, field()?, field()?, field()?);
    let (start, end) = hex_pair(range, '-')?;
    let (major, minor) = hex_pair(device, ':')?;
    let path = field().unwrap_or_default().trim_ascii_start();
    Some(Mapping {
        start: Address(start),
        end: Address(end),
        executable: *rights.get(2)? == b'x',
        offset: hex(text(offset)?)?,
        file: (major << 32 | minor, text(inode)?.parse().ok()?),
        path: (!path.is_empty()).then(|| PathBuf::from(OsString::from_vec(unescape(path)))),
    })
    .filter(|mapping| mapping.start < mapping.end)
}

fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok()
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

fn hex_pair(field: &[u8], separator: char) -> Option<(u64, u64)> {
    let (first, second) = text(field)?.split_once(separator)?;
    Some((hex(first)?, hex(second)?))
}

/// The kernel writes a newline in a path as `\012` and nothing else so.
fn unescape(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(b"\\012") {
            out.push(b'\n');
            rest = tail;
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    out
}

/// The files that the process executes code of, the program first, then by address. `home` is its
/// directory in /proc.
#[must_use]
pub fn executed_files(maps: &Maps, program: &Program, home: &Path) -> Vec<MappedFile> {
    let mut files: Vec<(&Mapping, MappedFile)> = Vec::new();
    for mapping in maps.mappings.iter().filter(|m| m.file.1 != 0 && m.executable) {
        if files.iter().all(|(first, _)| !is_same_file(first, mapping)) {
            files.push((mapping, mapped_file(mapping, program, home)));
        }
    }
    add_ranges(maps, &mut files);
    let mut files: Vec<MappedFile> = files.into_iter().map(|(_, file)| file).collect();
    mark_main(&mut files, program);
    files.sort_by_key(|file| !file.is_main);
    files
}

/// The path is compared too: overlay file systems give one device and inode to different files.
fn is_same_file(one: &Mapping, other: &Mapping) -> bool {
    one.file == other.file && one.path == other.path
}

fn mapped_file(mapping: &Mapping, program: &Program, home: &Path) -> MappedFile {
    let raw = mapping.path.clone().unwrap_or_default();
    let (path, deleted) = process::without_deleted(&raw);
    let open_path = if raw == program.exe {
        home.join("exe")
    } else {
        home.join(format!("map_files/{:x}-{:x}", mapping.start.0, mapping.end.0))
    };
    let root_path = home.join("root").join(path.strip_prefix("/").unwrap_or(&path));
    let inode = mapping.file.1;
    MappedFile { path, open_path, root_path, inode, deleted, is_main: raw == program.exe, ranges: Vec::new() }
}

fn add_ranges(maps: &Maps, files: &mut [(&Mapping, MappedFile)]) {
    // Ranges of one file lie together, so the file that took the last one mostly takes the next.
    let mut last = 0;
    for mapping in maps.mappings.iter().filter(|mapping| mapping.file.1 != 0) {
        let takes = |files: &[(&Mapping, MappedFile)], at: usize| {
            files.get(at).is_some_and(|(first, _)| is_same_file(first, mapping))
        };
        let Some(owner) =
            takes(files, last).then_some(last).or_else(|| (0..files.len()).find(|&at| takes(files, at)))
        else {
            continue;
        };
        let Mapping { start, end, offset, executable, .. } = *mapping;
        files[owner].1.ranges.push(MappedRange { start, end, offset, executable });
        last = owner;
    }
}

/// A program that was started as `ld.so PROGRAM` has the dynamic loader for its `exe`. The program is then the
/// mapped file that an argument names; where it has written a title over its arguments, the first one that is
/// called like no library.
fn mark_main(files: &mut [MappedFile], program: &Program) {
    let Some(loader) = files.iter().position(|file| file.is_main && is_loader(file)) else { return };
    let names = program.arguments.iter().skip(1).filter_map(|argument| Path::new(argument).file_name());
    let mut named = names.filter_map(|name| {
        files.iter().position(|file| file.path.file_name() == Some(name) && !is_loader(file))
    });
    let is_library = |file: &MappedFile| file_name(file).contains(".so");
    let main = named.next().or_else(|| files.iter().position(|file| !is_loader(file) && !is_library(file)));
    if let Some(main) = main {
        files[loader].is_main = false;
        files[main].is_main = true;
    }
}

fn is_loader(file: &MappedFile) -> bool {
    let name = file_name(file);
    name.starts_with("ld-") || name.starts_with("ld.so") || name == "ld64.so.2"
}

fn file_name(file: &MappedFile) -> std::borrow::Cow<'_, str> {
    file.path.file_name().unwrap_or_default().to_string_lossy()
}

impl MappedFile {
    /// Whether the address lies in one of its mappings.
    #[must_use]
    pub fn contains(&self, address: Address) -> bool {
        self.ranges.iter().any(|range| range.start <= address && address < range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
55d000000000-55d000002000 r--p 00000000 fe:01 100                        /srv/app (deleted)
55d000002000-55d000009000 r-xp 00002000 fe:01 100                        /srv/app (deleted)
55d00000a000-55d00000b000 rw-p 00009000 fe:01 100                        /srv/app (deleted)
55d000010000-55d000031000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 r--s 00000000 fe:01 200                        /usr/share/a table
7f0000001000-7f0000002000 r--p 00000000 fe:01 300                        /usr/lib/lib\\012x.so
7f0000002000-7f0000003000 r-xp 00001000 fe:01 300                        /usr/lib/lib\\012x.so
7f0000003000-7f0000004000 rwxp 00000000 00:00 0 
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
";

    fn program(exe: &str, arguments: &[&str]) -> Program {
        Program { exe: exe.into(), arguments: arguments.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn each_line_is_one_mapping() {
        let maps = parse_maps(TEXT.as_bytes()).unwrap();
        assert_eq!(maps.mappings.len(), 9);
        assert_eq!(maps.mappings[4].path.as_deref(), Some(Path::new("/usr/share/a table")));
        assert_eq!(maps.mappings[7].path, None);
        assert_eq!(maps.mappings[1].offset, 0x2000);
        assert!(!maps.truncated);
    }

    #[test]
    fn only_files_with_code_are_listed_and_the_program_comes_first() {
        let maps = parse_maps(TEXT.as_bytes()).unwrap();
        let files = executed_files(&maps, &program("/srv/app (deleted)", &["app"]), Path::new("/proc/7"));
        assert_eq!(files.len(), 2);
        assert!(files[0].is_main && files[0].deleted && !files[1].is_main && !files[1].deleted);
        assert_eq!(files[0].path, Path::new("/srv/app"));
        assert_eq!(files[0].open_path, Path::new("/proc/7/exe"));
        assert_eq!(files[0].ranges.len(), 3);
        assert_eq!(files[1].path, Path::new("/usr/lib/lib\nx.so"));
        assert_eq!(files[1].open_path, Path::new("/proc/7/map_files/7f0000002000-7f0000003000"));
        assert_eq!(files[1].root_path, Path::new("/proc/7/root/usr/lib/lib\nx.so"));
        assert!(
            files[1].contains(Address(0x7f00_0000_1fff)) && !files[1].contains(Address(0x7f00_0000_3000))
        );
    }

    #[test]
    fn a_program_started_through_its_loader_is_found_by_its_argument() {
        let text = "\
1000-2000 r-xp 00000000 fe:01 1   /opt/prog
3000-4000 r-xp 00000000 fe:01 2   /lib64/ld-linux-x86-64.so.2
";
        let maps = parse_maps(text.as_bytes()).unwrap();
        let program = program("/lib64/ld-linux-x86-64.so.2", &["ld.so", "--argv0", "x", "./prog"]);
        let files = executed_files(&maps, &program, Path::new("/proc/7"));
        assert_eq!(files[0].path, Path::new("/opt/prog"));
        assert!(files[0].is_main && !files[1].is_main);
        assert_eq!(files[0].open_path, Path::new("/proc/7/map_files/1000-2000"));
        assert_eq!(files[1].open_path, Path::new("/proc/7/exe"));
    }

    #[test]
    fn a_program_that_wrote_a_title_over_its_arguments_is_the_file_that_is_no_library() {
        let text = "\
1000-2000 r-xp 00000000 fe:01 3   /lib/libc.so.6
3000-4000 r-xp 00000000 fe:01 1   /opt/redis-server
5000-6000 r-xp 00000000 fe:01 2   /lib64/ld-linux-x86-64.so.2
";
        let maps = parse_maps(text.as_bytes()).unwrap();
        let program = program("/lib64/ld-linux-x86-64.so.2", &["redis-server *:6379", "", ""]);
        let files = executed_files(&maps, &program, Path::new("/proc/7"));
        assert_eq!(files[0].path, Path::new("/opt/redis-server"));
        assert_eq!(files.iter().filter(|file| file.is_main).count(), 1);
    }

    #[test]
    fn two_files_of_one_inode_number_are_told_apart_by_their_paths() {
        let text = "1000-2000 r-xp 0 0:1 5 /a\n2000-3000 r-xp 0 0:1 5 /b\n";
        let maps = parse_maps(text.as_bytes()).unwrap();
        assert_eq!(executed_files(&maps, &Program::default(), Path::new("/proc/7")).len(), 2);
    }

    #[test]
    fn a_line_that_is_not_a_mapping_is_named() {
        for bad in ["junk", "2000-1000 r-xp 0 0:0 0", "1000-2000 r 0 0:0 0", "1000-2000 r-xp 0 0:0 x"] {
            let error = parse_maps(bad.as_bytes()).unwrap_err();
            assert!(matches!(error, MapsError::Malformed { number: 1, .. }), "{bad}");
        }
    }

    #[test]
    fn too_many_mappings_are_cut_and_said_so() {
        let text = "1000-2000 r--p 0 0:0 0\n".repeat(MAPPINGS + 1);
        let maps = parse_maps(text.as_bytes()).unwrap();
        assert_eq!(maps.mappings.len(), MAPPINGS);
        assert!(maps.truncated);
    }

    #[test]
    fn our_own_program_and_libraries_are_found() {
        let files = open_files(Path::new(proc::ROOT), Pid(std::process::id())).unwrap();
        assert_eq!(files[0].path, std::env::current_exe().unwrap());
        let here = Address(our_own_program_and_libraries_are_found as *const () as u64);
        assert!(files[0].contains(here));
        assert!(files.iter().any(|file| file.path.to_string_lossy().contains("libc.so")));
        for file in &files {
            assert!(file.open_path.metadata().unwrap().is_file(), "{file:?}");
        }
    }

    #[test]
    fn a_real_program_started_through_its_loader_is_the_main_file() {
        let loader = "/lib64/ld-linux-x86-64.so.2";
        let mut child = std::process::Command::new(loader).args(["/bin/sleep", "62"]).spawn().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let main = loop {
            let files = open_files(Path::new(proc::ROOT), Pid(child.id())).unwrap_or_default();
            let main = files.into_iter().find(|file| file.is_main && file.path.ends_with("sleep"));
            if main.is_some() || std::time::Instant::now() > deadline {
                break main;
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(main.unwrap().open_path.to_string_lossy().contains("map_files"));
    }
}
