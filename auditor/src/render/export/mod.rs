//! The report in the formats of other programs: metrics, profiles, traces, tables. Numbers are those of the
//! JSON report; what is not known is left out, and never 0. docs/exports.md says what is in each.
//!
//! Text from the target passes the same door as on a page, then each format quotes it as it must.

pub(super) mod csv;
pub(super) mod folded;
pub(super) mod openmetrics;
pub(super) mod perfetto;
pub(super) mod pprof;

use serde::Serialize;

use crate::audit::report::{Map, Population};
use crate::render::escape;

/// The most cells of a name. Longer ones lose their middle.
const NAME: usize = 200;

/// The frame of what has no call stack.
const NO_SITE: &str = "[no_call_site]";
/// The frame above maps that are not listed one by one.
const SMALL: &str = "[small_maps]";

/// Harmless text of bounded length.
fn text(text: &str) -> String {
    escape::visible_middle(text, NAME)
}

/// The word that the JSON report has for it.
fn word(of: &impl Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What a map is called where maps that are called alike are added up: its name, else who holds it, else its
/// type, else whose it is. The address is not in it.
fn called(map: &Map) -> String {
    let said = [&map.name, &map.owner, &map.type_name].into_iter().flatten().find(|text| !text.is_empty());
    match (said, map.candidates.as_slice()) {
        (Some(said), _) => text(said),
        (None, [only]) => text(only),
        (None, _) => format!("{} map", text(&map.runtime)),
    }
}

/// The same of many maps of a kind.
fn kind(row: &Population) -> String {
    let said = [&row.owner, &row.type_name].into_iter().flatten().find(|text| !text.is_empty());
    said.map_or_else(|| format!("{} maps", text(&row.runtime)), |said| text(said))
}

/// A frame of a call stack, taken apart: `function` or `function (file:line)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Frame<'a> {
    function: &'a str,
    file: &'a str,
    /// 0: not known.
    line: i64,
}

impl<'a> Frame<'a> {
    fn of(frame: &'a str) -> Self {
        let whole = Self { function: frame, file: "", line: 0 };
        let inner = frame.strip_suffix(')').and_then(|rest| rest.rsplit_once(" ("));
        let Some((function, (file, line))) = inner.and_then(|(name, at)| Some((name, at.rsplit_once(':')?)))
        else {
            return whole;
        };
        match line.parse::<u32>() {
            Ok(line) if !function.is_empty() && !file.is_empty() => {
                Self { function, file, line: i64::from(line) }
            }
            _ => whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_apart_where_it_has_a_place() {
        let of = |frame| {
            let Frame { function, file, line } = Frame::of(frame);
            (function, file, line)
        };
        assert_eq!(of("a::b (src/x.rs:41)"), ("a::b", "src/x.rs", 41));
        assert_eq!(of("f(int (*)(int)) (a b.c:7)"), ("f(int (*)(int))", "a b.c", 7));
        for whole in ["main", "operator() (x)", "f (:1)", " (x:1)", "f (x:y)", "f (x:99999999999)", "", ")"] {
            assert_eq!(of(whole), (whole, "", 0));
        }
    }
}
