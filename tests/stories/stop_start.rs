//! Containers that are stopped and started again are reached again.

use std::time::Duration;

use contiv_testbed::wait_for;

use crate::actor::{Actor, all_reach_each_other};
use crate::stage::{Result, Stage, story};

const NAMES: [&str; 3] = ["c1", "c2", "c3"];

#[test]
fn stopped_containers_come_back_on_a_vxlan_network() -> Result<()> {
    story(|stage| stop_and_start(stage, "vxlan"))
}

#[test]
fn stopped_containers_come_back_on_a_vlan_network() -> Result<()> {
    story(|stage| stop_and_start(stage, "vlan"))
}

fn stop_and_start(stage: &Stage, encap: &str) -> Result<()> {
    stage.netctl(&format!(
        "net create private -e {encap} -p 1001 -s 10.1.0.0/16 -g 10.1.1.254"
    ))?;
    all_reach_each_other(&stage.start_many(3, "c", "private")?)?;
    for line in ["stop c1 c2 c3", "kill c1 c2 c3"] {
        stage.docker(line)?;
        stage.all_addresses_come_back()?;
        stage.docker("start c1 c2 c3")?;
        all_reach_each_other(&cast(stage)?)?;
    }
    stage.docker("restart -t 0 c1 c2 c3")?;
    all_reach_each_other(&cast(stage)?)?;
    // Each has an address of its own, and none was left behind.
    assert_eq!(stage.addresses_in_use()?.len(), NAMES.len());
    Ok(())
}

#[test]
fn a_container_that_dies_is_restarted_and_reached() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let keeper = stage.start("keeper", "private")?;
        let phoenix = stage.start_with("phoenix", "private", &["--restart", "always"])?;
        keeper.pings(phoenix.ip)?;
        stage
            .host
            .run(&["kill", "-9", &phoenix.container.pid.to_string()])?;
        let back = wait_for(
            Duration::from_secs(20),
            "the container to be restarted",
            || {
                let now = stage.engine.container("phoenix")?;
                anyhow::ensure!(now.pid != 0 && now.pid != phoenix.container.pid, "not yet");
                Actor::of(now, "private")
            },
        )?;
        keeper.soon_pings(back.ip)
    })
}

fn cast(stage: &Stage) -> Result<Vec<Actor>> {
    NAMES
        .iter()
        .map(|name| stage.actor(name, "private"))
        .collect()
}
