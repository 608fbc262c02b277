//! All of Contiv on one host: engine, netmaster, netplugin.

use std::os::unix::net::UnixStream;
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::{Daemon, Engine, EngineOptions, Host, Reply, Version, World, wait_for};

/// Where the master answers, inside the host.
const MASTER: ([u8; 4], u16) = ([127, 0, 0, 1], 9999);

/// Where the agent answers, inside the host.
const AGENT: ([u8; 4], u16) = ([127, 0, 0, 1], 9090);

/// The driver's socket, inside the host.
const PLUGIN_SOCKET: &str = "/run/docker/plugins/netplugin.sock";

/// How long a daemon may take to be ready.
const READY: Duration = Duration::from_secs(30);

/// How long an API call may take.
const CALL: Duration = Duration::from_secs(20);

/// A host with an engine, a master and an agent, and a world to reach.
///
/// The programs are those of this workspace, built before: see [`bin`](crate::bin).
#[derive(Debug)]
pub struct Stack {
    /// The engine; it can be stopped and killed.
    pub engine: Engine,
    /// The host that everything runs on.
    pub host: Host,
    /// What lies beyond the host.
    pub world: World,
    /// Which netmaster starts next.
    pub master_version: Version,
    /// Which netplugin starts next.
    pub agent_version: Version,
    /// Which netctl is run.
    pub netctl_version: Version,
    master: Option<Daemon>,
    agent: Option<Daemon>,
    agent_args: Vec<String>,
}

impl Stack {
    /// Starts everything and waits until it is ready.
    pub fn start(label: &str) -> Result<Self> {
        Self::start_with(label, EngineOptions::default(), &[])
    }

    /// As [`Stack::start`], with options of the engine and further arguments of netplugin.
    pub fn start_with(label: &str, options: EngineOptions, agent_args: &[&str]) -> Result<Self> {
        let mut stack = Self::with_engine(label, options, agent_args)?;
        stack.start_master()?;
        stack.start_agent()?;
        Ok(stack)
    }

    /// As [`Stack::start`], with a master and a netctl of one version, and an agent of another.
    pub fn start_of(label: &str, master: Version, agent: Version) -> Result<Self> {
        let mut stack = Self::with_engine(label, EngineOptions::default(), &[])?;
        stack.master_version = master;
        stack.netctl_version = master;
        stack.agent_version = agent;
        stack.start_master()?;
        stack.start_agent()?;
        Ok(stack)
    }

    fn with_engine(label: &str, options: EngineOptions, agent_args: &[&str]) -> Result<Self> {
        let world = World::new()?;
        let host = Host::new(label)?;
        world.attach(&host)?;
        Ok(Self {
            engine: Engine::start(&host, options)?,
            host,
            world,
            master_version: Version::This,
            agent_version: Version::This,
            netctl_version: Version::This,
            master: None,
            agent: None,
            agent_args: agent_args.iter().map(|arg| (*arg).to_owned()).collect(),
        })
    }

    /// Starts netmaster and waits until it is ready.
    pub fn start_master(&mut self) -> Result<()> {
        let mut command = Command::new(self.master_version.program("netmaster")?);
        command.args(["--data-dir", "/var/lib/contiv"]);
        let daemon = self.host.spawn("netmaster", command)?;
        until_ready("netmaster", &daemon, || {
            let status = self.api("GET", "/healthz", None)?.status;
            if status == 200 {
                Ok(())
            } else {
                bail!("/healthz answers {status}")
            }
        })?;
        self.master = Some(daemon);
        Ok(())
    }

    /// Starts netplugin and waits until the master sees it and the driver's socket is there.
    pub fn start_agent(&mut self) -> Result<()> {
        let mut command = Command::new(self.agent_version.program("netplugin")?);
        command
            .args(["--netmaster", "http://127.0.0.1:9999"])
            .args(&self.agent_args);
        let daemon = self.host.spawn("netplugin", command)?;
        until_ready("netplugin", &daemon, || {
            UnixStream::connect(self.host.path(PLUGIN_SOCKET)).context("the driver's socket")?;
            let hosts = self.api("GET", "/api/v1/hosts/", None)?;
            let mut all = hosts.body.as_array().into_iter().flatten();
            // What it makes once, it has made when it has applied something.
            let ready = |host: &Value| host["live"] == true && host["applied"]["number"] != 0;
            if all.any(ready) {
                return Ok(());
            }
            bail!("the master's hosts are {}", hosts.text)
        })?;
        self.agent = Some(daemon);
        Ok(())
    }

    /// Waits until the master has heard of its host again.
    pub fn until_live(&self) -> Result<()> {
        wait_for(READY, "the agent to find the master", || {
            let hosts = self.api("GET", "/api/v1/hosts/", None)?;
            // Earlier masters tell no lag.
            let lags = hosts.body[0]["lag"].as_u64().is_some_and(|lag| lag > 0);
            if hosts.body[0]["live"] == true && !lags {
                return Ok(());
            }
            bail!("the master's hosts are {}", hosts.text)
        })
    }

    /// The running netmaster.
    pub fn master(&self) -> Result<&Daemon> {
        self.master.as_ref().context("netmaster was killed")
    }

    /// The running netplugin.
    pub fn agent(&self) -> Result<&Daemon> {
        self.agent.as_ref().context("netplugin was killed")
    }

    /// Kills netmaster (SIGKILL) and waits for its end.
    pub fn kill_master(&mut self) {
        self.master = None;
    }

    /// Kills netplugin (SIGKILL) and waits for its end.
    pub fn kill_agent(&mut self) {
        self.agent = None;
    }

    /// Runs a netctl command line (split at blanks), which must succeed; returns its output.
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
        let mut command = Command::new(self.netctl_version.program("netctl")?);
        command.args(line.split_whitespace());
        self.host.output_of(command)
    }

    /// Calls netmaster's API; `target` is the whole path, such as `/api/v1/networks/`.
    pub fn api(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Reply> {
        self.host
            .netns()?
            .http(MASTER.into(), method, target, body, CALL)
    }

    /// One sample of a daemon's metrics, by the line's beginning up to the blank; from netplugin
    /// when `of_agent`, else from netmaster. Absent samples count as zero.
    pub fn metric(&self, of_agent: bool, sample: &str) -> Result<f64> {
        let text = self.metrics(of_agent)?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(Ok(0.0), |value| {
            value.trim().parse().context("a metric is a number")
        })
    }

    /// All of a daemon's metrics, as a scrape reads them.
    pub fn metrics(&self, of_agent: bool) -> Result<String> {
        let address = if of_agent { AGENT } else { MASTER };
        let netns = self.host.netns()?;
        let reply = netns.http(address.into(), "GET", "/metrics", None, CALL)?;
        Ok(reply.text)
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
