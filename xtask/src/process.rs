//! Running other programs: loud (their output is ours), quiet (a step shows their last line), or for
//! what they print. Every failure names the command line.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, pipe};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::say::Step;

/// How many of the last lines a failure repeats.
const LAST_LINES: usize = 40;

/// Runs it; its output is ours.
pub(crate) fn loud(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {}", shown(command)))?;
    accept(command, status)
}

/// Runs it and gives what it printed to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("starting {}", shown(command)))?;
    accept(command, output.status)
        .with_context(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs it; the step shows its last line. A failure repeats the last lines.
pub(crate) fn quiet(command: &mut Command, step: &mut Step) -> Result<()> {
    let mut last = VecDeque::with_capacity(LAST_LINES);
    let status = watched(command, |line| {
        step.progress(line.trim_start());
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line.to_owned());
    })?;
    accept(command, status).with_context(|| last.make_contiguous().join("\n"))
}

/// Runs it and hands over each line of stdout and stderr, in the order in which they were written.
pub(crate) fn watched(command: &mut Command, mut see: impl FnMut(&str)) -> Result<ExitStatus> {
    let (reader, writer) = pipe()?;
    let for_errors = writer.try_clone()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(for_errors)
        .spawn()
        .with_context(|| format!("starting {}", shown(command)))?;
    // The command keeps our writing ends open: without this the reader would never come to an end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in BufReader::new(reader).split(b'\n') {
        see(String::from_utf8_lossy(&line?).trim_end());
    }
    Ok(child.wait()?)
}

/// The command line as a person would type it: the program by its name.
pub(crate) fn shown(command: &Command) -> String {
    let program = command.get_program();
    let name = Path::new(program).file_name().unwrap_or(program);
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn accept(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    bail!("{} ended with {status}", shown(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_arrive_in_order() {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; echo three"]);
        let status = watched(&mut command, |line| lines.push(line.to_owned())).unwrap();
        assert!(status.success());
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = output(Command::new("sh").args(["-c", "echo no room >&2; exit 3"])).unwrap_err();
        let story = format!("{error:#}");
        assert!(story.contains("no room") && story.contains("exit 3"), "{story}");
    }
}
