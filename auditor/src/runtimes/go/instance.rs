//! Go's maps as two runtimes: which of them a program has depends on its release.

use std::cell::RefCell;
use std::ops::Range;

use super::bucket::Walks;
use super::cost::Costs;
use super::gc::{self, Counters};
use super::hands::Hands;
use super::heap::{self, Heap, Place};
use super::hooks::{self, Rules};
use super::owners::Sought;
use super::owners::private::Private;
use super::owners::variables::Variables;
use super::places::Places;
use super::types::MapTypes;
use super::{Kind, census, debug, held, owners, ranges, writers};
use crate::audit::fact::{self, Fact, Shape, Sizes, SizesId, What};
use crate::audit::unit::{Address, Bytes};
use crate::runtimes::census::Census;
use crate::runtimes::hook::{Hit, Hook};
use crate::runtimes::ranges::Ranges;
use crate::runtimes::{Instance, LayoutError, Moment, Recognised, Runtime, Unusable};
use crate::target::go::layouts::{LAYOUTS, Layout};
use crate::target::go::program::Program;
use crate::target::go::types::Maps;
use crate::target::memory::Memory;
use crate::target::module::{Module, Symbol};

/// Functions of these packages are looked through for others that a profile had inlined.
const WITHIN: [&str; 2] = ["runtime.", "internal/runtime/maps."];

/// Their names in reports.
const BUCKET: &str = "go_bucket";
const SWISS: &str = "go_swiss";

/// Knows classic maps.
#[derive(Debug)]
pub struct GoBucket;

/// Knows Swiss maps.
#[derive(Debug)]
pub struct GoSwiss;

impl Runtime for GoBucket {
    fn name(&self) -> &str {
        BUCKET
    }

    fn about(&self) -> &str {
        "Go's classic map, up to 1.23: 8 slots a bucket, overflow chains, two arrays while it grows"
    }

    fn recognise(&self, module: &Module, memory: &dyn Memory) -> Option<Recognised> {
        Go::recognise(BUCKET, Kind::Bucket, module, memory)
    }
}

impl Runtime for GoSwiss {
    fn name(&self) -> &str {
        SWISS
    }

    fn about(&self) -> &str {
        "Go's Swiss map, from 1.24 on: a directory of tables of at most 1,024 slots that split"
    }

    fn recognise(&self, module: &Module, memory: &dyn Memory) -> Option<Recognised> {
        Go::recognise(SWISS, Kind::Swiss, module, memory)
    }
}

/// A Go program.
#[derive(Debug)]
struct Go {
    name: &'static str,
    kind: Kind,
    program: Program,
    symbols: Symbols,
    /// Names of global variables.
    names: Variables,
    /// Whether it gives pages back lazily; `None`: not known.
    gives_back_lazily: Option<bool>,
    /// What the check has found.
    known: Option<Checked>,
}

/// Variables of the runtime, where they have names.
#[derive(Clone, Copy, Debug, Default)]
struct Symbols {
    heap: Option<Address>,
    collector: Option<Address>,
    statistics: Option<Address>,
    goroutines: Option<Address>,
}

/// What is only known of a program whose layout has been checked.
#[derive(Debug)]
struct Checked {
    types: RefCell<MapTypes>,
    heap: Heap,
    /// The list of goroutines; `None`: it was not found.
    goroutines: Option<Address>,
    counters: Counters,
    /// Where maps were at the censuses so far; `None`: there was none.
    places: Option<Places>,
    /// What walking the chains of large maps came to.
    walks: RefCell<Walks>,
}

impl Go {
    fn recognise(name: &'static str, kind: Kind, module: &Module, memory: &dyn Memory) -> Option<Recognised> {
        let mut program = match Program::recognise(module, memory)? {
            Ok(program) => program,
            Err(error) => return Some(Err(Unusable::because(error))),
        };
        let has = if program.maps() == Maps::Swiss { Kind::Swiss } else { Kind::Bucket };
        if has != kind {
            return None;
        }
        let names: Vec<&str> = hooks::SYMBOLS.into_iter().chain(writers::symbols()).collect();
        if let Err(error) = program.locate(&names, &WITHIN) {
            return Some(Err(Unusable::because(error)));
        }
        let at = |name| module.symbol(name).map(|symbol| symbol.address);
        let symbols = Symbols {
            heap: at("runtime.mheap_"),
            collector: at("runtime.gcController"),
            statistics: at("runtime.memstats"),
            goroutines: at("runtime.allgs"),
        };
        let names = Variables::of(module);
        Some(Ok(Box::new(Self { name, kind, program, symbols, names, gives_back_lazily: None, known: None })))
    }

    /// Its own variables, those with pointers first.
    fn variables(&self) -> Vec<Range<Address>> {
        let Some(module) = self.program.modules().first() else { return Vec::new() };
        let ranges = [&module.bss, &module.pointer_free_bss, &module.data, &module.pointer_free_data];
        ranges.into_iter().cloned().collect()
    }

    /// The offsets to try: those of its release, or of the releases around it.
    fn layouts(&self) -> Vec<&'static Layout> {
        let nearest = self.program.layout();
        if self.program.layout_is_exact() {
            return vec![nearest];
        }
        let next = LAYOUTS.iter().find(|layout| layout.release > nearest.release);
        [Some(nearest), next].into_iter().flatten().collect()
    }

    /// Whether spans of small objects hold their own mark bits (the collector called Green Tea).
    fn has_inline_marks(&self, layout: &Layout) -> bool {
        let build = self.program.build();
        match layout.release.minor {
            ..25 => false,
            25 => build.has_experiment("greenteagc"),
            _ => !build.has_experiment("nogreenteagc"),
        }
    }

    fn heap(&self, layout: &'static Layout, memory: &dyn Memory) -> Result<Heap, LayoutError> {
        let has_inline_marks = self.has_inline_marks(layout);
        let header = Costs::of(layout.release, self.kind).header_object();
        let place = Place { at: Address(0), layout, has_inline_marks, header };
        let place = match self.symbols.heap {
            Some(at) => Place { at, ..place },
            None => heap::find(&self.variables(), place, memory).ok_or_else(|| {
                fails(
                    "the heap",
                    "no variable of the program leads to spans as this release has them".to_owned(),
                )
            })?,
        };
        Heap::read(place, memory)
    }

    fn known(&self) -> Result<&Checked, LayoutError> {
        self.known.as_ref().ok_or_else(|| fails("the layout", "it has not been checked".to_owned()))
    }

    /// Whether every call of a function comes by its entry.
    fn is_whole(&self, name: &str) -> bool {
        self.program.function(name).is_some() && !self.program.is_inlined(name)
    }
}

impl Instance for Go {
    fn found(&self) -> Vec<fact::Runtime> {
        let build = self.program.build();
        let named = if self.symbols.heap.is_some() { "with symbols" } else { "without symbols" };
        let profile = if build.setting("-pgo").is_some() { ", optimised by a profile" } else { "" };
        let evidence = format!("its build information; {named}{profile}");
        let (name, version) = (self.name.to_owned(), Some(build.version.clone()));
        vec![fact::Runtime { name, version, evidence, verified: None }]
    }

    fn runtime_of(&self, _: Address) -> &str {
        self.name
    }

    fn hooks(&self) -> Vec<Hook> {
        hooks::all(self.kind, |name| self.is_whole(name))
    }

    fn header_len(&self) -> usize {
        self.known.as_ref().map_or(48, |known| known.types.borrow().costs().header as usize)
    }

    fn evacuation_is_readable(&self) -> bool {
        true
    }

    fn started_with(&mut self, environment: &str) {
        let defaults = self.program.build().setting("DefaultGODEBUG");
        self.gives_back_lazily = Some(debug::gives_back_lazily(defaults, environment));
    }

    fn check(&mut self, memory: &dyn Memory) -> Result<(), LayoutError> {
        let mut first = None;
        for layout in self.layouts() {
            match self.heap(layout, memory).and_then(|heap| self.checked(layout, heap, memory)) {
                Ok(known) => {
                    self.known = Some(known);
                    return Ok(());
                }
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        Err(first.unwrap_or_else(|| fails("the heap", "there is no table of its offsets".to_owned())))
    }

    fn census(&mut self, fold_below: Bytes, memory: &dyn Memory) -> Result<Census, LayoutError> {
        let (name, variables) = (self.name, self.variables());
        let Some(known) = &mut self.known else { return Err(self.known().err().unwrap_or_else(unchecked)) };
        // Once: code does not change.
        if known.places.is_none() && self.symbols.heap.is_none() {
            self.names.tell_apart(Private::of(&self.program));
        }
        let is_first = known.places.is_none();
        // Only the first one is waited for.
        let hands = if is_first { Hands::free() } else { Hands::One };
        known.heap = Heap::read_by(hands, *known.heap.place(), memory)?;
        let types = known.types.get_mut();
        let layout = known.heap.place().layout;
        let places = known.places.get_or_insert_default();
        let before = (&mut *places, known.walks.get_mut());
        let (on_stacks, is_whole) =
            on_stacks(&self.program, known.goroutines, (types.costs(), layout), memory);
        let counted = census::count(&known.heap, types, (fold_below, &on_stacks), before, (memory, hands));
        let born = (!is_first).then(|| places.born());
        known.counters.classes = known.heap.classes();
        known.counters.search(&variables, memory);
        let heap = known.counters.heap(memory);
        let mut notes = counted.notes();
        if !is_whole {
            notes.push("not all stacks were found: maps with a header on one are missing".to_owned());
        }
        let read = Bytes(counted.read.saturating_add(known.heap.read));
        // Read again: what has been allocated meanwhile may hold a map.
        known.heap = Heap::read_by(hands, *known.heap.place(), memory)?;
        let process = owners::Process {
            program: &self.program,
            types: types.types(),
            variables: &self.names,
            goroutines: known.goroutines,
            heap: &known.heap,
            memory,
            listed_from: fold_below,
            hands,
        };
        let held = held::tell(counted, types, &process, name);
        notes.extend(held.notes);
        let read = read + held.read + Bytes(known.heap.read);
        Ok(Census { maps: held.maps, crowds: Some(held.crowds), heap, notes, born, read })
    }

    fn look(&self, map: Address, header: &[u8], memory: Option<&dyn Memory>) -> Result<Shape, LayoutError> {
        let what = "the map header";
        let check = |check: &str| LayoutError::Check { what, at: map, check: check.to_owned() };
        let known = self.known()?;
        let memory = memory.ok_or_else(|| check("its tables are not at hand"))?;
        let mut types = known.types.borrow_mut();
        let mut walks = known.walks.borrow_mut();
        let shape = census::look(&known.heap, &mut types, &mut walks, (map, header), memory);
        shape.ok_or_else(|| check("what it leads to is no map's"))
    }

    fn ranges(&self, map: Address, header: &[u8], memory: &dyn Memory) -> Option<Ranges> {
        let known = self.known.as_ref()?;
        let types = known.types.borrow();
        ranges::ranges(&known.heap, types.costs(), (map, header), memory)
    }

    fn heap(&self) -> Option<Vec<(Address, Bytes)>> {
        self.known.as_ref().map(|known| known.heap.arenas())
    }

    fn sizes(&self, id: SizesId) -> Option<Sizes> {
        self.known.as_ref()?.types.borrow().sizes(id)
    }

    fn header_suffices(&self) -> bool {
        false
    }

    fn function(&self, _: &Module, name: &str) -> Option<Symbol> {
        self.program.function(name)
    }

    fn name_of(&self, _: Address, _: &[u8], _: &dyn Memory) -> Option<String> {
        None
    }

    fn decode(&mut self, hook: &str, hit: &Hit, _: &dyn Memory, told: &mut Vec<What>) -> Option<()> {
        let known = self.known.as_ref()?;
        let types = known.types.borrow();
        let table_bytes = |at: Address, count: u64| types.costs().table(types.at(at)?, count);
        let rules = Rules { load: types.costs().load, table_bytes: &table_bytes };
        told.push(hooks::decode(hook, hit, &rules)?);
        Some(())
    }

    fn decode_count(&self, _: &str, _: u64, _: u64) -> Option<What> {
        None
    }

    fn births_are_told(&self) -> bool {
        false
    }

    /// Neither deleting nor `clear` gives slots back (src/runtime/map.go, src/internal/runtime/maps/map.go).
    fn maps_shrink(&self) -> bool {
        false
    }

    fn writers(&self, map: Address) -> Vec<Hook> {
        let number = self.program.layout().goroutine.id;
        writers::all(map, number, |name| self.program.function(name).is_some())
    }

    fn pulse(&mut self, now: Moment, memory: &dyn Memory) -> Vec<Fact> {
        self.known.as_mut().map_or_else(Vec::new, |known| known.counters.news(now, memory))
    }

    fn frames(&self, at: Address) -> Option<Vec<String>> {
        self.program.frames(at)
    }
}

impl Go {
    /// What follows once the heap is as it should be: the types must be, too.
    fn checked(
        &self,
        layout: &'static Layout,
        heap: Heap,
        memory: &dyn Memory,
    ) -> Result<Checked, LayoutError> {
        let types = self.program.types(memory).map_err(|error| fails("the types", error.to_string()))?;
        if types.maps().is_empty() {
            return Err(fails("the types", "there is no map type among them".to_owned()));
        }
        let (collector, statistics) = (self.symbols.collector, self.symbols.statistics);
        let counted = gc::Places { collector, statistics, heap: heap.place().at };
        let mut counters = Counters::new(self.name, layout, counted);
        counters.search(&self.variables(), memory);
        counters.gives_back_lazily = self.gives_back_lazily;
        let types = RefCell::new(MapTypes::new(types, Costs::of(layout.release, self.kind)));
        let goroutines =
            self.symbols.goroutines.or_else(|| owners::goroutines(&self.program, layout, memory));
        Ok(Checked { types, heap, goroutines, counters, places: None, walks: RefCell::default() })
    }
}

fn fails(what: &'static str, check: String) -> LayoutError {
    LayoutError::Check { what, at: Address(0), check }
}

fn unchecked() -> LayoutError {
    fails("the layout", "it has not been checked".to_owned())
}

/// Where headers of maps may be on stacks, and whether all stacks were looked at.
fn on_stacks(
    program: &Program,
    goroutines: Option<Address>,
    (costs, layout): (&Costs, &Layout),
    memory: &dyn Memory,
) -> (Vec<Address>, bool) {
    let is_header = |bytes: &[u8]| census::is_large(costs, bytes);
    let sought = Sought { len: usize::try_from(costs.header).unwrap_or(0), is_header: &is_header };
    let find = |list| owners::on_stacks(program, (list, layout), &sought, memory);
    goroutines.map_or((Vec::new(), false), find)
}
