//! Numbers call stacks and names their frames, each stack once.

use rustc_hash::FxHashMap;

use crate::audit::fact::{Stack, StackId};
use crate::audit::unit::{Address, Pid};
use crate::target::own;
use crate::target::symbolise::Symboliser;

/// Stacks that are numbered; further ones have no number, and the report says how many.
const MOST: usize = auditor_ebpf::STACKS as usize;

/// Times that nothing was new before what was read of symbol files is let go.
const RESTS: u32 = 5;

/// The stacks of one target.
#[derive(Debug)]
pub struct Stacks {
    pid: Pid,
    symboliser: Symboliser,
    /// By the kernel's id and the caller, which the kernel's walk may have missed.
    numbers: FxHashMap<(i64, u64), StackId>,
    /// Numbered but not named yet, with their addresses.
    unnamed: Vec<(StackId, Vec<Address>)>,
    /// How often in succession nothing was new.
    idle: u32,
}

impl Stacks {
    /// None yet. Remembers where the target's files are, so that frames can be named when it is gone.
    #[must_use]
    pub fn new(pid: Pid) -> Self {
        let mut symboliser = Symboliser::new();
        symboliser.prepare(pid);
        Self { pid, symboliser, numbers: FxHashMap::default(), unnamed: Vec::new(), idle: 0 }
    }

    /// The number of a stack. `addresses` is asked for a stack that is new.
    pub fn number(
        &mut self,
        id: i64,
        caller: u64,
        addresses: impl FnOnce(u32) -> Option<Vec<u64>>,
    ) -> Option<StackId> {
        self.number_once((id, caller), || u32::try_from(id).ok().and_then(addresses))
    }

    /// The number of a stack that was not walked: where a hook sits, and who called it.
    pub fn number_of(&mut self, site: Address, caller: u64) -> Option<StackId> {
        // No walk of the kernel's has such a number.
        let id = i64::try_from(site.0).ok()?.checked_neg()?;
        self.number_once((id, caller), || Some(vec![site.0]))
    }

    fn number_once(&mut self, key: (i64, u64), walk: impl FnOnce() -> Option<Vec<u64>>) -> Option<StackId> {
        if let Some(number) = self.numbers.get(&key) {
            return Some(*number);
        }
        if self.numbers.len() >= MOST {
            return None;
        }
        let walked = walk()?;
        let number = StackId(self.numbers.len() as u32);
        self.numbers.insert(key, number);
        self.unnamed.push((number, with_caller(&walked, key.1)));
        Some(number)
    }

    /// Names what is new: as `known` says, which is asked for the place of each call, else by symbol files.
    pub fn named(&mut self, known: impl Fn(Address) -> Option<Vec<String>>) -> Vec<Stack> {
        let unnamed = std::mem::take(&mut self.unnamed);
        self.idle = if unnamed.is_empty() { self.idle.saturating_add(1) } else { 0 };
        if self.idle == RESTS && !self.numbers.is_empty() {
            self.symboliser.rest(self.pid);
            own::give_back();
        }
        if unnamed.is_empty() {
            return Vec::new();
        }
        let frames = |(id, addresses): (StackId, Vec<Address>)| Stack {
            id,
            frames: self.symboliser.frames(self.pid, &addresses, &known),
        };
        let named = unnamed.into_iter().map(frames).collect();
        // Debug information is unpacked to find a line of it.
        own::give_back();
        named
    }
}

/// A walk by frame pointers from a function's first instruction misses its caller, whose return
/// address is still only on the stack; newer kernels put it in for some prologues.
fn with_caller(walked: &[u64], caller: u64) -> Vec<Address> {
    let mut frames: Vec<Address> = walked.iter().copied().map(Address).collect();
    if caller != 0 && walked.get(1) != Some(&caller) {
        frames.insert(frames.len().min(1), Address(caller));
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_put_in_where_the_walk_missed_it() {
        assert_eq!(with_caller(&[1, 3], 2), [Address(1), Address(2), Address(3)]);
        assert_eq!(with_caller(&[1, 2, 3], 2), [Address(1), Address(2), Address(3)]);
        assert_eq!(with_caller(&[], 2), [Address(2)]);
        assert_eq!(with_caller(&[1], 0), [Address(1)]);
    }

    #[test]
    fn a_place_and_its_caller_are_a_stack_by_themselves() {
        let mut stacks = Stacks::new(Pid(std::process::id()));
        let walked = stacks.number(5, 100, |_| Some(vec![1]));
        let first = stacks.number_of(Address(0x40_0000), 100);
        assert_eq!(stacks.number_of(Address(0x40_0000), 100), first);
        assert_ne!(stacks.number_of(Address(0x40_0000), 200), first);
        assert_ne!(first, walked);
        assert_eq!(stacks.named(|_| None).len(), 3);
    }

    #[test]
    fn a_stack_is_numbered_once_and_told_by_its_caller() {
        let mut stacks = Stacks::new(Pid(std::process::id()));
        let first = stacks.number(5, 100, |_| Some(vec![1]));
        assert_eq!(stacks.number(5, 100, |_| panic!("asked again")), first);
        assert_ne!(stacks.number(5, 200, |_| Some(vec![1])), first);
        assert_eq!(stacks.number(-14, 100, |_| panic!("asked for a failed walk")), None);
        assert_eq!(stacks.named(|_| None).len(), 2);
        assert_eq!(stacks.named(|_| None).len(), 0);
    }
}
