//! Where arguments are when a probe is hit: in the registers of a call, or where the note of a static probe says.

use auditor_ebpf::source::{R8, R9, RCX, RDI, RDX, RSI};

use super::expression::{Chain, REGISTERS, Start, Step, Width};
use crate::target::elf::{Argument, Place as Operand};

/// Registers of arguments (System V ABI, x86-64).
const REGISTERS_OF_CALLS: [u32; 6] = [RDI, RSI, RDX, RCX, R8, R9];

/// Where the arguments of a place are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Those of a call that has just begun, or is just to be made.
    #[default]
    OfCall,
    /// Those of a static probe; `None` in the place of one that is not understood.
    OfNote(Vec<Option<Argument>>),
}

/// Where one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It has to be captured.
    Captured(Chain, Narrow),
    /// The compiler knew it.
    Number(u64),
}

/// The bytes of a captured word that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Narrow {
    bytes: u8,
    is_signed: bool,
}

impl Narrow {
    /// All of them.
    pub(super) const WHOLE: Self = Self { bytes: 8, is_signed: false };

    /// The word without the others. A number below zero is the word of its two's complement.
    pub(super) const fn of(self, word: u64) -> u64 {
        let unused = 64 - 8 * self.bytes as u32;
        if self.is_signed {
            ((word << unused).cast_signed() >> unused).cast_unsigned()
        } else {
            word << unused >> unused
        }
    }
}

impl Arguments {
    /// Where that argument is, or why nobody can tell.
    pub(super) fn way(&self, index: u8) -> Result<Way, String> {
        match self {
            Self::OfCall => {
                let register = REGISTERS_OF_CALLS.get(usize::from(index));
                let register = register.ok_or("there are no more than 6 arguments in registers")?;
                Ok(Way::Captured(of_register(*register), Narrow::WHOLE))
            }
            Self::OfNote(arguments) => {
                let argument = arguments.get(usize::from(index)).ok_or_else(|| {
                    format!("the probe has {} arguments, and no arg{index}", arguments.len())
                })?;
                let argument = argument.as_ref();
                argument.and_then(way_of).ok_or_else(|| {
                    format!("arg{index} of the probe is where the kernel side does not find it")
                })
            }
        }
    }

    /// The same chain from where its argument is.
    pub(super) fn placed(&self, chain: &Chain) -> Result<Chain, String> {
        let Start::Argument(index) = chain.start else { return Ok(chain.clone()) };
        match self.way(index)? {
            Way::Captured(way, Narrow::WHOLE) => {
                chain.behind(&way).ok_or_else(|| "the way is longer than it can be".to_owned())
            }
            Way::Captured(..) => {
                Err(format!("arg{index} of the probe is no address: it has less than 8 bytes"))
            }
            Way::Number(_) => Err(format!("arg{index} of the probe is a number, and no address")),
        }
    }
}

/// `number` as DWARF has it.
fn of_register(number: u32) -> Chain {
    Chain::of(Start::Register(number as u8))
}

fn way_of(argument: &Argument) -> Option<Way> {
    let narrow = Narrow { bytes: argument.bytes, is_signed: argument.is_signed };
    let named = |name: &str| REGISTERS.iter().position(|register| *register == name);
    Some(match argument.place {
        Operand::Constant(number) => Way::Number(narrow.of(number.cast_unsigned())),
        Operand::Register(name) => Way::Captured(of_register(named(name)? as u32), narrow),
        Operand::Memory { index: Some(_), .. } => return None,
        Operand::Memory { base, displacement, index: None } => {
            let width = match argument.bytes {
                1 => Width::U8,
                2 => Width::U16,
                4 => Width::U32,
                _ => Width::U64,
            };
            let mut chain = of_register(named(base)? as u32);
            chain.steps.push(Step { offset: displacement, width });
            Way::Captured(chain, narrow)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_note(text: &str) -> Arguments {
        Arguments::OfNote(Argument::parse_all(text))
    }

    #[test]
    fn what_a_note_says_is_found_and_narrowed() {
        let note = of_note("8@%rbx -4@%eax 2@8(%rsp) 4@$-1 8@8(%rax,%rbx,4) 8f@%xmm0");
        let narrow = |bytes, is_signed| Narrow { bytes, is_signed };
        let rsp =
            Chain { start: Start::Register(7), steps: vec![Step { offset: 8, width: Width::U16 }], add: 0 };
        assert_eq!(note.way(0), Ok(Way::Captured(Chain::of(Start::Register(3)), Narrow::WHOLE)));
        assert_eq!(note.way(1), Ok(Way::Captured(Chain::of(Start::Register(0)), narrow(4, true))));
        assert_eq!(note.way(2), Ok(Way::Captured(rsp, narrow(2, false))));
        assert_eq!(note.way(3), Ok(Way::Number(0xffff_ffff)));
        assert!(note.way(4).is_err() && note.way(5).is_err());
        assert_eq!(note.way(6), Err("the probe has 6 arguments, and no arg6".to_owned()));
        assert_eq!(narrow(4, true).of(0x1234_ffff_fffe), u64::MAX - 1);
        assert_eq!(narrow(2, false).of(0x1234_ffff_fffe), 0xfffe);
    }

    #[test]
    fn an_address_is_a_whole_word_that_is_captured() {
        let note = of_note("8@-16(%rbp) 4@%edi 8@$7");
        let field = |index| Chain {
            start: Start::Argument(index),
            steps: vec![Step { offset: 24, width: Width::U32 }],
            add: 0,
        };
        let word = |offset, width| Step { offset, width };
        let placed = note.placed(&field(0)).unwrap();
        assert_eq!(placed.start, Start::Register(6));
        assert_eq!(placed.steps, [word(-16, Width::U64), word(24, Width::U32)]);
        assert!(note.placed(&field(1)).unwrap_err().contains("less than 8 bytes"));
        assert!(note.placed(&field(2)).unwrap_err().contains("is a number"));
        let of_call = Arguments::OfCall.placed(&field(1)).unwrap();
        assert_eq!(of_call.start, Start::Register(4));
        assert!(Arguments::OfCall.way(6).is_err());
    }
}
