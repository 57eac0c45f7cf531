//! `auditor completions SHELL`.

use clap::ColorChoice;

use super::Exit;
use crate::cli::{Shell, grammar};
use crate::output;

/// Prints the completions for a shell.
pub(super) fn run(shell: Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut grammar(ColorChoice::Never), "auditor", &mut script);
    output::print(&String::from_utf8(script)?)?;
    Ok(Exit::Clean)
}
