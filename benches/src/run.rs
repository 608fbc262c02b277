//! One run: everything is built first, then every contender has its turn in every round.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use contiv_testbed::Stack;

use crate::agent::{self, Finds};
use crate::load::{Ends, Load};
use crate::metrics::Calls;
use crate::plan::{Part, Plan};
use crate::progress::{self, say};
use crate::readings::Readings;
use crate::start::Ground;
use crate::suite::{Contender, Suite};
use crate::{machine, parts, path, policy, report, turns};

/// A user-defined network of Docker's own.
const DOCKER_NETWORK: &str = "bench-docker";

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
    readings.sections = parts::sections(plan);
    let took = progress::clock(progress::elapsed());
    readings
        .machine
        .push(("duration", format!("{took} minutes")));
    report::write(&readings, place)?;
    let mut failed = readings.sections.iter().filter_map(|s| s.error.as_deref());
    failed
        .next()
        .map_or(Ok(()), |error| Err(anyhow!("{error}")))
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
    let (warm, mut nowhere) = (Plan::quick(), Readings::default());
    traffic(&warm, &paths, 0, &mut nowhere)?;
    starts(&warm, &stack, &grounds, 0, &mut nowhere)?;
    for round in 0..plan.rounds {
        progress::round("beside other networks", round, plan.rounds);
        if plan.has(Part::Traffic) {
            traffic(plan, &paths, round, &mut readings)?;
        }
        if plan.has(Part::Starts) {
            starts(plan, &stack, &grounds, round, &mut readings)?;
        }
    }
    readings.resident_mib = agent::resident_mib(stack.agent()?)?;
    Ok(readings)
}

/// Every load on every path, lap by lap.
fn traffic(
    plan: &Plan,
    paths: &[(Contender, Ends)],
    round: usize,
    readings: &mut Readings,
) -> Result<()> {
    for load in Load::ALL {
        let figures = turns::round(round, plan.laps, paths.len(), |index| {
            let (contender, ends) = &paths[index];
            let figure = load.run(ends, plan.time);
            figure.with_context(|| format!("the {}", contender.title()))
        })?;
        for ((contender, _), laps) in paths.iter().zip(figures) {
            readings.note(Suite::Traffic(load), *contender, laps);
        }
    }
    Ok(())
}

/// Containers on every ground, one after the other; a lap is one on each.
fn starts(
    plan: &Plan,
    stack: &Stack,
    grounds: &[(Contender, Ground<'_>)],
    round: usize,
    readings: &mut Readings,
) -> Result<()> {
    let times = turns::round(round, plan.starts, grounds.len(), |index| {
        let (contender, ground) = &grounds[index];
        let before = Calls::read(stack)?;
        let mut during = Calls::default();
        let took = ground
            .start(|| {
                during = Calls::read(stack)?.since(&before);
                Ok(())
            })
            .with_context(|| format!("a container on the {}", contender.title()))?;
        if *contender == Contender::Contiv {
            readings.handlers.push(during.milliseconds());
            readings.calls.add(&during);
        }
        Ok(took.as_secs_f64() * 1e3)
    })?;
    for ((contender, _), laps) in grounds.iter().zip(times) {
        readings.note(Suite::Start, *contender, laps);
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
