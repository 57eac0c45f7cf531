//! `cargo xtask shots`: the pictures of the README, of a real run: the live screen and one map's life in tmux, the
//! page in a browser. They are drawn with aha and headless Chromium.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::toolchain::packages::{self, Access};
use crate::{build, process, say, workspace};

/// What draws them.
const PACKAGES: [&str; 4] = ["aha", "chromium", "fonts-dejavu-core", "tmux"];
/// What is shown: a growth that writes no longer carry on.
const SCENARIO: [&str; 5] = ["stalled_evacuation", "--entries", "2000000", "--hold", "20"];
/// Something must be on the screen by then.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(100);
/// A cell of DejaVu Sans Mono at 14 px, in thousandths of a pixel, and a line.
const CELL: u32 = 8_430;
const LINE: u32 = 17;
const MARGIN: u32 = 24;
/// Of the page, in pixels.
const PAGE: (u32, u32) = (1240, 1500);

/// Make the pictures of the README anew. Needs root.
#[derive(Args, Debug)]
pub(crate) struct Shots {}

impl Shots {
    /// Does it.
    pub(crate) fn run(self) -> Result<()> {
        workspace::require_root("shots", "the auditor places probes in a process")?;
        let missing = packages::missing(PACKAGES);
        match packages::access() {
            _ if missing.is_empty() => {}
            Access::Usable => packages::install(&missing)?,
            Access::NotRoot | Access::NoApt => bail!("install {} first", missing.join(", ")),
        }
        build::release()?;
        let studio = Studio::new()?;
        let recording = studio.work.join("incident.rec");
        studio.of_the_screen(&recording)?;
        studio.of_the_page(&recording)?;
        say::result(format_args!("the pictures are in {}", studio.album.display()));
        Ok(())
    }
}

/// Where pictures are made, and where they go.
struct Studio {
    work: PathBuf,
    album: PathBuf,
}

/// A terminal of a tmux server of its own; both end with it.
struct Terminal<'a> {
    studio: &'a Studio,
    size: (u32, u32),
}

impl Studio {
    fn new() -> Result<Self> {
        // The target's path is in the pictures.
        let (work, album) = (env::temp_dir().join("shots"), workspace::root().join("docs/shots"));
        if work.exists() {
            fs::remove_dir_all(&work).with_context(|| format!("removing {}", work.display()))?;
        }
        for folder in [&work, &album] {
            fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        }
        Ok(Self { work, album })
    }

    fn of_the_screen(&self, recording: &Path) -> Result<()> {
        let demo = self.work.join("target-demo");
        fs::copy(workspace::released("target-demo"), &demo)?;
        let audit =
            format!("run --record {} -- {} {}", recording.display(), demo.display(), SCENARIO.join(" "));
        let terminal = Terminal::open(self, (120, 36), &audit)?;
        terminal.wait_to_show("stall 4")?;
        terminal.shoot("live")?;
        terminal.press("Enter")?;
        terminal.wait_to_show("life of")?;
        terminal.shoot("life")?;
        terminal.press("Escape")?;
        terminal.press("q")
    }

    fn of_the_page(&self, recording: &Path) -> Result<()> {
        let page = self.work.join("page.html");
        let mut auditor = Command::new(workspace::released("auditor"));
        process::output(auditor.arg("replay").arg(recording).args(["-f", "html", "-o"]).arg(&page))?;
        self.browse(&page, PAGE, "page")
    }

    /// A picture of a page.
    fn browse(&self, page: &Path, (width, height): (u32, u32), name: &str) -> Result<()> {
        let picture = self.album.join(format!("{name}.png"));
        let mut browser = Command::new("chromium");
        browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
        browser.arg(format!("--user-data-dir={}", self.work.join("browser").display()));
        browser.arg(format!("--window-size={width},{height}"));
        browser.arg(format!("--screenshot={}", picture.display()));
        process::output(browser.arg(format!("file://{}", page.display())))?;
        let size = fs::metadata(&picture).with_context(|| format!("{} is missing", picture.display()))?.len();
        ensure!(size > 10_000, "{} has {size} bytes: it is blank", picture.display());
        say::note(format_args!("{}: {} KiB", picture.display(), size / 1024));
        Ok(())
    }
}

impl<'a> Terminal<'a> {
    /// With an auditor in it. What it leaves on the screen stays.
    fn open(studio: &'a Studio, size: (u32, u32), arguments: &str) -> Result<Self> {
        let terminal = Self { studio, size };
        let line = format!("{} {arguments}; sleep 60", workspace::released("auditor").display());
        let (columns, lines) = (size.0.to_string(), size.1.to_string());
        let start = ["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", &lines, &line];
        terminal.tmux(&start)?;
        Ok(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.studio.work.join("socket")).args(arguments);
        process::output(tmux.env_remove("TMUX").env("TERM", "xterm-256color"))
    }

    fn press(&self, key: &str) -> Result<()> {
        self.tmux(&["send-keys", key]).map(drop)
    }

    fn wait_to_show(&self, words: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.tmux(&["capture-pane", "-p"])?;
            if shown.contains(words) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{words:?} was not shown:\n{shown}");
            sleep(GLANCE);
        }
    }

    /// A picture of what it shows now.
    fn shoot(&self, name: &str) -> Result<()> {
        let shown = self.studio.work.join(format!("{name}.ansi"));
        fs::write(&shown, restated(&self.tmux(&["capture-pane", "-e", "-p"])?))?;
        let colours =
            process::output(Command::new("aha").args(["--black", "--no-header", "-f"]).arg(&shown))?;
        let page = self.studio.work.join(format!("{name}.html"));
        let style = format!(
            "body{{margin:12px;background:#101216;color:#d8dee9}}pre{{margin:0;font:14px/{LINE}px 'DejaVu Sans Mono'}}"
        );
        let html = format!("<!doctype html><meta charset=utf-8><style>{style}</style><pre>{colours}</pre>");
        fs::write(&page, html)?;
        let (columns, lines) = self.size;
        self.studio.browse(&page, (columns * CELL / 1000 + MARGIN, lines * LINE + MARGIN), name)
    }
}

/// How letters look, as far as a picture shows it.
#[derive(Default)]
struct Look {
    bold: bool,
    reversed: bool,
    /// Of the sixteen; `None`: the usual one.
    colour: Option<u8>,
}

impl Look {
    /// What the numbers of one escape sequence change.
    fn follow(&mut self, codes: &str) {
        let mut numbers = codes.split(';').map(|code| code.parse::<u8>().unwrap_or(0));
        while let Some(number) = numbers.next() {
            match number {
                0 => *self = Self::default(),
                1 => self.bold = true,
                7 => self.reversed = true,
                22 => self.bold = false,
                27 => self.reversed = false,
                30..=37 => self.colour = Some(number - 30),
                38 => self.colour = numbers.nth(1),
                39 => self.colour = None,
                48 => drop(numbers.nth(1)),
                _ => {}
            }
        }
    }

    /// The numbers that say it all.
    fn codes(&self) -> String {
        let colour = match self.colour {
            Some(dark @ 0..8) => format!(";3{dark}"),
            Some(bright @ 8..16) => format!(";9{}", bright - 8),
            _ => String::new(),
        };
        let set = |is: bool, code: &'static str| if is { code } else { "" };
        format!("0{}{colour}{}", set(self.bold, ";1"), set(self.reversed, ";7"))
    }
}

/// A screen of which each escape sequence says all that is in force: aha mixes up colours that change while they
/// are reversed, and what was reversed was not to be read.
fn restated(screen: &str) -> String {
    let mut look = Look::default();
    let mut pieces = screen.split("\x1b[");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for (codes, text) in pieces.filter_map(|piece| piece.split_once('m')) {
        look.follow(codes);
        out += &format!("\x1b[{}m{text}", look.codes());
    }
    out
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // Where it has ended by itself, there is no server.
        drop(self.tmux(&["kill-server"]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_is_said_again_with_each_change() {
        let screen =
            "a\x1b[7m\x1b[39mmap \x1b[38;5;2mback\x1b[1m\x1b[48;5;4m\x1b[38;5;9mx\x1b[0;2mend\x1b[m.";
        let expected = "a\x1b[0;7m\x1b[0;7mmap \x1b[0;32;7mback\x1b[0;1;32;7m\x1b[0;1;32;7m\x1b[0;1;91;7mx\x1b[0mend\x1b[0m.";
        assert_eq!(restated(screen), expected);
    }
}
