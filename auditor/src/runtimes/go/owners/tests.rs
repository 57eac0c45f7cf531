//! The search as a whole, in a made process.

use proptest::prelude::*;

use super::made::{ARENA, ARENAS, HEAP, STACKS, TEXT, TYPES, Torn, World, layout, wanted};
use super::private::Private;
use super::scene::Wanted;
use crate::audit::unit::Address;
use crate::target::go::types::Kind;

fn told(reachable: Option<bool>, name: &str, of: Option<&str>) -> (Option<bool>, String, Option<String>) {
    (reachable, name.to_owned(), of.map(str::to_owned))
}

/// A world with a run of headers and a map type, `map[int]*int`.
fn world() -> (World, u64, Address) {
    let mut world = World::with_bitmaps();
    let headers = world.run(48, 160);
    let number = world.types.number();
    let pointer = world.types.pointer(number);
    let map = world.types.map(number, pointer);
    world.goroutine(4, 0, &[0]);
    (world, headers, map)
}

#[test]
fn a_map_that_a_variable_holds_is_called_by_the_variable() {
    let (mut world, headers, _) = world();
    world.variable("main.other", &[0]);
    world.variable("main.cache", &[headers + 48]);
    world.variable("main.state", &[0, 0, headers + 96]);
    world.variable("main.any", &[0, headers]);
    assert_eq!(world.told(&wanted(headers + 48)), told(Some(true), "main.cache", None));
    assert_eq!(world.told(&wanted(headers + 96)), told(Some(true), "main.state+16", None));
    assert_eq!(world.told(&wanted(headers)), told(Some(true), "main.any", None));
}

#[test]
fn a_map_that_nothing_holds_waits_for_the_collector() {
    let (mut world, headers, _) = world();
    let holders = world.run(16, 500);
    world.put(holders, holders + 16).put(holders + 16, holders).put(holders + 24, headers);
    assert_eq!(world.told(&wanted(headers)), told(Some(false), "", None));
}

#[test]
fn what_could_not_be_read_leaves_it_open_whether_anything_holds_a_map() {
    let (mut world, headers, _) = world();
    let holders = world.run(16, 512);
    world.variable("main.cache", &[headers]);
    let torn = Torn(world.memory(), holders..holders + 8);
    let found = world.find(&[wanted(headers), wanted(headers + 48)], &torn);
    assert_eq!(found.of.iter().next().unwrap().reachable, Some(true));
    assert_eq!(found.of.iter().nth(1).unwrap().reachable, None);
    let note =
        "8192 bytes of the heap could not be read: whether anything holds a map is not known of all maps";
    assert_eq!(found.notes, [note]);
}

#[test]
fn a_struct_is_told_by_its_size_and_by_where_its_map_is() {
    let (mut world, headers, map) = world();
    let number = world.types.number();
    let text = world.types.add("string", 16, Kind::String);
    let inner = world.types.structure("main.Inner", &[("Hits", number), ("Idx", map)]);
    world.types.structure("main.Cache", &[("Name", text), ("Inner", inner), ("Last", number)]);
    world.types.structure("main.Other", &[("Idx", map), ("Name", text), ("A", number), ("B", number)]);
    let objects = world.run(48, 160);
    world.point(objects, 0x70_0000).put(objects + 8, 5).point(objects + 24, headers);
    world.variable("main.cache", &[objects]);
    let name = "main.cache -> (main.Cache).Inner.Idx";
    assert_eq!(world.told(&wanted(headers)), told(Some(true), name, Some("map[int]*int")));
    // Another one of the same shape: it could be either.
    world.types.structure("main.Twin", &[("Name", text), ("Inner", inner), ("Last", number)]);
    let name = "main.cache -> (48 bytes)+24";
    assert_eq!(world.told(&wanted(headers)), told(Some(true), name, None));
}

#[test]
fn the_runtime_s_note_of_what_is_a_pointer_tells_structs_apart() {
    let (mut world, headers, map) = world();
    let number = world.types.number();
    let pointer = world.types.pointer(number);
    world.types.structure("main.Plain", &[("A", number), ("M", map)]);
    world.types.structure("main.Linked", &[("P", pointer), ("M", map)]);
    let objects = world.run(16, 500);
    world.point(objects + 8, headers);
    world.point(objects + 16, 0).point(objects + 24, headers + 48);
    world.variable("main.plain", &[objects]);
    world.variable("main.linked", &[objects + 16]);
    let of = Some("map[int]*int");
    assert_eq!(world.told(&wanted(headers)), told(Some(true), "main.plain -> (main.Plain).M", of));
    assert_eq!(world.told(&wanted(headers + 48)), told(Some(true), "main.linked -> (main.Linked).M", of));
}

#[test]
fn many_maps_in_a_slice_share_one_name() {
    let (mut world, headers, _) = world();
    let slice = world.run(512, 15);
    for number in 0..64 {
        world.point(slice + 8 * number, headers + 48 * number);
    }
    world.variable("main.small", &[slice, 64, 64]);
    let all: Vec<_> = (0..64).map(|number| wanted(headers + 48 * number)).collect();
    let found = world.find(&all, &world.memory());
    assert_eq!(found.names, ["main.small[...]"]);
    assert!(found.of.iter().all(|owner| owner.name == Some(0) && owner.reachable == Some(true)));
}

#[test]
fn a_map_in_a_map_is_an_element_of_it_and_of_the_type_that_elements_are() {
    let (mut world, headers, map) = world();
    let number = world.types.number();
    let user = world.types.structure("main.User", &[("Id", number), ("Tags", map)]);
    let outer = world.types.map(number, user);
    let of = [outer];
    let known = world.types.maps_of(outer);
    let directory = world.run(16, 500);
    let tables = world.run(32, 250);
    let groups = world.typed(1024, 8);
    world.point(headers + 16, directory).point(directory, tables).point(tables + 16, groups + 8);
    world.put(groups, known.bucket.0);
    // The third slot of the second group.
    let second = groups + 8 + known.bucket_size;
    world.put(second + 8 + 2 * 24 + 16, headers + 48);
    world.variable("main.users", &[headers]);
    let outer = Wanted { types: &of, has_tables: true, ..wanted(headers) };
    let found = world.find(&[outer, wanted(headers + 48)], &world.memory());
    assert_eq!(found.names, ["main.users", "main.users[...].Tags"]);
    assert_eq!(found.of.iter().nth(1).unwrap().type_at, Some(map));
}

#[test]
fn an_interface_says_what_it_holds() {
    let (mut world, headers, map) = world();
    let number = world.types.number();
    let holder = world.types.structure("main.Holder", &[("A", number), ("B", number), ("M", map)]);
    world.types.structure("main.Twin", &[("A", number), ("B", number), ("M", map)]);
    let pointer = world.types.pointer(holder);
    let objects = world.run(24, 300);
    world.point(objects + 16, headers);
    world.variable("main.any", &[pointer.0, objects]);
    let name = "main.any -> (main.Holder).M";
    assert_eq!(world.told(&wanted(headers)), told(Some(true), name, Some("map[int]*int")));
}

#[test]
fn a_map_beside_its_type_is_of_that_type() {
    let (mut world, headers, map) = world();
    let boxes = world.run(16, 500);
    world.put(boxes, map.0).point(boxes + 8, headers);
    world.variable("main.boxes", &[boxes]);
    world.variable("main.any", &[map.0, headers + 48]);
    for at in [headers, headers + 48] {
        assert_eq!(world.told(&wanted(at)).2.as_deref(), Some("map[int]*int"));
    }
}

#[test]
fn a_map_is_of_the_only_type_that_has_pointers_where_its_group_has_them() {
    for is_behind_pointers in [false, true] {
        let (mut world, headers, _) = world();
        let number = world.types.number();
        let text = world.types.add("string", 16, Kind::String);
        let both = [world.types.map(number, text), world.types.map(text, number)];
        let groups = world.run(208, 39);
        for slot in 0..8 {
            world.point(groups + 8 + 24 * slot + 8, 0).point(groups + 208 + 8 + 24 * slot, 0);
        }
        // Nothing is noted of the third one's group.
        let maps = [0, 1, 2].map(|map| {
            world.point(headers + 48 * map + 16, groups + 208 * map);
            headers + 48 * map
        });
        if is_behind_pointers {
            // Of a few pointers in one object, each may be to a map of another type.
            let holder = world.run(48, 160);
            (0..6).for_each(|word| _ = world.point(holder + 8 * word, maps[word as usize % 3]));
            world.variable("main.holder", &[holder]);
        } else {
            world.variable("main.maps", &maps);
        }
        let found = world.find(&maps.map(|at| Wanted { types: &both, ..wanted(at) }), &world.memory());
        let types: Vec<_> = found.of.iter().map(|owner| owner.type_at).collect();
        assert_eq!(types, [Some(both[0]), Some(both[1]), None], "{is_behind_pointers}");
    }
}

#[test]
fn a_list_of_any_length_has_two_classes() {
    let (mut world, headers, map) = world();
    let next = world.types.add("*main.Node", 8, Kind::Plain);
    let node = world.types.structure("main.Node", &[("Next", next), ("M", map)]);
    world.types.redefine(next, Kind::Pointer(node));
    let nodes = world.run(16, 500);
    for number in 0..100 {
        let at = nodes + 16 * number;
        world.point(at, if number < 99 { at + 16 } else { 0 });
        world.point(at + 8, if number % 9 == 0 { headers + 48 * number } else { 0 });
    }
    world.variable("main.list", &[nodes]);
    let all: Vec<_> = (0..100).step_by(9).map(|number| wanted(headers + 48 * number)).collect();
    let found = world.find(&all, &world.memory());
    let names = ["main.list -> (main.Node).M", "main.list -> (main.Node).Next -> (main.Node).M"];
    assert_eq!(found.names, names);
    assert!(found.of.iter().all(|owner| owner.type_at == Some(map)));
}

#[test]
fn a_function_holds_what_it_has_captured() {
    let (mut world, headers, _) = world();
    world.frame(TEXT.start + 16, "main.handler.func1", 0, None);
    let functions = world.run(16, 500);
    world.put(functions, TEXT.start + 16).point(functions + 8, headers);
    world.variable("main.handler", &[functions]);
    assert_eq!(
        world.told(&wanted(headers)),
        told(Some(true), "main.handler -> main.handler.func1 (closure)", None)
    );
}

#[test]
fn words_of_a_stack_hold_what_is_needed_still_and_no_more() {
    let (mut world, headers, _) = world();
    let (park, worker) = (TEXT.start + 8, TEXT.start + 64);
    world.frame(park, "runtime.gopark", 16, Some(&[]));
    world.frame(worker, "main.worker", 24, Some(&[8]));
    // Two words and the return address of the runtime's frame; three and the end of the worker's.
    world.goroutine(4, park, &[headers, headers, worker, headers + 48, headers + 96, headers + 48, 0]);
    assert_eq!(world.told(&wanted(headers)), told(Some(false), "", None));
    assert_eq!(world.told(&wanted(headers + 48)), told(Some(false), "", None));
    assert_eq!(world.told(&wanted(headers + 96)), told(Some(true), "main.worker (stack)", None));
    let listed = Wanted { bytes: 5000, ..wanted(headers + 96) };
    assert_eq!(world.told(&listed), told(Some(true), "goroutine 2 main.worker (stack)", None));
}

#[test]
fn what_the_stack_of_a_running_goroutine_may_hold_is_left_open() {
    let (mut world, headers, _) = world();
    world.goroutine(2, TEXT.start, &[headers]);
    assert_eq!(world.told(&wanted(headers)), told(None, "(stack)", None));
    assert_eq!(world.told(&wanted(headers + 48)), told(Some(false), "", None));
}

#[test]
fn a_header_on_a_stack_belongs_to_the_frame_it_is_in() {
    let (mut world, _, _) = world();
    world.frame(TEXT.start, "main.run", 24, Some(&[]));
    let begin = world.goroutine(4, TEXT.start, &[1, 2, 3, 0]);
    assert_eq!(world.told(&wanted(begin + 8)), told(Some(true), "main.run (stack)", None));
    assert_eq!(world.told(&wanted(begin - 8)).0, None, "nothing is there");
}

#[test]
fn what_a_finalizer_and_the_object_of_it_lead_to_is_held() {
    let (mut world, headers, _) = world();
    let objects = world.run(16, 500);
    let arena = (HEAP + (1 << 47)) >> 26;
    let of = layout();
    let (span, record) = (0x6200_0000_0000, 0x6300_0000_0000);
    let specials = ARENA + of.heap.spans_of_arena as u64 + 65_536 + 2048;
    let page = (objects - HEAP) / 8192;
    world.put(ARENAS + 8 * arena, ARENA);
    (0..1024).step_by(8).for_each(|byte| {
        world.put(specials + byte, 0);
    });
    world.put(specials, 1 << page);
    world.put(ARENA + of.heap.spans_of_arena as u64 + 8 * page, span);
    world.put(span + of.span.limit as u64 + 16, record);
    // The second object has a finalizer: the function, a number, two types.
    let types = TYPES.start + 64;
    for (number, word) in [0, 16, 2, headers, 8, types, types].into_iter().enumerate() {
        world.put(record + 8 * number as u64, word);
    }
    world.point(objects + 16, headers + 48);
    let name = told(Some(true), "(finalizer)", None);
    assert_eq!(world.told(&wanted(headers)), name);
    assert_eq!(world.told(&wanted(headers + 48)), name);
    assert_eq!(world.told(&wanted(headers + 96)).0, Some(false));
}

#[test]
fn a_variable_without_a_name_goes_by_who_uses_it() {
    let (mut world, headers, _) = world();
    let variable = world.variable("main.cache", &[headers]);
    let other = world.variable("main.other", &[headers + 48]);
    world.is_stripped = true;
    let code = TEXT.start + 0x103;
    world.frame(code, "main.handle", 0, None);
    let mut bytes = vec![0x90; (TEXT.end - TEXT.start) as usize];
    bytes[0x100..0x103].copy_from_slice(&[0x48, 0x8b, 0x1d]);
    bytes[0x103..0x107].copy_from_slice(&((variable - code - 4) as u32).to_le_bytes());
    let mut memory = world.memory();
    memory.insert(Address(TEXT.start), bytes);
    let found = world.find(&[wanted(headers), wanted(headers + 48)], &memory);
    assert_eq!(found.names, ["global used by main.handle".to_owned(), format!("{other:#x} (data)")]);
}

#[test]
fn a_left_over_of_the_runtime_holds_no_map_that_the_program_holds_and_any_other() {
    let (mut world, headers, _) = world();
    let objects = world.run(16, 500);
    world.put(objects, headers);
    let left_over = world.variable("runtime.work", &[headers, headers + 48]);
    let variable = world.variable("main.caches", &[objects]);
    world.is_stripped = true;
    let both = [wanted(headers), wanted(headers + 48)];
    let direct = [format!("{left_over:#x} (data)"), format!("{:#x} (data)", left_over + 8)];
    assert_eq!(world.find(&both, &world.memory()).names, direct);
    world.private = Private::made(left_over..left_over + 16);
    let found = world.find(&both, &world.memory());
    let of: Vec<_> = found.of.iter().map(|owner| &found.names[owner.name.unwrap()]).collect();
    assert!(of[0].starts_with(&format!("{variable:#x} (data)")), "{of:?}");
    assert_eq!(of[1], &direct[1], "reachable all the same");
}

#[test]
fn names_stay_short() {
    let (mut world, headers, map) = world();
    let long = "x".repeat(10_000);
    let number = world.types.number();
    world.types.structure(&long, &[(&long, number), (&long, map)]);
    let objects = world.run(16, 500);
    world.point(objects + 8, headers);
    world.variable("main.cache", &[objects]);
    let (_, name, of) = world.told(&wanted(headers));
    assert!(name.starts_with("main.cache") && name.len() < 800, "{}", name.len());
    assert!(of.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_the_heap_and_the_stacks_hold_the_search_ends_and_says_what_it_knows(
        words in proptest::collection::vec((0_u64..2048, prop_oneof![
            (0_u64..2048).prop_map(|word| HEAP + 8 * word),
            (0_u64..4096).prop_map(|word| TYPES.start + 8 * word),
            (0_u64..512).prop_map(|word| TEXT.start + 8 * word),
            (0_u64..512).prop_map(|word| STACKS + 8 * word),
            any::<u64>(),
        ]), 0..400),
        sizes in proptest::collection::vec(0_usize..5, 2..5),
        status in 0_u32..12,
    ) {
        let mut world = World::with_bitmaps();
        let number = world.types.number();
        let pointer = world.types.pointer(number);
        let map = world.types.map(number, pointer);
        world.types.structure("main.A", &[("P", pointer), ("M", map)]);
        for size in sizes {
            let (element, count) = [(16, 500), (48, 160), (1024, 8), (8192, 2), (32, 250)][size];
            if size == 2 { world.typed(element, count) } else { world.run(element, count) };
        }
        let stack: Vec<u64> = words.iter().take(50).map(|(_, word)| *word).collect();
        world.goroutine(1, TEXT.start, &[0]);
        world.goroutine(status, TEXT.start + 8, &stack);
        world.frame(TEXT.start + 8, "main.f", 16, None);
        for (at, word) in &words {
            world.put(HEAP + 8 * at, *word);
        }
        let globals: Vec<u64> = words.iter().rev().take(20).map(|(_, word)| *word).collect();
        world.variable("main.x", &globals);
        let all: Vec<_> = (0..300).map(|number| wanted(HEAP + 16 * number)).collect();
        let found = world.find(&all, &world.memory());
        prop_assert_eq!(found.of.len(), all.len());
        world.is_one_handed = true;
        prop_assert_eq!(&world.find(&all, &world.memory()), &found, "one hand finds what two find");
        prop_assert!(found.names.iter().all(|name| name.len() < 3000));
        for owner in found.of.iter() {
            prop_assert!(owner.name.is_none_or(|name| name < found.names.len()));
            prop_assert!(owner.name.is_none() || owner.reachable != Some(false));
        }
    }
}
