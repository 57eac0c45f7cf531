//! A flight recorder: the facts of the last minutes in memory, and a recording of them when it is asked for. What
//! is older is not lost: the state it has led to stands at the beginning of that recording, as if the audit had
//! begun then.

pub mod frozen;
pub mod trigger;

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame::{self, Kind, MAX_PAYLOAD};
use super::standing::{Standing, Stood};
use super::v1::{Decoder, Encoder, Malformed};
use super::writer::BATCH_BYTES;
use crate::audit::fact::{Ended, Fact, What};
use crate::audit::unit::{Bytes, Nanos};
use crate::audit::words;
use frozen::Frozen;

/// Most bytes of facts that are kept, compressed. What is beyond shortens the time.
pub const MOST: Bytes = Bytes(64 << 20);
/// A frame covers at most this part of the time that is kept, so that no more than that is kept too long.
const PART: u64 = 16;

/// The last facts.
#[derive(Debug)]
pub struct Flight {
    /// How far back it goes.
    window: Nanos,
    most: Bytes,
    /// What the facts before the frames have led to.
    standing: Standing,
    frames: VecDeque<Frame>,
    /// Bytes of all frames.
    held: u64,
    batch: Encoder,
    /// Times of the facts in the batch, first and last in the order they came.
    times: Option<(Nanos, Nanos)>,
    /// Whether the audit has ended.
    has_ended: bool,
    /// Frames of facts that were too large, or no longer what they were.
    dropped: u64,
    /// Kept for its allocation.
    decoder: Decoder,
}

/// A frame as it stands in a recording.
#[derive(Debug)]
struct Frame {
    first: Nanos,
    last: Nanos,
    /// Shared with those who write it down.
    packed: Arc<[u8]>,
}

impl Flight {
    /// Nothing is kept yet. `window`: how far back it goes.
    #[must_use]
    pub fn new(window: Nanos) -> Self {
        Self::within(window, MOST)
    }

    fn within(window: Nanos, most: Bytes) -> Self {
        Self {
            window,
            most,
            standing: Standing::default(),
            frames: VecDeque::new(),
            held: 0,
            batch: Encoder::default(),
            times: None,
            has_ended: false,
            dropped: 0,
            decoder: Decoder::default(),
        }
    }

    /// Takes a fact in, and lets go of what is too old.
    ///
    /// # Errors
    /// [`Malformed`]: it cannot be encoded. What came just before is lost with it.
    pub fn push(&mut self, fact: &Fact) -> Result<(), Malformed> {
        if let Err(error) = self.batch.push(fact) {
            self.times = None;
            self.dropped += 1;
            return Err(error);
        }
        let (first, _) = *self.times.get_or_insert((fact.at, fact.at));
        self.times = Some((first, fact.at));
        self.has_ended |= matches!(fact.what, What::Ended(_));
        let is_long = fact.at.since(first).0 >= self.window.0 / PART;
        if self.batch.payload().len() >= BATCH_BYTES || is_long {
            self.seal();
        }
        Ok(())
    }

    /// Makes a frame of the batch.
    fn seal(&mut self) {
        let Some((first, last)) = self.times.take() else { return };
        if self.batch.payload().len() <= MAX_PAYLOAD {
            let mut packed = Vec::new();
            frame::pack(Kind::Facts, self.batch.payload(), &mut packed);
            self.held += packed.len() as u64;
            self.frames.push_back(Frame { first, last, packed: packed.into() });
        } else {
            self.dropped += 1;
        }
        self.batch.clear();
        self.forget(last);
    }

    /// What is too old or too much becomes part of what stands.
    fn forget(&mut self, now: Nanos) {
        let is_old = |frame: &Frame| frame.last.plus(self.window) < now;
        while self.frames.front().is_some_and(is_old) || self.held > self.most.0 && self.frames.len() > 1 {
            let Some(frame) = self.frames.pop_front() else { break };
            self.held -= frame.packed.len() as u64;
            let is_whole = frame::unpack(&frame.packed, self.decoder.refill()).is_ok();
            while let Some(Ok(fact)) = self.decoder.next() {
                self.standing.take(fact);
            }
            self.dropped += u64::from(!is_whole);
        }
    }

    /// What is kept now, with a note: why it was asked for. It is shared and not copied; what comes later changes
    /// nothing of it.
    #[must_use]
    pub fn freeze(&mut self, why: &str) -> Frozen {
        self.seal();
        let Some((first, last)) = self.frames.front().zip(self.frames.back()) else {
            return Frozen { before: Stood::nothing(), frames: Vec::new(), after: Vec::new() };
        };
        let (first, last) = (first.first, last.last);
        let kept = What::Note(format!("the last {} were kept: {why}", words::span(last.since(first))));
        let dropped = (self.dropped > 0).then(|| {
            What::Note(format!("{} frames of facts could not be kept: they are missing", self.dropped))
        });
        let end = (!self.has_ended).then_some(What::Ended(Ended::Duration));
        let after = [kept].into_iter().chain(dropped).chain(end);
        Frozen {
            before: self.standing.at(first),
            frames: self.frames.iter().map(|frame| Arc::clone(&frame.packed)).collect(),
            after: after.map(|what| Fact { at: last, thread: None, what }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::audit::Audit;
    use crate::audit::fact::{Look, Lost, Occasion, Shape};
    use crate::audit::report::Report;
    use crate::audit::unit::Address;
    use crate::recording::{read, samples};
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    fn fact(second: u64, what: What) -> Fact {
        Fact { at: Nanos(second * SECOND), thread: None, what }
    }

    fn look(map: u64, live: u64) -> What {
        let shape = Shape { live, capacity: 1000, allocated: Bytes(live * 100_000), ..Shape::default() };
        let (map, runtime) = (Address(map), "demo".to_owned());
        What::Look(Look {
            map,
            occasion: Occasion::Poll,
            runtime,
            shape: shape.into(),
            name: Some("m".to_owned()),
        })
    }

    fn began() -> What {
        let began = samples::one_of_each().into_iter().map(|fact| fact.what);
        began.into_iter().find(|what| matches!(what, What::Began(_))).unwrap()
    }

    fn frozen(flight: &mut Flight) -> Vec<Fact> {
        let mut file = Vec::new();
        flight.freeze("a test").write(&mut file, Path::new("x")).unwrap();
        read(&*file, Path::new("x")).unwrap().map(Result::unwrap).collect()
    }

    fn report(facts: &[Fact]) -> Report {
        let mut audit = Audit::new();
        facts.iter().for_each(|fact| audit.apply(fact));
        audit.report()
    }

    /// An hour of which the last minute is kept.
    fn hour() -> (Flight, Vec<Fact>) {
        let mut all = vec![fact(0, began()), fact(0, look(1, 5)), fact(0, look(2, 7)), fact(0, look(3, 9))];
        for second in 1..3600 {
            all.push(fact(second, look(1, second)));
            all.push(fact(second, What::Tick));
        }
        all.push(fact(1800, What::Gone { map: Address(3) }));
        all.sort_by_key(|fact| fact.at);
        let mut flight = Flight::new(Nanos(60 * SECOND));
        all.iter().for_each(|fact| flight.push(fact).unwrap());
        (flight, all)
    }

    #[test]
    fn the_last_minute_of_an_hour_is_a_recording_that_begins_with_what_there_was() {
        let (mut flight, _) = hour();
        let kept = frozen(&mut flight);
        let What::Began(began) = &kept[0].what else { panic!("{kept:?}") };
        assert!(!began.from_start);
        let from = kept[0].at.0 / SECOND;
        assert!((3530..=3540).contains(&from), "{from}");
        let report = report(&kept);
        let maps: Vec<_> = report.maps.iter().map(|map| (map.address, map.live)).collect();
        assert_eq!(maps, [(Address(1), Some(3599)), (Address(2), Some(7))]);
        assert_eq!(report.window.start, kept[0].at);
        assert!(report.coverage.notes.iter().any(|note| note.contains("a test")));
    }

    #[test]
    fn nothing_is_changed_where_all_of_it_is_kept() {
        let (_, all) = hour();
        let mut flight = Flight::new(Nanos(2 * 3600 * SECOND));
        all.iter().for_each(|fact| flight.push(fact).unwrap());
        assert_eq!(frozen(&mut flight)[..all.len()], all);
    }

    #[test]
    fn freezing_ends_nothing() {
        let (mut flight, _) = hour();
        let first = frozen(&mut flight);
        flight.push(&fact(3600, look(1, 77))).unwrap();
        let second = frozen(&mut flight);
        assert_eq!(second.len(), first.len() + 1);
    }

    #[test]
    fn what_comes_later_changes_nothing_of_what_is_frozen() {
        let (mut flight, mut twin) = (hour().0, hour().0);
        let now = frozen(&mut twin);
        let early = flight.freeze("a test");
        for second in 3600..9000 {
            flight.push(&fact(second, look(1 + second % 2, 77))).unwrap();
        }
        flight.push(&fact(9000, What::Gone { map: Address(1) })).unwrap();
        let mut file = Vec::new();
        early.write(&mut file, Path::new("x")).unwrap();
        let late: Vec<Fact> = read(&*file, Path::new("x")).unwrap().map(Result::unwrap).collect();
        assert_eq!(late, now);
    }

    #[test]
    fn too_much_shortens_the_time() {
        let mut flight = Flight::within(Nanos(u64::MAX), Bytes(100_000));
        flight.push(&fact(0, began())).unwrap();
        for second in 0..100_000 {
            flight.push(&fact(second, look(second.wrapping_mul(0x9e37_79b9_7f4a_7c15), second))).unwrap();
            assert!(flight.held <= 100_000 + MAX_PAYLOAD as u64);
        }
        assert!(flight.held <= 100_000);
        assert!(matches!(frozen(&mut flight)[0].what, What::Began(_)));
    }

    #[test]
    fn what_was_lost_before_is_still_lost() {
        let mut flight = Flight::new(Nanos(SECOND));
        flight.push(&fact(0, began())).unwrap();
        let lost = Lost { source: "ring_full".to_owned(), count: 3 };
        flight.push(&fact(1, What::Lost(lost.clone()))).unwrap();
        (2..100).for_each(|second| flight.push(&fact(second, What::Tick)).unwrap());
        assert!(frozen(&mut flight).iter().any(|fact| fact.what == What::Lost(lost.clone())));
    }

    proptest! {
        #[test]
        fn whatever_comes_in_whatever_order_a_recording_can_be_read_and_audited(
            order in proptest::collection::vec((0_usize..64, 0_u64..10_000), 0..200),
        ) {
            let kinds = samples::one_of_each();
            let mut flight = Flight::new(Nanos(50 * SECOND));
            for (kind, second) in order {
                let Some(sample) = kinds.get(kind) else { continue };
                flight.push(&fact(second, sample.what.clone())).unwrap();
            }
            report(&frozen(&mut flight));
        }
    }
}
