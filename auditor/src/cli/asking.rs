//! The grammar of verbs that only ask.

use std::path::PathBuf;

use clap::Subcommand;
use clap_complete::Shell;

use super::value;
use crate::audit::unit::Pid;

#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Look at this process as well
    #[arg(short, long, value_name = "PID", value_parser = value::pid)]
    pub(super) pid: Option<Pid>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Profile {
    /// Read a profile, and with -p try it against a process: what it would probe, and which maps it sees
    Check {
        /// The description, in TOML
        #[arg(value_name = "FILE.toml")]
        file: PathBuf,
        /// Try it against this process. Nothing is placed in it
        #[arg(short, long, value_name = "PID", value_parser = value::pid)]
        pid: Option<Pid>,
    },
    /// Print one that is built in, to begin from
    Show {
        /// As `auditor profiles` lists it
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print the JSON schema, for editors
    Schema,
}

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    /// What to explain; without it, everything there is
    #[arg(value_name = "TOPIC")]
    pub(super) topic: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Man {
    /// Such as attach
    pub(super) verb: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}
