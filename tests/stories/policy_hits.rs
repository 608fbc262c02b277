//! Hits add up to what was sent, whoever restarts.

use anyhow::{Context, ensure};
use contiv_testbed::wait_for;
use serde_json::Value;

use crate::stage::{Result, SOON, Stage, story};

const PINGS: u64 = 5;
const CONNECTIONS: u64 = 7;

/// One rule of the policy `counted`.
fn rule(stage: &Stage, id: &str) -> Result<Value> {
    let hits = stage.get("/api/v1/hits/?tenant=default&policy=counted")?;
    let rules = hits["rules"].as_array().context("a list of rules")?;
    let found = rules.iter().find(|rule| rule["rule"] == id);
    found.cloned().with_context(|| format!("no rule {id}"))
}

fn soon(stage: &Stage, id: &str, field: &str, wanted: u64) -> Result<()> {
    wait_for(SOON, &format!("{wanted} {field} of rule {id}"), || {
        let rule = rule(stage, id)?;
        ensure!(rule[field] == wanted, "{rule}");
        Ok(())
    })
}

#[test]
fn hits_are_what_was_sent_and_nothing_is_lost_over_restarts() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create counted")?;
        stage.netctl("policy rule-add counted ping -d in -l icmp -j allow")?;
        stage.netctl("policy rule-add counted web -d in -l tcp -P 8000 -p 10 -j allow")?;
        stage.netctl("policy rule-add counted shut -d in -l tcp -j deny")?;
        stage.netctl("policy rule-add counted idle -d in -l udp -P 53 -j deny")?;
        stage.netctl("group create private guarded -p counted")?;
        let (a, b) = (
            stage.start("ann", "private")?,
            stage.start("ben", "guarded")?,
        );
        let _server = b.listens(8000)?;
        let pings = a.netns.ping(b.ip, u32::try_from(PINGS)?)?;
        ensure!(pings.all(), "{pings:?}");
        for _ in 0..CONNECTIONS {
            a.connects(b.ip, 8000)?;
        }
        a.is_barred(b.ip, 8001)?;
        // Each has an answer.
        soon(stage, "ping", "packets", 2 * PINGS)?;
        soon(stage, "web", "connections", CONNECTIONS)?;
        soon(stage, "shut", "connections", 1)?;
        soon(stage, "idle", "packets", 0)?;
        let hit = rule(stage, "web")?;
        ensure!(hit["lastHit"].is_u64(), "{hit}");
        let table = stage.netctl("policy hits counted")?;
        let idle = table.lines().find(|line| line.contains("idle"));
        ensure!(idle.is_some_and(|line| line.contains("never")), "{table}");
        let unused = stage.netctl("policy hits counted --unused")?;
        ensure!(
            unused.contains("idle") && !unused.contains("web"),
            "{unused}"
        );

        stage.kill_agent();
        a.connects(b.ip, 8000)?;
        stage.start_agent()?;
        soon(stage, "web", "connections", CONNECTIONS + 1)?;
        soon(stage, "ping", "packets", 2 * PINGS)?;

        stage.kill_master();
        a.connects(b.ip, 8000)?;
        stage.start_master()?;
        soon(stage, "web", "connections", CONNECTIONS + 2)?;
        soon(stage, "ping", "packets", 2 * PINGS)
    })
}
