//! Which allocator a C library's `malloc` is, told by what its library exports: each has something of its own to
//! give memory back with.

use std::ops::Range;

use super::module::Module;
use crate::audit::unit::Address;

/// An allocator.
#[derive(Debug)]
struct Row {
    name: &'static str,
    /// One of these is in its library, or in a program that it is linked into.
    symbols: &'static [&'static str],
    /// Whether whoever maps it means to replace the C library's.
    replaces: bool,
}

/// Those that are known. Seen in Debian's libraries: glibc 2.36, jemalloc 5.3.0, gperftools 2.10, mimalloc 2.0.9;
/// the prefixed names are those of jemalloc built with a prefix and of Rust's jemalloc crate, the last one of
/// tcmalloc is Google's.
const ROWS: [Row; 4] = [
    Row { name: "jemalloc", symbols: &["mallctl", "je_mallctl", "_rjem_mallctl"], replaces: true },
    Row {
        name: "tcmalloc",
        symbols: &["MallocExtension_ReleaseFreeMemory", "MallocExtension_Internal_ReleaseMemoryToSystem"],
        replaces: true,
    },
    Row { name: "mimalloc", symbols: &["mi_collect"], replaces: true },
    Row { name: "glibc", symbols: &["malloc_trim"], replaces: false },
];

/// The allocator of a process by the files that it executes; `None`: none that is known, or two that exclude each
/// other.
#[must_use]
pub fn recognise(modules: &[Module]) -> Option<&'static str> {
    chosen(|symbol| modules.iter().any(|module| module.elf().is_ok_and(|elf| elf.symbol(symbol).is_some())))
}

/// Where a process has the data that the file with glibc's `malloc` keeps; none: it has another one.
#[must_use]
pub fn data_of_glibc(modules: &[Module]) -> Vec<Range<Address>> {
    if recognise(modules) != Some("glibc") {
        return Vec::new();
    }
    let has_it = |module: &&Module| module.elf().is_ok_and(|elf| elf.symbol("malloc_trim").is_some());
    let ranges = modules.iter().find(has_it).into_iter().flat_map(|module| &module.file().ranges);
    ranges.filter(|range| !range.executable).map(|range| range.start..range.end).collect()
}

/// The one whose symbols there are: one that replaces the C library's goes before it. jemalloc and tcmalloc
/// export some of glibc's names, never the other way round.
fn chosen(is_there: impl Fn(&str) -> bool) -> Option<&'static str> {
    let found = |replaces: bool| {
        let of_kind = ROWS.iter().filter(move |row| row.replaces == replaces);
        of_kind.filter(|row| row.symbols.iter().any(|symbol| is_there(symbol))).map(|row| row.name)
    };
    let mut others = found(true);
    match (others.next(), others.next()) {
        (Some(name), None) => Some(name),
        (Some(_), Some(_)) => None,
        (None, _) => found(false).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Pid;
    use crate::target::module::modules;

    fn with(exported: &[&str]) -> Option<&'static str> {
        chosen(|symbol| exported.contains(&symbol))
    }

    #[test]
    fn each_allocator_is_told_by_each_of_its_symbols_beside_the_c_library() {
        for row in &ROWS {
            for symbol in row.symbols {
                assert_eq!(with(&["malloc", "malloc_trim", symbol]), Some(row.name), "{symbol}");
            }
        }
    }

    #[test]
    fn without_a_c_library_and_with_two_allocators_none_is_told() {
        assert_eq!(with(&["malloc"]), None);
        assert_eq!(with(&["malloc_trim", "mallctl", "mi_collect"]), None);
    }

    #[test]
    fn this_process_has_that_of_its_c_library() {
        assert_eq!(recognise(&modules(Pid(std::process::id())).unwrap()), Some("glibc"));
    }
}
