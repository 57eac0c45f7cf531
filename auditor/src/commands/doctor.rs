//! `auditor doctor`: what this kernel, these rights and the target allow; each missing thing with its
//! remedy. Asks, loads and unloads; attaches nothing.

use super::exit::Exit;
use super::plan_text;
use crate::audit::unit::Bytes;
use crate::cli;
use crate::output;
use crate::probes::events::EVENTS;
use crate::probes::host::{Host, Nop5, capability};
use crate::probes::kernel::{Kernel, LinkKind, Multi};
use crate::probes::object::{Log, Reach, Settings};
use crate::probes::plan;
use crate::render::escape;
use crate::session::inspect::{self, Options};
use crate::session::shell;

/// One thing that was asked.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    about: &'static str,
    state: State,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it should be.
    Good,
    /// The audit works without it, and says what it does not see.
    Lacking,
    /// No audit without it.
    Missing,
}

/// Answers.
///
/// # Errors
/// When the answer cannot be written, or the target cannot be audited.
pub(super) fn run(doctor: &cli::Doctor) -> anyhow::Result<Exit> {
    let host = Host::ask();
    let mut rows = rights(&host);
    rows.extend(kernel(&host));
    if host.too_old().is_none() {
        rows.push(load(&host));
    }
    let mut exit =
        if rows.iter().any(|row| row.state == State::Missing) { Exit::CannotAttach } else { Exit::Clean };
    let mut text = table(&rows);
    if let Some(pid) = doctor.pid {
        match inspect::inspect(pid, &Options::default(), &host) {
            Ok(inspected) => text.push_str(&plan_text::plan(&inspected)),
            Err(error) => {
                exit = Exit::CannotAttach;
                let detail = escape::visible(&error.to_string(), 400);
                text.push_str(&table(&[Row { about: "target", state: State::Missing, detail }]));
            }
        }
    }
    output::print(&text)?;
    Ok(exit)
}

fn rights(host: &Host) -> Vec<Row> {
    let need = |about, ids: &[u32], detail: &str, without: State| {
        let have = ids.iter().all(|id| host.can(*id)) || host.can(capability::SYS_ADMIN);
        let state = if have { State::Good } else { without };
        let detail = if have { "yes".to_owned() } else { format!("no: {detail}") };
        Row { about, state, detail }
    };
    let (place, remedy) = plan::rights_to_place(host);
    vec![
        need("right to place probes", place, remedy, State::Missing),
        need(
            "right to read targets",
            &[capability::SYS_PTRACE],
            "other users' processes need CAP_SYS_PTRACE",
            State::Lacking,
        ),
    ]
}

fn kernel(host: &Host) -> Vec<Row> {
    let too_old = host.too_old();
    let release = Row {
        about: "kernel",
        state: if too_old.is_some() { State::Missing } else { State::Good },
        detail: too_old.unwrap_or_else(|| host.release_name.clone()),
    };
    let types = Row {
        about: "kernel types (BTF)",
        state: if host.types.is_ok() { State::Good } else { State::Lacking },
        detail: host.types.as_ref().map_or_else(Clone::clone, |_| "yes".to_owned()),
    };
    let nop5 = Row {
        about: "probes on 5-byte nops",
        state: State::Good,
        detail: match host.nop5 {
            Nop5::Plain => "as any other instruction",
            Nop5::Deadly => "this kernel lets them kill forked children of the target: never used here",
            Nop5::Safe => "this kernel optimises 10-byte nops instead, safely",
        }
        .to_owned(),
    };
    let mut rows = vec![release, types, nop5];
    rows.extend(EVENTS.iter().map(|event| {
        let offered = event.offered(host, &[]);
        Row {
            about: event.tracepoint,
            state: if offered.is_ok() { State::Good } else { State::Lacking },
            detail: match offered {
                Ok(()) => format!("tells {}", event.tells),
                Err(reason) => format!("{reason}; not known without it: {}", event.tells),
            },
        }
    }));
    rows
}

/// Loads everything, to know rather than to conclude.
fn load(host: &Host) -> Row {
    let about = "loading the programs";
    let types = host.types.clone().ok();
    let settings = Settings { rss_step: 1 << 20, types, page_shift: 12, log: Log::Off, reach: Reach::One };
    let multi = if host.has_sound_multi_links() { Multi::Allowed } else { Multi::Forbidden };
    let loaded = shell::run(async { Kernel::load(&settings, multi) })
        .map_err(|error| error.to_string())
        .and_then(|kernel| kernel.map_err(|error| error.to_string()));
    match loaded {
        Ok(kernel) => {
            Row { about, state: State::Good, detail: loaded_detail(kernel.link_kind(), kernel.memory()) }
        }
        Err(error) => Row { about, state: State::Missing, detail: error },
    }
}

fn loaded_detail(kind: LinkKind, memory: Bytes) -> String {
    let memory = memory.0 >> 20;
    match kind {
        LinkKind::Multi => format!("yes, with uprobe_multi links; the maps take {memory} MiB"),
        LinkKind::Perf => format!(
            "yes, with perf links (uprobe_multi needs Linux 6.10): taking hooks out takes 110 ms each; the maps take {memory} MiB"
        ),
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let state = match row.state {
            State::Good => "ok",
            State::Lacking => "lacking",
            State::Missing => "MISSING",
        };
        text.push_str(&format!("{state:<8} {:<22} {}\n", row.about, row.detail));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(capabilities: u64) -> Host {
        of_release((6, 1), capabilities)
    }

    fn of_release(release: (u32, u32), capabilities: u64) -> Host {
        Host {
            release,
            release_name: "6.1.0".to_owned(),
            nop5: Nop5::Plain,
            types: Err("no BTF".to_owned()),
            capabilities,
        }
    }

    #[test]
    fn a_missing_right_names_the_capability() {
        for (release, named) in [((6, 18), "CAP_BPF and CAP_PERFMON"), ((6, 1), "CAP_SYS_ADMIN")] {
            let rows = rights(&of_release(release, 0));
            assert_eq!(rows[0].state, State::Missing);
            assert!(rows[0].detail.contains(named), "{}", rows[0].detail);
            assert_eq!(rights(&of_release(release, 1 << capability::SYS_ADMIN))[0].state, State::Good);
        }
    }

    #[test]
    fn bpf_and_perfmon_do_where_links_need_no_more() {
        let both = 1 << capability::BPF | 1 << capability::PERFMON;
        assert_eq!(rights(&of_release((6, 18), both))[0].state, State::Good);
        assert_eq!(rights(&of_release((6, 9), both))[0].state, State::Missing);
    }

    #[test]
    fn what_is_lacking_says_what_is_not_known_without_it() {
        let rows = kernel(&host(0));
        let rss = rows.iter().find(|row| row.about == "rss_stat").unwrap();
        assert_eq!(rss.state, State::Lacking);
        assert!(rss.detail.contains("RSS between two readings"), "{}", rss.detail);
    }
}
