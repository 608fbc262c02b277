//! The stage: two hosts whose engines are a Swarm, with the managed plugin on each.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use contiv_testbed::{
    BUSYBOX_IMAGE, Cluster, Container, Netns, Node, Reply, bin, unix_request, wait_for,
};
use serde_json::Value;

pub(crate) use anyhow::Result;

/// The managed plugin's name in these engines.
pub(crate) const PLUGIN: &str = "contiv/netplugin:story";

/// How long a Swarm may take for what it has been told.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A Swarm of two; the first host's engine leads.
pub(crate) struct Swarm {
    pub(crate) cluster: Cluster,
}

/// A task that runs.
pub(crate) struct Task {
    pub(crate) container: Container,
    pub(crate) ip: IpAddr,
    pub(crate) netns: Netns,
    /// The number of its host.
    pub(crate) host: usize,
}

impl Swarm {
    pub(crate) fn start() -> Result<Swarm> {
        let cluster = Cluster::start(2)?;
        let swarm = Swarm { cluster };
        for node in &swarm.cluster.nodes {
            install(node)?;
        }
        let [lead, other] = &swarm.cluster.nodes[..] else {
            anyhow::bail!("two hosts");
        };
        let address = lead.address.to_string();
        lead.engine
            .docker(&["swarm", "init", "--advertise-addr", &address])?;
        let token = lead
            .engine
            .docker(&["swarm", "join-token", "-q", "worker"])?;
        let at = format!("{address}:2377");
        other
            .engine
            .docker(&["swarm", "join", "--token", token.trim(), &at])?;
        Ok(swarm)
    }

    pub(crate) fn lead(&self) -> &Node {
        &self.cluster.nodes[0]
    }

    /// A client's command at the leading manager, split at blanks.
    pub(crate) fn docker(&self, line: &str) -> Result<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.lead().engine.docker(&words)
    }

    pub(crate) fn netctl(&self, line: &str) -> Result<String> {
        self.lead().netctl(line)
    }

    /// A Swarm's network for the object that has this tag.
    pub(crate) fn network(&self, name: &str, tag: &str) -> Result<()> {
        self.docker(&format!(
            "network create -d {PLUGIN} --ipam-driver {PLUGIN} --attachable \
             --ipam-opt contiv-tag={tag} --opt contiv-tag={tag} {name}"
        ))
        .map(drop)
    }

    /// A service of tasks that do nothing.
    pub(crate) fn service(&self, name: &str, network: &str, options: &str) -> Result<()> {
        self.docker(&format!(
            "service create --detach --no-resolve-image --name {name} --network {network} \
             --stop-grace-period 0s {options} {BUSYBOX_IMAGE} sleep 1000000"
        ))
        .map(drop)
    }

    /// The tasks of a service that run now.
    pub(crate) fn tasks(&self, service: &str, network: &str) -> Result<Vec<Task>> {
        let filter = format!("label=com.docker.swarm.service.name={service}");
        let mut tasks = Vec::new();
        for (host, node) in self.cluster.nodes.iter().enumerate() {
            let ids = node.engine.docker(&["ps", "-q", "--filter", &filter])?;
            for id in ids.split_whitespace() {
                let container = node.engine.container(id)?;
                let (ip, netns) = (container.ip_on(network)?, container.netns()?);
                tasks.push(Task {
                    container,
                    ip,
                    netns,
                    host,
                });
            }
        }
        Ok(tasks)
    }

    /// Waits until so many tasks of a service run and nothing else of it.
    pub(crate) fn until_tasks(
        &self,
        service: &str,
        network: &str,
        count: usize,
    ) -> Result<Vec<Task>> {
        let what = format!("{count} tasks of {service}");
        let found = wait_for(SOON, &what, || {
            let tasks = self.tasks(service, network)?;
            ensure!(tasks.len() == count, "there are {}", tasks.len());
            Ok(tasks)
        });
        found.with_context(|| {
            let listed = self.docker(&format!("service ps --no-trunc {service}"));
            let logs = self.cluster.nodes.iter().map(|node| {
                let log = node.agent().map(|agent| agent.log_tail(25));
                format!("{}: {}", node.name, log.unwrap_or_default())
            });
            let logs: Vec<String> = logs.collect();
            format!("{}\n{}", listed.unwrap_or_default(), logs.join("\n"))
        })
    }

    /// The addresses in use and in what state, but for gateways.
    pub(crate) fn addresses(&self) -> Result<BTreeMap<IpAddr, String>> {
        let listed = self.lead().get("/api/v1/addresses/")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = listed.as_array().into_iter().flatten();
        let entries = entries.filter(|entry| entry["state"] != "gateway");
        let entries =
            entries.map(|entry| Ok((text(&entry["address"]).parse()?, text(&entry["state"]))));
        entries.collect()
    }

    /// Calls the managed plugin of a host as its engine does.
    pub(crate) fn plugin_call(&self, host: usize, call: &str) -> Result<Reply> {
        let node = &self.cluster.nodes[host];
        let target = format!("/plugins/{PLUGIN}/json");
        let plugin = node.engine.api_ok("GET", &target, None)?;
        let id = plugin["Id"].as_str().context("the plugin's id")?;
        // The path itself is longer than the kernel takes.
        let beside = node.host.dir().join("plugin");
        if !beside.exists() {
            let there = node.host.path(format!("/run/docker/plugins/{id}"));
            std::os::unix::fs::symlink(there, &beside)?;
        }
        let socket = beside.join("contiv.sock");
        let body = serde_json::json!({});
        let limit = Duration::from_secs(10);
        unix_request(&socket, "POST", &format!("/{call}"), Some(&body), limit)
    }

    /// Waits until no address is in use.
    pub(crate) fn until_free(&self) -> Result<()> {
        wait_for(SOON, "every address to be free", || {
            let left = self.addresses()?;
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
    }
}

/// Makes the managed plugin of what `make plugin` has built.
fn install(node: &Node) -> Result<()> {
    let program = bin("plugin/rootfs/contiv-plugin").context("run `make plugin` first")?;
    let mut tree: Option<PathBuf> = Some(program);
    for _ in 0..2 {
        tree = tree.and_then(|path| path.parent().map(PathBuf::from));
    }
    let tree = tree.context("the plugin's directory")?;
    let tree = tree.to_string_lossy();
    node.engine.docker(&["plugin", "create", PLUGIN, &tree])?;
    node.engine.docker(&["plugin", "enable", PLUGIN])?;
    Ok(())
}
