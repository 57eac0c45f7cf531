//! Page faults of a process so far: the [`Faults`] fact, from `/proc/PID/stat`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::proc;
use crate::audit::fact::Faults;
use crate::audit::unit::Pid;

/// Longer than `stat` can be: 52 numbers and a name.
const WHOLE: usize = 2048;
/// Where the two counts are, from the field after the name on (`proc_pid_stat(5)`: fields 10 and 12).
const MINOR: usize = 7;
const MAJOR: usize = 9;

/// Reads the faults of a process, again and again: the file stays open.
#[derive(Debug)]
pub struct FaultCounts {
    stat: File,
}

impl FaultCounts {
    /// Opens the file of a process.
    ///
    /// # Errors
    /// As opening does.
    pub fn open(pid: Pid) -> io::Result<Self> {
        Ok(Self { stat: File::open(proc::path(Path::new(proc::ROOT), pid, "stat"))? })
    }

    /// Those of all its threads, ended ones included; the kernel adds them up at each reading, which takes some 10 us
    /// and a little more for each thread. `None`: it is gone.
    #[must_use]
    pub fn read(&self) -> Option<Faults> {
        let mut text = [0; WHOLE];
        let len = self.stat.read_at(&mut text, 0).ok()?;
        parse(text.get(..len)?)
    }
}

/// The name may hold anything, parentheses too; nothing behind it does.
fn parse(stat: &[u8]) -> Option<Faults> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let number = |at| fields.split_ascii_whitespace().nth(at)?.parse().ok();
    Some(Faults { minor: number(MINOR)?, major: number(MAJOR)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_found_behind_any_name() {
        let stat = |name: &str| format!("7 ({name}) S 1 7 7 0 -1 4194560 1234 5 67 8 9 10\n");
        for name in ["demo", "a) S 1 2 (b", "\u{fffd} )"] {
            assert_eq!(parse(stat(name).as_bytes()), Some(Faults { minor: 1234, major: 67 }), "{name}");
        }
        for broken in
            ["", "7 (demo", "7 (demo) S 1 7 7 0 -1 4194560 1234", "7 (demo) S 1 7 7 0 -1 4 x 5 67 8"]
        {
            assert_eq!(parse(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn pages_that_are_touched_first_are_faults() {
        let counts = FaultCounts::open(Pid(std::process::id())).unwrap();
        let before = counts.read().unwrap();
        // A stack that large is mapped anew, whatever the allocator has at hand; huge pages take 2 MiB a fault.
        let touch = || assert_eq!(std::hint::black_box(&[1_u8; 40 << 20])[7], 1);
        std::thread::Builder::new().stack_size(64 << 20).spawn(touch).unwrap().join().unwrap();
        let after = counts.read().unwrap();
        assert!(after.minor > before.minor, "{before:?} {after:?}");
    }
}
