//! A terminal: a tmux server of its own, with one shell in it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd;

use super::{PATIENCE, Scene, wait_until};

/// A tmux server of its own with one terminal; ends with its socket.
#[derive(Debug)]
pub(crate) struct Terminal<'a> {
    scene: &'a Scene,
}

impl<'a> Terminal<'a> {
    /// A shell in a terminal of that size.
    pub(crate) fn new(scene: &'a Scene, columns: u16, lines: u16) -> Self {
        let terminal = Self { scene };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, "PS1='$ ' sh"]);
        wait_until("the shell is there", PATIENCE, || terminal.shown().contains('$'));
        terminal
    }

    pub(crate) fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(self.scene.path("socket"))
            .args(args)
            .env_remove("TMUX")
            .output();
        let output = output.expect("the kernel tier needs tmux");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    pub(crate) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    pub(crate) fn run(&self, line: &str) {
        self.press(&[line, "Enter"]);
    }

    pub(crate) fn wait_to_show(&self, words: &str) {
        let mut last = String::new();
        let deadline = Instant::now() + Duration::from_secs(15);
        while Instant::now() < deadline {
            last = self.shown();
            if last.contains(words) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("never shown: {words:?} in\n{last}");
    }

    /// Whether there is a server.
    fn is_open(&self) -> bool {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.scene.path("socket")).arg("has-session");
        tmux.output().is_ok_and(|output| output.status.success())
    }

    /// Whether the program there has the terminal for itself.
    pub(crate) fn is_taken(&self) -> bool {
        self.tmux(&["display-message", "-p", "#{alternate_on}"]).trim() == "1"
    }

    /// Echo, line by line, cursor: as a shell needs it.
    pub(crate) fn assert_restored(&self) {
        wait_until("the screen is given back", PATIENCE, || !self.is_taken());
        assert_eq!(self.tmux(&["display-message", "-p", "#{cursor_flag}"]).trim(), "1", "the cursor is gone");
        // What is typed is shown, too, before it is cleared.
        self.run("clear; stty -a | tr ';' '\\n' | grep -c -e '-icanon' -e '-echo '; echo o''ver");
        self.wait_to_show("over\n");
        let shown = self.shown();
        assert!(shown.lines().any(|line| line == "0"), "{shown}");
    }

    /// What the shell there has started and what still runs.
    pub(crate) fn started(&self) -> Vec<unistd::Pid> {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
        children.split_whitespace().map(|pid| unistd::Pid::from_raw(pid.parse().unwrap())).collect()
    }

    /// Closes it, as a connection that breaks does.
    pub(crate) fn hang_up(&self) {
        self.tmux(&["kill-server"]);
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // What the shell started would outlive it if it did not end by the hang-up.
        if self.scene.path("socket").exists() && self.is_open() {
            for pid in self.started() {
                // It may have ended just now.
                kill(pid, Signal::SIGKILL).unwrap_or_default();
            }
        }
        Command::new("tmux").arg("-S").arg(self.scene.path("socket")).arg("kill-server").output().unwrap();
    }
}
