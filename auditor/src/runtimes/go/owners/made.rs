//! A process made for tests: runs of objects and the words in them, types, variables, goroutines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::Owners;
use super::bits::Bits;
use super::fields::Types;
use super::finalizers::{Arenas, arena_of};
use super::frames::Unwind;
use super::graph::{Builder, Graph, Marks};
use super::masks::Bitmaps;
use super::nodes::{Node, Nodes, Run};
use super::private::Private;
use super::scene::{Asked, Wanted};
use super::search::{Target, find};
use super::special::Special;
use super::sweep::{Swept, sweep};
use super::variables::{Variable, Variables};
use crate::audit::unit::Address;
use crate::runtimes::go::hands::Hands;
use crate::runtimes::go::heap::Typing;
use crate::target::go::Release;
use crate::target::go::frame_map::FrameMap;
use crate::target::go::layouts::{Layout, nearest};
use crate::target::go::types::{Field, Kind, MapType, Type};
use crate::target::memory::{CapturedMemory, Memory, ReadError};

/// Where the types of a made program are.
pub(super) const TYPES: Range<u64> = 0x50_0000..0x60_0000;
/// Where its code is.
pub(super) const TEXT: Range<u64> = 0x40_0000..0x40_1000;
/// Where its variables are.
pub(super) const DATA: Range<u64> = 0x90_0000..0x90_1000;
/// Where its heap begins.
pub(super) const HEAP: u64 = 0xc0_0000_0000;
/// Where the list of goroutines is, they, and their stacks.
const LIST: u64 = 0x80_0000;
const GOROUTINES: u64 = 0x81_0000;
pub(super) const STACKS: u64 = 0x7f00_0000_0000;
/// Where the runtime notes more of the heap.
pub(super) const ARENAS: u64 = 0x6000_0000_0000;
pub(super) const ARENA: u64 = 0x6100_0000_0000;
const PAGE: u64 = 8192;

#[derive(Clone, Debug, Default)]
pub(super) struct World {
    pub(super) runs: Vec<Run>,
    pub(super) words: BTreeMap<u64, u64>,
    end: u64,
    most: Option<usize>,
    pub(super) types: MadeTypes,
    variables: Vec<Variable>,
    goroutines: u64,
    frames: BTreeMap<u64, (FrameMap, &'static str)>,
    pub(super) is_stripped: bool,
    /// What of the variables only the runtime uses, where they have no names.
    pub(super) private: Private,
    has_bitmaps: bool,
    pub(super) is_one_handed: bool,
}

impl World {
    /// One in which the runtime notes which words are pointers.
    pub(super) fn with_bitmaps() -> Self {
        Self { has_bitmaps: true, ..Self::default() }
    }

    /// Adds a run behind the others and says where it begins.
    pub(super) fn run(&mut self, element: u64, count: u64) -> u64 {
        let start = HEAP + self.end;
        self.runs.push(Run { start, element, count, is_pointer_free: false, header: Typing::None });
        self.end += (element * count).next_multiple_of(PAGE);
        start
    }

    /// Adds a run whose objects say of what type they are.
    pub(super) fn typed(&mut self, element: u64, count: u64) -> u64 {
        let start = self.run(element, count);
        if let Some(last) = self.runs.last_mut() {
            last.header = Typing::FirstWord;
        }
        start
    }

    pub(super) fn put(&mut self, at: u64, word: u64) -> &mut Self {
        self.words.insert(at, word);
        self
    }

    /// Puts a pointer, and notes that it is one as the runtime does for small objects.
    pub(super) fn point(&mut self, at: u64, to: u64) -> &mut Self {
        let bit = at % PAGE / 8;
        let note = at / PAGE * PAGE + PAGE - 128 + bit / 64 * 8;
        *self.words.entry(note).or_default() |= 1 << (bit % 64);
        self.put(at, to)
    }

    /// So many pointers are kept and no more.
    pub(super) fn keep(&mut self, most: usize) -> &mut Self {
        self.most = Some(most);
        self
    }

    /// Adds a variable of so many words.
    pub(super) fn variable(&mut self, name: &str, words: &[u64]) -> u64 {
        let last = self.variables.last().map_or(DATA.start, |last| last.at + last.size);
        for (number, word) in words.iter().enumerate() {
            self.put(last + 8 * number as u64, *word);
        }
        let size = 8 * words.len() as u64;
        self.variables.push(Variable { at: last, size, name: name.to_owned() });
        last
    }

    /// Says what a frame holds at an instruction.
    pub(super) fn frame(&mut self, at: u64, name: &'static str, size: u64, words: Option<&[u32]>) {
        let words = words.map(<[u32]>::to_vec);
        self.frames.insert(at, (FrameMap { size, words, spoils_caller: false }, name));
    }

    /// Adds a goroutine with a stack of 4,096 bytes that ends with these words. Where they begin.
    pub(super) fn goroutine(&mut self, status: u32, code: u64, words: &[u64]) -> u64 {
        let of = layout().goroutine;
        let at = GOROUTINES + self.goroutines * 0x400;
        let low = STACKS + self.goroutines * 0x10000;
        let high = low + 4096;
        let begin = high - 8 * words.len() as u64;
        self.goroutines += 1;
        let fields = [
            (of.stack, low),
            (of.stack + 8, high),
            (of.stack_pointer, begin),
            (of.program_counter, code),
            (of.status, u64::from(status)),
            (of.id, self.goroutines),
        ];
        fields.into_iter().for_each(|(field, word)| {
            self.put(at + field as u64, word);
        });
        self.put(LIST + 0x100 + 8 * (self.goroutines - 1), at);
        let count = self.goroutines;
        self.put(LIST, LIST + 0x100).put(LIST + 8, count).put(LIST + 16, 64);
        for word in (low..high).step_by(8) {
            self.words.entry(word).or_default();
        }
        for (number, word) in words.iter().enumerate() {
            self.put(begin + 8 * number as u64, *word);
        }
        begin
    }

    pub(super) fn memory(&self) -> CapturedMemory {
        // What is there as a whole, even where no word was put.
        let goroutines = (0..self.goroutines).map(|number| GOROUTINES + number * 0x400);
        let mut words: BTreeMap<u64, u64> = BTreeMap::new();
        let runs = self.runs.iter().map(|run| run.start..run.start + run.bytes().next_multiple_of(PAGE));
        for range in runs.chain([DATA]).chain(goroutines.map(|at| at..at + 0x400)) {
            words.extend(range.step_by(8).map(|at| (at, 0)));
        }
        words.extend(&self.words);
        let mut memory = CapturedMemory::new();
        let mut block: Option<(u64, Vec<u8>)> = None;
        for (at, word) in words {
            match &mut block {
                Some((start, bytes)) if *start + bytes.len() as u64 == at => bytes.extend(word.to_le_bytes()),
                _ => {
                    if let Some((start, bytes)) = block.replace((at, word.to_le_bytes().to_vec())) {
                        memory.insert(Address(start), bytes);
                    }
                }
            }
        }
        if let Some((start, bytes)) = block {
            memory.insert(Address(start), bytes);
        }
        memory
    }

    pub(super) fn nodes(&self) -> Nodes {
        Nodes::new(&self.runs)
    }

    pub(super) fn marks(&self, nodes: &Nodes, maps: &[u64]) -> Marks {
        let mut bits = Bits::new(nodes.count());
        for map in maps {
            assert!(bits.add(u64::from(nodes.at(*map).unwrap())));
        }
        Marks { maps: bits.ranked(), types: TYPES, special: Special::default() }
    }

    pub(super) fn graph(&self, nodes: &Nodes, marks: &Marks, memory: &dyn Memory) -> (Graph, Swept) {
        self.graph_by(Hands::One, nodes, (marks, memory))
    }

    pub(super) fn graph_by(
        &self,
        hands: Hands,
        nodes: &Nodes,
        (marks, memory): (&Marks, &dyn Memory),
    ) -> (Graph, Swept) {
        let most = self.most.unwrap_or(1 << 20);
        let empty = || Builder::new(nodes, marks, marks.maps.len(), most);
        sweep(nodes, empty, (memory, hands))
    }

    pub(super) fn edges(&self, nodes: &Nodes, graph: &Graph, at: u64) -> Vec<(u64, Node)> {
        let object = nodes.object(nodes.at(at).unwrap()).unwrap();
        graph.edges(&object).map(|edge| (edge.offset, edge.to)).collect()
    }

    /// The whole search.
    pub(super) fn find(&self, wanted: &[Wanted<'_>], memory: &dyn Memory) -> Owners {
        let named = if self.is_stripped { Vec::new() } else { self.variables.clone() };
        let mut variables = Variables::new(named);
        variables.tell_apart(self.private.clone());
        find(
            &Target {
                runs: &self.runs,
                globals: &[DATA],
                text: &[TEXT],
                code: memory,
                type_range: &TYPES,
                goroutines: Some(Address(LIST)),
                layout: layout(),
                bitmaps: if self.has_bitmaps { Bitmaps::InSpan(false) } else { Bitmaps::Unknown },
                arenas: Some(Arenas { table: Address(ARENAS), layout: layout() }),
                arena_numbers: &self
                    .runs
                    .iter()
                    .map(|run| arena_of(run.start))
                    .filter(|number| self.words.contains_key(&(ARENAS + 8 * number)))
                    .collect::<BTreeSet<_>>(),
                is_swiss: true,
                types: &self.types,
                variables: &variables,
                unwind: &Unwinding(&self.frames),
                memory,
                listed_from: 1000,
                hands: if self.is_one_handed { Hands::One } else { Hands::Two },
            },
            Asked { first: wanted, ..Asked::default() },
        )
    }

    /// Whether a map is reachable, what it is called, and of what type it is.
    pub(super) fn told(&self, wanted: &Wanted<'_>) -> (Option<bool>, String, Option<String>) {
        let found = self.find(&[*wanted], &self.memory());
        let owner = *found.of.iter().next().unwrap();
        let name = owner.name.map(|name| found.names[name].clone()).unwrap_or_default();
        (owner.reachable, name, owner.type_at.and_then(|at| self.types.name(at)))
    }
}

/// The offsets of a release whose small objects say nothing of their type.
pub(super) fn layout() -> &'static Layout {
    nearest(Release { major: 1, minor: 27 })
}

/// A small map of which nothing is known.
pub(super) fn wanted(at: u64) -> Wanted<'static> {
    Wanted { at: Address(at), bytes: 100, types: &[], has_tables: false }
}

#[derive(Debug)]
struct Unwinding<'a>(&'a BTreeMap<u64, (FrameMap, &'static str)>);

impl Unwind for Unwinding<'_> {
    fn frame(&self, at: Address) -> Option<FrameMap> {
        self.0.get(&at.0).map(|(frame, _)| frame.clone())
    }
    fn function(&self, at: Address) -> Option<String> {
        self.0.get(&at.0).map(|(_, name)| (*name).to_owned())
    }
}

/// Types made for tests.
#[derive(Clone, Debug, Default)]
pub(super) struct MadeTypes {
    all: BTreeMap<u64, (Type, String, Vec<Field>)>,
    maps: Vec<MapType>,
}

impl MadeTypes {
    pub(super) fn add(&mut self, name: &str, size: u64, kind: Kind) -> Address {
        let at = Address(TYPES.start + 64 * (1 + self.all.len() as u64));
        let pointer_bytes = if kind == Kind::Plain { 0 } else { size };
        let name = name.to_owned();
        self.all.insert(at.0, (Type { at, size, pointer_bytes, kind }, name, Vec::new()));
        at
    }

    pub(super) fn number(&mut self) -> Address {
        self.add("int", 8, Kind::Plain)
    }

    pub(super) fn pointer(&mut self, to: Address) -> Address {
        let name = format!("*{}", self.name(to).unwrap());
        self.add(&name, 8, Kind::Pointer(to))
    }

    pub(super) fn structure(&mut self, name: &str, fields: &[(&str, Address)]) -> Address {
        let mut size = 0;
        let mut all = Vec::new();
        for (name, of) in fields {
            all.push(Field { name: (*name).to_owned(), type_at: *of, offset: size });
            size += self.get(*of).unwrap().size;
        }
        let at = self.add(name, size, Kind::Struct);
        if let Some(made) = self.all.get_mut(&at.0) {
            made.2 = all;
        }
        at
    }

    pub(super) fn redefine(&mut self, at: Address, kind: Kind) {
        if let Some(made) = self.all.get_mut(&at.0) {
            (made.0.kind, made.0.pointer_bytes) = (kind, made.0.size);
        }
    }

    /// Gives a struct fields of 8 bytes.
    pub(super) fn fields_become(&mut self, at: Address, fields: &[(&str, Address)]) {
        if let Some(made) = self.all.get_mut(&at.0) {
            let field = |(number, (name, of)): (u64, &(&str, Address))| Field {
                name: (*name).to_owned(),
                type_at: *of,
                offset: 8 * number,
            };
            made.2 = (0..).zip(fields).map(field).collect();
        }
    }

    pub(super) fn maps_of(&self, at: Address) -> MapType {
        self.map_at(at).unwrap()
    }

    fn map_at(&self, at: Address) -> Option<MapType> {
        self.maps.iter().find(|map| map.at == at).copied()
    }

    /// A map type, whose groups are of eight slots.
    pub(super) fn map(&mut self, key: Address, element: Address) -> Address {
        let [of_key, of_element] = [key, element].map(|at| self.name(at).unwrap());
        let slot = self.structure("slot", &[("key", key), ("elem", element)]);
        let size = 8 * self.get(slot).unwrap().size;
        let slots = self.add("[8]slot", size, Kind::Array(slot, 8));
        let control = self.number();
        let name = format!("map.group[{of_key}]{of_element}");
        let bucket = self.structure(&name, &[("ctrl", control), ("slots", slots)]);
        let at = self.add(&format!("map[{of_key}]{of_element}"), 8, Kind::Map);
        self.maps.push(MapType {
            at,
            key,
            element,
            bucket,
            bucket_size: size + 8,
            is_pointer_free: false,
            indirect_key: None,
            indirect_element: None,
        });
        at
    }
}

impl Types for MadeTypes {
    fn get(&self, at: Address) -> Option<Type> {
        self.all.get(&at.0).map(|made| made.0)
    }
    fn name(&self, at: Address) -> Option<String> {
        self.all.get(&at.0).map(|made| made.1.clone())
    }
    fn fields(&self, at: Address) -> Vec<Field> {
        self.all.get(&at.0).map(|made| made.2.clone()).unwrap_or_default()
    }
    fn map(&self, at: Address) -> Option<MapType> {
        self.map_at(at)
    }
    fn map_of_bucket(&self, bucket: Address) -> Option<MapType> {
        self.maps.iter().find(|map| map.bucket == bucket).copied()
    }
    fn structs(&self) -> Vec<Address> {
        let all = self.all.values().map(|made| made.0);
        all.filter(|of| of.kind == Kind::Struct).map(|of| of.at).collect()
    }
}

/// Memory in which some addresses cannot be read.
#[derive(Debug)]
pub(super) struct Torn(pub(super) CapturedMemory, pub(super) Range<u64>);

impl Memory for Torn {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        let touches = at.0 < self.1.end && self.1.start < at.0 + into.len() as u64;
        if touches { Err(ReadError::Unmapped { at, len: into.len() }) } else { self.0.read(at, into) }
    }
}
