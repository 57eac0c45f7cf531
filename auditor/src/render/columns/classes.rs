//! The columns of a size class of a managed heap.

use super::{Cell, Column, Side, always};
use crate::audit::report::SizeClass;
use crate::audit::unit::Bytes;
use crate::render::human;

/// Every column of a size class.
pub const CLASSES: &[Column<SizeClass>] = &[
    Column {
        title: "size class",
        help: "bytes of one object; large: objects that have pages of their own",
        width: 12,
        side: Side::Left,
        importance: 1,
        speaks: always,
        cell: |class, _, _| Cell::normal(of(class.object)),
        sort: None,
    },
    Column {
        title: "pointers",
        help: "whether they hold any: the collector looks into those that do",
        width: 8,
        side: Side::Left,
        importance: 4,
        speaks: always,
        cell: |class, _, _| Cell::normal(if class.pointer_free { "no" } else { "yes" }.to_owned()),
        sort: None,
    },
    Column {
        title: "objects",
        help: "how many are allocated; read from the heap's spans",
        width: 7,
        side: Side::Right,
        importance: 3,
        speaks: always,
        cell: |class, _, _| Cell::normal(human::short(class.objects)),
        sort: None,
    },
    Column {
        title: "used",
        help: "bytes of these objects",
        width: 9,
        side: Side::Right,
        importance: 2,
        speaks: always,
        cell: |class, _, _| Cell::normal(human::bytes(class.used)),
        sort: None,
    },
    Column {
        title: "spans",
        help: "bytes of the spans that hold them",
        width: 9,
        side: Side::Right,
        importance: 5,
        speaks: always,
        cell: |class, _, _| Cell::normal(human::bytes(class.spans)),
        sort: None,
    },
    Column {
        title: "unused",
        help: "the part of these spans that holds no object, in percent",
        width: 6,
        side: Side::Right,
        importance: 6,
        speaks: always,
        cell: |class, _, _| Cell::normal(human::share(class.spans.less(class.used).0, class.spans.0)),
        sort: None,
    },
];

fn of(object: Bytes) -> String {
    if object == Bytes(0) { "large".to_owned() } else { format!("{} B", human::short(object.0)) }
}
