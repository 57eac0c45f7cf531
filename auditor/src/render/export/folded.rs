//! Folded stacks of the bytes that growths asked for, outermost frame first, the map last: what flamegraph.pl
//! and inferno draw. Lines of one stack are added up.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Frame, NO_SITE, SMALL, called, kind};
use crate::audit::report::{Map, Report};
use crate::audit::unit::Bytes;
use crate::render::style::Paper;

/// Writes it.
pub(in crate::render) fn report(report: &Report, _: Paper, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    for (stack, bytes) in stacks(report) {
        writeln!(out, "{stack} {bytes}")?;
    }
    out.flush()
}

fn stacks(report: &Report) -> BTreeMap<String, u64> {
    let mut stacks: BTreeMap<String, u64> = BTreeMap::new();
    let maps = report.maps.iter().map(|map| (frames_of(map), map.tables.allocated_bytes));
    let small = report.populations.iter().map(|row| {
        let frames = vec![SMALL.to_owned(), kind(row)];
        (frames, row.tables.allocated_bytes)
    });
    for (frames, bytes) in maps.chain(small) {
        let Some(Bytes(bytes @ 1..)) = bytes else { continue };
        let frames: Vec<String> = frames.iter().map(|frame| folded(frame)).collect();
        let sum = stacks.entry(frames.join(";")).or_default();
        *sum = sum.saturating_add(bytes);
    }
    stacks
}

/// Its call stack, outermost first, and the map. Files and lines are left out, so that one function is one
/// frame.
fn frames_of(map: &Map) -> Vec<String> {
    let functions = map.site.iter().rev().map(|frame| super::text(Frame::of(frame).function));
    let mut frames: Vec<String> = functions.collect();
    if frames.is_empty() {
        frames.push(NO_SITE.to_owned());
    }
    frames.push(called(map));
    frames
}

/// A frame in which nothing separates frames or ends them. A backslash is doubled already, so that what was
/// escaped can be told.
fn folded(frame: &str) -> String {
    frame.replace(';', r"\x3b").replace(' ', r"\x20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_frame_ends_it() {
        assert_eq!(folded("f(a; b) 7"), r"f(a\x3b\x20b)\x207");
        assert_eq!(folded(&super::super::text("a\nb\\x3b")), r"a\nb\\x3b");
    }
}
