//! Go programs: what the Go linker and runtime wrote, read from the file and from memory. No opinion about
//! maps.
//!
//! [`program`] is the way in; it asks `parts` where things are in the file, and `checks` whether they
//! belong together. [`build_info`] says which Go, [`functions`] where its code is and what it is called
//! (read from `pclntab` and `inline`), [`frame_map`] what its stacks hold, [`module_data`] where its data are (`relocated` before the loader has
//! run), [`types`] what they are made of; [`layouts`] has the offsets of each release.

pub mod build_info;
#[cfg(test)]
mod captured;
mod checks;
pub mod frame_map;
pub mod functions;
mod inline;
pub mod layouts;
pub mod module_data;
mod parts;
mod pclntab;
pub mod program;
mod relocated;
pub mod types;
pub mod words;

use std::fmt;

use super::memory::ReadError;

/// A release of Go; patch releases do not matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// 1.
    pub major: u32,
    /// Such as 27.
    pub minor: u32,
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "go{}.{}", self.major, self.minor)
    }
}

/// Why a Go program cannot be understood. The texts say what would help, where anything does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoError {
    /// Before 1.18.
    #[error("built with Go before 1.18, whose tables are laid out otherwise; build it with a later one")]
    TooOld,
    /// The version names no release.
    #[error("built with Go {version:?}, which names no release")]
    NoRelease {
        /// What it says.
        version: String,
    },
    /// Another compiler's program.
    #[error(
        "built with {compiler}, whose runtime keeps maps in its own way; only programs of the Go project's own compiler can be read"
    )]
    OtherCompiler {
        /// Which one.
        compiler: &'static str,
    },
    /// The file cannot be read.
    #[error("cannot read {what} in the file: {error}")]
    File {
        /// Which part.
        what: &'static str,
        /// Why.
        error: String,
    },
    /// Bytes that are not what they should be.
    #[error("{what} is damaged, or laid out as no Go release does it")]
    Corrupt {
        /// Which part.
        what: &'static str,
    },
    /// Two sources that should say the same.
    #[error("{one} and {other} disagree about {about}, so neither is believed")]
    Disagree {
        /// One of them.
        one: &'static str,
        /// The other.
        other: &'static str,
        /// About what.
        about: &'static str,
    },
    /// Something that is not where it has to be.
    #[error("{what} was not found")]
    Missing {
        /// Which part.
        what: &'static str,
    },
    /// The target's memory could not be read.
    #[error("{what}: {error}")]
    Memory {
        /// Which part.
        what: &'static str,
        /// Why.
        error: ReadError,
    },
}
