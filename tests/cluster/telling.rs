//! Any master tells of every host: that it is there, what its rules decided, what it dropped, and
//! what its tables say.

use anyhow::{Context, ensure};
use contiv_testbed::wait_for;
use serde_json::Value;

use crate::stage::{HOSTS, Result, SOON, story};

const OPEN: u16 = 8000;
const SHUT: u16 = 8001;

#[test]
fn every_master_lists_every_host() -> Result<()> {
    story(|stage| {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.start_everywhere("w", "wide")?;
        for node in &stage.nodes {
            let table = node.netctl("host ls")?;
            for host in &stage.nodes {
                let line = table.lines().find(|line| line.starts_with(&host.name));
                let line = line.with_context(|| format!("{} is missing:\n{table}", host.name))?;
                let address = host.address.to_string();
                ensure!(line.contains("live") && line.contains(&address), "{table}");
                let told = node.netctl(&format!("host inspect {}", host.name))?;
                ensure!(told.contains(&address), "{told}");
                wait_for(SOON, "its endpoint to be listed", || {
                    let entry = node.host_entry(&host.name)?;
                    ensure!(
                        entry["endpoints"] == 1 && entry["problems"] == serde_json::json!([]),
                        "{entry}"
                    );
                    Ok(())
                })?;
            }
        }
        Ok(())
    })
}

#[test]
fn hits_and_events_of_every_host_are_told_by_any_master() -> Result<()> {
    story(|stage| {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create counted")?;
        stage.netctl(&format!(
            "policy rule-add counted web -d in -l tcp -P {OPEN} -p 10 -j allow --log"
        ))?;
        stage.netctl("policy rule-add counted shut -d in -l tcp -j deny")?;
        stage.netctl("group create wide guarded -p counted")?;
        let actors = stage.start_everywhere("told", "guarded")?;
        let _servers = actors
            .iter()
            .map(|actor| actor.listens(OPEN))
            .collect::<Result<Vec<_>>>()?;
        for from in &actors {
            for to in actors.iter().filter(|to| to.name != from.name) {
                from.connects(to.ip, OPEN)?;
                from.is_barred(to.ip, SHUT)?;
            }
        }
        // A connection between two hosts is in the tables of both, and is one at each.
        let pairs = HOSTS * (HOSTS - 1);
        for node in &stage.nodes {
            wait_for(SOON, &format!("{} to tell all hits", node.name), || {
                let hits = node.get("/api/v1/hits/?tenant=default&policy=counted")?;
                let rules = hits["rules"].as_array().context("a list")?;
                let rule = |id: &str| rules.iter().find(|rule| rule["rule"] == id).cloned();
                let (web, shut) = (rule("web").context("web")?, rule("shut").context("shut")?);
                ensure!(web["connections"] == pairs, "{web}");
                ensure!(shut["connections"].as_u64() >= Some(pairs as u64), "{shut}");
                Ok(())
            })?;
            for host in &stage.nodes {
                for kind in ["log", "drop"] {
                    let query = format!("/api/v1/events/?kind={kind}&host={}", host.name);
                    wait_for(SOON, &format!("{} to tell {query}", node.name), || {
                        let events = node.get(&query)?;
                        let told = |event: &&Value| {
                            let name = |end: &str| {
                                event[end]["container"].as_str().unwrap_or("").to_owned()
                            };
                            name("from").starts_with("told") && name("to").starts_with("told")
                        };
                        let found = events.as_array().and_then(|all| all.iter().find(told));
                        ensure!(found.is_some(), "{events}");
                        Ok(())
                    })?;
                }
            }
        }
        Ok(())
    })
}

#[test]
fn a_trace_between_hosts_agrees_with_both_kernels() -> Result<()> {
    story(|stage| {
        stage.netctl("net create wide -s 10.1.0.0/16 -g 10.1.1.254")?;
        stage.netctl("policy create p")?;
        stage.netctl("policy rule-add p all -d in -l tcp -j deny")?;
        stage.netctl("group create wide web")?;
        stage.netctl("group create wide db -p p")?;
        stage.netctl(&format!(
            "policy rule-add p web -d in -l tcp -P {OPEN} --from-group web -j allow -p 10"
        ))?;
        let web = stage.start(0, "web1", "web")?;
        let db = stage.start(2, "db1", "db")?;
        let _servers = [db.listens(OPEN)?, db.listens(SHUT)?];
        for node in &stage.nodes {
            for (port, opens) in [(OPEN, true), (SHUT, false)] {
                // Names come from the engines' events, by way of the hosts' reports.
                let line = format!("trace --from web1 --to db1 --proto tcp --port {port}");
                let text = wait_for(SOON, "names to be known", || node.netctl(&line))?;
                ensure!(
                    text.matches("as configured").count() >= 2,
                    "{}:\n{text}",
                    node.name
                );
                ensure!(!text.contains("!!!"), "{}:\n{text}", node.name);
                let said = text.lines().last().unwrap_or_default();
                ensure!(said.contains("allow") == opens, "{}: {said}", node.name);
                match opens {
                    true => web.soon_connects(db.ip, port)?,
                    false => web.soon_is_barred(db.ip, port)?,
                }
            }
        }
        Ok(())
    })
}
