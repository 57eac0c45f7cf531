//! To come.

pub mod site;
