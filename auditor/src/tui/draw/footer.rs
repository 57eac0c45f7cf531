//! The lines at the bottom: what happened, how far to trust it, what it costs, which keys there are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::paint::{fitting, lines, span};
use crate::audit::fact::HookState;
use crate::audit::report::{Cost, Coverage, Report};
use crate::render::columns::maps::MAPS;
use crate::render::style::Tone;
use crate::render::{escape, human, phrases};
use crate::tui::state::{Direction, Pane, State};

/// From here on there is room to say which probes are missing.
const WIDE: usize = 110;

/// Events and syscalls.
pub(super) fn activity(report: &Report, state: &State, area: Rect, frame: &mut Frame<'_>) {
    let cells = usize::from(area.width);
    let number = if cells < WIDE { human::short } else { human::count };
    let events = phrases::events(&report.events, number);
    let both = [fitting(events, cells), fitting(syscalls(report), cells)];
    lines(both.map(|line| Line::from(span(state.style, Tone::Normal, line))).to_vec(), area, frame);
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
    let (word, _, tone) = phrases::confidence(report.coverage.confidence);
    let pieces = [word.to_owned()].into_iter().chain(trust(&report.coverage, cells)).chain(cost(report));
    let trust = Line::from(span(state.style, tone, fitting(pieces, cells)));
    let keys = Line::from(span(state.style, Tone::Quiet, keys(state, cells)));
    // With one row left, what can be trusted matters more than the keys, unless keys are typed.
    let both = if state.pane == Pane::Filter { vec![keys, trust] } else { vec![trust, keys] };
    lines(both, area, frame);
}

fn trust(coverage: &Coverage, cells: usize) -> Vec<String> {
    let lost = format!("lost {} late {}", human::short(coverage.lost), human::short(coverage.late));
    let attached = coverage.probes.iter().filter(|probe| probe.state == HookState::Attached).count();
    let probes = if cells < WIDE {
        format!("probes {attached} of {}", coverage.probes.len())
    } else {
        format!("probes {}", phrases::probes(coverage))
    };
    vec![lost, probes]
}

fn cost(report: &Report) -> Vec<String> {
    let Cost { target_time_estimate, agent_cpu, agent_rss, .. } = report.cost;
    let window = report.window.end.since(report.window.start);
    let cpu = human::known(agent_cpu, |cpu| human::share(cpu.0, window.0));
    let rss = human::known(agent_rss, human::bytes);
    vec![format!("cost {}", human::span(target_time_estimate)), format!("agent {cpu} CPU {rss}")]
}

/// What can be pressed now.
fn keys(state: &State, cells: usize) -> String {
    match state.pane {
        Pane::Filter => escape::clip(
            &format!("/{}_  Enter keeps it, Esc takes it back", escape::visible(&state.filter, 60)),
            cells,
        ),
        Pane::Details | Pane::Help => {
            fitting(["Esc back", "j k scroll", "p pause"].map(str::to_owned), cells)
        }
        Pane::Table => fitting(table_keys(state), cells),
    }
}

fn table_keys(state: &State) -> Vec<String> {
    let order = MAPS.get(state.sort).map_or("", |column| column.title);
    let arrow = if state.direction == Direction::Down { '▼' } else { '▲' };
    let filter = match state.filter.as_str() {
        "" => "/ filter".to_owned(),
        filter => format!("/ {}", escape::visible(filter, 20)),
    };
    vec![
        "q quit".to_owned(),
        format!("s sort: {order} {arrow}"),
        "r turn".to_owned(),
        filter,
        "p pause".to_owned(),
        "Enter details".to_owned(),
        "? help".to_owned(),
    ]
}
