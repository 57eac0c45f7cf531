//! JUnit's XML, as the JUnit reporters of Jenkins, GitLab and GitHub read it: a gate is a test case, one that
//! does not hold a `<failure>`, what is not known, a command that failed and data that are incomplete an
//! `<error>`. Text goes through `escape` first (XML 1.0 has no way to write most controls), then quick-xml
//! escapes what XML reserves.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{command, lacks, parts, shown, subject, why};
use crate::audit::gate::{GateResult, Judged, Outcome};

/// Cells of an expression.
const EXPRESSION: usize = 400;

/// One test case.
struct Case {
    name: String,
    problem: Option<Problem>,
    output: Option<String>,
}

/// What is wrong with one.
struct Problem {
    element: &'static str,
    kind: &'static str,
    message: String,
    text: String,
}

pub(super) fn write(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let cases = cases(outcome);
    let of = |element: &str| {
        let problems = cases.iter().filter_map(|case| case.problem.as_ref());
        problems.filter(|problem| problem.element == element).count().to_string()
    };
    let (tests, failures, errors) = (cases.len().to_string(), of("failure"), of("error"));
    let counts = [("tests", tests.as_str()), ("failures", failures.as_str()), ("errors", errors.as_str())];
    let mut buffer = Vec::new();
    let mut writer = Writer::new_with_indent(&mut buffer, b' ', 2);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let suites = writer.create_element("testsuites").with_attribute(("name", "auditor check"));
    suites.with_attributes(counts).write_inner_content(|writer| {
        let suite =
            writer.create_element("testsuite").with_attribute(("name", subject(&outcome.target).as_str()));
        suite
            .with_attributes(counts)
            .with_attribute(("skipped", "0"))
            .write_inner_content(|writer| cases.iter().try_for_each(|case| write_case(case, writer)))?;
        Ok(())
    })?;
    out.write_all(&buffer)?;
    out.write_all(b"\n")
}

fn write_case<W: Write>(case: &Case, writer: &mut Writer<W>) -> io::Result<()> {
    let element = writer.create_element("testcase").with_attribute(("classname", "auditor.check"));
    element.with_attribute(("name", case.name.as_str())).write_inner_content(|writer| {
        if let Some(Problem { element, kind, message, text }) = &case.problem {
            let element = writer.create_element(*element).with_attribute(("type", *kind));
            element.with_attribute(("message", message.as_str())).write_text_content(BytesText::new(text))?;
        }
        if let Some(output) = &case.output {
            writer.create_element("system-out").write_text_content(BytesText::new(output))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn cases(outcome: &Outcome) -> Vec<Case> {
    let mut cases: Vec<Case> = outcome.gates.iter().map(of_gate).collect();
    if let Some(end) = &outcome.command {
        let message = command(Some(end)).filter(|_| end.success == Some(false));
        let problem = message.map(|message| error("command", message));
        cases.push(Case { name: "the command ends well".to_owned(), problem, output: None });
    }
    let told: Vec<String> = lacks(outcome).collect();
    let problem = (!told.is_empty()).then(|| error("incomplete", told.join("\n")));
    cases.push(Case { name: "the data are complete".to_owned(), problem, output: None });
    cases
}

fn error(kind: &'static str, text: String) -> Problem {
    let message = text.lines().next().unwrap_or_default().to_owned();
    Problem { element: "error", kind, message, text }
}

fn of_gate(gate: &Judged) -> Case {
    let told = parts(gate).join("\n");
    let [figure, limit] = gate.unit.show_both(gate.figure, gate.limit);
    let message = why(gate).unwrap_or_default();
    let name = shown(&gate.gate, EXPRESSION);
    let problem =
        |element, kind| Some(Problem { element, kind, message: message.clone(), text: told.clone() });
    match gate.result {
        GateResult::Pass => {
            Case { name, problem: None, output: Some(format!("{} {figure}, limit {limit}", gate.metric)) }
        }
        GateResult::Fail => Case { name, problem: problem("failure", "gate"), output: None },
        GateResult::Unknown => Case { name, problem: problem("error", "unknown"), output: None },
    }
}
