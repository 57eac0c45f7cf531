//! The maps as comma-separated values (RFC 4180): one row a map in the order of the report, one column a
//! [`FIELDS`] row, headed by its name in JSON. An empty cell is not known.

use std::io::{self, Write};

use crate::audit::report::Report;
use crate::render::columns::fields::{FIELDS, Value};
use crate::render::escape;
use crate::render::style::Paper;

/// The most cells of a text, as a spreadsheet takes no more than 32,767 characters.
const CELL: usize = 2_000;

/// What makes a spreadsheet take a text for a formula, its twins of full width included.
const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Writes it.
pub(in crate::render) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    writer.write_record(FIELDS.iter().map(|field| field.name))?;
    for map in &report.maps {
        writer.write_record(FIELDS.iter().map(|field| cell(&(field.value)(map))))?;
    }
    writer.flush()
}

fn cell(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => inert(&escape::visible_middle(text, CELL)),
        Value::Truth(truth) => truth.to_string(),
        value => value.number().map(|number| number.to_string()).unwrap_or_default(),
    }
}

/// A text that no spreadsheet runs: one that could be a formula gets an apostrophe before it.
fn inert(text: &str) -> String {
    if text.trim_start().starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_be_a_formula_is_a_text() {
        let shown = |text: &str| cell(&Value::Text(text.into()));
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "=cmd|' /C calc'!A0", "＝1"] {
            assert_eq!(shown(formula), format!("'{formula}"));
        }
        assert_eq!(shown("\t=1"), r"\t=1");
        assert_eq!(shown("\r=1"), r"\r=1");
        assert_eq!(shown("map[string]int"), "map[string]int");
    }

    #[test]
    fn a_number_is_as_in_json_and_what_is_unknown_is_empty() {
        assert_eq!(cell(&Value::Count(0)), "0");
        assert_eq!(cell(&Value::Unknown), "");
        assert_eq!(cell(&Value::Truth(false)), "false");
    }
}
