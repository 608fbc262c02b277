//! Striking the stage: what a story made is removed, and nothing may be left of it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use contiv_testbed::{Stack, wait_for};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Endpoints that a dead engine forgot are collected after a while, and addresses that it asked
/// for and did not use after a minute.
const COLLECTED: Duration = Duration::from_secs(90);

/// What can be left over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Links of endpoints on the host.
    pub(crate) links: BTreeSet<String>,
    /// Pinned programs, maps and links.
    pub(crate) pins: BTreeSet<String>,
    /// Endpoints, networks, groups, policies and rules that netmaster knows.
    pub(crate) objects: BTreeSet<String>,
    /// Addresses that are not free.
    pub(crate) addresses: BTreeSet<String>,
    /// Networks of the engine.
    pub(crate) docker_networks: BTreeSet<String>,
}

impl Footprint {
    pub(crate) fn of(stack: &Stack) -> Result<Self> {
        let lines =
            |text: String| -> BTreeSet<String> { text.lines().map(str::to_owned).collect() };
        let links = lines(stack.host.netns()?.ip("-br link")?);
        let links = links
            .iter()
            .filter_map(|line| line.split_whitespace().next());
        let links = links.filter(|name| name.starts_with("cv") || name.starts_with("cc"));
        let pins = stack.host.run(&["find", "/sys/fs/bpf", "-type", "f"])?;
        let networks = ["network", "ls", "--format", "{{.Name}} {{.Driver}}"];
        let mut objects = BTreeSet::new();
        for plural in PLURALS {
            for key in keys(stack, plural)? {
                objects.insert(format!("{plural} {key}"));
            }
        }
        for endpoint in list(stack, "/api/v1/endpoints/")? {
            objects.insert(format!("endpoint {}", endpoint["endpointID"]));
        }
        let addresses = list(stack, "/api/v1/addresses/")?;
        Ok(Self {
            links: links.map(str::to_owned).collect(),
            pins: lines(pins),
            objects,
            addresses: addresses.iter().map(Value::to_string).collect(),
            docker_networks: lines(stack.engine.docker(&networks)?),
        })
    }
}

/// In the order in which they can be deleted.
const PLURALS: [&str; 5] = ["rules", "endpointGroups", "policys", "networks", "tenants"];

fn list(stack: &Stack, target: &str) -> Result<Vec<Value>> {
    let reply = stack.api("GET", target, None)?;
    ensure!(
        reply.status == 200,
        "GET {target}: {} {}",
        reply.status,
        reply.text
    );
    let listed = reply.body.as_array().cloned();
    listed.with_context(|| format!("GET {target} is no list: {}", reply.text))
}

fn keys(stack: &Stack, plural: &str) -> Result<Vec<String>> {
    let objects = list(stack, &format!("/api/v1/{plural}/"))?;
    let keys = objects.iter().filter_map(|object| object["key"].as_str());
    Ok(keys.map(str::to_owned).collect())
}

impl Stage {
    /// Removes everything that a story may have made, and fails when something stays.
    pub(crate) fn strike(&mut self) -> Result<()> {
        let containers = self.docker("ps -aq")?;
        self.remove_all(containers.lines())?;
        self.drop_networks_made_by_hand()?;
        for plural in PLURALS {
            for key in keys(self, plural)? {
                if key != "default" {
                    self.delete(plural, &key)?;
                }
            }
        }
        self.restore_settings()?;
        wait_for(COLLECTED, "the stage to be bare again", || {
            let now = Footprint::of(self)?;
            ensure!(now == self.bare, "{}", difference(&self.bare, &now));
            Ok(())
        })
    }

    fn remove_all<'a>(&self, containers: impl Iterator<Item = &'a str>) -> Result<()> {
        let names: Vec<&str> = containers.collect();
        if names.is_empty() {
            return Ok(());
        }
        self.remove(names)
    }

    /// Docker networks that no object stands behind go by the engine alone.
    fn drop_networks_made_by_hand(&self) -> Result<()> {
        let line = "network ls --filter type=custom --format {{.ID}}={{.Label \"contiv.uid\"}}";
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        for network in self.engine.docker(&words)?.lines() {
            if let Some((id, "")) = network.split_once('=') {
                self.engine.docker(&["network", "rm", id])?;
            }
        }
        Ok(())
    }

    /// Deletes an object; what a dead engine left in it must be collected first.
    fn delete(&self, plural: &str, key: &str) -> Result<()> {
        wait_for(COLLECTED, &format!("{plural} {key} to go"), || {
            let reply = self.api("DELETE", &format!("/api/v1/{plural}/{key}/"), None)?;
            // Some go with what they belong to.
            let gone = (200..300).contains(&reply.status) || reply.status == 404;
            ensure!(gone, "status {}: {}", reply.status, reply.text);
            Ok(())
        })
    }

    fn restore_settings(&self) -> Result<()> {
        let global = self.get("/api/v1/globals/global/")?;
        if global["fwdMode"] == "bridge" {
            return Ok(());
        }
        let wish = json!({"key": "global", "name": "global", "fwdMode": "bridge"});
        let reply = self.api("PUT", "/api/v1/globals/global/", Some(&wish))?;
        ensure!(
            reply.status == 200,
            "PUT global: {} {}",
            reply.status,
            reply.text
        );
        Ok(())
    }
}

/// Each thing that is there and should not be, or the other way round.
fn difference(bare: &Footprint, now: &Footprint) -> String {
    let parts = [
        ("links", &bare.links, &now.links),
        ("pins", &bare.pins, &now.pins),
        ("objects", &bare.objects, &now.objects),
        ("addresses", &bare.addresses, &now.addresses),
        ("networks", &bare.docker_networks, &now.docker_networks),
    ];
    let mut said = Vec::new();
    for (what, bare, now) in parts {
        let (more, less): (Vec<_>, Vec<_>) = (
            now.difference(bare).collect(),
            bare.difference(now).collect(),
        );
        if !more.is_empty() || !less.is_empty() {
            said.push(format!("{what}: left over {more:?}, missing {less:?}"));
        }
    }
    said.join("; ")
}
