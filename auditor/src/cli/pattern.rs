//! File names with `%p`, `%h`, `%t` in them. Pure: whoever opens the file knows what they stand for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::audit::unit::Pid;

/// A file name with places for what is only known later. Every `%` in it is known to be one of
/// `%p`, `%h`, `%t` and `%%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(OsString);

/// What the places stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `%p`: the target.
    pub pid: Pid,
    /// `%h`: this host.
    pub host: String,
    /// `%t`: when the audit began, such as `20261121T031850Z`.
    pub time: String,
}

/// Reads a pattern from the command line.
pub(super) fn parser() -> impl TypedValueParser<Value = Pattern> {
    OsStringValueParser::new().try_map(Pattern::parse)
}

impl Pattern {
    fn parse(text: OsString) -> Result<Self, String> {
        if text.is_empty() {
            return Err("write the name of a file".to_owned());
        }
        let mut bytes = text.as_bytes().iter();
        while let Some(byte) = bytes.next() {
            if *byte == b'%' && !matches!(bytes.next(), Some(b'p' | b'h' | b't' | b'%')) {
                return Err("after % comes p (pid), h (host), t (time) or % (a percent sign)".to_owned());
            }
        }
        Ok(Self(text))
    }

    /// Whether it stands for standard output.
    pub(super) fn is_stdout(&self) -> bool {
        self.0 == "-"
    }

    /// Whether each process gets a file of its own.
    pub(super) fn tells_pids_apart(&self) -> bool {
        self.pieces().any(|piece| piece == Piece::Place(b'p'))
    }

    /// The file name. What is put in cannot lead into another folder.
    #[must_use]
    pub fn expand(&self, names: &Names) -> PathBuf {
        let mut path = Vec::new();
        for piece in self.pieces() {
            match piece {
                Piece::Byte(byte) => path.push(byte),
                Piece::Place(b'p') => path.extend(names.pid.0.to_string().bytes()),
                Piece::Place(b'h') => path.extend(names.host.bytes().map(inside_a_name)),
                Piece::Place(b't') => path.extend(names.time.bytes().map(inside_a_name)),
                Piece::Place(other) => path.push(other),
            }
        }
        OsString::from_vec(path).into()
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> {
        let mut bytes = self.0.as_bytes().iter().copied();
        std::iter::from_fn(move || match bytes.next()? {
            b'%' => bytes.next().map(Piece::Place),
            byte => Some(Piece::Byte(byte)),
        })
    }
}

/// As it was typed.
impl AsRef<OsStr> for Pattern {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Place(u8),
}

fn inside_a_name(byte: u8) -> u8 {
    if byte == b'/' || byte.is_ascii_control() { b'_' } else { byte }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> PathBuf {
        let names = Names { pid: Pid(4711), host: "db-3".to_owned(), time: "20261121T031850Z".to_owned() };
        Pattern::parse(text.into()).unwrap().expand(&names)
    }

    #[test]
    fn places_are_filled_in() {
        assert_eq!(expanded("/var/%h/%p-%t.json"), PathBuf::from("/var/db-3/4711-20261121T031850Z.json"));
        assert_eq!(expanded("100%%p"), PathBuf::from("100%p"));
        assert_eq!(expanded("plain"), PathBuf::from("plain"));
    }

    #[test]
    fn an_unknown_place_is_refused() {
        for bad in ["%x", "50%", "a%Pb", ""] {
            assert!(Pattern::parse(bad.into()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_the_pid_tells_processes_apart() {
        let apart = |text: &str| Pattern::parse(text.into()).unwrap().tells_pids_apart();
        assert!(apart("a-%p.rec"));
        assert!(!apart("a-%t.rec") && !apart("a-%%p.rec"));
    }

    #[test]
    fn a_strange_host_name_stays_inside_the_folder() {
        let names = Names { pid: Pid(1), host: "../etc\n".to_owned(), time: String::new() };
        let path = Pattern::parse("r-%h".into()).unwrap().expand(&names);
        assert_eq!(path, PathBuf::from("r-.._etc_"));
    }

    #[test]
    fn names_that_are_not_utf8_survive() {
        let odd = OsString::from_vec(vec![b'a', 0xFF, b'%', b'p']);
        let names = Names { pid: Pid(7), host: String::new(), time: String::new() };
        let path = Pattern::parse(odd).unwrap().expand(&names);
        assert_eq!(path.into_os_string().into_vec(), [b'a', 0xFF, b'7']);
    }
}
