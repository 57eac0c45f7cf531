//! Who shows the report while an audit goes on, and its last one: the live screen, or a stream of
//! text or objects.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;

use super::snapshot;
use crate::audit::Extent;
use crate::audit::report::Report;
use crate::audit::unit::Pid;
use crate::cli::{self, Console, Destination, Format};
use crate::output::{self, Output};
use crate::render::style::{Paper, Style};
use crate::render::{self, text};
use crate::session::shell::{self, Inbox};
use crate::session::{Face, Wish, setup};
use crate::tui::{self, Action, Input, Keys, Screen};

/// How often the screen is drawn between two intervals.
const SCREEN_PACE: Duration = Duration::from_millis(80);

/// Whether colour is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// Where the terminal takes it.
    Welcome,
    /// Never.
    Unwelcome,
}

impl Colour {
    /// What was asked for.
    pub(super) const fn of(console: Console) -> Self {
        if console.color { Self::Welcome } else { Self::Unwelcome }
    }
}

/// A face that also shows the last report.
pub(super) trait Shows: Face {
    /// The audit begins.
    fn begin(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    /// The audit has ended; the terminal goes back to what it was.
    fn close(&mut self) {}

    /// Shows the last report.
    fn last(self: Box<Self>, report: &Report) -> anyhow::Result<()>;
}

/// The face that was asked for, its file open and its screen not yet.
pub(super) fn prepare(request: &cli::Audit, pid: Pid, colour: Colour) -> anyhow::Result<Box<dyn Shows>> {
    if request.output.format == Format::Live {
        return Ok(Box::new(Live::new(paper(colour, &Output::stdout()))));
    }
    let stdout = matches!(request.output.to, Destination::Stdout);
    let format = request.output.format;
    let output = open_output(&request.output, pid)?;
    Ok(Box::new(Stream {
        format,
        intervals: format == Format::Ndjson || (format == Format::Text && stdout),
        essential: stdout,
        paper: paper(colour, &output),
        output: Some(output),
        before: None,
    }))
}

/// Colours and the width of the terminal, where there is one.
pub(super) fn paper(colour: Colour, output: &Output) -> Paper {
    if !output.is_terminal() {
        return Style::Plain.into();
    }
    let style = if colour == Colour::Welcome { Style::Colour } else { Style::Plain };
    tui::columns().map_or_else(|| style.into(), |columns| Paper::of(style, columns))
}

fn open_output(request: &cli::Output, pid: Pid) -> anyhow::Result<Output> {
    let Destination::File(pattern) = &request.to else { return Ok(Output::stdout()) };
    let path = pattern.expand(&output::names(pid, setup::wall_clock()));
    Ok(match request.format {
        Format::Ndjson => Output::stream(&path, request.existing)?,
        _ => Output::report(&path, request.existing)?,
    })
}

/// The live screen.
struct Live {
    /// Before the screen: it must take no key after the terminal is back.
    keys: Option<Keys>,
    screen: Option<Screen>,
    inputs: Option<Inbox<Input>>,
    /// What was logged before the screen, to go on with after it: lines would tear it.
    logged: log::LevelFilter,
    paper: Paper,
}

impl Live {
    fn new(paper: Paper) -> Self {
        let logged = log::max_level();
        Self { keys: None, screen: None, inputs: None, logged, paper }
    }

    fn press(&mut self, input: Input) -> Wish {
        let Some(screen) = &mut self.screen else {
            return if input == Input::Interrupt { Wish::Quit } else { Wish::Nothing };
        };
        let done = match screen.press(input) {
            Ok(Action::Snapshot) => screen.say(snapshot::write(screen.shown())).map(|()| Wish::Nothing),
            Ok(Action::Quit) => Ok(Wish::Quit),
            Ok(_) => Ok(Wish::Nothing),
            Err(error) => Err(error),
        };
        done.unwrap_or(Wish::Quit)
    }
}

impl Face for Live {
    fn of_intervals(&self) -> Option<Extent> {
        Some(Extent::Whole)
    }

    fn interval(&mut self, report: Rc<Report>) -> io::Result<()> {
        self.refresh(report)
    }

    fn pace(&self) -> Option<Duration> {
        Some(SCREEN_PACE)
    }

    fn refresh(&mut self, report: Rc<Report>) -> io::Result<()> {
        self.screen.as_mut().map_or(Ok(()), |screen| screen.show(report))
    }

    fn wish(&mut self) -> Pin<Box<dyn Future<Output = Wish> + '_>> {
        Box::pin(async {
            match &mut self.inputs {
                Some(inputs) => {
                    let input = inputs.next().await;
                    self.press(input)
                }
                None => pending().await,
            }
        })
    }
}

impl Shows for Live {
    fn begin(&mut self) -> anyhow::Result<()> {
        self.screen =
            Some(Screen::open(self.paper.style).context("the live screen; -f text needs no terminal")?);
        log::set_max_level(log::LevelFilter::Off);
        let (deliver, inputs) = shell::inbox();
        self.inputs = Some(inputs);
        self.keys = Some(tui::keys(deliver).context("waiting for keys")?);
        Ok(())
    }

    fn close(&mut self) {
        self.keys = None;
        self.screen = None;
        log::set_max_level(self.logged);
    }

    fn last(self: Box<Self>, report: &Report) -> anyhow::Result<()> {
        let mut output = Output::stdout();
        text::report(report, self.paper, &mut output).context("writing the report")?;
        Ok(output.finish()?)
    }
}

/// Nobody looks on; the report is for whoever started the audit.
pub(super) struct Silent;

impl Face for Silent {
    fn of_intervals(&self) -> Option<Extent> {
        None
    }
}

impl Shows for Silent {
    fn last(self: Box<Self>, _report: &Report) -> anyhow::Result<()> {
        Ok(())
    }
}

/// Text or objects, one after the other.
struct Stream {
    format: Format,
    /// Whether intervals are shown, too.
    intervals: bool,
    /// Whether a write that fails ends the audit: nobody reads any more.
    essential: bool,
    output: Option<Output>,
    paper: Paper,
    before: Option<Rc<Report>>,
}

impl Stream {
    fn write(&mut self, report: &Report) -> io::Result<()> {
        let Some(output) = &mut self.output else { return Ok(()) };
        match self.format {
            Format::Ndjson => render::render(report, render::Format::Ndjson, output)?,
            _ => text::interval(report, self.before.as_deref(), self.paper, output)?,
        }
        output.push().map_err(io::Error::other)
    }
}

impl Face for Stream {
    fn of_intervals(&self) -> Option<Extent> {
        let extent = if self.format == Format::Ndjson { Extent::Interval } else { Extent::Outline };
        self.intervals.then_some(extent)
    }

    fn interval(&mut self, report: Rc<Report>) -> io::Result<()> {
        let written = self.write(&report);
        self.before = Some(report);
        match written {
            Err(error) if self.essential => Err(error),
            Err(error) => {
                log::error!("{error}; the audit goes on without this file");
                self.output = None;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Shows for Stream {
    fn last(mut self: Box<Self>, report: &Report) -> anyhow::Result<()> {
        let Some(mut output) = self.output.take() else { return Ok(()) };
        let format = self.format.written().unwrap_or(render::Format::Text);
        render::render_on(report, format, self.paper, &mut output)
            .with_context(|| format!("writing to {}", output.name()))?;
        Ok(output.finish()?)
    }
}
