//! Maps of one kind, listed or folded, added up: for rules that blame none of them alone.

use std::collections::BTreeMap;

use super::scene::{Scene, Seen, cut, made_in, surplus};
use crate::audit::report::{Map, Population};
use crate::audit::unit::Bytes;

/// What is told apart: runtime, type, owner, and where the type is not known, where it was made.
type Kind<'a> = (&'a str, Option<&'a str>, Option<&'a str>, &'a [String]);

/// Maps of one kind.
#[derive(Clone, Debug)]
pub(super) struct Crowd<'a> {
    /// Runtime, type, owner, and where the type is not known, where they were made.
    pub(super) kind: Kind<'a>,
    /// How many live.
    pub(super) maps: u64,
    /// Their entries.
    pub(super) live: u64,
    /// What they hold.
    pub(super) held: Bytes,
    /// What they hold beyond their needs; `None`: not known of one of them.
    pub(super) surplus: Option<Bytes>,
}

impl<'a> Crowd<'a> {
    /// What they are called within a sentence.
    pub(super) fn called(&self) -> String {
        let (runtime, type_name, owner, _) = self.kind;
        let of = type_name.map_or_else(|| format!("maps of {}", cut(runtime)), cut);
        let owner = owner.map_or_else(String::new, |owner| format!(", held by {}", cut(owner)));
        format!("{of}{owner}")
    }

    /// Where they were made, if that is what tells them apart.
    pub(super) fn site(&self) -> Option<String> {
        made_in(self.kind.3)
    }

    fn empty(kind: Kind<'a>) -> Self {
        Self { kind, maps: 0, live: 0, held: Bytes(0), surplus: Some(Bytes(0)) }
    }

    fn add(&mut self, map: &Map) {
        self.maps += 1;
        self.live = self.live.saturating_add(map.live.unwrap_or(0));
        self.held += surplus(map).map_or(map.bytes.allocated.unwrap_or_default(), |surplus| surplus.held);
        self.surplus = self.surplus.zip(surplus(map)).map(|(sum, one)| sum + one.bytes);
    }

    fn add_folded(&mut self, row: &Population) {
        self.maps = self.maps.saturating_add(row.alive);
        self.live = self.live.saturating_add(row.live);
        self.held += row.bytes.allocated;
        let one = row.bytes.stranded.or(row.bytes.needed.map(|needed| row.bytes.allocated.less(needed)));
        self.surplus = self.surplus.zip(one).map(|(sum, one)| sum + one);
    }
}

/// The listed maps that `belongs` says, and the folded ones where `folded` says so, by kind; in an order
/// that is always the same.
pub(super) fn crowds<'a>(
    scene: &Scene<'a>,
    belongs: impl Fn(Seen<'a>) -> bool,
    folded: impl Fn(&Population) -> bool,
) -> Vec<Crowd<'a>> {
    let mut kinds: BTreeMap<Kind<'a>, Crowd<'a>> = BTreeMap::new();
    for seen in scene.held().filter(|seen| belongs(*seen)) {
        let kind = kind_of(seen.map);
        kinds.entry(kind).or_insert_with(|| Crowd::empty(kind)).add(seen.map);
    }
    let rows = scene.report.populations.iter().filter(|row| row.reachable != Some(false) && folded(row));
    for row in rows {
        let kind: Kind<'a> = (&row.runtime, row.type_name.as_deref(), row.owner.as_deref(), &[]);
        kinds.entry(kind).or_insert_with(|| Crowd::empty(kind)).add_folded(row);
    }
    kinds.into_values().collect()
}

fn kind_of(map: &Map) -> Kind<'_> {
    let site = if map.type_name.is_some() { &[] } else { map.site.as_slice() };
    (&map.runtime, map.type_name.as_deref(), map.owner.as_deref(), site)
}
