//! The maps in the order and selection that the reader has chosen.

use std::cmp::Reverse;

use super::state::{Direction, State};
use crate::audit::report::{Map, Report};
use crate::render::columns::Column;
use crate::render::columns::maps::{MAPS, words};
use crate::render::phrases;

/// The maps to show. Equals keep the report's order; unknown comes last either way, and behind it what
/// waits for the collector.
#[must_use]
pub fn shown<'a>(report: &'a Report, state: &State) -> Vec<&'a Map> {
    let mut maps: Vec<&Map> = report.maps.iter().filter(|map| passes(map, &state.filter)).collect();
    match MAPS.get(state.sort) {
        Some(Column { sort: Some(key), .. }) => by_number(&mut maps, *key, state.direction),
        Some(column) => by_words(&mut maps, |map| words(column, map, report), state.direction),
        None => {}
    }
    maps
}

fn by_number(maps: &mut Vec<&Map>, key: fn(&Map) -> Option<u64>, direction: Direction) {
    let last = |map: &Map| (phrases::is_garbage(map), key(map).is_none());
    match direction {
        Direction::Down => maps.sort_by_key(|map| (last(map), Reverse(key(map)))),
        Direction::Up => maps.sort_by_key(|map| (last(map), key(map))),
    }
}

fn by_words(maps: &mut Vec<&Map>, key: impl Fn(&Map) -> Option<String>, direction: Direction) {
    let last = |map: &Map, words: &Option<String>| (phrases::is_garbage(map), words.is_none());
    let keyed = |map: &Map| {
        let words = key(map);
        (last(map, &words), words)
    };
    match direction {
        Direction::Down => maps.sort_by_cached_key(|map| keyed(map)),
        Direction::Up => maps.sort_by_cached_key(|map| {
            let (last, words) = keyed(map);
            (last, Reverse(words))
        }),
    }
}

/// Whether a map's name, owner, type, runtime or address holds the filter, in any case of ASCII letters.
fn passes(map: &Map, filter: &str) -> bool {
    if filter.is_empty() {
        return true;
    }
    let named = [&map.name, &map.owner, &map.type_name].map(|text| text.as_deref());
    let candidates = map.candidates.iter().map(|name| Some(name.as_str()));
    let named = named.into_iter().chain([Some(map.runtime.as_str())]).chain(candidates);
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
