//! Which variables are the runtime's own, in a program in which they have no names: those that no function but
//! the runtime's uses.
//!
//! Code that uses a variable names a word of it by its distance from the instruction: the first word, or that
//! of a field. So what lies between a word that is named and the next one belongs to the first of the two, and
//! is the runtime's if only the runtime's functions name it. Held against the symbols of programs that have
//! them (1.19, 1.23, 1.24 and 1.27; the go command of 1.24): of the 17,000 to 25,000 words of the runtime's
//! variables all but 545 are told, 514 of which are one table that only other data lead to (`itabTableInit`),
//! and no word of another package is taken for one, but for those of `internal/runtime`, of cgo, and 3 words
//! of `internal/godebugs`.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use super::blocks;
use super::uses::{DISTANCE, before, named};
use crate::audit::unit::Address;
use crate::target::go::program::Program;
use crate::target::memory::Memory;

/// Most words that are told apart; a program of 100 MB of code names some 100,000.
const MOST: usize = 1 << 22;
/// Longest instruction.
const INSTRUCTION: usize = 15;
/// What the functions of the runtime are called.
const RUNTIME: [&str; 2] = ["runtime.", "internal/runtime/"];
/// A function in whose folder all of it is.
const KNOWN: &str = "runtime.gcStart";

/// The variables that only the runtime uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Private {
    /// Where words begin that only it uses, and where such do that others use, by turns.
    turns: Vec<(u64, Users)>,
}

/// Who uses a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Users {
    /// The runtime alone.
    Runtime,
    /// Others, too, or nobody.
    Others,
}

/// Where the function at an address begins and ends, and who uses what it uses.
type Function<'a> = &'a dyn Fn(u64) -> Option<(Range<u64>, Users)>;

impl Private {
    /// Those of a program. Reads all its code once.
    #[must_use]
    pub fn of(program: &Program) -> Self {
        let text: Vec<_> = program.modules().iter().map(|module| super::plain(&module.text)).collect();
        let home = program.function(KNOWN).and_then(|known| program.folder_at(known.address));
        let function = |at: u64| {
            let (range, name) = program.function_around(Address(at))?;
            let is_at_home = || home.is_some() && program.folder_at(Address(at)) == home;
            let is_runtimes = is_runtimes(&name) || is_at_home();
            Some((range, if is_runtimes { Users::Runtime } else { Users::Others }))
        };
        Self::find(&super::globals(program), &text, &super::Code(program), &function)
    }

    fn find(
        variables: &[Range<u64>],
        text: &[Range<u64>],
        code: &dyn Memory,
        function: Function<'_>,
    ) -> Self {
        let mut words = BTreeMap::new();
        let mut last = (0..0, Users::Others);
        let parts = text.iter().flat_map(|range| blocks::overlapping(range.clone(), INSTRUCTION));
        blocks::read(parts.map(|range| (range, ())), code, &mut |part, bytes| {
            // Code that is not seen may use anything.
            let Some(bytes) = bytes else {
                words.clear();
                return ControlFlow::Break(());
            };
            for (at, to) in references(part.range.start, bytes, variables) {
                if !last.0.contains(&at) {
                    last = function(at).unwrap_or((0..0, Users::Others));
                }
                let users = words.entry(to).or_insert(last.1);
                if last.1 == Users::Others {
                    *users = Users::Others;
                }
            }
            if words.len() > MOST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        if words.len() > MOST {
            return Self::default();
        }
        // What no code names before the first word that any does is not known.
        for border in variables.iter().flat_map(|range| [range.start, range.end]) {
            words.entry(border).or_insert(Users::Others);
        }
        let mut turns: Vec<(u64, Users)> = words.into_iter().collect();
        turns.dedup_by_key(|(_, users)| *users);
        Self { turns }
    }

    /// These words and no others.
    #[cfg(test)]
    pub(super) fn made(words: Range<u64>) -> Self {
        Self { turns: vec![(words.start, Users::Runtime), (words.end, Users::Others)] }
    }

    /// Whether only the runtime uses the word.
    pub(super) fn holds(&self, at: u64) -> bool {
        let behind = self.turns.partition_point(|(from, _)| *from <= at);
        let turn = behind.checked_sub(1).and_then(|place| self.turns.get(place));
        turn.is_some_and(|(_, users)| *users == Users::Runtime)
    }
}

/// By its name. Some functions of the runtime are called as if they were of the package that they are for, such
/// as `sync.runtime_registerPoolCleanup` (`//go:linkname`): these are known by where they stand.
fn is_runtimes(function: &str) -> bool {
    RUNTIME.iter().any(|start| function.starts_with(start))
}

/// Where instructions name a word of the variables, and which.
fn references<'a>(
    start: u64,
    bytes: &'a [u8],
    variables: &'a [Range<u64>],
) -> impl Iterator<Item = (u64, u64)> + 'a {
    let first = variables.iter().map(|range| range.start).min().unwrap_or(0);
    let span = variables.iter().map(|range| range.end).max().unwrap_or(0).saturating_sub(first);
    bytes.windows(DISTANCE).enumerate().filter_map(move |(at, window)| {
        let to = named(start, at, window);
        if to.wrapping_sub(first) >= span {
            return None;
        }
        let to = to.wrapping_add(behind(bytes, at)?) & !7;
        let is_variable = variables.iter().any(|range| range.contains(&to));
        is_variable.then_some((start + at as u64, to))
    })
}

/// Bytes of the instruction behind a distance, if what stands before it is one of those that Go's compiler
/// reads, writes and points to words of 8 and 16 bytes with (Intel's manual, volume 2, appendix A): ModRM with
/// mod 0 and r/m 5, REX.W or a move of 16 bytes.
fn behind(bytes: &[u8], at: usize) -> Option<u64> {
    let [prefix, operation, form] = before(bytes, at).filter(|[.., form]| form & 0xc7 == 0x05)?;
    match (prefix, operation) {
        // MOVUPS; CMPXCHG, XADD.
        (0x0f, 0x10 | 0x11 | 0xb1 | 0xc1) => Some(0),
        // ADD, OR, AND, SUB, XOR, CMP, TEST, XCHG, MOV, LEA, MOVSXD, INC and its like.
        (0x48..=0x4f, 0x01 | 0x03 | 0x09 | 0x0b | 0x21 | 0x23 | 0x29 | 0x2b | 0x31 | 0x33 | 0x39 | 0x3b) => {
            Some(0)
        }
        (0x48..=0x4f, 0x63 | 0x85 | 0x87 | 0x89 | 0x8b | 0x8d | 0xff) => Some(0),
        // NEG, NOT, MUL have no number behind them, TEST has: reg 0 and 1 of ModRM.
        (0x48..=0x4f, 0xf7) => Some(if form & 0x30 == 0 { 4 } else { 0 }),
        // With a number of a byte, of four.
        (0x48..=0x4f, 0x83) => Some(1),
        (0x48..=0x4f, 0x81 | 0xc7) => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::memory::CapturedMemory;

    const TEXT: u64 = 0x40_0000;
    const DATA: Range<u64> = 0x90_0000..0x90_1000;
    const LOAD: &[u8] = &[0x48, 0x8b, 0x1d];
    /// Bytes of each function.
    const FUNCTION: u64 = 64;

    /// Functions one after the other, each of which names one word, with these bytes around the distance.
    fn found(functions: &[(&'static str, &[u8], &[u8], u64)]) -> Private {
        let mut bytes = vec![0x90; functions.len() * FUNCTION as usize];
        for (number, (_, before, behind, to)) in functions.iter().enumerate() {
            let at = number * FUNCTION as usize + 8;
            let end = at + before.len() + 4 + behind.len();
            let distance = to.wrapping_sub(TEXT + end as u64) as u32;
            let code = [before, &distance.to_le_bytes()[..], behind].concat();
            bytes[at..end].copy_from_slice(&code);
        }
        let text = TEXT..TEXT + bytes.len() as u64;
        let mut memory = CapturedMemory::new();
        memory.insert(Address(TEXT), bytes);
        Private::find(&[DATA], &[text], &memory, &|at| {
            let number = (at - TEXT) / FUNCTION;
            let start = TEXT + number * FUNCTION;
            let is_runtimes = is_runtimes(functions[number as usize].0);
            Some((start..start + FUNCTION, if is_runtimes { Users::Runtime } else { Users::Others }))
        })
    }

    fn own(private: &Private, from: u64) -> Vec<bool> {
        (from..from + 40).step_by(8).map(|at| private.holds(at)).collect()
    }

    #[test]
    fn a_variable_that_only_the_runtime_uses_is_its_own_up_to_the_next_one() {
        let private = found(&[
            ("runtime.schedule", LOAD, &[], 0x90_0010),
            ("internal/runtime/maps.NewMap", LOAD, &[], 0x90_0018),
            ("main.main", LOAD, &[], 0x90_0028),
        ]);
        assert_eq!(own(&private, 0x90_0008), [false, true, true, true, false]);
        assert!(!private.holds(0x90_0000) && !private.holds(0x90_0ff8) && !private.holds(0x90_2000));
    }

    #[test]
    fn one_that_others_use_too_is_not() {
        for order in [["runtime.gcStart", "runtime/debug.SetGCPercent"], ["main.f", "runtime.gcStart"]] {
            let private = found(&order.map(|name| (name, LOAD, &[][..], 0x90_0010)));
            assert_eq!(own(&private, 0x90_0008), [false; 5], "{order:?}");
        }
    }

    #[test]
    fn the_last_of_the_variables_end_where_they_do() {
        let private = found(&[("runtime.f", LOAD, &[], DATA.end - 8)]);
        assert!(private.holds(DATA.end - 8) && !private.holds(DATA.end));
    }

    #[test]
    fn a_number_behind_the_distance_is_not_mistaken_for_a_part_of_it() {
        // cmp qword [rip + x], 0; mov qword [rip + x], 0; movups [rip + x], xmm0; lock cmpxchg [rip + x], rcx.
        let forms: [(&[u8], &[u8]); 4] = [
            (&[0x48, 0x83, 0x3d], &[0]),
            (&[0x48, 0xc7, 0x05], &[0; 4]),
            (&[0x0f, 0x11, 0x05], &[]),
            (&[0xf0, 0x48, 0x0f, 0xb1, 0x0d], &[]),
        ];
        for (before, behind) in forms {
            let private =
                found(&[("runtime.f", before, behind, 0x90_0010), ("main.f", before, behind, 0x90_0018)]);
            assert_eq!(own(&private, 0x90_0008), [false, true, false, false, false], "{before:x?}");
        }
    }

    #[test]
    fn code_that_cannot_be_read_may_use_everything() {
        let text = TEXT..TEXT + 4096;
        let private = Private::find(&[DATA], &[text], &CapturedMemory::new(), &|_| None);
        assert!(DATA.step_by(8).all(|at| !private.holds(at)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_as_code(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..4000)) {
            let text = TEXT..TEXT + bytes.len() as u64;
            let mut memory = CapturedMemory::new();
            memory.insert(Address(TEXT), bytes);
            let private = Private::find(&[DATA], &[text], &memory, &|at| Some((at..at, Users::Others)));
            proptest::prop_assert!(DATA.step_by(8).all(|at| !private.holds(at)));
        }
    }
}
