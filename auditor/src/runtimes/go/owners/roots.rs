//! Where every search begins: words of global variables and of goroutine stacks that point into nodes.
//!
//! The classes are searched one after the other. A global variable is a better answer than a stack, and
//! almost anything better than the runtime's own variables, which lead to every goroutine, timer and
//! finalizer queue.

use std::ops::{ControlFlow, Range};

use super::bits::Bits;
use super::blocks;
use super::finalizers::Records;
use super::frames::{Frames, Pointer};
use super::goroutines::Goroutine;
use super::nodes::{Node, Nodes};
use crate::target::memory::Memory;

/// Most roots of a class that are kept.
const MOST: usize = 4 << 20;
/// Number of classes.
const CLASSES: usize = 4;

/// How good an answer a root is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A global variable.
    Global,
    /// The stack of a goroutine that stands still.
    Stack,
    /// A global variable of the runtime, or what the runtime keeps outside the heap.
    Runtime,
    /// What may be a root or a left-over: the stack of a goroutine that runs.
    Perhaps,
}

/// All classes, in the order in which they are searched.
pub(super) const ORDER: [Class; CLASSES] = [Class::Global, Class::Stack, Class::Runtime, Class::Perhaps];

/// A word that points into a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// Where the word is.
    pub(super) at: u64,
    /// Which node it points into.
    pub(super) node: Node,
    /// What holds the word.
    pub(super) of: Holder,
}

/// What holds a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A global variable.
    Variable,
    /// A finalizer or a cleanup.
    Finalizer,
    /// A stack.
    Stack {
        /// Which goroutine's, by its place in the list.
        goroutine: u32,
        /// An instruction of the function in whose frame it is; 0: not known.
        code: u64,
    },
}

/// The roots, each node at most once a class.
#[derive(Debug)]
pub(super) struct Roots<'a> {
    nodes: &'a Nodes,
    seen: [Bits; CLASSES],
    lists: [Vec<Root>; CLASSES],
    /// Objects that have a finalizer: what they lead to is held, they are not.
    pub(super) finalized: Vec<Node>,
    /// Bytes that were read.
    pub(super) read: u64,
    /// Whether some could not be read or kept.
    pub(super) is_cut_short: bool,
}

impl<'a> Roots<'a> {
    /// None yet.
    pub(super) fn new(nodes: &'a Nodes) -> Self {
        let seen = ORDER.map(|_| Bits::new(nodes.count()));
        Self { nodes, seen, lists: Default::default(), finalized: Vec::new(), read: 0, is_cut_short: false }
    }

    /// Those of a class.
    pub(super) fn of(&self, class: Class) -> &[Root] {
        self.lists.get(class as usize).map_or(&[], Vec::as_slice)
    }

    /// Adds those of global variables; `class_of` tells which class an address belongs to.
    pub(super) fn add_globals(
        &mut self,
        ranges: &[Range<u64>],
        class_of: &dyn Fn(u64) -> Class,
        memory: &dyn Memory,
    ) {
        self.add_words(ranges.iter().map(|range| (range.clone(), Holder::Variable)), class_of, memory);
    }

    /// Adds those of stacks; the goroutines are numbered from `first` on.
    pub(super) fn add_stacks(
        &mut self,
        goroutines: &[Goroutine],
        first: u32,
        frames: &mut Frames<'_>,
        memory: &dyn Memory,
    ) {
        let numbered = || (first..).zip(goroutines);
        let certain = numbered().map(|(number, one)| (one.stack().0, (number, one)));
        blocks::read(certain, memory, &mut |part, bytes| {
            let (number, goroutine) = part.of;
            match bytes {
                Some(bytes) => self.add_frames(part.range.start, bytes, number, goroutine, frames),
                None => self.is_cut_short = true,
            }
            ControlFlow::Continue(())
        });
        let perhaps =
            numbered().map(|(number, one)| (one.stack().1, Holder::Stack { goroutine: number, code: 0 }));
        self.add_words(perhaps, &|_| Class::Perhaps, memory);
    }

    /// Adds those of finalizers and cleanups.
    pub(super) fn add_records(&mut self, records: &Records) {
        for (at, word) in &records.words {
            if let Some(node) = self.nodes.at(*word) {
                self.keep(Class::Runtime, Root { at: *at, node, of: Holder::Finalizer });
            }
        }
        self.finalized.extend(records.finalized.iter().filter_map(|at| self.nodes.at(*at)));
        self.is_cut_short |= records.is_cut_short;
    }

    /// Adds those of a stack, or of a part of one that is too large to be seen as a whole.
    fn add_frames(
        &mut self,
        at: u64,
        bytes: &[u8],
        number: u32,
        goroutine: &Goroutine,
        frames: &mut Frames<'_>,
    ) {
        if at != goroutine.stack_pointer || at + bytes.len() as u64 != goroutine.high {
            let of = Holder::Stack { goroutine: number, code: 0 };
            return self.add(at, bytes, of, &|_| Class::Stack);
        }
        self.read += bytes.len() as u64;
        for Pointer { offset, code } in frames.pointers(goroutine.program_counter, bytes) {
            let word = bytes.get(offset..).and_then(|tail| tail.first_chunk());
            let node = word.and_then(|word| self.nodes.at(u64::from_le_bytes(*word)));
            if let Some(node) = node {
                let of = Holder::Stack { goroutine: number, code };
                let root = Root { at: at + offset as u64, node, of };
                self.keep(Class::Stack, root);
            }
        }
    }

    fn add_words(
        &mut self,
        ranges: impl IntoIterator<Item = (Range<u64>, Holder)>,
        class_of: &dyn Fn(u64) -> Class,
        memory: &dyn Memory,
    ) {
        blocks::read(ranges, memory, &mut |part, bytes| {
            match bytes {
                Some(bytes) => self.add(part.range.start, bytes, part.of, class_of),
                None => self.is_cut_short = true,
            }
            ControlFlow::Continue(())
        });
    }

    fn add(&mut self, at: u64, bytes: &[u8], of: Holder, class_of: &dyn Fn(u64) -> Class) {
        self.read += bytes.len() as u64;
        for (at, bytes) in (at..).step_by(8).zip(bytes.chunks_exact(8)) {
            let word = u64::from_le_bytes(bytes.try_into().unwrap_or_default());
            if let Some(node) = self.nodes.at(word) {
                self.keep(class_of(at), Root { at, node, of });
            }
        }
    }

    fn keep(&mut self, class: Class, root: Root) {
        let place = class as usize;
        let (Some(seen), Some(list)) = (self.seen.get_mut(place), self.lists.get_mut(place)) else { return };
        if list.len() >= MOST {
            self.is_cut_short = true;
        } else if seen.add(u64::from(root.node)) {
            list.push(root);
        }
    }
}
