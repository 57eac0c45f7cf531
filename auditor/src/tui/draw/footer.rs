//! The lines at the bottom: what happened, how far to trust it, what it costs, which keys there are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{fitting, line, lines, normal};
use crate::audit::fact::HookState;
use crate::audit::report::{Cost, Coverage, Report};
use crate::render::columns::maps::MAPS;
use crate::render::style::Tone;
use crate::render::{escape, human, phrases};
use crate::tui::state::{Direction, Flow, Motion, Pane, State};

/// From here on there is room to say which probes are missing.
const WIDE: usize = 110;

/// Events and syscalls.
pub(super) fn activity(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let number = if cells < WIDE { human::short } else { human::count };
    let events = phrases::events(&report.events, number);
    let both = [events, syscalls(report)].map(|pieces| fitting(state.style, normal(pieces), cells));
    lines(both.to_vec(), area, frame);
}

/// Those that were called: `mmap 14 126.4 MiB`.
fn syscalls(report: &Report) -> Vec<String> {
    let Some(syscalls) = &report.syscalls else { return vec!["memory syscalls are not seen".to_owned()] };
    let called = phrases::syscalls(syscalls).into_iter().filter(|(_, calls)| calls.calls > 0);
    let said: Vec<String> = called
        .map(|(name, calls)| format!("{name} {} {}", human::short(calls.calls), human::bytes(calls.bytes)))
        .collect();
    if said.is_empty() { vec!["no memory syscall seen".to_owned()] } else { said }
}

/// Trust and cost, then the keys.
pub(super) fn draw(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let trust =
        fitting(state.style, trust(&report.coverage, cells).into_iter().chain(cost(report, cells)), cells);
    let keys = keys(state, cells);
    // With one row left, what can be trusted matters more than the keys, unless something is typed or said.
    let asks = matches!(state.pane, Pane::Filter | Pane::Jump) || state.notice.is_some();
    let both = if asks && area.height < 2 { vec![keys, trust] } else { vec![trust, keys] };
    lines(both, area, frame);
}

fn trust(coverage: &Coverage, cells: usize) -> Vec<(String, Tone)> {
    let (word, _, tone) = phrases::confidence(coverage.confidence);
    let attached = coverage.probes.iter().filter(|probe| probe.state == HookState::Attached).count();
    let missing = attached < coverage.probes.len();
    let probes = if cells < WIDE {
        format!("probes {attached} of {}", coverage.probes.len())
    } else {
        format!("probes {}", phrases::probes(coverage))
    };
    let lost = format!("lost {} late {}", human::short(coverage.lost), human::short(coverage.late));
    let lost_tone = if coverage.lost > 0 { Tone::Bad } else { Tone::Normal };
    let probes_tone = if missing { Tone::Warn } else { Tone::Normal };
    vec![(word.to_owned(), tone), (lost, lost_tone), (probes, probes_tone)]
}

/// What the target pays, and what the auditor takes itself.
fn cost(report: &Report, cells: usize) -> Vec<(String, Tone)> {
    let Cost { target_time_estimate, agent_cpu, agent_rss, .. } = report.cost;
    let window = report.window.end.since(report.window.start);
    let cpu = human::known(agent_cpu, |cpu| human::share(cpu.0, window.0));
    let rss = human::known(agent_rss, human::bytes);
    let share = human::share(target_time_estimate.0, window.0);
    let target = human::span(target_time_estimate);
    let target = if cells < WIDE { format!("cost {target}") } else { format!("cost {target} ({share})") };
    normal([target, format!("agent {cpu} CPU {rss}")]).collect()
}

/// What can be pressed now, what is typed, or what is said.
fn keys(state: &State, cells: usize) -> Line<'static> {
    let typed = |text: String| line(state.style, Tone::Heading, escape::clip(&text, cells));
    if let Some(notice) = &state.notice {
        return typed(notice.clone());
    }
    let pieces = match state.pane {
        Pane::Filter => {
            let filter = escape::visible(&state.filter, 60);
            return typed(format!("/{filter}_  Enter keeps it, Esc takes it back"));
        }
        Pane::Jump => {
            let time = escape::visible(&state.time, 20);
            return typed(format!("to the time +{time}_  as 90, 12.5s or 3m; Enter goes there, Esc stays"));
        }
        Pane::Columns => vec!["Esc back", "j k choose", "Space show, hide", "s sort by it", "r turn"]
            .into_iter()
            .map(str::to_owned)
            .collect(),
        Pane::Life => pane_keys(state, Some("n N next map")),
        Pane::Findings | Pane::Help => pane_keys(state, None),
        Pane::Table => table_keys(state),
    };
    fitting(state.style, pieces.into_iter().map(|piece| (piece, Tone::Quiet)), cells)
}

fn pane_keys(state: &State, own: Option<&str>) -> Vec<String> {
    let mut keys = vec!["Esc back".to_owned(), "j k scroll".to_owned()];
    keys.extend(own.map(str::to_owned));
    keys.extend(time_keys(state));
    keys
}

fn table_keys(state: &State) -> Vec<String> {
    let order = MAPS.get(state.sort).map_or("", |column| column.title);
    let arrow = if state.direction == Direction::Down { '▼' } else { '▲' };
    let filter = match state.filter.as_str() {
        "" => "/ filter".to_owned(),
        filter => format!("/ {} (Esc clears)", escape::visible(filter, 20)),
    };
    let mut keys = vec![
        "q quit".to_owned(),
        "? help".to_owned(),
        "Enter life".to_owned(),
        format!("s sort: {order} {arrow}"),
        filter,
    ];
    keys.extend(time_keys(state));
    keys.extend(["f findings", "c columns", "w write", "r turn"].map(str::to_owned));
    keys
}

/// How to stop and where to go in time.
fn time_keys(state: &State) -> Vec<String> {
    let turn = match (state.reel.map(|reel| reel.motion), state.flow) {
        (Some(Motion::Stands), _) => "p play",
        (_, Flow::Live) => "p pause",
        _ => "p live",
    };
    let mut keys = vec![turn, "←→ time", "t jump"];
    if state.reel.is_some() {
        keys.push("+- speed");
    }
    keys.into_iter().map(str::to_owned).collect()
}
