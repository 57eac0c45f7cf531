//! The pure core: facts in, report out. No IO, no clock, no hash order, no async, no unsafe.
#![deny(clippy::disallowed_methods, clippy::disallowed_types, unsafe_code)]

pub mod fact;
pub mod report;
pub mod unit;
