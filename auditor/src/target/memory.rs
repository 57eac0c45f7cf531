//! Reading a target's memory without stopping it. Everything above sees [`Memory`], so captured
//! memory is a fixture like any other.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};

use super::pidfd::Pidfd;
use super::process::Process;
use crate::audit::unit::Address;

/// Requests of one system call: with what lies between them, half of what it takes (`UIO_MAXIOV`,
/// `include/uapi/linux/uio.h`).
const BATCH: usize = 512;
/// Bytes between two requests that are read for nothing rather than asking twice. They are in the last page of the
/// one or the first of the other, and to look up a page takes longer than to copy them.
const GAP: usize = 512;

/// A target's memory. Reading never stops the target, never changes it, and never brings a page
/// back from swap on purpose. Several threads may read at once.
pub trait Memory: Sync {
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
    /// Not among the bytes that were captured.
    #[error("{len} bytes at {at} were not captured")]
    NotCaptured {
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
        "no right to read its memory: it takes CAP_SYS_PTRACE, which root has unless a container or a security \
         module takes it away (see also /proc/sys/kernel/yama/ptrace_scope)"
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

/// The memory of a running process, by `process_vm_readv(2)`.
#[derive(Clone, Debug)]
pub struct LiveMemory {
    pid: nix::unistd::Pid,
    pidfd: Arc<Pidfd>,
}

impl LiveMemory {
    /// The memory of that process and of no later one with its number.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        // Pids fit: the kernel's limit is 2^22 (PID_MAX_LIMIT).
        let pid = nix::unistd::Pid::from_raw(process.pid().0.cast_signed());
        Self { pid, pidfd: process.pidfd() }
    }

    /// Fills the first requests of a batch and says how many are whole.
    fn read_batch(&self, batch: &mut [Request<'_>]) -> Result<usize, Errno> {
        let gaps: Vec<Option<usize>> = gaps(batch).collect();
        let lens: Vec<usize> =
            batch.iter().zip(&gaps).map(|(request, gap)| gap.unwrap_or(0) + request.into.len()).collect();
        let mut unwanted = vec![0; gaps.iter().flatten().sum()];
        let (mut unwanted, mut local) = (&mut *unwanted, Vec::with_capacity(2 * batch.len()));
        let mut remote: Vec<RemoteIoVec> = Vec::with_capacity(batch.len());
        for ((request, gap), len) in batch.iter_mut().zip(&gaps).zip(&lens) {
            match (gap, remote.last_mut()) {
                (Some(gap), Some(range)) => {
                    range.len += len;
                    local.extend(unwanted.split_off_mut(..*gap).map(IoSliceMut::new));
                }
                _ => remote.push(RemoteIoVec { base: request.at.0 as usize, len: *len }),
            }
            local.push(IoSliceMut::new(request.into));
        }
        let mut left = process_vm_readv(self.pid, &mut local, &remote)?;
        Ok(lens.into_iter().take_while(|&len| take(&mut left, len)).count())
    }

    /// All of one request, in as many calls as the kernel wants.
    fn read_one(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < into.len() {
            let unmapped = ReadError::Unmapped { at, len: into.len() };
            let Some(from) = at.plus(done as u64) else { return Err(unmapped) };
            let rest = &mut into[done..];
            let remote = [RemoteIoVec { base: from.0 as usize, len: rest.len() }];
            match process_vm_readv(self.pid, &mut [IoSliceMut::new(rest)], &remote) {
                Ok(0) => return Err(unmapped),
                Ok(read) => done += read,
                Err(errno) => return Err(failure(errno, unmapped)),
            }
        }
        Ok(())
    }

    /// The number may have been given to another process, whose bytes these would be.
    fn still_ours<T>(&self, answer: T, gone: impl FnOnce() -> T) -> T {
        if self.pidfd.has_exited() { gone() } else { answer }
    }
}

impl Memory for LiveMemory {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        let answer = self.read_one(at, into);
        self.still_ours(answer, || Err(ReadError::Gone))
    }

    fn read_many(&self, requests: &mut [Request<'_>]) -> Vec<Result<(), ReadError>> {
        let count = requests.len();
        let mut answers = Vec::with_capacity(count);
        while let Some(rest) = requests.get_mut(answers.len()..).filter(|rest| !rest.is_empty()) {
            let batch = rest.len().min(BATCH);
            let whole = self.read_batch(&mut rest[..batch]).unwrap_or(0);
            answers.extend((0..whole).map(|_| Ok(())));
            // The call stops at the first request that fails; alone, that one says why.
            if let Some(request) = rest[..batch].get_mut(whole) {
                let answer = self.read_one(request.at, request.into);
                let hopeless = matches!(answer, Err(ReadError::Gone | ReadError::Denied));
                let times = if hopeless { count - answers.len() } else { 1 };
                answers.extend(std::iter::repeat_n(answer, times));
            }
        }
        self.still_ours(answers, || vec![Err(ReadError::Gone); count])
    }
}

/// How far each request lies behind the one before it, where the two are read as one.
fn gaps(batch: &[Request<'_>]) -> impl Iterator<Item = Option<usize>> {
    let ends = batch.iter().map(|request| request.at.plus(request.into.len() as u64));
    let before = std::iter::once(None).chain(ends);
    before.zip(batch).map(|(end, request)| {
        let gap = request.at.0.checked_sub(end?.0)?;
        usize::try_from(gap).ok().filter(|gap| *gap <= GAP)
    })
}

/// Takes `len` from what is left, or says that it does not suffice.
fn take(left: &mut usize, len: usize) -> bool {
    let rest = left.checked_sub(len);
    *left = rest.unwrap_or(0);
    rest.is_some()
}

fn failure(errno: Errno, unmapped: ReadError) -> ReadError {
    match errno {
        Errno::ESRCH => ReadError::Gone,
        Errno::EPERM | Errno::EACCES => ReadError::Denied,
        // EFAULT, and ENOMEM or EINVAL for addresses that no process can have.
        _ => unmapped,
    }
}

/// Memory as it was captured: ranges of bytes and nothing between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedMemory {
    ranges: BTreeMap<u64, Vec<u8>>,
}

impl CapturedMemory {
    /// Nothing captured.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a range. Where two overlap, the one that begins later is read.
    pub fn insert(&mut self, at: Address, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.ranges.insert(at.0, bytes.into());
        self
    }

    /// How many bytes from `at` on are in one range, and they.
    fn run(&self, at: u64, wanted: usize) -> Option<&[u8]> {
        let (&start, bytes) = self.ranges.range(..=at).next_back()?;
        let tail = bytes.get(usize::try_from(at - start).ok()?..)?;
        (!tail.is_empty()).then(|| &tail[..tail.len().min(wanted)])
    }
}

impl Memory for CapturedMemory {
    fn read(&self, at: Address, into: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < into.len() {
            let wanted = into.len() - done;
            let run = at.plus(done as u64).and_then(|from| self.run(from.0, wanted));
            let Some(run) = run else { return Err(ReadError::Unmapped { at, len: into.len() }) };
            into[done..done + run.len()].copy_from_slice(run);
            done += run.len();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::unit::Pid;
    use std::process::Command;

    fn own() -> LiveMemory {
        LiveMemory::of(&Process::open(Pid(std::process::id())).unwrap())
    }

    fn address_of<T>(value: &T) -> Address {
        Address(std::ptr::from_ref(value) as u64)
    }

    #[test]
    fn our_own_memory_reads_as_we_know_it() {
        let word = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(read_u64(&own(), address_of(&word)).unwrap(), word);
    }

    #[test]
    fn what_is_not_mapped_says_so_with_its_address() {
        for at in [0, 8, u64::MAX - 3, 1 << 60] {
            let mut into = [0; 16];
            let error = own().read(Address(at), &mut into).unwrap_err();
            assert_eq!(error, ReadError::Unmapped { at: Address(at), len: 16 });
        }
    }

    #[test]
    fn what_lies_close_together_is_read_as_one_whatever_lies_between() {
        let bytes: Vec<u8> = (0..60_000_u32).map(|number| (number % 251) as u8).collect();
        let base = address_of(&bytes[0]).0;
        // Next to each other, with gaps, over each other, backwards, nothing at all, and far away.
        let places =
            [(0, 8), (8, 8), (20, 100), (119, 3), (60, 10), (75, 0), (75, 5), (591, 9), (40_000, 4096)];
        let places: Vec<(usize, usize)> =
            (0..200).flat_map(|round| places.map(|(at, len)| (at + 70 * round, len))).collect();
        let mut into: Vec<Vec<u8>> = places.iter().map(|(_, len)| vec![0; *len]).collect();
        let mut requests: Vec<_> = places
            .iter()
            .zip(&mut into)
            .map(|((at, _), into)| Request { at: Address(base + *at as u64), into })
            .collect();
        assert!(gaps(&requests).flatten().count() > places.len() / 2);
        assert!(own().read_many(&mut requests).iter().all(Result::is_ok));
        for ((at, len), read) in places.iter().zip(&into) {
            assert_eq!(read, &bytes[*at..at + len], "{len} bytes at {at}");
        }
    }

    #[test]
    fn many_reads_are_answered_in_order_however_many_fail() {
        let values: Vec<u64> = (0..3000).collect();
        let mut buffers = vec![[0_u8; 8]; values.len()];
        let fails = |index: usize| index % 7 == 3 || (1500..1600).contains(&index);
        let mut requests: Vec<_> = buffers
            .iter_mut()
            .enumerate()
            .map(|(i, into)| {
                let at = if fails(i) { Address(64) } else { address_of(&values[i]) };
                Request { at, into }
            })
            .collect();
        let answers = own().read_many(&mut requests);
        assert_eq!(answers.len(), values.len());
        for (index, answer) in answers.iter().enumerate() {
            assert_eq!(answer.is_err(), fails(index), "{index}");
            if answer.is_ok() {
                assert_eq!(u64::from_le_bytes(buffers[index]), values[index]);
            }
        }
    }

    #[test]
    fn empty_requests_succeed_and_do_not_shift_the_others() {
        let value = 7_u64;
        let (mut one, mut two, mut three) = ([0; 8], [0; 0], [0; 8]);
        let mut requests = [
            Request { at: Address(64), into: &mut one },
            Request { at: Address(64), into: &mut two },
            Request { at: address_of(&value), into: &mut three },
        ];
        let answers = own().read_many(&mut requests);
        assert!(answers[0].is_err() && answers[1].is_ok() && answers[2].is_ok());
        assert_eq!(three[0], 7);
        assert!(own().read_many(&mut []).is_empty());
    }

    #[test]
    fn a_process_that_has_ended_is_gone() {
        let mut child = Command::new("sleep").arg("63").spawn().unwrap();
        let memory = LiveMemory::of(&Process::open(Pid(child.id())).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let (mut one, mut two) = ([0; 8], [0; 8]);
        assert_eq!(memory.read(Address(4096), &mut one), Err(ReadError::Gone));
        let mut requests =
            [Request { at: Address(1), into: &mut one }, Request { at: Address(1), into: &mut two }];
        assert_eq!(memory.read_many(&mut requests), vec![Err(ReadError::Gone); 2]);
    }

    #[test]
    fn captured_memory_reads_across_ranges_that_touch_and_not_across_gaps() {
        let mut memory = CapturedMemory::new();
        memory.insert(Address(100), [1, 2, 3, 4]).insert(Address(104), [5, 6]).insert(Address(107), [9]);
        let mut into = [0; 5];
        memory.read(Address(101), &mut into).unwrap();
        assert_eq!(into, [2, 3, 4, 5, 6]);
        assert!(memory.read(Address(102), &mut into).is_err());
        assert!(memory.read(Address(99), &mut into).is_err());
    }
}
