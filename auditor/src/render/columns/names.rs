//! What a map and its type are called, in as many cells as there are.

use crate::audit::report::{Map, Report};
use crate::render::{escape, human};

/// What a map is called, in at most `cells`: its name, else who holds it, else its type and the end of
/// its address, else its address.
#[must_use]
pub fn label(map: &Map, cells: usize) -> String {
    match (called(map), stated(&map.type_name)) {
        (Some(text), _) => escape::visible_middle(text, cells),
        (None, Some(type_name)) => with_address(type_name, map, cells),
        (None, None) => escape::clip(&map.address.to_string(), cells),
    }
}

/// As [`label`], with the end of its address where another map of the report is called the same.
pub(super) fn distinct(map: &Map, report: &Report, cells: usize) -> String {
    let namesakes = |text| report.maps.iter().filter(|other| called(other) == Some(text)).take(2).count();
    match called(map).filter(|text| namesakes(*text) > 1) {
        Some(text) => with_address(text, map, cells),
        None => label(map, cells),
    }
}

/// Its name, else who holds it.
fn called(map: &Map) -> Option<&str> {
    stated(&map.name).or_else(|| stated(&map.owner))
}

fn stated(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// A text and as much of the address as leaves room for it: many maps are of one type.
fn with_address(text: &str, map: &Map, cells: usize) -> String {
    /// Cells of the end of an address, with its mark: enough to tell neighbours apart.
    const END: usize = 7;
    let whole = escape::visible_middle(text, cells);
    let left = cells.saturating_sub(escape::width(&whole) + 1);
    let address = escape::visible_tail(&map.address.to_string(), left.max(END));
    let room = cells.saturating_sub(escape::width(&address) + 1);
    escape::clip(&format!("{} {address}", escape::visible_middle(text, room)), cells)
}

/// Its type, or those it may be of, in at most `cells`.
#[must_use]
pub fn type_of(map: &Map, cells: usize) -> String {
    match (stated(&map.type_name), map.candidates.as_slice()) {
        (Some(type_name), _) => escape::visible_middle(type_name, cells),
        (None, []) => escape::clip(human::UNKNOWN, cells),
        (None, candidates) => either(candidates, cells),
    }
}

/// All of them, or where that is too much, how many there are: the beginning of one and the end of
/// another would look like a third.
fn either(candidates: &[String], cells: usize) -> String {
    let names: Vec<String> = candidates.iter().map(|name| escape::visible(name, cells)).collect();
    let all = names.join(" or ");
    if escape::width(&all) <= cells {
        return all;
    }
    escape::clip(&format!("one of {} types", candidates.len()), cells)
}
