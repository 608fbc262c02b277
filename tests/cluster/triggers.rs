//! Anything may happen, one thing after another, and a matrix of who may reach whom must hold.

use std::time::{Duration, Instant};

use anyhow::ensure;
use contiv_testbed::TcpEcho;

use crate::actor::{Actor, at_once};
use crate::chance::Chance;
use crate::stage::{HOSTS, Result, SOON, Stage, story};

const OPEN: u16 = 8000;
const SHUT: u16 = 8001;

/// What each row's group may open in each column's, besides what nothing is said of.
const GROUPS: [&str; HOSTS] = ["red", "green", "blue"];

/// After which no further thing happens.
const ENOUGH: Duration = Duration::from_secs(120);

/// Containers of each group on each host.
struct Matrix {
    actors: Vec<Vec<Actor>>,
    servers: Vec<Vec<[TcpEcho; 2]>>,
}

impl Matrix {
    fn of(stage: &Stage) -> Result<Matrix> {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        for group in GROUPS {
            stage.netctl(&format!("policy create to-{group}"))?;
            stage.netctl(&format!(
                "policy rule-add to-{group} all -d in -l tcp -j deny"
            ))?;
            stage.netctl(&format!("group create wide {group} -p to-{group}"))?;
        }
        // Each group lets the one before it in, at one port.
        for (number, group) in GROUPS.iter().enumerate() {
            let before = GROUPS[(number + HOSTS - 1) % HOSTS];
            stage.netctl(&format!(
                "policy rule-add to-{group} one -d in -l tcp -P {OPEN} --from-group {before} \
                 -j allow -p 10"
            ))?;
        }
        let (mut actors, mut servers) = (Vec::new(), Vec::new());
        for host in 0..HOSTS {
            let start = |group: &&str| stage.start(host, &format!("{group}{host}"), group);
            let row = GROUPS.iter().map(start).collect::<Result<Vec<_>>>()?;
            servers.push(row.iter().map(serve).collect::<Result<Vec<_>>>()?);
            actors.push(row);
        }
        Ok(Matrix { actors, servers })
    }

    /// Each container tries each group on another host.
    fn holds(&self) -> Result<()> {
        let mut pairs = Vec::new();
        for host in 0..HOSTS {
            for from in 0..HOSTS {
                for to in 0..HOSTS {
                    let other = &self.actors[(host + 1 + from % 2) % HOSTS];
                    let may = to == (from + 1) % HOSTS;
                    pairs.push((&self.actors[host][from], &other[to], may));
                }
            }
        }
        at_once(&pairs, |(from, to, may)| {
            from.is_barred(to.ip, SHUT)?;
            match may {
                true => from.connects(to.ip, OPEN),
                false => from.is_barred(to.ip, OPEN),
            }
        })
    }

    /// Restarts a container, which may have another address then.
    fn restart(&mut self, stage: &Stage, host: usize, group: usize) -> Result<()> {
        let name = format!("{}{host}", GROUPS[group]);
        stage.nodes[host].engine.docker(&["restart", &name])?;
        self.actors[host][group] = stage.actor(host, &name, GROUPS[group])?;
        self.servers[host][group] = serve(&self.actors[host][group])?;
        Ok(())
    }
}

fn serve(actor: &Actor) -> Result<[TcpEcho; 2]> {
    Ok([actor.listens(OPEN)?, actor.listens(SHUT)?])
}

/// Does one thing to one host; answers with what it was.
fn something(stage: &mut Stage, matrix: &mut Matrix, chance: &mut Chance) -> Result<String> {
    let host = chance.below(HOSTS);
    let what = [
        "agent stopped",
        "agent killed",
        "master killed",
        "etcd killed",
        "container restarted",
    ];
    let what = what[chance.below(what.len())];
    match what {
        "agent stopped" => {
            stage.nodes[host].stop_agent()?;
            matrix.holds()?;
            stage.start_agent(host)?;
        }
        "agent killed" => {
            stage.nodes[host].kill_agent();
            matrix.holds()?;
            stage.start_agent(host)?;
        }
        "master killed" => {
            stage.nodes[host].kill_master();
            matrix.holds()?;
            stage.nodes[host].start_master()?;
        }
        "etcd killed" => {
            stage.nodes[host].kill_store();
            matrix.holds()?;
            stage.nodes[host].launch_store()?;
            stage.nodes[host].wait_for_store()?;
        }
        _ => {
            matrix.restart(stage, host, chance.below(HOSTS))?;
            // The others have heard of it when they have applied what there is.
            stage.until_settled(SOON)?;
        }
    }
    Ok(format!("{what} on h{}", host + 1))
}

#[test]
#[ignore = "slow: many things happen"]
fn whatever_happens_the_matrix_holds() -> Result<()> {
    story(|stage| {
        let mut chance = Chance::new();
        let mut matrix = Matrix::of(stage)?;
        stage.until_settled(SOON)?;
        matrix.holds()?;
        let begun = Instant::now();
        let mut count = 0;
        while begun.elapsed() < ENOUGH {
            let what = something(stage, &mut matrix, &mut chance)?;
            println!("{what}");
            matrix.holds()?;
            count += 1;
        }
        ensure!(count > HOSTS, "only {count} things happened");
        stage.until_settled(SOON)
    })
}
