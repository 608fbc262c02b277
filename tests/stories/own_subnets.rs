//! Networks that equal what the host uses itself: refused or fenced, and the host is never cut off.

use std::time::Duration;

use anyhow::{Context, ensure};
use contiv_testbed::{World, wait_for};

use crate::actor::{accepted, all_reach_each_other, reaches};
use crate::stage::{Result, Stage, story};

/// The agent looks at the host's own routes every ten seconds.
const LOOKED: Duration = Duration::from_secs(20);

#[test]
fn a_network_equal_to_the_hosts_own_is_refused() -> Result<()> {
    story(|stage| {
        for subnet in ["198.51.100.0/24", "198.51.100.128/25", "198.51.0.0/16"] {
            refused_or_fenced(stage, subnet)?;
        }
        Ok(())
    })
}

#[test]
fn a_network_equal_to_another_docker_network_is_refused() -> Result<()> {
    story(|stage| {
        stage.docker("network create --subnet 172.30.0.0/24 other")?;
        let other = stage.start("cyd", "other")?;
        // `docker0` has its subnet from the start, `other` since a moment.
        for subnet in ["172.21.0.0/24", "172.30.0.0/24"] {
            refused_or_fenced(stage, subnet)?;
        }
        reaches(&stage.host_netns()?, "the host", other.ip)
    })
}

#[test]
fn a_network_equal_to_the_private_subnet_is_refused() -> Result<()> {
    story(|stage| {
        let private = stage.get("/api/v1/globals/global/")?;
        let private = private["pvtSubnet"].as_str().unwrap_or_default().to_owned();
        assert!(private.ends_with("/16"), "{private}");
        refused_or_fenced(stage, &private)
    })
}

#[test]
fn what_the_host_takes_later_stays_the_hosts() -> Result<()> {
    story(|stage| {
        stage.netctl("net create early -s 172.31.0.0/24 -g 172.31.0.254")?;
        let both = stage.start_many(2, "c", "early")?;
        all_reach_each_other(&both)?;
        stage.docker("network create --subnet 172.31.0.0/24 late")?;
        let late = stage.start_with("late", "late", &["--ip", "172.31.0.77"])?;
        // The host reaches its own network, soon at the latest; ours goes on by itself.
        let host = stage.host_netns()?;
        wait_for(LOOKED, "the host to reach its own network", || {
            reaches(&host, "the host", late.ip)
                .with_context(|| host.ip("route").unwrap_or_default())
        })?;
        all_reach_each_other(&both)?;
        stage.remove(["late"])?;
        stage.docker("network rm late").map(drop)
    })
}

/// The network is refused with a reason, or stands and the host does not reach it; in no case
/// does the host lose the world, the engine's bridge, or its containers.
fn refused_or_fenced(stage: &Stage, subnet: &str) -> Result<()> {
    let routes = || stage.host_netns().and_then(|host| host.ip("route"));
    let before = routes()?;
    let outcome = stage.netctl(&format!("net create overlapping -s {subnet}"));
    if outcome.is_ok() {
        wait_for(LOOKED, "a condition of the network", || {
            let inspected = stage.inspect("networks", "default:overlapping")?;
            let conditions = inspected["Oper"]["conditions"].to_string();
            ensure!(conditions.contains("SubnetTaken"), "{conditions}");
            Ok(())
        })?;
    }
    assert_eq!(routes()?, before, "{subnet}");
    stays_reachable(stage)?;
    if outcome.is_ok() {
        let inside = stage.start_many(2, "inside", "overlapping")?;
        all_reach_each_other(&inside)?;
        stays_reachable(stage)?;
        stage.remove(["inside1", "inside2"])?;
        stage.netctl("net rm overlapping")?;
    }
    // Tenants are not the host's neighbours: their subnets are their own affair.
    stage.netctl("tenant create blue")?;
    if stage
        .netctl(&format!("net create -t blue overlapping -s {subnet}"))
        .is_ok()
    {
        let inside = stage.start_many(2, "inside", "overlapping/blue")?;
        all_reach_each_other(&inside)?;
        stays_reachable(stage)?;
        stage.remove(["inside1", "inside2"])?;
        stage.netctl("net rm -t blue overlapping")?;
    }
    stage.netctl("tenant rm blue").map(drop)
}

fn stays_reachable(stage: &Stage) -> Result<()> {
    let host = stage.host_netns()?;
    reaches(&host, "the host", World::ADDRESS.into())?;
    let _server = host.tcp_echo(([0, 0, 0, 0], 7007).into())?;
    accepted(
        stage.world.netns(),
        "the world",
        ([198, 51, 100, 11], 7007).into(),
    )
}
