//! Is the demo map in this file: all four functions and the registry are exported by it.

use super::{hooks, registry};
use crate::audit::unit::Address;
use crate::target::module::Module;

/// The variable that lists all maps.
const REGISTRY: &str = "demo_map_registry";

/// What was recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where the registry is.
    pub(super) registry: Address,
    /// The layout's version, where the file says it before the program runs.
    pub(super) version: Option<String>,
    /// What it was recognised by.
    pub(super) evidence: String,
}

pub(super) fn recognise(module: &Module) -> Option<Found> {
    if !hooks::SYMBOLS.iter().all(|name| module.symbol(name).is_some()) {
        return None;
    }
    let place = module.symbol(REGISTRY)?;
    let initial = place.file_offset.map(|at| module.bytes_at_file_offset(at, registry::BYTES));
    let version = initial.and_then(Result::ok).and_then(|bytes| registry::version(&bytes));
    let evidence = format!("{REGISTRY} and {} in {}", hooks::SYMBOLS.join(", "), module.path().display());
    Some(Found { registry: place.address, version: version.map(|number| number.to_string()), evidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Pid;
    use crate::runtimes::{Runtime as _, demo::Demo};
    use crate::target::memory::CapturedMemory;
    use crate::target::module::modules;

    macro_rules! exported {
        ($($name:ident = $value:literal,)*) => { $(
            #[unsafe(no_mangle)]
            extern "C" fn $name() -> u64 { std::hint::black_box($value) }
        )* };
    }
    // Each with a body of its own: the compiler makes one function of equal ones.
    exported! { demo_map_allocate = 1, demo_map_grow = 2, demo_map_evacuate = 3, demo_map_free = 4, }

    #[unsafe(no_mangle)]
    static demo_map_registry: [u64; 4] = [0x5952_5453_4947_4552, 128 << 32 | 1, 0, 0];

    /// Calls what the linker would throw away otherwise.
    fn keep() -> u64 {
        let functions =
            std::hint::black_box([demo_map_allocate, demo_map_grow, demo_map_evacuate, demo_map_free]);
        functions.iter().map(|function| function()).sum::<u64>() + std::hint::black_box(demo_map_registry)[3]
    }

    #[test]
    fn a_program_with_all_five_symbols_is_recognised_and_a_library_without_is_not() {
        assert_eq!(keep(), 10);
        let modules = modules(Pid(std::process::id())).unwrap();
        let (program, libraries) = modules.split_first().unwrap();
        let found = recognise(program).unwrap();
        assert_eq!(found.registry, Address(std::ptr::from_ref(&demo_map_registry) as u64));
        assert_eq!(found.version.as_deref(), Some("1"));
        assert!(found.evidence.contains("demo_map_free"));
        assert!(!libraries.is_empty());
        assert!(libraries.iter().all(|library| Demo.recognise(library, &CapturedMemory::new()).is_none()));
    }
}
