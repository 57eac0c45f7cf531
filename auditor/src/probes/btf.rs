//! The few questions we ask of the kernel's BTF: where a member is in a struct, and what a raw
//! tracepoint is given. Pure: bytes in, answers out. The format is
//! <https://docs.kernel.org/bpf/btf.html>; only what those questions need is decoded.

use std::ops::Range;

const MAGIC: u16 = 0xeb9f;
/// Bytes of `struct btf_type`: name_off u32, info u32, size or type u32.
const TYPE_LEN: usize = 12;
/// Nested anonymous structs and chains of typedefs deeper than this are not followed.
const DEPTH: u32 = 16;
/// A type is found by its id in at most this many steps.
const STRIDE: usize = 64;

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
    pub(super) const FUNC: u32 = 12;
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

/// A type that is looked for by its name.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    kind: u32,
    name: &'a str,
}

impl<'a> Name<'a> {
    /// A struct.
    #[must_use]
    pub const fn structure(name: &'a str) -> Self {
        Self { kind: kind::STRUCT, name }
    }

    /// A function.
    #[must_use]
    pub const fn function(name: &'a str) -> Self {
        Self { kind: kind::FUNC, name }
    }

    /// A typedef.
    #[must_use]
    pub const fn typedef(name: &'a str) -> Self {
        Self { kind: kind::TYPEDEF, name }
    }
}

/// BTF that has been walked once.
#[derive(Debug)]
pub struct Btf<'a> {
    bytes: &'a [u8],
    strings: Range<usize>,
    /// Where the types 1, 1 + [`STRIDE`], 1 + 2 * [`STRIDE`]... start.
    marks: Vec<usize>,
}

/// A type's fixed part.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    id: u32,
    at: usize,
    name: u32,
    kind: u32,
    vlen: usize,
    bit_fields: bool,
    size_or_type: u32,
}

impl<'a> Btf<'a> {
    /// Walks all types once and finds those of these names: the first of each, where there is one. A
    /// kernel has some 150,000 types in 3 MB; an index of all would take longer to make than the
    /// walk.
    ///
    /// # Errors
    /// [`BtfError`] when it is not BTF or cannot be walked to its end.
    pub fn find<const N: usize>(
        bytes: &'a [u8],
        names: [Name<'_>; N],
    ) -> Result<(Self, [Option<Type>; N]), BtfError> {
        let word = |at| u32_at(bytes, at).map(|word| word as usize);
        if bytes.get(..2) != Some(&MAGIC.to_le_bytes()) {
            return Err(BtfError::Magic);
        }
        let base = word(4)?;
        let types = range(base, word(8)?, word(12)?, bytes.len())?;
        let strings = range(base, word(16)?, word(20)?, bytes.len())?;
        let mut btf = Self { bytes, strings, marks: Vec::new() };
        let mut found = [None; N];
        let (mut at, mut count) = (types.start, 0_usize);
        while at < types.end {
            if count.is_multiple_of(STRIDE) {
                btf.marks.push(at);
            }
            count += 1;
            let here = btf.type_at(at, count as u32)?;
            btf.compare(here, &names, &mut found);
            at += here.len()?;
        }
        Ok((btf, found))
    }

    /// Names are in another part of the file, so only those of the right kind are looked at.
    fn compare(&self, here: Type, names: &[Name<'_>], found: &mut [Option<Type>]) {
        if !matches!(here.kind, kind::STRUCT | kind::TYPEDEF | kind::FUNC) {
            return;
        }
        for (wanted, found) in names.iter().zip(found) {
            if found.is_none() && wanted.kind == here.kind && self.is_called(here.name, wanted.name) {
                *found = Some(here);
            }
        }
    }

    /// Offset of a member in bytes, also through anonymous structs and unions. `None`: there is no
    /// such member, or it is a bit field.
    #[must_use]
    pub fn member_offset(&self, structure: Type, member: &str) -> Option<u32> {
        self.member(structure, member, DEPTH).map(|(offset, _)| offset)
    }

    /// Size of the type of a member, arrays included.
    #[must_use]
    pub fn member_size(&self, structure: Type, member: &str) -> Option<u32> {
        let (_, id) = self.member(structure, member, DEPTH)?;
        self.size(id, DEPTH)
    }

    /// The arguments of a raw tracepoint, by its type: for each whether it is a pointer. The kernel
    /// describes it as `typedef void (*btf_trace_NAME)(void *, ...)`. `None`: it is no such type.
    #[must_use]
    pub fn tracepoint_arguments(&self, typedef: Type) -> Option<Vec<bool>> {
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

    /// Goes to the mark before it and walks from there. Type 0 is `void`, which has no record.
    fn by_id(&self, id: u32) -> Option<Type> {
        let index = (id as usize).checked_sub(1)?;
        let before = index - index % STRIDE;
        let mut found = self.type_at(*self.marks.get(index / STRIDE)?, before as u32 + 1).ok()?;
        for _ in before..index {
            found = self.type_at(found.at + found.len().ok()?, found.id + 1).ok()?;
        }
        Some(found)
    }

    fn type_at(&self, at: usize, id: u32) -> Result<Type, BtfError> {
        let info = u32_at(self.bytes, at.saturating_add(4))?;
        Ok(Type {
            id,
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
    /// The number by which the kernel knows it.
    #[must_use]
    pub const fn id(self) -> u32 {
        self.id
    }

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
        let names = [
            Name::structure("mm_struct"),
            Name::structure("list_head"),
            Name::typedef("btf_trace_sys_exit"),
            Name::typedef("btf_trace_no_such_tracepoint"),
            Name::structure("btf_trace_sys_exit"),
        ];
        let (btf, [mm, list, exit, nothing, wrong_kind]) = Btf::find(&bytes, names).unwrap();
        let (mm, list) = (mm.unwrap(), list.unwrap());
        assert!(btf.member_offset(mm, "rss_stat").is_some_and(|offset| offset > 0));
        assert_eq!(btf.member_offset(mm, "no_such_member"), None);
        assert_eq!((btf.member_offset(list, "prev"), btf.member_size(list, "prev")), (Some(8), Some(8)));
        assert_eq!(btf.tracepoint_arguments(exit.unwrap()), Some(vec![true, false]));
        assert_eq!(btf.tracepoint_arguments(list), None);
        assert!(nothing.is_none() && wrong_kind.is_none());
    }

    /// Type 1 is an int; then as many structs as are asked for, each with one member of the type
    /// before it.
    fn chain(structs: u32) -> Vec<u8> {
        let mut types = vec![1, 1 << 24, 4, 32];
        for id in 2..structs + 2 {
            types.extend([1 + 2 * (id % 2), 4 << 24 | 1, 4, 5, id - 1, 8 * id]);
        }
        let strings = b"\0a\0b\0m\0";
        let len = 4 * types.len() as u32;
        let header = [0x1_eb9f, 24, 0, len, len, strings.len() as u32];
        let words = header.iter().chain(&types).flat_map(|word| word.to_le_bytes());
        words.chain(strings.iter().copied()).collect()
    }

    #[test]
    fn a_type_is_found_by_its_id_on_either_side_of_a_mark() {
        let structs = 2 * STRIDE as u32 + 3;
        let bytes = chain(structs);
        let (btf, [first]) = Btf::find(&bytes, [Name::structure("a")]).unwrap();
        assert_eq!(btf.member_offset(first.unwrap(), "m"), Some(2));
        for id in 2..structs + 2 {
            assert_eq!(btf.member_offset(btf.by_id(id).unwrap(), "m"), Some(id), "{id}");
        }
        assert!(btf.by_id(0).is_none() && btf.by_id(structs + 2).is_none());
    }

    #[test]
    fn what_is_not_btf_is_refused() {
        assert_eq!(Btf::find(b"\x7fELF", []).unwrap_err(), BtfError::Magic);
        assert_eq!(Btf::find(&[0x9f, 0xeb, 1, 0], []).unwrap_err(), BtfError::Corrupt(4));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(mut tail in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = vec![0x9f, 0xeb, 1, 0];
            bytes.append(&mut tail);
            let names = [Name::structure("a"), Name::typedef("c")];
            if let Ok((btf, found)) = Btf::find(&bytes, names) {
                for found in found.into_iter().flatten() {
                    let _offset = btf.member_offset(found, "b");
                    let _size = btf.member_size(found, "b");
                    let _arguments = btf.tracepoint_arguments(found);
                }
            }
        }
    }
}
