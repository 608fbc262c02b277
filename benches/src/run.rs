//! One run: everything is built first, then every contender has its turn in every round.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use contiv_testbed::Stack;

use crate::agent::{self, Finds};
use crate::load::{Ends, Load};
use crate::metrics::Calls;
use crate::readings::Readings;
use crate::start::Ground;
use crate::stats::median;
use crate::suite::{Contender, Suite};
use crate::{machine, path, policy, report};

/// A user-defined network of Docker's own.
const DOCKER_NETWORK: &str = "bench-docker";

/// How much is measured.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    rounds: usize,
    /// Turns that every path has in a round; many short ones meet the same noise as each other.
    turns: usize,
    /// Of one load on one path, in one turn.
    time: Duration,
    /// Containers that each contender starts in one round.
    starts: usize,
}

impl Plan {
    /// Enough to say something.
    pub(crate) fn full(rounds: usize) -> Self {
        Self {
            rounds,
            turns: 5,
            time: Duration::from_millis(250),
            starts: 20,
        }
    }

    /// Enough to see that everything runs.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            turns: 1,
            time: Duration::from_millis(200),
            starts: 3,
        }
    }

    /// Leaves out what is not this part.
    pub(crate) fn restrict(&mut self, part: Part) {
        match part {
            Part::Traffic => self.starts = 0,
            Part::Starts => self.turns = 0,
            Part::Addresses => {}
        }
    }
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    Traffic,
    Starts,
    /// Addresses that masters on etcd give a second, printed and nothing else
    Addresses,
}

/// Only the paths that need nothing but a kernel.
pub(crate) fn bare(plan: &Plan) -> Result<()> {
    let bridge = path::bridge()?;
    let paths = [
        (Contender::Veth, path::veth()?),
        (Contender::Bridge, bridge.ends.clone()),
    ];
    let mut readings = Readings::default();
    traffic(plan, &paths, 0, &mut Readings::default())?;
    for round in 0..plan.rounds {
        traffic(plan, &paths, round, &mut readings)?;
    }
    readings.rounds = plan.rounds;
    print!("{}", report::tables(&readings));
    Ok(())
}

/// All of it; the report goes to `place`.
pub(crate) fn whole(plan: &Plan, place: &Path) -> Result<()> {
    say("start an engine, netmaster and netplugin on a host of their own");
    let mut stack = Stack::start("bench")?;
    let mut readings = Readings {
        rounds: plan.rounds,
        machine: machine::describe(&stack),
        ..Readings::default()
    };
    say("start netplugin again and again");
    readiness(&mut stack, plan, &mut readings)?;

    say("connect the contenders");
    policy::apply(&stack).context("Contiv's network, policy and group")?;
    stack
        .engine
        .docker(&["network", "create", DOCKER_NETWORK])?;
    let bridge = path::bridge()?;
    let ours = path::containers(&stack.engine, policy::GROUP, "ours")?;
    let docker = path::containers(&stack.engine, DOCKER_NETWORK, "user")?;
    let default = path::containers(&stack.engine, "bridge", "default")?;
    let paths = [
        (Contender::Veth, path::veth()?),
        (Contender::Bridge, bridge.ends.clone()),
        (Contender::DockerBridge, default),
        (Contender::Contiv, ours.clone()),
    ];
    for (contender, ends) in &paths {
        let mtu = path::mtu(ends)?;
        readings
            .machine
            .push(("MTU", format!("{mtu}, {}", contender.title())));
    }
    let grounds = [
        (
            Contender::DockerNetwork,
            Ground::new(&stack.engine, DOCKER_NETWORK, &docker)?,
        ),
        (
            Contender::Contiv,
            Ground::new(&stack.engine, policy::GROUP, &ours)?,
        ),
    ];

    // What is done for the first time is slower than all that comes after.
    say("warm up");
    traffic(&Plan::quick(), &paths, 0, &mut Readings::default())?;
    starts(&Plan::quick(), &stack, &grounds, &mut Readings::default())?;
    for round in 0..plan.rounds {
        say(&format!("round {} of {}", round + 1, plan.rounds));
        traffic(plan, &paths, round, &mut readings)?;
        starts(plan, &stack, &grounds, &mut readings)?;
    }
    readings.resident_mib = agent::resident_mib(stack.agent()?)?;
    report::write(&readings, place)
}

/// Every load on every path, in turns; who is first moves on. A round's figure is the median of its
/// turns.
fn traffic(
    plan: &Plan,
    paths: &[(Contender, Ends)],
    round: usize,
    readings: &mut Readings,
) -> Result<()> {
    for load in Load::ALL.iter().filter(|_| plan.turns > 0) {
        let mut figures = vec![Vec::with_capacity(plan.turns); paths.len()];
        for turn in 0..plan.turns * paths.len() {
            let index = (round + turn + turn / paths.len()) % paths.len();
            let (contender, ends) = &paths[index];
            let figure = load.run(ends, plan.time);
            figures[index].push(figure.with_context(|| format!("the {}", contender.title()))?);
        }
        for ((contender, _), figures) in paths.iter().zip(&figures) {
            readings.note(Suite::Traffic(*load), *contender, median(figures));
        }
    }
    Ok(())
}

/// Containers on every ground, one after the other; who is first changes every time.
fn starts(
    plan: &Plan,
    stack: &Stack,
    grounds: &[(Contender, Ground<'_>)],
    readings: &mut Readings,
) -> Result<()> {
    let mut times = vec![Vec::with_capacity(plan.starts); grounds.len()];
    for start in 0..plan.starts {
        for turn in 0..grounds.len() {
            let index = (start + turn) % grounds.len();
            let (contender, ground) = &grounds[index];
            let before = Calls::read(stack)?;
            let mut during = Calls::default();
            let took = ground
                .start(|| {
                    during = Calls::read(stack)?.since(&before);
                    Ok(())
                })
                .with_context(|| format!("a container on the {}", contender.title()))?;
            times[index].push(took.as_secs_f64() * 1e3);
            if *contender == Contender::Contiv {
                readings.handlers.push(during.milliseconds());
                readings.calls.add(&during);
            }
        }
    }
    for ((contender, _), times) in grounds.iter().zip(&times) {
        if times.is_empty() {
            continue;
        }
        readings.note(Suite::Start, *contender, median(times));
    }
    Ok(())
}

/// Starts the agent with an empty kernel and with a full one; the stack has its agent again after.
fn readiness(stack: &mut Stack, plan: &Plan, readings: &mut Readings) -> Result<()> {
    stack.kill_agent();
    for _ in 0..plan.rounds.max(3) {
        readings
            .ready_first
            .push(agent::ready(stack, Finds::Nothing)?);
        readings
            .ready_again
            .push(agent::ready(stack, Finds::Everything)?);
    }
    stack.start_agent()
}

fn say(what: &str) {
    println!("· {what}");
}
