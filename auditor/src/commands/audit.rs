//! What `attach` and `run` share: the request in the session's terms, the runtime, the signals, one
//! target from start to last report.

use anyhow::{Context as _, bail};

use super::exit::{CannotAttach, Exit, is_incomplete};
use super::faces::{self, Colour, Shows};
use super::{described, recordings, rules};
use crate::audit::fact::{Ended, HookState};
use crate::audit::report::Report;
use crate::audit::unit::Pid;
use crate::cli;
use crate::probes::events::{EVENTS, RETURNS};
use crate::probes::host::Host;
use crate::probes::kernel::Multi;
use crate::probes::object::{Log, Reach};
use crate::probes::plan::Evacuation;
use crate::render::escape;
use crate::session::burst::Asked;
use crate::session::governor::Budget;
use crate::session::inspect::{self, Options};
use crate::session::live::Live;
use crate::session::setup;
use crate::session::shell::{self, Stop};
use crate::session::timed::timed;
use crate::session::{Timing, follow};

/// What `--no-feature` calls multi links.
const MULTI_LINKS: &str = "uprobe_multi";

/// Whether the target was started by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// From its first instruction.
    Launched,
    /// It ran already.
    Attached,
}

/// The request in the session's terms.
///
/// # Errors
/// A feature that cannot be left out.
pub(super) fn options(request: &cli::Audit, begin: Begin) -> anyhow::Result<Options> {
    let without = |feature: &str| request.without_features.iter().any(|name| name == feature);
    let known = |name: &str| {
        [MULTI_LINKS, RETURNS].contains(&name) || EVENTS.iter().any(|event| event.tracepoint == name)
    };
    if let Some(unknown) = request.without_features.iter().find(|name| !known(name)) {
        let events: Vec<&str> = EVENTS.iter().map(|event| event.tracepoint).collect();
        bail!("--no-feature {unknown:?}: there are {MULTI_LINKS}, {RETURNS}, {}", events.join(", "));
    }
    Ok(Options {
        runtimes: described::choice(&request.runtime, &request.symbols)?,
        evacuation: match request.evacuation {
            cli::Evacuation::Auto => Evacuation::Auto,
            cli::Evacuation::Probe => Evacuation::Probe,
            cli::Evacuation::Poll => Evacuation::Poll,
        },
        budget: Budget(request.budget.parts_per_million()),
        min_bytes: request.min_bytes,
        rss_step: request.rss_step,
        from_start: begin == Begin::Launched,
        multi: if without(MULTI_LINKS) { Multi::Forbidden } else { Multi::Allowed },
        without: request.without_features.clone(),
        rules: rules::texts(&request.judging)?,
        log: if log::log_enabled!(log::Level::Trace) { Log::Debug } else { Log::Off },
        writers: request.writers.map(|(map, time)| Asked { map, time }),
        reach: if request.follow { Reach::Family } else { Reach::One },
    })
}

/// Ctrl-C, SIGTERM and SIGHUP.
pub(super) fn stop() -> anyhow::Result<Stop> {
    shell::stop_on_signals(leave).context("waiting for signals")
}

#[expect(clippy::exit, reason = "the user asked twice; the kernel takes the probes out with us")]
fn leave() -> ! {
    std::process::exit(Exit::Interrupted as i32)
}

/// A target being audited, and who shows it.
pub(super) struct Started {
    live: Live,
    face: Box<dyn Shows>,
}

/// Inspects and starts a target, and says in one line what was placed. Files come before hooks: what
/// cannot be written is known before anything is attached.
pub(super) fn start(
    pid: Pid,
    request: &cli::Audit,
    begin: Begin,
    colour: Colour,
    host: &Host,
) -> anyhow::Result<Started> {
    start_showing(pid, request, begin, host, || faces::prepare(request, pid, colour))
}

/// As [`start`], with a face of one's own.
pub(super) fn start_showing(
    pid: Pid,
    request: &cli::Audit,
    begin: Begin,
    host: &Host,
    face: impl FnOnce() -> anyhow::Result<Box<dyn Shows>>,
) -> anyhow::Result<Started> {
    let options = options(request, begin)?;
    let inspected =
        timed("looking at the target", || inspect::inspect(pid, &options, host)).context(CannotAttach)?;
    let recording = recordings::keep(request, pid)?;
    let face = face()?;
    let live = setup::start(inspected, &options, recording).context(CannotAttach)?;
    log::info!("{}", summary(&live));
    Ok(Started { live, face })
}

fn summary(live: &Live) -> String {
    let names = |state| -> Vec<&str> {
        live.hooks().filter(|hook| hook.state == state).map(|hook| hook.name.as_str()).collect()
    };
    let refused = match names(HookState::Refused).as_slice() {
        [] => String::new(),
        refused => format!(", {} not ({})", refused.len(), refused.join(", ")),
    };
    format!(
        "attached to {} ({}): {} hooks placed{refused}; Ctrl-C ends with the report",
        escape::visible(&live.identity().comm, 32),
        live.pid().0,
        names(HookState::Attached).len(),
    )
}

/// Follows one target until its end and shows its last report.
pub(super) async fn watch(started: Started, request: &cli::Audit, stop: Stop) -> anyhow::Result<Report> {
    let Started { mut live, mut face } = started;
    let timing = Timing { interval: request.interval, duration: request.duration };
    face.begin()?;
    let ended = follow(&mut live, timing, &mut *face, stop).await;
    face.close();
    let why = *ended.as_ref().unwrap_or(&Ended::Stopped);
    let report = live.finish(why, |interval| {
        if let Err(error) = face.interval(interval.into()) {
            log::debug!("the last interval: {error}");
        }
    });
    ended.context("showing the report")?;
    face.last(&report)?;
    Ok(report)
}

/// The exit status for a report.
pub(super) fn exit(report: &Report, request: &cli::Audit) -> Exit {
    if request.strict && is_incomplete(report) { Exit::Incomplete } else { Exit::Clean }
}
