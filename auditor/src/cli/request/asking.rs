//! Verbs that only ask.

use std::path::PathBuf;

use crate::audit::unit::Pid;

/// Say what is possible here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doctor {
    /// With this target.
    pub pid: Option<Pid>,
}

/// Say what a word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explain {
    /// Which; `None`: list all.
    pub topic: Option<String>,
}

/// Something about a description of a hash map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Read one, and try it.
    Check {
        /// Where it is.
        file: PathBuf,
        /// Against this process.
        pid: Option<Pid>,
    },
    /// Print one that is built in.
    Show {
        /// Its name.
        name: String,
    },
    /// Print the schema.
    Schema,
}
