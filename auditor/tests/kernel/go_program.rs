//! What is read of Go programs themselves, of many releases and built in many ways: functions, frames and
//! types, against their symbol tables, their debug information and what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use auditor::audit::unit::{Address, Pid};
use auditor::target::elf::Elf;
use auditor::target::elf::Kind;
use auditor::target::go::program::Program;
use auditor::target::launch::{self, Output};
use auditor::target::memory::LiveMemory;
use auditor::target::module::{Module, modules};
use auditor::target::process::Process;
use auditor::target::symbolise::Symboliser;

use crate::harness::go::{self, Go, VARIANTS, Variant, toolchains};
use crate::harness::{Scene, rows, text};

/// A program that has been looked at.
struct Seen {
    program: Program,
    module: Module,
    memory: LiveMemory,
}

fn look(pid: u32) -> Seen {
    let process = Process::open(Pid(pid)).unwrap();
    let memory = LiveMemory::of(&process);
    let module = modules(Pid(pid)).unwrap().into_iter().find(Module::is_main).unwrap();
    let program = Program::recognise(&module, &memory).unwrap().unwrap();
    Seen { program, module, memory }
}

impl Seen {
    fn map_types(&self) -> BTreeSet<String> {
        let types = self.program.types(&self.memory).unwrap();
        types.maps().iter().map(|map| types.name(map.at).unwrap()).collect()
    }
}

fn each_build(mut each: impl FnMut(&Go, Variant)) {
    for go in toolchains() {
        VARIANTS.into_iter().filter(|variant| go.offers(*variant)).for_each(|variant| each(&go, variant));
    }
}

/// The functions of Go code in a symbol table, by name. Those written in assembly bear an ending there, and
/// a wrapper bears their name; where a profile has a function inlined in several places, each has its own closures of
/// one name.
fn functions(elf: &Elf) -> BTreeMap<String, Range<u64>> {
    let functions = elf.symbols().filter(|symbol| symbol.kind == Kind::Function);
    let named =
        functions.map(|symbol| (symbol.name.into_owned(), symbol.address..symbol.address + symbol.size));
    let mut all: BTreeMap<String, Range<u64>> = BTreeMap::new();
    let mut many = BTreeSet::new();
    for (name, range) in named {
        if all.insert(name.clone(), range).is_some() {
            many.insert(name);
        }
    }
    let is_go = |name: &str| name.starts_with("main.") || name.starts_with("runtime.");
    let has_wrapper = |name: &str| all.contains_key(&format!("{name}.abi0"));
    let edges = ["runtime.text", "runtime.etext"];
    let chosen = all.iter().filter(|(name, _)| {
        is_go(name)
            && !many.contains(*name)
            && !name.ends_with(".abi0")
            && !has_wrapper(name)
            && !edges.contains(&name.as_str())
    });
    chosen.map(|(name, range)| (name.clone(), range.clone())).collect()
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn functions_are_where_the_symbol_table_says() {
    for go in toolchains() {
        let mut symbols = BTreeMap::new();
        for variant in [Variant::Plain, Variant::Stripped, Variant::Pgo] {
            if !go.offers(variant) {
                continue;
            }
            let scene = Scene::new();
            let running = go::Program::start(&scene, &go.build(variant), &["grow"]);
            let Seen { mut program, module, .. } = look(running.pid());
            let is_stripped = variant == Variant::Stripped;
            if !is_stripped {
                symbols = functions(module.elf().unwrap());
            }
            let names: Vec<&str> = symbols.keys().map(String::as_str).collect();
            assert!(names.len() > 1000, "{} functions", names.len());
            program.locate(&names, &[]).unwrap();
            for (name, range) in &symbols {
                let found = program.function(name).map(|function| function.address);
                assert_eq!(found, Some(Address(range.start)), "{} {variant:?} {name}", go.release);
            }
            assert_eq!(module.symbol("runtime.main").is_none(), is_stripped);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_function_without_a_body_of_its_own_is_inlined_somewhere() {
    let names = [
        "runtime.hashGrow",
        "runtime.evacuate_fast64",
        "internal/runtime/maps.(*table).split",
        "internal/runtime/maps.(*table).rehash",
        "internal/runtime/maps.(*table).grow",
    ];
    for go in toolchains().iter().filter(|go| go.offers(Variant::Pgo)) {
        let scene = Scene::new();
        let running = go::Program::start(&scene, &go.build(Variant::Pgo), &["grow"]);
        let Seen { mut program, module, .. } = look(running.pid());
        program.locate(&names, &["runtime.", "internal/runtime/maps."]).unwrap();
        let prefix = if go.is_swiss() { "internal/" } else { "runtime." };
        for name in names.into_iter().filter(|name| name.starts_with(prefix)) {
            let (has_symbol, has_body) = (module.symbol(name).is_some(), program.function(name).is_some());
            assert_eq!(has_symbol, has_body, "{} {name}", go.release);
            assert!(has_body || program.is_inlined(name), "{} {name} is nowhere", go.release);
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn frames_are_those_of_the_debug_information() {
    for go in toolchains() {
        for variant in [Variant::Plain, Variant::Pgo].into_iter().filter(|variant| go.offers(*variant)) {
            let scene = Scene::new();
            let running = go::Program::start(&scene, &go.build(variant), &["grow"]);
            let Seen { program, module, .. } = look(running.pid());
            let functions = functions(module.elf().unwrap());
            let chosen =
                functions.iter().filter(|(name, _)| name.contains("map") || name.starts_with("main."));
            let addresses: Vec<Address> = chosen
                .flat_map(|(_, range)| {
                    [3, 17, 40, 90, 150, 220, 300].map(|step| range.start + step).map(|at| (at, range))
                })
                .filter_map(|(at, range)| range.contains(&at).then_some(Address(at)))
                .collect();
            let mut names = Symboliser::new();
            let mut inlined = 0;
            for at in &addresses {
                let Some(ours) = program.frames(*at) else { continue };
                // Some releases tell where the compiler's own functions come from; that is nowhere.
                let theirs = names.frames(Pid(running.pid()), &[*at], &|_| None);
                let theirs: Vec<String> =
                    theirs.iter().map(|frame| frame.replace(" (<autogenerated>:1)", "")).collect();
                assert_eq!(ours, theirs, "{} {variant:?} {at}", go.release);
                inlined += usize::from(ours.len() > 1);
            }
            assert!(inlined > 20, "{inlined} of {} addresses are in inlined functions", addresses.len());
        }
    }
}

#[test]
#[ignore = "needs root: cargo xtask test"]
fn the_types_of_a_programs_maps_are_found_by_name() {
    each_build(|go, variant| {
        let scene = Scene::new();
        let running = go::Program::start(&scene, &go.build(variant), &["shapes"]);
        let found = look(running.pid()).map_types();
        for map in rows(&running.truth, "/maps") {
            let name = text(map, "/type");
            assert!(found.contains(name), "{} {variant:?}: {name} is not among {found:?}", go.release);
        }
    });
}

/// Its loader has not run, so a position-independent program has no address yet that is right.
#[test]
#[ignore = "needs root: cargo xtask test"]
fn a_program_held_at_its_first_instruction_is_understood_as_one_that_runs() {
    const NAME: &str = "main.fillInts";
    each_build(|go, variant| {
        let scene = Scene::new();
        let path = go.build(variant);
        let running = go::Program::start(&scene, &path, &["grow"]);
        let mut held = launch::hold(&path.into(), &["grow".into()], Output::Nowhere).unwrap();
        let [mut before, mut later] = [held.pid().0, running.pid()].map(look);
        assert_eq!(before.map_types(), later.map_types(), "{} {variant:?}", go.release);
        let offsets = [&mut before, &mut later].map(|seen| {
            seen.program.locate(&[NAME], &[]).unwrap();
            let found = seen.program.function(NAME).unwrap();
            assert_eq!(seen.program.function_at(found.address).as_deref(), Some(NAME));
            (found.file_offset, found.size, seen.program.function_count())
        });
        assert_eq!(offsets[0], offsets[1], "{} {variant:?}", go.release);
        held.end();
    });
}
