//! A policy on trial: what it would deny is seen, and passes.

use anyhow::{Context, ensure};
use contiv_testbed::wait_for;
use serde_json::Value;

use crate::stage::{Result, SOON, story};

#[test]
fn a_staged_policy_denies_nothing_and_says_what_it_would_deny() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create trial --staged")?;
        stage.netctl("policy rule-add trial shut -d in -l tcp -P 8001 -j deny")?;
        stage.netctl("group create private guarded -p trial")?;
        let (a, b) = (
            stage.start("trial-ann", "private")?,
            stage.start("trial-ben", "guarded")?,
        );
        let _servers = [b.listens(8000)?, b.listens(8001)?];
        a.connects(b.ip, 8000)?;
        for _ in 0..3 {
            a.connects(b.ip, 8001)?;
        }
        wait_for(SOON, "the trial's events", || {
            let events = stage.get("/api/v1/events/?kind=staged&endpoint=trial-ben")?;
            let events = events.as_array().context("a list")?;
            ensure!(events.len() == 3, "{events:?}");
            let rule = |event: &Value| event["rule"] == "default:trial:shut";
            ensure!(events.iter().all(rule), "{events:?}");
            ensure!(events[0]["verdict"] == "deny", "{events:?}");
            Ok(())
        })?;
        let lines = stage.netctl("events --kind staged --endpoint trial-ben")?;
        ensure!(lines.contains("staged would-deny: trial-ann"), "{lines}");
        wait_for(SOON, "the trial's figures", || {
            let table = stage.netctl("policy hits trial")?;
            ensure!(table.contains("would deny 3 connections"), "{table}");
            Ok(())
        })?;
        stage.netctl("policy set trial --staged=false")?;
        a.soon_is_barred(b.ip, 8001)?;
        a.connects(b.ip, 8000)
    })
}
