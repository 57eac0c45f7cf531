//! What `--rules` and `--expect` say, as texts for the audit, which keeps them with the facts.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::audit::findings::Thresholds;
use crate::cli::Judging;

/// The most bytes of a file that are read: far more than all thresholds with their comments take.
const MOST: u64 = 1 << 16;

/// The texts in the order in which they lie over each other; each was tried.
///
/// # Errors
/// A file that cannot be read, or that has a key or a value which no rule knows, with line and column.
pub(super) fn texts(judging: &Judging) -> anyhow::Result<Vec<String>> {
    let file = judging.rules.as_deref().map(file).transpose()?;
    let expected = judging.expect.iter().map(|(name, entries)| (name.as_str(), *entries));
    let expected = Thresholds::expecting(expected);
    if let Some(text) = &expected {
        Thresholds::default().lay_over(text).context("--expect")?;
    }
    Ok(file.into_iter().chain(expected).collect())
}

fn file(path: &Path) -> anyhow::Result<String> {
    let name = path.display();
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("--rules {name}"))?;
    file.take(MOST + 1).read_to_string(&mut text).with_context(|| format!("--rules {name}"))?;
    ensure!(text.len() as u64 <= MOST, "--rules {name}: longer than {} KiB, which no rules are", MOST >> 10);
    Thresholds::default().lay_over(&text).with_context(|| format!("--rules {name}"))?;
    Ok(text)
}
