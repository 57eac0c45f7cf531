//! The call stacks that facts name by number.

use std::collections::BTreeMap;

use super::fact::{Stack, StackId};

/// How many are kept: as many as the kernel side takes (`STACKS` of the wire).
const MOST: usize = 1 << 14;
/// Frames of one that are kept, as many as the kernel walks (`PERF_MAX_STACK_DEPTH`).
const MOST_FRAMES: usize = 127;

/// Stacks so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Stacks(BTreeMap<StackId, Vec<String>>);

impl Stacks {
    /// A stack was told. The first one told under a number stands.
    pub(super) fn add(&mut self, stack: &Stack) {
        if self.0.len() < MOST {
            let frames = || stack.frames.iter().take(MOST_FRAMES).cloned().collect();
            self.0.entry(stack.id).or_insert_with(frames);
        }
    }

    /// Its frames, innermost first; none where it is not known.
    pub(super) fn frames(&self, id: StackId) -> Vec<String> {
        self.0.get(&id).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_keeps_its_outermost_frames_short() {
        let mut stacks = Stacks::default();
        let frames: Vec<_> = (0..200).map(|n| n.to_string()).collect();
        stacks.add(&Stack { id: StackId(7), frames });
        assert_eq!(stacks.frames(StackId(7)).len(), MOST_FRAMES);
        assert_eq!(stacks.frames(StackId(8)), Vec::<String>::new());
    }
}
