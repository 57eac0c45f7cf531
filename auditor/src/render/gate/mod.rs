//! What came of gates, for people and for what runs builds. One file a format that is not for people; what a
//! gate's figure and limit look like is the same in all of them.

mod github;
mod junit;

use std::io::{self, Write};

use super::style::{Paper, Tone};
use super::{escape, human, json, wrap};
use crate::audit::gate::{CommandEnd, GateResult, Judged, Outcome, Part, Subject};

/// Cells of a name that stands within a line, and of a sentence.
const NAME: usize = 60;
const SENTENCE: usize = 300;
/// Columns before the parts of a figure.
const INDENT: usize = 4;
/// The most cells of a gate in the table.
const GATE: usize = 48;
const GAP: &str = "  ";
/// Sentences about what was not seen.
const LACKS: usize = 10;

/// How an outcome is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One object.
    Json,
    /// JUnit's XML.
    Junit,
    /// Commands for the runner of GitHub's workflows.
    Github,
}

/// Writes an outcome; on this paper, where it is for people.
///
/// # Errors
/// Those of `out`.
pub fn render(outcome: &Outcome, format: Format, paper: Paper, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => out.write_all(text(outcome, paper).as_bytes()),
        Format::Json => json::many_lines(outcome, out),
        Format::Junit => junit::write(outcome, out),
        Format::Github => out.write_all(github::text(outcome).as_bytes()),
    }
}

fn text(outcome: &Outcome, paper: Paper) -> String {
    let mut page = Page { text: String::new(), paper };
    page.sentence(Tone::Heading, &opening(outcome));
    page.text.push('\n');
    page.gates(&outcome.gates);
    let failed: Vec<&Judged> = outcome.failed().collect();
    for gate in failed {
        page.text.push('\n');
        let why = why(gate).map_or_else(String::new, |why| format!(": {why}"));
        page.sentence(
            tone(gate.result),
            &format!("{} {}{why}", word(gate.result), shown(&gate.gate, SENTENCE)),
        );
        page.parts(gate);
    }
    if let Some(told) = command(outcome.command.as_ref()) {
        page.text.push('\n');
        let failed = outcome.command_failed();
        let (tone, word) = if failed { (Tone::Bad, "FAIL") } else { (Tone::Warn, "Note:") };
        page.sentence(tone, &format!("{word} {told}"));
    }
    for lack in lacks(outcome) {
        page.text.push('\n');
        page.sentence(Tone::Warn, &format!("Incomplete: {lack}"));
    }
    page.text
}

/// Text under construction.
struct Page {
    text: String,
    paper: Paper,
}

impl Page {
    fn line(&mut self, tone: Tone, line: &str) {
        self.text += &format!("{}\n", self.paper.style.paint(tone, line));
    }

    fn sentence(&mut self, tone: Tone, sentence: &str) {
        wrap::wrap(sentence, self.paper.columns()).iter().for_each(|line| self.line(tone, line));
    }

    /// Gate, figure, limit, result.
    fn gates(&mut self, gates: &[Judged]) {
        let rows: Vec<[String; 4]> = gates.iter().map(row).collect();
        let titles = ["gate", "figure", "limit", "result"].map(str::to_owned);
        let widest = |column: usize| {
            let all = rows.iter().chain([&titles]);
            all.map(|row| escape::width(&row[column])).max().unwrap_or_default()
        };
        let [figure, limit, result] = [1, 2, 3].map(widest);
        let others = figure + limit + result + 3 * GAP.len();
        let gate = widest(0).min(GATE).min(self.paper.columns().saturating_sub(others)).max(8);
        let laid_out = |[name, value, bound, told]: &[String; 4]| {
            [pad(&escape::clip(name, gate), gate), pad(value, figure), pad(bound, limit), told.clone()]
                .join(GAP)
        };
        let columns = self.paper.columns();
        self.line(Tone::Quiet, &escape::clip(&laid_out(&titles), columns));
        for (judged, row) in gates.iter().zip(&rows) {
            self.line(tone(judged.result), &escape::clip(&laid_out(row), columns));
        }
    }

    fn parts(&mut self, gate: &Judged) {
        let room = self.paper.columns() - INDENT;
        for line in parts(gate) {
            self.line(Tone::Normal, &format!("{}{}", " ".repeat(INDENT), escape::clip(&line, room)));
        }
    }
}

fn pad(text: &str, cells: usize) -> String {
    format!("{text}{}", " ".repeat(cells.saturating_sub(escape::width(text))))
}

fn row(gate: &Judged) -> [String; 4] {
    let [figure, limit] = gate.unit.show_both(gate.figure, gate.limit);
    [shown(&gate.gate, GATE), figure, limit, word(gate.result).to_owned()]
}

/// In one line: whom it was about, and what came of it.
fn opening(outcome: &Outcome) -> String {
    let (all, failed) = (outcome.gates.len() as u64, outcome.failed().count() as u64);
    let told = match failed {
        0 if all == 1 => "the gate holds".to_owned(),
        0 => format!("all {} hold", human::plural(all, "gate")),
        _ => format!("{failed} of {} failed", human::plural(all, "gate")),
    };
    let baseline = outcome.baseline.as_ref();
    let baseline = baseline.map_or_else(String::new, |of| format!(", beside a baseline of {}", subject(of)));
    format!("{}{baseline}: {told}{}.", subject(&outcome.target), besides(outcome))
}

/// What else keeps a check from being clean, after the gates.
fn besides(outcome: &Outcome) -> String {
    let command = outcome.command_failed().then_some(", the command failed");
    let incomplete = outcome.is_incomplete().then_some(", the data are incomplete");
    command.into_iter().chain(incomplete).collect()
}

fn subject(of: &Subject) -> String {
    format!("{} ({})", shown(&of.comm, NAME), of.pid.0)
}

/// How the command ended, where that was not well.
fn command(command: Option<&CommandEnd>) -> Option<String> {
    let command = command?;
    let program = shown(&command.program, NAME);
    let status = || shown(command.status.as_deref().unwrap_or("no status"), NAME);
    match command.success {
        Some(true) => None,
        Some(false) => Some(format!("the command {program} ended with {}.", status())),
        None => {
            Some(format!("how the command {program} ended is not known: it ran on when the audit ended."))
        }
    }
}

/// What was not seen.
fn lacks(outcome: &Outcome) -> impl Iterator<Item = String> {
    let all = outcome.incomplete.iter().chain(&outcome.strict);
    let more = all.clone().count().saturating_sub(LACKS) as u64;
    let more = (more > 0).then(|| format!("{}.", human::plural(more, "more reason")));
    all.take(LACKS).map(|lack| format!("{}.", shown(lack.trim_end_matches('.'), SENTENCE))).chain(more)
}

/// Text from a target or a command line, in at most so many cells.
fn shown(text: &str, cells: usize) -> String {
    escape::visible_middle(text, cells)
}

const fn word(result: GateResult) -> &'static str {
    match result {
        GateResult::Pass => "pass",
        GateResult::Fail => "FAIL",
        GateResult::Unknown => "UNKNOWN",
    }
}

const fn tone(result: GateResult) -> Tone {
    match result {
        GateResult::Pass => Tone::Good,
        GateResult::Fail => Tone::Bad,
        GateResult::Unknown => Tone::Warn,
    }
}

/// Figure and limit in one sentence; of what is not known, why that is no pass.
fn why(gate: &Judged) -> Option<String> {
    let [figure, limit] = gate.unit.show_both(gate.figure, gate.limit);
    match gate.result {
        GateResult::Pass => None,
        GateResult::Fail => Some(format!("{} is {figure}, the limit {limit}", gate.metric)),
        GateResult::Unknown if gate.figure.value().is_some() => {
            Some(format!("{} is {figure}, and of the limit only this is known: {limit}", gate.metric))
        }
        GateResult::Unknown => {
            let known = if gate.figure.is_unknown() { String::new() } else { format!(" ({figure})") };
            Some(format!("{} is not known{known}, so it cannot be held against {limit}", gate.metric))
        }
    }
}

/// What makes a figure up, one line each.
fn parts(gate: &Judged) -> Vec<String> {
    let mut lines: Vec<String> = gate.parts.iter().map(|part| told(part, gate)).collect();
    lines.extend((gate.omitted > 0).then(|| format!("and {} more", human::count(gate.omitted))));
    lines
}

fn told(part: &Part, gate: &Judged) -> String {
    if let Some(finding) = &part.finding {
        return shown(finding, SENTENCE);
    }
    format!("{}  {}", gate.unit.show_range(part.range), called(part))
}

/// `sessions, map[string]*Session (0xc000012345)`.
fn called(part: &Part) -> String {
    let stated = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let name = stated(&part.name).or_else(|| stated(&part.owner));
    let texts: Vec<String> =
        [name, stated(&part.type_name)].into_iter().flatten().map(|text| shown(&text, NAME)).collect();
    let texts = texts.join(", ");
    match part.address {
        Some(address) if texts.is_empty() => address.to_string(),
        Some(address) => format!("{texts} ({address})"),
        None if texts.is_empty() => format!("{} of unknown type", human::plural(part.maps, "small map")),
        None => format!("{} of {texts}", human::plural(part.maps, "small map")),
    }
}
