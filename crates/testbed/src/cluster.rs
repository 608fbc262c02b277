//! Several hosts, each with an engine, a member of etcd, a master and an agent.

mod node;

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{Daemon, EngineOptions, Host, Version, World, wait_for};

pub use node::Node;

/// How long a daemon may take to be ready on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// Hosts named `h1`, `h2`, … that have joined each other's masters over the network.
///
/// The programs are those of this workspace, built before: see [`bin`](crate::bin).
#[derive(Debug)]
pub struct Cluster {
    /// The hosts, in the order of their names.
    pub nodes: Vec<Node>,
    /// The underlay that they are on.
    pub world: World,
}

impl Cluster {
    /// Starts everything on `count` hosts and waits until it is ready.
    pub fn start(count: usize) -> Result<Self> {
        Self::start_of(count, Version::This)
    }

    /// The same with programs of another version.
    pub fn start_of(count: usize, version: Version) -> Result<Self> {
        let world = World::new()?;
        let mut hosts = Vec::new();
        for number in 1..=count {
            let host = Host::new(&format!("h{number}"))?;
            let address = world.attach(&host)?;
            hosts.push((host, address));
        }
        let addresses: Vec<Ipv4Addr> = hosts.iter().map(|(_, address)| *address).collect();
        // Engines take the longest, and do not wait for each other.
        let nodes = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..)
                .zip(&hosts)
                .map(|(index, (host, _))| {
                    let peers = addresses.clone();
                    scope.spawn(move || Node::start(index, host, peers, version))
                })
                .collect();
            let started = starting.into_iter().map(|node| {
                let node = node.join();
                node.map_err(|_| anyhow!("a starting thread panicked"))?
            });
            started.collect::<Result<Vec<Node>>>()
        })?;
        let mut cluster = Self { nodes, world };
        for index in 0..count {
            cluster.nodes[index].launch_store()?;
        }
        for index in 0..count {
            cluster.nodes[index].wait_for_store()?;
        }
        for index in 0..count {
            cluster.nodes[index].start_master()?;
        }
        for index in 0..count {
            let token = cluster.nodes[0].join_token("")?;
            cluster.start_agent_with(index, None, &["--join-token", &token])?;
        }
        Ok(cluster)
    }

    /// Starts a host's netplugin, which has joined before, and waits until it is ready.
    pub fn start_agent(&mut self, index: usize) -> Result<()> {
        self.start_agent_with(index, None, &[])
    }

    /// The same with another program than that of the workspace, and further arguments.
    pub fn start_agent_with(
        &mut self,
        index: usize,
        program: Option<&Path>,
        arguments: &[&str],
    ) -> Result<()> {
        self.nodes[index].launch_agent(program, arguments)?;
        self.until_agent_is_ready(index)
    }

    /// Waits until a host's driver answers, and each master that runs sees the host live and with
    /// something applied.
    pub fn until_agent_is_ready(&self, index: usize) -> Result<()> {
        let node = &self.nodes[index];
        let agent = node.agent()?;
        until_ready(&format!("netplugin of {}", node.name), agent, || {
            node.driver_answers()?;
            for master in self.nodes.iter().filter(|node| node.master().is_ok()) {
                let entry = master.host_entry(&node.name)?;
                if entry["live"] != true || entry["applied"]["number"] == 0 {
                    bail!("{} says {entry}", master.name);
                }
            }
            Ok(())
        })
    }

    /// Ends everything that runs on a host, and starts it anew on the same disk: engine, member of
    /// etcd, master, and agent.
    pub fn reboot(&mut self, index: usize) -> Result<()> {
        self.nodes[index].reboot(&self.world)?;
        self.nodes[index].launch_store()?;
        self.nodes[index].wait_for_store()?;
        self.nodes[index].start_master()?;
        self.nodes[index].launch_agent(None, &[])?;
        // As units do: the engine after its driver.
        self.nodes[index].engine.up()?;
        self.until_agent_is_ready(index)
    }

    /// Waits until every host is live, and has in its kernel what the masters have last written.
    pub fn until_settled(&self, limit: Duration) -> Result<()> {
        wait_for(limit, "all hosts to be live and up to date", || {
            for master in &self.nodes {
                for node in &self.nodes {
                    let entry = master.host_entry(&node.name)?;
                    if entry["live"] != true || entry["lag"] != 0 {
                        bail!("{} says {entry}", master.name);
                    }
                }
            }
            Ok(())
        })
    }
}

/// Waits until `probe` is content. A daemon that ends is not waited for.
fn until_ready(name: &str, daemon: &Daemon, mut probe: impl FnMut() -> Result<()>) -> Result<()> {
    let ready = wait_for(READY, &format!("{name} to be ready"), || {
        match daemon.exited() {
            Some(status) => Ok(Err(anyhow!("it ended ({status})"))),
            None => probe().map(Ok),
        }
    });
    let ready = ready.and_then(|ended| ended);
    ready.with_context(|| format!("{name} said:\n{}", daemon.log_tail(15)))
}

/// Options of the engine of host `index`, whose bridge no other one has.
fn engine_options(index: u8) -> EngineOptions {
    EngineOptions {
        bip: format!("172.21.{index}.1/24"),
        live_restore: false,
    }
}

/// An entry of a list by its name.
fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    let mut entries = list.as_array()?.iter();
    entries.find(|entry| entry["name"] == name)
}
