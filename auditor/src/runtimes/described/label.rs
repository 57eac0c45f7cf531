//! What a described map is called in its program.

use super::expression::Scope;
use super::profile::{LabelKind, Profile};
use crate::audit::unit::Address;
use crate::target::memory::Memory;

/// Bytes of a C string that are read.
const LONGEST: usize = 64;

/// What a map is called, or where that is to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// Its name.
    Text(String),
    /// As the object at this address is.
    Object(Address),
    /// By the type in the demangled name of the probed function.
    Type,
}

/// What a map is called. `None`: the profile does not say, or it could not be read.
#[must_use]
pub fn called(profile: &Profile, scope: &Scope, memory: &dyn Memory) -> Option<Called> {
    let label = profile.label.as_ref()?;
    let address = || {
        let value = label.expression.as_ref()?.eval(scope, memory).ok()?;
        value.word().filter(|at| *at != 0).map(Address)
    };
    match label.kind {
        LabelKind::Text => label.text.clone().map(Called::Text),
        LabelKind::Type => Some(Called::Type),
        LabelKind::Symbol => address().map(Called::Object),
        LabelKind::Cstr => text(address()?, memory).map(Called::Text),
    }
}

/// The C string at an address: as much of it as is read, without what steers a terminal. Reads word by word, since
/// it may end right before what is not mapped.
fn text(at: Address, memory: &dyn Memory) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() < LONGEST {
        let from = at.plus(bytes.len() as u64)?;
        // To the next whole word: no read crosses into a page that the string does not reach.
        let len = 8 - (from.0 % 8) as usize;
        let mut word = [0; 8];
        memory.read(from, &mut word[..len]).ok()?;
        let end = word[..len].iter().position(|byte| *byte == 0);
        bytes.extend_from_slice(&word[..end.unwrap_or(len)]);
        if end.is_some() {
            break;
        }
    }
    bytes.truncate(LONGEST);
    let text = String::from_utf8_lossy(&bytes);
    let plain: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    (!plain.is_empty()).then_some(plain)
}
