//! The columns of a member of a family.

use std::cmp::Reverse;

use super::{Cell, Column, Side, always};
use crate::audit::report::{Member, Report};
use crate::audit::unit::Bytes;
use crate::render::{escape, human};

/// Every column of a member.
pub const MEMBERS: &[Column<Member>] = &[
    Column {
        title: "pid",
        help: "its number, as the auditor's /proc has it",
        width: 7,
        side: Side::Right,
        importance: 1,
        speaks: always,
        cell: |member, _, _| Cell::normal(member.pid.0.to_string()),
        sort: None,
    },
    Column {
        title: "name",
        help: "its name in /proc/PID/comm when it came into sight",
        width: 12,
        side: Side::Stretch,
        importance: 5,
        speaks: always,
        cell: |member, _, cells| Cell::normal(escape::visible_middle(&member.comm, cells)),
        sort: None,
    },
    Column {
        title: "parent",
        help: "who forked it; from /proc, or from the fork",
        width: 7,
        side: Side::Right,
        importance: 9,
        speaks: always,
        cell: |member, _, _| Cell::normal(human::known(member.parent, |pid| pid.0.to_string())),
        sort: None,
    },
    Column {
        title: "maps",
        help: "its maps that live, small ones among them",
        width: 6,
        side: Side::Right,
        importance: 4,
        speaks: always,
        cell: |member, _, _| Cell::normal(human::short(member.maps)),
        sort: None,
    },
    Column {
        title: "allocated",
        help: "bytes that these maps hold; from their headers, else from the hooks",
        width: 9,
        side: Side::Right,
        importance: 2,
        speaks: always,
        cell: |member, _, _| Cell::normal(human::bytes(member.allocated)),
        sort: None,
    },
    Column {
        title: "part",
        help: "its pages, each divided by how many map it; added up that is the family's RSS; smaps_rollup",
        width: 9,
        side: Side::Right,
        importance: 3,
        speaks: |report| any(report, |member| member.part.is_some()),
        cell: |member, _, _| size(member.part),
        sort: None,
    },
    Column {
        title: "private",
        help: "its pages that nobody else maps; smaps_rollup",
        width: 9,
        side: Side::Right,
        importance: 6,
        speaks: |report| any(report, |member| member.private.is_some()),
        cell: |member, _, _| size(member.private),
        sort: None,
    },
    Column {
        title: "RSS",
        help: "all pages that it maps, shared ones whole; smaps_rollup, else its status",
        width: 9,
        side: Side::Right,
        importance: 7,
        speaks: always,
        cell: |member, _, _| size(member.rss),
        sort: None,
    },
    Column {
        title: "left",
        help: "why it is followed no more",
        width: 8,
        side: Side::Stretch,
        importance: 8,
        speaks: |report| any(report, |member| member.left.is_some()),
        cell: |member, _, cells| {
            Cell::normal(member.left.as_deref().map_or_else(String::new, |left| escape::visible(left, cells)))
        },
        sort: None,
    },
];

/// Those whose maps hold most first, those that have left last.
#[must_use]
pub fn largest_first(report: &Report) -> Vec<&Member> {
    let mut members: Vec<&Member> = report.members.iter().collect();
    let size = |member: &Member| Reverse((member.allocated, member.part));
    members.sort_by_key(|member| (member.left.is_some(), size(member), member.pid));
    members
}

/// What a table of them is called.
#[must_use]
pub fn heading(report: &Report) -> String {
    let left = report.members.iter().filter(|member| member.left.is_some()).count() as u64;
    let left = if left == 0 { String::new() } else { format!(", {} gone", human::count(left)) };
    let members = human::count(report.members.len() as u64);
    format!("Members ({members}{left}), those whose maps hold most first")
}

fn size(bytes: Option<Bytes>) -> Cell {
    Cell::normal(human::known(bytes, human::bytes))
}

fn any(report: &Report, holds: impl Fn(&Member) -> bool) -> bool {
    report.members.iter().any(holds)
}
