//! A made-up heap for tests: spans, objects and the runtime's lists of them, as captured memory.

use crate::audit::unit::Address;
use crate::runtimes::go::Kind;
use crate::runtimes::go::cost::Costs;
use crate::runtimes::go::heap::Place;
use crate::runtimes::go::sizes::{PAGE, Sizes};
use crate::runtimes::go::types::MapTypes;
use crate::target::go::Release;
use crate::target::go::layouts::{Layout, nearest};
use crate::target::go::module_data::ModuleData;
use crate::target::go::types::{Maps, Types};
use crate::target::memory::CapturedMemory;

/// Where things are.
pub(crate) const HEAP: u64 = 0x60_0000;
pub(crate) const SPANS: u64 = 0x7f00_0000_0000;
pub(crate) const ARRAY: u64 = 0x7f10_0000_0000;
const BITS: u64 = 0x7f20_0000_0000;
const ARENA_TABLE: u64 = 0x7f30_0000_0000;
const ARENA: u64 = 0x7f40_0000_0000;
pub(crate) const START: u64 = 0xc0_0000_0000;
/// The heap's sweep generation.
pub(crate) const GENERATION: u32 = 8;

pub(crate) fn layout(minor: u32) -> &'static Layout {
    nearest(Release { major: 1, minor })
}

/// A span.
#[derive(Clone, Debug)]
pub(crate) struct MadeSpan {
    pub(crate) start: u64,
    pub(crate) pages: u64,
    pub(crate) element: u64,
    pub(crate) class: u8,
    pub(crate) state: u8,
    pub(crate) generation: u32,
    pub(crate) free_index: u64,
    pub(crate) allocated: Vec<bool>,
    pub(crate) marked: Vec<bool>,
    pub(crate) large_type: u64,
    bytes: Vec<u8>,
}

/// The heap.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) layout: &'static Layout,
    pub(crate) spans: Vec<MadeSpan>,
    /// What the heap counts more than there is.
    pub(crate) miscounted: u64,
    next: u64,
    others: Vec<(u64, Vec<u8>)>,
}

pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

impl Made {
    pub(crate) fn new(minor: u32) -> Self {
        Self { layout: layout(minor), spans: Vec::new(), miscounted: 0, next: START, others: Vec::new() }
    }

    pub(crate) fn sizes(&self) -> Sizes {
        Sizes { has_headers: self.layout.span.large_type.is_some() }
    }

    pub(crate) fn place(&self) -> Place {
        let has_inline_marks = self.layout.release.minor >= 26;
        Place { at: Address(HEAP), layout: self.layout, has_inline_marks, header: 48 }
    }

    /// A span for so many objects, all of them free.
    pub(crate) fn span(&mut self, element: u64, count: u64, is_pointer_free: bool) -> usize {
        let pages = (element * count).div_ceil(PAGE).max(1);
        let count = if element > 32768 { 1 } else { count };
        let class = if element > 32768 { 0 } else { 10 } | u8::from(is_pointer_free);
        self.spans.push(MadeSpan {
            start: self.next,
            pages,
            element,
            class,
            state: 1,
            generation: GENERATION,
            free_index: 0,
            allocated: vec![false; count as usize],
            marked: vec![false; count as usize],
            large_type: 0,
            bytes: vec![0; (pages * PAGE) as usize],
        });
        self.next += (pages + 1) * PAGE;
        self.spans.len() - 1
    }

    /// An object for so many bytes, of a type where it says so; where its values begin.
    pub(crate) fn object(&mut self, bytes: u64, is_pointer_free: bool, of: u64) -> u64 {
        let element = self.sizes().object(bytes, is_pointer_free).unwrap();
        let usable = self.sizes().usable(bytes, is_pointer_free).unwrap();
        let has_room = |span: &MadeSpan| {
            span.element == element
                && span.class & 1 == u8::from(is_pointer_free)
                && span.allocated.contains(&false)
                && span.generation == GENERATION
        };
        let number = self.spans.iter().position(has_room);
        let number = number.unwrap_or_else(|| self.span(element, (PAGE / element).max(4), is_pointer_free));
        let span = &mut self.spans[number];
        let index = span.allocated.iter().position(|is| !is).unwrap();
        span.allocated[index] = true;
        let base = span.start + index as u64 * element;
        if element > 32768 {
            span.large_type = of;
        }
        if usable < element {
            self.write(base, &of.to_le_bytes());
        }
        base + (element - usable)
    }

    /// Writes into an object, or beside the heap.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        let inside = |span: &&mut MadeSpan| (span.start..span.start + span.pages * PAGE).contains(&at);
        match self.spans.iter_mut().find(inside) {
            Some(span) => {
                let start = (at - span.start) as usize;
                span.bytes[start..start + bytes.len()].copy_from_slice(bytes);
            }
            None => self.others.push((at, bytes.to_vec())),
        }
    }

    pub(crate) fn words(&mut self, at: u64, words: &[u64]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.write(at, &bytes);
    }

    /// All of it in memory.
    pub(crate) fn memory(&self) -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        let of = &self.layout.heap;
        let mut heap = vec![0; of.size];
        put(&mut heap, of.sweep_generation, GENERATION.to_le_bytes());
        for (at, word) in [(0, ARRAY), (8, self.spans.len() as u64), (16, 2 * self.spans.len() as u64)] {
            put(&mut heap, of.all_spans + at, word.to_le_bytes());
        }
        let in_use = self.spans.iter().filter(|span| span.state == 1).map(|span| span.pages).sum::<u64>();
        put(&mut heap, of.pages_in_use, (in_use + self.miscounted).to_le_bytes());
        put(&mut heap, of.arenas, ARENA_TABLE.to_le_bytes());
        memory.insert(Address(HEAP), heap);
        let pointers =
            (0..self.spans.len() as u64).map(|number| SPANS + number * self.layout.span.size as u64);
        memory.insert(Address(ARRAY), pointers.flat_map(u64::to_le_bytes).collect::<Vec<_>>());
        let spans: Vec<u8> =
            self.spans.iter().enumerate().flat_map(|(number, span)| self.mspan(number, span)).collect();
        memory.insert(Address(SPANS), spans);
        for (number, span) in self.spans.iter().enumerate() {
            let (allocated, marked) = (bits(&span.allocated), bits(&span.marked));
            let mut bytes = span.bytes.clone();
            if self.place().has_inline_marks && (16..=512).contains(&span.element) {
                bytes[PAGE as usize - 64..][..marked.len().min(63)]
                    .copy_from_slice(&marked[..marked.len().min(63)]);
            }
            memory.insert(Address(span.start), bytes);
            memory.insert(Address(BITS + number as u64 * 4096), allocated);
            memory.insert(Address(BITS + number as u64 * 4096 + 2048), marked);
        }
        let arena = START.wrapping_add(1 << 47) >> 26;
        memory.insert(Address(ARENA_TABLE + 8 * arena), ARENA.to_le_bytes());
        let mut pages = vec![0; 8 * 8192];
        for (number, span) in self.spans.iter().enumerate() {
            for page in span.start / PAGE..span.start / PAGE + span.pages {
                put(
                    &mut pages,
                    page as usize % 8192 * 8,
                    (SPANS + number as u64 * self.layout.span.size as u64).to_le_bytes(),
                );
            }
        }
        memory.insert(Address(ARENA + of.spans_of_arena as u64), pages);
        for (at, bytes) in &self.others {
            memory.insert(Address(*at), bytes.clone());
        }
        memory
    }

    fn mspan(&self, number: usize, span: &MadeSpan) -> Vec<u8> {
        let of = &self.layout.span;
        let mut bytes = vec![0; of.size];
        let counters = [(of.free_index, span.free_index), (of.elements, span.allocated.len() as u64)];
        for (at, value) in counters {
            match of.counter_width {
                2 => put(&mut bytes, at, (value as u16).to_le_bytes()),
                _ => put(&mut bytes, at, value.to_le_bytes()),
            }
        }
        let at = BITS + number as u64 * 4096;
        let end = span.start + span.allocated.len() as u64 * span.element;
        let words = [
            (of.start, span.start),
            (of.pages, span.pages),
            (of.alloc_bits, at),
            (of.mark_bits, at + 2048),
            (of.element_size, span.element),
            (of.limit, end),
        ];
        words.into_iter().for_each(|(at, word)| put(&mut bytes, at, word.to_le_bytes()));
        of.large_type.into_iter().for_each(|at| put(&mut bytes, at, span.large_type.to_le_bytes()));
        put(&mut bytes, of.sweep_generation, span.generation.to_le_bytes());
        let allocated = span.allocated.iter().filter(|is| **is).count() as u16;
        put(&mut bytes, of.allocated, allocated.to_le_bytes());
        put(&mut bytes, of.class, [span.class]);
        put(&mut bytes, of.state, [span.state]);
        bytes
    }
}

fn bits(all: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, is| byte << 1 | u8::from(*is));
    all.chunks(8).map(byte).collect()
}

/// Where descriptions of types are, and how far those of one map are from those of the next.
const TYPES: u64 = 0x10_0000;
const APART: u64 = 512;
/// Kinds of types.
const MAP: u8 = 21;
const STRUCT: u8 = 25;

/// Where the type of the buckets or groups of map type `number` is.
pub(crate) fn bucket_type(number: u64) -> u64 {
    TYPES + number * APART + 128
}

/// Map types: bytes of a bucket or group, and whether it holds no pointers.
pub(crate) fn map_types(minor: u32, kind: Kind, maps: &[(u64, bool)]) -> MapTypes {
    let layout = layout(minor);
    let mut bytes = vec![0; (maps.len() as u64 * APART) as usize];
    for (number, (size, is_pointer_free)) in (0..).zip(maps) {
        let start = (number * APART) as usize;
        let pointers = if *is_pointer_free { 0 } else { *size };
        describe(&mut bytes[start..], (8, 0), 2);
        describe(&mut bytes[start + 64..], (8, 0), 2);
        describe(&mut bytes[start + 128..], (*size, pointers), STRUCT);
        let map = &mut bytes[start + 192..];
        describe(map, (8, 8), MAP);
        let at = TYPES + number * APART;
        for (offset, word) in [(48, at), (56, at + 64), (64, at + 128)] {
            put(map, offset, word.to_le_bytes());
        }
        match (kind, layout.swiss) {
            (Kind::Swiss, Some(swiss)) => put(map, swiss.group_size, size.to_le_bytes()),
            _ => put(map, 82, (*size as u16).to_le_bytes()),
        }
    }
    let maps = if kind == Kind::Swiss { Maps::Swiss } else { Maps::Buckets };
    let module = module(layout, bytes.len() as u64);
    let read = |at: Address, into: &mut [u8]| {
        into.copy_from_slice(&bytes[(at.0 - TYPES) as usize..][..into.len()]);
        Ok(())
    };
    let types = Types::read(&[module], layout, maps, read).unwrap();
    MapTypes::new(types, Costs::of(layout.release, kind))
}

fn describe(at: &mut [u8], (size, pointers): (u64, u64), kind: u8) {
    put(at, 0, size.to_le_bytes());
    put(at, 8, pointers.to_le_bytes());
    put(at, 20, [0, 8, 8, kind]);
}

/// A table of contents with nothing but code and types.
fn module(layout: &Layout, types: u64) -> ModuleData {
    let of = &layout.module;
    let mut bytes = vec![0; of.size];
    let words = [
        (0, 8),
        (of.text, 0x1000),
        (of.end_of_text, 0x2000),
        (of.min_pc, 0x1000),
        (of.max_pc, 0x2000),
        (of.types, TYPES),
        (of.end_of_types, TYPES + types),
    ];
    words.into_iter().for_each(|(at, word)| put(&mut bytes, at, word.to_le_bytes()));
    ModuleData::parse(Address(0x8000), &bytes, layout).unwrap()
}
