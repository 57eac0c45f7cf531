//! What a rule may look at: the report as drawn so far, how things went over time, the thresholds. And the
//! questions that several rules ask.

use std::collections::BTreeMap;

use super::thresholds::Thresholds;
use crate::audit::counters::Moved;
use crate::audit::fact::Ended;
use crate::audit::life::Life;
use crate::audit::report::{Episode, Map, Report, Severity};
use crate::audit::trend::{MapTrend, Trends};
use crate::audit::unit::{Address, Bytes, Nanos};
use crate::audit::words;

/// Bytes of a name within a sentence.
const NAME: usize = 80;

/// Everything there is to judge by.
#[derive(Clone, Debug)]
pub(in crate::audit) struct Scene<'a> {
    /// What is known now, but for what is judged here.
    pub(in crate::audit) report: &'a Report,
    /// Over time.
    pub(in crate::audit) trends: &'a Trends,
    /// From where on it matters.
    pub(in crate::audit) thresholds: &'a Thresholds,
    /// Every map of the report, in its order: many rules go through them.
    seen: Vec<Seen<'a>>,
    growths: BTreeMap<Address, Vec<&'a Episode>>,
}

/// What is known of a map's past that the report does not have.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::audit) struct Past {
    /// The most live entries that were seen.
    pub(in crate::audit) most_live: u64,
    /// What it counted itself.
    pub(in crate::audit) moved: Option<Moved>,
    /// When a table of it was last asked for or let go; 0: never while the audit watched.
    pub(in crate::audit) heard: Nanos,
}

/// One map with its past.
#[derive(Clone, Copy, Debug)]
pub(in crate::audit) struct Seen<'a> {
    /// As the report has it.
    pub(in crate::audit) map: &'a Map,
    /// What it was.
    pub(in crate::audit) past: Past,
    /// Over time; `None`: no sample was taken of it.
    pub(in crate::audit) trend: Option<&'a MapTrend>,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Found {
    pub(super) severity: Severity,
    pub(super) map: Option<Address>,
    pub(super) summary: String,
    pub(super) evidence: Vec<String>,
    pub(super) remedy: String,
    pub(super) reclaimable: Option<Bytes>,
}

/// What a rule has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Outcome {
    /// Nothing.
    Clear,
    /// This.
    Found(Vec<Found>),
    /// There may be something; why it cannot be told yet.
    TooEarly(String),
}

/// What a rule has to say of one map.
#[derive(Clone, Debug)]
pub(super) enum Judged {
    Clear,
    Found(Found),
    TooEarly(String),
}

/// Whether nothing happens to a map, so that its unused room will not be needed in a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::audit) enum Idle {
    /// Nothing does.
    Yes,
    /// There was one look: nobody knows, and the finding says so.
    OneLook,
    /// It gains entries.
    Busy,
    /// Not seen for long enough; why.
    TooEarly(String),
}

/// What a map holds beyond what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Surplus {
    /// What it holds.
    pub(in crate::audit) held: Bytes,
    /// `resident`, or `allocated` where that is not known.
    pub(in crate::audit) how: &'static str,
    /// What its entries need.
    pub(in crate::audit) needed: Bytes,
    /// The difference.
    pub(in crate::audit) bytes: Bytes,
}

impl Past {
    /// That of one map.
    pub(in crate::audit) fn of(life: &Life) -> Self {
        Self { most_live: life.most_live, moved: life.counters.moved(), heard: life.heard }
    }
}

impl<'a> Scene<'a> {
    /// `pasts` are those of the maps of the report, in their order.
    pub(in crate::audit) fn new(
        report: &'a Report,
        pasts: &'a [Past],
        trends: &'a Trends,
        thresholds: &'a Thresholds,
    ) -> Self {
        let mut growths: BTreeMap<Address, Vec<&Episode>> = BTreeMap::new();
        for episode in &report.episodes {
            growths.entry(episode.map).or_default().push(episode);
        }
        let pasts = pasts.iter().copied().chain(std::iter::repeat(Past::default()));
        let seen = report.maps.iter().zip(pasts);
        let seen = seen.map(|(map, past)| Seen { map, past, trend: trends.of(map.address, map.born) });
        Self { report, trends, thresholds, seen: seen.collect(), growths }
    }

    /// The time of the report.
    pub(in crate::audit) fn now(&self) -> Nanos {
        self.report.window.end
    }

    /// How long the audit has watched.
    pub(in crate::audit) fn watched(&self) -> Nanos {
        self.now().since(self.report.window.start)
    }

    /// Whether it was one look.
    pub(in crate::audit) fn looked_once(&self) -> bool {
        self.report.window.ended == Some(Ended::OneLook)
    }

    /// Every map of the report, in its order.
    pub(in crate::audit) fn all(&self) -> impl Iterator<Item = Seen<'a>> {
        self.seen.iter().copied()
    }

    /// Those that live and that something leads to, as far as is known: only they are to blame.
    pub(in crate::audit) fn held(&self) -> impl Iterator<Item = Seen<'a>> {
        self.all().filter(|seen| seen.map.died.is_none() && seen.map.reachable != Some(false))
    }

    /// The growths of a map that are told one by one, in the order in which they started.
    pub(in crate::audit) fn growths_of(&self, map: &Map) -> impl Iterator<Item = &'a Episode> {
        let of_its_address = self.growths.get(&map.address).into_iter().flatten().copied();
        of_its_address.filter(|episode| map.lived_at(episode.start))
    }

    /// Whether nothing happens to a map.
    pub(in crate::audit) fn idle(&self, seen: Seen<'_>) -> Idle {
        if self.looked_once() {
            return Idle::OneLook;
        }
        let quiet = self.thresholds.watch.quiet.0;
        let since = self.now().since(seen.past.heard.max(self.report.window.start));
        let early = |what| Idle::TooEarly(format!("{what}, and it takes {} to tell", words::span(quiet)));
        if since < quiet {
            let since = words::span(since);
            return early(format!("{} has been left alone for {since} only", called(seen.map)));
        }
        let Some(then) = seen.trend.and_then(|trend| trend.by(Nanos(self.now().0.saturating_sub(quiet.0))))
        else {
            return early(format!("{} was not read for long enough", called(seen.map)));
        };
        let slack = then.live.max(seen.map.capacity.unwrap_or(0)) / 20;
        match seen.map.live {
            Some(live) if live <= then.live.saturating_add(slack) => Idle::Yes,
            _ => Idle::Busy,
        }
    }

    /// Judges each map that is held, one by one.
    pub(super) fn each(&self, judge: impl Fn(Seen<'a>) -> Judged) -> Outcome {
        let (mut found, mut early) = (Vec::new(), None);
        for seen in self.held() {
            match judge(seen) {
                Judged::Clear => {}
                Judged::Found(one) => found.push(one),
                Judged::TooEarly(reason) => _ = early.get_or_insert(reason),
            }
        }
        match (found.is_empty(), early) {
            (false, _) => Outcome::Found(found),
            (true, Some(reason)) => Outcome::TooEarly(reason),
            (true, None) => Outcome::Clear,
        }
    }
}

impl Outcome {
    /// One thing, or nothing.
    pub(super) fn of(found: Option<Found>) -> Self {
        found.map_or(Self::Clear, |found| Self::Found(vec![found]))
    }
}

impl Idle {
    /// What to add to the evidence, and that it is idle; else what the rule has to say.
    pub(super) fn or_judged(self) -> Result<Option<String>, Judged> {
        match self {
            Self::Yes => Ok(None),
            Self::OneLook => {
                Ok(Some("this was one look: whether entries are coming was not seen".to_owned()))
            }
            Self::Busy => Err(Judged::Clear),
            Self::TooEarly(reason) => Err(Judged::TooEarly(reason)),
        }
    }
}

/// What a map holds beyond its needs; `None`: one of the two is not known.
pub(in crate::audit) fn surplus(map: &Map) -> Option<Surplus> {
    let needed = map.bytes.needed?;
    let (held, how) = match (map.bytes.resident, map.bytes.allocated) {
        (Some(resident), _) => (resident, "resident"),
        (None, allocated) => (allocated?, "allocated"),
    };
    Some(Surplus { held, how, needed, bytes: held.less(needed) })
}

/// What a map is called within a sentence, as the tables call it: its name, who holds it, its type, or its
/// address.
pub(in crate::audit) fn called(map: &Map) -> String {
    let texts = [&map.name, &map.owner, &map.type_name];
    match texts.into_iter().flatten().find(|text| !text.is_empty()) {
        Some(text) => cut(text),
        None => format!("the map at {}", map.address),
    }
}

/// A call stack in one line, innermost first: functions without their paths; `None`: there is none.
pub(super) fn made_in(site: &[String]) -> Option<String> {
    /// Frames: the innermost are the runtime's own.
    const FRAMES: usize = 12;
    let frames: Vec<String> = site.iter().take(FRAMES).map(|frame| function(frame)).collect();
    (!frames.is_empty()).then(|| format!("called from {}", frames.join(" < ")))
}

/// `Map::insert` of `target_demo::map::Map::insert (mod.rs:98)`. What is more intricate stays whole.
fn function(frame: &str) -> String {
    let name = frame.split(" (").next().unwrap_or_default();
    let mut parts = name.rsplitn(3, "::");
    match (name.contains(['<', '{']), parts.next(), parts.next()) {
        (false, Some(last), Some(before)) => cut(&format!("{before}::{last}")),
        _ => cut(name),
    }
}

/// A name that is no longer than a sentence bears.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// `9,990 of 1,048,576 slots are in use (0.9 %)`.
pub(super) fn fullness(map: &Map) -> String {
    let (live, capacity) = (map.live.unwrap_or(0), map.capacity.unwrap_or(0));
    let share = words::share(live, capacity);
    format!("{} of {} slots are in use ({share})", words::count(live), words::count(capacity))
}

/// `it has 37.7 MiB allocated and needs 402 KiB for these entries`.
pub(super) fn holding(surplus: Surplus) -> String {
    let Surplus { held, how, needed, .. } = surplus;
    format!("{} are {how}, and its entries need {}", words::bytes(held), words::bytes(needed))
}

/// How to rebuild a map, what that takes, and when it shows.
pub(super) fn rebuild(map: &Map, needed: Bytes) -> String {
    let first = format!(
        "build a new map for as many entries, move them over and drop the old one; that takes {} more meanwhile",
        words::bytes(needed)
    );
    if is_go(map) {
        return format!(
            "{first}. The next garbage collection frees the old one and the scavenger gives it back in about 10 s, from Go 1.21 on some of it after one more collection; delete and clear() free nothing"
        );
    }
    first
}

/// Whether it is a map of Go's.
pub(super) fn is_go(map: &Map) -> bool {
    is_go_runtime(&map.runtime)
}

/// Whether a runtime of that name is Go's.
pub(in crate::audit) fn is_go_runtime(name: &str) -> bool {
    name == "go" || name.starts_with("go_")
}
