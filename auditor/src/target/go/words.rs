//! Little-endian words in bytes that may be anything: what is not there is `None`.

/// Bytes with words in them.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a>(pub &'a [u8]);

impl<'a> Words<'a> {
    /// So many bytes from there on.
    #[must_use]
    pub fn slice(self, at: usize, len: usize) -> Option<&'a [u8]> {
        self.0.get(at..)?.get(..len)
    }

    /// A byte.
    #[must_use]
    pub fn u8(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    /// Two bytes.
    #[must_use]
    pub fn u16(self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    /// Four bytes.
    #[must_use]
    pub fn u32(self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    /// Four bytes with a sign.
    #[must_use]
    pub fn i32(self, at: usize) -> Option<i32> {
        self.u32(at).map(u32::cast_signed)
    }

    /// Eight bytes.
    #[must_use]
    pub fn u64(self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(*self.0.get(at..)?.first_chunk()?))
    }

    /// A number in the encoding of protocol buffers (`encoding/binary.Uvarint`), and how many bytes it takes.
    #[must_use]
    pub fn varint(self, at: usize) -> Option<(u64, usize)> {
        let mut value = 0_u64;
        for (index, byte) in self.0.get(at..)?.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index).min(63);
            if byte & 0x80 == 0 {
                return Some((value, index + 1));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_where_the_bytes_do() {
        let words = Words(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((words.u8(7), words.u8(8)), (Some(8), None));
        assert_eq!((words.u16(6), words.u16(7)), (Some(0x0807), None));
        assert_eq!((words.u32(4), words.u32(usize::MAX)), (Some(0x0807_0605), None));
        assert_eq!((words.u64(0), words.u64(1)), (Some(0x0807_0605_0403_0201), None));
    }

    #[test]
    fn a_varint_that_does_not_end_is_none() {
        assert_eq!(Words(&[0xac, 0x02]).varint(0), Some((300, 2)));
        assert_eq!(Words(&[0x80]).varint(0), None);
        assert_eq!(Words(&[0xff; 20]).varint(0), None);
    }
}
