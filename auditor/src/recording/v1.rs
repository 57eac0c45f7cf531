//! Facts and the header as bytes, version 1. Until the first release it may still change, and takes
//! what the vocabulary gains; with that release it is frozen: see the policy in [`super`].

use super::Header;
use crate::audit::fact::{Fact, What};
use crate::audit::unit::{Nanos, Tid};

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(#[from] postcard::Error);

/// A fact as stored: the time as the difference to the fact before.
///
/// Differences are 2 bytes instead of 7 most of the time; they wrap, so any order of any times comes
/// back as it was.
type Stored<W> = (i64, Option<Tid>, W);

/// Facts becoming the payload of one frame.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    payload: Vec<u8>,
    last: Nanos,
}

impl Encoder {
    /// Appends one fact.
    ///
    /// # Errors
    /// [`Malformed`] when the fact cannot be encoded; the payload is empty then.
    pub(super) fn push(&mut self, fact: &Fact) -> Result<(), Malformed> {
        let Fact { at, thread, what } = fact;
        let stored: Stored<&What> = (at.0.wrapping_sub(self.last.0).cast_signed(), *thread, what);
        self.payload = postcard::to_extend(&stored, std::mem::take(&mut self.payload))?;
        self.last = *at;
        Ok(())
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Starts the next frame's payload.
    pub(super) fn clear(&mut self) {
        self.payload.clear();
        self.last = Nanos(0);
    }
}

/// The payload of one frame becoming facts.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    payload: Vec<u8>,
    next: usize,
    last: Nanos,
}

impl Decoder {
    /// Takes the next payload in: what the caller puts into the buffer is read from its start.
    pub(super) fn refill(&mut self) -> &mut Vec<u8> {
        self.next = 0;
        self.last = Nanos(0);
        self.payload.clear();
        &mut self.payload
    }

    /// The whole payload, for one that holds no facts.
    pub(super) fn take_payload(&mut self) -> &[u8] {
        self.next = self.payload.len();
        &self.payload
    }

    /// The next fact, or `None` at the end of the payload.
    ///
    /// One fact of hostile bytes allocates at most 48 times the payload: a list of empty strings, one
    /// for every byte, that has just doubled.
    pub(super) fn next(&mut self) -> Option<Result<Fact, Malformed>> {
        let rest = self.payload.get(self.next..).filter(|rest| !rest.is_empty())?;
        let taken = postcard::take_from_bytes::<Stored<What>>(rest);
        Some(taken.map_err(Malformed).map(|((delta, thread, what), rest)| {
            self.next = self.payload.len() - rest.len();
            self.last = Nanos(self.last.0.wrapping_add(delta.cast_unsigned()));
            Fact { at: self.last, thread, what }
        }))
    }
}

/// The payload of the header frame.
///
/// # Errors
/// [`Malformed`] when it cannot be encoded.
pub(super) fn encode_header(header: &Header) -> Result<Vec<u8>, Malformed> {
    Ok(postcard::to_stdvec(header)?)
}

/// The header, whatever later versions put behind it.
///
/// # Errors
/// [`Malformed`] when it is none.
pub(super) fn decode_header(payload: &[u8]) -> Result<Header, Malformed> {
    Ok(postcard::take_from_bytes(payload)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::samples::one_of_each;

    /// If this fails, recordings made before can no longer be read. Before the first release, put the
    /// new numbers here; after it, keep the old vocabulary in this file, put the new one in `v2.rs` and
    /// raise `VERSION`.
    #[test]
    fn the_encoding_of_version_1_has_not_changed() {
        let mut encoder = Encoder::default();
        for fact in one_of_each() {
            encoder.push(&fact).unwrap();
        }
        assert_eq!((encoder.payload().len(), crc32fast::hash(encoder.payload())), (848, 547_708_632));
        let mut unknown = Decoder::default();
        unknown.refill().extend_from_slice(&[0, 0, u8::try_from(one_of_each().len()).unwrap()]);
        let error = unknown.next().unwrap().unwrap_err();
        assert_eq!(error, Malformed(postcard::Error::SerdeDeCustom), "a kind is missing in `one_of_each`");
    }

    #[test]
    fn times_come_back_in_any_order_and_over_the_whole_range() {
        let times = [5, 3, u64::MAX, 0, 1 << 63, (1 << 63) - 1, 7];
        let facts = times.map(|at| Fact { at: Nanos(at), thread: None, what: What::Tick });
        let mut encoder = Encoder::default();
        facts.iter().for_each(|fact| encoder.push(fact).unwrap());
        let mut decoder = Decoder::default();
        decoder.refill().extend_from_slice(encoder.payload());
        let back: Vec<_> = std::iter::from_fn(|| decoder.next()).collect::<Result<_, _>>().unwrap();
        assert_eq!(back, facts);
    }

    #[test]
    fn a_header_is_read_whatever_later_versions_append() {
        let header = Header { version: 9, created: 17, auditor: "9.9.9".to_owned() };
        let mut payload = encode_header(&header).unwrap();
        payload.extend_from_slice(b"and more");
        assert_eq!(decode_header(&payload), Ok(header));
    }
}
