//! The side that probes: a target of our own, the auditor's kernel side with its hook planned for the
//! target's functions, and the auditor's way of reading the ring.

use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use auditor::audit::unit::Pid;
use auditor::probes::host::Host;
use auditor::probes::kernel::{Kernel, LinkKind, Multi};
use auditor::probes::object::{Log, Reach, Settings};
use auditor::probes::plan::{self, Evacuation, Function, Placement, Wanted};
use auditor::runtimes::hook::{Capture, Does, Header, Heat, Hook, Nulls, Spot, Stack, Watch, When};
use auditor::target::module::{Module, modules};
use auditor_ebpf::source;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::functions::{CLASSES, Class};

/// As the live loop: between two readings of the ring when nothing wakes us, and records a reading.
const PACE: Duration = Duration::from_millis(20);
const BATCH: usize = 1 << 16;
/// More than any answer takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of a function that are decoded to find a site.
const DECODED: usize = 16;

/// The probing side and its target.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The loaded kernel side.
    pub(crate) kernel: Kernel,
    target: Target,
    host: Host,
}

/// The target; it ends with us.
#[derive(Debug)]
struct Target {
    child: Child,
    answers: UnboundedReceiver<String>,
}

/// An answer, and how many records came meanwhile.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What the target said.
    pub(crate) text: String,
    /// Records read from the ring.
    pub(crate) records: u64,
}

impl Agent {
    /// Starts the target and loads the kernel side. Must be called inside a tokio runtime.
    pub(crate) fn start() -> Result<Self> {
        let host = Host::ask();
        let settings = Settings {
            rss_step: 1 << 20,
            types: host.types.clone().ok(),
            page_shift: 12,
            log: Log::Off,
            reach: Reach::One,
        };
        let mut kernel = Kernel::load(&settings, Multi::Allowed)?;
        ensure!(kernel.link_kind() == LinkKind::Multi, "this kernel has no uprobe_multi links (Linux 6.6)");
        let target = Target::start()?;
        kernel.follow(Pid(target.child.id()))?;
        Ok(Self { kernel, target, host })
    }

    /// The target's pid.
    pub(crate) fn pid(&self) -> Pid {
        Pid(self.target.child.id())
    }

    /// Where the auditor would put a hook into each class's function, in the order of the classes.
    pub(crate) fn plan(&self) -> Result<Vec<Placement>> {
        let found = modules(self.pid())?;
        let main = found.iter().find(|module| module.is_main()).context("the target has no program")?;
        let wanted = Wanted {
            hooks: CLASSES.iter().map(hook).collect(),
            header_len: 0,
            evacuation_is_readable: false,
            evacuation: Evacuation::Auto,
        };
        let plan = plan::plan(&wanted, 0, |spot| function(main, spot.shown()), &self.host);
        let refused = plan.refusals.first().map(|refusal| format!("{}: {}", refusal.name, refusal.reason));
        ensure!(refused.is_none(), "{}", refused.unwrap_or_default());
        Ok(plan.placements)
    }

    /// Has the target do something, and reads the ring meanwhile as the live loop does.
    pub(crate) async fn ask(&mut self, what: &str) -> Result<Answer> {
        timeout(PATIENCE, self.wait_for(what)).await.context("the target does not answer")?
    }

    async fn wait_for(&mut self, what: &str) -> Result<Answer> {
        self.target.tell(what)?;
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut records = 0;
        let text = loop {
            tokio::select! {
                biased;
                text = self.target.answers.recv() => break text.context("the target has ended")?,
                () = self.kernel.ring.much_waits() => {}
                _ = pace.tick() => {}
            }
            records += self.drain();
        };
        loop {
            let more = self.drain();
            records += more;
            if more < BATCH as u64 {
                return Ok(Answer { text, records });
            }
        }
    }

    fn drain(&mut self) -> u64 {
        self.kernel.ring.drain(BATCH, |event| drop(black_box(event))) as u64
    }
}

/// The hook of a class: one register, which is the key, as in the demo's.
fn hook(class: &Class) -> Hook {
    Hook {
        name: class.name.into(),
        spot: Spot::Function(class.symbol.to_owned()),
        when: if class.pair { When::EntryAndReturn } else { When::Entry },
        heat: Heat::Rare,
        does: Does::Send,
        stack: Stack::Leave,
        key: 0,
        watch: Watch::No,
        header: Header::No,
        filter: None,
        nulls: Nulls::Lose,
        captures: vec![Capture::register(source::RDI)],
    }
}

fn function(module: &Module, name: &str) -> Option<Function> {
    let symbol = module.symbol(name)?;
    let offset = symbol.file_offset?;
    Some(Function {
        file: module.open_path().to_owned(),
        shown: "hit_cost".to_owned(),
        offset,
        address: symbol.address,
        bytes: module.bytes_at_file_offset(offset, DECODED).ok()?,
        size: symbol.size,
    })
}

impl Target {
    fn start() -> Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg("target")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the target")?;
        let lines = BufReader::new(child.stdout.take().context("the target's stdout is a pipe")?).lines();
        let (send, answers) = unbounded_channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| send.send(line)));
        Ok(Self { child, answers })
    }

    fn tell(&mut self, what: &str) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("the target's stdin is a pipe")?;
        writeln!(stdin, "{what}").context("telling the target what to do")
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait().map(drop)).unwrap_or_default();
    }
}
