//! `netctl trace` says what packets experience, and what the kernel's tables hold.

use std::fs;

use anyhow::{Context, ensure};
use contiv_testbed::KernelMap;
use serde_json::Value;

use crate::actor::Actor;
use crate::stage::{Result, Stage, story};

const OPEN: u16 = 8000;
const SHUT: u16 = 8001;

/// Intent, inside the host.
const FILE: &str = "/var/lib/intent.yaml";

/// `web` may open one port of `db`; what else opens it is denied.
fn cast(stage: &Stage) -> Result<(Actor, Actor, Actor)> {
    stage.netctl("net create private -s 10.1.0.0/16 -g 10.1.1.254")?;
    stage.netctl("net create apart -s 10.2.0.0/16 -g 10.2.1.254")?;
    stage.netctl("policy create p")?;
    stage.netctl("group create private web")?;
    stage.netctl("group create private db -p p")?;
    stage.netctl("policy rule-add p all -d in -l tcp -j deny")?;
    stage.netctl(&format!(
        "policy rule-add p web -d in -l tcp -P {OPEN} --from-group web -j allow -p 10"
    ))?;
    Ok((
        stage.start("web1", "web")?,
        stage.start("db1", "db")?,
        stage.start("far1", "apart")?,
    ))
}

fn trace(stage: &Stage, from: &str, to: &str, packets: &str) -> Result<String> {
    stage.netctl(&format!("trace --from {from} --to {to} {packets}"))
}

/// The last line, of an explanation that a host's tables agree with.
fn verdict(stage: &Stage, from: &str, to: &str, packets: &str) -> Result<String> {
    let text = trace(stage, from, to, packets)?;
    ensure!(text.contains("as configured"), "no host was asked:\n{text}");
    ensure!(!text.contains("!!!"), "{text}");
    Ok(text.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn the_last_line_is_what_a_packet_experiences() -> Result<()> {
    story(|stage| {
        let (web, db, far) = cast(stage)?;
        let _servers = [web.listens(OPEN)?, db.listens(OPEN)?, db.listens(SHUT)?];
        let tcp = |port: u16| format!("--proto tcp --port {port}");
        for (from, to, port, opens) in [
            (&web, &db, OPEN, true),
            (&web, &db, SHUT, false),
            (&db, &web, OPEN, true),
            (&far, &db, OPEN, false),
        ] {
            let said = verdict(stage, &from.name, &to.name, &tcp(port))?;
            ensure!(
                said.contains("allow") == opens,
                "{} to {}: {said}",
                from.name,
                to.name
            );
            match opens {
                true => from.soon_connects(to.ip, port)?,
                false => from.soon_is_barred(to.ip, port)?,
            }
        }
        let said = verdict(stage, "far1", "db1", &tcp(OPEN))?;
        ensure!(said == "verdict: unreachable (other-network)", "{said}");
        // By the beginning of a container's id, by address, and a ping.
        let id = web.container.id.get(..12).context("an id")?;
        let said = verdict(stage, id, &db.ip.to_string(), "--proto icmp")?;
        ensure!(said == "verdict: allow", "{said}");
        web.pings(db.ip)?;
        // The host is a peer without a group.
        let said = verdict(stage, "host", "db1", &tcp(OPEN))?;
        ensure!(said == "verdict: deny", "{said}");
        stage.netctl_refuses("trace --from wbe1 --to db1 -P 80", "did you mean web1")
    })
}

#[test]
fn tables_that_say_something_else_are_told_aloud() -> Result<()> {
    story(|stage| {
        let (web, db, _) = cast(stage)?;
        let _server = db.listens(SHUT)?;
        let packets = format!("--proto tcp --port {SHUT}");
        ensure!(verdict(stage, "web1", "db1", &packets)? == "verdict: deny");
        let decisions = KernelMap::below(&stage.host.path("/sys/fs/bpf"), "pol_decisions")?;
        let rows = decisions.rows();
        ensure!(!rows.is_empty(), "a policy without a row");
        for (key, value) in &rows {
            decisions.put(key, &vec![0; value.len()])?;
        }
        let line = format!("trace --from web1 --to db1 {packets} --json");
        let output = stage.try_netctl(&line)?;
        // What the tables say is what packets experience.
        let connects = web.soon_connects(db.ip, SHUT);
        for (key, value) in &rows {
            decisions.put(key, value)?;
        }
        connects?;
        ensure!(output.status.code() == Some(3), "{:?}", output.status);
        let document: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(document["disagrees"] == true, "{document}");
        ensure!(document["verdict"] == "deny", "{document}");
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(complaint.contains("say something else"), "{complaint}");
        ensure!(verdict(stage, "web1", "db1", &packets)? == "verdict: deny");
        Ok(())
    })
}

#[test]
fn the_matrix_and_a_diff_tell_pairs_before_anything_changes() -> Result<()> {
    story(|stage| {
        let (web, db, _) = cast(stage)?;
        let _server = db.listens(SHUT)?;
        let matrix = format!("policy matrix --port {SHUT} --format csv");
        ensure!(stage.netctl(&matrix)?.contains("web,db,deny,"));
        let page = stage.netctl(&format!("policy matrix --port {OPEN} --format html"))?;
        ensure!(page.starts_with("<!DOCTYPE html>") && page.contains("web to db: allow"));
        let file = stage.host.path(FILE);
        fs::write(
            &file,
            format!(
                "kind: rule\ntenantName: default\npolicyName: p\nruleId: more\ndirection: in\n\
                 action: allow\npriority: 20\nprotocol: tcp\nport: {SHUT}\nfromEndpointGroup: web\n"
            ),
        )?;
        let diff = format!("policy diff -f {FILE}");
        let told = stage.netctl(&diff)?;
        let opens = format!("opens   web   db  tcp       {SHUT}");
        ensure!(
            told.contains(&opens) && told.contains("1 opened, 0 closed"),
            "{told}"
        );
        web.is_barred(db.ip, SHUT)?;
        stage.netctl(&format!("apply -f {FILE}"))?;
        web.soon_connects(db.ip, SHUT)?;
        ensure!(stage.netctl(&diff)?.contains("0 opened, 0 closed"));
        Ok(fs::remove_file(file)?)
    })
}
