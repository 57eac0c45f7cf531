//! Calls made by hand: what the kernel side would capture of them, and which facts come of it.

use super::hooks::{self, Placed};
use super::known::Known;
use super::places::Found;
use super::profile::{self, Profile};
use super::tell::Telling;
use crate::audit::fact::{Allocate, Free, Grow, GrowthKind, Look, What};
use crate::audit::unit::{Address, Nanos};
use crate::runtimes::hook::{Capture, Filter, Header, Hit, Spot, Taken, When};
use crate::target::memory::{CapturedMemory, Memory as _};
use crate::target::module::Symbol;
use auditor_ebpf::source::{FIRST, RAX, RDI, RDX, RSI};
use auditor_ebpf::{CAPTURES, LOOK_BYTES};

/// A table of pointers behind a header: mask, used, array, old array, old mask.
const TABLE: &str = r#"
[profile]
name = "table"
about = "a table made for tests"
moves = "at_once"
returns = "never"
[target]
file = '/x$'
symbols = ["table_grow"]
[fields]
mask = "u64[self]"
used = "u64[self+8]"
array = "u64[self+16]"
kind = "u32[u64[self+24]+4]"
[metrics]
live = "used"
buckets = "array == 0 ? 0 : mask + 1"
overflow = "kind"
table = "array"
table_bytes = "8 * buckets"
header = 32
[check]
"entries fit" = "used <= mask + 1"
[[probe]]
event = "resize"
at = { symbol = "table_grow" }
self = "arg0"
min = { field = "used", value = 2 }
[[probe]]
event = "grow"
at = { symbol = "table_wants" }
self = "arg0-8"
to = "ret"
[[probe]]
event = "dropped"
at = { symbol = "table_free" }
self = "arg0"
[[probe]]
event = "create"
at = { symbol = "table_new" }
self = "ret"
[[probe]]
event = "table_freed"
at = { symbol = "table_step", call = "free" }
self = "rbx"
table = "arg0"
bytes = "arg1 * 8"
[[probe]]
event = "clear"
at = { symbol = "table_clear" }
self = "arg0"
when = "both"
"#;

const MAP: u64 = 0x10_0000;
const KIND: u64 = 0x20_0000;

fn table() -> Profile {
    profile::parse(TABLE).unwrap()
}

fn placed(profile: &Profile, probe: usize) -> Placed {
    let symbol = Symbol { address: Address(0x40_0000), file_offset: Some(0), size: 64 };
    let found = Found::new("f".to_owned(), Spot::Found("f".to_owned(), symbol));
    hooks::hook(profile, probe, found, |_| None)
}

/// The map with so many slots and entries, and its array.
fn memory(slots: u64, used: u64, array: u64) -> CapturedMemory {
    let words = [slots.wrapping_sub(1), used, array, KIND];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(LOOK_BYTES, 0xee);
    let mut memory = CapturedMemory::new();
    memory.insert(Address(MAP), bytes).insert(Address(KIND), [0, 0, 0, 0, 9, 0, 0, 0]);
    memory
}

/// A call: memory and registers at the entry, memory and result at the return.
struct Call<'a> {
    before: &'a CapturedMemory,
    after: &'a CapturedMemory,
    registers: &'a [(u32, u64)],
    returned: u64,
    at: Nanos,
}

impl Call<'_> {
    /// What the kernel side makes of it (`capture.rs`). `None`: the filter drops it.
    fn hit(&self, placed: &Placed) -> Option<Hit> {
        let hook = &placed.hook;
        let mut hit = Hit {
            at: self.at,
            values: [0; CAPTURES],
            failed: 0,
            returned: (hook.when == When::EntryAndReturn).then_some(self.returned),
            took: (hook.when == When::EntryAndReturn).then_some(Nanos(7)),
            stack: None,
            header: None,
        };
        for (index, capture) in hook.captures.iter().enumerate() {
            let first = hit.values[0];
            match self.value(capture, first) {
                Some(value) => hit.values[index] = value,
                None => hit.failed |= 1 << index,
            }
        }
        if let Some(Filter { capture, at_least, .. }) = hook.filter
            && hit.values[capture] < at_least
        {
            return None;
        }
        if hook.header == Header::Copy {
            let mut bytes = [0; LOOK_BYTES];
            let at_return = if hook.when == When::EntryAndReturn { self.after } else { self.before };
            hit.header = at_return.read(Address(hit.values[hook.key]), &mut bytes).ok().map(|()| bytes);
        }
        Some(hit)
    }

    fn value(&self, capture: &Capture, first: u64) -> Option<u64> {
        let (memory, registers) = match capture.taken {
            Taken::AtEntry => (self.before, self.registers.to_vec()),
            Taken::AtReturn => (self.after, vec![(RAX, self.returned), (FIRST, first)]),
        };
        let register = registers.iter().find(|(number, _)| *number == capture.source);
        let mut value = register.map_or(0, |(_, value)| *value);
        for load in 0..capture.loads {
            let width = if load + 1 == capture.loads { capture.width as usize } else { 8 };
            let mut word = [0; 8];
            memory
                .read(Address(value.checked_add_signed(capture.offsets[load])?), &mut word[..width])
                .ok()?;
            value = u64::from_le_bytes(word);
        }
        Some(value.wrapping_add_signed(capture.added.into()))
    }

    fn told(&self, profile: &Profile, probe: usize, known: &mut Known) -> Option<Vec<What>> {
        let placed = placed(profile, probe);
        let hit = self.hit(&placed)?;
        let mut told = Vec::new();
        let memory = self.after;
        Telling { profile, placed: &placed, hit: &hit, memory, known, told: &mut told }.tell()?;
        Some(told)
    }
}

fn words(told: &[What]) -> Vec<String> {
    let one = |what: &What| match what {
        What::Look(Look { occasion, shape, .. }) => {
            format!("look {occasion:?} {}/{} {:?}", shape.live, shape.capacity, shape.overflow)
        }
        What::Grow(Grow { kind, from, to, live, .. }) => format!("grow {kind:?} {from} {to} {live:?}"),
        What::Allocate(Allocate { table, bytes, took, .. }) => {
            format!("allocate {:x} {} {}", table.unwrap().0, bytes.0, took.is_some())
        }
        What::Free(Free { table, bytes, shape, .. }) => {
            format!("free {:x} {} {}", table.0, bytes.0, shape.as_ref().is_some_and(|shape| shape.dropped))
        }
        What::Gone { .. } => "gone".to_owned(),
        What::Clear(clear) => format!("clear {:?}", clear.live),
        other => format!("{other:?}"),
    };
    assert!(told.iter().all(|what| what.map() == Some(Address(MAP))), "{told:?}");
    told.iter().map(one).collect()
}

/// When a call returns that nothing else happens in.
const AT: Nanos = Nanos(50);
const DI: &[(u32, u64)] = &[(RDI, MAP)];

#[test]
fn a_call_that_doubles_a_table_is_told_as_a_growth_with_both_tables() {
    let (profile, mut known) = (table(), Known::default());
    let (before, after) = (memory(4, 3, 0xa000), memory(8, 3, 0xb000));
    let call = Call { before: &before, after: &after, registers: DI, returned: 0, at: AT };
    let told = call.told(&profile, 0, &mut known).unwrap();
    assert_eq!(
        words(&told),
        ["look Poll 3/4 Some(9)", "grow Double 4 8 Some(3)", "allocate b000 64 true", "free a000 32 false"],
        "it was there before: that is told first"
    );
    let later = memory(8, 7, 0xb000);
    let again = Call { before: &later, after: &memory(16, 7, 0xb000), registers: DI, returned: 0, at: AT };
    assert_eq!(
        words(&again.told(&profile, 0, &mut known).unwrap()),
        ["grow Double 8 16 Some(7)", "free b000 64 false", "allocate b000 128 true"],
        "in the same place: the old table goes first"
    );
}

#[test]
fn a_first_table_is_no_growth_and_a_call_that_changes_nothing_is_nothing() {
    let profile = profile::parse(&TABLE.replace("value = 2", "value = 0")).unwrap();
    let mut known = Known::default();
    let call =
        Call { before: &memory(0, 0, 0), after: &memory(4, 0, 0xa000), registers: DI, returned: 0, at: AT };
    assert_eq!(words(&call.told(&profile, 0, &mut known).unwrap()), ["allocate a000 32 true"]);
    let same = memory(4, 3, 0xa000);
    let call = Call { before: &same, after: &same, registers: DI, returned: 0, at: AT };
    assert!(call.told(&profile, 0, &mut known).unwrap().is_empty());
    let shrunk = Call { before: &same, after: &memory(2, 1, 0xc000), registers: DI, returned: 0, at: AT };
    let told = words(&shrunk.told(&profile, 0, &mut known).unwrap());
    assert_eq!(told, ["grow Shrink 4 2 Some(3)", "allocate c000 16 true", "free a000 32 false"]);
}

#[test]
fn small_maps_are_dropped_by_the_filter_and_one_that_fails_its_check_is_not_understood() {
    let (profile, mut known) = (table(), Known::default());
    let small = Call {
        before: &memory(4, 1, 0xa000),
        after: &memory(8, 1, 0xb000),
        registers: DI,
        returned: 0,
        at: AT,
    };
    assert_eq!(small.told(&profile, 0, &mut known), None);
    let bad = Call {
        before: &memory(4, 3, 0xa000),
        after: &memory(8, 900, 0xb000),
        registers: DI,
        returned: 0,
        at: AT,
    };
    assert!(bad.hit(&placed(&profile, 0)).is_some());
    assert_eq!(bad.told(&profile, 0, &mut known), None);
}

#[test]
fn what_a_function_answers_says_how_large_a_map_becomes() {
    let (profile, mut known) = (table(), Known::default());
    let now = memory(4, 3, 0xa000);
    let call = Call { before: &now, after: &now, registers: &[(RDI, MAP + 8)], returned: 11, at: AT };
    let told = words(&call.told(&profile, 1, &mut known).unwrap());
    assert_eq!(told, ["look Poll 3/4 Some(9)", "grow Other 4 11 Some(3)"]);
    let same = Call { returned: 4, ..call };
    assert!(same.told(&profile, 1, &mut known).unwrap().is_empty());
}

#[test]
fn a_map_is_born_where_it_is_returned_and_only_the_death_of_one_that_is_known_is_news() {
    let (profile, mut known) = (table(), Known::default());
    let empty = memory(4, 0, 0xa000);
    let nothing = CapturedMemory::new();
    let dies = Call { before: &empty, after: &nothing, registers: DI, returned: 0, at: AT };
    assert!(dies.told(&profile, 2, &mut known).unwrap().is_empty());
    let born = Call { before: &nothing, after: &empty, registers: &[], returned: MAP, at: AT };
    assert_eq!(words(&born.told(&profile, 3, &mut known).unwrap()), ["look Census 0/4 Some(9)"]);
    assert_eq!(words(&dies.told(&profile, 2, &mut known).unwrap()), ["free a000 32 true"]);
    assert!(dies.told(&profile, 2, &mut known).unwrap().is_empty(), "once");
    let none = Call { before: &nothing, after: &nothing, registers: &[], returned: 0, at: AT };
    assert!(none.told(&profile, 3, &mut known).unwrap().is_empty(), "there was no memory for it");
}

#[test]
fn a_call_for_a_map_that_is_not_meant_means_nothing_and_is_no_loss() {
    let text = TABLE.replace("self = \"ret\"\n", "self = \"ret\"\nonly = \"used > 2\"\n");
    let profile = profile::parse(&text).unwrap();
    for (used, tells) in [(2, 0), (3, 1)] {
        let memory = memory(8, used, 0x7000);
        let call = Call { before: &memory, after: &memory, registers: &[], returned: MAP, at: AT };
        let mut known = Known::default();
        assert_eq!(call.told(&profile, 3, &mut known).unwrap().len(), tells, "{used}");
        assert_eq!(known.get(Address(MAP)).is_some(), tells > 0);
    }
}

#[test]
fn a_table_that_is_freed_is_the_one_that_the_call_is_given() {
    let (profile, mut known) = (table(), Known::default());
    let now = memory(8, 3, 0xb000);
    let registers = &[(auditor_ebpf::source::RBX, MAP), (RDI, 0xa000), (RSI, 4), (RDX, 1)];
    let call = Call { before: &now, after: &now, registers, returned: 0, at: AT };
    let told = words(&call.told(&profile, 4, &mut known).unwrap());
    assert_eq!(told, ["look Poll 3/8 Some(9)", "free a000 32 false"]);
}

/// Of the one map that an object is, nothing is captured but what the call is given.
#[test]
fn a_call_tells_of_the_one_map_that_there_is_by_what_it_is_given() {
    let profile = profile::parse(&TABLE.replace("self = \"rbx\"", "self = { symbol = \"words\" }")).unwrap();
    let symbol = Symbol { address: Address(0x40_0000), file_offset: Some(0), size: 64 };
    let found = Found::new("f".to_owned(), Spot::Found("f".to_owned(), symbol));
    let placed = hooks::hook(&profile, 4, found, |name| (name == "words").then_some(Address(MAP)));
    let nothing = CapturedMemory::new();
    let call = Call {
        before: &nothing,
        after: &nothing,
        registers: &[(RDI, 0xa000), (RSI, 4)],
        returned: 0,
        at: AT,
    };
    let hit = call.hit(&placed).unwrap();
    let (mut known, mut told) = (Known::default(), Vec::new());
    let telling = Telling {
        profile: &profile,
        placed: &placed,
        hit: &hit,
        memory: &nothing,
        known: &mut known,
        told: &mut told,
    };
    assert_eq!(telling.tell(), Some(()));
    assert_eq!(words(&told), ["free a000 32 false"]);
}

/// The probes of tests/kernel/fixtures/described/many.toml: a growth, and the call of free within it.
#[test]
fn a_table_whose_end_is_told_amid_a_growth_is_told_once() {
    let (profile, mut known) = (table(), Known::default());
    let growth =
        |from: u64, to: u64, at| (memory(from, 3, 0xa000 + from), memory(to, 3, 0xa000 + to), Nanos(at));
    let (before, after, at) = growth(4, 8, 100);
    let call = Call { before: &before, after: &after, registers: DI, returned: 0, at };
    call.told(&profile, 0, &mut known).unwrap();
    let (before, after, at) = growth(8, 16, 200);
    let registers = &[(auditor_ebpf::source::RBX, MAP), (RDI, 0xa008), (RSI, 8)];
    let amid = Call { before: &after, after: &after, registers, returned: 0, at: Nanos(at.0 - 3) };
    assert_eq!(words(&amid.told(&profile, 4, &mut known).unwrap()), ["free a008 64 false"]);
    let call = Call { before: &before, after: &after, registers: DI, returned: 0, at };
    let told = words(&call.told(&profile, 0, &mut known).unwrap());
    assert_eq!(told, ["grow Double 8 16 Some(3)", "allocate a010 128 true"]);
    // At the same address again, after that call: it is another table.
    let again = Call { before: &before, after: &after, registers: DI, returned: 0, at: Nanos(300) };
    assert_eq!(words(&again.told(&profile, 0, &mut known).unwrap()).last().unwrap(), "free a008 64 false");
}

#[test]
fn clearing_tells_what_was_in_it_and_which_table_went() {
    let (profile, mut known) = (table(), Known::default());
    let call =
        Call { before: &memory(8, 5, 0xb000), after: &memory(0, 0, 0), registers: DI, returned: 0, at: AT };
    let told = words(&call.told(&profile, 5, &mut known).unwrap());
    assert_eq!(told, ["look Poll 5/8 Some(9)", "clear Some(5)", "free b000 64 false"]);
}

#[test]
fn every_growth_kind_has_a_name() {
    let (profile, mut known) = (table(), Known::default());
    let before = memory(4, 3, 0xa000);
    for (slots, array, kind) in
        [(8, 0xb000, GrowthKind::Double), (4, 0xc000, GrowthKind::SameSize), (16, 0xd000, GrowthKind::Other)]
    {
        let after = memory(slots, 3, array);
        let call = Call { before: &before, after: &after, registers: DI, returned: 0, at: AT };
        let told = call.told(&profile, 0, &mut known).unwrap();
        let grown =
            told.iter().find_map(|what| if let What::Grow(grow) = what { Some(grow.kind) } else { None });
        assert_eq!(grown, Some(kind));
    }
    assert_eq!(known.living(|_, _| true), [Address(MAP)]);
}
