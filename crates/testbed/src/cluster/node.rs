//! One host of a cluster, and what runs on it.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{engine_options, named, until_ready};
use crate::{Daemon, Engine, Host, Reply, Version, World, unix_request};

/// Where a master answers whoever is on its host.
const LOCAL: ([u8; 4], u16) = ([127, 0, 0, 1], 9999);

/// Where an agent tells its metrics, inside its host.
const METRICS: ([u8; 4], u16) = ([127, 0, 0, 1], 9090);

/// Ports of the control plane on the underlay: masters, clients of etcd, members of etcd.
const CONTROL: [u16; 3] = [9998, 2379, 2380];

/// The driver's socket, inside the host.
const DRIVER: &str = "/run/docker/plugins/netplugin.sock";

/// How long an API call may take.
const CALL: Duration = Duration::from_secs(20);

/// How long a program may take to end in good order.
const END: Duration = Duration::from_secs(20);

/// A host with an engine, and a member of etcd, a master and an agent that can be stopped.
#[derive(Debug)]
pub struct Node {
    /// What its agent is called among the masters.
    pub name: String,
    /// Its address on the underlay.
    pub address: Ipv4Addr,
    /// The engine; it can be stopped and killed.
    pub engine: Engine,
    /// The host that everything runs on.
    pub host: Host,
    /// Whether its agent asks the master beside it before others; else all ask the first host's.
    pub asks_own_master: bool,
    /// Which netmaster and netctl are run from now on.
    pub master_version: Version,
    /// Which netplugin starts next.
    pub agent_version: Version,
    number: u8,
    peers: Vec<Ipv4Addr>,
    store: Option<Daemon>,
    master: Option<Daemon>,
    agent: Option<Daemon>,
}

impl Node {
    pub(super) fn start(
        number: u8,
        host: &Host,
        peers: Vec<Ipv4Addr>,
        version: Version,
    ) -> Result<Self> {
        Ok(Self {
            name: format!("h{}", number + 1),
            address: peers[usize::from(number)],
            engine: Engine::start(host, engine_options(number))?,
            host: host.clone(),
            asks_own_master: false,
            master_version: version,
            agent_version: version,
            number,
            peers,
            store: None,
            master: None,
            agent: None,
        })
    }

    /// Starts this host's member of etcd, with its data, without waiting: alone it cannot serve.
    pub fn launch_store(&mut self) -> Result<()> {
        let member = |number: usize| format!("m{}", number + 1);
        let url = |address: &Ipv4Addr, port: u16| format!("http://{address}:{port}");
        let (client, peer) = (url(&self.address, 2379), url(&self.address, 2380));
        let all = self.peers.iter().enumerate();
        let all = all.map(|(number, address)| format!("{}={}", member(number), url(address, 2380)));
        let mut command = Command::new("etcd");
        command
            .args(["--name", &member(self.number.into())])
            .args(["--data-dir", "/var/lib/etcd"])
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer])
            .args(["--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &all.collect::<Vec<_>>().join(",")])
            // A member that was cut off does not unseat the leader when it is back.
            .arg("--pre-vote")
            // A machine that is busy with tests is no reason for an election.
            .args(["--heartbeat-interval", "200", "--election-timeout", "2000"])
            .args(["--logger", "zap", "--log-level", "warn"]);
        self.store = Some(self.host.spawn("etcd", command)?);
        Ok(())
    }

    /// Waits until the member serves, for which a majority is needed.
    pub fn wait_for_store(&self) -> Result<()> {
        let netns = self.host.netns()?;
        until_ready("etcd", self.store()?, || {
            let at = (self.address, 2379).into();
            let health = netns.http(at, "GET", "/health", None, CALL)?;
            ensure!(health.body["health"] == "true", "{}", health.text);
            Ok(())
        })
    }

    /// Starts netmaster and waits until it is ready.
    pub fn start_master(&mut self) -> Result<()> {
        let others = self.peers.iter().filter(|peer| **peer != self.address);
        let members: Vec<String> = std::iter::once(&self.address)
            .chain(others)
            .map(|peer| format!("{peer}:2379"))
            .collect();
        let mut command = Command::new(self.master_version.program("netmaster")?);
        let listen = format!("127.0.0.1:9999,{}:9998", self.address);
        command
            .args(["--store", &format!("etcd://{}", members.join(","))])
            .args(["--listen-url", &listen]);
        let daemon = self.host.spawn("netmaster", command)?;
        until_ready(&format!("netmaster of {}", self.name), &daemon, || {
            let status = self.api("GET", "/healthz", None)?.status;
            ensure!(status == 200, "/healthz answers {status}");
            Ok(())
        })?;
        self.master = Some(daemon);
        Ok(())
    }

    /// Starts netplugin without waiting; `program` is another one than that of the workspace.
    pub fn launch_agent(&mut self, program: Option<&Path>, arguments: &[&str]) -> Result<()> {
        let program = match program {
            Some(path) => path.to_owned(),
            None => self.agent_version.program("netplugin")?,
        };
        let mut command = Command::new(program);
        command
            .args(["--netmaster", &self.masters()])
            .args(["--host-label", &self.name])
            .args(arguments);
        self.agent = Some(self.host.spawn("netplugin", command)?);
        Ok(())
    }

    /// All masters in the order in which this host's agent asks them.
    pub fn masters(&self) -> String {
        let url = |peer: &Ipv4Addr| format!("https://{peer}:9998");
        let mut urls: Vec<String> = self.peers.iter().map(url).collect();
        if self.asks_own_master {
            urls.rotate_left(self.number.into());
        }
        urls.join(",")
    }

    /// A token that lets one host join; of this name, unless it is empty.
    pub fn join_token(&self, name: &str) -> Result<String> {
        let netmaster = self.master_version.program("netmaster")?;
        let words = ["token", "create", "--host", name].map(AsRef::as_ref);
        let line = [&[netmaster.as_os_str()][..], &words].concat();
        Ok(self.host.run(&line)?.trim().to_owned())
    }

    pub(super) fn reboot(&mut self, world: &World) -> Result<()> {
        (self.agent, self.master, self.store) = (None, None, None);
        self.engine.kill9();
        self.host = self.host.reboot()?;
        world.attach_again(&self.host, self.address)?;
        self.engine = Engine::off(&self.host, engine_options(self.number));
        Ok(())
    }

    /// The running member of etcd.
    pub fn store(&self) -> Result<&Daemon> {
        self.store.as_ref().context("etcd was killed")
    }

    /// The running netmaster.
    pub fn master(&self) -> Result<&Daemon> {
        self.master.as_ref().context("netmaster was killed")
    }

    /// The running netplugin.
    pub fn agent(&self) -> Result<&Daemon> {
        self.agent.as_ref().context("netplugin was killed")
    }

    /// Kills the member of etcd (SIGKILL) and waits for its end.
    pub fn kill_store(&mut self) {
        self.store = None;
    }

    /// Kills netmaster (SIGKILL) and waits for its end.
    pub fn kill_master(&mut self) {
        self.master = None;
    }

    /// Kills netplugin (SIGKILL) and waits for its end.
    pub fn kill_agent(&mut self) {
        self.agent = None;
    }

    /// Ends netmaster in good order.
    pub fn stop_master(&mut self) -> Result<()> {
        end(self.master.take())
    }

    /// Ends netplugin in good order.
    pub fn stop_agent(&mut self) -> Result<()> {
        end(self.agent.take())
    }

    /// Cuts this host's control plane off from the other hosts: masters and etcd do not answer
    /// across the underlay any more. What containers send is not touched.
    pub fn cut_off(&self) -> Result<()> {
        let netns = self.host.netns()?;
        netns.run("nft add table inet cut")?;
        let ports = CONTROL.map(|port| port.to_string()).join(",");
        for (hook, link) in [("input", "iifname"), ("output", "oifname")] {
            netns.run(&format!(
                "nft add chain inet cut {hook} {{ type filter hook {hook} priority -200 ; }}"
            ))?;
            for end in ["dport", "sport"] {
                netns.run(&format!(
                    "nft add rule inet cut {hook} {link} eth0 tcp {end} {{ {ports} }} drop"
                ))?;
            }
        }
        Ok(())
    }

    /// Undoes [`Node::cut_off`].
    pub fn heal(&self) -> Result<()> {
        self.host.netns()?.run("nft delete table inet cut")?;
        Ok(())
    }

    /// Runs a netctl command line (split at blanks) beside this host's master; it must succeed.
    pub fn netctl(&self, line: &str) -> Result<String> {
        let output = self.try_netctl(line)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("netctl {line}: {}: {}", output.status, stderr.trim())
    }

    /// Runs a netctl command line (split at blanks) to its end, whatever its exit code.
    pub fn try_netctl(&self, line: &str) -> Result<Output> {
        let mut command = Command::new(self.master_version.program("netctl")?);
        command.args(line.split_whitespace());
        self.host.output_of(command)
    }

    /// Calls this host's master; `target` is the whole path, such as `/api/v1/networks/`.
    pub fn api(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Reply> {
        let netns = self.host.netns()?;
        netns.http(LOCAL.into(), method, target, body, CALL)
    }

    /// A `GET` of this host's master that must succeed.
    pub fn get(&self, target: &str) -> Result<Value> {
        let reply = self.api("GET", target, None)?;
        let (status, text) = (reply.status, &reply.text);
        ensure!(
            status == 200,
            "{}: GET {target}: {status} {text}",
            self.name
        );
        Ok(reply.body)
    }

    /// What this host's master knows of the host `name`.
    pub fn host_entry(&self, name: &str) -> Result<Value> {
        let hosts = self.get("/api/v1/hosts/")?;
        let entry = named(&hosts, name).cloned();
        entry.with_context(|| format!("{} knows no host {name}: {hosts}", self.name))
    }

    /// Calls the driver as an engine would.
    pub fn driver_call(&self, call: &str, body: &Value) -> Result<Reply> {
        let target = format!("/{call}");
        unix_request(&self.host.path(DRIVER), "POST", &target, Some(body), CALL)
    }

    pub(super) fn driver_answers(&self) -> Result<()> {
        UnixStream::connect(self.host.path(DRIVER)).context("the driver's socket")?;
        Ok(())
    }

    /// All metrics of this host's agent, as a scrape reads them.
    pub fn agent_metrics(&self) -> Result<String> {
        let netns = self.host.netns()?;
        let reply = netns.http(METRICS.into(), "GET", "/metrics", None, CALL)?;
        Ok(reply.text)
    }
}

fn end(daemon: Option<Daemon>) -> Result<()> {
    if let Some(daemon) = daemon {
        daemon.terminate(END)?;
    }
    Ok(())
}
