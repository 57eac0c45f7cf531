//! Families made by hand: what is told of each member stays its own, and what all share is there once.

use super::*;
use crate::audit::fact::{self, Ended, Look, Lost, Occasion, Runtime, Shape, Sight, Sizes, SizesId};
use crate::audit::report::Confidence;
use crate::audit::tests::made::{began, fact, runtime};
use crate::audit::unit::Address;

const FIRST: Pid = Pid(7);
const OTHER: Pid = Pid(8);
const MAP: Address = Address(0xa000);

fn member(pid: Pid, sight: Sight) -> What {
    let parent = (sight != Sight::Asked).then_some(FIRST);
    What::Member(Box::new(Member { pid, parent, comm: "demo".to_owned(), sight }))
}

fn look(live: u64, sizes: u32) -> What {
    let shape = Shape {
        live,
        capacity: 1024,
        allocated: Bytes(live * 100),
        needed: Some(Bytes(live * 50)),
        sizes: Some(SizesId(sizes)),
        ..Shape::default()
    };
    What::Look(Look {
        map: MAP,
        occasion: Occasion::AtAttach,
        runtime: "demo".to_owned(),
        shape: shape.into(),
        name: None,
    })
}

fn sizes(id: u32, header: u64) -> What {
    What::Sizes(Box::new(Sizes { id: SizesId(id), header: Bytes(header), ..Sizes::default() }))
}

fn memory(anon: u64, shmem: u64) -> What {
    let (anon, shmem) = (Bytes(anon), Bytes(shmem));
    What::Memory(fact::Memory { anon, shmem, file: Bytes(10), ..fact::Memory::default() })
}

fn shares(anon: u64, shmem: u64) -> What {
    let [rss, private] = [Bytes(anon + 2 * shmem), Bytes(anon)];
    What::Shares(Shares { rss, private, anon: Bytes(anon), file: Bytes(5), shmem: Bytes(shmem) })
}

fn verified() -> What {
    What::Runtime(Runtime { ..runtime(Some(true)) })
}

/// Two members whose maps are at one address, with 1000 bytes of shared memory that both map whole.
fn facts() -> Vec<What> {
    vec![
        began(0),
        member(FIRST, Sight::Asked),
        verified(),
        sizes(1, 48),
        look(10, 1),
        memory(2_000, 1_000),
        shares(2_000, 500),
        member(OTHER, Sight::Found),
        began(0),
        verified(),
        sizes(1, 96),
        sizes(2, 48),
        look(30, 1),
        memory(6_000, 1_000),
        shares(6_000, 500),
        What::Ended(Ended::OneLook),
        What::Of(FIRST),
        What::Ended(Ended::OneLook),
    ]
}

fn told(facts: Vec<What>) -> Family {
    let mut family = Family::new();
    for (at, what) in (1..).zip(facts) {
        family.apply(&fact(at, what));
    }
    family
}

fn report(facts: Vec<What>) -> Report {
    told(facts).report()
}

/// The same, with something put in before the end.
fn with(more: Vec<What>) -> Report {
    let mut facts = facts();
    let end = facts.len() - 2;
    facts.splice(end..end, more);
    report(facts)
}

#[test]
fn maps_at_one_address_are_told_apart_by_their_process_and_the_largest_comes_first() {
    let report = report(facts());
    let places: Vec<_> = report.maps.iter().map(|map| (map.pid, map.address, map.live)).collect();
    assert_eq!(places, [(Some(OTHER), MAP, Some(30)), (Some(FIRST), MAP, Some(10))]);
    let held: Vec<_> = report.members.iter().map(|it| (it.pid, it.maps, it.allocated)).collect();
    assert_eq!(held, [(FIRST, 1, Bytes(1_000)), (OTHER, 1, Bytes(3_000))]);
    assert_eq!((report.target.pid, report.window.ended), (FIRST, Some(Ended::OneLook)));
}

#[test]
fn numbers_of_sizes_are_made_those_of_the_family() {
    let report = report(facts());
    let header = |map: &report::Map| {
        let sizes = report.sizes.iter().find(|sizes| Some(sizes.id) == map.sizes);
        sizes.map(|sizes| sizes.header)
    };
    let headers: Vec<_> = report.maps.iter().map(header).collect();
    assert_eq!(headers, [Some(Bytes(96)), Some(Bytes(48))]);
}

#[test]
fn what_is_shared_is_there_once_and_the_ladder_adds_up() {
    let memory = report(facts()).memory;
    assert_eq!(memory.rss.last, Some(Bytes(2_000 + 6_000 + 2 * 5 + 1_000)));
    let rung = |name: &str| memory.ladder.iter().find(|rung| rung.name == name).map(|rung| rung.bytes);
    assert_eq!((rung("shared memory"), rung("file pages")), (Some(Bytes(1_000)), Some(Bytes(10))));
    let sum = memory.ladder.iter().fold(Bytes(0), |sum, rung| sum + rung.bytes);
    assert_eq!(Some(sum), memory.rss.last);
}

/// After a fork most of a child's memory is its parent's.
#[test]
fn what_is_shared_since_a_fork_is_divided_over_the_rows_in_proportion() {
    let beside = |stack| fact::Beside { stack: Some(Bytes(stack)), ..fact::Beside::default() };
    let mut facts = facts();
    facts.insert(3, What::Beside(beside(1_000)));
    facts.retain(|what| !matches!(what, What::Shares(_)));
    let end = facts.len() - 2;
    facts.splice(end..end, [shares(1_500, 500), What::Of(FIRST), shares(500, 500)]);
    let memory = report(facts).memory;
    let rung = |name: &str| memory.ladder.iter().find(|rung| rung.name == name).map(|rung| rung.bytes);
    assert_eq!(memory.rss.last, Some(Bytes(500 + 1_500 + 2 * 5 + 1_000)));
    // Of the first 2,000 bytes 500 are its part: of its stack a quarter, too.
    assert_eq!((rung("main thread's stack"), rung("unexplained")), (Some(Bytes(250)), Some(Bytes(1_750))));
}

#[test]
fn a_member_of_which_it_is_not_known_what_it_shares_counts_whole_and_that_is_said() {
    let facts = facts().into_iter().filter(|what| !matches!(what, What::Shares(_))).collect();
    let report = report(facts);
    assert_eq!(report.memory.rss.last, Some(Bytes(2_000 + 6_000 + 2 * 10 + 2 * 1_000)));
    assert!(report.coverage.notes.iter().any(|note| note.contains("of 2 members")), "{report:?}");
    assert_eq!(report.members[1].part, None);
}

#[test]
fn one_that_left_holds_nothing_any_more_but_is_listed() {
    let report = with(vec![What::Of(OTHER), What::Left(Left::Exited)]);
    assert_eq!(report.memory.rss.last, Some(Bytes(2_000 + 5 + 500)));
    assert_eq!(report.members[1].left.as_deref(), Some("exited"));
    let held: Vec<_> = report.maps.iter().map(|map| (map.pid, map.bytes.allocated)).collect();
    assert_eq!(held, [(Some(FIRST), Some(Bytes(1_000))), (Some(OTHER), Some(Bytes(0)))]);
    assert!(report.members[1].ended.is_some() && report.members[0].ended.is_none());
    assert_eq!(report.coverage.confidence, with(vec![]).coverage.confidence, "that it ended is no loss");
}

#[test]
fn one_that_could_not_be_looked_at_is_named_and_nothing_is_exact_any_more() {
    let left = What::Left(Left::Unread("no right".to_owned()));
    let report = with(vec![member(Pid(9), Sight::Found), left]);
    assert_eq!(report.members.len(), 3);
    assert!(report.coverage.notes.iter().any(|note| note == "not looked at: 9 (no right)"), "{report:?}");
    assert_ne!(report.coverage.confidence, Confidence::Exact);
}

#[test]
fn losses_of_one_are_losses_of_all_and_a_note_says_whose() {
    let lost = What::Lost(Lost { source: "ring_full".to_owned(), count: 3 });
    let report = with(vec![What::Of(OTHER), lost, What::Note("a word".to_owned())]);
    assert_eq!(report.coverage.lost, 3);
    assert_ne!(report.coverage.confidence, Confidence::Exact);
    assert!(report.coverage.notes.iter().any(|note| note == "8: a word"), "{:?}", report.coverage.notes);
}

#[test]
fn facts_of_a_process_that_is_not_known_are_lost_and_not_given_to_another() {
    let report = with(vec![What::Of(Pid(99)), look(1_000, 1)]);
    assert_eq!(report.maps.iter().filter_map(|map| map.live).max(), Some(30));
    assert_eq!(report.coverage.lost, 1);
}

#[test]
fn a_number_that_is_used_again_is_another_member() {
    let again = vec![
        What::Of(OTHER),
        What::Left(Left::Exited),
        member(OTHER, Sight::Forked),
        began(0),
        look(50, 1),
        What::Of(OTHER),
        look(60, 1),
    ];
    let report = with(again);
    let lives: Vec<_> = report.maps.iter().filter(|map| map.pid == Some(OTHER)).map(|map| map.live).collect();
    assert_eq!(lives, [Some(60), Some(0)]);
    assert!(report.members[2].born.is_some());
}

#[test]
fn one_process_without_members_is_reported_as_ever() {
    let facts: Vec<What> = vec![began(0), verified(), look(10, 1), memory(2_000, 1_000)];
    let mut audit = Audit::new();
    for (at, what) in (1..).zip(facts.clone()) {
        audit.apply(&fact(at, what));
    }
    assert_eq!(report(facts), audit.report());
}

#[test]
fn members_beyond_the_bound_are_no_ones() {
    let mut facts = facts();
    facts.extend((0..5_000).map(|pid| member(Pid(100 + pid), Sight::Found)));
    facts.push(look(1_000_000, 1));
    let report = report(facts);
    assert_eq!(report.members.len(), MOST);
    assert!(report.coverage.lost > 0 && report.maps.len() == 2);
}
