//! What is drawn of a report is the report without what is left out.

use proptest::prelude::*;

use super::hostile::facts;
use crate::audit::report::{Forecast, Map, Memory, Report};
use crate::audit::{Audit, Extent};

/// The report without what an outline leaves out.
fn outline(whole: Report) -> Report {
    let plain = |map: Map| Map { verdict: None, outlook: None, ..map };
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
