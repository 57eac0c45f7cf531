//! Whether a report says what the target's own truth says: every count and every byte, in all and map
//! by map. Pure; the tests at the end show that each number of the truth is compared.
//!
//! Written apart from the comparison of `cargo xtask demo`: what one of them overlooks, the other sees.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{number, rows, text};

/// A map that the auditor could poll for so long must have its name, in ns: two intervals of 1 s.
const LONG_ENOUGH: u64 = 2_500_000_000;

/// What is known of the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All of them.
    FromTheStart,
    /// Only those after an attach: nothing but what the maps look like now can be compared.
    InMidRun,
}

/// Each difference in words; empty where all is as it should be.
pub(crate) fn differences(truth: &Value, report: &Value, seen: Seen) -> Vec<String> {
    let mut differences = Differences(Vec::new());
    if seen == Seen::FromTheStart {
        differences.totals(truth, report);
        differences.coverage(report);
    }
    differences.holdings(truth, report, seen);
    let listed = lives(rows(report, "/maps"), |map| {
        // Maps that were there come first, then by birth.
        map["born"].as_u64().unwrap_or(0)
    });
    let true_lives = lives(rows(truth, "/maps"), |_| 0);
    let mut unlisted = 0;
    for (key, map) in &true_lives {
        match listed.get(key) {
            Some(seen_map) => differences.map(map, seen_map, report, seen),
            // Dead before the attach.
            None if seen == Seen::InMidRun && map["dropped"] == true => {}
            None => unlisted += 1,
        }
    }
    let folded: u64 = rows(report, "/populations").iter().map(|row| number(row, "/maps")).sum();
    differences.equal("maps that are not listed", unlisted, folded);
    let invented = listed.keys().filter(|key| !true_lives.contains_key(*key)).count() as u64;
    differences.equal("maps that never were", 0, invented);
    differences.0
}

/// Maps by address, and by order of birth where one was born where another had died: the youngest is
/// 0, because in mid-run the older ones may have died before the attach.
fn lives(maps: &[Value], born: impl Fn(&Value) -> u64) -> BTreeMap<(&str, usize), &Value> {
    let mut sorted: Vec<&Value> = maps.iter().collect();
    sorted.sort_by_key(|map| born(map));
    sorted.reverse();
    let mut lives = BTreeMap::new();
    for map in sorted {
        let address = text(map, "/address");
        let before = lives.keys().filter(|(known, _)| *known == address).count();
        lives.insert((address, before), map);
    }
    lives
}

struct Differences(Vec<String>);

impl Differences {
    fn equal(&mut self, what: &str, truth: u64, report: u64) {
        self.same(what, Some(truth), Some(report));
    }

    fn same(&mut self, what: &str, truth: Option<u64>, report: Option<u64>) {
        if truth != report {
            self.0.push(format!("{what}: {truth:?}, the report says {report:?}"));
        }
    }

    fn totals(&mut self, truth: &Value, report: &Value) {
        for event in ["allocate", "grow", "evacuate", "free", "insert", "delete"] {
            let pointer = format!("/events/{event}");
            let seen = report.pointer(&pointer).and_then(Value::as_u64);
            self.same(&pointer, Some(sum(truth, &pointer)), seen);
        }
        for (field, event) in [
            ("allocated", "allocate"),
            ("allocated_bytes", "allocate_bytes"),
            ("freed", "free"),
            ("freed_bytes", "free_bytes"),
        ] {
            let seen = sum_of_all(report, &format!("/tables/{field}"));
            self.equal(&format!("tables {field}"), sum(truth, &format!("/events/{event}")), seen);
        }
        for kind in ["double", "same_size", "shrink"] {
            let pointer = format!("/growths/{kind}");
            self.equal(&pointer, sum(truth, &pointer), sum_of_all(report, &pointer));
        }
        let used = rows(truth, "/maps").iter().filter(|map| number(map, "/events/allocate") > 0).count();
        self.equal("first tables", used as u64, sum_of_all(report, "/growths/first"));
        for kind in ["split", "other"] {
            self.equal(kind, 0, sum_of_all(report, &format!("/growths/{kind}")));
        }
    }

    /// What is held in the end, in all.
    fn holdings(&mut self, truth: &Value, report: &Value, seen: Seen) {
        self.equal("maps live", sum(truth, "/live"), sum_of_all(report, "/live"));
        self.equal("maps capacity", sum(truth, "/capacity"), sum_of_all(report, "/capacity"));
        self.equal("maps bytes", sum(truth, "/bytes"), sum_of_all(report, "/bytes/allocated"));
        let everybody = rows(truth, "/maps").iter();
        let maps = everybody.filter(|map| seen == Seen::FromTheStart || map["dropped"] == false).count();
        let folded: u64 = rows(report, "/populations").iter().map(|row| number(row, "/maps")).sum();
        let listed = rows(report, "/maps").iter();
        let listed = listed.filter(|map| seen == Seen::FromTheStart || map["died"].is_null()).count();
        self.equal("maps", maps as u64, listed as u64 + folded);
    }

    fn coverage(&mut self, report: &Value) {
        self.equal("events lost", 0, number(report, "/coverage/lost"));
        let coverage = &report["coverage"];
        if coverage["confidence"] != "exact" || coverage["layout_verified"] != true {
            self.0.push(format!("confidence {}: {}", coverage["confidence"], coverage["notes"]));
        }
    }

    fn map(&mut self, truth: &Value, map: &Value, report: &Value, seen: Seen) {
        let name = text(truth, "/name");
        for (field, of_truth) in [
            ("/live", "/live"),
            ("/capacity", "/capacity"),
            ("/tombstones", "/tombstones"),
            ("/overflow", "/overflow"),
            ("/bytes/allocated", "/bytes"),
            ("/bytes/old_table", "/old_table_bytes"),
        ] {
            let reported = map.pointer(field).and_then(Value::as_u64);
            self.same(&format!("{name}: {field}"), Some(number(truth, of_truth)), reported);
        }
        if map["died"].is_null() == (truth["dropped"] == true) {
            self.0.push(format!("{name}: died {}, dropped {}", map["died"], truth["dropped"]));
        }
        self.name(name, map, report);
        if seen == Seen::FromTheStart {
            self.events(name, truth, map, report);
        }
    }

    fn events(&mut self, name: &str, truth: &Value, map: &Value, report: &Value) {
        for (field, of_truth) in [
            ("/tables/allocated", "/events/allocate"),
            ("/tables/allocated_bytes", "/events/allocate_bytes"),
            ("/tables/freed", "/events/free"),
            ("/tables/freed_bytes", "/events/free_bytes"),
            ("/growths/double", "/growths/double"),
            ("/growths/same_size", "/growths/same_size"),
            ("/growths/shrink", "/growths/shrink"),
        ] {
            self.equal(&format!("{name}: {field}"), number(truth, of_truth), number(map, field));
        }
        if map["origin"] != "observed" {
            self.0.push(format!("{name}: origin {}", map["origin"]));
        }
        // Of several maps at one address, an episode does not say whose it is.
        let here = |row: &&Value| row["address"] == map["address"];
        if rows(report, "/maps").iter().filter(here).count() == 1 {
            let episodes = rows(report, "/episodes").iter().filter(|row| row["map"] == map["address"]);
            let moved = episodes.map(|row| number(row, "/evacuated")).sum();
            self.equal(&format!("{name}: moved"), number(truth, "/events/evacuate"), moved);
        }
        let in_progress = map.pointer("/evacuation/in_progress").and_then(Value::as_bool).unwrap_or(false);
        if in_progress != (number(truth, "/old_table_bytes") > 0) {
            self.0.push(format!("{name}: evacuation in progress: {in_progress}"));
        }
    }

    /// The name is read by polling: a map that came and went between two polls has none.
    fn name(&mut self, name: &str, map: &Value, report: &Value) {
        let born = map["born"].as_u64().unwrap_or(number(report, "/window/start"));
        let died = map["died"].as_u64().unwrap_or(number(report, "/window/end"));
        match map["name"].as_str() {
            None if died - born < LONG_ENOUGH && !map["born"].is_null() => {}
            seen if seen == Some(name) => {}
            seen => self.0.push(format!("{name}: the name is {seen:?}")),
        }
    }
}

fn sum(truth: &Value, pointer: &str) -> u64 {
    rows(truth, "/maps").iter().map(|map| number(map, pointer)).sum()
}

/// Over the maps that are listed and those that are folded.
fn sum_of_all(report: &Value, pointer: &str) -> u64 {
    let all = rows(report, "/maps").iter().chain(rows(report, "/populations"));
    // What a listed map does not know is told by the comparison map by map.
    all.map(|row| row.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn truth() -> Value {
        json!({"schema": "demo.truth/1", "maps": [{
            "address": "0x7f00", "name": "sessions", "dropped": false,
            "live": 10, "capacity": 16, "tombstones": 1, "overflow": 2,
            "events": {"allocate": 3, "allocate_bytes": 4000, "grow": 2, "evacuate": 5, "free": 1,
                       "free_bytes": 1000, "insert": 12, "delete": 2},
            "growths": {"double": 1, "same_size": 0, "shrink": 1},
            "bytes": 3128, "table_bytes": 2000, "old_table_bytes": 1000,
        }]})
    }

    fn report() -> Value {
        json!({
            "window": {"start": 0, "end": 9_000_000_000_u64},
            "events": {"allocate": 3, "grow": 2, "evacuate": 5, "free": 1, "insert": 12, "delete": 2},
            "maps": [{
                "address": "0x7f00", "name": "sessions", "origin": "observed", "born": 1000, "died": null,
                "live": 10, "capacity": 16, "tombstones": 1, "overflow": 2,
                "bytes": {"allocated": 3128, "old_table": 1000},
                "tables": {"allocated": 3, "allocated_bytes": 4000, "freed": 1, "freed_bytes": 1000},
                "growths": {"first": 1, "double": 1, "same_size": 0, "shrink": 1, "split": 0, "other": 0},
                "evacuation": {"moved": 1, "total": 8, "in_progress": true},
            }],
            "populations": [],
            "episodes": [{"map": "0x7f00", "evacuated": 4}, {"map": "0x7f00", "evacuated": 1}],
            "coverage": {"lost": 0, "confidence": "exact", "layout_verified": true, "notes": []},
        })
    }

    fn found(truth: &Value, report: &Value) -> Vec<String> {
        differences(truth, report, Seen::FromTheStart)
    }

    #[test]
    fn a_report_that_says_what_the_truth_says_agrees() {
        assert_eq!(found(&truth(), &report()), Vec::<String>::new());
        assert_eq!(differences(&truth(), &report(), Seen::InMidRun), Vec::<String>::new());
    }

    /// `table_bytes` is in `bytes`; everything else must be noticed by itself.
    #[test]
    fn every_single_number_of_the_truth_that_is_falsified_is_noticed() {
        let map = &truth()["maps"][0];
        let mut pointers: Vec<String> = Vec::new();
        for (field, value) in map.as_object().unwrap() {
            match value.as_object() {
                Some(inner) => pointers.extend(inner.keys().map(|key| format!("/{field}/{key}"))),
                None if value.is_u64() && field != "table_bytes" => pointers.push(format!("/{field}")),
                None => {}
            }
        }
        assert_eq!(pointers.len(), 17, "{pointers:?}");
        for pointer in pointers {
            let mut wrong = truth();
            let number = wrong.pointer_mut(&format!("/maps/0{pointer}")).unwrap();
            *number = json!(number.as_u64().unwrap() + 1);
            assert!(!found(&wrong, &report()).is_empty(), "{pointer} is not compared");
        }
    }

    #[test]
    fn a_name_a_fate_and_an_origin_that_are_wrong_are_noticed() {
        for (field, wrong) in [
            ("name", json!("orders")),
            ("name", json!(null)),
            ("died", json!(8_000_000_000_u64)),
            ("origin", json!("before-attach")),
            ("address", json!("0x7f80")),
            ("live", json!(null)),
            ("evacuation", json!(null)),
        ] {
            let mut report = report();
            report["maps"][0][field] = wrong;
            assert!(!found(&truth(), &report).is_empty(), "{field}");
        }
    }

    #[test]
    fn what_was_lost_or_is_not_trusted_is_noticed() {
        for (field, wrong) in
            [("lost", json!(1)), ("confidence", json!("at_least")), ("layout_verified", json!(null))]
        {
            let mut report = report();
            report["coverage"][field] = wrong;
            assert_eq!(found(&truth(), &report).len(), 1, "{field}");
        }
    }

    #[test]
    fn of_two_maps_at_one_address_the_first_born_is_the_first_of_the_truth() {
        let (mut truth, mut report) = (truth(), report());
        let mut second = truth["maps"][0].clone();
        second["name"] = json!("carts");
        truth["maps"].as_array_mut().unwrap().push(second);
        let mut row = report["maps"][0].clone();
        (row["name"], row["born"]) = (json!("carts"), json!(2000));
        report["maps"].as_array_mut().unwrap().insert(0, row);
        let named = |found: Vec<String>| found.iter().any(|words| words.contains("the name is"));
        assert!(!named(found(&truth, &report)));
        report["maps"][0]["born"] = json!(500);
        assert!(named(found(&truth, &report)));
    }
}
