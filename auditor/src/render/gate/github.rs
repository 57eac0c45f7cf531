//! Workflow commands of GitHub's runner: `::error title=...::...`, a line each, which it shows as annotations.
//! Escaped as its toolkit does (actions/toolkit, packages/core/src/command.ts): `%`, CR and LF in what is said,
//! `:` and `,` besides in a property. Other characters that a terminal obeys do not come through `escape`.

use super::{command, lacks, opening, parts, shown, why};
use crate::audit::gate::{GateResult, Judged, Outcome};

/// Cells of a title.
const TITLE: usize = 120;
/// Parts of a figure that an annotation names.
const PARTS: usize = 5;

pub(super) fn text(outcome: &Outcome) -> String {
    let gates = outcome.failed().map(of_gate);
    let command = command(outcome.command.as_ref());
    let failed = outcome.command_failed();
    let command = command.map(|told| annotation(if failed { "error" } else { "warning" }, "command", &told));
    let incomplete = lacks(outcome).map(|told| annotation("error", "incomplete data", &told));
    let notice = annotation("notice", "auditor check", &opening(outcome));
    gates.chain(command).chain(incomplete).chain([notice]).collect()
}

fn of_gate(gate: &Judged) -> String {
    let title = match gate.result {
        GateResult::Unknown => format!("unknown: {}", shown(&gate.gate, TITLE)),
        _ => shown(&gate.gate, TITLE),
    };
    let lines = parts(gate);
    let told: Vec<String> = why(gate).into_iter().chain(lines.into_iter().take(PARTS)).collect();
    annotation("error", &title, &told.join("\n"))
}

/// One command, with its line end.
fn annotation(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), data(message))
}

/// What is said.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value of a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_runner_would_obey_is_escaped() {
        let line = annotation("error", "a:b,c%\r\n::set-env", "100 %\r\n::error::x, y");
        assert_eq!(line, "::error title=a%3Ab%2Cc%25%0D%0A%3A%3Aset-env::100 %25%0D%0A::error::x, y\n");
    }
}
