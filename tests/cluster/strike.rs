//! Striking the stage: what a story made is removed on every host, and nothing may be left of it.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use contiv_testbed::{Cluster, Node, wait_for};
use serde_json::Value;

use crate::stage::Stage;

/// Endpoints that a dead engine forgot are collected after a while, and addresses that it asked
/// for and did not use after a minute.
const COLLECTED: Duration = Duration::from_secs(90);

/// In the order in which they can be deleted.
const PLURALS: [&str; 5] = ["rules", "endpointGroups", "policys", "networks", "tenants"];

/// What can be left over, each with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Footprint(BTreeSet<String>);

impl Footprint {
    pub(crate) fn of(cluster: &Cluster) -> Result<Self> {
        let mut all = BTreeSet::new();
        for node in &cluster.nodes {
            let mut add = |what: &str, items: Vec<String>| {
                all.extend(
                    items
                        .iter()
                        .map(|item| format!("{}: {what} {item}", node.name)),
                );
            };
            add("link", links(node)?);
            let pins = node.host.run(&["find", "/sys/fs/bpf", "-type", "f"])?;
            add("pin", pins.lines().map(str::to_owned).collect());
            let networks = ["network", "ls", "--format", "{{.Name}} {{.Driver}}"];
            let networks = node.engine.docker(&networks)?;
            add(
                "docker network",
                networks.lines().map(str::to_owned).collect(),
            );
            // Masters must agree about what there is.
            for plural in PLURALS {
                add(plural, keys(node, plural)?);
            }
            for plural in ["endpoints", "addresses"] {
                let listed = list(node, &format!("/api/v1/{plural}/"))?;
                add(plural, listed.iter().map(Value::to_string).collect());
            }
        }
        Ok(Self(all))
    }

    /// Each thing that is there and should not be, or the other way round.
    pub(crate) fn difference(&self, now: &Self) -> String {
        let more: Vec<_> = now.0.difference(&self.0).collect();
        let less: Vec<_> = self.0.difference(&now.0).collect();
        format!("left over {more:#?}, missing {less:#?}")
    }
}

/// Links of endpoints.
fn links(node: &Node) -> Result<Vec<String>> {
    let links = node.host.netns()?.ip("-br link")?;
    let names = links
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let ours = names.filter(|name| name.starts_with("cv") || name.starts_with("cc"));
    Ok(ours.map(str::to_owned).collect())
}

fn list(node: &Node, target: &str) -> Result<Vec<Value>> {
    let listed = node.get(target)?;
    listed
        .as_array()
        .cloned()
        .with_context(|| format!("{target} is no list: {listed}"))
}

fn keys(node: &Node, plural: &str) -> Result<Vec<String>> {
    let objects = list(node, &format!("/api/v1/{plural}/"))?;
    let keys = objects.iter().filter_map(|object| object["key"].as_str());
    Ok(keys.map(str::to_owned).collect())
}

impl Stage {
    /// Removes everything that a story may have made, and fails when something stays.
    pub(crate) fn strike(&mut self) -> Result<()> {
        for node in &self.nodes {
            let containers = node.engine.docker(&["ps", "-aq"])?;
            let words: Vec<&str> = ["rm", "-f"].into_iter().chain(containers.lines()).collect();
            if !containers.is_empty() {
                node.engine.docker(&words)?;
            }
        }
        for plural in PLURALS {
            for key in keys(&self.nodes[0], plural)? {
                if key != "default" {
                    self.delete(plural, &key)?;
                }
            }
        }
        self.until_bare()
    }

    /// Waits until nothing is left on any host of what was not there at first.
    pub(crate) fn until_bare(&self) -> Result<()> {
        wait_for(COLLECTED, "the stage to be bare again", || {
            let now = Footprint::of(self)?;
            ensure!(now == self.bare, "{}", self.bare.difference(&now));
            Ok(())
        })
    }

    /// Deletes an object; what a dead engine left in it must be collected first.
    fn delete(&self, plural: &str, key: &str) -> Result<()> {
        wait_for(COLLECTED, &format!("{plural} {key} to go"), || {
            let target = format!("/api/v1/{plural}/{key}/");
            let reply = self.nodes[0].api("DELETE", &target, None)?;
            // Some go with what they belong to.
            let gone = (200..300).contains(&reply.status) || reply.status == 404;
            ensure!(gone, "status {}: {}", reply.status, reply.text);
            Ok(())
        })
    }
}
