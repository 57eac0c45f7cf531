//! One pass over the memory of all nodes: what points to what. Free objects are read like any: what was
//! allocated a moment ago may be all that holds a map, and nothing leads to one that is free still.

use std::ops::ControlFlow;

use super::blocks;
use super::graph::{Builder, Graph, Part};
use super::nodes::{Node, Nodes, Run, WORD};
use crate::runtimes::go::hands::Hands;
use crate::target::memory::Memory;

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Swept {
    /// Bytes that were read.
    pub(super) read: u64,
    /// Bytes that could not be.
    pub(super) unread: u64,
}

/// A run and where its nodes and words begin.
type Place = (Run, Node, u64);

/// Reads every run and says what its objects point to, beginning with graphs that are empty: with two hands each reads
/// one half.
pub(super) fn sweep<'a>(
    nodes: &Nodes,
    empty: impl Fn() -> Builder<'a> + Sync,
    (memory, hands): (&dyn Memory, Hands),
) -> (Graph, Swept) {
    let half = nodes.words() / 2;
    let is_first = |place: &Place| hands == Hands::One || place.2 < half;
    let part = |runs: &mut dyn Iterator<Item = Place>| {
        let mut builder = empty();
        let swept = add_runs(runs, memory, &mut builder);
        (builder, swept)
    };
    let ((first, swept), (second, more)) = hands.both(
        || part(&mut nodes.runs().take_while(is_first)),
        || part(&mut nodes.runs().skip_while(is_first)),
    );
    let swept = Swept { read: swept.read + more.read, unread: swept.unread + more.unread };
    (first.finish(second), swept)
}

/// Reads runs and adds what their objects point to. Stops when no more is kept.
fn add_runs(runs: &mut dyn Iterator<Item = Place>, memory: &dyn Memory, builder: &mut Builder<'_>) -> Swept {
    let mut swept = Swept::default();
    let runs = runs.map(|place| (place.0.start..place.0.start + place.0.bytes(), place));
    blocks::read(runs, memory, &mut |part, bytes| {
        match bytes {
            Some(bytes) => {
                swept.read += bytes.len() as u64;
                add(part.of, part.range.start, bytes, builder);
            }
            None => swept.unread += part.range.end - part.range.start,
        }
        if builder.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    swept
}

/// Adds the objects of a part of a run; the first and the last one may go on beyond it.
fn add((run, first, first_word): Place, start: u64, bytes: &[u8], builder: &mut Builder<'_>) {
    let offset = start - run.start;
    let (mut index, mut within) = (offset / run.element, offset % run.element);
    let mut rest = bytes;
    while !rest.is_empty() {
        let len = usize::try_from(run.element - within).unwrap_or(usize::MAX).min(rest.len());
        let (object, behind) = rest.split_at(len);
        builder.add(&Part {
            // The nodes of a run were counted when it was placed.
            node: first + u32::try_from(index).unwrap_or(0),
            base: run.start + index * run.element,
            header: run.header,
            first_word: first_word + index * (run.element / WORD),
            word: within / WORD,
            bytes: object,
        });
        (rest, index, within) = (behind, index + 1, 0);
    }
}
