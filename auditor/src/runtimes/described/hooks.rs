//! A probe of a profile as a hook: which registers and words are captured when, so that the map can be understood
//! as it was before a call and as it is after it.
//!
//! ```text
//! capture  0       the map's address (of `ret`: taken at the return)
//!          1..     at the entry: what the size filter looks at, arguments that expressions name, and, of a
//!                  pair, the words of the map that its layout reads
//!          then    at the return: words behind the map's pointers
//! header           the map's first bytes as they are when the hit is sent
//! ```

use auditor_ebpf::source::{FIRST, RAX, RDI};
use auditor_ebpf::{CAPTURES, STEPS};

use super::arguments::{Arguments, Narrow, Way};
use super::expression::{Chain, Expression, Name, Start, Step};
use super::places::Found;
use super::profile::{Event, Moves, Own, Probe, Profile, When as Wanted};
use super::windows::{Room, Window, Windows};
use crate::audit::unit::Address;
use crate::runtimes::hook::{
    Capture, Does, Filter, Header, Heat, Hit, Hook, Nulls, Spot, Stack, Watch, When,
};

/// Which capture is the map's address.
pub(super) const MAP: usize = 0;

/// What a name of an expression stands for at a hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// These bytes of a capture.
    Captured(usize, Narrow),
    /// This number.
    Number(u64),
}

impl Given {
    /// The value; `None`: it could not be read.
    pub(super) fn value(&self, hit: &Hit) -> Option<u64> {
        match self {
            Self::Captured(capture, narrow) => hit.value(*capture).map(|word| narrow.of(word)),
            Self::Number(number) => Some(*number),
        }
    }
}

/// What is captured at one hook, so that a hit can be understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Arguments and registers that expressions name.
    pub(super) named: Vec<(Name, Given)>,
    /// The map as it was at the entry, from this capture on.
    pub(super) before: Option<(Windows, usize)>,
    /// The map as it is when the hit is sent: the header, and windows from this capture on.
    pub(super) after: Option<(Windows, usize)>,
}

/// A hook with what its hits mean.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// For the kernel side.
    pub(super) hook: Hook,
    /// Which probe of the profile.
    pub(super) probe: usize,
    /// The one map that it tells of, where it is not told at each hit.
    pub(super) own: Option<Address>,
    /// What is captured.
    pub(super) layout: Layout,
    /// The name of the function as the source has it.
    pub(super) shown: Option<String>,
}

/// The hook of a probe at one place. `object` knows the address of a variable.
pub(super) fn hook(
    profile: &Profile,
    index: usize,
    found: Found,
    object: impl Fn(&str) -> Option<Address>,
) -> Placed {
    let probe = &profile.probes[index];
    let name = format!("{}_{}", found.name, ending(probe.event, profile.moves));
    let mut plan = Plan::new(profile, probe);
    let made = match &probe.own {
        Own::Chain(own) => found.arguments.placed(own).and_then(|own| plan.captures(&own, &found.arguments)),
        Own::Symbol(symbol) => plan.of_object(symbol, &object, &found.arguments),
    };
    let (spot, own) = match made {
        Ok(own) => (found.spot, own),
        Err(reason) => (Spot::Missing(found.name, reason), None),
    };
    let hook = Hook {
        name: name.into(),
        spot,
        when: if probe.when == Wanted::Both { When::EntryAndReturn } else { When::Entry },
        heat: Heat::Rare,
        does: Does::Send,
        stack: if is_growth(probe.event) { Stack::Take } else { Stack::Leave },
        key: MAP,
        watch: if plan.is_watched() { Watch::AtExit } else { Watch::No },
        header: if plan.layout.after.as_ref().is_some_and(|(windows, _)| windows.header > 0) {
            Header::Copy
        } else {
            Header::No
        },
        filter: plan.filter.take(),
        nulls: Nulls::Expect,
        captures: plan.captures,
    };
    Placed { hook, probe: index, own, layout: plan.layout, shown: found.shown }
}

/// How the name of a hook ends, by which the audit knows what it feeds.
const fn ending(event: Event, moves: Moves) -> &'static str {
    match (event, moves) {
        (Event::Resize, Moves::AtOnce) => "resize",
        (Event::Resize, Moves::Incremental | Moves::Linear) => "rehash",
        (Event::Grow, _) => "grow",
        (Event::TableFreed, _) => "free",
        (Event::Clear, _) => "clear",
        (Event::Create, _) => "create",
        (Event::Dropped, _) => "dropped",
        (Event::Elements, _) => "elements",
    }
}

const fn is_growth(event: Event) -> bool {
    matches!(event, Event::Resize | Event::Grow | Event::Clear | Event::Create | Event::Elements)
}

/// What a hit tells of the map at its address, with a profile that does not need more than its header.
pub(super) fn header_suffices(profile: &Profile) -> bool {
    let windows = Windows::of(profile, Room { block: true, windows: 0, loads: STEPS });
    windows.missing.is_empty()
}

struct Plan<'a> {
    profile: &'a Profile,
    probe: &'a Probe,
    captures: Vec<Capture>,
    filter: Option<Filter>,
    layout: Layout,
}

impl<'a> Plan<'a> {
    fn new(profile: &'a Profile, probe: &'a Probe) -> Self {
        Self { profile, probe, captures: Vec::new(), filter: None, layout: Layout::default() }
    }

    fn is_watched(&self) -> bool {
        matches!(self.probe.event, Event::Resize | Event::Create)
            && matches!(self.probe.own, Own::Chain(_))
            && header_suffices(self.profile)
    }

    /// A hook that tells of one map: nothing of that is captured, for the hit may be anywhere.
    fn of_object(
        &mut self,
        symbol: &str,
        object: impl Fn(&str) -> Option<Address>,
        arguments: &Arguments,
    ) -> Result<Option<Address>, String> {
        let own = object(symbol).ok_or_else(|| format!("the file has no variable {symbol}"))?;
        self.captures.push(Capture::register(RDI));
        self.name(arguments)?;
        Ok(Some(own))
    }

    fn captures(&mut self, own: &Chain, arguments: &Arguments) -> Result<Option<Address>, String> {
        let is_returned = own.start == Start::Returned;
        let key = capture(own, None).ok_or("the way to the map is longer than the kernel side follows")?;
        self.captures.push(if is_returned { key.at_return() } else { key });
        if let Some(min) = self.probe.min.as_ref().filter(|_| !is_returned) {
            let to = min.chain.behind(own).and_then(|chain| capture(&chain, None));
            let to = to.ok_or("the way to the size is longer than the kernel side follows")?;
            let (value, what) = (min.value, &self.profile.fields[usize::from(min.field)].name);
            let words = format!("only maps with {what} of {value} and more are told");
            let filter =
                Filter { leaves_out: Some(words.into()), ..Filter::from(self.captures.len(), value, None) };
            self.filter = Some(filter);
            self.captures.push(to);
        }
        self.name(arguments)?;
        if self.probe.when == Wanted::Both && !is_returned {
            self.before(own)?;
        }
        self.after(own)?;
        Ok(None)
    }

    /// Captures what the probe's own expressions name.
    fn name(&mut self, arguments: &Arguments) -> Result<(), String> {
        let Probe { to, from, table, bytes, .. } = self.probe;
        let expressions = [to, from, table, bytes].into_iter().flatten();
        for name in expressions.flat_map(Expression::names) {
            let way = match name {
                Name::Argument(index) => arguments.way(index)?,
                Name::Register(number) => Way::Captured(Chain::of(Start::Register(number)), Narrow::WHOLE),
                _ => continue,
            };
            if self.layout.named.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let given = match way {
                Way::Number(number) => Given::Number(number),
                Way::Captured(chain, narrow) => {
                    let taken = capture(&chain, None);
                    self.captures
                        .push(taken.ok_or("the way to an argument is longer than the kernel side follows")?);
                    Given::Captured(self.captures.len() - 1, narrow)
                }
            };
            self.layout.named.push((name, given));
        }
        if self.captures.len() > CAPTURES { Err("it names too many arguments".to_owned()) } else { Ok(()) }
    }

    fn before(&mut self, own: &Chain) -> Result<(), String> {
        // The words behind pointers are wanted after the call, too.
        let behind = self.windows(true, CAPTURES).windows.len();
        let room = CAPTURES.saturating_sub(self.captures.len() + behind);
        let windows = self.windows(false, room);
        let first = self.captures.len();
        for window in &windows.windows {
            let chain = whole(window).behind(own);
            let word = chain.and_then(|chain| capture(&chain, None));
            self.captures.push(word.ok_or("the way to a field is longer than the kernel side follows")?);
        }
        self.layout.before = Some((windows, first));
        Ok(())
    }

    fn after(&mut self, own: &Chain) -> Result<(), String> {
        let windows = self.windows(true, CAPTURES - self.captures.len());
        let first = self.captures.len();
        let at_return = self.probe.when == Wanted::Both;
        for window in &windows.windows {
            let chain = whole(window);
            let word = if at_return {
                capture(&chain, Some(FIRST)).map(Capture::at_return)
            } else {
                chain.behind(own).and_then(|chain| capture(&chain, None))
            };
            self.captures.push(word.ok_or("the way to a field is longer than the kernel side follows")?);
        }
        self.layout.after = Some((windows, first));
        Ok(())
    }

    fn windows(&self, block: bool, windows: usize) -> Windows {
        Windows::of(self.profile, Room { block, windows, loads: STEPS })
    }
}

/// The way to the value of a window: one load more than to its place.
fn whole(window: &Window) -> Chain {
    let mut chain = window.chain.clone();
    chain.steps.push(Step { offset: chain.add, width: super::expression::Width::U64 });
    chain.add = 0;
    chain
}

/// What the kernel side follows; `from`: where it starts, where that is not what the chain says.
fn capture(chain: &Chain, from: Option<u32>) -> Option<Capture> {
    let source = match (from, chain.start) {
        (Some(source), _) => source,
        // What arguments are is known by the place: `Arguments::placed`.
        (None, Start::Argument(_)) => return None,
        (None, Start::Register(number)) => u32::from(number),
        (None, Start::Returned) => RAX,
        (None, Start::Own) => FIRST,
    };
    if !chain.fits(STEPS) {
        return None;
    }
    let offsets: Vec<i64> = chain.steps.iter().map(|step| step.offset).collect();
    let width = chain.steps.last().map_or(8, |step| step.width.bytes());
    Some(Capture::load(source, &offsets, width.into()).plus(i32::try_from(chain.add).ok()?))
}

/// The values of windows that begin at a capture.
pub(super) fn values(hit: &Hit, windows: &Windows, first: usize) -> Vec<Option<u64>> {
    (first..).take(windows.windows.len()).map(|index| hit.value(index)).collect()
}
