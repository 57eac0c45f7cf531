//! Swiss maps with tables: a directory of pointers, in which a table that split less often than others is
//! listed several times in a row.
//!
//! ```text
//! table, 32 bytes    used u16 · capacity u16 · growthLeft u16 · localDepth u8 · 1 unused · index i64 ·
//!                    groups.data ──► group, group, ... · groups.lengthMask u64
//! ```
//! Groups are not read: their number, size and what is left in them are in the table.

use super::super::cost::{FULL_TABLE, SLOTS, TABLE};
use super::super::gather::Piece;
use super::super::heap::{Object, Typing};
use super::super::reader::{Lookup, Reader, Seen};
use super::super::types::Guess;
use super::{Header, finish};
use crate::audit::fact::{Next, Shape};
use crate::audit::unit::Address;
use crate::target::go::words::Words;

/// Entries of directories that are read at once.
const BATCH: u64 = 1 << 15;
/// Entries of one piece.
const PIECE: u64 = 1 << 12;
/// Most entries of directories of one call: beyond it maps are left out.
const MOST: u64 = 1 << 27;
/// Table sizes there are: 8, 16, ... 1,024.
const SIZES: usize = 8;
/// One table in so many may be torn, if the others make up for it.
const TORN: u64 = 20;
/// While a map is written, its tables may come to one entry in so many more or less than it counts.
const DRIFT: u64 = 50;

/// What a map's tables come to.
#[derive(Clone, Debug)]
struct Tally {
    header: Header,
    /// Bytes of the directory.
    directory: u64,
    /// The last entry that was read.
    last: u64,
    tables: u64,
    bad: u64,
    used: u64,
    capacity: u64,
    tombstones: u64,
    /// Entries that fit before each table is full.
    most: u64,
    bytes: u64,
    /// For each table size, what one of this size has its groups in.
    sizes: [Option<Groups>; SIZES],
    /// The object of a sound table, of one that says its type if there is any.
    first: Option<Object>,
}

/// An object that holds groups.
#[derive(Clone, Copy, Debug)]
struct Groups {
    bytes: u64,
    is_pointer_free: bool,
    /// Whether it says of what type it is.
    is_typed: bool,
}

impl Groups {
    fn of(object: &Object) -> Self {
        let Object { size, is_pointer_free, typing, .. } = *object;
        Self { bytes: size, is_pointer_free, is_typed: typing != Typing::None }
    }
}

/// Part of a directory.
#[derive(Clone, Copy)]
struct Part {
    /// Whose.
    tally: usize,
    piece: Piece,
    is_last: bool,
}

pub(super) fn recognise(
    headers: &[Header],
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
    again: &mut Vec<u64>,
) {
    let places: Vec<u64> = headers.iter().map(|header| header.directory).collect();
    let objects = reader.objects_with_data_at(&places);
    let mut tallies = Vec::new();
    for (header, object) in headers.iter().zip(objects) {
        let bytes = header.tables.saturating_mul(8);
        // Since the heap was read, its place may have become another object's.
        let made = reader.types.costs().sizes.object(bytes, false);
        let is_old = |object: &Object| reader.lookup == Lookup::Snapshot && made != Some(object.size);
        let is_directory =
            |object: &Object| !object.is_pointer_free && object.room() >= bytes && !is_old(object);
        match object.filter(is_directory) {
            Some(object) => tallies.push(Tally::new(*header, object.size)),
            None => again.push(header.at),
        }
    }
    let mut batch = Vec::new();
    let (mut entries, mut total) = (0, 0);
    for number in 0..tallies.len() {
        let Some(header) = tallies.get(number).map(|tally| tally.header) else { break };
        total += header.tables;
        if total > MOST {
            continue;
        }
        for part in parts(number, &header) {
            entries += u64::from(part.piece.len) / 8;
            batch.push(part);
            if entries >= BATCH {
                read(&batch, &mut tallies, reader);
                settle(&batch, &tallies, reader, sink, again);
                batch.clear();
                entries = 0;
            }
        }
    }
    read(&batch, &mut tallies, reader);
    settle(&batch, &tallies, reader, sink, again);
}

fn parts(tally: usize, header: &Header) -> impl Iterator<Item = Part> {
    let (at, tables) = (header.directory, header.tables);
    (0..tables).step_by(PIECE as usize).map(move |first| {
        let count = (tables - first).min(PIECE);
        let piece = Piece { at: at.saturating_add(8 * first), len: (8 * count) as u32 };
        Part { tally, piece, is_last: first + count == tables }
    })
}

/// Reads parts of directories and the tables they lead to.
fn read(parts: &[Part], tallies: &mut [Tally], reader: &mut Reader<'_>) {
    let (owners, tables) = entries(parts, tallies, reader);
    let mut parsed = vec![None; tables.len()];
    reader.gather.pieces(&tables, &mut |number, bytes| {
        let depth = owners.get(number).and_then(|owner| tallies.get(*owner)).map(|tally| tally.header.depth);
        let table = bytes.zip(depth).and_then(|(bytes, depth)| Table::parse(bytes, depth));
        parsed.get_mut(number).into_iter().for_each(|into| *into = table);
    });
    let places: Vec<u64> = parsed.iter().map(|table| table.map_or(0, |table| table.groups)).collect();
    let objects = reader.objects_with_data_at(&places);
    for ((owner, table), object) in owners.into_iter().zip(parsed).zip(objects) {
        let Some(tally) = tallies.get_mut(owner) else { continue };
        match table.zip(object) {
            Some((table, object)) => tally.add(&table, object),
            None => (tally.tables, tally.bad) = (tally.tables + 1, tally.bad + 1),
        }
    }
}

/// The tables that parts of directories list, and whose they are.
fn entries(parts: &[Part], tallies: &mut [Tally], reader: &mut Reader<'_>) -> (Vec<usize>, Vec<Piece>) {
    let ends = parts.iter().scan(0, |end, part| {
        *end += part.piece.len as usize / 8;
        Some(*end)
    });
    let ends: Vec<usize> = ends.collect();
    let mut entries = vec![0; ends.last().copied().unwrap_or(0)];
    let pieces: Vec<Piece> = parts.iter().map(|part| part.piece).collect();
    reader.gather.pieces(&pieces, &mut |number, bytes| {
        let words = bytes.unwrap_or_default().as_chunks().0;
        let start = ends.get(number).map(|end| end.saturating_sub(words.len()));
        let into = start.and_then(|start| entries.get_mut(start..)).unwrap_or_default();
        into.iter_mut().zip(words).for_each(|(into, word)| *into = u64::from_le_bytes(*word));
    });
    let (mut owners, mut tables) = (Vec::new(), Vec::new());
    let mut start = 0;
    for (part, end) in parts.iter().zip(ends) {
        let Some(tally) = tallies.get_mut(part.tally) else { continue };
        for entry in entries.get(start..end).unwrap_or_default() {
            // What could not be read is 0, and no table.
            if *entry != tally.last || *entry == 0 {
                owners.push(part.tally);
                tables.push(Piece { at: *entry, len: TABLE as u32 });
            }
            tally.last = *entry;
        }
        start = end;
    }
    (owners, tables)
}

/// Tells of the maps whose directories end in these parts.
fn settle(
    parts: &[Part],
    tallies: &[Tally],
    reader: &mut Reader<'_>,
    sink: &mut dyn FnMut(&Seen),
    again: &mut Vec<u64>,
) {
    let whole: Vec<&Tally> =
        parts.iter().filter(|part| part.is_last).filter_map(|part| tallies.get(part.tally)).collect();
    let word = |tally: &&Tally| {
        let first = tally.first.filter(|object| object.typing == Typing::FirstWord);
        Piece { at: first.map_or(0, |object| object.base.0), len: if first.is_some() { 8 } else { 0 } }
    };
    let pieces: Vec<Piece> = whole.iter().map(word).collect();
    let mut words = vec![None; whole.len()];
    reader.gather.pieces(&pieces, &mut |number, bytes| {
        let word = bytes.and_then(|bytes| Words(bytes).u64(0));
        words.get_mut(number).into_iter().for_each(|into| *into = word);
    });
    for (tally, word) in whole.into_iter().zip(words) {
        match tally.finish(word, reader) {
            Some(seen) => sink(&seen),
            None => again.push(tally.header.at),
        }
    }
}

impl Tally {
    fn new(header: Header, directory: u64) -> Self {
        Self {
            header,
            directory,
            last: 0,
            tables: 0,
            bad: 0,
            used: 0,
            capacity: 0,
            tombstones: 0,
            most: 0,
            bytes: 0,
            sizes: [None; SIZES],
            first: None,
        }
    }

    fn add(&mut self, table: &Table, object: Object) {
        self.tables += 1;
        self.used += u64::from(table.used);
        self.capacity += u64::from(table.capacity);
        self.tombstones += table.tombstones();
        self.most += u64::from(table.used) + u64::from(table.growth_left);
        self.bytes = self.bytes.saturating_add(TABLE + object.size);
        let size = (table.capacity / SLOTS as u16).trailing_zeros() as usize;
        if let Some(known) = self.sizes.get_mut(size) {
            // Tables of one size have objects of one size. What the heap has made since it was read of
            // memory that was something else does not count.
            self.bad += u64::from(known.is_some_and(|known| known.bytes != object.size));
            *known = Some(Groups::of(&object));
        }
        if self.first.is_none_or(|first| first.typing == Typing::None) {
            self.first = Some(object);
        }
    }

    /// Enough sound tables, and together they hold about what the map counts.
    fn is_sound(&self, lookup: Lookup) -> bool {
        // In the heap as it was, a table that is newer is looked up again before it is given up.
        let torn = if lookup == Lookup::Live { self.tables / TORN } else { 0 };
        let drift = self.header.used.max(self.used) / DRIFT + SLOTS;
        self.first.is_some() && self.bad <= torn && self.used.abs_diff(self.header.used) <= drift
    }

    fn finish(&self, word: Option<u64>, reader: &mut Reader<'_>) -> Option<Seen> {
        let first = self.first.filter(|_| self.is_sound(reader.lookup))?;
        let guess = match first.typing {
            Typing::None => self.by_sizes(reader),
            Typing::FirstWord | Typing::Span(_) => reader.guess(&first, word, 0),
        };
        // What is not of the program's types is looked up once more, as it is now, before it is believed.
        if reader.lookup == Lookup::Snapshot && !self.is_of(guess, &first, reader) {
            return None;
        }
        let mut seen = Seen {
            at: Address(self.header.at),
            seed: self.header.seed,
            shape: Shape {
                live: self.header.used,
                capacity: self.capacity,
                tombstones: Some(self.tombstones),
                table: Some(Address(self.header.directory)),
                next: self.next(guess, reader),
                ..Shape::default()
            },
            guess,
            has_tables: true,
            is_estimate: false,
        };
        let bytes = reader.types.costs().header_object().saturating_add(self.directory);
        finish(&mut seen, bytes.saturating_add(self.bytes), reader.types);
        Some(seen)
    }

    /// Not of a map that was read while it was being changed.
    fn next(&self, guess: Guess, reader: &Reader<'_>) -> Option<Next> {
        let counts = (self.capacity, self.most);
        let next = reader.types.next(guess, |costs, known| costs.next_swiss(known, self.tables, counts));
        next.filter(|_| self.bad == 0)
    }

    /// Whether the tables are as large as those of the type are. A type that was made while the program ran is
    /// not known, but is told by the tables themselves.
    fn is_of(&self, guess: Guess, first: &Object, reader: &Reader<'_>) -> bool {
        if !reader.types.is_possible(guess) {
            return first.typing != Typing::None;
        }
        let Some(known) = reader.types.common_table(guess) else { return true };
        let fits = |(size, found): (u32, Groups)| {
            let groups = reader.types.costs().groups(known, 1 << size);
            groups.is_none_or(|bytes| bytes == found.bytes)
        };
        (0..).zip(&self.sizes).filter_map(|(size, found)| Some((size, (*found)?))).all(fits)
    }

    /// The types whose groups fit the objects of all table sizes.
    fn by_sizes(&self, reader: &mut Reader<'_>) -> Guess {
        let mut guess = None;
        for (size, found) in self.sizes.iter().enumerate() {
            let Some(found) = found.filter(|found| !found.is_typed) else { continue };
            let one = reader.types.of_size(found.bytes, found.is_pointer_free, 1 << size);
            guess = Some(guess.map_or(one, |guess| reader.types.both(guess, one)));
        }
        guess.unwrap_or_default()
    }
}

/// Where the groups of a table are; `None`: the bytes cannot be a table of a map of that depth.
pub(super) fn groups(bytes: &[u8], map_depth: u8) -> Option<u64> {
    Table::parse(bytes, map_depth).map(|table| table.groups)
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Table {
    used: u16,
    capacity: u16,
    growth_left: u16,
    groups: u64,
}

impl Table {
    /// `None`: the bytes cannot be a table of a map of that depth.
    fn parse(bytes: &[u8], map_depth: u8) -> Option<Self> {
        let words = Words(bytes);
        let table = Self {
            used: words.u16(0)?,
            capacity: words.u16(2)?,
            growth_left: words.u16(4)?,
            groups: words.u64(16)?,
        };
        let (depth, index) = (words.u8(6)?, words.u64(8)?.cast_signed());
        let capacity = u64::from(table.capacity);
        let is_sound = (SLOTS..=FULL_TABLE).contains(&capacity)
            && capacity.is_power_of_two()
            && u64::from(table.used) + u64::from(table.growth_left) <= capacity
            && depth <= map_depth
            && (-1..1 << map_depth).contains(&index)
            && words.u64(24)?.checked_add(1) == Some(capacity / SLOTS);
        is_sound.then_some(table)
    }

    /// Slots that a lookup has to pass, though nothing is in them (`maxGrowthLeft`: a table is full to 7/8;
    /// one of a single group, to 7 slots).
    fn tombstones(&self) -> u64 {
        let capacity = u64::from(self.capacity);
        let most = if capacity <= SLOTS { capacity - 1 } else { capacity * 7 / 8 };
        most.saturating_sub(u64::from(self.used) + u64::from(self.growth_left))
    }
}
