//! `netctl` waits until hosts have realised a change, and names those that have not.

use contiv_testbed::wait_for;

use crate::stage::{Result, SOON, story};

#[test]
fn what_netctl_made_can_be_used_at_once() -> Result<()> {
    story(|stage| {
        for round in 0..5 {
            stage.netctl(&format!("net create net{round} -s 10.{round}.0.0/16"))?;
            stage.docker(&format!("network inspect net{round}"))?;
            stage.netctl(&format!("group create net{round} group{round}"))?;
            stage.docker(&format!("network inspect group{round}"))?;
            stage.netctl(&format!("group rm group{round}"))?;
            assert_eq!(stage.docker_networks()?, [format!("net{round}")]);
            stage.netctl(&format!("net rm net{round}"))?;
            assert!(stage.docker_networks()?.is_empty());
        }
        Ok(())
    })
}

#[test]
fn a_host_whose_engine_is_away_is_named() -> Result<()> {
    story(|stage| {
        stage.engine.stop()?;
        wait_for(SOON, "the agent to miss the engine", || {
            let hosts = stage.get("/api/v1/hosts/")?;
            anyhow::ensure!(
                stage.metric(true, "contiv_netplugin_engine_connected")? == 0.0,
                "{hosts}"
            );
            Ok(())
        })?;
        let host = stage.host.name().to_owned();
        stage.netctl_refuses("net create early -s 10.1.0.0/16 -g 10.1.1.254", &host)?;
        stage.netctl("net create --no-wait hasty -s 10.2.0.0/16")?;
        let inspected = stage.inspect("networks", "default:early")?;
        let conditions = inspected["Oper"]["conditions"].to_string();
        assert!(conditions.contains("EngineUnreachable"), "{conditions}");
        stage.engine.up()?;
        wait_for(SOON, "both networks", || {
            let mut networks = stage.docker_networks()?;
            networks.sort();
            anyhow::ensure!(networks == ["early", "hasty"], "{networks:?}");
            Ok(())
        })?;
        stage.start("ann", "early")?.pings("10.1.1.254".parse()?)
    })
}

#[test]
fn without_a_live_host_nobody_is_waited_for() -> Result<()> {
    story(|stage| {
        stage.kill_agent();
        wait_for(SOON, "the master to miss the host", || {
            let hosts = stage.get("/api/v1/hosts/")?;
            anyhow::ensure!(hosts[0]["live"] == false, "{hosts}");
            Ok(())
        })?;
        stage.netctl("net create early -s 10.1.0.0/16")?;
        stage.start_agent()?;
        wait_for(SOON, "the network", || {
            let networks = stage.docker_networks()?;
            anyhow::ensure!(networks == ["early"], "{networks:?}");
            Ok(())
        })
    })
}
