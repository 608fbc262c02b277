//! Names that the engine forbids, and names that somebody has already.

use contiv_testbed::wait_for;

use crate::stage::{Result, SOON, story};

#[test]
fn names_that_the_engine_forbids_are_refused() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16")?;
        for name in ["host", "bridge", "none", "default"] {
            stage.netctl_refuses(&format!("net create {name} -s 10.2.0.0/16"), name)?;
            stage.netctl_refuses(&format!("group create private {name}"), name)?;
        }
        assert_eq!(stage.docker_networks()?, ["private"]);
        Ok(())
    })
}

#[test]
fn a_name_taken_by_another_network_is_a_condition_and_touches_nothing() -> Result<()> {
    story(|stage| {
        stage.docker("network create --subnet 172.30.0.0/24 taken")?;
        let id = stage.docker("network inspect -f {{.Id}} taken")?;
        stage.netctl_refuses("net create taken -s 10.1.0.0/16 -g 10.1.1.254", "NameTaken")?;
        let inspected = stage.inspect("networks", "default:taken")?;
        let conditions = inspected["Oper"]["conditions"].to_string();
        assert!(conditions.contains("NameTaken"), "{conditions}");
        assert_eq!(stage.docker("network inspect -f {{.Id}} taken")?, id);
        // When the name is free again, the object gets its network.
        stage.docker("network rm taken")?;
        wait_for(SOON, "the network to be realised", || {
            let driver = stage.docker("network inspect -f {{.Driver}} taken")?;
            anyhow::ensure!(driver == "netplugin", "{driver}");
            Ok(())
        })?;
        stage.start("ann", "taken")?.pings("10.1.1.254".parse()?)
    })
}

#[test]
fn a_network_and_a_group_cannot_share_a_docker_name() -> Result<()> {
    story(|stage| {
        stage.netctl("net create one -s 10.1.0.0/16")?;
        stage.netctl("group create one web")?;
        let outcome = stage.netctl("net create web -s 10.2.0.0/16");
        assert!(
            outcome.is_err(),
            "two objects would have one Docker network"
        );
        let mut networks = stage.docker_networks()?;
        networks.sort();
        assert_eq!(networks, ["one", "web"]);
        Ok(())
    })
}
