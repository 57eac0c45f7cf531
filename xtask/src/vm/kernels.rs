//! The kernels that the tier runs on: what there is, and which of them were asked for.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::workspace;

/// A kernel of Debian's, in its small form for virtual machines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    /// What it is asked for by.
    pub(super) name: &'static str,
    /// The suite of Debian that has it.
    pub(super) suite: &'static str,
    /// Why it is here.
    pub(super) why: &'static str,
}

/// All of them, oldest first.
pub(super) const KERNELS: &[Kernel] = &[
    Kernel { name: "5.10", suite: "bullseye", why: "no attach cookies (5.15): refused, with the reason" },
    Kernel {
        name: "6.1",
        suite: "bookworm",
        why: "perf links, old layout of rss_stat (before 6.2), no last look (6.16)",
    },
    Kernel {
        name: "6.12",
        suite: "bookworm-backports",
        why: "uprobe_multi links (6.10), no last look (6.16)",
    },
    Kernel {
        name: "newest",
        suite: "trixie-backports",
        why: "all that there is; calls of probes on nops of 10 bytes (7.2)",
    },
];

/// The one that `cargo xtask test` runs on: it lacks most of what the auditor can do without.
pub(super) const DEFAULT: &str = "6.1";

impl Kernel {
    /// Where its image is kept.
    pub(super) fn folder(&self) -> PathBuf {
        workspace::target().join("vm").join(self.name)
    }
}

/// Those that were asked for, in the order of the table; all, if none was.
pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static Kernel>> {
    if let Some(unknown) = names.iter().find(|name| !KERNELS.iter().any(|kernel| kernel.name == **name)) {
        let known: Vec<&str> = KERNELS.iter().map(|kernel| kernel.name).collect();
        bail!("there is no kernel {unknown:?}; there are {}", known.join(", "));
    }
    let wanted = |kernel: &&Kernel| names.is_empty() || names.iter().any(|name| kernel.name == name);
    Ok(KERNELS.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_chosen_unless_some_are_named() {
        assert_eq!(chosen(&[]).unwrap().len(), KERNELS.len());
        let names: Vec<String> = ["6.12", "6.1"].map(str::to_owned).into();
        let some: Vec<&str> = chosen(&names).unwrap().iter().map(|kernel| kernel.name).collect();
        assert_eq!(some, ["6.1", "6.12"]);
        let error = chosen(&["4.4".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("\"4.4\"") && error.contains("6.1, 6.12"), "{error}");
        assert_eq!(chosen(&[DEFAULT.to_owned()]).unwrap().len(), 1);
    }
}
