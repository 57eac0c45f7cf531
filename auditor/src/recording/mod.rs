//! Facts on disk: append only, readable after `kill -9` up to the last whole frame.
//!
//! A recording is a row of frames and nothing else. Numbers are little-endian. This table is also in
//! `docs/recording.md`; `frame.rs` holds the code of it.
//!
//! | offset | type | field of a frame |
//! |---|---|---|
//! | 0 | u8 x 4 | magic `AD 52 45 43` |
//! | 4 | u8 | kind: 1 header, 2 facts |
//! | 5 | u8 | codec of the payload: 0 as it is, 1 LZ4 block |
//! | 6 | u16 | 0 |
//! | 8 | u32 | bytes of the payload as stored, at most 4 MiB |
//! | 12 | u32 | bytes of the payload once unpacked, at most 4 MiB |
//! | 16 | u32 | CRC-32 (IEEE) of the payload as stored |
//! | 20 | u32 | CRC-32 of the 20 bytes before |
//! | 24 | | the payload |
//!
//! The first frame, and no other, is of kind 1. Its payload is in postcard encoding: format version
//! (u16), wall time of creation (u64, ns since the Unix epoch), version of the auditor (string). What
//! later versions append to it is ignored, so any auditor can say which one a recording needs.
//!
//! The payload of kind 2 is any number of facts in postcard encoding, one after the other: the time
//! as a signed difference to the fact before (for the first: to 0), the thread, what happened. Each
//! frame can be read without the others.
//!
//! Where the file ends inside a frame whose head is sound, writing broke off there: that is an end,
//! not an error ([`Reader::torn`]). Anything else that is not a frame is [`ReadError::Damaged`]; the
//! head's own checksum is what tells the two apart.
//!
//! **Versions.** Postcard is read by position. Whatever changes the encoding of a fact, an appended
//! variant too, raises [`VERSION`] (a test in `v1.rs` notices), and the older vocabulary gets its
//! file beside the new one. A reader knows every version up to its own and names the version it would
//! need otherwise. Until the first release version 1 has no readers to keep: it takes what the
//! vocabulary gains, and freezes with that release. The table above never changes.

pub mod flight;
mod frame;
pub mod part;
mod reader;
#[cfg(test)]
mod samples;
pub mod standing;
mod v1;
mod writer;

use serde::{Deserialize, Serialize};

pub use frame::Damage;
pub use reader::{ReadError, Reader, TornTail, open, read};
pub use v1::Malformed;
pub use writer::{WriteError, Writer, Written};

/// The version of the format that is written.
pub const VERSION: u16 = 1;

/// What a recording says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Format version; at most [`VERSION`] in a recording that can be read.
    pub version: u16,
    /// When it was created, in ns since the Unix epoch.
    pub created: u64,
    /// Version of the auditor that wrote it.
    pub auditor: String,
}
