//! What `attach` and `run` share: the request in the session's terms, the runtime, the signals, one
//! target from start to last report.

use std::io;
use std::path::PathBuf;

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::exit::{CannotAttach, Exit};
use super::faces;
use crate::audit::report::{Confidence, Report};
use crate::audit::unit::Pid;
use crate::cli;
use crate::output;
use crate::probes::host::Host;
use crate::probes::kernel::Multi;
use crate::probes::object::Log;
use crate::probes::plan::Evacuation;
use crate::session::governor::Budget;
use crate::session::live::Live;
use crate::session::setup::{self, Options};
use crate::session::timed::timed;
use crate::session::{Timing, follow};

/// Whether the target was started by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// From its first instruction.
    Launched,
    /// It ran already.
    Attached,
}

/// The request in the session's terms.
pub(super) fn options(request: &cli::Audit, begin: Begin, record: Option<PathBuf>) -> Options {
    let without = |feature: &str| request.without_features.iter().any(|name| name == feature);
    Options {
        runtime: match &request.runtime {
            cli::RuntimeChoice::Auto => None,
            cli::RuntimeChoice::Named(name) => Some(name.clone()),
        },
        evacuation: match request.evacuation {
            cli::Evacuation::Auto => Evacuation::Auto,
            cli::Evacuation::Probe => Evacuation::Probe,
            cli::Evacuation::Poll => Evacuation::Poll,
        },
        budget: Budget(request.budget.parts_per_million()),
        min_bytes: request.min_bytes,
        rss_step: request.rss_step,
        from_start: begin == Begin::Launched,
        multi: if without("uprobe_multi") { Multi::Forbidden } else { Multi::Allowed },
        log: if log::log_enabled!(log::Level::Trace) { Log::Debug } else { Log::Off },
        record,
        existing: request.output.existing,
    }
}

/// One thread for everything but the waiting for links to go.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("starting the event loop")
}

/// Ctrl-C, SIGTERM and SIGHUP: the first ends the audit with its report, the second ends the
/// program. A thread of its own, so that a second Ctrl-C works however busy the loop is.
pub(super) fn stop() -> anyhow::Result<watch::Receiver<bool>> {
    let (send, receive) = watch::channel(false);
    let runtime = runtime()?;
    let wait = move || {
        runtime.block_on(async move {
            match next_signal().await {
                Ok(Signal::SIGINT) => log::info!("ending; Ctrl-C again ends at once, without a report"),
                Ok(signal) => log::info!("{signal}: ending"),
                Err(error) => return log::warn!("signals are not seen: {error}"),
            }
            send.send_replace(true);
            if next_signal().await.is_ok() {
                leave();
            }
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait).context("starting a thread")?;
    Ok(receive)
}

async fn next_signal() -> io::Result<Signal> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => Ok(Signal::SIGINT),
        _ = terminate.recv() => Ok(Signal::SIGTERM),
        _ = hangup.recv() => Ok(Signal::SIGHUP),
    }
}

#[expect(clippy::exit, reason = "the user asked twice; the kernel takes the probes out with us")]
fn leave() -> ! {
    std::process::exit(Exit::Interrupted as i32)
}

/// The file of the recording of one target.
pub(super) fn record_path(request: &cli::Audit, pid: Pid) -> Option<PathBuf> {
    request.record.as_ref().map(|pattern| pattern.expand(&output::names(pid, setup::wall_clock())))
}

/// Inspects and starts a target, and says in one line what was placed.
pub(super) fn start(pid: Pid, options: &Options, host: &Host) -> anyhow::Result<Live> {
    let inspected =
        timed("looking at the target", || setup::inspect(pid, options, host)).context(CannotAttach)?;
    let live = setup::start(inspected, options).context(CannotAttach)?;
    log::info!("{}", live.summary());
    Ok(live)
}

/// Follows one target until its end and shows its last report.
pub(super) async fn watch(
    mut live: Live,
    request: &cli::Audit,
    color: faces::Colour,
    stop: watch::Receiver<bool>,
) -> anyhow::Result<Report> {
    let timing = Timing { interval: request.interval, duration: request.duration };
    let mut face = faces::open(request, live.pid(), color)?;
    let ended = follow(&mut live, timing, &mut *face, stop).await;
    face.close();
    let report = live.finish(*ended.as_ref().unwrap_or(&crate::audit::fact::Ended::Stopped));
    ended.context("showing the report")?;
    face.last(&report)?;
    Ok(report)
}

/// The exit status for a report.
pub(super) fn exit(report: &Report, request: &cli::Audit) -> Exit {
    if request.strict && report.coverage.confidence != Confidence::Exact {
        Exit::Incomplete
    } else {
        Exit::Clean
    }
}
