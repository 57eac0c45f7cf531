//! What comes of gates: plain data with serde, that every face of `auditor check` is drawn from.

use serde::{Deserialize, Serialize};

use super::Gate;
use super::filter::severity_word;
use super::kind::Kind;
use super::lacks::{lacks, lacks_strictly};
use super::range::Range;
use crate::audit::report::{Finding, Map, Population, Report};
use crate::audit::unit::{Address, Pid};

/// Name and version of this format.
pub const SCHEMA: &str = "auditor.check/1";

/// All gates, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: String,
    /// Who was judged.
    pub target: Subject,
    /// Against whom; `null`: there was no baseline.
    pub baseline: Option<Subject>,
    /// One row a gate, in the order in which they were given.
    pub gates: Vec<Judged>,
    /// How the command ended; `null`: a file was judged.
    pub command: Option<CommandEnd>,
    /// What was not seen, one sentence each.
    pub incomplete: Vec<String>,
    /// The same, of what only `--strict` minds; empty without it.
    pub strict: Vec<String>,
}

/// Of whom a report is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Process id.
    pub pid: Pid,
    /// Its name.
    pub comm: String,
    /// Its executable.
    pub exe: String,
    /// The executable's GNU build id.
    pub build_id: Option<String>,
}

/// How the command ended that was audited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandEnd {
    /// Its program.
    pub program: String,
    /// How it ended, in words; `null`: it runs on, or nobody knows.
    pub status: Option<String>,
    /// Whether it ended well; `null`: it has not ended, or nobody knows.
    pub success: Option<bool>,
}

/// One gate, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The expression.
    pub gate: String,
    /// Its metric.
    pub metric: String,
    /// What figure and limit are measured in.
    pub unit: Kind,
    /// The figure.
    pub figure: Range,
    /// What it was held against.
    pub limit: Range,
    /// What came of it.
    pub result: Result,
    /// What makes the figure up, the largest first; at most 10.
    pub parts: Vec<Part>,
    /// How many parts more there are.
    pub omitted: u64,
}

/// What came of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Result {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// What would tell is not known: that is no pass.
    Unknown,
}

/// A map, a population, or a finding, with what it adds to a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What it adds. From 0 where it is not known whether the filters mean it.
    pub range: Range,
    /// The map; `null`: it is not one map.
    pub address: Option<Address>,
    /// The name that it bears in the target.
    pub name: Option<String>,
    /// The path from a root to it.
    pub owner: Option<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// How many maps they are.
    pub maps: u64,
    /// What was found; `null`: it is no finding.
    pub finding: Option<String>,
}

impl Part {
    pub(super) fn of_map(map: &Map, range: Range) -> Self {
        let Map { address, name, owner, type_name, .. } = map;
        let (name, owner, type_name) = (name.clone(), owner.clone(), type_name.clone());
        Self { name, owner, type_name, ..Self::of_address(*address, range) }
    }

    pub(super) fn of_address(address: Address, range: Range) -> Self {
        let [name, owner, type_name, finding] = [const { None }; 4];
        Self { range, address: Some(address), name, owner, type_name, maps: 1, finding }
    }

    pub(super) fn of_crowd(crowd: &Population, range: Range) -> Self {
        let Population { owner, type_name, maps, .. } = crowd;
        let (owner, type_name) = (owner.clone(), type_name.clone());
        Self { range, address: None, name: None, owner, type_name, maps: *maps, finding: None }
    }

    pub(super) fn of_finding(finding: &Finding) -> Self {
        let Finding { severity, rule, summary, map, .. } = finding;
        let told = format!("{} {rule}: {summary}", severity_word(*severity));
        let [name, owner, type_name] = [const { None }; 3];
        let (range, maps) = (Range::exact(1), u64::from(map.is_some()));
        Self { range, address: *map, name, owner, type_name, maps, finding: Some(told) }
    }
}

impl Subject {
    /// Of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let target = &report.target;
        let (comm, exe) = (target.comm.clone(), target.exe.clone());
        Self { pid: target.pid, comm, exe, build_id: target.build_id.clone() }
    }
}

impl Outcome {
    /// Gates that do not hold, or of which that is not known.
    pub fn failed(&self) -> impl Iterator<Item = &Judged> {
        self.gates.iter().filter(|gate| gate.result != Result::Pass)
    }

    /// Whether the command ended badly.
    #[must_use]
    pub fn command_failed(&self) -> bool {
        self.command.as_ref().is_some_and(|command| command.success == Some(false))
    }

    /// Whether something was not seen that is minded.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        !self.incomplete.is_empty() || !self.strict.is_empty()
    }
}

/// Judges a report by gates, beside a baseline where there is one. Whether the data must be without a flaw
/// is what `strict` says.
#[must_use]
pub fn check(gates: &[Gate], report: &Report, baseline: Option<&Report>, strict: bool) -> Outcome {
    Outcome {
        schema: SCHEMA.to_owned(),
        target: Subject::of(report),
        baseline: baseline.map(Subject::of),
        gates: gates.iter().map(|gate| judge(gate, report, baseline)).collect(),
        command: None,
        incomplete: lacks(report),
        strict: if strict { lacks_strictly(report, baseline) } else { Vec::new() },
    }
}

fn judge(gate: &Gate, report: &Report, baseline: Option<&Report>) -> Judged {
    let (figure, limit) = (gate.figure(report), gate.limit(baseline));
    let result = match gate.passes(figure.range, limit) {
        Some(true) => Result::Pass,
        Some(false) => Result::Fail,
        None => Result::Unknown,
    };
    Judged {
        gate: gate.to_string(),
        metric: gate.metric.name.to_owned(),
        unit: gate.metric.kind,
        figure: figure.range,
        limit,
        result,
        parts: figure.parts,
        omitted: figure.omitted,
    }
}
