//! Parse, run, exit status. Nothing else.

use std::io::{self, Write as _};
use std::process::ExitCode;

use auditor::cli::{self, Surroundings};
use auditor::commands::{self, Exit};

fn main() -> ExitCode {
    let request = match cli::parse(std::env::args_os(), Surroundings::here()) {
        Ok(request) => request,
        Err(instead) => return say(&instead),
    };
    commands::run(request).unwrap_or_else(|error| tell(&error)).into()
}

/// Help and version go to stdout with status 0, bad usage to stderr with 2.
fn say(instead: &clap::Error) -> ExitCode {
    match instead.print() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Usage.into(),
        _ if instead.use_stderr() => Exit::Usage.into(),
        _ => Exit::Clean.into(),
    }
}

/// One line for the whole chain: `RUST_BACKTRACE` is for panics. When nobody listens on stderr, the
/// status still says it.
fn tell(error: &anyhow::Error) -> Exit {
    let exit = Exit::of(error);
    if exit != Exit::Clean {
        drop(writeln!(io::stderr(), "auditor: {}", commands::story(error)));
    }
    exit
}
