//! A part of a recording: what stood at its beginning, then what happened in it.

use std::collections::VecDeque;
use std::io::Read;

use super::reader::{ReadError, Reader, TornTail};
use super::standing::{Standing, Stood};
use crate::audit::fact::{Ended, Fact, What};
use crate::audit::unit::Nanos;
use crate::audit::words;

/// From when to when, since the first fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// What is before only counts by what it has led to.
    pub from: Nanos,
    /// What is after does not count; `None`: nothing is after.
    pub to: Option<Nanos>,
}

/// The facts of a part, as if the audit had begun and ended there.
#[derive(Debug)]
pub struct Part<R> {
    facts: Reader<R>,
    span: Span,
    /// `None`: no fact was read.
    limit: Option<Nanos>,
    /// What is delivered before more is read.
    waiting: VecDeque<Result<Fact, ReadError>>,
    is_over: bool,
    is_beyond: bool,
}

impl<R> Part<R> {
    /// Of these facts.
    pub fn of(facts: Reader<R>, span: Span) -> Self {
        let (limit, waiting) = (None, VecDeque::new());
        Self { facts, span, limit, waiting, is_over: false, is_beyond: false }
    }

    /// After the last fact: the frame that was being written when the recording broke off.
    #[must_use]
    pub fn torn(&self) -> Option<TornTail> {
        self.facts.torn()
    }

    /// After the first fact: whether the part begins after the end of the recording.
    #[must_use]
    pub const fn is_beyond(&self) -> bool {
        self.is_beyond
    }

    /// There is more, and it is not wanted.
    fn end(&mut self, at: Nanos) {
        self.is_over = true;
        let after = words::span(self.span.to.unwrap_or_default());
        let note = What::Note(format!("what came after {after} of the recording is left out"));
        let end = [note, What::Ended(Ended::Duration)];
        self.waiting.extend(end.map(|what| Ok(Fact { at, thread: None, what })));
    }
}

impl<R: Read> Part<R> {
    /// What a family has led to is not put into few facts: it is told from its beginning.
    fn begin_whole(&mut self, stood: Stood, member: Fact) {
        let (at, note) = (member.at, "of a family all is told that came before the part that was asked for");
        let note = Fact { at, thread: None, what: What::Note(note.to_owned()) };
        self.waiting.extend(stood.chain([member, note]).map(Ok));
    }

    fn begin(&mut self) {
        let first = match self.facts.next() {
            Some(Ok(first)) => first,
            other => return self.waiting.extend(other),
        };
        self.limit = Some(self.span.to.map_or(Nanos(u64::MAX), |to| first.at.plus(to)));
        let from = first.at.plus(self.span.from);
        if self.span.from == Nanos(0) {
            return self.waiting.push_back(Ok(first));
        }
        let mut standing = Standing::default();
        standing.take(first);
        let next = loop {
            match self.facts.next() {
                Some(Ok(fact)) if matches!(fact.what, What::Member(_)) => {
                    return self.begin_whole(standing.at(fact.at), fact);
                }
                Some(Ok(fact)) if fact.at < from => standing.take(fact),
                other => break other,
            }
        };
        self.is_beyond = next.is_none();
        self.waiting.extend(standing.at(from).map(Ok));
        let since = words::span(self.span.from);
        let note =
            What::Note(format!("of what came before {since} of the recording only the outcome is known"));
        self.waiting.push_back(Ok(Fact { at: from, thread: None, what: note }));
        self.waiting.extend(next);
    }
}

impl<R: Read> Iterator for Part<R> {
    type Item = Result<Fact, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.limit.is_none() && self.waiting.is_empty() {
            self.begin();
        }
        if self.is_over {
            return self.waiting.pop_front();
        }
        let fact = self.waiting.pop_front().or_else(|| self.facts.next())?;
        match (&fact, self.limit) {
            (Ok(next), Some(limit)) if next.at > limit => {
                self.end(limit);
                self.waiting.pop_front()
            }
            _ => Some(fact),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::audit::Audit;
    use crate::audit::fact::{Look, Memory, Occasion, Rss, RssMember, Shape};
    use crate::audit::report::Report;
    use crate::audit::unit::{Address, Bytes};
    use crate::recording::{Writer, read, samples};
    use proptest::prelude::*;

    fn fact(at: u64, what: What) -> Fact {
        Fact { at: Nanos(at), thread: None, what }
    }

    fn look(map: u64, live: u64) -> What {
        let shape = Shape { live, capacity: 1000, allocated: Bytes(live * 100_000), ..Shape::default() };
        let (map, runtime) = (Address(map), "demo".to_owned());
        What::Look(Look { map, occasion: Occasion::Poll, runtime, shape: shape.into(), name: None })
    }

    /// Three maps that were there at 100; one has one entry more each time, one goes at 150; the end at 200.
    fn recorded() -> Vec<u8> {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, Path::new("x")).unwrap();
        let began = samples::one_of_each().into_iter().map(|fact| fact.what);
        let began = began.into_iter().find(|what| matches!(what, What::Began(_))).unwrap();
        writer.append(&fact(100, began)).unwrap();
        (1..4).for_each(|map| writer.append(&fact(100, look(map, 7))).unwrap());
        for at in 101..200 {
            writer.append(&fact(at, look(1, at))).unwrap();
            if at == 150 {
                writer.append(&fact(at, What::Gone { map: Address(3) })).unwrap();
            }
        }
        writer.append(&fact(200, What::Ended(Ended::Stopped))).unwrap();
        writer.finish().unwrap();
        file
    }

    fn part(from: u64, to: Option<u64>) -> Vec<Fact> {
        let file = recorded();
        let span = Span { from: Nanos(from), to: to.map(Nanos) };
        Part::of(read(&*file, Path::new("x")).unwrap(), span).map(Result::unwrap).collect()
    }

    fn report(facts: &[Fact]) -> Report {
        let mut audit = Audit::new();
        facts.iter().for_each(|fact| audit.apply(fact));
        audit.report()
    }

    #[test]
    fn all_of_it_is_as_it_was_written() {
        let file = recorded();
        let all: Vec<Fact> = read(&*file, Path::new("x")).unwrap().map(Result::unwrap).collect();
        assert_eq!(part(0, None), all);
        assert_eq!(part(0, Some(100)), all);
    }

    #[test]
    fn a_part_begins_with_what_stood_and_ends_as_an_audit_does() {
        let report = report(&part(60, Some(70)));
        let maps: Vec<_> = report.maps.iter().map(|map| (map.address, map.live)).collect();
        assert_eq!(maps, [(Address(1), Some(170)), (Address(2), Some(7))]);
        assert_eq!((report.window.start, report.window.end), (Nanos(160), Nanos(170)));
        assert_eq!(report.window.ended, Some(Ended::Duration));
        let notes = report.coverage.notes.join("; ");
        assert!(notes.contains("before 60 ns") && notes.contains("after 70 ns"), "{notes}");
    }

    #[test]
    fn what_begins_after_the_end_is_known_to() {
        let file = recorded();
        let span = Span { from: Nanos(101), to: None };
        let mut part = Part::of(read(&*file, Path::new("x")).unwrap(), span);
        part.next().unwrap().unwrap();
        assert!(part.is_beyond());
    }

    #[test]
    fn of_rss_the_youngest_of_each_member_stands() {
        let memory = |anon| What::Memory(Memory { anon: Bytes(anon), file: Bytes(1), ..Memory::default() });
        let rss = |bytes| What::Rss(Rss { member: RssMember::Anon, bytes: Bytes(bytes), external: false });
        for (told, stands) in [
            (vec![rss(10), memory(20)], 21),
            (vec![memory(20), rss(10)], 11),
            (vec![memory(20), rss(10), memory(5), rss(7)], 8),
        ] {
            let mut standing = Standing::default();
            told.into_iter().for_each(|what| standing.take(fact(1, what)));
            let facts: Vec<Fact> = standing.at(Nanos(2)).collect();
            assert_eq!(report(&facts).memory.rss.last, Some(Bytes(stands)));
        }
    }

    proptest! {
        #[test]
        fn every_part_can_be_audited_and_keeps_to_its_times(from in 0_u64..120, length in 1_u64..120) {
            let facts = part(from, Some(from + length));
            prop_assert!(facts.iter().all(|fact| (100 + from..=100 + from + length).contains(&fact.at.0)));
            prop_assert!(matches!(facts[0].what, What::Began(_)));
            report(&facts);
        }
    }
}
