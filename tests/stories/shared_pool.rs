//! Two Docker networks on one pool, with either removed first.

use crate::actor::all_reach_each_other;
use crate::stage::{Result, Stage, story};

const MAKE: &str = "network create -d netplugin --ipam-driver netplugin --subnet 10.1.0.0/24 \
                    --ipam-opt network=shared -o network=shared";

#[test]
fn the_older_docker_network_goes_first() -> Result<()> {
    story(|stage| either_goes_first(stage, "older", "newer"))
}

#[test]
fn the_newer_docker_network_goes_first() -> Result<()> {
    story(|stage| either_goes_first(stage, "newer", "older"))
}

fn either_goes_first(stage: &Stage, first: &str, last: &str) -> Result<()> {
    stage.netctl("net create shared -s 10.1.0.1-10.1.0.4/24 -g 10.1.0.1")?;
    stage.docker(&format!("{MAKE} older"))?;
    stage.docker(&format!("{MAKE} newer"))?;
    let both = [stage.start("ann", "older")?, stage.start("ben", "newer")?];
    assert_ne!(both[0].ip, both[1].ip);
    all_reach_each_other(&both)?;
    both[0].pings("10.1.0.1".parse()?)?;

    let holder = if first == "older" { "ann" } else { "ben" };
    stage.remove([holder])?;
    stage.docker(&format!("network rm {first}"))?;
    // The gateway belongs to the network, not to a Docker network of it.
    let more = [stage.start("cyd", last)?, stage.start("dan", "shared")?];
    for actor in &more {
        assert_ne!(actor.ip.to_string(), "10.1.0.1");
        actor.pings("10.1.0.1".parse()?)?;
    }
    all_reach_each_other(&more)?;
    stage.cannot_run(&["--network", last], "shared")?;

    let rest = if first == "older" { "ben" } else { "ann" };
    stage.remove([rest, "cyd"])?;
    stage.docker(&format!("network rm {last}"))?;
    more[1].pings("10.1.0.1".parse()?)
}

#[test]
fn a_group_and_its_network_share_a_pool_and_go_one_by_one() -> Result<()> {
    story(|stage| {
        stage.netctl("net create shared -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("group create shared web")?;
        let both = [
            stage.start("plain", "shared")?,
            stage.start("member", "web")?,
        ];
        all_reach_each_other(&both)?;
        stage.netctl_refuses("group rm web", "endpoint")?;
        stage.remove(["member"])?;
        stage.netctl("group rm web")?;
        assert_eq!(stage.docker_networks()?, ["shared"]);
        both[0].pings("10.1.0.254".parse()?)?;
        assert_eq!(stage.start("next", "shared")?.ip, both[1].ip);
        Ok(())
    })
}
