//! What is wrong, why that is known, and what to do: the rules, one a file, all of them in [`RULES`].
//!
//! A rule looks at the `Scene` and says that all is well, what it found, or that it is too early to tell.
//! It rests on evidence that it names; what nobody saw it does not judge. A rule that blames must be able to
//! clear: each has tests of both. `scene.rs` has the questions that several ask, `thresholds.rs` the numbers.

mod allocator_retention;
mod avalanche;
mod bad_hash;
mod churn;
mod crowd;
mod fragmentation;
mod gc_pressure;
mod grew_without_more_live;
mod growth_stall;
mod growth_storm;
mod key_leak;
mod lazily_freed_is_not_a_leak;
mod many_small;
mod never_shrinks;
mod next_growth_exceeds_headroom;
mod not_a_map;
mod old_and_new_peak;
mod overflow_chains;
mod oversized;
mod presized_and_empty;
pub(super) mod scene;
mod stalled_evacuation;
pub mod thresholds;
mod value;

use std::cmp::Reverse;

use super::report::{Finding, Severity, Undecided};
use super::unit::Bytes;
use super::words;
use scene::{Found, Outcome, Scene};

pub(super) use allocator_retention::kept;
pub(super) use lazily_freed_is_not_a_leak::lazily_freed;
pub use thresholds::{RulesError, Thresholds};

/// Findings of one rule that are told one by one.
const MOST: usize = 5;
/// Of those that are only worth knowing.
const MOST_INFO: usize = 1;

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// What it is called, in lower case with underscores.
    pub name: &'static str,
    /// What it finds, in one line without a full stop.
    pub line: &'static str,
    /// How it is decided and what to do, in lines of at most 96 characters.
    pub text: &'static str,
    judge: fn(&Scene<'_>) -> Outcome,
}

/// Every rule, once.
pub const RULES: &[Rule] = &[
    never_shrinks::RULE,
    oversized::RULE,
    presized_and_empty::RULE,
    many_small::RULE,
    grew_without_more_live::RULE,
    overflow_chains::RULE,
    bad_hash::RULE,
    stalled_evacuation::RULE,
    growth_storm::RULE,
    avalanche::RULE,
    key_leak::RULE,
    churn::RULE,
    growth_stall::RULE,
    gc_pressure::RULE,
    old_and_new_peak::RULE,
    next_growth_exceeds_headroom::RULE,
    allocator_retention::RULE,
    fragmentation::RULE,
    lazily_freed_is_not_a_leak::RULE,
    not_a_map::RULE,
];

/// What all rules say: findings, the worst first and of equally bad ones that which frees most; and what
/// cannot be told yet, in the order of the rules.
pub(super) fn judge(scene: &Scene<'_>) -> (Vec<Finding>, Vec<Undecided>) {
    let (mut findings, mut undecided) = (Vec::new(), Vec::new());
    for rule in RULES {
        match (rule.judge)(scene) {
            Outcome::Clear => {}
            Outcome::Found(found) => findings.extend(most_of(rule.name, found)),
            Outcome::TooEarly(reason) => undecided.push(Undecided { rule: rule.name.to_owned(), reason }),
        }
    }
    findings.sort_by(|one, other| order(one).cmp(&order(other)));
    (findings, undecided)
}

fn order(finding: &Finding) -> impl Ord + use<'_> {
    let frees = Reverse(finding.reclaimable.unwrap_or_default());
    (finding.severity, frees, finding.rule.as_str(), finding.map)
}

/// The worst of what one rule found; the last of them counts the others.
fn most_of(rule: &str, mut found: Vec<Found>) -> Vec<Finding> {
    // What is equal stays in the order of the report: largest maps first.
    found.sort_by_key(|found| (found.severity, Reverse(found.reclaimable.unwrap_or_default())));
    let bad = found.iter().filter(|found| found.severity != Severity::Info).count();
    let most = if bad == 0 { MOST_INFO } else { bad.min(MOST) };
    let rest = found.split_off(found.len().min(most));
    if let Some(last) = found.last_mut()
        && !rest.is_empty()
    {
        let frees =
            rest.iter().filter_map(|found| found.reclaimable).fold(Bytes(0), |sum, frees| sum + frees);
        let more = match last.map {
            Some(_) => words::plural(rest.len() as u64, "more map"),
            None => format!("{} more", words::count(rest.len() as u64)),
        };
        let frees = Some(frees).filter(|frees| *frees > Bytes(0));
        let frees =
            frees.map_or_else(String::new, |frees| format!("; together that is {}", words::bytes(frees)));
        last.evidence.push(format!("so it is with {more}{frees}"));
    }
    found.into_iter().map(|found| found.named(rule)).collect()
}

impl Found {
    fn named(self, rule: &str) -> Finding {
        let Self { severity, map, summary, evidence, remedy, reclaimable } = self;
        let reclaimable = reclaimable.filter(|frees| *frees > Bytes(0));
        Finding { rule: rule.to_owned(), severity, map, pid: None, summary, evidence, remedy, reclaimable }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::audit::unit::Address;

    fn found(map: u64, frees: u64) -> Found {
        Found {
            severity: Severity::Warning,
            map: Some(Address(map)),
            summary: String::new(),
            evidence: vec![],
            remedy: String::new(),
            reclaimable: Some(Bytes(frees)),
        }
    }

    #[test]
    fn of_many_the_largest_are_told_and_the_others_counted() {
        let findings = most_of("a_rule", (1..=8).map(|map| found(map, map << 20)).collect());
        let maps: Vec<_> = findings.iter().filter_map(|finding| finding.map).collect();
        assert_eq!(maps, [8, 7, 6, 5, 4].map(Address));
        assert_eq!(findings[4].evidence, ["so it is with 3 more maps; together that is 6.0 MiB"]);
        assert!(findings[..4].iter().all(|finding| finding.evidence.is_empty()));
    }

    #[test]
    fn every_rule_has_one_name_and_says_how_it_is_decided() {
        let names: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        for rule in RULES {
            assert!(!rule.line.ends_with('.') && rule.line.len() <= 72, "{}", rule.name);
            assert!(rule.text.contains("What to do:"), "{}", rule.name);
            let longest = rule.text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(96), "{}", rule.name);
        }
    }

    #[test]
    fn every_rule_has_its_thresholds_under_its_name() {
        for rule in RULES {
            assert!(thresholds::DEFAULTS.contains(&format!("\n[{}]\n", rule.name)), "{}", rule.name);
        }
    }
}
