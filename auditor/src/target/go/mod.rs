//! Go programs: what the Go linker and runtime wrote, read from the file and from memory. No opinion about
//! maps.

pub mod layouts;

use std::fmt;

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
