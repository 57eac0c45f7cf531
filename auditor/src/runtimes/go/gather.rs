//! Reads many small pieces of memory in few and large reads. What lies close together comes in one block:
//! copying half a kilobyte costs as much as asking for one more piece.

use crate::audit::unit::Address;
use crate::target::memory::{Memory, Request};

/// Bytes that are read at once.
pub const BLOCK: usize = 1 << 20;
/// Bytes between two pieces that are read for nothing rather than asking twice.
const GAP: u64 = 512;
/// Most blocks of one read (`UIO_MAXIOV`, include/uapi/linux/uio.h).
const BLOCKS: usize = 1024;

/// A piece of memory that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where.
    pub at: u64,
    /// How many bytes: at most [`BLOCK`], or it is not read.
    pub len: u32,
}

impl Piece {
    fn end(self) -> u64 {
        self.at.saturating_add(u64::from(self.len))
    }
}

/// Where a piece is, and its number: sorted without a look at the pieces.
type Numbered = (u64, u32);

/// Reads pieces, and counts.
pub struct Gather<'a> {
    memory: &'a dyn Memory,
    buffer: Vec<u8>,
    order: Vec<Numbered>,
    /// Bytes that were read so far.
    pub read: u64,
}

/// By hand: memory is not shown.
impl std::fmt::Debug for Gather<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather").field("read", &self.read).finish_non_exhaustive()
    }
}

/// Pieces that are read as one: the first and the last of them in the order, and the range.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    end: usize,
    at: u64,
    len: usize,
}

impl<'a> Gather<'a> {
    /// Reads that memory.
    #[must_use]
    pub fn new(memory: &'a dyn Memory) -> Self {
        Self { memory, buffer: Vec::new(), order: Vec::new(), read: 0 }
    }

    /// The memory itself, for what is read alone.
    #[must_use]
    pub fn memory(&self) -> &'a dyn Memory {
        self.memory
    }

    /// Hands every piece on by its number, in the order of addresses, with `None` where it could not be
    /// read. There may be at most 2^32 pieces; further ones are not read.
    pub fn pieces(&mut self, pieces: &[Piece], each: &mut dyn FnMut(usize, Option<&[u8]>)) {
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        order.extend((0..=u32::MAX).zip(pieces).map(|(number, piece)| (piece.at, number)));
        // By runs: most waves come in the order of addresses but for a few jumps.
        order.sort();
        let mut next = 0;
        while next < order.len() {
            let blocks = blocks(pieces, &order, &mut next);
            self.read_blocks(&blocks, pieces, &order, each);
        }
        self.order = order;
    }

    fn read_blocks(
        &mut self,
        blocks: &[Block],
        pieces: &[Piece],
        order: &[Numbered],
        each: &mut dyn FnMut(usize, Option<&[u8]>),
    ) {
        let total: usize = blocks.iter().map(|block| block.len).sum();
        if self.buffer.len() < total {
            self.buffer.resize(total, 0);
        }
        let mut requests = Vec::with_capacity(blocks.len());
        let mut rest = &mut *self.buffer;
        for block in blocks {
            let (into, behind) = rest.split_at_mut(block.len.min(rest.len()));
            requests.push(Request { at: Address(block.at), into });
            rest = behind;
        }
        let answers = self.memory.read_many(&mut requests);
        for ((request, answer), block) in requests.iter().zip(&answers).zip(blocks) {
            self.read += block.len as u64;
            let numbers = order.get(block.first..block.end).unwrap_or_default();
            for number in numbers.iter().map(|(_, number)| *number as usize) {
                let Some(piece) = pieces.get(number) else { continue };
                if answer.is_ok() {
                    let start = (piece.at - block.at) as usize;
                    each(number, request.into.get(start..).and_then(|tail| tail.get(..piece.len as usize)));
                } else {
                    each(number, alone(*piece, self.memory).as_deref());
                }
            }
        }
    }
}

/// A piece whose block could not be read.
fn alone(piece: Piece, memory: &dyn Memory) -> Option<Vec<u8>> {
    let mut bytes = vec![0; (piece.len as usize).min(BLOCK)];
    memory.read(Address(piece.at), &mut bytes).ok()?;
    (bytes.len() == piece.len as usize).then_some(bytes)
}

/// The blocks of the next read, at least one.
fn blocks(pieces: &[Piece], order: &[Numbered], next: &mut usize) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut room = BLOCK;
    let in_order = |place: usize| order.get(place).and_then(|(_, number)| pieces.get(*number as usize));
    while let Some(piece) = in_order(*next) {
        let joined = blocks.last_mut().and_then(|block| {
            let end = block.at.saturating_add(block.len as u64);
            let more = piece.end().saturating_sub(end) as usize;
            (piece.at <= end.saturating_add(GAP) && more <= room).then_some((block, more))
        });
        if let Some((block, more)) = joined {
            block.len += more;
            block.end += 1;
            room -= more;
        } else {
            // One that is longer than a block is read as nothing.
            let len = if piece.len as usize > BLOCK { 0 } else { piece.len as usize };
            if blocks.len() >= BLOCKS || len > room {
                break;
            }
            blocks.push(Block { first: *next, end: *next + 1, at: piece.at, len });
            room -= len;
        }
        *next += 1;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;
    use proptest::prelude::*;

    fn memory(len: usize) -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        let bytes = |seed: usize, len| (0..len).map(|at| ((at * 7 + seed) % 251) as u8).collect::<Vec<_>>();
        memory.insert(Address(0x1000), bytes(1, 0x3000)).insert(Address(0x8000), bytes(5, len));
        memory
    }

    fn read(pieces: &[Piece], memory: &CapturedMemory) -> Vec<Option<Vec<u8>>> {
        let mut found = vec![None; pieces.len()];
        let mut calls = 0;
        Gather::new(memory).pieces(pieces, &mut |number, bytes| {
            found[number] = bytes.map(<[u8]>::to_vec);
            calls += 1;
        });
        assert_eq!(calls, pieces.len());
        found
    }

    #[test]
    fn a_piece_longer_than_a_block_is_not_read_and_the_others_are() {
        let long = Piece { at: 0x8000, len: BLOCK as u32 + 1 };
        let pieces = [Piece { at: 0x1000, len: 8 }, long, Piece { at: 0x9000, len: BLOCK as u32 }];
        let found = read(&pieces, &memory(2 * BLOCK));
        assert!(found[0].is_some() && found[1].is_none() && found[2].is_some());
    }

    #[test]
    fn pieces_far_apart_are_counted_without_what_lies_between() {
        let memory = memory(64);
        let mut gather = Gather::new(&memory);
        let pieces =
            [Piece { at: 0x1000, len: 8 }, Piece { at: 0x1010, len: 8 }, Piece { at: 0x3000, len: 8 }];
        gather.pieces(&pieces, &mut |_, bytes| assert!(bytes.is_some()));
        assert_eq!(gather.read, 24 + 8);
    }

    proptest! {
        #[test]
        fn every_piece_is_read_as_if_it_were_alone(
            pieces in proptest::collection::vec((0x0f00_u64..0x9000, 0_u32..700), 0..80),
        ) {
            let memory = memory(0x1000);
            let pieces: Vec<_> = pieces.into_iter().map(|(at, len)| Piece { at, len }).collect();
            for (piece, found) in pieces.iter().zip(read(&pieces, &memory)) {
                let mut expected = vec![0; piece.len as usize];
                let expected = memory.read(Address(piece.at), &mut expected).ok().map(|()| expected);
                prop_assert_eq!(found.filter(|bytes| !bytes.is_empty()), expected.filter(|bytes| !bytes.is_empty()));
            }
        }

        #[test]
        fn no_addresses_panic(pieces in proptest::collection::vec((any::<u64>(), any::<u32>()), 0..40)) {
            let pieces: Vec<_> = pieces.into_iter().map(|(at, len)| Piece { at, len: len % 4096 }).collect();
            read(&pieces, &CapturedMemory::new());
        }
    }
}
