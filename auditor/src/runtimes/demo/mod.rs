//! The demo map of `target-demo`.

use super::{Instance, Runtime};
use crate::target::module::Module;

/// Knows the demo map.
#[derive(Debug)]
pub struct Demo;

impl Runtime for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }
    fn about(&self) -> &'static str {
        "the map of target-demo"
    }
    fn recognise(&self, _module: &Module) -> Option<Box<dyn Instance>> {
        None
    }
}
