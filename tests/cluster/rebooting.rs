//! Hosts boot, and the store ends as a whole: nothing stale stays, and all of it comes back.

use std::time::Duration;

use anyhow::ensure;
use contiv_testbed::wait_for;

use crate::actor::all_reach_each_other;
use crate::stage::{HOSTS, Result, SOON, Stage, story};
use crate::traffic::Traffic;

/// How long a container that its engine restarts may take after a boot.
const BACK: Duration = Duration::from_secs(60);

/// Names of the containers that a master places on a host.
fn containers_on(stage: &Stage, master: usize, host: &str) -> Result<Vec<String>> {
    let endpoints = stage.nodes[master].get("/api/v1/endpoints/")?;
    let here = endpoints.as_array().into_iter().flatten();
    let here = here.filter(|endpoint| endpoint["homingHost"] == host);
    let name = |endpoint: &serde_json::Value| {
        let name = endpoint["containerName"].as_str().unwrap_or("");
        name.to_owned()
    };
    let mut names: Vec<String> = here.map(name).collect();
    names.sort();
    Ok(names)
}

#[test]
fn a_host_that_boots_leaves_nothing_stale_and_starts_what_it_ran() -> Result<()> {
    story(|stage| {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        let mut actors = stage.start_everywhere("w", "wide")?;
        let always = ["--restart", "always"];
        let engine = &stage.nodes[2].engine;
        let before = engine.run("again3", "wide", &always)?.ip()?;
        actors[0].pings(before)?;
        let others = Traffic::between(&actors[..2])?;

        stage.reboot(2)?;
        // What does not start by itself is gone from all masters, and its address is free.
        for master in 0..HOSTS {
            wait_for(BACK, "masters to know what runs on the host", || {
                let names = containers_on(stage, master, "h3")?;
                ensure!(
                    names == ["again3"],
                    "{}: {names:?}",
                    stage.nodes[master].name
                );
                let used = stage.addresses_in_use(master)?.len();
                ensure!(used == 3, "{used} addresses are in use");
                Ok(())
            })?;
        }
        let back = stage.actor(2, "again3", "wide")?;
        actors[0].soon_pings(back.ip)?;
        actors[1].pings(back.ip)?;
        stage.nodes[2].engine.docker(&["start", "w3"])?;
        actors[2] = stage.actor(2, "w3", "wide")?;
        all_reach_each_other(&actors)?;
        all_reach_each_other(&[back, stage.start(1, "late", "wide")?])?;
        others.ends_whole("a third host booted")
    })
}

#[test]
#[ignore = "slow: three boots"]
fn each_host_boots_in_turn() -> Result<()> {
    story(|stage| {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        let mut actors = stage.start_everywhere("w", "wide")?;
        for host in 0..HOSTS {
            stage.reboot(host)?;
            let name = format!("w{}", host + 1);
            stage.nodes[host].engine.docker(&["start", &name])?;
            actors[host] = stage.actor(host, &name, "wide")?;
            wait_for(SOON, "the newcomer to be known", || {
                all_reach_each_other(&actors)
            })?;
            stage.until_settled(SOON)?;
        }
        Ok(())
    })
}

#[test]
fn the_whole_store_ends_and_comes_back() -> Result<()> {
    story(|stage| {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        let mut actors = stage.start_everywhere("w", "wide")?;
        let traffic = Traffic::between(&actors)?;
        for node in &mut stage.nodes {
            node.kill_store();
        }
        traffic.goes_on()?;
        for node in &mut stage.nodes {
            node.launch_store()?;
        }
        for node in &stage.nodes {
            node.wait_for_store()?;
        }
        wait_for(SOON, "masters to write again", || {
            stage.netctl("tenant create red")
        })?;
        stage.until_settled(SOON)?;
        actors.extend(stage.start_everywhere("late", "wide")?);
        all_reach_each_other(&actors)?;
        traffic.ends_whole("all members of etcd killed")
    })
}
