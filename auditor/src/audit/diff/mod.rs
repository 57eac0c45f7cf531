//! Two reports, map by map: what became more, what less, what came and what went. Pure: two reports in, a
//! [`Diff`] out; `docs/diff.md` says what each field means.
//!
//! `pairing.rs` says which map of one is which of the other, `side.rs` adds up the maps of a row, `release.rs`
//! makes the three checks of a release.

mod pairing;
mod release;
mod side;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use pairing::{Key, Matched};
pub use release::{Check, Verdict};
pub use side::Side;

use super::gate::{Subject, lacks};
use super::report::{Confidence, Finding, Lag, Place, Report, Rung, Severity};
use super::unit::{Address, Bytes, Nanos};

/// Name and version of this format.
pub const SCHEMA: &str = "auditor.diff/1";

/// How two reports differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// [`SCHEMA`].
    pub schema: String,
    /// Of whom the first report is.
    pub before: Of,
    /// Of whom the second one is.
    pub after: Of,
    /// Why the two may not be comparable, one sentence each.
    pub caveats: Vec<String>,
    /// RSS at the last reading.
    pub rss: Pair<Option<Bytes>>,
    /// The highest RSS.
    pub peak: Pair<Option<Bytes>>,
    /// Rows of the ladder by their names, in the order of the second report.
    pub ladder: Vec<Named<Option<Bytes>>>,
    /// Lags by their kinds.
    pub lags: Vec<LagPair>,
    /// Maps and populations, those that changed most first.
    pub maps: Vec<Row>,
    /// How many were matched how.
    pub matching: BTreeMap<Matched, Count>,
    /// Findings that came, went or stayed.
    pub findings: Vec<FindingChange>,
    /// The three checks of a release.
    pub checks: Vec<Check>,
}

/// One of the two reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Of {
    /// Whose it is.
    #[serde(flatten)]
    pub subject: Subject,
    /// How long it covers.
    pub duration: Nanos,
    /// How far it can be trusted.
    pub confidence: Confidence,
}

/// The same thing in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair<T> {
    /// In the first report.
    pub before: T,
    /// In the second.
    pub after: T,
}

/// A pair with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named<T> {
    /// Its name.
    pub name: String,
    /// In both; `null`: it is not there.
    #[serde(flatten)]
    pub pair: Pair<T>,
}

/// A lag of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LagPair {
    /// What comes first.
    pub from: String,
    /// What follows.
    pub to: String,
    /// In both; `null`: it did not happen, or was not seen.
    #[serde(flatten)]
    pub pair: Pair<Option<Lag>>,
}

/// A map, or several that cannot be told apart, in both reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What it was found again by.
    pub key: Key,
    /// How it was found again.
    pub matched: Matched,
    /// In both; `null`: there is none.
    #[serde(flatten)]
    pub pair: Pair<Option<Side>>,
    /// Where several were matched by rank: each with each, the largest first.
    pub ranked: Vec<Pair<Option<Side>>>,
}

/// Maps of both reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Rows.
    pub rows: u64,
    /// Maps of the first report in them.
    pub before: u64,
    /// Maps of the second report in them.
    pub after: u64,
}

/// A finding that came, went or stayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingChange {
    /// The rule.
    pub rule: String,
    /// How bad it was and is; `null`: it was not found.
    #[serde(flatten)]
    pub pair: Pair<Option<Severity>>,
    /// In one sentence, as the second report has it, else the first.
    pub summary: String,
    /// The map in the report that the summary is from.
    pub map: Option<Address>,
}

/// Holds two reports against each other.
#[must_use]
pub fn diff(before: &Report, after: &Report) -> Diff {
    let (maps, places) = pairing::rows(before, after);
    let mut matching: BTreeMap<Matched, Count> = BTreeMap::new();
    for row in &maps {
        let count = matching.entry(row.matched).or_default();
        let maps = |side: &Option<Side>| side.as_ref().map_or(0, |side| side.maps);
        count.rows += 1;
        count.before = count.before.saturating_add(maps(&row.pair.before));
        count.after = count.after.saturating_add(maps(&row.pair.after));
    }
    let (rss, peak) = (|of: &Report| of.memory.rss.last, |of: &Report| of.memory.rss.peak);
    Diff {
        schema: SCHEMA.to_owned(),
        before: of(before),
        after: of(after),
        caveats: caveats(before, after),
        rss: Pair { before: rss(before), after: rss(after) },
        peak: Pair { before: peak(before), after: peak(after) },
        ladder: ladder(&before.memory.ladder, &after.memory.ladder),
        lags: lags(&before.lags, &after.lags),
        maps,
        matching,
        findings: findings(before, after, &places),
        checks: release::checks(before, after),
    }
}

fn of(report: &Report) -> Of {
    let duration = report.window.end.since(report.window.start);
    Of { subject: Subject::of(report), duration, confidence: report.coverage.confidence }
}

/// Why the two may not be comparable.
fn caveats(before: &Report, after: &Report) -> Vec<String> {
    let mut caveats = Vec::new();
    let (one, other) = (&before.target, &after.target);
    if before.schema != after.schema {
        caveats.push(format!("the formats differ: {} and {}", before.schema, after.schema));
    }
    if one.exe != other.exe {
        caveats.push(format!("the programs differ: {} and {}", one.exe, other.exe));
    }
    match (&one.build_id, &other.build_id) {
        (Some(one), Some(other)) if one == other => {}
        (Some(_), Some(_)) => caveats.push("the builds differ, by their build ids".to_owned()),
        _ => caveats.push("whether the builds differ is not known: a build id is missing".to_owned()),
    }
    for (name, report) in [("BEFORE", before), ("AFTER", after)] {
        caveats.extend(lacks(report).into_iter().map(|lack| format!("{name} is incomplete: {lack}")));
    }
    if before.coverage.confidence != after.coverage.confidence {
        caveats.push(
            "the two can be trusted differently far: figures that rose may only have been seen better"
                .to_owned(),
        );
    }
    caveats
}

/// Rows by their names, in the order of the second; those that are gone come last.
fn ladder(before: &[Rung], after: &[Rung]) -> Vec<Named<Option<Bytes>>> {
    let of = |rungs: &[Rung], name: &str| rungs.iter().find(|rung| rung.name == name).map(|rung| rung.bytes);
    let gone = before.iter().filter(|rung| of(after, &rung.name).is_none());
    let names = after.iter().chain(gone).map(|rung| &rung.name);
    names
        .map(|name| Named {
            name: name.clone(),
            pair: Pair { before: of(before, name), after: of(after, name) },
        })
        .collect()
}

fn lags(before: &[Lag], after: &[Lag]) -> Vec<LagPair> {
    let of = |lags: &[Lag], like: &Lag| {
        lags.iter().find(|lag| lag.from == like.from && lag.to == like.to).cloned()
    };
    let gone = before.iter().filter(|lag| of(after, lag).is_none());
    let pair = |lag: &Lag| LagPair {
        from: lag.from.clone(),
        to: lag.to.clone(),
        pair: Pair { before: of(before, lag), after: of(after, lag) },
    };
    after.iter().chain(gone).map(pair).collect()
}

/// What a finding is about: a rule and a row of maps, or an address that no row has.
type About<'a> = (&'a str, Option<usize>, Option<Address>);

/// Findings about the same maps by the same rule, matched in their order.
fn findings(before: &Report, after: &Report, places: &pairing::Places) -> Vec<FindingChange> {
    fn about<'a>(finding: &'a Finding, places: &BTreeMap<Place, usize>) -> About<'a> {
        let row = finding.place().and_then(|map| places.get(&map).copied());
        (&finding.rule, row, finding.map.filter(|_| row.is_none()))
    }
    let mut known: BTreeMap<About<'_>, Vec<&Finding>> = BTreeMap::new();
    for finding in before.findings.iter().rev() {
        known.entry(about(finding, &places.before)).or_default().push(finding);
    }
    let mut changes: Vec<FindingChange> = Vec::new();
    for finding in &after.findings {
        let earlier = known.get_mut(&about(finding, &places.after)).and_then(Vec::pop);
        changes.push(change(
            finding,
            Pair { before: earlier.map(|it| it.severity), after: Some(finding.severity) },
        ));
    }
    let went = known.into_values().flatten();
    changes.extend(went.map(|finding| change(finding, Pair { before: Some(finding.severity), after: None })));
    // What came first, then what went.
    let class = |change: &FindingChange| match (change.pair.before, change.pair.after) {
        (None, _) => 0,
        (_, None) => 1,
        (one, other) if one != other => 2,
        _ => 3,
    };
    changes.sort_by_key(|change| (class(change), change.pair.after.or(change.pair.before)));
    changes
}

fn change(finding: &Finding, pair: Pair<Option<Severity>>) -> FindingChange {
    let Finding { rule, summary, map, .. } = finding;
    FindingChange { rule: rule.clone(), pair, summary: summary.clone(), map: *map }
}
