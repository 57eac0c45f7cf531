//! Which map of one report is which of the other. Addresses differ from run to run; type, name, owner and the
//! place in the program that it grew from do not. Where several maps are alike in all of that, they are
//! matched by rank, and told as one row.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Pair, Row, Side};
use crate::audit::report::{Map, Place, Population, Report};

/// Functions of a call stack that tell where a map grew: the innermost ones are the runtime's and the
/// program's, and further out main loops differ for no reason.
const FRAMES: usize = 4;

/// What a map is found again by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Whose map it is.
    pub runtime: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// The name that it bears in the target.
    pub name: Option<String>,
    /// The path from a root to it.
    pub owner: Option<String>,
    /// The functions that its largest growth came from, innermost first, without files and lines.
    pub site: Vec<String>,
    /// Whether they are small maps that are not listed one by one.
    pub population: bool,
}

/// How a row came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matched {
    /// One map of each, alike in type, name, owner and site.
    All,
    /// One map of each, alike in type, name and owner.
    Owner,
    /// One map of each, alike in type and site.
    Site,
    /// Several maps that are alike, by rank: which is which is not known.
    Rank,
    /// Populations of one type and owner.
    Population,
    /// Only in the first report.
    Gone,
    /// Only in the second report.
    New,
}

/// In which row a map of each report is, by its address.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) before: BTreeMap<Place, usize>,
    pub(super) after: BTreeMap<Place, usize>,
}

/// What can be matched, of both reports.
type Sides = Pair<Vec<(Key, Side)>>;

/// All rows, those that changed most first.
pub(super) fn rows(before: &Report, after: &Report) -> (Vec<Row>, Places) {
    let mut left = Pair { before: candidates(before), after: candidates(after) };
    let mut rows = Vec::new();
    for by in [Matched::All, Matched::Owner, Matched::Site] {
        rows.extend(matched(&mut left, by));
    }
    let only = |(key, side): (Key, Side), matched| {
        let side = Some(side);
        let pair = if matched == Matched::Gone {
            Pair { before: side, after: None }
        } else {
            Pair { before: None, after: side }
        };
        Row { key, matched, pair, ranked: Vec::new() }
    };
    rows.extend(left.before.into_iter().map(|it| only(it, Matched::Gone)));
    rows.extend(left.after.into_iter().map(|it| only(it, Matched::New)));
    rows.sort_by(|one, other| change(other).cmp(&change(one)).then_with(|| one.key.cmp(&other.key)));
    let places = places(&rows);
    (rows, places)
}

/// How far what is held moved, then how much it is.
fn change(row: &Row) -> (u64, (u64, u64)) {
    let size = |side: &Option<Side>| side.map_or((0, 0), |side| side.size());
    let (before, after) = (size(&row.pair.before), size(&row.pair.after));
    (before.0.abs_diff(after.0), before.max(after))
}

fn candidates(report: &Report) -> Vec<(Key, Side)> {
    let maps = report.maps.iter().map(|map| (Key::of_map(map), Side::of_map(map)));
    let crowds = report.populations.iter().map(|crowd| (Key::of_crowd(crowd), Side::of_crowd(crowd)));
    maps.chain(crowds).collect()
}

/// Takes out of both what is alike by that much, and makes rows of it.
fn matched(left: &mut Sides, by: Matched) -> Vec<Row> {
    let mut groups: BTreeMap<Key, Sides> = BTreeMap::new();
    let mut unmatched = Pair::<Vec<(Key, Side)>>::default();
    for (key, side) in std::mem::take(&mut left.before) {
        match key.by(by) {
            Some(part) => groups.entry(part).or_default().before.push((key, side)),
            None => unmatched.before.push((key, side)),
        }
    }
    for (key, side) in std::mem::take(&mut left.after) {
        match key.by(by) {
            Some(part) => groups.entry(part).or_default().after.push((key, side)),
            None => unmatched.after.push((key, side)),
        }
    }
    let mut rows = Vec::new();
    for (part, group) in groups {
        if group.before.is_empty() || group.after.is_empty() {
            unmatched.before.extend(group.before);
            unmatched.after.extend(group.after);
        } else {
            rows.push(row(part, group, by));
        }
    }
    *left = unmatched;
    rows
}

/// A row of maps that are alike.
fn row(part: Key, group: Sides, by: Matched) -> Row {
    let is_one = group.before.len() == 1 && group.after.len() == 1;
    let key = match group.after.first() {
        Some((key, _)) if is_one => key.clone(),
        _ => part,
    };
    let matched = match by {
        _ if key.population => Matched::Population,
        by if is_one => by,
        _ => Matched::Rank,
    };
    let sides = |side: Vec<(Key, Side)>| {
        let mut sides: Vec<Side> = side.into_iter().map(|(_, side)| side).collect();
        // In the order of the report where they are equally large.
        sides.sort_by_key(|side| std::cmp::Reverse(side.size()));
        sides
    };
    let (before, after) = (sides(group.before), sides(group.after));
    let sum = |sides: &[Side]| sides.iter().copied().reduce(Side::and);
    let pair = Pair { before: sum(&before), after: sum(&after) };
    let each = 0..if is_one { 0 } else { before.len().max(after.len()) };
    let ranked = each.map(|rank| Pair { before: before.get(rank).copied(), after: after.get(rank).copied() });
    Row { key, matched, pair, ranked: ranked.collect() }
}

fn places(rows: &[Row]) -> Places {
    let mut places = Places::default();
    for (index, row) in rows.iter().enumerate() {
        for pair in row.ranked.iter().chain([&row.pair]) {
            let address =
                |side: &Option<Side>| side.as_ref().and_then(|side| Some((side.pid, side.address?)));
            places.before.extend(address(&pair.before).map(|address| (address, index)));
            places.after.extend(address(&pair.after).map(|address| (address, index)));
        }
    }
    places
}

impl Key {
    fn of_map(map: &Map) -> Self {
        let Map { runtime, type_name, name, owner, site, .. } = map;
        let [type_name, name, owner] = [type_name, name, owner].map(Option::clone);
        Self { runtime: runtime.clone(), type_name, name, owner, site: functions(site), population: false }
    }

    fn of_crowd(crowd: &Population) -> Self {
        let Population { runtime, type_name, owner, .. } = crowd;
        let (type_name, owner) = (type_name.clone(), owner.clone());
        Self { runtime: runtime.clone(), type_name, owner, population: true, ..Self::default() }
    }

    /// The part of it that is looked at; `None`: it says too little for that.
    fn by(&self, by: Matched) -> Option<Self> {
        match by {
            Matched::Owner => Some(Self { site: Vec::new(), ..self.clone() }),
            Matched::Site if self.site.is_empty() || self.population => None,
            Matched::Site => Some(Self { name: None, owner: None, ..self.clone() }),
            _ => Some(self.clone()),
        }
    }
}

/// The functions of a call stack, innermost first. Addresses differ from run to run, and lines from build to
/// build.
fn functions(site: &[String]) -> Vec<String> {
    let names = site.iter().map(|frame| frame.split(" (").next().unwrap_or_default());
    let named = names.filter(|name| !name.is_empty() && !name.starts_with("0x"));
    named.take(FRAMES).map(str::to_owned).collect()
}
