//! Somebody deletes the link of a container that runs: it is put back, with all that it had.

use anyhow::{Context, ensure};
use contiv_testbed::{Step, Watch, World, wait_for};

use crate::actor::Actor;
use crate::doctor::{checks, examine};
use crate::stage::{Result, SOON, Stage, story};
use crate::steps::Life;

/// What a container's interfaces are: names, hardware and network addresses, ways.
fn inside(actor: &Actor) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for what in ["-br link", "-br addr", "route", "-6 route"] {
        let text = actor.netns.ip(what)?;
        // The kernel numbers links, and says which one is the other end.
        let lines = text.lines().map(|line| {
            let words = line.split_whitespace();
            let words = words.map(|word| word.split('@').next().unwrap_or_default());
            words.collect::<Vec<_>>().join(" ")
        });
        let mut lines: Vec<String> = lines.collect();
        lines.sort();
        said.extend(lines);
    }
    Ok(said)
}

/// The host's end of a container's link on a network.
fn host_end(actor: &Actor, network: &str) -> Result<String> {
    let end = actor.container.networks.get(network);
    Ok(format!(
        "cv{}",
        &end.context("an endpoint")?.endpoint_id[..13]
    ))
}

fn comes_back(stage: &Stage, actor: &Actor, peer: &Actor, before: &[String]) -> Result<()> {
    wait_for(
        SOON,
        &format!("{} to have its link again", actor.name),
        || {
            let now = inside(actor)?;
            ensure!(now == before, "{before:#?} before, {now:#?} now");
            Ok(())
        },
    )?;
    actor.soon_pings(peer.ip)?;
    peer.soon_pings(actor.ip)?;
    wait_for(SOON, "an event", || {
        let events = stage.netctl("events --kind repair")?;
        let told = events.contains(&format!("of container {}", actor.name));
        ensure!(told, "{events}");
        Ok(())
    })
}

#[test]
fn a_link_that_is_deleted_comes_back_with_all_that_it_had() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254 --subnetv6 2001:db8:1::/120")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        stage.netctl("policy rule-add p 2 -d in -l tcp -P 8000 -p 10 -j allow")?;
        stage.netctl("group create one guarded -p p")?;
        let (ann, ben) = (stage.start("ann", "guarded")?, stage.start("ben", "one")?);
        let _servers = [ann.listens(8000)?, ann.listens(8001)?];
        let before = inside(&ann)?;
        ann.pings(World::ADDRESS.into())?;
        let end = host_end(&ann, "guarded")?;
        for _ in 0..2 {
            stage.host_netns()?.ip(&format!("link del {end}"))?;
            comes_back(stage, &ann, &ben, &before)?;
            ben.soon_connects(ann.ip, 8000)?;
            ben.is_barred(ann.ip, 8001)?;
            ann.soon_pings(World::ADDRESS.into())?;
        }
        ann.netns.ip("link del eth0")?;
        comes_back(stage, &ann, &ben, &before)?;
        wait_for(SOON, "a clean bill of health", || {
            let found = examine(stage, "")?;
            ensure!(found.is_empty(), "{found:?}");
            Ok(())
        })?;
        // The engine finds what it made.
        stage.docker("restart -t 0 ann")?;
        let ann = stage.actor("ann", "guarded")?;
        ben.soon_pings(ann.ip)
    })
}

#[test]
fn a_container_on_two_networks_keeps_the_other_one() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("net create two -s 10.2.0.0/24 -g 10.2.0.254")?;
        let (ann, cyd) = (stage.start("ann", "one")?, stage.start("cyd", "two")?);
        let both = stage.start("both", "one")?;
        stage.docker("network connect two both")?;
        let on_two = stage.actor("both", "two")?;
        let before = inside(&on_two)?;
        for (network, actor, peer) in [("two", &on_two, &cyd), ("one", &both, &ann)] {
            let end = host_end(&stage.actor("both", network)?, network)?;
            stage.host_netns()?.ip(&format!("link del {end}"))?;
            comes_back(stage, actor, peer, &before)?;
        }
        on_two.pings(cyd.ip)
    })
}

#[test]
fn an_agent_that_is_killed_while_it_gives_a_link_back_goes_on_when_it_returns() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/24 -g 10.1.0.254 --subnetv6 2001:db8:1::/120")?;
        let (ann, ben) = (stage.start("ann", "one")?, stage.start("ben", "one")?);
        let before = inside(&ann)?;
        let end = host_end(&ann, "one")?;
        // In the container's namespace: two addresses come after the name, and then it is up.
        for (deed, time) in [("setns", 1), ("netlink newaddr", 1), ("netlink newaddr", 2)] {
            let deed = deed.to_owned();
            let step = Step { deed, time };
            let watch = Watch::start(stage.agent()?.pid(), Some(step.clone()))?;
            stage.host_netns()?.ip(&format!("link del {end}"))?;
            wait_for(
                SOON,
                &format!("the agent to be killed before {step}"),
                || {
                    ensure!(watch.is_over(), "it lives");
                    Ok(())
                },
            )?;
            watch.end()?;
            stage.kill_agent();
            stage.start_agent()?;
            comes_back(stage, &ann, &ben, &before)?;
        }
        Ok(())
    })
}

#[test]
fn what_no_engine_holds_is_told_and_not_put_back() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/16 -g 10.1.1.254")?;
        let peer = stage.start("peer", "one")?;
        let mut life = Life::new(stage, "one", 1, true)?;
        life.make()?;
        life.reaches(&peer)?;
        stage
            .host_netns()?
            .ip(&format!("link del {}", life.host_end()))?;
        wait_for(SOON, "the doctor to say so", || {
            let found = examine(stage, "")?;
            ensure!(checks(&found).contains(&"object-problem"), "{found:?}");
            let said = found.iter().filter_map(|f| f["what"].as_str()).any(|what| {
                what.starts_with("LinkLost: ") && what.contains("no container that runs")
            });
            ensure!(said, "{found:?}");
            Ok(())
        })?;
        // Nobody holds it: it is collected.
        wait_for(SOON * 4, "its address to be free", || {
            let used = stage.addresses_in_use()?;
            ensure!(used == [peer.ip.to_string()], "{used:?}");
            Ok(())
        })
    })
}
