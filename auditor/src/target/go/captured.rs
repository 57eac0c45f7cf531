//! Tests with pieces of real programs: what is read from them is what their debug information says, and
//! whatever is changed in them, reading ends and does not panic.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::build_info::BuildInfo;
use super::functions::{Functions, Places};
use super::layouts::nearest;
use super::module_data::{self, ModuleData};
use super::types::{Maps, Types};
use super::{GoError, Release, checks};
use crate::audit::unit::Address;
use crate::target::memory::CapturedMemory;
use crate::target::module::FileBytes;

/// A captured program; see auditor/tests/data/go/README.md.
#[derive(Clone, Debug)]
struct Captured {
    minor: u32,
    /// Bytes of the function table, where code, the table of contents and types begin, bytes of types.
    places: [u64; 5],
    /// Address, frame size, frames.
    frames: Vec<(u64, u64, Vec<String>)>,
    edges: Vec<u64>,
    maps: Vec<(Address, String)>,
    pieces: BTreeMap<String, Vec<(usize, Vec<u8>)>>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

fn captured(minor: u32) -> Captured {
    let text = match minor {
        19 => include_str!("../../../tests/data/go/1.19.txt"),
        _ => include_str!("../../../tests/data/go/1.27.txt"),
    };
    let mut program = Captured {
        minor,
        places: [0; 5],
        frames: Vec::new(),
        edges: Vec::new(),
        maps: Vec::new(),
        pieces: BTreeMap::new(),
    };
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (kind, rest) = line.split_once(' ').unwrap();
        let words: Vec<&str> = rest.split(' ').collect();
        match kind {
            "places" => program.places = std::array::from_fn(|index| hex(words[index])),
            "module" if words.len() > 2 => program.edges = words.into_iter().map(hex).collect(),
            "map" => program.maps.push((Address(hex(words[0])), rest.split_once(' ').unwrap().1.to_owned())),
            "frames" => {
                let frames = rest.splitn(3, ' ').nth(2).unwrap();
                let frames = frames.split(" <- ").map(str::to_owned).collect();
                program.frames.push((hex(words[0]), words[1].parse().unwrap(), frames));
            }
            _ => {
                let bytes = (0..words[1].len()).step_by(2).map(|at| hex(&words[1][at..at + 2]) as u8);
                let piece = (hex(words[0]) as usize, bytes.collect());
                program.pieces.entry(kind.to_owned()).or_default().push(piece);
            }
        }
    }
    program
}

impl Captured {
    fn part(&self, name: &str, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        for (at, piece) in &self.pieces[name] {
            bytes[*at..*at + piece.len()].copy_from_slice(piece);
        }
        bytes
    }

    fn release(&self) -> Release {
        Release { major: 1, minor: self.minor }
    }

    fn maps_kind(&self) -> Maps {
        if self.minor < 24 { Maps::Buckets } else { Maps::Swiss }
    }

    /// The function table, and function data behind it.
    fn functions(&self) -> Result<Functions, GoError> {
        let [size, text, ..] = self.places;
        let data = self.pieces["function-data"].iter().map(|(at, piece)| at + piece.len()).max().unwrap();
        let file = [self.part("table", size as usize), self.part("function-data", data)].concat();
        let places = Places { table: 0, size, text, function_data: Some(size) };
        Functions::read(FileBytes::captured(file), places)
    }

    fn memory(&self) -> CapturedMemory {
        let mut memory = CapturedMemory::new();
        memory.insert(Address(self.places[2]), self.part("module", 608));
        memory
    }

    fn modules(&self) -> Result<Vec<ModuleData>, GoError> {
        module_data::chain(Address(self.places[2]), nearest(self.release()), &self.memory())
    }

    fn types(&self) -> Result<Types, GoError> {
        let [_, _, _, start, len] = self.places;
        let bytes = self.part("types", len as usize);
        let mut memory = CapturedMemory::new();
        memory.insert(Address(start), bytes);
        let read = |at: Address, into: &mut [u8]| {
            use crate::target::memory::Memory as _;
            memory.read(at, into).map_err(|error| GoError::Memory { what: "types", error })
        };
        Types::read(&self.modules()?, nearest(self.release()), self.maps_kind(), read)
    }

    fn build(&self) -> Result<BuildInfo, GoError> {
        BuildInfo::parse(&self.pieces["build"][0].1)
    }
}

#[test]
fn frames_and_their_sizes_are_what_the_debug_information_says() {
    for program in [captured(19), captured(27)] {
        let functions = program.functions().unwrap();
        assert!(program.frames.iter().any(|(_, _, frames)| frames.len() == 3));
        for (pc, size, frames) in &program.frames {
            assert_eq!(functions.frame_size(*pc), Some(*size), "{pc:x}");
            let named = functions.frames(*pc).into_iter().map(|frame| {
                let (file, line) = frame.line.unwrap();
                format!("{} ({file}:{line})", frame.function)
            });
            assert_eq!(named.collect::<Vec<_>>(), *frames, "{pc:x}");
        }
    }
}

#[test]
fn a_function_that_lost_its_body_to_a_profile_is_found_where_it_is_inlined() {
    const SPLIT: &str = "internal/runtime/maps.(*table).split";
    const REHASH: &str = "internal/runtime/maps.(*table).rehash";
    let functions = captured(27).functions().unwrap();
    let located = functions.locate(&[SPLIT, REHASH], &["internal/runtime/maps."]).unwrap();
    assert_eq!(located.functions.keys().collect::<Vec<_>>(), [REHASH]);
    assert_eq!(located.inlined, BTreeMap::from([(SPLIT.to_owned(), vec![REHASH.to_owned()])]));
    let elsewhere = functions.locate(&[SPLIT], &["main."]).unwrap();
    assert_eq!(elsewhere.inlined, BTreeMap::new());
    let functions = captured(19).functions().unwrap();
    let located = functions.locate(&["runtime.hashGrow", "runtime.nowhere"], &["runtime."]).unwrap();
    let found = located.functions["runtime.hashGrow"];
    assert_eq!(functions.at(found.entry + found.size - 1), Some(found));
    assert_eq!(functions.name_of(&found).as_deref(), Some("runtime.hashGrow"));
    assert_eq!((located.functions.len(), located.inlined.len()), (1, 0));
}

#[test]
fn the_last_function_ends_where_the_table_says() {
    let functions = captured(19).functions().unwrap();
    let (last, ..) = captured(19).frames.into_iter().next_back().unwrap();
    let function = functions.at(last).unwrap();
    assert!(function.size > 0);
    assert_eq!(functions.at(function.entry + function.size), None);
    assert_eq!(functions.at(captured(19).places[1] - 1), None);
}

#[test]
fn the_table_of_contents_has_the_edges_of_the_symbol_table() {
    for program in [captured(19), captured(27)] {
        let modules = program.modules().unwrap();
        assert_eq!(modules.len(), 1);
        let found = &modules[0];
        let ranges = [
            &found.text,
            &found.pointer_free_data,
            &found.data,
            &found.bss,
            &found.pointer_free_bss,
            &found.types,
        ];
        let edges: Vec<u64> = ranges.iter().flat_map(|range| [range.start.0, range.end.0]).collect();
        assert_eq!(edges, program.edges);
        let around = Address(program.places[2] - 64)..Address(program.places[2] + 608);
        let mut memory = program.memory();
        memory.insert(around.start, [0; 64]);
        let layout = nearest(program.release());
        assert_eq!(module_data::search(found.functions, &around, layout, &memory), Some(found.at));
        let other = Address(found.functions.0 + 8);
        assert_eq!(module_data::search(other, &around, layout, &memory), None);
    }
}

#[test]
fn a_file_that_is_not_the_one_in_memory_is_not_believed() {
    let program = captured(19);
    let functions = program.functions().unwrap();
    let mut main = program.modules().unwrap().remove(0);
    // The captured table has fewer rows than the real one.
    main.rows = (main.functions.plus(functions.table().rows_at()).unwrap(), functions.count() as u64 + 1);
    let bytes = program.part("table", program.places[0] as usize);
    let agrees = |changed: Option<usize>| {
        let mut bytes = bytes.clone();
        changed.into_iter().for_each(|at| bytes[at] ^= 1);
        let mut memory = CapturedMemory::new();
        memory.insert(main.functions, bytes);
        checks::file_with_memory(&functions, &main, &memory)
    };
    let rows = functions.table().rows_at() as usize;
    assert_eq!([agrees(None), agrees(Some(24)), agrees(Some(rows + 80))], [const { Ok(()) }; 3]);
    for changed in [0, 40, rows, rows + 8 * functions.count() - 1] {
        assert!(matches!(agrees(Some(changed)), Err(GoError::Disagree { .. })), "{changed}");
    }
    main.rows.1 += 1;
    assert!(checks::file_with_memory(&functions, &main, &CapturedMemory::new()).is_err());
}

#[test]
fn map_types_have_the_names_of_the_debug_information() {
    for program in [captured(19), captured(27)] {
        let types = program.types().unwrap();
        for (at, name) in &program.maps {
            assert_eq!(types.name(*at).as_ref(), Some(name));
            let map = types.map(*at).unwrap();
            let [key, element] = [map.key, map.element].map(|at| types.name(at).unwrap());
            assert_eq!(format!("map[{key}]{element}"), *name);
            assert_eq!(types.map_of_bucket(map.bucket), Some(map));
            assert_eq!(types.get(map.bucket).unwrap().size, map.bucket_size);
        }
        let named = types.maps().iter().filter_map(|map| types.name(map.at));
        assert_eq!(named.collect::<Vec<_>>().len(), types.maps().len(), "nothing else looks like a map type");
    }
}

#[test]
fn the_build_information_is_what_the_program_was_built_with() {
    let build = captured(27).build().unwrap();
    assert_eq!((build.version.as_str(), build.path.as_deref()), ("go1.27.3", Some("truth")));
    assert!(build.setting("-pgo").is_some() && build.setting("-race").is_none());
    assert_eq!(build.setting("GOAMD64"), Some("v1"));
    let build = captured(19).build().unwrap();
    assert_eq!((build.release, build.setting("CGO_ENABLED")), (Some(captured(19).release()), Some("0")));
}

/// Changes bytes of the pieces: which piece, where in it, and to what.
fn change(program: &mut Captured, changes: &[(prop::sample::Index, prop::sample::Index, u8)]) {
    let mut pieces: Vec<&mut Vec<u8>> = program
        .pieces
        .values_mut()
        .flatten()
        .map(|(_, piece)| piece)
        .filter(|piece| !piece.is_empty())
        .collect();
    for (piece, at, byte) in changes {
        let index = piece.index(pieces.len());
        let piece = &mut pieces[index];
        let at = at.index(piece.len());
        piece[at] = *byte;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn whatever_is_changed_reading_ends(
        is_old in any::<bool>(),
        changes in proptest::collection::vec(any::<(prop::sample::Index, prop::sample::Index, u8)>(), 1..40),
    ) {
        let mut program = captured(if is_old { 19 } else { 27 });
        change(&mut program, &changes);
        if let Ok(functions) = program.functions() {
            let _located = functions.locate(&["runtime.gcStart", "runtime.evacuate_fast64"], &[""]);
            for (pc, ..) in &program.frames {
                let _frames = (functions.frames(*pc), functions.frame_size(*pc));
            }
        }
        let _build = program.build();
        if let Ok(types) = program.types() {
            for map in types.maps() {
                let _names = [map.at, map.key, map.element, map.bucket].map(|at| types.name(at));
            }
            for at in types.structs() {
                let _fields = types.fields(at);
            }
        }
    }
}
