//! The engine is restarted: its networks stay Contiv's, its containers come back, nothing leaks.

use std::time::Duration;

use contiv_testbed::wait_for;

use crate::actor::{Actor, all_reach_each_other};
use crate::stage::{Result, story};

#[test]
fn containers_come_back_after_a_restart_of_the_engine() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let id = stage.docker("network inspect -f {{.Id}} private")?;
        stage.start_with("always", "private", &["--restart", "always"])?;
        stage.start("manual", "private")?;
        for crash in [false, true] {
            if crash {
                stage.engine.kill9();
                stage.engine.up()?;
            } else {
                stage.engine.restart()?;
            }
            // No call tells the driver of its networks again: what they stand for is remembered.
            assert_eq!(stage.docker("network inspect -f {{.Id}} private")?, id);
            stage.docker("start manual")?;
            let always = wait_for(Duration::from_secs(20), "the container to be back", || {
                stage.actor("always", "private")
            })?;
            let both: [Actor; 2] = [always, stage.actor("manual", "private")?];
            all_reach_each_other(&both)?;
            let late = stage.start("late", "private")?;
            late.pings(both[0].ip)?;
            stage.remove(["late"])?;
        }
        Ok(())
    })
}

#[test]
fn a_network_that_goes_while_the_engine_is_away_goes_from_it_later() -> Result<()> {
    story(|stage| {
        stage.netctl("net create brief -s 10.1.0.0/16")?;
        stage.engine.stop()?;
        stage.netctl("net rm --no-wait brief")?;
        stage.netctl("net create --no-wait newer -s 10.2.0.0/16")?;
        stage.engine.up()?;
        wait_for(Duration::from_secs(15), "the engine to follow", || {
            let networks = stage.docker_networks()?;
            anyhow::ensure!(networks == ["newer"], "{networks:?}");
            Ok(())
        })
    })
}
