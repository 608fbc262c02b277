//! Contiv's Docker networks are removed by hand or pruned: they come back, and go with their object.

use contiv_testbed::wait_for;

use crate::stage::{Result, SOON, Stage, story};

#[test]
fn pruned_networks_come_back() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/24 -g 10.1.0.254")?;
        stage.netctl("group create private web")?;
        stage.netctl("net create busy -s 10.2.0.0/24 -g 10.2.0.254")?;
        let worker = stage.start("worker", "busy")?;
        let old = id(stage, "private")?;
        let pruned = stage.docker("network prune -f")?;
        assert!(
            pruned.contains("private") && pruned.contains("web"),
            "{pruned}"
        );
        assert!(!pruned.contains("busy"), "{pruned}");
        comes_back(stage, "private", &old)?;
        wait_for(SOON, "the group's network to be back", || id(stage, "web"))?;
        worker.pings("10.2.0.254".parse()?)?;
        let (a, b) = (stage.start("ann", "private")?, stage.start("ben", "web")?);
        a.pings(b.ip)
    })
}

#[test]
fn a_network_removed_by_hand_comes_back_and_goes_with_its_object() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/24 -g 10.1.0.254")?;
        for _ in 0..2 {
            let old = id(stage, "private")?;
            stage.docker("network rm private")?;
            comes_back(stage, "private", &old)?;
        }
        stage
            .start("ann", "private")?
            .pings("10.1.0.254".parse()?)?;
        stage.netctl_refuses("net rm private", "endpoint")?;
        stage.remove(["ann"])?;
        stage.netctl("net rm private")?;
        assert!(stage.docker_networks()?.is_empty());
        Ok(())
    })
}

fn id(stage: &Stage, network: &str) -> Result<String> {
    stage.docker(&format!("network inspect -f {{{{.Id}}}} {network}"))
}

fn comes_back(stage: &Stage, network: &str, old: &str) -> Result<()> {
    wait_for(SOON, &format!("{network} to be back"), || {
        let now = id(stage, network)?;
        anyhow::ensure!(now != old, "it has not gone");
        Ok(())
    })
}
