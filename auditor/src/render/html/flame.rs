//! Where growth comes from: bytes of tables asked for, by the call stack of each map's largest one. Drawn with the
//! outermost frame on top; without styles it is a list within a list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};
use rustc_hash::FxHashMap;

use super::{Part, pages};
use crate::audit::report::{Map, Report};
use crate::render::columns::maps;
use crate::render::{escape, human};

/// Frames of one stack, from the innermost.
const FRAMES: usize = 40;
/// Cells of a frame.
const FRAME: usize = 120;
/// What is less than so many thousandths of all is drawn together with its like.
const LEAST: u64 = 4;
/// Children of one frame that are drawn.
const CHILDREN: usize = 60;
/// Where no stack was seen.
const UNKNOWN: &str = "no call stack was seen";

/// A frame, and what was asked for below it.
#[derive(Default)]
struct Node<'a> {
    bytes: u64,
    below: BTreeMap<&'a str, Self>,
    /// Maps that were grown from here, by their place in the report.
    maps: Vec<(usize, u64)>,
}

/// The flame graph; `None`: nobody saw a table asked for.
pub(super) fn flame(report: &Report) -> Option<Part> {
    let root = tree(&report.maps);
    if root.bytes == 0 {
        return None;
    }
    let all = root.bytes;
    let body = html! {
        p { "Bytes of tables asked for while the audit watched, by the call stack of each map's largest table; the outermost frame is on top. "
            "Widths are shares of " (size(all)) "." }
        div.scroll { ul.flame { (drawn("all tables asked for", &root, all, all, report)) } }
    };
    Some(Part { id: "flame", title: "Where growth comes from".to_owned(), short: "Flame graph", body })
}

fn tree(maps: &[Map]) -> Node<'_> {
    let mut root = Node::default();
    for Site { frames, mut maps } in by_site(maps) {
        let bytes = maps.iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
        root.bytes = root.bytes.saturating_add(bytes);
        let mut node = &mut root;
        let unknown = frames.is_empty().then_some(UNKNOWN);
        for frame in frames.iter().take(FRAMES).rev().map(String::as_str).chain(unknown) {
            node = node.below.entry(frame).or_default();
            node.bytes = node.bytes.saturating_add(bytes);
        }
        node.maps.append(&mut maps);
    }
    root
}

/// A call stack, from the innermost frame, and the maps that were grown from there with what they asked for.
struct Site<'a> {
    frames: &'a [String],
    maps: Vec<(usize, u64)>,
}

/// Each call stack once: thousands of maps have a few.
fn by_site(maps: &[Map]) -> Vec<Site<'_>> {
    let mut sites: Vec<Site<'_>> = Vec::new();
    let mut places = FxHashMap::default();
    for (number, map) in maps.iter().enumerate() {
        let Some(bytes) = map.tables.allocated_bytes.map(|bytes| bytes.0).filter(|bytes| *bytes > 0) else {
            continue;
        };
        let place = *places.entry(map.site.as_slice()).or_insert_with(|| {
            sites.push(Site { frames: &map.site, maps: Vec::new() });
            sites.len() - 1
        });
        sites[place].maps.push((number, bytes));
    }
    sites
}

/// A frame with all that is below it; `above`: the bytes of the one it is in.
fn drawn(frame: &str, node: &Node<'_>, above: u64, all: u64, report: &Report) -> Markup {
    let mut frames: Vec<_> = node.below.iter().collect();
    frames.sort_by_key(|(frame, below)| (Reverse(below.bytes), **frame));
    let worth_it = |bytes: u64| human::permille(bytes, all).is_some_and(|permille| permille >= LEAST);
    let shown = frames.iter().take(CHILDREN).filter(|(_, below)| worth_it(below.bytes)).count();
    let (frames, small) = frames.split_at(shown);
    let mut maps = node.maps.clone();
    maps.sort_by_key(|(number, bytes)| (Reverse(*bytes), *number));
    let shown = maps.iter().take(CHILDREN).filter(|(_, bytes)| worth_it(*bytes)).count();
    let (maps, small_maps) = maps.split_at(shown);
    let left = small.iter().map(|(_, below)| below.bytes).chain(small_maps.iter().map(|(_, bytes)| *bytes));
    let left = left.fold(0, u64::saturating_add);
    html! {
        li style=[width(node.bytes, above)] {
            (label(&html! { (escape::visible(frame, FRAME)) }, Share { bytes: node.bytes, above, all }, "frame"))
            @if !frames.is_empty() || !maps.is_empty() || left > 0 { ul {
                @for (frame, below) in frames { (drawn(frame, below, node.bytes, all, report)) }
                @for (number, bytes) in maps {
                    li style=[width(*bytes, node.bytes)] { (label(&name(*number, report), Share { bytes: *bytes, above: 0, all }, "leaf")) }
                }
                @if left > 0 {
                    li style=[width(left, node.bytes)] { (label(&html! { (human::plural((small.len() + small_maps.len()) as u64, "smaller one")) }, Share { bytes: left, above: 0, all }, "rest")) }
                }
            } }
        }
    }
}

fn name(number: usize, report: &Report) -> Markup {
    let name = report.maps.get(number).map_or_else(String::new, |map| maps::label(map, FRAME));
    html! { @if pages::has_page(number) { a href={ "#m" (number) } { (name) } } @else { (name) } }
}

/// Bytes of a frame, of the one it is in, and of all.
struct Share {
    bytes: u64,
    above: u64,
    all: u64,
}

/// A name and its bytes, where they are not those of the frame it is in: a chain of calls says them once.
fn label(name: &Markup, share: Share, kind: &str) -> Markup {
    if share.bytes == share.above && share.bytes < share.all {
        return html! { div.(kind) { (name) } };
    }
    html! { div.(kind) { (name) " " span.size { (size(share.bytes)) ", " (human::share(share.bytes, share.all)) } } }
}

/// `None`: as wide as what it is in.
fn width(bytes: u64, of: u64) -> Option<String> {
    let ten_thousandths = u128::from(bytes) * 10_000 / u128::from(of.max(1));
    (ten_thousandths < 10_000)
        .then(|| format!("width:{}.{:02}%", ten_thousandths / 100, ten_thousandths % 100))
}

fn size(bytes: u64) -> String {
    human::bytes(crate::audit::unit::Bytes(bytes))
}
