//! A machine that qemu emulates: started, listened to, and ended when it says nothing more.
//!
//! Emulated and not virtual, because nested virtualisation is rare and hangs where it is half there.
//! What it says on its serial line is all that is known of it.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use super::fetch::Image;
use crate::process;
use crate::toolchain::packages::{self, Access};

/// The emulator, and the package that has it.
const QEMU: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
/// One thread for both CPUs: with two, a CPU may run into the breakpoint of a code patch (the kernel makes
/// such patches when a tracepoint comes into use) that the other has finished, and the kernel gives up.
/// The CPU is the best that it emulates, without two things: its cmpxchg16b breaks the allocator of
/// Linux 6.12 (qemu 7.2), and page tables of five levels only take time.
const MACHINE: &str = "-accel tcg,thread=single -cpu max,-cx16,la57=off -smp 2 -m 1024 \
    -nodefaults -no-reboot -display none -serial stdio -monitor none";
/// `nokaslr`, `mitigations=off`: they would only cost time.
const KERNEL: &str = "console=ttyS0 rdinit=/init panic=-1 quiet mitigations=off nokaslr";

/// No test takes so long, and no start.
const SILENCE: Duration = Duration::from_secs(300);
/// All tests together do not take so long.
const WHOLE: Duration = Duration::from_secs(1200);
/// What `init.sh` says first and last.
const BEGINS: &str = "auditor-vm: begins on ";
const ENDED: &str = "auditor-vm: ended with ";
/// How much of what came before the beginning is repeated when there is none.
const LAST_LINES: usize = 20;

/// A child that does not outlive us.
#[derive(Debug)]
struct Running(Child);

impl Drop for Running {
    /// Ends it if it still runs. That it has ended already is the usual case.
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait().map(drop)).unwrap_or_default();
    }
}

/// Makes sure that there is an emulator, or says how to get it.
pub(super) fn ensure_qemu() -> Result<()> {
    let runs = || process::output(Command::new(QEMU).arg("--version")).is_ok();
    if !runs() && packages::access() == Access::Usable {
        packages::install(&[PACKAGE.to_owned()])?;
    }
    ensure!(
        runs(),
        "{QEMU} is missing. As root, run\n\n    apt-get install --no-install-recommends {PACKAGE}\n\n\
         (elsewhere: the package that has it), and then again: cargo xtask vm"
    );
    Ok(())
}

/// Runs a kernel with its first file system until it stops the machine, and hands over each line that
/// the tests say.
pub(super) fn run(image: &Image, root: &Path, see: impl FnMut(&str)) -> Result<()> {
    let mut command = Command::new(QEMU);
    command.args(MACHINE.split_whitespace()).args(["-append", KERNEL]);
    command.arg("-kernel").arg(&image.vmlinuz).arg("-initrd").arg(root);
    listen(&mut command, SILENCE, WHOLE, see)
}

/// Starts what speaks as the machine does, and listens to its end.
fn listen(command: &mut Command, silence: Duration, whole: Duration, see: impl FnMut(&str)) -> Result<()> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut running = Running(child.with_context(|| format!("starting {}", process::shown(command)))?);
    let output = running.0.stdout.take().context("its output is a pipe")?;
    let mut speech = Speech { see, before: Vec::new(), begun: false, ended: false };
    let partial = hear(&read_aside(output), silence, whole, |line| speech.line(line))?;
    if !partial.is_empty() {
        speech.line(&partial);
    }
    if !speech.begun {
        bail!("it never came to the tests; it said\n{}", speech.before.join("\n"));
    }
    ensure!(speech.ended, "it stopped in the midst of the tests: {partial}");
    Ok(())
}

/// What the machine says, told apart.
struct Speech<F> {
    see: F,
    before: Vec<String>,
    begun: bool,
    ended: bool,
}

impl<F: FnMut(&str)> Speech<F> {
    fn line(&mut self, line: &str) {
        self.ended |= line.starts_with(ENDED);
        if self.begun {
            (self.see)(line);
            return;
        }
        // What the firmware said before on the same line stays there.
        self.begun = line.contains(BEGINS);
        self.before.push(line.to_owned());
        if self.before.len() > LAST_LINES {
            self.before.remove(0);
        }
    }
}

/// Reads on a thread of its own, so that silence can be noticed.
fn read_aside(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = output.read(&mut bytes) {
            if sender.send(bytes[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Hands over lines until nothing more can come; returns what came after the last line.
fn hear(
    output: &Receiver<Vec<u8>>,
    silence: Duration,
    whole: Duration,
    mut each: impl FnMut(&str),
) -> Result<String> {
    let deadline = Instant::now() + whole;
    let mut rest = Vec::new();
    loop {
        let patience = silence.min(deadline.saturating_duration_since(Instant::now()));
        match output.recv_timeout(patience) {
            Ok(bytes) => rest.extend(bytes),
            Err(RecvTimeoutError::Disconnected) => return Ok(text(&rest)),
            Err(RecvTimeoutError::Timeout) => {
                let seconds = patience.as_secs();
                bail!("it said nothing more for {seconds} s after {:?} and was stopped", text(&rest));
            }
        }
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            each(&text(&rest[..end]));
            rest.drain(..=end);
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(script: &str) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let (silence, whole) = (Duration::from_secs(1), Duration::from_secs(10));
        listen(&mut command, silence, whole, |line| lines.push(line.to_owned()))?;
        Ok(lines)
    }

    #[test]
    fn what_the_tests_say_is_heard_and_not_what_the_firmware_said() {
        let said = heard(
            "echo BIOS; echo 'x auditor-vm: begins on 6.1'; printf 'one\\r\\n'; echo 'auditor-vm: ended with 0'",
        );
        assert_eq!(said.unwrap(), ["one", "auditor-vm: ended with 0"]);
    }

    #[test]
    fn a_machine_that_stops_early_has_failed_and_what_it_said_is_told() {
        let never = heard("echo Kernel panic").unwrap_err().to_string();
        assert!(never.contains("never came to the tests") && never.contains("Kernel panic"), "{never}");
        let amid = heard("echo auditor-vm: begins on 6.1; printf 'test one ... '").unwrap_err().to_string();
        assert!(amid.contains("in the midst of the tests: test one ..."), "{amid}");
    }

    #[test]
    fn a_machine_that_falls_silent_is_stopped_and_what_it_did_last_is_told() {
        let began = Instant::now();
        let error =
            heard("echo auditor-vm: begins on 6.1; printf 'test one ... '; exec sleep 60").unwrap_err();
        assert!(error.to_string().contains("nothing more for 1 s after \"test one ...\""), "{error}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
