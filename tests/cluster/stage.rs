//! The stage that stories are played on: a cluster, shared by those that follow.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use contiv_testbed::{Cluster, Daemon, Node, at_exit, map_entries};
use serde_json::Value;

use crate::actor::Actor;
use crate::strike::Footprint;

pub(crate) use anyhow::Result;

/// How long something may take that is asked for again until it is so.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Hosts of the stage.
pub(crate) const HOSTS: usize = 3;

/// Parts of the names of tables whose entries go by their age, or stay to be counted in.
const AGEING: [&str; 4] = ["flow", "frag", "crowd", "rule_"];

/// Three hosts that have joined; derefs to [`Cluster`].
pub(crate) struct Stage {
    cluster: Cluster,
    /// What a stage looks like on which nothing is played.
    pub(crate) bare: Footprint,
}

static SHARED: Mutex<Option<Stage>> = Mutex::new(None);

/// Plays a story on the shared stage, and cleans up after it.
pub(crate) fn story(play: impl FnOnce(&mut Stage) -> Result<()>) -> Result<()> {
    static CLOSING: Once = Once::new();
    CLOSING.call_once(|| at_exit(close));
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Stage::set()?);
    }
    let stage = shared.as_mut().context("a stage")?;
    let begun = Instant::now();
    let played = catch_unwind(AssertUnwindSafe(|| {
        play(stage)?;
        let struck = stage.strike();
        struck.context("the story is told, but not all of it is gone")
    }));
    println!("told in {} s", begun.elapsed().as_secs());
    if !matches!(played, Ok(Ok(()))) {
        stage.tell();
        *shared = None;
    }
    played.unwrap_or_else(|panic| resume_unwind(panic))
}

extern "C" fn close() {
    drop(SHARED.lock().unwrap_or_else(PoisonError::into_inner).take());
}

impl Stage {
    fn set() -> Result<Self> {
        let cluster = Cluster::start(HOSTS)?;
        let bare = Footprint::of(&cluster)?;
        Ok(Self { cluster, bare })
    }

    /// Prints the last words of everything that runs here.
    fn tell(&self) {
        for node in &self.nodes {
            let daemons = [
                ("etcd", node.store().ok()),
                ("netmaster", node.master().ok()),
                ("netplugin", node.agent().ok()),
                ("dockerd", node.engine.daemon()),
            ];
            for (what, daemon) in daemons {
                let log = daemon.map_or_else(|| "it does not run".into(), Daemon::log);
                // An engine tells a lot that is none of our concern.
                let told = log.lines().filter(|line| !line.contains("level=info"));
                let told: Vec<&str> = told.collect();
                let last = &told[told.len().saturating_sub(25)..];
                println!("── {what} of {} ──\n{}", node.name, last.join("\n"));
            }
        }
    }

    /// Runs a netctl command line beside the first master.
    pub(crate) fn netctl(&self, line: &str) -> Result<String> {
        self.nodes[0].netctl(line)
    }

    /// Starts a container that waits on `network` of a host.
    pub(crate) fn start(&self, host: usize, name: &str, network: &str) -> Result<Actor> {
        let container = self.nodes[host].engine.run(name, network, &[])?;
        Actor::of(container, network)
    }

    /// Starts one container on each host, named `prefix1`, `prefix2`, ….
    pub(crate) fn start_everywhere(&self, prefix: &str, network: &str) -> Result<Vec<Actor>> {
        let start = |host: usize| self.start(host, &format!("{prefix}{}", host + 1), network);
        (0..HOSTS).map(start).collect()
    }

    /// A running container, as it now is on `network`.
    pub(crate) fn actor(&self, host: usize, name: &str, network: &str) -> Result<Actor> {
        Actor::of(self.nodes[host].engine.container(name)?, network)
    }

    /// Removes containers of a host, whether they run or not.
    pub(crate) fn remove(&self, host: usize, names: &[&str]) -> Result<()> {
        let words = [&["rm", "-f"], names].concat();
        self.nodes[host].engine.docker(&words).map(drop)
    }

    /// Who holds which address, as the master of a host knows: without the gateways, sorted.
    pub(crate) fn addresses_in_use(&self, host: usize) -> Result<Vec<String>> {
        let listed = self.nodes[host].get("/api/v1/addresses/")?;
        let entries = listed.as_array().context("a list of addresses")?.iter();
        let text = |entry: &Value, field: &str| entry[field].as_str().unwrap_or("").to_owned();
        let used = entries.filter(|entry| !text(entry, "owner").contains("gateway"));
        let mut used: Vec<String> = used.map(|entry| text(entry, "address")).collect();
        used.sort();
        Ok(used)
    }
}

/// How full the kernel's tables of a host are, but for those of flows and of what rules have
/// decided.
pub(crate) fn tables(node: &Node) -> Result<BTreeMap<String, usize>> {
    let mut entries = map_entries(&node.host.path("/sys/fs/bpf"))?;
    entries.retain(|name, _| !AGEING.iter().any(|part| name.to_lowercase().contains(part)));
    Ok(entries)
}

impl Deref for Stage {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}
