//! What rules with `log` decide, and what is dropped, is told with everybody's name.

use anyhow::{Context, ensure};
use contiv_testbed::{Stream, StreamSpec, wait_for};
use serde_json::Value;

use crate::stage::{Result, SOON, Stage, story};

/// The first event of a list that is there soon.
fn event(stage: &Stage, query: &str) -> Result<Value> {
    wait_for(SOON, &format!("an event {query}"), || {
        let events = stage.get(&format!("/api/v1/events/?{query}"))?;
        let first = events.as_array().and_then(|all| all.first());
        first.cloned().context("none yet")
    })
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

#[test]
fn a_logged_connection_is_told_with_all_names() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create logged")?;
        stage.netctl("policy rule-add logged open -d in -l tcp -P 8000 -p 10 -j allow --log")?;
        stage.netctl("policy rule-add logged shut -d in -l tcp -j deny")?;
        stage.netctl("group create private talkers")?;
        stage.netctl("group create private guarded -p logged")?;
        let ann = stage.start("log-ann", "talkers")?;
        let ben = stage.start("log-ben", "guarded")?;
        let _servers = [ben.listens(8000)?, ben.listens(8001)?];
        ann.connects(ben.ip, 8000)?;
        ann.is_barred(ben.ip, 8001)?;

        let log = event(stage, "kind=log&endpoint=log-ben")?;
        let host = stage.get("/api/v1/hosts/")?[0]["name"].clone();
        assert_eq!(log["host"], host, "{log}");
        for (pointer, is) in [
            ("/tenant", "default"),
            ("/verdict", "allow"),
            ("/rule", "default:logged:open"),
            ("/side", "receiver"),
            ("/from/container", "log-ann"),
            ("/from/group", "talkers"),
            ("/from/network", "private"),
            ("/to/container", "log-ben"),
            ("/to/group", "guarded"),
        ] {
            assert_eq!(text(&log, pointer), is, "{pointer} of {log}");
        }
        assert_eq!(
            (&log["protocol"], &log["to"]["port"]),
            (&6.into(), &8000.into())
        );

        let drop = event(stage, "kind=drop&endpoint=log-ann")?;
        assert_eq!(text(&drop, "/reason"), "policy-in", "{drop}");
        assert_eq!(text(&drop, "/rule"), "default:logged:shut", "{drop}");
        assert_eq!(text(&drop, "/to/container"), "log-ben", "{drop}");

        let lines = stage.netctl("events --kind log --endpoint log-ann")?;
        let wanted = format!("log-ann (talkers, {}:", ann.ip);
        ensure!(lines.contains(&wanted), "{lines}");
        ensure!(lines.contains("tcp, by default:logged:open"), "{lines}");

        // Who has gone meanwhile still has had a name.
        stage.remove(["log-ben"])?;
        let lines = stage.netctl("events --kind drop --endpoint log-ben")?;
        ensure!(lines.contains("drop policy-in: log-ann"), "{lines}");
        Ok(())
    })
}

#[test]
fn of_a_flood_every_packet_is_told_or_counted() -> Result<()> {
    story(|stage| {
        stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create closed")?;
        stage.netctl("policy rule-add closed 1 -d in -l udp -j deny")?;
        stage.netctl("group create private guarded -p closed")?;
        let (a, b) = (
            stage.start("flood-ann", "private")?,
            stage.start("flood-ben", "guarded")?,
        );
        let stream = Stream::start(&a.netns, &b.netns, &StreamSpec::to((b.ip, 5000).into()))?;
        wait_for(SOON, "a flood", || {
            let lines = stage.netctl("events --kind drop --endpoint flood-ann --json")?;
            ensure!(lines.contains("suppressed"), "{lines}");
            Ok(())
        })?;
        let sent = stream.stop().sent;
        // What was suppressed last goes with the next that is told.
        wait_for(SOON, "all of it to be told", || {
            a.asks_in_vain(b.ip, 5000)?;
            let events = stage.get("/api/v1/events/?kind=drop&endpoint=flood-ann")?;
            let events = events.as_array().context("a list")?;
            let told = |event: &Value| 1 + event["suppressed"].as_u64().unwrap_or(0);
            let total: u64 = events.iter().map(told).sum();
            ensure!(total >= sent, "{total} of {sent} packets");
            ensure!(total <= sent + 100, "{total} of {sent} packets");
            Ok(())
        })
    })
}
