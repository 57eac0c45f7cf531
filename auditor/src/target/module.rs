//! A file as it is mapped into a process.

/// A mapped file: to come.
#[derive(Debug)]
pub struct Module;
