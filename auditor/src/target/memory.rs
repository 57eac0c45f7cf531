//! Reading a target's memory without stopping it. Everything above sees [`Memory`], so captured
//! memory is a fixture like any other.

use crate::audit::unit::Address;

/// A target's memory. Reading never stops the target, never changes it, and never brings a page
/// back from swap on purpose.
pub trait Memory {
    /// Fills `into` from `at`, or says why it cannot: all of it or nothing that may be used.
    ///
    /// # Errors
    /// [`ReadError`] when any byte of the range cannot be read.
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError>;

    /// Fills many buffers in few calls; the answers are in the order of the requests.
    fn read_many(&self, requests: &mut [Request<'_>]) -> Vec<Result<(), ReadError>> {
        requests.iter_mut().map(|request| self.read(request.at, request.into)).collect()
    }
}

/// One of many reads.
#[derive(Debug)]
pub struct Request<'a> {
    /// From where.
    pub at: Address,
    /// Into what.
    pub into: &'a mut [u8],
}

/// Why memory could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not mapped, or not readable.
    #[error("{len} bytes at {at} are not mapped")]
    Unmapped {
        /// From where.
        at: Address,
        /// How many.
        len: usize,
    },
    /// The process is gone.
    #[error("the process is gone")]
    Gone,
    /// No right to.
    #[error(
        "no right to read the memory of the process (CAP_SYS_PTRACE, /proc/sys/kernel/yama/ptrace_scope)"
    )]
    Denied,
}

/// Reads one little-endian word.
///
/// # Errors
/// As [`Memory::read`].
pub fn read_u64(memory: &dyn Memory, at: Address) -> Result<u64, ReadError> {
    let mut word = [0; 8];
    memory.read(at, &mut word)?;
    Ok(u64::from_le_bytes(word))
}
