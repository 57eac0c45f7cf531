//! One pass over the memory of all nodes: what points to what. Free objects are read like any: what was
//! allocated a moment ago may be all that holds a map, and nothing leads to one that is free still.

use std::ops::ControlFlow;

use super::blocks;
use super::graph::{Builder, Part};
use super::nodes::{Node, Nodes, Run, WORD};
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
type Place<'a> = (&'a Run, Node, u64);

/// Reads every run and adds what its objects point to. Stops when no more is kept.
pub(super) fn sweep(nodes: &Nodes, memory: &dyn Memory, builder: &mut Builder<'_>) -> Swept {
    let mut swept = Swept::default();
    let runs = nodes.runs().map(|place| (place.0.start..place.0.start + place.0.bytes(), place));
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
fn add((run, first, first_word): Place<'_>, start: u64, bytes: &[u8], builder: &mut Builder<'_>) {
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
