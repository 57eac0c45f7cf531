//! Who writes a map: the functions of the runtime that every write goes through, hooked for a moment and for
//! one map. They are called once for each write to any map, so nobody hooks them without being asked.
//!
//! | function | arguments | releases |
//! |---|---|---|
//! | `runtime.mapassign`, `_fast32`, `_fast32ptr`, `_fast64`, `_fast64ptr`, `_faststr` | t, m, key | all |
//! | `runtime.mapdelete`, `_fast32`, `_fast64`, `_faststr` | t, m, key | all |
//! | `runtime.mapclear` | t, m | all |
//!
//! The compiler calls these names for classic and for Swiss maps alike (src/cmd/compile/internal/typecheck/
//! _builtin/runtime.go, 1.19 to 1.27); of Swiss maps the bodies are in src/internal/runtime/maps/
//! runtime_*_swiss.go, linked under these names. A function that a program does not call is not in it.

use auditor_ebpf::source::{R14, RBX};

use crate::audit::unit::Address;
use crate::runtimes::hook::{
    Capture, Does, Filter, Header, Heat, Hook, Nulls, Spot, Stack, WRITER, Watch, When,
};

/// Each with the name of its hook.
const FUNCTIONS: [(&str, &str); 11] = [
    ("go_write_assign", "runtime.mapassign"),
    ("go_write_assign_fast32", "runtime.mapassign_fast32"),
    ("go_write_assign_fast32ptr", "runtime.mapassign_fast32ptr"),
    ("go_write_assign_fast64", "runtime.mapassign_fast64"),
    ("go_write_assign_fast64ptr", "runtime.mapassign_fast64ptr"),
    ("go_write_assign_faststr", "runtime.mapassign_faststr"),
    ("go_write_delete", "runtime.mapdelete"),
    ("go_write_delete_fast32", "runtime.mapdelete_fast32"),
    ("go_write_delete_fast64", "runtime.mapdelete_fast64"),
    ("go_write_delete_faststr", "runtime.mapdelete_faststr"),
    ("go_write_all", "runtime.mapclear"),
];

/// The functions.
pub fn symbols() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(_, symbol)| *symbol)
}

/// Hooks of every write to a map. `number` is where a goroutine (`g`, in R14 wherever Go code runs: src/cmd/
/// compile/abi-internal.md) keeps its number; `is_there` whether the program has a function.
#[must_use]
pub fn all(map: Address, number: usize, is_there: impl Fn(&str) -> bool) -> Vec<Hook> {
    let Some(number) = steps(number) else { return Vec::new() };
    let there = FUNCTIONS.iter().filter(|(_, symbol)| is_there(symbol));
    there.map(|(name, symbol)| hook(name, symbol, map, number)).collect()
}

/// `goid` in `g` (src/runtime/runtime2.go): at 152, but at 160 in 1.23 and 1.24.
fn steps(number: usize) -> Option<&'static [i64]> {
    match number {
        152 => Some(&[152]),
        160 => Some(&[160]),
        _ => None,
    }
}

fn hook(name: &'static str, symbol: &str, map: Address, number: &'static [i64]) -> Hook {
    let mut captures = vec![Capture::register(RBX)];
    captures.insert(WRITER, Capture::load(R14, number, 8));
    Hook {
        name: name.into(),
        spot: Spot::Function(symbol.to_owned()),
        when: When::Entry,
        heat: Heat::Asked,
        does: Does::Send,
        // The caller comes with each hit; to walk on would take longer than the rest together.
        stack: Stack::Leave,
        key: 0,
        watch: Watch::No,
        header: Header::No,
        filter: Some(Filter::only(0, map.0)),
        nulls: Nulls::Lose,
        captures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::go::layouts::LAYOUTS;

    #[test]
    fn every_release_says_where_a_goroutine_has_its_number() {
        for layout in LAYOUTS {
            let hooks = all(Address(0x10), layout.goroutine.id, |_| true);
            assert_eq!(hooks.len(), FUNCTIONS.len(), "{:?}", layout.release);
        }
        assert!(all(Address(0x10), 7, |_| true).is_empty(), "a guess is no number");
    }

    #[test]
    fn a_write_to_another_map_never_leaves_the_kernel_and_a_function_that_is_not_there_is_not_missed() {
        let hooks = all(Address(0xc000), 152, |name| name == "runtime.mapassign_fast64");
        let [hook] = hooks.as_slice() else { panic!("{hooks:?}") };
        let filter = hook.filter.clone().unwrap();
        assert_eq!((filter.at_least, filter.at_most), (0xc000, 0xc000));
        assert_eq!(hook.captures[filter.capture], Capture::register(RBX));
        assert_eq!(hook.captures[WRITER], Capture::load(R14, &[152], 8));
    }
}
