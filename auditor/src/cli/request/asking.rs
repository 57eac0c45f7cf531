//! Verbs that only ask.

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
