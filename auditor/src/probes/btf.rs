//! The few questions we ask of the kernel's BTF: where a member is in a struct, and what a raw
//! tracepoint is given. Pure: bytes in, answers out. The format is
//! <https://docs.kernel.org/bpf/btf.html>; only what those questions need is decoded.

use std::ops::Range;

const MAGIC: u16 = 0xeb9f;
/// Bytes of `struct btf_type`: name_off u32, info u32, size or type u32.
const TYPE_LEN: usize = 12;
/// Nested anonymous structs and chains of typedefs deeper than this are not followed.
const DEPTH: u32 = 16;

/// Kinds of `include/uapi/linux/btf.h` with what follows the fixed part.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const PTR: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const ENUM64: u32 = 19;
    pub(super) const UNKNOWN: u32 = 20;
}

/// Why BTF could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// Not BTF, or of another byte order.
    #[error("not BTF of this machine's byte order")]
    Magic,
    /// It ends too early, or a record points outside.
    #[error("BTF is cut off or corrupt at byte {0}")]
    Corrupt(usize),
    /// A kind that this reader does not know the length of.
    #[error("BTF kind {0} is newer than this auditor")]
    Kind(u32),
}

/// BTF that has been indexed.
#[derive(Debug)]
pub struct Btf<'a> {
    bytes: &'a [u8],
    strings: Range<usize>,
    /// Where each type starts; type ids start at 1, `types[0]` is `void`.
    types: Vec<usize>,
}

/// A type's fixed part.
#[derive(Clone, Copy, Debug)]
struct Type {
    at: usize,
    name: u32,
    kind: u32,
    vlen: usize,
    bit_fields: bool,
    size_or_type: u32,
}

impl<'a> Btf<'a> {
    /// Indexes BTF.
    ///
    /// # Errors
    /// [`BtfError`] when it is not BTF or cannot be walked to its end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BtfError> {
        let word = |at| u32_at(bytes, at).map(|word| word as usize);
        if bytes.get(..2) != Some(&MAGIC.to_le_bytes()) {
            return Err(BtfError::Magic);
        }
        let base = word(4)?;
        let types = range(base, word(8)?, word(12)?, bytes.len())?;
        let strings = range(base, word(16)?, word(20)?, bytes.len())?;
        let mut btf = Self { bytes, strings, types: vec![usize::MAX] };
        let mut at = types.start;
        while at < types.end {
            btf.types.push(at);
            at += btf.type_at(at)?.len()?;
        }
        Ok(btf)
    }

    /// Offset of a member in bytes, also through anonymous structs and unions. `None`: there is no
    /// such struct or member, or it is a bit field.
    #[must_use]
    pub fn member_offset(&self, structure: &str, member: &str) -> Option<u32> {
        let found = self.find(structure, kind::STRUCT)?;
        self.member(found, member, DEPTH).map(|(offset, _)| offset)
    }

    /// Size of the type of a member, arrays included.
    #[must_use]
    pub fn member_size(&self, structure: &str, member: &str) -> Option<u32> {
        let found = self.find(structure, kind::STRUCT)?;
        let (_, id) = self.member(found, member, DEPTH)?;
        self.size(id, DEPTH)
    }

    /// The arguments of a raw tracepoint: for each whether it is a pointer. `None`: no such
    /// tracepoint. The kernel describes it as `typedef void (*btf_trace_NAME)(void *, ...)`.
    #[must_use]
    pub fn tracepoint_arguments(&self, name: &str) -> Option<Vec<bool>> {
        let typedef = self.find(&format!("btf_trace_{name}"), kind::TYPEDEF)?;
        let pointer = self.by_id(typedef.size_or_type)?;
        let proto = self.by_id(pointer.size_or_type)?;
        if pointer.kind != kind::PTR || proto.kind != kind::FUNC_PROTO {
            return None;
        }
        (1..proto.vlen)
            .map(|index| {
                let id = u32_at(self.bytes, proto.at + TYPE_LEN + 8 * index + 4).ok()?;
                Some(self.plain(id, DEPTH)?.kind == kind::PTR)
            })
            .collect()
    }

    fn find(&self, name: &str, kind: u32) -> Option<Type> {
        let types = self.types.iter().skip(1).filter_map(|at| self.type_at(*at).ok());
        types.filter(|found| found.kind == kind).find(|found| self.is_called(found.name, name))
    }

    fn member(&self, of: Type, name: &str, depth: u32) -> Option<(u32, u32)> {
        if depth == 0 || !matches!(of.kind, kind::STRUCT | kind::UNION) {
            return None;
        }
        (0..of.vlen).find_map(|index| {
            let at = of.at + TYPE_LEN + 12 * index;
            let member_name = u32_at(self.bytes, at).ok()?;
            let id = u32_at(self.bytes, at + 4).ok()?;
            let raw = u32_at(self.bytes, at + 8).ok()?;
            let bits = if of.bit_fields { raw & 0xff_ffff } else { raw };
            let is_bit_field = of.bit_fields && raw >> 24 != 0;
            if self.is_called(member_name, name) {
                return (!is_bit_field).then_some((bits / 8, id));
            }
            if member_name != 0 {
                return None;
            }
            let (inner, id) = self.member(self.plain(id, DEPTH)?, name, depth - 1)?;
            Some((bits / 8 + inner, id))
        })
    }

    fn size(&self, id: u32, depth: u32) -> Option<u32> {
        let found = self.plain(id, DEPTH)?;
        match found.kind {
            kind::PTR => Some(8),
            kind::ARRAY if depth > 0 => {
                let element = u32_at(self.bytes, found.at + TYPE_LEN).ok()?;
                let count = u32_at(self.bytes, found.at + TYPE_LEN + 8).ok()?;
                self.size(element, depth - 1)?.checked_mul(count)
            }
            kind::INT | kind::STRUCT | kind::UNION | kind::ENUM | kind::ENUM64 => Some(found.size_or_type),
            _ => None,
        }
    }

    /// Without typedefs and qualifiers.
    fn plain(&self, id: u32, depth: u32) -> Option<Type> {
        let found = self.by_id(id)?;
        match found.kind {
            kind::TYPEDEF | kind::VOLATILE | kind::CONST if depth > 0 => {
                self.plain(found.size_or_type, depth - 1)
            }
            _ => Some(found),
        }
    }

    fn by_id(&self, id: u32) -> Option<Type> {
        self.type_at(*self.types.get(id as usize)?).ok()
    }

    fn type_at(&self, at: usize) -> Result<Type, BtfError> {
        let info = u32_at(self.bytes, at.saturating_add(4))?;
        Ok(Type {
            at,
            name: u32_at(self.bytes, at)?,
            kind: info >> 24 & 0x1f,
            vlen: (info & 0xffff) as usize,
            bit_fields: info >> 31 == 1,
            size_or_type: u32_at(self.bytes, at + 8)?,
        })
    }

    fn is_called(&self, offset: u32, name: &str) -> bool {
        let strings = self.bytes.get(self.strings.clone()).unwrap_or_default();
        let Some(rest) = strings.get(offset as usize..) else { return false };
        rest.starts_with(name.as_bytes()) && rest.get(name.len()) == Some(&0)
    }
}

impl Type {
    /// Bytes of the whole record.
    fn len(&self) -> Result<usize, BtfError> {
        let follows = match self.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => 12 * self.vlen,
            kind::ENUM | kind::FUNC_PROTO => 8 * self.vlen,
            0 | kind::UNKNOWN.. => return Err(BtfError::Kind(self.kind)),
            _ => 0,
        };
        Ok(TYPE_LEN + follows)
    }
}

fn range(base: usize, offset: usize, len: usize, limit: usize) -> Result<Range<usize>, BtfError> {
    let start = base.saturating_add(offset);
    let end = start.saturating_add(len);
    if end > limit { Err(BtfError::Corrupt(start)) } else { Ok(start..end) }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, BtfError> {
    let word = bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(BtfError::Corrupt(at))?;
    Ok(u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kernel() -> Vec<u8> {
        std::fs::read("/sys/kernel/btf/vmlinux").expect("this kernel has BTF")
    }

    #[test]
    fn the_running_kernel_answers_what_the_programs_need() {
        let bytes = kernel();
        let btf = Btf::parse(&bytes).unwrap();
        assert!(btf.member_offset("mm_struct", "rss_stat").is_some_and(|offset| offset > 0));
        assert!(btf.member_offset("task_struct", "mm").is_some());
        assert!(btf.member_offset("task_struct", "tgid").is_some());
        assert_eq!(btf.tracepoint_arguments("sys_exit"), Some(vec![true, false]));
        assert_eq!(btf.tracepoint_arguments("no_such_tracepoint"), None);
        assert_eq!(btf.member_offset("mm_struct", "no_such_member"), None);
        assert_eq!(btf.member_offset("list_head", "prev"), Some(8));
        assert_eq!(btf.member_size("list_head", "prev"), Some(8));
    }

    #[test]
    fn what_is_not_btf_is_refused() {
        assert_eq!(Btf::parse(b"\x7fELF").unwrap_err(), BtfError::Magic);
        assert_eq!(Btf::parse(&[0x9f, 0xeb, 1, 0]).unwrap_err(), BtfError::Corrupt(4));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(mut tail in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = vec![0x9f, 0xeb, 1, 0];
            bytes.append(&mut tail);
            if let Ok(btf) = Btf::parse(&bytes) {
                let _offset = btf.member_offset("a", "b");
                let _size = btf.member_size("a", "b");
                let _arguments = btf.tracepoint_arguments("c");
            }
        }
    }
}
