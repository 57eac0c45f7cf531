//! By what the findings are judged.

use std::path::PathBuf;

use super::args;

/// Thresholds and expectations beside the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judging {
    /// A file with thresholds.
    pub rules: Option<PathBuf>,
    /// How many entries maps of a type, or a name, are to have; in the order in which they were given.
    pub expect: Vec<(String, u64)>,
}

impl From<args::Judging> for Judging {
    fn from(args: args::Judging) -> Self {
        Self { rules: args.rules, expect: args.expect }
    }
}
