//! LLVM on this machine: which major versions can be built against, and which one a program holds.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;

/// Major versions that [`super::linker::VERSION`] of bpf-linker can be built against.
pub(crate) const SUPPORTED: std::ops::RangeInclusive<u32> = 21..=23;

/// Where the headers and libraries of this major version are: `LLVM_PREFIX`, Debian's place, or what
/// `llvm-config-N` in PATH says.
pub(crate) fn prefix(major: u32) -> Option<PathBuf> {
    let told = env::var_os("LLVM_PREFIX").map(PathBuf::from);
    let debian = PathBuf::from(format!("/usr/lib/llvm-{major}"));
    let named = process::output(Command::new(format!("llvm-config-{major}")).arg("--prefix"));
    let places = told.into_iter().chain([debian]).chain(named.ok().map(|path| path.trim().into()));
    places.into_iter().find(|prefix| configured(prefix) == Some(major))
}

/// The major version that the `llvm-config` below this prefix speaks for.
fn configured(prefix: &Path) -> Option<u32> {
    let said = process::output(Command::new(prefix.join("bin/llvm-config")).arg("--version")).ok()?;
    said.split('.').next()?.trim().parse().ok()
}

/// The major version of the LLVM that a program is linked with, read from its bytes: the name of the
/// shared library it needs (`libLLVM.so.22.1`, `libLLVM-22.so`), or the version that LLVM writes into
/// bitcode (`LLVM22.1.2`) where it is inside. `None`: neither is there.
pub(crate) fn linked_with(program: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"LLVM";
    let after_each_name = program
        .windows(NAME.len())
        .enumerate()
        .filter(|(_, window)| *window == NAME)
        .map(|(at, _)| &program[at + NAME.len()..]);
    after_each_name.into_iter().find_map(|rest| {
        let rest = rest.strip_prefix(b".so.").or(rest.strip_prefix(b"-")).unwrap_or(rest);
        leading_version(rest)
    })
}

/// The number before a full stop or, as in `LLVM-22-rust`, a hyphen.
fn leading_version(text: &[u8]) -> Option<u32> {
    let digits = text.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    if digits != 2 || !matches!(text.get(digits), Some(b'.' | b'-')) {
        return None;
    }
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_the_name_of_the_library_or_in_llvm_itself() {
        assert_eq!(linked_with(b"\0libLLVM.so.22.1\0libc.so.6\0"), Some(22));
        assert_eq!(linked_with(b"\0libLLVM-21.so\0"), Some(21));
        assert_eq!(linked_with(b"\0libLLVM-22-rust-1.95.0-stable.so\0"), Some(22));
        assert_eq!(linked_with(b"the LLVM linker\0LLVM22.1.2\0"), Some(22));
    }

    #[test]
    fn other_words_about_llvm_are_no_version() {
        assert_eq!(linked_with(b"LLVM 22 builds also support; LLVM1; LLVM"), None);
    }
}
