//! What is drawn of a report is the report without what is left out.

use std::cmp::Reverse;

use proptest::prelude::*;

use super::hostile::facts;
use crate::audit::drawn::CALLED;
use crate::audit::report::{Forecast, Map, Memory, Report};
use crate::audit::{Audit, Extent};

/// What an outline has of a map that is not among those that hold most.
fn figures(map: Map) -> Map {
    Map {
        runtime: String::new(),
        type_name: None,
        candidates: Vec::new(),
        name: None,
        owner: None,
        site: Vec::new(),
        next_growth: None,
        ..map
    }
}

/// The report without what an outline leaves out.
fn outline(whole: Report) -> Report {
    let mut largest: Vec<&Map> = whole.maps.iter().filter(|map| map.died.is_none()).collect();
    largest.retain(|map| map.reachable != Some(false));
    largest.sort_by_key(|map| Reverse(map.bytes.resident.or(map.bytes.allocated)));
    let called: Vec<_> = largest.iter().take(CALLED).map(|map| (map.address, map.born)).collect();
    let plain = |map: Map| {
        let map = Map { verdict: None, outlook: None, ..map };
        if map.died.is_none() && called.contains(&(map.address, map.born)) { map } else { figures(map) }
    };
    Report {
        memory: Memory { changes: None, verdict: None, outlook: None, ..whole.memory },
        maps: whole.maps.into_iter().map(plain).collect(),
        episodes: Vec::new(),
        lags: Vec::new(),
        timeline: None,
        forecast: Forecast::default(),
        writers: None,
        findings: Vec::new(),
        undecided: Vec::new(),
        ..whole
    }
}

proptest! {
    #[test]
    fn a_part_of_a_report_says_what_the_whole_says(facts in facts()) {
        let mut audit = Audit::new();
        facts.iter().for_each(|fact| audit.apply(fact));
        let whole = audit.report();
        prop_assert_eq!(audit.drawn(Extent::Interval), Report { timeline: None, ..whole.clone() });
        prop_assert_eq!(audit.drawn(Extent::Outline), outline(whole));
    }
}
