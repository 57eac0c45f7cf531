//! What a Go program says about how it was built: the blob that `go version -m` reads
//! (src/debug/buildinfo/buildinfo.go).
//!
//! | offset | field |
//! |---|---|
//! | 0 | magic `FF 20 47 6F 20 62 75 69 6C 64 69 6E 66 3A` ("\xff Go buildinf:") |
//! | 14 | pointer size, u8 |
//! | 15 | flags, u8: 2 the strings follow (from 1.18 on) |
//! | 32 | version, then module information: each a varint length and so many bytes |

use super::words::Words;
use super::{GoError, Release};

/// "\xff Go buildinf:".
pub(super) const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
/// Where the strings begin.
const STRINGS: usize = 32;
/// The strings follow, and are not behind pointers as before 1.18.
const INLINE: u8 = 2;
/// Bytes around the module information that mark where it begins and ends.
const SENTINEL: usize = 16;
/// Longest version that is taken.
const VERSION: usize = 256;

/// How a program was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildInfo {
    /// As the program says it, such as `go1.24.11 X:noswissmap`.
    pub version: String,
    /// Its release; `None`: the version names none.
    pub release: Option<Release>,
    /// Experiments that differ from the release's own choice, such as `noswissmap`.
    pub experiments: Vec<String>,
    /// The path of the main package.
    pub path: Option<String>,
    /// Build settings, such as `-pgo` and `GOAMD64`, in the program's order.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// Understands the blob.
    ///
    /// # Errors
    /// [`GoError`] when it is none, or from before 1.18.
    pub fn parse(bytes: &[u8]) -> Result<Self, GoError> {
        let words = Words(bytes);
        let corrupt = || GoError::Corrupt { what: "the build information" };
        if !bytes.starts_with(MAGIC) {
            return Err(corrupt());
        }
        if words.u8(15).ok_or_else(corrupt)? & INLINE == 0 {
            return Err(GoError::TooOld);
        }
        let (version, next) = string(words, STRINGS).ok_or_else(corrupt)?;
        let version: String = String::from_utf8_lossy(version).chars().take(VERSION).collect();
        let modules = string(words, next).map_or(&[][..], |(text, _)| text);
        let end = modules.len().saturating_sub(SENTINEL);
        let modules = String::from_utf8_lossy(modules.get(SENTINEL..end).unwrap_or_default()).into_owned();
        let rows = modules.lines().filter_map(|line| line.split_once('\t'));
        let of = |kind: &'static str| rows.clone().filter(move |row| row.0 == kind).map(|row| row.1);
        let settings = of("build").filter_map(|setting| setting.split_once('='));
        Ok(Self {
            release: release(&version),
            experiments: experiments(&version),
            path: of("path").next().map(str::to_owned),
            settings: settings.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            version,
        })
    }

    /// The value of a build setting.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether an experiment was chosen against the release's own choice.
    #[must_use]
    pub fn has_experiment(&self, name: &str) -> bool {
        self.experiments.iter().any(|experiment| experiment == name)
    }
}

fn string(words: Words<'_>, at: usize) -> Option<(&[u8], usize)> {
    let (len, width) = words.varint(at)?;
    let start = at.checked_add(width)?;
    let len = usize::try_from(len).ok()?;
    Some((words.slice(start, len)?, start.checked_add(len)?))
}

/// `go1.27.3`, `go1.27rc1`, `devel go1.28-3a4b5c ...`: the first `goM.N` there is.
fn release(version: &str) -> Option<Release> {
    version.split([' ', '-']).find_map(|word| {
        let (major, rest) = word.strip_prefix("go")?.split_once('.')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
        Some(Release { major: major.parse().ok()?, minor: digits.parse().ok()? })
    })
}

/// `go1.24.11 X:noswissmap,other`, in 1.27 `go1.27.3-X:mapsplitgroup`.
fn experiments(version: &str) -> Vec<String> {
    let list = version.split_once("X:").map_or("", |(_, list)| list);
    let list = list.split(' ').next().unwrap_or_default();
    list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn blob(version: &str, modules: &str) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &[8, INLINE]].concat();
        bytes.resize(STRINGS, 0);
        let modules = format!("{}{modules}{}", "<".repeat(SENTINEL), ">".repeat(SENTINEL));
        for text in [version, &modules] {
            let mut len = text.len();
            while len >= 0x80 {
                bytes.push((len & 0x7f) as u8 | 0x80);
                len >>= 7;
            }
            bytes.push(len as u8);
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    #[test]
    fn a_program_says_version_path_and_settings() {
        let modules = "path\texample.com/server\nmod\texample.com/server\t(devel)\t\nbuild\t-pgo=default.pgo\nbuild\tGOAMD64=v3\n";
        let info = BuildInfo::parse(&blob("go1.24.11 X:noswissmap", modules)).unwrap();
        assert_eq!(info.release, Some(Release { major: 1, minor: 24 }));
        assert!(info.has_experiment("noswissmap") && !info.has_experiment("swissmap"));
        assert_eq!(info.path.as_deref(), Some("example.com/server"));
        assert_eq!((info.setting("-pgo"), info.setting("GOAMD64")), (Some("default.pgo"), Some("v3")));
        assert_eq!(info.setting("-race"), None);
    }

    #[test]
    fn versions_of_every_kind_name_their_release() {
        let of = |version| release(version).map(|release| (release.major, release.minor));
        assert_eq!(of("go1.27.3-X:mapsplitgroup"), Some((1, 27)));
        assert_eq!(of("go1.27rc1"), Some((1, 27)));
        assert_eq!(of("devel go1.28-a1b2c3 Mon Jan 1"), Some((1, 28)));
        assert_eq!(of("devel +a1b2c3"), None);
        assert_eq!(experiments("go1.27.3-X:mapsplitgroup"), ["mapsplitgroup"]);
        assert_eq!(experiments("go1.25.5 X:a,b"), ["a", "b"]);
    }

    #[test]
    fn what_is_none_and_what_is_too_old_are_told_apart() {
        assert_eq!(
            BuildInfo::parse(b"\x7fELF").unwrap_err(),
            GoError::Corrupt { what: "the build information" }
        );
        let mut old = blob("go1.16", "");
        old[15] = 0;
        assert_eq!(BuildInfo::parse(&old).unwrap_err(), GoError::TooOld);
        let no_modules = BuildInfo::parse(&blob("go1.21.13", "")[..STRINGS + 10]).unwrap();
        assert_eq!((no_modules.version.as_str(), no_modules.path), ("go1.21.13", None));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(tail in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _info = BuildInfo::parse(&tail);
            let _info = BuildInfo::parse(&[&blob("go1.21", "")[..STRINGS], &tail].concat());
        }
    }
}
