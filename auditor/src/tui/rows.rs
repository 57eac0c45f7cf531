//! The maps in the order and selection that the reader has chosen.

use std::cmp::Reverse;

use super::state::{Direction, Id, State};
use crate::audit::report::{Map, Report};
use crate::render::columns::maps::MAPS;
use crate::render::phrases;

/// The maps to show. Equals keep the report's order; unknown comes last either way, and behind it what
/// waits for the collector.
#[must_use]
pub fn shown<'a>(report: &'a Report, state: &State) -> Vec<&'a Map> {
    let mut maps: Vec<&Map> = report.maps.iter().filter(|map| passes(map, &state.filter)).collect();
    if let Some(key) = MAPS.get(state.sort).and_then(|column| column.sort) {
        let last = |map: &Map| (phrases::is_garbage(map), key(map).is_none());
        match state.direction {
            Direction::Down => maps.sort_by_key(|map| (last(map), Reverse(key(map)))),
            Direction::Up => maps.sort_by_key(|map| (last(map), key(map))),
        }
    }
    maps
}

/// Their identities.
#[must_use]
pub fn ids(maps: &[&Map]) -> Vec<Id> {
    maps.iter().map(|map| Id::of(map)).collect()
}

/// Whether a map's name, owner, type, runtime or address holds the filter, in any case of ASCII letters.
fn passes(map: &Map, filter: &str) -> bool {
    if filter.is_empty() {
        return true;
    }
    let named = [&map.name, &map.owner, &map.type_name].map(|text| text.as_deref());
    let named = named.into_iter().chain([Some(map.runtime.as_str())]);
    named.flatten().any(|text| holds(text, filter)) || holds(&map.address.to_string(), filter)
}

fn holds(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_ignore_case() {
        assert!(holds("map[string]*main.Session", "SESS"));
        assert!(!holds("map", "maps"));
    }
}
