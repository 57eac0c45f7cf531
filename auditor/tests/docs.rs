//! What the documents say, held against the code: every field of the report, every file of the tree,
//! who may name whom. A document that lags behind fails here.

#[path = "data/faces/samples.rs"]
#[expect(dead_code, reason = "made for the tests of the faces")]
mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use auditor::audit::findings::{RULES, thresholds};
use auditor::audit::report::{Report, Verdict};
use auditor::audit::unit::Nanos;
use auditor::audit::whatif::{Ask, Traffic, answer};
use serde_json::Value;

/// Fields below which names are data.
const KEYED_BY_DATA: &[&str] = &["syscalls.madvise.by_advice"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member of the workspace").to_owned()
}

fn document(name: &str) -> String {
    fs::read_to_string(workspace().join(name)).expect("the documents are there")
}

/// Every field of a report, and whether it was ever `null`: objects by their fields, lists as `name[]`.
fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, bool>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = if KEYED_BY_DATA.contains(&path) { "*" } else { name };
                let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                walk(field, &path, into);
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| walk(item, &format!("{path}[]"), into));
        }
        Value::Null => {
            into.insert(path.to_owned(), true);
        }
        _ => {
            into.entry(path.to_owned()).or_insert(false);
        }
    }
}

/// A report in which everything is known, one in which nothing is, one look, and a family.
fn fields() -> BTreeMap<String, bool> {
    let mut unknown = samples::empty();
    unknown.maps = vec![samples::unknown_map(1)];
    let mut fields = BTreeMap::new();
    for report in [samples::rich(), unknown, samples::go::look(), samples::family()] {
        let report: Value = serde_json::to_value::<Report>(report).expect("a report is plain data");
        walk(&report, "", &mut fields);
    }
    fields
}

/// Rows of the tables of a document: the name in the first cell, and the other cells.
fn rows(document: &str) -> BTreeMap<String, Vec<String>> {
    let named = document.lines().filter(|line| line.starts_with("| `"));
    let cells = named.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()));
    cells.map(|mut cells| (cells.next().unwrap_or_default().replace('`', ""), cells.collect())).collect()
}

#[test]
fn every_field_of_the_report_is_documented() {
    let documented = rows(&document("docs/report.md"));
    let missing: Vec<_> = fields().into_keys().filter(|field| !documented.contains_key(field)).collect();
    assert!(missing.is_empty(), "docs/report.md lacks {missing:#?}");
}

#[test]
fn every_documented_field_is_in_the_report() {
    let fields = fields();
    let is_known =
        |name: &str| fields.keys().any(|field| field == name || field.starts_with(&format!("{name}.")));
    let documented = rows(&document("docs/report.md"));
    let strange: Vec<_> = documented.keys().filter(|name| !is_known(name)).collect();
    assert!(strange.is_empty(), "no such field: {strange:#?}");
}

/// The fields of answers of which nothing is left out, and of such that say nothing.
fn fields_of_answers() -> BTreeMap<String, bool> {
    let (mut report, mut fields) = (samples::rich(), BTreeMap::new());
    let traffic = Some(Traffic { qps: 20_000.0, skew: 1.1, window: Nanos(60_000_000_000) });
    let full = Ask { keys: Some(1_800_000), traffic, ..Ask::default() };
    let map = report.maps[0].address;
    let answers = [answer(&report, map, &full), {
        report.maps[0] = samples::unknown_map(map.0);
        answer(&report, map, &Ask::default())
    }];
    for answers in answers {
        let answers = serde_json::to_value(answers.expect("the map is listed")).expect("plain data");
        walk(&answers, "", &mut fields);
    }
    fields
}

#[test]
fn every_field_of_what_if_is_documented_and_says_what_null_means() {
    let (documented, fields) = (rows(&document("docs/whatif.md")), fields_of_answers());
    let cells = |name: &String| documented.get(name).filter(|cells| cells.len() == 3);
    let missing: Vec<_> = fields.keys().filter(|name| cells(name).is_none()).collect();
    assert!(missing.is_empty(), "docs/whatif.md lacks {missing:#?}");
    let says_nothing = |name: &String| cells(name).is_some_and(|cells| cells[2].is_empty());
    let silent: Vec<_> = fields.iter().filter(|(name, null)| **null && says_nothing(name)).collect();
    assert!(silent.is_empty(), "docs/whatif.md does not say what null means for {silent:#?}");
    let is_there =
        |name: &str| fields.keys().any(|field| field == name || field.starts_with(&format!("{name}.")));
    let strange: Vec<_> =
        documented.iter().filter(|(name, cells)| cells.len() == 3 && !is_there(name)).collect();
    assert!(strange.is_empty(), "no such field: {strange:#?}");
}

#[test]
fn every_field_that_can_be_null_says_what_that_means() {
    let documented = rows(&document("docs/report.md"));
    let can_be_null = fields().into_iter().filter(|(_, null)| *null);
    let silent: Vec<_> = can_be_null
        .map(|(field, _)| field)
        .filter(|field| documented.get(field).and_then(|cells| cells.get(2)).is_none_or(String::is_empty))
        .collect();
    assert!(silent.is_empty(), "docs/report.md does not say what null means for {silent:#?}");
}

/// File names of a folder, its folders' too; tests stand beside what they test and are not drawn.
fn sources(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the source folders are there") {
        let path = entry.expect("a folder of ours can be read").path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, into);
        } else if let Some(name) = path.file_name().filter(|name| *name != "tests" && *name != "tests.rs") {
            into.insert(name.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn the_tree_in_architecture_md_is_the_tree() {
    let page = document("ARCHITECTURE.md");
    let tree: String = page.split("```").skip(3).step_by(2).take(1).collect();
    let named: BTreeSet<String> = tree
        .split([' ', ',', ';', ':', ')', '\n'])
        .filter(|word| [".rs", ".sh"].iter().any(|ending| word.ends_with(ending)))
        .map(|word| word.trim_start_matches("docs/").to_owned())
        .collect();
    let (mut here, mut all) = (BTreeSet::new(), BTreeSet::new());
    for folder in ["auditor/src", "auditor-ebpf/src", "xtask/src"] {
        sources(&workspace().join(folder), &mut here);
    }
    sources(&workspace().join("target-demo/src"), &mut all);
    all.extend(here.iter().cloned());
    assert_eq!(here.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "not drawn");
    assert_eq!(named.difference(&all).collect::<Vec<_>>(), Vec::<&String>::new(), "drawn but not there");
}

#[test]
fn who_may_name_whom_is_told_as_it_is_checked() {
    let rules = document("auditor/tests/architecture/rules.rs");
    let table = rules.split("const MAY_NAME").nth(1).and_then(|rest| rest.split("];").next());
    let told = rows(&document("ARCHITECTURE.md"));
    let mut checked = 0;
    for row in table.expect("the table is there").lines().filter(|line| line.trim().starts_with("(\"")) {
        let (module, names) = row.split_once(", &[").expect("a module and whom it may name");
        let module = module.trim().trim_start_matches("(\"").trim_end_matches('"');
        let names = names.replace("EVERYTHING", "everything");
        let names: BTreeSet<_> =
            names.trim_end_matches("]),").split(", ").map(|n| n.trim_matches('"')).collect();
        let cell = told.get(module).and_then(|cells| cells.first()).map(|cell| cell.replace('`', ""));
        let cell = cell.unwrap_or_default().replace("nothing", "");
        assert_eq!(cell.split(", ").collect::<BTreeSet<_>>(), names, "{module}");
        checked += 1;
    }
    assert!(checked > 10, "only {checked} rows were read");
}

#[test]
fn every_rule_and_every_verdict_has_its_row() {
    let page = document("docs/findings.md");
    let rows = rows(page.split("## Thresholds").next().expect("there is a beginning"));
    for rule in RULES {
        assert_eq!(rows.get(rule.name).and_then(|cells| cells.first()).map(String::as_str), Some(rule.line));
    }
    for verdict in Verdict::ALL {
        assert!(rows.contains_key(verdict.word()), "{verdict:?}");
    }
}

#[test]
fn every_threshold_stands_in_the_documents_with_its_default() {
    let page = document("docs/findings.md");
    let thresholds = page.split("## Thresholds").nth(1).expect("there is such a part");
    let (mut section, mut checked) = (String::new(), 0);
    for line in thresholds::DEFAULTS.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            let row = thresholds.lines().find(|row| row.starts_with(&format!("| `{section}`")));
            let said = format!("`{key}` {}", value.trim_matches('"'));
            let cell = row.and_then(|row| row.split('|').nth(2)).unwrap_or_default();
            assert!(cell.split(", ").any(|one| one.trim() == said), "{section}: {said}");
            checked += 1;
        }
    }
    assert!(checked > 40, "only {checked} were read");
}
