//! One frame: head, checksums, compression. Pure; the table is in [`super`].

use super::v1;

/// Bytes of a head.
pub(super) const HEAD: usize = 24;
/// Most bytes of a payload, stored or unpacked: what a hostile file can make the reader allocate. A
/// batch is 64 KiB and one fact more; only a fact with millions of characters would reach it.
pub(super) const MAX_PAYLOAD: usize = 4 << 20;

/// Starts every frame. The first byte is in no text encoding, so no text file is taken for a recording.
pub(super) const MAGIC: [u8; 4] = [0xAD, b'R', b'E', b'C'];

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Header = 1,
    Facts = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Plain = 0,
    Lz4 = 1,
}

/// The decoded head of a frame: lengths are within [`MAX_PAYLOAD`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Kind,
    codec: Codec,
    /// Bytes of the payload as stored.
    pub(super) stored: usize,
    unpacked: usize,
    crc: u32,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Something else where a frame should begin.
    #[error("no frame begins here")]
    Magic,
    /// The checksum of the head is wrong.
    #[error("the checksum of its head is wrong")]
    HeadChecksum,
    /// The checksum of the payload is wrong.
    #[error("its checksum is wrong")]
    Checksum,
    /// A sound head that no version of the format allows.
    #[error("{field} cannot be {value}")]
    Field {
        /// Which field of the head.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// The payload does not unpack to the size that the head says.
    #[error("it does not unpack: {0}")]
    Packed(String),
    /// The payload is no header, or not facts.
    #[error("its content cannot be read: {0}")]
    Content(#[from] v1::Malformed),
}

/// Replaces `frame` by a whole frame around `payload`, compressed where that is smaller.
///
/// `payload` must not be longer than [`MAX_PAYLOAD`].
pub(super) fn pack(kind: Kind, payload: &[u8], frame: &mut Vec<u8>) {
    frame.clear();
    frame.resize(HEAD + lz4_flex::block::get_maximum_output_size(payload.len()), 0);
    let (codec, stored) = match lz4_flex::block::compress_into(payload, &mut frame[HEAD..]) {
        Ok(stored) if stored < payload.len() => (Codec::Lz4, stored),
        _ => {
            frame[HEAD..HEAD + payload.len()].copy_from_slice(payload);
            (Codec::Plain, payload.len())
        }
    };
    frame.truncate(HEAD + stored);
    let crc = crc32fast::hash(&frame[HEAD..]);
    let head = Head { kind, codec, stored, unpacked: payload.len(), crc };
    frame[..HEAD].copy_from_slice(&head.encode());
}

/// Replaces `payload` by that of a whole frame.
///
/// # Errors
/// [`Damage`], where it is none.
pub(super) fn unpack(frame: &[u8], payload: &mut Vec<u8>) -> Result<(), Damage> {
    let (head, stored) = frame.split_first_chunk().ok_or(Damage::Magic)?;
    Head::decode(head)?.unpack(stored, payload)
}

impl Head {
    fn encode(&self) -> [u8; HEAD] {
        let Self { kind, codec, stored, unpacked, crc } = *self;
        let mut head = [0; HEAD];
        head[..4].copy_from_slice(&MAGIC);
        head[4] = kind as u8;
        head[5] = codec as u8;
        head[8..12].copy_from_slice(&length(stored).to_le_bytes());
        head[12..16].copy_from_slice(&length(unpacked).to_le_bytes());
        head[16..20].copy_from_slice(&crc.to_le_bytes());
        let own = crc32fast::hash(&head[..20]);
        head[20..].copy_from_slice(&own.to_le_bytes());
        head
    }

    /// Checks the head of a frame.
    ///
    /// # Errors
    /// [`Damage`], where it is none.
    pub(super) fn decode(head: &[u8; HEAD]) -> Result<Self, Damage> {
        if head[..4] != MAGIC {
            return Err(Damage::Magic);
        }
        if word(head, 20) != crc32fast::hash(&head[..20]) {
            return Err(Damage::HeadChecksum);
        }
        let kind = match head[4] {
            1 => Kind::Header,
            2 => Kind::Facts,
            other => return Err(Damage::Field { field: "its kind", value: other.into() }),
        };
        let codec = match head[5] {
            0 => Codec::Plain,
            1 => Codec::Lz4,
            other => return Err(Damage::Field { field: "its codec", value: other.into() }),
        };
        let (stored, unpacked) = (bounded(head, 8)?, bounded(head, 12)?);
        Ok(Self { kind, codec, stored, unpacked, crc: word(head, 16) })
    }

    /// Replaces `payload` by what `stored`, the bytes behind this head, unpack to.
    ///
    /// # Errors
    /// [`Damage`], where they are not what the head says.
    pub(super) fn unpack(&self, stored: &[u8], payload: &mut Vec<u8>) -> Result<(), Damage> {
        if crc32fast::hash(stored) != self.crc {
            return Err(Damage::Checksum);
        }
        payload.clear();
        payload.resize(self.unpacked, 0);
        let unpacked = match self.codec {
            Codec::Plain if stored.len() == self.unpacked => {
                payload.copy_from_slice(stored);
                self.unpacked
            }
            Codec::Plain => stored.len(),
            Codec::Lz4 => lz4_flex::block::decompress_into(stored, payload)
                .map_err(|error| Damage::Packed(error.to_string()))?,
        };
        if unpacked != self.unpacked {
            return Err(Damage::Packed(format!("{unpacked} bytes instead of {}", self.unpacked)));
        }
        Ok(())
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("payloads are at most MAX_PAYLOAD bytes")
}

fn word(head: &[u8; HEAD], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

fn bounded(head: &[u8; HEAD], at: usize) -> Result<usize, Damage> {
    let value = word(head, at);
    match usize::try_from(value) {
        Ok(length) if length <= MAX_PAYLOAD => Ok(length),
        _ => Err(Damage::Field { field: "the length of its payload", value: value.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(frame: &[u8]) -> Result<Vec<u8>, Damage> {
        let mut payload = Vec::new();
        super::unpack(frame, &mut payload).map(|()| payload)
    }

    fn resealed(mut frame: Vec<u8>) -> Vec<u8> {
        let crc = crc32fast::hash(&frame[HEAD..]);
        frame[16..20].copy_from_slice(&crc.to_le_bytes());
        let own = crc32fast::hash(&frame[..20]);
        frame[20..24].copy_from_slice(&own.to_le_bytes());
        frame
    }

    #[test]
    fn a_frame_is_laid_out_as_the_table_says() {
        let mut frame = Vec::new();
        pack(Kind::Facts, b"abc", &mut frame);
        let crc = crc32fast::hash(b"abc").to_le_bytes();
        assert_eq!(frame[..12], [0xAD, b'R', b'E', b'C', 2, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(frame[12..16], [3, 0, 0, 0]);
        assert_eq!(frame[16..20], crc);
        assert_eq!(frame[20..24], crc32fast::hash(&frame[..20]).to_le_bytes());
        assert_eq!(&frame[24..], b"abc");
    }

    #[test]
    fn a_payload_is_compressed_only_where_that_is_smaller() {
        let mut frame = Vec::new();
        pack(Kind::Facts, &[7; 1000], &mut frame);
        assert_eq!(frame[5], Codec::Lz4 as u8);
        assert!(frame.len() < 100);
        assert_eq!(unpack(&frame), Ok(vec![7; 1000]));
        pack(Kind::Facts, b"short", &mut frame);
        assert_eq!(frame[5], Codec::Plain as u8);
        assert_eq!(unpack(&frame), Ok(b"short".to_vec()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut frame = Vec::new();
        pack(Kind::Facts, b"some facts, some facts, some facts, some facts", &mut frame);
        for bit in 0..frame.len() * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unpack(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_sealed_lie_about_the_size_is_noticed() {
        for payload in [b"plain".to_vec(), vec![7; 1000]] {
            for size in [0, 1, 999, 1001, MAX_PAYLOAD as u32] {
                let mut frame = Vec::new();
                pack(Kind::Facts, &payload, &mut frame);
                frame[12..16].copy_from_slice(&size.to_le_bytes());
                assert!(matches!(unpack(&resealed(frame)), Err(Damage::Packed(_))), "{size}");
            }
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_anything_is_allocated() {
        let mut frame = Vec::new();
        pack(Kind::Facts, b"abc", &mut frame);
        frame[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let damage = Damage::Field { field: "the length of its payload", value: u64::from(u32::MAX) };
        assert_eq!(unpack(&resealed(frame)), Err(damage));
    }
}
