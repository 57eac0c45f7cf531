//! Where the arguments of a static probe are, as the assembler wrote it: `8@%rdi -4@$1 8@-16(%rbp) 4@x+8(%rip)`.

/// Most arguments of a probe: `<sys/sdt.h>` knows 12.
const ARGUMENTS: usize = 16;

/// An argument of a static probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its size: 1, 2, 4 or 8.
    pub bytes: u8,
    /// Whether it has a sign.
    pub is_signed: bool,
    /// Where it is.
    pub place: Place,
}

/// Where an argument is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is this number.
    Constant(i64),
    /// The lowest bytes of this register, by its name of 64 bits: `rdi`.
    Register(&'static str),
    /// In memory.
    Memory {
        /// The register with the address.
        base: &'static str,
        /// Added to it.
        displacement: i64,
        /// A register that is added too, and by what it is multiplied.
        index: Option<(&'static str, u8)>,
    },
}

/// The names of each register: of 8, 4, 2 and 1 bytes. `ah` and its like are not told apart from them.
const REGISTERS: [[&str; 4]; 16] = [
    ["rax", "eax", "ax", "al"],
    ["rbx", "ebx", "bx", "bl"],
    ["rcx", "ecx", "cx", "cl"],
    ["rdx", "edx", "dx", "dl"],
    ["rsi", "esi", "si", "sil"],
    ["rdi", "edi", "di", "dil"],
    ["rbp", "ebp", "bp", "bpl"],
    ["rsp", "esp", "sp", "spl"],
    ["r8", "r8d", "r8w", "r8b"],
    ["r9", "r9d", "r9w", "r9b"],
    ["r10", "r10d", "r10w", "r10b"],
    ["r11", "r11d", "r11w", "r11b"],
    ["r12", "r12d", "r12w", "r12b"],
    ["r13", "r13d", "r13w", "r13b"],
    ["r14", "r14d", "r14w", "r14b"],
    ["r15", "r15d", "r15w", "r15b"],
];

impl Argument {
    /// All arguments of a probe; `None` in the place of one that is not understood: floating point, or relative to
    /// a symbol.
    #[must_use]
    pub fn parse_all(text: &str) -> Vec<Option<Self>> {
        text.split_ascii_whitespace().take(ARGUMENTS).map(Self::parse).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (size, operand) = text.split_once('@')?;
        let size: i8 = size.parse().ok()?;
        let bytes = size.unsigned_abs();
        let place = place(operand)?;
        matches!(bytes, 1 | 2 | 4 | 8).then_some(Self { bytes, is_signed: size < 0, place })
    }
}

fn place(operand: &str) -> Option<Place> {
    if let Some(number) = operand.strip_prefix('$') {
        return Some(Place::Constant(number_of(number)?));
    }
    let Some((displacement, inner)) = operand.split_once('(') else {
        return Some(Place::Register(register(operand)?));
    };
    let mut parts = inner.strip_suffix(')')?.split(',');
    let base = register(parts.next()?)?;
    let index = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some(name), None) => Some((register(name)?, 1)),
        (Some(name), Some(scale)) => Some((register(name)?, scale.parse().ok()?)),
    };
    let displacement = if displacement.is_empty() { 0 } else { number_of(displacement)? };
    parts.next().is_none().then_some(Place::Memory { base, displacement, index })
}

fn register(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix('%')?;
    REGISTERS.iter().find(|names| names.contains(&name)).map(|names| names[0])
}

/// Decimal or hex, with a sign. What an assembler wrote as more than `i64` is a `u64`.
fn number_of(text: &str) -> Option<i64> {
    let (is_negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if is_negative { (number as i64).wrapping_neg() } else { number as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn argument(bytes: u8, is_signed: bool, place: Place) -> Option<Argument> {
        Some(Argument { bytes, is_signed, place })
    }

    #[test]
    fn every_kind_of_place_is_read() {
        let text = "8@%rdi -4@$-1 8@-16(%rbp) 1@%al 4@(%r13) 8@8(%rax,%rbx,4) -2@0x10(%rsp,%rcx)";
        let memory = |base, displacement, index| Place::Memory { base, displacement, index };
        assert_eq!(
            Argument::parse_all(text),
            [
                argument(8, false, Place::Register("rdi")),
                argument(4, true, Place::Constant(-1)),
                argument(8, false, memory("rbp", -16, None)),
                argument(1, false, Place::Register("rax")),
                argument(4, false, memory("r13", 0, None)),
                argument(8, false, memory("rax", 8, Some(("rbx", 4)))),
                argument(2, true, memory("rsp", 16, Some(("rcx", 1)))),
            ]
        );
    }

    #[test]
    fn what_is_not_understood_keeps_its_place() {
        let text = "8f@%xmm0 8@x(%rip) 3@%rax 8@%rdi 8@ @%rax 8@(%rax 8@(%rax,%rbx,4,5)";
        let found: Vec<bool> = Argument::parse_all(text).iter().map(Option::is_some).collect();
        assert_eq!(found, [false, false, false, true, false, false, false, false]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-0-9@$%()a-z, x]{0,60}") {
            prop_assert!(Argument::parse_all(&text).len() <= ARGUMENTS);
        }
    }
}
