//! One run: everything is built first, then every contender has its turn in every round.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use contiv_testbed::Stack;

use crate::agent::{self, Finds};
use crate::load::{Ends, Load};
use crate::metrics::Calls;
use crate::readings::Readings;
use crate::section::Section;
use crate::start::Ground;
use crate::stats::median;
use crate::suite::{Contender, Suite};
use crate::{changes, firewalls, instructions, machine, neighbour, packets, path, policy, report};

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
    /// All of them when empty.
    parts: Vec<Part>,
}

impl Plan {
    /// Enough to say something.
    pub(crate) fn full(rounds: usize) -> Self {
        Self {
            rounds,
            turns: 5,
            time: Duration::from_millis(250),
            starts: 20,
            parts: Vec::new(),
        }
    }

    /// Enough to see that everything runs.
    pub(crate) fn quick() -> Self {
        Self {
            rounds: 1,
            turns: 1,
            time: Duration::from_millis(200),
            starts: 3,
            parts: Vec::new(),
        }
    }

    /// Leaves out what is not among these parts.
    pub(crate) fn restrict(&mut self, parts: &[Part]) {
        if !parts.contains(&Part::Traffic) {
            self.turns = 0;
        }
        if !parts.contains(&Part::Starts) {
            self.starts = 0;
        }
        self.parts = parts.to_vec();
    }

    fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }

    /// Whether there is little of everything.
    fn is_quick(&self) -> bool {
        self.rounds == 1
    }
}

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Streams, round trips, connections and datagrams beside other networks
    Traffic,
    /// Containers from their creation to their first packet
    Starts,
    /// What a packet costs in the program, by the number of rules
    Packets,
    /// How long changes of large policies take, and what rules weigh
    Changes,
    /// nftables and iptables with the same rules
    Firewalls,
    /// A tenant beside one that keeps changing
    Neighbour,
    /// Instructions of a verdict
    Instructions,
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

/// All of it, or the parts that are wanted; the report goes to `place`.
pub(crate) fn whole(plan: &Plan, place: &Path) -> Result<()> {
    let mut readings = if plan.has(Part::Traffic) || plan.has(Part::Starts) {
        beside_others(plan)?
    } else {
        Readings {
            rounds: plan.rounds,
            machine: machine::describe(None),
            ..Readings::default()
        }
    };
    readings.sections = sections(plan)?;
    report::write(&readings, place)
}

/// What needs no engine and no master.
fn sections(plan: &Plan) -> Result<Vec<Section>> {
    let (mut all, rounds, time) = (Vec::new(), plan.rounds, plan.time);
    if plan.has(Part::Packets) {
        say("packets in the program");
        let plan = match plan.is_quick() {
            true => packets::Plan::quick(),
            false => packets::Plan::full(),
        };
        all.push(packets::run(plan)?);
    }
    if plan.has(Part::Changes) {
        say("changes of large policies");
        all.push(changes::run(rounds)?);
    }
    if plan.has(Part::Firewalls) {
        say("beside nftables and iptables");
        all.push(firewalls::run(rounds, time)?);
    }
    if plan.has(Part::Neighbour) {
        say("beside a tenant that keeps changing");
        all.push(neighbour::run(rounds, 4 * time)?);
    }
    if plan.has(Part::Instructions) {
        say("instructions of a verdict");
        all.push(instructions::run()?);
    }
    Ok(all)
}

/// What a whole Contiv on a host is compared with.
fn beside_others(plan: &Plan) -> Result<Readings> {
    say("start an engine, netmaster and netplugin on a host of their own");
    let mut stack = Stack::start("bench")?;
    let mut readings = Readings {
        rounds: plan.rounds,
        machine: machine::describe(Some(&stack)),
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
    let thousand = path::containers(&stack.engine, policy::GROUP_OF_THOUSAND, "thousand")?;
    let docker = path::containers(&stack.engine, DOCKER_NETWORK, "user")?;
    let default = path::containers(&stack.engine, "bridge", "default")?;
    let paths = [
        (Contender::Veth, path::veth()?),
        (Contender::Bridge, bridge.ends.clone()),
        (Contender::DockerBridge, default),
        (Contender::Contiv, ours.clone()),
        (Contender::ContivThousand, thousand),
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
    Ok(readings)
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
