//! What a verb says while it works: a spinner on a terminal, plain lines otherwise. Progress goes to
//! stderr, results go to stdout; nothing else in this crate prints.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write, stderr, stdout};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(120);
/// How often a line says that it still goes on, where there is no spinner.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);

/// Something that takes a while. Ends by [`Step::done`]; dropped, it just goes from the screen.
#[derive(Debug)]
pub(crate) struct Step {
    what: String,
    started: Instant,
    spoke: Instant,
    spinner: Option<ProgressBar>,
}

/// Begins a step.
pub(crate) fn step(what: impl Into<String>) -> Step {
    let what = what.into();
    let spinner = stderr().is_terminal().then(|| spinner(&what));
    if spinner.is_none() {
        line("..", &what);
    }
    let now = Instant::now();
    Step { what, started: now, spoke: now, spinner }
}

fn spinner(what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {prefix} {elapsed:.dim} {wide_msg:.dim}")
        .expect("the template is a constant that was tried");
    let bar = ProgressBar::new_spinner().with_style(style).with_prefix(what.to_owned());
    bar.enable_steady_tick(TURN);
    bar
}

impl Step {
    /// Shows how it goes on.
    pub(crate) fn progress(&mut self, news: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(news.to_owned());
        } else if self.spoke.elapsed() >= SIGN_OF_LIFE {
            self.spoke = Instant::now();
            line("..", format_args!("{}: {} s, {news}", self.what, self.started.elapsed().as_secs()));
        }
    }

    /// Ends it and says how it ended.
    pub(crate) fn done(self, how: impl Display) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        if seconds < 1.0 {
            line("ok", format_args!("{}: {how}", self.what));
        } else {
            line("ok", format_args!("{}: {how} ({seconds:.0} s)", self.what));
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

/// Says what is being done, or why.
pub(crate) fn note(text: impl Display) {
    line("--", text);
}

/// Says what the reader must not miss.
pub(crate) fn warn(text: impl Display) {
    line("!!", text);
}

/// One line of progress.
fn line(mark: &str, text: impl Display) {
    print_to(stderr(), format_args!("{mark} {text}"));
}

/// One line of the result.
pub(crate) fn result(text: impl Display) {
    print_to(stdout(), text);
}

/// A reader who has gone away is no reason to stop: what is being done matters more than the line.
fn print_to(mut stream: impl Write, text: impl Display) {
    writeln!(stream, "{text}").and_then(|()| stream.flush()).unwrap_or_default();
}

/// The exit status, and for a failure what went wrong and why, one cause a line.
pub(crate) fn outcome(outcome: &Result<()>) -> ExitCode {
    let Err(error) = outcome else { return ExitCode::SUCCESS };
    print_to(stderr(), format_args!("error: {error}"));
    for cause in error.chain().skip(1) {
        print_to(stderr(), format_args!("  because: {cause}"));
    }
    ExitCode::FAILURE
}
