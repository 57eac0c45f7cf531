//! The demo map of `target-demo`, by its page alone (`docs/demo-map.md`): no code is shared.

mod detect;
mod hooks;
mod layout;
mod registry;
mod sizes;

use super::census::Census;
use super::hook::{Hit, Hook};
use super::ranges::Ranges;
use super::{Instance, LayoutError, Recognised, Runtime};
use crate::audit::fact::{self, Evacuate, Shape, Sizes, SizesId, What};
use crate::audit::unit::{Address, Bytes};
use crate::target::memory::Memory;
use crate::target::module::{Module, Symbol};
use detect::Found;

/// Its name in reports.
const NAME: &str = "demo";

/// Knows the demo map.
#[derive(Debug)]
pub struct Demo;

impl Runtime for Demo {
    fn name(&self) -> &str {
        NAME
    }

    fn about(&self) -> &str {
        "the map of target-demo: 8 slots a bucket, overflow buckets, two tables while it grows"
    }

    fn recognise(&self, module: &Module, _: &dyn Memory) -> Option<Recognised> {
        let found = detect::recognise(module)?;
        Some(Ok(Box::new(DemoInstance { found })))
    }
}

/// The demo map as found in one process.
#[derive(Debug)]
struct DemoInstance {
    found: Found,
}

impl Instance for DemoInstance {
    fn found(&self) -> Vec<fact::Runtime> {
        let Found { version, evidence, .. } = self.found.clone();
        vec![fact::Runtime { name: NAME.to_owned(), version, evidence, verified: None }]
    }

    fn runtime_of(&self, _: Address) -> &str {
        NAME
    }

    fn hooks(&self) -> Vec<Hook> {
        hooks::all()
    }

    fn header_len(&self) -> usize {
        layout::HEADER
    }

    fn evacuation_is_readable(&self) -> bool {
        true
    }

    fn check(&mut self, memory: &dyn Memory) -> Result<(), LayoutError> {
        registry::check(self.found.registry, memory)
    }

    fn census(&mut self, _: Bytes, memory: &dyn Memory) -> Result<Census, LayoutError> {
        registry::census(self.found.registry, memory).map(Census::of)
    }

    fn look(&self, map: Address, header: &[u8], _: Option<&dyn Memory>) -> Result<Shape, LayoutError> {
        layout::look(map, header)
    }

    fn ranges(&self, map: Address, header: &[u8], _: &dyn Memory) -> Option<Ranges> {
        layout::ranges(map, header)
    }

    fn sizes(&self, id: SizesId) -> Option<Sizes> {
        (id == sizes::ID).then(sizes::sizes)
    }

    fn header_suffices(&self) -> bool {
        true
    }

    fn function(&self, _: &Module, _: &str) -> Option<Symbol> {
        None
    }

    fn name_of(&self, _: Address, header: &[u8], memory: &dyn Memory) -> Option<String> {
        layout::name_of(header, memory)
    }

    fn decode(&mut self, hook: &str, hit: &Hit, _: &dyn Memory, told: &mut Vec<What>) -> Option<()> {
        told.push(hooks::decode(hook, hit)?);
        Some(())
    }

    fn decode_count(&self, hook: &str, key: u64, count: u64) -> Option<What> {
        (hook == hooks::EVACUATE).then_some(What::Evacuate(Evacuate { map: Address(key), moved: count }))
    }
}
