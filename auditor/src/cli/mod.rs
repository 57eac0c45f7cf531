//! What the user typed becomes a [`Request`]: checked, with units, and nothing done yet.
//!
//! `args.rs` is the grammar and the help, `value.rs` and `pattern.rs` read single values,
//! `request.rs` checks what only shows when flags are seen together.

mod args;
mod asking;
mod comparing;
mod pattern;
mod request;
mod value;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use clap::error::ErrorKind;
use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _};

pub use args::{Evacuation, Format};
pub use clap_complete::Shell;
pub use pattern::{Names, Pattern};
pub use request::{
    Attach, Audit, Budget, Census, Check, Console, Destination, Diff, Doctor, Explain, Judgeable, Judging,
    Output, Overwrite, Profile, Replay, Request, Ring, Run, RuntimeChoice, Source, Targets, UsageError, Verb,
    Verbosity, WhatIf,
};

/// What the request depends on besides the words that were typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// What standard output is.
    pub stdout: Stdout,
    /// Whether the environment allows colour: `NO_COLOR` is unset or empty and `TERM` is not `dumb`.
    pub color: bool,
}

/// What standard output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdout {
    /// Somebody looks at it.
    Terminal,
    /// A pipe or a file.
    Other,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn here() -> Self {
        let stdout = if io::stdout().is_terminal() { Stdout::Terminal } else { Stdout::Other };
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb");
        Self { stdout, color }
    }
}

/// Checks what was typed; the first word is the program's name.
///
/// # Errors
/// What to print and leave with: help and version count too ([`clap::Error::exit_code`] is 0 then).
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    surroundings: Surroundings,
) -> Result<Request, clap::Error> {
    let words: Vec<_> = words.into_iter().collect();
    let mut command = grammar(color_wanted(&words, surroundings));
    let matches = command.try_get_matches_from_mut(words)?;
    let args = args::Args::from_arg_matches(&matches)?;
    Request::new(args, surroundings).map_err(|error| {
        let verb = matches.subcommand_name().and_then(|verb| command.find_subcommand_mut(verb));
        let told = error.to_string();
        // Its usage is that of the verb that was typed.
        match verb {
            Some(verb) => verb.error(ErrorKind::ValueValidation, told),
            None => command.error(ErrorKind::ValueValidation, told),
        }
    })
}

/// The whole grammar, for completions.
#[must_use]
pub fn grammar(color: ColorChoice) -> clap::Command {
    args::Args::command().color(color)
}

/// Help and errors are coloured too, so this is wanted before the words are understood.
fn color_wanted(words: &[OsString], surroundings: Surroundings) -> ColorChoice {
    let own = words.iter().take_while(|word| *word != "--");
    let refused = own.into_iter().any(|word| word == "--no-color");
    if refused || !surroundings.color { ColorChoice::Never } else { ColorChoice::Auto }
}
