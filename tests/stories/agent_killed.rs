//! netplugin is killed under traffic: no packet is lost, nothing is torn down, leftovers go.

use std::time::Duration;

use contiv_testbed::{Stream, StreamReport, StreamSpec, wait_for};

use crate::actor::{Talk, all_reach_each_other};
use crate::stage::{Result, SOON, Stage, story};

const FLOWS: Duration = Duration::from_secs(10);

#[test]
fn no_packet_is_lost_while_the_agent_is_away_and_when_it_returns() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        stage.netctl("policy rule-add p 2 -d in -l tcp -P 8000 -p 10 -j allow")?;
        stage.netctl("group create private guarded -p p")?;
        let (a, b) = (
            stage.start("ann", "guarded")?,
            stage.start("ben", "guarded")?,
        );
        let _servers = [b.listens(8000)?, b.listens(8001)?];
        let mut talk: Talk = a.talks_to(b.ip, 8000)?;
        let stream = Stream::start(&a.netns, &b.netns, &StreamSpec::to((b.ip, 5000).into()))?;
        stream.flows(200, FLOWS)?;
        for _ in 0..3 {
            stage.kill_agent();
            stream.flows(500, FLOWS)?;
            talk.is_heard()?;
            // Policy holds without the agent, for new connections too.
            a.connects(b.ip, 8000)?;
            a.is_barred(b.ip, 8001)?;
            stage.start_agent()?;
            stream.flows(500, FLOWS)?;
            talk.is_heard()?;
            a.is_barred(b.ip, 8001)?;
        }
        let StreamReport {
            sent,
            lost,
            duplicates,
            ..
        } = stream.stop();
        assert_eq!((lost, duplicates), (0, 0), "of {sent}");
        // It is an agent that works: what changes now is followed.
        stage.netctl("policy rule-rm p 1")?;
        a.soon_connects(b.ip, 8001)
    })
}

#[test]
fn what_went_while_the_agent_was_away_is_cleaned_when_it_returns() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let actors = stage.start_many(3, "c", "private")?;
        stage.kill_agent();
        // The engine keeps trying to tell the driver, until it is back.
        std::thread::scope(|scope| -> Result<()> {
            let host = stage.host.clone();
            let removing = scope.spawn(move || host.run(&["docker", "rm", "-f", "c1"]));
            let process = stage
                .host
                .path(format!("/proc/{}", actors[0].container.pid));
            wait_for(SOON, "the container to end", || match process.exists() {
                true => Err("it runs"),
                false => Ok(()),
            })?;
            all_reach_each_other(&actors[1..])?;
            stage.start_agent()?;
            removing.join().expect("a thread that does not panic")?;
            Ok(())
        })?;
        stage.all_addresses_come_back_but(&["10.1.0.2", "10.1.0.3"])?;
        all_reach_each_other(&actors[1..])?;
        assert_eq!(stage.start("next", "private")?.ip, actors[0].ip);
        Ok(())
    })
}

#[test]
fn what_neither_agent_nor_engine_saw_go_is_collected() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let (a, b) = (
            stage.start("ann", "private")?,
            stage.start("ben", "private")?,
        );
        stage.kill_agent();
        stage.engine.kill9();
        stage
            .host
            .run(&["kill", "-9", &a.container.pid.to_string()])?;
        let pid = b.container.pid;
        assert!(
            stage.host.path(format!("/proc/{pid}")).exists(),
            "b lives on"
        );
        stage.start_agent()?;
        stage.engine.up()?;
        // What is left of both goes within the time that the stage is struck in.
        stage.docker("rm -f ann ben").map(drop)
    })
}

#[test]
fn a_policy_that_changed_while_the_agent_was_away_holds_when_it_returns() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("group create private guarded -p p")?;
        let (a, b) = (
            stage.start("ann", "guarded")?,
            stage.start("ben", "guarded")?,
        );
        let _server = b.listens(8000)?;
        let mut talk = a.talks_to(b.ip, 8000)?;
        talk.is_heard()?;
        stage.kill_agent();
        stage.netctl("policy rule-add p 1 -d in -l tcp -j deny")?;
        talk.is_heard()?;
        stage.start_agent()?;
        a.soon_is_barred(b.ip, 8000)?;
        talk.is_cut()
    })
}

#[test]
fn the_agent_and_the_master_restart_in_any_order() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        let (a, b) = (
            stage.start("ann", "private")?,
            stage.start("ben", "private")?,
        );
        let stream = Stream::start(&a.netns, &b.netns, &StreamSpec::to((b.ip, 5000).into()))?;
        stream.flows(200, FLOWS)?;
        stage.kill_master();
        stage.kill_agent();
        stream.flows(200, FLOWS)?;
        stage.start_master()?;
        stage.start_agent()?;
        stream.flows(200, FLOWS)?;
        stage.kill_master();
        stream.flows(200, FLOWS)?;
        // Without a master the engine is told why nothing starts.
        stage.cannot_run(&["--network", "private"], "127.0.0.1:9999")?;
        stage.start_master()?;
        lives_again(stage)?;
        assert_eq!(stream.stop().lost, 0);
        let c = stage.start("cyd", "private")?;
        c.pings(a.ip)
    })
}

/// The agent has found the new master.
fn lives_again(stage: &Stage) -> Result<()> {
    wait_for(SOON, "the agent to find the master", || {
        let hosts = stage.get("/api/v1/hosts/")?;
        anyhow::ensure!(hosts[0]["live"] == true, "{hosts}");
        Ok(())
    })
}
