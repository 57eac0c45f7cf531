//! `auditor profiles` and `auditor profile`: the hash maps that it knows, and what comes of a description, tried
//! against a process. Reads alone, places nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::exit::{CannotLook, Exit};
use super::{described, plan_text};
use crate::audit::nearest;
use crate::audit::unit::{Bytes, Pid};
use crate::cli;
use crate::output;
use crate::probes::host::Host;
use crate::render::{self, escape};
use crate::runtimes::described::builtin;
use crate::runtimes::described::profile::{Profile, Root, builtin::BUILTIN};
use crate::runtimes::{RUNTIMES, Runtime};
use crate::session::inspect::{self, Options};
use crate::session::one_look;
use crate::session::recognise::Choice;

/// The JSON schema of profiles.
const SCHEMA: &str = include_str!("../../../docs/profile.schema.json");
/// Most characters of a profile's own words that are shown.
const LONGEST: usize = 200;

/// Lists what is known.
///
/// # Errors
/// When the list cannot be written.
pub(super) fn list() -> anyhow::Result<Exit> {
    let described = builtin().iter().map(|runtime| &**runtime as &dyn Runtime);
    let all: Vec<&dyn Runtime> = RUNTIMES.iter().copied().chain(described).collect();
    let width = all.iter().map(|runtime| runtime.name().len()).max().unwrap_or_default();
    let mut text =
        "The hash maps that are known (--runtime NAME; docs/describe-your-map.md for another):\n".to_owned();
    for runtime in all {
        text += &format!("  {:width$}  {}\n", runtime.name(), runtime.about());
    }
    output::print(&text)?;
    Ok(Exit::Clean)
}

/// Does what was asked for.
///
/// # Errors
/// A file that is no profile; a process that cannot be looked at, or does not fit.
pub(super) fn run(asked: &cli::Profile) -> anyhow::Result<Exit> {
    match asked {
        cli::Profile::Check { file, pid } => check(file, *pid),
        cli::Profile::Show { name } => show(name),
        cli::Profile::Schema => {
            output::print(SCHEMA)?;
            Ok(Exit::Clean)
        }
    }
}

fn show(name: &str) -> anyhow::Result<Exit> {
    let Some((_, text)) = BUILTIN.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = BUILTIN.iter().map(|(known, _)| *known).collect();
        let near = nearest::nearest(name, names.iter().copied());
        let meant = if near.is_empty() { names.join(", ") } else { near.join(" or ") };
        bail!("no profile {:?} is built in: {meant}?", escape::visible(name, 64));
    };
    output::print(text)?;
    Ok(Exit::Clean)
}

fn check(file: &Path, pid: Option<Pid>) -> anyhow::Result<Exit> {
    let described = described::read(file)?;
    let mut text = in_words(described.profile());
    let Some(pid) = pid else {
        text += "\nIt reads well. `-p PID` tries it against a process.\n";
        output::print(&text)?;
        return Ok(Exit::Clean);
    };
    output::print(&text)?;
    let only = vec![described.profile().name.clone()];
    let runtimes = Choice { only, described: vec![Arc::new(described)], symbols: Vec::new() };
    let options = Options { runtimes, min_bytes: Bytes(0), ..Options::default() };
    let inspected = inspect::inspect(pid, &options, &Host::ask()).context(CannotLook)?;
    output::print(&plan_text::plan(&inspected))?;
    let opened = inspect::open(pid, &options.runtimes).context(CannotLook)?;
    let report = one_look::look(opened, &options, None).context(CannotLook)?;
    if report.maps.is_empty() {
        let why = "maps are met when a probe tells of them (auditor attach --runtime FILE.toml)";
        output::print(&format!("\nNo root of the profile leads to a map now: {why}.\n"))?;
        return Ok(Exit::Clean);
    }
    output::print("\nWhat its roots lead to:\n\n")?;
    let mut note = Vec::new();
    render::render(&report, render::Format::Text, &mut note)?;
    output::print(&String::from_utf8_lossy(&note))?;
    Ok(Exit::Clean)
}

/// What a profile says, in a few lines.
fn in_words(profile: &Profile) -> String {
    let visible = |text: &str| escape::visible(text, LONGEST);
    let mut text = format!("{}: {}\n", visible(&profile.name), visible(&profile.about));
    let metrics: Vec<&str> = profile.metrics.iter().map(|(metric, _)| metric.text()).collect();
    let events: Vec<&str> = profile.probes.iter().map(|probe| probe.event.text()).collect();
    let checks: Vec<String> = profile.checks.iter().map(|check| visible(&check.text)).collect();
    let notes: Vec<String> = profile.notes.iter().map(|note| visible(&note.text)).collect();
    let root = |root: &Root| {
        let shared = if root.is_shared { " (in shared memory)" } else { "" };
        visible(&root.symbol) + shared
    };
    let roots: Vec<String> = profile.roots.iter().map(root).collect();
    let rows = [
        ("files", visible(profile.target.file.as_str())),
        ("tells", metrics.join(", ")),
        ("probes", or_none(&events.join(", "))),
        ("checks", or_none(&checks.join("; "))),
        ("notes", or_none(&notes.join("; "))),
        ("roots", or_none(&roots.join(", "))),
    ];
    for (name, what) in rows {
        text += &format!("  {name:<8} {what}\n");
    }
    text
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtimes::described::{Described, profile};

    #[test]
    fn every_profile_that_is_built_in_can_be_put_in_words() {
        for (name, text) in BUILTIN {
            let words = in_words(Described::by(Arc::new(profile::parse(text).unwrap())).profile());
            assert!(words.starts_with(&format!("{name}: ")), "{words}");
            assert!(words.lines().count() == 7 && words.contains("live, buckets"), "{words}");
        }
    }
}
