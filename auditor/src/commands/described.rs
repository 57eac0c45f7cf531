//! Which runtimes are looked for: those that are built in, and those that a file describes.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::cli::RuntimeChoice;
use crate::runtimes::described::Described;
use crate::runtimes::described::profile::{self, LONGEST};
use crate::session::recognise::Choice;

/// How the name of a file that describes a runtime ends.
const ENDING: &str = ".toml";

/// What was asked for, in the session's terms.
///
/// # Errors
/// A file that cannot be read, or describes nothing.
pub(super) fn choice(asked: &RuntimeChoice, symbols: &[PathBuf]) -> anyhow::Result<Choice> {
    let mut choice = Choice { symbols: symbols.to_vec(), ..Choice::default() };
    let RuntimeChoice::Named(names) = asked else { return Ok(choice) };
    for name in names {
        if !name.ends_with(ENDING) {
            choice.only.push(name.clone());
            continue;
        }
        let described = read(Path::new(name))?;
        choice.only.push(described.profile().name.clone());
        // It comes before one of the same name that is built in.
        choice.described.insert(0, Arc::new(described));
    }
    Ok(choice)
}

/// Reads a description.
///
/// # Errors
/// The file cannot be read, or what is in it is no profile: with the line, and what to write instead.
pub(super) fn read(path: &Path) -> anyhow::Result<Described> {
    let reading = || format!("cannot read the profile {}", path.display());
    let mut text = String::new();
    let file = File::open(path).with_context(reading)?;
    file.take(LONGEST as u64 + 1).read_to_string(&mut text).with_context(reading)?;
    if text.len() > LONGEST {
        bail!("{} is larger than {LONGEST} bytes: it is no profile", path.display());
    }
    let profile = profile::parse(&text).with_context(|| format!("{} is no profile", path.display()))?;
    Ok(Described::by(Arc::new(profile)))
}
