//! The agent is killed at any moment of an endpoint's making and removal: what was begun is done
//! again or gone, a retry succeeds, and nothing leaks.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use contiv_testbed::wait_for;

use crate::chance::Chance;
use crate::stage::{HOSTS, Result, SOON, Stage, story, tables};

/// How long after a command the agent is killed, at most: a start or removal takes less.
const LATEST: usize = 600;

const ROUNDS: usize = 40;

/// Packets of nobody are counted by reason for good, such as those for a container that has just gone.
const DROPS: &str = "drops";
const STRAYS: usize = 2;

#[test]
#[ignore = "slow: many rounds"]
fn the_agent_is_killed_many_times_while_containers_start_and_go() -> Result<()> {
    story(|stage| rounds(stage, ROUNDS))
}

fn rounds(stage: &mut Stage, count: usize) -> Result<()> {
    let mut chance = Chance::new();
    stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
    let first = stage.start_everywhere("first", "wide")?;
    let before = stage.nodes.iter().map(tables).collect::<Result<Vec<_>>>()?;
    for round in 0..count {
        let host = chance.below(HOSTS);
        let started = with_the_agent_killed(stage, host, &mut chance, &["start"])?;
        println!("round {round}: h{}: started {}", host + 1, started.is_ok());
        if started.is_err() {
            // The same again, as who is refused would try.
            stage.nodes[host].engine.docker(&["rm", "-f", "victim"])?;
            run(stage, host)?;
        }
        let victim = stage.actor(host, "victim", "wide")?;
        let taken: BTreeSet<IpAddr> = first.iter().map(|actor| actor.ip).collect();
        ensure!(!taken.contains(&victim.ip), "{} was given twice", victim.ip);
        victim.soon_pings(first[(host + 1) % HOSTS].ip)?;
        first[(host + 2) % HOSTS].soon_pings(victim.ip)?;
        let removed = with_the_agent_killed(stage, host, &mut chance, &["rm"])?;
        if let Err(error) = removed {
            println!("round {round}: not removed at first: {error:#}");
            let again = stage.nodes[host].engine.docker(&["rm", "-f", "victim"]);
            let gone = |error: &anyhow::Error| format!("{error:#}").contains("No such container");
            ensure!(again.as_ref().err().is_none_or(gone), "{again:?}");
        }
    }
    // What an engine asked for and has forgotten expires after a while.
    wait_for(SOON * 6, "all of it to be as before", || {
        for master in 0..HOSTS {
            let used = stage.addresses_in_use(master)?;
            ensure!(used.len() == HOSTS, "{used:?}");
        }
        let mut now = stage.nodes.iter().map(tables).collect::<Result<Vec<_>>>()?;
        for (now, before) in now.iter_mut().zip(&before) {
            let known = before.get(DROPS).copied().unwrap_or_default();
            let drops = now.insert(DROPS.into(), known).unwrap_or_default();
            ensure!(
                drops <= known + STRAYS,
                "{drops} rows of drops, {known} before"
            );
        }
        ensure!(now == before, "{before:?}, now {now:?}");
        Ok(())
    })
}

fn run(stage: &Stage, host: usize) -> Result<()> {
    stage.start(host, "victim", "wide").map(drop)
}

/// Starts or removes the container `victim`, kills the agent at some moment of it, and starts the
/// agent again; answers with what became of the command.
fn with_the_agent_killed(
    stage: &mut Stage,
    host: usize,
    chance: &mut Chance,
    what: &[&str],
) -> Result<Result<()>> {
    let moment = Duration::from_millis(chance.below(LATEST) as u64);
    let machine = stage.nodes[host].host.clone();
    let words: &[&str] = match what {
        ["start"] => &[
            "docker",
            "run",
            "-d",
            "--name",
            "victim",
            "--network",
            "wide",
            "--stop-timeout",
            "0",
            contiv_testbed::BUSYBOX_IMAGE,
            "sleep",
            "1000000",
        ],
        _ => &["docker", "rm", "-f", "victim"],
    };
    thread::scope(|scope| {
        let (ended, end) = mpsc::channel();
        let command = scope.spawn(move || {
            let outcome = machine.run(words);
            ended.send(()).ok();
            outcome
        });
        // A command that ends first is one that was not met.
        end.recv_timeout(moment).ok();
        stage.nodes[host].kill_agent();
        let back = stage.start_agent(host);
        let outcome = command
            .join()
            .ok()
            .context("a thread that does not panic")?;
        back?;
        Ok(outcome.map(drop))
    })
}
