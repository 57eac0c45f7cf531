//! The map against the standard library's, and against itself: after every step of any history,
//! what it holds, what its header says and what its tables contain must be the same.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;

fn blueprint(seed: u64, spread: Spread) -> Blueprint {
    Blueprint { name: "tested".into(), room_for: 0, seed, spread }
}

fn even(seed: u64) -> Map {
    Map::new(&blueprint(seed, Spread::Even))
}

/// Everything that must hold between two operations.
fn check(map: &Map) {
    let (walk, header, count) = (map.walk(), map.header(), map.count());
    assert_eq!(walk.live, header.live.get());
    assert_eq!(walk.live, header.inserted.get() - header.removed.get());
    assert_eq!(walk.tombstones, header.tombstones.get());
    assert_eq!(walk.overflow, u64::from(header.overflow.get()));
    assert_eq!(walk.old_overflow, u64::from(header.old_overflow.get()));
    assert_eq!(walk.table_bytes, header.table_bytes.get());
    assert_eq!(walk.old_table_bytes, header.old_table_bytes.get());
    assert_eq!(count.evacuate, header.moved_ever.get());
    assert_eq!(count.double, u64::from(header.doublings.get()));
    assert_eq!(count.same_size, u64::from(header.same_size_growths.get()));
    assert_eq!(count.shrink, u64::from(header.shrinks.get()));
    assert_eq!(count.allocate_bytes - count.free_bytes, walk.table_bytes + walk.old_table_bytes);
    let progress = map.evacuation();
    assert_eq!(progress.is_some(), header.flags.get() & header::flag::EVACUATING != 0);
    assert_eq!(progress.is_some(), header.old_table.get() != 0);
    assert_eq!(progress.map_or(0, |progress| progress.moved), header.moved.get());
    check_chains(map);
}

/// Every entry is where a lookup searches for it, and nothing lives in an empty rest.
fn check_chains(map: &Map) {
    let Some(table) = &map.current else { return };
    for index in 0..table.buckets() {
        let mut at_rest = false;
        for place in table.chain(index).places() {
            assert!(!at_rest || place.top() == top::EMPTY_REST, "an entry behind the end of its chain");
            at_rest |= place.top() == top::EMPTY_REST;
            if place.top() >= top::LEAST {
                let key = place.bucket.key(place.slot);
                let hash = map.hash.of(key);
                assert_eq!((hash & (table.buckets() - 1), top::of(hash)), (index, place.top()));
                assert_eq!(map.get(key), Some(place.bucket.value(place.slot)));
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Insert(u64, u64),
    Remove(u64),
    Get(u64),
    Shrink,
}

fn operation(keys: u64) -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (0..keys, any::<u64>()).prop_map(|(key, value)| Operation::Insert(key, value)),
        4 => (0..keys).prop_map(Operation::Remove),
        2 => (0..keys).prop_map(Operation::Get),
        1 => Just(Operation::Shrink),
    ]
}

fn history() -> impl Strategy<Value = Vec<Operation>> {
    // Few keys: slots are emptied and filled again. Many: it grows, with deletes in the middle.
    prop_oneof![Just(20u64), Just(200), Just(5_000)]
        .prop_flat_map(|keys| prop::collection::vec(operation(keys), 1..600))
}

fn spread() -> impl Strategy<Value = Spread> {
    prop_oneof![Just(Spread::Even), Just(Spread::Clustered)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_history_ends_like_the_standard_librarys(seed: u64, spread in spread(), history in history()) {
        let mut map = Map::new(&blueprint(seed, spread));
        let mut model = HashMap::new();
        for step in history {
            match step {
                Operation::Insert(key, value) => prop_assert_eq!(map.insert(key, value), model.insert(key, value)),
                Operation::Remove(key) => prop_assert_eq!(map.remove(key), model.remove(&key)),
                Operation::Get(key) => prop_assert_eq!(map.get(key), model.get(&key).copied()),
                Operation::Shrink => map.shrink(),
            }
            prop_assert_eq!(map.live(), model.len() as u64);
            check(&map);
        }
        for (key, value) in model.into_iter().collect::<BTreeMap<_, _>>() {
            prop_assert_eq!(map.get(key), Some(value));
        }
    }

    #[test]
    fn a_map_filled_and_emptied_again_and_again_stays_right(seed: u64, size in 1u64..3_000, cycles in 1u64..5) {
        let mut map = even(seed);
        for cycle in 0..cycles {
            (0..size).for_each(|key| { map.insert(key, key ^ cycle); });
            check(&map);
            (0..size).for_each(|key| assert_eq!(map.remove(key), Some(key ^ cycle)));
            check(&map);
        }
        prop_assert_eq!(map.live(), 0);
    }
}

#[test]
fn the_entry_past_six_and_a_half_a_bucket_starts_a_doubling() {
    let mut map = even(1);
    for key in 0..largest_without_growth(10) {
        map.insert(key, key);
    }
    let before = map.count().double;
    assert_eq!((map.walk().capacity, before), (8 << 10, 10));
    map.insert(u64::MAX, 0);
    assert_eq!((map.walk().capacity, map.count().double), (8 << 11, before + 1));
    assert_eq!(map.header().old_log2.get(), 10);
}

#[test]
fn eight_entries_fit_one_bucket_and_nine_do_not() {
    let mut map = even(1);
    (0..8).for_each(|key| assert_eq!(map.insert(key, key), None));
    assert_eq!((map.count().allocate, map.count().double), (1, 0));
    map.insert(8, 8);
    assert_eq!((map.count().allocate, map.count().double), (2, 1));
}

#[test]
fn a_map_with_room_asks_for_one_table_and_does_not_grow() {
    let mut map = Map::new(&Blueprint { room_for: 1_000, ..blueprint(3, Spread::Even) });
    assert_eq!(map.count().allocate, 0, "the first table is asked for by the first insert");
    (0..1_000).for_each(|key| assert_eq!(map.insert(key, key), None));
    assert_eq!((map.count().double, map.walk().capacity), (0, 2048));
    check(&map);
}

#[test]
fn each_write_moves_two_old_buckets_and_each_other_bucket_waits() {
    let mut map = even(1);
    (0..=largest_without_growth(10)).for_each(|key| assert_eq!(map.insert(key, key), None));
    assert_eq!(map.evacuation(), Some(Progress { moved: 2, total: 1024 }));
    (0..100).for_each(|key| assert_eq!(map.insert(key, key), Some(key)));
    let moved = map.evacuation().unwrap().moved;
    assert!((150..=202).contains(&moved), "{moved}");
    (0..1_000).for_each(|key| assert_eq!(map.get(key), Some(key)));
    assert_eq!(map.evacuation().unwrap().moved, moved, "reads move nothing");
    check(&map);
}

#[test]
fn a_window_that_slides_grows_overflow_until_a_growth_to_the_same_size() {
    let mut map = even(9);
    let window = largest_without_growth(9) - 10;
    let (mut most_bytes, mut next) = (0, 0);
    while map.count().same_size == 0 {
        assert!(next < 100 * window, "no growth to the same size came");
        map.insert(next, next);
        if next >= window {
            map.remove(next - window);
        }
        if map.count().same_size == 0 {
            most_bytes = map.walk().table_bytes;
        }
        next += 1;
    }
    while map.evacuation().is_some() {
        map.insert(next - 1, 0);
    }
    check(&map);
    assert_eq!(map.count().double, 9);
    assert!(map.walk().table_bytes * 4 < most_bytes * 3, "{most_bytes} -> {}", map.walk().table_bytes);
}

#[test]
fn tombstones_are_there_only_while_something_lives_behind_them() {
    let mut map = even(1);
    (0..8).for_each(|key| assert_eq!(map.insert(key, key), None));
    (0..7).for_each(|key| assert_eq!(map.remove(key), Some(key)));
    assert_eq!(map.walk().tombstones, 7);
    check(&map);
    map.remove(7);
    assert_eq!(map.walk().tombstones, 0, "the last delete makes the whole bucket an empty rest");
    check(&map);
}

#[test]
fn deletes_keep_the_table_and_a_shrink_gives_most_of_it_back() {
    let mut map = even(4);
    (0..50_000).for_each(|key| assert_eq!(map.insert(key, key), None));
    let full = map.walk().table_bytes;
    (100..50_000).for_each(|key| assert_eq!(map.remove(key), Some(key)));
    assert_eq!(map.walk().table_bytes, full);
    map.shrink();
    assert_eq!(map.walk().old_table_bytes, full);
    while map.evacuation().is_some() {
        assert_eq!(map.insert(1, 1), Some(1));
    }
    check(&map);
    assert!(map.walk().table_bytes * 100 < full);
    (0..100).for_each(|key| assert_eq!(map.get(key), Some(key)));
}

#[test]
fn a_map_is_on_the_registry_while_it_lives_and_lets_every_table_go() {
    let mut map = even(1);
    (0..=largest_without_growth(9)).for_each(|key| assert_eq!(map.insert(key, key), None));
    assert!(map.evacuation().is_some(), "the case with two tables");
    let address = map.header().address();
    assert!(registry::listed().contains(&address));
    map.let_go();
    assert!(!registry::listed().contains(&address));
    assert_ne!(map.header().flags.get() & header::flag::DROPPED, 0);
    let count = map.count();
    assert_eq!((count.allocate, count.allocate_bytes), (count.free, count.free_bytes));
}

#[test]
fn a_name_is_cut_between_characters_and_lies_where_the_header_says() {
    let map = Map::new(&Blueprint { name: "ü".repeat(40), ..blueprint(1, Spread::Even) });
    assert_eq!(map.name(), "ü".repeat(32));
    assert_eq!(map.header().name.get(), map.name().as_ptr() as u64);
    assert_eq!(map.header().name_bytes.get(), 64);
}

#[test]
fn clustered_chains_are_long_but_do_not_grow_without_pause() {
    let mut map = Map::new(&blueprint(1, Spread::Clustered));
    (0..100_000).for_each(|key| assert_eq!(map.insert(key, key), None));
    check(&map);
    assert!(map.count().same_size <= 20, "{:?}", map.count());
    let table = map.current.as_ref().unwrap();
    let longest = (0..table.buckets()).map(|index| table.chain(index).buckets().count()).max();
    assert!((8..40).contains(&longest.unwrap()), "{longest:?}");
}
