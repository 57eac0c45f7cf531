//! Types of the runtime's own that matter: what processors and goroutines keep beside pointers, and channels.

use std::ops::Range;

use super::fields::Types;
use super::nodes::WORD;
use super::scene::{Scene, rounded};
use crate::audit::unit::Address;
use crate::runtimes::go::heap::Typing;
use crate::target::go::types::{Field, Kind, Type};

/// Sizes that `runtime.p` may have: it holds a buffer of 512 words.
const PROCESSOR: Range<u64> = 4096..65_536;
/// Sizes that `runtime.g` may have.
const GOROUTINE: Range<u64> = 256..1024;
/// The smallest stack, and where the guard of one may be above its beginning (`stackGuard`, src/runtime/stack.go);
/// a guard beyond [`ASKED`] asks the goroutine to stop.
const STACK: u64 = 2048;
const GUARD: Range<u64> = 512..2048;
const ASKED: u64 = u64::MAX - 0xfff;
/// Sizes that `runtime.hchan` may have.
const CHANNEL: Range<u64> = 64..256;

/// What is known of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Special {
    /// `runtime.p`.
    pub(super) processor: Option<Processor>,
    /// `runtime.g`.
    pub(super) goroutine: Option<Goroutine>,
    /// `runtime.hchan`.
    pub(super) channel: Option<Channel>,
}

/// Bytes of the objects that a type has, without and with a header. Every object of the heap is held against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Objects {
    plain: Option<u64>,
    with_header: Option<u64>,
}

impl Objects {
    /// Those for values of so many bytes.
    fn of(size: u64) -> Self {
        Self { plain: rounded(size), with_header: rounded(size.saturating_add(WORD)) }
    }

    /// Where values begin in an object of so many bytes; `None`: it is none of these.
    #[inline]
    fn begin(&self, header: Typing, bytes: &[u8]) -> Option<u64> {
        let (begin, object) =
            if header == Typing::FirstWord { (WORD, self.with_header) } else { (0, self.plain) };
        (object == Some(bytes.len() as u64)).then_some(begin)
    }
}

/// What `runtime.p` keeps for the collector, as plain numbers: addresses of objects that it was about to
/// mark. They are left-overs, and hold nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Processor {
    objects: Objects,
    /// `wbBuf`: two words, and a buffer of words (src/runtime/mwbbuf.go).
    barrier: Range<u64>,
    /// `gcw`.
    work: Range<u64>,
}

/// `runtime.g` (src/runtime/runtime2.go), which says by plain numbers where its stack begins and ends: what lies
/// behind the stack is none of its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Goroutine {
    objects: Objects,
    /// `stack`: `lo` and `hi`.
    stack: Range<u64>,
    /// `stackguard0`.
    guard: u64,
}

/// `runtime.hchan` (src/runtime/chan.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    size: u64,
    element_size: u64,
    element: u64,
}

impl Special {
    /// Finds them among the structs of a program.
    pub(super) fn of(structs: &[Type], types: &dyn Types) -> Self {
        let named = |sizes: &Range<u64>, name: &str| {
            let mut fitting = structs.iter().filter(|one| sizes.contains(&one.size));
            fitting.find(|one| types.name(one.at).as_deref() == Some(name)).copied()
        };
        let processor = named(&PROCESSOR, "runtime.p").and_then(|of| Processor::of(&of, types));
        let channel = named(&CHANNEL, "runtime.hchan").and_then(|of| Channel::of(&of, types));
        let goroutine = named(&GOROUTINE, "runtime.g").and_then(|of| Goroutine::of(&of, types));
        Self { processor, goroutine, channel }
    }

    /// Which bytes of an object are plain numbers that look like pointers; `None`: it is none of these.
    #[inline]
    pub(super) fn numbers(&self, base: u64, header: Typing, bytes: &[u8]) -> Option<[Range<u64>; 2]> {
        let of_processor = self.processor.as_ref().and_then(|of| of.left_overs(base, header, bytes));
        of_processor.or_else(|| Some([self.goroutine.as_ref()?.stack(header, bytes)?, 0..0]))
    }
}

fn place(fields: &[Field], name: &str, types: &dyn Types) -> Option<Range<u64>> {
    let field = fields.iter().find(|field| field.name == name)?;
    Some(field.offset..field.offset.checked_add(types.get(field.type_at)?.size)?)
}

impl Processor {
    fn of(of: &Type, types: &dyn Types) -> Option<Self> {
        let fields = types.fields(of.at);
        let barrier = place(&fields, "wbBuf", types).filter(|range| range.end - range.start > 2 * WORD)?;
        Some(Self { objects: Objects::of(of.size), barrier, work: place(&fields, "gcw", types)? })
    }

    /// Which bytes of an object hold left-overs; `None`: it is none of these. Its write barrier's buffer
    /// says where it ends: at its own end.
    pub(super) fn left_overs(&self, base: u64, header: Typing, bytes: &[u8]) -> Option<[Range<u64>; 2]> {
        let begin = self.objects.begin(header, bytes)?;
        let shifted = |range: &Range<u64>| range.start + begin..range.end + begin;
        let (barrier, work) = (shifted(&self.barrier), shifted(&self.work));
        let end = number(bytes, barrier.start + WORD, WORD)?;
        (end == base.checked_add(barrier.end)?).then_some([barrier, work])
    }
}

impl Goroutine {
    fn of(of: &Type, types: &dyn Types) -> Option<Self> {
        let fields = types.fields(of.at);
        let stack = place(&fields, "stack", types).filter(|range| range.end - range.start == 2 * WORD)?;
        Some(Self {
            objects: Objects::of(of.size),
            stack,
            guard: place(&fields, "stackguard0", types)?.start,
        })
    }

    /// Where in an object the bounds of its stack are; `None`: it is no goroutine. The size of a stack is a power of
    /// two, and its guard a little above its beginning.
    fn stack(&self, header: Typing, bytes: &[u8]) -> Option<Range<u64>> {
        let begin = self.objects.begin(header, bytes)?;
        let stack = self.stack.start + begin..self.stack.end + begin;
        let (low, high) = (number(bytes, stack.start, WORD)?, number(bytes, stack.start + WORD, WORD)?);
        let guard = number(bytes, self.guard + begin, WORD)?;
        let size = high.checked_sub(low).filter(|size| *size >= STACK && size.is_power_of_two());
        let is_guard = guard >= ASKED || guard.checked_sub(low).is_some_and(|above| GUARD.contains(&above));
        size.filter(|_| low > 0 && is_guard).map(|_| stack)
    }
}

impl Channel {
    fn of(of: &Type, types: &dyn Types) -> Option<Self> {
        let fields = types.fields(of.at);
        let element_size = place(&fields, "elemsize", types)?.start;
        Some(Self { size: of.size, element_size, element: place(&fields, "elemtype", types)?.start })
    }

    /// The type of the elements of a channel; `None`: the bytes are none.
    pub(super) fn element(&self, bytes: &[u8], scene: &Scene<'_>) -> Option<Address> {
        let fits = rounded(self.size) == Some(bytes.len() as u64);
        let at = Address(number(bytes, self.element, WORD).filter(|_| fits)?);
        let size = number(bytes, self.element_size, 2)?;
        scene.types.get(at).filter(|of| of.size == size && of.kind != Kind::Plain).map(|of| of.at)
    }
}

/// A little-endian number of that many bytes.
fn number(bytes: &[u8], at: u64, width: u64) -> Option<u64> {
    let start = usize::try_from(at).ok()?;
    let field = bytes.get(start..start.checked_add(width as usize)?)?;
    Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::super::made::{MadeTypes, World};
    use super::*;
    use proptest::prelude::*;

    /// `runtime.p` with two words before its buffers and one behind, `runtime.hchan`.
    fn types() -> MadeTypes {
        let mut types = MadeTypes::default();
        let (number, small) = (types.number(), types.add("uint16", 2, Kind::Plain));
        let words = types.add("[600]uintptr", 4800, Kind::Plain);
        let pointers = types.add("[4]uintptr", 32, Kind::Plain);
        let rest = [("id", number), ("m", number), ("gcw", pointers), ("wbBuf", words), ("timers", number)];
        types.structure("runtime.p", &rest);
        let padding = types.add("[6]byte", 6, Kind::Plain);
        let channel = [
            ("qcount", number),
            ("elemsize", small),
            ("closed", padding),
            ("elemtype", number),
            ("x", words),
        ];
        let bounds = types.add("runtime.stack", 16, Kind::Plain);
        let saved = types.add("[50]uintptr", 400, Kind::Plain);
        let goroutine = [("stack", bounds), ("stackguard0", number), ("m", number), ("sched", saved)];
        types.structure("runtime.g", &goroutine);
        types.structure("runtime.hchan", &channel[..4]);
        types.structure("main.hchan", &channel);
        types
    }

    fn special() -> Special {
        let types = types();
        let structs: Vec<Type> = types.structs().into_iter().filter_map(|at| types.get(at)).collect();
        Special::of(&structs, &types)
    }

    #[test]
    fn the_left_overs_of_a_processor_are_its_buffers() {
        let processor = special().processor.unwrap();
        for (begin, header) in [(0, Typing::None), (8, Typing::FirstWord)] {
            let mut bytes = vec![0; 4864];
            let base = 0xc0_0000_0000;
            let barrier = begin + 48..begin + 4848;
            let end = (barrier.start + 8) as usize;
            assert_eq!(processor.left_overs(base, header, &bytes), None);
            bytes[end..end + 8].copy_from_slice(&(base + barrier.end).to_le_bytes());
            let left = processor.left_overs(base, header, &bytes);
            assert_eq!(left, Some([barrier, begin + 16..begin + 48]));
            assert_eq!(processor.left_overs(base, header, &bytes[..4000]), None);
        }
    }

    #[test]
    fn the_bounds_of_a_stack_are_plain_numbers() {
        let goroutine = special().goroutine.unwrap();
        let made = |low: u64, high: u64, guard: u64| {
            let mut bytes = vec![0; 448];
            bytes[..8].copy_from_slice(&low.to_le_bytes());
            bytes[8..16].copy_from_slice(&high.to_le_bytes());
            bytes[16..24].copy_from_slice(&guard.to_le_bytes());
            goroutine.stack(Typing::None, &bytes)
        };
        let low = 0xc0_0000_8000;
        assert_eq!(made(low, low + 32_768, low + 928), Some(0..16));
        assert_eq!(made(low, low + 2048, 0xffff_ffff_ffff_fade), Some(0..16));
        assert_eq!(made(low, low + 32_760, low + 928), None);
        assert_eq!(made(low, low + 32_768, low + 4096), None, "two pointers and another one");
        assert_eq!(made(0, 0, 928), None);
    }

    #[test]
    fn what_lies_behind_a_stack_is_not_held_by_its_goroutine() {
        let mut world = World::default();
        let headers = world.run(48, 160);
        let goroutines = world.run(448, 1);
        world.types = types();
        // Of a stack that ends where the headers begin.
        world.put(goroutines, headers - 32_768).put(goroutines + 8, headers);
        world.put(goroutines + 16, headers - 32_768 + 928).put(goroutines + 24, headers + 48);
        world.variable("runtime.m0", &[goroutines]);
        world.goroutine(4, 0, &[0]);
        let reachable = |at| world.told(&super::super::made::wanted(at)).0;
        assert_eq!(reachable(headers), Some(false));
        assert_eq!(reachable(headers + 48), Some(true));
    }

    #[test]
    fn buffers_that_were_about_to_be_marked_hold_nothing() {
        let mut world = World::default();
        let headers = world.run(48, 160);
        let processors = world.run(4864, 1);
        world.types = types();
        world
            .put(processors + 56, processors + 4848)
            .put(processors + 64, headers)
            .put(processors + 16, headers);
        world.put(processors + 4848, headers + 48);
        world.variable("runtime.allp", &[processors]);
        world.goroutine(4, 0, &[0]);
        let reachable = |at| world.told(&super::super::made::wanted(at)).0;
        assert_eq!(reachable(headers), Some(false));
        assert_eq!(reachable(headers + 48), Some(true));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..5000), base in any::<u64>()) {
            let special = special();
            let left = special.numbers(base, Typing::None, &bytes);
            prop_assert!(left.is_none_or(|left| left.iter().all(|range| range.end <= 5000)));
        }
    }
}
