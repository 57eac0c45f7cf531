//! ns a hit by site class and program. In each round every class is called without a probe and with
//! each program, one after the other; what a hit costs is the difference.

use anyhow::{Context as _, Result, ensure};
use auditor::probes::plan::Placement;
use auditor::runtimes::hook::{Does, Stack};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::empty::Empty;
use crate::functions::{CLASSES, Class};

/// What sits at the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Empty,
    Count,
    Send,
    SendStack,
}

use Program::{Count, Empty as Nothing, Send, SendStack};

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Nothing => "empty",
            Count => "count",
            Send => "send",
            SendStack => "send + stack",
        }
    }

    /// With a return the captures wait for it: there is nothing to count.
    const fn of(class: &Class) -> &'static [Self] {
        if class.pair { &[Nothing, Send] } else { &[Nothing, Count, Send, SendStack] }
    }
}

/// The ns of each round, by class and program.
pub(crate) async fn measure(rounds: usize) -> Result<Value> {
    let mut agent = Agent::start()?;
    let empty = Empty::load()?;
    let placements = agent.plan()?;
    let rows: Vec<(usize, Program)> =
        (0..CLASSES.len()).flat_map(|at| Program::of(&CLASSES[at]).iter().map(move |of| (at, *of))).collect();
    let mut times = vec![Vec::with_capacity(rounds); rows.len()];
    for _ in 0..rounds {
        for ((class, program), times) in rows.iter().zip(&mut times) {
            let plain = called(&mut agent, *class).await?;
            let placement = with(&placements[*class], *program);
            let probed = probed(&mut agent, &empty, *class, &placement, *program).await?;
            times.push(probed - plain);
        }
    }
    let found = rows.iter().zip(times).map(|((class, program), times)| {
        json!({ "class": CLASSES[*class].name, "program": program.name(), "ns": times })
    });
    Ok(found.collect())
}

fn with(placement: &Placement, program: Program) -> Placement {
    let mut placement = placement.clone();
    placement.hook.does = if program == Count { Does::Count } else { Does::Send };
    placement.hook.stack = if program == SendStack { Stack::Take } else { Stack::Leave };
    placement
}

/// Measures with the program in place, and makes sure that it was.
async fn probed(
    agent: &mut Agent,
    empty: &Empty,
    class: usize,
    placement: &Placement,
    program: Program,
) -> Result<f64> {
    let pid = agent.pid();
    if program == Nothing {
        let links = empty.attach(placement, pid.0, CLASSES[class].pair)?;
        let time = called(agent, class).await;
        drop(links);
        return time;
    }
    let before = agent.kernel.hits(placement.id);
    agent.kernel.place(placement, pid)?;
    let time = called(agent, class).await;
    drop(agent.kernel.remove(placement.id));
    let hits = agent.kernel.hits(placement.id) - before;
    let Class { name, calls, .. } = CLASSES[class];
    ensure!(hits == calls, "{name}, {}: {hits} hits of {calls} calls", program.name());
    time
}

async fn called(agent: &mut Agent, class: usize) -> Result<f64> {
    let answer = agent.ask(&format!("calls {class}")).await?;
    answer.text.parse().context("the target answers with a number")
}
