//! Parts fail while containers of different hosts talk: no packet is lost, and policy holds.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use contiv_testbed::{TcpEcho, wait_for};

use crate::actor::{Actor, Talk, all_reach_each_other};
use crate::stage::{HOSTS, Result, SOON, Stage, story};
use crate::traffic::Traffic;

const OPEN: u16 = 8000;
const SHUT: u16 = 8001;

/// What a call of the engine may take that cannot succeed, with the engine's own time.
const REFUSED: Duration = Duration::from_secs(8);

/// A container on each host, in a group whose policy leaves one port open, and their traffic.
struct Cast {
    actors: Vec<Actor>,
    talks: Vec<Talk>,
    traffic: Traffic,
    _servers: Vec<TcpEcho>,
}

impl Cast {
    fn of(stage: &Stage) -> Result<Cast> {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        stage.netctl(&format!(
            "policy rule-add p 2 -d in -l tcp -P {OPEN} -p 10 -j allow"
        ))?;
        stage.netctl("group create wide guarded -p p")?;
        let actors = stage.start_everywhere("w", "guarded")?;
        let mut servers = Vec::new();
        for actor in &actors {
            servers.extend([actor.listens(OPEN)?, actor.listens(SHUT)?]);
        }
        let talk = |host: usize| actors[host].talks_to(actors[(host + 1) % HOSTS].ip, OPEN);
        Ok(Cast {
            talks: (0..HOSTS).map(talk).collect::<Result<_>>()?,
            traffic: Traffic::between(&actors)?,
            actors,
            _servers: servers,
        })
    }

    /// Packets flow, connections live, new ones are judged by policy.
    fn holds(&mut self) -> Result<()> {
        self.traffic.goes_on()?;
        self.talks.iter_mut().try_for_each(Talk::is_heard)?;
        for host in 0..HOSTS {
            let (from, to) = (&self.actors[host], &self.actors[(host + 1) % HOSTS]);
            from.connects(to.ip, OPEN)?;
            from.is_barred(to.ip, SHUT)?;
        }
        Ok(())
    }

    /// All of the cluster works as if nothing had been, on every host.
    fn works(&mut self, stage: &Stage) -> Result<()> {
        self.holds()?;
        stage.until_settled(SOON)?;
        let newcomers = stage.start_everywhere("new", "wide")?;
        all_reach_each_other(&newcomers)?;
        for host in 0..HOSTS {
            stage.remove(host, &[&format!("new{}", host + 1)])?;
        }
        stage.netctl("policy rule-rm p 1")?;
        for host in 0..HOSTS {
            let (from, to) = (&self.actors[host], &self.actors[(host + 1) % HOSTS]);
            from.soon_connects(to.ip, SHUT)?;
        }
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        self.holds()
    }
}

/// A container cannot be started on a host; it is told why, in time.
fn cannot_start(stage: &Stage, host: usize, why: &str) -> Result<()> {
    let begun = Instant::now();
    let outcome = stage.start(host, "refused", "wide");
    let took = begun.elapsed();
    stage.remove(host, &["refused"])?;
    let said = match outcome {
        Ok(actor) => anyhow::bail!("{} was started", actor.name),
        Err(error) => format!("{error:#}"),
    };
    ensure!(said.contains(why), "refused, but not for {why:?}: {said}");
    ensure!(took < REFUSED, "refused after {took:?}: {said}");
    Ok(())
}

#[test]
#[ignore = "slow: ends each agent four times"]
fn agents_are_stopped_killed_and_replaced() -> Result<()> {
    story(|stage| {
        let mut cast = Cast::of(stage)?;
        for host in 0..HOSTS {
            stage.nodes[host].stop_agent()?;
            cast.holds()?;
            stage.start_agent(host)?;
            cast.holds()?;
        }
        cast.traffic.ends_whole("agents stopped and started")?;

        cast.traffic = Traffic::between(&cast.actors)?;
        for host in 0..HOSTS {
            stage.nodes[host].kill_agent();
            cast.holds()?;
            stage.start_agent(host)?;
            cast.holds()?;
        }
        for host in 0..HOSTS {
            stage.nodes[host].kill_agent();
        }
        cast.holds()?;
        for host in 0..HOSTS {
            stage.start_agent(host)?;
        }
        cast.works(stage)?;
        cast.traffic.ends_whole("agents killed, then all at once")?;

        cast.traffic = Traffic::between(&cast.actors)?;
        for host in 0..HOSTS {
            let other = stage.nodes[host].host.path("/var/lib/netplugin-other");
            std::fs::copy(contiv_testbed::bin("netplugin")?, other)?;
            stage.nodes[host].stop_agent()?;
            let program = std::path::Path::new("/var/lib/netplugin-other");
            stage.start_agent_with(host, Some(program), &[])?;
            cast.holds()?;
        }
        cast.works(stage)?;
        cast.traffic
            .ends_whole("agents replaced by another program")
    })
}

#[test]
fn the_master_that_hosts_listen_to_is_killed() -> Result<()> {
    story(|stage| {
        let mut cast = Cast::of(stage)?;
        for host in 0..HOSTS - 1 {
            // Hosts listen to the first that answers.
            stage.nodes[host].kill_master();
            cast.holds()?;
            let last = &stage.nodes[HOSTS - 1];
            wait_for(SOON, "all hosts to have another master", || {
                for node in &stage.nodes {
                    let entry = last.host_entry(&node.name)?;
                    ensure!(entry["live"] == true && entry["lag"] == 0, "{entry}");
                }
                Ok(())
            })?;
            last.netctl(&format!("net create late{host} -s 10.{}.0.0/16", 20 + host))?;
            for at in 0..HOSTS {
                let name = format!("late{host}{at}");
                stage.start(at, &name, &format!("late{host}"))?;
            }
        }
        for host in 0..HOSTS - 1 {
            stage.nodes[host].start_master()?;
        }
        cast.works(stage)?;
        cast.traffic
            .ends_whole("two masters killed, one after the other")
    })
}

#[test]
#[ignore = "slow: waits for time-outs and for newcomers"]
fn two_of_three_members_of_the_store_are_killed() -> Result<()> {
    story(|stage| {
        let mut cast = Cast::of(stage)?;
        stage.nodes[0].kill_store();
        cast.works(stage)?;
        stage.nodes[1].kill_store();
        let wish = serde_json::json!({"tenantName": "red"});
        for node in &stage.nodes {
            let refused = node.api("POST", "/api/v1/tenants/red/", Some(&wish))?;
            ensure!(
                refused.status == 503,
                "{}: {}",
                refused.status,
                refused.text
            );
            ensure!(refused.text.contains("etcd"), "{}", refused.text);
            wait_for(SOON, "reads to say their age", || {
                let read = node.try_netctl("net ls")?;
                let (list, said) = (
                    String::from_utf8_lossy(&read.stdout).into_owned(),
                    String::from_utf8_lossy(&read.stderr).into_owned(),
                );
                ensure!(
                    read.status.success() && list.contains("wide"),
                    "{list} {said}"
                );
                ensure!(said.contains("old"), "no age: {said}");
                Ok(())
            })?;
        }
        cast.holds()?;
        cannot_start(stage, 2, "etcd")?;
        cast.holds()?;
        for host in 0..2 {
            stage.nodes[host].launch_store()?;
        }
        for host in 0..2 {
            stage.nodes[host].wait_for_store()?;
        }
        wait_for(SOON, "masters to write again", || {
            for node in &stage.nodes {
                node.netctl("tenant create red")?;
                node.netctl("tenant rm red")?;
            }
            anyhow::Ok(())
        })?;
        cast.works(stage)?;
        cast.traffic
            .ends_whole("two of three members of etcd killed")
    })
}

#[test]
#[ignore = "slow: waits for time-outs and for newcomers"]
fn a_host_is_cut_off_from_all_masters_but_its_own() -> Result<()> {
    story(|stage| {
        let mut cast = Cast::of(stage)?;
        let lone = stage.start(2, "lone", "wide")?;
        stage.nodes[2].cut_off()?;
        wait_for(SOON * 2, "the others to miss the host", || {
            let entry = stage.nodes[0].host_entry("h3")?;
            ensure!(entry["live"] == false, "{entry}");
            Ok(())
        })?;
        cast.holds()?;
        // What ran here may start again, with its address; nothing new does.
        stage.nodes[2].engine.docker(&["restart", "lone"])?;
        let again = stage.actor(2, "lone", "wide")?;
        ensure!(again.ip == lone.ip, "{} became {}", lone.ip, again.ip);
        again.pings(cast.actors[0].ip)?;
        cast.actors[1].pings(again.ip)?;
        cannot_start(stage, 2, "198.51.100.11")?;
        // The others go on, and do not take what the host holds.
        stage.netctl("policy rule-add p 3 -d in -l tcp -p 50 -j deny")?;
        let other = stage.start(0, "other", "wide")?;
        let held: Vec<_> = cast
            .actors
            .iter()
            .chain([&again])
            .map(|actor| actor.ip)
            .collect();
        ensure!(!held.contains(&other.ip), "{} is held", other.ip);
        cast.actors[0].soon_is_barred(cast.actors[1].ip, OPEN)?;
        cast.traffic.goes_on()?;

        stage.nodes[2].heal()?;
        stage.until_settled(SOON * 2)?;
        cast.actors[2].soon_is_barred(cast.actors[0].ip, OPEN)?;
        cast.actors[0].soon_is_barred(cast.actors[2].ip, OPEN)?;
        cast.talks[2].is_cut()?;
        stage.netctl("policy rule-rm p 3")?;
        cast.actors[2].soon_connects(cast.actors[0].ip, OPEN)?;
        other.pings(again.ip)?;
        stage.actor(2, "lone", "wide")?.pings(other.ip)?;
        let entry = stage.nodes[0].host_entry("h3")?;
        ensure!(entry["problems"] == serde_json::json!([]), "{entry}");
        for host in 0..HOSTS {
            cast.talks[host] = cast.actors[host]
                .talks_to(cast.actors[(host + 1) % HOSTS].ip, OPEN)
                .context("a new conversation")?;
        }
        cast.works(stage)?;
        cast.traffic
            .ends_whole("a host cut off from the control plane")
    })
}
